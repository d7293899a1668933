//! Every regime trained with every seed.

use super::jobs::side_by_side;
use crate::binding::DataDigests;
use crate::config::{ConfigDraft, Regime, RunConfig, changes};
use crate::data::{InputShape, TrainTest};
use crate::file::data_error;
use crate::run::{FinishedRun, Outcome, RunFolder, Saving, Session, TestParts, execute};
use crate::train::{EpochRow, Event, Trainer};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is trained: regimes × seeds, alike in everything else.
#[derive(Clone, Debug)]
pub struct Plan {
    base: RunConfig,
    data: TrainTest,
    digests: DataDigests,
    regimes: Vec<Regime>,
    seeds: usize,
}

/// Where the runs' folders go, and what becomes of those that are there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The folder of the runs' folders.
    pub folder: &'p Path,
    /// What becomes of runs that are there.
    pub existing: Existing,
}

/// What becomes of a run that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is trained.
    Refuse,
    /// It is trained again, from the start.
    Replace,
    /// A finished one is kept, an unfinished one goes on; one of another configuration stays, and
    /// nothing is trained.
    Resume,
}

impl Place<'_> {
    fn run(&self, config: &RunConfig) -> PathBuf {
        let name = format!("{}-{}", config.regime, config.seed);
        self.folder.join(name)
    }
}

