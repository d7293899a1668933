//! Batches as the library's functions take them, and the checks that each makes once.

use super::{InputShape, Model};
use crate::{Error, Result};

/// A batch: sample after sample in the memory order of [`Model::input`].
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// `[batch, input]`.
    pub x: &'a [f32],
    /// Real steps of each sample, padding behind them; none when every step is real. Networks
    /// whose description skips padding read it.
    pub lengths: &'a [usize],
}

/// A batch with the true class of each sample.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// `[batch, input]`.
    pub x: &'a [f32],
    /// One class a sample.
    pub labels: &'a [usize],
    /// As [`Samples::lengths`].
    pub lengths: &'a [usize],
}

impl<'a> From<&'a [f32]> for Samples<'a> {
    fn from(x: &'a [f32]) -> Self {
        Self { x, lengths: &[] }
    }
}

impl<'a> From<&'a Vec<f32>> for Samples<'a> {
    fn from(x: &'a Vec<f32>) -> Self {
        Self { x, lengths: &[] }
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Samples<'a> {
    fn from(x: &'a [f32; N]) -> Self {
        Self { x, lengths: &[] }
    }
}

impl<'a> From<Labelled<'a>> for Samples<'a> {
    fn from(batch: Labelled<'a>) -> Self {
        batch.samples()
    }
}

impl Samples<'_> {
    /// Refuses lengths that are not one a sample or do not fit `input`.
    pub(super) fn check_lengths(&self, batch: usize, input: InputShape) -> Result<()> {
        let steps = input.positions();
        let fits = |&length: &usize| (1..=steps).contains(&length);
        if self.lengths.len() == batch && self.lengths.iter().all(fits) {
            return Ok(());
        }
        let wrong = self.lengths.iter().position(|length| !fits(length));
        Err(Error::Argument {
            argument: "lengths".into(),
            found: match wrong {
                Some(sample) => format!("{} steps for sample {sample}", self.lengths[sample]),
                None => format!("{} of them", self.lengths.len()),
            },
            expected: format!("{batch}, one a sample, from 1 to {steps}"),
        })
    }
}

impl<'a> Labelled<'a> {
    /// Samples without padding.
    pub const fn new(x: &'a [f32], labels: &'a [usize]) -> Self {
        Self {
            x,
            labels,
            lengths: &[],
        }
    }

    /// Without the labels.
    pub const fn samples(&self) -> Samples<'a> {
        Samples {
            x: self.x,
            lengths: self.lengths,
        }
    }

    /// The number of samples.
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without samples.
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The real steps of sample `index`, where they are known.
    pub fn length(&self, index: usize) -> Option<usize> {
        self.lengths.get(index).copied()
    }

    /// Pieces of `rows` samples (the last may be smaller) of `sample` values, with the place of
    /// each one's first sample.
    pub fn chunks(self, rows: usize, sample: usize) -> impl Iterator<Item = (usize, Self)> {
        (0..self.len()).step_by(rows.max(1)).map(move |first| {
            let range = first..self.len().min(first + rows);
            let piece = Self {
                x: &self.x[range.start * sample..range.end * sample],
                labels: &self.labels[range.clone()],
                lengths: self.lengths.get(range).unwrap_or(&[]),
            };
            (first, piece)
        })
    }

    /// Checks the batch against `model` and returns the number of samples.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty, not a whole number of samples or not one sample a
    /// label; [`Error::Argument`] on NaN or infinite values, on a label that is no class and on
    /// lengths that are not one a sample or beyond its steps.
    pub fn check<M: Model>(&self, operation: &'static str, model: &M) -> Result<usize> {
        let input = model.input();
        if self.is_empty() || self.x.len() != self.len() * input.len() {
            return Err(Error::Shape {
                operation,
                found: format!("{} values for {} labels", self.x.len(), self.len()),
                expected: format!("{:?} values a label", input.dims()),
            });
        }
        check_finite("x", self.x)?;
        check_labels("labels", self.labels, model.classes())?;
        if !self.lengths.is_empty() {
            self.samples().check_lengths(self.len(), input)?;
        }
        Ok(self.len())
    }
}

/// Checks that every value is finite.
///
/// # Errors
/// [`Error::Argument`] naming `argument` and the first offending place.
pub fn check_finite(argument: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => Err(Error::Argument {
            argument: argument.into(),
            found: format!("{} at value {place}", values[place]),
            expected: "finite values".into(),
        }),
    }
}

/// Checks that every label is one of `classes` classes.
///
/// # Errors
/// [`Error::Argument`] naming `argument`, the first offending label and its place.
pub fn check_labels(argument: &str, labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(place) => Err(Error::Argument {
            argument: argument.into(),
            found: format!("{} for sample {place}", labels[place]),
            expected: format!("a class below {classes}"),
        }),
    }
}
