//! The fully connected layer.

use super::extent::{at_run_time, realize};
use super::named::{fan_in_bound, fill_uniform, layer_tensors};
use super::{Backend, Extent};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::device_error;
use dfdx::prelude::*;

/// `y = x Wᵀ + b`: `[batch, I]` to `[batch, O]`.
#[derive(Clone, Debug)]
pub struct Linear<I: Dim, O: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `weight`, `[O, I]`.
    pub weight: Tensor<(O, I), E, D>,
    /// `bias`, `[O]`.
    pub bias: Tensor<(O,), E, D>,
}

layer_tensors! {
    Linear [I: Dim, O: Dim]
    const [I: ConstDim, O: ConstDim]
    tensors {
        trained weight: |t| { fill_uniform(t, fan_in_bound(I::SIZE)); Ok(()) };
        trained bias: |t| { fill_uniform(t, fan_in_bound(I::SIZE)); Ok(()) };
    }
    copied {}
}

impl<I: Extent, O: Extent, D: Backend> Linear<I, O, f32, D> {
    /// A layer with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, inputs: I, outputs: O) -> Result<Self> {
        let mut layer = Self {
            weight: device
                .try_zeros_like(&(outputs, inputs))
                .map_err(device_error)?,
            bias: device.try_zeros_like(&(outputs,)).map_err(device_error)?,
        };
        fill_uniform(&mut layer.weight, fan_in_bound(inputs.size()));
        fill_uniform(&mut layer.bias, fan_in_bound(inputs.size()));
        Ok(layer)
    }

    /// The layer's output.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming both shapes when a `usize` size doesn't fit,
    /// [`crate::Error::Device`] when the device refuses.
    pub fn forward<B: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, I), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, O), f32, D, T>> {
        let out = D::linear(
            at_run_time("Linear", x)?,
            &self.weight.clone().realize(),
            Some(&self.bias.clone().realize()),
            mode,
        )?;
        realize("Linear", out, &[B::STATIC, O::STATIC])
    }
}
