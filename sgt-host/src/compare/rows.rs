//! The rows of a comparison: means, deviations, and the differences between any two regimes.

use super::contrast::{CONFIDENCE_LEVEL, Contrast, FEWEST_SEEDS, SIGNIFICANCE};
use super::{MeasuredRun, RegimeRuns};
use crate::attack::AttackKind;
use crate::attribution::Method;
use crate::evaluation::{About, EvaluationConfig, Measured, Scalar};
use crate::metrics::bootstrap::{
    BootstrapComparison, Interval, REPLICATES, over_seeds, resampled_means,
};
use crate::metrics::statistics::{MeanDeviation, PairedComparison, normal_quantile};
use crate::metrics::{Metric, holm};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

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
    /// Mean and deviation over seeds of every regime; absent where it was not measured.
    pub values: Vec<Option<MeanDeviation>>,
    /// Where each mean could lie over other test samples, with the same networks: Wilson's
    /// interval for a share, the bootstrap's for other means over samples; absent for the rest, and
    /// where all samples are alike.
    pub intervals: Vec<Option<Interval>>,
    /// The differences between any two regimes that have a seed in common; none for descriptive
    /// metrics.
    pub pairs: Vec<Pair>,
    /// For what is measured against the random map: each regime's difference to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_random: Vec<Option<Contrast>>,
}

/// The difference of two regimes, `regime` less `other`, by their columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pair {
    /// The regime.
    pub regime: usize,
    /// The one it is compared with; it comes first in the table.
    pub other: usize,
    /// The difference.
    pub contrast: Contrast,
}

impl ComparisonRow {
    /// The regime with the best mean; none for descriptive metrics, ties and a single regime.
    pub fn best(&self) -> Option<usize> {
        let means = || {
            self.values
                .iter()
                .enumerate()
                .filter_map(|(i, v)| Some((i, (*v)?.mean)))
        };
        if means().count() < 2 {
            return None;
        }
        let beaten = |a: f64, b: f64| self.metric.direction().prefers(a, b);
        means().find_map(|(index, mean)| {
            let all = means().all(|(other, value)| other == index || beaten(mean, value));
            all.then_some(index)
        })
    }

    /// The difference of `regime` to `other`.
    pub fn between(&self, regime: usize, other: usize) -> Option<Contrast> {
        let found = |a, b| move |pair: &&Pair| (pair.regime, pair.other) == (a, b);
        let same = self.pairs.iter().find(found(regime, other));
        let same = same.map(|pair| pair.contrast);
        same.or_else(|| {
            let opposite = self.pairs.iter().find(found(other, regime));
            opposite.map(|pair| pair.contrast.reversed())
        })
    }

    /// True when `regime` differs from the first by more than chance: the star of every table.
    pub fn is_starred(&self, regime: usize) -> bool {
        self.between(regime, 0).is_some_and(|found| found.differs())
    }

    /// True when `regime`'s map beats the random one by more than chance, in a row that is measured
    /// against that. Of one seed, whose networks alone are then meant, the samples decide.
    pub fn beats_random(&self, regime: usize) -> bool {
        let Some(found) = self.over_random.get(regime).copied().flatten() else {
            return false;
        };
        let of_samples = found.over_samples.map(|samples| samples.p_value);
        let p_value = found.p_value.or(of_samples);
        self.metric.direction().prefers(found.difference, 0.0)
            && p_value.is_some_and(|p_value| p_value < SIGNIFICANCE)
    }

    /// True for the rows of a first look: accuracy, PGD, what the gradient's map is worth beside
    /// a random one, and the time.
    pub fn is_headline(&self) -> bool {
        match (self.metric, &self.about) {
            (
                Metric::Accuracy
                | Metric::BalancedAccuracy
                | Metric::MacroF1
                | Metric::CrossEntropy
                | Metric::TrainingSeconds,
                _,
            ) => true,
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
            ) => matches!(method, Method::Gradient | Method::Random),
            _ => false,
        }
    }
}

/// What was measured of one run: a value, and the values sample by sample whose mean it is.
#[derive(Clone, Debug)]
struct Cell {
    seed: u64,
    value: f64,
    by_sample: Option<Vec<f32>>,
}

/// A cell and the one it is compared with; none for 0.
type Side<'c> = (&'c Cell, Option<&'c Cell>);

