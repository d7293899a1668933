//! A long short-term memory over whole sequences, as one operation.
//!
//! For every step t (from zero states), with σ the logistic sigmoid and gates in PyTorch's order:
//!
//! ```text
//! i, f, g, o = σ, σ, tanh, σ of  x_t · weight_ihᵀ + bias_ih + h_{t−1} · weight_hhᵀ + bias_hh
//! c_t = f ∘ c_{t−1} + i ∘ g        h_t = o ∘ tanh(c_t)
//! ```
//!
//! The batch is cut into fixed chunks of [`CHUNK_ROWS`] samples; a chunk's whole sequence is one
//! task. So results don't depend on the number of threads. They do depend on the instruction set
//! (AVX-512, AVX2 with FMA, NEON or none), which is chosen when the program runs.
//!
//! Source: Hochreiter and Schmidhuber, 1997, in the form of PyTorch's `nn.LSTM`.

mod cell;

use super::aligned::AlignedBuffer;
use super::request::check_length as check;
pub use super::request::{InputGradient, Keep};
use crate::{Error, Result};
use cell::{AskRegisters, Backward, Forward, GATES, Registers, column_tiles};
use pulp::Arch;
use rayon::prelude::*;

/// Samples in one task: 16 would take 5 % less processor time a sample, but leave batches of 16 and
/// fewer to one thread.
pub const CHUNK_ROWS: usize = 8;
/// Steps whose gate gradients are kept before they are turned into weight gradients: few enough
/// to stay in a core's own cache.
const SEGMENT_STEPS: usize = 8;

/// The sizes of a batch of sequences and of the network's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LstmShape {
    /// Samples.
    pub batch: usize,
    /// Time steps of a sample.
    pub steps: usize,
    /// Values a step.
    pub input: usize,
    /// Hidden units.
    pub hidden: usize,
}

/// Which end of the sequence comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first step to the last.
    #[default]
    Forward,
    /// From the last step to the first; PyTorch's `_reverse` weights.
    Reverse,
}

/// Which hidden states leave the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readout {
    /// The state after the last step processed, `[batch, hidden]`: PyTorch's `h_n`.
    #[default]
    Last,
    /// The state of every step, `[batch, steps, hidden]`: PyTorch's `output`.
    All,
}

/// How a batch goes through an LSTM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LstmCall {
    /// Sizes.
    pub shape: LstmShape,
    /// Order of the steps.
    pub direction: Direction,
    /// Which states are read out.
    pub readout: Readout,
    /// What is kept.
    pub keep: Keep,
    /// Values in a row of the readout: `hidden`, or more when directions share a row.
    pub row_width: usize,
    /// The first of this direction's values in such a row.
    pub row_offset: usize,
}

impl LstmCall {
    /// A forward direction that reads the last state into rows of its own and keeps everything.
    pub fn new(shape: LstmShape) -> Self {
        Self {
            shape,
            row_width: shape.hidden,
            ..Self::default()
        }
    }

    /// The two directions of a bidirectional LSTM, whose readout rows are
    /// `[forward state, reverse state]`.
    pub fn bidirectional(shape: LstmShape, readout: Readout, keep: Keep) -> [Self; 2] {
        [(Direction::Forward, 0), (Direction::Reverse, shape.hidden)].map(
            |(direction, row_offset)| Self {
                shape,
                direction,
                readout,
                keep,
                row_width: 2 * shape.hidden,
                row_offset,
            },
        )
    }

    /// Values in the readout.
    pub fn readout_len(&self) -> usize {
        let rows = match self.readout {
            Readout::Last => self.shape.batch,
            Readout::All => self.shape.batch * self.shape.steps,
        };
        rows * self.row_width
    }

    /// Values in the input `[batch, steps, input]`.
    pub fn input_len(&self) -> usize {
        self.shape.batch * self.shape.steps * self.shape.input
    }

