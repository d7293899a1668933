//! Convolution of images and series.

use super::extent::{WindowAxis, at_run_time, realize};
use super::named::{fan_in_bound, fill_uniform, layer_tensors};
use super::{Backend, Extent, Padding};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{Images, Vector, device_error};
use crate::nn::kernel::conv2d::Conv2dGeometry;
use dfdx::prelude::*;

/// Convolution of `[batch, I, height, width]` with a square kernel of side `K`, stride `S`,
/// padding `P` on every side and dilation `L`, to `[batch, O, height', width']` with
/// `height' = (height + 2P − L(K − 1) − 1) / S + 1`.
#[derive(Clone, Debug)]
pub struct Conv2d<
    I: Dim,
    O: Dim,
    K: Dim,
    S: Dim = Const<1>,
    P: Dim = Const<0>,
    L: Dim = Const<1>,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `weight`, `[O, I, K, K]`.
    pub weight: Tensor<(O, I, K, K), E, D>,
    /// `bias`, `[O]`.
    pub bias: Tensor<(O,), E, D>,
    /// Step between outputs.
    pub stride: S,
    /// Zeros on every side.
    pub padding: P,
    /// Step between taps.
    pub dilation: L,
}

/// [`Conv2d`] without a bias: in front of batch normalisation.
#[derive(Clone, Debug)]
pub struct UnbiasedConv2d<
    I: Dim,
    O: Dim,
    K: Dim,
    S: Dim = Const<1>,
    P: Dim = Const<0>,
    L: Dim = Const<1>,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `weight`, `[O, I, K, K]`.
    pub weight: Tensor<(O, I, K, K), E, D>,
    /// Step between outputs.
    pub stride: S,
    /// Zeros on every side.
    pub padding: P,
    /// Step between taps.
    pub dilation: L,
}

/// Convolution of `[batch, I, steps]` with a kernel of `K` steps, stride `S`, padding `P`
/// ([`Causal`](super::Causal), or as many zeros in front as behind) and dilation `L`, to
/// `[batch, O, steps']`.
#[derive(Clone, Debug)]
pub struct Conv1d<
    I: Dim,
    O: Dim,
    K: Dim,
    S: Dim = Const<1>,
    P: Padding = Const<0>,
    L: Dim = Const<1>,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `weight`, `[O, I, K]`.
    pub weight: Tensor<(O, I, K), E, D>,
    /// `bias`, `[O]`.
    pub bias: Tensor<(O,), E, D>,
    /// Step between outputs.
    pub stride: S,
    /// Zeros around the series.
    pub padding: P,
    /// Step between taps.
    pub dilation: L,
}

layer_tensors! {
    Conv2d [I: Dim, O: Dim, K: Dim, S: Dim, P: Dim, L: Dim]
    const [I: ConstDim, O: ConstDim, K: ConstDim, S: ConstDim, P: ConstDim, L: ConstDim]
    tensors {
        trained weight: |t| { fill_uniform(t, fan_in_bound(I::SIZE * K::SIZE * K::SIZE)); Ok(()) };
        trained bias: |t| { fill_uniform(t, fan_in_bound(I::SIZE * K::SIZE * K::SIZE)); Ok(()) };
    }
    copied { stride, padding, dilation }
}

layer_tensors! {
    UnbiasedConv2d [I: Dim, O: Dim, K: Dim, S: Dim, P: Dim, L: Dim]
    const [I: ConstDim, O: ConstDim, K: ConstDim, S: ConstDim, P: ConstDim, L: ConstDim]
    tensors {
        trained weight: |t| { fill_uniform(t, fan_in_bound(I::SIZE * K::SIZE * K::SIZE)); Ok(()) };
    }
    copied { stride, padding, dilation }
}

layer_tensors! {
    Conv1d [I: Dim, O: Dim, K: Dim, S: Dim, P: Padding, L: Dim]
    const [I: ConstDim, O: ConstDim, K: ConstDim, S: ConstDim, P: Padding + Default, L: ConstDim]
    tensors {
        trained weight: |t| { fill_uniform(t, fan_in_bound(I::SIZE * K::SIZE)); Ok(()) };
        trained bias: |t| { fill_uniform(t, fan_in_bound(I::SIZE * K::SIZE)); Ok(()) };
    }
    copied { stride, padding, dilation }
}

