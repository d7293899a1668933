//! Cells on the disk: one JSON file each, written whole when the cell is done.

use super::archive::DEPTH;
use super::{CellRecord, Job};
use crate::file::{data_error, read, write_atomic};
use crate::{Error, Result, file};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder of cells.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    overwrites: bool,
}

impl Store {
    /// The cells in `folder`, which is created. Cells of other settings are an error, or computed
    /// again when it `overwrites`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(folder: &Path, overwrites: bool) -> Result<Self> {
        file::create_folder(folder)?;
        Ok(Self {
            folder: folder.into(),
            overwrites,
        })
    }

    fn path(&self, job: &Job<'_>) -> PathBuf {
        let path = self.folder.join(job.path());
        path.with_added_extension("json")
    }

    /// The record of a cell that is done.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] when the file is damaged or holds a cell of other settings.
    pub fn find(&self, job: &Job<'_>) -> Result<Option<CellRecord>> {
        let path = self.path(job);
        if !path.is_file() {
            return Ok(None);
        }
        let record = record(&path)?;
        match (record.settings == job.settings()?, self.overwrites) {
            (true, _) => Ok(Some(record)),
            (false, true) => Ok(None),
            (false, false) => Err(data_error(
                &path,
                "a cell of other settings",
                "the same settings, another folder, or --overwrite",
            )),
        }
    }

    /// Every record in `folders`, in the order of their paths.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] when a file is damaged, a folder has none, or two files hold the
    /// same set, network, training and seed.
    pub fn all(folders: &[PathBuf]) -> Result<Vec<CellRecord>> {
        let mut cells: Vec<CellRecord> = Vec::new();
        let mut known: BTreeMap<[String; 4], PathBuf> = BTreeMap::new();
        for folder in folders {
            let mut files = file::files_below(folder, DEPTH)?;
            files.retain(|file| file.extension().is_some_and(|found| found == "json"));
            if files.is_empty() {
                return Err(data_error(folder, "no cell", "cells of a benchmark"));
            }
            for path in files {
                let cell = record(&path)?;
                let key = [
                    cell.set.clone(),
                    cell.network.clone(),
                    cell.training.clone(),
                    cell.seed.to_string(),
                ];
                if let Some(other) = known.get(&key) {
                    return Err(data_error(
                        &path,
                        format!("the cell of {} again", other.display()),
                        "each set, network, training and seed once",
                    ));
                }
                known.insert(key, path);
                cells.push(cell);
            }
        }
        Ok(cells)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&self, job: &Job<'_>, record: &CellRecord) -> Result<()> {
        let path = self.path(job);
        file::create_folder(&file::parent(&path))?;
        let text = serde_json::to_vec_pretty(record).map_err(|reason| Error::Argument {
            argument: "record".into(),
            found: reason.to_string(),
            expected: "values that JSON can hold".into(),
        })?;
        write_atomic(&path, &text)
    }
}

fn record(path: &Path) -> Result<CellRecord> {
    serde_json::from_slice(&read(path)?)
        .map_err(|reason| data_error(path, reason.to_string(), "the record of a cell"))
}
