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
//! Samples may have **lengths**: the steps behind a sample's last real one are padding. It is never
//! read, has no gradient, and its rows of [`Readout::All`] are zero; the last state is that after
//! the last real step, and the reverse direction starts there, as in PyTorch's packed sequences.
//! A sample's bits are those it would have in a batch without padding. A chunk costs as many steps
//! as its longest sample has.
//!
//! Source: Hochreiter and Schmidhuber, 1997, in the form of PyTorch's `nn.LSTM`.

mod cell;
mod memory;
mod rescale;
#[cfg(test)]
mod tests;

pub(crate) use super::request::{InputGradient, Keep};
pub(crate) use rescale::multipliers;

use super::dispatch::dispatch;
use super::lengths::real_steps;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use cell::{Backward, Forward, GATES};
use memory::{Chunk, Geometry, Packed};
use rayon::prelude::*;

/// Samples in one task: 16 would take 5 % less processor time a sample, but leave batches of 16 and
/// fewer to one thread.
pub(crate) const CHUNK_ROWS: usize = 8;

/// Which end of the sequence comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the first step to the last.
    #[default]
    Forward,
    /// From the last step to the first; PyTorch's `_reverse` weights.
    Reverse,
}

impl Direction {
    /// The time step of a sample of `length` steps that is processed `step`-th, if it has one.
    fn time(self, step: usize, length: usize) -> Option<usize> {
        let last = length.checked_sub(step + 1)?;
        Some(match self {
            Self::Forward => step,
            Self::Reverse => last,
        })
    }
}

/// Which hidden states leave the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Readout {
    /// The state after the last step processed, `[batch, hidden]`: PyTorch's `h_n`.
    #[default]
    Last,
    /// The state of every step, `[batch, steps, hidden]`: PyTorch's `output`.
    All,
}

/// The sizes of one direction, and the rows into which its states are read out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LstmShape {
    /// Time steps of a sample.
    pub(crate) steps: usize,
    /// Values a step.
    pub(crate) input: usize,
    /// Hidden units.
    pub(crate) hidden: usize,
    /// Order of the steps.
    pub(crate) direction: Direction,
    /// Which states are read out.
    pub(crate) readout: Readout,
    /// Values in a row of the readout: `hidden`, or more when directions share a row.
    pub(crate) row_width: usize,
    /// The first of this direction's values in such a row.
    pub(crate) row_offset: usize,
}

impl LstmShape {
    /// The forward direction, whose last state is read out into rows of its own.
    pub(crate) const fn new(steps: usize, input: usize, hidden: usize) -> Self {
        Self {
            steps,
            input,
            hidden,
            direction: Direction::Forward,
            readout: Readout::Last,
            row_width: hidden,
            row_offset: 0,
        }
    }

    /// Both directions of a bidirectional LSTM of these sizes and this readout, whose rows are
    /// `[forward state, reverse state]`.
    pub(crate) fn bidirectional(self) -> [Self; 2] {
        [(Direction::Forward, 0), (Direction::Reverse, self.hidden)].map(
            |(direction, row_offset)| Self {
                direction,
                row_width: 2 * self.hidden,
                row_offset,
                ..self
            },
        )
    }

    /// Values in the input of a sample, `[steps, input]`.
    pub(crate) const fn input_len(&self) -> usize {
        self.steps * self.input
    }

    /// Values in the readout of a sample.
    pub(crate) const fn output_len(&self) -> usize {
        match self.readout {
            Readout::Last => self.row_width,
            Readout::All => self.steps * self.row_width,
        }
    }

    /// Values in `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`.
    pub(crate) const fn parameter_lens(&self) -> [usize; 4] {
        let gates = GATES * self.hidden;
        [gates * self.input, gates * self.hidden, gates, gates]
    }

    /// Refuses sizes of 0 and rows without room for the states.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
        let Self {
            steps,
            input,
            hidden,
            ..
        } = *self;
        if steps * input * hidden == 0 {
            return Err(Error::Shape {
                operation: "lstm",
                found: format!("[{steps}, {input}] with {hidden} hidden units"),
                expected: "at least one step, value and unit".into(),
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

    /// The readout row of a sample of `length` real steps after its `step`-th, where it has one.
    fn readout_place(&self, sample: usize, step: usize, length: usize) -> Option<usize> {
        let row = match self.readout {
            Readout::Last if step + 1 == length => sample,
            Readout::Last => return None,
            Readout::All => sample * self.steps + self.direction.time(step, length)?,
        };
        Some(row * self.row_width + self.row_offset)
    }
}

/// The parameters of one direction, in PyTorch's layouts and gate order (i, f, g, o).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LstmParameters<'a> {
    /// `[4 · hidden, input]`.
    pub(crate) weight_ih: &'a [f32],
    /// `[4 · hidden, hidden]`.
    pub(crate) weight_hh: &'a [f32],
    /// `[4 · hidden]`.
    pub(crate) bias_ih: &'a [f32],
    /// `[4 · hidden]`.
    pub(crate) bias_hh: &'a [f32],
}

impl LstmParameters<'_> {
    fn check(&self, shape: &LstmShape) -> Result<()> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = shape.parameter_lens();
        expect_len("lstm", "weight_ih", self.weight_ih.len(), weight_ih)?;
        expect_len("lstm", "weight_hh", self.weight_hh.len(), weight_hh)?;
        expect_len("lstm", "bias_ih", self.bias_ih.len(), bias_ih)?;
        expect_len("lstm", "bias_hh", self.bias_hh.len(), bias_hh)
    }
}

