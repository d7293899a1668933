//! `sgt export`.

use super::output::Output;
use super::sample::SampleAxes;
use crate::export::{Calibration, FirmwareOptions, Target, export_with, write};
use crate::run::{RunFolder, Session, Trained};
use crate::weights::Weights;
use crate::{Error, Result};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of a finished run, or weights.
    #[arg(value_name = "RUN|WEIGHTS")]
    source: PathBuf,
    /// What it is written for: pytorch (network.py and weights.safetensors), onnx
    /// (network.onnx), firmware-rust (a no_std
    /// crate) or firmware-c (a C library in Arduino's form).
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
    /// Adds inference in 8-bit integers to firmware: int8, calibrated on the run's training data;
    /// README.md then says the accuracy of each class.
    #[arg(long, value_name = "FORMAT", value_parser = ["int8"])]
    quantize: Option<String>,
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
    let is_firmware = matches!(arguments.to, Target::FirmwareRust | Target::FirmwareC);
    for (option, given, has_meaning) in [
        ("--quantize", &arguments.quantize, is_firmware),
        (
            "--core",
            &arguments.core,
            arguments.to == Target::FirmwareRust,
        ),
    ] {
        if let (Some(given), false) = (given, has_meaning) {
            return Err(Error::Argument {
                argument: option.into(),
                found: format!("{given} for {}", arguments.to.name()),
                expected: "it for firmware alone (--core: in Rust)".into(),
            });
        }
    }
    let session = match &arguments.quantize {
        None => None,
        Some(_) if !source.is_dir() => {
            return Err(Error::Argument {
                argument: "--quantize".into(),
                found: format!("{}, weights without their run", source.display()),
                expected: "the folder of a run, whose training data calibrate the integers".into(),
            });
        }
        Some(_) => Some(Session::open(&RunFolder::open(source)?.1)?),
    };
    let options = FirmwareOptions {
        core: arguments.core.clone(),
        quantize: session.as_ref().map(|session| Calibration {
            training: &session.training_data().train,
            test: session.test(),
        }),
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
