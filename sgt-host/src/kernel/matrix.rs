//! Matrix products over strided views, on one thread.

use gemm::Parallelism;

/// A matrix in a slice: value (row, column) is at `row · row_stride + column · column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `columns` values of each of `rows` rows that are `row_stride` apart.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert_fits(values.len(), rows, columns, row_stride);
        Self {
            values,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// Rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// A matrix to write: `columns` values of each of `rows` rows that are `row_stride` apart.
pub(super) struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// `columns` values of each of `rows` rows that are `row_stride` apart.
    pub(super) fn new(
        values: &'a mut [f32],
        rows: usize,
        columns: usize,
        row_stride: usize,
    ) -> Self {
        assert_fits(values.len(), rows, columns, row_stride);
        Self {
            values,
            rows,
            columns,
            row_stride,
        }
    }
}

fn assert_fits(len: usize, rows: usize, columns: usize, row_stride: usize) {
    assert!(rows > 0 && columns > 0, "a matrix has values");
    assert!(columns <= row_stride, "rows do not overlap");
    let end = (rows - 1) * row_stride + columns;
    assert!(end <= len, "a matrix lies in its slice");
}

/// `product = scale · left · right`, added to what is there when `add` is set.
#[allow(
    clippy::needless_pass_by_value,
    reason = "the product is an exclusive borrow, given up here"
)]
pub(super) fn multiply(product: MatrixMut, add: bool, left: Matrix, right: Matrix, scale: f32) {
    assert_eq!(product.rows, left.rows, "rows of a product");
    assert_eq!(product.columns, right.columns, "columns of a product");
    assert_eq!(left.columns, right.rows, "depth of a product");
    // SAFETY: every view was found to lie in its slice when it was made, the sizes fit each other
    // by the assertions above, and `product` is an exclusive borrow, so it overlaps no factor.
    unsafe {
        gemm::gemm(
            product.rows,
            product.columns,
            left.columns,
            product.values.as_mut_ptr(),
            1,
            product.row_stride.cast_signed(),
            add,
            left.values.as_ptr(),
            left.column_stride.cast_signed(),
            left.row_stride.cast_signed(),
            right.values.as_ptr(),
            right.column_stride.cast_signed(),
            right.row_stride.cast_signed(),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
