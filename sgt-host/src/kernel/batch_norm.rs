//! Batch normalisation of rows `[rows, channels]`: samples of a vector, steps of series or pixels of
//! images.
//!
//! `out = (x − mean) · inverse_deviation · weight + bias`, per channel, with
//! `inverse_deviation = 1 / √(variance + EPSILON)`. Source: Ioffe and Szegedy, 2015, as PyTorch's.

use super::{batch_len, expect_len};
use crate::{Error, Result};
use rayon::prelude::*;

/// Added to the variance, PyTorch's default.
pub(crate) const EPSILON: f32 = 1e-5;

/// The weight of a new batch in the running statistics, PyTorch's default.
pub(crate) const MOMENTUM: f32 = 0.1;

/// The learned scale and shift, one value a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNormParameters<'a> {
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
}

/// Where their gradients are added.
#[derive(Debug)]
pub(crate) struct BatchNormGradients<'a> {
    pub(crate) weight: &'a mut [f32],
    pub(crate) bias: &'a mut [f32],
}

/// What a forward pass normalised with, one value a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statistics {
    /// The mean that was subtracted.
    pub(crate) mean: Vec<f32>,
    /// `1 / √(variance + EPSILON)`.
    pub(crate) inverse_deviation: Vec<f32>,
    /// The unbiased variance, for the running statistics; empty after an evaluation pass.
    pub(crate) unbiased_variance: Vec<f32>,
}

/// Normalises with the batch's own mean and biased variance, and keeps both in `statistics`. Means
/// are summed in `f64`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit, or when there is a single row.
pub(crate) fn forward_training(
    parameters: BatchNormParameters<'_>,
    x: &[f32],
    out: &mut [f32],
    statistics: &mut Statistics,
) -> Result<()> {
    let channels = parameters.weight.len();
    let rows = check(parameters, x, out)?;
    if rows < 2 {
        return Err(Error::Shape {
            operation: "batch norm",
            found: "one value a channel".into(),
            expected: "at least two, to have a variance".into(),
        });
    }
    let count = rows as f64;
    let means = channel_sums(channels, x, x, |_, x, _| x);
    let means: Vec<f64> = means.iter().map(|sum| sum / count).collect();
    let squares = channel_sums(channels, x, x, |channel, x, _| (x - means[channel]).powi(2));
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
        let variance = (squares / count) as f32;
        inverse_deviation.push(1.0 / (variance + EPSILON).sqrt());
        unbiased_variance.push((squares / (count - 1.0)) as f32);
    }
    normalise(parameters, statistics, x, out);
    Ok(())
}

/// Normalises with the running mean and variance, and keeps both in `statistics`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub(crate) fn forward_evaluation(
    parameters: BatchNormParameters<'_>,
    [running_mean, running_variance]: [&[f32]; 2],
    x: &[f32],
    out: &mut [f32],
    statistics: &mut Statistics,
) -> Result<()> {
    let channels = parameters.weight.len();
    check(parameters, x, out)?;
    for (name, values) in [
        ("running mean", running_mean),
        ("running variance", running_variance),
    ] {
        expect_len("batch norm", name, values.len(), channels)?;
    }
    statistics.mean.clear();
    statistics.mean.extend_from_slice(running_mean);
    statistics.inverse_deviation.clear();
    let inverse = running_variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt());
    statistics.inverse_deviation.extend(inverse);
    statistics.unbiased_variance.clear();
    normalise(parameters, statistics, x, out);
    Ok(())
}

/// Checks the lengths and gives the number of rows.
fn check(parameters: BatchNormParameters<'_>, x: &[f32], out: &[f32]) -> Result<usize> {
    let channels = parameters.weight.len();
    let rows = batch_len("batch norm", "x", x.len(), channels)?;
    expect_len("batch norm", "out", out.len(), x.len())?;
    expect_len("batch norm", "bias", parameters.bias.len(), channels)?;
    Ok(rows)
}

fn normalise(
    BatchNormParameters { weight, bias }: BatchNormParameters<'_>,
    statistics: &Statistics,
    x: &[f32],
    out: &mut [f32],
) {
    let channels = weight.len();
    let lines = weight.iter().zip(bias);
    let lines = lines.zip(statistics.mean.iter().zip(&statistics.inverse_deviation));
    let (scales, shifts): (Vec<f32>, Vec<f32>) = lines
        .map(|((weight, bias), (mean, inverse_deviation))| {
            let scale = weight * inverse_deviation;
            (scale, bias - mean * scale)
        })
        .unzip();
    out.par_chunks_mut(rows_a_task(channels) * channels)
        .zip(x.par_chunks(rows_a_task(channels) * channels))
        .for_each(|(out, x)| {
            let rows = out.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
            for (out, x) in rows {
                let lines = scales.iter().zip(&shifts);
                for ((out, x), (scale, shift)) in out.iter_mut().zip(x).zip(lines) {
                    *out = x * scale + shift;
                }
            }
        });
}

