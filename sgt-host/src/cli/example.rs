//! What `sgt compare` compares when it is given no data.

use crate::config::ConfigDraft;

/// The runs of every regime.
pub(super) const SEEDS: u32 = 3;

/// The test samples that costly metrics are measured on.
pub(super) const SAMPLES: usize = 240;

/// Passes over the training part, and what makes so few of them enough.
const EPOCHS: i64 = 5;
const BATCH: i64 = 32;
const LEARNING_RATE: f64 = 0.004;

/// Lays the example over the defaults: people's activities from the sensors of their telephones,
/// some of which are easily taken for each other.
pub(super) fn lay(draft: &mut ConfigDraft) {
    draft.set("data.source", "uci-har-subset");
    draft.set("training.epochs", EPOCHS);
    draft.set("training.batch", BATCH);
    draft.set("optimizer.learning-rate", LEARNING_RATE);
}
