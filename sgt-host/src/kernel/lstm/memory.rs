//! Where the values of an LSTM's chunks and its packed weights lie. The chunks' layouts are
//! described in [`super::cell`].

use super::super::buffer::Buffer;
use super::super::dispatch::dispatch;
use super::super::vanishing::GradientScale;
use super::cell::{AskRegisters, GATES, Registers, column_tiles};
use super::{CHUNK_ROWS, Keep, LstmGradients, LstmParameters, LstmShape, Readout};

/// Steps whose gate gradients are kept before they are turned into weight gradients: few enough
/// to stay in a core's own cache.
pub(super) const SEGMENT_STEPS: usize = 8;

/// Sizes in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Geometry {
    pub(super) shape: LstmShape,
    pub(super) keep: Keep,
    pub(super) lanes: usize,
    /// Vectors in the widest register tile of the backward pass.
    pub(super) tile_columns: usize,
    /// Vectors that hold the hidden units.
    pub(super) blocks: usize,
    /// Hidden units with the padding.
    pub(super) units: usize,
    /// Values in a row of `Chunk::inputs`.
    pub(super) width: usize,
}

/// One chunk's part of the cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    pub(super) rows: usize,
    /// The real steps of each row, the first `rows` values.
    pub(super) lengths: [usize; CHUNK_ROWS],
    /// Those of the longest row.
    pub(super) steps: usize,
    pub(super) inputs: Buffer,
    pub(super) gates: Buffer,
    pub(super) cells: Buffer,
    pub(super) d_inputs: Buffer,
    pub(super) d_cells: Buffer,
    pub(super) d_gates: Buffer,
    /// By what the gradients of the last backward pass are scaled.
    pub(super) scale: GradientScale,
    /// `[units + input + 1][blocks][4][lanes]`, scaled.
    pub(super) weight_gradient: Buffer,
}

/// The weights in the order in which the kernels read them.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    /// `[blocks][units + input][4][lanes]`.
    pub(super) forward: Buffer,
    /// `[blocks][4][lanes]`, both biases.
    pub(super) bias: Buffer,
    /// For each tile of columns: `[blocks · 4 · lanes][columns of the tile][lanes]`.
    pub(super) backward: Buffer,
    /// Vectors in a row of the input's gradient.
    pub(super) backward_columns: usize,
}

impl Chunk {
    /// Sizes the buffers of a forward pass over samples of these lengths.
    pub(super) fn prepare_forward(&mut self, geometry: &Geometry, lengths: &[usize]) {
        let rows = lengths.len();
        self.rows = rows;
        self.lengths[..rows].copy_from_slice(lengths);
        self.steps = lengths.iter().copied().max().unwrap_or(0);
        let slots = match geometry.keep {
            Keep::ForWeights => self.steps + 1,
            Keep::ForInput => 2,
        };
        let units = geometry.units;
        self.inputs.resize(slots * rows * geometry.width);
        self.gates.resize(self.steps * rows * units * GATES);
        self.cells.resize(self.steps * rows * units);
    }

    /// Sizes the buffers of a backward pass.
    pub(super) fn prepare_backward(
        &mut self,
        geometry: &Geometry,
        columns: usize,
        weights_wanted: bool,
    ) {
        let rows = self.rows;
        let units = geometry.units;
        self.d_inputs.resize(rows * columns * geometry.lanes);
        self.d_cells.resize(rows * units);
        let steps = if weights_wanted { SEGMENT_STEPS } else { 1 };
        self.d_gates.resize(steps * rows * units * GATES);
        if weights_wanted {
            let inputs = units + geometry.shape.input + 1;
            self.weight_gradient.resize(inputs * units * GATES);
        }
    }
}

