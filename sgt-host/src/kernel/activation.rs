//! Element-wise layers: ReLU and the sum of a residual branch.

use super::expect_len;
use crate::Result;
use rayon::prelude::*;

/// Values a task.
const PIECE: usize = 1 << 15;

/// `out = max(x, 0)`; NaN stays NaN.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn relu_forward(x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("relu", "out", out.len(), x.len())?;
    for (out, &x) in out.iter_mut().zip(x) {
        *out = if x < 0.0 { 0.0 } else { x };
    }
    Ok(())
}

/// [`relu_forward`] in place.
pub fn relu_in_place(x: &mut [f32]) {
    x.par_chunks_mut(PIECE).for_each(|x| {
        for x in x {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    });
}

/// [`relu_backward`] in place: `dout` becomes 0 where `x` is not positive.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn relu_backward_in_place(x: &[f32], dout: &mut [f32]) {
    assert_eq!(x.len(), dout.len(), "relu: lengths");
    dout.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .for_each(|(dout, x)| {
            for (d, &x) in dout.iter_mut().zip(x) {
                *d = if x > 0.0 { *d } else { 0.0 };
            }
        });
}

/// `dx = dout` where `x > 0`, and 0 elsewhere. `x` may be the layer's input or its output.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn relu_backward(x: &[f32], dout: &[f32], dx: &mut [f32]) -> Result<()> {
    expect_len("relu", "dout", dout.len(), x.len())?;
    expect_len("relu", "dx", dx.len(), x.len())?;
    for ((dx, &x), &d) in dx.iter_mut().zip(x).zip(dout) {
        *dx = if x > 0.0 { d } else { 0.0 };
    }
    Ok(())
}

/// `out += x`: joins a residual branch. Its gradient is `dout` for both summands.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn add_assign(x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("add", "out", out.len(), x.len())?;
    out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
    Ok(())
}