    fn check(&self) -> Result<()> {
        let LstmShape {
            batch,
            steps,
            input,
            hidden,
        } = self.shape;
        if batch * steps * input * hidden == 0 {
            return Err(Error::Shape {
                operation: "lstm",
                found: format!("[{batch}, {steps}, {input}] with {hidden} hidden units"),
                expected: "at least one sample, step, value and unit".into(),
            });
        }
        if self.row_width < self.row_offset + hidden {
            return Err(Error::Shape {
                operation: "lstm readout",
                found: format!("rows of {}", self.row_width),
                expected: format!("room for {hidden} values at {}", self.row_offset),
            });
        }
        Ok(())
    }
}

/// The parameters of one direction, in PyTorch's layouts and gate order (i, f, g, o).
#[derive(Clone, Copy, Debug)]
pub struct LstmWeights<'a> {
    /// `[4 · hidden, input]`.
    pub weight_ih: &'a [f32],
    /// `[4 · hidden, hidden]`.
    pub weight_hh: &'a [f32],
    /// `[4 · hidden]`.
    pub bias_ih: &'a [f32],
    /// `[4 · hidden]`.
    pub bias_hh: &'a [f32],
}

/// Where the parameters' gradients are added, in the layouts of [`LstmWeights`].
#[derive(Debug)]
pub struct LstmGradient<'a> {
    /// `[4 · hidden, input]`.
    pub weight_ih: &'a mut [f32],
    /// `[4 · hidden, hidden]`.
    pub weight_hh: &'a mut [f32],
    /// `[4 · hidden]`.
    pub bias_ih: &'a mut [f32],
    /// `[4 · hidden]`.
    pub bias_hh: &'a mut [f32],
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub struct LstmCache {
    call: LstmCall,
    geometry: Geometry,
    packed: Packed,
    chunks: Vec<Chunk>,
}

/// Sizes in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Geometry {
    lanes: usize,
    /// Vectors in the widest register tile of the backward pass.
    tile_columns: usize,
    /// Vectors that hold the hidden units.
    blocks: usize,
    /// Hidden units with the padding.
    units: usize,
    /// Values in a row of `Chunk::inputs`.
    width: usize,
    steps: usize,
    input: usize,
    hidden: usize,
    direction: Direction,
    readout: Readout,
    keep: Keep,
    row_width: usize,
    row_offset: usize,
}

/// One chunk's part of the cache; the layouts are described in [`cell`].
#[derive(Clone, Debug, Default)]
struct Chunk {
    rows: usize,
    inputs: AlignedBuffer,
    gates: AlignedBuffer,
    cells: AlignedBuffer,
    d_inputs: AlignedBuffer,
    d_cells: AlignedBuffer,
    d_gates: AlignedBuffer,
    /// `[units + input + 1][blocks][4][lanes]`.
    weight_gradient: AlignedBuffer,
}

/// The weights in the order in which the kernels read them.
#[derive(Clone, Debug, Default)]
struct Packed {
    /// `[blocks][units + input][4][lanes]`.
    forward: AlignedBuffer,
    /// `[blocks][4][lanes]`, both biases.
    bias: AlignedBuffer,
    /// For each tile of columns: `[blocks · 4 · lanes][columns of the tile][lanes]`.
    backward: AlignedBuffer,
    /// Vectors in a row of the input's gradient.
    backward_columns: usize,
}

/// Runs sequences `x` `[batch, steps, input]` through one direction of an LSTM, from zero states.
///
/// Writes the hidden states that `call.readout` names into rows of `states`, which are
/// `call.row_width` values apart; the other values of a row stay as they are. `cache` serves any
/// number of [`backward`] calls.
///
/// Cost: about `8 · batch · steps · hidden · (hidden + input)` floating-point operations.
///
/// # Errors
/// [`Error::Shape`] when a slice's length doesn't fit the call.
pub fn forward(
    call: &LstmCall,
    weights: &LstmWeights,
    x: &[f32],
    states: &mut [f32],
    cache: &mut LstmCache,
) -> Result<()> {
    forward_on(Arch::new(), call, weights, x, states, cache)
}

