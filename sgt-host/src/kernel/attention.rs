//! Multi-head self-attention.
//!
//! With h heads of d / h values, for every sample and head:
//!
//! ```text
//! q, k, v = the head's columns of  x · weightᵀ + bias  of the query, key and value projections
//! out = concat over heads (softmax(q · kᵀ / √(d / h)) · v) · weightᵀ + bias  of the output projection
//! ```
//!
//! A causal mask lets step t see the steps up to t only. Steps behind a sample's length are neither
//! seen nor read; their output and their gradient are zeros. Dropout acts on the weights that
//! softmax gives. Source: Vaswani et al., 2017, in the form of PyTorch's
//! `nn.MultiheadAttention(batch_first=True)` with query, key and value the same.
//!
//! The batch is cut into fixed chunks of [`CHUNK_SAMPLES`] samples, so results don't depend on the
//! number of threads; outputs and input gradients of a sample don't depend on the other samples.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

mod multipliers;
#[cfg(test)]
mod tests;

pub(crate) use multipliers::multipliers;

use super::buffer::{Buffer, LINE, with_scratch};
use super::dispatch::dispatch;
use super::dropout::{DropoutKey, Kept};
use super::expect_len;
use super::lengths::{clear_padding, real_rows, real_steps};
use super::matrix::{Left, Right, multiply, pack, padded, transpose_rows};
use super::product::Start;
pub(crate) use super::request::{InputGradient, Keep};
use super::softmax::{softmax, softmax_gradient};
use crate::{Error, Result};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Samples in one task.
pub(crate) const CHUNK_SAMPLES: usize = 8;

const OPERATION: &str = "attention";

/// The sizes of self-attention over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttentionShape {
    /// Samples.
    pub(crate) batch: usize,
    /// Steps (tokens) of a sample.
    pub(crate) steps: usize,
    /// Values a step, `d`.
    pub(crate) dim: usize,
    /// Heads; they share `dim` evenly.
    pub(crate) heads: usize,
    /// Whether a step sees only itself and the steps before it.
    pub(crate) causal: bool,
}

impl AttentionShape {
    /// Values in the input, and in the output: `[batch, steps, dim]`.
    pub(crate) const fn input_len(&self) -> usize {
        self.batch * self.steps * self.dim
    }

    /// Refuses sizes that are 0 and heads that don't divide `dim`.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
        let Self {
            batch,
            steps,
            dim,
            heads,
            ..
        } = *self;
        if batch * steps * dim * heads == 0 || !dim.is_multiple_of(heads) {
            return Err(Error::Shape {
                operation: OPERATION,
                found: format!("[{batch}, {steps}, {dim}] with {heads} heads"),
                expected: "at least one value, and heads that divide the values a step".into(),
            });
        }
        Ok(())
    }

    /// Values a head.
    const fn width(&self) -> usize {
        self.dim / self.heads
    }

    /// What scores are multiplied by.
    fn scale(&self) -> f32 {
        1.0 / (self.width() as f32).sqrt()
    }

    /// Values between rows of `x`, contexts and their gradients in the cache.
    const fn row(&self) -> usize {
        padded(self.dim)
    }

    /// Values between rows of queries, keys and values side by side.
    const fn projected_row(&self) -> usize {
        padded(3 * self.dim)
    }

    /// Values of one head's probabilities: rows of [`padded`]`(steps)`.
    const fn head_len(&self) -> usize {
        self.steps * padded(self.steps)
    }

    /// Values of a chunk's parameter gradients: weights and biases of the three projections, then
    /// those of the output's.
    const fn gradient_len(&self) -> usize {
        4 * self.dim * (self.dim + 1)
    }
}

/// A linear map of the values of a step, in PyTorch's layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Projection<'a> {
    /// `[dim, dim]`: outputs, inputs.
    pub(crate) weight: &'a [f32],
    /// `[dim]`.
    pub(crate) bias: &'a [f32],
}

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttentionParameters<'a> {
    /// To the queries.
    pub(crate) query: Projection<'a>,
    /// To the keys.
    pub(crate) key: Projection<'a>,
    /// To the values.
    pub(crate) value: Projection<'a>,
    /// From the heads' results to the output.
    pub(crate) output: Projection<'a>,
}

