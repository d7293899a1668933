//! Convolutions over the positions of a series.
//!
//! What an output sees, its receptive field, is copied next to each other in the order of the
//! weights; the rest is a dense layer's products. The copy costs little beside them: it serves all
//! output channels.

use super::matrix::{add, add_outer_product, add_product, add_transposed_product, copy};
use super::rows::{column, rows, rows_mut};
use super::{Shape, Window};

/// `out[t, o] = bias[o] + Σ_i Σ_k weight[o, i, k] · x[t · stride + k · dilation − padding[0], i]`,
/// the bias first, then channels, for each its taps ascending; products with padding are summed as
/// zeros.
///
/// Parameters: `weight [outputs, inputs, kernel]`, then `bias [outputs]`, as in PyTorch's `Conv1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Convolution {
    /// Channels of the output.
    pub outputs: usize,
    /// What each output sees.
    pub window: Window,
}

impl Convolution {
    /// Values that an output sees: scratch for them.
    pub(super) const fn field_len(&self, inputs: usize) -> Option<usize> {
        inputs.checked_mul(self.window.kernel)
    }
}

/// Copies what the output `step` sees into `field`, `[inputs, kernel]`.
fn gather(window: &Window, input: Shape, step: usize, x: &[f32], field: &mut [f32]) {
    let taps = window.taps(step, input.positions);
    let channels = input.channels;
    field.fill(0.0);
    for (channel, field) in rows_mut(field, window.kernel).enumerate() {
        let first = taps.position * channels + channel;
        let values = column(x, first, window.dilation.saturating_mul(channels));
        let inside = field.get_mut(taps.first..taps.end).unwrap_or_default();
        for (field, x) in inside.iter_mut().zip(values) {
            *field = *x;
        }
    }
}

/// Adds the gradient of what the output `step` sees to that of the input.
fn scatter(window: &Window, input: Shape, step: usize, field: &[f32], dx: &mut [f32]) {
    let taps = window.taps(step, input.positions);
    let channels = input.channels;
    for (channel, field) in rows(field, window.kernel).enumerate() {
        let mut place = taps.position * channels + channel;
        for gradient in field.get(taps.first..taps.end).unwrap_or_default() {
            if let Some(dx) = dx.get_mut(place) {
                *dx += gradient;
            }
            place = place.saturating_add(window.dilation.saturating_mul(channels));
        }
    }
}

/// `field` has [`Convolution::field_len`] values.
pub(super) fn forward(
    layer: &Convolution,
    input: Shape,
    x: &[f32],
    parameters: &[f32],
    field: &mut [f32],
    out: &mut [f32],
) {
    let split = parameters.split_at_checked(layer.outputs * field.len());
    let (weights, bias) = split.unwrap_or_default();
    for (step, out) in rows_mut(out, layer.outputs).enumerate() {
        gather(&layer.window, input, step, x, field);
        copy(bias, out);
        add_product(weights, field, out);
    }
}

/// `dx[p, i] = Σ_t Σ_o weight[o, i, k] · dout[t, o]` over the outputs `t` that see `p` with their
/// tap `k`: the inner sum on its own, both ascending.
pub(super) fn input_gradient(
    layer: &Convolution,
    input: Shape,
    parameters: &[f32],
    dout: &[f32],
    field: &mut [f32],
    dx: &mut [f32],
) {
    let weights = parameters.get(..layer.outputs * field.len());
    let weights = weights.unwrap_or_default();
    dx.fill(0.0);
    for (step, dout) in rows(dout, layer.outputs).enumerate() {
        field.fill(0.0);
        add_transposed_product(weights, dout, field);
        scatter(&layer.window, input, step, field, dx);
    }
}

/// Adds `dout[t, o] · x[t · stride + k · dilation − padding[0], i]` to each weight's gradient and
/// `dout[t, o]` to each bias's, `t` ascending.
pub(super) fn parameter_gradient(
    layer: &Convolution,
    input: Shape,
    x: &[f32],
    dout: &[f32],
    field: &mut [f32],
    gradient: &mut [f32],
) {
    let split = gradient.split_at_mut_checked(layer.outputs * field.len());
    let (weights, bias) = split.unwrap_or_default();
    for (step, dout) in rows(dout, layer.outputs).enumerate() {
        gather(&layer.window, input, step, x, field);
        add_outer_product(dout, field, weights);
        add(dout, bias);
    }
}
