//! Convolution and pooling: windows are gathered with a constant index.

use super::parameter::affine;
use super::tensor::{Images, Matrix, Series, Vector, device_error, expect_shape};
use crate::Result;
use crate::nn::Mode;
use crate::nn::kernel::conv2d::Conv2dGeometry;
use crate::nn::kernel::pool::PoolGeometry;
use dfdx::prelude::*;

/// Convolution of `[batch, in, height, width]` with `weight` `[out, in, kh, kw]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit the geometry, [`crate::Error::Device`] when
/// the device refuses.
pub fn conv2d<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &Conv2dGeometry,
    x: Images<D, T>,
    weight: &Images<D>,
    bias: Option<&Vector<D>>,
    mode: Mode,
) -> Result<Images<D, T>> {
    check_conv2d(geometry, &x, weight, bias)?;
    convolve(geometry, x, weight, bias, mode).map_err(device_error)
}

/// Refuses sizes that don't fit the geometry.
pub(crate) fn check_conv2d<D: Storage<f32>, T>(
    geometry: &Conv2dGeometry,
    x: &Images<D, T>,
    weight: &Images<D>,
    bias: Option<&Vector<D>>,
) -> Result<()> {
    geometry.check()?;
    let (batch, channels, height, width) = *x.shape();
    let [expected_height, expected_width] = geometry.input;
    expect_shape(
        "conv2d",
        &[batch, channels, height, width],
        &[batch, geometry.in_channels, expected_height, expected_width],
    )?;
    expect_shape(
        "conv2d weight",
        &weight.shape().concrete(),
        &[
            geometry.out_channels,
            channels,
            geometry.kernel[0],
            geometry.kernel[1],
        ],
    )?;
    if let Some(bias) = bias {
        expect_shape("conv2d bias", &[bias.shape().0], &[geometry.out_channels])?;
    }
    Ok(())
}

fn convolve<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &Conv2dGeometry,
    x: Images<D, T>,
    weight: &Images<D>,
    bias: Option<&Vector<D>>,
    mode: Mode,
) -> Result<Images<D, T>, D::Err> {
    let batch = x.shape().0;
    let device = x.device().clone();
    let mut values = geometry.input_len();
    let mut x: Matrix<D, T> = x.try_reshape_like(&(batch, values))?;
    let padding = [geometry.padding_before, geometry.padding_after];
    if padding.iter().flatten().any(|&zeros| zeros > 0) {
        // Taps outside the input read one more column, of zeros.
        let zeros = device.try_zeros_like(&(batch, 1_usize))?;
        x = (x, zeros).try_concat_along(Axis::<1>)?;
        values += 1;
    }
    let index = patch_index(geometry);
    let taps = geometry.in_channels * geometry.kernel[0] * geometry.kernel[1];
    let [rows, columns] = geometry.output();
    let places = rows * columns;
    debug_assert!(index.iter().all(|&place| place < values));
    let index = device.try_tensor_from_vec(index, (taps * places,))?;
    let x = x.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    let patches: Matrix<D, T> = x.try_gather(index)?;
    let patches: Matrix<D, T> = patches.try_reshape_like(&(taps, places * batch))?;
    let patches = patches.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    let weight = weight.clone();
    let weight: Matrix<D> = weight.try_reshape_like(&(geometry.out_channels, taps))?;
    let out = affine(patches, &weight, bias, mode)?;
    let out: Series<D, T> = out.try_reshape_like(&(places, batch, geometry.out_channels))?;
    let out = out.try_permute::<(usize, usize, usize), Axes3<1, 2, 0>>()?;
    out.try_reshape_like(&(batch, geometry.out_channels, rows, columns))
}

/// For every tap and output place, the place in a sample that it reads; one past the sample's
/// end where that lies outside.
fn patch_index(geometry: &Conv2dGeometry) -> Vec<usize> {
    let [height, width] = geometry.input;
    let [rows, columns] = geometry.output();
    let mut index = Vec::new();
    for channel in 0..geometry.in_channels {
        for u in 0..geometry.kernel[0] {
            for v in 0..geometry.kernel[1] {
                for i in 0..rows {
                    for j in 0..columns {
                        let y = (i * geometry.stride[0] + u * geometry.dilation[0])
                            .checked_sub(geometry.padding_before[0]);
                        let t = (j * geometry.stride[1] + v * geometry.dilation[1])
                            .checked_sub(geometry.padding_before[1]);
                        index.push(match (y, t) {
                            (Some(y), Some(t)) if y < height && t < width => {
                                (channel * height + y) * width + t
                            }
                            _ => geometry.input_len(),
                        });
                    }
                }
            }
        }
    }
    index
}

