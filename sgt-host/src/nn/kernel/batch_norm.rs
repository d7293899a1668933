//! Batch normalisation of `[batch, channels, plane]`; `plane` is 1 after a fully connected layer,
//! the number of steps for a series, height · width for an image.
//!
//! `out = (x − mean) · inverse_deviation · weight + bias`, per channel, with
//! `inverse_deviation = 1 / √(variance + EPSILON)`.

use super::conv2d::WeightGradient;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use rayon::prelude::*;

/// Added to the variance, PyTorch's default.
pub const EPSILON: f32 = 1e-5;

/// The weight of a new batch in the running statistics, PyTorch's default.
pub const MOMENTUM: f32 = 0.1;

/// The learned scale and shift, one value a channel.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormParameters<'a> {
    /// The scale.
    pub weight: &'a [f32],
    /// The shift.
    pub bias: &'a [f32],
}

/// What a forward pass normalised with, one value a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// The mean that was subtracted.
    pub mean: Vec<f32>,
    /// `1 / √(variance + EPSILON)`.
    pub inverse_deviation: Vec<f32>,
    /// The unbiased variance, for the running statistics; empty after an evaluation pass.
    pub unbiased_variance: Vec<f32>,
}

/// Normalises with the batch's own mean and biased variance, and keeps both in `statistics`.
///
/// `x` and `out` are `[batch, channels, plane]`, `weight` and `bias` `[channels]`. Means are
/// summed in `f64`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit, or when a channel has a single value in the batch.
pub fn batch_norm_training(
    plane: usize,
    BatchNormParameters { weight, bias }: BatchNormParameters<'_>,
    x: &[f32],
    out: &mut [f32],
    statistics: &mut Statistics,
) -> Result<()> {
    let channels = weight.len();
    let batch = batch_len("batch norm", "x", x.len(), channels * plane)?;
    expect_len("batch norm", "out", out.len(), x.len())?;
    expect_len("batch norm", "bias", bias.len(), channels)?;
    let count = batch * plane;
    if count < 2 {
        return Err(Error::Shape {
            operation: "batch norm",
            found: "one value a channel".into(),
            expected: "at least two, to have a variance".into(),
        });
    }
    let moments: Vec<(f64, f64)> = (0..channels)
        .into_par_iter()
        .map(|channel| {
            let values = || {
                x.chunks_exact(plane)
                    .skip(channel)
                    .step_by(channels)
                    .flatten()
            };
            let mean = values().map(|&x| f64::from(x)).sum::<f64>() / count as f64;
            let squares = values()
                .map(|&x| (f64::from(x) - mean).powi(2))
                .sum::<f64>();
            (mean, squares)
        })
        .collect();
    let Statistics {
        mean,
        inverse_deviation,
        unbiased_variance,
    } = statistics;
    mean.clear();
    inverse_deviation.clear();
    unbiased_variance.clear();
    for (channel_mean, squares) in moments {
        mean.push(channel_mean as f32);
        let variance = (squares / count as f64) as f32;
        inverse_deviation.push(1.0 / (variance + EPSILON).sqrt());
        unbiased_variance.push((squares / (count - 1) as f64) as f32);
    }
    normalise(plane, weight, bias, statistics, x, out);
    Ok(())
}

/// Normalises with the running mean and variance, and keeps both in `statistics`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub fn batch_norm_evaluation(
    plane: usize,
    BatchNormParameters { weight, bias }: BatchNormParameters<'_>,
    running_mean: &[f32],
    running_variance: &[f32],
    x: &[f32],
    out: &mut [f32],
    statistics: &mut Statistics,
) -> Result<()> {
    let channels = weight.len();
    batch_len("batch norm", "x", x.len(), channels * plane)?;
    expect_len("batch norm", "out", out.len(), x.len())?;
    expect_len("batch norm", "bias", bias.len(), channels)?;
    expect_len("batch norm", "running mean", running_mean.len(), channels)?;
    expect_len(
        "batch norm",
        "running variance",
        running_variance.len(),
        channels,
    )?;
    statistics.mean.clear();
    statistics.mean.extend_from_slice(running_mean);
    statistics.inverse_deviation.clear();
    let inverse = running_variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt());
    statistics.inverse_deviation.extend(inverse);
    statistics.unbiased_variance.clear();
    normalise(plane, weight, bias, statistics, x, out);
    Ok(())
}

