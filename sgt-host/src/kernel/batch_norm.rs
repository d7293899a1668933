//! Batch normalisation of rows of channels: `[rows, channels]`, where a row is a sample, or one of its
//! pixels or steps.
//!
//! `out = (x − mean) · inverse_deviation · weight + bias`, per channel, with
//! `inverse_deviation = 1 / √(variance + EPSILON)`.
//!
//! In training mode mean and biased variance are those of the batch, and the gradient flows through
//! them; in evaluation mode they are the running ones. Sums over rows are in `f64`.
//!
//! Source: Ioffe and Szegedy, 2015, in the form of PyTorch's `nn.BatchNorm1d` and `nn.BatchNorm2d`.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::dispatch::dispatch;
use super::request::InputGradient;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Added to the variance, PyTorch's default.
pub(crate) const EPSILON: f32 = 1e-5;

/// The weight of a new batch in the running statistics, PyTorch's default.
pub(crate) const MOMENTUM: f32 = 0.1;

/// The learned scale and shift, one value a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNormParameters<'a> {
    /// The scale.
    pub(crate) weight: &'a [f32],
    /// The shift.
    pub(crate) bias: &'a [f32],
}

/// Where the parameters' gradients are added, in the layouts of [`BatchNormParameters`].
#[derive(Debug)]
pub(crate) struct BatchNormGradients<'a> {
    /// `[channels]`.
    pub(crate) weight: &'a mut [f32],
    /// `[channels]`.
    pub(crate) bias: &'a mut [f32],
}

/// What a forward pass normalised with, one value a channel: its cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statistics {
    /// The mean that was subtracted.
    pub(crate) mean: Vec<f32>,
    /// `1 / √(variance + EPSILON)`.
    pub(crate) inverse_deviation: Vec<f32>,
    /// The unbiased variance, for the running statistics; empty after an evaluation pass.
    pub(crate) unbiased_variance: Vec<f32>,
}

impl BatchNormParameters<'_> {
    /// Refuses lengths that do not fit; gives the number of rows.
    fn check(&self, x: &[f32], out: &[f32]) -> Result<usize> {
        let rows = batch_len("batch norm", "x", x.len(), self.weight.len())?;
        expect_len("batch norm", "out", out.len(), x.len())?;
        expect_len("batch norm", "bias", self.bias.len(), self.weight.len())?;
        Ok(rows)
    }
}

/// Normalises `x` `[rows, channels]` into `out` with the batch's own mean and biased variance, and
/// keeps both in `statistics`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit, or when a channel has a single value in the batch.
pub(crate) fn batch_norm_training(
    parameters: BatchNormParameters<'_>,
    x: &[f32],
    out: &mut [f32],
    statistics: &mut Statistics,
) -> Result<()> {
    let rows = parameters.check(x, out)?;
    if rows < 2 {
        return Err(Error::Shape {
            operation: "batch norm",
            found: "one value a channel".into(),
            expected: "at least two, to have a variance".into(),
        });
    }
    let nothing = vec![[0.0; 2]; parameters.weight.len()];
    let sums = channel_sums(&nothing, x, x, |_, x, _| x);
    let means: Vec<_> = sums.iter().map(|sum| [sum / rows as f64, 0.0]).collect();
    let squares = channel_sums(&means, x, x, |[mean, _], x, _| (x - mean).powi(2));
    let Statistics {
        mean,
        inverse_deviation,
        unbiased_variance,
    } = statistics;
    mean.clear();
    inverse_deviation.clear();
    unbiased_variance.clear();
    for ([channel_mean, _], squares) in means.iter().zip(&squares) {
        mean.push(*channel_mean as f32);
        let variance = (squares / rows as f64) as f32;
        inverse_deviation.push(1.0 / (variance + EPSILON).sqrt());
        unbiased_variance.push((squares / (rows - 1) as f64) as f32);
    }
    normalise(parameters, statistics, x, out);
    Ok(())
}

