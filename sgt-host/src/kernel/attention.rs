//! Multi-head self-attention.
//!
//! With h heads of d / h values, for every sample and head:
//!
//! ```text
//! q, k, v = the head's columns of  x · in_proj_weightᵀ + in_proj_bias
//! y = concat over heads (softmax(q · kᵀ / √(d / h)) · v) · out_proj_weightᵀ + out_proj_bias
//! ```
//!
//! A causal mask lets step t see the steps up to t only. Source: Vaswani et al., 2017, in the form
//! of PyTorch's `nn.MultiheadAttention(batch_first=True)` with query, key and value the same.
//!
//! The batch is cut into fixed chunks of [`CHUNK_SAMPLES`] samples, so results don't depend on the
//! number of threads.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::aligned::AlignedBuffer;
use super::matrix::{Matrix, MatrixMut, multiply};
use super::request::check_length as check;
pub use super::request::{InputGradient, Keep};
use super::transcendental::exp;
use crate::{Error, Result};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Samples in one task.
pub const CHUNK_SAMPLES: usize = 8;

/// How a batch goes through self-attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttentionCall {
    /// Samples.
    pub batch: usize,
    /// Steps (tokens) of a sample.
    pub steps: usize,
    /// Values a step, `d`.
    pub dim: usize,
    /// Heads; they share `dim` evenly.
    pub heads: usize,
    /// Whether a step sees only itself and the steps before it.
    pub causal: bool,
    /// What is kept.
    pub keep: Keep,
}

impl AttentionCall {
    /// Values in the input, and in the output: `[batch, steps, dim]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.steps * self.dim
    }

    fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    fn check(&self) -> Result<()> {
        let Self {
            batch,
            steps,
            dim,
            heads,
            ..
        } = *self;
        if batch * steps * dim * heads == 0 || !dim.is_multiple_of(heads) {
            return Err(Error::Shape {
                operation: "attention",
                found: format!("[{batch}, {steps}, {dim}] with {heads} heads"),
                expected: "at least one value, and heads that divide the values a step".into(),
            });
        }
        Ok(())
    }
}

/// The parameters, in PyTorch's layouts.
#[derive(Clone, Copy, Debug)]
pub struct AttentionWeights<'a> {
    /// `[3 · dim, dim]`: query, key, value.
    pub in_proj_weight: &'a [f32],
    /// `[3 · dim]`.
    pub in_proj_bias: &'a [f32],
    /// `[dim, dim]`.
    pub out_proj_weight: &'a [f32],
    /// `[dim]`.
    pub out_proj_bias: &'a [f32],
}

impl AttentionWeights<'_> {
    fn check(&self, dim: usize) -> Result<()> {
        let [query_key_value, square] = [3 * dim * dim, dim * dim];
        check(
            "attention in_proj_weight",
            self.in_proj_weight.len(),
            query_key_value,
        )?;
        check("attention in_proj_bias", self.in_proj_bias.len(), 3 * dim)?;
        check(
            "attention out_proj.weight",
            self.out_proj_weight.len(),
            square,
        )?;
        check("attention out_proj.bias", self.out_proj_bias.len(), dim)
    }
}

/// Where the parameters' gradients are added, in the layouts of [`AttentionWeights`].
#[derive(Debug)]
pub struct AttentionGradient<'a> {
    /// `[3 · dim, dim]`.
    pub in_proj_weight: &'a mut [f32],
    /// `[3 · dim]`.
    pub in_proj_bias: &'a mut [f32],
    /// `[dim, dim]`.
    pub out_proj_weight: &'a mut [f32],
    /// `[dim]`.
    pub out_proj_bias: &'a mut [f32],
}

impl AttentionGradient<'_> {
    fn check(&self, dim: usize) -> Result<()> {
        let Self {
            in_proj_weight,
            in_proj_bias,
            out_proj_weight,
            out_proj_bias,
        } = self;
        let weights = AttentionWeights {
            in_proj_weight,
            in_proj_bias,
            out_proj_weight,
            out_proj_bias,
        };
        weights.check(dim)
    }

    fn add(&mut self, part: &[f32]) {
        let targets = [
            &mut *self.in_proj_weight,
            &mut *self.in_proj_bias,
            &mut *self.out_proj_weight,
            &mut *self.out_proj_bias,
        ];
        let mut part = part.iter();
        for target in targets {
            for (sum, part) in target.iter_mut().zip(&mut part) {
                *sum += part;
            }
        }
    }
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub struct AttentionCache {
    call: AttentionCall,
    chunks: Vec<Chunk>,
}

