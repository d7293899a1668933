//! Drives a training and keeps its state on the disk.

use super::RunFolder;
use crate::network::Model;
use crate::train::{Event, Progress, Trainer};
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a stretch of training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The last epoch, or an early stop.
    Finished,
    /// `interrupt` was set; the state is on the disk.
    Interrupted,
}

/// When the state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// At the start and after every epoch.
    pub epochs: bool,
    /// And so often.
    pub interval: Duration,
}

/// Trains until the end or until `interrupt` is set, checked after every step.
///
/// The state is written as `saving` says, and at the end; `watch` sees every event after it is
/// safe.
///
/// # Errors
/// As [`Trainer::advance`] and [`RunFolder::save`]. What was written last stays; the message of
/// a numerical error says where.
pub fn execute<M: Model>(
    trainer: &mut Trainer<'_, M>,
    folder: &RunFolder,
    saving: Saving,
    interrupt: &AtomicBool,
    mut watch: impl FnMut(&Event, &Progress),
) -> Result<Outcome> {
    let mut written = trainer.progress().clone();
    if saving.epochs {
        folder.save(&trainer.checkpoint()?)?;
    }
    let mut last = Instant::now();
    loop {
        let event = advance(trainer, folder, &written)?;
        if event == Event::Finished {
            return Ok(Outcome::Finished);
        }
        let interrupted = interrupt.load(Ordering::Relaxed);
        let finished = trainer.progress().finished;
        let epoch = saving.epochs && matches!(event, Event::Epoch(_));
        if epoch || finished || interrupted || last.elapsed() >= saving.interval {
            let checkpoint = trainer.checkpoint();
            folder.save(&checkpoint.map_err(|error| with_place(error, folder, &written))?)?;
            written = trainer.progress().clone();
            last = Instant::now();
        }
        watch(&event, trainer.progress());
        if interrupted && !finished {
            return Ok(Outcome::Interrupted);
        }
    }
}

fn advance<M: Model>(
    trainer: &mut Trainer<'_, M>,
    folder: &RunFolder,
    written: &Progress,
) -> Result<Event> {
    let event = trainer.advance();
    event.map_err(|error| with_place(error, folder, written))
}

/// Adds to a numerical error where the last good state is.
fn with_place(error: Error, folder: &RunFolder, written: &Progress) -> Error {
    match error {
        Error::Numerical(reason) => Error::Numerical(format!(
            "{reason}; the last good checkpoint, after {} epochs and {} steps, is {}",
            written.epoch,
            written.step,
            folder.checkpoint_path().join(super::LATEST).display()
        )),
        other => other,
    }
}