/// Normalises with the running mean and variance, and keeps both in `statistics`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub(crate) fn batch_norm_evaluation(
    parameters: BatchNormParameters<'_>,
    running_mean: &[f32],
    running_variance: &[f32],
    x: &[f32],
    out: &mut [f32],
    statistics: &mut Statistics,
) -> Result<()> {
    parameters.check(x, out)?;
    let channels = parameters.weight.len();
    expect_len("batch norm", "running mean", running_mean.len(), channels)?;
    let variances = running_variance.len();
    expect_len("batch norm", "running variance", variances, channels)?;
    statistics.mean.clear();
    statistics.mean.extend_from_slice(running_mean);
    statistics.inverse_deviation.clear();
    let inverse = running_variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt());
    statistics.inverse_deviation.extend(inverse);
    statistics.unbiased_variance.clear();
    normalise(parameters, statistics, x, out);
    Ok(())
}

/// Pulls `dout` back through a pass that kept `statistics`. In training mode the batch's mean and
/// variance are functions of `x`, and the gradient flows through them.
///
/// `gradients`, when given, have the parameters' gradients **added** to them.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub(crate) fn batch_norm_backward(
    weight: &[f32],
    statistics: &Statistics,
    x: &[f32],
    dout: &[f32],
    dx: InputGradient,
    gradients: Option<BatchNormGradients<'_>>,
) -> Result<()> {
    let channels = weight.len();
    let rows = batch_len("batch norm", "x", x.len(), channels)?;
    let expect = |name, found, expected| expect_len("batch norm", name, found, expected);
    expect("dout", dout.len(), x.len())?;
    expect("statistics", statistics.mean.len(), channels)?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        expect("dx", dx.len(), x.len())?;
    }
    if let Some(gradients) = &gradients {
        expect("weight gradient", gradients.weight.len(), channels)?;
        expect("bias gradient", gradients.bias.len(), channels)?;
    }
    let training = !statistics.unbiased_variance.is_empty();
    let (sums, products) = if training || gradients.is_some() {
        let pairs = statistics.mean.iter().zip(&statistics.inverse_deviation);
        let pairs: Vec<_> = pairs.map(|(&m, &d)| [f64::from(m), f64::from(d)]).collect();
        let sums = channel_sums(&pairs, x, dout, |_, _, d| d);
        let product = |[mean, deviation]: [f64; 2], x: f64, d: f64| (x - mean) * deviation * d;
        (sums, channel_sums(&pairs, x, dout, product))
    } else {
        (Vec::new(), Vec::new())
    };
    if let Some(gradients) = gradients {
        for (weight, product) in gradients.weight.iter_mut().zip(&products) {
            *weight += *product as f32;
        }
        for (bias, sum) in gradients.bias.iter_mut().zip(&sums) {
            *bias += *sum as f32;
        }
    }
    let Some(dx) = dx else { return Ok(()) };
    // dx = slope · dout − (constant + x · tilt), per channel.
    let mut lines = Lines::default();
    for (channel, weight) in weight.iter().enumerate() {
        let deviation = statistics.inverse_deviation[channel];
        let slope = weight * deviation;
        let (mut constant, mut tilt) = (0.0, 0.0);
        if training {
            let mean = sums[channel] as f32 / rows as f32;
            let along = products[channel] as f32 / rows as f32 * deviation;
            constant = slope * (mean - statistics.mean[channel] * along);
            tilt = slope * along;
        }
        lines.slope.push(slope);
        lines.constant.push(constant);
        lines.tilt.push(tilt);
    }
    let task = rows_a_task(channels) * channels;
    let tasks = dx.par_chunks_mut(task);
    let tasks = tasks.zip(x.par_chunks(task)).zip(dout.par_chunks(task));
    tasks.for_each(|((dx, x), dout)| {
        dispatch(Backward {
            lines: &lines,
            x,
            dout,
            dx,
            add,
        });
    });
    Ok(())
}