/// A row before its statistics: the cells of every regime.
struct Draft {
    metric: Metric,
    about: About,
    measured: Option<Measured>,
    cells: Vec<Vec<Cell>>,
}

/// The table of `regimes`, every run of which was measured with `config`. Differences are over
/// the seeds that two regimes have in common; the bootstrap is seeded by `config`.
///
/// # Errors
/// [`Error::Argument`] when there is no regime, or one without runs or with a seed twice.
pub fn compare(regimes: &[RegimeRuns], config: &EvaluationConfig) -> Result<Vec<ComparisonRow>> {
    check(regimes)?;
    let mut drafts = drafts(regimes, config);
    add_gains(&mut drafts);
    let means = sample_draws(&drafts, config.seed);
    let rows = drafts.iter().zip(&means);
    rows.map(|(draft, means)| row(draft, means.as_ref(), config.seed))
        .collect()
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

fn drafts(regimes: &[RegimeRuns], config: &EvaluationConfig) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (column, regime) in regimes.iter().enumerate() {
        for run in &regime.runs {
            for scalar in run.scalars(config) {
                let same =
                    |draft: &Draft| draft.metric == scalar.metric && draft.about == scalar.about;
                let place = drafts.iter().position(same).unwrap_or(drafts.len());
                let cell = Cell {
                    seed: run.seed,
                    value: scalar.value,
                    by_sample: by_sample(run, &scalar),
                };
                if place == drafts.len() {
                    drafts.push(Draft {
                        metric: scalar.metric,
                        about: scalar.about,
                        measured: scalar.measured,
                        cells: vec![Vec::new(); regimes.len()],
                    });
                }
                drafts[place].cells[column].push(cell);
            }
        }
    }
    drafts
}

fn by_sample(run: &MeasuredRun, scalar: &Scalar) -> Option<Vec<f32>> {
    let mut known = run.evaluation.by_sample.iter();
    let values =
        known.find(|values| values.metric == scalar.metric && values.about == scalar.about);
    values.map(|values| values.values.clone())
}

/// The metrics that say whether a map finds what the network uses.
const FAITHFULNESS: [Metric; 3] = [
    Metric::AccuracyDropArea,
    Metric::Comprehensiveness,
    Metric::Sufficiency,
];

/// Adds, behind the rows of each such metric and fill, what each method's map is worth over the
/// random one.
fn add_gains(drafts: &mut Vec<Draft>) {
    let mut place = 0;
    while place < drafts.len() {
        let random = &drafts[place];
        let about = &random.about;
        let is_random = matches!(about, About::Removal { method, .. } if *method == Method::Random);
        place += 1;
        if !is_random || !FAITHFULNESS.contains(&random.metric) {
            continue;
        }
        let mut gains = Vec::new();
        let mut last = place - 1;
        for (index, draft) in drafts.iter().enumerate() {
            let same = draft.metric == random.metric
                && draft.about.with_method(Method::Random) == random.about;
            if !same {
                continue;
            }
            last = last.max(index);
            if let About::Removal { method, fill } = &draft.about
                && *method != Method::Random
            {
                gains.push(Draft {
                    metric: draft.metric,
                    about: About::OverRandom {
                        method: method.clone(),
                        fill: *fill,
                    },
                    measured: draft.measured,
                    cells: gain_cells(draft, random),
                });
            }
        }
        let behind = last + 1;
        place = place.max(behind) + gains.len();
        drafts.splice(behind..behind, gains);
    }
}

/// Cell by cell, a method's less the random map's of the same run.
fn gain_cells(method: &Draft, random: &Draft) -> Vec<Vec<Cell>> {
    let less = |cell: &Cell, random: &Cell| {
        let values = (cell.by_sample.as_ref(), random.by_sample.as_ref());
        let by_sample = match values {
            (Some(a), Some(b)) if a.len() == b.len() => {
                Some(a.iter().zip(b).map(|(a, b)| a - b).collect())
            }
            _ => None,
        };
        Cell {
            seed: cell.seed,
            value: cell.value - random.value,
            by_sample,
        }
    };
    let of_regime = |(cells, others): (&Vec<Cell>, &Vec<Cell>)| {
        let paired = cells.iter().filter_map(|cell| {
            let other = others.iter().find(|other| other.seed == cell.seed)?;
            Some(less(cell, other))
        });
        paired.collect()
    };
    let columns = method.cells.iter().zip(&random.cells);
    columns.map(of_regime).collect()
}