impl<'a> AttentionParameters<'a> {
    /// From PyTorch's packed `in_proj_weight` `[3 · dim, dim]` and `in_proj_bias` `[3 · dim]`.
    pub(crate) fn packed(in_weight: &'a [f32], in_bias: &'a [f32], output: Projection<'a>) -> Self {
        let (weights, biases) = (thirds(in_weight), thirds(in_bias));
        let [query, key, value] = [0, 1, 2].map(|part| Projection {
            weight: weights[part],
            bias: biases[part],
        });
        Self {
            query,
            key,
            value,
            output,
        }
    }

    fn projections(&self) -> [Projection<'a>; 4] {
        [self.query, self.key, self.value, self.output]
    }

    fn check(&self, dim: usize) -> Result<()> {
        let named = NAMES.iter().zip(self.projections());
        named.into_iter().try_for_each(|([weight, bias], of)| {
            expect_len(OPERATION, weight, of.weight.len(), dim * dim)?;
            expect_len(OPERATION, bias, of.bias.len(), dim)
        })
    }
}

/// Where the gradient of a [`Projection`] is added.
#[derive(Debug)]
pub(crate) struct ProjectionGradient<'a> {
    /// `[dim, dim]`.
    pub(crate) weight: &'a mut [f32],
    /// `[dim]`.
    pub(crate) bias: &'a mut [f32],
}

/// Where the gradients of [`AttentionParameters`] are added.
#[derive(Debug)]
pub(crate) struct AttentionGradients<'a> {
    /// Of the queries.
    pub(crate) query: ProjectionGradient<'a>,
    /// Of the keys.
    pub(crate) key: ProjectionGradient<'a>,
    /// Of the values.
    pub(crate) value: ProjectionGradient<'a>,
    /// Of the output.
    pub(crate) output: ProjectionGradient<'a>,
}

impl<'a> AttentionGradients<'a> {
    /// Into gradients that are packed as in [`AttentionParameters::packed`].
    pub(crate) fn packed(
        in_weight: &'a mut [f32],
        in_bias: &'a mut [f32],
        output: ProjectionGradient<'a>,
    ) -> Self {
        let biases = thirds_mut(in_bias).into_iter();
        let mut parts = thirds_mut(in_weight).into_iter().zip(biases);
        let mut part = || {
            let (weight, bias) = parts.next().unwrap_or_default();
            ProjectionGradient { weight, bias }
        };
        Self {
            query: part(),
            key: part(),
            value: part(),
            output,
        }
    }

    fn check(&self, dim: usize) -> Result<()> {
        let Self {
            query,
            key,
            value,
            output,
        } = self;
        let [query, key, value, output] = [query, key, value, output].map(|of| Projection {
            weight: of.weight,
            bias: of.bias,
        });
        let lengths = AttentionParameters {
            query,
            key,
            value,
            output,
        };
        lengths.check(dim)
    }

    /// Adds one chunk's gradients, laid out as [`Chunk::gradient`].
    fn add(&mut self, chunk: &[f32]) {
        let targets = [
            &mut *self.query.weight,
            &mut *self.key.weight,
            &mut *self.value.weight,
            &mut *self.query.bias,
            &mut *self.key.bias,
            &mut *self.value.bias,
            &mut *self.output.weight,
            &mut *self.output.bias,
        ];
        let mut rest = chunk;
        for target in targets {
            let (part, tail) = rest.split_at(target.len());
            rest = tail;
            target
                .iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
    }
}

/// Weight and bias of the projections, as errors name them.
const NAMES: [[&str; 2]; 4] = [
    ["query weight", "query bias"],
    ["key weight", "key bias"],
    ["value weight", "value bias"],
    ["output weight", "output bias"],
];

/// The thirds of a slice; the last one takes what is over, which the check of lengths refuses.
fn thirds(values: &[f32]) -> [&[f32]; 3] {
    let third = values.len() / 3;
    let (first, rest) = values.split_at(third);
    let (second, third) = rest.split_at(third);
    [first, second, third]
}

/// As [`thirds`].
fn thirds_mut(values: &mut [f32]) -> [&mut [f32]; 3] {
    let third = values.len() / 3;
    let (first, rest) = values.split_at_mut(third);
    let (second, third) = rest.split_at_mut(third);
    [first, second, third]
}

/// Dropout on attention weights: the mask of a weight is a function of the key and of the weight's
/// position in `[batch, heads, steps, steps]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AttentionDropout {
    /// The seed of this layer in this pass.
    pub(crate) key: DropoutKey,
    /// The probability with which a weight becomes 0, at least 0 and below 1.
    pub(crate) probability: f32,
}

