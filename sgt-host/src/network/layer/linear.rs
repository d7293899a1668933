//! The fully connected layer.

use super::{Cost, Misfit, Rule, Tensor, check_size, product};
use crate::Result;
use crate::kernel::activation::{relu_backward_in_place, relu_in_place};
use crate::kernel::buffer::Buffer;
use crate::kernel::conv2d::WeightGradient;
use crate::kernel::linear::{linear_backward, linear_forward};
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Place, Pull};
use crate::network::start::Start;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// `y = x Wᵀ + b`, of a vector or at every step of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Linear {
    /// Its name: `NAME.weight` `[outputs, inputs]` and `NAME.bias` `[outputs]`.
    pub name: String,
    /// Values of y.
    pub outputs: usize,
    /// Whether there is b.
    #[serde(default = "super::yes", skip_serializing_if = "super::is_yes")]
    pub bias: bool,
}

impl Linear {
    /// With bias.
    pub fn new(name: &str, outputs: usize) -> Self {
        Self {
            name: name.into(),
            outputs,
            bias: true,
        }
    }
}

impl Rule for Linear {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        check_size("outputs", self.outputs)?;
        if matches!(input, Shape::Image { .. }) {
            return Err(Misfit::new(input, "a vector (flatten first) or a series"));
        }
        Ok(input.resized(input.size(), self.outputs))
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let inputs = input.channels();
        let start = Start::fan_in(inputs);
        let mut tensors = vec![Tensor::new("weight", [self.outputs, inputs], start)];
        if self.bias {
            tensors.push(Tensor::new("bias", [self.outputs], start));
        }
        tensors
    }

    fn cost(&self, input: Shape, output: Shape) -> Cost {
        Cost {
            operations: product(&[input.positions(), input.channels(), self.outputs]),
            values: output.len(),
        }
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let product = Product {
            inputs: place.input.channels(),
            outputs: self.outputs,
            weight: place.parameter(),
            bias: self.bias.then(|| place.parameter()),
            relu: place.take_relu(),
        };
        place.push(product);
    }
}

/// The product, and `ReLU` where it follows.
#[derive(Debug)]
struct Product {
    inputs: usize,
    outputs: usize,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
    relu: bool,
}

impl Operation for Product {
    type State = ();

    fn has_parameters(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        let weight = call.read(&self.weight);
        let bias = self.bias.as_ref().map(|bias| call.read(bias));
        let out = out.resize(x.len() / self.inputs * self.outputs);
        linear_forward(self.inputs, self.outputs, weight, bias, x, out)?;
        if self.relu {
            relu_in_place(out);
        }
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        mut dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if self.relu {
            relu_backward_in_place(kept.out, &mut dout);
        }
        let gradient = weight_gradient(&self.weight, self.bias.as_ref(), pull);
        let (weight, x) = (call.read(&self.weight), kept.x);
        let target = dx.as_deref_mut();
        linear_backward(
            self.inputs,
            self.outputs,
            weight,
            x,
            &dout,
            target,
            gradient,
        )?;
        pull.spare(dout);
        Ok(dx)
    }
}

/// The gradients of a weight and of its bias, where they are wanted.
pub(super) fn weight_gradient<'g>(
    weight: &Range<usize>,
    bias: Option<&Range<usize>>,
    pull: &'g mut Pull<'_>,
) -> Option<WeightGradient<'g>> {
    let Some(bias) = bias else {
        let [weight] = pull.gradients([weight])?;
        return Some(WeightGradient { weight, bias: None });
    };
    let [weight, bias] = pull.gradients([weight, bias])?;
    Some(WeightGradient {
        weight,
        bias: Some(bias),
    })
}