/// The means of a row's runs in every draw of the test samples: `[replicate][run]`, the runs
/// regime by regime.
struct SampleDraws {
    means: Vec<Vec<f64>>,
}

/// The draws of every row that is a mean over samples; the samples of a draw are the same for all
/// rows over as many.
fn sample_draws(drafts: &[Draft], seed: u64) -> Vec<Option<SampleDraws>> {
    let mut draws: Vec<Option<SampleDraws>> = drafts.iter().map(|_| None).collect();
    let mut sizes: Vec<usize> = drafts.iter().filter_map(Draft::samples).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        let of_size = |draft: &&Draft| draft.samples() == Some(size);
        let columns: Vec<&[f32]> = drafts
            .iter()
            .filter(of_size)
            .flat_map(|draft| draft.cells.iter().flatten())
            .filter_map(|cell| cell.by_sample.as_deref())
            .collect();
        let values = (0..size).flat_map(|sample| columns.iter().map(move |column| column[sample]));
        let values: Vec<f32> = values.collect();
        let means = resampled_means(&values, columns.len(), REPLICATES, seed);
        let mut start = 0;
        for (draft, place) in drafts.iter().zip(&mut draws) {
            if draft.samples() != Some(size) {
                continue;
            }
            let runs = draft.cells.iter().map(Vec::len).sum::<usize>();
            let rows = means.chunks_exact(columns.len());
            let means = rows.map(|row| row[start..start + runs].to_vec()).collect();
            *place = Some(SampleDraws { means });
            start += runs;
        }
    }
    draws
}

impl Draft {
    /// The number of samples that every run's mean is over; none for what is no such mean.
    fn samples(&self) -> Option<usize> {
        let mut cells = self.cells.iter().flatten();
        let first = cells.next()?.by_sample.as_ref()?.len();
        let same = |cell: &Cell| cell.by_sample.as_ref().map(Vec::len) == Some(first);
        (first > 0 && cells.all(same)).then_some(first)
    }

    /// The place of each regime's first run among all runs of the row.
    fn starts(&self) -> Vec<usize> {
        let mut starts = Vec::with_capacity(self.cells.len());
        let mut next = 0;
        for cells in &self.cells {
            starts.push(next);
            next += cells.len();
        }
        starts
    }
}

fn row(draft: &Draft, draws: Option<&SampleDraws>, seed: u64) -> Result<ComparisonRow> {
    let mut values = Vec::with_capacity(draft.cells.len());
    let mut intervals = Vec::with_capacity(draft.cells.len());
    let starts = draft.starts();
    for (cells, &start) in draft.cells.iter().zip(&starts) {
        let alone: Vec<f64> = cells.iter().map(|cell| cell.value).collect();
        let mean = (!alone.is_empty()).then(|| MeanDeviation::of(&alone));
        let mean = mean.transpose()?;
        values.push(mean);
        let draws = draws.filter(|_| !alone.is_empty());
        intervals.push(match (mean, draws) {
            (Some(mean), Some(draws)) => interval(draft, mean.mean, draws, start, alone.len())?,
            _ => None,
        });
    }
    let mut pairs = Vec::new();
    let judged = draft.metric.direction() != crate::metrics::Direction::Descriptive;
    for regime in 1..draft.cells.len() {
        for other in (0..regime).filter(|_| judged) {
            let common = common_seeds(&draft.cells[regime], &draft.cells[other]);
            let sides = common
                .iter()
                .map(|&(a, b)| (&draft.cells[regime][a], Some(&draft.cells[other][b])));
            let value = |replicate: usize, pair: usize| {
                let (a, b) = common[pair];
                let means = draws.map(|draws| &draws.means[replicate]);
                means.map_or(0.0, |means| {
                    means[starts[regime] + a] - means[starts[other] + b]
                })
            };
            let contrast = contrast(&sides.collect::<Vec<_>>(), draws.map(|_| value), seed)?;
            pairs.extend(contrast.map(|contrast| Pair {
                regime,
                other,
                contrast,
            }));
        }
    }
    correct(pairs.iter_mut().map(|pair| &mut pair.contrast));
    let mut over_random = Vec::new();
    if matches!(draft.about, About::OverRandom { .. }) {
        for (cells, &start) in draft.cells.iter().zip(&starts) {
            let sides: Vec<_> = cells.iter().map(|cell| (cell, None)).collect();
            let value = |replicate: usize, run: usize| {
                draws.map_or(0.0, |draws| draws.means[replicate][start + run])
            };
            over_random.push(contrast(&sides, draws.map(|_| value), seed)?);
        }
        correct(over_random.iter_mut().flatten());
    }
    Ok(ComparisonRow {
        metric: draft.metric,
        about: draft.about.clone(),
        measured: draft.measured,
        values,
        intervals,
        pairs,
        over_random,
    })
}

