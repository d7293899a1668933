//! What is run: every set with every network, training and seed.

use super::cell::{self, CellRecord};
use super::store::Store;
use super::{NetworkChoice, Scaling, Training, archive};
use crate::attribution::Method;
use crate::compare::jobs::side_by_side;
use crate::config::{ConfigDraft, DataKind, RunConfig};
use crate::data::synthetic::{KnownTruth, SCHEME, Synthetic};
use crate::{Error, Result};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use toml::Value;

/// The grid.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The sets; a seed's number is added to theirs.
    pub sets: Vec<Synthetic>,
    /// The networks.
    pub networks: Vec<NetworkChoice>,
    /// The trainings; the others are compared with the first.
    pub trainings: Vec<Training>,
    /// Methods by the names that tables give them.
    pub methods: Vec<(String, Method)>,
    /// Data sets and runs a combination, from the seeds 0, 1, ….
    pub seeds: u64,
    /// The settings of every training, as the command line takes them.
    pub settings: Vec<(String, Value)>,
    /// What is done to the values first.
    pub scaling: Scaling,
    /// What else is measured.
    pub extras: Extras,
    /// Whether maps are handed to the archive.
    pub keeps_maps: bool,
}

/// What is measured beside the scores, of how many samples, and when a training is enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Extras {
    /// Test samples, at most.
    pub samples: usize,
    /// Whether accuracy and prediction without cells are measured.
    pub removal: bool,
    /// Cells that the path of the prediction removes.
    pub path_cells: usize,
    /// The accuracy over an epoch's training samples, while they were trained on, that ends a
    /// training: the benchmark's 0.99. Above 1 for trainings to the last epoch.
    pub enough: f64,
}

impl Default for Extras {
    /// The benchmark's 100 samples; no removal, 50 cells where it is asked for.
    fn default() -> Self {
        Self {
            samples: 100,
            removal: false,
            path_cells: 50,
            enough: 0.99,
        }
    }
}

/// One cell to be computed.
#[derive(Clone, Debug)]
pub struct Job<'g> {
    /// The grid it belongs to.
    pub grid: &'g Grid,
    /// The set with the cell's own seed.
    pub set: Synthetic,
    /// The network.
    pub network: &'g NetworkChoice,
    /// The training.
    pub training: Training,
    /// The seed.
    pub seed: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'n> {
    /// A cell was there already.
    Found(&'n CellRecord),
    /// A cell was computed.
    Computed(&'n CellRecord),
}

impl Job<'_> {
    /// What the cell's training does.
    pub(super) fn config(&self, known: &KnownTruth) -> Result<RunConfig> {
        let shape = known.train.data.shape();
        let classes = known.train.data.classes().len();
        let description = self.network.description(shape, classes)?;
        self.settings_of_training()?.with_network(&description)
    }

    fn settings_of_training(&self) -> Result<RunConfig> {
        let mut draft = ConfigDraft::new();
        draft.set("data.source", format!("{SCHEME}{}", self.set));
        lay_defaults(&mut draft);
        self.training.lay(&mut draft);
        for (key, value) in &self.grid.settings {
            draft.set(key, value.clone());
        }
        draft.set("seed", self.seed.cast_signed());
        // The scaling is done before.
        draft.set("data.standardise", false);
        draft.finish(DataKind::Series)
    }

    /// Everything that decides what the cell computes.
    ///
    /// # Errors
    /// As [`ConfigDraft::finish`]; [`Error::Argument`] when a setting has no text.
    pub fn settings(&self) -> Result<String> {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct All<'a> {
            version: &'static str,
            network: String,
            scaling: Scaling,
            extras: Extras,
            methods: Vec<(&'a String, &'a Method)>,
            training: RunConfig,
        }
        let all = All {
            version: env!("CARGO_PKG_VERSION"),
            network: self.network.to_string(),
            scaling: self.grid.scaling,
            extras: self.grid.extras,
            methods: self.grid.methods.iter().map(|(n, m)| (n, m)).collect(),
            training: self.settings_of_training()?,
        };
        serde_json::to_string(&all).map_err(|reason| Error::Argument {
            argument: "settings".into(),
            found: reason.to_string(),
            expected: "values that JSON can hold".into(),
        })
    }

    /// Its place below a folder of cells.
    pub fn path(&self) -> PathBuf {
        let set = Synthetic {
            seed: 0,
            ..self.set
        };
        let plain = |text: String| text.replace(['?', '&', '='], "-");
        let name = format!(
            "{}-{}-{}",
            plain(self.network.to_string()),
            self.training.name,
            self.seed
        );
        PathBuf::from(plain(set.to_string())).join(name)
    }
}

