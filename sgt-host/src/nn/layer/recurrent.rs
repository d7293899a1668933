//! LSTM in one and in both directions.

use super::extent::{assert_product, at_run_time, realize};
use super::named::{fan_in_bound, fill_uniform, layer_tensors};
use super::{Backend, Extent};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{LstmParameters, Matrix, Series, device_error};
use crate::nn::kernel::lstm::Readout;
use dfdx::prelude::*;

/// An LSTM of `I` inputs and `H` hidden units over a whole sequence (`nn.LSTM(batch_first=True)`
/// with one layer). Gates lie in the order input, forget, cell, output; their axis of 4 is joined
/// with `H` in `PyTorch`'s shapes, in the same memory layout.
#[derive(Clone, Debug)]
pub struct Lstm<I: Dim, H: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `weight_ih_l0`, `[4 · H, I]`.
    pub weight_ih_l0: Tensor<(Const<4>, H, I), E, D>,
    /// `weight_hh_l0`, `[4 · H, H]`.
    pub weight_hh_l0: Tensor<(Const<4>, H, H), E, D>,
    /// `bias_ih_l0`, `[4 · H]`.
    pub bias_ih_l0: Tensor<(Const<4>, H), E, D>,
    /// `bias_hh_l0`, `[4 · H]`.
    pub bias_hh_l0: Tensor<(Const<4>, H), E, D>,
}

layer_tensors! {
    Lstm [I: Dim, H: Dim]
    const [I: ConstDim, H: ConstDim]
    tensors {
        joined weight_ih_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined weight_hh_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined bias_ih_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined bias_hh_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
    }
    copied {}
}

/// Two LSTMs of `H` hidden units, one from the first step to the last and one the other way
/// (`nn.LSTM(batch_first=True, bidirectional=True)`).
#[derive(Clone, Debug)]
pub struct BiLstm<I: Dim, H: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `weight_ih_l0`, `[4 · H, I]`.
    pub weight_ih_l0: Tensor<(Const<4>, H, I), E, D>,
    /// `weight_hh_l0`, `[4 · H, H]`.
    pub weight_hh_l0: Tensor<(Const<4>, H, H), E, D>,
    /// `bias_ih_l0`, `[4 · H]`.
    pub bias_ih_l0: Tensor<(Const<4>, H), E, D>,
    /// `bias_hh_l0`, `[4 · H]`.
    pub bias_hh_l0: Tensor<(Const<4>, H), E, D>,
    /// `weight_ih_l0_reverse`, `[4 · H, I]`.
    pub weight_ih_l0_reverse: Tensor<(Const<4>, H, I), E, D>,
    /// `weight_hh_l0_reverse`, `[4 · H, H]`.
    pub weight_hh_l0_reverse: Tensor<(Const<4>, H, H), E, D>,
    /// `bias_ih_l0_reverse`, `[4 · H]`.
    pub bias_ih_l0_reverse: Tensor<(Const<4>, H), E, D>,
    /// `bias_hh_l0_reverse`, `[4 · H]`.
    pub bias_hh_l0_reverse: Tensor<(Const<4>, H), E, D>,
}

layer_tensors! {
    BiLstm [I: Dim, H: Dim]
    const [I: ConstDim, H: ConstDim]
    tensors {
        joined weight_ih_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined weight_hh_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined bias_ih_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined bias_hh_l0: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined weight_ih_l0_reverse: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined weight_hh_l0_reverse: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined bias_ih_l0_reverse: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
        joined bias_hh_l0_reverse: |t| { fill_uniform(t, fan_in_bound(H::SIZE)); Ok(()) };
    }
    copied {}
}

impl<I: Extent, H: Extent, D: Backend> Lstm<I, H, f32, D> {
    /// A layer with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, inputs: I, hidden: H) -> Result<Self> {
        let gates = Const::<4>;
        Ok(Self {
            weight_ih_l0: drawn(device, (gates, hidden, inputs), hidden.size())?,
            weight_hh_l0: drawn(device, (gates, hidden, hidden), hidden.size())?,
            bias_ih_l0: drawn(device, (gates, hidden), hidden.size())?,
            bias_hh_l0: drawn(device, (gates, hidden), hidden.size())?,
        })
    }

    fn parameters(&self) -> Result<LstmParameters<D>> {
        parameters(
            &self.weight_ih_l0,
            &self.weight_hh_l0,
            [&self.bias_ih_l0, &self.bias_hh_l0],
        )
    }

    /// The hidden states `[batch, steps, H]` of every step of `[batch, steps, I]`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming both shapes when a `usize` size doesn't fit,
    /// [`crate::Error::Device`] when the device refuses.
    pub fn forward<B: Extent, N: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, N, I), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, N, H), f32, D, T>> {
        let forward = self.parameters()?;
        let states = D::lstm(at_run_time("LSTM", x)?, &forward, None, Readout::All, mode)?;
        realize("Lstm", states, &[B::STATIC, N::STATIC, H::STATIC])
    }

    /// The hidden state `[batch, H]` after the last step.
    ///
    /// # Errors
    /// As [`Lstm::forward`].
    pub fn forward_last<B: Extent, N: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, N, I), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, H), f32, D, T>> {
        let forward = self.parameters()?;
        let states = D::lstm(at_run_time("LSTM", x)?, &forward, None, Readout::Last, mode)?;
        realize("Lstm", last(states)?, &[B::STATIC, H::STATIC])
    }
}

