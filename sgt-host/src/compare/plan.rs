//! Every regime trained with every seed.

use super::jobs::side_by_side;
use crate::binding::DataDigests;
use crate::config::{ConfigDraft, Regime, RunConfig};
use crate::data::{InputShape, TrainTest};
use crate::run::{
    Existing, FinishedRun, Placed, Session, TestParts, TrainedNetwork, begin_anew, check_place,
    train_in,
};
use crate::train::{EpochRow, Event, Trainer};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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
        let kind = self.data.train.shape().kind();
        for (regime, seed) in self.jobs() {
            let config = self.config(regime, seed);
            let path = place.run(&config);
            check_place(&path, &config, kind, place.existing, "comparison")?;
        }
        Ok(())
    }

    /// The place, its runs emptied where they are to be replaced.
    fn begun<'p>(&self, place: Place<'p>) -> Result<Place<'p>> {
        if place.existing != Existing::Replace {
            return Ok(place);
        }
        let jobs = self.jobs().into_iter();
        begin_anew(jobs.map(|(regime, seed)| {
            let config = self.config(regime, seed);
            (place.run(&config), config)
        }))?;
        Ok(Place {
            existing: Existing::Resume,
            ..place
        })
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
        let place = match place {
            None => None,
            Some(place) => {
                self.check(place)?;
                Some(self.begun(place)?)
            }
        };
        let tests = TestParts::default();
        let runs = side_by_side(&self.jobs(), |&(regime, seed)| {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let session = self.session(regime, seed)?;
            let run = match place {
                Some(place) => train_placed(session, place, &tests, interrupt, &watch),
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
fn train_placed(
    session: Session,
    place: Place<'_>,
    tests: &TestParts,
    interrupt: &AtomicBool,
    watch: &(impl Fn(Notice<'_>) + Sync),
) -> Result<Option<FinishedRun>> {
    let config = session.config();
    let path = place.run(config);
    let epoch = |row: &EpochRow| watch(Notice::Epoch { config, row });
    match train_in(&session, &path, place.existing, interrupt, epoch)? {
        Placed::Interrupted => Ok(None),
        Placed::Measured(folder, record) => {
            let run = FinishedRun::with_session(session, &folder, *record, tests)?;
            watch(Notice::Kept(&run));
            Ok(Some(run))
        }
        Placed::Trained(folder, trained) => {
            let TrainedNetwork {
                model,
                progress,
                time,
                ..
            } = *trained;
            let run = FinishedRun::new(session, Some(&folder), model, &progress, time, tests)?;
            watch(Notice::Trained(&run));
            Ok(Some(run))
        }
    }
}
