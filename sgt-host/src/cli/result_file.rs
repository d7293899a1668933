//! Where a command writes its array.

use super::prediction_table::{is_csv, series};
use crate::data::{Bounds, Preprocessing};
use crate::run::Trained;
use crate::{Result, file, npy};
use std::path::PathBuf;

/// The array that a command writes.
#[derive(Debug, clap::Args)]
pub(super) struct ResultFile {
    /// Where the result goes: samples in the input's shape, as npy, or, of series, as csv with a line a
    /// step. A pipe or device is written through.
    #[arg(long, value_name = "FILE.npy|FILE.csv")]
    pub(super) output: PathBuf,
    /// Replace a file that is already there.
    #[arg(long)]
    overwrite: bool,
}

impl ResultFile {
    /// Writes samples of `trained`, `precise` where single precision would lose something.
    ///
    /// # Errors
    /// [`crate::Error`] when it cannot be written, or is no series and is to be CSV.
    pub(super) fn write(&self, trained: &Trained, values: &[f64], precise: bool) -> Result<()> {
        let dims = trained.file_dims();
        if is_csv(&self.output) {
            let &[channels, steps] = &dims[..] else {
                return Err(crate::Error::Argument {
                    argument: "--output".into(),
                    found: "a CSV file for pictures".into(),
                    expected: "FILE.npy".into(),
                });
            };
            let known = trained.metadata.preprocessing.as_ref();
            let names = known.map_or(Vec::new(), Preprocessing::channel_names);
            let names = if names.len() == channels {
                names
            } else {
                (1..=channels)
                    .map(|channel| format!("channel {channel}"))
                    .collect()
            };
            return file::write_atomic(&self.output, series(values, &names, steps).as_bytes());
        }
        let size: usize = dims.iter().product();
        let mut shape = vec![values.len() / size.max(1)];
        shape.extend(dims);
        if precise {
            npy::write_precise(&self.output, &shape, values)
        } else {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            npy::write(&self.output, &shape, &values)
        }
    }

    /// Refuses to replace a file, before anything is computed.
    pub(super) fn check_free(&self) -> Result<()> {
        file::check_free("--output", &self.output, self.overwrite)
    }
}

/// The table or array that `predict` writes.
#[derive(Debug, clap::Args)]
pub(super) struct Destination {
    /// Where the result goes: logits [samples, classes] as npy, or, as csv, a line a sample with its time
    /// range, true and predicted class and the probabilities by name. A pipe or device is written
    /// through [default for --input -: standard output].
    #[arg(long, value_name = "FILE.npy|FILE.csv")]
    pub(super) output: Option<PathBuf>,
    /// Replace a file that is already there.
    #[arg(long)]
    overwrite: bool,
}

impl Destination {
    /// Refuses to replace a file, before anything is computed.
    pub(super) fn check_free(&self) -> Result<()> {
        match &self.output {
            Some(output) => file::check_free("--output", output, self.overwrite),
            None => Ok(()),
        }
    }
}

/// Says so when `values` leave `bounds`.
pub(super) fn outside(values: &[f64], bounds: Option<Bounds>) -> Option<String> {
    let Bounds { low, high } = bounds?;
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let inside = least >= f64::from(low) && greatest <= f64::from(high);
    (!inside)
        .then(|| format!("values from {least} to {greatest}, outside the bounds {low} to {high}"))
}