/// [`forward`] on a given instruction set.
fn forward_on(
    arch: Arch,
    call: &LstmCall,
    weights: &LstmWeights,
    x: &[f32],
    states: &mut [f32],
    cache: &mut LstmCache,
) -> Result<()> {
    call.check()?;
    weights.check(&call.shape)?;
    check("lstm input", x.len(), call.input_len())?;
    check("lstm states", states.len(), call.readout_len())?;
    cache.prepare(arch, call);
    let geometry = &cache.geometry;
    cache.packed.pack_forward(geometry, weights);
    let packed = &cache.packed;
    let x = x.par_chunks(CHUNK_ROWS * geometry.steps * geometry.input);
    let states = states.par_chunks_mut(CHUNK_ROWS * geometry.readout_row());
    let tasks = cache.chunks.par_iter_mut().zip(x).zip(states);
    tasks.for_each(|((chunk, x), states)| {
        arch.dispatch(Forward {
            geometry,
            packed,
            x,
            states,
            chunk,
        });
    });
    Ok(())
}

/// Pulls `d_states`, the gradient of what [`forward`] wrote into its rows of `states`, back
/// through the pass in `cache`.
///
/// `gradient`, when given, has the parameters' gradients **added** to it. `weights` must be those
/// of the forward pass.
///
/// Cost: as [`forward`], and as much again for `gradient`.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass, a slice's length doesn't fit it, or parameter
/// gradients are asked of a [`Keep::ForInput`] pass.
pub fn backward(
    weights: &LstmWeights,
    cache: &mut LstmCache,
    d_states: &[f32],
    dx: InputGradient,
    gradient: Option<LstmGradient>,
) -> Result<()> {
    backward_on(Arch::new(), weights, cache, d_states, dx, gradient)
}

/// [`backward`] on a given instruction set.
fn backward_on(
    arch: Arch,
    weights: &LstmWeights,
    cache: &mut LstmCache,
    d_states: &[f32],
    dx: InputGradient,
    gradient: Option<LstmGradient>,
) -> Result<()> {
    let call = cache.call;
    call.check()?;
    weights.check(&call.shape)?;
    check("lstm state gradient", d_states.len(), call.readout_len())?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        check("lstm input gradient", dx.len(), call.input_len())?;
    }
    let weights_wanted = gradient.is_some();
    if let Some(gradient) = &gradient {
        gradient.check(&call.shape)?;
        call.keep.check_weights("lstm weight gradient")?;
    }
    let geometry = &cache.geometry;
    cache.packed.pack_backward(geometry, weights, dx.is_some());
    let packed = &cache.packed;
    let row = geometry.steps * geometry.input;
    let dx: Vec<_> = match dx {
        Some(dx) => dx.chunks_mut(CHUNK_ROWS * row).map(Some).collect(),
        None => cache.chunks.iter().map(|_| None).collect(),
    };
    let d_states = d_states.par_chunks(CHUNK_ROWS * geometry.readout_row());
    let tasks = cache.chunks.par_iter_mut().zip(d_states).zip(dx);
    tasks.for_each(|((chunk, d_states), dx)| {
        chunk.prepare_backward(geometry, packed.backward_columns, weights_wanted);
        arch.dispatch(Backward {
            geometry,
            packed,
            d_states,
            dx: dx.map(|dx| (dx, add)),
            weights_wanted,
            chunk,
        });
    });
    if let Some(mut gradient) = gradient {
        let (total, rest) = cache.chunks.split_at_mut(1);
        let total = total[0].weight_gradient.values_mut();
        for chunk in rest {
            for (total, part) in total.iter_mut().zip(chunk.weight_gradient.values()) {
                *total += part;
            }
        }
        geometry.add_weight_gradient(total, &mut gradient);
    }
    Ok(())
}

impl LstmWeights<'_> {
    fn check(&self, shape: &LstmShape) -> Result<()> {
        let gates = GATES * shape.hidden;
        check("lstm weight_ih", self.weight_ih.len(), gates * shape.input)?;
        check("lstm weight_hh", self.weight_hh.len(), gates * shape.hidden)?;
        check("lstm bias_ih", self.bias_ih.len(), gates)?;
        check("lstm bias_hh", self.bias_hh.len(), gates)
    }
}

