//! The folder of one run.

use super::{load_checkpoint, save_checkpoint};
use crate::config::{ConfigDraft, RunConfig};
use crate::train::{Checkpoint, EpochRow};
use crate::{Error, Result, file};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// What `run.json` says of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Seconds of the last uninterrupted stretch of training.
    pub seconds: f64,
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
    /// Makes a new run's folder and writes its configuration.
    ///
    /// # Errors
    /// [`Error::Argument`] when `path` already holds a run and `overwrite` is false,
    /// [`Error::Io`] when the system refuses.
    pub fn create(path: &Path, config: &RunConfig, overwrite: bool) -> Result<Self> {
        let folder = Self { path: path.into() };
        if folder.config_path().exists() && !overwrite {
            return Err(Error::Argument {
                argument: "--out".into(),
                found: format!("{}, which holds a run", path.display()),
                expected: format!(
                    "a new folder, --overwrite, or --resume {} to go on",
                    path.display()
                ),
            });
        }
        file::create_folder(&folder.checkpoint_path())?;
        for stale in [folder.weights_path(), folder.record_path()] {
            match std::fs::remove_file(&stale) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(file::io_error(&stale, "remove", source));
                }
                _ => {}
            }
        }
        for name in [super::LATEST, super::PREVIOUS] {
            let _ = std::fs::remove_file(folder.checkpoint_path().join(name));
        }
        file::write_atomic(&folder.config_path(), config.to_toml()?.as_bytes())?;
        folder.write_metrics(&[])?;
        Ok(folder)
    }

    /// Opens an existing run's folder and reads its configuration.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no run, otherwise as [`ConfigDraft::file`].
    pub fn open(path: &Path) -> Result<(Self, ConfigDraft)> {
        let folder = Self { path: path.into() };
        if !folder.config_path().exists() {
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
        save_checkpoint(&self.checkpoint_path(), checkpoint)?;
        self.write_metrics(&checkpoint.progress.rows)
    }

    /// The newest state, if one was written.
    ///
    /// # Errors
    /// As [`load_checkpoint`].
    pub fn load(&self) -> Result<Option<Checkpoint>> {
        load_checkpoint(&self.checkpoint_path())
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
