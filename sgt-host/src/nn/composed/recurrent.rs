//! LSTM as a loop of products.

use super::parameter::{add, affine, product};
use super::tensor::{Matrix, Series, Vector, device_error, expect_shape};
use crate::Result;
use crate::model::Mode;
use dfdx::prelude::*;

/// The parameters of one direction, in `PyTorch`'s layout with gates in the order input, forget,
/// cell, output.
#[derive(Clone, Debug)]
pub struct LstmWeights<D: Storage<f32>> {
    /// `weight_ih_l0`, `[4 · hidden, inputs]`.
    pub input: Matrix<D>,
    /// `weight_hh_l0`, `[4 · hidden, hidden]`.
    pub hidden: Matrix<D>,
    /// `bias_ih_l0`, `[4 · hidden]`.
    pub input_bias: Vector<D>,
    /// `bias_hh_l0`, `[4 · hidden]`.
    pub hidden_bias: Vector<D>,
}

/// The hidden states `[batch, steps, hidden]` of an LSTM over `[batch, steps, inputs]`, from
/// states of zero. With `backward`, the second direction's states (aligned with the same steps)
/// follow in the last axis: `[batch, steps, 2 · hidden]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit, [`crate::Error::Device`] when the device
/// refuses.
pub fn lstm<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    forward: &LstmWeights<D>,
    backward: Option<&LstmWeights<D>>,
    mode: Mode,
) -> Result<Series<D, T>> {
    let (batch, steps, inputs) = *x.shape();
    for weights in [Some(forward), backward].into_iter().flatten() {
        let (gates, hidden) = *weights.hidden.shape();
        let expected = [batch, steps, weights.input.shape().1];
        expect_shape("LSTM", &[batch, steps, inputs], &expected)?;
        expect_shape("LSTM weight_hh", &[gates, hidden], &[4 * hidden, hidden])?;
        expect_shape("LSTM weight_ih", &[weights.input.shape().0], &[gates])?;
        expect_shape("LSTM bias_ih", &[weights.input_bias.shape().0], &[gates])?;
        expect_shape("LSTM bias_hh", &[weights.hidden_bias.shape().0], &[gates])?;
    }
    let run = || {
        let Some(backward) = backward else {
            return direction(x, forward, false, mode);
        };
        let again = x.retaped::<T>();
        let states = direction(x, forward, false, mode)?;
        let states = (states, direction(again, backward, true, mode)?);
        states.try_concat_along(Axis::<2>)
    };
    run().map_err(device_error::<D::Err>)
}

fn direction<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    weights: &LstmWeights<D>,
    reverse: bool,
    mode: Mode,
) -> Result<Series<D, T>, D::Err> {
    let (batch, steps, inputs) = *x.shape();
    let hidden = weights.hidden.shape().1;
    let x: Matrix<D, T> = x.try_reshape_like(&(batch * steps, inputs))?;
    let projected = affine(x, &weights.input, Some(&weights.input_bias), mode)?;
    let projected = add(projected, &weights.hidden_bias, mode)?;
    let projected: Series<D, T> = projected.try_reshape_like(&(batch, steps, 4 * hidden))?;
    let (projected, mut tape) = projected.split_tape();
    let mut state: Option<(Matrix<D, T>, Matrix<D, T>)> = None;
    let mut outputs = Vec::with_capacity(steps);
    for step in 0..steps {
        let step = if reverse { steps - 1 - step } else { step };
        let own = projected.clone().put_tape(std::mem::take(&mut tape));
        let own = own.try_slice((.., step..=step, ..))?;
        let own: Matrix<D, T> = own.try_reshape_like(&(batch, 4 * hidden))?;
        let (gates, cell) = match state {
            None => (own, None),
            Some((output, cell)) => {
                let recurrent = product(output, &weights.hidden, mode)?;
                (recurrent.try_add(own)?, Some(cell))
            }
        };
        let gate = |gate: usize| -> Result<Matrix<D, T>, D::Err> {
            let part = gates.retaped::<T>();
            part.try_slice((.., gate * hidden..(gate + 1) * hidden))
        };
        let (input, candidate) = (gate(0)?.try_sigmoid()?, gate(2)?.try_tanh()?);
        let mut next = input.try_mul(candidate)?;
        if let Some(cell) = cell {
            next = next.try_add(gate(1)?.try_sigmoid()?.try_mul(cell)?)?;
        }
        let output_gate = gate(3)?.try_sigmoid()?;
        let (_, own_tape) = gates.split_tape();
        let (next, next_tape) = next.split_tape();
        let next = next.put_tape(next_tape.merge(own_tape));
        let output = next.retaped::<T>().try_tanh()?.try_mul(output_gate)?;
        outputs.push(output.retaped::<T>());
        state = Some((output, next));
    }
    if reverse {
        outputs.reverse();
    }
    let (output_tape, cell_tape) = match state {
        None => (tape, T::default()),
        Some((output, cell)) => (output.split_tape().1, cell.split_tape().1),
    };
    let states: Series<D, T> = outputs.try_stack()?;
    let (states, stack_tape) = states.split_tape();
    let states = states.put_tape(stack_tape.merge(output_tape).merge(cell_tape));
    let states = states.try_permute::<(usize, usize, usize), Axes3<1, 0, 2>>()?;
    states.try_contiguous()
}
