//! Pooling over positions, channel by channel.

use super::matrix::{add, copy};
use super::rows::{rows, rows_mut};
use super::{Shape, Window};

/// The largest value of each window's taps inside the series; of equal values the first, and a NaN
/// is larger than any number.
pub(super) fn max_forward(window: &Window, input: Shape, x: &[f32], out: &mut [f32]) {
    let channels = input.channels;
    for (step, out) in rows_mut(out, channels).enumerate() {
        let taps = window.taps(step, input.positions);
        let mut position = taps.position;
        for tap in taps.first..taps.end {
            let x = x.get(position * channels..).unwrap_or_default();
            if tap == taps.first {
                copy(x, out);
            } else {
                for (out, &x) in out.iter_mut().zip(x) {
                    if is_larger(x, *out) {
                        *out = x;
                    }
                }
            }
            position += window.dilation;
        }
    }
}

/// Adds each window's gradient to the place of its maximum.
pub(super) fn max_input_gradient(
    window: &Window,
    input: Shape,
    x: &[f32],
    dout: &[f32],
    dx: &mut [f32],
) {
    let channels = input.channels;
    dx.fill(0.0);
    for (step, dout) in rows(dout, channels).enumerate() {
        let taps = window.taps(step, input.positions);
        for (channel, dout) in dout.iter().enumerate() {
            let mut place = taps.position * channels + channel;
            let mut largest = place;
            for _ in taps.first..taps.end {
                let values = (x.get(place), x.get(largest));
                if let (Some(&value), Some(&old)) = values
                    && is_larger(value, old)
                {
                    largest = place;
                }
                place += window.dilation * channels;
            }
            if let Some(dx) = dx.get_mut(largest) {
                *dx += dout;
            }
        }
    }
}

#[allow(clippy::neg_cmp_op_on_partial_ord)] // NaN is larger
#[inline]
fn is_larger(value: f32, than: f32) -> bool {
    !(value <= than) & !than.is_nan()
}

/// The mean of each window: the sum over its taps inside the series, ascending, over the kernel's
/// size. Zeros of the padding count, as in PyTorch.
pub(super) fn average_forward(window: &Window, input: Shape, x: &[f32], out: &mut [f32]) {
    let channels = input.channels;
    for (step, out) in rows_mut(out, channels).enumerate() {
        let taps = window.taps(step, input.positions);
        let mut position = taps.position;
        out.fill(0.0);
        for _ in taps.first..taps.end {
            add(x.get(position * channels..).unwrap_or_default(), out);
            position += window.dilation;
        }
        divide(window.kernel, out);
    }
}

/// Spreads each window's gradient over its taps inside the series.
pub(super) fn average_input_gradient(window: &Window, input: Shape, dout: &[f32], dx: &mut [f32]) {
    let channels = input.channels;
    dx.fill(0.0);
    for (step, dout) in rows(dout, channels).enumerate() {
        let taps = window.taps(step, input.positions);
        let mut position = taps.position;
        for _ in taps.first..taps.end {
            add(dout, dx.get_mut(position * channels..).unwrap_or_default());
            position += window.dilation;
        }
    }
    divide(window.kernel, dx);
}

/// The mean over all positions: their sum, ascending, over their number.
pub(super) fn global_forward(input: Shape, x: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for x in rows(x, input.channels) {
        add(x, out);
    }
    divide(input.positions, out);
}

/// Spreads the gradient over all positions.
pub(super) fn global_input_gradient(input: Shape, dout: &[f32], dx: &mut [f32]) {
    for dx in rows_mut(dx, input.channels) {
        copy(dout, dx);
    }
    divide(input.positions, dx);
}

fn divide(count: usize, values: &mut [f32]) {
    let count = count as f32;
    for value in values {
        *value /= count;
    }
}