/// The trainings' settings where no other is given. The benchmark's batch and step; a validation
/// part in place of its choice by test accuracy.
fn lay_defaults(draft: &mut ConfigDraft) {
    let patience = [("patience".to_string(), Value::Integer(50))];
    let stopping = Value::Table(patience.into_iter().collect());
    draft.set("training.epochs", 300);
    draft.set("training.batch", 50);
    draft.set("optimizer.learning-rate", 0.001);
    draft.set("data.validation", 0.1);
    draft.set("training.early-stopping", stopping);
}

impl Grid {
    /// Every cell, the seeds outermost, so that a grid that was stopped has whole tables of fewer
    /// seeds.
    pub fn jobs(&self) -> Vec<Job<'_>> {
        let mut jobs = Vec::new();
        for seed in 0..self.seeds {
            for &set in &self.sets {
                for network in &self.networks {
                    for &training in &self.trainings {
                        jobs.push(Job {
                            grid: self,
                            set: Synthetic {
                                seed: set.seed + seed,
                                ..set
                            },
                            network,
                            training,
                            seed,
                        });
                    }
                }
            }
        }
        jobs
    }

    /// Checks what can be checked before the first cell.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty or repeated choice, a setting or a method out of its
    /// range, or a network that cannot read a set.
    pub fn check(&self) -> Result<()> {
        let refuse = |found: String, expected: &str| {
            Err(Error::Argument {
                argument: "benchmark".into(),
                found,
                expected: expected.into(),
            })
        };
        let names = [
            self.sets
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            self.networks.iter().map(ToString::to_string).collect(),
            self.trainings.iter().map(|t| t.name.to_string()).collect(),
            self.methods.iter().map(|(name, _)| name.clone()).collect(),
        ];
        for (names, what) in names
            .into_iter()
            .zip(["sets", "networks", "regimes", "methods"])
        {
            if names.is_empty() || self.seeds == 0 {
                return refuse(format!("no {what}, or no seed"), "one or more of each");
            }
            let twice = names.iter().enumerate();
            let twice = twice.filter(|(place, name)| names[..*place].contains(name));
            if let Some((_, name)) = twice.map(|(place, name)| (place, name.clone())).next() {
                return refuse(format!("{name} twice"), "every choice once");
            }
        }
        if self.extras.samples == 0 {
            return refuse("0 samples".into(), "1 or more");
        }
        for (_, method) in &self.methods {
            method.check()?;
        }
        for job in self.jobs() {
            job.settings()?;
            let shape = crate::data::InputShape::series(job.set.steps, job.set.channels);
            job.network.description(shape, job.set.set.classes())?;
        }
        Ok(())
    }

    /// Computes every cell that `store` lacks, side by side on the threads there are; no number
    /// depends on how many. With a `dump`, every computed cell's maps are written there. Stops
    /// after the cells under way when `interrupt` is set.
    ///
    /// Returns the records of the cells that are done, in the order of [`Grid::jobs`].
    ///
    /// # Errors
    /// That of the first cell that fails.
    pub fn run(
        &self,
        store: &Store,
        dump: Option<&std::path::Path>,
        interrupt: &AtomicBool,
        watch: impl Fn(Notice<'_>) + Sync,
    ) -> Result<Vec<CellRecord>> {
        let jobs = self.jobs();
        let records = side_by_side(&jobs, |job| {
            let missing_dump = dump.is_some_and(|folder| !archive::path(folder, job).is_file());
            if let Some(record) = store.find(job)?.filter(|_| !missing_dump) {
                watch(Notice::Found(&record));
                return Ok(Some(record));
            }
            if interrupt.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let known = job.set.generate()?;
            let Some((record, drawn)) = cell::run(job, &known, interrupt)? else {
                return Ok(None);
            };
            if let Some(folder) = dump {
                archive::write(&archive::path(folder, job), &drawn)?;
            }
            store.keep(job, &record)?;
            watch(Notice::Computed(&record));
            Ok(Some(record))
        })?;
        Ok(records.into_iter().flatten().collect())
    }
}