impl LstmGradient<'_> {
    fn check(&self, shape: &LstmShape) -> Result<()> {
        let Self {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        } = self;
        let weights = LstmWeights {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        };
        weights.check(shape)
    }
}

impl LstmCache {
    /// Sizes every buffer for `call`.
    fn prepare(&mut self, arch: Arch, call: &LstmCall) {
        let shape = &call.shape;
        let Registers {
            lanes,
            tile_columns,
        } = arch.dispatch(AskRegisters);
        let blocks = shape.hidden.div_ceil(lanes);
        let units = blocks * lanes;
        self.call = *call;
        self.geometry = Geometry {
            lanes,
            tile_columns,
            blocks,
            units,
            width: (units + shape.input + 1).next_multiple_of(lanes),
            steps: shape.steps,
            input: shape.input,
            hidden: shape.hidden,
            direction: call.direction,
            readout: call.readout,
            keep: call.keep,
            row_width: call.row_width,
            row_offset: call.row_offset,
        };
        let geometry = &self.geometry;
        let chunks = shape.batch.div_ceil(CHUNK_ROWS);
        self.chunks.resize_with(chunks, Chunk::default);
        for (index, chunk) in self.chunks.iter_mut().enumerate() {
            let rows = CHUNK_ROWS.min(shape.batch - index * CHUNK_ROWS);
            chunk.rows = rows;
            let slots = match call.keep {
                Keep::ForWeights => shape.steps + 1,
                Keep::ForInput => 2,
            };
            chunk.inputs.resize(slots * rows * geometry.width);
            chunk.gates.resize(shape.steps * rows * units * GATES);
            chunk.cells.resize(shape.steps * rows * units);
        }
    }
}

impl Chunk {
    fn prepare_backward(&mut self, geometry: &Geometry, columns: usize, weights_wanted: bool) {
        let rows = self.rows;
        let units = geometry.units;
        self.d_inputs.resize(rows * columns * geometry.lanes);
        self.d_cells.resize(rows * units);
        let steps = if weights_wanted { SEGMENT_STEPS } else { 1 };
        self.d_gates.resize(steps * rows * units * GATES);
        if weights_wanted {
            let inputs = units + geometry.input + 1;
            self.weight_gradient.resize(inputs * units * GATES);
        }
    }
}

impl Geometry {
    /// Readout values of one sample.
    fn readout_row(&self) -> usize {
        match self.readout {
            Readout::Last => self.row_width,
            Readout::All => self.steps * self.row_width,
        }
    }

    /// The time step that is processed `step`-th.
    fn time(&self, step: usize) -> usize {
        match self.direction {
            Direction::Forward => step,
            Direction::Reverse => self.steps - 1 - step,
        }
    }

    /// Puts a step's x, the one and the padding into its inputs.
    fn place_x(&self, x: &[f32], step: usize, rows: usize, inputs: &mut [f32]) {
        let time = self.time(step);
        let samples = x.chunks_exact(self.steps * self.input);
        for (x, row) in samples.zip(inputs.chunks_exact_mut(self.width)).take(rows) {
            let (place, rest) = row[self.units..].split_at_mut(self.input);
            place.copy_from_slice(&x[time * self.input..][..self.input]);
            rest.fill(0.0);
            rest[0] = 1.0;
        }
    }

    /// The readout row of a sample after a step, where it has one.
    fn readout_place(&self, step: usize, sample: usize) -> Option<usize> {
        let row = match self.readout {
            Readout::Last if step + 1 == self.steps => sample,
            Readout::Last => return None,
            Readout::All => sample * self.steps + self.time(step),
        };
        Some(row * self.row_width + self.row_offset)
    }

    /// Copies the states after a step, found in the next step's inputs, into the readout.
    fn read_out(&self, step: usize, rows: usize, inputs: &[f32], states: &mut [f32]) {
        for (sample, row) in inputs.chunks_exact(self.width).enumerate().take(rows) {
            if let Some(place) = self.readout_place(step, sample) {
                states[place..place + self.hidden].copy_from_slice(&row[..self.hidden]);
            }
        }
    }

