//! Layers in integers. All sums are exact, so that their order does not matter.

use super::{Activation, Rescale};
use crate::network::window::Taps;
use crate::network::{Shape, Window};

/// Rows of a matrix that are worked on side by side, and lie so.
const BLOCK: usize = 4;

/// What a layer's sums become.
#[derive(Clone, Copy)]
pub(super) struct Target<'q> {
    pub(super) biases: &'q [i32],
    pub(super) rescales: &'q [Rescale],
    pub(super) zero: i8,
}

/// `⌊…⌉ + zero`, within 8 bits.
#[inline]
fn narrow(value: i32, zero: i8) -> i8 {
    value
        .saturating_add(i32::from(zero))
        .clamp(i32::from(i8::MIN), i32::from(i8::MAX)) as i8
}

#[inline]
fn product(a: i8, b: i8) -> i32 {
    i32::from(a) * i32::from(b)
}

/// `out[r] = rescale[r](bias[r] + Σ_c matrix[r, c] · x[c])`, the matrix in blocks of four rows.
pub(super) fn matrix_product(matrix: &[i8], x: &[i8], target: Target<'_>, out: &mut [i8]) {
    let mut rest = matrix;
    let (blocks, left) = out.as_chunks_mut::<BLOCK>();
    let (biases, biases_left) = target.biases.as_chunks::<BLOCK>();
    let (rescales, rescales_left) = target.rescales.as_chunks::<BLOCK>();
    for ((out, biases), rescales) in blocks.iter_mut().zip(biases).zip(rescales) {
        let split = rest.split_at_checked(BLOCK * x.len());
        let (own, behind) = split.unwrap_or_default();
        rest = behind;
        let sums = block_sums(own, x, *biases);
        for ((out, sum), rescale) in out.iter_mut().zip(sums).zip(rescales) {
            *out = narrow(rescale.apply(sum), target.zero);
        }
    }
    let rescaled = left.iter_mut().zip(biases_left).zip(rescales_left);
    for ((out, bias), rescale) in rescaled {
        let (row, behind) = rest.split_at_checked(x.len()).unwrap_or_default();
        rest = behind;
        let mut sum = *bias;
        for (weight, x) in row.iter().zip(x) {
            sum = sum.wrapping_add(product(*weight, *x));
        }
        *out = narrow(rescale.apply(sum), target.zero);
    }
}

/// The sums of four rows.
#[inline]
fn block_sums(block: &[i8], x: &[i8], biases: [i32; BLOCK]) -> [i32; BLOCK] {
    let [mut a, mut b, mut c, mut d] = biases;
    let (columns, _) = block.as_chunks::<BLOCK>();
    for (weights, &x) in columns.iter().zip(x) {
        a = a.wrapping_add(product(weights[0], x));
        b = b.wrapping_add(product(weights[1], x));
        c = c.wrapping_add(product(weights[2], x));
        d = d.wrapping_add(product(weights[3], x));
    }
    [a, b, c, d]
}

/// What the output step with these taps sees, `[kernel, inputs]`: where it lies, or copied to `field`
/// where there is padding, which is 0, `zero` that is, or dilation.
pub(super) fn field<'v>(
    window: &Window,
    taps: Taps,
    channels: usize,
    zero: i8,
    x: &'v [i8],
    field: &'v mut [i8],
) -> &'v [i8] {
    let start = taps.position * channels;
    let inside = taps.end.saturating_sub(taps.first);
    if window.dilation == 1 && inside == window.kernel {
        return x.get(start..start + field.len()).unwrap_or_default();
    }
    field.fill(zero);
    let hop = window.dilation.saturating_mul(channels);
    let (mut from, mut to) = (start, taps.first * channels);
    for _ in 0..inside {
        let x = x.get(from..).unwrap_or_default();
        let row = field.get_mut(to..).unwrap_or_default().iter_mut();
        for (slot, x) in row.take(channels).zip(x) {
            *slot = *x;
        }
        from = from.saturating_add(hop);
        to += channels;
    }
    field
}

