//! Finished runs, read back from their folders and measured.

use super::samples::sample_reports;
use super::{measured_samples, units};
use crate::attribution::Method;
use crate::data::Batch;
use crate::file::data_error;
use crate::metrics::comparison::{self, Comparison};
use crate::metrics::{Evaluation, EvaluationConfig, Samples, evaluate};
use crate::model::network::Network;
use crate::model::{Model, Normalized};
use crate::report::{RegimeReport, Report, RunReport};
use crate::run::{Record, RunFolder, Session};
use crate::train::core_bounds;
use crate::weights::Weights;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A finished run: its data, its network with the trained weights, its record.
pub struct FinishedRun {
    /// Its folder.
    pub path: PathBuf,
    /// Configuration and data.
    pub session: Session,
    /// The trained network.
    pub model: Normalized<Network>,
    /// What was written when it ended.
    pub record: Record,
}

impl FinishedRun {
    /// Reads a run's folder; `data_dir` replaces the folder of named data sets.
    ///
    /// # Errors
    /// [`Error::Data`] when the run is not finished or its weights are not those of its
    /// configuration; as [`RunFolder::open`] and [`Session::open`].
    pub fn open(path: &Path, data_dir: Option<&str>) -> Result<Self> {
        let (folder, mut draft) = RunFolder::open(path)?;
        let unfinished = || data_error(path, "an unfinished run", "one that sgt train finished");
        let record = folder.read_record()?.ok_or_else(unfinished)?;
        if let Some(data_dir) = data_dir {
            draft.set("data.folder", data_dir);
        }
        let session = Session::open(&draft)?;
        let mut model = session.network()?;
        Weights::read(&folder.weights_path())?.load_into(model.parameters_mut())?;
        Ok(Self {
            path: path.into(),
            session,
            model,
            record,
        })
    }

    /// Measures the network on at most `most` samples of its test part.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn evaluate(&self, most: usize, what: &EvaluationConfig) -> Result<Evaluation> {
        let test = self.session.test();
        let mut batch = Batch::new();
        measured_samples(&mut batch, test, self.model.input(), most)?;
        let mut samples = Samples::new(batch.x(), batch.labels());
        if test.is_padded() {
            samples.valid = Some(batch.valid_steps());
        }
        evaluate(&self.model, &samples, core_bounds(test.bounds()), what)
    }
}

/// Runs of one regime, in the order of their seeds.
pub struct RegimeRuns<'r> {
    /// The regime's name.
    pub name: String,
    /// Its runs, each with what was measured.
    pub runs: Vec<(&'r FinishedRun, Evaluation)>,
}

/// Measures every run and groups them by regime, in the order in which regimes appear.
///
/// # Errors
/// [`Error::Argument`] when the runs are on different data; as [`FinishedRun::evaluate`].
pub fn evaluate_runs<'r>(
    runs: &'r [FinishedRun],
    most: usize,
    what: &EvaluationConfig,
    mut watch: impl FnMut(&FinishedRun, &Evaluation),
) -> Result<Vec<RegimeRuns<'r>>> {
    let mut groups: Vec<RegimeRuns<'r>> = Vec::new();
    for run in runs {
        let (found, expected) = (run.session.test(), runs[0].session.test());
        if found.name() != expected.name() || found.labels() != expected.labels() {
            return Err(Error::Argument {
                argument: "RUN".into(),
                found: format!("{} on {}", run.path.display(), found.name()),
                expected: format!("runs on {} alone", expected.name()),
            });
        }
        let evaluation = run.evaluate(most, what)?;
        watch(run, &evaluation);
        let regime = run.session.config().regime.name();
        match groups.iter_mut().find(|group| group.name == regime) {
            Some(group) => group.runs.push((run, evaluation)),
            None => groups.push(RegimeRuns {
                name: regime.into(),
                runs: vec![(run, evaluation)],
            }),
        }
    }
    for group in &mut groups {
        group.runs.sort_by_key(|(run, _)| run.session.config().seed);
    }
    Ok(groups)
}

/// The table of regimes.
///
/// # Errors
/// As [`comparison::compare`].
pub fn compare_runs(groups: &[RegimeRuns<'_>]) -> Result<Comparison> {
    let evaluations: Vec<Vec<Evaluation>> = groups
        .iter()
        .map(|group| group.runs.iter().map(|(_, found)| found.clone()).collect())
        .collect();
    let regimes = groups.iter().zip(&evaluations);
    let regimes: Vec<_> = regimes
        .map(|(group, evaluations)| comparison::Regime {
            name: &group.name,
            evaluations,
        })
        .collect();
    comparison::compare(&regimes)
}

/// What a page shows of measured runs; the maps are those of every regime's first seed.
///
/// # Errors
/// As [`sample_reports`].
pub fn report(
    groups: &[RegimeRuns<'_>],
    comparison: Comparison,
    methods: &[Method],
) -> Result<Report> {
    let first = groups.iter().filter_map(|group| {
        let (run, _) = group.runs.first()?;
        Some((group.name.clone(), *run))
    });
    let first: Vec<(String, &FinishedRun)> = first.collect();
    let Some((_, any)) = first.first() else {
        return Err(Error::Argument {
            argument: "RUN".into(),
            found: "none".into(),
            expected: "one or more finished runs".into(),
        });
    };
    let networks: Vec<_> = first
        .iter()
        .map(|(name, run)| (name.clone(), &run.model))
        .collect();
    let test = any.session.test();
    let mut regimes = Vec::new();
    for group in groups {
        let mut runs = Vec::new();
        for (run, evaluation) in &group.runs {
            runs.push(RunReport {
                seed: run.session.config().seed,
                evaluation: evaluation.clone(),
                config: run.session.config().to_toml()?,
                command: format!(
                    "sgt train --config {}",
                    run.path.join("config.toml").display()
                ),
                seconds: Some(run.record.seconds),
            });
        }
        regimes.push(RegimeReport {
            name: group.name.clone(),
            runs,
        });
    }
    let measured = groups.iter().flat_map(|group| &group.runs).next();
    Ok(Report {
        title: format!("{} with {}", test.name(), any.session.config().model),
        data: format!(
            "{} training samples; measured on {} test samples.",
            any.session.training_data().train.len(),
            measured.map_or(0, |(_, evaluation)| evaluation.samples)
        ),
        comparison,
        regimes,
        samples: sample_reports(test, &networks, methods)?,
        notes: vec![units(test)],
    })
}
