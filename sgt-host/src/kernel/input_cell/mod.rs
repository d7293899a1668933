//! An LSTM that reads, at every step, an attention-weighted mean of the inputs so far: input-cell
//! attention.
//!
//! ```text
//! scores_t = linear_second(tanh(linear_first(x_t)))                         one a hop
//! M_t      = mean over hops of  Σ_{s ≤ t} softmax_{s ≤ t}(scores_s) · x_s
//! i, f, g, o = M_t · weight_iBarh + h_{t−1} · weight_hh + bias              as in `lstm`
//! ```
//!
//! Scores do not depend on the later step, so the attention of a whole sequence costs no more than
//! that of its last step: the softmax over the steps up to t follows from that up to t − 1.
//!
//! Samples may have lengths, as in [`lstm`].
//!
//! Source: Ismail, Gunady, Pessoa, Corrada Bravo and Feizi, 2019, "Input-Cell Attention Reduces
//! Vanishing Saliency of Recurrent Neural Networks", arXiv 1910.12370, with the names of the
//! published code.

mod rescale;
mod running;
#[cfg(test)]
mod tests;

pub(crate) use rescale::multipliers;

use super::buffer::{Buffer, with_scratch};
use super::conv2d::WeightGradient;
use super::dispatch::dispatch;
use super::layout::transpose;
use super::lengths::{clear_padding, real_steps};
use super::linear::{linear_backward, linear_forward};
use super::lstm::{self, LstmCache, LstmGradients, LstmParameters, LstmShape};
use super::request::{InputGradient, Keep};
use super::sums::add;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use rayon::prelude::*;
use running::{Backward, Forward, Tanh, scratch_lens};

/// Gates of a cell.
const GATES: usize = 4;
/// Values in one task of an element-wise step.
const PIECE: usize = 1 << 14;

/// The sizes of the network and the rows into which its states are read out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InputCellShape {
    /// The recurrent part, whose `input` is that of the whole.
    pub(crate) lstm: LstmShape,
    /// Attention distributions over the steps.
    pub(crate) hops: usize,
    /// Hidden units of the scores.
    pub(crate) attention_width: usize,
}

impl InputCellShape {
    /// Values in `weight_ibarh`, `weight_hh`, `bias`, and weight and bias of `linear_first` and of
    /// `linear_second`.
    pub(crate) const fn parameter_lens(&self) -> [usize; 7] {
        let gates = GATES * self.lstm.hidden;
        let width = self.attention_width;
        [
            self.lstm.input * gates,
            self.lstm.hidden * gates,
            gates,
            width * self.lstm.input,
            width,
            self.hops * width,
            self.hops,
        ]
    }

    /// Refuses sizes of 0 and rows without room for the states.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
        self.lstm.check()?;
        let (hops, width) = (self.hops, self.attention_width);
        if hops * width == 0 {
            return Err(Error::Shape {
                operation: "input-cell attention",
                found: format!("{hops} hops of width {width}"),
                expected: "at least one hop and one hidden unit".into(),
            });
        }
        Ok(())
    }
}

/// The parameters, in the layouts of the published code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputCellParameters<'a> {
    /// `[input, 4 · hidden]`, gates in the order i, f, g, o.
    pub(crate) weight_ibarh: &'a [f32],
    /// `[hidden, 4 · hidden]`.
    pub(crate) weight_hh: &'a [f32],
    /// `[4 · hidden]`.
    pub(crate) bias: &'a [f32],
    /// `[attention width, input]`.
    pub(crate) first_weight: &'a [f32],
    /// `[attention width]`.
    pub(crate) first_bias: &'a [f32],
    /// `[hops, attention width]`.
    pub(crate) second_weight: &'a [f32],
    /// `[hops]`.
    pub(crate) second_bias: &'a [f32],
}

