//! Dense layers.

use super::matrix::{add, add_outer_product, add_product, add_transposed_product, copy};

/// `out[o] = bias[o] + Σ_i weight[o, i] · x[i]`, the bias first, then `i` ascending.
///
/// Reads a vector. Parameters: `weight [outputs, inputs]`, then `bias [outputs]`, as in PyTorch's
/// `Linear`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Dense {
    /// Values of the output.
    pub outputs: usize,
}

pub(super) fn forward(x: &[f32], parameters: &[f32], out: &mut [f32]) {
    let split = parameters.split_at_checked(x.len() * out.len());
    let (weights, bias) = split.unwrap_or_default();
    copy(bias, out);
    add_product(weights, x, out);
}

pub(super) fn input_gradient(parameters: &[f32], dout: &[f32], dx: &mut [f32]) {
    let weights = parameters.get(..dx.len() * dout.len()).unwrap_or_default();
    dx.fill(0.0);
    add_transposed_product(weights, dout, dx);
}

pub(super) fn parameter_gradient(x: &[f32], dout: &[f32], gradient: &mut [f32]) {
    let split = gradient.split_at_mut_checked(x.len() * dout.len());
    let (weights, bias) = split.unwrap_or_default();
    add_outer_product(dout, x, weights);
    add(dout, bias);
}
