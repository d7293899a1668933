//! A trained network on a board: accuracy, explanations, and learning on the board when the sensor is
//! turned.
//!
//! Everything here runs on a host (`sgt-demo`) and on emulated boards (`sgt-firmware`, program
//! `demo`), which print the same lines: the same bits.
//!
//! | module | what it holds |
//! |---|---|
//! | [`windows`] | the BasicMotions recordings in flash, and what a turned sensor makes of them |
//! | [`explaining`] | accuracy in floats and in integers, saliency |
//! | [`adapting`] | training on the board |
#![no_std]

pub mod adapting;
pub mod explaining;
pub mod windows;

pub use network;

/// Rounds over the training windows on the board.
pub const ROUNDS: usize = 5;

use core::fmt::Arguments;

/// Where lines go.
pub type Print<'p> = &'p mut dyn FnMut(Arguments<'_>);

/// FNV-1a over the bits of values.
#[derive(Clone, Copy)]
pub struct Digest(pub u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Goes on with `values`.
    pub fn add(&mut self, values: &[f32]) {
        for byte in values.iter().flat_map(|value| value.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The class of the largest logit.
fn largest(logits: &[f32]) -> usize {
    let (mut best, mut highest) = (0, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > highest {
            (best, highest) = (class, logit);
        }
    }
    best
}

/// Thousandths, for lines without floats.
fn thousandths(value: f32) -> i32 {
    (value * 1000.0) as i32
}