impl InputCellParameters<'_> {
    fn check(&self, shape: &InputCellShape) -> Result<()> {
        let found = [
            ("weight_iBarh", self.weight_ibarh),
            ("weight_hh", self.weight_hh),
            ("bias", self.bias),
            ("linear_first.weight", self.first_weight),
            ("linear_first.bias", self.first_bias),
            ("linear_second.weight", self.second_weight),
            ("linear_second.bias", self.second_bias),
        ];
        for ((name, values), expected) in found.into_iter().zip(shape.parameter_lens()) {
            expect_len("input-cell lstm", name, values.len(), expected)?;
        }
        Ok(())
    }
}

/// Where the parameters' gradients are added, in the layouts of [`InputCellParameters`].
#[derive(Debug)]
pub(crate) struct InputCellGradients<'a> {
    /// `[input, 4 · hidden]`.
    pub(crate) weight_ibarh: &'a mut [f32],
    /// `[hidden, 4 · hidden]`.
    pub(crate) weight_hh: &'a mut [f32],
    /// `[4 · hidden]`.
    pub(crate) bias: &'a mut [f32],
    /// `[attention width, input]`.
    pub(crate) first_weight: &'a mut [f32],
    /// `[attention width]`.
    pub(crate) first_bias: &'a mut [f32],
    /// `[hops, attention width]`.
    pub(crate) second_weight: &'a mut [f32],
    /// `[hops]`.
    pub(crate) second_bias: &'a mut [f32],
}

impl InputCellGradients<'_> {
    fn check(&self, shape: &InputCellShape) -> Result<()> {
        let gradients = InputCellParameters {
            weight_ibarh: self.weight_ibarh,
            weight_hh: self.weight_hh,
            bias: self.bias,
            first_weight: self.first_weight,
            first_bias: self.first_bias,
            second_weight: self.second_weight,
            second_bias: self.second_bias,
        };
        gradients.check(shape)
    }
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct InputCellCache {
    shape: InputCellShape,
    keep: Keep,
    lengths: Vec<usize>,
    /// `[batch, steps, input]`, zero in the padding.
    x: Buffer,
    /// `[batch, steps, attention width]`: tanh of `linear_first`.
    activations: Buffer,
    /// `[batch, steps, 2, hops]`: what a step's input gets of its softmax, and what is left to the
    /// inputs before it.
    shares: Buffer,
    /// `[batch, steps, hops]`: the scores, and their gradients.
    scores: Buffer,
    /// `[batch, steps, input]`: M, and its gradient.
    means: Buffer,
    /// `[batch, steps, attention width]`: the gradient in front of `linear_second`.
    d_activations: Buffer,
    /// `[batch, steps, input]`: x's gradient through the scores.
    d_scored: Buffer,
    weights: Transposed,
    d_weights: Transposed,
    lstm: LstmCache,
}

/// The parameters of the recurrent part, or their gradients, in the layouts of [`lstm`].
#[derive(Clone, Debug, Default)]
struct Transposed {
    weight_ih: Buffer,
    weight_hh: Buffer,
    bias_ih: Buffer,
    bias_hh: Buffer,
}

impl Transposed {
    fn resize(&mut self, shape: &LstmShape) {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = shape.parameter_lens();
        self.weight_ih.resize(weight_ih);
        self.weight_hh.resize(weight_hh);
        self.bias_ih.resize(bias_ih);
        self.bias_hh.resize(bias_hh);
    }

    /// Takes the recurrent part's parameters over; there is one bias, the other is zero.
    fn read(&mut self, shape: &LstmShape, parameters: &InputCellParameters) {
        self.resize(shape);
        let gates = GATES * shape.hidden;
        transpose(
            shape.input,
            gates,
            parameters.weight_ibarh,
            &mut self.weight_ih,
        );
        transpose(
            shape.hidden,
            gates,
            parameters.weight_hh,
            &mut self.weight_hh,
        );
        self.bias_ih.copy_from_slice(parameters.bias);
        self.bias_hh.fill(0.0);
    }