/// What may differ from pass to pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AttentionPass<'a> {
    /// What is kept.
    pub(crate) keep: Keep,
    /// The real steps of each sample, from 1 to `steps`; all of them where there are none.
    pub(crate) lengths: Option<&'a [usize]>,
    /// Dropout, when training.
    pub(crate) dropout: Option<AttentionDropout>,
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttentionCache {
    shape: AttentionShape,
    keep: Keep,
    lengths: Vec<usize>,
    dropout: Option<AttentionDropout>,
    chunks: Vec<Chunk>,
    /// The three projections' weights side by side, then the output's: transposed by forward
    /// passes, as they lie by backward passes.
    packed: [Buffer; 2],
    /// The three projections' biases.
    bias: Buffer,
}

/// One chunk's part of the cache, with `rows` = its samples · steps.
#[derive(Clone, Debug, Default)]
struct Chunk {
    /// `[rows, row]`, when weight gradients may be asked for.
    x: Buffer,
    /// `[rows, projected_row]`: query, key, value.
    projected: Buffer,
    /// `[samples, heads, steps, padded(steps)]`, before dropout.
    probabilities: Buffer,
    /// `[rows, row]`: the heads' results side by side.
    context: Buffer,
    /// Of the packed weights, their biases, the output's weight and its bias.
    gradient: Buffer,
}

/// Self-attention of `x` `[batch, steps, dim]` into `out` of the same shape.
///
/// Cost: about `8 · batch · steps · dim · (dim + steps / 2)` floating-point operations.
///
/// # Errors
/// [`Error::Shape`] when a slice's length doesn't fit or the heads don't divide `dim`,
/// [`Error::Argument`] for lengths or a probability out of range.
pub(crate) fn forward(
    shape: &AttentionShape,
    parameters: &AttentionParameters,
    pass: &AttentionPass,
    x: &[f32],
    out: &mut [f32],
    cache: &mut AttentionCache,
) -> Result<()> {
    shape.check()?;
    parameters.check(shape.dim)?;
    expect_len(OPERATION, "x", x.len(), shape.input_len())?;
    expect_len(OPERATION, "out", out.len(), shape.input_len())?;
    if let Some(AttentionDropout { probability, .. }) = pass.dropout
        && !(0.0..1.0).contains(&probability)
    {
        return Err(Error::Argument {
            argument: "dropout".into(),
            found: probability.to_string(),
            expected: "a probability of at least 0 and below 1".into(),
        });
    }
    cache.lengths = real_steps(pass.lengths, shape.batch, shape.steps)?;
    cache.shape = *shape;
    cache.keep = pass.keep;
    cache.dropout = pass.dropout;
    let dim = shape.dim;
    let [query, key, value, output] = parameters.projections();
    let inputs = [query, key, value];
    let [packed_inputs, packed_output] = &mut cache.packed;
    pack(dim, 3 * dim, packed_inputs, |t, n| {
        inputs[n / dim].weight[n % dim * dim + t]
    });
    pack(dim, dim, packed_output, |t, n| output.weight[n * dim + t]);
    let bias = cache.bias.resize(3 * dim).chunks_exact_mut(dim);
    bias.zip(inputs)
        .for_each(|(bias, of)| bias.copy_from_slice(of.bias));

    let chunks = shape.batch.div_ceil(CHUNK_SAMPLES);
    cache.chunks.resize_with(chunks, Chunk::default);
    let size = CHUNK_SAMPLES * shape.steps * dim;
    let [packed_inputs, packed_output] = &cache.packed;
    let work = Forward {
        shape,
        keep: pass.keep,
        dropout: pass.dropout,
        inputs: Right::panels(packed_inputs, 3 * dim),
        input_bias: &cache.bias,
        output: Right::panels(packed_output, dim),
        output_bias: output.bias,
    };
    cache
        .chunks
        .par_iter_mut()
        .zip(cache.lengths.par_chunks(CHUNK_SAMPLES))
        .zip(x.par_chunks(size).zip(out.par_chunks_mut(size)))
        .enumerate()
        .for_each(|(index, ((chunk, lengths), (x, out)))| {
            let samples = Samples::new(shape, index, lengths);
            work.run(&samples, chunk, x, out);
        });
    Ok(())
}

