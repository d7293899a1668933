//! Softmax of one row, and its gradient, in vectors.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::sums::sum_of_products;
use super::transcendental::exp;
use pulp::Simd;

/// `scores` become `softmax(scale · scores)`, for a positive `scale`.
#[inline(always)]
pub(super) fn softmax<S: Simd>(simd: S, scale: f32, scores: &mut [f32]) {
    let shift = largest(simd, scores);
    let (vectors, rest) = S::as_mut_simd_f32s(scores);
    let mut sums = simd.splat_f32s(0.0);
    for vector in &mut *vectors {
        *vector = weight(simd, scale, shift, *vector);
        sums = simd.add_f32s(sums, *vector);
    }
    let mut sum = simd.reduce_sum_f32s(sums);
    if !rest.is_empty() {
        let weights = weight(simd, scale, shift, simd.partial_load_f32s(rest));
        simd.partial_store_f32s(rest, weights);
        sum += rest.iter().sum::<f32>();
    }
    let share = 1.0 / sum;
    for vector in vectors {
        *vector = simd.mul_f32s(*vector, simd.splat_f32s(share));
    }
    for weight in rest {
        *weight *= share;
    }
}

/// `exp(scale · (score − shift))`.
#[inline(always)]
fn weight<S: Simd>(simd: S, scale: f32, shift: f32, scores: S::f32s) -> S::f32s {
    let distance = simd.sub_f32s(scores, simd.splat_f32s(shift));
    exp(simd, simd.mul_f32s(simd.splat_f32s(scale), distance))
}

/// From the gradient of `probabilities` to that of the scores of [`softmax`], in place:
/// `scale · p ∘ (dp − Σ dp ∘ p)`.
#[inline(always)]
pub(super) fn softmax_gradient<S: Simd>(
    simd: S,
    scale: f32,
    probabilities: &[f32],
    gradient: &mut [f32],
) {
    let mean = sum_of_products(simd, [probabilities, gradient]);
    for (gradient, probability) in gradient.iter_mut().zip(probabilities) {
        *gradient = scale * probability * (*gradient - mean);
    }
}

/// The largest value of a row; −∞ of an empty one.
#[inline(always)]
fn largest<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(row);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for &vector in vectors {
        largest = simd.max_f32s(largest, vector);
    }
    let largest = simd.reduce_max_f32s(largest);
    rest.iter().copied().fold(largest, f32::max)
}
