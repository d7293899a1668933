//! Pooling.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::{Positions, Vector};
use crate::typed::message::{Message, check_size, windows};
use crate::typed::weights::NoWeights;
use dfdx::prelude::{Device, Dtype};

/// The largest value of each window of `W` steps or `W` × `W` pixels, windows `S` apart, `P` empty
/// positions around the input.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaxPool<const W: usize, const S: usize, const P: usize = 0>;

impl<const W: usize> MaxPool<W, W> {
    /// Windows side by side, no padding.
    pub const fn new() -> Self {
        Self
    }
}

impl<const W: usize, const S: usize, const P: usize> MaxPool<W, S, P> {
    /// The same with windows `STRIDE` apart.
    pub const fn stride<const STRIDE: usize>(self) -> MaxPool<W, STRIDE, P> {
        MaxPool
    }

    /// The same with `ZEROS` positions around the input, which no maximum is taken from.
    pub const fn padding<const ZEROS: usize>(self) -> MaxPool<W, S, ZEROS> {
        MaxPool
    }
}

/// Windows over each axis of `input`.
const fn pooled(layer: &str, input: Shape, window: usize, stride: usize, padding: usize) -> Shape {
    check_size(layer, "positions of a window", window);
    check_size(layer, "positions of stride", stride);
    if padding > window / 2 {
        Message::of(layer)
            .number(padding)
            .text(" positions of padding, expected at most half the window of ")
            .number(window)
            .refuse();
    }
    let [height, width] = input.size();
    let rows = match input {
        Shape::Image { .. } => windows(layer, input, height, window, stride, 2 * padding),
        Shape::Series { .. } | Shape::Vector { .. } => 1,
    };
    let columns = windows(layer, input, width, window, stride, 2 * padding);
    input.resized([rows, columns], input.channels())
}

impl<N: Chain, F: Positions, const W: usize, const S: usize, const P: usize> Step<N, F>
    for MaxPool<W, S, P>
{
    type Form = F;
    type Weights<E: Dtype, D: Device<E>> = NoWeights;
    const OUTPUT: Shape = pooled("max_pool", N::SHAPE, W, S, P);

    fn describe(&self, name: String) -> Layer {
        let pool = layer::MaxPool {
            name,
            window: W.into(),
            stride: (S != W).then(|| S.into()),
            padding: P.into(),
        };
        pool.into()
    }
}

/// The mean over all positions.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAveragePool;

const fn channels(input: Shape) -> Shape {
    let features = input.channels();
    Shape::Vector { features }
}

impl<N: Chain, F: Positions> Step<N, F> for GlobalAveragePool {
    type Form = Vector;
    type Weights<E: Dtype, D: Device<E>> = NoWeights;
    const OUTPUT: Shape = channels(N::SHAPE);

    fn describe(&self, name: String) -> Layer {
        layer::GlobalAveragePool { name }.into()
    }
}