/// The largest value of each window; ties go to the first, a NaN is the largest.
///
/// # Errors
/// As [`conv2d`].
pub fn max_pool<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &PoolGeometry,
    x: Images<D, T>,
) -> Result<Images<D, T>> {
    check_pool("max pool", geometry, &x)?;
    largest(geometry, x).map_err(device_error)
}

/// The mean of each window.
///
/// # Errors
/// As [`conv2d`].
pub fn average_pool<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &PoolGeometry,
    x: Images<D, T>,
) -> Result<Images<D, T>> {
    check_pool("average pool", geometry, &x)?;
    average(geometry, x).map_err(device_error)
}

/// The mean of each channel: `[batch, channels, height, width]` to `[batch, channels]`.
///
/// # Errors
/// [`crate::Error::Device`] when the device refuses.
pub fn global_average_pool<D: Device<f32>, T: Tape<f32, D>>(
    x: Images<D, T>,
) -> Result<Matrix<D, T>> {
    x.try_mean::<_, Axes2<2, 3>>().map_err(device_error)
}

/// Refuses sizes that don't fit the geometry.
pub(crate) fn check_pool<D: Storage<f32>, T>(
    operation: &'static str,
    geometry: &PoolGeometry,
    x: &Images<D, T>,
) -> Result<()> {
    geometry.check()?;
    let [height, width] = geometry.input;
    let expected = [x.shape().0, geometry.channels, height, width];
    expect_shape(operation, &x.shape().concrete(), &expected)
}

fn largest<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &PoolGeometry,
    x: Images<D, T>,
) -> Result<Images<D, T>, D::Err> {
    let (x, out_shape) = planes_last(geometry, x)?;
    let (x, tape) = x.split_tape();
    let tap = |x: Matrix<D, T>, tap: usize| -> Result<Matrix<D, T>, D::Err> {
        let index = tap_index(geometry, tap);
        let places = index.len();
        let index = x.device().try_tensor_from_vec(index, (places,))?;
        x.try_gather(index)
    };
    let mut best = tap(x.clone().put_tape(tape), 0)?;
    for index in 1..geometry.window[0] * geometry.window[1] {
        let value = tap(x.retaped::<T>(), index)?;
        // Not `value > best`: a NaN must win over a number, and stay.
        let beaten = !best.try_ge(&value)? & best.try_eq(&best)?;
        best = beaten.try_choose(value, best)?;
    }
    planes_first(best, out_shape)
}

fn average<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &PoolGeometry,
    x: Images<D, T>,
) -> Result<Images<D, T>, D::Err> {
    let (x, out_shape) = planes_last(geometry, x)?;
    let area = geometry.window[0] * geometry.window[1];
    let index: Vec<usize> = (0..area).flat_map(|tap| tap_index(geometry, tap)).collect();
    let places = index.len();
    let index = x.device().try_tensor_from_vec(index, (places,))?;
    let planes = x.shape().1;
    let taps: Matrix<D, T> = x.try_gather(index)?;
    let taps: Series<D, T> = taps.try_reshape_like(&(area, places / area, planes))?;
    planes_first(taps.try_mean::<_, Axis<0>>()?, out_shape)
}

type Shape4 = (usize, usize, usize, usize);

/// `[height · width, batch · channels]`, and the shape of the pooled images.
fn planes_last<D: Device<f32>, T: Tape<f32, D>>(
    geometry: &PoolGeometry,
    x: Images<D, T>,
) -> Result<(Matrix<D, T>, Shape4), D::Err> {
    let (batch, channels, height, width) = *x.shape();
    let [rows, columns] = geometry.output();
    let x: Matrix<D, T> = x.try_reshape_like(&(batch * channels, height * width))?;
    let x = x.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    Ok((x, (batch, channels, rows, columns)))
}

/// The way back from `[height · width, batch · channels]`.
fn planes_first<D: Device<f32>, T: Tape<f32, D>>(
    out: Matrix<D, T>,
    shape: Shape4,
) -> Result<Images<D, T>, D::Err> {
    let out = out.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    out.try_reshape_like(&shape)
}

/// For every window, the place in a plane of its value number `tap`.
fn tap_index(geometry: &PoolGeometry, tap: usize) -> Vec<usize> {
    let [rows, columns] = geometry.output();
    let (u, v) = (tap / geometry.window[1], tap % geometry.window[1]);
    let places = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
    let place =
        |(i, j)| (i * geometry.stride[0] + u) * geometry.input[1] + j * geometry.stride[1] + v;
    places.map(place).collect()
}
