//! The tensors that layers exchange once their sizes are checked.

use crate::{Error, Result};
use dfdx::prelude::{NoneTape, Tensor};
use std::fmt::Display;

/// `[features]`.
pub type Vector<D> = Tensor<(usize,), f32, D>;

/// `[batch, features]`.
pub type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;

/// `[batch, channels, steps]` or `[batch, steps, channels]`.
pub type Series<D, T = NoneTape> = Tensor<(usize, usize, usize), f32, D, T>;

/// `[batch, channels, height, width]`.
pub type Images<D, T = NoneTape> = Tensor<(usize, usize, usize, usize), f32, D, T>;

/// A device's refusal as this crate's error.
pub(crate) fn device_error<E: Display>(error: E) -> Error {
    Error::Device(error.to_string())
}

/// Refuses axes of different sizes, naming both shapes.
pub(super) fn expect_shape(
    operation: &'static str,
    found: &[usize],
    expected: &[usize],
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        operation,
        found: format!("{found:?}"),
        expected: format!("{expected:?}"),
    })
}