    fn parameters(&self) -> LstmParameters<'_> {
        LstmParameters {
            weight_ih: &self.weight_ih,
            weight_hh: &self.weight_hh,
            bias_ih: &self.bias_ih,
            bias_hh: &self.bias_hh,
        }
    }

    /// Zeros, to which gradients can be added.
    fn gradients(&mut self, shape: &LstmShape) -> LstmGradients<'_> {
        self.resize(shape);
        self.weight_ih.fill(0.0);
        self.weight_hh.fill(0.0);
        self.bias_ih.fill(0.0);
        self.bias_hh.fill(0.0);
        LstmGradients {
            weight_ih: &mut self.weight_ih,
            weight_hh: &mut self.weight_hh,
            bias_ih: &mut self.bias_ih,
            bias_hh: &mut self.bias_hh,
        }
    }

    /// Adds the gradients to those of the published layouts.
    fn add_to(&self, shape: &LstmShape, gradients: &mut InputCellGradients) {
        add_transposed(shape.input, &self.weight_ih, gradients.weight_ibarh);
        add_transposed(shape.hidden, &self.weight_hh, gradients.weight_hh);
        add(&self.bias_ih, gradients.bias);
    }
}

/// Runs sequences `x` `[batch, steps, input]` through the attention and the LSTM, from zero states.
///
/// `out` gets the hidden states as [`lstm::forward`] writes them; `lengths`, when given, are the real
/// steps of each sample. `cache` serves any number of [`backward`] calls.
///
/// Cost: that of [`lstm::forward`], and about
/// `batch · steps · (2 · attention width · (input + hops) + 3 · hops · input)` operations.
///
/// # Errors
/// [`Error::Shape`] when a slice's length doesn't fit the shape, [`Error::Argument`] when the
/// lengths are not one a sample or not from 1 to `steps`.
pub(crate) fn forward(
    shape: &InputCellShape,
    parameters: InputCellParameters,
    x: &[f32],
    lengths: Option<&[usize]>,
    keep: Keep,
    out: &mut [f32],
    cache: &mut InputCellCache,
) -> Result<()> {
    shape.check()?;
    parameters.check(shape)?;
    let LstmShape { steps, input, .. } = shape.lstm;
    let batch = batch_len("input-cell lstm", "x", x.len(), shape.lstm.input_len())?;
    let out_len = batch * shape.lstm.output_len();
    expect_len("input-cell lstm", "out", out.len(), out_len)?;
    cache.shape = *shape;
    cache.keep = keep;
    cache.lengths = real_steps(lengths, batch, steps)?;
    cache.x.copy_from(x);
    clear_padding(&cache.lengths, input, &mut cache.x);

    let (hops, width) = (shape.hops, shape.attention_width);
    let rows = batch * steps;
    let activations = cache.activations.resize(rows * width);
    let (weight, bias) = (parameters.first_weight, parameters.first_bias);
    linear_forward(input, width, weight, Some(bias), &cache.x, activations)?;
    activations
        .par_chunks_mut(PIECE)
        .for_each(|values| dispatch(Tanh { values }));
    let scores = cache.scores.resize(rows * hops);
    let (weight, bias) = (parameters.second_weight, parameters.second_bias);
    linear_forward(width, hops, weight, Some(bias), activations, scores)?;

    let shares = cache.shares.resize(rows * 2 * hops);
    let means = cache.means.resize(rows * input);
    means
        .par_chunks_exact_mut(steps * input)
        .zip(cache.x.par_chunks_exact(steps * input))
        .zip(cache.scores.par_chunks_exact(steps * hops))
        .zip(shares.par_chunks_exact_mut(steps * 2 * hops))
        .zip(&cache.lengths)
        .for_each(|((((means, x), scores), shares), &length)| {
            with_scratch(scratch_lens(hops, length), |[_, states, _]| {
                dispatch(Forward {
                    hops,
                    length,
                    scores,
                    x,
                    shares,
                    means,
                    states,
                });
            });
        });
    cache.weights.read(&shape.lstm, &parameters);
    let weights = cache.weights.parameters();
    let lengths = Some(cache.lengths.as_slice());
    lstm::forward(
        &shape.lstm,
        weights,
        means,
        lengths,
        keep,
        out,
        &mut cache.lstm,
    )
}

