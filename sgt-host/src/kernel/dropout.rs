//! Inverted dropout whose mask is a function of the seed and the position alone.
//!
//! Nothing is stored: the backward pass draws the same mask again. Threads do not matter.

use super::expect_len;
use crate::Result;
use rayon::prelude::*;

/// Elements a task; the mask does not depend on it.
const PIECE: usize = 1 << 14;

/// The seed of one dropout layer: a mask is a function of the key and the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutKey {
    seed: u64,
}

impl DropoutKey {
    /// The key of layer number `layer` in a pass seeded with `seed`.
    pub const fn new(seed: u64, layer: u64) -> Self {
        let mut z = seed ^ layer.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            seed: z ^ (z >> 31),
        }
    }

    /// 32 random bits for position `index`.
    #[inline]
    pub const fn bits(self, index: u64) -> u32 {
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
pub fn dropout(key: DropoutKey, p: f32, x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("dropout", "out", out.len(), x.len())?;
    out.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .enumerate()
        .for_each(|(piece, (out, x))| {
            let kept = Kept::new(key, p);
            for (index, (out, &x)) in ((piece * PIECE) as u64..).zip(out.iter_mut().zip(x)) {
                *out = kept.apply(index, x);
            }
        });
    Ok(())
}

/// [`dropout`] in place.
pub fn dropout_in_place(key: DropoutKey, p: f32, x: &mut [f32]) {
    x.par_chunks_mut(PIECE).enumerate().for_each(|(piece, x)| {
        let kept = Kept::new(key, p);
        for (index, x) in ((piece * PIECE) as u64..).zip(x) {
            *x = kept.apply(index, *x);
        }
    });
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

    #[inline]
    pub(super) fn apply(&self, index: u64, x: f32) -> f32 {
        if self.key.bits(index) >= self.threshold {
            x * self.scale
        } else {
            0.0
        }
    }
}
