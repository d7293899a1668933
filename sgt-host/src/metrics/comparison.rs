//! Regimes side by side, over seeds.

use super::description::Direction;
use super::evaluation::{Evaluation, Scalar};
use super::statistics::{MeanDeviation, PairedComparison};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The confidence level of the paired intervals.
pub const CONFIDENCE_LEVEL: f64 = 0.95;

/// One regime's evaluations.
#[derive(Clone, Debug, PartialEq)]
pub struct Regime<'a> {
    /// Its name.
    pub name: &'a str,
    /// The seed of each evaluation.
    pub seeds: &'a [u64],
    /// One evaluation a seed.
    pub evaluations: &'a [Evaluation],
}

/// A table of regimes: one row a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// The regimes; the first is the one the others are compared with.
    pub regimes: Vec<String>,
    /// The rows.
    pub rows: Vec<ComparisonRow>,
}

/// One metric over all regimes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComparisonRow {
    /// The metric's name.
    pub metric: String,
    /// Of what: an attack and its ε, a method and its fill.
    pub about: String,
    /// Which way it gets better.
    pub direction: Direction,
    /// Mean and deviation of every regime; absent where it was not measured.
    pub values: Vec<Option<MeanDeviation>>,
    /// Difference to the first regime over the same seeds; absent for the first itself, and where
    /// there are fewer than two common seeds.
    pub against_first: Vec<Option<PairedComparison>>,
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
        let beaten = |a: f64, b: f64| self.direction.prefers(a, b);
        means().find_map(|(index, mean)| {
            let all = means().all(|(other, value)| other == index || beaten(mean, value));
            all.then_some(index)
        })
    }
}

/// Compares regimes metric by metric. Paired differences are over the seeds that a regime and
/// the first have in common.
///
/// # Errors
/// [`Error::Argument`] when there is no regime, or one without evaluations, with a seed twice or
/// with another number of seeds than of evaluations.
pub fn compare(regimes: &[Regime<'_>]) -> Result<Comparison> {
    let empty = regimes.iter().find(|regime| regime.evaluations.is_empty());
    if regimes.is_empty() || empty.is_some() {
        return Err(Error::Argument {
            argument: "regimes".into(),
            found: empty.map_or("none".into(), |regime| {
                format!("{} without runs", regime.name)
            }),
            expected: "one or more regimes with at least one run each".into(),
        });
    }
    for regime in regimes {
        check_seeds(regime)?;
    }
    let scalars: Vec<Vec<Vec<Scalar>>> = regimes
        .iter()
        .map(|regime| regime.evaluations.iter().map(Evaluation::scalars).collect())
        .collect();
    let mut rows = Vec::new();
    for key in row_keys(&scalars) {
        let same = |s: &&Scalar| s.metric == key.metric && s.about == key.about;
        let of_regime = |(regime, seeds): (&Regime<'_>, &Vec<Vec<Scalar>>)| -> Vec<(u64, f64)> {
            let pairs = regime.seeds.iter().zip(seeds);
            let value = |(&seed, scalars): (&u64, &Vec<Scalar>)| {
                Some((seed, scalars.iter().find(same)?.value))
            };
            pairs.filter_map(value).collect()
        };
        let values: Vec<Vec<(u64, f64)>> = regimes.iter().zip(&scalars).map(of_regime).collect();
        let summary = values.iter().map(|values| {
            let values: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
            (!values.is_empty())
                .then(|| MeanDeviation::of(&values))
                .transpose()
        });
        let against_first = values.iter().enumerate().map(|(index, regime)| {
            let (regime, first) = in_common(regime, &values[0]);
            let paired = index > 0 && regime.len() > 1;
            let pair = || PairedComparison::of(&regime, &first, CONFIDENCE_LEVEL);
            paired.then(pair).transpose()
        });
        rows.push(ComparisonRow {
            metric: key.metric.clone(),
            about: key.about.clone(),
            direction: key.direction,
            values: summary.collect::<Result<_>>()?,
            against_first: against_first.collect::<Result<_>>()?,
        });
    }
    Ok(Comparison {
        regimes: regimes.iter().map(|regime| regime.name.into()).collect(),
        rows,
    })
}

fn check_seeds(regime: &Regime<'_>) -> Result<()> {
    let refuse = |found: String| {
        Err(Error::Argument {
            argument: "regimes".into(),
            found: format!("{} with {found}", regime.name),
            expected: "one run for each of its seeds".into(),
        })
    };
    if regime.seeds.len() != regime.evaluations.len() {
        let (seeds, runs) = (regime.seeds.len(), regime.evaluations.len());
        return refuse(format!("{seeds} seeds and {runs} runs"));
    }
    let twice = |(place, seed): (usize, &u64)| regime.seeds[..place].contains(seed);
    match regime.seeds.iter().enumerate().find(|&pair| twice(pair)) {
        Some((_, seed)) => refuse(format!("seed {seed} twice")),
        None => Ok(()),
    }
}

/// The values of the seeds that both have, in the order of the first list.
fn in_common(of: &[(u64, f64)], with: &[(u64, f64)]) -> (Vec<f64>, Vec<f64>) {
    let pair = |&(seed, value): &(u64, f64)| {
        let (_, other) = with.iter().find(|(other, _)| *other == seed)?;
        Some((value, *other))
    };
    of.iter().filter_map(pair).unzip()
}

/// Every metric that some regime has, in the order of the first that has it.
fn row_keys(scalars: &[Vec<Vec<Scalar>>]) -> Vec<&Scalar> {
    let mut keys: Vec<&Scalar> = Vec::new();
    for scalar in scalars.iter().flatten().flatten() {
        let known = |k: &&Scalar| k.metric == scalar.metric && k.about == scalar.about;
        if !keys.iter().any(known) {
            keys.push(scalar);
        }
    }
    keys
}
