//! Which run a state, weights and a record belong to.

use super::Record;
use crate::binding::{Binding, short};
use crate::config::{DataConfig, RunConfig, changes};
use crate::data::load::{LoadOptions, files_of};
use crate::file::data_error;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a run is: digests of what it is made from, and its settings in words, so that a difference
/// can be named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Identity {
    /// Digests of network, configuration and data.
    pub binding: Binding,
    /// [`RunConfig::bound`].
    pub settings: String,
}

impl Identity {
    /// Of a run of `config` with these digests.
    ///
    /// # Errors
    /// As [`RunConfig::bound`].
    pub fn new(config: &RunConfig, binding: Binding) -> Result<Self> {
        Ok(Self {
            binding,
            settings: config.bound()?,
        })
    }

    /// Refuses a state that was saved by another run than this one, whose configuration is the file
    /// `config_path` and whose data is `data`.
    ///
    /// # Errors
    /// [`Error::Data`] that names the file that does not belong.
    pub(super) fn check(&self, saved: &Self, config_path: &Path, data: &DataConfig) -> Result<()> {
        let changed = changes(&saved.settings, &self.settings);
        if let Some(first) = changed.first() {
            let value = |index: usize| first.values[index].as_deref().unwrap_or("nothing");
            let more = match changed.len() {
                1 => String::new(),
                count => format!(" (and {} more settings)", count - 1),
            };
            return Err(data_error(
                config_path,
                format!("{} = {}{more}", first.key, value(1)),
                format!(
                    "{}, with which the run in this folder began: another configuration is \
                     another run, in a folder of its own",
                    value(0)
                ),
            ));
        }
        self.check_binding(&saved.binding, config_path, data)
    }

    /// [`Identity::check`] where only digests are at hand.
    ///
    /// # Errors
    /// As [`Identity::check`].
    pub(super) fn check_binding(
        &self,
        saved: &Binding,
        config_path: &Path,
        data: &DataConfig,
    ) -> Result<()> {
        let own = &self.binding;
        let [training, test] = data_files(data);
        for (path, what, found, expected) in [
            (
                &training,
                "training data",
                &own.training_data,
                &saved.training_data,
            ),
            (&test, "test data", &own.test_data, &saved.test_data),
            (
                &config_path.to_path_buf(),
                "a configuration",
                &own.configuration,
                &saved.configuration,
            ),
            (
                &config_path.to_path_buf(),
                "a network",
                &own.description,
                &saved.description,
            ),
        ] {
            if found != expected {
                return Err(data_error(
                    path,
                    format!("{what} with SHA-256 {}…", short(found)),
                    format!("{}…, what the run was trained with", short(expected)),
                ));
            }
        }
        Ok(())
    }

    /// Refuses a finished run whose record or weights belong to something else.
    ///
    /// # Errors
    /// As [`Identity::check`].
    pub(super) fn check_record(
        &self,
        record: &Record,
        config_path: &Path,
        data: &DataConfig,
    ) -> Result<()> {
        match &record.binding {
            Some(saved) => self.check_binding(saved, config_path, data),
            None => Ok(()),
        }
    }
}

/// The files that are read for `data`, or what stands for them.
fn data_files(data: &DataConfig) -> [PathBuf; 2] {
    let options = LoadOptions {
        test: data.test.clone(),
        ..LoadOptions::default()
    };
    files_of(&data.source, &options)
}

/// Refuses tensors that are not the ones that `record` was written for.
///
/// # Errors
/// [`Error::Data`].
pub(super) fn check_tensors(record: &Record, path: &Path, found: &str) -> Result<(), Error> {
    match &record.tensors {
        Some(expected) if expected != found => Err(data_error(
            path,
            format!("tensors with SHA-256 {}…", short(found)),
            format!("{}…, as run.json says", short(expected)),
        )),
        _ => Ok(()),
    }
}
