//! `DeepLIFT`'s multipliers through attention pooling.

use super::super::expect_len;
use super::super::lengths::real_steps;
use super::super::rescale::{SoftmaxPair, halfway, tanh_slope};
use super::{OPERATION, SoftmaxPoolParameters, SoftmaxPoolShape};
use crate::Result;
use rayon::prelude::*;

/// Pulls the multipliers `dout` `[batch, width]` of the output back to multipliers `dx` of the
/// input, for samples `x` and their `baseline`, all `[batch, steps, width]`; a pair shares its
/// length.
///
/// tanh passes on `Δout / Δin`; so do the curves of softmax, `exp(s − log Σ exp(s))`; the product of
/// shares with steps passes on `Δ(ab) = ½(a + a₀)Δb + ½(b + b₀)Δa`. So `Σ dx · Δx = Σ dout · Δout`
/// up to rounding, and `dx` is the gradient where `x` and `baseline` are the same. Evaluated in
/// `f64`.
///
/// Cost: about three forward passes in scalar arithmetic.
///
/// # Errors
/// As [`forward`](super::forward).
pub fn multipliers(
    shape: &SoftmaxPoolShape,
    parameters: &SoftmaxPoolParameters,
    lengths: Option<&[usize]>,
    [x, baseline]: [&[f32]; 2],
    dout: &[f32],
    dx: &mut [f32],
) -> Result<()> {
    shape.check()?;
    let SoftmaxPoolShape { steps, width, .. } = *shape;
    parameters.check(width)?;
    expect_len(OPERATION, "x", x.len(), shape.input_len())?;
    expect_len(OPERATION, "baseline", baseline.len(), x.len())?;
    expect_len(OPERATION, "dout", dout.len(), shape.output_len())?;
    expect_len(OPERATION, "dx", dx.len(), x.len())?;
    let lengths = real_steps(lengths, shape.batch, steps)?;
    let sample = steps * width;
    let pairs = x.par_chunks(sample).zip(baseline.par_chunks(sample));
    dx.par_chunks_mut(sample)
        .zip(dout.par_chunks(width))
        .zip(pairs.zip(lengths))
        .for_each(|((dx, dout), ((x, baseline), length))| {
            let (real, padding) = dx.split_at_mut(length * width);
            padding.fill(0.0);
            let pair = [x, baseline].map(|values| &values[..real.len()]);
            pull_sample(parameters, pair, dout, real);
        });
    Ok(())
}

/// One sample without its padding.
fn pull_sample(
    parameters: &SoftmaxPoolParameters,
    pair: [&[f32]; 2],
    dout: &[f32],
    dx: &mut [f32],
) {
    let SoftmaxPoolParameters {
        weight,
        bias,
        query,
    } = *parameters;
    let width = query.len();
    // [steps][width]: weight h + bias.
    let hidden = pair.map(|x| {
        let rows = x.chunks_exact(width).map(|x| {
            let outputs = weight.chunks_exact(width).zip(bias);
            let output = |(weight, bias): (&[f32], &f32)| f64::from(*bias) + dot(weight, x);
            outputs.map(output).collect::<Vec<_>>()
        });
        rows.collect::<Vec<_>>()
    });
    let scores = hidden.each_ref().map(|rows| {
        let scores = rows.iter().map(|hidden| {
            let products = hidden.iter().zip(query);
            products.map(|(h, q)| h.tanh() * f64::from(*q)).sum::<f64>()
        });
        scores.collect::<Vec<f64>>()
    });
    let softmax = SoftmaxPair::new([&scores[0], &scores[1]]);
    let steps = scores[0].len();
    let at =
        |step: usize, channel: usize| halfway(pair.map(|x| f64::from(x[step * width + channel])));
    let mut of_scores: Vec<f64> = (0..steps)
        .map(|step| {
            let products = (0..width).map(|i| at(step, i) * f64::from(dout[i]));
            products.sum()
        })
        .collect();
    softmax.pull(&mut of_scores);
    for (step, dx) in dx.chunks_exact_mut(width).enumerate() {
        let share = halfway(softmax.probability(step));
        let mut sums: Vec<f64> = dout.iter().map(|d| share * f64::from(*d)).collect();
        for (unit, weight) in weight.chunks_exact(width).enumerate() {
            let slope = tanh_slope([0, 1].map(|of: usize| hidden[of][step][unit]));
            let of_unit = of_scores[step] * f64::from(query[unit]) * slope;
            let sums = sums.iter_mut().zip(weight);
            sums.for_each(|(sum, weight)| *sum += of_unit * f64::from(*weight));
        }
        dx.iter_mut()
            .zip(sums)
            .for_each(|(dx, sum)| *dx = sum as f32);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b);
    products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
