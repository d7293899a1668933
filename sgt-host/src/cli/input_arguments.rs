//! The files that `predict`, `attack` and `attribute` read.

use super::output::remark;
use super::reading_arguments::ReadingArguments;
use crate::data::files::{FileSamples, format_of, read_array, read_samples};
use crate::file::{data_error, read_decompressed};
use crate::run::Trained;
use crate::{Result, npy};
use std::path::{Path, PathBuf};

/// What is read.
#[derive(Debug, clap::Args)]
pub(super) struct InputArguments {
    /// Weights of sgt train.
    #[arg(long, value_name = "FILE")]
    pub(super) weights: PathBuf,
    /// The network, where the weights do not say it: a name of sgt models, or a description.
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(super) model: Option<String>,
    /// Samples: npy or npz, [samples, channels, steps] or [samples, channels, height, width]; ts, arff; a
    /// CSV file or folder of recordings, cut into windows as in training; a picture or a folder of some.
    #[arg(long, alias = "data", value_name = "FILE")]
    pub(super) input: PathBuf,
    #[command(flatten)]
    pub(super) reading: ReadingArguments,
}

impl InputArguments {
    /// The network and the samples.
    pub(super) fn read(&self) -> Result<(Trained, FileSamples)> {
        if !is_npy(&self.input) {
            let trained = Trained::read(&self.weights, self.model.as_deref(), &[])?;
            let found = read_samples(&self.input, &trained.metadata, &self.reading.reading())?;
            return Ok((trained, found));
        }
        // Read once: it may be a pipe.
        let bytes = read_decompressed(&self.input)?;
        let shape = npy::parse_shape(&self.input, &bytes)?;
        let sample = shape.get(1..).unwrap_or_default();
        let trained = Trained::read(&self.weights, self.model.as_deref(), sample)?;
        let reading = self.reading.reading();
        let found = read_array(&self.input, &bytes, &trained.metadata, &reading)?;
        Ok((trained, found))
    }

    /// The true classes: those of the file of labels, or what the input itself says.
    pub(super) fn labels(
        &self,
        trained: &Trained,
        samples: &FileSamples,
        file: Option<&Path>,
    ) -> Result<Vec<usize>> {
        let count = samples.labels.len();
        if let Some(file) = file {
            return npy::read_labels_of(file, trained.metadata.classes.len(), count);
        }
        let labels: Option<Vec<usize>> = samples.labels.iter().copied().collect();
        labels.ok_or_else(|| {
            let unknown = samples
                .labels
                .iter()
                .filter(|label| label.is_none())
                .count();
            data_error(
                &self.input,
                format!("no known class for {unknown} of {count} samples"),
                "--labels FILE.npy, or a column of classes that --label-column names",
            )
        })
    }
}

/// Says what was found out; when all is computed, since an error is one line.
pub(super) fn say(notes: &[String]) {
    for note in notes {
        remark(note);
    }
}

/// Whether the file is an array alone, as far as its name says.
fn is_npy(path: &Path) -> bool {
    let pictures = ["png", "jpg", "jpeg"];
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let ending = ending.to_ascii_lowercase();
    format_of(&path.to_string_lossy()).is_none() && !pictures.contains(&ending.as_str())
}
