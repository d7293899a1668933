//! Changes of memory order.

/// Rows and columns of the block that is transposed at a time.
const BLOCK: usize = 16;

/// Writes the transpose of `x` `[rows, columns]` into `out` `[columns, rows]`.
pub(crate) fn transpose<T: Copy>(rows: usize, columns: usize, x: &[T], out: &mut [T]) {
    assert!(
        x.len() == rows * columns && out.len() == x.len(),
        "transpose: lengths"
    );
    if rows == 1 || columns == 1 {
        out.copy_from_slice(x);
        return;
    }
    for first_row in (0..rows).step_by(BLOCK) {
        let last_row = rows.min(first_row + BLOCK);
        for first_column in (0..columns).step_by(BLOCK) {
            for column in first_column..columns.min(first_column + BLOCK) {
                for row in first_row..last_row {
                    out[column * rows + row] = x[row * columns + column];
                }
            }
        }
    }
}
