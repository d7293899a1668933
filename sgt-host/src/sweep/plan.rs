//! Every trial trained with every seed.

use super::outcome::{SIGNIFICANCE, ranked};
use super::{Chosen, Criterion, RunScore, Sweep, Trial, Validation};
use crate::binding::DataDigests;
use crate::compare::jobs::side_by_side;
use crate::config::{ConfigDraft, DataConfig, RunConfig};
use crate::data::{Dataset, TrainTest};
use crate::file::{self, data_error, read, write_atomic};
use crate::metrics::Classification;
use crate::metrics::classification::confusion;
use crate::metrics::statistics::MeanDeviation;
use crate::network::Classifier;
use crate::run::{
    Existing, FinishedRun, Placed, RunFolder, Session, TestParts, TrainedNetwork, begin_anew,
    check_place, train_in,
};
use crate::train::{EpochRow, Trainer, answers};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What is trained: trials × seeds, alike in everything else.
#[derive(Clone, Debug)]
pub struct Plan {
    trials: Vec<Trial>,
    configs: Vec<RunConfig>,
    /// The data that each trial reads, as an index.
    read: Vec<usize>,
    data: Vec<(TrainTest, DataDigests)>,
    seeds: usize,
    criterion: Criterion,
    /// Combinations that do the same as another.
    alike: usize,
}

/// Keys that a sweep does not try: trials must be judged by the same samples, and have the same seeds.
const KEPT: [&str; 6] = [
    "seed",
    "preset",
    "data.source",
    "data.test",
    "data.folder",
    "data.validation",
];

/// The beginning of the keys that say how files become samples.
const READING: &str = "data.reading";

/// Digits of a trial's number in the name of its folders.
const DIGITS: usize = 4;
/// What a run scored, in its folder.
const SCORE: &str = "trial.json";

/// What happened in one of the runs.
#[derive(Clone, Copy)]
pub enum Notice<'n> {
    /// An epoch ended.
    Epoch {
        /// The trial.
        trial: &'n Trial,
        /// The seed.
        seed: u64,
        /// What the epoch showed.
        row: &'n EpochRow,
        /// The epochs of the run.
        epochs: usize,
    },
    /// A run ended.
    Scored(&'n Trial, &'n RunScore),
}

impl Plan {
    /// Lays every trial over `draft`, which must have a validation part, reads the data, and checks
    /// that every trial can start. Of trials that do the same (λ under standard training) the first is
    /// kept.
    ///
    /// # Errors
    /// [`Error::Argument`] for no seed, a key that decides who is judged by what (`data.source`, …); as
    /// [`Session::read`] and [`Trainer::new`].
    pub fn read(
        draft: &ConfigDraft,
        trials: Vec<Trial>,
        seeds: usize,
        criterion: Criterion,
    ) -> Result<Self> {
        if seeds == 0 {
            return Err(Error::Argument {
                argument: "seeds".into(),
                found: "0".into(),
                expected: "1 or more".into(),
            });
        }
        let mut plan = Self {
            trials: Vec::new(),
            configs: Vec::new(),
            read: Vec::new(),
            data: Vec::new(),
            seeds,
            criterion,
            alike: 0,
        };
        let mut sources: Vec<DataConfig> = Vec::new();
        let mut known = BTreeSet::new();
        for trial in trials {
            let mut own = draft.clone();
            for (key, value) in &trial.settings {
                if KEPT.contains(&key.as_str()) || key.starts_with(READING) {
                    return Err(Error::Argument {
                        argument: "--grid".into(),
                        found: key.clone(),
                        expected: "a key that leaves data and seeds as they are (--data, --seeds)"
                            .into(),
                    });
                }
                own.set(key, value.clone());
            }
            let source = own.data()?;
            let place = if let Some(place) = sources.iter().position(|known| *known == source) {
                place
            } else {
                let (_, data) = Session::read(&own)?;
                let digests = DataDigests::of(&data);
                sources.push(source);
                plan.data.push((data, digests));
                plan.data.len() - 1
            };
            let config = Session::complete(&own, &plan.data[place].0)?;
            if !known.insert(config.settings()?) {
                plan.alike += 1;
                continue;
            }
            plan.configs.push(config);
            plan.read.push(place);
            plan.trials.push(Trial {
                number: plan.trials.len(),
                ..trial
            });
        }
        for trial in 0..plan.trials.len() {
            let session = plan.session(trial, 0)?;
            let classifier = session.classifier()?;
            Trainer::new(session.config(), session.training_data(), classifier)?;
        }
        Ok(plan)
    }

    /// What was found out when the data was read, a line each.
    pub fn notes(&self) -> &[String] {
        let first = self.data.first();
        first.map_or(&[], |(data, _)| &data.train.provenance().notes)
    }

    /// The number of runs.
    pub fn runs(&self) -> usize {
        self.trials.len() * self.seeds
    }

