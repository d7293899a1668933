//! The result of a comparison, as data: regimes side by side, over seeds.

use crate::attack::AttackKind;
use crate::attribution::Method;
use crate::config::Difference;
use crate::data::InputUnit;
use crate::evaluation::{About, Evaluation, EvaluationConfig, Measured, Scalar};
use crate::metrics::Metric;
use crate::metrics::statistics::{MeanDeviation, PairedComparison};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The confidence level of the paired intervals.
pub const CONFIDENCE_LEVEL: f64 = 0.95;

/// Regimes side by side: a table of one row a metric, and the runs behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// The data set.
    pub data: String,
    /// The networks.
    pub model: String,
    /// Training samples.
    pub training_samples: usize,
    /// Test samples.
    pub test_samples: usize,
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
    /// What was measured of it.
    pub evaluation: Evaluation,
}

/// One metric over all regimes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComparisonRow {
    /// Which metric.
    pub metric: Metric,
    /// Of what.
    pub about: About,
    /// Over which samples, for a mean over samples.
    pub measured: Option<Measured>,
    /// Mean and deviation of every regime; absent where it was not measured.
    pub values: Vec<Option<MeanDeviation>>,
    /// Difference to the first regime over the same seeds; absent for the first itself, and where
    /// there are fewer than two common seeds.
    pub against_first: Vec<Option<PairedComparison>>,
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

    fn scalars(&self, config: &EvaluationConfig) -> Vec<Scalar> {
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

impl ComparisonRow {
    /// The regime with the best mean; none for descriptive metrics and ties.
    pub fn best(&self) -> Option<usize> {
        let means = || {
            self.values
                .iter()
                .enumerate()
                .filter_map(|(i, v)| Some((i, (*v)?.mean)))
        };
        let beaten = |a: f64, b: f64| self.metric.direction().prefers(a, b);
        means().find_map(|(index, mean)| {
            let all = means().all(|(other, value)| other == index || beaten(mean, value));
            all.then_some(index)
        })
    }

    /// True for the rows of a first look: accuracy, PGD, what the gradient's map is worth, and
    /// the time.
    pub fn is_headline(&self) -> bool {
        match (self.metric, &self.about) {
            (Metric::Accuracy | Metric::TrainingSeconds, _) => true,
            (_, About::Attack(attack)) => attack.kind == AttackKind::Pgd,
            (
                Metric::AccuracyDropArea
                | Metric::Comprehensiveness
                | Metric::Sufficiency
                | Metric::Sparseness
                | Metric::SaliencyOverlap,
                About::Removal { method, .. }
                | About::Map(method)
                | About::AttackedMap { method, .. },
            ) => *method == Method::Gradient,
            _ => false,
        }
    }

    fn is_about(&self, scalar: &Scalar) -> bool {
        self.metric == scalar.metric && self.about == scalar.about
    }
}

/// The table of `regimes`, every run of which was measured with `config`. Paired differences are
/// over the seeds that a regime and the first have in common.
///
/// # Errors
/// [`Error::Argument`] when there is no regime, or one without runs or with a seed twice.
pub fn compare(regimes: &[RegimeRuns], config: &EvaluationConfig) -> Result<Vec<ComparisonRow>> {
    check(regimes)?;
    let mut rows: Vec<ComparisonRow> = Vec::new();
    let mut values: Vec<Vec<Vec<(u64, f64)>>> = Vec::new();
    for (column, regime) in regimes.iter().enumerate() {
        for run in &regime.runs {
            for scalar in run.scalars(config) {
                let known = rows.iter().position(|row| row.is_about(&scalar));
                let place = known.unwrap_or(rows.len());
                if known.is_none() {
                    values.push(vec![Vec::new(); regimes.len()]);
                    rows.push(ComparisonRow {
                        metric: scalar.metric,
                        about: scalar.about,
                        measured: scalar.measured,
                        values: Vec::new(),
                        against_first: Vec::new(),
                    });
                }
                values[place][column].push((run.seed, scalar.value));
            }
        }
    }
    for (row, values) in rows.iter_mut().zip(&values) {
        for (column, regime) in values.iter().enumerate() {
            let alone: Vec<f64> = regime.iter().map(|&(_, value)| value).collect();
            let mean = (!alone.is_empty()).then(|| MeanDeviation::of(&alone));
            row.values.push(mean.transpose()?);
            let (regime, first) = in_common(regime, &values[0]);
            let paired = column > 0 && regime.len() > 1;
            let pair = paired.then(|| PairedComparison::of(&regime, &first, CONFIDENCE_LEVEL));
            row.against_first.push(pair.transpose()?);
        }
    }
    Ok(rows)
}

fn check(regimes: &[RegimeRuns]) -> Result<()> {
    let refuse = |found: String, expected: &str| {
        Err(Error::Argument {
            argument: "regimes".into(),
            found,
            expected: expected.into(),
        })
    };
    if regimes.is_empty() {
        return refuse("none".into(), "one or more");
    }
    for RegimeRuns { name, runs } in regimes {
        if runs.is_empty() {
            return refuse(format!("{name} without runs"), "at least one run each");
        }
        for (place, run) in runs.iter().enumerate() {
            if runs[..place].iter().any(|other| other.seed == run.seed) {
                let found = format!("{name} with seed {} twice", run.seed);
                return refuse(found, "one run for each of its seeds");
            }
        }
    }
    Ok(())
}

/// The values of the seeds that both have, in the order of the first list.
fn in_common(of: &[(u64, f64)], with: &[(u64, f64)]) -> (Vec<f64>, Vec<f64>) {
    let pair = |&(seed, value): &(u64, f64)| {
        let (_, other) = with.iter().find(|(other, _)| *other == seed)?;
        Some((value, *other))
    };
    of.iter().filter_map(pair).unzip()
}
