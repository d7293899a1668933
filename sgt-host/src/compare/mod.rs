//! Several regimes over several seeds: trained, measured, put side by side.
//!
//! | module | what it holds |
//! |---|---|
//! | [`compare`] | trains and measures every regime with every seed |
//! | [`table`] | the result as text and CSV |
//! | [`picture`] | saliency maps side by side and robustness curves, as SVG |
//! | [`runs`] | finished runs, read back from their folders and measured |

pub mod picture;
pub mod runs;
pub mod table;

use crate::attack::{AttackConfig, AttackKind};
use crate::attribution::Method;
use crate::config::{Draft, Regime, RunConfig};
use crate::data::{Batch, Dataset};
use crate::metrics::comparison::{self, Comparison};
use crate::metrics::statistics::MeanDeviation;
use crate::metrics::{Evaluation, EvaluationConfig, Fill, Samples, evaluate};
use crate::model::{InputShape, Model, Score, input_gradient};
use crate::run::{RunFolder, Session};
use crate::train::{EpochRow, Event, Purpose, Trainer, core_bounds, derive_seed};
use crate::{Error, Result};
use rayon::prelude::*;
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
    /// Wall-clock seconds of the training, other runs going on beside it.
    pub seconds: f64,
    /// The last epoch's mean training loss.
    pub loss: f32,
    /// Everything that was measured on the test part.
    pub evaluation: Evaluation,
}

/// A finished comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
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

/// Saliency of some test samples under every regime (first seed).
#[derive(Clone, Debug)]
pub struct Maps {
    /// One sample's shape as the network reads it.
    pub input: InputShape,
    /// The samples.
    pub samples: Vec<MappedSample>,
    /// The regimes, in the order of [`MappedSample::saliency`].
    pub regimes: Vec<Regime>,
}

/// A test sample and its maps.
#[derive(Clone, Debug)]
pub struct MappedSample {
    /// Its class.
    pub class: String,
    /// Its values.
    pub x: Vec<f32>,
    /// The gradient of its true logit, one map a regime.
    pub saliency: Vec<Vec<f32>>,
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

/// Classes that are drawn, one sample each.
const MAPPED_CLASSES: usize = 4;
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
/// As [`Session::read`], [`Trainer::advance`] and [`evaluate`].
pub fn compare(plan: &Plan, watch: impl Fn(Notice<'_>) + Sync) -> Result<(Report, Maps)> {
    let start = Instant::now();
    if plan.regimes.is_empty() || plan.seeds == 0 {
        return Err(Error::Argument {
            argument: "comparison".into(),
            found: format!("{} regimes, {} seeds", plan.regimes.len(), plan.seeds),
            expected: "1 or more of each".into(),
        });
    }
    let (base, data) = Session::read(&plan.draft)?;
    let epsilons = match plan.epsilons.is_empty() {
        true => default_epsilons(&data.train),
        false => plan.epsilons.clone(),
    };
    let jobs: Vec<(Regime, u64)> = plan
        .regimes
        .iter()
        .flat_map(|&regime| (0..plan.seeds as u64).map(move |seed| (regime, seed)))
        .collect();
    // What cannot be trained or written shows before the first run.
    Session::with_data(base.clone(), data.clone())?.network()?;
    let results = jobs.par_iter().map(|&(regime, seed)| {
        let config = RunConfig {
            regime,
            seed,
            ..base.clone()
        };
        let session = Session::with_data(config, data.clone())?;
        run(&session, &epsilons, plan.folder.as_deref(), &watch)
    });
    let results: Vec<(RunResult, Vec<MappedSample>)> = results.collect::<Result<_>>()?;
    let (runs, maps): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let session = Session::with_data(base, data)?;
    let maps = Maps {
        input: session.network()?.input(),
        samples: side_by_side(&maps, plan.seeds),
        regimes: plan.regimes.clone(),
    };
    Ok((report(plan, &session, epsilons, runs, start)?, maps))
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
) -> Result<(RunResult, Vec<MappedSample>)> {
    let config = session.config();
    let start = Instant::now();
    let mut trainer = Trainer::new(config, session.training_data(), session.network()?)?;
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
    let mut samples = Samples::new(batch.x(), batch.labels());
    if test.is_padded() {
        samples.valid = Some(batch.valid_steps());
    }
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
    let bounds = core_bounds(test.bounds());
    let result = RunResult {
        regime: config.regime,
        seed: config.seed,
        seconds: time.as_secs_f64(),
        loss: progress.rows.last().map_or(f32::NAN, |row| row.loss),
        evaluation: evaluate(&model, &samples, bounds, &what)?,
    };
    watch(Notice::Done(&result));
    Ok((result, map(&model, test)?))
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

/// The saliency of the first test sample of some classes.
fn map<M: Model>(model: &M, test: &Dataset) -> Result<Vec<MappedSample>> {
    let mut mapped = Vec::new();
    for (class, name) in test.classes().iter().enumerate().take(MAPPED_CLASSES) {
        let Some(place) = test.labels().iter().position(|&label| label == class) else {
            continue;
        };
        let mut batch = Batch::new();
        batch.fill(test, &[place], model.input())?;
        let mut saliency = vec![0.0; batch.x().len()];
        let mut pass = M::Pass::default();
        let (x, labels) = (batch.x(), batch.labels());
        input_gradient(model, x, labels, Score::TrueLogit, &mut pass, &mut saliency)?;
        mapped.push(MappedSample {
            class: name.clone(),
            x: x.to_vec(),
            saliency: vec![saliency],
        });
    }
    Ok(mapped)
}

/// The first seed's maps of every regime, sample by sample.
fn side_by_side(runs: &[Vec<MappedSample>], seeds: usize) -> Vec<MappedSample> {
    let mut samples = runs[0].clone();
    for run in runs.iter().step_by(seeds).skip(1) {
        for (sample, other) in samples.iter_mut().zip(run) {
            sample.saliency.extend(other.saliency.iter().cloned());
        }
    }
    samples
}

fn report(
    plan: &Plan,
    session: &Session,
    epsilons: Vec<f32>,
    runs: Vec<RunResult>,
    start: Instant,
) -> Result<Report> {
    let by_regime = || runs.chunks(plan.seeds);
    let evaluations: Vec<Vec<Evaluation>> = by_regime()
        .map(|runs| runs.iter().map(|run| run.evaluation.clone()).collect())
        .collect();
    let regimes = plan.regimes.iter().zip(&evaluations);
    let regimes: Vec<_> = regimes
        .map(|(regime, evaluations)| comparison::Regime {
            name: regime.name(),
            evaluations,
        })
        .collect();
    let seconds = by_regime().map(|runs| {
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        MeanDeviation::of(&seconds)
    });
    let training_seconds = seconds.collect::<Result<_>>()?;
    let train = &session.training_data().train;
    Ok(Report {
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
