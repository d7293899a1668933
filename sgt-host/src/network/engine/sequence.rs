//! Operations one after the other.

use super::operation::{AnyOperation, Call, Flow, Kept, Pair, Pull};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::network::Shape;
use std::any::Any;

/// Operations, each of which reads what the one in front of it gives.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    operation: Box<dyn AnyOperation>,
    output: Shape,
}

/// What one forward pass through a [`Sequence`] leaves for backward passes.
#[derive(Default)]
pub(crate) struct SequenceState {
    steps: Vec<StepState>,
}

struct StepState {
    out: Buffer,
    flow: Flow,
    /// Real steps of each sample's output, where padding is skipped.
    lengths: Vec<usize>,
    state: Box<dyn Any + Send>,
}

impl SequenceState {
    /// The output of the first `steps` operations, the first of which reads `x`.
    fn output<'a>(steps: &'a [StepState], x: &'a [f32]) -> &'a [f32] {
        let last = steps.iter().rev().find(|step| step.flow == Flow::Written);
        last.map_or(x, |step| &step.out)
    }

    /// The output of the last operation.
    pub(crate) fn last<'a>(&'a self, x: &'a [f32]) -> &'a [f32] {
        Self::output(&self.steps, x)
    }

    fn lengths<'a>(steps: &'a [StepState], call: &Call<'a>) -> Option<&'a [usize]> {
        let own = steps.last().map(|step| step.lengths.as_slice());
        call.lengths.map(|input| own.unwrap_or(input))
    }
}

impl Sequence {
    pub(super) fn push(&mut self, operation: Box<dyn AnyOperation>, output: Shape) {
        self.steps.push(Step { operation, output });
    }

    /// Puts an operation in front of all others.
    pub(super) fn push_front(&mut self, operation: Box<dyn AnyOperation>, output: Shape) {
        self.steps.insert(0, Step { operation, output });
    }

    /// The place of the first operation whose output depends on the mode.
    pub(super) fn first_that_depends_on_mode(&self) -> usize {
        let mut steps = self.steps.iter();
        let first = steps.position(|step| step.operation.depends_on_mode());
        first.unwrap_or(self.steps.len())
    }

    pub(crate) fn has_parameters(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.operation.has_parameters())
    }

    pub(crate) fn depends_on_mode(&self) -> bool {
        self.first_that_depends_on_mode() < self.steps.len()
    }

    /// Real steps of the output when the input has `steps`.
    pub(crate) fn valid_steps(&self, steps: usize) -> usize {
        let operations = self.steps.iter().map(|step| &step.operation);
        operations.fold(steps, |steps, operation| operation.valid_steps(steps))
    }

    /// Runs the operations from `first` on; `x` is what the very first reads, and the states in
    /// front of `first` hold.
    pub(crate) fn forward(
        &self,
        first: usize,
        call: &Call<'_>,
        x: &[f32],
        state: &mut SequenceState,
    ) -> Result<()> {
        for step in &self.steps[state.steps.len().min(self.steps.len())..] {
            state.steps.push(StepState {
                out: Buffer::default(),
                flow: Flow::Unchanged,
                lengths: Vec::new(),
                state: step.operation.new_state(),
            });
        }
        for (index, step) in self.steps.iter().enumerate().skip(first) {
            let (done, rest) = state.steps.split_at_mut(index);
            let x = SequenceState::output(done, x);
            let call = Call {
                lengths: SequenceState::lengths(done, call),
                ..*call
            };
            let StepState {
                out,
                flow,
                lengths,
                state,
            } = &mut rest[0];
            *flow = step.operation.forward(&call, x, out, state.as_mut())?;
            lengths.clear();
            if let Some(before) = call.lengths {
                lengths.extend(
                    before
                        .iter()
                        .map(|&steps| step.operation.valid_steps(steps)),
                );
                if *flow == Flow::Written {
                    clear_padding(step.output, lengths, out);
                }
            }
        }
        Ok(())
    }

    /// Pulls `dout` back through a forward pass; gives the gradient with respect to `x` when
    /// `wanted`.
    pub(crate) fn backward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        mut dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        state: &mut SequenceState,
    ) -> Result<Option<Buffer>> {
        for (index, step) in self.steps.iter().enumerate().rev() {
            let mut in_front = self.steps[..index].iter();
            let trained = pull.gradient.is_some();
            let needed =
                wanted || (trained && in_front.any(|step| step.operation.has_parameters()));
            if !(needed || trained && step.operation.has_parameters()) {
                pull.spare(dout);
                return Ok(None);
            }
            let (done, rest) = state.steps.split_at_mut(index);
            let x = SequenceState::output(done, x);
            let call = Call {
                lengths: SequenceState::lengths(done, call),
                ..*call
            };
            let own = &mut rest[0];
            if call.lengths.is_some() {
                clear_padding(step.output, &own.lengths, &mut dout);
            }
            let kept = Kept { x, out: &own.out };
            let state = own.state.as_mut();
            match step
                .operation
                .backward(&call, kept, dout, needed, pull, state)?
            {
                Some(dx) => dout = dx,
                None => return Ok(None),
            }
        }
        Ok(Some(dout))
    }

    /// Pulls multipliers `dout` back between the passes of a batch and of its references, whose
    /// inputs are `pair`'s.
    pub(crate) fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        mut dout: Buffer,
        pull: &mut Pull<'_>,
        [state, reference]: [&mut SequenceState; 2],
    ) -> Result<Buffer> {
        for (index, step) in self.steps.iter().enumerate().rev() {
            let (done, rest) = state.steps.split_at_mut(index);
            let (reference_done, reference_rest) = reference.steps.split_at_mut(index);
            let call = Call {
                lengths: SequenceState::lengths(done, call),
                ..*call
            };
            let (own, of_reference) = (&mut rest[0], &mut reference_rest[0]);
            if call.lengths.is_some() {
                clear_padding(step.output, &own.lengths, &mut dout);
            }
            let pair = Pair {
                x: SequenceState::output(done, pair.x),
                reference: SequenceState::output(reference_done, pair.reference),
                out: &own.out,
                reference_out: &of_reference.out,
                ..pair
            };
            let states = [
                own.state.as_mut() as &mut dyn Any,
                of_reference.state.as_mut(),
            ];
            if own.flow == Flow::Written {
                dout = step
                    .operation
                    .multipliers(&call, pair, dout, pull, states)?;
            }
        }
        Ok(dout)
    }

    /// Moves running statistics towards those of a training pass.
    pub(crate) fn absorb(&self, state: &SequenceState, parameters: &mut [f32]) {
        for (step, state) in self.steps.iter().zip(&state.steps) {
            step.operation.absorb(state.state.as_ref(), parameters);
        }
    }
}

/// Writes zeros behind each sample's real steps.
pub(super) fn clear_padding(shape: Shape, lengths: &[usize], values: &mut [f32]) {
    let Shape::Series { steps, channels } = shape else {
        return;
    };
    let samples = values.chunks_exact_mut(steps * channels);
    for (sample, &length) in samples.zip(lengths) {
        sample[length.min(steps) * channels..].fill(0.0);
    }
}