/// What happened in one of the runs.
#[derive(Clone, Copy)]
pub enum Notice<'n> {
    /// An epoch ended.
    Epoch {
        /// The run's settings.
        config: &'n RunConfig,
        /// What the epoch showed.
        row: &'n EpochRow,
    },
    /// A run ended.
    Trained(&'n FinishedRun),
    /// A run had ended before.
    Kept(&'n FinishedRun),
}

impl Plan {
    /// Reads the data that `draft` names, and checks that every run can start. The draft's regime
    /// and seed are replaced: by each of `regimes`, the others being compared with the first, and
    /// by 0, 1, … below `seeds`.
    ///
    /// # Errors
    /// [`Error::Argument`] for no regime, one twice or no seed; as [`Session::read`] and
    /// [`Trainer::new`].
    pub fn read(draft: &ConfigDraft, regimes: &[Regime], seeds: usize) -> Result<Self> {
        let twice = regimes.iter().enumerate();
        let twice = twice.filter(|&(place, regime)| regimes[..place].contains(regime));
        let found = match twice.map(|(_, regime)| regime).next() {
            Some(regime) => Some(format!("{regime} twice")),
            None if regimes.is_empty() || seeds == 0 => {
                Some(format!("{} regimes, {seeds} seeds", regimes.len()))
            }
            None => None,
        };
        if let Some(found) = found {
            return Err(Error::Argument {
                argument: "comparison".into(),
                found,
                expected: "1 or more regimes, each once, and 1 or more seeds".into(),
            });
        }
        let (base, data) = Session::read(draft)?;
        let plan = Self {
            base,
            digests: DataDigests::of(&data),
            data,
            regimes: regimes.to_vec(),
            seeds,
        };
        for &regime in regimes {
            let session = plan.session(regime, 0)?;
            let classifier = session.classifier()?;
            Trainer::new(session.config(), session.training_data(), classifier)?;
        }
        Ok(plan)
    }

    /// What was found out when the data was read, a line each.
    pub fn notes(&self) -> &[String] {
        &self.data.train.provenance().notes
    }

    /// The shape of the data's samples.
    pub fn input(&self) -> InputShape {
        self.data.test.shape()
    }

    /// The number of runs.
    pub fn runs(&self) -> usize {
        self.regimes.len() * self.seeds
    }

    /// Refuses a place whose runs are in the way: see [`Existing`].
    ///
    /// # Errors
    /// [`Error::Argument`] for a run, or files of one, that may not be replaced, [`Error::Data`] for
    /// one of another configuration that cannot go on.
    pub fn check(&self, place: Place<'_>) -> Result<()> {
        for (regime, seed) in self.jobs() {
            let config = self.config(regime, seed);
            let folder = RunFolder::at(&place.run(&config));
            match place.existing {
                Existing::Refuse if folder.holds_run() => {
                    return Err(Error::Argument {
                        argument: "--out".into(),
                        found: format!("{}, which holds a run", folder.path().display()),
                        expected: "a new folder, --resume to go on, or --overwrite".into(),
                    });
                }
                Existing::Resume if folder.holds_run() => self.check_same(&folder, &config)?,
                Existing::Refuse | Existing::Resume => folder.check_free(false)?,
                Existing::Replace => {}
            }
        }
        Ok(())
    }

    /// Refuses to go on with a run whose settings are others than `config`.
    fn check_same(&self, folder: &RunFolder, config: &RunConfig) -> Result<()> {
        let (_, draft) = RunFolder::open(folder.path())?;
        let there = draft.finish(self.data.train.shape().kind())?;
        match changes(&there.bound()?, &config.bound()?).first() {
            None => Ok(()),
            Some(first) => {
                let value = |index: usize| first.values[index].as_deref().unwrap_or("nothing");
                Err(data_error(
                    &folder.config_path(),
                    format!("{} = {}", first.key, value(0)),
                    format!(
                        "{}, as this comparison has: take another --out, or --overwrite",
                        value(1)
                    ),
                ))
            }
        }
    }

    fn jobs(&self) -> Vec<(Regime, u64)> {
        let seeds = 0..self.seeds as u64;
        let regimes = self.regimes.iter();
        let jobs = regimes.flat_map(|&regime| seeds.clone().map(move |seed| (regime, seed)));
        jobs.collect()
    }

    /// Trains every run, regime by regime. They are independent and go on side by side; no result
    /// depends on that. With a `place`, each run gets a folder of its own in it. `None` when
    /// `interrupt` was set: every run that had begun is then saved.
    ///
    /// # Errors
    /// As [`Plan::check`], [`Trainer::advance`] and [`FinishedRun::new`], of the first run that
    /// fails.
    pub fn train(
        &self,
        place: Option<Place<'_>>,
        interrupt: &AtomicBool,
        watch: impl Fn(Notice<'_>) + Sync,
    ) -> Result<Option<Vec<FinishedRun>>> {
        if let Some(place) = place {
            self.check(place)?;
        }
        let tests = TestParts::default();
        let runs = side_by_side(&self.jobs(), |&(regime, seed)| {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let session = self.session(regime, seed)?;
            let run = match place {
                Some(place) => train_in(session, place, &tests, interrupt, &watch),
                None => train(session, &tests, interrupt, &watch),
            };
            run.map_err(|error| match error {
                Error::Numerical(reason) => {
                    Error::Numerical(format!("{regime}, seed {seed}: {reason}"))
                }
                other => other,
            })
        })?;
        Ok(runs.into_iter().collect())
    }

    fn config(&self, regime: Regime, seed: u64) -> RunConfig {
        RunConfig {
            regime,
            seed,
            ..self.base.clone()
        }
    }

    fn session(&self, regime: Regime, seed: u64) -> Result<Session> {
        let config = self.config(regime, seed);
        Session::with_digests(config, self.data.clone(), self.digests.clone())
    }
}

/// Trains in memory.
fn train(
    session: Session,
    tests: &TestParts,
    interrupt: &AtomicBool,
    watch: &(impl Fn(Notice<'_>) + Sync),
) -> Result<Option<FinishedRun>> {
    let config = session.config();
    let start = Instant::now();
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    loop {
        match trainer.advance()? {
            Event::Finished => break,
            Event::Epoch(row) => watch(Notice::Epoch { config, row: &row }),
            Event::Step { .. } => {}
        }
        if interrupt.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    let progress = trainer.progress().clone();
    let model = trainer.into_model();
    let run = FinishedRun::new(session, None, model, &progress, start.elapsed(), tests)?;
    watch(Notice::Trained(&run));
    Ok(Some(run))
}

/// Trains in a folder of `place`, from where an earlier training there ended.
fn train_in(
    session: Session,
    place: Place<'_>,
    tests: &TestParts,
    interrupt: &AtomicBool,
    watch: &(impl Fn(Notice<'_>) + Sync),
) -> Result<Option<FinishedRun>> {
    let config = session.config();
    let path = place.run(config);
    let mut folder = RunFolder::at(&path);
    let resumed = place.existing == Existing::Resume && folder.holds_run();
    if resumed {
        folder.lock()?;
        folder.clean();
    } else {
        folder = RunFolder::create(&path, config, place.existing == Existing::Replace)?;
    }
    folder.identify(session.identity()?);
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    if resumed {
        if let Some(record) = folder.read_record()? {
            drop(trainer);
            let run = FinishedRun::with_session(session, &folder, record, tests)?;
            watch(Notice::Kept(&run));
            return Ok(Some(run));
        }
        if let Some(checkpoint) = folder.load(config)? {
            trainer.restore(checkpoint)?;
        }
    }
    let start = Instant::now();
    let saving = Saving {
        epochs: false,
        interval: Duration::from_secs_f32(config.training.checkpoint_seconds),
    };
    let outcome = execute(&mut trainer, &folder, saving, interrupt, |event, _| {
        if let Event::Epoch(row) = event {
            watch(Notice::Epoch { config, row });
        }
    })?;
    if outcome == Outcome::Interrupted {
        return Ok(None);
    }
    let time = start.elapsed();
    let progress = trainer.progress().clone();
    let model = trainer.into_model();
    let run = FinishedRun::new(session, Some(&folder), model, &progress, time, tests)?;
    watch(Notice::Trained(&run));
    Ok(Some(run))
}