/// One chunk's part, with `rows` = its samples · steps.
#[derive(Clone, Debug, Default)]
struct Chunk {
    samples: usize,
    /// `[rows, dim]`, when weight gradients may be asked for.
    x: AlignedBuffer,
    /// `[rows, 3 · dim]`.
    query_key_value: AlignedBuffer,
    /// `[samples, heads, steps, steps]`.
    probabilities: AlignedBuffer,
    /// `[rows, dim]`: the heads' outputs side by side.
    context: AlignedBuffer,
    d_context: AlignedBuffer,
    d_query_key_value: AlignedBuffer,
    /// `[steps, steps]`.
    d_scores: AlignedBuffer,
    /// The gradients of the four parameters, one after the other.
    gradient: AlignedBuffer,
}

/// Self-attention of `x` `[batch, steps, dim]` into `y` of the same shape.
///
/// Cost: about `8 · batch · steps · dim · (dim + steps / 2)` floating-point operations.
///
/// # Errors
/// [`Error::Shape`] when a slice's length doesn't fit the call or the heads don't divide `dim`.
pub fn forward(
    call: &AttentionCall,
    weights: &AttentionWeights,
    x: &[f32],
    y: &mut [f32],
    cache: &mut AttentionCache,
) -> Result<()> {
    call.check()?;
    weights.check(call.dim)?;
    check("attention input", x.len(), call.input_len())?;
    check("attention output", y.len(), call.input_len())?;
    cache.call = *call;
    let chunks = call.batch.div_ceil(CHUNK_SAMPLES);
    cache.chunks.resize_with(chunks, Chunk::default);
    let size = CHUNK_SAMPLES * call.steps * call.dim;
    let tasks = cache.chunks.par_iter_mut();
    let tasks = tasks.zip(x.par_chunks(size)).zip(y.par_chunks_mut(size));
    tasks.for_each(|((chunk, x), y)| chunk.forward(call, weights, x, y));
    Ok(())
}

/// Pulls `dy` `[batch, steps, dim]` back through the pass in `cache`.
///
/// `gradient`, when given, has the parameters' gradients **added** to it. `weights` must be those
/// of the forward pass.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass, a slice's length doesn't fit it, or parameter
/// gradients are asked of a [`Keep::ForInput`] pass.
pub fn backward(
    weights: &AttentionWeights,
    cache: &mut AttentionCache,
    dy: &[f32],
    dx: InputGradient,
    gradient: Option<AttentionGradient>,
) -> Result<()> {
    let call = cache.call;
    call.check()?;
    weights.check(call.dim)?;
    check("attention output gradient", dy.len(), call.input_len())?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        check("attention input gradient", dx.len(), call.input_len())?;
    }
    if let Some(gradient) = &gradient {
        gradient.check(call.dim)?;
        call.keep.check_weights("attention weight gradient")?;
    }
    let weights_wanted = gradient.is_some();
    let size = CHUNK_SAMPLES * call.steps * call.dim;
    let dx: Vec<_> = match dx {
        Some(dx) => dx.chunks_mut(size).map(Some).collect(),
        None => cache.chunks.iter().map(|_| None).collect(),
    };
    let tasks = cache.chunks.par_iter_mut().zip(dy.par_chunks(size)).zip(dx);
    tasks.for_each(|((chunk, dy), dx)| {
        chunk.backward(&call, weights, dy, dx, add, weights_wanted);
    });
    if let Some(mut gradient) = gradient {
        for chunk in &cache.chunks {
            gradient.add(chunk.gradient.values());
        }
    }
    Ok(())
}