    /// Combinations that do the same as one of the trials.
    pub fn alike(&self) -> usize {
        self.alike
    }

    /// The trials.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Refuses a folder whose runs are in the way: see [`Existing`].
    ///
    /// # Errors
    /// [`Error::Argument`] for a run that may not be replaced, [`Error::Data`] for one of another
    /// configuration that cannot go on.
    pub fn check(&self, folder: &Path, existing: Existing) -> Result<()> {
        for &(trial, seed) in &self.jobs() {
            let kind = self.data[self.read[trial]].0.train.shape().kind();
            let config = self.config(trial, seed);
            let path = run_folder(folder, trial, seed);
            check_place(&path, &config, kind, existing, "sweep")?;
        }
        Ok(())
    }

    /// Trains every run in a folder of its own in `folder`, scores it on its validation part, and
    /// measures the runs of the best trial on the test part. Runs go on side by side; no result depends
    /// on that. `None` when `interrupt` was set: every run that had begun is then saved.
    ///
    /// A run whose training fails numerically ends its trial, not the sweep.
    ///
    /// # Errors
    /// As [`Plan::check`], [`Trainer::advance`] and [`FinishedRun::new`]; [`Error::Numerical`] when
    /// every trial failed.
    pub fn train(
        &self,
        folder: &Path,
        existing: Existing,
        interrupt: &AtomicBool,
        watch: impl Fn(Notice<'_>) + Sync,
    ) -> Result<Option<Sweep>> {
        self.check(folder, existing)?;
        let existing = self.begun(folder, existing)?;
        let runs = side_by_side(&self.jobs(), |&(trial, seed)| {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let score = self.score(folder, existing, (trial, seed), interrupt, &watch)?;
            if let Some(score) = &score {
                watch(Notice::Scored(&self.trials[trial], score));
            }
            Ok(score)
        })?;
        let Some(runs) = runs.into_iter().collect::<Option<Vec<RunScore>>>() else {
            return Ok(None);
        };
        let trials = ranked(&self.trials, &runs, self.criterion);
        let best = trials.first().filter(|best| best.score.is_some());
        let Some(best) = best.map(|best| best.trial) else {
            let reason = runs.iter().find_map(|run| run.failed.clone());
            let reason = reason.unwrap_or_default();
            return Err(Error::Numerical(format!("every trial failed: {reason}")));
        };
        let Some(chosen) = self.test(folder, best, interrupt)? else {
            return Ok(None);
        };
        let alike = trials
            .iter()
            .skip(1)
            .filter(|trial| trial.p_to_best.is_some_and(|p| p >= SIGNIFICANCE));
        let session = self.session(best, 0)?;
        Ok(Some(Sweep {
            data: session.test().name().into(),
            criterion: self.criterion,
            seeds: self.seeds,
            validation_samples: session
                .training_data()
                .validation
                .as_ref()
                .map_or(0, Dataset::len),
            not_told_apart: (self.seeds > 1).then(|| alike.count()),
            alike: self.alike,
            trials,
            chosen,
        }))
    }

    fn jobs(&self) -> Vec<(usize, u64)> {
        let seeds = 0..self.seeds as u64;
        let trials = 0..self.trials.len();
        trials
            .flat_map(|trial| seeds.clone().map(move |seed| (trial, seed)))
            .collect()
    }

    fn config(&self, trial: usize, seed: u64) -> RunConfig {
        RunConfig {
            seed,
            ..self.configs[trial].clone()
        }
    }

    fn session(&self, trial: usize, seed: u64) -> Result<Session> {
        let (data, digests) = &self.data[self.read[trial]];
        Session::with_digests(self.config(trial, seed), data.clone(), digests.clone())
    }

    /// Empties the runs that are to be replaced, and removes those of an earlier sweep that this one has
    /// not.
    fn begun(&self, folder: &Path, existing: Existing) -> Result<Existing> {
        if existing != Existing::Replace {
            return Ok(existing);
        }
        let own: Vec<PathBuf> = self
            .jobs()
            .into_iter()
            .map(|(trial, seed)| run_folder(folder, trial, seed))
            .collect();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            let parts = name.to_str().and_then(|name| name.split_once('-'));
            let is_run = parts.is_some_and(|(trial, seed)| {
                let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                trial.len() == DIGITS && is_number(trial) && is_number(seed)
            });
            if is_run && !own.contains(&path) {
                file::remove(&path.join(SCORE))?;
                RunFolder::at(&path).remove()?;
            }
        }
        for path in &own {
            file::remove(&path.join(SCORE))?;
        }
        let configs = self.jobs().into_iter();
        let configs = configs.map(|(trial, seed)| self.config(trial, seed));
        begin_anew(own.into_iter().zip(configs))?;
        Ok(Existing::Resume)
    }

