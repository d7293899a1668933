//! `sgt train`.

use super::output::{Output, remark};
use super::progress::TrainingDisplay;
use super::run_arguments::{RunArguments, text};
use super::{Common, interrupt};
use crate::Result;
use crate::config::{ConfigDraft, Regime};
use crate::run::{self, Outcome, Record, RunFolder, Session};
use crate::train::Trainer;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// standard, sgt, adversarial, asgt or sga.
    #[arg(long, value_name = "NAME")]
    regime: Option<Regime>,
    /// Seeds everything random.
    #[arg(long)]
    seed: Option<u32>,
    /// The run's folder [default: runs/DATA-MODEL-REGIME-SEED].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace a run that is already in the folder.
    #[arg(long)]
    overwrite: bool,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "data", "test", "model", "hidden", "regime", "preset", "config", "keys", "epochs", "seed",
        "out", "overwrite",
    ])]
    resume: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    if let Some(path) = &arguments.resume {
        let (folder, mut draft) = RunFolder::open(path)?;
        if let Some(folder) = &common.data_dir {
            draft.set("data.folder", text(folder)?);
        }
        let session = Session::open(&draft)?;
        folder.clean();
        return train(&folder, &session, true, output);
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
    train(&folder, &session, false, output)
}

fn train(
    folder: &RunFolder,
    session: &Session,
    resumed: bool,
    output: &Output,
) -> Result<ExitCode> {
    let config = session.config();
    let mut trainer = Trainer::new(config, session.training_data(), session.classifier()?)?;
    if resumed && let Some(checkpoint) = folder.load()? {
        trainer.restore(checkpoint)?;
    }
    let interrupt = interrupt::watch()?;
    let epochs = config.training.epochs;
    let display = TrainingDisplay::new(
        output,
        epochs,
        trainer.steps_per_epoch(),
        trainer.progress(),
    );
    let start = Instant::now();
    let interval = Duration::from_secs_f32(config.training.checkpoint_seconds);
    let outcome = run::execute(
        &mut trainer,
        folder,
        interval,
        &interrupt,
        |event, progress| display.show(event, progress),
    );
    display.finish();
    if outcome? == Outcome::Interrupted {
        let progress = trainer.progress();
        remark(&format!(
            "interrupted after {} epochs and {} steps; saved: go on with sgt train --resume {}",
            progress.epoch,
            progress.step,
            folder.path().display()
        ));
        return Ok(ExitCode::from(interrupt::INTERRUPTED));
    }
    let progress = trainer.progress().clone();
    let model = trainer.into_model();
    let record = session.finish(Some(folder), &model, &progress, start.elapsed())?;
    output.print(&record, || summary(folder, &record))?;
    Ok(ExitCode::SUCCESS)
}

fn summary(folder: &RunFolder, record: &Record) -> String {
    let kept = match record.best_epoch {
        Some(epoch) => format!(", epoch {epoch} kept"),
        None => String::new(),
    };
    format!(
        "test accuracy {:.4}, test loss {:.4} after {} epochs{kept} in {:.1} s\n{}",
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
