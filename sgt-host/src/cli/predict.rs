//! `sgt predict`.

use super::input_arguments::{InputArguments, say};
use super::output::{Output, remark};
use super::prediction_table::{PredictionTable, is_csv};
use super::result_file::{Destination, outside};
use crate::data::files::Stream;
use crate::file::data_error;
use crate::metrics::outputs::{logits, predictions};
use crate::network::{Model, Samples};
use crate::run::Trained;
use crate::{Error, Result, npy};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What stands for standard input and output.
const STANDARD: &str = "-";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// With --input -, rows of a CSV file are read from standard input as they come, and each window is
    /// answered as soon as it is whole.
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    result: Destination,
}

#[derive(Serialize)]
struct Prediction<'p> {
    output: &'p PathBuf,
    samples: usize,
    classes: &'p [String],
    predicted: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    if arguments.input.input.as_os_str() == STANDARD {
        return stream(arguments);
    }
    let path = arguments.result.path()?;
    arguments.result.check_free()?;
    let (trained, found) = arguments.input.read()?;
    let input = &arguments.input.input;
    if let Some(outside) = outside(&found.values.values, trained.metadata.bounds) {
        remark(&format!("{}: {outside}", input.display()));
    }
    let x = trained.samples(input, found.values)?;
    let classes = trained.model.classes();
    let samples = Samples {
        x: &x,
        valid: &found.valid,
    };
    let logits = logits(&trained.model, samples)?;
    check(&logits, classes, input, &arguments.input.weights)?;
    let samples = logits.len() / classes;
    let predicted = predictions(&logits, classes);
    say(&found.provenance.notes);
    if is_csv(path) {
        let mut table = PredictionTable::new(&trained.metadata.classes);
        for sample in 0..samples {
            let source = found.provenance.sources.get(sample);
            let group = source.map(|source| found.provenance.groups[source.group].as_str());
            let time = source.map(|source| (source.from, source.to));
            let row = &logits[sample * classes..][..classes];
            table.add((group, time, found.labels[sample]), row)?;
        }
        crate::file::write_atomic(path, table.text().as_bytes())?;
    } else {
        npy::write(path, &[samples, classes], &logits)?;
    }
    let known = found.labels.iter().zip(&predicted);
    let known: Vec<bool> = known
        .filter_map(|(label, predicted)| Some((*label)? == *predicted))
        .collect();
    let right = known.iter().filter(|right| **right).count();
    let prediction = Prediction {
        output: path,
        samples,
        classes: &trained.metadata.classes,
        predicted,
        accuracy: (!known.is_empty()).then(|| right as f64 / known.len() as f64),
    };
    output.print(&prediction, || {
        let accuracy = match prediction.accuracy {
            Some(accuracy) => format!(", accuracy {accuracy:.4} on {} with a class", known.len()),
            None => String::new(),
        };
        let what = if is_csv(path) {
            "probabilities"
        } else {
            "logits"
        };
        format!(
            "{samples} × {classes} {what} in {}{accuracy}",
            path.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses what is no answer.
fn check(logits: &[f32], classes: usize, input: &Path, weights: &Path) -> Result<()> {
    let Some(place) = logits.iter().position(|logit| !logit.is_finite()) else {
        return Ok(());
    };
    let (sample, class) = (place / classes, place % classes);
    Err(data_error(
        input,
        format!(
            "logit {} of class {class} for sample {sample}",
            logits[place]
        ),
        format!("finite logits from {}", weights.display()),
    ))
}

/// Answers window by window, a line of CSV each.
fn stream(arguments: &Arguments) -> Result<ExitCode> {
    let chosen = &arguments.input;
    let trained = Trained::read(&chosen.weights, chosen.model.as_deref(), &[])?;
    let path = arguments.result.output.as_deref();
    let path = path.filter(|path| path.as_os_str() != STANDARD);
    let mut out: Box<dyn Write> = match path {
        Some(path) => {
            arguments.result.check_free()?;
            let file = std::fs::File::create(path);
            Box::new(file.map_err(|source| crate::file::io_error(path, "write", source))?)
        }
        None => Box::new(std::io::stdout()),
    };
    let target = path.unwrap_or(Path::new("standard output"));
    let name = Path::new("standard input");
    let reading = chosen.reading.reading();
    let mut stream = Stream::new(name, std::io::stdin(), &trained.metadata, &reading)?;
    remark(&stream.describe());
    let mut table = PredictionTable::new(&trained.metadata.classes);
    let classes = trained.model.classes();
    loop {
        let text = table.take();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => {}
            // Nobody reads any more.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            Err(source) => return Err(crate::file::io_error(target, "write", source)),
        }
        let Some(window) = stream.next_window()? else {
            break;
        };
        let x = trained.samples(name, window.values)?;
        let logits = logits(&trained.model, &x[..])?;
        check(&logits, classes, name, &chosen.weights)?;
        let group = (!window.group.is_empty()).then_some(window.group.as_str());
        table.add(
            (group, Some((window.from, window.to)), window.label),
            &logits,
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Destination {
    /// The file, which only a stream can do without.
    fn path(&self) -> Result<&PathBuf> {
        self.output.as_ref().ok_or_else(|| Error::Argument {
            argument: "--output".into(),
            found: "none".into(),
            expected: "a file, FILE.npy or FILE.csv".into(),
        })
    }
}
