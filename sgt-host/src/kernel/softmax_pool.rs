//! The mean of a series' steps, weighted by an attention to them.
//!
//! With steps `h_t` `[width]` of a sample:
//!
//! ```text
//! s_t = query · tanh(weight h_t + bias)      α = softmax over steps of s      out = Σ_t α_t h_t
//! ```
//!
//! Steps behind a sample's length have no weight. Source: Yang et al. 2016, "Hierarchical Attention
//! Networks", as additive attention (Bahdanau, Cho, Bengio 2015) with a learned query.

use super::activation::{Curve, curve_forward};
use super::buffer::Buffer;
use super::conv2d::WeightGradient;
use super::lengths::real_steps;
use super::linear::{linear_backward, linear_forward};
use super::rescale::{SoftmaxPair, halfway, tanh_slope};
use super::{batch_len, expect_len};
use crate::Result;
use rayon::prelude::*;

/// The sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SoftmaxPoolShape {
    pub(crate) steps: usize,
    pub(crate) width: usize,
}

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftmaxPoolParameters<'a> {
    /// `[width, width]`.
    pub(crate) weight: &'a [f32],
    /// `[width]`.
    pub(crate) bias: &'a [f32],
    /// `[width]`.
    pub(crate) query: &'a [f32],
}

/// Where their gradients are added.
#[derive(Debug)]
pub(crate) struct SoftmaxPoolGradients<'a> {
    pub(crate) weight: &'a mut [f32],
    pub(crate) bias: &'a mut [f32],
    pub(crate) query: &'a mut [f32],
}

/// What a forward pass keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct SoftmaxPoolCache {
    lengths: Vec<usize>,
    /// `[batch, steps, width]`: tanh of the inner layer.
    inner: Buffer,
    /// `[batch, steps]`: α.
    shares: Buffer,
    d_inner: Buffer,
    d_scores: Buffer,
}

const OPERATION: &str = "attention readout";

/// Pools `x` `[batch, steps, width]` into `out` `[batch, width]`.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit, [`crate::Error::Argument`] for lengths that
/// are not one a sample from 1 to `steps`.
pub(crate) fn forward(
    shape: SoftmaxPoolShape,
    parameters: SoftmaxPoolParameters<'_>,
    x: &[f32],
    lengths: Option<&[usize]>,
    out: &mut [f32],
    cache: &mut SoftmaxPoolCache,
) -> Result<()> {
    let SoftmaxPoolShape { steps, width } = shape;
    let batch = batch_len(OPERATION, "x", x.len(), steps * width)?;
    expect_len(OPERATION, "out", out.len(), batch * width)?;
    expect_len(OPERATION, "query", parameters.query.len(), width)?;
    cache.lengths = real_steps(lengths, batch, steps)?;
    let SoftmaxPoolCache {
        lengths,
        inner,
        shares,
        d_inner,
        ..
    } = cache;
    let before = d_inner.resize(x.len());
    let bias = Some(parameters.bias);
    linear_forward(width, width, parameters.weight, bias, x, before)?;
    curve_forward(Curve::Tanh, before, inner.resize(x.len()))?;
    let samples = shares.resize(batch * steps).par_chunks_exact_mut(steps);
    samples
        .zip(lengths.par_iter())
        .zip(inner.par_chunks_exact(steps * width))
        .zip(x.par_chunks_exact(steps * width))
        .zip(out.par_chunks_exact_mut(width))
        .for_each(|((((shares, &length), inner), x), out)| {
            for (share, inner) in shares.iter_mut().zip(inner.chunks_exact(width)) {
                *share = dot(parameters.query, inner);
            }
            softmax(&mut shares[..length]);
            shares[length..].fill(0.0);
            out.fill(0.0);
            for (share, x) in shares.iter().zip(x.chunks_exact(width)).take(length) {
                out.iter_mut().zip(x).for_each(|(out, x)| *out += share * x);
            }
        });
    Ok(())
}

