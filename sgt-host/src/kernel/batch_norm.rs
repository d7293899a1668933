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
    let means = channel_sums(plane, channels, x, x, |_, x, _| x);
    let means: Vec<f64> = means.iter().map(|sum| sum / count as f64).collect();
    let squares = channel_sums(plane, channels, x, x, |channel, x, _| {
        (x - means[channel]).powi(2)
    });
    let Statistics {
        mean,
        inverse_deviation,
        unbiased_variance,
    } = statistics;
    mean.clear();
    inverse_deviation.clear();
    unbiased_variance.clear();
    for (channel_mean, squares) in means.iter().zip(&squares) {
        mean.push(*channel_mean as f32);
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
        .with_min_len(samples_a_task(plane * channels))
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
    let (sums, products) = if training || gradient.is_some() {
        let sums = channel_sums(plane, channels, x, dout, |_, _, d| d);
        let products = channel_sums(plane, channels, x, dout, |channel, x, d| {
            let deviation = f64::from(statistics.inverse_deviation[channel]);
            (x - f64::from(statistics.mean[channel])) * deviation * d
        });
        (sums, products)
    } else {
        (Vec::new(), Vec::new())
    };
    if let Some(gradient) = gradient {
        expect_len(
            "batch norm",
            "weight gradient",
            gradient.weight.len(),
            channels,
        )?;
        for (weight, product) in gradient.weight.iter_mut().zip(&products) {
            *weight += *product as f32;
        }
        if let Some(bias) = gradient.bias {
            expect_len("batch norm", "bias gradient", bias.len(), channels)?;
            for (bias, sum) in bias.iter_mut().zip(&sums) {
                *bias += *sum as f32;
            }
        }
    }
    let Some(dx) = dx else { return Ok(()) };
    expect_len("batch norm", "dx", dx.len(), x.len())?;
    let count = (batch * plane) as f32;
    // dx = slope · dout − (constant + x · tilt), per channel.
    let lines: Vec<[f32; 3]> = (0..channels)
        .map(|channel| {
            let deviation = statistics.inverse_deviation[channel];
            let slope = weight[channel] * deviation;
            if !training {
                return [slope, 0.0, 0.0];
            }
            let mean = sums[channel] as f32 / count;
            let tilt = products[channel] as f32 / count * deviation;
            let constant = slope * (mean - statistics.mean[channel] * tilt);
            [slope, constant, slope * tilt]
        })
        .collect();
    dx.par_chunks_exact_mut(plane * channels)
        .zip(x.par_chunks_exact(plane * channels))
        .zip(dout.par_chunks_exact(plane * channels))
        .with_min_len(samples_a_task(plane * channels))
        .for_each(|((dx, x), dout)| {
            let planes = dx.chunks_exact_mut(plane).zip(x.chunks_exact(plane));
            let planes = planes.zip(dout.chunks_exact(plane)).zip(&lines);
            for (((dx, x), dout), &[slope, constant, tilt]) in planes {
                for ((dx, x), d) in dx.iter_mut().zip(x).zip(dout) {
                    *dx = slope * d - (constant + x * tilt);
                }
            }
        });
    Ok(())
}

/// Values a task, about.
const VALUES_A_TASK: usize = 1 << 14;

fn samples_a_task(sample: usize) -> usize {
    VALUES_A_TASK.div_ceil(sample)
}

/// Sums `term(channel, x, dout)` over samples and planes, in `f64`. Tasks are cut by the shapes
/// alone and their sums added in order.
fn channel_sums(
    plane: usize,
    channels: usize,
    x: &[f32],
    dout: &[f32],
    term: impl Fn(usize, f64, f64) -> f64 + Sync,
) -> Vec<f64> {
    let sample = plane * channels;
    let task = samples_a_task(sample) * sample;
    let tasks: Vec<Vec<f64>> = x
        .par_chunks(task)
        .zip(dout.par_chunks(task))
        .map(|(x, dout)| {
            let mut sums = vec![0.0; channels];
            for (x, dout) in x.chunks_exact(sample).zip(dout.chunks_exact(sample)) {
                let planes = x.chunks_exact(plane).zip(dout.chunks_exact(plane));
                for ((channel, sum), (x, dout)) in sums.iter_mut().enumerate().zip(planes) {
                    for (&x, &d) in x.iter().zip(dout) {
                        *sum += term(channel, f64::from(x), f64::from(d));
                    }
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; channels];
    for sums in tasks {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    total
}
