//! The samples that are measured, and what a model says about them.

use super::description::{Description, Direction};
use crate::attribution::ROWS_PER_FORWARD;
use crate::network::{Grouping, Mode, Model, check_batch, predicted_class};
use crate::{Error, Result};
use sgt_core::Layout;
use std::ops::Range;

/// Share of samples classified correctly.
pub const ACCURACY: Description = Description {
    name: "accuracy",
    direction: Direction::HigherIsBetter,
    sensitive_to: "class balance; ties of logits count for the lowest class",
};

/// Labelled samples in the model's own memory order.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// `[samples, input]`.
    pub x: &'a [f32],
    /// One class a sample.
    pub labels: &'a [usize],
    /// The positions (time steps, tokens) of each sample that are no padding; all, when absent.
    /// Padding is never ranked or removed.
    pub valid: Option<&'a [Range<usize>]>,
    /// What is ranked and removed together.
    pub grouping: Grouping,
}

impl<'a> Samples<'a> {
    /// Samples without padding, in their natural groups.
    pub fn new(x: &'a [f32], labels: &'a [usize]) -> Self {
        Self {
            x,
            labels,
            valid: None,
            grouping: Grouping::Natural,
        }
    }

    /// The first `count` samples of `sample` values each, or all when there are fewer.
    #[must_use]
    pub fn first(&self, count: usize, sample: usize) -> Self {
        let count = count.min(self.labels.len());
        Self {
            x: &self.x[..count * sample],
            labels: &self.labels[..count],
            valid: self.valid.map(|valid| &valid[..count.min(valid.len())]),
            grouping: self.grouping,
        }
    }

    /// Checks the samples against `model`: shape, labels, finite values, valid positions.
    ///
    /// # Errors
    /// As [`check_batch`] and [`Samples::layouts`].
    pub fn check<M: Model>(&self, model: &M) -> Result<()> {
        check_batch("samples", model, self.x, self.labels)?;
        self.layouts(model).map(drop)
    }

    /// The feature groups of every sample.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one range a sample; [`Error::Core`] for a range that is
    /// empty or leaves the sample.
    pub fn layouts<M: Model>(&self, model: &M) -> Result<Vec<Layout>> {
        let layout = model.input().layout(self.grouping)?;
        let Some(valid) = self.valid else {
            return Ok(vec![layout; self.labels.len()]);
        };
        if valid.len() != self.labels.len() {
            return Err(Error::Shape {
                operation: "valid positions",
                found: format!("{} ranges", valid.len()),
                expected: format!("{}, one a sample", self.labels.len()),
            });
        }
        let cut = |range: &Range<usize>| layout.with_valid(range.start, range.len());
        Ok(valid.iter().map(cut).collect::<Result<_, _>>()?)
    }
}

/// Logits `[samples, classes]` in evaluation mode, in bounded memory.
///
/// # Errors
/// As [`Model::forward`].
pub fn logits<M: Model>(model: &M, x: &[f32]) -> Result<Vec<f32>> {
    let mut pass = M::Pass::default();
    let mut logits = Vec::with_capacity(x.len() / model.input().len().max(1) * model.classes());
    for rows in x.chunks(ROWS_PER_FORWARD * model.input().len()) {
        logits.extend_from_slice(model.forward(rows, Mode::InputGradient, &mut pass)?);
    }
    Ok(logits)
}

/// The predicted class of every sample; ties go to the lowest class.
pub fn predictions(logits: &[f32], classes: usize) -> Vec<usize> {
    logits.chunks_exact(classes).map(predicted_class).collect()
}

/// The share of samples whose predicted class is their label.
pub fn share_correct(predicted: &[usize], labels: &[usize]) -> f64 {
    let correct = predicted.iter().zip(labels).filter(|(p, l)| p == l).count();
    correct as f64 / labels.len() as f64
}

/// Softmax probabilities `[samples, classes]`.
///
/// # Errors
/// [`Error::Core`] when a logit is NaN or infinite.
pub fn probabilities(logits: &[f32], classes: usize) -> Result<Vec<f32>> {
    let mut out = vec![0.0; logits.len()];
    let rows = logits.chunks_exact(classes);
    for (row, out) in rows.zip(out.chunks_exact_mut(classes)) {
        sgt_core::softmax(row, out)?;
    }
    Ok(out)
}
