//! Finished runs, read back from their folders and measured.

use super::samples::sample_reports;
use super::{measured_samples, units};
use crate::attribution::Method;
use crate::config::{RunConfig, differences};
use crate::data::{Batch, Dataset};
use crate::file::data_error;
use crate::metrics::comparison::{self, Comparison};
use crate::metrics::{Evaluation, EvaluationConfig, evaluate};
use crate::network::{Classifier, Model};
use crate::report::{RegimeReport, Report, RunReport};
use crate::run::{Record, RunFolder, Session};
use crate::weights::Weights;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A finished run: its settings, its network with the trained weights, its record, and the test
/// part it is measured on.
pub struct FinishedRun {
    /// Its folder.
    pub path: PathBuf,
    /// What it was trained with.
    pub config: RunConfig,
    /// The number of samples it was trained on.
    pub training_samples: usize,
    /// What it is measured on.
    pub test: Arc<Dataset>,
    /// The trained network.
    pub model: Classifier,
    /// What was written when it ended.
    pub record: Record,
}

impl FinishedRun {
    /// Reads the folders of several runs; `data_dir` replaces the folder of named data sets.
    /// Runs with the same test part share it in memory.
    ///
    /// # Errors
    /// As [`FinishedRun::open`].
    pub fn open_all(paths: &[PathBuf], data_dir: Option<&str>) -> Result<Vec<Self>> {
        let mut runs: Vec<Self> = Vec::new();
        for path in paths {
            let mut run = Self::open(path, data_dir)?;
            if let Some(known) = runs.iter().find(|known| known.test == run.test) {
                run.test = Arc::clone(&known.test);
            }
            runs.push(run);
        }
        Ok(runs)
    }

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
        let mut model = session.classifier()?;
        Weights::read(&folder.weights_path())?.load_into(model.parameters_mut())?;
        Ok(Self {
            path: path.into(),
            config: session.config().clone(),
            training_samples: session.training_data().train.len(),
            test: Arc::new(session.into_test()),
            model,
            record,
        })
    }

    /// Measures the network on at most `most` samples of its test part.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn evaluate(&self, most: usize, what: &EvaluationConfig) -> Result<Evaluation> {
        let test = &self.test;
        let mut batch = Batch::new();
        measured_samples(&mut batch, test, self.model.input(), most)?;
        evaluate(&self.model, batch.labelled(), what)
    }
}

/// Runs that are alike but for their seeds, in the order of these.
pub struct RegimeRuns<'r> {
    /// The regime's name, with the settings that tell it from other runs of that regime.
    pub name: String,
    /// Its runs, each with what was measured.
    pub runs: Vec<(&'r FinishedRun, Evaluation)>,
}

impl RegimeRuns<'_> {
    fn seeds(&self) -> Vec<u64> {
        let seeds = self.runs.iter().map(|(run, _)| run.config.seed);
        seeds.collect()
    }

    fn evaluations(&self) -> Vec<Evaluation> {
        self.runs.iter().map(|(_, found)| found.clone()).collect()
    }
}

/// Measures every run and puts together those that differ in nothing but the seed, in the order
/// in which the settings appear.
///
/// # Errors
/// [`Error::Argument`] when the runs are on different data, or two are the same run; as
/// [`FinishedRun::evaluate`].
pub fn evaluate_runs<'r>(
    runs: &'r [FinishedRun],
    most: usize,
    what: &EvaluationConfig,
    mut watch: impl FnMut(&FinishedRun, &Evaluation),
) -> Result<Vec<RegimeRuns<'r>>> {
    let refuse = |found: String, expected: String| {
        Err(Error::Argument {
            argument: "RUN".into(),
            found,
            expected,
        })
    };
    let mut groups: Vec<(BTreeMap<String, String>, Vec<&FinishedRun>)> = Vec::new();
    for run in runs {
        let (found, expected) = (&run.test, &runs[0].test);
        if found.name() != expected.name() || found.labels() != expected.labels() {
            let found = format!("{} on {}", run.path.display(), found.name());
            return refuse(found, format!("runs on {} alone", expected.name()));
        }
        let settings = run.config.settings()?;
        let Some((_, alike)) = groups.iter_mut().find(|(known, _)| *known == settings) else {
            groups.push((settings, vec![run]));
            continue;
        };
        let seed = |run: &FinishedRun| run.config.seed;
        if let Some(twin) = alike.iter().find(|known| seed(known) == seed(run)) {
            let pair = format!("{} and {}", twin.path.display(), run.path.display());
            return refuse(
                format!("the same settings and seed in {pair}"),
                "every run once".into(),
            );
        }
        alike.push(run);
    }
    let (settings, mut groups): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let mut measured = Vec::new();
    for (name, group) in names(&settings).into_iter().zip(&mut groups) {
        group.sort_by_key(|run| run.config.seed);
        let mut found = Vec::new();
        for &run in group.iter() {
            let evaluation = run.evaluate(most, what)?;
            watch(run, &evaluation);
            found.push((run, evaluation));
        }
        measured.push(RegimeRuns { name, runs: found });
    }
    Ok(measured)
}