impl Chunk {
    fn forward(
        &mut self,
        call: &AttentionCall,
        weights: &AttentionWeights,
        x: &[f32],
        y: &mut [f32],
    ) {
        let AttentionCall {
            steps, dim, heads, ..
        } = *call;
        let rows = x.len() / dim;
        self.samples = rows / steps;
        if call.keep == Keep::ForWeights {
            self.x.resize(rows * dim);
            self.x.values_mut().copy_from_slice(x);
        }
        self.query_key_value.resize(rows * 3 * dim);
        self.probabilities
            .resize(self.samples * heads * steps * steps);
        self.context.resize(rows * dim);

        let query_key_value = self.query_key_value.values_mut();
        project(
            weights.in_proj_weight,
            weights.in_proj_bias,
            x,
            query_key_value,
        );
        let context = self.context.values_mut();
        let heads_probabilities = self
            .probabilities
            .values_mut()
            .chunks_exact_mut(steps * steps);
        for (index, probabilities) in heads_probabilities.enumerate() {
            let head = Head::new(call, index);
            let [query, key, value] = head.parts(query_key_value);
            let scores = MatrixMut::new(probabilities, steps, steps, steps);
            let scale = 1.0 / (call.head_dim() as f32).sqrt();
            multiply(scores, false, query, key.transposed(), scale);
            Arch::new().dispatch(Softmax {
                rows: probabilities,
                steps,
                causal: call.causal,
            });
            let probabilities = Matrix::new(probabilities, steps, steps, steps);
            multiply(head.context(context), false, probabilities, value, 1.0);
        }
        project(weights.out_proj_weight, weights.out_proj_bias, context, y);
    }

    fn backward(
        &mut self,
        call: &AttentionCall,
        weights: &AttentionWeights,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        add: bool,
        weights_wanted: bool,
    ) {
        let AttentionCall { steps, dim, .. } = *call;
        let rows = dy.len() / dim;
        self.d_context.resize(rows * dim);
        self.d_query_key_value.resize(rows * 3 * dim);
        self.d_scores.resize(steps * steps);

        let d_context = self.d_context.values_mut();
        multiply(
            MatrixMut::new(d_context, rows, dim, dim),
            false,
            Matrix::new(dy, rows, dim, dim),
            Matrix::new(weights.out_proj_weight, dim, dim, dim),
            1.0,
        );
        let query_key_value = self.query_key_value.values();
        let d_query_key_value = self.d_query_key_value.values_mut();
        let d_scores = self.d_scores.values_mut();
        let heads_probabilities = self.probabilities.values().chunks_exact(steps * steps);
        for (index, probabilities) in heads_probabilities.enumerate() {
            let head = Head::new(call, index);
            let [query, key, value] = head.parts(query_key_value);
            let d_context = head.context_of(d_context);
            let matrix = Matrix::new(probabilities, steps, steps, steps);
            let [d_query, d_key, d_value] = [0, 1, 2];
            let d_value = head.part_mut(d_query_key_value, d_value);
            multiply(d_value, false, matrix.transposed(), d_context, 1.0);
            let d_probabilities = MatrixMut::new(d_scores, steps, steps, steps);
            multiply(d_probabilities, false, d_context, value.transposed(), 1.0);
            softmax_backward(probabilities, steps, d_scores);
            let scale = 1.0 / (call.head_dim() as f32).sqrt();
            let matrix = Matrix::new(d_scores, steps, steps, steps);
            let d_query = head.part_mut(d_query_key_value, d_query);
            multiply(d_query, false, matrix, key, scale);
            let d_key = head.part_mut(d_query_key_value, d_key);
            multiply(d_key, false, matrix.transposed(), query, scale);
        }
        if let Some(dx) = dx {
            multiply(
                MatrixMut::new(dx, rows, dim, dim),
                add,
                Matrix::new(d_query_key_value, rows, 3 * dim, 3 * dim),
                Matrix::new(weights.in_proj_weight, 3 * dim, dim, dim),
                1.0,
            );
        }
        if weights_wanted {
            let [in_weight, in_bias, out_weight] = [3 * dim * dim, 3 * dim, dim * dim];
            self.gradient.resize(in_weight + in_bias + out_weight + dim);
            let (in_proj, out_proj) = self.gradient.values_mut().split_at_mut(in_weight + in_bias);
            project_gradient(self.x.values(), dim, d_query_key_value, in_proj);
            project_gradient(self.context.values(), dim, dy, out_proj);
        }
    }
}

/// `y = x · weightᵀ + bias`, for `x` `[rows, inputs]` and `weight` `[outputs, inputs]`.
fn project(weight: &[f32], bias: &[f32], x: &[f32], y: &mut [f32]) {
    let outputs = bias.len();
    let inputs = weight.len() / outputs;
    let rows = x.len() / inputs;
    for row in y.chunks_exact_mut(outputs) {
        row.copy_from_slice(bias);
    }
    multiply(
        MatrixMut::new(y, rows, outputs, outputs),
        true,
        Matrix::new(x, rows, inputs, inputs),
        Matrix::new(weight, outputs, inputs, inputs).transposed(),
        1.0,
    );
}