    /// Adds the readout's gradient of a step to the gradient that came from the step after it.
    fn add_state_gradient(
        &self,
        step: usize,
        rows: usize,
        d_states: &[f32],
        row_len: usize,
        d_inputs: &mut [f32],
    ) {
        for (sample, row) in d_inputs.chunks_exact_mut(row_len).enumerate().take(rows) {
            if let Some(place) = self.readout_place(step, sample) {
                let d_states = &d_states[place..place + self.hidden];
                for (sum, d_state) in row.iter_mut().zip(d_states) {
                    *sum += d_state;
                }
            }
        }
    }

    /// Moves a step's input gradient to its place in `dx`.
    fn take_dx(
        &self,
        step: usize,
        rows: usize,
        d_inputs: &[f32],
        row_len: usize,
        dx: &mut [f32],
        add: bool,
    ) {
        let time = self.time(step);
        let samples = dx.chunks_exact_mut(self.steps * self.input);
        for (dx, row) in samples.zip(d_inputs.chunks_exact(row_len)).take(rows) {
            let dx = &mut dx[time * self.input..][..self.input];
            let row = &row[self.units..][..self.input];
            if add {
                for (dx, value) in dx.iter_mut().zip(row) {
                    *dx += value;
                }
            } else {
                dx.copy_from_slice(row);
            }
        }
    }

    /// Adds the kernels' weight gradient `[units + input + 1][blocks][4][lanes]` to PyTorch's
    /// layouts.
    fn add_weight_gradient(&self, total: &[f32], gradient: &mut LstmGradient) {
        let column = |input: usize| &total[input * self.units * GATES..][..self.units * GATES];
        for gate in 0..GATES {
            for unit in 0..self.hidden {
                let row = gate * self.hidden + unit;
                let place = (unit / self.lanes * GATES + gate) * self.lanes + unit % self.lanes;
                let weights = &mut gradient.weight_hh[row * self.hidden..][..self.hidden];
                for (input, weight) in weights.iter_mut().enumerate() {
                    *weight += column(input)[place];
                }
                let weights = &mut gradient.weight_ih[row * self.input..][..self.input];
                for (input, weight) in weights.iter_mut().enumerate() {
                    *weight += column(self.units + input)[place];
                }
                let bias = column(self.units + self.input)[place];
                gradient.bias_ih[row] += bias;
                gradient.bias_hh[row] += bias;
            }
        }
    }
}