/// A convolution of each channel with itself, one output step: `weights` `[channels, kernel]`.
pub(super) fn depthwise(
    window: &Window,
    taps: Taps,
    input_zero: i8,
    x: &[i8],
    weights: &[i8],
    target: Target<'_>,
    out: &mut [i8],
) {
    let channels = out.len();
    let kernel = window.kernel.max(1);
    let mut rest = weights;
    let scaled = target.biases.iter().zip(target.rescales);
    for ((channel, out), (bias, rescale)) in out.iter_mut().enumerate().zip(scaled) {
        let (own, behind) = rest.split_at_checked(kernel).unwrap_or_default();
        rest = behind;
        let mut sum = *bias;
        for (tap, weight) in own.iter().enumerate() {
            let inside = tap >= taps.first && tap < taps.end;
            let steps = tap
                .saturating_sub(taps.first)
                .saturating_mul(window.dilation);
            let place = taps.position.saturating_add(steps);
            let place = place.saturating_mul(channels).saturating_add(channel);
            let x = if inside { x.get(place) } else { None };
            sum = sum.wrapping_add(product(*weight, *x.unwrap_or(&input_zero)));
        }
        *out = narrow(rescale.apply(sum), target.zero);
    }
}

/// The largest value of one window, channel by channel.
pub(super) fn max_pool(window: &Window, taps: Taps, x: &[i8], out: &mut [i8]) {
    let channels = out.len();
    out.fill(i8::MIN);
    let mut position = taps.position;
    for _ in taps.first..taps.end {
        let x = x.get(position * channels..).unwrap_or_default();
        for (out, &x) in out.iter_mut().zip(x) {
            *out = (*out).max(x);
        }
        position += window.dilation;
    }
}

/// The sum over `positions` positions from `first` on, rescaled, channel by channel: a mean.
pub(super) fn mean(
    first: usize,
    positions: usize,
    input: Activation,
    target: Target<'_>,
    x: &[i8],
    out: &mut [i8],
) {
    let Some(rescale) = target.rescales.first() else {
        return;
    };
    let channels = out.len();
    for (channel, out) in out.iter_mut().enumerate() {
        let mut sum = 0_i32;
        let mut place = first.saturating_mul(channels).saturating_add(channel);
        for _ in 0..positions {
            let x = x.get(place).unwrap_or(&input.zero);
            sum = sum.wrapping_add(i32::from(*x) - i32::from(input.zero));
            place = place.saturating_add(channels);
        }
        *out = narrow(rescale.apply(sum), target.zero);
    }
}

/// `through + around`, each from its own scale to the sum's, with one rounding for both.
pub(super) fn sum(
    (through, around): (&[i8], &[i8]),
    zeros: [i8; 2],
    [of_through, of_around]: [Rescale; 2],
    zero: i8,
    out: &mut [i8],
) {
    let steps = |q: i8, zero: i8| i64::from(i32::from(q) - i32::from(zero));
    for ((out, a), b) in out.iter_mut().zip(through).zip(around) {
        let a = steps(*a, zeros[0]) * i64::from(of_through.multiplier);
        let b = steps(*b, zeros[1]) * i64::from(of_around.multiplier);
        *out = narrow(Rescale::round(a.wrapping_add(b), of_through.shift), zero);
    }
}

/// `max(x, 0)`.
pub(super) fn relu(zero: i8, values: &mut [i8]) {
    for value in values {
        *value = (*value).max(zero);
    }
}

/// A vector of all values, channel after channel.
pub(super) fn transpose(input: Shape, x: &[i8], out: &mut [i8]) {
    let mut place = 0;
    let mut channel = 0;
    for out in out {
        if let Some(&x) = x.get(place) {
            *out = x;
        }
        place += input.channels;
        if place >= x.len() {
            channel += 1;
            place = channel;
        }
    }
}
