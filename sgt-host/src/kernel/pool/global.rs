//! Mean and maximum over all positions of an image or a series: `[batch, positions, channels]` to
//! `[batch, channels]`.
//!
//! Samples may have lengths: the positions behind a sample's last real one are padding, which is not
//! read and has no gradient.

use super::Maximum;
use super::rescale::{Maxima, multipliers};
use crate::kernel::dispatch::dispatch;
use crate::kernel::lengths::real_steps;
use crate::kernel::request::InputGradient;
use crate::kernel::{batch_len, expect_len};
use crate::{Error, Result};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// The sizes of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct GlobalPoolShape {
    /// Pixels or steps.
    pub(crate) positions: usize,
    /// Channels, innermost.
    pub(crate) channels: usize,
}

impl GlobalPoolShape {
    /// Values of one input sample.
    pub(crate) const fn input_len(&self) -> usize {
        self.positions * self.channels
    }

    /// The real positions of each of the samples that `found` values of an input hold.
    fn lengths(
        &self,
        operation: &'static str,
        name: &str,
        found: usize,
        lengths: Option<&[usize]>,
    ) -> Result<Vec<usize>> {
        let batch = batch_len(operation, name, found, self.input_len())?;
        real_steps(lengths, batch, self.positions)
    }
}

/// `out` `[batch, channels]` = the mean over the real positions of `x` `[batch, positions, channels]`,
/// summed in their order.
///
/// # Errors
/// [`Error::Shape`] when a length of a slice does not fit, [`Error::Argument`] when the lengths are not
/// one a sample or not from 1 to `positions`.
pub(crate) fn global_average_pool_forward(
    shape: &GlobalPoolShape,
    x: &[f32],
    lengths: Option<&[usize]>,
    out: &mut [f32],
) -> Result<()> {
    let lengths = shape.lengths("global average pool", "x", x.len(), lengths)?;
    let expected = lengths.len() * shape.channels;
    expect_len("global average pool", "out", out.len(), expected)?;
    out.par_chunks_exact_mut(shape.channels)
        .zip(x.par_chunks_exact(shape.input_len()))
        .zip(&lengths)
        .for_each(|((out, x), &length)| dispatch(Mean { x, length, out }));
    Ok(())
}

/// Spreads each value of `dout` `[batch, channels]` evenly over the real positions of its sample.
///
/// # Errors
/// As [`global_average_pool_forward`].
pub(crate) fn global_average_pool_backward(
    shape: &GlobalPoolShape,
    lengths: Option<&[usize]>,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    let lengths = shape.lengths("global average pool", "dx", dx.len(), lengths)?;
    let expected = lengths.len() * shape.channels;
    expect_len("global average pool", "dout", dout.len(), expected)?;
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(dout.par_chunks_exact(shape.channels))
        .zip(&lengths)
        .for_each(|((dx, dout), &length)| {
            dispatch(Spread {
                dout,
                length,
                dx,
                add,
            });
        });
    Ok(())
}

/// What [`global_max_pool_forward`] leaves for backward passes. Keeps its buffer from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct GlobalMaxPoolCache {
    shape: GlobalPoolShape,
    /// `[batch, channels]`: the position of each maximum.
    argmax: Vec<u32>,
}

/// `out` `[batch, channels]` = the maximum over the real positions of `x`
/// `[batch, positions, channels]`. Equal values: the first; a NaN is larger than any number.
///
/// # Errors
/// As [`global_average_pool_forward`].
pub(crate) fn global_max_pool_forward(
    shape: &GlobalPoolShape,
    x: &[f32],
    lengths: Option<&[usize]>,
    out: &mut [f32],
    cache: &mut GlobalMaxPoolCache,
) -> Result<()> {
    let lengths = shape.lengths("global max pool", "x", x.len(), lengths)?;
    let expected = lengths.len() * shape.channels;
    expect_len("global max pool", "out", out.len(), expected)?;
    cache.shape = *shape;
    cache.argmax.resize(out.len(), 0);
    out.par_chunks_exact_mut(shape.channels)
        .zip(cache.argmax.par_chunks_exact_mut(shape.channels))
        .zip(x.par_chunks_exact(shape.input_len()))
        .zip(&lengths)
        .for_each(|(((out, argmax), x), &length)| {
            dispatch(MaximumOf {
                x,
                length,
                out,
                argmax,
            });
        });
    Ok(())
}

