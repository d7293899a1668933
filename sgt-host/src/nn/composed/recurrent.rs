//! LSTM as a loop of products.

use super::parameter::{add, affine, product};
use super::tensor::{Matrix, Series, Vector, device_error, expect_shape};
use crate::Result;
use crate::nn::Mode;
use crate::nn::kernel::lstm::Readout;
use dfdx::prelude::*;

/// The parameters of one direction, in `PyTorch`'s layout with gates in the order input, forget,
/// cell, output.
#[derive(Clone, Debug)]
pub struct LstmParameters<D: Storage<f32>> {
    /// `weight_ih_l0`, `[4 · hidden, inputs]`.
    pub input: Matrix<D>,
    /// `weight_hh_l0`, `[4 · hidden, hidden]`.
    pub hidden: Matrix<D>,
    /// `bias_ih_l0`, `[4 · hidden]`.
    pub input_bias: Vector<D>,
    /// `bias_hh_l0`, `[4 · hidden]`.
    pub hidden_bias: Vector<D>,
}

impl<D: Storage<f32>> LstmParameters<D> {
    /// The number of hidden units.
    pub(crate) fn hidden_units(&self) -> usize {
        self.hidden.shape().1
    }
}

/// The hidden states of an LSTM over `[batch, steps, inputs]`, from states of zero.
///
/// With `backward`, a second direction reads from the last step to the first, and its states
/// follow the first's in the last axis, so that `width` below is `2 · hidden` instead of
/// `hidden`. [`Readout::All`] gives the states of every step, `[batch, steps, width]`;
/// [`Readout::Last`] the state after the last step that each direction read, `[batch, 1, width]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit, [`crate::Error::Device`] when the device
/// refuses.
pub fn lstm<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    forward: &LstmParameters<D>,
    backward: Option<&LstmParameters<D>>,
    readout: Readout,
    mode: Mode,
) -> Result<Series<D, T>> {
    check_lstm(&x, forward, backward)?;
    let run = || {
        let Some(backward) = backward else {
            return direction(x, forward, false, readout, mode);
        };
        let again = x.retaped::<T>();
        let states = direction(x, forward, false, readout, mode)?;
        let states = (states, direction(again, backward, true, readout, mode)?);
        states.try_concat_along(Axis::<2>)
    };
    run().map_err(device_error::<D::Err>)
}

/// Refuses sizes that don't fit.
pub(crate) fn check_lstm<D: Storage<f32>, T>(
    x: &Series<D, T>,
    forward: &LstmParameters<D>,
    backward: Option<&LstmParameters<D>>,
) -> Result<()> {
    let (batch, steps, inputs) = *x.shape();
    let units = forward.hidden_units();
    for weights in [Some(forward), backward].into_iter().flatten() {
        let (gates, hidden) = *weights.hidden.shape();
        let expected = [batch, steps, weights.input.shape().1];
        expect_shape("LSTM", &[batch, steps, inputs], &expected)?;
        expect_shape("LSTM weight_hh", &[gates, hidden], &[4 * units, units])?;
        expect_shape("LSTM weight_ih", &[weights.input.shape().0], &[gates])?;
        expect_shape("LSTM bias_ih", &[weights.input_bias.shape().0], &[gates])?;
        expect_shape("LSTM bias_hh", &[weights.hidden_bias.shape().0], &[gates])?;
    }
    if batch > 0 && steps > 0 {
        return Ok(());
    }
    expect_shape(
        "LSTM",
        &[batch, steps, inputs],
        &[batch.max(1), steps.max(1), inputs],
    )
}

fn direction<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    weights: &LstmParameters<D>,
    reverse: bool,
    readout: Readout,
    mode: Mode,
) -> Result<Series<D, T>, D::Err> {
    let (batch, steps, inputs) = *x.shape();
    let hidden = weights.hidden.shape().1;
    let x: Matrix<D, T> = x.try_reshape_like(&(batch * steps, inputs))?;
    let projected = affine(x, &weights.input, Some(&weights.input_bias), mode)?;
    let projected = add(projected, &weights.hidden_bias, mode)?;
    let projected: Series<D, T> = projected.try_reshape_like(&(batch, steps, 4 * hidden))?;
    let (projected, mut tape) = projected.split_tape();
    let zeros = || -> Result<Matrix<D, T>, D::Err> {
        let zeros = weights.hidden.device().try_zeros_like(&(batch, hidden))?;
        Ok(zeros.put_tape(T::default()))
    };
    let (mut output, mut cell) = (zeros()?, zeros()?);
    let mut outputs = Vec::with_capacity(steps);
    for step in 0..steps {
        let step = if reverse { steps - 1 - step } else { step };
        let own = projected.clone().put_tape(std::mem::take(&mut tape));
        let own = own.try_slice((.., step..=step, ..))?;
        let own: Matrix<D, T> = own.try_reshape_like(&(batch, 4 * hidden))?;
        let (gates, gates_tape) = product(output, &weights.hidden, mode)?
            .try_add(own)?
            .split_tape();
        let gate = |gate: usize| -> Result<Matrix<D, T>, D::Err> {
            let part = gates.retaped::<T>();
            part.try_slice((.., gate * hidden..(gate + 1) * hidden))
        };
        let (input, candidate) = (gate(0)?.try_sigmoid()?, gate(2)?.try_tanh()?);
        let kept = cell.try_mul(gate(1)?.try_sigmoid()?)?;
        let (next, next_tape) = kept.try_add(input.try_mul(candidate)?)?.split_tape();
        cell = next.put_tape(next_tape.merge(gates_tape));
        let squashed = cell.retaped::<T>().try_tanh()?;
        output = squashed.try_mul(gate(3)?.try_sigmoid()?)?;
        outputs.push(output.retaped::<T>());
    }
    // The tapes of the last step hold all operations.
    let (output_tape, cell_tape) = (output.split_tape().1, cell.split_tape().1);
    if readout == Readout::Last {
        outputs.drain(..steps - 1);
    } else if reverse {
        outputs.reverse();
    }
    let states: Series<D, T> = outputs.try_stack()?;
    let (states, stack_tape) = states.split_tape();
    let states = states.put_tape(stack_tape.merge(output_tape).merge(cell_tape));
    let states = states.try_permute::<(usize, usize, usize), Axes3<1, 0, 2>>()?;
    states.try_contiguous()
}
