//! Multi-head self-attention.

use super::dropout::check_probability;
use super::{Cost, Misfit, Rule, Tensor, check_size, product};
use crate::Result;
use crate::kernel::attention::{
    self, AttentionCache, AttentionDropout, AttentionGradients, AttentionParameters, AttentionPass,
    AttentionShape, InputGradient, Projection, ProjectionGradient,
};
use crate::kernel::buffer::Buffer;
use crate::kernel::dropout::DropoutKey;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::start::Start;
use crate::network::{Mode, Shape};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Scaled dot-product attention of a series to itself, in several heads (Vaswani et al. 2017):
/// `softmax(q kᵀ / √(channels / heads)) v` of each head, side by side, then a projection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SelfAttention {
    /// Its name; the parameters are `Projections`'.
    pub name: String,
    /// Heads, which share the channels evenly.
    pub heads: usize,
    /// Whether a step sees only itself and the steps before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub causal: bool,
    /// The probability that an attention weight is dropped in training.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropout: f32,
    /// How the parameters are called and start.
    #[serde(default, skip_serializing_if = "Projections::is_packed")]
    pub projections: Projections,
}

/// The parameters of self-attention over d channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Projections {
    /// PyTorch's `MultiheadAttention`: `NAME.in_proj_weight` `[3d, d]`, `NAME.in_proj_bias`,
    /// `NAME.out_proj.weight` `[d, d]` and `NAME.out_proj.bias`.
    #[default]
    Packed,
    /// One linear layer each: `NAME.q_linear`, `NAME.k_linear`, `NAME.v_linear` and `NAME.out`, with
    /// `.weight` `[d, d]` and `.bias`.
    Separate,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
impl Projections {
    fn is_packed(&self) -> bool {
        *self == Self::Packed
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(p: &f32) -> bool {
    *p == 0.0
}

impl SelfAttention {
    /// No mask, no dropout, PyTorch's parameters.
    pub fn new(name: &str, heads: usize) -> Self {
        Self {
            name: name.into(),
            heads,
            causal: false,
            dropout: 0.0,
            projections: Projections::Packed,
        }
    }
}

impl Rule for SelfAttention {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        let Shape::Series { channels, .. } = input else {
            return Err(Misfit::new(input, "a series"));
        };
        check_size("heads", self.heads)?;
        check_probability(self.dropout)?;
        if !channels.is_multiple_of(self.heads) {
            let expected = format!("heads that divide the {channels} channels");
            return Err(Misfit::new(format_args!("{} heads", self.heads), expected));
        }
        Ok(input)
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let dim = input.channels();
        let start = Start::fan_in(dim);
        match self.projections {
            Projections::Packed => {
                let packed = dim.saturating_mul(3);
                let none = Start::Constant(0.0);
                vec![
                    Tensor::new("in_proj_weight", [packed, dim], Start::xavier(dim, packed)),
                    Tensor::new("in_proj_bias", [packed], none),
                    Tensor::new("out_proj.weight", [dim, dim], start),
                    Tensor::new("out_proj.bias", [dim], none),
                ]
            }
            Projections::Separate => ["q_linear", "k_linear", "v_linear", "out"]
                .iter()
                .flat_map(|part| {
                    [
                        Tensor::new(format!("{part}.weight"), [dim, dim], start),
                        Tensor::new(format!("{part}.bias"), [dim], start),
                    ]
                })
                .collect(),
        }
    }

    fn cost(&self, input: Shape, output: Shape) -> Cost {
        let (steps, dim) = (input.positions(), input.channels());
        let projections = product(&[4, steps, dim, dim]);
        let scores = product(&[self.heads, steps, steps]);
        Cost {
            operations: projections.saturating_add(product(&[2, steps, steps, dim])),
            values: output.len().saturating_mul(5).saturating_add(scores),
        }
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let dropout = (self.dropout > 0.0).then(|| place.next_dropout());
        let parameters = match self.projections {
            Projections::Packed => Ranges::Packed(place.parameters()),
            Projections::Separate => Ranges::Separate(place.parameters()),
        };
        place.push(Attend {
            steps: place.input.positions(),
            dim: place.input.channels(),
            heads: self.heads,
            causal: self.causal,
            dropout: dropout.map(|index| (index, self.dropout)),
            parameters,
        });
    }
}

#[derive(Debug)]
struct Attend {
    steps: usize,
    dim: usize,
    heads: usize,
    causal: bool,
    /// The number of the network's dropout that this is, and its probability.
    dropout: Option<(u64, f32)>,
    parameters: Ranges,
}

/// The places of the parameters, in the order of [`Rule::tensors`].
#[derive(Debug)]
enum Ranges {
    Packed([Range<usize>; 4]),
    Separate([Range<usize>; 8]),
}

impl Ranges {
    fn read<'a>(&self, call: &Call<'a>) -> AttentionParameters<'a> {
        match self {
            Self::Packed(ranges) => {
                let [in_weight, in_bias, weight, bias] =
                    ranges.each_ref().map(|range| call.read(range));
                AttentionParameters::packed(in_weight, in_bias, Projection { weight, bias })
            }
            Self::Separate(ranges) => {
                let [q, qb, k, kb, v, vb, o, ob] = ranges.each_ref().map(|range| call.read(range));
                let projection = |weight, bias| Projection { weight, bias };
                AttentionParameters {
                    query: projection(q, qb),
                    key: projection(k, kb),
                    value: projection(v, vb),
                    output: projection(o, ob),
                }
            }
        }
    }

    fn gradients<'g>(&self, pull: &'g mut Pull<'_>) -> Option<AttentionGradients<'g>> {
        match self {
            Self::Packed(ranges) => {
                let [in_weight, in_bias, weight, bias] = pull.gradients(ranges.each_ref())?;
                let output = ProjectionGradient { weight, bias };
                Some(AttentionGradients::packed(in_weight, in_bias, output))
            }
            Self::Separate(ranges) => {
                let [q, qb, k, kb, v, vb, o, ob] = pull.gradients(ranges.each_ref())?;
                let projection = |weight, bias| ProjectionGradient { weight, bias };
                Some(AttentionGradients {
                    query: projection(q, qb),
                    key: projection(k, kb),
                    value: projection(v, vb),
                    output: projection(o, ob),
                })
            }
        }
    }
}

