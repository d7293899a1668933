//! Dropout.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Form;
use crate::typed::weights::NoWeights;
use dfdx::prelude::{Device, Dtype};

/// Dropout in training.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability, 0 or more and below 1.
    pub p: f32,
}

impl<N: Chain, F: Form> Step<N, F> for Dropout {
    type Form = F;
    type Weights<E: Dtype, D: Device<E>> = NoWeights;
    const OUTPUT: Shape = N::SHAPE;

    fn describe(&self, name: String) -> Layer {
        layer::Dropout { name, p: self.p }.into()
    }
}
