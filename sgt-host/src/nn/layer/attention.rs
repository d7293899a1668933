//! Multi-head self-attention.

use super::extent::{assert_divides, at_run_time, realize};
use super::named::{NamedTensorVisitor, NamedTensors, TensorRole, fill_uniform, join};
use super::{Backend, Extent, Linear};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{AttentionParameters, device_error};
use dfdx::nn::tensor_collection::{ModuleVisitor, TensorCollection, TensorOptions};
use dfdx::prelude::*;

/// Self-attention over `M` dimensions with `N` heads, which must divide them
/// (`nn.MultiheadAttention(batch_first=True)` with query, key and value the same). The axis of 3
/// of the input projection is joined with `M` in `PyTorch`'s shapes, in the same memory layout.
#[derive(Clone, Debug)]
pub struct MultiHeadAttention<M: Dim, N: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `in_proj_weight`, `[3 · M, M]`: query, key, value.
    pub in_proj_weight: Tensor<(Const<3>, M, M), E, D>,
    /// `in_proj_bias`, `[3 · M]`.
    pub in_proj_bias: Tensor<(Const<3>, M), E, D>,
    /// `out_proj`.
    pub out_proj: Linear<M, M, E, D>,
    /// Heads.
    pub heads: N,
}

/// Xavier's bound of the joined `[3 · dim, dim]` projection, as in `PyTorch`.
fn xavier_bound(dim: usize) -> f64 {
    (6.0 / (4 * dim) as f64).sqrt()
}

impl<M: Dim, N: Dim, D: Device<f32>> NamedTensors<D> for MultiHeadAttention<M, N, f32, D> {
    fn visit_tensors<V: NamedTensorVisitor<D>>(
        &mut self,
        prefix: &str,
        visitor: &mut V,
    ) -> Result<()> {
        let weight = TensorRole::new(
            join(prefix, "in_proj_weight"),
            &self.in_proj_weight.shape().concrete(),
            true,
            true,
        );
        visitor.visit(&weight, &mut self.in_proj_weight)?;
        let bias = TensorRole::new(
            join(prefix, "in_proj_bias"),
            &self.in_proj_bias.shape().concrete(),
            true,
            true,
        );
        visitor.visit(&bias, &mut self.in_proj_bias)?;
        self.out_proj
            .visit_tensors(&join(prefix, "out_proj"), visitor)
    }
}

impl<M: ConstDim, N: ConstDim, E: Dtype, D: Device<E>> TensorCollection<E, D>
    for MultiHeadAttention<M, N, E, D>
{
    type To<E2: Dtype, D2: Device<E2>> = MultiHeadAttention<M, N, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::tensor(
                    "in_proj_weight",
                    |layer| &layer.in_proj_weight,
                    |layer| &mut layer.in_proj_weight,
                    TensorOptions::reset_with(|t| {
                        fill_uniform(t, xavier_bound(M::SIZE));
                        Ok(())
                    }),
                ),
                Self::tensor(
                    "in_proj_bias",
                    |layer| &layer.in_proj_bias,
                    |layer| &mut layer.in_proj_bias,
                    TensorOptions::reset_to_zeros(),
                ),
                Self::module(
                    "out_proj",
                    |layer| &layer.out_proj,
                    |layer| &mut layer.out_proj,
                ),
            ),
            |(in_proj_weight, in_proj_bias, out_proj)| MultiHeadAttention {
                in_proj_weight,
                in_proj_bias,
                out_proj,
                heads: N::default(),
            },
        )
    }
}

impl<M: Extent, N: Extent, D: Backend> MultiHeadAttention<M, N, f32, D> {
    /// A layer with `PyTorch`'s initial values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, dim: M, heads: N) -> Result<Self> {
        let weight = device.try_zeros_like(&(Const::<3>, dim, dim));
        let mut in_proj_weight = weight.map_err(device_error)?;
        fill_uniform(&mut in_proj_weight, xavier_bound(dim.size()));
        let bias = device.try_zeros_like(&(Const::<3>, dim));
        Ok(Self {
            in_proj_weight,
            in_proj_bias: bias.map_err(device_error)?,
            out_proj: Linear::new(device, dim, dim)?,
            heads,
        })
    }

    /// `[batch, steps, M]` to the same shape; with `causal`, a step sees the steps up to itself.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming both shapes when a `usize` size doesn't fit,
    /// [`crate::Error::Device`] when the device refuses.
    pub fn forward<B: Extent, S: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, S, M), f32, D, T>,
        causal: bool,
        mode: Mode,
    ) -> Result<Tensor<(B, S, M), f32, D, T>> {
        const {
            assert_divides(
                "MultiHeadAttention: dimensions and heads",
                M::STATIC,
                N::STATIC,
            );
        };
        let dim = self.in_proj_weight.shape().2.size();
        let (weight, bias) = (self.in_proj_weight.clone(), self.in_proj_bias.clone());
        let parameters = AttentionParameters {
            in_projection: weight
                .try_reshape_like(&(3 * dim, dim))
                .map_err(device_error)?,
            in_bias: bias.try_reshape_like(&(3 * dim,)).map_err(device_error)?,
            out_projection: self.out_proj.weight.clone().realize(),
            out_bias: self.out_proj.bias.clone().realize(),
        };
        let out = D::attention(
            at_run_time("MultiHeadAttention", x)?,
            &parameters,
            self.heads.size(),
            causal,
            mode,
        )?;
        realize(
            "MultiHeadAttention",
            out,
            &[B::STATIC, S::STATIC, M::STATIC],
        )
    }
}
