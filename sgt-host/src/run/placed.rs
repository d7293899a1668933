//! A training in a folder that may hold a part of it already.

use super::{Outcome, Record, RunFolder, Saving, Session, execute};
use crate::config::{RunConfig, changes};
use crate::data::DataKind;
use crate::file::data_error;
use crate::network::Classifier;
use crate::train::{EpochRow, Event, Progress, Trainer};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

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

/// How a training in a folder ended.
pub(crate) enum Placed {
    /// `interrupt` was set; the state is in the folder.
    Interrupted,
    /// It had ended before, and was measured.
    Measured(RunFolder, Box<Record>),
    /// It ended; nothing is measured yet.
    Trained(RunFolder, Box<TrainedNetwork>),
}

/// A network at the end of its training.
pub(crate) struct TrainedNetwork {
    pub(crate) model: Classifier,
    pub(crate) progress: Progress,
    /// Of the last uninterrupted stretch.
    pub(crate) time: Duration,
    /// Whether it had ended before, and nothing was left to train.
    pub(crate) had_ended: bool,
}

/// Refuses a folder whose run is in the way of one of `config`: see [`Existing`]. `named` is what the
/// run is a part of, for errors.
///
/// # Errors
/// [`Error::Argument`] for a run, or files of one, that may not be replaced, [`Error::Data`] for
/// one of another configuration that cannot go on.
pub(crate) fn check_place(
    path: &Path,
    config: &RunConfig,
    kind: DataKind,
    existing: Existing,
    named: &str,
) -> Result<()> {
    let folder = RunFolder::at(path);
    match existing {
        Existing::Refuse if folder.holds_run() => Err(Error::Argument {
            argument: "--out".into(),
            found: format!("{}, which holds a run", path.display()),
            expected: "a new folder, --resume to go on, or --overwrite".into(),
        }),
        Existing::Resume if folder.holds_run() => check_same(&folder, config, kind, named),
        Existing::Refuse | Existing::Resume => folder.check_free(false),
        Existing::Replace => Ok(()),
    }
}

/// Refuses to go on with a run whose settings are others than `config`.
fn check_same(folder: &RunFolder, config: &RunConfig, kind: DataKind, named: &str) -> Result<()> {
    let (_, draft) = RunFolder::open(folder.path())?;
    let there = draft.finish(kind)?;
    match changes(&there.bound()?, &config.bound()?).first() {
        None => Ok(()),
        Some(first) => {
            let value = |index: usize| first.values[index].as_deref().unwrap_or("nothing");
            Err(data_error(
                &folder.config_path(),
                format!("{} = {}", first.key, value(0)),
                format!(
                    "{}, as this {named} has: take another --out, or --overwrite",
                    value(1)
                ),
            ))
        }
    }
}

/// Empties the folders of runs that are to be trained again, all before the first of them starts: so
/// that what is interrupted can go on ([`Existing::Resume`]).
///
/// # Errors
/// As [`RunFolder::create`].
pub(crate) fn begin_anew(runs: impl Iterator<Item = (PathBuf, RunConfig)>) -> Result<()> {
    for (path, config) in runs {
        RunFolder::create(&path, &config, true)?;
    }
    Ok(())
}

/// Trains `session` in the folder `path`, from where an earlier training there ended; `watch` sees
/// every epoch.
///
/// # Errors
/// As [`RunFolder::create`], [`RunFolder::load`] and [`execute`].
pub(crate) fn train_in(
    session: &Session,
    path: &Path,
    existing: Existing,
    interrupt: &AtomicBool,
    mut watch: impl FnMut(&EpochRow),
) -> Result<Placed> {
    let config = session.config();
    let mut folder = RunFolder::at(path);
    let resumed = existing == Existing::Resume && folder.holds_run();
    if resumed {
        folder.lock()?;
        folder.clean();
    } else {
        folder = RunFolder::create(path, config, existing == Existing::Replace)?;
    }
    folder.identify(session.identity()?);
    if resumed && let Some(record) = folder.read_record()? {
        return Ok(Placed::Measured(folder, Box::new(record)));
    }
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    if resumed && let Some(checkpoint) = folder.load(config)? {
        trainer.restore(checkpoint)?;
    }
    let had_ended = trainer.progress().finished;
    let start = Instant::now();
    let saving = Saving {
        epochs: false,
        interval: Duration::from_secs_f32(config.training.checkpoint_seconds),
    };
    let outcome = execute(&mut trainer, &folder, saving, interrupt, |event, _| {
        if let Event::Epoch(row) = event {
            watch(row);
        }
    })?;
    if outcome == Outcome::Interrupted {
        return Ok(Placed::Interrupted);
    }
    let trained = TrainedNetwork {
        time: start.elapsed(),
        had_ended,
        progress: trainer.progress().clone(),
        model: trainer.into_model(),
    };
    Ok(Placed::Trained(folder, Box::new(trained)))
}
