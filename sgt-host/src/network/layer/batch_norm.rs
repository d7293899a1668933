//! Batch normalisation.

use super::{Misfit, Rule, Tensor};
use crate::Result;
use crate::kernel::activation::{relu_backward_in_place, relu_in_place};
use crate::kernel::batch_norm::{
    BatchNormGradients, BatchNormParameters, MOMENTUM, Statistics, batch_norm_backward,
    batch_norm_evaluation, batch_norm_training,
};
use crate::kernel::buffer::Buffer;
use crate::kernel::request::InputGradient;
use crate::network::engine::{Call, Flow, Kept, Operation, Place, Pull};
use crate::network::start::Start;
use crate::network::{Mode, Shape};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// `(x − mean) / √(variance + ε) · weight + bias` a channel: mean and variance are the batch's in
/// training, running averages of them otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchNorm {
    /// Its name: `NAME.weight`, `NAME.bias`, `NAME.running_mean` and `NAME.running_var`, each
    /// `[channels]`.
    pub name: String,
}

impl BatchNorm {
    /// PyTorch's ε and momentum.
    pub fn new(name: &str) -> Self {
        Self { name: name.into() }
    }
}

impl Rule for BatchNorm {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        Ok(input)
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let tensor = |suffix: &str, value: f32| {
            Tensor::new(suffix, [input.channels()], Start::Constant(value))
        };
        vec![
            tensor("weight", 1.0),
            tensor("bias", 0.0),
            tensor("running_mean", 0.0).buffer(),
            tensor("running_var", 1.0).buffer(),
        ]
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let [weight, bias, running_mean, running_variance] = place.parameters();
        let relu = place.take_relu();
        place.push(Normalise {
            weight,
            bias,
            running_mean,
            running_variance,
            relu,
        });
    }
}

/// The normalisation, and `ReLU` where it follows.
#[derive(Debug)]
struct Normalise {
    weight: Range<usize>,
    bias: Range<usize>,
    running_mean: Range<usize>,
    running_variance: Range<usize>,
    relu: bool,
}

impl Operation for Normalise {
    type State = Statistics;

    fn has_parameters(&self) -> bool {
        true
    }

    fn depends_on_mode(&self) -> bool {
        true
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        statistics: &mut Statistics,
    ) -> Result<Flow> {
        let parameters = BatchNormParameters {
            weight: call.read(&self.weight),
            bias: call.read(&self.bias),
        };
        let out = out.resize(x.len());
        if matches!(call.mode, Mode::Training { .. }) {
            batch_norm_training(parameters, x, out, statistics)?;
        } else {
            let mean = call.read(&self.running_mean);
            let variance = call.read(&self.running_variance);
            batch_norm_evaluation(parameters, mean, variance, x, out, statistics)?;
        }
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
        statistics: &mut Statistics,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if self.relu {
            relu_backward_in_place(kept.out, &mut dout);
        }
        let gradients = pull.gradients([&self.weight, &self.bias]);
        let gradients = gradients.map(|[weight, bias]| BatchNormGradients { weight, bias });
        let weight = call.read(&self.weight);
        let target = dx
            .as_deref_mut()
            .map_or(InputGradient::Skip, InputGradient::Overwrite);
        batch_norm_backward(weight, statistics, kept.x, &dout, target, gradients)?;
        pull.spare(dout);
        Ok(dx)
    }

    fn absorb(&self, batch: &Statistics, parameters: &mut [f32]) {
        for (range, values) in [
            (&self.running_mean, &batch.mean),
            (&self.running_variance, &batch.unbiased_variance),
        ] {
            for (running, value) in parameters[range.clone()].iter_mut().zip(values) {
                *running += MOMENTUM * (value - *running);
            }
        }
    }
}
