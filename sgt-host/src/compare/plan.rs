//! Every regime trained with every seed.

use super::jobs::side_by_side;
use crate::config::{ConfigDraft, Regime, RunConfig};
use crate::data::{InputShape, TrainTest};
use crate::run::{FinishedRun, RunFolder, Session, TestParts};
use crate::train::{EpochRow, Event, Trainer};
use crate::{Error, Result};
use std::path::Path;
use std::time::Instant;

/// What is trained: regimes × seeds, alike in everything else.
#[derive(Clone, Debug)]
pub struct Plan {
    base: RunConfig,
    data: TrainTest,
    regimes: Vec<Regime>,
    seeds: usize,
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

    /// The shape of the data's samples.
    pub fn input(&self) -> InputShape {
        self.data.test.shape()
    }

    /// The number of runs.
    pub fn runs(&self) -> usize {
        self.regimes.len() * self.seeds
    }

    /// Trains every run, regime by regime. They are independent and go on side by side; no result
    /// depends on that. With a `folder`, each run gets one of its own in it.
    ///
    /// # Errors
    /// As [`Trainer::advance`] and [`FinishedRun::new`], of the first run that fails.
    pub fn train(
        &self,
        folder: Option<&Path>,
        watch: impl Fn(Notice<'_>) + Sync,
    ) -> Result<Vec<FinishedRun>> {
        let seeds = 0..self.seeds as u64;
        let regimes = self.regimes.iter();
        let jobs = regimes.flat_map(|&regime| seeds.clone().map(move |seed| (regime, seed)));
        let jobs: Vec<(Regime, u64)> = jobs.collect();
        let tests = TestParts::default();
        side_by_side(&jobs, |&(regime, seed)| {
            let session = self.session(regime, seed)?;
            train(session, folder, &tests, &watch).map_err(|error| match error {
                Error::Numerical(reason) => {
                    Error::Numerical(format!("{regime}, seed {seed}: {reason}"))
                }
                other => other,
            })
        })
    }

    fn session(&self, regime: Regime, seed: u64) -> Result<Session> {
        let config = RunConfig {
            regime,
            seed,
            ..self.base.clone()
        };
        Session::with_data(config, self.data.clone())
    }
}

fn train(
    session: Session,
    folder: Option<&Path>,
    tests: &TestParts,
    watch: &(impl Fn(Notice<'_>) + Sync),
) -> Result<FinishedRun> {
    let config = session.config();
    let start = Instant::now();
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    loop {
        match trainer.advance()? {
            Event::Finished => break,
            Event::Epoch(row) => watch(Notice::Epoch { config, row: &row }),
            Event::Step { .. } => {}
        }
    }
    let time = start.elapsed();
    let checkpoint = trainer.checkpoint()?;
    let model = trainer.into_model();
    let folder = match folder {
        Some(folder) => {
            let path = folder.join(format!("{}-{}", config.regime, config.seed));
            let folder = RunFolder::create(&path, config, true)?;
            folder.save(&checkpoint)?;
            Some(folder)
        }
        None => None,
    };
    let progress = &checkpoint.progress;
    let run = FinishedRun::new(session, folder.as_ref(), model, progress, time, tests)?;
    watch(Notice::Trained(&run));
    Ok(run)
}