/// Pulls `dout` `[batch, width]` back through the pass in `cache`: overwrites `dx`, adds to
/// `gradients`.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit.
pub(crate) fn backward(
    shape: SoftmaxPoolShape,
    parameters: SoftmaxPoolParameters<'_>,
    x: &[f32],
    dout: &[f32],
    dx: Option<&mut [f32]>,
    gradients: Option<SoftmaxPoolGradients<'_>>,
    cache: &mut SoftmaxPoolCache,
) -> Result<()> {
    let SoftmaxPoolShape { steps, width } = shape;
    let batch = cache.lengths.len();
    expect_len(OPERATION, "x", x.len(), batch * steps * width)?;
    expect_len(OPERATION, "dout", dout.len(), batch * width)?;
    let SoftmaxPoolCache {
        inner,
        shares,
        d_inner,
        d_scores,
        ..
    } = cache;
    d_inner.resize(x.len());
    d_scores.resize(batch * steps);
    let samples = d_scores.par_chunks_exact_mut(steps);
    samples
        .zip(d_inner.par_chunks_exact_mut(steps * width))
        .zip(shares.par_chunks_exact(steps))
        .zip(inner.par_chunks_exact(steps * width))
        .zip(x.par_chunks_exact(steps * width))
        .zip(dout.par_chunks_exact(width))
        .for_each(|(((((d_scores, d_inner), shares), inner), x), dout)| {
            for (d, x) in d_scores.iter_mut().zip(x.chunks_exact(width)) {
                *d = dot(dout, x);
            }
            let mean = dot(shares, d_scores);
            for (d, share) in d_scores.iter_mut().zip(shares) {
                *d = share * (*d - mean);
            }
            let rows = d_inner
                .chunks_exact_mut(width)
                .zip(inner.chunks_exact(width));
            for ((d_inner, inner), d) in rows.zip(&*d_scores) {
                for ((d_inner, y), query) in d_inner.iter_mut().zip(inner).zip(parameters.query) {
                    *d_inner = d * query * (1.0 - y * y);
                }
            }
        });
    let mut weight_gradient = None;
    if let Some(SoftmaxPoolGradients {
        weight,
        bias,
        query,
    }) = gradients
    {
        for (inner, d) in inner.chunks_exact(width).zip(d_scores.iter()) {
            query
                .iter_mut()
                .zip(inner)
                .for_each(|(sum, y)| *sum += d * y);
        }
        weight_gradient = Some(WeightGradient {
            weight,
            bias: Some(bias),
        });
    }
    let mut through = dx;
    let target = through.as_deref_mut();
    linear_backward(
        width,
        width,
        parameters.weight,
        x,
        d_inner,
        target,
        weight_gradient,
    )?;
    if let Some(dx) = through {
        dx.par_chunks_exact_mut(steps * width)
            .zip(shares.par_chunks_exact(steps))
            .zip(dout.par_chunks_exact(width))
            .for_each(|((dx, shares), dout)| {
                for (dx, share) in dx.chunks_exact_mut(width).zip(shares) {
                    dx.iter_mut().zip(dout).for_each(|(dx, d)| *dx += share * d);
                }
            });
    }
    Ok(())
}