    fn score(
        &self,
        folder: &Path,
        existing: Existing,
        (trial, seed): (usize, u64),
        interrupt: &AtomicBool,
        watch: &(impl Fn(Notice<'_>) + Sync),
    ) -> Result<Option<RunScore>> {
        let session = self.session(trial, seed)?;
        let path = run_folder(folder, trial, seed);
        let epochs = session.config().training.epochs;
        let epoch = |row: &EpochRow| {
            watch(Notice::Epoch {
                trial: &self.trials[trial],
                seed,
                row,
                epochs,
            });
        };
        let mut score = RunScore {
            trial,
            seed,
            folder: path.clone(),
            validation: None,
            seconds: 0.0,
            failed: None,
        };
        let model = match train_in(&session, &path, existing, interrupt, epoch) {
            Ok(Placed::Interrupted) => return Ok(None),
            Ok(Placed::Measured(folder, record)) => {
                score.seconds = record.seconds;
                let tests = TestParts::default();
                FinishedRun::with_session(session.clone(), &folder, *record, &tests)?.model
            }
            Ok(Placed::Trained(_, trained)) => {
                score.seconds = match scored(&path)? {
                    Some(before) if trained.had_ended => before.seconds,
                    _ => trained.time.as_secs_f64(),
                };
                trained.model
            }
            Err(Error::Numerical(reason)) => {
                score.failed = Some(reason);
                return Ok(Some(score));
            }
            Err(other) => return Err(other),
        };
        score.validation = Some(validated(&session, &model)?);
        let text = serde_json::to_vec_pretty(&score).map_err(|reason| Error::Argument {
            argument: "score".into(),
            found: reason.to_string(),
            expected: "values that JSON can hold".into(),
        })?;
        write_atomic(&path.join(SCORE), &text)?;
        Ok(Some(score))
    }

    /// Finishes the runs of the chosen trial: weights, records, and the test part for the first time.
    fn test(&self, folder: &Path, trial: usize, interrupt: &AtomicBool) -> Result<Option<Chosen>> {
        let tests = TestParts::default();
        let mut finished = Vec::new();
        for seed in 0..self.seeds as u64 {
            let session = self.session(trial, seed)?;
            let path = run_folder(folder, trial, seed);
            let run = match train_in(&session, &path, Existing::Resume, interrupt, |_| {})? {
                Placed::Interrupted => return Ok(None),
                Placed::Measured(folder, record) => {
                    FinishedRun::with_session(session, &folder, *record, &tests)?
                }
                Placed::Trained(folder, trained) => {
                    let TrainedNetwork {
                        model, progress, ..
                    } = *trained;
                    let seconds = scored(&path)?.map_or(0.0, |score| score.seconds);
                    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                    FinishedRun::new(session, Some(&folder), model, &progress, time, &tests)?
                }
            };
            finished.push(run);
        }
        let over = |of: fn(&FinishedRun) -> f64| {
            let values: Vec<f64> = finished.iter().map(of).collect();
            MeanDeviation::of(&values)
        };
        let setting = |(key, value): &(String, toml::Value)| format!("{key}={value}");
        Ok(Some(Chosen {
            trial,
            settings: self.trials[trial].settings.iter().map(setting).collect(),
            test_accuracy: over(|run| run.record.test_accuracy)?,
            test_loss: over(|run| run.record.test_loss)?,
            test_samples: finished.first().map_or(0, |run| run.test.len()),
            runs: (0..self.seeds as u64)
                .map(|seed| run_folder(folder, trial, seed))
                .collect(),
        }))
    }
}

/// The folder of a run: `0007-2` for seed 2 of trial 7.
fn run_folder(folder: &Path, trial: usize, seed: u64) -> PathBuf {
    folder.join(format!("{trial:0DIGITS$}-{seed}"))
}

/// What a run scored before, if it did.
fn scored(folder: &Path) -> Result<Option<RunScore>> {
    let path = folder.join(SCORE);
    if !path.is_file() {
        return Ok(None);
    }
    let score = serde_json::from_slice(&read(&path)?);
    score.map_err(|reason| data_error(&path, reason.to_string(), "what a run scored"))
}

/// What the network says of the validation part.
fn validated(session: &Session, model: &Classifier) -> Result<Validation> {
    let Some(part) = &session.training_data().validation else {
        return Err(Error::Argument {
            argument: "data.validation".into(),
            found: "no validation part".into(),
            expected: "a share of the training part to choose by".into(),
        });
    };
    let answers = answers(model, part)?;
    let quality = answers.quality(part.labels());
    let counts = confusion(part.labels(), &answers.predicted, part.classes().len());
    Ok(Validation {
        accuracy: quality.accuracy,
        balanced_accuracy: Classification::of(part.classes(), counts).balanced_accuracy,
        loss: quality.loss,
    })
}
