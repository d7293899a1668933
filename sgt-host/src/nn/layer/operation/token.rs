//! Embedding, dropout and ReLU.

use super::tape::{put, read, record, take, values};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{Matrix, device_error};
use crate::nn::kernel::activation::{relu_backward, relu_forward};
use crate::nn::kernel::dropout::{self as kernel, DropoutKey};
use crate::nn::kernel::embedding::{embedding_backward, embedding_forward};
use dfdx::prelude::{Cpu, CpuError, HasShape, PutTape, Shape, Tape, Tensor, TensorFromVec};

/// The row of each token: `table` is `[vocabulary, dim]`, the result `[tokens, dim]`.
///
/// # Errors
/// [`crate::Error::Argument`] on a token outside the table.
pub fn embedding<T: Tape<f32, Cpu>>(
    table: &Matrix<Cpu>,
    tokens: &[usize],
    mode: Mode,
) -> Result<Matrix<Cpu, T>> {
    let dim = table.shape().1;
    let mut out = vec![0.0; tokens.len() * dim];
    embedding_forward(dim, &values(table), tokens, &mut out)?;
    let out = table.device().try_tensor_from_vec(out, (tokens.len(), dim));
    let out = out.map_err(device_error)?;
    let mut tape = T::default();
    if mode != Mode::InputGradient {
        let (table, recorded, tokens) = (table.clone(), out.clone(), tokens.to_vec());
        tape.add_backward_op(move |gradients| {
            let dout = take(gradients, &recorded)?;
            let sums = gradients.get_or_alloc_mut(&table)?;
            embedding_backward(dim, &tokens, &dout, sums)
                .map_err(|_| CpuError::WrongNumElements)?;
            put(gradients, &recorded, dout)
        });
    }
    Ok(out.put_tape(tape))
}

/// Inverted dropout: the mask is a function of `key` and the position alone.
///
/// # Errors
/// None with a `probability` in `[0, 1)`.
pub fn dropout<S: Shape, T: Tape<f32, Cpu>>(
    key: DropoutKey,
    probability: f32,
    x: Tensor<S, f32, Cpu, T>,
) -> Result<Tensor<S, f32, Cpu, T>> {
    let shape = *x.shape();
    let (x, values, tape) = read(x)?;
    let mut out = vec![0.0; values.len()];
    kernel::dropout(key, probability, &values, &mut out)?;
    record(x, tape, out, shape, move |_, dout, dx| {
        kernel::dropout(key, probability, dout, dx)
    })
}

/// `max(x, 0)`.
///
/// # Errors
/// None.
pub fn relu<S: Shape, T: Tape<f32, Cpu>>(
    x: Tensor<S, f32, Cpu, T>,
) -> Result<Tensor<S, f32, Cpu, T>> {
    let shape = *x.shape();
    let (x, values, tape) = read(x)?;
    let mut out = vec![0.0; values.len()];
    relu_forward(&values, &mut out)?;
    record(x, tape, out, shape, move |_, dout, dx| {
        relu_backward(&values, dout, dx)
    })
}