fn normalise(
    parameters: BatchNormParameters<'_>,
    statistics: &Statistics,
    x: &[f32],
    out: &mut [f32],
) {
    let BatchNormParameters { weight, bias } = parameters;
    let scales = weight.iter().zip(&statistics.inverse_deviation);
    let scales: Vec<f32> = scales
        .map(|(weight, deviation)| weight * deviation)
        .collect();
    let shifts = bias.iter().zip(&statistics.mean).zip(&scales);
    let shifts: Vec<f32> = shifts
        .map(|((bias, mean), scale)| bias - mean * scale)
        .collect();
    let task = rows_a_task(weight.len()) * weight.len();
    let tasks = out.par_chunks_mut(task).zip(x.par_chunks(task));
    tasks.for_each(|(out, x)| {
        dispatch(Normalise {
            scales: &scales,
            shifts: &shifts,
            x,
            out,
        });
    });
}

/// Values a task, about.
const VALUES_A_TASK: usize = 1 << 14;

fn rows_a_task(channels: usize) -> usize {
    VALUES_A_TASK.div_ceil(channels)
}

/// Sums `term(of the channel, x, dout)` over rows, in `f64`. Tasks are cut by the shapes alone and
/// their sums added in order.
fn channel_sums(
    of_channels: &[[f64; 2]],
    x: &[f32],
    dout: &[f32],
    term: impl Fn([f64; 2], f64, f64) -> f64 + Copy + Sync,
) -> Vec<f64> {
    let channels = of_channels.len();
    let task = rows_a_task(channels) * channels;
    let tasks: Vec<Vec<f64>> = x
        .par_chunks(task)
        .zip(dout.par_chunks(task))
        .map(|(x, dout)| {
            let mut sums = vec![0.0; channels];
            dispatch(Sums {
                of_channels,
                x,
                dout,
                term,
                totals: &mut sums,
            });
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

/// The sums of one task.
struct Sums<'a, F> {
    of_channels: &'a [[f64; 2]],
    x: &'a [f32],
    dout: &'a [f32],
    term: F,
    totals: &'a mut [f64],
}

impl<F: Fn([f64; 2], f64, f64) -> f64> WithSimd for Sums<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.totals.len();
        let rows = self.x.chunks_exact(channels);
        for (x, dout) in rows.zip(self.dout.chunks_exact(channels)) {
            let values = self.of_channels.iter().zip(x).zip(dout);
            for (sum, ((&of, &x), &d)) in self.totals.iter_mut().zip(values) {
                *sum += (self.term)(of, f64::from(x), f64::from(d));
            }
        }
    }
}

/// `out = x · scale + shift`.
struct Normalise<'a> {
    scales: &'a [f32],
    shifts: &'a [f32],
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.scales.len();
        let rows = self.out.chunks_exact_mut(channels);
        for (out, x) in rows.zip(self.x.chunks_exact(channels)) {
            let lines = self.scales.iter().zip(self.shifts);
            for ((out, x), (scale, shift)) in out.iter_mut().zip(x).zip(lines) {
                *out = x * scale + shift;
            }
        }
    }
}

/// What `dx` is made of, one value a channel.
#[derive(Default)]
struct Lines {
    slope: Vec<f32>,
    constant: Vec<f32>,
    tilt: Vec<f32>,
}

