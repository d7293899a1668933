//! The long short-term memory.

use super::{Cost, Misfit, Rule, Tensor, check_size, product};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::lstm::{
    self, InputGradient, LstmCache, LstmGradients, LstmParameters, LstmShape,
};
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::start::Start;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A long short-term memory over the steps of a series, from zero states (Hochreiter, Schmidhuber
/// 1997), with PyTorch's formulas and gate order i, f, g, o.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lstm {
    /// Its name: `NAME.weight_ih_l0` `[4 · hidden, inputs]`, `NAME.weight_hh_l0`
    /// `[4 · hidden, hidden]`, `NAME.bias_ih_l0` and `NAME.bias_hh_l0` `[4 · hidden]`, with
    /// `_reverse` behind them for the other direction and the number of the layer for 0.
    pub name: String,
    /// Hidden units of a direction.
    pub hidden: usize,
    /// The direction of time.
    #[serde(default, skip_serializing_if = "Direction::is_forward")]
    pub direction: Direction,
    /// What leaves the last layer.
    #[serde(default, skip_serializing_if = "Readout::is_last")]
    pub readout: Readout,
}

/// The direction in which a recurrent layer goes through a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the first step to the last.
    #[default]
    Forward,
    /// From the last step to the first.
    Reverse,
    /// Both, their states side by side.
    Both,
}

/// What leaves a recurrent layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// The state after the last step (of the reverse direction: after the first).
    #[default]
    Last,
    /// The states of all steps: a series.
    All,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
impl Direction {
    fn is_forward(&self) -> bool {
        *self == Self::Forward
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
impl Readout {
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

/// Gates of a unit.
const GATES: usize = 4;

impl Lstm {
    /// One direction, its last state.
    pub fn new(name: &str, hidden: usize) -> Self {
        Self {
            name: name.into(),
            hidden,
            direction: Direction::Forward,
            readout: Readout::Last,
        }
    }

    fn suffixes(&self) -> &'static [&'static str] {
        match self.direction {
            Direction::Forward => &[""],
            Direction::Reverse => &["_reverse"],
            Direction::Both => &["", "_reverse"],
        }
    }
}

impl Rule for Lstm {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        check_size("hidden", self.hidden)?;
        let Shape::Series { steps, .. } = input else {
            return Err(Misfit::new(input, "a series"));
        };
        let channels = self.hidden * self.suffixes().len();
        Ok(match self.readout {
            Readout::Last => Shape::Vector { features: channels },
            Readout::All => Shape::Series { steps, channels },
        })
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let start = Start::Uniform(1.0 / (self.hidden as f32).sqrt());
        let gates = GATES * self.hidden;
        let mut tensors = Vec::new();
        for suffix in self.suffixes() {
            for (tensor, shape) in [
                ("weight_ih", vec![gates, input.channels()]),
                ("weight_hh", vec![gates, self.hidden]),
                ("bias_ih", vec![gates]),
                ("bias_hh", vec![gates]),
            ] {
                tensors.push(Tensor::new(format!("{tensor}_l0{suffix}"), shape, start));
            }
        }
        tensors
    }

    fn cost(&self, input: Shape, output: Shape) -> Cost {
        let directions = self.suffixes().len();
        let inputs = input.channels().saturating_add(self.hidden);
        let units = product(&[input.positions(), directions, self.hidden]);
        Cost {
            operations: product(&[units, GATES, inputs]),
            values: output.len().saturating_add(product(&[units, GATES + 1])),
        }
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let steps = place.input.positions();
        let shape = LstmShape {
            readout: match self.readout {
                Readout::Last => lstm::Readout::Last,
                Readout::All => lstm::Readout::All,
            },
            ..LstmShape::new(steps, place.input.channels(), self.hidden)
        };
        let reverse = LstmShape {
            direction: lstm::Direction::Reverse,
            ..shape
        };
        let shapes = match self.direction {
            Direction::Forward => vec![shape],
            Direction::Reverse => vec![reverse],
            Direction::Both => shape.bidirectional().to_vec(),
        };
        let parameters = shapes.iter().map(|_| place.parameters());
        let parameters = parameters.collect();
        place.push(Recur { shapes, parameters });
    }
}

/// One layer, in one direction or both.
#[derive(Debug)]
struct Recur {
    /// One shape a direction.
    shapes: Vec<LstmShape>,
    /// `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` of each direction.
    parameters: Vec<[Range<usize>; 4]>,
}

fn parameters<'a>(call: &Call<'a>, ranges: &[Range<usize>; 4]) -> LstmParameters<'a> {
    let [weight_ih, weight_hh, bias_ih, bias_hh] = ranges.each_ref().map(|range| call.read(range));
    LstmParameters {
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
    }
}

/// The first direction overwrites the input's gradient, the second adds to it.
fn target(index: usize, dx: Option<&mut Buffer>) -> InputGradient<'_> {
    match dx {
        None => InputGradient::Skip,
        Some(dx) if index == 0 => InputGradient::Overwrite(dx),
        Some(dx) => InputGradient::Add(dx),
    }
}

impl Operation for Recur {
    type State = Vec<LstmCache>;

    fn has_parameters(&self) -> bool {
        true
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        caches: &mut Vec<LstmCache>,
    ) -> Result<Flow> {
        let out = out.resize(call.batch * self.shapes[0].output_len());
        caches.resize_with(self.shapes.len(), LstmCache::default);
        for ((shape, own), cache) in self.shapes.iter().zip(&self.parameters).zip(caches) {
            let own = parameters(call, own);
            lstm::forward(shape, own, x, call.lengths, call.keep(), out, cache)?;
        }
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        caches: &mut Vec<LstmCache>,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        for (index, (own, cache)) in self.parameters.iter().zip(caches).enumerate() {
            let gradients = pull.gradients(own.each_ref());
            let gradients =
                gradients.map(|[weight_ih, weight_hh, bias_ih, bias_hh]| LstmGradients {
                    weight_ih,
                    weight_hh,
                    bias_ih,
                    bias_hh,
                });
            let dx = target(index, dx.as_mut());
            lstm::backward(parameters(call, own), cache, &dout, dx, gradients)?;
        }
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [caches, _]: [&mut Vec<LstmCache>; 2],
    ) -> Result<Buffer> {
        if pair.as_captum {
            let kept = Kept {
                x: pair.x,
                out: pair.out,
            };
            let dx = self.backward(call, kept, dout, true, pull, caches)?;
            return Ok(dx.unwrap_or_default());
        }
        let mut dx = pull.take(pair.x.len());
        for (index, (shape, own)) in self.shapes.iter().zip(&self.parameters).enumerate() {
            let own = parameters(call, own);
            let dx = target(index, Some(&mut dx));
            lstm::multipliers(shape, own, pair.x, pair.reference, call.lengths, &dout, dx)?;
        }
        pull.spare(dout);
        Ok(dx)
    }
}