/// Where a regime's mean could lie over other test samples.
fn interval(
    draft: &Draft,
    mean: f64,
    draws: &SampleDraws,
    start: usize,
    runs: usize,
) -> Result<Option<Interval>> {
    let level = CONFIDENCE_LEVEL;
    if let (Metric::Accuracy | Metric::AccuracyUnderAttack, Some(samples)) =
        (draft.metric, draft.samples())
    {
        let quantile = normal_quantile(f64::midpoint(1.0, level))?;
        return Ok(Some(Interval::of_share(mean, samples, level, quantile)));
    }
    let of_runs = |means: &Vec<f64>| {
        let sum = means[start..start + runs].iter().sum::<f64>();
        sum / runs as f64
    };
    let replicates = draws.means.iter().map(of_runs).collect();
    let found = Interval::of_percentiles(replicates, level);
    // Samples that are all alike say nothing of others.
    Ok(found.filter(Interval::has_width))
}

/// The places of the seeds that both have, in the order of the first.
fn common_seeds(of: &[Cell], with: &[Cell]) -> Vec<(usize, usize)> {
    let place = |(place, cell): (usize, &Cell)| {
        let other = with.iter().position(|other| other.seed == cell.seed)?;
        Some((place, other))
    };
    of.iter().enumerate().filter_map(place).collect()
}

/// The difference of the pairs in `sides`, to 0 where a pair has no other side; none without
/// pairs. `drawn(replicate, pair)` is a pair's difference in a draw of the samples.
fn contrast(
    sides: &[Side<'_>],
    drawn: Option<impl Fn(usize, usize) -> f64>,
    seed: u64,
) -> Result<Option<Contrast>> {
    let seeds = sides.len();
    if seeds == 0 {
        return Ok(None);
    }
    let other = |side: &Side<'_>| side.1.map_or(0.0, |other| other.value);
    let a: Vec<f64> = sides.iter().map(|side| side.0.value).collect();
    let b: Vec<f64> = sides.iter().map(other).collect();
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let over_seeds_found = (seeds >= FEWEST_SEEDS)
        .then(|| PairedComparison::of(&a, &b, CONFIDENCE_LEVEL))
        .transpose()?;
    let over_samples = drawn.and_then(|drawn| {
        let replicates = over_seeds(REPLICATES, seeds, seed, drawn);
        BootstrapComparison::of(replicates, &sample_differences(sides), CONFIDENCE_LEVEL)
    });
    Ok(Some(Contrast {
        difference: crate::metrics::mean(differences.into_iter()),
        seeds,
        over_seeds: over_seeds_found,
        over_samples,
        p_value: None,
    }))
}

/// The differences sample by sample, mean over the pairs.
fn sample_differences(sides: &[Side<'_>]) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    for (cell, other) in sides {
        let values = cell.by_sample.as_deref().unwrap_or_default();
        sums.resize(values.len(), 0.0);
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value) / sides.len() as f64;
        }
        let others = other.and_then(|other| other.by_sample.as_deref());
        for (sum, &value) in sums.iter_mut().zip(others.unwrap_or_default()) {
            *sum -= f64::from(value) / sides.len() as f64;
        }
    }
    sums
}

/// Corrects the p-values of contrasts that are read together.
fn correct<'c>(contrasts: impl Iterator<Item = &'c mut Contrast>) {
    let contrasts = contrasts.filter(|contrast| contrast.uncorrected().is_some());
    let contrasts: Vec<&mut Contrast> = contrasts.collect();
    let p_values = contrasts.iter().filter_map(|found| found.uncorrected());
    let adjusted = holm(&p_values.collect::<Vec<_>>());
    for (contrast, p_value) in contrasts.into_iter().zip(adjusted) {
        contrast.p_value = Some(p_value);
    }
}
