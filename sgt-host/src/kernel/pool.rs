//! Pooling without padding: max and average over windows, and the average of whole planes.

use super::{batch_len, expect_len};
use crate::{Error, Result};
use rayon::prelude::*;

/// Sizes of a pooling layer. Pairs are `[vertical, horizontal]`. Input that does not fill a whole
/// window is left out, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    /// Channels.
    pub channels: usize,
    /// `[height, width]` of the input; a series has height 1.
    pub input: [usize; 2],
    /// `[height, width]` of a window; at most 256 values, so that its maximum's place is one byte.
    pub window: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
}

impl PoolGeometry {
    /// Square windows side by side over an image.
    pub const fn image(channels: usize, input: [usize; 2], window: usize) -> Self {
        Self {
            channels,
            input,
            window: [window, window],
            stride: [window, window],
        }
    }

    /// Windows side by side over a series.
    pub const fn series(channels: usize, steps: usize, window: usize) -> Self {
        Self {
            channels,
            input: [1, steps],
            window: [1, window],
            stride: [1, window],
        }
    }

    /// `[height, width]` of the output; 0 where no window fits.
    pub const fn output(&self) -> [usize; 2] {
        let mut output = [0; 2];
        let mut axis = 0;
        while axis < 2 {
            if self.input[axis] >= self.window[axis] && self.stride[axis] > 0 {
                output[axis] = (self.input[axis] - self.window[axis]) / self.stride[axis] + 1;
            }
            axis += 1;
        }
        output
    }

    /// Values of one input sample.
    pub const fn input_len(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    /// Values of one output sample.
    pub const fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.channels * height * width
    }

    /// Refuses sizes of 0, windows that do not fit and windows of more than 256 values.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(&self) -> Result<()> {
        let area = self.window[0] * self.window[1];
        if self.output_len() > 0 && (1..=256).contains(&area) {
            return Ok(());
        }
        Err(Error::Shape {
            operation: "pooling",
            found: format!(
                "{} channels of {:?}, window {:?}, stride {:?}",
                self.channels, self.input, self.window, self.stride
            ),
            expected: "positive sizes and a window of at most 256 values inside the input".into(),
        })
    }

    /// Calls `visit(output place, window's first input place)` for one plane.
    fn windows(&self, mut visit: impl FnMut(usize, usize)) {
        let [rows, columns] = self.output();
        for row in 0..rows {
            for column in 0..columns {
                let first = row * self.stride[0] * self.input[1] + column * self.stride[1];
                visit(row * columns + column, first);
            }
        }
    }

    /// The place of value `index` of a window, relative to the window's first.
    const fn offset(&self, index: usize) -> usize {
        (index / self.window[1]) * self.input[1] + index % self.window[1]
    }
}

/// `out` = the largest value of each window; `argmax` = its place in the window, row after row.
/// Ties go to the first; a NaN is the largest, as in PyTorch.
///
/// `x` is `[batch, channels, height, width]`; `out` and `argmax` are the same with the output's
/// height and width.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the geometry.
pub fn max_pool_forward(
    geometry: &PoolGeometry,
    x: &[f32],
    out: &mut [f32],
    argmax: &mut [u8],
) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("max pool", "x", x.len(), geometry.input_len())?;
    expect_len("max pool", "out", out.len(), batch * geometry.output_len())?;
    expect_len("max pool", "argmax", argmax.len(), out.len())?;
    let plane = geometry.input[0] * geometry.input[1];
    let out_plane = geometry.output()[0] * geometry.output()[1];
    out.par_chunks_exact_mut(out_plane)
        .zip(argmax.par_chunks_exact_mut(out_plane))
        .zip(x.par_chunks_exact(plane))
        .for_each(|((out, argmax), x)| {
            geometry.windows(|place, first| {
                let mut best = x[first];
                let mut best_index = 0;
                for index in 1..geometry.window[0] * geometry.window[1] {
                    let value = x[first + geometry.offset(index)];
                    if value > best || (value.is_nan() && !best.is_nan()) {
                        best = value;
                        best_index = index;
                    }
                }
                out[place] = best;
                argmax[place] = best_index as u8;
            });
        });
    Ok(())
}