impl Geometry {
    pub(super) fn new(shape: &LstmShape, keep: Keep) -> Self {
        let Registers {
            lanes,
            tile_columns,
        } = dispatch(AskRegisters);
        let blocks = shape.hidden.div_ceil(lanes);
        let units = blocks * lanes;
        Self {
            shape: *shape,
            keep,
            lanes,
            tile_columns,
            blocks,
            units,
            width: (units + shape.input + 1).next_multiple_of(lanes),
        }
    }

    /// Puts a step's x, the one and the padding into its inputs. Samples that have ended read
    /// zeros.
    pub(super) fn place_x(&self, x: &[f32], step: usize, lengths: &[usize], inputs: &mut [f32]) {
        let LstmShape {
            input, direction, ..
        } = self.shape;
        let samples = x.chunks_exact(self.shape.input_len()).zip(lengths);
        for ((x, &length), row) in samples.zip(inputs.chunks_exact_mut(self.width)) {
            let (place, rest) = row[self.units..].split_at_mut(input);
            match direction.time(step, length) {
                Some(time) => place.copy_from_slice(&x[time * input..][..input]),
                None => place.fill(0.0),
            }
            rest.fill(0.0);
            rest[0] = 1.0;
        }
    }

    /// Copies the states after a step, found in the next step's inputs, into the readout.
    pub(super) fn read_out(
        &self,
        step: usize,
        lengths: &[usize],
        inputs: &[f32],
        states: &mut [f32],
    ) {
        let hidden = self.shape.hidden;
        let rows = inputs.chunks_exact(self.width).zip(lengths);
        for (sample, (row, &length)) in rows.enumerate() {
            if let Some(place) = self.shape.readout_place(sample, step, length) {
                states[place..place + hidden].copy_from_slice(&row[..hidden]);
            }
        }
    }

    /// Zeros in the place of the states of padded steps, where these are read out.
    pub(super) fn clear_padding(&self, lengths: &[usize], states: &mut [f32]) {
        let LstmShape {
            steps,
            hidden,
            readout,
            row_width,
            row_offset,
            ..
        } = self.shape;
        if readout == Readout::Last {
            return;
        }
        let samples = states.chunks_exact_mut(steps * row_width);
        for (states, &length) in samples.zip(lengths) {
            for row in states.chunks_exact_mut(row_width).skip(length) {
                row[row_offset..row_offset + hidden].fill(0.0);
            }
        }
    }

    /// Adds `up` times the readout's gradient of a step to the gradient that came from the step after
    /// it.
    pub(super) fn add_state_gradient(
        &self,
        step: usize,
        lengths: &[usize],
        (d_states, up): (&[f32], f32),
        row_len: usize,
        d_inputs: &mut [f32],
    ) {
        let rows = d_inputs.chunks_exact_mut(row_len).zip(lengths);
        for (sample, (row, &length)) in rows.enumerate() {
            if let Some(place) = self.shape.readout_place(sample, step, length) {
                let d_states = &d_states[place..place + self.shape.hidden];
                for (sum, d_state) in row.iter_mut().zip(d_states) {
                    *sum += up * d_state;
                }
            }
        }
    }

    /// Moves `down` times a step's input gradient to its place in `dx`.
    pub(super) fn take_dx(
        &self,
        step: usize,
        lengths: &[usize],
        (d_inputs, down): (&[f32], f32),
        row_len: usize,
        dx: &mut [f32],
        add: bool,
    ) {
        let LstmShape {
            input, direction, ..
        } = self.shape;
        let samples = dx.chunks_exact_mut(self.shape.input_len()).zip(lengths);
        for ((dx, &length), row) in samples.zip(d_inputs.chunks_exact(row_len)) {
            let Some(time) = direction.time(step, length) else {
                continue;
            };
            let dx = &mut dx[time * input..][..input];
            let row = &row[self.units..][..input];
            if add {
                for (dx, value) in dx.iter_mut().zip(row) {
                    *dx += down * value;
                }
            } else {
                for (dx, value) in dx.iter_mut().zip(row) {
                    *dx = down * value;
                }
            }
        }
    }