/// The gradient of [`project`]'s weight, then of its bias, written into `gradient`.
fn project_gradient(x: &[f32], inputs: usize, dy: &[f32], gradient: &mut [f32]) {
    let outputs = gradient.len() / (inputs + 1);
    let rows = x.len() / inputs;
    let (weight, bias) = gradient.split_at_mut(outputs * inputs);
    multiply(
        MatrixMut::new(weight, outputs, inputs, inputs),
        false,
        Matrix::new(dy, rows, outputs, outputs).transposed(),
        Matrix::new(x, rows, inputs, inputs),
        1.0,
    );
    bias.fill(0.0);
    for row in dy.chunks_exact(outputs) {
        for (sum, value) in bias.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// Where a head of a sample lies.
#[derive(Clone, Copy)]
struct Head {
    /// The first row of its sample.
    row: usize,
    /// The first column of its part of `dim`.
    column: usize,
    steps: usize,
    dim: usize,
    width: usize,
}

impl Head {
    /// The head at a place in `[samples, heads]`.
    fn new(call: &AttentionCall, index: usize) -> Self {
        Self {
            row: index / call.heads * call.steps,
            column: index % call.heads * call.head_dim(),
            steps: call.steps,
            dim: call.dim,
            width: call.head_dim(),
        }
    }

    /// Its query, key and value, each `[steps, width]`.
    fn parts<'a>(&self, query_key_value: &'a [f32]) -> [Matrix<'a>; 3] {
        let row = 3 * self.dim;
        [0, 1, 2].map(|part| {
            let first = self.row * row + part * self.dim + self.column;
            Matrix::new(&query_key_value[first..], self.steps, self.width, row)
        })
    }

    /// One of the three parts' gradients.
    fn part_mut<'a>(&self, query_key_value: &'a mut [f32], part: usize) -> MatrixMut<'a> {
        let row = 3 * self.dim;
        let first = self.row * row + part * self.dim + self.column;
        MatrixMut::new(&mut query_key_value[first..], self.steps, self.width, row)
    }

    fn context<'a>(&self, context: &'a mut [f32]) -> MatrixMut<'a> {
        let first = self.row * self.dim + self.column;
        MatrixMut::new(&mut context[first..], self.steps, self.width, self.dim)
    }

    fn context_of<'a>(&self, context: &'a [f32]) -> Matrix<'a> {
        let first = self.row * self.dim + self.column;
        Matrix::new(&context[first..], self.steps, self.width, self.dim)
    }
}

/// Softmax over each row of `[steps, steps]` scores, in place; masked places become 0.
struct Softmax<'a> {
    rows: &'a mut [f32],
    steps: usize,
    causal: bool,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (step, row) in self.rows.chunks_exact_mut(self.steps).enumerate() {
            let seen = if self.causal { step + 1 } else { self.steps };
            let (row, masked) = row.split_at_mut(seen);
            masked.fill(0.0);
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let largest_everywhere = simd.splat_f32s(largest);
            let (vectors, rest) = S::as_mut_simd_f32s(row);
            let mut sums = simd.splat_f32s(0.0);
            for vector in vectors {
                *vector = exp(simd, simd.sub_f32s(*vector, largest_everywhere));
                sums = simd.add_f32s(sums, *vector);
            }
            let mut sum = simd.reduce_sum_f32s(sums);
            if !rest.is_empty() {
                let values = simd.partial_load_f32s(rest);
                let values = exp(simd, simd.sub_f32s(values, largest_everywhere));
                simd.partial_store_f32s(rest, values);
                sum += rest.iter().sum::<f32>();
            }
            for value in row {
                *value /= sum;
            }
        }
    }
}

/// From the gradient of the probabilities to that of the scores, in place:
/// `ds = p ∘ (dp − Σ dp ∘ p)`.
fn softmax_backward(probabilities: &[f32], steps: usize, gradient: &mut [f32]) {
    let rows = probabilities.chunks_exact(steps);
    for (probabilities, gradient) in rows.zip(gradient.chunks_exact_mut(steps)) {
        let products = probabilities.iter().zip(&*gradient).map(|(p, d)| p * d);
        let mean: f32 = products.sum();
        for (gradient, probability) in gradient.iter_mut().zip(probabilities) {
            *gradient = probability * (*gradient - mean);
        }
    }
}
