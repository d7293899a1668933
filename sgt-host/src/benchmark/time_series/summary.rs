//! The tables' numbers: means over sets, deviations over seeds.

use super::CellRecord;
use crate::Result;
use crate::metrics::known_truth::KnownTruthScores;
use crate::metrics::statistics::{MeanDeviation, PairedComparison};
use serde::Serialize;
use std::collections::BTreeMap;

/// The confidence level of paired differences.
const LEVEL: f64 = 0.95;
/// The method that differences are to.
pub(super) const CONTROL: &str = "random";

/// A score by its name in tables.
pub(super) struct ScoreColumn {
    /// The name.
    pub(super) name: &'static str,
    /// What it is, in a line.
    pub(super) about: &'static str,
    /// Its value.
    pub(super) of: fn(&KnownTruthScores) -> f64,
}

/// The scores that tables have.
pub(super) const COLUMNS: &[ScoreColumn] = &[
    ScoreColumn {
        name: "AUP",
        about: "weighted by saliency, of at most 0.8 (Ismail et al. 2020)",
        of: |scores| scores.weighted.aup,
    },
    ScoreColumn {
        name: "AUR",
        about: "weighted by saliency, of at most 0.8 (Ismail et al. 2020)",
        of: |scores| scores.weighted.aur,
    },
    ScoreColumn {
        name: "AUPR",
        about: "weighted by saliency, of at most 0.8 (Ismail et al. 2020)",
        of: |scores| scores.weighted.aupr,
    },
    ScoreColumn {
        name: "AP",
        about: "average precision of magnitudes",
        of: |scores| scores.average_precision.mean,
    },
    ScoreColumn {
        name: "TimeX AP",
        about: "average precision of signed maps, as the TimeX program",
        of: |scores| scores.timex_average_precision.mean,
    },
    ScoreColumn {
        name: "TimeX AUP",
        about: "over thresholds of signed maps, as the TimeX program",
        of: |scores| scores.timex_aup.mean,
    },
    ScoreColumn {
        name: "TimeX AUR",
        about: "over thresholds of signed maps, as the TimeX program",
        of: |scores| scores.timex_aur.mean,
    },
    ScoreColumn {
        name: "weighted Jaccard",
        about: "of rescaled magnitudes (Ismail et al. 2019)",
        of: |scores| scores.weighted_jaccard.mean,
    },
];

/// One number with its deviation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SummaryRow {
    /// The set; none for the mean over all sets.
    pub set: Option<String>,
    /// The network.
    pub network: String,
    /// The training.
    pub training: String,
    /// The method; none for the accuracy.
    pub method: Option<String>,
    /// The score's name.
    pub score: String,
    /// Over seeds, of each seed's mean over sets.
    pub value: MeanDeviation,
    /// The same of the difference to the random map.
    pub to_random: Option<MeanDeviation>,
    /// Against the first training with the same seeds.
    pub to_first: Option<PairedComparison>,
}

/// Everything that tables show.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The sets that count.
    pub sets: Vec<String>,
    /// The networks.
    pub networks: Vec<String>,
    /// The trainings.
    pub trainings: Vec<String>,
    /// The methods.
    pub methods: Vec<String>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Pairs of set and network that are left out, since a training of theirs has less than the
    /// asked-for accuracy.
    pub left_out: Vec<String>,
    /// The numbers.
    pub rows: Vec<SummaryRow>,
    /// Seconds of training and of all maps, over the cells.
    pub seconds: MeanDeviation,
}

/// What one seed's cells found of a quantity: `[seed → values, one a set]`.
type BySeed = BTreeMap<u64, Vec<f64>>;