    /// Adds the kernels' weight gradient `[units + input + 1][blocks][4][lanes]` to PyTorch's
    /// layouts.
    pub(super) fn add_weight_gradient(&self, total: &[f32], gradients: &mut LstmGradients) {
        let LstmShape { input, hidden, .. } = self.shape;
        let column = |input: usize| &total[input * self.units * GATES..][..self.units * GATES];
        for gate in 0..GATES {
            for unit in 0..hidden {
                let row = gate * hidden + unit;
                let place = (unit / self.lanes * GATES + gate) * self.lanes + unit % self.lanes;
                let weights = &mut gradients.weight_hh[row * hidden..][..hidden];
                for (input, weight) in weights.iter_mut().enumerate() {
                    *weight += column(input)[place];
                }
                let weights = &mut gradients.weight_ih[row * input..][..input];
                for (input, weight) in weights.iter_mut().enumerate() {
                    *weight += column(self.units + input)[place];
                }
                let bias = column(self.units + input)[place];
                gradients.bias_ih[row] += bias;
                gradients.bias_hh[row] += bias;
            }
        }
    }
}

impl Packed {
    pub(super) fn pack_forward(&mut self, geometry: &Geometry, weights: &LstmParameters) {
        let Geometry { lanes, units, .. } = *geometry;
        let LstmShape { input, hidden, .. } = geometry.shape;
        let forward = self.forward.resize(units * GATES * (units + input));
        let bias = self.bias.resize(units * GATES);
        forward.fill(0.0);
        bias.fill(0.0);
        let panel = (units + input) * GATES * lanes;
        for gate in 0..GATES {
            for unit in 0..hidden {
                let row = gate * hidden + unit;
                let (block, lane) = (unit / lanes, unit % lanes);
                let place = gate * lanes + lane;
                bias[block * GATES * lanes + place] = weights.bias_ih[row] + weights.bias_hh[row];
                let panel = &mut forward[block * panel..][..panel];
                let (from_state, from_x) = panel.split_at_mut(units * GATES * lanes);
                let row_hh = &weights.weight_hh[row * hidden..][..hidden];
                let row_ih = &weights.weight_ih[row * input..][..input];
                for (vector, &weight) in from_state.chunks_exact_mut(GATES * lanes).zip(row_hh) {
                    vector[place] = weight;
                }
                for (vector, &weight) in from_x.chunks_exact_mut(GATES * lanes).zip(row_ih) {
                    vector[place] = weight;
                }
            }
        }
    }

    pub(super) fn pack_backward(
        &mut self,
        geometry: &Geometry,
        weights: &LstmParameters,
        dx_wanted: bool,
    ) {
        let Geometry {
            lanes,
            blocks,
            units,
            ..
        } = *geometry;
        let LstmShape { input, hidden, .. } = geometry.shape;
        let x_columns = if dx_wanted { input.div_ceil(lanes) } else { 0 };
        let columns = blocks + x_columns;
        let depth = units * GATES;
        self.backward_columns = columns;
        let mut rest = self.backward.resize(depth * columns * lanes);
        rest.fill(0.0);
        let mut first = 0;
        for tile_columns in column_tiles(columns, geometry.tile_columns) {
            let panel;
            (panel, rest) = rest.split_at_mut(depth * tile_columns * lanes);
            let row_len = tile_columns * lanes;
            for gate in 0..GATES {
                for unit in 0..hidden {
                    let row = gate * hidden + unit;
                    let k = (unit / lanes * GATES + gate) * lanes + unit % lanes;
                    for (column, place) in panel[k * row_len..][..row_len].iter_mut().enumerate() {
                        let column = first * lanes + column;
                        if column < hidden {
                            *place = weights.weight_hh[row * hidden + column];
                        } else if (units..units + input).contains(&column) && dx_wanted {
                            *place = weights.weight_ih[row * input + column - units];
                        }
                    }
                }
            }
            first += tile_columns;
        }
    }
}
