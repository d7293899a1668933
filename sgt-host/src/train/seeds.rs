//! One seed for each random thing of a run, all derived from the run's seed.
//!
//! A derived seed depends on what it is for and where in the run it is used, never on what was
//! drawn before: a resumed run needs no generator's state, and threads can work in any order.

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The network's initial weights.
    Weights,
    /// The split into training and validation part.
    Split,
    /// The order of the samples in an epoch.
    Order,
    /// Dropout in the forward pass of a step.
    Dropout,
    /// Replacement values of a sample.
    Masking,
    /// An attack's random start.
    Attack,
    /// How a sample is varied in an epoch.
    Augmentation,
}

/// The seed for `purpose` at `place` (an epoch and a step or sample, for example).
///
/// `SplitMix64` over the words: independent for all practical purposes, not cryptographic.
///
/// ```
/// use sgt_host::train::{Purpose, derive_seed};
/// assert_ne!(
///     derive_seed(0, Purpose::Order, [1, 0]),
///     derive_seed(0, Purpose::Order, [2, 0]),
/// );
/// ```
pub fn derive_seed(seed: u64, purpose: Purpose, place: [u64; 2]) -> u64 {
    let words = [purpose as u64, place[0], place[1]];
    words
        .into_iter()
        .fold(mix(seed), |state, word| mix(state ^ mix(word)))
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
