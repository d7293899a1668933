//! The vector code of one chunk of an LSTM's batch: its whole sequence, forward and backward.
//!
//! Layouts, with L lanes a vector, U blocks of L hidden units (the last padded with zeros) and
//! R rows (samples) in the chunk:
//!
//! - `inputs` `[step][R][width]`: what a step reads, h of the step before in U·L places, then x,
//!   then a one whose weight gradient is the bias's;
//! - `gates` `[step][U][R][4][L]`: i, f, g, o after their activations;
//! - `cells` `[step][U][R][L]`: c;
//! - `d_gates` `[U][steps of a segment][R][4][L]`: gradients before the activations.
//!
//! Gradients inside of a backward pass are scaled, each chunk's by its own [`GradientScale`].

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::super::lengths::clear_padding;
use super::super::transcendental::{sigmoid, tanh};
use super::super::vanishing::{GradientScale, flush};
use super::Keep;
use super::memory::{Chunk, Geometry, Packed, SEGMENT_STEPS};
use pulp::{Simd, WithSimd};

/// Gates of a cell: input, forget, candidate, output.
pub(super) const GATES: usize = 4;
const INPUT: usize = 0;
const FORGET: usize = 1;
pub(super) const CANDIDATE: usize = 2;
const OUTPUT: usize = 3;

/// Most vectors of columns in one register tile.
const TILE_COLUMNS: usize = 5;
/// Most rows in one register tile.
const TILE_ROWS: usize = 6;

/// What an instruction set's registers allow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Registers {
    /// Values in a vector.
    pub(super) lanes: usize,
    /// Vectors in the widest register tile of the backward pass.
    pub(super) tile_columns: usize,
}

/// Asks for the [`Registers`] of the instruction set it runs on.
pub(super) struct AskRegisters;

impl WithSimd for AskRegisters {
    type Output = Registers;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Registers {
        let plenty = S::REGISTER_COUNT > TILE_COLUMNS * TILE_COLUMNS;
        Registers {
            lanes: S::F32_LANES,
            tile_columns: if plenty {
                TILE_COLUMNS
            } else {
                TILE_COLUMNS - 1
            },
        }
    }
}

/// Where the left factor of a product lies: value (row, k) is at `row · row_stride + k · k_stride`.
#[derive(Clone, Copy)]
struct Left<'a> {
    values: &'a [f32],
    row_stride: usize,
    k_stride: usize,
}

/// `start[row][column] + Σ_k left[row][k] · right[k][column]`, in the order of k.
///
/// The sums are passed by value and touched by constant indices alone, so that they live in
/// registers.
#[inline(always)]
fn accumulate<S: Simd, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    start: [[S::f32s; COLUMNS]; ROWS],
    left: Left,
    right: &[S::f32s],
) -> [[S::f32s; COLUMNS]; ROWS] {
    let mut sums = start;
    let (right, _) = right.as_chunks::<COLUMNS>();
    let Some(last) = right.len().checked_sub(1) else {
        return sums;
    };
    let last = (ROWS - 1) * left.row_stride + last * left.k_stride;
    assert!(last < left.values.len(), "the left factor is too short");
    for (k, right) in right.iter().enumerate() {
        let right = *right;
        for (row, sums) in sums.iter_mut().enumerate() {
            let place = k * left.k_stride + row * left.row_stride;
            // SAFETY: row < ROWS and k < right.len(), so the place is at most `last`, which the
            // assertion above has found inside of the slice.
            let value = unsafe { *left.values.get_unchecked(place) };
            let value = simd.splat_f32s(value);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_e_f32s(value, right, *sum);
            }
        }
    }
    sums
}

/// Something done to a register tile of ROWS × COLUMNS, at row `first`.
trait Tile<S: Simd> {
    fn tile<const ROWS: usize, const COLUMNS: usize>(&mut self, simd: S, first: usize);
}

/// Most rows of a register tile of `columns` vectors.
fn tile_rows<S: Simd>(columns: usize) -> usize {
    // A tile needs its sums, the right factor's vectors and one broadcast.
    let rows = (S::REGISTER_COUNT.saturating_sub(2)) / columns - 1;
    rows.clamp(1, TILE_ROWS)
}

