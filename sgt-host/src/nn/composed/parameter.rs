//! Where a parameter meets an activation.
//!
//! dfdx's operations always compute the gradient of both operands. In [`Mode::InputGradient`]
//! these functions record an operation of their own instead, which pulls the cotangent back to
//! the activation alone.

use super::tensor::{Matrix, Vector, device_error, expect_shape};
use crate::Result;
use crate::nn::Mode;
use dfdx::prelude::*;

/// `out = x Wᵀ + b`: `x` is `[batch, inputs]`, `weight` `[outputs, inputs]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit, [`crate::Error::Device`] when the device
/// refuses.
pub fn linear<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: &Matrix<D>,
    bias: Option<&Vector<D>>,
    mode: Mode,
) -> Result<Matrix<D, T>> {
    check_linear(&x, weight, bias)?;
    affine(x, weight, bias, mode).map_err(device_error)
}

/// Refuses sizes that don't fit.
pub(crate) fn check_linear<D: Storage<f32>, T>(
    x: &Matrix<D, T>,
    weight: &Matrix<D>,
    bias: Option<&Vector<D>>,
) -> Result<()> {
    let (batch, inputs) = *x.shape();
    let (outputs, expected) = *weight.shape();
    expect_shape("linear", &[batch, inputs], &[batch, expected])?;
    match bias {
        None => Ok(()),
        Some(bias) => expect_shape("linear bias", &[bias.shape().0], &[outputs]),
    }
}

/// [`linear`] of sizes that are checked.
pub(super) fn affine<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: &Matrix<D>,
    bias: Option<&Vector<D>>,
    mode: Mode,
) -> Result<Matrix<D, T>, D::Err> {
    let out = product(x, weight, mode)?;
    match bias {
        None => Ok(out),
        Some(bias) => add(out, bias, mode),
    }
}

/// `x Wᵀ`.
pub(super) fn product<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: &Matrix<D>,
    mode: Mode,
) -> Result<Matrix<D, T>, D::Err> {
    if mode != Mode::InputGradient {
        let weight = weight.retaped::<T>();
        return x.try_matmul(weight.try_permute::<_, Axes2<1, 0>>()?);
    }
    let transposed = weight.clone().try_permute::<_, Axes2<1, 0>>()?;
    let weight = weight.clone();
    input_only(
        x,
        |x| x.try_matmul(transposed),
        move |dout| dout.try_matmul(weight),
    )
}

/// `x + b`, row by row.
pub(super) fn add<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    bias: &Vector<D>,
    mode: Mode,
) -> Result<Matrix<D, T>, D::Err> {
    let shape = *x.shape();
    if mode != Mode::InputGradient {
        return x.try_add(
            bias.retaped::<T>()
                .try_broadcast_like::<_, Axis<0>>(&shape)?,
        );
    }
    let rows = bias.clone().try_broadcast_like::<_, Axis<0>>(&shape)?;
    input_only(x, |x| x.try_add(rows), Ok)
}

/// `x · w`, row by row.
pub(super) fn scale<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: &Vector<D>,
    mode: Mode,
) -> Result<Matrix<D, T>, D::Err> {
    let shape = *x.shape();
    if mode != Mode::InputGradient {
        return x.try_mul(
            weight
                .retaped::<T>()
                .try_broadcast_like::<_, Axis<0>>(&shape)?,
        );
    }
    let rows = weight.clone().try_broadcast_like::<_, Axis<0>>(&shape)?;
    let again = rows.clone();
    input_only(x, |x| x.try_mul(rows), move |dout| dout.try_mul(again))
}

/// Records `forward` with a backward pass to its activation alone.
fn input_only<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    forward: impl FnOnce(Matrix<D>) -> Result<Matrix<D>, D::Err>,
    backward: impl FnOnce(Matrix<D>) -> Result<Matrix<D>, D::Err> + 'static,
) -> Result<Matrix<D, T>, D::Err> {
    let (x, mut tape) = x.split_tape();
    let out = forward(x.clone())?;
    let recorded = out.clone();
    tape.add_backward_op(move |gradients| {
        gradients.try_alloc_for(&recorded)?;
        let dx = backward(gradients.get(&recorded))?;
        accumulate(gradients, &x, dx)
    });
    Ok(out.put_tape(tape))
}

/// Adds `dx` to the gradient of `x`.
///
/// Nothing public writes a tensor into [`Gradients`] on every device, so the sum is made the
/// gradient of `Σ x · sum` and exchanged with the old one.
fn accumulate<D: Device<f32>>(
    gradients: &mut Gradients<f32, D>,
    x: &Matrix<D>,
    dx: Matrix<D>,
) -> Result<(), D::Err> {
    gradients.try_alloc_for(x)?;
    let sum = gradients.get(x).try_add(dx)?;
    let product = x.leaky_trace().try_mul(sum)?;
    let mut replacement = product.try_sum::<Rank0, _>()?.try_backward()?;
    std::mem::swap(
        gradients.get_or_alloc_mut(x)?,
        replacement.get_or_alloc_mut(x)?,
    );
    Ok(())
}
