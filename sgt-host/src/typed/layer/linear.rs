//! The fully connected layer.

use super::Unbiased;
use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Rows;
use crate::typed::message::{check_inputs, check_size};
use crate::typed::weights::weights;
use dfdx::prelude::{Device, Dtype, Rank1, Rank2};

/// x Wᵀ + b from `I` to `O` values, of a vector or at every step of a series.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linear<const I: usize, const O: usize>;

weights! {
    /// The tensors of a [`Linear`].
    LinearWeights<const I, const O> {
        /// `[O, I]`.
        weight: Rank2<O, I>,
        /// `[O]`.
        bias: Rank1<O>,
    }
    of described(O, true), Shape::Vector { features: I }
}

weights! {
    /// The tensor of a [`Linear`] without bias.
    UnbiasedLinearWeights<const I, const O> {
        /// `[O, I]`.
        weight: Rank2<O, I>,
    }
    of described(O, false), Shape::Vector { features: I }
}

impl<const I: usize, const O: usize> Linear<I, O> {
    /// With bias.
    pub const fn new() -> Self {
        Self
    }

    /// The same without bias.
    pub const fn without_bias(self) -> Unbiased<Self> {
        Unbiased(self)
    }
}

fn described(outputs: usize, bias: bool) -> layer::Linear {
    layer::Linear {
        bias,
        ..layer::Linear::new("", outputs)
    }
}

const fn output(input: Shape, inputs: usize, outputs: usize) -> Shape {
    check_size("linear", "output", outputs);
    check_inputs("linear", inputs, input);
    input.resized(input.size(), outputs)
}

impl<N: Chain, F: Rows, const I: usize, const O: usize> Step<N, F> for Linear<I, O> {
    type Form = F;
    type Weights<E: Dtype, D: Device<E>> = LinearWeights<I, O, E, D>;
    const OUTPUT: Shape = output(N::SHAPE, I, O);

    fn describe(&self, name: String) -> Layer {
        let linear = described(O, true);
        layer::Linear { name, ..linear }.into()
    }
}

impl<N: Chain, F: Rows, const I: usize, const O: usize> Step<N, F> for Unbiased<Linear<I, O>> {
    type Form = F;
    type Weights<E: Dtype, D: Device<E>> = UnbiasedLinearWeights<I, O, E, D>;
    const OUTPUT: Shape = output(N::SHAPE, I, O);

    fn describe(&self, name: String) -> Layer {
        let linear = described(O, false);
        layer::Linear { name, ..linear }.into()
    }
}
