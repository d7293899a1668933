//! Attention pooling: one vector of a series, weighted by a score of each step.
//!
//! ```text
//! score_t = query · tanh(weight h_t + bias)    α = softmax over t of the scores    out = Σ_t α_t h_t
//! ```
//!
//! Steps behind a sample's length are neither seen nor read; their gradient is 0. Source: Yang et
//! al., 2016 (word attention). The batch is cut into fixed chunks of [`CHUNK_SAMPLES`] samples, so
//! results don't depend on the number of threads; outputs and input gradients of a sample don't
//! depend on the other samples.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

mod multipliers;
#[cfg(test)]
mod tests;

pub use multipliers::multipliers;

use super::buffer::{Buffer, with_scratch};
use super::dispatch::dispatch;
use super::expect_len;
use super::lengths::{clear_padding, real_rows, real_steps};
use super::matrix::{Left, Right, multiply, pack, padded};
use super::product::Start;
pub use super::request::{InputGradient, Keep};
use super::softmax::{softmax, softmax_gradient};
use super::sums::sum_of_products;
use super::transcendental::tanh;
use crate::{Error, Result};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Samples in one task.
pub const CHUNK_SAMPLES: usize = 8;

const OPERATION: &str = "softmax pool";

/// The sizes of a batch of series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftmaxPoolShape {
    /// Samples.
    pub batch: usize,
    /// Steps of a sample.
    pub steps: usize,
    /// Values a step.
    pub width: usize,
}

impl SoftmaxPoolShape {
    /// Values in the input `[batch, steps, width]`.
    pub const fn input_len(&self) -> usize {
        self.batch * self.steps * self.width
    }

    /// Values in the output `[batch, width]`.
    pub const fn output_len(&self) -> usize {
        self.batch * self.width
    }

    /// Refuses sizes that are 0.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(&self) -> Result<()> {
        if self.input_len() > 0 {
            return Ok(());
        }
        let Self {
            batch,
            steps,
            width,
        } = self;
        Err(Error::Shape {
            operation: OPERATION,
            found: format!("[{batch}, {steps}, {width}]"),
            expected: "at least one value".into(),
        })
    }

    /// Values of a chunk's parameter gradients.
    const fn gradient_len(&self) -> usize {
        self.width * (self.width + 2)
    }
}

/// The parameters.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxPoolParameters<'a> {
    /// `[width, width]`: outputs, inputs.
    pub weight: &'a [f32],
    /// `[width]`.
    pub bias: &'a [f32],
    /// `[width]`.
    pub query: &'a [f32],
}

impl SoftmaxPoolParameters<'_> {
    fn check(&self, width: usize) -> Result<()> {
        expect_len(OPERATION, "weight", self.weight.len(), width * width)?;
        expect_len(OPERATION, "bias", self.bias.len(), width)?;
        expect_len(OPERATION, "query", self.query.len(), width)
    }
}

/// Where the parameters' gradients are added.
#[derive(Debug)]
pub struct SoftmaxPoolGradients<'a> {
    /// `[width, width]`.
    pub weight: &'a mut [f32],
    /// `[width]`.
    pub bias: &'a mut [f32],
    /// `[width]`.
    pub query: &'a mut [f32],
}

impl SoftmaxPoolGradients<'_> {
    fn check(&self, width: usize) -> Result<()> {
        let Self {
            weight,
            bias,
            query,
        } = self;
        let lengths = SoftmaxPoolParameters {
            weight,
            bias,
            query,
        };
        lengths.check(width)
    }

    /// Adds one chunk's gradients, laid out as [`Chunk::gradient`].
    fn add(&mut self, chunk: &[f32]) {
        let mut rest = chunk;
        for target in [&mut *self.weight, &mut *self.bias, &mut *self.query] {
            let (part, tail) = rest.split_at(target.len());
            rest = tail;
            target
                .iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
        }
    }
}

