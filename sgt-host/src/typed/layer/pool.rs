//! Pooling.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::{Positions, Vector};
use crate::typed::message::{Message, check_size, windows};
use crate::typed::weights::NoWeights;
use dfdx::prelude::{Device, Dtype};

/// Makes a typed layer of each of the engine's poolings over windows.
macro_rules! pools {
    ($($(#[$doc:meta])* $layer:ident, $method:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $layer<const W: usize, const S: usize, const P: usize = 0>;

        impl<const W: usize> $layer<W, W> {
            /// Windows side by side, no padding.
            pub const fn new() -> Self {
                Self
            }
        }

        impl<const W: usize, const S: usize, const P: usize> $layer<W, S, P> {
            /// The same with windows `STRIDE` positions apart.
            pub const fn stride<const STRIDE: usize>(self) -> $layer<W, STRIDE, P> {
                $layer
            }

            /// The same with `PADDING` positions around the input.
            pub const fn padding<const PADDING: usize>(self) -> $layer<W, S, PADDING> {
                $layer
            }
        }

        impl<N: Chain, F: Positions, const W: usize, const S: usize, const P: usize> Step<N, F>
            for $layer<W, S, P>
        {
            type Form = F;
            type Weights<E: Dtype, D: Device<E>> = NoWeights;
            const OUTPUT: Shape = pooled($method, N::SHAPE, W, S, P);

            fn describe(&self, name: String) -> Layer {
                let pool = layer::$layer {
                    name,
                    window: W.into(),
                    stride: (S != W).then(|| S.into()),
                    padding: P.into(),
                };
                pool.into()
            }
        }
    )+};
}

pools! {
    /// The largest value of each window of `W` steps or `W` × `W` pixels, windows `S` apart, `P`
    /// positions around the input that no maximum is taken from.
    MaxPool, "max_pool";
    /// The mean of each window of `W` steps or `W` × `W` pixels, windows `S` apart, `P` zeros around
    /// the input, which are counted.
    AveragePool, "average_pool";
}

/// Windows over each axis of `input`.
const fn pooled(layer: &str, input: Shape, window: usize, stride: usize, padding: usize) -> Shape {
    check_size(layer, "position of a window", window);
    check_size(layer, "position of stride", stride);
    if padding > window / 2 {
        Message::of(layer)
            .count(padding, "position")
            .text(" of padding, expected at most half the window of ")
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

const fn channels(input: Shape) -> Shape {
    let features = input.channels();
    Shape::Vector { features }
}

/// Makes a typed layer of each of the engine's poolings over all positions.
macro_rules! global_pools {
    ($($(#[$doc:meta])* $layer:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $layer;

        impl<N: Chain, F: Positions> Step<N, F> for $layer {
            type Form = Vector;
            type Weights<E: Dtype, D: Device<E>> = NoWeights;
            const OUTPUT: Shape = channels(N::SHAPE);

            fn describe(&self, name: String) -> Layer {
                layer::$layer { name }.into()
            }
        }
    )+};
}

global_pools! {
    /// The mean over all positions.
    GlobalAveragePool,
    /// The largest value over all positions.
    GlobalMaxPool
}
