//! Where a command writes its array.

use crate::data::Bounds;
use crate::{Result, file};
use std::path::PathBuf;

/// The array that a command writes.
#[derive(Debug, clap::Args)]
pub(super) struct ResultFile {
    /// Where the result goes: logits [samples, classes] of predict, samples in the input's shape of
    /// attack and attribute. A pipe or device is written through.
    #[arg(long, value_name = "FILE.npy")]
    pub(super) output: PathBuf,
    /// Replace a file that is already there.
    #[arg(long)]
    overwrite: bool,
}

impl ResultFile {
    /// Refuses to replace a file, before anything is computed.
    pub(super) fn check_free(&self) -> Result<()> {
        file::check_free("--output", &self.output, self.overwrite)
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
