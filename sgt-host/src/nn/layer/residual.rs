//! The basic blocks of a residual network (He et al., 2016).

use super::named::module_tensors;
use super::{Backend, BatchNorm, Extent, UnbiasedConv2d, relu};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{BatchStatistics, device_error};
use dfdx::prelude::*;

type Conv3x3<I, O, S, E, D> = UnbiasedConv2d<I, O, Const<3>, S, Const<1>, Const<1>, E, D>;

/// `relu(x + bn2(conv2(relu(bn1(conv1(x))))))` with 3×3 convolutions of `C` channels.
#[derive(Clone, Debug)]
pub struct ResidualBlock<C: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `conv1`.
    pub conv1: Conv3x3<C, C, Const<1>, E, D>,
    /// `bn1`.
    pub bn1: BatchNorm<C, E, D>,
    /// `conv2`.
    pub conv2: Conv3x3<C, C, Const<1>, E, D>,
    /// `bn2`.
    pub bn2: BatchNorm<C, E, D>,
}

/// The 1×1 convolution of stride 2 and the normalisation on a [`DownsampleBlock`]'s short cut.
#[derive(Clone, Debug)]
pub struct Shortcut<I: Dim, O: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `0`.
    pub conv: UnbiasedConv2d<I, O, Const<1>, Const<2>, Const<0>, Const<1>, E, D>,
    /// `1`.
    pub bn: BatchNorm<O, E, D>,
}

/// As [`ResidualBlock`], from `I` to `O` channels and to half the height and width: `conv1` and
/// the short cut have stride 2.
#[derive(Clone, Debug)]
pub struct DownsampleBlock<I: Dim, O: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `conv1`.
    pub conv1: Conv3x3<I, O, Const<2>, E, D>,
    /// `bn1`.
    pub bn1: BatchNorm<O, E, D>,
    /// `conv2`.
    pub conv2: Conv3x3<O, O, Const<1>, E, D>,
    /// `bn2`.
    pub bn2: BatchNorm<O, E, D>,
    /// `downsample`.
    pub downsample: Shortcut<I, O, E, D>,
}

module_tensors! {
    ResidualBlock [C: Dim]
    const [C: ConstDim]
    modules { conv1, bn1, conv2, bn2 }
    copied {}
}

module_tensors! {
    Shortcut [I: Dim, O: Dim]
    const [I: ConstDim, O: ConstDim]
    modules { conv as "0", bn as "1" }
    copied {}
}

module_tensors! {
    DownsampleBlock [I: Dim, O: Dim]
    const [I: ConstDim, O: ConstDim]
    modules { conv1, bn1, conv2, bn2, downsample }
    copied {}
}

impl<C: Extent, D: Backend> ResidualBlock<C, f32, D> {
    /// A block with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, channels: C) -> Result<Self> {
        let sizes = (channels, channels, Const);
        Ok(Self {
            conv1: UnbiasedConv2d::new(device, sizes, Const, Const, Const)?,
            bn1: BatchNorm::new(device, channels)?,
            conv2: UnbiasedConv2d::new(device, sizes, Const, Const, Const)?,
            bn2: BatchNorm::new(device, channels)?,
        })
    }

    /// `[batch, C, height, width]` to the same shape, and in training the statistics of `bn1`
    /// and `bn2`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when a `usize` size doesn't fit, [`crate::Error::Device`] when the
    /// device refuses.
    pub fn forward<B: Extent, H: Extent, W: Extent, T: Tape<f32, D>>(
        &self,
        x: Tensor<(B, C, H, W), f32, D, T>,
        mode: Mode,
    ) -> Result<(
        Tensor<(B, C, H, W), f32, D, T>,
        [Option<BatchStatistics>; 2],
    )> {
        let (x, tape) = x.split_tape();
        let again = x.clone().put_tape(tape);
        let branch: Tensor<(B, C, H, W), f32, D, T> = self.conv1.forward(again, mode)?;
        let (branch, first) = self.bn1.forward(branch, mode)?;
        let branch = self.conv2.forward(relu(branch)?, mode)?;
        let (branch, second) = self.bn2.forward(branch, mode)?;
        let sum = branch.try_add(x).map_err(device_error)?;
        Ok((relu(sum)?, [first, second]))
    }
}

impl<I: Extent, O: Extent, D: Backend> DownsampleBlock<I, O, f32, D> {
    /// A block with `PyTorch`'s default values, drawn from `device`'s generator.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, inputs: I, outputs: O) -> Result<Self> {
        let (first, second) = ((inputs, outputs, Const), (outputs, outputs, Const));
        let short = (inputs, outputs, Const);
        Ok(Self {
            conv1: UnbiasedConv2d::new(device, first, Const, Const, Const)?,
            bn1: BatchNorm::new(device, outputs)?,
            conv2: UnbiasedConv2d::new(device, second, Const, Const, Const)?,
            bn2: BatchNorm::new(device, outputs)?,
            downsample: Shortcut {
                conv: UnbiasedConv2d::new(device, short, Const, Const, Const)?,
                bn: BatchNorm::new(device, outputs)?,
            },
        })
    }

    /// `[batch, I, height, width]` to `[batch, O, ⌈height / 2⌉, ⌈width / 2⌉]`, and in training
    /// the statistics of `bn1`, `bn2` and `downsample.1`.
    ///
    /// # Errors
    /// As [`ResidualBlock::forward`].
    pub fn forward<B, H, W, OH, OW, T>(
        &self,
        x: Tensor<(B, I, H, W), f32, D, T>,
        mode: Mode,
    ) -> Result<(
        Tensor<(B, O, OH, OW), f32, D, T>,
        [Option<BatchStatistics>; 3],
    )>
    where
        B: Extent,
        H: Extent,
        W: Extent,
        OH: Extent,
        OW: Extent,
        T: Tape<f32, D>,
    {
        let again = x.retaped::<T>();
        let branch: Tensor<(B, O, OH, OW), f32, D, T> = self.conv1.forward(x, mode)?;
        let (branch, first) = self.bn1.forward(branch, mode)?;
        let branch = self.conv2.forward(relu(branch)?, mode)?;
        let (branch, second) = self.bn2.forward(branch, mode)?;
        let short: Tensor<(B, O, OH, OW), f32, D, T> = self.downsample.conv.forward(again, mode)?;
        let (short, third) = self.downsample.bn.forward(short, mode)?;
        let sum = branch.try_add(short).map_err(device_error)?;
        Ok((relu(sum)?, [first, second, third]))
    }
}
