//! The control.

use super::Attribution;
use sgt_core::{Pcg32, Random};

/// Uniform values in [0, 1): the control that every method should beat.
pub(super) fn random(x: &[f32], batch: usize, seed: u64) -> Attribution {
    let mut values = vec![0.0; x.len()];
    for (sample, row) in values.chunks_exact_mut(x.len() / batch).enumerate() {
        let mut rng = Pcg32::new(seed, sample as u64);
        for value in row {
            *value = rng.unit();
        }
    }
    Attribution { values, gap: None }
}
