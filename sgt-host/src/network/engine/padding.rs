//! Real steps in front of their padding, whichever side it was on.

use crate::network::InputShape;
use std::ops::Range;

/// The padding of a batch.
#[derive(Clone, Debug)]
pub(super) struct Padding {
    valid: Vec<Range<usize>>,
    lengths: Vec<usize>,
}

impl Padding {
    pub(super) fn new(valid: &[Range<usize>]) -> Self {
        Self {
            valid: valid.to_vec(),
            lengths: valid.iter().map(Range::len).collect(),
        }
    }

    /// Real steps of each sample.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Moves the real steps of each sample to its front; behind them come zeros.
    pub(super) fn to_front(&self, input: InputShape, x: &mut [f32]) {
        self.each_run(input, x, |run, range, step| {
            let length = range.len() * step;
            run.copy_within(range.start * step..range.end * step, 0);
            run[length..].fill(0.0);
        });
    }

    /// Moves the front of each sample to its real steps; around them come zeros.
    pub(super) fn back(&self, input: InputShape, x: &mut [f32]) {
        self.each_run(input, x, |run, range, step| {
            run.copy_within(..range.len() * step, range.start * step);
            run[..range.start * step].fill(0.0);
            run[range.end * step..].fill(0.0);
        });
    }

    /// Calls `change` with every run of steps that lie side by side, and a step's values in it.
    fn each_run(
        &self,
        input: InputShape,
        x: &mut [f32],
        change: impl Fn(&mut [f32], &Range<usize>, usize),
    ) {
        let (run, step) = if input.is_channels_first() {
            (input.positions(), 1)
        } else {
            (input.len(), input.channels())
        };
        for (sample, range) in x.chunks_exact_mut(input.len()).zip(&self.valid) {
            for run in sample.chunks_exact_mut(run) {
                change(run, range, step);
            }
        }
    }
}