/// Covers `rows` rows of `columns` vectors with tiles of about the same height.
#[inline(always)]
fn cover<S: Simd, T: Tile<S>>(simd: S, rows: usize, columns: usize, tile: &mut T) {
    match columns {
        1 => cover_rows::<S, T, 1>(simd, rows, tile),
        2 => cover_rows::<S, T, 2>(simd, rows, tile),
        3 => cover_rows::<S, T, 3>(simd, rows, tile),
        4 => cover_rows::<S, T, 4>(simd, rows, tile),
        TILE_COLUMNS => cover_rows::<S, T, TILE_COLUMNS>(simd, rows, tile),
        _ => unreachable!("tiles are 1 to {TILE_COLUMNS} vectors wide"),
    }
}

#[inline(always)]
fn cover_rows<S: Simd, T: Tile<S>, const COLUMNS: usize>(simd: S, rows: usize, tile: &mut T) {
    let mut blocks = rows.div_ceil(tile_rows::<S>(COLUMNS));
    let mut first = 0;
    while blocks > 0 {
        let height = (rows - first).div_ceil(blocks);
        match height {
            1 => tile.tile::<1, COLUMNS>(simd, first),
            2 => tile.tile::<2, COLUMNS>(simd, first),
            3 => tile.tile::<3, COLUMNS>(simd, first),
            4 => tile.tile::<4, COLUMNS>(simd, first),
            5 => tile.tile::<5, COLUMNS>(simd, first),
            TILE_ROWS => tile.tile::<TILE_ROWS, COLUMNS>(simd, first),
            _ => unreachable!("tiles are 1 to {TILE_ROWS} rows high"),
        }
        first += height;
        blocks -= 1;
    }
}

/// The vectors of a slice.
#[inline(always)]
fn vectors<S: Simd>(values: &[f32]) -> &[S::f32s] {
    S::as_simd_f32s(values).0
}

/// The vectors of a slice, to be changed.
#[inline(always)]
fn vectors_mut<S: Simd>(values: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(values).0
}

/// Writes vectors to the front of a slice, each from its register.
#[inline(always)]
fn store<V: Copy, const N: usize>(place: &mut [V], values: [V; N]) {
    match place.first_chunk_mut::<N>() {
        Some(place) => *place = values,
        None => unreachable!("places have room for a tile's row"),
    }
}

/// One step of one block of units, forward.
struct ForwardTile<'a, S: Simd> {
    weights: &'a [S::f32s],
    bias: [S::f32s; GATES],
    inputs: &'a [f32],
    width: usize,
    /// Where the block's units start in a row of inputs.
    unit: usize,
    cells_before: Option<&'a [S::f32s]>,
    cells: &'a mut [S::f32s],
    gates: &'a mut [S::f32s],
    inputs_after: &'a mut [f32],
}

impl<S: Simd> Tile<S> for ForwardTile<'_, S> {
    #[inline(always)]
    fn tile<const ROWS: usize, const COLUMNS: usize>(&mut self, simd: S, first: usize) {
        let left = Left {
            values: &self.inputs[first * self.width..],
            row_stride: self.width,
            k_stride: 1,
        };
        let sums = accumulate(simd, [self.bias; ROWS], left, self.weights);
        for (row, sum) in (first..).zip(&sums) {
            let i = sigmoid(simd, sum[INPUT]);
            let f = sigmoid(simd, sum[FORGET]);
            let g = tanh(simd, sum[CANDIDATE]);
            let o = sigmoid(simd, sum[OUTPUT]);
            let new = simd.mul_f32s(i, g);
            let c = match self.cells_before {
                Some(before) => simd.mul_add_e_f32s(f, before[row], new),
                None => new,
            };
            let h = simd.mul_f32s(o, tanh(simd, c));
            store(&mut self.gates[row * GATES..], [i, f, g, o]);
            self.cells[row] = c;
            let place = row * self.width + self.unit;
            let place = &mut self.inputs_after[place..place + S::F32_LANES];
            vectors_mut::<S>(place)[0] = h;
        }
    }
}

