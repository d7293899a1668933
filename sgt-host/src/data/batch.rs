//! Minibatches in the memory order that a model reads, in buffers that are reused.

use super::{Dataset, InputShape, Labelled, SeriesOrder};
use crate::{Error, Result};
use std::ops::Range;

/// Some samples of a [`Dataset`], flat, in input units.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    x: Vec<f32>,
    labels: Vec<usize>,
    valid: Vec<Range<usize>>,
}

impl Batch {
    /// An empty batch; [`Batch::fill`] gives it samples and allocates for the largest only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the content by the samples at `indices`, laid out as `input` says: a series in
    /// either [`SeriesOrder`], everything else as the data set holds it.
    ///
    /// # Errors
    /// [`Error::Shape`] when `input` is not the data set's shape but for the order,
    /// [`Error::Argument`] when an index names no sample.
    pub fn fill(&mut self, data: &Dataset, indices: &[usize], input: InputShape) -> Result<()> {
        if input.ordered(SeriesOrder::ChannelsFirst) != data.shape() {
            return Err(Error::Shape {
                operation: "batch",
                found: format!("{:?} samples of {}", data.shape().dims(), data.name()),
                expected: format!("{input:?}, the model's input"),
            });
        }
        if let Some(index) = indices.iter().find(|&&index| index >= data.len()) {
            return Err(Error::Argument {
                argument: "batch index".into(),
                found: index.to_string(),
                expected: format!("below {}", data.len()),
            });
        }
        self.x.clear();
        self.labels.clear();
        self.valid.clear();
        for &index in indices {
            let sample = data.sample(index);
            match input {
                InputShape::Series {
                    steps,
                    order: SeriesOrder::StepsFirst,
                    ..
                } => {
                    for step in 0..steps {
                        self.x.extend(sample[step..].iter().step_by(steps));
                    }
                }
                _ => self.x.extend_from_slice(sample),
            }
            self.labels.push(data.labels()[index]);
            if data.is_padded() {
                self.valid.push(data.valid_steps(index));
            }
        }
        Ok(())
    }

    /// The batch as the library's functions take it.
    pub fn labelled(&self) -> Labelled<'_> {
        Labelled {
            x: &self.x,
            labels: &self.labels,
            valid: &self.valid,
        }
    }

    /// The values, to be varied, and the real steps of each sample.
    pub(crate) fn x_mut(&mut self) -> (&mut [f32], &[Range<usize>]) {
        (&mut self.x, &self.valid)
    }

    /// `batch × input.len()` values.
    pub fn x(&self) -> &[f32] {
        &self.x
    }

    /// One class a sample.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The real steps of each sample, as [`Dataset::valid_steps`]; none without padding.
    pub fn valid(&self) -> &[Range<usize>] {
        &self.valid
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
