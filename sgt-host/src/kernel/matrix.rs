//! Products of matrices that lie in slices with strides of their own, on one thread.
//!
//! Each value of a product is a sum in the order of its depth, whatever the other rows and columns.

use super::buffer::{Buffer, LINE};
use super::product::{Layout, Product, Run, Start, pack_panels, panels_len};
use std::cell::RefCell;
use std::ops::Range;

/// A left factor: value (row, t) is at `row · row_stride + t · step`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    values: &'a [f32],
    rows: usize,
    depth: usize,
    row_stride: usize,
    step: usize,
}

impl<'a> Left<'a> {
    /// `columns` values of each of `rows` rows that are `stride` apart.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self {
            values,
            rows,
            depth: columns,
            row_stride: stride,
            step: 1,
        }
    }

    /// The number of rows.
    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// The number of columns: of terms in a sum.
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// Some of the rows.
    pub(super) fn rows(self, rows: Range<usize>) -> Self {
        Self {
            values: &self.values[rows.start * self.row_stride..],
            rows: rows.len(),
            ..self
        }
    }

    /// Rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.depth,
            depth: self.rows,
            row_stride: self.step,
            step: self.row_stride,
        }
    }
}

/// A right factor, whose rows are read in vectors.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    values: &'a [f32],
    layout: Layout,
    columns: usize,
}

impl<'a> Right<'a> {
    /// Rows of `columns` values that are `stride` apart. Up to [`LINE`] − 1 values behind a row are
    /// read and have no effect: the slice must hold them.
    pub(super) fn rows(values: &'a [f32], columns: usize, stride: usize) -> Self {
        Self {
            values,
            layout: Layout::Rows { stride },
            columns,
        }
    }

    /// What [`pack`] makes.
    pub(super) fn panels(values: &'a [f32], columns: usize) -> Self {
        Self {
            values,
            layout: Layout::Panels,
            columns,
        }
    }
}

/// `out = start + left · right`, rows of `out` being `out_stride` apart.
pub(super) fn multiply(left: Left, right: Right, start: Start, out: &mut [f32], out_stride: usize) {
    thread_local! {
        static ROWS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }
    ROWS.with_borrow_mut(|rows| {
        rows.clear();
        rows.extend((0..left.rows).map(|row| row * left.row_stride));
        Product {
            a: left.values,
            rows,
            runs: &[Run {
                offset: 0,
                len: left.depth,
            }],
            step: left.step,
            b: right.values,
            layout: right.layout,
            columns: right.columns,
            start,
            relu: false,
            out,
            out_stride,
        }
        .run();
    });
}

/// Packs the matrix `value(t, n)` of `depth` rows for [`Right::panels`].
pub(super) fn pack(
    depth: usize,
    columns: usize,
    packed: &mut Buffer,
    value: impl Fn(usize, usize) -> f32,
) {
    let packed = packed.resize(panels_len(depth, columns));
    pack_panels(depth, columns, packed, value);
}

/// Values between rows of `columns` values that start at cache lines.
pub(super) const fn padded(columns: usize) -> usize {
    columns.next_multiple_of(LINE)
}

/// Writes the transpose of `rows` rows of `columns` values, `stride` apart, into rows of `out` that
/// are [`padded`]`(rows)` apart.
pub(super) fn transpose_rows(
    values: &[f32],
    [rows, columns]: [usize; 2],
    stride: usize,
    out: &mut [f32],
) {
    let out_stride = padded(rows);
    for (column, out) in out.chunks_exact_mut(out_stride).take(columns).enumerate() {
        let column = values[column..].iter().step_by(stride);
        for (out, value) in out[..rows].iter_mut().zip(column) {
            *out = *value;
        }
    }
}
