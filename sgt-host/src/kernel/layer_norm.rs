//! Layer normalisation over the last axis.
//!
//! For each row x of `dim` values: `y = (x − mean) / √(variance + ε) ∘ weight + bias`, with the
//! variance divided by `dim`. Source: Ba, Kiros and Hinton, 2016, as PyTorch's `nn.LayerNorm`.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::aligned::AlignedBuffer;
use super::request::check_length as check;
pub use super::request::{InputGradient, Keep};
use crate::{Error, Result};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// PyTorch's default ε.
pub const EPSILON: f32 = 1e-5;
/// Rows in one task. Weight gradients are summed a task first, then over tasks, in order.
const CHUNK_ROWS: usize = 256;

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub struct LayerNormCache {
    rows: usize,
    dim: usize,
    /// `[rows, dim]`: (x − mean) / √(variance + ε).
    normalised: AlignedBuffer,
    /// `[rows]`: 1 / √(variance + ε).
    inverse_deviations: AlignedBuffer,
    /// `[chunks, 2, dim]`: a chunk's weight and bias gradient.
    gradients: AlignedBuffer,
}

/// Normalises the rows of `x` `[rows, dim]` into `y`, where `dim` is the length of `weight`.
///
/// # Errors
/// [`Error::Shape`] when `x` is empty or no whole number of rows, or a length doesn't fit.
pub fn forward(
    weight: &[f32],
    bias: &[f32],
    epsilon: f32,
    x: &[f32],
    y: &mut [f32],
    cache: &mut LayerNormCache,
) -> Result<()> {
    let dim = weight.len();
    if dim == 0 || x.is_empty() || !x.len().is_multiple_of(dim) {
        return Err(Error::Shape {
            operation: "layer norm",
            found: format!("{} values", x.len()),
            expected: format!("rows of {dim}, at least one value"),
        });
    }
    check("layer norm bias", bias.len(), dim)?;
    check("layer norm output", y.len(), x.len())?;
    let rows = x.len() / dim;
    cache.rows = rows;
    cache.dim = dim;
    cache.normalised.resize(rows * dim);
    cache.inverse_deviations.resize(rows);
    let arch = Arch::new();
    let chunk = CHUNK_ROWS * dim;
    let normalised = cache.normalised.values_mut().par_chunks_mut(chunk);
    let inverse_deviations = cache.inverse_deviations.values_mut();
    let tasks = normalised
        .zip(inverse_deviations.par_chunks_mut(CHUNK_ROWS))
        .zip(x.par_chunks(chunk))
        .zip(y.par_chunks_mut(chunk));
    tasks.for_each(|(((normalised, inverse_deviations), x), y)| {
        arch.dispatch(Forward {
            weight,
            bias,
            epsilon,
            x,
            y,
            normalised,
            inverse_deviations,
        });
    });
    Ok(())
}

