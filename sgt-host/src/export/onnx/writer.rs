//! What the value at hand is while layers are written: its axes, its padding.

use super::graph::{Attribute, Element, Graph, size};
use crate::network::{Parameters, Shape};

/// Which axis of a series lies behind the batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[batch, channels, steps]`: what convolutions and pooling read. An image's axes are the same.
    ChannelsFirst,
    /// `[batch, steps, channels]`: what everything else reads.
    StepsFirst,
}

/// What the value `x` holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) shape: Shape,
    pub(super) layout: Layout,
    /// Which of the writer's lengths counts the real steps; none where padding is not skipped.
    pub(super) lengths: Option<usize>,
    /// Whether the padding may hold something else than zeros.
    pub(super) filled: bool,
}

/// The real steps of samples at one place of the network.
#[derive(Debug)]
struct Lengths {
    /// `[batch]`, whole numbers.
    value: String,
    /// Steps, padding included.
    steps: usize,
    /// Which steps are real, `[batch, steps]`, where it was needed.
    real: Option<String>,
}

/// Writes layer after layer.
#[derive(Debug)]
pub(super) struct Writer<'p> {
    pub(super) graph: Graph,
    pub(super) parameters: &'p Parameters,
    /// The value that layers read and give.
    pub(super) x: String,
    pub(super) state: State,
    lengths: Vec<Lengths>,
}

impl<'p> Writer<'p> {
    pub(super) fn new(graph: Graph, parameters: &'p Parameters, x: &str, state: State) -> Self {
        Self {
            graph,
            parameters,
            x: x.into(),
            state,
            lengths: Vec::new(),
        }
    }

    /// A node on `x` alone.
    pub(super) fn of_x(&mut self, operator: &str, attributes: &[Attribute]) -> String {
        self.graph.node(operator, &[&self.x], attributes)
    }

    /// Takes `value` as `x`.
    pub(super) fn give(&mut self, value: String, shape: Shape) {
        self.x = value;
        self.state.shape = shape;
    }

    pub(super) fn transposed(&mut self, value: &str, axes: &[i64]) -> String {
        let axes = Attribute::Ints("perm", axes.to_vec());
        self.graph.node("Transpose", &[value], &[axes])
    }

    /// `value` in other axes; 0 keeps a size.
    pub(super) fn reshaped(&mut self, value: &str, axes: &[usize]) -> String {
        let axes: Vec<i64> = axes.iter().map(|&axis| size(axis)).collect();
        let axes = self.graph.integers(&axes);
        self.graph.node("Reshape", &[value, &axes], &[])
    }

    /// `value` with an axis of size 1 at each of `places`.
    pub(super) fn unsqueezed(&mut self, value: &str, places: &[i64]) -> String {
        let places = self.graph.integers(places);
        self.graph.node("Unsqueeze", &[value, &places], &[])
    }

    /// Turns a series to `layout`.
    pub(super) fn turn(&mut self, layout: Layout) {
        if matches!(self.state.shape, Shape::Series { .. }) && self.state.layout != layout {
            let x = self.x.clone();
            self.x = self.transposed(&x, &[0, 2, 1]);
            self.state.layout = layout;
        }
    }

    /// Takes `value` for the real steps of `x` from here on.
    pub(super) fn set_lengths(&mut self, value: String, steps: usize) {
        self.state.lengths = Some(self.lengths.len());
        self.lengths.push(Lengths {
            value,
            steps,
            real: None,
        });
    }

    /// The real steps of `x`, `[batch]`.
    pub(super) fn lengths(&self) -> Option<String> {
        let place = self.state.lengths?;
        Some(self.lengths[place].value.clone())
    }

    /// Which steps of `x` are real, `[batch, steps]`.
    pub(super) fn real(&mut self) -> Option<String> {
        let place = self.state.lengths?;
        if let Some(real) = &self.lengths[place].real {
            return Some(real.clone());
        }
        let (value, steps) = (self.lengths[place].value.clone(), self.lengths[place].steps);
        let numbers: Vec<i64> = (0..size(steps)).collect();
        let numbers = self.graph.integers(&numbers);
        let lengths = self.unsqueezed(&value, &[1]);
        let real = self.graph.node("Less", &[&numbers, &lengths], &[]);
        self.lengths[place].real = Some(real.clone());
        Some(real)
    }

    /// `x` with `value` in place of its padding; itself without padding.
    pub(super) fn padded_with(&mut self, value: f32) -> String {
        let x = self.x.clone();
        let Some(real) = self.real() else { return x };
        let axis = match self.state.layout {
            Layout::ChannelsFirst => 1,
            Layout::StepsFirst => 2,
        };
        let real = self.unsqueezed(&real, &[axis]);
        let value = self.graph.floats(&[], &[value]);
        self.graph.node("Where", &[&real, &x, &value], &[])
    }

    /// Makes the padding zero in front of a layer that looks at it.
    pub(super) fn clear_padding(&mut self) {
        let is_series = matches!(self.state.shape, Shape::Series { .. });
        if is_series && self.state.lengths.is_some() && self.state.filled {
            self.x = self.padded_with(0.0);
            self.state.filled = false;
        }
    }

    /// Counts the real steps behind windows that are `stride` apart; `steps` in all.
    pub(super) fn stride_lengths(&mut self, stride: usize, steps: usize) {
        let Some(place) = self.state.lengths else {
            return;
        };
        let (value, before) = (self.lengths[place].value.clone(), self.lengths[place].steps);
        self.state.filled = true;
        if stride == 1 && steps == before {
            return;
        }
        if stride == 1 && steps > before {
            self.set_lengths(value, steps);
            return;
        }
        let mut windows = value;
        if stride > 1 {
            let (more, stride) = (
                self.graph.integers(&[size(stride - 1)]),
                self.graph.integers(&[size(stride)]),
            );
            let sum = self.graph.node("Add", &[&windows, &more], &[]);
            windows = self.graph.node("Div", &[&sum, &stride], &[]);
        }
        let most = self.graph.integers(&[size(steps)]);
        let least = self.graph.node("Min", &[&windows, &most], &[]);
        self.set_lengths(least, steps);
    }

    /// `value` as another element type.
    pub(super) fn cast(&mut self, value: &str, element: Element) -> String {
        let element = Attribute::Int("to", element as i64);
        self.graph.node("Cast", &[value], &[element])
    }

    /// The sum, mean or maximum over `axes`, which go unless they are `kept`.
    pub(super) fn reduced(
        &mut self,
        operator: &str,
        value: &str,
        axes: &[i64],
        kept: bool,
    ) -> String {
        let keep = Attribute::Int("keepdims", i64::from(kept));
        if operator == "ReduceSum" {
            let axes = self.graph.integers(axes);
            return self.graph.node(operator, &[value, &axes], &[keep]);
        }
        let axes = Attribute::Ints("axes", axes.to_vec());
        self.graph.node(operator, &[value], &[axes, keep])
    }

    /// A node of two values.
    pub(super) fn both(&mut self, operator: &str, a: &str, b: &str) -> String {
        self.graph.node(operator, &[a, b], &[])
    }
}