fn normalise(
    plane: usize,
    weight: &[f32],
    bias: &[f32],
    statistics: &Statistics,
    x: &[f32],
    out: &mut [f32],
) {
    let channels = weight.len();
    out.par_chunks_exact_mut(plane * channels)
        .zip(x.par_chunks_exact(plane * channels))
        .for_each(|(out, x)| {
            for (channel, (out, x)) in out
                .chunks_exact_mut(plane)
                .zip(x.chunks_exact(plane))
                .enumerate()
            {
                let scale = weight[channel] * statistics.inverse_deviation[channel];
                let shift = bias[channel] - statistics.mean[channel] * scale;
                out.iter_mut()
                    .zip(x)
                    .for_each(|(out, x)| *out = x * scale + shift);
            }
        });
}

/// Pulls `dout` back through a pass that kept `statistics`. In training mode the batch's mean and
/// variance are functions of `x`, and the gradient flows through them.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub fn batch_norm_backward(
    plane: usize,
    weight: &[f32],
    statistics: &Statistics,
    x: &[f32],
    dout: &[f32],
    dx: Option<&mut [f32]>,
    gradient: Option<WeightGradient<'_>>,
) -> Result<()> {
    let channels = weight.len();
    let batch = batch_len("batch norm", "x", x.len(), channels * plane)?;
    expect_len("batch norm", "dout", dout.len(), x.len())?;
    expect_len("batch norm", "statistics", statistics.mean.len(), channels)?;
    let training = !statistics.unbiased_variance.is_empty();
    let sums: Vec<(f32, f32)> = if training || gradient.is_some() {
        (0..channels)
            .into_par_iter()
            .map(|channel| {
                let planes = |values: &'_ [f32]| -> Vec<f64> {
                    let planes = values.chunks_exact(plane).skip(channel).step_by(channels);
                    planes.flatten().map(|&v| f64::from(v)).collect()
                };
                let (x, dout) = (planes(x), planes(dout));
                let mean = f64::from(statistics.mean[channel]);
                let deviation = f64::from(statistics.inverse_deviation[channel]);
                let sum = dout.iter().sum::<f64>();
                let product = x.iter().zip(&dout).map(|(x, d)| (x - mean) * deviation * d);
                (sum as f32, product.sum::<f64>() as f32)
            })
            .collect()
    } else {
        Vec::new()
    };
    if let Some(gradient) = gradient {
        expect_len(
            "batch norm",
            "weight gradient",
            gradient.weight.len(),
            channels,
        )?;
        for (weight, &(_, product)) in gradient.weight.iter_mut().zip(&sums) {
            *weight += product;
        }
        if let Some(bias) = gradient.bias {
            expect_len("batch norm", "bias gradient", bias.len(), channels)?;
            for (bias, &(sum, _)) in bias.iter_mut().zip(&sums) {
                *bias += sum;
            }
        }
    }
    let Some(dx) = dx else { return Ok(()) };
    expect_len("batch norm", "dx", dx.len(), x.len())?;
    let count = (batch * plane) as f32;
    dx.par_chunks_exact_mut(plane * channels)
        .zip(x.par_chunks_exact(plane * channels))
        .zip(dout.par_chunks_exact(plane * channels))
        .for_each(|((dx, x), dout)| {
            for channel in 0..channels {
                let place = channel * plane..(channel + 1) * plane;
                let deviation = statistics.inverse_deviation[channel];
                let scale = weight[channel] * deviation;
                let (sum, product) = if training { sums[channel] } else { (0.0, 0.0) };
                let mean = statistics.mean[channel];
                for i in place {
                    let normalised = (x[i] - mean) * deviation;
                    dx[i] = scale * (dout[i] - (sum + normalised * product) / count);
                }
            }
        });
    Ok(())
}
