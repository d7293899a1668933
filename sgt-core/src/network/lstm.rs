//! The long short-term memory.

use super::Shape;
use super::matrix::{add, add_outer_product, add_product, add_transposed_product, copy};
use super::rows::{rows, rows_mut};
use crate::math::{exp, tanh};

/// One layer over the steps of a series from zero states; its output is the last step's state `h`,
/// a vector (Hochreiter and Schmidhuber 1997, in PyTorch's form):
///
/// `i, f, o = σ(…)`, `g = tanh(…)` of `(b_ih + b_hh) + W_ih·x_t + W_hh·h_{t−1}`, summed in this
/// order; `c_t = f·c_{t−1} + i·g`, `h_t = o·tanh(c_t)`, with `σ(z) = 1 / (1 + e^{−z})`.
///
/// Parameters: `weight_ih [4 · hidden, inputs]`, `weight_hh [4 · hidden, hidden]`, `bias_ih` and
/// `bias_hh [4 · hidden]`, gates in the order i, f, g, o.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Lstm {
    /// Values of the state.
    pub hidden: usize,
}

const GATES: usize = 4;
/// What a step keeps for the backward pass: its gates, `c` and `tanh(c)`.
const KEPT: usize = GATES + 2;

impl Lstm {
    pub(super) const fn parameters(self, inputs: usize) -> Option<usize> {
        // A row is the weights of a gate's unit and its two biases.
        let Some(row) = inputs.checked_add(self.hidden) else {
            return None;
        };
        let Some(row) = row.checked_add(2) else {
            return None;
        };
        let Some(rows) = self.hidden.checked_mul(GATES) else {
            return None;
        };
        rows.checked_mul(row)
    }

    /// Values that an inference needs: the gates and `c`.
    pub(super) const fn state_len(self) -> Option<usize> {
        self.hidden.checked_mul(GATES + 1)
    }

    /// Values that a backward pass needs: every step's, and the gradients of `h` and `c`.
    pub(super) const fn kept_len(self, steps: usize) -> Option<usize> {
        let Some(kept) = steps.checked_mul(KEPT) else {
            return None;
        };
        let Some(kept) = kept.checked_add(2) else {
            return None;
        };
        kept.checked_mul(self.hidden)
    }
}

/// A layer's parameters.
#[derive(Clone, Copy)]
struct Tensors<'p> {
    weight_ih: &'p [f32],
    weight_hh: &'p [f32],
    bias_ih: &'p [f32],
    bias_hh: &'p [f32],
}

impl<'p> Tensors<'p> {
    fn new(hidden: usize, inputs: usize, parameters: &'p [f32]) -> Self {
        let gates = GATES * hidden;
        let split = parameters.split_at_checked(gates * inputs);
        let (weight_ih, rest) = split.unwrap_or_default();
        let (weight_hh, rest) = rest.split_at_checked(gates * hidden).unwrap_or_default();
        let (bias_ih, bias_hh) = rest.split_at_checked(gates).unwrap_or_default();
        Self {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        }
    }

    /// The gates of a step from its input and the state in front.
    fn gates(&self, x: &[f32], h: &[f32], gates: &mut [f32]) {
        copy(self.bias_ih, gates);
        add(self.bias_hh, gates);
        add_product(self.weight_ih, x, gates);
        add_product(self.weight_hh, h, gates);
        let hidden = h.len();
        for (place, gate) in gates.iter_mut().enumerate() {
            let is_candidate = place >= 2 * hidden && place < 3 * hidden;
            *gate = if is_candidate {
                tanh(*gate)
            } else {
                1.0 / (1.0 + exp(-*gate))
            };
        }
    }
}

/// The four gates of a step.
fn split_gates(gates: &[f32], hidden: usize) -> [&[f32]; GATES] {
    let (i, rest) = gates.split_at_checked(hidden).unwrap_or_default();
    let (f, rest) = rest.split_at_checked(hidden).unwrap_or_default();
    let (g, o) = rest.split_at_checked(hidden).unwrap_or_default();
    [i, f, g, o]
}

/// `state` has [`Lstm::state_len`] values.
pub(super) fn forward(
    layer: Lstm,
    input: Shape,
    x: &[f32],
    parameters: &[f32],
    state: &mut [f32],
    h: &mut [f32],
) {
    let hidden = layer.hidden;
    let tensors = Tensors::new(hidden, input.channels, parameters);
    let split = state.split_at_mut_checked(GATES * hidden);
    let (gates, c) = split.unwrap_or_default();
    h.fill(0.0);
    c.fill(0.0);
    for x in rows(x, input.channels) {
        tensors.gates(x, h, gates);
        let [i, f, g, o] = split_gates(gates, hidden);
        let inner = i.iter().zip(f).zip(g).zip(o);
        for ((((i, f), g), o), (c, h)) in inner.zip(c.iter_mut().zip(h.iter_mut())) {
            *c = f * *c + i * g;
            *h = o * tanh(*c);
        }
    }
}