impl Attend {
    fn shape(&self, call: &Call<'_>) -> AttentionShape {
        AttentionShape {
            batch: call.batch,
            steps: self.steps,
            dim: self.dim,
            heads: self.heads,
            causal: self.causal,
        }
    }
}

impl Operation for Attend {
    type State = AttentionCache;

    fn has_parameters(&self) -> bool {
        true
    }

    fn depends_on_mode(&self) -> bool {
        self.dropout.is_some()
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        cache: &mut AttentionCache,
    ) -> Result<Flow> {
        let dropout = match (self.dropout, call.mode) {
            (Some((index, probability)), Mode::Training { seed }) => Some(AttentionDropout {
                key: DropoutKey::new(seed, index),
                probability,
            }),
            _ => None,
        };
        let pass = AttentionPass {
            keep: call.keep(),
            lengths: call.lengths,
            dropout,
        };
        let parameters = self.parameters.read(call);
        let out = out.resize(x.len());
        attention::forward(&self.shape(call), &parameters, &pass, x, out, cache)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        cache: &mut AttentionCache,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        let target = dx
            .as_deref_mut()
            .map_or(InputGradient::Skip, InputGradient::Overwrite);
        let parameters = self.parameters.read(call);
        let gradients = self.parameters.gradients(pull);
        attention::backward(&parameters, cache, &dout, target, gradients)?;
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [cache, _]: [&mut AttentionCache; 2],
    ) -> Result<Buffer> {
        if pair.as_captum {
            let dx = self.backward(call, pair.kept(), dout, true, pull, cache)?;
            return Ok(dx.unwrap_or_default());
        }
        let mut dx = pull.take(pair.x.len());
        let (shape, parameters) = (self.shape(call), self.parameters.read(call));
        let inputs = [pair.x, pair.reference];
        attention::multipliers(&shape, &parameters, call.lengths, inputs, &dout, &mut dx)?;
        pull.spare(dout);
        Ok(dx)
    }
}