/// Pulls `dout` `[batch, steps, dim]` back through the pass in `cache`.
///
/// `gradients`, when given, have the parameters' gradients **added** to them. `parameters` must be
/// those of the forward pass. `dout` isn't read behind a sample's length, and `dx` is 0 there.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass, a slice's length doesn't fit it, or parameter
/// gradients are asked of a [`Keep::ForInput`] pass.
pub(crate) fn backward(
    parameters: &AttentionParameters,
    cache: &mut AttentionCache,
    dout: &[f32],
    dx: InputGradient,
    gradients: Option<AttentionGradients>,
) -> Result<()> {
    let shape = &cache.shape;
    shape.check()?;
    let dim = shape.dim;
    parameters.check(dim)?;
    expect_len(OPERATION, "dout", dout.len(), shape.input_len())?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        expect_len(OPERATION, "dx", dx.len(), shape.input_len())?;
    }
    if let Some(gradients) = &gradients {
        gradients.check(dim)?;
        cache.keep.check_weights(OPERATION)?;
    }
    let [query, key, value, output] = parameters.projections();
    let inputs = [query, key, value];
    let [packed_inputs, packed_output] = &mut cache.packed;
    if dx.is_some() {
        pack(3 * dim, dim, packed_inputs, |t, n| {
            inputs[t / dim].weight[t % dim * dim + n]
        });
    }
    pack(dim, dim, packed_output, |t, n| output.weight[t * dim + n]);

    let size = CHUNK_SAMPLES * shape.steps * dim;
    let dx: Vec<_> = match dx {
        Some(dx) => dx.chunks_mut(size).map(Some).collect(),
        None => cache.chunks.iter().map(|_| None).collect(),
    };
    let [packed_inputs, packed_output] = &cache.packed;
    let work = Backward {
        shape,
        dropout: cache.dropout,
        inputs: Right::panels(packed_inputs, dim),
        output: Right::panels(packed_output, dim),
        add,
        weights_wanted: gradients.is_some(),
    };
    cache
        .chunks
        .par_iter_mut()
        .zip(cache.lengths.par_chunks(CHUNK_SAMPLES))
        .zip(dout.par_chunks(size).zip(dx))
        .enumerate()
        .for_each(|(index, ((chunk, lengths), (dout, dx)))| {
            let samples = Samples::new(shape, index, lengths);
            work.run(&samples, chunk, dout, dx);
        });
    if let Some(mut gradients) = gradients {
        for chunk in &cache.chunks {
            gradients.add(&chunk.gradient);
        }
    }
    Ok(())
}

/// The samples of one chunk.
struct Samples<'a> {
    /// The first one's place in the batch.
    first: usize,
    lengths: &'a [usize],
    /// Ranges of real rows in `[samples, steps]`.
    rows: Vec<Range<usize>>,
}

impl<'a> Samples<'a> {
    /// Those of a chunk, by its place among the chunks.
    fn new(shape: &AttentionShape, chunk: usize, lengths: &'a [usize]) -> Self {
        Self {
            first: chunk * CHUNK_SAMPLES,
            lengths,
            rows: real_rows(lengths, shape.steps),
        }
    }
}

/// The forward pass of a chunk.
struct Forward<'a> {
    shape: &'a AttentionShape,
    keep: Keep,
    dropout: Option<AttentionDropout>,
    inputs: Right<'a>,
    input_bias: &'a [f32],
    output: Right<'a>,
    output_bias: &'a [f32],
}

