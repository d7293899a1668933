//! Walking a matrix by rows and columns, without the divisions, and the panics behind them, of the
//! standard library's chunks.

/// The rows of a matrix, each of `columns` values; what is left over is no row.
#[derive(Clone)]
pub(super) struct Rows<'v, T> {
    rest: &'v [T],
    columns: usize,
}

pub(super) fn rows<T>(matrix: &[T], columns: usize) -> Rows<'_, T> {
    Rows {
        rest: matrix,
        columns: columns.max(1),
    }
}

impl<'v, T> Iterator for Rows<'v, T> {
    type Item = &'v [T];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (row, rest) = self.rest.split_at_checked(self.columns)?;
        self.rest = rest;
        Some(row)
    }
}

/// As [`Rows`], to be written.
pub(super) struct RowsMut<'v, T> {
    rest: &'v mut [T],
    columns: usize,
}

pub(super) fn rows_mut<T>(matrix: &mut [T], columns: usize) -> RowsMut<'_, T> {
    RowsMut {
        rest: matrix,
        columns: columns.max(1),
    }
}

impl<'v, T> Iterator for RowsMut<'v, T> {
    type Item = &'v mut [T];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = core::mem::take(&mut self.rest);
        let (row, rest) = rest.split_at_mut_checked(self.columns)?;
        self.rest = rest;
        Some(row)
    }
}

/// Every `hop`-th value, from the first.
#[derive(Clone)]
pub(super) struct Column<'v> {
    values: &'v [f32],
    place: usize,
    hop: usize,
}

pub(super) fn column(values: &[f32], first: usize, hop: usize) -> Column<'_> {
    Column {
        values,
        place: first,
        hop: hop.max(1),
    }
}

impl<'v> Iterator for Column<'v> {
    type Item = &'v f32;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let value = self.values.get(self.place)?;
        // Behind the last value nobody asks for a place that wrapped around.
        self.place = self.place.wrapping_add(self.hop);
        Some(value)
    }
}
