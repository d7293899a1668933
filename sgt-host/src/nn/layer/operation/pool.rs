//! Pooling.

use super::tape::{read, record};
use crate::Result;
use crate::nn::composed::{Images, Matrix, check_pool};
use crate::nn::kernel::pool::{
    PoolGeometry, average_pool_backward, average_pool_forward, global_average_pool_backward,
    global_average_pool_forward, max_pool_backward, max_pool_forward,
};
use dfdx::prelude::{Cpu, HasShape, Tape};

/// The largest value of each window; ties go to the first, a NaN is the largest.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit the geometry.
pub fn max_pool<T: Tape<f32, Cpu>>(
    geometry: &PoolGeometry,
    x: Images<Cpu, T>,
) -> Result<Images<Cpu, T>> {
    check_pool("max pool", geometry, &x)?;
    let batch = x.shape().0;
    let [rows, columns] = geometry.output();
    let (x, values, tape) = read(x)?;
    let mut out = vec![0.0; batch * geometry.output_len()];
    let mut argmax = vec![0; out.len()];
    max_pool_forward(geometry, &values, &mut out, &mut argmax)?;
    let (geometry, shape) = (*geometry, (batch, geometry.channels, rows, columns));
    record(x, tape, out, shape, move |_, dout, dx| {
        max_pool_backward(&geometry, &argmax, dout, dx)
    })
}

/// The mean of each window.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit the geometry.
pub fn average_pool<T: Tape<f32, Cpu>>(
    geometry: &PoolGeometry,
    x: Images<Cpu, T>,
) -> Result<Images<Cpu, T>> {
    check_pool("average pool", geometry, &x)?;
    let batch = x.shape().0;
    let [rows, columns] = geometry.output();
    let (x, values, tape) = read(x)?;
    let mut out = vec![0.0; batch * geometry.output_len()];
    average_pool_forward(geometry, &values, &mut out)?;
    let (geometry, shape) = (*geometry, (batch, geometry.channels, rows, columns));
    record(x, tape, out, shape, move |_, dout, dx| {
        average_pool_backward(&geometry, dout, dx)
    })
}

/// The mean of each channel: `[batch, channels, height, width]` to `[batch, channels]`.
///
/// # Errors
/// [`crate::Error::Shape`] when a size is 0.
pub fn global_average_pool<T: Tape<f32, Cpu>>(x: Images<Cpu, T>) -> Result<Matrix<Cpu, T>> {
    let (batch, channels, height, width) = *x.shape();
    let (x, values, tape) = read(x)?;
    let mut out = vec![0.0; batch * channels];
    global_average_pool_forward(height * width, &values, &mut out)?;
    record(x, tape, out, (batch, channels), move |_, dout, dx| {
        global_average_pool_backward(height * width, dout, dx)
    })
}