impl Forward<'_> {
    fn run(&self, samples: &Samples, chunk: &mut Chunk, x: &[f32], out: &mut [f32]) {
        let shape = self.shape;
        let AttentionShape { steps, dim, .. } = *shape;
        let [row, projected_row] = [shape.row(), shape.projected_row()];
        let rows = x.len() / dim;
        if self.keep == Keep::ForWeights {
            let kept = chunk.x.resize(rows * row);
            for (kept, x) in kept.chunks_exact_mut(row).zip(x.chunks_exact(dim)) {
                kept[..dim].copy_from_slice(x);
            }
        }
        // Vectors of the last head's columns reach behind the last row.
        let projected = chunk.projected.resize(rows * projected_row + LINE);
        for rows in &samples.rows {
            multiply(
                Left::new(&x[rows.start * dim..], rows.len(), dim, dim),
                self.inputs,
                Start::Bias(self.input_bias),
                &mut projected[rows.start * projected_row..],
                projected_row,
            );
        }
        let context = chunk.context.resize(rows * row + LINE);
        let probabilities = samples.lengths.len() * shape.heads * shape.head_len();
        let probabilities = chunk.probabilities.resize(probabilities);
        let key_len = shape.width() * padded(steps);
        with_scratch([key_len, shape.head_len()], |[key, dropped]| {
            let heads = probabilities.chunks_exact_mut(shape.head_len());
            for (index, probabilities) in heads.enumerate() {
                let head = Head::new(shape, samples, index);
                let weights = self.attend(&head, projected, key, probabilities, dropped);
                multiply(
                    Left::new(weights, head.length, head.length, padded(steps)),
                    head.right(projected, VALUE),
                    Start::Zero,
                    &mut context[head.row * row + head.column..],
                    row,
                );
            }
        });
        for rows in &samples.rows {
            multiply(
                Left::new(&context[rows.start * row..], rows.len(), dim, row),
                self.output,
                Start::Bias(self.output_bias),
                &mut out[rows.start * dim..],
                dim,
            );
        }
        clear_padding(samples.lengths, dim, out);
    }

    /// Writes a head's probabilities; returns what multiplies its values.
    fn attend<'p>(
        &self,
        head: &Head,
        projected: &[f32],
        key: &mut [f32],
        probabilities: &'p mut [f32],
        dropped: &'p mut [f32],
    ) -> &'p [f32] {
        let stride = padded(self.shape.steps);
        head.transpose(projected, KEY, key);
        multiply(
            head.left(projected, QUERY),
            Right::rows(key, head.length, padded(head.length)),
            Start::Zero,
            probabilities,
            stride,
        );
        dispatch(Softmax {
            scores: probabilities,
            stride,
            length: head.length,
            causal: self.shape.causal,
            scale: self.shape.scale(),
        });
        let Some(dropout) = self.dropout else {
            return probabilities;
        };
        dispatch(Drop {
            mask: head.mask(dropout),
            from: Some(probabilities),
            to: dropped,
            stride,
            length: head.length,
        });
        dropped
    }
}

/// The backward pass of a chunk.
struct Backward<'a> {
    shape: &'a AttentionShape,
    dropout: Option<AttentionDropout>,
    inputs: Right<'a>,
    output: Right<'a>,
    add: bool,
    weights_wanted: bool,
}

