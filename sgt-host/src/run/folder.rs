//! The folder of one run.

use super::identity::check_tensors;
use super::lock::Lock;
use super::{Identity, load_checkpoint, save_checkpoint};
use crate::binding::Binding;
use crate::config::{ConfigDraft, RunConfig};
use crate::instructions::InstructionSet;
use crate::metrics::Classification;
use crate::train::{Checkpoint, EpochRow};
use crate::weights::Weights;
use crate::{Error, Result, file, shell};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of one run. Whoever writes to it holds its lock.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    identity: Option<Identity>,
    lock: Option<Arc<Lock>>,
}

/// What `run.json` says of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// The version of this program.
    pub version: String,
    /// The machine's kind, `x86_64-linux` for example: another may round differently.
    pub platform: String,
    /// The run's seed.
    pub seed: u64,
    /// SHA-256 of the training data.
    pub data_digest: String,
    /// Values the optimizer changed.
    pub parameters: usize,
    /// Finished epochs.
    pub epochs: usize,
    /// The epoch whose weights were kept, when early stopping chose one.
    pub best_epoch: Option<usize>,
    /// The accuracy on the test part, measured once, after the training.
    pub test_accuracy: f64,
    /// The mean cross-entropy on the test part.
    pub test_loss: f64,
    /// Its classes one by one; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// The accuracy on the validation part, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// The mean cross-entropy on the validation part, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Seconds of the last uninterrupted stretch of training.
    pub seconds: f64,
    /// Digests of network, configuration and data; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// SHA-256 of the weights' tensors; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors: Option<String>,
    /// The instruction sets that computed it, in their order: more than one where it was resumed
    /// under another, and then the bits are those of neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<InstructionSet>,
    /// What was found out when the data was read, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_notes: Vec<String>,
}

impl Record {
    /// This program's version.
    pub const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    /// The machine's kind.
    pub fn current_platform() -> String {
        format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
    }
}

impl RunFolder {
    /// Makes a new run's folder, locks it and writes its configuration.
    ///
    /// # Errors
    /// [`Error::Argument`] when `path` already holds a run, or a file by the name of one of a
    /// run's, and `overwrite` is false, or when another process writes to it; [`Error::Io`] when
    /// the system refuses.
    pub fn create(path: &Path, config: &RunConfig, overwrite: bool) -> Result<Self> {
        let mut folder = Self::at(path);
        folder.check_free(overwrite)?;
        file::create_folder(&folder.checkpoint_path())?;
        folder.lock()?;
        // Another process may have been faster.
        folder.check_free(overwrite)?;
        for stale in [folder.record_path(), folder.weights_path()] {
            file::remove(&stale)?;
        }
        for name in [super::LATEST, super::PREVIOUS] {
            let _ = std::fs::remove_file(folder.checkpoint_path().join(name));
        }
        folder.clean();
        file::write_atomic(&folder.config_path(), config.to_toml()?.as_bytes())?;
        folder.write_metrics(&[])?;
        Ok(folder)
    }

    /// Removes the files of a run; the folder, its lock and what else is in it stay.
    ///
    /// # Errors
    /// [`Error::Argument`] when another process writes to it, [`Error::Io`].
    pub(crate) fn remove(mut self) -> Result<()> {
        self.lock()?;
        self.clean();
        for name in [super::LATEST, super::PREVIOUS] {
            file::remove(&self.checkpoint_path().join(name))?;
        }
        for path in [self.record_path(), self.weights_path(), self.metrics_path()] {
            file::remove(&path)?;
        }
        // Last: until then it is a run still.
        file::remove(&self.config_path())
    }

    /// Opens an existing run's folder to read, and reads its configuration.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no run, otherwise as [`ConfigDraft::file`].
    pub fn open(path: &Path) -> Result<(Self, ConfigDraft)> {
        let folder = Self::at(path);
        if !folder.holds_run() {
            return Err(file::data_error(
                path,
                "no config.toml",
                "the folder of a run",
            ));
        }
        let mut draft = ConfigDraft::new();
        draft.file(&folder.config_path())?;
        Ok((folder, draft))
    }