/// Pulls `dout`, the gradient of what [`forward`] wrote into its rows of `out`, back through the
/// pass in `cache`.
///
/// `gradients`, when given, have the parameters' gradients **added** to them. `parameters` must be
/// those of the forward pass.
///
/// Cost: about twice that of [`forward`], and as much as [`forward`] for `gradients`.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass, a slice's length doesn't fit it, or parameter
/// gradients are asked of a [`Keep::ForInput`] pass.
pub(crate) fn backward(
    parameters: InputCellParameters,
    cache: &mut InputCellCache,
    dout: &[f32],
    dx: InputGradient,
    mut gradients: Option<InputCellGradients>,
) -> Result<()> {
    let shape = cache.shape;
    let batch = cache.lengths.len();
    if batch == 0 {
        return Err(Error::Shape {
            operation: "input-cell lstm backward",
            found: "no forward pass".into(),
            expected: "a cache that a forward pass filled".into(),
        });
    }
    parameters.check(&shape)?;
    let (dx, add_dx) = dx.into_parts();
    if let Some(dx) = &dx {
        let expected = batch * shape.lstm.input_len();
        expect_len("input-cell lstm", "dx", dx.len(), expected)?;
    }
    if let Some(gradients) = &gradients {
        gradients.check(&shape)?;
        cache
            .keep
            .check_weights("input-cell lstm weight gradient")?;
    }
    let weights = cache.weights.parameters();
    let d_weights = gradients
        .is_some()
        .then(|| cache.d_weights.gradients(&shape.lstm));
    let means = InputGradient::Overwrite(&mut cache.means);
    lstm::backward(weights, &mut cache.lstm, dout, means, d_weights)?;
    if let Some(gradients) = &mut gradients {
        cache.d_weights.add_to(&shape.lstm, gradients);
    }

    let LstmShape { steps, input, .. } = shape.lstm;
    let (hops, width) = (shape.hops, shape.attention_width);
    cache
        .means
        .par_chunks_exact_mut(steps * input)
        .zip(cache.x.par_chunks_exact(steps * input))
        .zip(cache.shares.par_chunks_exact(steps * 2 * hops))
        .zip(cache.scores.par_chunks_exact_mut(steps * hops))
        .zip(&cache.lengths)
        .for_each(|((((gradient, x), shares), d_scores), &length)| {
            with_scratch(scratch_lens(hops, length), |scratch| {
                dispatch(Backward {
                    hops,
                    length,
                    x,
                    shares,
                    gradient,
                    d_scores,
                    scratch,
                });
            });
        });

    let (first, second) = match gradients {
        Some(gradients) => {
            let of = |weight, bias| {
                Some(WeightGradient {
                    weight,
                    bias: Some(bias),
                })
            };
            (
                of(gradients.first_weight, gradients.first_bias),
                of(gradients.second_weight, gradients.second_bias),
            )
        }
        None => (None, None),
    };
    let d_activations = cache.d_activations.resize(cache.activations.len());
    let (weight, activations) = (parameters.second_weight, &cache.activations);
    let target = Some(&mut *d_activations);
    linear_backward(
        width,
        hops,
        weight,
        activations,
        &cache.scores,
        target,
        second,
    )?;
    for (d, activation) in d_activations.iter_mut().zip(&**activations) {
        *d *= 1.0 - activation * activation;
    }
    let weight = parameters.first_weight;
    let target = dx.is_some().then(|| cache.d_scored.resize(cache.x.len()));
    linear_backward(input, width, weight, &cache.x, d_activations, target, first)?;
    if let Some(dx) = dx {
        add(&cache.d_scored, &mut cache.means);
        clear_padding(&cache.lengths, input, &mut cache.means);
        if add_dx {
            add(&cache.means, dx);
        } else {
            dx.copy_from_slice(&cache.means);
        }
    }
    Ok(())
}

/// `sums[row][column] += values[column][row]`, for `sums` of `rows` rows.
fn add_transposed(rows: usize, values: &[f32], sums: &mut [f32]) {
    let columns = sums.len() / rows;
    for (row, sums) in sums.chunks_exact_mut(columns).enumerate() {
        for (sum, values) in sums.iter_mut().zip(values.chunks_exact(rows)) {
            *sum += values[row];
        }
    }
}
