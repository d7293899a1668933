//! Embedding, dropout and ReLU.

use super::named::{fill_uniform, layer_tensors};
use super::{Backend, Extent};
use crate::nn::Mode;
use crate::nn::composed::{Matrix, device_error};
use crate::nn::kernel::dropout::DropoutKey;
use crate::{Error, Result};
use dfdx::prelude::*;

/// `max(x, 0)`.
///
/// # Errors
/// [`Error::Device`] when the device refuses.
pub fn relu<S: Shape, D: Backend, T: Tape<f32, D>>(
    x: Tensor<S, f32, D, T>,
) -> Result<Tensor<S, f32, D, T>> {
    D::relu(x)
}

/// Inverted dropout: on in training, off otherwise. The mask is a function of the pass's seed,
/// the layer's number and the position alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    probability: f32,
    layer: u64,
}

impl Dropout {
    /// Drops each value with `probability`; `layer` tells the dropout layers of a model apart.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `0 ≤ probability < 1`.
    pub fn new(probability: f32, layer: u64) -> Result<Self> {
        if (0.0..1.0).contains(&probability) {
            return Ok(Self { probability, layer });
        }
        Err(Error::Argument {
            argument: "dropout probability".into(),
            found: probability.to_string(),
            expected: "at least 0 and below 1".into(),
        })
    }

    /// `x / (1 − p)` where the mask keeps a value, 0 elsewhere; outside training, `x`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device refuses.
    pub fn forward<S: Shape, D: Backend, T: Tape<f32, D>>(
        &self,
        x: Tensor<S, f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<S, f32, D, T>> {
        match mode {
            Mode::Training { seed } => {
                D::dropout(DropoutKey::new(seed, self.layer), self.probability, x)
            }
            Mode::Evaluation | Mode::InputGradient => Ok(x),
        }
    }
}

/// A table of `V` rows of `M` values.
#[derive(Clone, Debug)]
pub struct Embedding<V: Dim, M: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `weight`, `[V, M]`.
    pub weight: Tensor<(V, M), E, D>,
}

/// The bound of an even distribution of variance 1, which is `PyTorch`'s normal one's.
fn unit_variance_bound() -> f64 {
    3.0_f64.sqrt()
}

layer_tensors! {
    Embedding [V: Dim, M: Dim]
    const [V: ConstDim, M: ConstDim]
    tensors {
        trained weight: |t| { fill_uniform(t, unit_variance_bound()); Ok(()) };
    }
    copied {}
}

impl<V: Extent, M: Extent, D: Backend> Embedding<V, M, f32, D> {
    /// A table with values of mean 0 and variance 1.
    ///
    /// # Errors
    /// [`Error::Device`] when the device refuses.
    pub fn new(device: &D, vocabulary: V, dim: M) -> Result<Self> {
        let weight = device.try_zeros_like(&(vocabulary, dim));
        let mut weight = weight.map_err(device_error)?;
        fill_uniform(&mut weight, unit_variance_bound());
        Ok(Self { weight })
    }

    /// The embedded vectors `[batch, N, M]` of `tokens` (`batch · N` of them). The gradient with
    /// respect to them is what saliency asks for; the table's own is left out in
    /// [`Mode::InputGradient`].
    ///
    /// # Errors
    /// [`Error::Argument`] on a token outside the table, [`Error::Shape`] when there is no whole
    /// number of samples, [`Error::Device`] when the device refuses.
    pub fn forward<N: Extent, T: Tape<f32, D>>(
        &self,
        tokens: &[usize],
        sample_len: N,
        mode: Mode,
    ) -> Result<Tensor<(usize, N, M), f32, D, T>> {
        let len = sample_len.size();
        if len == 0 || tokens.is_empty() || !tokens.len().is_multiple_of(len) {
            return Err(Error::Shape {
                operation: "Embedding",
                found: format!("[{}] tokens", tokens.len()),
                expected: format!("[_, {len}]"),
            });
        }
        let table: Matrix<D> = self.weight.clone().realize();
        let rows = D::embedding::<T>(&table, tokens, mode)?;
        let shape = (tokens.len() / len, sample_len, self.weight.shape().1);
        rows.try_reshape_like(&shape).map_err(device_error)
    }
}