/// Pulls `dy` `[rows, dim]` back through the pass in `cache`.
///
/// `gradient`, when given, has the gradients of weight and bias **added** to it.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass or a length doesn't fit it.
pub fn backward(
    weight: &[f32],
    cache: &mut LayerNormCache,
    dy: &[f32],
    dx: InputGradient,
    gradient: Option<(&mut [f32], &mut [f32])>,
) -> Result<()> {
    let LayerNormCache { rows, dim, .. } = *cache;
    if rows == 0 {
        return Err(Error::Shape {
            operation: "layer norm backward",
            found: "no forward pass".into(),
            expected: "a cache that a forward pass filled".into(),
        });
    }
    check("layer norm weight", weight.len(), dim)?;
    check("layer norm output gradient", dy.len(), rows * dim)?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        check("layer norm input gradient", dx.len(), rows * dim)?;
    }
    if let Some((d_weight, d_bias)) = &gradient {
        check("layer norm weight gradient", d_weight.len(), dim)?;
        check("layer norm bias gradient", d_bias.len(), dim)?;
    }
    let arch = Arch::new();
    let chunk = CHUNK_ROWS * dim;
    let normalised = cache.normalised.values();
    if let Some(dx) = dx {
        let inverse_deviations = cache.inverse_deviations.values();
        let tasks = dx
            .par_chunks_mut(chunk)
            .zip(dy.par_chunks(chunk))
            .zip(normalised.par_chunks(chunk))
            .zip(inverse_deviations.par_chunks(CHUNK_ROWS));
        tasks.for_each(|(((dx, dy), normalised), inverse_deviations)| {
            arch.dispatch(Backward {
                weight,
                dy,
                normalised,
                inverse_deviations,
                dx,
                add,
            });
        });
    }
    if let Some((d_weight, d_bias)) = gradient {
        cache.gradients.resize(rows.div_ceil(CHUNK_ROWS) * 2 * dim);
        let gradients = cache.gradients.values_mut();
        let tasks = gradients
            .par_chunks_mut(2 * dim)
            .zip(dy.par_chunks(chunk))
            .zip(normalised.par_chunks(chunk));
        tasks.for_each(|((gradients, dy), normalised)| {
            gradients.fill(0.0);
            let (d_weight, d_bias) = gradients.split_at_mut(dim);
            for (dy, normalised) in dy.chunks_exact(dim).zip(normalised.chunks_exact(dim)) {
                for ((sum, dy), value) in d_weight.iter_mut().zip(dy).zip(normalised) {
                    *sum += dy * value;
                }
                for (sum, dy) in d_bias.iter_mut().zip(dy) {
                    *sum += dy;
                }
            }
        });
        for part in cache.gradients.values().chunks_exact(2 * dim) {
            for (sum, part) in d_weight.iter_mut().zip(&part[..dim]) {
                *sum += part;
            }
            for (sum, part) in d_bias.iter_mut().zip(&part[dim..]) {
                *sum += part;
            }
        }
    }
    Ok(())
}

struct Forward<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
    x: &'a [f32],
    y: &'a mut [f32],
    normalised: &'a mut [f32],
    inverse_deviations: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let dim = self.weight.len();
        let rows = self.x.chunks_exact(dim).zip(self.y.chunks_exact_mut(dim));
        let places = self
            .normalised
            .chunks_exact_mut(dim)
            .zip(self.inverse_deviations);
        for ((x, y), (normalised, inverse_deviation)) in rows.zip(places) {
            let mean = sum_of_products(simd, [x]) / dim as f32;
            for (distance, x) in normalised.iter_mut().zip(x) {
                *distance = x - mean;
            }
            let variance = sum_of_products(simd, [&*normalised, &*normalised]) / dim as f32;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            *inverse_deviation = scale;
            let parameters = self.weight.iter().zip(self.bias);
            for ((y, value), (weight, bias)) in y.iter_mut().zip(normalised).zip(parameters) {
                *value *= scale;
                *y = *value * weight + bias;
            }
        }
    }
}

struct Backward<'a> {
    weight: &'a [f32],
    dy: &'a [f32],
    normalised: &'a [f32],
    inverse_deviations: &'a [f32],
    dx: &'a mut [f32],
    add: bool,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let dim = self.weight.len();
        let rows = self
            .dy
            .chunks_exact(dim)
            .zip(self.normalised.chunks_exact(dim));
        let places = self.dx.chunks_exact_mut(dim).zip(self.inverse_deviations);
        for ((dy, normalised), (dx, inverse_deviation)) in rows.zip(places) {
            let weight = self.weight;
            let mean = sum_of_products(simd, [dy, weight]) / dim as f32;
            let along = sum_of_products(simd, [dy, weight, normalised]) / dim as f32;
            let values = dy.iter().zip(weight).zip(normalised);
            for (dx, ((dy, weight), value)) in dx.iter_mut().zip(values) {
                let gradient = (dy * weight - mean - value * along) * inverse_deviation;
                *dx = if self.add { *dx + gradient } else { gradient };
            }
        }
    }
}

/// The sum over the places of equally long rows of the product of their values.
#[inline(always)]
fn sum_of_products<S: Simd, const N: usize>(simd: S, rows: [&[f32]; N]) -> f32 {
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