/// The regime of each group and, where several groups share it, what tells them apart: `sgt
/// signed`, `sgt fraction=0.3`.
fn names(groups: &[BTreeMap<String, String>]) -> Vec<String> {
    let regime = |group: &BTreeMap<String, String>| group.get("regime").cloned();
    let name = |group: &BTreeMap<String, String>| {
        let rivals = groups.iter().filter(|other| regime(other) == regime(group));
        let rivals: Vec<_> = rivals.cloned().collect();
        let own = differences(&rivals).into_iter().filter_map(|difference| {
            let value = group.get(&difference.key)?;
            let is_word = value.starts_with(char::is_alphabetic) && value.parse::<bool>().is_err();
            let key = difference.key.rsplit('.').next()?;
            Some(if is_word {
                value.clone()
            } else {
                format!("{key}={value}")
            })
        });
        let words: Vec<String> = regime(group).into_iter().chain(own).collect();
        words.join(" ")
    };
    groups.iter().map(name).collect()
}

/// The table of regimes.
///
/// # Errors
/// As [`comparison::compare`].
pub fn compare_runs(groups: &[RegimeRuns<'_>]) -> Result<Comparison> {
    let seeds: Vec<_> = groups.iter().map(RegimeRuns::seeds).collect();
    let evaluations: Vec<_> = groups.iter().map(RegimeRuns::evaluations).collect();
    let regimes = groups.iter().zip(&seeds).zip(&evaluations);
    let regimes: Vec<_> = regimes
        .map(|((group, seeds), evaluations)| comparison::Regime {
            name: &group.name,
            seeds,
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
    let test = &any.test;
    let mut regimes = Vec::new();
    for group in groups {
        let mut runs = Vec::new();
        for (run, evaluation) in &group.runs {
            runs.push(RunReport {
                seed: run.config.seed,
                evaluation: evaluation.clone(),
                config: run.config.to_toml()?,
                command: format!(
                    "sgt train --config {}",
                    run.path.join("config.toml").display()
                ),
                test_accuracy: Some(run.record.test_accuracy.into()),
                seconds: Some(run.record.seconds),
            });
        }
        regimes.push(RegimeReport {
            name: group.name.clone(),
            runs,
        });
    }
    let measured = groups.iter().flat_map(|group| &group.runs).next();
    let settings = first.iter().map(|(_, run)| run.config.settings());
    let settings: Vec<_> = settings.collect::<Result<_>>()?;
    Ok(Report {
        title: format!("{} with {}", test.name(), any.config.model),
        data: format!(
            "{} training samples; measured on {} test samples.",
            any.training_samples,
            measured.map_or(0, |(_, evaluation)| evaluation.samples)
        ),
        comparison,
        regimes,
        settings: differences(&settings),
        samples: sample_reports(test, &networks, methods)?,
        notes: vec![units(test)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_tells_runs_of_one_regime_apart() {
        let group = |settings: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = settings
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()));
            owned.collect()
        };
        let importance = "masking.importance";
        let found = names(&[
            group(&[("regime", "standard")]),
            group(&[("regime", "sgt"), (importance, "signed"), ("lambda", "1.0")]),
            group(&[
                ("regime", "sgt"),
                (importance, "absolute"),
                ("lambda", "0.5"),
            ]),
        ]);
        let expected = [
            "standard",
            "sgt lambda=1.0 signed",
            "sgt lambda=0.5 absolute",
        ];
        assert_eq!(found, expected);
    }
}