/// What a forward pass leaves for backward passes. Keeps its buffers from call to call.
#[derive(Clone, Debug, Default)]
pub struct SoftmaxPoolCache {
    shape: SoftmaxPoolShape,
    keep: Keep,
    lengths: Vec<usize>,
    chunks: Vec<Chunk>,
    /// The weight: transposed by forward passes, as it lies by backward passes.
    packed: Buffer,
}

/// One chunk's part of the cache, with `rows` = its samples · steps.
#[derive(Clone, Debug, Default)]
struct Chunk {
    /// `[rows, padded(width)]`.
    x: Buffer,
    /// `[rows, padded(width)]`: `tanh(weight h + bias)`.
    hidden: Buffer,
    /// `[samples, padded(steps)]`: α.
    shares: Buffer,
    /// Of weight, bias and query.
    gradient: Buffer,
}

/// Pools `x` `[batch, steps, width]` into `out` `[batch, width]`. `lengths` are the real steps of
/// each sample, from 1 to `steps`; all of them where there are none.
///
/// Cost: about `2 · batch · steps · width · (width + 3)` floating-point operations.
///
/// # Errors
/// [`Error::Shape`] when a slice's length doesn't fit, [`Error::Argument`] for lengths out of range.
pub fn forward(
    shape: &SoftmaxPoolShape,
    parameters: &SoftmaxPoolParameters,
    keep: Keep,
    lengths: Option<&[usize]>,
    x: &[f32],
    out: &mut [f32],
    cache: &mut SoftmaxPoolCache,
) -> Result<()> {
    shape.check()?;
    let width = shape.width;
    parameters.check(width)?;
    expect_len(OPERATION, "x", x.len(), shape.input_len())?;
    expect_len(OPERATION, "out", out.len(), shape.output_len())?;
    cache.lengths = real_steps(lengths, shape.batch, shape.steps)?;
    cache.shape = *shape;
    cache.keep = keep;
    pack(width, width, &mut cache.packed, |t, n| {
        parameters.weight[n * width + t]
    });
    let chunks = shape.batch.div_ceil(CHUNK_SAMPLES);
    cache.chunks.resize_with(chunks, Chunk::default);
    let weight = Right::panels(&cache.packed, width);
    let x = x.par_chunks(CHUNK_SAMPLES * shape.steps * width);
    let out = out.par_chunks_mut(CHUNK_SAMPLES * width);
    cache
        .chunks
        .par_iter_mut()
        .zip(cache.lengths.par_chunks(CHUNK_SAMPLES))
        .zip(x.zip(out))
        .for_each(|((chunk, lengths), (x, out))| {
            let samples = Samples::new(shape, lengths);
            chunk.forward(&samples, parameters, weight, x, out);
        });
    Ok(())
}

