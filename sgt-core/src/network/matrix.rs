//! Products of a matrix with a vector, which dense layers and LSTMs share.
//!
//! A matrix is `[rows, columns]`, row after row. Each value is summed on its own in the order that
//! its function names; working on several at once shares loads and changes no bit.

use super::rows::{rows, rows_mut};

/// Rows that are worked on side by side.
const BLOCK: usize = 4;

/// `out[r] += Σ_c matrix[r, c] · x[c]`, `c` ascending.
pub(super) fn add_product(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    let (blocks, left) = out.as_chunks_mut::<BLOCK>();
    let mut rest = rows(matrix, x.len());
    for out in blocks {
        let [a, b, c, d] = core::array::from_fn(|_| rest.next().unwrap_or_default());
        let mut sums = *out;
        for ((((&x, a), b), c), d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            sums[0] += a * x;
            sums[1] += b * x;
            sums[2] += c * x;
            sums[3] += d * x;
        }
        *out = sums;
    }
    for (out, row) in left.iter_mut().zip(rest) {
        let mut sum = *out;
        for (weight, x) in row.iter().zip(x) {
            sum += weight * x;
        }
        *out = sum;
    }
}

/// `out[c] += Σ_r matrix[r, c] · y[r]`, `r` ascending.
pub(super) fn add_transposed_product(matrix: &[f32], y: &[f32], out: &mut [f32]) {
    let (blocks, left) = y.as_chunks::<BLOCK>();
    let mut rest = rows(matrix, out.len());
    for y in blocks {
        let [a, b, c, d] = core::array::from_fn(|_| rest.next().unwrap_or_default());
        for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *out = *out + a * y[0] + b * y[1] + c * y[2] + d * y[3];
        }
    }
    for (y, row) in left.iter().zip(rest) {
        for (out, weight) in out.iter_mut().zip(row) {
            *out += weight * y;
        }
    }
}

/// `matrix[r, c] += y[r] · x[c]`.
pub(super) fn add_outer_product(y: &[f32], x: &[f32], matrix: &mut [f32]) {
    let (blocks, left) = y.as_chunks::<BLOCK>();
    let mut rest = rows_mut(matrix, x.len());
    for y in blocks {
        let [a, b, c, d] = core::array::from_fn(|_| rest.next().unwrap_or_default());
        for ((((x, a), b), c), d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            *a += y[0] * x;
            *b += y[1] * x;
            *c += y[2] * x;
            *d += y[3] * x;
        }
    }
    for (y, row) in left.iter().zip(rest) {
        for (value, x) in row.iter_mut().zip(x) {
            *value += y * x;
        }
    }
}

/// `out[i] += x[i]`.
pub(super) fn add(x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

/// `out[i] = x[i]`, as far as both go.
pub(super) fn copy(x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = *x;
    }
}
