//! Embedding, dropout and ReLU.

use super::tensor::{Matrix, device_error, expect_shape};
use crate::nn::Mode;
use crate::nn::kernel::dropout::{self as kernel, DropoutKey};
use crate::{Error, Result};
use dfdx::prelude::*;

/// The row of each token: `table` is `[vocabulary, dim]`, the result `[tokens, dim]`.
///
/// # Errors
/// [`Error::Argument`] on a token outside the table, [`Error::Device`] when the device refuses.
pub fn embedding<D: Device<f32>, T: Tape<f32, D>>(
    table: &Matrix<D>,
    tokens: &[usize],
    mode: Mode,
) -> Result<Matrix<D, T>> {
    let vocabulary = table.shape().0;
    if let Some(token) = tokens.iter().find(|&&token| token >= vocabulary) {
        return Err(Error::Argument {
            argument: "token".into(),
            found: token.to_string(),
            expected: format!("a row below {vocabulary}"),
        });
    }
    let run = || {
        let index = table.device();
        let index = index.try_tensor_from_vec(tokens.to_vec(), (tokens.len(),))?;
        if mode == Mode::InputGradient {
            let rows: Matrix<D> = table.clone().try_gather(index)?;
            return Ok(rows.put_tape(T::default()));
        }
        table.retaped::<T>().try_gather(index)
    };
    run().map_err(device_error::<D::Err>)
}

/// Inverted dropout: the mask is a function of `key` and the position alone.
///
/// # Errors
/// [`Error::Device`] when the device refuses.
pub fn dropout<S: Shape, D: Device<f32>, T: Tape<f32, D>>(
    key: DropoutKey,
    probability: f32,
    x: Tensor<S, f32, D, T>,
) -> Result<Tensor<S, f32, D, T>> {
    let shape = *x.shape();
    let ones = vec![1.0; shape.num_elements()];
    let mut mask = vec![0.0; ones.len()];
    kernel::dropout(key, probability, &ones, &mut mask)?;
    expect_shape("dropout", &[mask.len()], &[shape.num_elements()])?;
    let mask = x.device().try_tensor_from_vec(mask, shape);
    x.try_mul(mask.map_err(device_error)?).map_err(device_error)
}

/// `max(x, 0)`.
///
/// # Errors
/// [`Error::Device`] when the device refuses.
pub fn relu<S: Shape, D: Device<f32>, T: Tape<f32, D>>(
    x: Tensor<S, f32, D, T>,
) -> Result<Tensor<S, f32, D, T>> {
    x.try_relu().map_err(device_error)
}
