//! What a run does, as data: read from TOML, checked once, then trusted.
//!
//! A configuration is laid in layers, each overriding the one below it key by key: the defaults
//! of the kind of data ([`DataKind`]), a [`Preset`], the user's file, the command line.
//!
//! ```toml
//! preset = "reference"       # optional: reference, robust
//! model = "sensor-cnn"
//! regime = "sgt"             # standard, sgt, adversarial, asgt, sga
//! lambda = 1.0               # or { from = 0.0, to = 1.0, ramp = "linear", epochs = 10 }
//! seed = 0
//!
//! [data]
//! source = "basic-motions"   # or: source = "NAME_TRAIN.ts"
//! validation = 0.2
//!
//! [masking]
//! fraction = 0.5
//! policy = "uniform"         # or { constant = 0.5 }, { gaussian = { mean = 0.0, std = 1.0 } }
//! ```

mod augmentation;
mod balance;
mod draft;
mod explain;
mod guide;
mod regime;
mod schedule;
mod settings;

pub use crate::data::DataKind;
pub use augmentation::Augmentation;
pub use balance::{Batches, ClassWeights};
pub use draft::{ConfigDraft, Preset};
pub use explain::{Explanation, explain};
pub use guide::Guide;
pub use regime::{Branch, Objective, Recipe, Regime};
pub use schedule::{EpochSchedule, Ramp};
pub use settings::{Difference, changes, differences};
pub use sgt_core::{Importance, Policy, Scope};

use crate::attack::AttackConfig;
use crate::data::{Length, Reading};
use crate::network::{Description, Grouping, Score};
use crate::optimizer::{GradientClipping, LearningRateSchedule, OptimizerConfig};
use crate::{Error, Result, limits};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::PathBuf;

/// Everything that decides what a run computes. The same configuration, data and version give
/// the same weights, bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RunConfig {
    /// The network: a name of `sgt models`, or the file of one's own.
    pub model: String,
    /// The sizes of its hidden layers, for a network by name; the usual ones when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<usize>,
    /// A network of one's own: a [`crate::network::Description`], which may leave the input and
    /// the number of classes to the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<toml::Table>,
    /// What the loss is made of.
    pub regime: Regime,
    /// The weight λ of the Kullback–Leibler term, 0 or more, by epoch.
    pub lambda: EpochSchedule,
    /// Seeds the initial weights, the split, the order, dropout, masks and random starts.
    pub seed: u64,
    /// The data.
    pub data: DataConfig,
    /// What is masked, and with what.
    pub masking: MaskingConfig,
    /// The attack of the adversarial regimes.
    pub attack: AttackConfig,
    /// The optimizer and its parameters.
    pub optimizer: OptimizerConfig,
    /// Length and stopping of the training.
    pub training: TrainingConfig,
}

/// Which data a run reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataConfig {
    /// A set of `sgt data list`, or the path of a file or folder of one's own.
    pub source: String,
    /// The test file beside a training file; `NAME_TEST.ts` beside `NAME_TRAIN.ts` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// The folder that holds named sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The common length of series; the set's own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// How one's own files become samples.
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
    /// The share of the training part, below 1, that is set aside to choose the epoch to keep.
    pub validation: f32,
    /// Whether values are standardised by the training part's mean and deviation per channel.
    pub standardise: bool,
}

/// What a masking step ranks, selects and writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MaskingConfig {
    /// The score whose input gradient is ranked.
    pub score: Score,
    /// How a gradient becomes an importance.
    pub importance: Importance,
    /// Which map of the score is ranked.
    #[serde(default, skip_serializing_if = "Guide::is_gradient")]
    pub guide: Guide,
    /// What is ranked together.
    pub scope: Scope,
    /// What is masked together.
    pub group: Grouping,
    /// What masked values become.
    pub policy: Policy,
    /// The share of groups, 0 to 1, that is masked: k = ⌊fraction · groups⌋, by epoch.
    pub fraction: EpochSchedule,
    /// When given, a sample that the network gets wrong has this share masked, one that it is
    /// sure of `fraction`, and those in between a share in between, by the true class's
    /// probability (after SMOOT, Karkehabadi et al., 2023).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_fraction: Option<f32>,
}

/// How long a run trains, and on what it stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainingConfig {
    /// The number of passes over the training part.
    pub epochs: usize,
    /// Samples a step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// How the samples of an epoch come into batches.
    pub batches: Batches,
    /// What a sample's cross-entropy counts, by its class.
    pub class_weights: ClassWeights,
    /// How samples are varied each time they are trained on.
    #[serde(default, skip_serializing_if = "Augmentation::is_off")]
    pub augmentation: Augmentation,
    /// What is done to a large gradient.
    pub clipping: GradientClipping,
    /// How the learning rate changes during the run.
    pub schedule: LearningRateSchedule,
    /// When given, training stops once the validation loss stops falling, and the best epoch's
    /// weights are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Seconds between two checkpoints inside an epoch; one is written after every epoch anyway.
    pub checkpoint_seconds: f32,
}

/// When to stop before the last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without improvement before the end.
    pub patience: usize,
    /// How far the validation loss must fall to count as an improvement.
    #[serde(default)]
    pub min_delta: f32,
}

fn not_toml(reason: &dyn Display) -> Error {
    Error::Argument {
        argument: "configuration".into(),
        found: reason.to_string(),
        expected: "values that TOML can hold".into(),
    }
}

impl RunConfig {
    /// The defaults for a kind of data, as `sgt train` has them.
    pub fn defaults(kind: DataKind) -> Self {
        let defaults = ConfigDraft::new().finish(kind);
        defaults.unwrap_or_else(|error| unreachable!("the defaults are checked by a test: {error}"))
    }

