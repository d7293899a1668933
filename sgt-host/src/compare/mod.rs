//! Several regimes over several seeds: trained, measured, put side by side.
//!
//! | module | what it holds |
//! |---|---|
//! | [`compare`] | trains and measures every regime with every seed |
//! | [`table`] | the result as text and CSV |
//! | [`samples`] | test samples with their saliency under every regime |
//! | [`runs`] | finished runs, read back from their folders and measured |

mod jobs;
pub mod runs;
pub mod samples;
pub mod table;

use crate::attack::{AttackConfig, AttackKind};
use crate::attribution::Method;
use crate::config::{Draft, Regime, RunConfig, differences};
use crate::data::{Batch, Dataset};
use crate::metrics::comparison::{self, Comparison};
use crate::metrics::statistics::MeanDeviation;
use crate::metrics::{Evaluation, EvaluationConfig, Fill, evaluate};
use crate::network::{Classifier, InputShape, Model};
use crate::report::{self, RegimeReport, RunReport};
use crate::run::{RunFolder, Session};
use crate::train::{EpochRow, Event, Purpose, Trainer, derive_seed};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Data, network and every other setting; regime and seed are replaced.
    pub draft: Draft,
    /// The regimes; the first is the one the others are compared with.
    pub regimes: Vec<Regime>,
    /// The seeds are 0, 1, … below this.
    pub seeds: usize,
    /// Three radii of PGD; those of the data's kind when empty.
    pub epsilons: Vec<f32>,
    /// Where every run's folder goes, if anywhere.
    pub folder: Option<PathBuf>,
}

/// One regime trained with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunResult {
    /// The regime.
    pub regime: Regime,
    /// The seed.
    pub seed: u64,
    /// Wall-clock seconds of the training; one thread a run where there are more runs than
    /// threads.
    pub seconds: f64,
    /// The last epoch's mean training loss.
    pub loss: f32,
    /// Everything that was measured on the test part.
    pub evaluation: Evaluation,
}

/// A finished comparison: its numbers, and what a page shows of it.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The numbers.
    pub summary: Summary,
    /// The page's contents: every run, charts, saliency of some test samples (first seed).
    pub report: report::Report,
}

/// The numbers of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The data set.
    pub data: String,
    /// The network.
    pub model: String,
    /// Training and test samples.
    pub samples: [usize; 2],
    /// Epochs of every run.
    pub epochs: usize,
    /// The number of seeds.
    pub seeds: usize,
    /// The radii of the attack.
    pub epsilons: Vec<f32>,
    /// Wall-clock seconds of the whole comparison.
    pub seconds: f64,
    /// Seconds of training by regime.
    pub training_seconds: Vec<MeanDeviation>,
    /// The table: means and deviations over seeds, and paired differences to the first regime.
    pub comparison: Comparison,
    /// Every run, regime by regime.
    pub runs: Vec<RunResult>,
}

/// What happened in one of a comparison's runs.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'n> {
    /// An epoch ended.
    Epoch {
        /// The regime.
        regime: Regime,
        /// The seed.
        seed: u64,
        /// What it showed.
        row: &'n EpochRow,
        /// The epochs of the run.
        epochs: usize,
    },
    /// A run was measured.
    Done(&'n RunResult),
}

/// Test samples, from the first on, that are measured.
const MEASURED_SAMPLES: usize = 1000;
/// Steps of the attack that measures robustness.
const ATTACK_STEPS: usize = 10;
/// What removed features become: the sample's mean of the channel, which no regime trains with
/// by default.
const FILL: Fill = Fill::Mean;

