//! The matrix product under convolutions and fully connected layers.
//!
//! `out[i, n] (+)= Σ_t a[rows[i] + position(t)] · b[t, n]`, where the positions are runs of
//! equally spaced values: the windows of a convolution are read in place, without an im2col copy.
//! Values of `a` are broadcast against vectors of `b`; a tile of `out` stays in registers over
//! the whole sum, whose order is that of `t`.

#![allow(clippy::inline_always)] // Kernels must be inlined into the function that enables AVX.

use super::buffer::LINE;
use super::dispatch::dispatch;
use pulp::{MemMask, Simd, WithSimd};

/// Columns of a packed panel of `b`.
pub(crate) const PANEL: usize = 4 * LINE;

/// `len` positions `offset, offset + step, …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// How `b` lies in memory. Every row must be followed by enough values to fill a [`LINE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Row after row, `stride` values apart.
    Rows { stride: usize },
    /// Panel after panel of [`PANEL`] columns (the last one rounded up to a [`LINE`]), each of
    /// them row after row: what [`pack_panels`] makes.
    Panels,
}

/// What the sum starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Zero,
    /// One value a column.
    Bias(&'a [f32]),
    /// What `out` holds.
    Out,
}

/// One product; see the module.
pub(crate) struct Product<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) rows: &'a [usize],
    pub(crate) runs: &'a [Run],
    pub(crate) step: usize,
    pub(crate) b: &'a [f32],
    pub(crate) layout: Layout,
    pub(crate) columns: usize,
    pub(crate) start: Start<'a>,
    /// Negative results become 0.
    pub(crate) relu: bool,
    pub(crate) out: &'a mut [f32],
    /// Values from one row of `out` to the next.
    pub(crate) out_stride: usize,
}

impl Product<'_> {
    /// Runs on the widest vectors this machine has.
    pub(crate) fn run(self) {
        dispatch(self);
    }

    fn check(&self) {
        let depth: usize = self.runs.iter().map(|run| run.len).sum();
        let last = self.runs.iter().filter(|run| run.len > 0);
        let last = last.map(|run| run.offset + (run.len - 1) * self.step).max();
        let furthest = self.rows.iter().max();
        if let (Some(last), Some(furthest)) = (last, furthest) {
            assert!(furthest + last < self.a.len(), "product: a");
            let width = self.columns.next_multiple_of(LINE);
            let b = match self.layout {
                Layout::Rows { stride } => (depth - 1) * stride + width,
                Layout::Panels => depth * width,
            };
            assert!(b <= self.b.len(), "product: b");
        }
        if let Start::Bias(bias) = self.start {
            assert!(bias.len() == self.columns, "product: bias");
        }
        if !self.rows.is_empty() {
            let out = (self.rows.len() - 1) * self.out_stride + self.columns;
            assert!(out <= self.out.len(), "product: out");
        }
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.check();
        let depth: usize = self.runs.iter().map(|run| run.len).sum();
        let vectors = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        let tile = vectors * S::F32_LANES;
        let mut column = 0;
        while column < self.columns {
            let panel = column / PANEL * PANEL;
            let end = self.columns.min(panel + PANEL);
            let width = tile.min(end - column);
            let (b, stride) = match self.layout {
                Layout::Rows { stride } => (column, stride),
                Layout::Panels => (
                    panel * depth + (column - panel),
                    (end - panel).next_multiple_of(LINE),
                ),
            };
            let place = Place {
                column,
                width,
                b,
                stride,
            };
            // SAFETY: `check` has bounded every position of `a`, `b` and `out`.
            unsafe {
                match width.div_ceil(S::F32_LANES) {
                    4 => columns::<S, 4>(simd, &mut self, place),
                    3 => columns::<S, 3>(simd, &mut self, place),
                    2 => columns::<S, 2>(simd, &mut self, place),
                    _ => columns::<S, 1>(simd, &mut self, place),
                }
            }
            column += width;
        }
    }
}

/// Where a column of tiles lies.
#[derive(Clone, Copy)]
struct Place {
    /// First column.
    column: usize,
    /// Columns, at most those of a tile.
    width: usize,
    /// Where the column's first row lies in `b`.
    b: usize,
    /// Values from one row of `b` to the next.
    stride: usize,
}

