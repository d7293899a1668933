//! Products of a matrix with a vector, which dense layers and LSTMs share.
//!
//! A matrix is `[rows, columns]`, row after row. Each value is summed on its own in the order that
//! its function names; working on several at once shares loads and changes no bit.

/// Values that are summed side by side.
const BLOCK: usize = 4;

/// `out[r] += Σ_c matrix[r, c] · x[c]`, `c` ascending.
pub(super) fn add_product(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    // No layer has zero columns; `max` tells the compiler, which then links no panic.
    let columns = x.len().max(1);
    let mut outs = out.chunks_exact_mut(BLOCK);
    let mut blocks = matrix.chunks_exact(BLOCK * columns);
    for (out, rows) in (&mut outs).zip(&mut blocks) {
        let [out_a, out_b, out_c, out_d] = out else {
            continue;
        };
        let (a, rows) = rows.split_at_checked(columns).unwrap_or_default();
        let (b, rows) = rows.split_at_checked(columns).unwrap_or_default();
        let (c, d) = rows.split_at_checked(columns).unwrap_or_default();
        let mut sums = [*out_a, *out_b, *out_c, *out_d];
        for ((((&x, a), b), c), d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            sums[0] += a * x;
            sums[1] += b * x;
            sums[2] += c * x;
            sums[3] += d * x;
        }
        [*out_a, *out_b, *out_c, *out_d] = sums;
    }
    let rows = blocks.remainder().chunks_exact(columns);
    for (out, row) in outs.into_remainder().iter_mut().zip(rows) {
        let mut sum = *out;
        for (weight, x) in row.iter().zip(x) {
            sum += weight * x;
        }
        *out = sum;
    }
}

/// `out[c] += Σ_r matrix[r, c] · y[r]`, `r` ascending.
pub(super) fn add_transposed_product(matrix: &[f32], y: &[f32], out: &mut [f32]) {
    let columns = out.len().max(1);
    let mut values = y.chunks_exact(BLOCK);
    let mut blocks = matrix.chunks_exact(BLOCK * columns);
    for (y, rows) in (&mut values).zip(&mut blocks) {
        let &[y_a, y_b, y_c, y_d] = y else { continue };
        let (a, rows) = rows.split_at_checked(columns).unwrap_or_default();
        let (b, rows) = rows.split_at_checked(columns).unwrap_or_default();
        let (c, d) = rows.split_at_checked(columns).unwrap_or_default();
        for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *out = *out + a * y_a + b * y_b + c * y_c + d * y_d;
        }
    }
    let rows = blocks.remainder().chunks_exact(columns);
    for (y, row) in values.remainder().iter().zip(rows) {
        for (out, weight) in out.iter_mut().zip(row) {
            *out += weight * y;
        }
    }
}

/// `matrix[r, c] += y[r] · x[c]`.
pub(super) fn add_outer_product(y: &[f32], x: &[f32], matrix: &mut [f32]) {
    for (y, row) in y.iter().zip(matrix.chunks_exact_mut(x.len().max(1))) {
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
