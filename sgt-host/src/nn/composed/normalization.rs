//! Batch and layer normalisation.

use super::parameter::{add, scale};
use super::tensor::{Matrix, Series, Vector, device_error, expect_shape};
use crate::nn::Mode;
use crate::nn::kernel::batch_norm::EPSILON;
use crate::{Error, Result};
use dfdx::prelude::*;

/// The statistics of a training batch, one value a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchStatistics {
    /// The mean.
    pub mean: Vec<f32>,
    /// The unbiased variance, for the running statistics.
    pub unbiased_variance: Vec<f32>,
}

/// Batch normalisation of `[batch, channels, plane]`; all parameters are `[channels]`.
///
/// With [`Mode::Training`] the batch's own mean and biased variance are used, the gradient flows
/// through them and they are returned; otherwise the running ones are used.
///
/// # Errors
/// [`Error::Shape`] when the sizes don't fit or a training batch has one value a channel,
/// [`Error::Device`] when the device refuses.
pub fn batch_norm<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    weight: &Vector<D>,
    bias: &Vector<D>,
    running_mean: &Vector<D>,
    running_variance: &Vector<D>,
    mode: Mode,
) -> Result<(Series<D, T>, Option<BatchStatistics>)> {
    check_batch_norm(&x, [weight, bias, running_mean, running_variance], mode)?;
    let (batch, channels, plane) = *x.shape();
    let training = matches!(mode, Mode::Training { .. });
    let run = || {
        let x = x.try_permute::<(usize, usize, usize), Axes3<0, 2, 1>>()?;
        let x: Matrix<D, T> = x.try_reshape_like(&(batch * plane, channels))?;
        let (normalised, statistics) = if training {
            let (normalised, statistics) = normalise_columns(x)?;
            (normalised, Some(statistics))
        } else {
            let deviation = running_variance.clone().try_add(EPSILON)?.try_sqrt()?;
            let mean = running_mean.clone().try_negate()?;
            // Constants, so no gradient of theirs is wanted in any mode.
            let centred = add(x, &mean, Mode::InputGradient)?;
            let inverse = deviation.try_recip()?;
            (scale(centred, &inverse, Mode::InputGradient)?, None)
        };
        let out = add(scale(normalised, weight, mode)?, bias, mode)?;
        let out: Series<D, T> = out.try_reshape_like(&(batch, plane, channels))?;
        let out = out.try_permute::<(usize, usize, usize), Axes3<0, 2, 1>>()?;
        Ok((out.try_contiguous()?, statistics))
    };
    run().map_err(device_error::<D::Err>)
}

/// Refuses sizes that don't fit, and training batches without a variance.
pub(crate) fn check_batch_norm<D: Storage<f32>, T>(
    x: &Series<D, T>,
    parameters: [&Vector<D>; 4],
    mode: Mode,
) -> Result<()> {
    let (batch, channels, plane) = *x.shape();
    for parameter in parameters {
        let expected = [batch, parameter.shape().0, plane];
        expect_shape("batch norm", &[batch, channels, plane], &expected)?;
    }
    if matches!(mode, Mode::Training { .. }) && batch * plane < 2 {
        return Err(Error::Shape {
            operation: "batch norm",
            found: format!("{:?} in training", [batch, channels, plane]),
            expected: "at least two values a channel, to have a variance".into(),
        });
    }
    Ok(())
}

/// Each column with mean 0 and variance 1, and the statistics it had.
fn normalise_columns<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
) -> Result<(Matrix<D, T>, BatchStatistics), D::Err> {
    let shape = *x.shape();
    let count = shape.0 as f32;
    let mean = x.retaped::<T>().try_mean::<(usize,), Axis<0>>()?;
    let mean_values = mean.as_vec();
    let centred = x.try_sub(mean.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
    let squares = centred.retaped::<T>().try_square()?;
    let variance = squares.try_mean::<(usize,), Axis<0>>()?;
    let unbias = |v: &f32| v * count / (count - 1.0);
    let unbiased_variance = variance.as_vec().iter().map(unbias).collect();
    let deviation = variance.try_add(EPSILON)?.try_sqrt()?;
    let normalised = centred.try_div(deviation.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
    let statistics = BatchStatistics {
        mean: mean_values,
        unbiased_variance,
    };
    Ok((normalised, statistics))
}

/// Layer normalisation of each row of `[rows, features]`: mean 0 and variance 1, then
/// `· weight + bias`, both `[features]`.
///
/// # Errors
/// [`Error::Shape`] when the sizes don't fit, [`Error::Device`] when the device refuses.
pub fn layer_norm<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: &Vector<D>,
    bias: &Vector<D>,
    mode: Mode,
) -> Result<Matrix<D, T>> {
    check_layer_norm(&x, [weight, bias])?;
    let run = || {
        let normalised = x.try_normalize::<Axis<1>>(EPSILON)?;
        add(scale(normalised, weight, mode)?, bias, mode)
    };
    run().map_err(device_error::<D::Err>)
}

/// Refuses sizes that don't fit.
pub(crate) fn check_layer_norm<D: Storage<f32>, T>(
    x: &Matrix<D, T>,
    parameters: [&Vector<D>; 2],
) -> Result<()> {
    let (rows, features) = *x.shape();
    for parameter in parameters {
        let expected = [rows, parameter.shape().0];
        expect_shape("layer norm", &[rows, features], &expected)?;
    }
    Ok(())
}
