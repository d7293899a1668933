//! What leaves a recurrent layer.

use super::Tensor;
use super::global_pool::{Maximum, Mean};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::pool::global::GlobalPoolShape;
use crate::kernel::softmax_pool::{
    self, SoftmaxPoolCache, SoftmaxPoolGradients, SoftmaxPoolParameters, SoftmaxPoolShape,
};
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::start::Start;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What leaves a recurrent layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// The state after the last step (of the reverse direction: after the first).
    #[default]
    Last,
    /// The mean of the states of all steps.
    Mean,
    /// The largest value of each unit over all steps.
    Max,
    /// A mean weighted by a learned attention to the steps (Yang et al. 2016):
    /// `Σ_t softmax_t(query · tanh(weight h_t + bias)) h_t`, with `NAME.attention.weight`
    /// `[width, width]`, `NAME.attention.bias` and `NAME.attention.query` `[width]`.
    Attention,
    /// The states of all steps: a series.
    All,
}

impl Readout {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn is_last(&self) -> bool {
        *self == Self::Last
    }

    /// The shape of states of `width` values.
    pub(super) fn output(self, steps: usize, width: usize) -> Shape {
        match self {
            Self::All => Shape::Series {
                steps,
                channels: width,
            },
            _ => Shape::Vector { features: width },
        }
    }

    /// The parameters behind those of the recurrent layer.
    pub(super) fn tensors(self, width: usize) -> Vec<Tensor> {
        if self != Self::Attention {
            return Vec::new();
        }
        let start = Start::fan_in(width);
        vec![
            Tensor::new("attention.weight", [width, width], start),
            Tensor::new("attention.bias", [width], start),
            Tensor::new("attention.query", [width], start),
        ]
    }

    /// Puts what follows the states of all steps, where they are not read out as they are.
    pub(super) fn lower(self, steps: usize, width: usize, place: &mut Place<'_, '_>) {
        let pool = GlobalPoolShape {
            positions: steps,
            channels: width,
        };
        match self {
            Self::Last | Self::All => {}
            Self::Mean => place.push(Mean(pool)),
            Self::Max => place.push(Maximum(pool)),
            Self::Attention => {
                let [weight, bias, query] = place.parameters();
                place.push(Attend {
                    shape: SoftmaxPoolShape { steps, width },
                    weight,
                    bias,
                    query,
                });
            }
        }
    }
}

/// The attention readout.
#[derive(Debug)]
struct Attend {
    shape: SoftmaxPoolShape,
    weight: Range<usize>,
    bias: Range<usize>,
    query: Range<usize>,
}

impl Attend {
    fn parameters<'a>(&self, call: &Call<'a>) -> SoftmaxPoolParameters<'a> {
        SoftmaxPoolParameters {
            weight: call.read(&self.weight),
            bias: call.read(&self.bias),
            query: call.read(&self.query),
        }
    }
}

impl Operation for Attend {
    type State = SoftmaxPoolCache;

    fn has_parameters(&self) -> bool {
        true
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        cache: &mut SoftmaxPoolCache,
    ) -> Result<Flow> {
        let out = out.resize(call.batch * self.shape.width);
        let parameters = self.parameters(call);
        softmax_pool::forward(self.shape, parameters, x, call.lengths, out, cache)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        cache: &mut SoftmaxPoolCache,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        let target = dx.as_deref_mut();
        let gradients = pull.gradients([&self.weight, &self.bias, &self.query]);
        let gradients = gradients.map(|[weight, bias, query]| SoftmaxPoolGradients {
            weight,
            bias,
            query,
        });
        let parameters = self.parameters(call);
        softmax_pool::backward(
            self.shape, parameters, kept.x, &dout, target, gradients, cache,
        )?;
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [cache, _]: [&mut SoftmaxPoolCache; 2],
    ) -> Result<Buffer> {
        if pair.as_captum {
            let dx = self.backward(call, pair.kept(), dout, true, pull, cache)?;
            return Ok(dx.unwrap_or_default());
        }
        let mut dx = pull.take(pair.x.len());
        let (parameters, inputs) = (self.parameters(call), [pair.x, pair.reference]);
        softmax_pool::multipliers(self.shape, parameters, inputs, call.lengths, &dout, &mut dx)?;
        pull.spare(dout);
        Ok(dx)
    }
}
