//! Layer normalisation over the values of each position.
//!
//! For each row x of `dim` values, in either [`LayerNormForm`]:
//!
//! ```text
//! out = (x − mean) / √(variance + ε) ∘ weight + bias    variance over dim      (standard)
//! out = (x − mean) / (deviation + ε) ∘ weight + bias    variance over dim − 1  (unbiased)
//! ```
//!
//! Sources: Ba, Kiros and Hinton, 2016, as PyTorch's `nn.LayerNorm`; and the `Norm` of the time
//! series benchmark of Ismail et al., 2020, whose weight is called alpha.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

#[cfg(test)]
mod tests;

use super::buffer::Buffer;
use super::dispatch::dispatch;
pub(crate) use super::request::InputGradient;
use super::rescale::halfway;
use super::sums::sum_of_products;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows in one task. Parameter gradients are summed a task first, then over tasks, in order.
const CHUNK_ROWS: usize = 256;

const OPERATION: &str = "layer norm";

/// The formula of a layer normalisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerNormForm {
    /// `(x − mean) / √(variance + 1e-5) · weight + bias` (Ba, Kiros, Hinton 2016): PyTorch's.
    #[default]
    Standard,
    /// `alpha · (x − mean) / (deviation + 1e-6) + bias` with the unbiased deviation: the time-series
    /// benchmark's (Ismail et al. 2020). Where all values of a row are equal the deviation's slope,
    /// which isn't defined, counts as 0.
    Unbiased,
}

impl LayerNormForm {
    /// What keeps the divisor from 0.
    pub(crate) const fn epsilon(self) -> f32 {
        match self {
            Self::Standard => 1e-5,
            Self::Unbiased => 1e-6,
        }
    }
}

/// The values of a position, and the form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerNormShape {
    /// Values a row.
    pub(crate) dim: usize,
    /// What rows are divided by.
    pub(crate) form: LayerNormForm,
}

impl LayerNormShape {
    /// Refuses rows without a variance.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
        let least = match self.form {
            LayerNormForm::Standard => 1,
            LayerNormForm::Unbiased => 2,
        };
        if self.dim >= least {
            return Ok(());
        }
        Err(Error::Shape {
            operation: OPERATION,
            found: format!("rows of {} values", self.dim),
            expected: format!("at least {least}"),
        })
    }

    /// What the squared distances from the mean are divided by.
    const fn degrees(&self) -> usize {
        match self.form {
            LayerNormForm::Standard => self.dim,
            LayerNormForm::Unbiased => self.dim - 1,
        }
    }

    /// From the sum of squared distances: what distances are multiplied by, and `curvature` in
    /// `dx = scale · (g − mean g) − curvature · Σ(g ∘ n) · n`, for g the gradient of the normalised
    /// row n.
    #[inline(always)]
    fn scales(&self, squares: f32) -> (f32, f32) {
        let epsilon = self.form.epsilon();
        let degrees = self.degrees() as f32;
        let variance = squares / degrees;
        match self.form {
            LayerNormForm::Standard => {
                let scale = 1.0 / (variance + epsilon).sqrt();
                (scale, scale / degrees)
            }
            LayerNormForm::Unbiased => {
                let deviation = variance.sqrt();
                let curvature = if deviation == 0.0 {
                    0.0
                } else {
                    1.0 / (degrees * deviation)
                };
                (1.0 / (deviation + epsilon), curvature)
            }
        }
    }

    /// The number of rows in `x`, after all checks of a forward pass.
    fn rows(&self, parameters: &LayerNormParameters, x: &[f32]) -> Result<usize> {
        self.check()?;
        expect_len(OPERATION, "weight", parameters.weight.len(), self.dim)?;
        expect_len(OPERATION, "bias", parameters.bias.len(), self.dim)?;
        batch_len(OPERATION, "x", x.len(), self.dim)
    }
}

/// The parameters, `[dim]` each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNormParameters<'a> {
    /// The scale.
    pub(crate) weight: &'a [f32],
    /// The shift.
    pub(crate) bias: &'a [f32],
}

/// Where the parameters' gradients are added.
#[derive(Debug)]
pub(crate) struct LayerNormGradients<'a> {
    /// Of the scale.
    pub(crate) weight: &'a mut [f32],
    /// Of the shift.
    pub(crate) bias: &'a mut [f32],
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerNormCache {
    shape: LayerNormShape,
    /// `[rows, dim]`: before weight and bias.
    normalised: Buffer,
    /// `[rows, 2]`: what [`LayerNormShape::scales`] gives.
    scales: Buffer,
    /// `[chunks, 2, dim]`: a chunk's weight and bias gradient.
    gradients: Buffer,
}

