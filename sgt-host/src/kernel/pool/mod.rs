//! Pooling, channels-last: maximum and mean of windows of an image or a series, and of all its
//! positions ([`global`]).
//!
//! ```text
//! max:     out[i, j, c] = max over (u, v) of x[i·s₀ + u − p₀, j·s₁ + v − p₁, c]     padding is −∞
//! average: out[i, j, c] = mean over (u, v) of the same                              padding is 0
//! ```
//!
//! Positions that do not fill a whole window at the end are left out, and the mean counts the padding,
//! as in PyTorch's defaults. Equal values: the first in row order is the maximum. A NaN is larger than
//! any number. A series is an image of height 1.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

pub(crate) mod global;
mod maximum;
mod rescale;
#[cfg(test)]
mod tests;

pub(super) use maximum::Maximum;
pub(crate) use rescale::max_pool_multipliers;

use super::dispatch::dispatch;
use super::request::InputGradient;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Sizes of a pooling layer. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PoolShape {
    /// Channels.
    pub(crate) channels: usize,
    /// `[height, width]` of the input; a series has height 1.
    pub(crate) input: [usize; 2],
    /// `[height, width]` of a window.
    pub(crate) window: [usize; 2],
    /// Step between windows.
    pub(crate) stride: [usize; 2],
    /// Padding in front of the input, and behind it; at most half a window.
    pub(crate) padding: [usize; 2],
}

/// Shapes that tests write in a line.
#[cfg(test)]
impl PoolShape {
    /// Windows side by side over an image, without padding.
    pub(crate) const fn image(channels: usize, input: [usize; 2], window: [usize; 2]) -> Self {
        Self {
            channels,
            input,
            window,
            stride: window,
            padding: [0, 0],
        }
    }

    /// Windows side by side over a series, without padding.
    pub(crate) const fn series(channels: usize, steps: usize, window: usize) -> Self {
        Self::image(channels, [1, steps], [1, window])
    }
}

impl PoolShape {
    /// `[height, width]` of the output; 0 where no window fits.
    pub(crate) const fn output(&self) -> [usize; 2] {
        let mut output = [0; 2];
        let mut axis = 0;
        while axis < 2 {
            let padded = self.input[axis] + 2 * self.padding[axis];
            if padded >= self.window[axis] && self.stride[axis] > 0 {
                output[axis] = (padded - self.window[axis]) / self.stride[axis] + 1;
            }
            axis += 1;
        }
        output
    }

    /// Values of one input sample.
    pub(crate) const fn input_len(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    /// Values of one output sample.
    pub(crate) const fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.channels * height * width
    }

    const fn area(&self) -> usize {
        self.window[0] * self.window[1]
    }

    /// Refuses sizes of 0, windows that do not fit, and padding of more than half a window.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
        let holds_input = (0..2).all(|axis| 2 * self.padding[axis] <= self.window[axis]);
        // The place of a maximum in its window is two bytes.
        let is_small = (1..=usize::from(u16::MAX)).contains(&self.area());
        if self.input_len() * self.output_len() > 0 && holds_input && is_small {
            return Ok(());
        }
        Err(Error::Shape {
            operation: "pooling",
            found: format!(
                "{} channels of {:?}, window {:?}, stride {:?}, padding {:?}",
                self.channels, self.input, self.window, self.stride, self.padding
            ),
            expected:
                "positive sizes, a window of less than 65536 values inside the padded input, \
                       padding of at most half a window"
                    .into(),
        })
    }

    /// The values of a window that lie in the input: place in the window, position in the input.
    #[inline]
    fn taps(&self, window: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let [_, columns] = self.output();
        let Self {
            input,
            window: size,
            stride,
            padding,
            ..
        } = *self;
        let along = move |axis: usize, first: usize| {
            let from = padding[axis].saturating_sub(first);
            let to = size[axis].min((input[axis] + padding[axis]).saturating_sub(first));
            (from..to).map(move |tap| (tap, first + tap - padding[axis]))
        };
        let (row, column) = (window / columns, window % columns);
        along(0, row * stride[0]).flat_map(move |(u, y)| {
            along(1, column * stride[1]).map(move |(v, t)| (u * size[1] + v, y * input[1] + t))
        })
    }
}

/// What [`max_pool_forward`] leaves for backward passes. Keeps its buffer from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaxPoolCache {
    shape: PoolShape,
    /// `[batch, positions, channels]`: the place of each maximum in its window.
    argmax: Vec<u16>,
}