    /// The folder, which need not exist.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.into(),
            identity: None,
            lock: None,
        }
    }

    /// True when a run was begun in it.
    pub(crate) fn holds_run(&self) -> bool {
        self.config_path().exists()
    }

    /// Makes this process the folder's one writer, until the last clone of this is gone.
    ///
    /// # Errors
    /// [`Error::Argument`] when another process is that; [`Error::Io`].
    pub fn lock(&mut self) -> Result<()> {
        self.lock = Some(Arc::new(Lock::take(&self.path)?));
        Ok(())
    }

    /// Says which run this is: what is saved here says so, and what is loaded must say the same.
    pub fn identify(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// Refuses a folder that holds a run, or files that a run would replace.
    pub(crate) fn check_free(&self, overwrite: bool) -> Result<()> {
        if overwrite {
            return Ok(());
        }
        if self.holds_run() {
            return Err(Error::Argument {
                argument: "--out".into(),
                found: format!("{}, which holds a run", self.path.display()),
                expected: format!(
                    "a new folder, --overwrite, or --resume {} to go on",
                    shell::path(&self.path)
                ),
            });
        }
        let checkpoint = self.checkpoint_path();
        for taken in [
            self.metrics_path(),
            self.weights_path(),
            self.record_path(),
            checkpoint.join(super::LATEST),
            checkpoint.join(super::PREVIOUS),
        ] {
            file::check_free("--out", &taken, overwrite)?;
        }
        Ok(())
    }

    /// Removes what a killed process left half-written. Nobody else may be writing.
    pub fn clean(&self) {
        for folder in [self.path.clone(), self.checkpoint_path()] {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') && name.ends_with(".tmp") {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the configuration lies.
    pub fn config_path(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// Where the epochs' rows lie.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.csv")
    }

    /// Where the result lies.
    pub fn weights_path(&self) -> PathBuf {
        self.path.join("weights.safetensors")
    }

    /// Where the record lies.
    pub fn record_path(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// The folder of the checkpoints.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// Writes the state, then the rows it holds.
    ///
    /// # Errors
    /// [`Error::Io`]; the older checkpoint is then still there.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<()> {
        save_checkpoint(&self.checkpoint_path(), checkpoint, self.identity.as_ref())?;
        self.write_metrics(&checkpoint.progress.rows)
    }

    /// The newest state, if one was written. `config` is the run's own.
    ///
    /// # Errors
    /// As [`load_checkpoint`]; [`Error::Data`] when it belongs to another run than
    /// [`RunFolder::identify`] said.
    pub fn load(&self, config: &RunConfig) -> Result<Option<Checkpoint>> {
        let Some(saved) = load_checkpoint(&self.checkpoint_path())? else {
            return Ok(None);
        };
        if let (Some(own), Some(saved)) = (&self.identity, &saved.identity) {
            own.check(saved, &self.config_path(), &config.data)?;
        }
        Ok(Some(saved.checkpoint))
    }

    /// The weights of a finished run.
    ///
    /// # Errors
    /// [`Error::Data`] when there are none, or when they are not those that `run.json` was written
    /// for; as [`Weights::read`].
    pub fn read_weights(&self) -> Result<Weights> {
        let path = self.weights_path();
        if !path.exists() {
            let found = "no weights.safetensors";
            return Err(file::data_error(
                &self.path,
                found,
                "the folder of a finished run",
            ));
        }
        let weights = Weights::read(&path)?;
        if let Some(record) = self.read_record()? {
            check_tensors(&record, &path, weights.digest())?;
        }
        Ok(weights)
    }

    /// What the newest readable state says it belongs to.
    pub(crate) fn saved_identity(&self) -> Option<Identity> {
        load_checkpoint(&self.checkpoint_path()).ok()??.identity
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_record(&self, record: &Record) -> Result<()> {
        let path = self.record_path();
        let text = serde_json::to_string_pretty(record)
            .map_err(|reason| file::data_error(&path, reason.to_string(), "a JSON record"))?;
        file::write_atomic(&path, format!("{text}\n").as_bytes())
    }

    /// Reads `run.json`; `None` before the run is finished.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Data`] when it is damaged.
    pub fn read_record(&self) -> Result<Option<Record>> {
        let path = self.record_path();
        if !path.exists() {
            return Ok(None);
        }
        let record = serde_json::from_slice(&file::read(&path)?);
        let damaged = |reason: serde_json::Error| {
            file::data_error(&path, reason.to_string(), "the record of a run")
        };
        record.map(Some).map_err(damaged)
    }

    /// Reads `metrics.csv`; no row when there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Data`] when it is damaged.
    pub fn read_metrics(&self) -> Result<Vec<EpochRow>> {
        let path = self.metrics_path();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = file::read(&path)?;
        let mut table = csv::Reader::from_reader(&bytes[..]);
        let rows = table.deserialize().collect::<Result<_, csv::Error>>();
        rows.map_err(|reason| {
            file::data_error(&path, reason.to_string(), "the epochs of a training")
        })
    }

    fn write_metrics(&self, rows: &[EpochRow]) -> Result<()> {
        let path = self.metrics_path();
        let refused = |reason: csv::Error| {
            file::data_error(&path, reason.to_string(), "rows that CSV can hold")
        };
        let mut table = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(Vec::new());
        table.write_record(EpochRow::COLUMNS).map_err(refused)?;
        for row in rows {
            table.serialize(row).map_err(refused)?;
        }
        let bytes = table.into_inner().map_err(|reason| {
            file::data_error(&path, reason.to_string(), "rows that CSV can hold")
        })?;
        file::write_atomic(&path, &bytes)
    }
}