/// `DeepLIFT`'s multipliers of `x` against `reference`, both `[batch, steps, width]`, from those of the
/// outputs; complete up to rounding. In scalar `f64`.
///
/// # Errors
/// As [`forward`].
pub(crate) fn multipliers(
    shape: SoftmaxPoolShape,
    parameters: SoftmaxPoolParameters<'_>,
    [x, reference]: [&[f32]; 2],
    lengths: Option<&[usize]>,
    dout: &[f32],
    dx: &mut [f32],
) -> Result<()> {
    let SoftmaxPoolShape { steps, width } = shape;
    let batch = batch_len(OPERATION, "x", x.len(), steps * width)?;
    expect_len(OPERATION, "reference", reference.len(), x.len())?;
    expect_len(OPERATION, "dx", dx.len(), x.len())?;
    expect_len(OPERATION, "dout", dout.len(), batch * width)?;
    let lengths = real_steps(lengths, batch, steps)?;
    let sample = steps * width;
    dx.par_chunks_exact_mut(sample)
        .zip(x.par_chunks_exact(sample))
        .zip(reference.par_chunks_exact(sample))
        .zip(dout.par_chunks_exact(width))
        .zip(lengths.par_iter())
        .for_each(|((((dx, x), reference), dout), &length)| {
            dx.fill(0.0);
            let pairs = [x, reference];
            // What tanh reads at each step, of the sample and of the reference.
            let before = |step: usize, unit: usize| {
                pairs.map(|x| {
                    let row = parameters.weight[unit * width..][..width].iter();
                    let inputs = x[step * width..][..width].iter();
                    let sum: f64 = row
                        .zip(inputs)
                        .map(|(w, x)| f64::from(*w) * f64::from(*x))
                        .sum();
                    sum + f64::from(parameters.bias[unit])
                })
            };
            let units: Vec<[f64; 2]> = (0..length * width)
                .map(|place| before(place / width, place % width))
                .collect();
            let scores = [0, 1].map(|of: usize| {
                let steps = units.chunks_exact(width);
                let score = |units: &[[f64; 2]]| {
                    let units = units.iter().zip(parameters.query);
                    units
                        .map(|(unit, query)| unit[of].tanh() * f64::from(*query))
                        .sum()
                };
                steps.map(score).collect::<Vec<f64>>()
            });
            let pair = SoftmaxPair::new([&scores[0], &scores[1]]);
            let mut of_scores: Vec<f64> = (0..length)
                .map(|step| {
                    let values = dout.iter().enumerate();
                    let product = |(channel, d): (usize, &f32)| {
                        let place = step * width + channel;
                        f64::from(*d) * halfway(pairs.map(|x| f64::from(x[place])))
                    };
                    values.map(product).sum()
                })
                .collect();
            pair.pull(&mut of_scores);
            for (step, of_score) in of_scores.iter().enumerate() {
                let share = halfway(pair.probability(step));
                let mut row: Vec<f64> = dout.iter().map(|d| share * f64::from(*d)).collect();
                for (unit, query) in parameters.query.iter().enumerate() {
                    let slope = tanh_slope(units[step * width + unit]);
                    let of_unit = of_score * f64::from(*query) * slope;
                    let weights = &parameters.weight[unit * width..][..width];
                    for (row, weight) in row.iter_mut().zip(weights) {
                        *row += of_unit * f64::from(*weight);
                    }
                }
                let target = &mut dx[step * width..][..width];
                target
                    .iter_mut()
                    .zip(row)
                    .for_each(|(dx, m)| *dx = m as f32);
            }
        });
    Ok(())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - largest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::super::levels::values;
    use super::super::oracle::{assert_close, assert_complete, dot, doubles, slopes};
    use super::*;

    const TOLERANCE: f64 = 2e-5;
    const SHAPE: SoftmaxPoolShape = SoftmaxPoolShape { steps: 5, width: 3 };
    const BATCH: usize = 3;
    const LENGTHS: [usize; BATCH] = [5, 2, 1];

    fn definition([weight, bias, query, x]: [&[f64]; 4], lengths: &[usize]) -> Vec<f64> {
        let SoftmaxPoolShape { steps, width } = SHAPE;
        let mut out = Vec::new();
        for (x, &length) in x.chunks(steps * width).zip(lengths) {
            let score = |h: &[f64]| -> f64 {
                let unit = |unit: usize| {
                    let row = weight[unit * width..][..width].iter().zip(h);
                    (bias[unit] + row.map(|(w, h)| w * h).sum::<f64>()).tanh() * query[unit]
                };
                (0..width).map(unit).sum()
            };
            let shares: Vec<f64> = x
                .chunks(width)
                .take(length)
                .map(|h| score(h).exp())
                .collect();
            let sum: f64 = shares.iter().sum();
            for channel in 0..width {
                let steps = shares.iter().zip(x.chunks(width));
                out.push(steps.map(|(share, h)| share / sum * h[channel]).sum());
            }
        }
        out
    }

    #[test]
    fn agrees_with_its_definition_and_its_multipliers_are_complete() {
        let SoftmaxPoolShape { steps, width } = SHAPE;
        let weight = values(width * width, 1);
        let (bias, query) = (values(width, 2), values(width, 3));
        let x = values(BATCH * steps * width, 4);
        let dout = values(BATCH * width, 5);
        let parameters = SoftmaxPoolParameters {
            weight: &weight,
            bias: &bias,
            query: &query,
        };
        for lengths in [None, Some(&LENGTHS[..])] {
            let whole = [steps; BATCH];
            let real = lengths.unwrap_or(&whole);
            let inputs = [&weight, &bias, &query, &x].map(|v| doubles(v));
            let run = |place: usize, moved: &[f64]| {
                let mut inputs = inputs.each_ref().map(Vec::as_slice);
                inputs[place] = moved;
                definition(inputs, real)
            };
            let mut cache = SoftmaxPoolCache::default();
            let mut out = vec![f32::NAN; BATCH * width];
            forward(SHAPE, parameters, &x, lengths, &mut out, &mut cache).unwrap();
            assert_close("out", &out, 0.0, &run(3, &inputs[3]), TOLERANCE);
            let mut dx = vec![f32::NAN; x.len()];
            let (mut dw, mut db, mut dq) = (vec![1.0; weight.len()], vec![1.0; 3], vec![1.0; 3]);
            let gradients = SoftmaxPoolGradients {
                weight: &mut dw,
                bias: &mut db,
                query: &mut dq,
            };
            let target = Some(&mut dx[..]);
            backward(
                SHAPE,
                parameters,
                &x,
                &dout,
                target,
                Some(gradients),
                &mut cache,
            )
            .unwrap();
            for (place, found, start) in
                [(0, &dw, 1.0), (1, &db, 1.0), (2, &dq, 1.0), (3, &dx, 0.0)]
            {
                let expected = slopes(&inputs[place], |moved| dot(&run(place, moved), &dout));
                assert_close(
                    &format!("gradient {place}"),
                    found,
                    start,
                    &expected,
                    TOLERANCE,
                );
            }
            let reference = values(x.len(), 9);
            let mut m = vec![f32::NAN; x.len()];
            multipliers(SHAPE, parameters, [&x, &reference], lengths, &dout, &mut m).unwrap();
            let change =
                dot(&run(3, &inputs[3]), &dout) - dot(&run(3, &doubles(&reference)), &dout);
            assert_complete(&m, &x, &reference, change);
        }
    }
}