/// Pulls `dout` `[batch, width]` back through the pass in `cache`.
///
/// `gradients`, when given, have the parameters' gradients **added** to them. `parameters` must be
/// those of the forward pass. `dx` is 0 behind a sample's length.
///
/// # Errors
/// [`Error::Shape`] when the cache holds no pass, a slice's length doesn't fit it, or parameter
/// gradients are asked of a [`Keep::ForInput`] pass.
pub fn backward(
    parameters: &SoftmaxPoolParameters,
    cache: &mut SoftmaxPoolCache,
    dout: &[f32],
    dx: InputGradient,
    gradients: Option<SoftmaxPoolGradients>,
) -> Result<()> {
    let shape = cache.shape;
    shape.check()?;
    let width = shape.width;
    parameters.check(width)?;
    expect_len(OPERATION, "dout", dout.len(), shape.output_len())?;
    let (dx, add) = dx.into_parts();
    if let Some(dx) = &dx {
        expect_len(OPERATION, "dx", dx.len(), shape.input_len())?;
    }
    if let Some(gradients) = &gradients {
        gradients.check(width)?;
        cache.keep.check_weights(OPERATION)?;
    }
    pack(width, width, &mut cache.packed, |t, n| {
        parameters.weight[t * width + n]
    });
    let size = CHUNK_SAMPLES * shape.steps * width;
    let dx: Vec<_> = match dx {
        Some(dx) => dx.chunks_mut(size).map(Some).collect(),
        None => cache.chunks.iter().map(|_| None).collect(),
    };
    let work = Backward {
        parameters,
        weight: Right::panels(&cache.packed, width),
        add,
        weights_wanted: gradients.is_some(),
    };
    cache
        .chunks
        .par_iter_mut()
        .zip(cache.lengths.par_chunks(CHUNK_SAMPLES))
        .zip(dout.par_chunks(CHUNK_SAMPLES * width).zip(dx))
        .for_each(|((chunk, lengths), (dout, dx))| {
            work.run(&Samples::new(&shape, lengths), chunk, dout, dx);
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
    shape: &'a SoftmaxPoolShape,
    lengths: &'a [usize],
    /// Ranges of real rows in `[samples, steps]`.
    rows: Vec<Range<usize>>,
}

impl<'a> Samples<'a> {
    fn new(shape: &'a SoftmaxPoolShape, lengths: &'a [usize]) -> Self {
        Self {
            shape,
            lengths,
            rows: real_rows(lengths, shape.steps),
        }
    }

    /// Rows in the chunk, real or not.
    fn len(&self) -> usize {
        self.lengths.len() * self.shape.steps
    }
}

impl Chunk {
    fn forward(
        &mut self,
        samples: &Samples,
        parameters: &SoftmaxPoolParameters,
        weight: Right,
        x: &[f32],
        out: &mut [f32],
    ) {
        let width = samples.shape.width;
        let row = padded(width);
        let kept = self.x.resize(samples.len() * row);
        for (kept, x) in kept.chunks_exact_mut(row).zip(x.chunks_exact(width)) {
            kept[..width].copy_from_slice(x);
        }
        let hidden = self.hidden.resize(samples.len() * row);
        for rows in &samples.rows {
            multiply(
                Left::new(&x[rows.start * width..], rows.len(), width, width),
                weight,
                Start::Bias(parameters.bias),
                &mut hidden[rows.start * row..],
                row,
            );
        }
        let shares = samples.lengths.len() * padded(samples.shape.steps);
        dispatch(Pool {
            samples,
            query: parameters.query,
            x: &self.x,
            hidden,
            shares: self.shares.resize(shares),
            out,
        });
    }
}

/// From `weight h + bias` to `tanh` of it, scores, shares and the pooled vectors.
struct Pool<'a> {
    samples: &'a Samples<'a>,
    query: &'a [f32],
    x: &'a [f32],
    hidden: &'a mut [f32],
    shares: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SoftmaxPoolShape { steps, width, .. } = *self.samples.shape;
        let row = padded(width);
        let x = self.x.chunks_exact(steps * row);
        let hidden = self.hidden.chunks_exact_mut(steps * row);
        let shares = self.shares.chunks_exact_mut(padded(steps));
        let samples = x.zip(hidden).zip(shares);
        let samples = samples.zip(self.out.chunks_exact_mut(width));
        for ((((x, hidden), shares), out), &length) in samples.zip(self.samples.lengths) {
            let shares = &mut shares[..length];
            for (hidden, score) in hidden.chunks_exact_mut(row).zip(&mut *shares) {
                for vector in S::as_mut_simd_f32s(hidden).0 {
                    *vector = tanh(simd, *vector);
                }
                *score = sum_of_products(simd, [&hidden[..width], self.query]);
            }
            softmax(simd, 1.0, shares);
            out.fill(0.0);
            for (x, share) in x.chunks_exact(row).zip(shares) {
                for (out, x) in out.iter_mut().zip(x) {
                    *out += *share * x;
                }
            }
        }
    }
}

/// The backward pass of a chunk.
struct Backward<'a> {
    parameters: &'a SoftmaxPoolParameters<'a>,
    weight: Right<'a>,
    add: bool,
    weights_wanted: bool,
}

