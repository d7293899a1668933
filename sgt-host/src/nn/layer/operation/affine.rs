//! The fully connected layer and convolution.

use super::tape::{read, record, values, with_weight_gradient};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{Images, Matrix, Vector, check_conv2d, check_linear};
use crate::nn::kernel::conv2d::{Conv2dGeometry, conv2d_backward, conv2d_forward};
use crate::nn::kernel::linear::{linear_backward, linear_forward};
use dfdx::prelude::{Cpu, HasShape, Tape};

/// `out = x Wᵀ + b`: `x` is `[batch, inputs]`, `weight` `[outputs, inputs]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit.
pub fn linear<T: Tape<f32, Cpu>>(
    x: Matrix<Cpu, T>,
    weight: &Matrix<Cpu>,
    bias: Option<&Vector<Cpu>>,
    mode: Mode,
) -> Result<Matrix<Cpu, T>> {
    check_linear(&x, weight, bias)?;
    let (batch, inputs) = *x.shape();
    let outputs = weight.shape().0;
    let (x, x_values, tape) = read(x)?;
    let weight_values = values(weight);
    let mut out = vec![0.0; batch * outputs];
    let bias_values = bias.map(values);
    linear_forward(
        inputs,
        outputs,
        &weight_values,
        bias_values.as_deref(),
        &x_values,
        &mut out,
    )?;
    let (weight, bias) = (weight.clone(), bias.cloned());
    record(
        x,
        tape,
        out,
        (batch, outputs),
        move |gradients, dout, dx| {
            with_weight_gradient(gradients, mode, &weight, bias.as_ref(), |gradient| {
                let (w, x) = (&weight_values, &x_values);
                linear_backward(inputs, outputs, w, x, dout, Some(dx), gradient)
            })
        },
    )
}

/// Convolution of `[batch, in, height, width]` with `weight` `[out, in, kh, kw]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit the geometry.
pub fn conv2d<T: Tape<f32, Cpu>>(
    geometry: &Conv2dGeometry,
    x: Images<Cpu, T>,
    weight: &Images<Cpu>,
    bias: Option<&Vector<Cpu>>,
    mode: Mode,
) -> Result<Images<Cpu, T>> {
    check_conv2d(geometry, &x, weight, bias)?;
    let batch = x.shape().0;
    let [rows, columns] = geometry.output();
    let shape = (batch, geometry.out_channels, rows, columns);
    let (x, x_values, tape) = read(x)?;
    let weight_values = values(weight);
    let bias_values = bias.map(values);
    let mut out = vec![0.0; batch * geometry.output_len()];
    conv2d_forward(
        geometry,
        &weight_values,
        bias_values.as_deref(),
        &x_values,
        &mut out,
    )?;
    let (geometry, weight, bias) = (*geometry, weight.clone(), bias.cloned());
    record(x, tape, out, shape, move |gradients, dout, dx| {
        with_weight_gradient(gradients, mode, &weight, bias.as_ref(), |gradient| {
            let (w, x) = (&weight_values, &x_values);
            conv2d_backward(&geometry, w, x, dout, Some(dx), gradient)
        })
    })
}
