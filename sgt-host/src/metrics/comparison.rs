//! Regimes side by side, over seeds.

use super::description::Direction;
use super::evaluation::{Evaluation, Scalar};
use super::statistics::{MeanDeviation, PairedComparison};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The confidence level of the paired intervals.
pub const CONFIDENCE_LEVEL: f64 = 0.95;

/// One regime's evaluations, one a seed, in the order of the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Regime<'a> {
    /// Its name.
    pub name: &'a str,
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

/// Compares regimes metric by metric. Seeds pair up by their place in the lists.
///
/// # Errors
/// [`Error::Argument`] when there is no regime, or one without evaluations.
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
    let scalars: Vec<Vec<Vec<Scalar>>> = regimes
        .iter()
        .map(|regime| regime.evaluations.iter().map(Evaluation::scalars).collect())
        .collect();
    let mut rows = Vec::new();
    for key in row_keys(&scalars) {
        let values_of = |seeds: &Vec<Vec<Scalar>>| -> Vec<f64> {
            let find = |scalars: &Vec<Scalar>| {
                let same = |s: &&Scalar| s.metric == key.metric && s.about == key.about;
                Some(scalars.iter().find(same)?.value)
            };
            seeds.iter().map_while(find).collect()
        };
        let values: Vec<Vec<f64>> = scalars.iter().map(values_of).collect();
        let summary = values.iter().map(|values| {
            let measured = !values.is_empty();
            measured.then(|| MeanDeviation::of(values)).transpose()
        });
        let against_first = values.iter().enumerate().map(|(index, regime)| {
            let seeds = regime.len().min(values[0].len());
            let paired = index > 0 && seeds > 1;
            let pair =
                || PairedComparison::of(&regime[..seeds], &values[0][..seeds], CONFIDENCE_LEVEL);
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