/// All rows of `V` vectors of columns.
#[inline(always)]
unsafe fn columns<S: Simd, const V: usize>(simd: S, product: &mut Product<'_>, place: Place) {
    if V > 2 && S::REGISTER_COUNT < 32 {
        return;
    }
    let mut row = 0;
    macro_rules! tiles {
        ($rows:literal) => {
            while product.rows.len() - row >= $rows {
                // SAFETY: the caller's.
                unsafe { tile::<S, $rows, V>(simd, product, place, row) };
                row += $rows;
            }
        };
    }
    if S::REGISTER_COUNT >= 32 {
        match V {
            4 => tiles!(6),
            3 => tiles!(8),
            _ => tiles!(12),
        }
    } else if V == 1 {
        tiles!(8);
    }
    if V < 4 || S::REGISTER_COUNT < 32 {
        tiles!(6);
    }
    tiles!(3);
    tiles!(1);
}

/// `M` rows of `V` vectors, from row `row` on.
///
/// The sums are built, added to and written as values, without a reference to them, and the last
/// vector is read and written under a mask instead of by a call: so they live in registers.
#[inline(always)]
unsafe fn tile<S: Simd, const M: usize, const V: usize>(
    simd: S,
    product: &mut Product<'_>,
    place: Place,
    row: usize,
) {
    let lanes = S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    let tail = place.width - (V - 1) * lanes;
    let tail = MemMask::new(simd.mask_between_m32s(0, tail as u32).mask());
    let rows: [usize; M] = std::array::from_fn(|i| product.rows[row + i]);
    // SAFETY: `values` points at the `place.width` values of the tile in a row; the first V − 1
    // vectors are inside of them, and the mask ends where they end.
    let load = |values: *const f32| -> [S::f32s; V] {
        std::array::from_fn(|v| unsafe {
            let values = values.wrapping_add(v * lanes);
            if v + 1 < V {
                values.cast::<S::f32s>().read_unaligned()
            } else {
                simd.mask_load_ptr_f32s(tail, values)
            }
        })
    };
    // `Product::check` has bounded these rows by the length of `out`.
    let stride = product.out_stride;
    let out = product.out.as_mut_ptr();
    let out = |i: usize| out.wrapping_add((row + i) * stride + place.column);
    let start: [[S::f32s; V]; M] = match product.start {
        Start::Zero => [[zero; V]; M],
        Start::Bias(bias) => [load(bias.as_ptr().wrapping_add(place.column)); M],
        Start::Out => std::array::from_fn(|i| load(out(i))),
    };
    // SAFETY: the caller's.
    let sums = unsafe { accumulate(simd, product, place, rows, start) };
    let relu = product.relu;
    for (i, sums) in sums.into_iter().enumerate() {
        for (v, mut sum) in sums.into_iter().enumerate() {
            if relu {
                // Not a maximum: NaN must stay NaN.
                sum = simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum);
            }
            let place = out(i).wrapping_add(v * lanes);
            // SAFETY: as for `load`.
            unsafe {
                if v + 1 < V {
                    place.cast::<S::f32s>().write_unaligned(sum);
                } else {
                    simd.mask_store_ptr_f32s(tail, place, sum);
                }
            }
        }
    }
}

/// Adds the products of `M` rows to `start`. Its sums are touched by constant indices alone, so
/// that they live in registers.
#[inline(always)]
unsafe fn accumulate<S: Simd, const M: usize, const V: usize>(
    simd: S,
    product: &Product<'_>,
    place: Place,
    rows: [usize; M],
    start: [[S::f32s; V]; M],
) -> [[S::f32s; V]; M] {
    let mut sums = start;
    // SAFETY: `Product::check` has bounded `rows[i] + run.offset + t · step` by the length of
    // `a`, and row `t` of `b` by the length of `b`.
    unsafe {
        let mut b = product.b.as_ptr().add(place.b);
        for run in product.runs {
            let mut a = product.a.as_ptr().add(run.offset);
            for _ in 0..run.len {
                let vectors: [S::f32s; V] = std::array::from_fn(|v| {
                    b.add(v * S::F32_LANES).cast::<S::f32s>().read_unaligned()
                });
                for i in 0..M {
                    let value = simd.splat_f32s(*a.add(rows[i]));
                    for v in 0..V {
                        sums[i][v] = simd.mul_add_e_f32s(value, vectors[v], sums[i][v]);
                    }
                }
                a = a.wrapping_add(product.step);
                b = b.wrapping_add(place.stride);
            }
        }
    }
    sums
}

/// Values that [`pack_panels`] writes.
pub(crate) const fn panels_len(depth: usize, columns: usize) -> usize {
    depth * columns.next_multiple_of(LINE)
}