/// Sends each value of `dout` back to where its window's maximum was; `dx` is overwritten.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the geometry.
pub fn max_pool_backward(
    geometry: &PoolGeometry,
    argmax: &[u8],
    dout: &[f32],
    dx: &mut [f32],
) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("max pool", "dx", dx.len(), geometry.input_len())?;
    expect_len(
        "max pool",
        "dout",
        dout.len(),
        batch * geometry.output_len(),
    )?;
    expect_len("max pool", "argmax", argmax.len(), dout.len())?;
    let plane = geometry.input[0] * geometry.input[1];
    let out_plane = geometry.output()[0] * geometry.output()[1];
    dx.par_chunks_exact_mut(plane)
        .zip(argmax.par_chunks_exact(out_plane))
        .zip(dout.par_chunks_exact(out_plane))
        .for_each(|((dx, argmax), dout)| {
            dx.fill(0.0);
            geometry.windows(|place, first| {
                dx[first + geometry.offset(usize::from(argmax[place]))] += dout[place];
            });
        });
    Ok(())
}

/// `out` = the mean of each window. Shapes as in [`max_pool_forward`].
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the geometry.
pub fn average_pool_forward(geometry: &PoolGeometry, x: &[f32], out: &mut [f32]) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("average pool", "x", x.len(), geometry.input_len())?;
    expect_len(
        "average pool",
        "out",
        out.len(),
        batch * geometry.output_len(),
    )?;
    let plane = geometry.input[0] * geometry.input[1];
    let out_plane = geometry.output()[0] * geometry.output()[1];
    let area = geometry.window[0] * geometry.window[1];
    out.par_chunks_exact_mut(out_plane)
        .zip(x.par_chunks_exact(plane))
        .for_each(|(out, x)| {
            geometry.windows(|place, first| {
                let sum: f32 = (0..area).map(|i| x[first + geometry.offset(i)]).sum();
                out[place] = sum / area as f32;
            });
        });
    Ok(())
}

/// Spreads each value of `dout` evenly over its window; `dx` is overwritten.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the geometry.
pub fn average_pool_backward(geometry: &PoolGeometry, dout: &[f32], dx: &mut [f32]) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("average pool", "dx", dx.len(), geometry.input_len())?;
    expect_len(
        "average pool",
        "dout",
        dout.len(),
        batch * geometry.output_len(),
    )?;
    let plane = geometry.input[0] * geometry.input[1];
    let out_plane = geometry.output()[0] * geometry.output()[1];
    let area = geometry.window[0] * geometry.window[1];
    dx.par_chunks_exact_mut(plane)
        .zip(dout.par_chunks_exact(out_plane))
        .for_each(|(dx, dout)| {
            dx.fill(0.0);
            geometry.windows(|place, first| {
                let share = dout[place] / area as f32;
                (0..area).for_each(|i| dx[first + geometry.offset(i)] += share);
            });
        });
    Ok(())
}

/// `out[n, c]` = the mean over the `plane` values of channel `c`: `x` is `[batch, channels, plane]`,
/// `out` `[batch, channels]`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub fn global_average_pool_forward(plane: usize, x: &[f32], out: &mut [f32]) -> Result<()> {
    let rows = batch_len("global average pool", "x", x.len(), plane)?;
    expect_len("global average pool", "out", out.len(), rows)?;
    for (out, x) in out.iter_mut().zip(x.chunks_exact(plane)) {
        *out = x.iter().sum::<f32>() / plane as f32;
    }
    Ok(())
}

/// Spreads each value of `dout` `[batch, channels]` evenly over its plane; `dx` is overwritten.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit.
pub fn global_average_pool_backward(plane: usize, dout: &[f32], dx: &mut [f32]) -> Result<()> {
    let rows = batch_len("global average pool", "dx", dx.len(), plane)?;
    expect_len("global average pool", "dout", dout.len(), rows)?;
    for (dx, d) in dx.chunks_exact_mut(plane).zip(dout) {
        dx.fill(d / plane as f32);
    }
    Ok(())
}
