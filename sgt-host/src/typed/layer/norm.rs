//! Batch and layer normalisation.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Form;
use crate::typed::message::check_inputs;
use crate::typed::weights::weights;
use dfdx::prelude::{Device, Dtype, Rank1};

/// Batch normalisation of `C` channels.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchNorm<const C: usize>;

weights! {
    /// The tensors of a [`BatchNorm`].
    BatchNormWeights<const C> {
        /// Factors.
        weight: Rank1<C>,
        /// Summands.
        bias: Rank1<C>,
        /// Running means, which no optimizer changes.
        running_mean: Rank1<C>,
        /// Running variances, which no optimizer changes.
        running_var: Rank1<C>,
    }
    of layer::BatchNorm::new(""), Shape::Vector { features: C }
}

/// Layer normalisation of the `C` channels of each position.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerNorm<const C: usize>;

weights! {
    /// The tensors of a [`LayerNorm`].
    LayerNormWeights<const C> {
        /// Factors.
        weight: Rank1<C>,
        /// Summands.
        bias: Rank1<C>,
    }
    of layer::LayerNorm::new(""), Shape::Vector { features: C }
}

const fn output(layer: &str, input: Shape, channels: usize) -> Shape {
    check_inputs(layer, channels, input);
    input
}

impl<N: Chain, F: Form, const C: usize> Step<N, F> for BatchNorm<C> {
    type Form = F;
    type Weights<E: Dtype, D: Device<E>> = BatchNormWeights<C, E, D>;
    const OUTPUT: Shape = output("batch_norm", N::SHAPE, C);

    fn describe(&self, name: String) -> Layer {
        layer::BatchNorm { name }.into()
    }
}

impl<N: Chain, F: Form, const C: usize> Step<N, F> for LayerNorm<C> {
    type Form = F;
    type Weights<E: Dtype, D: Device<E>> = LayerNormWeights<C, E, D>;
    const OUTPUT: Shape = output("layer_norm", N::SHAPE, C);

    fn describe(&self, name: String) -> Layer {
        layer::LayerNorm::new(&name).into()
    }
}