impl<I, O, K, S, P, L, D> Conv2d<I, O, K, S, P, L, f32, D>
where
    I: Extent,
    O: Extent,
    K: Extent,
    S: Extent,
    P: Extent + Padding,
    L: Extent,
    D: Backend,
{
    /// A layer with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(
        device: &D,
        (inputs, outputs, kernel): (I, O, K),
        stride: S,
        padding: P,
        dilation: L,
    ) -> Result<Self> {
        let UnbiasedConv2d { weight, .. } =
            UnbiasedConv2d::new(device, (inputs, outputs, kernel), stride, padding, dilation)?;
        let mut bias = device.try_zeros_like(&(outputs,)).map_err(device_error)?;
        let fan_in = inputs.size() * kernel.size() * kernel.size();
        fill_uniform(&mut bias, fan_in_bound(fan_in));
        Ok(Self {
            weight,
            bias,
            stride,
            padding,
            dilation,
        })
    }

    /// The layer's output. Its height and width are part of the result's type: `Const` sizes
    /// are checked when the program is built.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming both shapes when a `usize` size doesn't fit,
    /// [`crate::Error::Device`] when the device refuses.
    pub fn forward<B, H, W, OH, OW, T>(
        &self,
        x: Tensor<(B, I, H, W), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, O, OH, OW), f32, D, T>>
    where
        B: Extent,
        H: Extent,
        W: Extent,
        OH: Extent,
        OW: Extent,
        T: Tape<f32, D>,
    {
        const { axis::<H, K, S, P, L, OH>("Conv2d: height").assert() };
        const { axis::<W, K, S, P, L, OW>("Conv2d: width").assert() };
        let sizes = [
            self.stride.size(),
            self.padding.size(),
            self.dilation.size(),
        ];
        let bias = self.bias.clone().realize();
        let weight = self.weight.clone().realize();
        let out = convolve(sizes, at_run_time("Conv2d", x)?, &weight, Some(&bias), mode)?;
        let expected = [B::STATIC, O::STATIC, OH::STATIC, OW::STATIC];
        realize("Conv2d", out, &expected)
    }
}

impl<I, O, K, S, P, L, D> UnbiasedConv2d<I, O, K, S, P, L, f32, D>
where
    I: Extent,
    O: Extent,
    K: Extent,
    S: Extent,
    P: Extent + Padding,
    L: Extent,
    D: Backend,
{
    /// As [`Conv2d::new`].
    ///
    /// # Errors
    /// As [`Conv2d::new`].
    pub fn new(
        device: &D,
        (inputs, outputs, kernel): (I, O, K),
        stride: S,
        padding: P,
        dilation: L,
    ) -> Result<Self> {
        let weight = device.try_zeros_like(&(outputs, inputs, kernel, kernel));
        let mut weight = weight.map_err(device_error)?;
        let fan_in = inputs.size() * kernel.size() * kernel.size();
        fill_uniform(&mut weight, fan_in_bound(fan_in));
        Ok(Self {
            weight,
            stride,
            padding,
            dilation,
        })
    }

    /// As [`Conv2d::forward`].
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn forward<B, H, W, OH, OW, T>(
        &self,
        x: Tensor<(B, I, H, W), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, O, OH, OW), f32, D, T>>
    where
        B: Extent,
        H: Extent,
        W: Extent,
        OH: Extent,
        OW: Extent,
        T: Tape<f32, D>,
    {
        const { axis::<H, K, S, P, L, OH>("UnbiasedConv2d: height").assert() };
        const { axis::<W, K, S, P, L, OW>("UnbiasedConv2d: width").assert() };
        let sizes = [
            self.stride.size(),
            self.padding.size(),
            self.dilation.size(),
        ];
        let weight = self.weight.clone().realize();
        let out = convolve(sizes, at_run_time("Conv2d", x)?, &weight, None, mode)?;
        let expected = [B::STATIC, O::STATIC, OH::STATIC, OW::STATIC];
        realize("UnbiasedConv2d", out, &expected)
    }
}