impl Summary {
    /// Of `cells`. Pairs of set and network in which some training's mean accuracy over seeds is
    /// below `least_accuracy` are left out, as the benchmark does.
    ///
    /// # Errors
    /// As [`MeanDeviation::of`], for no cells.
    pub fn new(cells: &[CellRecord], least_accuracy: f64) -> Result<Self> {
        let (kept, left_out) = accurate(cells, least_accuracy);
        let cells: Vec<&CellRecord> = kept;
        let names = |of: fn(&CellRecord) -> String| {
            let mut names: Vec<String> = Vec::new();
            for cell in &cells {
                let name = of(cell);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        let sets = names(set_name);
        let networks = names(|cell| cell.network.clone());
        let trainings = names(|cell| cell.training.clone());
        let mut methods: Vec<String> = Vec::new();
        let mut seeds: Vec<u64> = Vec::new();
        for cell in &cells {
            seeds.push(cell.seed);
            for method in &cell.methods {
                if !methods.contains(&method.method) {
                    methods.push(method.method.clone());
                }
            }
        }
        seeds.sort_unstable();
        seeds.dedup();
        let mut rows = Vec::new();
        let scopes = std::iter::once(None).chain(sets.iter().map(Some));
        for set in scopes {
            for network in &networks {
                let of_network: Vec<&CellRecord> = cells
                    .iter()
                    .copied()
                    .filter(|cell| &cell.network == network)
                    .filter(|cell| set.is_none_or(|set| *set == set_name(cell)))
                    .collect();
                let of_training = |training: &String| {
                    let cells = of_network.iter().copied();
                    let own = cells.filter(|cell| cell.training == *training);
                    own.collect::<Vec<_>>()
                };
                let quantities =
                    std::iter::once((None, None)).chain(methods.iter().flat_map(|method| {
                        COLUMNS
                            .iter()
                            .map(move |column| (Some(method), Some(column)))
                    }));
                for (method, column) in quantities {
                    let value = |cell: &CellRecord| quantity(cell, method, column);
                    let first = trainings
                        .first()
                        .map(|first| gather(&of_training(first), value));
                    for training in &trainings {
                        let own = of_training(training);
                        let values = gather(&own, value);
                        if values.is_empty() {
                            continue;
                        }
                        let random = |cell: &CellRecord| {
                            let control = CONTROL.to_string();
                            let control = quantity(cell, method.and(Some(&control)), column)?;
                            Some(value(cell)? - control)
                        };
                        let to_random = gather(&own, random);
                        let shows_difference = method.is_some_and(|method| method != CONTROL);
                        let difference = shows_difference && !to_random.is_empty();
                        rows.push(SummaryRow {
                            set: set.cloned(),
                            network: network.clone(),
                            training: training.clone(),
                            method: method.cloned(),
                            score: column.map_or("accuracy", |column| column.name).into(),
                            value: over_seeds(&values)?,
                            to_random: if difference {
                                Some(over_seeds(&to_random)?)
                            } else {
                                None
                            },
                            to_first: first
                                .as_ref()
                                .filter(|_| Some(training) != trainings.first())
                                .and_then(|first| paired(&values, first)),
                        });
                    }
                }
            }
        }
        let seconds: Vec<f64> = cells
            .iter()
            .map(|cell| {
                let maps: f64 = cell.methods.iter().map(|method| method.seconds).sum();
                cell.training_seconds + maps
            })
            .collect();
        Ok(Self {
            sets,
            networks,
            trainings,
            methods,
            seeds,
            left_out,
            rows,
            seconds: MeanDeviation::of(&seconds)?,
        })
    }

    /// The row of a quantity; the accuracy's for no method.
    pub fn row(
        &self,
        set: Option<&str>,
        network: &str,
        training: &str,
        method: Option<&str>,
        score: &str,
    ) -> Option<&SummaryRow> {
        self.rows.iter().find(|row| {
            row.set.as_deref() == set
                && row.network == network
                && row.training == training
                && row.method.as_deref() == method
                && row.score == score
        })
    }
}

/// The set without the seed, which differs from cell to cell.
fn set_name(cell: &CellRecord) -> String {
    let options = cell.set.split(['?', '&']);
    let mut kept = options.filter(|option| !option.starts_with("seed="));
    let name = kept.next().unwrap_or_default().to_string();
    let options: Vec<&str> = kept.collect();
    if options.is_empty() {
        name
    } else {
        format!("{name}?{}", options.join("&"))
    }
}

/// The cells of pairs in which every training is accurate, and the other pairs' names.
fn accurate(cells: &[CellRecord], least: f64) -> (Vec<&CellRecord>, Vec<String>) {
    let mut accuracies: BTreeMap<(String, &str), BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    for cell in cells {
        let pair = accuracies
            .entry((set_name(cell), &cell.network))
            .or_default();
        let training = pair.entry(&cell.training).or_default();
        training.push(cell.test_accuracy);
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    accuracies.retain(|_, trainings| trainings.values().any(|values| mean(values) < least));
    let inaccurate =
        |cell: &&CellRecord| accuracies.contains_key(&(set_name(cell), &cell.network[..]));
    let kept = cells.iter().filter(|cell| !inaccurate(cell)).collect();
    let left_out = accuracies.keys();
    let left_out = left_out.map(|(set, network)| format!("{set} with {network}"));
    (kept, left_out.collect())
}

fn quantity(
    cell: &CellRecord,
    method: Option<&String>,
    column: Option<&ScoreColumn>,
) -> Option<f64> {
    let (Some(method), Some(column)) = (method, column) else {
        return Some(cell.test_accuracy);
    };
    let record = cell.methods.iter().find(|record| record.method == *method);
    Some((column.of)(record?.scores.as_ref()?))
}

fn gather(cells: &[&CellRecord], value: impl Fn(&CellRecord) -> Option<f64>) -> BySeed {
    let mut by_seed = BySeed::new();
    for cell in cells {
        if let Some(value) = value(cell) {
            by_seed.entry(cell.seed).or_default().push(value);
        }
    }
    by_seed
}

/// Each seed's mean over sets.
fn means(by_seed: &BySeed) -> Vec<f64> {
    let seeds = by_seed.values();
    seeds
        .map(|values| values.iter().sum::<f64>() / values.len() as f64)
        .collect()
}

fn over_seeds(by_seed: &BySeed) -> Result<MeanDeviation> {
    MeanDeviation::of(&means(by_seed))
}

/// None for fewer than two common seeds.
fn paired(own: &BySeed, first: &BySeed) -> Option<PairedComparison> {
    let common = |from: &BySeed, other: &BySeed| {
        let common = from.iter().filter(|(seed, _)| other.contains_key(seed));
        let common: BySeed = common
            .map(|(&seed, values)| (seed, values.clone()))
            .collect();
        means(&common)
    };
    PairedComparison::of(&common(own, first), &common(first, own), LEVEL).ok()
}