impl Backward<'_> {
    fn run(&self, samples: &Samples, chunk: &mut Chunk, dout: &[f32], dx: Option<&mut [f32]>) {
        let SoftmaxPoolShape { steps, width, .. } = *samples.shape;
        let row = padded(width);
        let lens = [samples.len() * row, chunk.shares.len(), width];
        with_scratch(lens, |[d_hidden, d_scores, d_query]| {
            d_query.fill(0.0);
            dispatch(PoolGradient {
                samples,
                query: self.parameters.query,
                chunk,
                dout,
                d_scores,
                d_hidden,
                d_query: &mut *d_query,
            });
            if let Some(dx) = dx {
                let places = dx
                    .chunks_exact_mut(steps * width)
                    .zip(dout.chunks_exact(width));
                let shares = chunk.shares.chunks_exact(padded(steps));
                for (((dx, dout), shares), length) in places.zip(shares).zip(samples.lengths) {
                    for (dx, share) in dx.chunks_exact_mut(width).zip(&shares[..*length]) {
                        for (dx, d) in dx.iter_mut().zip(dout) {
                            *dx = share * d + if self.add { *dx } else { 0.0 };
                        }
                    }
                }
                for rows in &samples.rows {
                    multiply(
                        Left::new(&d_hidden[rows.start * row..], rows.len(), width, row),
                        self.weight,
                        Start::Out,
                        &mut dx[rows.start * width..],
                        width,
                    );
                }
                if !self.add {
                    clear_padding(samples.lengths, width, dx);
                }
            }
            if self.weights_wanted {
                let gradient = chunk.gradient.resize(samples.shape.gradient_len());
                gradient.fill(0.0);
                let (weight, rest) = gradient.split_at_mut(width * width);
                let (bias, query) = rest.split_at_mut(width);
                for rows in &samples.rows {
                    let range = rows.start * row..rows.end * row;
                    let d_hidden = &d_hidden[range.clone()];
                    multiply(
                        Left::new(d_hidden, rows.len(), width, row).transposed(),
                        Right::rows(&chunk.x[range], width, row),
                        Start::Out,
                        weight,
                        width,
                    );
                    for d in d_hidden.chunks_exact(row) {
                        bias.iter_mut().zip(d).for_each(|(bias, d)| *bias += d);
                    }
                }
                query.copy_from_slice(d_query);
            }
        });
    }
}

/// From the gradient of the pooled vectors to that of `weight h + bias` and of the query, which is
/// added.
struct PoolGradient<'a> {
    samples: &'a Samples<'a>,
    query: &'a [f32],
    chunk: &'a Chunk,
    dout: &'a [f32],
    d_scores: &'a mut [f32],
    d_hidden: &'a mut [f32],
    d_query: &'a mut [f32],
}

impl WithSimd for PoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SoftmaxPoolShape { steps, width, .. } = *self.samples.shape;
        let row = padded(width);
        let x = self.chunk.x.chunks_exact(steps * row);
        let hidden = self.chunk.hidden.chunks_exact(steps * row);
        let shares = self.chunk.shares.chunks_exact(padded(steps));
        let samples = x.zip(hidden).zip(shares);
        let gradients = self.d_hidden.chunks_exact_mut(steps * row);
        let gradients = gradients.zip(self.d_scores.chunks_exact_mut(padded(steps)));
        let gradients = gradients.zip(self.dout.chunks_exact(width));
        let samples = samples.zip(gradients).zip(self.samples.lengths);
        for ((((x, hidden), shares), ((d_hidden, d_scores), dout)), &length) in samples {
            let d_scores = &mut d_scores[..length];
            for (d_share, x) in d_scores.iter_mut().zip(x.chunks_exact(row)) {
                *d_share = sum_of_products(simd, [&x[..width], dout]);
            }
            softmax_gradient(simd, 1.0, &shares[..length], d_scores);
            let rows = d_hidden.chunks_exact_mut(row).zip(hidden.chunks_exact(row));
            for ((d_hidden, hidden), d_score) in rows.zip(d_scores) {
                let values = hidden.iter().zip(self.query).zip(&mut *self.d_query);
                for (d_hidden, ((hidden, query), d_query)) in d_hidden.iter_mut().zip(values) {
                    *d_hidden = *d_score * query * (1.0 - hidden * hidden);
                    *d_query += *d_score * hidden;
                }
            }
        }
    }
}
