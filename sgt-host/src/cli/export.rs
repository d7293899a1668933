//! `sgt export`.

use super::output::Output;
use super::sample::SampleAxes;
use crate::Result;
use crate::export::{FirmwareOptions, Target, export_with, write};
use crate::run::{RunFolder, Trained};
use crate::weights::Weights;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of a finished run, or weights.
    #[arg(value_name = "RUN|WEIGHTS")]
    source: PathBuf,
    /// What it is written for: pytorch (network.py and weights.safetensors) or firmware-rust (a
    /// no_std crate).
    #[arg(long, value_name = "TARGET")]
    to: Target,
    /// Where the files go.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Replace files that are already there.
    #[arg(long)]
    overwrite: bool,
    /// Where firmware finds the crate sgt-core, seen from DIR, instead of a copy inside.
    #[arg(long, value_name = "PATH")]
    core: Option<String>,
    /// The network, where the weights do not say it: a name of sgt models, or a description.
    #[arg(long, value_name = "NAME|FILE.toml")]
    model: Option<String>,
    /// One sample, where neither the weights nor a description say it: 9x128 or 3x32x32.
    #[arg(long, value_name = "SHAPE")]
    input: Option<SampleAxes>,
}

#[derive(Serialize)]
struct Exported {
    target: &'static str,
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let source = &arguments.source;
    let (path, weights) = if source.is_dir() {
        let folder = RunFolder::open(source)?.0;
        (folder.weights_path(), folder.read_weights()?)
    } else {
        (source.clone(), Weights::read(source)?)
    };
    let axes = arguments.input.as_ref().map_or(&[][..], |axes| &axes.0);
    let trained = Trained::from_weights(&path, &weights, arguments.model.as_deref(), axes)?;
    let options = FirmwareOptions {
        core: arguments.core.clone(),
    };
    let files = export_with(&trained, arguments.to, &options)?;
    let exported = Exported {
        target: arguments.to.name(),
        files: write(&arguments.folder, &files, arguments.overwrite)?,
    };
    output.print(&exported, || {
        let names = exported.files.iter().map(|file| file.display().to_string());
        names.collect::<Vec<_>>().join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}
