//! The values that parameters start with.

use super::Parameters;
use sgt_core::{Pcg32, Random};

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    /// Uniform in `±bound`.
    Uniform(f32),
    /// Normal with mean 0 and deviation 1.
    Normal,
    /// One value everywhere.
    Constant(f32),
    /// The Euclidean length of each row (all axes but the first) of the tensor in front.
    RowLengths,
}

impl Start {
    /// PyTorch's default of convolutions and linear layers: uniform in ±1/√`fan_in`.
    pub(crate) fn fan_in(fan_in: usize) -> Self {
        Self::Uniform(1.0 / (fan_in as f32).sqrt())
    }

    /// Xavier's uniform start: ±√(6 / (`inputs` + `outputs`)).
    pub(crate) fn xavier(inputs: usize, outputs: usize) -> Self {
        /// Numerator of the squared bound.
        const SIX: f32 = 6.0;
        Self::Uniform((SIX / (inputs + outputs) as f32).sqrt())
    }

    /// Fills a tensor; `rows` is the one in front of it.
    pub(crate) fn fill(self, values: &mut [f32], rows: &[f32], random: &mut Pcg32) {
        match self {
            Self::Constant(value) => values.fill(value),
            Self::Uniform(bound) => {
                for value in values {
                    *value = bound * (2.0 * random.unit() - 1.0);
                }
            }
            Self::Normal => values.fill_with(|| random.standard_normal()),
            Self::RowLengths => {
                let row = rows.len() / values.len();
                for (value, row) in values.iter_mut().zip(rows.chunks_exact(row)) {
                    *value = row.iter().map(|v| v * v).sum::<f32>().sqrt();
                }
            }
        }
    }
}

/// Draws every tensor of `parameters` from a stream of its own, numbered by its place.
pub(super) fn draw(parameters: &mut Parameters, starts: &[Start], seed: u64) {
    let entries: Vec<_> = parameters.entries().to_vec();
    for (stream, (entry, start)) in entries.iter().zip(starts).enumerate() {
        let (before, rest) = parameters.values_mut().split_at_mut(entry.range.start);
        let values = &mut rest[..entry.range.len()];
        let rows = stream
            .checked_sub(1)
            .map_or(0..0, |last| entries[last].range.clone());
        start.fill(values, &before[rows], &mut Pcg32::new(seed, stream as u64));
    }
}