/// Packs the matrix `value(t, n)` of `depth` rows as [`Layout::Panels`].
pub(crate) fn pack_panels(
    depth: usize,
    columns: usize,
    packed: &mut [f32],
    value: impl Fn(usize, usize) -> f32,
) {
    let mut rest = &mut packed[..panels_len(depth, columns)];
    for panel in (0..columns).step_by(PANEL) {
        let width = PANEL.min((columns - panel).next_multiple_of(LINE));
        let (this, tail) = std::mem::take(&mut rest).split_at_mut(depth * width);
        for (t, row) in this.chunks_exact_mut(width).enumerate() {
            for (n, packed) in (panel..).zip(row) {
                *packed = if n < columns { value(t, n) } else { 0.0 };
            }
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::levels::{for_each_level, values};

    /// One shape: rows, columns, runs, step.
    fn check(rows: usize, columns: usize, runs: &[Run], step: usize) {
        let depth: usize = runs.iter().map(|run| run.len).sum();
        let a = values(4_000, 1);
        let b = values(depth * columns, 2);
        let bias = values(columns, 3);
        let starts: Vec<usize> = (0..rows).map(|row| row * 7).collect();
        let mut packed = vec![f32::NAN; panels_len(depth, columns)];
        pack_panels(depth, columns, &mut packed, |t, n| b[t * columns + n]);
        // Rows with enough behind them for a vector.
        let stride = columns.next_multiple_of(LINE);
        let mut wide = vec![0.0; depth * stride];
        for (wide, b) in wide.chunks_mut(stride).zip(b.chunks(columns)) {
            wide[..columns].copy_from_slice(b);
        }
        let positions = || {
            let position = |run: Run| (0..run.len).map(move |i| (run.offset, i));
            let positions = runs.iter().copied().flat_map(position);
            positions.map(move |(offset, i)| offset + i * step)
        };
        let sum = |row: usize, n: usize| -> f32 {
            let products = positions().enumerate();
            let products = products.map(|(t, at)| a[starts[row] + at] * b[t * columns + n]);
            products.sum()
        };
        let out_stride = columns + 3;
        for_each_level!(|level| {
            for (layout, b) in [(Layout::Panels, &packed), (Layout::Rows { stride }, &wide)] {
                let starting = [Start::Zero, Start::Bias(&bias), Start::Out];
                for (start, relu) in starting.into_iter().zip([true, false, false]) {
                    let mut out = vec![0.5; rows * out_stride];
                    Simd::vectorize(
                        level,
                        Product {
                            a: &a,
                            rows: &starts,
                            runs,
                            step,
                            b,
                            layout,
                            columns,
                            start,
                            relu,
                            out: &mut out,
                            out_stride,
                        },
                    );
                    for (row, out) in out.chunks(out_stride).enumerate() {
                        for n in 0..columns {
                            let expected = match start {
                                Start::Zero => sum(row, n).max(0.0),
                                Start::Bias(bias) => bias[n] + sum(row, n),
                                Start::Out => 0.5 + sum(row, n),
                            };
                            let near = (out[n] - expected).abs() < 1e-5 * depth as f32;
                            assert!(near, "{level:?} {layout:?} [{row}, {n}]: {}", out[n]);
                        }
                        assert!(out[columns..].iter().all(|&v| v == 0.5), "between rows");
                    }
                }
            }
        });
    }

    #[test]
    fn agrees_with_its_definition_on_every_instruction_set() {
        let run = |offset, len| Run { offset, len };
        for rows in [1, 2, 5, 6, 13, 29] {
            for columns in [1, 3, 8, 16, 17, 31, 40, 64, 65, 130] {
                check(rows, columns, &[run(0, 9)], 1);
                check(
                    rows,
                    columns,
                    &[run(3, 4), run(50, 1), run(90, 0), run(7, 2)],
                    5,
                );
            }
        }
    }

    #[test]
    fn relu_lets_nan_through() {
        for_each_level!(|level| {
            let mut out = [0.0; 2];
            Simd::vectorize(
                level,
                Product {
                    a: &[f32::NAN],
                    rows: &[0],
                    runs: &[Run { offset: 0, len: 1 }],
                    step: 1,
                    b: &[1.0; 2 * LINE],
                    layout: Layout::Panels,
                    columns: 2,
                    start: Start::Zero,
                    relu: true,
                    out: &mut out,
                    out_stride: 2,
                },
            );
            assert!(out.iter().all(|value| value.is_nan()), "{level:?}");
        });
    }
}
