//! Sines and cosines added to the steps of a series.

use super::{batch_len, expect_len};
use crate::Result;
use rayon::prelude::*;

/// The base of the wavelengths (Vaswani et al. 2017).
const BASE: f64 = 10_000.0;

/// The angle's exponent of an even channel, for its sine and for the cosine behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wavelengths {
    /// Channel i of d and the one behind it: i / d.
    Shared,
    /// 2i / d and 2(i + 1) / d: the time-series benchmark's code.
    Published,
}

/// The table `[steps, channels]`. An odd last channel has a sine alone.
pub(crate) fn table(wavelengths: Wavelengths, steps: usize, channels: usize) -> Vec<f32> {
    let angle =
        |step: usize, numerator: usize| step as f64 / BASE.powf(numerator as f64 / channels as f64);
    let value = |place: usize| {
        let (step, channel) = (place / channels, place % channels);
        let even = channel - channel % 2;
        let (of_sine, of_cosine) = match wavelengths {
            Wavelengths::Shared => (even, even),
            Wavelengths::Published => (2 * even, 2 * (even + 1)),
        };
        let wave = if channel == even {
            angle(step, of_sine).sin()
        } else {
            angle(step, of_cosine).cos()
        };
        wave as f32
    };
    (0..steps * channels).map(value).collect()
}

/// `out = scale · x + table`, sample by sample.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit.
pub(crate) fn forward(scale: f32, table: &[f32], x: &[f32], out: &mut [f32]) -> Result<()> {
    batch_len("positional encoding", "x", x.len(), table.len())?;
    expect_len("positional encoding", "out", out.len(), x.len())?;
    out.par_chunks_exact_mut(table.len())
        .zip(x.par_chunks_exact(table.len()))
        .for_each(|(out, x)| {
            for ((out, x), wave) in out.iter_mut().zip(x).zip(table) {
                *out = scale * x + wave;
            }
        });
    Ok(())
}
