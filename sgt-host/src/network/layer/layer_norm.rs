//! Layer normalisation.

use super::{Misfit, Rule, Tensor};
use crate::Result;
use crate::kernel::buffer::Buffer;
pub use crate::kernel::layer_norm::LayerNormForm;
use crate::kernel::layer_norm::{
    self, InputGradient, LayerNormCache, LayerNormGradients, LayerNormParameters, LayerNormShape,
};
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::start::Start;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Every position's channels with mean 0 and deviation 1, then scaled and shifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerNorm {
    /// Its name: `NAME.weight` (`NAME.alpha` in the unbiased form) and `NAME.bias`, `[channels]`.
    pub name: String,
    /// The formula.
    #[serde(default, skip_serializing_if = "LayerNormForm::is_standard")]
    pub form: LayerNormForm,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
impl LayerNormForm {
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

impl LayerNorm {
    /// PyTorch's form.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            form: LayerNormForm::Standard,
        }
    }
}

impl Rule for LayerNorm {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        if self.form == LayerNormForm::Unbiased && input.channels() < 2 {
            return Err(Misfit::new(
                input,
                "two channels or more, to have a deviation",
            ));
        }
        Ok(input)
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let weight = match self.form {
            LayerNormForm::Standard => "weight",
            LayerNormForm::Unbiased => "alpha",
        };
        let tensor = |suffix: &str, value: f32| {
            Tensor::new(suffix, [input.channels()], Start::Constant(value))
        };
        vec![tensor(weight, 1.0), tensor("bias", 0.0)]
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let [weight, bias] = place.parameters();
        place.push(Normalise {
            shape: LayerNormShape {
                dim: place.input.channels(),
                form: self.form,
            },
            weight,
            bias,
        });
    }
}

#[derive(Debug)]
struct Normalise {
    shape: LayerNormShape,
    weight: Range<usize>,
    bias: Range<usize>,
}

impl Normalise {
    fn parameters<'a>(&self, call: &Call<'a>) -> LayerNormParameters<'a> {
        LayerNormParameters {
            weight: call.read(&self.weight),
            bias: call.read(&self.bias),
        }
    }
}

impl Operation for Normalise {
    type State = LayerNormCache;

    fn has_parameters(&self) -> bool {
        true
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        cache: &mut LayerNormCache,
    ) -> Result<Flow> {
        let parameters = self.parameters(call);
        layer_norm::forward(&self.shape, &parameters, x, out.resize(x.len()), cache)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        cache: &mut LayerNormCache,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        let target = dx
            .as_deref_mut()
            .map_or(InputGradient::Skip, InputGradient::Overwrite);
        let gradients = pull.gradients([&self.weight, &self.bias]);
        let gradients = gradients.map(|[weight, bias]| LayerNormGradients { weight, bias });
        layer_norm::backward(&self.parameters(call), cache, &dout, target, gradients)?;
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        _caches: [&mut LayerNormCache; 2],
    ) -> Result<Buffer> {
        let mut dx = pull.take(pair.x.len());
        let (parameters, inputs) = (self.parameters(call), [pair.x, pair.reference]);
        layer_norm::multipliers(&self.shape, &parameters, inputs, &dout, &mut dx)?;
        pull.spare(dout);
        Ok(dx)
    }
}