/// Trains every regime with every seed and measures it on the test part.
///
/// Runs are independent and go on side by side; no result depends on that.
///
/// # Errors
/// [`Error::Argument`] for no regime, no seed or a radius that is none, before the first run; as [`Session::read`], [`Trainer::advance`] and [`evaluate`].
pub fn compare(plan: &Plan, watch: impl Fn(Notice<'_>) + Sync) -> Result<Compared> {
    let start = Instant::now();
    if plan.regimes.is_empty() || plan.seeds == 0 {
        return Err(Error::Argument {
            argument: "comparison".into(),
            found: format!("{} regimes, {} seeds", plan.regimes.len(), plan.seeds),
            expected: "1 or more of each".into(),
        });
    }
    let (base, data) = Session::read(&plan.draft)?;
    let epsilons = if plan.epsilons.is_empty() {
        default_epsilons(&data.train)
    } else {
        plan.epsilons.clone()
    };
    let jobs: Vec<(Regime, u64)> = plan
        .regimes
        .iter()
        .flat_map(|&regime| (0..plan.seeds as u64).map(move |seed| (regime, seed)))
        .collect();
    // What cannot be trained or measured shows before the first run.
    for &epsilon in &epsilons {
        AttackConfig::new(AttackKind::Pgd, epsilon).check()?;
    }
    let first = Session::with_data(base.clone(), data.clone())?;
    Trainer::new(first.config(), first.training_data(), first.classifier()?)?;
    let results = jobs::side_by_side(&jobs, |&(regime, seed)| {
        let config = RunConfig {
            regime,
            seed,
            ..base.clone()
        };
        let session = Session::with_data(config, data.clone())?;
        run(&session, &epsilons, plan.folder.as_deref(), &watch).map_err(|error| match error {
            Error::Numerical(reason) => {
                Error::Numerical(format!("{regime}, seed {seed}: {reason}"))
            }
            other => other,
        })
    })?;
    let (runs, networks): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let summary = summary(plan, &first, epsilons, runs, start)?;
    let report = report(plan, &first, &summary, &networks)?;
    Ok(Compared { summary, report })
}

/// PGD's radii, in the data's units: images in `[0, 1]`, series in deviations.
fn default_epsilons(train: &Dataset) -> Vec<f32> {
    match train.shape() {
        InputShape::Image { .. } => vec![0.05, 0.1, 0.2],
        InputShape::Series { .. } | InputShape::Tokens { .. } => vec![0.1, 0.2, 0.4],
    }
}

/// Trains and measures once.
fn run(
    session: &Session,
    epsilons: &[f32],
    folder: Option<&Path>,
    watch: &(impl Fn(Notice<'_>) + Sync),
) -> Result<(RunResult, Classifier)> {
    let config = session.config();
    let start = Instant::now();
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    loop {
        match trainer.advance()? {
            Event::Finished => break,
            Event::Epoch(row) => watch(Notice::Epoch {
                regime: config.regime,
                seed: config.seed,
                row: &row,
                epochs: config.training.epochs,
            }),
            Event::Step { .. } => {}
        }
    }
    let time = start.elapsed();
    let checkpoint = trainer.checkpoint()?;
    let progress = checkpoint.progress.clone();
    let model = trainer.into_model();
    if let Some(folder) = folder {
        let path = folder.join(format!("{}-{}", config.regime, config.seed));
        let folder = RunFolder::create(&path, config, true)?;
        folder.save(&checkpoint)?;
        session.finish(&folder, &model, &progress, time)?;
    }
    let test = session.test();
    let mut batch = Batch::new();
    measured_samples(&mut batch, test, model.input(), MEASURED_SAMPLES)?;
    let attack = AttackConfig {
        steps: ATTACK_STEPS,
        ..AttackConfig::new(AttackKind::Pgd, epsilons[0])
    };
    let what = EvaluationConfig {
        attacks: vec![attack],
        epsilons: epsilons.to_vec(),
        methods: vec![Method::Gradient],
        fills: vec![FILL],
        attribution_samples: MEASURED_SAMPLES,
        stability_samples: 0,
        seed: derive_seed(config.seed, Purpose::Evaluation, [0, 0]),
        ..EvaluationConfig::default()
    };
    let result = RunResult {
        regime: config.regime,
        seed: config.seed,
        seconds: time.as_secs_f64(),
        loss: progress.rows.last().map_or(f32::NAN, |row| row.loss),
        evaluation: evaluate(&model, batch.labelled(), &what)?,
    };
    watch(Notice::Done(&result));
    Ok((result, model))
}

/// Fills `batch` with the first samples of `test`, at most `most`.
fn measured_samples(
    batch: &mut Batch,
    test: &Dataset,
    input: InputShape,
    most: usize,
) -> Result<()> {
    let places: Vec<usize> = (0..test.len().min(most)).collect();
    batch.fill(test, &places, input)
}

fn summary(
    plan: &Plan,
    session: &Session,
    epsilons: Vec<f32>,
    runs: Vec<RunResult>,
    start: Instant,
) -> Result<Summary> {
    let by_regime = || runs.chunks(plan.seeds);
    let evaluations: Vec<Vec<Evaluation>> = by_regime()
        .map(|runs| runs.iter().map(|run| run.evaluation.clone()).collect())
        .collect();
    let seeds: Vec<u64> = (0..plan.seeds as u64).collect();
    let regimes = plan.regimes.iter().zip(&evaluations);
    let regimes: Vec<_> = regimes
        .map(|(regime, evaluations)| comparison::Regime {
            name: regime.name(),
            seeds: &seeds,
            evaluations,
        })
        .collect();
    let seconds = by_regime().map(|runs| {
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        MeanDeviation::of(&seconds)
    });
    let training_seconds = seconds.collect::<Result<_>>()?;
    let train = &session.training_data().train;
    Ok(Summary {
        data: train.name().into(),
        model: session.config().model.clone(),
        samples: [train.len(), session.test().len().min(MEASURED_SAMPLES)],
        epochs: session.config().training.epochs,
        seeds: plan.seeds,
        epsilons,
        seconds: start.elapsed().as_secs_f64(),
        training_seconds,
        comparison: comparison::compare(&regimes)?,
        runs,
    })
}

/// What a page shows of the comparison.
fn report(
    plan: &Plan,
    session: &Session,
    summary: &Summary,
    networks: &[Classifier],
) -> Result<report::Report> {
    let mut regimes = Vec::new();
    let mut settings = Vec::new();
    for &regime in &plan.regimes {
        let config = RunConfig {
            regime,
            ..session.config().clone()
        };
        settings.push(config.settings()?);
    }
    for runs in summary.runs.chunks(plan.seeds) {
        let runs = runs.iter().map(|run| {
            let config = RunConfig {
                regime: run.regime,
                seed: run.seed,
                ..session.config().clone()
            };
            Ok(RunReport {
                seed: run.seed,
                evaluation: run.evaluation.clone(),
                config: config.to_toml()?,
                command: format!("sgt train --config {}-{}/config.toml", run.regime, run.seed),
                test_accuracy: None,
                seconds: Some(run.seconds),
            })
        });
        let runs: Vec<_> = runs.collect::<Result<_>>()?;
        regimes.push(runs);
    }
    let first = networks.iter().step_by(plan.seeds);
    let named = plan.regimes.iter().map(|regime| regime.name().to_string());
    let first: Vec<_> = named.clone().zip(first).collect();
    let [trained, measured] = summary.samples;
    Ok(report::Report {
        title: format!("{} with {}", summary.data, summary.model),
        data: format!(
            "{trained} training and {measured} test samples; {} epochs, {} seeds.",
            summary.epochs, summary.seeds
        ),
        comparison: summary.comparison.clone(),
        regimes: named
            .zip(regimes)
            .map(|(name, runs)| RegimeReport { name, runs })
            .collect(),
        settings: differences(&settings),
        samples: samples::sample_reports(session.test(), &first, &[Method::Gradient])?,
        notes: vec![units(session.test())],
    })
}

/// What ε and saliency are measured in.
fn units(data: &Dataset) -> String {
    match data.bounds() {
        Some(bounds) => format!(
            "ε is in the data's own units, which lie between {} and {}.",
            bounds.low, bounds.high
        ),
        None => "ε and saliency are in standardised units: deviations of each channel over the \
                 training part."
            .into(),
    }
}
