//! Convolutions over the positions of a series.

use super::matrix::{add, copy};
use super::rows::{column, rows, rows_mut};
use super::{Shape, Window};
use crate::math;

/// `out[t, o] = bias[o] + Σ_k Σ_i weight[o, i, k] · x[t · stride + k · dilation − padding[0], i]`,
/// the bias first, then taps, then channels ascending.
///
/// Parameters: `weight [outputs, inputs, kernel]`, then `bias [outputs]`, as in PyTorch's `Conv1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Convolution {
    /// Channels of the output.
    pub outputs: usize,
    /// What each output sees.
    pub window: Window,
}

/// Positions and output channels whose sums run side by side: a weight is loaded once for all
/// positions, a value once for all channels.
const POSITIONS: usize = 4;
const OUTPUTS: usize = 2;
/// Values of a gradient that are summed side by side.
const BLOCK: usize = 4;

/// The sizes that the loops below share.
#[derive(Clone, Copy)]
struct Sizes {
    window: Window,
    positions: usize,
    inputs: usize,
    outputs: usize,
}

impl Sizes {
    fn new(layer: &Convolution, input: Shape) -> Self {
        // No checked layer has a zero here; `max` tells the compiler, which then links no panic.
        Self {
            window: Window {
                kernel: layer.window.kernel.max(1),
                ..layer.window
            },
            positions: input.positions,
            inputs: input.channels.max(1),
            outputs: layer.outputs.max(1),
        }
    }

    /// Weights of an output channel.
    fn row(&self) -> usize {
        (self.inputs * self.window.kernel).max(1)
    }

    fn weights(&self) -> usize {
        self.outputs * self.row()
    }

    /// The outputs all of whose taps lie inside the series, as first and end.
    fn inside(&self) -> (usize, usize) {
        let window = &self.window;
        let stride = window.stride.max(1);
        let first = math::div_ceil(window.padding[0], stride);
        let reach = window.dilation * (window.kernel - 1);
        let last = (self.positions + window.padding[0]).checked_sub(reach + 1);
        let end = last.map_or(0, |last| last / stride + 1);
        (first, end)
    }
}

pub(super) fn forward(
    layer: &Convolution,
    input: Shape,
    x: &[f32],
    parameters: &[f32],
    out: &mut [f32],
) {
    let sizes = Sizes::new(layer, input);
    let split = parameters.split_at_checked(sizes.weights());
    let (weights, bias) = split.unwrap_or_default();
    let steps = out.len() / sizes.outputs;
    let (first, end) = sizes.inside();
    let end = end.min(steps);
    let blocks = if sizes.outputs < OUTPUTS || end < first + POSITIONS {
        first..first
    } else {
        first..end
    };
    for row in rows_mut(out, sizes.outputs) {
        copy(bias, row);
    }
    for step in (0..blocks.start).chain(blocks.end..steps) {
        one_position(&sizes, step, x, weights, out);
    }
    let mut step = blocks.start;
    while step < blocks.end {
        let from = step.min(blocks.end - POSITIONS);
        several_positions(&sizes, from, x, weights, bias, out);
        step += POSITIONS;
    }
}

/// Adds the products of one position, some of whose taps may lie outside, to its biases in `out`.
fn one_position(sizes: &Sizes, step: usize, x: &[f32], weights: &[f32], out: &mut [f32]) {
    let taps = sizes.window.taps(step, sizes.positions);
    let outs = out.get_mut(step * sizes.outputs..).unwrap_or_default();
    for (out, row) in outs.iter_mut().zip(rows(weights, sizes.row())) {
        let mut sum = *out;
        let mut position = taps.position;
        for tap in taps.first..taps.end {
            let values = x.get(position * sizes.inputs..).unwrap_or_default();
            for (x, weight) in values.iter().zip(column(row, tap, sizes.window.kernel)) {
                sum += weight * x;
            }
            position += sizes.window.dilation;
        }
        *out = sum;
    }
}

/// Computes [`POSITIONS`] positions from `step`, all of whose taps lie inside. A block that would
/// pass the end begins earlier and gives some outputs twice, the same bits.
fn several_positions(
    sizes: &Sizes,
    step: usize,
    x: &[f32],
    weights: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let inputs = sizes.inputs;
    let hop = sizes.window.stride * inputs;
    let start = step * hop - sizes.window.padding[0] * inputs;
    let mut output = 0;
    while output < sizes.outputs {
        let from = output.min(sizes.outputs - OUTPUTS);
        let row_start = from * sizes.row();
        let rows = weights.get(row_start..).unwrap_or_default();
        let (row_a, rows) = rows.split_at_checked(sizes.row()).unwrap_or_default();
        let row_b = rows.get(..sizes.row()).unwrap_or_default();
        let biases = match bias.get(from..) {
            Some(&[a, b, ..]) => [a, b],
            _ => [0.0; OUTPUTS],
        };
        let mut sums = [biases; POSITIONS];
        for tap in 0..sizes.window.kernel {
            let first = start + tap * sizes.window.dilation * inputs;
            let values = |position: usize| {
                let first = first + position * hop;
                x.get(first..first + inputs).unwrap_or_default()
            };
            let xs = values(0)
                .iter()
                .zip(values(1))
                .zip(values(2))
                .zip(values(3));
            let kernel = sizes.window.kernel;
            let weights = column(row_a, tap, kernel).zip(column(row_b, tap, kernel));
            for ((((x0, x1), x2), x3), (a, b)) in xs.zip(weights) {
                sums[0][0] += a * x0;
                sums[1][0] += a * x1;
                sums[2][0] += a * x2;
                sums[3][0] += a * x3;
                sums[0][1] += b * x0;
                sums[1][1] += b * x1;
                sums[2][1] += b * x2;
                sums[3][1] += b * x3;
            }
        }
        for (position, sums) in sums.iter().enumerate() {
            let place = (step + position) * sizes.outputs + from;
            copy(sums, out.get_mut(place..).unwrap_or_default());
        }
        output += OUTPUTS;
    }
}

