//! Convolutions whose channels do not see each other.

use super::matrix::{add, copy};
use super::rows::{column, rows, rows_mut};
use super::{Shape, Window};

/// `out[t, c] = bias[c] + Σ_k weight[c, k] · x[t · stride + k · dilation − padding[0], c]`, the bias
/// first, then taps ascending.
///
/// Parameters: `weight [channels, 1, kernel]`, then `bias [channels]`, as in PyTorch's `Conv1d` with
/// as many groups as channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Depthwise {
    /// What each output sees.
    pub window: Window,
}

/// Calls `call` with each tap that lies inside: its number, and where its values and its outputs
/// begin.
#[inline(always)]
fn each_tap(
    window: &Window,
    input: Shape,
    outputs: usize,
    mut call: impl FnMut(usize, usize, usize),
) {
    for step in 0..outputs {
        let taps = window.taps(step, input.positions);
        let mut position = taps.position;
        for tap in taps.first..taps.end {
            call(tap, position * input.channels, step * input.channels);
            position += window.dilation;
        }
    }
}

pub(super) fn forward(
    layer: &Depthwise,
    input: Shape,
    x: &[f32],
    parameters: &[f32],
    out: &mut [f32],
) {
    let channels = input.channels.max(1);
    let kernel = layer.window.kernel;
    let split = parameters.split_at_checked(channels * kernel);
    let (weights, bias) = split.unwrap_or_default();
    for out in rows_mut(out, channels) {
        copy(bias, out);
    }
    each_tap(
        &layer.window,
        input,
        out.len() / channels,
        |tap, x_at, out_at| {
            let out = out.get_mut(out_at..).unwrap_or_default().iter_mut();
            let x = x.get(x_at..).unwrap_or_default();
            for ((out, x), weight) in out.zip(x).zip(column(weights, tap, kernel)) {
                *out += weight * x;
            }
        },
    );
}

pub(super) fn input_gradient(
    layer: &Depthwise,
    input: Shape,
    parameters: &[f32],
    dout: &[f32],
    dx: &mut [f32],
) {
    let channels = input.channels.max(1);
    let kernel = layer.window.kernel;
    let weights = parameters.get(..channels * kernel).unwrap_or_default();
    dx.fill(0.0);
    each_tap(
        &layer.window,
        input,
        dout.len() / channels,
        |tap, x_at, out_at| {
            let dx = dx.get_mut(x_at..).unwrap_or_default().iter_mut();
            let dout = dout.get(out_at..).unwrap_or_default();
            for ((dx, dout), weight) in dx.zip(dout).zip(column(weights, tap, kernel)) {
                *dx += weight * dout;
            }
        },
    );
}

pub(super) fn parameter_gradient(
    layer: &Depthwise,
    input: Shape,
    x: &[f32],
    dout: &[f32],
    gradient: &mut [f32],
) {
    let channels = input.channels.max(1);
    let kernel = layer.window.kernel;
    let split = gradient.split_at_mut_checked(channels * kernel);
    let (weights, bias) = split.unwrap_or_default();
    for dout in rows(dout, channels) {
        add(dout, bias);
    }
    each_tap(
        &layer.window,
        input,
        dout.len() / channels,
        |tap, x_at, out_at| {
            let x = x.get(x_at..).unwrap_or_default().iter();
            let dout = dout.get(out_at..).unwrap_or_default();
            for ((x, dout), weights) in x.zip(dout).zip(rows_mut(weights, kernel)) {
                if let Some(weight) = weights.get_mut(tap) {
                    *weight += dout * x;
                }
            }
        },
    );
}