/// Runs a chunk's sequence forward.
pub(super) struct Forward<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) packed: &'a Packed,
    /// `[R, steps, input]`.
    pub(super) x: &'a [f32],
    /// The readout's rows of this chunk.
    pub(super) states: &'a mut [f32],
    pub(super) chunk: &'a mut Chunk,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            geometry,
            packed,
            x,
            states,
            chunk,
        } = self;
        let rows = chunk.rows;
        let width = geometry.width;
        let depth = geometry.units + geometry.shape.input;
        let slot = rows * width;
        let gate_step = rows * geometry.units * GATES;
        let cell_step = rows * geometry.units;
        let weights = vectors::<S>(&packed.forward);
        let bias = vectors::<S>(&packed.bias);
        let (steps, lengths) = (chunk.steps, chunk.lengths);
        let lengths = &lengths[..rows];
        let gates: &mut [f32] = &mut chunk.gates;
        let cells: &mut [f32] = &mut chunk.cells;
        let inputs: &mut [f32] = &mut chunk.inputs;
        geometry.clear_padding(lengths, states);
        inputs[..slot].fill(0.0);
        geometry.place_x(x, 0, lengths, &mut inputs[..slot]);
        for step in 0..steps {
            let (now, after) = slots(inputs, slot, step, geometry.keep);
            if step + 1 < steps {
                geometry.place_x(x, step + 1, lengths, after);
            }
            let (before, cells) = cells[..(step + 1) * cell_step].split_at_mut(step * cell_step);
            let before = before.chunks_exact(cell_step).next_back();
            let before = before.map(vectors::<S>);
            let cells = vectors_mut::<S>(cells);
            let gates = &mut gates[step * gate_step..][..gate_step];
            let gates = vectors_mut::<S>(gates);
            for block in 0..geometry.blocks {
                let mut tile = ForwardTile::<S> {
                    weights: &weights[block * depth * GATES..][..depth * GATES],
                    bias: [INPUT, FORGET, CANDIDATE, OUTPUT].map(|gate| bias[block * GATES + gate]),
                    inputs: now,
                    width,
                    unit: block * S::F32_LANES,
                    cells_before: before.map(|cells| &cells[block * rows..][..rows]),
                    cells: &mut cells[block * rows..][..rows],
                    gates: &mut gates[block * rows * GATES..][..rows * GATES],
                    inputs_after: after,
                };
                cover_rows::<S, _, GATES>(simd, rows, &mut tile);
            }
            geometry.read_out(step, lengths, after, states);
        }
    }
}

/// The inputs of `step` and those of the step after it.
fn slots(inputs: &mut [f32], slot: usize, step: usize, keep: Keep) -> (&[f32], &mut [f32]) {
    match keep {
        Keep::ForWeights => {
            let (now, after) = inputs[step * slot..].split_at_mut(slot);
            (now, &mut after[..slot])
        }
        Keep::ForInput => {
            let (even, odd) = inputs.split_at_mut(slot);
            if step.is_multiple_of(2) {
                (even, odd)
            } else {
                (odd, even)
            }
        }
    }
}

/// The gradient of one step's inputs (h before it and x), for some of its columns.
struct InputTile<'a, S: Simd> {
    weights: &'a [S::f32s],
    d_gates: &'a [f32],
    /// Between two blocks of units in `d_gates`.
    block_stride: usize,
    blocks: usize,
    d_inputs: &'a mut [S::f32s],
    /// Vectors in a row of `d_inputs`, and the first of this tile.
    width: usize,
    column: usize,
}

impl<S: Simd> Tile<S> for InputTile<'_, S> {
    #[inline(always)]
    fn tile<const ROWS: usize, const COLUMNS: usize>(&mut self, simd: S, first: usize) {
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; ROWS];
        let depth = GATES * S::F32_LANES;
        for block in 0..self.blocks {
            let left = Left {
                values: &self.d_gates[block * self.block_stride + first * depth..],
                row_stride: depth,
                k_stride: 1,
            };
            let weights = &self.weights[block * depth * COLUMNS..][..depth * COLUMNS];
            sums = accumulate(simd, sums, left, weights);
        }
        for (row, sum) in (first..).zip(&sums) {
            let place = row * self.width + self.column;
            store(&mut self.d_inputs[place..], *sum);
        }
    }
}