/// Sends each value of `dout` back to the position of its maximum.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass or a length does not fit it.
pub(crate) fn global_max_pool_backward(
    cache: &GlobalMaxPoolCache,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    let GlobalMaxPoolCache { shape, argmax } = cache;
    if argmax.is_empty() {
        return Err(Error::Shape {
            operation: "global max pool backward",
            found: "no forward pass".into(),
            expected: "a cache that a forward pass filled".into(),
        });
    }
    expect_len("global max pool", "dout", dout.len(), argmax.len())?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    let expected = argmax.len() * shape.positions;
    expect_len("global max pool", "dx", dx.len(), expected)?;
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(argmax.par_chunks_exact(shape.channels))
        .zip(dout.par_chunks_exact(shape.channels))
        .for_each(|((dx, argmax), dout)| {
            if !add {
                dx.fill(0.0);
            }
            for (channel, (&position, d)) in argmax.iter().zip(dout).enumerate() {
                dx[position as usize * shape.channels + channel] += d;
            }
        });
    Ok(())
}

/// `DeepLIFT` through the maximum over all real positions: [`super::max_pool_multipliers`] of one
/// window that is the whole sample.
///
/// # Errors
/// As [`global_average_pool_forward`].
pub(crate) fn global_max_pool_multipliers(
    shape: &GlobalPoolShape,
    x: &[f32],
    reference: &[f32],
    lengths: Option<&[usize]>,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    let operation = "global max pool multipliers";
    let lengths = shape.lengths(operation, "x", x.len(), lengths)?;
    expect_len(operation, "reference", reference.len(), x.len())?;
    let expected = lengths.len() * shape.channels;
    expect_len(operation, "dout", dout.len(), expected)?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect_len(operation, "dx", dx.len(), x.len())?;
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(x.par_chunks_exact(shape.input_len()))
        .zip(reference.par_chunks_exact(shape.input_len()))
        .zip(dout.par_chunks_exact(shape.channels))
        .zip(&lengths)
        .for_each(|((((dx, x), reference), dout), &length)| {
            let real = length * shape.channels;
            let (dx, padding) = dx.split_at_mut(real);
            let pair = [&x[..real], &reference[..real]];
            let maxima = pair.map(|x| Maxima::new(shape.channels, x, std::iter::once(0..length)));
            multipliers(pair, &maxima, dout, dx, add);
            if !add {
                padding.fill(0.0);
            }
        });
    Ok(())
}

/// The mean of one sample.
struct Mean<'a> {
    x: &'a [f32],
    length: usize,
    out: &'a mut [f32],
}

impl WithSimd for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let share = 1.0 / self.length as f32;
        self.out.fill(0.0);
        for position in self.x.chunks_exact(self.out.len()).take(self.length) {
            for (out, x) in self.out.iter_mut().zip(position) {
                *out += x;
            }
        }
        for out in self.out {
            *out *= share;
        }
    }
}

/// The gradient of [`Mean`].
struct Spread<'a> {
    dout: &'a [f32],
    length: usize,
    dx: &'a mut [f32],
    add: bool,
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let share = 1.0 / self.length as f32;
        let (real, padding) = self.dx.split_at_mut(self.length * self.dout.len());
        for position in real.chunks_exact_mut(self.dout.len()) {
            for (dx, d) in position.iter_mut().zip(self.dout) {
                *dx = if self.add { *dx + d * share } else { d * share };
            }
        }
        if !self.add {
            padding.fill(0.0);
        }
    }
}

/// The maximum of one sample.
struct MaximumOf<'a> {
    x: &'a [f32],
    length: usize,
    out: &'a mut [f32],
    argmax: &'a mut [u32],
}

impl WithSimd for MaximumOf<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let positions = self.x.chunks_exact(self.out.len()).take(self.length);
        let mut maximum = Maximum::new(self.out, self.argmax);
        for (position, x) in (0..).zip(positions) {
            maximum.take(position, x);
        }
    }
}