/// Normalises the rows of `x` `[rows, dim]` into `out`.
///
/// # Errors
/// [`Error::Shape`] when `x` is empty or no whole number of rows, or a length doesn't fit.
pub(crate) fn forward(
    shape: &LayerNormShape,
    parameters: &LayerNormParameters,
    x: &[f32],
    out: &mut [f32],
    cache: &mut LayerNormCache,
) -> Result<()> {
    let rows = shape.rows(parameters, x)?;
    expect_len(OPERATION, "out", out.len(), x.len())?;
    cache.shape = *shape;
    let chunk = CHUNK_ROWS * shape.dim;
    let normalised = cache.normalised.resize(x.len()).par_chunks_mut(chunk);
    let scales = cache.scales.resize(2 * rows);
    normalised
        .zip(scales.par_chunks_mut(2 * CHUNK_ROWS))
        .zip(x.par_chunks(chunk).zip(out.par_chunks_mut(chunk)))
        .for_each(|((normalised, scales), (x, out))| {
            dispatch(Forward {
                shape,
                parameters,
                x,
                out,
                normalised,
                scales,
            });
        });
    Ok(())
}

/// Pulls `dout` `[rows, dim]` back through the pass in `cache`.
///
/// `gradients`, when given, have the parameters' gradients **added** to them.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass or a length doesn't fit it.
pub(crate) fn backward(
    parameters: &LayerNormParameters,
    cache: &mut LayerNormCache,
    dout: &[f32],
    dx: InputGradient,
    gradients: Option<LayerNormGradients>,
) -> Result<()> {
    let LayerNormCache {
        shape,
        normalised,
        scales,
        gradients: sums,
    } = cache;
    let dim = shape.dim;
    let rows = shape.rows(parameters, normalised)?;
    expect_len(OPERATION, "dout", dout.len(), rows * dim)?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        expect_len(OPERATION, "dx", dx.len(), rows * dim)?;
    }
    if let Some(gradients) = &gradients {
        expect_len(OPERATION, "weight gradient", gradients.weight.len(), dim)?;
        expect_len(OPERATION, "bias gradient", gradients.bias.len(), dim)?;
    }
    let chunk = CHUNK_ROWS * dim;
    let chunks = dout.par_chunks(chunk).zip(normalised.par_chunks(chunk));
    if let Some(dx) = dx {
        dx.par_chunks_mut(chunk)
            .zip(scales.par_chunks(2 * CHUNK_ROWS))
            .zip(chunks.clone())
            .for_each(|((dx, scales), (dout, normalised))| {
                dispatch(Backward {
                    weight: parameters.weight,
                    dout,
                    normalised,
                    scales,
                    dx,
                    add,
                });
            });
    }
    if let Some(gradients) = gradients {
        let sums = sums.resize(rows.div_ceil(CHUNK_ROWS) * 2 * dim);
        sums.par_chunks_mut(2 * dim)
            .zip(chunks)
            .for_each(|(sums, (dout, normalised))| {
                sums.fill(0.0);
                let (weight, bias) = sums.split_at_mut(dim);
                for (dout, normalised) in dout.chunks_exact(dim).zip(normalised.chunks_exact(dim)) {
                    for ((sum, dout), value) in weight.iter_mut().zip(dout).zip(normalised) {
                        *sum += dout * value;
                    }
                    bias.iter_mut()
                        .zip(dout)
                        .for_each(|(sum, dout)| *sum += dout);
                }
            });
        for part in sums.chunks_exact(2 * dim) {
            let (weight, bias) = part.split_at(dim);
            accumulate(gradients.weight, weight);
            accumulate(gradients.bias, bias);
        }
    }
    Ok(())
}

fn accumulate(sums: &mut [f32], part: &[f32]) {
    sums.iter_mut()
        .zip(part)
        .for_each(|(sum, part)| *sum += part);
}

/// Pulls the multipliers `dout` of the output back to multipliers `dx` of the input, for rows `x`
/// and their `baseline`, all `[rows, dim]`: `DeepLIFT` through a centring, which is linear, a mean of
/// squares, its reciprocal root (`Δr / Δvariance`) and the product of the two
/// (`Δ(c r) = ½(c + c₀)Δr + ½(r + r₀)Δc`).
///
/// So `Σ dx · Δx = Σ dout · Δout` up to rounding, and `dx` is the gradient where `x` and `baseline`
/// are the same. Evaluated in `f64`. A row of almost equal values has a reciprocal as large as 1 / ε
/// (`1 / √ε`): with such a baseline contributions are as large, and cancel.
///
/// # Errors
/// [`Error::Shape`] when a length doesn't fit.
pub(crate) fn multipliers(
    shape: &LayerNormShape,
    parameters: &LayerNormParameters,
    [x, baseline]: [&[f32]; 2],
    dout: &[f32],
    dx: &mut [f32],
) -> Result<()> {
    shape.rows(parameters, x)?;
    expect_len(OPERATION, "baseline", baseline.len(), x.len())?;
    expect_len(OPERATION, "dout", dout.len(), x.len())?;
    expect_len(OPERATION, "dx", dx.len(), x.len())?;
    let dim = shape.dim;
    let pairs = x.par_chunks(dim).zip(baseline.par_chunks(dim));
    dx.par_chunks_mut(dim)
        .zip(dout.par_chunks(dim))
        .zip(pairs)
        .for_each(|((dx, dout), (x, baseline))| {
            let of = dout.iter().zip(parameters.weight);
            let of: Vec<f64> = of.map(|(d, w)| f64::from(*d) * f64::from(*w)).collect();
            let pair = [x, baseline].map(|row| Centred::new(shape, row));
            let reciprocal = halfway(pair.each_ref().map(|row| 1.0 / row.divisor));
            let centred = |i: usize| halfway(pair.each_ref().map(|row| row.distances[i]));
            let of_reciprocal: f64 = (0..dim).map(|i| of[i] * centred(i)).sum();
            let of_variance = of_reciprocal * reciprocal_slope(shape.form, &pair);
            let of_distance = |i: usize| {
                // Δ(c²) = (c + c₀)Δc
                of[i] * reciprocal + of_variance * 2.0 * centred(i) / shape.degrees() as f64
            };
            let mean = (0..dim).map(of_distance).sum::<f64>() / dim as f64;
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx = (of_distance(i) - mean) as f32;
            }
        });
    Ok(())
}

