//! Convolution over a series or an image.

use super::Unbiased;
use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::{Image, Series};
use crate::typed::message::{check_inputs, check_size, windows};
use crate::typed::weights::weights;
use dfdx::prelude::{Device, Dtype, Rank1, Rank3, Rank4};
use std::fmt::Debug;
use std::marker::PhantomData;

/// Convolution from `I` to `O` channels with a kernel of `K` steps or `K` × `K` pixels, padding `P`,
/// stride `S` and dilation `L`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conv<
    const I: usize,
    const O: usize,
    const K: usize,
    P = Zeros<0>,
    const S: usize = 1,
    const L: usize = 1,
>(PhantomData<P>);

/// Zeros around the input of a [`Conv`].
pub trait Padding: Clone + Debug + Default + Send + Sync + 'static {
    /// As data.
    const PADDING: layer::Padding;
}

/// `N` zeros on both sides of each axis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zeros<const N: usize>;

/// As many outputs as inputs, divided by the stride and rounded up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Same;

/// All zeros in front of a series: output t sees inputs up to t alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Causal;

impl<const N: usize> Padding for Zeros<N> {
    const PADDING: layer::Padding = layer::Padding::Zeros(layer::Pair::Same(N));
}

impl Padding for Same {
    const PADDING: layer::Padding = layer::Padding::SAME;
}

impl Padding for Causal {
    const PADDING: layer::Padding = layer::Padding::CAUSAL;
}

weights! {
    /// The tensors of a [`Conv`] over series.
    Conv1dWeights<const I, const O, const K> {
        /// `[O, I, K]`.
        weight: Rank3<O, I, K>,
        /// `[O]`.
        bias: Rank1<O>,
    }
    of described(O, K, true), Shape::Series { steps: K, channels: I }
}

weights! {
    /// The tensor of a [`Conv`] over series without bias.
    UnbiasedConv1dWeights<const I, const O, const K> {
        /// `[O, I, K]`.
        weight: Rank3<O, I, K>,
    }
    of described(O, K, false), Shape::Series { steps: K, channels: I }
}

weights! {
    /// The tensors of a [`Conv`] over images.
    Conv2dWeights<const I, const O, const K> {
        /// `[O, I, K, K]`.
        weight: Rank4<O, I, K, K>,
        /// `[O]`.
        bias: Rank1<O>,
    }
    of described(O, K, true), Shape::Image { height: K, width: K, channels: I }
}

weights! {
    /// The tensor of a [`Conv`] over images without bias.
    UnbiasedConv2dWeights<const I, const O, const K> {
        /// `[O, I, K, K]`.
        weight: Rank4<O, I, K, K>,
    }
    of described(O, K, false), Shape::Image { height: K, width: K, channels: I }
}

/// Stride 1, no padding.
fn described(channels: usize, kernel: usize, bias: bool) -> layer::Convolution {
    layer::Convolution {
        bias,
        ..layer::Convolution::new("", channels, kernel)
    }
}

impl<const I: usize, const O: usize, const K: usize> Conv<I, O, K> {
    /// Stride 1, no padding, no dilation, with bias.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<const I: usize, const O: usize, const K: usize, P, const S: usize, const L: usize>
    Conv<I, O, K, P, S, L>
{
    /// The same with outputs `STRIDE` inputs apart.
    pub fn stride<const STRIDE: usize>(self) -> Conv<I, O, K, P, STRIDE, L> {
        Conv(PhantomData)
    }

    /// The same with neighbouring taps `DILATION` inputs apart.
    pub fn dilation<const DILATION: usize>(self) -> Conv<I, O, K, P, S, DILATION> {
        Conv(PhantomData)
    }

    /// The same with `ZEROS` zeros on both sides of each axis.
    pub fn padding<const ZEROS: usize>(self) -> Conv<I, O, K, Zeros<ZEROS>, S, L> {
        Conv(PhantomData)
    }

    /// The same with as many outputs as inputs.
    pub fn same(self) -> Conv<I, O, K, Same, S, L> {
        Conv(PhantomData)
    }

    /// The same with all zeros in front of a series.
    pub fn causal(self) -> Conv<I, O, K, Causal, S, L> {
        Conv(PhantomData)
    }

    /// The same without bias.
    pub fn without_bias(self) -> Unbiased<Self> {
        Unbiased(self)
    }
}

/// The shape behind a convolution: one axis of a series, two of an image.
const fn output(
    input: Shape,
    [inputs, outputs, kernel]: [usize; 3],
    padding: layer::Padding,
    [stride, dilation]: [usize; 2],
) -> Shape {
    check_size("conv", "output channel", outputs);
    check_size("conv", "tap", kernel);
    check_size("conv", "position of stride", stride);
    check_size("conv", "position of dilation", dilation);
    check_inputs("conv", inputs, input);
    let span = dilation * (kernel - 1) + 1;
    let [height, width] = input.size();
    let rows = match input {
        Shape::Image { .. } => axis(input, height, span, padding, stride),
        Shape::Series { .. } | Shape::Vector { .. } => 1,
    };
    let columns = axis(input, width, span, padding, stride);
    input.resized([rows, columns], outputs)
}

const fn axis(
    input: Shape,
    size: usize,
    span: usize,
    padding: layer::Padding,
    stride: usize,
) -> usize {
    use layer::{NamedPadding, Padding, Pair};
    let zeros = match padding {
        Padding::Zeros(Pair::Same(zeros) | Pair::Each([zeros, _])) => 2 * zeros,
        Padding::Named(NamedPadding::Causal) => span - 1,
        Padding::Named(NamedPadding::Same) => return size.div_ceil(stride),
    };
    windows("conv", input, size, span, stride, zeros)
}

/// Makes a convolution stand behind layers that give a `$form`.
macro_rules! step {
    ($layer:ty, $form:ident, $weights:ident, $bias:expr) => {
        impl<N, P, const I: usize, const O: usize, const K: usize, const S: usize, const L: usize>
            Step<N, $form> for $layer
        where
            N: Chain,
            P: Padding,
        {
            type Form = $form;
            type Weights<E: Dtype, D: Device<E>> = $weights<I, O, K, E, D>;
            const OUTPUT: Shape = output(N::SHAPE, [I, O, K], P::PADDING, [S, L]);

            fn describe(&self, name: String) -> Layer {
                let convolution = layer::Convolution {
                    name,
                    stride: S.into(),
                    padding: P::PADDING,
                    dilation: L.into(),
                    ..described(O, K, $bias)
                };
                convolution.into()
            }
        }
    };
}

step!(Conv<I, O, K, P, S, L>, Series, Conv1dWeights, true);
step!(Conv<I, O, K, P, S, L>, Image, Conv2dWeights, true);
step!(
    Unbiased<Conv<I, O, K, P, S, L>>,
    Series,
    UnbiasedConv1dWeights,
    false
);
step!(
    Unbiased<Conv<I, O, K, P, S, L>>,
    Image,
    UnbiasedConv2dWeights,
    false
);
