//! What the validation part said, and the test part of the chosen trial.

use super::Trial;
use super::space::shown;
use crate::metrics::holm;
use crate::metrics::statistics::{MeanDeviation, PairedComparison};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// What decides between trials, on the validation part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// The largest accuracy.
    #[default]
    Accuracy,
    /// The largest mean recall of the classes.
    BalancedAccuracy,
    /// The smallest cross-entropy.
    Loss,
}

impl Criterion {
    const ALL: [Self; 3] = [Self::Accuracy, Self::BalancedAccuracy, Self::Loss];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced-accuracy",
            Self::Loss => "loss",
        }
    }

    fn of(self, found: &Validation) -> f64 {
        match self {
            Self::Accuracy => found.accuracy,
            Self::BalancedAccuracy => found.balanced_accuracy,
            Self::Loss => found.loss,
        }
    }

    /// A number that is larger for the better.
    fn rank(self, value: f64) -> f64 {
        match self {
            Self::Loss => -value,
            _ => value,
        }
    }
}

impl FromStr for Criterion {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| Error::Argument {
            argument: "criterion".into(),
            found: name.escape_debug().to_string(),
            expected: "accuracy, balanced-accuracy or loss".into(),
        })
    }
}

/// What one run of a trial scored on its validation part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunScore {
    /// The trial.
    pub trial: usize,
    /// The seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of the validation part; none where the training failed.
    pub validation: Option<Validation>,
    /// Seconds of the last uninterrupted stretch of training.
    pub seconds: f64,
    /// Why the training ended without a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What a network says of a validation part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Validation {
    /// The share of right answers.
    pub accuracy: f64,
    /// The mean recall of the classes.
    pub balanced_accuracy: f64,
    /// The mean cross-entropy.
    pub loss: f64,
}

/// What a trial scored over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrialOutcome {
    /// Its number.
    pub trial: usize,
    /// Keys and values.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// The criterion over seeds; none when a run failed.
    pub score: Option<MeanDeviation>,
    /// Accuracy on the validation part, over seeds.
    pub accuracy: Option<MeanDeviation>,
    /// Mean seconds of a training.
    pub seconds: f64,
    /// The p-value of no difference to the best trial: paired t-test over seeds, or the chance of
    /// one sign, 2¹⁻ⁿ of n seeds, where all differences are equal; corrected by Holm over the trials.
    /// None for the best, and with fewer than two seeds.
    pub p_to_best: Option<f64>,
    /// The runs.
    pub runs: Vec<RunScore>,
    #[serde(skip)]
    pub(super) values: Vec<(String, String)>,
}

/// The chosen trial on the test part.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Chosen {
    /// Its number.
    pub trial: usize,
    /// Its settings, as `--set` takes them.
    pub settings: Vec<String>,
    /// Accuracy on the test part, over seeds.
    pub test_accuracy: MeanDeviation,
    /// Mean cross-entropy on the test part, over seeds.
    pub test_loss: MeanDeviation,
    /// Test samples.
    pub test_samples: usize,
    /// The folders of its runs, which are finished.
    pub runs: Vec<PathBuf>,
}

/// A finished sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sweep {
    /// The data.
    pub data: String,
    /// What decided.
    pub criterion: Criterion,
    /// Runs of every trial.
    pub seeds: usize,
    /// Samples of the validation part.
    pub validation_samples: usize,
    /// The trials, the best first.
    pub trials: Vec<TrialOutcome>,
    /// Trials that these seeds cannot tell apart from the chosen one; none with fewer than two seeds.
    pub not_told_apart: Option<usize>,
    /// Combinations that were left out, since another trial does the same.
    pub alike: usize,
    /// The best one, tested.
    pub chosen: Chosen,
}

/// The level at which trials are told apart.
pub(super) const SIGNIFICANCE: f64 = 0.05;