/// A row in double precision.
struct Centred {
    /// From the mean.
    distances: Vec<f64>,
    /// The root of the variance, or of variance + ε.
    root: f64,
    /// What distances are divided by.
    divisor: f64,
}

impl Centred {
    fn new(shape: &LayerNormShape, x: &[f32]) -> Self {
        let epsilon = f64::from(shape.form.epsilon());
        let mean = x.iter().copied().map(f64::from).sum::<f64>() / x.len() as f64;
        let distances: Vec<f64> = x.iter().map(|x| f64::from(*x) - mean).collect();
        let squares: f64 = distances.iter().map(|distance| distance * distance).sum();
        let variance = squares / shape.degrees() as f64;
        let (root, divisor) = match shape.form {
            LayerNormForm::Standard => {
                let root = (variance + epsilon).sqrt();
                (root, root)
            }
            LayerNormForm::Unbiased => (variance.sqrt(), variance.sqrt() + epsilon),
        };
        Self {
            distances,
            root,
            divisor,
        }
    }
}

/// `Δ(1 / divisor) / Δvariance`, in a form that knows no division by a small change.
fn reciprocal_slope(form: LayerNormForm, [x, baseline]: &[Centred; 2]) -> f64 {
    let roots = x.root + baseline.root;
    if form == LayerNormForm::Unbiased && roots == 0.0 {
        return 0.0;
    }
    -1.0 / (x.divisor * baseline.divisor * roots)
}

struct Forward<'a> {
    shape: &'a LayerNormShape,
    parameters: &'a LayerNormParameters<'a>,
    x: &'a [f32],
    out: &'a mut [f32],
    normalised: &'a mut [f32],
    scales: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let dim = self.shape.dim;
        let rows = self.x.chunks_exact(dim).zip(self.out.chunks_exact_mut(dim));
        let places = self
            .normalised
            .chunks_exact_mut(dim)
            .zip(self.scales.chunks_exact_mut(2));
        for ((x, out), (normalised, scales)) in rows.zip(places) {
            let mean = sum_of_products(simd, [x]) / dim as f32;
            for (distance, x) in normalised.iter_mut().zip(x) {
                *distance = x - mean;
            }
            let squares = sum_of_products(simd, [&*normalised, &*normalised]);
            let (scale, curvature) = self.shape.scales(squares);
            scales.copy_from_slice(&[scale, curvature]);
            let LayerNormParameters { weight, bias } = *self.parameters;
            let parameters = weight.iter().zip(bias);
            for ((out, value), (weight, bias)) in out.iter_mut().zip(normalised).zip(parameters) {
                *value *= scale;
                *out = *value * weight + bias;
            }
        }
    }
}

struct Backward<'a> {
    weight: &'a [f32],
    dout: &'a [f32],
    normalised: &'a [f32],
    scales: &'a [f32],
    dx: &'a mut [f32],
    add: bool,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let weight = self.weight;
        let dim = weight.len();
        let rows = self
            .dout
            .chunks_exact(dim)
            .zip(self.normalised.chunks_exact(dim));
        let places = self
            .dx
            .chunks_exact_mut(dim)
            .zip(self.scales.chunks_exact(2));
        for ((dout, normalised), (dx, scales)) in rows.zip(places) {
            let [scale, curvature] = [scales[0], scales[1]];
            let mean = sum_of_products(simd, [dout, weight]) / dim as f32;
            let along = curvature * sum_of_products(simd, [dout, weight, normalised]);
            let values = dout.iter().zip(weight).zip(normalised);
            for (dx, ((dout, weight), value)) in dx.iter_mut().zip(values) {
                let gradient = (dout * weight - mean) * scale - value * along;
                *dx = if self.add { *dx + gradient } else { gradient };
            }
        }
    }
}