/// The sizes of one axis that types know.
const fn axis<IN: Extent, K: Extent, S: Extent, P: Padding, L: Extent, OUT: Extent>(
    what: &'static str,
) -> WindowAxis {
    WindowAxis {
        what,
        input: IN::STATIC,
        kernel: K::STATIC,
        stride: S::STATIC,
        padding: <P as Padding>::STATIC,
        dilation: L::STATIC,
        output: OUT::STATIC,
    }
}

/// Convolves images with a square kernel.
fn convolve<D: Backend, T: Tape<f32, D>>(
    [stride, padding, dilation]: [usize; 3],
    x: Images<D, T>,
    weight: &Images<D>,
    bias: Option<&Vector<D>>,
    mode: Mode,
) -> Result<Images<D, T>> {
    let (outputs, inputs, rows, columns) = *weight.shape();
    let geometry = Conv2dGeometry {
        in_channels: inputs,
        out_channels: outputs,
        input: [x.shape().2, x.shape().3],
        kernel: [rows, columns],
        stride: [stride, stride],
        padding_before: [padding, padding],
        padding_after: [padding, padding],
        dilation: [dilation, dilation],
    };
    D::conv2d(&geometry, x, weight, bias, mode)
}

impl<I, O, K, S, P, L, D> Conv1d<I, O, K, S, P, L, f32, D>
where
    I: Extent,
    O: Extent,
    K: Extent,
    S: Extent,
    P: Padding,
    L: Extent,
    D: Backend,
{
    /// A layer with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(
        device: &D,
        (inputs, outputs, kernel): (I, O, K),
        stride: S,
        padding: P,
        dilation: L,
    ) -> Result<Self> {
        let weight = device.try_zeros_like(&(outputs, inputs, kernel));
        let mut weight = weight.map_err(device_error)?;
        let mut bias = device.try_zeros_like(&(outputs,)).map_err(device_error)?;
        let bound = fan_in_bound(inputs.size() * kernel.size());
        fill_uniform(&mut weight, bound);
        fill_uniform(&mut bias, bound);
        Ok(Self {
            weight,
            bias,
            stride,
            padding,
            dilation,
        })
    }

    /// The layer's output; its number of steps is part of the result's type.
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn forward<B, N, ON, T>(
        &self,
        x: Tensor<(B, I, N), f32, D, T>,
        mode: Mode,
    ) -> Result<Tensor<(B, O, ON), f32, D, T>>
    where
        B: Extent,
        N: Extent,
        ON: Extent,
        T: Tape<f32, D>,
    {
        const { axis::<N, K, S, P, L, ON>("Conv1d: steps").assert() };
        let (batch, inputs, steps) = *x.shape();
        let (batch, inputs, steps) = (batch.size(), inputs.size(), steps.size());
        let (outputs, expected_inputs, kernel) = *self.weight.shape();
        let (outputs, kernel) = (outputs.size(), kernel.size());
        let dilation = self.dilation.size();
        let [before, after] = self.padding.kind().amounts(kernel, dilation);
        let geometry = Conv2dGeometry {
            in_channels: expected_inputs.size(),
            out_channels: outputs,
            input: [1, steps],
            kernel: [1, kernel],
            stride: [1, self.stride.size()],
            padding_before: [0, before],
            padding_after: [0, after],
            dilation: [1, dilation],
        };
        let images = x.try_reshape_like(&(batch, inputs, 1, steps));
        let weight = self.weight.clone();
        let weight = weight.try_reshape_like(&(outputs, expected_inputs.size(), 1, kernel));
        let bias = self.bias.clone().realize();
        let weight = weight.map_err(device_error)?;
        let images = images.map_err(device_error)?;
        let out = D::conv2d(&geometry, images, &weight, Some(&bias), mode)?;
        let steps = geometry.output()[1];
        let out = out.try_reshape_like(&(batch, outputs, steps));
        let out: Tensor<(usize, usize, usize), f32, D, T> = out.map_err(device_error)?;
        realize("Conv1d", out, &[B::STATIC, O::STATIC, ON::STATIC])
    }
}
