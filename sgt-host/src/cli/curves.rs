//! `--tensorboard`: the learning curves of runs that go on side by side.

use crate::tensorboard::EventFile;
use crate::train::EpochRow;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

#[derive(Debug, Default, clap::Args)]
pub(super) struct CurveArguments {
    /// Write the learning curves as event files for TensorBoard, a folder a run.
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
}

/// The event files of runs, each begun with its first epoch.
pub(super) struct Curves {
    folder: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, EventFile>,
    /// The first that went wrong; nothing is written after it.
    failure: Option<Error>,
}

impl Curves {
    pub(super) fn new(arguments: &CurveArguments) -> Self {
        Self {
            folder: arguments.tensorboard.clone(),
            state: Mutex::default(),
        }
    }

    /// Appends an epoch of the run called `run`.
    pub(super) fn epoch(&self, run: &str, row: &EpochRow) {
        let (Some(folder), Ok(mut state)) = (&self.folder, self.state.lock()) else {
            return;
        };
        let State { files, failure } = &mut *state;
        if failure.is_some() {
            return;
        }
        let written = match files.get_mut(run) {
            Some(file) => file.write(row),
            None => EventFile::create(&folder.join(run)).and_then(|mut file| {
                file.write(row)?;
                files.insert(run.into(), file);
                Ok(())
            }),
        };
        *failure = written.err();
    }

    /// What went wrong, if anything: the runs themselves are whole.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn finish(self) -> Result<()> {
        let state = self.state.into_inner().unwrap_or_default();
        state.failure.map_or(Ok(()), Err)
    }
}
