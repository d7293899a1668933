//! Progress of a training: a bar on a terminal, a line an epoch elsewhere, nothing for machines.

use super::output::{Output, remark};
use crate::train::{Event, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// Seconds in a minute.
const MINUTE: u64 = 60;

/// Shows how far a training is.
pub(super) struct TrainingDisplay {
    form: Form,
    epochs: usize,
    steps: usize,
    start: Instant,
    /// Steps that were done before this process began.
    before: usize,
}

enum Form {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl TrainingDisplay {
    /// For a training of `epochs` × `steps` that stands at `progress`.
    pub(super) fn new(output: &Output, epochs: usize, steps: usize, progress: &Progress) -> Self {
        let before = progress.epoch * steps + progress.step;
        let form = match (output.is_json(), std::io::stderr().is_terminal()) {
            (true, _) => Form::Silent,
            (false, false) => Form::Lines,
            (false, true) => {
                let bar = ProgressBar::new((epochs * steps) as u64);
                let template = "{bar:24} {pos}/{len} steps  {msg}  {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_position(before as u64);
                bar.reset_eta();
                Form::Bar(bar)
            }
        };
        Self {
            form,
            epochs,
            steps,
            start: Instant::now(),
            before,
        }
    }

    /// Takes in what happened.
    pub(super) fn show(&self, event: &Event, progress: &Progress) {
        match (&self.form, event) {
            (
                Form::Bar(bar),
                Event::Step {
                    step,
                    loss,
                    accuracy,
                },
            ) => {
                let epoch = progress.epoch + 1;
                bar.set_position((progress.epoch * self.steps + step) as u64);
                bar.set_message(format!(
                    "epoch {epoch}/{}  loss {loss:.4}  accuracy {accuracy:.3}",
                    self.epochs
                ));
            }
            (Form::Lines, Event::Epoch(row)) => {
                let validation = match (row.validation_loss, row.validation_accuracy) {
                    (Some(loss), Some(accuracy)) => {
                        format!("  validation loss {loss:.4}  accuracy {accuracy:.3}")
                    }
                    _ => String::new(),
                };
                remark(&format!(
                    "epoch {}/{}  loss {:.4}  accuracy {:.3}{validation}  {} left",
                    row.epoch,
                    self.epochs,
                    row.loss,
                    row.accuracy,
                    self.left(progress)
                ));
            }
            _ => {}
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }

    fn left(&self, progress: &Progress) -> String {
        let done = (progress.epoch * self.steps + progress.step).saturating_sub(self.before);
        let to_do = (self.epochs * self.steps).saturating_sub(done + self.before);
        let each = self.start.elapsed().as_secs_f64() / done.max(1) as f64;
        let seconds = (each * to_do as f64).round() as u64;
        format!("{}:{:02}", seconds / MINUTE, seconds % MINUTE)
    }
}