    /// The same configuration for a network of one's own.
    ///
    /// # Errors
    /// As [`Description::to_table`].
    pub fn with_network(mut self, description: &Description) -> Result<Self> {
        self.model.clone_from(&description.name);
        self.network = Some(description.to_table()?);
        Ok(self)
    }

    /// The configuration as TOML, every key given.
    ///
    /// # Errors
    /// [`Error::Argument`] when a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|reason| not_toml(&reason))
    }

    /// Checks every value by itself; `origin` starts the error's line.
    fn check_ranges(&self, origin: &str) -> Result<()> {
        let check = Check { origin };
        check.schedule("lambda", self.lambda, f32::MAX)?;
        check.schedule("masking.fraction", self.masking.fraction, 1.0)?;
        if let Some(fraction) = self.masking.hard_fraction {
            check.number("masking.hard-fraction", fraction, 0.0, 1.0)?;
        }
        check.prefixed("masking.", self.masking.guide.check())?;
        if !(0.0..1.0).contains(&self.data.validation) {
            let expected = "a share from 0 to below 1";
            return check.refuse("data.validation", self.data.validation, expected);
        }
        match self.masking.policy {
            Policy::Constant(value) => {
                check.number("masking.policy.constant", value, f32::MIN, f32::MAX)?;
            }
            Policy::Gaussian { mean, std } => {
                check.number("masking.policy.gaussian.mean", mean, f32::MIN, f32::MAX)?;
                check.number("masking.policy.gaussian.std", std, 0.0, f32::MAX)?;
            }
            _ => {}
        }
        check.prefixed("data.reading.", self.data.reading.check())?;
        check.prefixed("attack.", self.attack.check())?;
        check.count("training.epochs", self.training.epochs)?;
        check.count("training.batch", self.training.batch)?;
        if let Some(weight) = self.training.class_weights.bad() {
            let expected = "finite weights above 0";
            return check.refuse("training.class-weights", weight, expected);
        }
        check.prefixed("training.", self.training.augmentation.check())?;
        check.prefixed("", self.optimizer.check())?;
        check.prefixed("training.", self.training.clipping.check())?;
        check.prefixed("training.", self.training.schedule.check())?;
        if let Some(stopping) = &self.training.early_stopping {
            let key = "training.early-stopping";
            check.count(&format!("{key}.patience"), stopping.patience)?;
            check.number(
                &format!("{key}.min-delta"),
                stopping.min_delta,
                0.0,
                f32::MAX,
            )?;
        }
        let seconds = self.training.checkpoint_seconds;
        let key = "training.checkpoint-seconds";
        check.positive(key, seconds)?;
        check.number(key, seconds, 0.0, limits::CHECKPOINT_SECONDS)
    }

    /// Checks what keys must mean together.
    fn check_combinations(&self, origin: &str) -> Result<()> {
        let check = Check { origin };
        if self.training.early_stopping.is_some() && self.data.validation == 0.0 {
            let expected = "a share of the training part to judge by";
            check.refuse("training.early-stopping", "data.validation = 0", expected)?;
        }
        let TrainingConfig {
            batches,
            class_weights,
            ..
        } = &self.training;
        if *batches == Batches::Balanced && *class_weights == ClassWeights::Balanced {
            let found = "balanced weights on balanced batches";
            let expected = "one of the two: each alone makes the classes count alike";
            check.refuse("training.class-weights", found, expected)?;
        }
        Ok(())
    }
}

/// Refuses values out of range, each with its key.
struct Check<'o> {
    origin: &'o str,
}

impl Check<'_> {
    fn refuse(&self, key: &str, found: impl Display, expected: &str) -> Result<()> {
        Err(Error::Argument {
            argument: format!("{}: {key}", self.origin),
            found: found.to_string(),
            expected: expected.into(),
        })
    }

    /// Puts the origin and the key's section in front of a section's own error.
    fn prefixed(&self, section: &str, checked: Result<()>) -> Result<()> {
        checked.map_err(|error| match error {
            Error::Argument {
                argument,
                found,
                expected,
            } => Error::Argument {
                argument: format!("{}: {section}{argument}", self.origin),
                found,
                expected,
            },
            other => other,
        })
    }

    /// A number from `least` to `most`, both included; never NaN.
    fn number(&self, key: &str, value: f32, least: f32, most: f32) -> Result<()> {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        match (least == f32::MIN, most == f32::MAX) {
            (true, true) => self.refuse(key, value, "a finite number"),
            (_, true) => self.refuse(key, value, &format!("a finite number, {least} or more")),
            _ => self.refuse(key, value, &format!("a number from {least} to {most}")),
        }
    }

    fn positive(&self, key: &str, value: f32) -> Result<()> {
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        self.refuse(key, value, "a finite number above 0")
    }

    fn count(&self, key: &str, value: usize) -> Result<()> {
        match value {
            0 => self.refuse(key, value, "1 or more"),
            _ => Ok(()),
        }
    }

    fn schedule(&self, key: &str, schedule: EpochSchedule, most: f32) -> Result<()> {
        match schedule {
            EpochSchedule::Constant(value) => self.number(key, value, 0.0, most),
            EpochSchedule::Ramp {
                from, to, epochs, ..
            } => {
                self.number(&format!("{key}.from"), from, 0.0, most)?;
                self.number(&format!("{key}.to"), to, 0.0, most)?;
                self.count(&format!("{key}.epochs"), epochs)
            }
        }
    }
}
