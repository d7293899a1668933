//! The result of a comparison, as data: regimes side by side, over seeds.

use super::{ComparisonRow, Verdict, Warning};
use crate::config::Difference;
use crate::data::InputUnit;
use crate::evaluation::{About, Evaluation, EvaluationConfig, Measured, Scalar};
use crate::metrics::{Classification, Metric};
use crate::train::EpochRow;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Regimes side by side: a table of one row a metric, and the runs behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// What to take, and what cannot be said.
    pub verdict: Verdict,
    /// What a reader must know before trusting a number.
    pub warnings: Vec<Warning>,
    /// The data set.
    pub data: String,
    /// The networks.
    pub model: String,
    /// Training samples.
    pub training_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// The classes and their samples.
    pub classes: Vec<ClassCount>,
    /// What ε and attributions are measured in.
    pub unit: InputUnit,
    /// What was measured, and how.
    pub evaluation: EvaluationConfig,
    /// The settings in which the regimes differ, a value a regime.
    pub settings: Vec<Difference>,
    /// The table.
    pub rows: Vec<ComparisonRow>,
    /// The regimes; the first is the one the others are compared with.
    pub regimes: Vec<RegimeRuns>,
}

/// Runs that are alike but for their seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RegimeRuns {
    /// The regime's name, with the settings that tell it from other runs of that regime.
    pub name: String,
    /// One run a seed.
    pub runs: Vec<MeasuredRun>,
}

/// One trained and measured run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MeasuredRun {
    /// Its seed.
    pub seed: u64,
    /// Its folder, if it has one.
    pub folder: Option<PathBuf>,
    /// Its configuration, as TOML.
    pub config: String,
    /// How long the training took.
    pub seconds: f64,
    /// What the training showed, epoch by epoch; may be empty.
    #[serde(default)]
    pub epochs: Vec<EpochRow>,
    /// What was measured of it.
    pub evaluation: Evaluation,
}

/// A class and how many samples have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// Its training samples.
    pub training: usize,
    /// Its test samples.
    pub test: usize,
}

impl ClassCount {
    /// The `classes` and their samples in both parts, in the order of the labels.
    pub fn all(classes: &[String], training: &[usize], test: &[usize]) -> Vec<Self> {
        let counts = training.iter().zip(test);
        let count = |(class, (&training, &test)): (&String, (&usize, &usize))| Self {
            class: class.clone(),
            training,
            test,
        };
        classes.iter().zip(counts).map(count).collect()
    }
}

impl Comparison {
    /// The regimes' names, in the order of the columns.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &String> + Clone {
        self.regimes.iter().map(|regime| &regime.name)
    }

    /// The name of the regime that the others are compared with.
    pub fn first(&self) -> &str {
        self.regimes
            .first()
            .map_or("the first regime", |regime| &regime.name)
    }

    /// The answers of a regime's networks on the test part, counted together.
    pub fn classification(&self, regime: usize) -> Option<Classification> {
        let runs = self.regimes.get(regime)?.runs.iter();
        Classification::together(runs.map(|run| &run.evaluation.classification))
    }

    /// Over how many samples everything but accuracy and stability is.
    pub fn measured(&self) -> Option<Measured> {
        let run = self.regimes.first()?.runs.first()?;
        Some(run.evaluation.measured())
    }
}

impl MeasuredRun {
    /// The command that trains it again.
    pub fn command(&self) -> String {
        let folder = self.folder.clone().unwrap_or_default();
        format!(
            "sgt train --config {}",
            folder.join("config.toml").display()
        )
    }

    pub(super) fn scalars(&self, config: &EvaluationConfig) -> Vec<Scalar> {
        let mut scalars = self.evaluation.scalars(config);
        scalars.push(Scalar {
            metric: Metric::TrainingSeconds,
            about: About::Training,
            measured: None,
            value: self.seconds,
        });
        scalars
    }
}