impl<I: Extent, H: Extent, D: Backend> BiLstm<I, H, f32, D> {
    /// A layer with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, inputs: I, hidden: H) -> Result<Self> {
        let (forward, reverse) = (
            Lstm::new(device, inputs, hidden)?,
            Lstm::new(device, inputs, hidden)?,
        );
        Ok(Self {
            weight_ih_l0: forward.weight_ih_l0,
            weight_hh_l0: forward.weight_hh_l0,
            bias_ih_l0: forward.bias_ih_l0,
            bias_hh_l0: forward.bias_hh_l0,
            weight_ih_l0_reverse: reverse.weight_ih_l0,
            weight_hh_l0_reverse: reverse.weight_hh_l0,
            bias_ih_l0_reverse: reverse.bias_ih_l0,
            bias_hh_l0_reverse: reverse.bias_hh_l0,
        })
    }

    fn parameters(&self) -> Result<[LstmParameters<D>; 2]> {
        Ok([
            parameters(
                &self.weight_ih_l0,
                &self.weight_hh_l0,
                [&self.bias_ih_l0, &self.bias_hh_l0],
            )?,
            parameters(
                &self.weight_ih_l0_reverse,
                &self.weight_hh_l0_reverse,
                [&self.bias_ih_l0_reverse, &self.bias_hh_l0_reverse],
            )?,
        ])
    }

    /// The hidden states `[batch, steps, W]` of both directions side by side at every step, with
    /// `W = 2 · H`.
    ///
    /// # Errors
    /// As [`Lstm::forward`].
    pub fn forward<B, N, W, T>(
        &self,
        x: Tensor<(B, N, I), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, N, W), f32, D, T>>
    where
        B: Extent,
        N: Extent,
        W: Extent,
        T: Tape<f32, D>,
    {
        const { assert_product("BiLstm: width", &[Some(2), H::STATIC], W::STATIC) };
        let [forward, reverse] = self.parameters()?;
        let states = D::lstm(
            at_run_time("LSTM", x)?,
            &forward,
            Some(&reverse),
            Readout::All,
            mode,
        )?;
        realize("BiLstm", states, &[B::STATIC, N::STATIC, W::STATIC])
    }

    /// The states `[batch, W]` after the last step that each direction read, `W = 2 · H`.
    ///
    /// # Errors
    /// As [`Lstm::forward`].
    pub fn forward_last<B, N, W, T>(
        &self,
        x: Tensor<(B, N, I), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, W), f32, D, T>>
    where
        B: Extent,
        N: Extent,
        W: Extent,
        T: Tape<f32, D>,
    {
        const { assert_product("BiLstm: width", &[Some(2), H::STATIC], W::STATIC) };
        let [forward, reverse] = self.parameters()?;
        let states = D::lstm(
            at_run_time("LSTM", x)?,
            &forward,
            Some(&reverse),
            Readout::Last,
            mode,
        )?;
        realize("BiLstm", last(states)?, &[B::STATIC, W::STATIC])
    }
}

/// `[batch, 1, width]` to `[batch, width]`.
fn last<D: Backend, T: Tape<f32, D>>(states: Series<D, T>) -> Result<Matrix<D, T>> {
    let (batch, _, width) = *states.shape();
    states
        .try_reshape_like(&(batch, width))
        .map_err(device_error)
}

/// A tensor of `PyTorch`'s initial values for `hidden` units.
fn drawn<S: Shape, D: Backend>(device: &D, shape: S, hidden: usize) -> Result<Tensor<S, f32, D>> {
    let mut tensor = device.try_zeros_like(&shape).map_err(device_error)?;
    fill_uniform(&mut tensor, fan_in_bound(hidden));
    Ok(tensor)
}

/// One direction's parameters, gates and units joined.
fn parameters<I: Extent, H: Extent, D: Backend>(
    input: &Tensor<(Const<4>, H, I), f32, D>,
    hidden: &Tensor<(Const<4>, H, H), f32, D>,
    [input_bias, hidden_bias]: [&Tensor<(Const<4>, H), f32, D>; 2],
) -> Result<LstmParameters<D>> {
    let (_, units, inputs) = *input.shape();
    let (gates, units, inputs) = (4 * units.size(), units.size(), inputs.size());
    let flat = |bias: &Tensor<(Const<4>, H), f32, D>| {
        let bias = bias.clone();
        bias.try_reshape_like(&(gates,)).map_err(device_error)
    };
    let (input, hidden) = (input.clone(), hidden.clone());
    Ok(LstmParameters {
        input: input
            .try_reshape_like(&(gates, inputs))
            .map_err(device_error)?,
        hidden: hidden
            .try_reshape_like(&(gates, units))
            .map_err(device_error)?,
        input_bias: flat(input_bias)?,
        hidden_bias: flat(hidden_bias)?,
    })
}
