//! `sgt report`.

use super::Common;
use super::evaluate::EvaluatedRuns;
use super::output::Output;
use crate::compare::{group, sample_maps};
use crate::{Result, report};
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
}

#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let runs = arguments.evaluated.open(common)?;
    let groups = group(&runs)?;
    let comparison = arguments.evaluated.measure(&groups, output)?;
    let samples = sample_maps(&groups, &comparison.evaluation.methods)?;
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
