//! Random numbers of the generators, in `f64`, one stream a sample.

use sgt_core::{Pcg32, Random};
use std::ops::Range;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    /// A training sample.
    Train,
    /// A test sample.
    Test,
    /// What all samples of a set share.
    Shared,
    /// A sample without a signal.
    Background,
}

/// A generator of the numbers of one sample: a function of the set's seed and the sample's number,
/// so that a larger set begins with the samples of a smaller one.
pub(super) struct Draw(Pcg32);

impl Draw {
    pub(super) fn new(seed: u64, stream: Stream, sample: usize) -> Self {
        let place = ((stream as u64) << u32::BITS) | sample as u64;
        Self(Pcg32::new(mix(seed ^ mix(place)), place))
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.0.unit())
    }

    /// Uniform in [0, `bound`).
    pub(super) fn uniform(&mut self, bound: f64) -> f64 {
        bound * self.unit()
    }

    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * f64::from(self.0.standard_normal())
    }

    /// Uniform over a range of integers; its start where it is empty.
    pub(super) fn integer(&mut self, range: Range<usize>) -> usize {
        let length = u32::try_from(range.len()).unwrap_or(u32::MAX);
        range.start + self.0.below(length.max(1)) as usize
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Poisson (Knuth): the number of uniform factors until the product falls below `exp(−mean)`.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        let limit = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// `count` different numbers below `below`, in ascending order.
    pub(super) fn subset(&mut self, count: usize, below: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..below).collect();
        for place in 0..count.min(below) {
            let other = self.integer(place..below);
            numbers.swap(place, other);
        }
        numbers.truncate(count);
        numbers.sort_unstable();
        numbers
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
