//! All values in one vector.

use crate::network::layer::FlattenOrder;
use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::{Form, Vector};
use crate::typed::weights::NoWeights;
use dfdx::prelude::{Device, Dtype};

/// All values of a sample in one vector.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten {
    order: FlattenOrder,
}

impl Flatten {
    /// Channel after channel: PyTorch's order behind convolutions.
    pub const fn new() -> Self {
        let order = FlattenOrder::ChannelsFirst;
        Self { order }
    }

    /// Position after position: PyTorch's order behind recurrent layers.
    pub const fn channels_last() -> Self {
        let order = FlattenOrder::ChannelsLast;
        Self { order }
    }
}

impl<N: Chain, F: Form> Step<N, F> for Flatten {
    type Form = Vector;
    type Weights<E: Dtype, D: Device<E>> = NoWeights;
    const OUTPUT: Shape = Shape::Vector {
        features: N::SHAPE.len(),
    };

    fn describe(&self, name: String) -> Layer {
        let order = self.order;
        layer::Flatten { name, order }.into()
    }
}
