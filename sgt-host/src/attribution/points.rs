//! Many points a forward pass: the loop that the path and noise methods share.

use super::scores::score_values;
use crate::Result;
use crate::network::{Labelled, Mode, Model, Samples, Score, input_gradient};
use std::ops::Range;

/// Samples a forward pass holds at most, so that memory stays bounded whatever the batch and
/// the number of path points.
pub const ROWS_PER_FORWARD: usize = 128;

/// The batch that is attributed, and the buffers of the passes over points around it.
pub(super) struct Points<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) x: &'a [f32],
    pub(super) batch: Labelled<'a>,
    pub(super) score: Score,
    /// Values a sample.
    pub(super) sample: usize,
    pass: M::Pass,
    rows: Vec<f32>,
    row_labels: Vec<usize>,
    row_valid: Vec<Range<usize>>,
    gradients: Vec<f32>,
}

impl<'a, M: Model> Points<'a, M> {
    pub(super) fn new(model: &'a M, batch: Labelled<'a>, score: Score) -> Self {
        Self {
            model,
            x: batch.x,
            batch,
            score,
            sample: model.input().len(),
            pass: M::Pass::default(),
            rows: Vec::new(),
            row_labels: Vec::new(),
            row_valid: Vec::new(),
            gradients: Vec::new(),
        }
    }

    /// Gradients of the score at `count` points a sample.
    ///
    /// `place(sample, point, row)` writes a point; `take(sample, point, row, gradient)` gets it
    /// back with its gradient, in ascending order of samples and points.
    pub(super) fn gradients(
        &mut self,
        count: usize,
        mut place: impl FnMut(usize, usize, &mut [f32]),
        mut take: impl FnMut(usize, usize, &[f32], &[f32]),
    ) -> Result<()> {
        let total = self.batch.len() * count;
        for first in (0..total).step_by(ROWS_PER_FORWARD) {
            self.fill(first, total, count, &mut place);
            self.gradients.resize(self.rows.len(), 0.0);
            let rows = Labelled {
                x: &self.rows,
                labels: &self.row_labels,
                valid: &self.row_valid,
            };
            let (pass, gradients) = (&mut self.pass, &mut self.gradients);
            input_gradient(self.model, rows, self.score, pass, gradients)?;
            let rows = self.rows.chunks_exact(self.sample);
            let gradients = self.gradients.chunks_exact(self.sample);
            for (index, (row, gradient)) in (first..).zip(rows.zip(gradients)) {
                take(index / count, index % count, row, gradient);
            }
        }
        Ok(())
    }

    /// Scores at `count` points a sample: [`Points::gradients`] without the backward passes.
    pub(super) fn scores(
        &mut self,
        count: usize,
        mut place: impl FnMut(usize, usize, &mut [f32]),
        mut take: impl FnMut(usize, usize, f32),
    ) -> Result<()> {
        let total = self.batch.len() * count;
        for first in (0..total).step_by(ROWS_PER_FORWARD) {
            self.fill(first, total, count, &mut place);
            let rows = Samples {
                x: &self.rows,
                valid: &self.row_valid,
            };
            let mode = Mode::InputGradient;
            let logits = self.model.forward(rows, mode, &mut self.pass)?;
            let scores = score_values(self.score, logits, &self.row_labels)?;
            for (index, score) in (first..).zip(scores) {
                take(index / count, index % count, score);
            }
        }
        Ok(())
    }

    fn fill(
        &mut self,
        first: usize,
        total: usize,
        count: usize,
        place: &mut impl FnMut(usize, usize, &mut [f32]),
    ) {
        let rows = ROWS_PER_FORWARD.min(total - first);
        self.rows.resize(rows * self.sample, 0.0);
        self.row_labels.clear();
        self.row_valid.clear();
        for (index, row) in (first..).zip(self.rows.chunks_exact_mut(self.sample)) {
            self.row_labels.push(self.batch.labels[index / count]);
            self.row_valid
                .extend(self.batch.valid.get(index / count).cloned());
            place(index / count, index % count, row);
        }
    }
}
