//! The long short-term memory.

use super::{Cost, Misfit, Readout, Rule, Tensor, check_size, product};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::lstm::{
    self, InputGradient, LstmCache, LstmGradients, LstmParameters, LstmShape,
};
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::start::Start;
use crate::network::{Shape, limits};
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
    /// LSTMs on top of each other: each reads the states of the one below.
    #[serde(default = "super::one", skip_serializing_if = "super::is_one")]
    pub layers: usize,
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

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
impl Direction {
    fn is_forward(&self) -> bool {
        *self == Self::Forward
    }
}

/// Gates of a unit.
pub(super) const GATES: usize = 4;

impl Lstm {
    /// One direction, its last state.
    pub fn new(name: &str, hidden: usize) -> Self {
        Self {
            name: name.into(),
            hidden,
            layers: 1,
            direction: Direction::Forward,
            readout: Readout::Last,
        }
    }

    /// Values of a step's states, both directions together.
    fn width(&self) -> usize {
        self.hidden.saturating_mul(self.suffixes().len())
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
        if !(1..=limits::LAYERS).contains(&self.layers) {
            let expected = format!("1 to {}", limits::LAYERS);
            return Err(Misfit::new(
                format_args!("{} layers", self.layers),
                expected,
            ));
        }
        let Shape::Series { steps, .. } = input else {
            return Err(Misfit::new(input, "a series"));
        };
        Ok(self.readout.output(steps, self.width()))
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let start = Start::Uniform(1.0 / (self.hidden as f32).sqrt());
        let gates = GATES * self.hidden;
        let mut tensors = Vec::new();
        for layer in 0..self.layers {
            let inputs = if layer == 0 {
                input.channels()
            } else {
                self.width()
            };
            for suffix in self.suffixes() {
                for (tensor, shape) in [
                    ("weight_ih", vec![gates, inputs]),
                    ("weight_hh", vec![gates, self.hidden]),
                    ("bias_ih", vec![gates]),
                    ("bias_hh", vec![gates]),
                ] {
                    let name = format!("{tensor}_l{layer}{suffix}");
                    tensors.push(Tensor::new(name, shape, start));
                }
            }
        }
        tensors.extend(self.readout.tensors(self.width()));
        tensors
    }

    fn cost(&self, input: Shape, output: Shape) -> Cost {
        let mut cost = Cost {
            operations: 0,
            values: output.len(),
        };
        let units = product(&[input.positions(), self.width()]);
        // Layers behind the second cost what the second does.
        for (layers, inputs) in [(1, input.channels()), (self.layers - 1, self.width())] {
            let inputs = inputs.saturating_add(self.hidden);
            cost = cost.plus(Cost {
                operations: product(&[layers, units, GATES, inputs]),
                values: product(&[layers, units, GATES + 1]),
            });
        }
        cost
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let steps = place.input.positions();
        let mut inputs = place.input.channels();
        for layer in 0..self.layers {
            let last = layer + 1 == self.layers && self.readout == Readout::Last;
            let shape = LstmShape {
                readout: if last {
                    lstm::Readout::Last
                } else {
                    lstm::Readout::All
                },
                ..LstmShape::new(steps, inputs, self.hidden)
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
            let output = if last { Readout::Last } else { Readout::All };
            let output = output.output(steps, self.width());
            place.push_inner(Recur { shapes, parameters }, output);
            inputs = self.width();
        }
        self.readout.lower(steps, self.width(), place);
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
            let dx = self.backward(call, pair.kept(), dout, true, pull, caches)?;
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