/// Pulls `dout` back through a pass that kept `statistics`. In training mode the batch's mean and
/// variance are functions of `x`, and the gradient flows through them.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub(crate) fn backward(
    weight: &[f32],
    statistics: &Statistics,
    x: &[f32],
    dout: &[f32],
    dx: Option<&mut [f32]>,
    gradients: Option<BatchNormGradients<'_>>,
) -> Result<()> {
    let channels = weight.len();
    let rows = batch_len("batch norm", "x", x.len(), channels)?;
    expect_len("batch norm", "dout", dout.len(), x.len())?;
    expect_len("batch norm", "statistics", statistics.mean.len(), channels)?;
    let training = !statistics.unbiased_variance.is_empty();
    let (sums, products) = if training || gradients.is_some() {
        let sums = channel_sums(channels, x, dout, |_, _, d| d);
        let products = channel_sums(channels, x, dout, |channel, x, d| {
            let deviation = f64::from(statistics.inverse_deviation[channel]);
            (x - f64::from(statistics.mean[channel])) * deviation * d
        });
        (sums, products)
    } else {
        (Vec::new(), Vec::new())
    };
    if let Some(BatchNormGradients { weight, bias }) = gradients {
        for (name, target, sums) in [
            ("weight gradient", weight, &products),
            ("bias gradient", bias, &sums),
        ] {
            expect_len("batch norm", name, target.len(), channels)?;
            for (target, sum) in target.iter_mut().zip(sums) {
                *target += *sum as f32;
            }
        }
    }
    let Some(dx) = dx else { return Ok(()) };
    expect_len("batch norm", "dx", dx.len(), x.len())?;
    // dx = slope · dout − (constant + x · tilt), per channel.
    let mut slopes = Vec::with_capacity(channels);
    let mut lines = Vec::with_capacity(channels);
    for (channel, weight) in weight.iter().enumerate() {
        let deviation = statistics.inverse_deviation[channel];
        let slope = weight * deviation;
        slopes.push(slope);
        lines.push(if training {
            let mean = sums[channel] as f32 / rows as f32;
            let tilt = products[channel] as f32 / rows as f32 * deviation;
            let constant = slope * (mean - statistics.mean[channel] * tilt);
            [constant, slope * tilt]
        } else {
            [0.0, 0.0]
        });
    }
    let task = rows_a_task(channels) * channels;
    dx.par_chunks_mut(task)
        .zip(x.par_chunks(task))
        .zip(dout.par_chunks(task))
        .for_each(|((dx, x), dout)| {
            let rows = dx.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
            for ((dx, x), dout) in rows.zip(dout.chunks_exact(channels)) {
                let values = dx.iter_mut().zip(x).zip(dout);
                for (((dx, x), d), (slope, [constant, tilt])) in
                    values.zip(slopes.iter().zip(&lines))
                {
                    *dx = slope * d - (constant + x * tilt);
                }
            }
        });
    Ok(())
}

/// Values a task, about.
const VALUES_A_TASK: usize = 1 << 14;

fn rows_a_task(channels: usize) -> usize {
    VALUES_A_TASK.div_ceil(channels)
}

/// Sums `term(channel, x, dout)` over rows, in `f64`. Tasks are cut by the shapes alone and their
/// sums added in order.
fn channel_sums(
    channels: usize,
    x: &[f32],
    dout: &[f32],
    term: impl Fn(usize, f64, f64) -> f64 + Sync,
) -> Vec<f64> {
    let task = rows_a_task(channels) * channels;
    let tasks: Vec<Vec<f64>> = x
        .par_chunks(task)
        .zip(dout.par_chunks(task))
        .map(|(x, dout)| {
            let mut sums = vec![0.0; channels];
            for (x, dout) in x.chunks_exact(channels).zip(dout.chunks_exact(channels)) {
                let values = sums.iter_mut().zip(x).zip(dout).enumerate();
                for (channel, ((sum, &x), &d)) in values {
                    *sum += term(channel, f64::from(x), f64::from(d));
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
