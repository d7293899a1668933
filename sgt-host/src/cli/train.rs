//! `sgt train`.

use super::curves::{CurveArguments, Curves};
use super::interrupt::Interrupt;
use super::output::{Output, remark};
use super::progress::TrainingDisplay;
use super::run_arguments::{RunArguments, text};
use super::{Common, interrupt};
use crate::compare::{ClassCount, warnings_of_one};
use crate::config::{ConfigDraft, Regime};
use crate::instructions::{self, InstructionSet};
use crate::report::table;
use crate::run::{self, Outcome, Record, RunFolder, Saving, Session};
use crate::train::{Checkpoint, Event, Trainer};
use crate::{Result, shell};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// standard, sgt, adversarial, asgt or sga [default: sgt].
    #[arg(long, value_name = "NAME")]
    regime: Option<Regime>,
    /// Seeds everything random [default: 0].
    #[arg(long)]
    seed: Option<u32>,
    /// The run's folder [default: runs/DATA-MODEL-REGIME-SEED].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace a run that is already in the folder.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    curves: CurveArguments,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "data", "test", "label_column", "time_column", "group_column", "channels", "header", "wide",
        "window", "step", "rate", "max_gap", "window_label", "missing", "resize", "split", "split_by",
        "fold", "leave_out", "split_seed", "force_split", "model", "hidden", "regime", "preset", "config", "keys", "epochs", "seed",
        "out", "overwrite", "class_weights", "balanced_batches",
    ])]
    resume: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let curves = Curves::new(&arguments.curves);
    if let Some(path) = &arguments.resume {
        // Before anything is read: another process may be writing it.
        let (mut folder, _) = RunFolder::open(path)?;
        folder.lock()?;
        folder.clean();
        let (_, mut draft) = RunFolder::open(path)?;
        if let Some(folder) = &common.data_dir {
            draft.set("data.folder", text(folder)?);
        }
        let session = Session::open(&draft)?;
        return train(folder, &session, Some(common), curves, output);
    }
    let session = Session::open(&draft(arguments, common)?)?;
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => PathBuf::from("runs").join(session.name()),
    };
    // What cannot be trained leaves no folder behind.
    Trainer::new(
        session.config(),
        session.training_data(),
        session.classifier()?,
    )?;
    let folder = RunFolder::create(&path, session.config(), arguments.overwrite)?;
    train(folder, &session, None, curves, output)
}

/// Trains in `folder`; `resumed` is given for a run that goes on.
fn train(
    mut folder: RunFolder,
    session: &Session,
    resumed: Option<&Common>,
    curves: Curves,
    output: &Output,
) -> Result<ExitCode> {
    let config = session.config();
    folder.identify(session.identity()?);
    let mut checkpoint = None;
    if let Some(common) = resumed {
        checkpoint = folder.load(config)?;
        if let Some(checkpoint) = &checkpoint {
            keep_instructions(checkpoint, common)?;
        }
    }
    let folder = &folder;
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    if let Some(checkpoint) = checkpoint {
        trainer.restore(checkpoint)?;
    }
    let interrupt = Interrupt::watch()?;
    // Not before: an error is one line.
    for note in session.notes() {
        remark(note);
    }
    let epochs = config.training.epochs;
    let display = TrainingDisplay::new(
        output,
        epochs,
        trainer.steps_per_epoch(),
        trainer.progress(),
    );
    let start = Instant::now();
    let saving = Saving {
        epochs: true,
        interval: Duration::from_secs_f32(config.training.checkpoint_seconds),
    };
    let outcome = run::execute(
        &mut trainer,
        folder,
        saving,
        interrupt.asked(),
        |event, progress| {
            if let Event::Epoch(row) = event {
                curves.epoch(&session.name(), row);
            }
            display.show(event, progress);
        },
    );
    display.finish();
    if outcome? == Outcome::Interrupted {
        let progress = trainer.progress();
        remark(&format!(
            "interrupted after {} epochs and {} steps; saved: go on with sgt train --resume {}",
            progress.epoch,
            progress.step,
            shell::path(folder.path())
        ));
        return Ok(ExitCode::from(interrupt::INTERRUPTED));
    }
    let progress = trainer.progress().clone();
    let model = trainer.into_model();
    let record = session.finish(Some(folder), &model, &progress, start.elapsed())?;
    output.print(&record, || summary(folder, session, &record))?;
    curves.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Goes on with the instruction set that a run ended with, unless another is asked for or the
/// machine lacks it: then the bits are those of neither, and that is said.
fn keep_instructions(checkpoint: &Checkpoint, common: &Common) -> Result<()> {
    let Some(&before) = checkpoint.progress.instructions.last() else {
        return Ok(());
    };
    if common.instructions.is_none() && before.is_available() {
        return instructions::choose(before);
    }
    let now = InstructionSet::current();
    if now != before {
        remark(&format!(
            "the run was computed with {before} and goes on with {now}: its numbers will differ in \
             the last digits from a run of either"
        ));
    }
    Ok(())
}

fn summary(folder: &RunFolder, session: &Session, record: &Record) -> String {
    let kept = match record.best_epoch {
        Some(epoch) => format!(", epoch {epoch} kept"),
        None => String::new(),
    };
    let mut of_classes = String::new();
    let mut others = String::new();
    if let Some(answers) = &record.classification {
        let (training, test) = (&session.training_data().train, session.test());
        let counts = ClassCount::all(
            test.classes(),
            &training.class_counts(),
            &test.class_counts(),
        );
        others = format!(
            " (balanced {:.4}, always the largest class {:.4})",
            answers.balanced_accuracy, answers.majority_baseline
        );
        of_classes = table::classes(answers) + &table::warned(&warnings_of_one(&counts, answers));
    }
    format!(
        "test accuracy {:.4}{others}, test loss {:.4} after {} epochs{kept} in {:.1} s\n\
         {of_classes}{}",
        record.test_accuracy,
        record.test_loss,
        record.epochs,
        record.seconds,
        folder.weights_path().display()
    )
}

/// The layers that the command line describes.
fn draft(arguments: &Arguments, common: &Common) -> Result<ConfigDraft> {
    let mut draft = arguments.run.draft(common)?;
    if let Some(regime) = arguments.regime {
        draft.set("regime", regime.name());
    }
    if let Some(seed) = arguments.seed {
        draft.set("seed", i64::from(seed));
    }
    Ok(draft)
}
