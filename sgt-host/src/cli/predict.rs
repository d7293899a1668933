//! `sgt predict`.

use super::output::{Output, remark};
use super::result_file::{ResultFile, outside};
use crate::file::data_error;
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
    #[command(flatten)]
    result: ResultFile,
}

#[derive(Serialize)]
struct Prediction<'p> {
    output: &'p PathBuf,
    samples: usize,
    classes: &'p [String],
    predicted: Vec<usize>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    arguments.result.check_free()?;
    let input = npy::read_precise(&arguments.input)?;
    let sample = input.shape.get(1..).unwrap_or_default();
    let trained = Trained::read(&arguments.weights, arguments.model.as_deref(), sample)?;
    if let Some(outside) = outside(&input.values, trained.metadata.bounds) {
        remark(&format!("{}: {outside}", arguments.input.display()));
    }
    let x = trained.samples(&arguments.input, input)?;
    let classes = trained.model.classes();
    let logits = logits(&trained.model, &x)?;
    let samples = logits.len() / classes;
    if let Some(place) = logits.iter().position(|logit| !logit.is_finite()) {
        let (sample, class) = (place / classes, place % classes);
        return Err(data_error(
            &arguments.input,
            format!(
                "logit {} of class {class} for sample {sample}",
                logits[place]
            ),
            format!("finite logits from {}", arguments.weights.display()),
        ));
    }
    let path = &arguments.result.output;
    npy::write(path, &[samples, classes], &logits)?;
    let prediction = Prediction {
        output: path,
        samples,
        classes: &trained.metadata.classes,
        predicted: predictions(&logits, classes),
    };
    output.print(&prediction, || {
        format!("{samples} × {classes} logits in {}", path.display())
    })?;
    Ok(ExitCode::SUCCESS)
}