/// Where the parameters' gradients are added, in the layouts of [`LstmParameters`].
#[derive(Debug)]
pub(crate) struct LstmGradients<'a> {
    /// `[4 · hidden, input]`.
    pub(crate) weight_ih: &'a mut [f32],
    /// `[4 · hidden, hidden]`.
    pub(crate) weight_hh: &'a mut [f32],
    /// `[4 · hidden]`.
    pub(crate) bias_ih: &'a mut [f32],
    /// `[4 · hidden]`.
    pub(crate) bias_hh: &'a mut [f32],
}

impl LstmGradients<'_> {
    fn check(&self, shape: &LstmShape) -> Result<()> {
        let Self {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        } = self;
        let gradients = LstmParameters {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        };
        gradients.check(shape)
    }
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct LstmCache {
    shape: LstmShape,
    batch: usize,
    geometry: Geometry,
    packed: Packed,
    chunks: Vec<Chunk>,
}

/// Runs sequences `x` `[batch, steps, input]` through one direction of an LSTM, from zero states.
///
/// Writes the hidden states that `shape.readout` names into rows of `out`, which are
/// `shape.row_width` values apart; the other values of a row stay as they are. `lengths`, when
/// given, are the real steps of each sample. `cache` serves any number of [`backward`] calls.
///
/// Cost: about `8 · batch · steps · hidden · (hidden + input)` floating-point operations.
///
/// # Errors
/// [`Error::Shape`] when a slice's length doesn't fit the shape, [`Error::Argument`] when the
/// lengths are not one a sample or not from 1 to `steps`.
pub(crate) fn forward(
    shape: &LstmShape,
    parameters: LstmParameters,
    x: &[f32],
    lengths: Option<&[usize]>,
    keep: Keep,
    out: &mut [f32],
    cache: &mut LstmCache,
) -> Result<()> {
    shape.check()?;
    parameters.check(shape)?;
    let batch = batch_len("lstm", "x", x.len(), shape.input_len())?;
    expect_len("lstm", "out", out.len(), batch * shape.output_len())?;
    let lengths = real_steps(lengths, batch, shape.steps)?;
    cache.shape = *shape;
    cache.batch = batch;
    cache.geometry = Geometry::new(shape, keep);
    let geometry = &cache.geometry;
    cache
        .chunks
        .resize_with(batch.div_ceil(CHUNK_ROWS), Chunk::default);
    for (chunk, lengths) in cache.chunks.iter_mut().zip(lengths.chunks(CHUNK_ROWS)) {
        chunk.prepare_forward(geometry, lengths);
    }
    cache.packed.pack_forward(geometry, &parameters);
    let packed = &cache.packed;
    let x = x.par_chunks(CHUNK_ROWS * shape.input_len());
    let out = out.par_chunks_mut(CHUNK_ROWS * shape.output_len());
    let tasks = cache.chunks.par_iter_mut().zip(x).zip(out);
    tasks.for_each(|((chunk, x), states)| {
        dispatch(Forward {
            geometry,
            packed,
            x,
            states,
            chunk,
        });
    });
    Ok(())
}

/// Pulls `dout`, the gradient of what [`forward`] wrote into its rows of `out`, back through the
/// pass in `cache`.
///
/// `gradients`, when given, have the parameters' gradients **added** to them. `parameters` must be
/// those of the forward pass.
///
/// What would be smaller than about 10⁻⁴² times the largest value in a chunk's `dout` is zero in
/// `dx`. Cost: as [`forward`], and as much again for `gradients`.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass, a slice's length doesn't fit it, or parameter
/// gradients are asked of a [`Keep::ForInput`] pass.
pub(crate) fn backward(
    parameters: LstmParameters,
    cache: &mut LstmCache,
    dout: &[f32],
    dx: InputGradient,
    gradients: Option<LstmGradients>,
) -> Result<()> {
    let LstmCache { shape, batch, .. } = *cache;
    if batch == 0 {
        return Err(Error::Shape {
            operation: "lstm backward",
            found: "no forward pass".into(),
            expected: "a cache that a forward pass filled".into(),
        });
    }
    parameters.check(&shape)?;
    expect_len("lstm", "dout", dout.len(), batch * shape.output_len())?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        expect_len("lstm", "dx", dx.len(), batch * shape.input_len())?;
    }
    let geometry = &cache.geometry;
    let weights_wanted = gradients.is_some();
    if let Some(gradients) = &gradients {
        gradients.check(&shape)?;
        geometry.keep.check_weights("lstm weight gradient")?;
    }
    cache
        .packed
        .pack_backward(geometry, &parameters, dx.is_some());
    let packed = &cache.packed;
    let dx: Vec<_> = match dx {
        Some(dx) => dx
            .chunks_mut(CHUNK_ROWS * shape.input_len())
            .map(Some)
            .collect(),
        None => cache.chunks.iter().map(|_| None).collect(),
    };
    let dout = dout.par_chunks(CHUNK_ROWS * shape.output_len());
    let tasks = cache.chunks.par_iter_mut().zip(dout).zip(dx);
    tasks.for_each(|((chunk, d_states), dx)| {
        chunk.prepare_backward(geometry, packed.backward_columns, weights_wanted);
        dispatch(Backward {
            geometry,
            packed,
            d_states,
            dx: dx.map(|dx| (dx, add)),
            weights_wanted,
            chunk,
        });
    });
    if let Some(mut gradients) = gradients {
        let (first, rest) = cache.chunks.split_at_mut(1);
        let down = first[0].scale.down;
        let total = &mut first[0].weight_gradient;
        for total in total.iter_mut() {
            *total *= down;
        }
        for chunk in rest {
            let down = chunk.scale.down;
            for (total, part) in total.iter_mut().zip(&*chunk.weight_gradient) {
                *total += down * part;
            }
        }
        geometry.add_weight_gradient(total, &mut gradients);
    }
    Ok(())
}