impl Backward<'_> {
    fn run(&self, samples: &Samples, chunk: &mut Chunk, dout: &[f32], dx: Option<&mut [f32]>) {
        let shape = self.shape;
        let dim = shape.dim;
        let [row, projected_row] = [shape.row(), shape.projected_row()];
        let rows = dout.len() / dim;
        let lens = [rows * row + LINE, rows * projected_row];
        with_scratch(lens, |[d_context, d_projected]| {
            for rows in &samples.rows {
                multiply(
                    Left::new(&dout[rows.start * dim..], rows.len(), dim, dim),
                    self.output,
                    Start::Zero,
                    &mut d_context[rows.start * row..],
                    row,
                );
            }
            self.heads(samples, chunk, d_context, d_projected);
            if let Some(dx) = dx {
                for rows in &samples.rows {
                    let start = if self.add { Start::Out } else { Start::Zero };
                    let d_projected = &d_projected[rows.start * projected_row..];
                    multiply(
                        Left::new(d_projected, rows.len(), 3 * dim, projected_row),
                        self.inputs,
                        start,
                        &mut dx[rows.start * dim..],
                        dim,
                    );
                }
                if !self.add {
                    clear_padding(samples.lengths, dim, dx);
                }
            }
            if self.weights_wanted {
                let gradient = chunk.gradient.resize(shape.gradient_len());
                gradient.fill(0.0);
                let (inputs, output) = gradient.split_at_mut(3 * dim * (dim + 1));
                for rows in &samples.rows {
                    let from = |stride| rows.start * stride..rows.end * stride;
                    let x = &chunk.x[from(row)];
                    let d_projected = &d_projected[from(projected_row)];
                    projection_gradient(dim, [x, d_projected], projected_row, inputs);
                    let context = &chunk.context[from(row)];
                    projection_gradient(dim, [context, &dout[from(dim)]], dim, output);
                }
            }
        });
    }

    /// From the gradient of the heads' results to that of queries, keys and values.
    fn heads(&self, samples: &Samples, chunk: &Chunk, d_context: &[f32], d_projected: &mut [f32]) {
        let shape = self.shape;
        let [row, projected_row] = [shape.row(), shape.projected_row()];
        let stride = padded(shape.steps);
        let projected = &*chunk.projected;
        let lens = [shape.width() * stride, shape.head_len(), shape.head_len()];
        with_scratch(lens, |[value, d_scores, dropped]| {
            let heads = chunk.probabilities.chunks_exact(shape.head_len());
            for (index, probabilities) in heads.enumerate() {
                let head = Head::new(shape, samples, index);
                let (length, width) = (head.length, shape.width());
                let d_context = &d_context[head.row * row + head.column..];
                head.transpose(projected, VALUE, value);
                multiply(
                    Left::new(d_context, length, width, row),
                    Right::rows(value, length, padded(length)),
                    Start::Zero,
                    d_scores,
                    stride,
                );
                let mut weights = probabilities;
                if let Some(dropout) = self.dropout {
                    for (from, to) in [(Some(probabilities), &mut *dropped), (None, &mut *d_scores)]
                    {
                        dispatch(Drop {
                            mask: head.mask(dropout),
                            from,
                            to,
                            stride,
                            length,
                        });
                    }
                    weights = dropped;
                }
                let mut write = |part: usize, left: Left, right: Right| {
                    let first = head.first(part);
                    let out = &mut d_projected[first..];
                    multiply(left, right, Start::Zero, out, projected_row);
                };
                let weights = Left::new(weights, length, length, stride).transposed();
                write(VALUE, weights, Right::rows(d_context, width, row));
                dispatch(SoftmaxGradient {
                    probabilities,
                    gradient: d_scores,
                    stride,
                    length,
                    scale: shape.scale(),
                });
                let d_scores = Left::new(d_scores, length, length, stride);
                write(QUERY, d_scores, head.right(projected, KEY));
                write(KEY, d_scores.transposed(), head.right(projected, QUERY));
            }
        });
    }
}

/// Adds the gradients of a projection's weight `[outputs, dim]` and bias `[outputs]`, which lie one
/// after the other, for rows of input and of the result's gradient.
fn projection_gradient(dim: usize, [x, dout]: [&[f32]; 2], dout_row: usize, gradient: &mut [f32]) {
    let outputs = gradient.len() / (dim + 1);
    let row = padded(dim);
    let (weight, bias) = gradient.split_at_mut(outputs * dim);
    multiply(
        Left::new(dout, x.len() / row, outputs, dout_row).transposed(),
        Right::rows(x, dim, row),
        Start::Out,
        weight,
        dim,
    );
    for dout in dout.chunks_exact(dout_row) {
        bias.iter_mut().zip(dout).for_each(|(bias, d)| *bias += d);
    }
}

/// The places of queries, keys and values in a projected row.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

