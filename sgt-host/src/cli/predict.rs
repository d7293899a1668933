//! `sgt predict`.

use super::output::Output;
use crate::metrics::outputs::{logits, predictions};
use crate::network::Model;
use crate::run::Trained;
use crate::{Result, npy};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Weights of sgt train.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The network, where the weights do not say it: a name of sgt models, or a description.
    #[arg(long, value_name = "NAME|FILE.toml")]
    model: Option<String>,
    /// Samples, [samples, channels, steps] or [samples, channels, height, width].
    #[arg(long, value_name = "FILE.npy")]
    input: PathBuf,
    /// Where the logits [samples, classes] go.
    #[arg(long, value_name = "FILE.npy")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Prediction<'p> {
    output: &'p PathBuf,
    samples: usize,
    classes: &'p [String],
    predicted: Vec<usize>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    let input = npy::read(&arguments.input)?;
    let sample = input.shape.get(1..).unwrap_or_default();
    let trained = Trained::read(&arguments.weights, arguments.model.as_deref(), sample)?;
    let x = trained.samples(&arguments.input, input)?;
    let classes = trained.model.classes();
    let logits = logits(&trained.model, &x)?;
    let samples = logits.len() / classes;
    npy::write(&arguments.output, &[samples, classes], &logits)?;
    let prediction = Prediction {
        output: &arguments.output,
        samples,
        classes: &trained.metadata.classes,
        predicted: predictions(&logits, classes),
    };
    output.print(&prediction, || {
        format!(
            "{samples} × {classes} logits in {}",
            arguments.output.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
