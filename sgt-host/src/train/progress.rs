//! Where a training stands.

use super::Best;
use crate::instructions::InstructionSet;
use crate::optimizer::OptimizerState;
use serde::{Deserialize, Serialize};

/// Everything that a training needs to go on with the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The network's parameters and buffers.
    pub parameters: Vec<f32>,
    /// The best epoch's parameters, when early stopping keeps them.
    pub best_parameters: Option<Vec<f32>>,
    /// The optimizer's buffers.
    pub optimizer: OptimizerState,
    /// The position in the run.
    pub progress: Progress,
}

/// The position in a run and what it has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the epoch after them.
    pub step: usize,
    /// That epoch's sums so far.
    pub sums: Sums,
    /// The best epoch by validation loss.
    pub best: Option<Best>,
    /// One row a finished epoch.
    pub rows: Vec<EpochRow>,
    /// True when there is nothing left to do.
    pub finished: bool,
    /// Identifies the data: another set cannot be resumed on.
    pub data_digest: String,
    /// The instruction sets that computed it so far, in their order; none in checkpoints of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<InstructionSet>,
}

/// Sums over the samples of the steps of an unfinished epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Samples.
    pub samples: usize,
    /// Samples whose clean prediction is their label.
    pub correct: usize,
    /// The total loss.
    #[serde(with = "bits")]
    pub loss: f64,
    /// The clean cross-entropy.
    #[serde(with = "bits")]
    pub clean: f64,
    /// The adversarial cross-entropy.
    #[serde(with = "bits")]
    pub adversarial: f64,
    /// The Kullback–Leibler term, before λ.
    #[serde(with = "bits")]
    pub divergence: f64,
    /// Masked groups over all groups, summed over samples.
    #[serde(with = "bits")]
    pub masked: f64,
}

/// One epoch, as `metrics.csv` shows it. Losses are means over samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRow {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The mean total loss.
    pub loss: f32,
    /// The mean clean cross-entropy, each sample weighted by its class.
    pub clean_loss: f32,
    /// The mean adversarial cross-entropy, weighted likewise (0 without one).
    pub adversarial_loss: f32,
    /// The mean Kullback–Leibler term before λ (0 without one).
    pub divergence: f32,
    /// The share of training samples predicted right, while they were trained on.
    pub accuracy: f32,
    /// The share of groups that were masked.
    pub masked: f32,
    /// The weight λ.
    pub lambda: f32,
    /// The mean cross-entropy on the validation part, if there is one.
    pub validation_loss: Option<f32>,
    /// The accuracy on the validation part, if there is one.
    pub validation_accuracy: Option<f32>,
}

impl EpochRow {
    /// The names of the columns, in order.
    pub const COLUMNS: [&'static str; 10] = [
        "epoch",
        "loss",
        "clean_loss",
        "adversarial_loss",
        "divergence",
        "accuracy",
        "masked",
        "lambda",
        "validation_loss",
        "validation_accuracy",
    ];
}

impl Sums {
    /// Takes another step's sums in.
    pub(super) fn add(&mut self, step: &Self) {
        self.samples += step.samples;
        self.correct += step.correct;
        self.loss += step.loss;
        self.clean += step.clean;
        self.adversarial += step.adversarial;
        self.divergence += step.divergence;
        self.masked += step.masked;
    }

    /// The finished epoch's row.
    pub(super) fn row(
        &self,
        epoch: usize,
        lambda: f32,
        validation: Option<(f32, f32)>,
    ) -> EpochRow {
        let samples = self.samples.max(1) as f64;
        let mean = |sum: f64| (sum / samples) as f32;
        EpochRow {
            epoch,
            loss: mean(self.loss),
            clean_loss: mean(self.clean),
            adversarial_loss: mean(self.adversarial),
            divergence: mean(self.divergence),
            accuracy: mean(self.correct as f64),
            masked: mean(self.masked),
            lambda,
            validation_loss: validation.map(|(loss, _)| loss),
            validation_accuracy: validation.map(|(_, accuracy)| accuracy),
        }
    }
}

/// An `f64` as its bits: decimal JSON may lose the last one.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}
