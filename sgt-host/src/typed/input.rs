//! What typed networks read.

use super::chain::Chain;
use super::form;
use super::weights::NoWeights;
use crate::network::{InputShape, Layer, SeriesOrder, Shape};
use dfdx::prelude::{Const, Device, Dim, Dtype};

/// Images `[CHANNELS, HEIGHT, WIDTH]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Image<const CHANNELS: usize, const HEIGHT: usize, const WIDTH: usize>;

/// Series `[STEPS, CHANNELS]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Series<const STEPS: usize, const CHANNELS: usize>;

/// Series `[CHANNELS, STEPS]`: a sensor's values are neighbours in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeriesChannelsFirst<const CHANNELS: usize, const STEPS: usize>;

/// Embedded text `[TOKENS, DIM]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens<const TOKENS: usize, const DIM: usize>;

/// What a typed network reads.
pub trait Input: Chain<Input = Self> {
    /// One sample.
    const INPUT: InputShape;
}

/// Shapes of dfdx tensors that are batches of the input `I`.
#[diagnostic::on_unimplemented(
    message = "a tensor of shape `{Self}` is no batch of `{I}`",
    label = "the network reads batches of `{I}`"
)]
pub trait BatchOf<I>: dfdx::prelude::Shape {
    /// The number of samples, known when the program is compiled or not.
    type Batch: Dim;

    /// The number of samples.
    fn batch(&self) -> Self::Batch;
}

/// Makes `$input` the beginning of a chain.
macro_rules! input {
    ($input:ident<$($size:ident),+>, $form:ident, $shape:expr) => {
        impl<$(const $size: usize),+> Chain for $input<$($size),+> {
            type Input = Self;
            type Form = form::$form;
            type Weights<E: Dtype, D: Device<E>> = NoWeights;
            const SHAPE: Shape = Shape::of_input(Self::INPUT);

            fn layers(&self, _layers: &mut Vec<Layer>) {}
        }

        impl<$(const $size: usize),+> Input for $input<$($size),+> {
            const INPUT: InputShape = $shape;
        }

        impl<B: Dim, $(const $size: usize),+> BatchOf<$input<$($size),+>> for (B, $(Const<$size>),+) {
            type Batch = B;

            fn batch(&self) -> B {
                self.0
            }
        }
    };
}

input!(
    Image<CHANNELS, HEIGHT, WIDTH>,
    Image,
    InputShape::image(CHANNELS, HEIGHT, WIDTH)
);
input!(Series<STEPS, CHANNELS>, Series, InputShape::series(STEPS, CHANNELS));
input!(
    SeriesChannelsFirst<CHANNELS, STEPS>,
    Series,
    InputShape::series(STEPS, CHANNELS).ordered(SeriesOrder::ChannelsFirst)
);
input!(Tokens<TOKENS, DIM>, Series, InputShape::tokens(TOKENS, DIM));
