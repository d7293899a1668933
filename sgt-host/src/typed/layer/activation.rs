//! Elementwise activations.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Form;
use crate::typed::weights::NoWeights;
use dfdx::prelude::{Device, Dtype};

/// Makes a typed layer of each of the engine's elementwise ones.
macro_rules! activations {
    ($($(#[$doc:meta])* $layer:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $layer;

        impl<N: Chain, F: Form> Step<N, F> for $layer {
            type Form = F;
            type Weights<E: Dtype, D: Device<E>> = NoWeights;
            const OUTPUT: Shape = N::SHAPE;

            fn describe(&self, name: String) -> Layer {
                layer::$layer { name }.into()
            }
        }
    )+};
}

activations! {
    /// max(x, 0).
    Relu,
    /// x · Φ(x).
    Gelu,
    /// tanh(x).
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid
}
