//! Sums over rows in vectors, and of rows.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use pulp::Simd;

/// The sum over the places of equally long rows of the product of their values.
#[inline(always)]
pub(super) fn sum_of_products<S: Simd, const N: usize>(simd: S, rows: [&[f32]; N]) -> f32 {
    let parts = rows.map(|row| S::as_simd_f32s(row));
    let product = |factors: [S::f32s; N]| {
        let mut product = factors[0];
        for &factor in &factors[1..] {
            product = simd.mul_f32s(product, factor);
        }
        product
    };
    let mut sum = simd.splat_f32s(0.0);
    for place in 0..parts[0].0.len() {
        sum = simd.add_f32s(sum, product(parts.map(|(vectors, _)| vectors[place])));
    }
    if !parts[0].1.is_empty() {
        // Missing lanes are loaded as zeros.
        let rest = parts.map(|(_, rest)| simd.partial_load_f32s(rest));
        sum = simd.add_f32s(sum, product(rest));
    }
    simd.reduce_sum_f32s(sum)
}

/// `sums += values`.
pub(super) fn add(values: &[f32], sums: &mut [f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}
