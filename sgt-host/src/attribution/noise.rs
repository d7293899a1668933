//! The random numbers of methods that draw.

use sgt_core::Pcg32;

/// The generator of draw `draw` of sample `sample`: one stream each, so that the result does not
/// depend on how the batch is cut.
pub(super) fn draw_rng(seed: u64, sample: usize, draw: usize) -> Pcg32 {
    Pcg32::new(seed, ((sample as u64) << 32) | draw as u64)
}
