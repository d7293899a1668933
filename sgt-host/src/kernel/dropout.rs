//! Inverted dropout whose mask is a function of the seed and the position alone.
//!
//! Nothing is stored: the backward pass draws the same mask again. Threads do not matter.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::dispatch::dispatch;
use super::expect_len;
use crate::Result;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Elements a task, a divisor of 2³²; the mask does not depend on it.
const PIECE: usize = 1 << 14;

/// The seed of one dropout layer: a mask is a function of the key and the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DropoutKey {
    seed: u64,
}

impl DropoutKey {
    /// The key of layer number `layer` in a pass seeded with `seed`.
    pub(crate) const fn new(seed: u64, layer: u64) -> Self {
        let mut z = seed ^ layer.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            seed: z ^ (z >> 31),
        }
    }

    /// 32 random bits for position `index`.
    #[inline(always)]
    pub(crate) const fn bits(self, index: u64) -> u32 {
        let high = ((index >> 32) as u32).wrapping_add((self.seed >> 32) as u32);
        let mut h = (index as u32) ^ (self.seed as u32);
        h = (h ^ (h >> 16)).wrapping_mul(0x21f0_aaad);
        h = h.wrapping_add(high);
        h = (h ^ (h >> 15)).wrapping_mul(0x735a_2d97);
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h ^ (h >> 16)
    }
}

/// `out = x / (1 − p)` where the mask keeps the element, and 0 where it drops it (with
/// probability `p`, `0 ≤ p < 1`). The backward pass is the same function over `dout`.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub(crate) fn dropout(key: DropoutKey, p: f32, x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("dropout", "out", out.len(), x.len())?;
    out.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .enumerate()
        .for_each(|(piece, (out, x))| {
            dispatch(Piece {
                kept: Kept::new(key, p),
                first: (piece * PIECE) as u64,
                x: Some(x),
                out,
            });
        });
    Ok(())
}

/// [`dropout`] in place.
pub(crate) fn dropout_in_place(key: DropoutKey, p: f32, x: &mut [f32]) {
    x.par_chunks_mut(PIECE).enumerate().for_each(|(piece, x)| {
        dispatch(Piece {
            kept: Kept::new(key, p),
            first: (piece * PIECE) as u64,
            x: None,
            out: x,
        });
    });
}

/// The values of one task, from `x` or in place.
struct Piece<'a> {
    kept: Kept,
    /// A multiple of [`PIECE`].
    first: u64,
    x: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl WithSimd for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            kept,
            first,
            x,
            out,
        } = self;
        // A piece doesn't cross a multiple of 2³²: only the position's low half changes.
        let (low, high) = (first as u32, first & !u64::from(u32::MAX));
        let position = |index: u32| high | u64::from(low + index);
        match x {
            Some(x) => {
                for (index, (out, &x)) in (0..).zip(out.iter_mut().zip(x)) {
                    *out = kept.apply(position(index), x);
                }
            }
            None => {
                for (index, x) in (0..).zip(out) {
                    *x = kept.apply(position(index), *x);
                }
            }
        }
    }
}

/// What a mask does to one element.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    key: DropoutKey,
    threshold: u32,
    scale: f32,
}

impl Kept {
    pub(super) fn new(key: DropoutKey, p: f32) -> Self {
        Self {
            key,
            threshold: (f64::from(p) * 4_294_967_296.0) as u32,
            scale: 1.0 / (1.0 - p),
        }
    }

    #[inline(always)]
    pub(super) fn apply(&self, index: u64, x: f32) -> f32 {
        if self.key.bits(index) >= self.threshold {
            x * self.scale
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::levels::values;

    #[test]
    fn keeps_its_share_and_its_mean() {
        let x = vec![1.0; 200_000];
        let mut out = vec![0.0; x.len()];
        for (layer, p) in [(0, 0.25_f32), (1, 0.5)] {
            dropout(DropoutKey::new(9, layer), p, &x, &mut out).unwrap();
            let dropped = out.iter().filter(|&&v| v == 0.0).count() as f32 / x.len() as f32;
            // Five standard deviations of a binomial share.
            let allowed = 5.0 * (p * (1.0 - p) / x.len() as f32).sqrt();
            assert!((dropped - p).abs() < allowed, "{dropped} of {p}");
            let kept = 1.0 / (1.0 - p);
            assert!(out.iter().all(|&v| v == 0.0 || v == kept));
            // Neighbours are independent.
            let pairs = out.windows(2).filter(|pair| pair == &[0.0, 0.0]).count() as f32;
            assert!((pairs / x.len() as f32 - p * p).abs() < 2.0 * allowed);
        }
    }

    #[test]
    fn the_backward_pass_draws_the_same_mask() {
        let key = DropoutKey::new(3, 1);
        let (x, dout) = (values(PIECE + 5, 1), values(PIECE + 5, 2));
        let mut out = vec![f32::NAN; x.len()];
        dropout(key, 0.4, &x, &mut out).unwrap();
        let mut dx = dout.clone();
        dropout_in_place(key, 0.4, &mut dx);
        for ((x, out), (dout, dx)) in x.iter().zip(&out).zip(dout.iter().zip(&dx)) {
            let kept = 1.0 / (1.0 - 0.4);
            let scale = if *out == 0.0 { 0.0 } else { kept };
            assert_eq!([*out, *dx], [x * scale, dout * scale]);
        }
        let error = dropout(key, 0.4, &x, &mut out[1..]).unwrap_err();
        assert!(
            error.to_string().starts_with("dropout: found shape out of"),
            "{error}"
        );
    }
}
