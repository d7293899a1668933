//! `DeepLIFT`'s multipliers through self-attention.

use super::super::expect_len;
use super::super::lengths::real_steps;
use super::super::rescale::{SoftmaxPair, halfway};
use super::{AttentionParameters, AttentionShape, OPERATION, Projection};
use crate::Result;
use rayon::prelude::*;

/// Pulls the multipliers `dout` of the output back to multipliers `dx` of the input, for samples `x`
/// and their `baseline`; all are `[batch, steps, dim]`, and a pair shares its length.
///
/// The products of queries with keys and of probabilities with values pass on
/// `Δ(ab) = ½(a + a₀)Δb + ½(b + b₀)Δa`; softmax is `exp(s − log Σ exp(s))`, whose curves pass on
/// `Δout / Δin`. So `Σ dx · Δx = Σ dout · Δout` up to rounding, and `dx` is the
/// gradient where `x` and `baseline` are the same. Evaluated in `f64`, without dropout.
///
/// Cost: about three forward passes in scalar arithmetic.
///
/// # Errors
/// As [`forward`](super::forward).
pub(crate) fn multipliers(
    shape: &AttentionShape,
    parameters: &AttentionParameters,
    lengths: Option<&[usize]>,
    [x, baseline]: [&[f32]; 2],
    dout: &[f32],
    dx: &mut [f32],
) -> Result<()> {
    shape.check()?;
    parameters.check(shape.dim)?;
    let len = shape.input_len();
    expect_len(OPERATION, "x", x.len(), len)?;
    expect_len(OPERATION, "baseline", baseline.len(), len)?;
    expect_len(OPERATION, "dout", dout.len(), len)?;
    expect_len(OPERATION, "dx", dx.len(), len)?;
    let lengths = real_steps(lengths, shape.batch, shape.steps)?;
    let sample = shape.steps * shape.dim;
    let pairs = x.par_chunks(sample).zip(baseline.par_chunks(sample));
    dx.par_chunks_mut(sample)
        .zip(dout.par_chunks(sample))
        .zip(pairs.zip(lengths))
        .for_each(|((dx, dout), ((x, baseline), length))| {
            let (real, padding) = dx.split_at_mut(length * shape.dim);
            padding.fill(0.0);
            let [x, baseline, dout] = [x, baseline, dout].map(|values| &values[..real.len()]);
            pull_sample(shape, parameters, [x, baseline], dout, real);
        });
    Ok(())
}

/// A matrix, row after row.
type Rows = Vec<Vec<f64>>;

/// One sample without its padding.
fn pull_sample(
    shape: &AttentionShape,
    parameters: &AttentionParameters,
    pair: [&[f32]; 2],
    dout: &[f32],
    dx: &mut [f32],
) {
    let AttentionShape { dim, heads, .. } = *shape;
    let width = shape.width();
    let pair = pair.map(|x| rows(x, dim));
    let steps = pair[0].len();
    let projected = |of: Projection| {
        let [x, baseline] = &pair;
        [project(&of, x), project(&of, baseline)]
    };
    let [query, key, value] = [parameters.query, parameters.key, parameters.value].map(projected);
    let of_context = project_back(&parameters.output, &rows(dout, dim));
    let zeros = || vec![vec![0.0; dim]; steps];
    let [mut of_query, mut of_key, mut of_value] = [zeros(), zeros(), zeros()];
    for head in 0..heads {
        let columns = head * width..(head + 1) * width;
        for step in 0..steps {
            let seen = if shape.causal { step + 1 } else { steps };
            let scores = [0, 1].map(|of: usize| {
                let query = &query[of][step][columns.clone()];
                let keys = key[of][..seen].iter();
                let scores = keys.map(|key| dot(query, &key[columns.clone()]) * scale(shape));
                scores.collect::<Vec<f64>>()
            });
            let softmax = SoftmaxPair::new([&scores[0], &scores[1]]);
            let mut of_scores = vec![0.0; seen];
            for (seen, multiplier) in of_scores.iter_mut().enumerate() {
                let probability = halfway(softmax.probability(seen));
                for column in columns.clone() {
                    let of_context = of_context[step][column];
                    *multiplier +=
                        halfway([0, 1].map(|of: usize| value[of][seen][column])) * of_context;
                    of_value[seen][column] += probability * of_context;
                }
            }
            softmax.pull(&mut of_scores);
            for (seen, multiplier) in of_scores.iter().enumerate() {
                for column in columns.clone() {
                    let at = |rows: &[Rows; 2], step: usize| {
                        halfway([0, 1].map(|of: usize| rows[of][step][column])) * scale(shape)
                    };
                    of_query[step][column] += multiplier * at(&key, seen);
                    of_key[seen][column] += multiplier * at(&query, step);
                }
            }
        }
    }
    let parts = [
        project_back(&parameters.query, &of_query),
        project_back(&parameters.key, &of_key),
        project_back(&parameters.value, &of_value),
    ];
    for (step, dx) in dx.chunks_exact_mut(dim).enumerate() {
        for (column, dx) in dx.iter_mut().enumerate() {
            *dx = parts.iter().map(|part| part[step][column]).sum::<f64>() as f32;
        }
    }
}

fn scale(shape: &AttentionShape) -> f64 {
    1.0 / (shape.width() as f64).sqrt()
}

fn rows(values: &[f32], dim: usize) -> Rows {
    let rows = values.chunks_exact(dim);
    rows.map(|row| row.iter().copied().map(f64::from).collect())
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn project(of: &Projection, x: &Rows) -> Rows {
    let outputs = || of.weight.chunks_exact(of.bias.len()).zip(of.bias);
    x.iter()
        .map(|x| {
            let output = |(weight, bias): (&[f32], &f32)| {
                let products = weight.iter().zip(x).map(|(w, x)| f64::from(*w) * x);
                f64::from(*bias) + products.sum::<f64>()
            };
            outputs().map(output).collect()
        })
        .collect()
}

/// Multipliers of a projection's result become those of its input.
fn project_back(of: &Projection, multipliers: &Rows) -> Rows {
    let dim = of.bias.len();
    multipliers
        .iter()
        .map(|multipliers| {
            let mut sums = vec![0.0; dim];
            for (weight, multiplier) in of.weight.chunks_exact(dim).zip(multipliers) {
                let sums = sums.iter_mut().zip(weight);
                sums.for_each(|(sum, weight)| *sum += multiplier * f64::from(*weight));
            }
            sums
        })
        .collect()
}