/// Where a head of a sample lies.
#[derive(Clone, Copy)]
struct Head<'a> {
    shape: &'a AttentionShape,
    /// Its place in `[batch, heads]`.
    index: usize,
    /// The first row of its sample in the chunk.
    row: usize,
    /// The first column of its part of `dim`.
    column: usize,
    /// The sample's real steps.
    length: usize,
}

impl<'a> Head<'a> {
    /// The head at a place in `[samples of the chunk, heads]`.
    fn new(shape: &'a AttentionShape, samples: &Samples, index: usize) -> Self {
        let sample = index / shape.heads;
        Self {
            shape,
            index: samples.first * shape.heads + index,
            row: sample * shape.steps,
            column: index % shape.heads * shape.width(),
            length: samples.lengths[sample],
        }
    }

    /// The first value of its queries, keys or values.
    fn first(&self, part: usize) -> usize {
        self.row * self.shape.projected_row() + part * self.shape.dim + self.column
    }

    /// Its queries, keys or values `[length, width]`, as a left factor.
    fn left<'p>(&self, projected: &'p [f32], part: usize) -> Left<'p> {
        let values = &projected[self.first(part)..];
        let row = self.shape.projected_row();
        Left::new(values, self.length, self.shape.width(), row)
    }

    /// As a right factor.
    fn right<'p>(&self, projected: &'p [f32], part: usize) -> Right<'p> {
        let values = &projected[self.first(part)..];
        Right::rows(values, self.shape.width(), self.shape.projected_row())
    }

    /// Transposed, `[width, padded(length)]`.
    fn transpose(&self, projected: &[f32], part: usize, out: &mut [f32]) {
        let values = &projected[self.first(part)..];
        let size = [self.length, self.shape.width()];
        transpose_rows(values, size, self.shape.projected_row(), out);
    }

    fn mask(&self, dropout: AttentionDropout) -> Mask {
        let steps = self.shape.steps;
        Mask {
            kept: Kept::new(dropout.key, dropout.probability),
            first: (self.index * steps * steps) as u64,
            steps,
        }
    }
}

/// Softmax over each row of a head's scores, in place; masked places become 0.
struct Softmax<'a> {
    scores: &'a mut [f32],
    stride: usize,
    length: usize,
    causal: bool,
    scale: f32,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.scores.chunks_exact_mut(self.stride);
        for (step, row) in rows.take(self.length).enumerate() {
            let seen = if self.causal { step + 1 } else { self.length };
            let (row, masked) = row[..self.length].split_at_mut(seen);
            masked.fill(0.0);
            softmax(simd, self.scale, row);
        }
    }
}

/// From the gradient of a head's probabilities to that of its scores, in place.
struct SoftmaxGradient<'a> {
    probabilities: &'a [f32],
    gradient: &'a mut [f32],
    stride: usize,
    length: usize,
    scale: f32,
}

impl WithSimd for SoftmaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.probabilities.chunks_exact(self.stride);
        let rows = rows.zip(self.gradient.chunks_exact_mut(self.stride));
        for (probabilities, gradient) in rows.take(self.length) {
            let probabilities = &probabilities[..self.length];
            softmax_gradient(
                simd,
                self.scale,
                probabilities,
                &mut gradient[..self.length],
            );
        }
    }
}

/// The dropout mask of one head's weights.
struct Mask {
    kept: Kept,
    /// The position of its first weight.
    first: u64,
    steps: usize,
}

/// Applies a head's mask to the weights `from`, or, without them, to what `to` holds.
struct Drop<'a> {
    mask: Mask,
    from: Option<&'a [f32]>,
    to: &'a mut [f32],
    stride: usize,
    length: usize,
}

impl WithSimd for Drop<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Mask { kept, first, steps } = self.mask;
        let rows = self.to.chunks_exact_mut(self.stride).take(self.length);
        for (step, row) in rows.enumerate() {
            let row = &mut row[..self.length];
            if let Some(from) = self.from {
                row.copy_from_slice(&from[step * self.stride..][..self.length]);
            }
            for (index, weight) in (first + (step * steps) as u64..).zip(row) {
                *weight = kept.apply(index, *weight);
            }
        }
    }
}
