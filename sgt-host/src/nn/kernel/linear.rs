//! The fully connected layer, `out = x Wᵀ + b`.

use super::conv2d::WeightGradient;
use super::{batch_len, expect_len};
use crate::Result;
use rayon::prelude::*;

/// `out[n, o] = bias[o] + Σ_i weight[o, i] · x[n, i]`.
///
/// `x` is `[batch, inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]`, `out`
/// `[batch, outputs]`.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit.
pub fn linear_forward(
    inputs: usize,
    outputs: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let batch = batch_len("linear", "x", x.len(), inputs)?;
    expect_len("linear", "out", out.len(), batch * outputs)?;
    expect_len("linear", "weight", weight.len(), inputs * outputs)?;
    if let Some(bias) = bias {
        expect_len("linear", "bias", bias.len(), outputs)?;
    }
    out.par_chunks_exact_mut(outputs)
        .zip(x.par_chunks_exact(inputs))
        .for_each(|(out, x)| {
            for (o, (out, row)) in out.iter_mut().zip(weight.chunks_exact(inputs)).enumerate() {
                let product: f32 = row.iter().zip(x).map(|(w, x)| w * x).sum();
                *out = product + bias.map_or(0.0, |bias| bias[o]);
            }
        });
    Ok(())
}

/// Pulls `dout` `[batch, outputs]` back: `dx = dout W` is overwritten, `dout ᵀ x` and the column
/// sums of `dout` are added to the gradient.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit.
pub fn linear_backward(
    inputs: usize,
    outputs: usize,
    weight: &[f32],
    x: &[f32],
    dout: &[f32],
    dx: Option<&mut [f32]>,
    gradient: Option<WeightGradient<'_>>,
) -> Result<()> {
    let batch = batch_len("linear", "x", x.len(), inputs)?;
    expect_len("linear", "dout", dout.len(), batch * outputs)?;
    expect_len("linear", "weight", weight.len(), inputs * outputs)?;
    if let Some(dx) = dx {
        expect_len("linear", "dx", dx.len(), x.len())?;
        dx.par_chunks_exact_mut(inputs)
            .zip(dout.par_chunks_exact(outputs))
            .for_each(|(dx, dout)| {
                dx.fill(0.0);
                for (d, row) in dout.iter().zip(weight.chunks_exact(inputs)) {
                    dx.iter_mut().zip(row).for_each(|(dx, w)| *dx += d * w);
                }
            });
    }
    if let Some(gradient) = gradient {
        expect_len(
            "linear",
            "weight gradient",
            gradient.weight.len(),
            weight.len(),
        )?;
        if let Some(bias) = gradient.bias {
            expect_len("linear", "bias gradient", bias.len(), outputs)?;
            for dout in dout.chunks_exact(outputs) {
                bias.iter_mut().zip(dout).for_each(|(bias, d)| *bias += d);
            }
        }
        gradient
            .weight
            .par_chunks_exact_mut(inputs)
            .enumerate()
            .for_each(|(o, row)| {
                for (x, dout) in x.chunks_exact(inputs).zip(dout.chunks_exact(outputs)) {
                    row.iter_mut().zip(x).for_each(|(w, x)| *w += dout[o] * x);
                }
            });
    }
    Ok(())
}