impl Packed {
    fn pack_forward(&mut self, geometry: &Geometry, weights: &LstmWeights) {
        let Geometry {
            lanes,
            units,
            input,
            hidden,
            ..
        } = *geometry;
        self.forward.resize(units * GATES * (units + input));
        self.bias.resize(units * GATES);
        let forward = self.forward.values_mut();
        let bias = self.bias.values_mut();
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

    fn pack_backward(&mut self, geometry: &Geometry, weights: &LstmWeights, dx_wanted: bool) {
        let Geometry {
            lanes,
            blocks,
            units,
            input,
            hidden,
            ..
        } = *geometry;
        let x_columns = if dx_wanted { input.div_ceil(lanes) } else { 0 };
        let columns = blocks + x_columns;
        let depth = units * GATES;
        self.backward_columns = columns;
        self.backward.resize(depth * columns * lanes);
        let mut rest = self.backward.values_mut();
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

#[cfg(test)]
mod tests {
    use super::super::instructions;
    use super::{
        Direction, InputGradient, Keep, LstmCache, LstmCall, LstmGradient, LstmShape, LstmWeights,
        Readout, backward_on, forward_on,
    };

    /// Largest difference from the oracle, as a share of the largest expected magnitude.
    const TOLERANCE: f64 = 2e-5;
    /// Batch, steps, input, hidden: around the sizes of chunks, segments, vectors and tiles.
    const SHAPES: [[usize; 4]; 9] = [
        [1, 1, 1, 1],
        [1, 8, 3, 16],
        [3, 7, 9, 5],
        [16, 9, 2, 17],
        [17, 3, 17, 33],
        [33, 5, 1, 8],
        [5, 17, 4, 64],
        [2, 4, 70, 40],
        [7, 2, 6, 100],
    ];

    /// Repeatable values in −1..1.
    fn values(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(next).collect()
    }

    /// States, then the gradients of x and of the four parameters, one value after the other.
    struct Oracle {
        states: Vec<f64>,
        dx: Vec<f64>,
        gradients: [Vec<f64>; 4],
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The definition, sample by sample, in `f64`.
    fn oracle(call: &LstmCall, weights: &LstmWeights, x: &[f32], d_states: &[f32]) -> Oracle {
        let LstmShape {
            batch,
            steps,
            input,
            hidden,
        } = call.shape;
        let mut oracle = Oracle {
            states: vec![0.0; d_states.len()],
            dx: vec![0.0; x.len()],
            gradients: [
                4 * hidden * input,
                4 * hidden * hidden,
                4 * hidden,
                4 * hidden,
            ]
            .map(|len| vec![0.0; len]),
        };
        let time = |step: usize| match call.direction {
            Direction::Forward => step,
            Direction::Reverse => steps - 1 - step,
        };
        let place = |sample: usize, step: usize| match call.readout {
            Readout::Last if step + 1 < steps => None,
            Readout::Last => Some(sample * call.row_width + call.row_offset),
            Readout::All => Some((sample * steps + time(step)) * call.row_width + call.row_offset),
        };
        for sample in 0..batch {
            let mut h = vec![vec![0.0; hidden]];
            let mut c = vec![vec![0.0; hidden]];
            let mut gates = Vec::new();
            for step in 0..steps {
                let x = &x[(sample * steps + time(step)) * input..][..input];
                let mut z = vec![0.0; 4 * hidden];
                for (row, z) in z.iter_mut().enumerate() {
                    *z = f64::from(weights.bias_ih[row]) + f64::from(weights.bias_hh[row]);
                    for (k, x) in x.iter().enumerate() {
                        *z += f64::from(weights.weight_ih[row * input + k] * x);
                    }
                    for (k, h) in h[step].iter().enumerate() {
                        *z += f64::from(weights.weight_hh[row * hidden + k]) * h;
                    }
                    let candidate = row / hidden == 2;
                    *z = if candidate { z.tanh() } else { sigmoid(*z) };
                }
                let new_c =
                    |unit: usize| z[hidden + unit] * c[step][unit] + z[unit] * z[2 * hidden + unit];
                c.push((0..hidden).map(new_c).collect::<Vec<f64>>());
                let new_h = |unit: usize| z[3 * hidden + unit] * c[step + 1][unit].tanh();
                h.push((0..hidden).map(new_h).collect::<Vec<f64>>());
                gates.push(z);
                if let Some(place) = place(sample, step) {
                    oracle.states[place..place + hidden].copy_from_slice(&h[step + 1]);
                }
            }
            let mut dh = vec![0.0; hidden];
            let mut dc = vec![0.0; hidden];
            for step in (0..steps).rev() {
                if let Some(place) = place(sample, step) {
                    for (dh, d_state) in dh.iter_mut().zip(&d_states[place..]) {
                        *dh += f64::from(*d_state);
                    }
                }
                let z = &gates[step];
                let mut dz = vec![0.0; 4 * hidden];
                for unit in 0..hidden {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| z[gate * hidden + unit]);
                    let tanh_c = c[step + 1][unit].tanh();
                    dc[unit] += dh[unit] * o * (1.0 - tanh_c * tanh_c);
                    dz[unit] = dc[unit] * g * i * (1.0 - i);
                    dz[hidden + unit] = dc[unit] * c[step][unit] * f * (1.0 - f);
                    dz[2 * hidden + unit] = dc[unit] * i * (1.0 - g * g);
                    dz[3 * hidden + unit] = dh[unit] * tanh_c * o * (1.0 - o);
                    dc[unit] *= f;
                }
                dh.fill(0.0);
                let start = (sample * steps + time(step)) * input;
                for (row, &dz) in dz.iter().enumerate() {
                    for k in 0..input {
                        let weight = f64::from(weights.weight_ih[row * input + k]);
                        oracle.dx[start + k] += dz * weight;
                        oracle.gradients[0][row * input + k] += dz * f64::from(x[start + k]);
                    }
                    for k in 0..hidden {
                        dh[k] += dz * f64::from(weights.weight_hh[row * hidden + k]);
                        oracle.gradients[1][row * hidden + k] += dz * h[step][k];
                    }
                    oracle.gradients[2][row] += dz;
                    oracle.gradients[3][row] += dz;
                }
            }
        }
        oracle
    }

    fn assert_close(name: &str, found: &[f32], expected: &[f64], start: f32) {
        assert_eq!(found.len(), expected.len(), "{name}");
        let largest = expected
            .iter()
            .fold(1e-3_f64, |max, value| max.max(value.abs()));
        for (index, (&found, expected)) in found.iter().zip(expected).enumerate() {
            let difference = (f64::from(found) - f64::from(start) - expected).abs() / largest;
            assert!(
                difference < TOLERANCE,
                "{name}[{index}]: {found}, expected {expected}"
            );
        }
    }

    #[test]
    fn agrees_with_the_definition_on_every_instruction_set() {
        for arch in instructions() {
            for [batch, steps, input, hidden] in SHAPES {
                for direction in [Direction::Forward, Direction::Reverse] {
                    for readout in [Readout::Last, Readout::All] {
                        let shape = LstmShape {
                            batch,
                            steps,
                            input,
                            hidden,
                        };
                        let mut call = LstmCall::new(shape);
                        call.direction = direction;
                        call.readout = readout;
                        compare(arch, &call);
                    }
                }
            }
        }
    }

    fn compare(arch: pulp::Arch, call: &LstmCall) {
        let LstmShape { input, hidden, .. } = call.shape;
        let name = format!("{arch:?}, {call:?}");
        let lens = [
            4 * hidden * input,
            4 * hidden * hidden,
            4 * hidden,
            4 * hidden,
        ];
        let parameters = [0, 1, 2, 3].map(|index| {
            let values = values(lens[index], 10 + index as u32);
            values.iter().map(|value| value * 0.5).collect::<Vec<_>>()
        });
        let weights = LstmWeights {
            weight_ih: &parameters[0],
            weight_hh: &parameters[1],
            bias_ih: &parameters[2],
            bias_hh: &parameters[3],
        };
        let x = values(call.input_len(), 20);
        let d_states = values(call.readout_len(), 30);
        let expected = oracle(call, &weights, &x, &d_states);
        let mut cache = LstmCache::default();
        let mut states = vec![f32::NAN; call.readout_len()];
        forward_on(arch, call, &weights, &x, &mut states, &mut cache).unwrap();
        assert_close(&format!("states: {name}"), &states, &expected.states, 0.0);

        // Twice on one pass: overwritten without weights, then added to ones with them.
        let mut dx = vec![f32::NAN; x.len()];
        let overwrite = InputGradient::Overwrite(&mut dx);
        backward_on(arch, &weights, &mut cache, &d_states, overwrite, None).unwrap();
        assert_close(&format!("dx: {name}"), &dx, &expected.dx, 0.0);
        let mut dx = vec![1.0; x.len()];
        let mut gradients = lens.map(|len| vec![1.0; len]);
        let [weight_ih, weight_hh, bias_ih, bias_hh] = &mut gradients;
        let gradient = LstmGradient {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        };
        let add = InputGradient::Add(&mut dx);
        backward_on(arch, &weights, &mut cache, &d_states, add, Some(gradient)).unwrap();
        assert_close(&format!("dx added: {name}"), &dx, &expected.dx, 1.0);
        for (found, expected) in gradients.iter().zip(&expected.gradients) {
            assert_close(&format!("gradient: {name}"), found, expected, 1.0);
        }
        assert_eq!(cache.call.keep, Keep::ForWeights);
    }
}