/// The weight gradient of some input columns for one block of units, over a segment of steps.
struct WeightTile<'a, S: Simd> {
    inputs: &'a [f32],
    width: usize,
    d_gates: &'a [S::f32s],
    gradient: &'a mut [S::f32s],
    /// Vectors between two input columns in `gradient`.
    stride: usize,
}

impl<S: Simd> Tile<S> for WeightTile<'_, S> {
    #[inline(always)]
    fn tile<const ROWS: usize, const COLUMNS: usize>(&mut self, simd: S, first: usize) {
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; ROWS];
        for (row, sum) in (first..).zip(&mut sums) {
            let gradient = &self.gradient[row * self.stride..][..COLUMNS];
            *sum = std::array::from_fn(|column| gradient[column]);
        }
        let left = Left {
            values: &self.inputs[first..],
            row_stride: 1,
            k_stride: self.width,
        };
        let sums = accumulate(simd, sums, left, self.d_gates);
        for (row, sum) in (first..).zip(&sums) {
            store(&mut self.gradient[row * self.stride..], *sum);
        }
    }
}

/// Pulls the gradient of a chunk's states back through its sequence.
pub(super) struct Backward<'a> {
    pub(super) geometry: &'a Geometry,
    pub(super) packed: &'a Packed,
    /// The readout's gradient, the rows of this chunk.
    pub(super) d_states: &'a [f32],
    /// `[R, steps, input]`, and whether it is added to.
    pub(super) dx: Option<(&'a mut [f32], bool)>,
    /// Whether `chunk.weight_gradient` is wanted.
    pub(super) weights_wanted: bool,
    pub(super) chunk: &'a mut Chunk,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            geometry,
            packed,
            d_states,
            mut dx,
            weights_wanted,
            chunk,
        } = self;
        let rows = chunk.rows;
        let width = geometry.width;
        let columns = packed.backward_columns;
        let segment_steps = if weights_wanted { SEGMENT_STEPS } else { 1 };
        let depth = GATES * geometry.lanes;
        let gate_step = rows * geometry.units * GATES;
        let cell_step = rows * geometry.units;
        let (steps, lengths) = (chunk.steps, chunk.lengths);
        let lengths = &lengths[..rows];
        let gates: &[f32] = &chunk.gates;
        let cells: &[f32] = &chunk.cells;
        let d_inputs: &mut [f32] = &mut chunk.d_inputs;
        let d_cells: &mut [f32] = &mut chunk.d_cells;
        let d_gates: &mut [f32] = &mut chunk.d_gates;
        let weight_gradient: &mut [f32] = &mut chunk.weight_gradient;
        if let Some((dx, false)) = &mut dx {
            clear_padding(lengths, geometry.shape.input, dx);
        }
        d_inputs.fill(0.0);
        d_cells.fill(0.0);
        if weights_wanted {
            weight_gradient.fill(0.0);
        }
        let scale = GradientScale::of(d_states);
        chunk.scale = scale;
        for step in (0..steps).rev() {
            let row_len = columns * geometry.lanes;
            geometry.add_state_gradient(step, lengths, (d_states, scale.up), row_len, d_inputs);
            let place = step % segment_steps;
            let first = step - place;
            let length = segment_steps.min(steps - first);
            let block_stride = length * rows * depth;
            let before = if step > 0 {
                Some(&cells[(step - 1) * cell_step..][..cell_step])
            } else {
                None
            };
            let mut cell = CellGradient {
                gates: vectors::<S>(&gates[step * gate_step..][..gate_step]),
                cells: vectors::<S>(&cells[step * cell_step..][..cell_step]),
                before: before.map(vectors::<S>),
                d_states: vectors::<S>(d_inputs),
                columns,
                d_cells: vectors_mut::<S>(d_cells),
                d_gates: vectors_mut::<S>(d_gates),
                block_stride: block_stride / geometry.lanes,
                start: place * rows * GATES,
            };
            cell.run(simd, geometry.blocks, rows);

            let mut column = 0;
            let mut weights = vectors::<S>(&packed.backward);
            for tile_columns in column_tiles(columns, geometry.tile_columns) {
                let (panel, rest) = weights.split_at(geometry.units * GATES * tile_columns);
                let mut tile = InputTile::<S> {
                    weights: panel,
                    d_gates: &d_gates[place * rows * depth..],
                    block_stride,
                    blocks: geometry.blocks,
                    d_inputs: vectors_mut::<S>(d_inputs),
                    width: columns,
                    column,
                };
                cover(simd, rows, tile_columns, &mut tile);
                column += tile_columns;
                weights = rest;
            }
            if let Some((dx, add)) = &mut dx {
                geometry.take_dx(step, lengths, (d_inputs, scale.down), row_len, dx, *add);
            }
            if weights_wanted && place == 0 {
                let d_gates = vectors::<S>(d_gates);
                let gradient = vectors_mut::<S>(weight_gradient);
                let count = length * rows;
                for block in 0..geometry.blocks {
                    let mut tile = WeightTile::<S> {
                        inputs: &chunk.inputs[first * rows * width..],
                        width,
                        d_gates: &d_gates[block * count * GATES..][..count * GATES],
                        gradient: &mut gradient[block * GATES..],
                        stride: geometry.blocks * GATES,
                    };
                    let inputs = geometry.units + geometry.shape.input + 1;
                    cover_rows::<S, _, GATES>(simd, inputs, &mut tile);
                }
            }
        }
    }
}

