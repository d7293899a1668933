//! Batch and layer normalisation.

use super::tape::{read, record, values, with_weight_gradient};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{
    BatchStatistics, Matrix, Series, Vector, check_batch_norm, check_layer_norm,
};
use crate::nn::kernel::batch_norm::{
    BatchNormParameters, Statistics, batch_norm_backward, batch_norm_evaluation,
    batch_norm_training,
};
use crate::nn::kernel::conv2d::WeightGradient;
use crate::nn::kernel::layer_norm::InputGradient;
use crate::nn::kernel::layer_norm::{self as layer_norm_kernel, LayerNormCache};
use dfdx::prelude::{Cpu, HasShape, Tape};

/// Batch normalisation of `[batch, channels, plane]`; all parameters are `[channels]`.
///
/// With [`Mode::Training`] the batch's own mean and biased variance are used, the gradient flows
/// through them and they are returned; otherwise the running ones are used.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit or a training batch has one value a channel.
pub fn batch_norm<T: Tape<f32, Cpu>>(
    x: Series<Cpu, T>,
    weight: &Vector<Cpu>,
    bias: &Vector<Cpu>,
    running_mean: &Vector<Cpu>,
    running_variance: &Vector<Cpu>,
    mode: Mode,
) -> Result<(Series<Cpu, T>, Option<BatchStatistics>)> {
    let parameters = [weight, bias, running_mean, running_variance];
    check_batch_norm(&x, parameters, mode)?;
    let shape = *x.shape();
    let plane = shape.2;
    let (x, x_values, tape) = read(x)?;
    let [weight_values, bias_values, mean, variance] = parameters.map(values);
    let mut out = vec![0.0; x_values.len()];
    let mut statistics = Statistics::default();
    let affine = BatchNormParameters {
        weight: &weight_values,
        bias: &bias_values,
    };
    let batch_statistics = if matches!(mode, Mode::Training { .. }) {
        batch_norm_training(plane, affine, &x_values, &mut out, &mut statistics)?;
        Some(BatchStatistics {
            mean: statistics.mean.clone(),
            unbiased_variance: statistics.unbiased_variance.clone(),
        })
    } else {
        batch_norm_evaluation(
            plane,
            affine,
            &mean,
            &variance,
            &x_values,
            &mut out,
            &mut statistics,
        )?;
        None
    };
    let (weight, bias) = (weight.clone(), bias.clone());
    let out = record(x, tape, out, shape, move |gradients, dout, dx| {
        with_weight_gradient(gradients, mode, &weight, Some(&bias), |gradient| {
            let (w, x) = (&weight_values, &x_values);
            batch_norm_backward(plane, w, &statistics, x, dout, Some(dx), gradient)
        })
    })?;
    Ok((out, batch_statistics))
}

/// Layer normalisation of each row of `[rows, features]`: mean 0 and variance 1, then
/// `· weight + bias`, both `[features]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit.
pub fn layer_norm<T: Tape<f32, Cpu>>(
    x: Matrix<Cpu, T>,
    weight: &Vector<Cpu>,
    bias: &Vector<Cpu>,
    mode: Mode,
) -> Result<Matrix<Cpu, T>> {
    check_layer_norm(&x, [weight, bias])?;
    let shape = *x.shape();
    let (x, x_values, tape) = read(x)?;
    let (weight_values, bias_values) = (values(weight), values(bias));
    let mut out = vec![0.0; x_values.len()];
    let mut cache = LayerNormCache::default();
    layer_norm_kernel::forward(
        &weight_values,
        &bias_values,
        layer_norm_kernel::EPSILON,
        &x_values,
        &mut out,
        &mut cache,
    )?;
    drop(x_values);
    let (weight, bias) = (weight.clone(), bias.clone());
    record(x, tape, out, shape, move |gradients, dout, dx| {
        let dx = InputGradient::Overwrite(dx);
        with_weight_gradient(gradients, mode, &weight, Some(&bias), |gradient| {
            let gradient = gradient.and_then(|gradient| {
                let WeightGradient { weight, bias } = gradient;
                bias.map(|bias| (weight, bias))
            });
            layer_norm_kernel::backward(&weight_values, &mut cache, dout, dx, gradient)
        })
    })
}