/// `out` `[batch, height', width', channels]` = the maximum of each window of `x`
/// `[batch, height, width, channels]`.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the shape.
pub(crate) fn max_pool_forward(
    shape: &PoolShape,
    x: &[f32],
    out: &mut [f32],
    cache: &mut MaxPoolCache,
) -> Result<()> {
    shape.check()?;
    let batch = batch_len("max pool", "x", x.len(), shape.input_len())?;
    expect_len("max pool", "out", out.len(), batch * shape.output_len())?;
    cache.shape = *shape;
    cache.argmax.resize(out.len(), 0);
    out.par_chunks_exact_mut(shape.output_len())
        .zip(cache.argmax.par_chunks_exact_mut(shape.output_len()))
        .zip(x.par_chunks_exact(shape.input_len()))
        .for_each(|((out, argmax), x)| {
            dispatch(MaxForward {
                shape,
                x,
                out,
                argmax,
            });
        });
    Ok(())
}

/// Sends each value of `dout` back to where its window's maximum was.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass or a length does not fit it.
pub(crate) fn max_pool_backward(
    cache: &MaxPoolCache,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    let MaxPoolCache { shape, argmax } = cache;
    if argmax.is_empty() {
        return Err(Error::Shape {
            operation: "max pool backward",
            found: "no forward pass".into(),
            expected: "a cache that a forward pass filled".into(),
        });
    }
    expect_len("max pool", "dout", dout.len(), argmax.len())?;
    let batch = argmax.len() / shape.output_len();
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect_len("max pool", "dx", dx.len(), batch * shape.input_len())?;
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(argmax.par_chunks_exact(shape.output_len()))
        .zip(dout.par_chunks_exact(shape.output_len()))
        .for_each(|((dx, argmax), dout)| {
            if !add {
                dx.fill(0.0);
            }
            dispatch(MaxBackward {
                shape,
                argmax,
                dout,
                dx,
            });
        });
    Ok(())
}

/// `out` = the mean of each window. Shapes as in [`max_pool_forward`].
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the shape.
pub(crate) fn average_pool_forward(shape: &PoolShape, x: &[f32], out: &mut [f32]) -> Result<()> {
    shape.check()?;
    let batch = batch_len("average pool", "x", x.len(), shape.input_len())?;
    expect_len("average pool", "out", out.len(), batch * shape.output_len())?;
    out.par_chunks_exact_mut(shape.output_len())
        .zip(x.par_chunks_exact(shape.input_len()))
        .for_each(|(out, x)| dispatch(AverageForward { shape, x, out }));
    Ok(())
}

/// Spreads each value of `dout` evenly over its window.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the shape.
pub(crate) fn average_pool_backward(
    shape: &PoolShape,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    shape.check()?;
    let batch = batch_len("average pool", "dout", dout.len(), shape.output_len())?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect_len("average pool", "dx", dx.len(), batch * shape.input_len())?;
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(dout.par_chunks_exact(shape.output_len()))
        .for_each(|(dx, dout)| {
            if !add {
                dx.fill(0.0);
            }
            dispatch(AverageBackward { shape, dout, dx });
        });
    Ok(())
}

/// The maxima of one sample.
struct MaxForward<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    out: &'a mut [f32],
    argmax: &'a mut [u16],
}

impl WithSimd for MaxForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.shape.channels;
        let out = self.out.chunks_exact_mut(channels);
        let windows = out.zip(self.argmax.chunks_exact_mut(channels));
        for (window, (out, argmax)) in windows.enumerate() {
            let mut maximum = Maximum::new(out, argmax);
            for (tap, at) in self.shape.taps(window) {
                maximum.take(tap as u16, &self.x[at * channels..][..channels]);
            }
        }
    }
}

/// Adds the gradient of one sample's maxima.
struct MaxBackward<'a> {
    shape: &'a PoolShape,
    argmax: &'a [u16],
    dout: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for MaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.shape.channels;
        let dout = self.dout.chunks_exact(channels);
        for (window, (dout, argmax)) in dout.zip(self.argmax.chunks_exact(channels)).enumerate() {
            for (tap, at) in self.shape.taps(window) {
                let dx = &mut self.dx[at * channels..][..channels];
                for ((dx, &d), &argmax) in dx.iter_mut().zip(dout).zip(argmax) {
                    *dx += if argmax == tap as u16 { d } else { 0.0 };
                }
            }
        }
    }
}

/// The means of one sample.
struct AverageForward<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for AverageForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.shape.channels;
        let area = self.shape.area() as f32;
        for (window, out) in self.out.chunks_exact_mut(channels).enumerate() {
            out.fill(0.0);
            for (_, at) in self.shape.taps(window) {
                for (out, x) in out.iter_mut().zip(&self.x[at * channels..][..channels]) {
                    *out += x;
                }
            }
            for out in out {
                *out /= area;
            }
        }
    }
}

/// Adds the gradient of one sample's means.
struct AverageBackward<'a> {
    shape: &'a PoolShape,
    dout: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for AverageBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.shape.channels;
        let share = 1.0 / self.shape.area() as f32;
        for (window, dout) in self.dout.chunks_exact(channels).enumerate() {
            for (_, at) in self.shape.taps(window) {
                for (dx, d) in self.dx[at * channels..][..channels].iter_mut().zip(dout) {
                    *dx += d * share;
                }
            }
        }
    }
}