/// As [`forward`], with what a backward pass needs in `kept` of [`Lstm::kept_len`] values.
pub(super) fn forward_kept(
    layer: Lstm,
    input: Shape,
    x: &[f32],
    parameters: &[f32],
    kept: &mut [f32],
    h: &mut [f32],
) {
    let hidden = layer.hidden;
    let tensors = Tensors::new(hidden, input.channels, parameters);
    h.fill(0.0);
    // The gradients' place at the end is the zero state in front.
    let (steps, before) = split_kept(kept, input.positions, hidden);
    before.fill(0.0);
    let mut c_before: &[f32] = before.get(..hidden).unwrap_or_default();
    for (x, step) in rows(x, input.channels).zip(rows_mut(steps, KEPT * hidden)) {
        let split = step.split_at_mut_checked(GATES * hidden);
        let (gates, states) = split.unwrap_or_default();
        let (c, tanh_c) = states.split_at_mut_checked(hidden).unwrap_or_default();
        tensors.gates(x, h, gates);
        let [i, f, g, o] = split_gates(gates, hidden);
        let inner = i.iter().zip(f).zip(g).zip(o);
        let states = c.iter_mut().zip(tanh_c).zip(h.iter_mut()).zip(c_before);
        for ((((i, f), g), o), (((c, tanh_c), h), c_before)) in inner.zip(states) {
            *c = f * c_before + i * g;
            *tanh_c = tanh(*c);
            *h = o * *tanh_c;
        }
        c_before = c;
    }
}

fn split_kept(kept: &mut [f32], steps: usize, hidden: usize) -> (&mut [f32], &mut [f32]) {
    let split = kept.split_at_mut_checked(steps * KEPT * hidden);
    split.unwrap_or_default()
}

/// Backward through all steps, from the last. `kept` is used up; `dx` is overwritten, and the
/// parameters' gradients are added to `gradient` where `TRAIN` asks for them.
#[allow(clippy::too_many_arguments)] // a layer's place in a pass
pub(super) fn backward<const TRAIN: bool>(
    layer: Lstm,
    input: Shape,
    x: &[f32],
    parameters: &[f32],
    kept: &mut [f32],
    dout: &[f32],
    dx: &mut [f32],
    gradient: &mut [f32],
) {
    let hidden = layer.hidden;
    let inputs = input.channels;
    let width = KEPT * hidden;
    let tensors = Tensors::new(hidden, inputs, parameters);
    let (steps, states) = split_kept(kept, input.positions, hidden);
    let (dh, dc) = states.split_at_mut_checked(hidden).unwrap_or_default();
    copy(dout, dh);
    dc.fill(0.0);
    dx.fill(0.0);
    for step in (0..input.positions).rev() {
        let place = step * inputs..(step + 1) * inputs;
        let x = x.get(place.clone()).unwrap_or_default();
        let dx = dx.get_mut(place).unwrap_or_default();
        let split = steps.split_at_mut_checked(step * width);
        let (front, here) = split.unwrap_or_default();
        let before = match step.checked_sub(1) {
            Some(before) => front.get(before * width..).unwrap_or_default(),
            None => &[],
        };
        let c_before = before.get(GATES * hidden..).unwrap_or_default();
        let split = here.split_at_mut_checked(GATES * hidden);
        let (gates, states) = split.unwrap_or_default();
        gate_gradients(hidden, gates, states, c_before, dh, dc);
        let dgates: &[f32] = gates;
        add_transposed_product(tensors.weight_ih, dgates, dx);
        dh.fill(0.0);
        add_transposed_product(tensors.weight_hh, dgates, dh);
        if TRAIN {
            // h of the step before, as its forward pass computed it, where `c` of this step lay.
            let h = states.get_mut(..hidden).unwrap_or_default();
            h.fill(0.0);
            let [_, _, _, o] = split_gates(before, hidden);
            let tanh_c = before.get((GATES + 1) * hidden..).unwrap_or_default();
            for ((h, o), tanh_c) in h.iter_mut().zip(o).zip(tanh_c) {
                *h = o * tanh_c;
            }
            add_parameter_gradients(dgates, x, h, gradient);
        }
    }
}

/// Turns a step's gates into the gradients in front of their activations, and `dc` into the
/// gradient of the step before. `states` holds `c` and `tanh(c)` of the step.
fn gate_gradients(
    hidden: usize,
    gates: &mut [f32],
    states: &[f32],
    c_before: &[f32],
    dh: &[f32],
    dc: &mut [f32],
) {
    let (i, rest) = gates.split_at_mut_checked(hidden).unwrap_or_default();
    let (f, rest) = rest.split_at_mut_checked(hidden).unwrap_or_default();
    let (g, o) = rest.split_at_mut_checked(hidden).unwrap_or_default();
    let tanh_c = states.get(hidden..).unwrap_or_default();
    let gates = i.iter_mut().zip(f).zip(g).zip(o);
    let given = dh.iter().zip(dc).zip(tanh_c).enumerate();
    for ((((i, f), g), o), (unit, ((dh, dc), tanh_c))) in gates.zip(given) {
        let c_before = c_before.get(unit).unwrap_or(&0.0);
        let dc_here = *dc + dh * *o * (1.0 - tanh_c * tanh_c);
        *dc = dc_here * *f;
        let (di, df, dg) = (dc_here * *g, dc_here * c_before, dc_here * *i);
        *o = dh * tanh_c * (*o * (1.0 - *o));
        *i = di * (*i * (1.0 - *i));
        *f = df * (*f * (1.0 - *f));
        *g = dg * (1.0 - *g * *g);
    }
}

fn add_parameter_gradients(dgates: &[f32], x: &[f32], h: &[f32], gradient: &mut [f32]) {
    let gates = dgates.len();
    let split = gradient.split_at_mut_checked(gates * x.len());
    let (weight_ih, rest) = split.unwrap_or_default();
    let (weight_hh, rest) = rest
        .split_at_mut_checked(gates * h.len())
        .unwrap_or_default();
    let (bias_ih, bias_hh) = rest.split_at_mut_checked(gates).unwrap_or_default();
    add_outer_product(dgates, x, weight_ih);
    add_outer_product(dgates, h, weight_hh);
    add(dgates, bias_ih);
    add(dgates, bias_hh);
}
