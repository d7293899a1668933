//! Pooling.

use super::extent::{PaddingKind, WindowAxis, at_run_time, realize};
use super::{Backend, Extent};
use crate::Result;
use crate::nn::composed::device_error;
use crate::nn::kernel::pool::PoolGeometry;
use dfdx::prelude::*;

/// The largest value of each square window of side `K`, windows `S` apart; input that fills no
/// whole window is left out. Ties go to the first value, a NaN is the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPool2d<K: Dim, S: Dim = K> {
    /// Side of a window.
    pub window: K,
    /// Step between windows.
    pub stride: S,
}

/// The mean of each square window of side `K`, windows `S` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AveragePool2d<K: Dim, S: Dim = K> {
    /// Side of a window.
    pub window: K,
    /// Step between windows.
    pub stride: S,
}

/// The largest value of each window of `K` steps, windows `S` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPool1d<K: Dim, S: Dim = K> {
    /// Steps of a window.
    pub window: K,
    /// Step between windows.
    pub stride: S,
}

/// The sizes of one axis that types know.
const fn axis<IN: Extent, K: Extent, S: Extent, OUT: Extent>(what: &'static str) -> WindowAxis {
    WindowAxis {
        what,
        input: IN::STATIC,
        kernel: K::STATIC,
        stride: S::STATIC,
        padding: Some(PaddingKind::Symmetric(0)),
        dilation: Some(1),
        output: OUT::STATIC,
    }
}

/// The geometry of square windows over `x`.
fn square<B: Dim, C: Dim, H: Dim, W: Dim>(
    (_, channels, height, width): (B, C, H, W),
    window: usize,
    stride: usize,
) -> PoolGeometry {
    PoolGeometry {
        channels: channels.size(),
        input: [height.size(), width.size()],
        window: [window, window],
        stride: [stride, stride],
    }
}

impl<K: Extent, S: Extent> MaxPool2d<K, S> {
    /// `[batch, channels, height, width]` to `[batch, channels, height', width']` with
    /// `height' = (height − K) / S + 1`; `Const` sizes are checked when the program is built.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming both shapes when a `usize` size doesn't fit,
    /// [`crate::Error::Device`] when the device refuses.
    pub fn forward<B, C, H, W, OH, OW, D, T>(
        &self,
        x: Tensor<(B, C, H, W), f32, D, T>,
    ) -> Result<Tensor<(B, C, OH, OW), f32, D, T>>
    where
        B: Extent,
        C: Extent,
        H: Extent,
        W: Extent,
        OH: Extent,
        OW: Extent,
        D: Backend,
        T: Tape<f32, D>,
    {
        const { axis::<H, K, S, OH>("MaxPool2d: height").assert() };
        const { axis::<W, K, S, OW>("MaxPool2d: width").assert() };
        let geometry = square(*x.shape(), self.window.size(), self.stride.size());
        let out = D::max_pool(&geometry, at_run_time("pooling", x)?)?;
        let expected = [B::STATIC, C::STATIC, OH::STATIC, OW::STATIC];
        realize("MaxPool2d", out, &expected)
    }
}

impl<K: Extent, S: Extent> AveragePool2d<K, S> {
    /// As [`MaxPool2d::forward`].
    ///
    /// # Errors
    /// As [`MaxPool2d::forward`].
    pub fn forward<B, C, H, W, OH, OW, D, T>(
        &self,
        x: Tensor<(B, C, H, W), f32, D, T>,
    ) -> Result<Tensor<(B, C, OH, OW), f32, D, T>>
    where
        B: Extent,
        C: Extent,
        H: Extent,
        W: Extent,
        OH: Extent,
        OW: Extent,
        D: Backend,
        T: Tape<f32, D>,
    {
        const { axis::<H, K, S, OH>("AveragePool2d: height").assert() };
        const { axis::<W, K, S, OW>("AveragePool2d: width").assert() };
        let geometry = square(*x.shape(), self.window.size(), self.stride.size());
        let out = D::average_pool(&geometry, at_run_time("pooling", x)?)?;
        let expected = [B::STATIC, C::STATIC, OH::STATIC, OW::STATIC];
        realize("AveragePool2d", out, &expected)
    }
}

impl<K: Extent, S: Extent> MaxPool1d<K, S> {
    /// `[batch, channels, steps]` to `[batch, channels, steps']`, as [`MaxPool2d::forward`].
    ///
    /// # Errors
    /// As [`MaxPool2d::forward`].
    pub fn forward<B, C, N, ON, D, T>(
        &self,
        x: Tensor<(B, C, N), f32, D, T>,
    ) -> Result<Tensor<(B, C, ON), f32, D, T>>
    where
        B: Extent,
        C: Extent,
        N: Extent,
        ON: Extent,
        D: Backend,
        T: Tape<f32, D>,
    {
        const { axis::<N, K, S, ON>("MaxPool1d: steps").assert() };
        let (batch, channels, steps) = *x.shape();
        let (batch, channels, steps) = (batch.size(), channels.size(), steps.size());
        let geometry = PoolGeometry {
            channels,
            input: [1, steps],
            window: [1, self.window.size()],
            stride: [1, self.stride.size()],
        };
        let images = x.try_reshape_like(&(batch, channels, 1, steps));
        let out = D::max_pool(&geometry, images.map_err(device_error)?)?;
        let out = out.try_reshape_like(&(batch, channels, geometry.output()[1]));
        let out: Tensor<(usize, usize, usize), f32, D, T> = out.map_err(device_error)?;
        realize("MaxPool1d", out, &[B::STATIC, C::STATIC, ON::STATIC])
    }
}

/// The mean of each channel: `[batch, channels, height, width]` to `[batch, channels]`.
///
/// # Errors
/// [`crate::Error::Shape`] when a size is 0, [`crate::Error::Device`] when the device refuses.
pub fn global_average_pool<B, C, H, W, D, T>(
    x: Tensor<(B, C, H, W), f32, D, T>,
) -> Result<Tensor<(B, C), f32, D, T>>
where
    B: Extent,
    C: Extent,
    H: Extent,
    W: Extent,
    D: Backend,
    T: Tape<f32, D>,
{
    let out = D::global_average_pool(at_run_time("pooling", x)?)?;
    realize("global average pool", out, &[B::STATIC, C::STATIC])
}