/// `dx = slope · dout − (constant + x · tilt)`.
struct Backward<'a> {
    lines: &'a Lines,
    x: &'a [f32],
    dout: &'a [f32],
    dx: &'a mut [f32],
    add: bool,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Lines {
            slope,
            constant,
            tilt,
        } = self.lines;
        let channels = slope.len();
        let rows = self
            .x
            .chunks_exact(channels)
            .zip(self.dout.chunks_exact(channels));
        for (dx, (x, dout)) in self.dx.chunks_exact_mut(channels).zip(rows) {
            let lines = slope.iter().zip(constant).zip(tilt);
            let values = dx.iter_mut().zip(x).zip(dout).zip(lines);
            for (((dx, x), d), ((slope, constant), tilt)) in values {
                let gradient = slope * d - (constant + x * tilt);
                *dx = if self.add { *dx + gradient } else { gradient };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dispatch::on_every_instruction_set;
    use crate::kernel::levels::values;
    use crate::kernel::oracle::{TOLERANCE, assert_close, bits, doubles, slopes};

    /// Rows and channels: around the sizes of vectors.
    const SIZES: [[usize; 2]; 4] = [[2, 1], [9, 3], [7, 18], [4, 37]];

    /// The variance's rounding is divided by the deviation: with two rows it may be small.
    const ROUGH: f64 = 1e-4;

    struct Case {
        channels: usize,
        weight: Vec<f32>,
        bias: Vec<f32>,
        running_mean: Vec<f32>,
        running_variance: Vec<f32>,
        x: Vec<f32>,
        dout: Vec<f32>,
    }

    impl Case {
        fn new([rows, channels]: [usize; 2]) -> Self {
            let variance = values(channels, 4).into_iter().map(|v| 1.5 + v);
            // Away from zero, so that the mean matters.
            let x = values(rows * channels, 5).into_iter().map(|x| 3.0 + x);
            Self {
                channels,
                weight: values(channels, 1),
                bias: values(channels, 2),
                running_mean: values(channels, 3),
                running_variance: variance.collect(),
                x: x.collect(),
                dout: values(rows * channels, 6),
            }
        }

        fn forward(&self, training: bool, statistics: &mut Statistics) -> Vec<f32> {
            let parameters = BatchNormParameters {
                weight: &self.weight,
                bias: &self.bias,
            };
            let mut out = vec![f32::NAN; self.x.len()];
            if training {
                batch_norm_training(parameters, &self.x, &mut out, statistics).unwrap();
            } else {
                let (mean, variance) = (&self.running_mean, &self.running_variance);
                let x = &self.x;
                batch_norm_evaluation(parameters, mean, variance, x, &mut out, statistics).unwrap();
            }
            out
        }

        /// The definition.
        fn truth(&self, training: bool, [weight, bias, x]: [&[f64]; 3]) -> Vec<f64> {
            let rows = (x.len() / self.channels) as f64;
            let moments = (0..self.channels).map(|channel| {
                if !training {
                    let running = [self.running_mean[channel], self.running_variance[channel]];
                    return running.map(f64::from);
                }
                let values = x.iter().skip(channel).step_by(self.channels);
                let mean = values.clone().sum::<f64>() / rows;
                [mean, values.map(|x| (x - mean).powi(2)).sum::<f64>() / rows]
            });
            let moments: Vec<[f64; 2]> = moments.collect();
            let normalised = x.iter().enumerate().map(|(place, x)| {
                let channel = place % self.channels;
                let [mean, variance] = moments[channel];
                let deviation = (variance + f64::from(EPSILON)).sqrt();
                (x - mean) / deviation * weight[channel] + bias[channel]
            });
            normalised.collect()
        }
    }

    #[test]
    fn agrees_with_the_definition_on_every_instruction_set() {
        let mut truths = Vec::new();
        for sizes in SIZES {
            for training in [true, false] {
                let case = Case::new(sizes);
                let [weight, bias, x] =
                    [&case.weight, &case.bias, &case.x].map(|values| doubles(values));
                let dout = doubles(&case.dout);
                let objective = |weight: &[f64], bias: &[f64], x: &[f64]| {
                    let out = case.truth(training, [weight, bias, x]);
                    out.iter().zip(&dout).map(|(out, d)| out * d).sum::<f64>()
                };
                let out = case.truth(training, [&weight, &bias, &x]);
                let gradients = [
                    slopes(&x, |x| objective(&weight, &bias, x)),
                    slopes(&weight, |weight| objective(weight, &bias, &x)),
                    slopes(&bias, |bias| objective(&weight, bias, &x)),
                ];
                truths.push((case, training, out, gradients));
            }
        }
        on_every_instruction_set(|arch| {
            for (case, training, out, gradients) in &truths {
                let rows = case.x.len() / case.channels;
                let name = format!("{arch:?}, [{rows}, {}], {training}", case.channels);
                let mut statistics = Statistics::default();
                let found = case.forward(*training, &mut statistics);
                assert_close(&format!("out: {name}"), &found, 0.0, out, ROUGH);
                let mut dx = vec![f32::NAN; case.x.len()];
                let target = InputGradient::Overwrite(&mut dx);
                let (weight, x, dout) = (&case.weight, &case.x, &case.dout);
                batch_norm_backward(weight, &statistics, x, dout, target, None).unwrap();
                assert_close(&format!("dx: {name}"), &dx, 0.0, &gradients[0], ROUGH);
                dx.fill(1.0);
                let (mut of_weight, mut of_bias) =
                    (vec![1.0; weight.len()], vec![1.0; weight.len()]);
                let wanted = Some(BatchNormGradients {
                    weight: &mut of_weight,
                    bias: &mut of_bias,
                });
                let target = InputGradient::Add(&mut dx);
                batch_norm_backward(weight, &statistics, x, dout, target, wanted).unwrap();
                assert_close(&format!("dx added: {name}"), &dx, 1.0, &gradients[0], ROUGH);
                assert_close(
                    &format!("weight: {name}"),
                    &of_weight,
                    1.0,
                    &gradients[1],
                    ROUGH,
                );
                assert_close(
                    &format!("bias: {name}"),
                    &of_bias,
                    1.0,
                    &gradients[2],
                    TOLERANCE,
                );
            }
        });
    }

    #[test]
    fn statistics_are_the_moments_of_the_batch() {
        let case = Case::new([500, 3]);
        let mut statistics = Statistics::default();
        case.forward(true, &mut statistics);
        for channel in 0..3 {
            let values: Vec<f64> = doubles(&case.x)
                .into_iter()
                .skip(channel)
                .step_by(3)
                .collect();
            let mean = values.iter().sum::<f64>() / 500.0;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 499.0;
            let found = [
                statistics.mean[channel],
                statistics.unbiased_variance[channel],
            ];
            assert_close("moments", &found, 0.0, &[mean, variance], TOLERANCE);
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads_or_instruction_sets() {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(all_bits)
        };
        let expected = run(1);
        assert_eq!(run(3), expected);
        on_every_instruction_set(|arch| assert_eq!(all_bits(), expected, "{arch:?}"));
    }

    /// Several tasks' work.
    fn all_bits() -> [Vec<u32>; 4] {
        let case = Case::new([3 * rows_a_task(24) + 5, 24]);
        let mut statistics = Statistics::default();
        let out = case.forward(true, &mut statistics);
        let mut dx = vec![f32::NAN; case.x.len()];
        let (mut weight, mut bias) = (vec![0.0; 24], vec![0.0; 24]);
        let gradients = Some(BatchNormGradients {
            weight: &mut weight,
            bias: &mut bias,
        });
        let target = InputGradient::Overwrite(&mut dx);
        let (x, dout) = (&case.x, &case.dout);
        batch_norm_backward(&case.weight, &statistics, x, dout, target, gradients).unwrap();
        [out, dx, weight, bias].map(|values| bits(&values))
    }

    #[test]
    fn what_does_not_fit_is_refused_in_one_line() {
        let parameters = BatchNormParameters {
            weight: &[1.0; 2],
            bias: &[0.0; 2],
        };
        let mut statistics = Statistics::default();
        let mut refuse = |x: &[f32], expected: &str| {
            let result = batch_norm_training(parameters, x, &mut [0.0; 4], &mut statistics);
            assert_eq!(result.unwrap_err().to_string(), expected);
        };
        refuse(
            &[0.0; 3],
            "batch norm: found shape x of 3 values, expected one or more samples of 2 values",
        );
        refuse(
            &[0.0; 6],
            "batch norm: found shape out of 4 values, expected 6 values",
        );
        let mut out = [0.0; 2];
        let single = batch_norm_training(parameters, &[0.0; 2], &mut out, &mut statistics);
        assert_eq!(
            single.unwrap_err().to_string(),
            "batch norm: found shape one value a channel, expected at least two, to have a variance"
        );
    }
}
