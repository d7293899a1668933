//! Batch and layer normalisation.

use super::extent::{at_run_time, realize};
use super::named::layer_tensors;
use super::{Backend, Extent};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{BatchStatistics, Matrix, Series, device_error};
use crate::nn::kernel::batch_norm::MOMENTUM;
use dfdx::prelude::*;

/// Batch normalisation of `C` channels, of images, series and feature vectors
/// (`nn.BatchNorm1d`, `nn.BatchNorm2d` with `PyTorch`'s default ε and momentum).
#[derive(Clone, Debug)]
pub struct BatchNorm<C: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `weight`, `[C]`.
    pub weight: Tensor<(C,), E, D>,
    /// `bias`, `[C]`.
    pub bias: Tensor<(C,), E, D>,
    /// `running_mean`, `[C]`; not trained.
    pub running_mean: Tensor<(C,), E, D>,
    /// `running_var`, `[C]`: the unbiased variance; not trained.
    pub running_var: Tensor<(C,), E, D>,
}

layer_tensors! {
    BatchNorm [C: Dim]
    const [C: ConstDim]
    tensors {
        trained weight: Tensor::try_fill_with_ones;
        trained bias: Tensor::try_fill_with_zeros;
        kept running_mean: Tensor::try_fill_with_zeros;
        kept running_var: Tensor::try_fill_with_ones;
    }
    copied {}
}

impl<C: Extent, D: Backend> BatchNorm<C, f32, D> {
    /// Weight and running variance of one, bias and running mean of zero.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, channels: C) -> Result<Self> {
        let zeros = || device.try_zeros_like(&(channels,)).map_err(device_error);
        let ones = || device.try_ones_like(&(channels,)).map_err(device_error);
        Ok(Self {
            weight: ones()?,
            bias: zeros()?,
            running_mean: zeros()?,
            running_var: ones()?,
        })
    }

    /// `[batch, C, height, width]` normalised per channel: with the batch's statistics in
    /// training, which are returned for [`BatchNorm::absorb`]; with the running ones otherwise.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when a `usize` size doesn't fit or a training batch has one value a
    /// channel, [`crate::Error::Device`] when the device refuses.
    pub fn forward<B: Extent, H: Extent, W: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, C, H, W), f32, D, T>,
        mode: Mode,
    ) -> Result<(Tensor<(B, C, H, W), f32, D, T>, Option<BatchStatistics>)> {
        let shape = *x.shape();
        let (batch, channels, height, width) = shape;
        let flat = (batch.size(), channels.size(), height.size() * width.size());
        let x: Series<D, T> = x.try_reshape_like(&flat).map_err(device_error)?;
        let (out, statistics) = self.normalise(x, mode)?;
        Ok((
            out.try_reshape_like(&shape).map_err(device_error)?,
            statistics,
        ))
    }

    /// As [`BatchNorm::forward`], of `[batch, C, steps]`.
    ///
    /// # Errors
    /// As [`BatchNorm::forward`].
    pub fn forward_series<B: Extent, N: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, C, N), f32, D, T>,
        mode: Mode,
    ) -> Result<(Tensor<(B, C, N), f32, D, T>, Option<BatchStatistics>)> {
        let (out, statistics) = self.normalise(at_run_time("BatchNorm", x)?, mode)?;
        let expected = [B::STATIC, C::STATIC, N::STATIC];
        Ok((realize("BatchNorm", out, &expected)?, statistics))
    }

    /// As [`BatchNorm::forward`], of `[batch, C]`.
    ///
    /// # Errors
    /// As [`BatchNorm::forward`].
    pub fn forward_features<B: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, C), f32, D, T>,
        mode: Mode,
    ) -> Result<(Tensor<(B, C), f32, D, T>, Option<BatchStatistics>)> {
        let shape = *x.shape();
        let flat = (shape.0.size(), shape.1.size(), 1);
        let x: Series<D, T> = x.try_reshape_like(&flat).map_err(device_error)?;
        let (out, statistics) = self.normalise(x, mode)?;
        Ok((
            out.try_reshape_like(&shape).map_err(device_error)?,
            statistics,
        ))
    }

    fn normalise<T: Tape<f32, D>>(
        &self,
        x: Series<D, T>,
        mode: Mode,
    ) -> Result<(Series<D, T>, Option<BatchStatistics>)> {
        D::batch_norm(
            x,
            &self.weight.clone().realize(),
            &self.bias.clone().realize(),
            &self.running_mean.clone().realize(),
            &self.running_var.clone().realize(),
            mode,
        )
    }

    /// Moves the running statistics towards a training batch's: `r ← 0.9 r + 0.1 s`.
    pub fn absorb(&mut self, statistics: &BatchStatistics) {
        let follow = |running: &mut Tensor<(C,), f32, D>, batch: &[f32]| {
            let mut values = running.as_vec();
            for (value, new) in values.iter_mut().zip(batch) {
                *value = (1.0 - MOMENTUM) * *value + MOMENTUM * new;
            }
            running.copy_from(&values);
        };
        follow(&mut self.running_mean, &statistics.mean);
        follow(&mut self.running_var, &statistics.unbiased_variance);
    }
}

/// Layer normalisation over the last axis, of size `M` (`nn.LayerNorm` with `PyTorch`'s default
/// ε).
#[derive(Clone, Debug)]
pub struct LayerNorm<M: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `weight`, `[M]`.
    pub weight: Tensor<(M,), E, D>,
    /// `bias`, `[M]`.
    pub bias: Tensor<(M,), E, D>,
}

layer_tensors! {
    LayerNorm [M: Dim]
    const [M: ConstDim]
    tensors {
        trained weight: Tensor::try_fill_with_ones;
        trained bias: Tensor::try_fill_with_zeros;
    }
    copied {}
}

impl<M: Extent, D: Backend> LayerNorm<M, f32, D> {
    /// Weight of one, bias of zero.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, features: M) -> Result<Self> {
        Ok(Self {
            weight: device.try_ones_like(&(features,)).map_err(device_error)?,
            bias: device.try_zeros_like(&(features,)).map_err(device_error)?,
        })
    }

    /// `[batch, steps, M]`, each step normalised.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when a `usize` size doesn't fit, [`crate::Error::Device`] when the
    /// device refuses.
    pub fn forward<B: Extent, N: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, N, M), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, N, M), f32, D, T>> {
        let shape = *x.shape();
        let (batch, steps, features) = shape;
        let flat = (batch.size() * steps.size(), features.size());
        let x: Matrix<D, T> = x.try_reshape_like(&flat).map_err(device_error)?;
        let (weight, bias) = (self.weight.clone().realize(), self.bias.clone().realize());
        let out = D::layer_norm(x, &weight, &bias, mode)?;
        out.try_reshape_like(&shape).map_err(device_error)
    }
}
