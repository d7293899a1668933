//! `sgt report`.

use super::again::again;
use super::evaluate::EvaluatedRuns;
use super::interrupt::Interrupt;
use super::output::Output;
use super::{Common, benchmark};
use crate::compare::{group, sample_maps};
use crate::run::Lock;
use crate::{Error, Result, file, report};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    evaluated: EvaluatedRuns,
    /// Where the page, its tables and its pictures go.
    #[arg(long, value_name = "DIR", default_value = "runs/report")]
    out: PathBuf,
    /// Replace a report that is already in the folder.
    #[arg(long)]
    overwrite: bool,
}

#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    if !arguments.overwrite {
        report::check_free(&arguments.out)?;
    }
    let folders = arguments.evaluated.folders();
    let is_benchmark = |folder: &&PathBuf| benchmark::is_benchmark(folder);
    if let Some(folder) = folders.iter().find(is_benchmark) {
        if let Some(other) = folders.iter().find(|folder| !is_benchmark(folder)) {
            return Err(Error::Argument {
                argument: "RUN".into(),
                found: format!("{}, a benchmark, and {}", folder.display(), other.display()),
                expected: "folders of sgt benchmark alone, or of runs alone".into(),
            });
        }
        return benchmark::report(folders, &arguments.out, output);
    }
    let interrupt = Interrupt::watch()?;
    interrupt.end_with(format!(
        "interrupted; nothing was written: start again with {}",
        again(None, &[])
    ));
    let runs = arguments.evaluated.open(common)?;
    let groups = group(&runs)?;
    let comparison = arguments.evaluated.measure(&groups, output)?;
    let samples = sample_maps(&groups, &comparison.evaluation.methods)?;
    file::create_folder(&arguments.out)?;
    let _lock = Lock::take(&arguments.out)?;
    let files = report::write(&arguments.out, &comparison, &samples)?;
    let written = Written { files };
    output.print(&written, || paths(&written.files))?;
    Ok(ExitCode::SUCCESS)
}

/// One path a line.
pub(super) fn paths(files: &[PathBuf]) -> String {
    let names = files.iter().map(|path| path.display().to_string());
    names.collect::<Vec<_>>().join("\n")
}