/// The trials with what their runs scored, the best first; of equal ones the one with the smaller
/// number.
pub(super) fn ranked(
    trials: &[Trial],
    runs: &[RunScore],
    criterion: Criterion,
) -> Vec<TrialOutcome> {
    let outcome = |trial: &Trial| {
        let own = runs.iter().filter(|run| run.trial == trial.number);
        let runs: Vec<RunScore> = own.cloned().collect();
        let over = |of: &dyn Fn(&Validation) -> f64| {
            let values: Option<Vec<f64>> = runs
                .iter()
                .map(|run| run.validation.as_ref().map(of))
                .collect();
            values.and_then(|values| MeanDeviation::of(&values).ok())
        };
        let setting = |(key, value): &(String, toml::Value)| (key.clone(), shown(value));
        let as_json = |(key, value): &(String, toml::Value)| {
            (key.clone(), serde_json::to_value(value).unwrap_or_default())
        };
        TrialOutcome {
            trial: trial.number,
            settings: trial.settings.iter().map(as_json).collect(),
            score: over(&|found| criterion.of(found)),
            accuracy: over(&|found| found.accuracy),
            seconds: crate::metrics::mean(runs.iter().map(|run| run.seconds)),
            p_to_best: None,
            values: trial.settings.iter().map(setting).collect(),
            runs,
        }
    };
    let mut all: Vec<TrialOutcome> = trials.iter().map(outcome).collect();
    let rank = |outcome: &TrialOutcome| {
        let mean = outcome.score.map(|score| criterion.rank(score.mean));
        mean.unwrap_or(f64::NEG_INFINITY)
    };
    all.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    compare(&mut all, criterion);
    all
}

/// Sets the p-values of all against the first.
fn compare(ranked: &mut [TrialOutcome], criterion: Criterion) {
    const LEVEL: f64 = 0.95;
    let Some((best, others)) = ranked.split_first_mut() else {
        return;
    };
    let scores = |outcome: &TrialOutcome| -> Vec<f64> {
        let found = outcome
            .runs
            .iter()
            .filter_map(|run| run.validation.as_ref());
        found.map(|found| criterion.of(found)).collect()
    };
    let of_best = scores(best);
    let compared = others.iter_mut().filter(|outcome| outcome.score.is_some());
    let found: Vec<(f64, &mut TrialOutcome)> = compared
        .filter_map(|outcome| {
            let pair = PairedComparison::of(&scores(outcome), &of_best, LEVEL).ok()?;
            // Scores in coarse steps can differ by the same on every seed. That has no deviation, but is
            // no certainty either: chance gives every difference the same sign so often.
            let p = if pair.deviation == 0.0 && pair.difference != 0.0 {
                0.5_f64.powf(pair.pairs as f64 - 1.0)
            } else {
                pair.p_value
            };
            Some((p, outcome))
        })
        .collect();
    let corrected = holm(&found.iter().map(|(p, _)| *p).collect::<Vec<_>>());
    for ((_, outcome), p) in found.into_iter().zip(corrected) {
        outcome.p_to_best = Some(p);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Value;

    fn run(trial: usize, seed: u64, accuracy: f64) -> RunScore {
        RunScore {
            trial,
            seed,
            folder: PathBuf::new(),
            validation: Some(Validation {
                accuracy,
                balanced_accuracy: accuracy,
                loss: 1.0 - accuracy,
            }),
            seconds: 1.0,
            failed: None,
        }
    }

    #[test]
    fn trials_are_ranked_by_the_criterion_and_told_apart_by_holm() {
        let trial = |(number, value)| Trial {
            number,
            settings: vec![("a".into(), Value::Integer(value))],
        };
        let trials: Vec<Trial> = (0..4).zip(5..).map(trial).collect();
        let scores = [
            [0.4375, 0.640_625, 0.5],
            [0.75, 0.875, 0.8125],
            [0.8125, 0.75, 0.875],
            [0.9, 0.9, 0.9],
        ];
        let mut runs = Vec::new();
        for (number, scores) in scores.iter().enumerate() {
            for (seed, &score) in scores.iter().enumerate() {
                runs.push(run(number, seed as u64, score));
            }
        }
        runs[11].validation = None;
        for criterion in Criterion::ALL {
            let found = ranked(&trials, &runs, criterion);
            let order: Vec<usize> = found.iter().map(|outcome| outcome.trial).collect();
            // The third has the same mean as the second; the last failed with one seed.
            assert_eq!(order, [1, 2, 0, 3], "{criterion:?}");
            assert_eq!(found[0].p_to_best, None);
            assert_eq!(found[1].p_to_best, Some(1.0));
            // Differences of 5/16, 15/64, 5/16: t = 11, p = 0.00816, twice that by Holm.
            let p = found[2].p_to_best.unwrap();
            assert!((p - 0.016_327).abs() < 1e-5, "{p}");
            assert!(found[3].score.is_none() && found[3].p_to_best.is_none());
        }
    }

    #[test]
    fn equal_differences_are_no_certainty() {
        let trial = |number| Trial {
            number,
            settings: Vec::new(),
        };
        let runs = [
            run(0, 0, 0.75),
            run(0, 1, 0.5),
            run(1, 0, 0.5),
            run(1, 1, 0.25),
        ];
        let found = ranked(&[trial(0), trial(1)], &runs, Criterion::Accuracy);
        assert_eq!(found[1].p_to_best, Some(0.5));
    }
}
