//! The passes through a whole table: an inference, and the pair of a forward pass that keeps what
//! its backward pass needs.
//!
//! The forward pass writes every layer's output to one slice, the tape. The backward pass writes
//! each activation's gradient over the activation itself, as soon as nobody needs that any more, so
//! that the only other memory is one gradient on its way (`delta`).

use super::layer::{Reads, relu, relu_gradient};
use super::plan::{BUFFERS, Place, Stage, Walk};
use super::{Layer, Network, Parameters, matrix};

impl<const KINDS: u16> Network<'_, KINDS> {
    pub(super) fn walk(&self) -> Walk<'_> {
        Walk::new(self.layers, self.input)
    }

    /// The layer of that number.
    fn stage(&self, number: usize) -> Option<Stage<'_>> {
        let mut walk = self.walk();
        for _ in 0..number {
            walk.next();
        }
        walk.next()
    }

    /// Where the logits are.
    fn last(&self) -> Place {
        let last = self.layers.len().checked_sub(1);
        let stage = last.and_then(|last| self.stage(last));
        stage.map_or(Place::Input, |stage| stage.writes)
    }

    /// Writes the logits. All lengths were checked.
    pub(super) fn run(
        &self,
        parameters: Parameters<'_>,
        input: &[f32],
        scratch: &mut [f32],
        logits: &mut [f32],
    ) {
        let [a, b, c] = self.sizes.buffers;
        let (a, rest) = scratch.split_at_mut_checked(a).unwrap_or_default();
        let (b, rest) = rest.split_at_mut_checked(b).unwrap_or_default();
        let (c, state) = rest.split_at_mut_checked(c).unwrap_or_default();
        let mut buffers = [a, b, c];
        let mut walk = self.walk();
        let mut place = Place::Input;
        let mut values = 0;
        while let Some(stage) = walk.next() {
            place = stage.writes;
            values = stage.output.len();
            let Place::Own { buffer, .. } = stage.writes else {
                continue;
            };
            if stage.is_in_place() {
                if matches!(stage.layer, Layer::Relu) {
                    let own = buffers.get_mut(buffer);
                    let own = own.and_then(|own| own.get_mut(..values));
                    relu(own.unwrap_or_default());
                }
                continue;
            }
            // Taken out while the layer reads the others.
            let own = buffers.get_mut(buffer).map(core::mem::take);
            let out = own.unwrap_or_default();
            let reads = Reads {
                layer: stage.layer,
                input: stage.input,
                x: buffered(&buffers, input, stage.reads, stage.input.len()),
                parameters: parameters.of_layer(stage.first, stage.parameters),
            };
            let skip = buffered(&buffers, input, stage.skip, values);
            let end = out.get_mut(..values).unwrap_or_default();
            reads.forward::<KINDS, false>(skip, state, end);
            if let Some(slot) = buffers.get_mut(buffer) {
                *slot = out;
            }
        }
        matrix::copy(buffered(&buffers, input, place, values), logits);
    }

    /// Writes every activation to the tape.
    pub(super) fn forward(&self, parameters: Parameters<'_>, input: &[f32], tape: &mut [f32]) {
        let mut walk = self.walk();
        while let Some(stage) = walk.next() {
            let Place::Own { tape: start, .. } = stage.writes else {
                continue;
            };
            let values = stage.output.len();
            let split = tape.split_at_mut_checked(start);
            let (before, own) = split.unwrap_or_default();
            let (out, kept) = own.split_at_mut_checked(values).unwrap_or_default();
            if stage.is_in_place() {
                if matches!(stage.layer, Layer::Relu) {
                    relu(out);
                }
                continue;
            }
            let reads = reads(&stage, parameters, input, before);
            let skip = taped(before, input, stage.skip, values);
            reads.forward::<KINDS, true>(skip, kept, out);
        }
    }

    /// Shows each layer's output with the layer's number: the passes through ever longer tables.
    pub(super) fn each_output(
        &self,
        parameters: Parameters<'_>,
        input: &[f32],
        tape: &mut [f32],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) {
        let mut walk = self.walk();
        let mut number = 0;
        while let Some(stage) = walk.next() {
            let part = Self {
                layers: self.layers.get(..=number).unwrap_or_default(),
                ..*self
            };
            part.forward(parameters, input, tape);
            let values = stage.output.len();
            visit(number, taped(tape, input, stage.writes, values));
            number += 1;
        }
    }

    /// What the last layer wrote.
    pub(super) fn logits<'v>(&self, input: &'v [f32], tape: &'v [f32]) -> &'v [f32] {
        taped(tape, input, self.last(), self.sizes.classes)
    }

    /// Goes back through a tape, which is used up. `delta` begins with the logits' gradient, and
    /// ends with the input's, if that is `wanted`. Adds the trained parameters' gradients to
    /// `gradient`.
    pub(super) fn backward<const TRAIN: bool>(
        &self,
        parameters: Parameters<'_>,
        input: &[f32],
        tape: &mut [f32],
        delta: &mut [f32],
        wanted: bool,
        gradient: &mut [f32],
    ) {
        let frozen = parameters.frozen.len();
        let mut number = self.layers.len();
        self.settle(number, self.last(), self.sizes.classes, tape, delta);
        while let Some(below) = number.checked_sub(1) {
            number = below;
            let Some(stage) = self.stage(number) else {
                continue;
            };
            let Place::Own { tape: start, .. } = stage.writes else {
                continue;
            };
            if stage.is_in_place() {
                continue;
            }
            let is_needed = wanted || stage.first > frozen;
            let own = match stage.first.checked_sub(frozen) {
                Some(first) if TRAIN => gradient.get_mut(first..first + stage.parameters),
                _ => None,
            };
            let split = tape.split_at_mut_checked(start);
            let (before, own_tape) = split.unwrap_or_default();
            let split = own_tape.split_at_mut_checked(stage.output.len());
            let (dout, kept) = split.unwrap_or_default();
            let values = stage.input.len();
            let reads = reads(&stage, parameters, input, before);
            let dx = delta.get_mut(..values).unwrap_or_default();
            let gradient = own.unwrap_or_default();
            reads.backward::<KINDS, TRAIN>(kept, dout, is_needed, dx, gradient);
            if !is_needed {
                return;
            }
            self.settle(number, stage.reads, values, tape, delta);
        }
    }

    /// Writes the gradient `delta` of what the layer of that number reads over the values
    /// themselves, after it passed what lies in the same place: residuals that begin there, and
    /// activations in place.
    fn settle(
        &self,
        number: usize,
        place: Place,
        values: usize,
        tape: &mut [f32],
        delta: &mut [f32],
    ) {
        let delta = delta.get_mut(..values).unwrap_or_default();
        let mut number = number;
        while let Some(below) = number.checked_sub(1) {
            number = below;
            let Some(stage) = self.stage(number) else {
                return;
            };
            if !stage.is_in_place() {
                break;
            }
            match stage.layer {
                Layer::Relu => relu_gradient(taped(tape, &[], place, values), delta),
                Layer::ResidualStart => {
                    matrix::add(taped(tape, &[], self.sum_behind(number), values), delta);
                }
                _ => {}
            }
        }
        if let Place::Own { tape: start, .. } = place {
            matrix::copy(delta, tape.get_mut(start..).unwrap_or_default());
        }
    }

    /// Where the sum is that closes the residual begun by the layer of that number.
    fn sum_behind(&self, number: usize) -> Place {
        let mut walk = self.walk();
        let mut layer = 0;
        while let Some(stage) = walk.next() {
            if layer > number && matches!(stage.layer, Layer::ResidualAdd) {
                return stage.writes;
            }
            layer += 1;
        }
        Place::Input
    }
}

/// `values` values of an inference's buffer, or of the input.
fn buffered<'v>(
    buffers: &'v [&mut [f32]; BUFFERS],
    input: &'v [f32],
    place: Place,
    values: usize,
) -> &'v [f32] {
    let all = match place {
        Place::Input => input,
        Place::Own { buffer, .. } => buffers.get(buffer).map(|it| &**it).unwrap_or_default(),
    };
    all.get(..values).unwrap_or_default()
}

/// `values` values of the tape, or of the input.
fn taped<'v>(tape: &'v [f32], input: &'v [f32], place: Place, values: usize) -> &'v [f32] {
    let all = match place {
        Place::Input => input,
        Place::Own { tape: start, .. } => tape.get(start..).unwrap_or_default(),
    };
    all.get(..values).unwrap_or_default()
}

/// What a layer reads of the tape, or of the input.
fn reads<'r>(
    stage: &Stage<'r>,
    parameters: Parameters<'r>,
    input: &'r [f32],
    tape: &'r [f32],
) -> Reads<'r> {
    Reads {
        layer: stage.layer,
        input: stage.input,
        x: taped(tape, input, stage.reads, stage.input.len()),
        parameters: parameters.of_layer(stage.first, stage.parameters),
    }
}
