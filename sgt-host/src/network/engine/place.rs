//! From layers to operations: what stands side by side is fused.

use super::operation::Operation;
use super::sequence::Sequence;
use crate::network::Shape;
use crate::network::layer::Layer;
use std::ops::Range;

/// What the layers of a network share while their operations are made.
pub(crate) struct Lowering<'p> {
    /// The places of the parameters, in the order of the walk.
    parameters: std::slice::Iter<'p, Range<usize>>,
    /// Whether layers take those behind them into their own operation.
    fuse: bool,
    dropouts: u64,
}

impl<'p> Lowering<'p> {
    pub(super) fn new(parameters: &'p [Range<usize>], fuse: bool) -> Self {
        Self {
            parameters: parameters.iter(),
            fuse,
            dropouts: 0,
        }
    }

    /// The operations of checked `layers`, the first of which reads `input`, and what the last
    /// gives.
    pub(super) fn layers(&mut self, layers: &[Layer], input: Shape) -> (Sequence, Shape) {
        let mut sequence = Sequence::default();
        let mut shape = input;
        let mut rest = layers;
        while let [layer, following @ ..] = rest {
            let mut place = Place {
                input: shape,
                output: output(layer, shape),
                following,
                taken: 0,
                lowering: &mut *self,
                sequence: &mut sequence,
            };
            layer.rule().lower(&mut place);
            shape = place.output;
            rest = &following[place.taken..];
        }
        (sequence, shape)
    }
}

/// The output of a layer of a checked description.
fn output(layer: &Layer, input: Shape) -> Shape {
    if let Layer::Residual(block) = layer {
        return block
            .body
            .iter()
            .fold(input, |shape, layer| output(layer, shape));
    }
    let shape = layer.rule().output(input);
    shape.unwrap_or_else(|misfit| unreachable!("the description was checked: {misfit:?}"))
}

/// Where a layer puts its operations.
pub(crate) struct Place<'l, 'p> {
    /// What the layer reads.
    pub(crate) input: Shape,
    /// What it gives, with the layers it has taken.
    pub(crate) output: Shape,
    /// The layers behind it.
    following: &'l [Layer],
    /// Of them, those that it has taken.
    taken: usize,
    lowering: &'l mut Lowering<'p>,
    sequence: &'l mut Sequence,
}

impl Place<'_, '_> {
    /// Adds an operation behind those that are there; it gives the layer's output.
    pub(crate) fn push(&mut self, operation: impl Operation) {
        self.push_inner(operation, self.output);
    }

    /// Adds an operation in front of the layer's last one; it gives `output`.
    pub(crate) fn push_inner(&mut self, operation: impl Operation, output: Shape) {
        self.sequence.push(Box::new(operation), output);
    }

    /// The places of the layer's next `N` parameters.
    pub(crate) fn parameters<const N: usize>(&mut self) -> [Range<usize>; N] {
        std::array::from_fn(|_| self.parameter())
    }

    /// The place of the layer's next parameter.
    pub(crate) fn parameter(&mut self) -> Range<usize> {
        let next = self.lowering.parameters.next();
        next.cloned()
            .unwrap_or_else(|| unreachable!("a layer takes the parameters that it declares"))
    }

    /// The number of the network's next dropout.
    pub(crate) fn next_dropout(&mut self) -> u64 {
        self.lowering.dropouts += 1;
        self.lowering.dropouts - 1
    }

    /// The operations of a block inside this layer that reads what the layer reads.
    pub(crate) fn inside(&mut self, layers: &[Layer]) -> Sequence {
        self.lowering.layers(layers, self.input).0
    }

    /// Takes a `ReLU` that follows into the layer's own operation.
    pub(crate) fn take_relu(&mut self) -> bool {
        self.take(|layer, _| matches!(layer, Layer::Relu(_)).then_some(()))
            .is_some()
    }

    /// Takes the layer that follows when `wanted` gives something of it and its input.
    pub(crate) fn take<T>(&mut self, wanted: impl FnOnce(&Layer, Shape) -> Option<T>) -> Option<T> {
        if !self.lowering.fuse {
            return None;
        }
        let next = self.following.get(self.taken)?;
        let taken = wanted(next, self.output)?;
        self.output = output(next, self.output);
        self.taken += 1;
        Some(taken)
    }
}