/// Widths of the register tiles, at most `widest`, that cover `columns` vectors.
pub(super) fn column_tiles(columns: usize, widest: usize) -> impl Iterator<Item = usize> {
    let tiles = columns.div_ceil(widest);
    (0..tiles).map(move |tile| (columns * (tile + 1)) / tiles - (columns * tile) / tiles)
}

/// The element-wise part of one step's backward pass.
struct CellGradient<'a, S: Simd> {
    gates: &'a [S::f32s],
    cells: &'a [S::f32s],
    before: Option<&'a [S::f32s]>,
    d_states: &'a [S::f32s],
    columns: usize,
    d_cells: &'a mut [S::f32s],
    d_gates: &'a mut [S::f32s],
    block_stride: usize,
    start: usize,
}

impl<S: Simd> CellGradient<'_, S> {
    #[inline(always)]
    fn run(&mut self, simd: S, blocks: usize, rows: usize) {
        let one = simd.splat_f32s(1.0);
        // Downwards, as the steps go: gates and cells are then read as one descending stream, which
        // the processor fetches ahead.
        for block in (0..blocks).rev() {
            for row in (0..rows).rev() {
                let place = block * rows + row;
                let gates = &self.gates[place * GATES..][..GATES];
                let [i, f, g, o] = [INPUT, FORGET, CANDIDATE, OUTPUT].map(|gate| gates[gate]);
                let tanh_c = tanh(simd, self.cells[place]);
                let dh = self.d_states[row * self.columns + block];
                let slope = simd.mul_f32s(simd.mul_f32s(dh, o), slope_of_tanh(simd, tanh_c));
                let dc = simd.add_f32s(self.d_cells[place], slope);
                let d_f = match self.before {
                    Some(before) => {
                        let slope = simd.mul_f32s(f, simd.sub_f32s(one, f));
                        simd.mul_f32s(simd.mul_f32s(dc, before[place]), slope)
                    }
                    None => simd.splat_f32s(0.0),
                };
                let slope = simd.mul_f32s(i, simd.sub_f32s(one, i));
                let d_i = simd.mul_f32s(simd.mul_f32s(dc, g), slope);
                let d_g = simd.mul_f32s(simd.mul_f32s(dc, i), slope_of_tanh(simd, g));
                let slope = simd.mul_f32s(o, simd.sub_f32s(one, o));
                let d_o = simd.mul_f32s(simd.mul_f32s(dh, tanh_c), slope);
                let start = block * self.block_stride + self.start + row * GATES;
                let d_gates = [d_i, d_f, d_g, d_o].map(|gate| flush(simd, gate));
                store(&mut self.d_gates[start..], d_gates);
                self.d_cells[place] = flush(simd, simd.mul_f32s(dc, f));
            }
        }
    }
}

/// `1 − y²`, the slope of `tanh` where its value is `y`.
#[inline(always)]
fn slope_of_tanh<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
    simd.negate_mul_add_e_f32s(y, y, simd.splat_f32s(1.0))
}