/// `dx[p, i] = Σ_t Σ_o weight[o, i, k] · dout[t, o]` over the outputs `t` that read `p` with their
/// tap `k`: the inner sum on its own, both ascending.
pub(super) fn input_gradient(
    layer: &Convolution,
    input: Shape,
    parameters: &[f32],
    dout: &[f32],
    dx: &mut [f32],
) {
    let sizes = Sizes::new(layer, input);
    let weights = parameters.get(..sizes.weights()).unwrap_or_default();
    dx.fill(0.0);
    for (step, dout) in rows(dout, sizes.outputs).enumerate() {
        let taps = sizes.window.taps(step, sizes.positions);
        let mut position = taps.position;
        for tap in taps.first..taps.end {
            let start = position * sizes.inputs;
            let dx = dx.get_mut(start..start + sizes.inputs).unwrap_or_default();
            let (blocks, left) = dx.as_chunks_mut::<BLOCK>();
            let mut place = tap;
            for dx in blocks {
                add_taps(&sizes, weights, place, dout, dx);
                place += BLOCK * sizes.window.kernel;
            }
            for dx in left {
                add_taps(&sizes, weights, place, dout, core::array::from_mut(dx));
                place += sizes.window.kernel;
            }
            position += sizes.window.dilation;
        }
    }
}

/// Adds to `N` channels' gradients; `place` is the first one's weight in an output channel's row.
#[inline(always)]
fn add_taps<const N: usize>(
    sizes: &Sizes,
    weights: &[f32],
    place: usize,
    dout: &[f32],
    dx: &mut [f32; N],
) {
    let mut sums = [0.0; N];
    for (row, dout) in rows(weights, sizes.row()).zip(dout) {
        for (sum, weight) in sums.iter_mut().zip(column(row, place, sizes.window.kernel)) {
            *sum += weight * dout;
        }
    }
    for (dx, sum) in dx.iter_mut().zip(sums) {
        *dx += sum;
    }
}

/// Adds `Σ_t dout[t, o] · x[t · stride + k · dilation − padding[0], i]`, `t` ascending, to each
/// weight's gradient and `Σ_t dout[t, o]` to each bias's.
pub(super) fn parameter_gradient(
    layer: &Convolution,
    input: Shape,
    x: &[f32],
    dout: &[f32],
    gradient: &mut [f32],
) {
    let sizes = Sizes::new(layer, input);
    let split = gradient.split_at_mut_checked(sizes.weights());
    let (weights, bias) = split.unwrap_or_default();
    for dout in rows(dout, sizes.outputs) {
        add(dout, bias);
    }
    let window = &sizes.window;
    let steps = dout.len() / sizes.outputs;
    for (output, row) in rows_mut(weights, sizes.row()).enumerate() {
        for tap in 0..window.kernel {
            // The outputs whose tap lies inside.
            let ahead = tap * window.dilation;
            let stride = window.stride.max(1);
            let first = math::div_ceil(window.padding[0].saturating_sub(ahead), stride);
            let room = (sizes.positions + window.padding[0]).saturating_sub(ahead);
            let end = math::div_ceil(room, stride).min(steps);
            let position = (first * stride + ahead).saturating_sub(window.padding[0]);
            let dout = dout.get(first * sizes.outputs..end * sizes.outputs);
            let dout = dout.unwrap_or_default().get(output..).unwrap_or_default();
            let values = x.get(position * sizes.inputs..).unwrap_or_default();
            let mut input = 0;
            while input < sizes.inputs {
                let left = row
                    .get_mut(input * window.kernel + tap..)
                    .unwrap_or_default();
                let values = values.get(input..).unwrap_or_default();
                if sizes.inputs - input >= BLOCK {
                    add_channels::<BLOCK>(&sizes, values, dout, left);
                    input += BLOCK;
                } else {
                    add_channels::<1>(&sizes, values, dout, left);
                    input += 1;
                }
            }
        }
    }
}

/// Adds to the gradients of one tap of `N` channels; `x` begins at the first channel of the first
/// position, `dout` at the first output, `weights` at the first channel's tap.
#[inline(always)]
fn add_channels<const N: usize>(sizes: &Sizes, x: &[f32], dout: &[f32], weights: &mut [f32]) {
    let mut sums = [0.0; N];
    let mut x = x;
    for dout in column(dout, 0, sizes.outputs) {
        let Some(values) = x.first_chunk::<N>() else {
            break;
        };
        for (sum, x) in sums.iter_mut().zip(values) {
            *sum += dout * x;
        }
        let hop = sizes.window.stride * sizes.inputs;
        x = x.get(hop..).unwrap_or_default();
    }
    let mut place = 0;
    for sum in sums {
        if let Some(weight) = weights.get_mut(place) {
            *weight += sum;
        }
        place += sizes.window.kernel;
    }
}
