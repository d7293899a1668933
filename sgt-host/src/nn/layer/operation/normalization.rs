//! Batch normalisation.

use super::tape::{read, record, values, with_weight_gradient};
use crate::Result;
use crate::model::Mode;
use crate::nn::composed::{BatchStatistics, Series, Vector, check_batch_norm};
use crate::nn::kernel::batch_norm::{
    Statistics, batch_norm_backward, batch_norm_evaluation, batch_norm_training,
};
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
    let batch_statistics = if matches!(mode, Mode::Training { .. }) {
        batch_norm_training(
            plane,
            &weight_values,
            &bias_values,
            &x_values,
            &mut out,
            &mut statistics,
        )?;
        Some(BatchStatistics {
            mean: statistics.mean.clone(),
            unbiased_variance: statistics.unbiased_variance.clone(),
        })
    } else {
        batch_norm_evaluation(
            plane,
            &weight_values,
            &bias_values,
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
