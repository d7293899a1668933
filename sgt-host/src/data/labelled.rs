//! Batches as the library's functions take them, and the checks that each makes once.

use super::{Grouping, InputShape};
use crate::{Error, Result};
use sgt_core::Layout;
use std::ops::Range;

/// A batch: sample after sample in the memory order that a model reads.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// `[batch, input]`.
    pub x: &'a [f32],
    /// The real steps (or tokens) of each sample, the others being padding; none when every step
    /// is real. Padding is never ranked, masked or removed, and networks whose description skips
    /// padding do not see it.
    pub valid: &'a [Range<usize>],
}

/// A batch with the true class of each sample.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// `[batch, input]`.
    pub x: &'a [f32],
    /// One class a sample.
    pub labels: &'a [usize],
    /// As [`Samples::valid`].
    pub valid: &'a [Range<usize>],
}

impl<'a> From<&'a [f32]> for Samples<'a> {
    fn from(x: &'a [f32]) -> Self {
        Self { x, valid: &[] }
    }
}

impl<'a> From<&'a Vec<f32>> for Samples<'a> {
    fn from(x: &'a Vec<f32>) -> Self {
        Self { x, valid: &[] }
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Samples<'a> {
    fn from(x: &'a [f32; N]) -> Self {
        Self { x, valid: &[] }
    }
}

impl<'a> From<Labelled<'a>> for Samples<'a> {
    fn from(batch: Labelled<'a>) -> Self {
        batch.samples()
    }
}

impl Samples<'_> {
    /// Refuses real steps that are not one range a sample or do not fit `input`.
    pub(crate) fn check_valid(&self, batch: usize, input: InputShape) -> Result<()> {
        let steps = input.positions();
        let fits = |range: &Range<usize>| range.start < range.end && range.end <= steps;
        if self.valid.len() == batch && self.valid.iter().all(fits) {
            return Ok(());
        }
        let wrong = self.valid.iter().position(|range| !fits(range));
        Err(Error::Argument {
            argument: "valid steps".into(),
            found: match wrong {
                Some(sample) => format!("{:?} of sample {sample}", self.valid[sample]),
                None => format!("{} ranges", self.valid.len()),
            },
            expected: format!("{batch} ranges, one a sample, within 0..{steps}"),
        })
    }
}

impl<'a> Labelled<'a> {
    /// Samples without padding.
    pub const fn new(x: &'a [f32], labels: &'a [usize]) -> Self {
        Self {
            x,
            labels,
            valid: &[],
        }
    }

    /// Without the labels.
    pub const fn samples(&self) -> Samples<'a> {
        Samples {
            x: self.x,
            valid: self.valid,
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

    /// The first `count` samples of `sample` values each, or all when there are fewer.
    #[must_use]
    pub fn first(&self, count: usize, sample: usize) -> Self {
        let count = count.min(self.len());
        Self {
            x: &self.x[..count * sample],
            labels: &self.labels[..count],
            valid: self.valid.get(..count).unwrap_or(&[]),
        }
    }

    /// The feature groups of every sample of shape `input`: padding belongs to none.
    ///
    /// # Errors
    /// [`Error::Core`] when the shape holds no value; as [`InputShape::layout`].
    pub fn layouts(&self, input: InputShape, grouping: Grouping) -> Result<Vec<Layout>> {
        let layout = input.layout(grouping)?;
        if self.valid.is_empty() {
            return Ok(vec![layout; self.len()]);
        }
        self.samples().check_valid(self.len(), input)?;
        let cut = |range: &Range<usize>| layout.with_valid(range.start, range.len());
        Ok(self.valid.iter().map(cut).collect::<Result<_, _>>()?)
    }

    /// Pieces of `rows` samples (the last may be smaller) of `sample` values, with the place of
    /// each one's first sample.
    pub fn chunks(self, rows: usize, sample: usize) -> impl Iterator<Item = (usize, Self)> {
        (0..self.len()).step_by(rows.max(1)).map(move |first| {
            let range = first..self.len().min(first + rows);
            let piece = Self {
                x: &self.x[range.start * sample..range.end * sample],
                labels: &self.labels[range.clone()],
                valid: self.valid.get(range).unwrap_or(&[]),
            };
            (first, piece)
        })
    }

    /// Checks the batch against a model's input and classes and returns the number of samples.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty, not a whole number of samples or not one sample a
    /// label; [`Error::Argument`] on NaN or infinite values, on a label that is no class and on
    /// real steps that are not one range a sample or beyond its steps.
    pub fn check(
        &self,
        operation: &'static str,
        input: InputShape,
        classes: usize,
    ) -> Result<usize> {
        if self.is_empty() || self.x.len() != self.len() * input.len() {
            return Err(Error::Shape {
                operation,
                found: format!("{} values for {} labels", self.x.len(), self.len()),
                expected: format!("{:?} values a label", input.dims()),
            });
        }
        check_finite("x", self.x)?;
        check_labels("labels", self.labels, classes)?;
        if !self.valid.is_empty() {
            self.samples().check_valid(self.len(), input)?;
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
