//! The LSTM with input-cell attention.

use super::lstm::GATES;
use super::{Cost, Misfit, Readout, Rule, Tensor, check_size, product};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::input_cell::{
    self, InputCellCache, InputCellGradients, InputCellParameters, InputCellShape,
};
use crate::kernel::lstm::{self, InputGradient, LstmShape};
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::start::Start;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// An LSTM whose cell reads, at step t, an attention over the inputs up to t instead of the input at
/// t: `A = softmax over steps 0..t of (W₂ tanh(W₁ x + b₁) + b₂)`, `m_t = mean over hops of A x`, and
/// the LSTM's gates of `m_t` and the state (Ismail et al., NeurIPS 2019, arXiv 1910.12370, in the
/// form of the 2020 benchmark's code).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputCellLstm {
    /// Its name: `NAME.weight_iBarh` `[inputs, 4 · hidden]`, `NAME.weight_hh`
    /// `[hidden, 4 · hidden]`, `NAME.bias` `[4 · hidden]`, `NAME.linear_first` and
    /// `NAME.linear_second` with `.weight` and `.bias`.
    pub name: String,
    /// Hidden units.
    pub hidden: usize,
    /// Attentions whose results are averaged.
    pub hops: usize,
    /// Values of the attention's inner layer.
    pub attention_width: usize,
    /// What leaves the layer.
    #[serde(default, skip_serializing_if = "Readout::is_last")]
    pub readout: Readout,
}

impl InputCellLstm {
    /// The benchmark's attention, the last state.
    pub fn new(name: &str, hidden: usize) -> Self {
        /// The benchmark's.
        const HOPS: usize = 10;
        /// The benchmark's.
        const ATTENTION_WIDTH: usize = 50;
        Self {
            name: name.into(),
            hidden,
            hops: HOPS,
            attention_width: ATTENTION_WIDTH,
            readout: Readout::Last,
        }
    }
}

impl Rule for InputCellLstm {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        check_size("hidden", self.hidden)?;
        check_size("hops", self.hops)?;
        check_size("attention-width", self.attention_width)?;
        match input {
            Shape::Series { steps, .. } => Ok(self.readout.output(steps, self.hidden)),
            _ => Err(Misfit::new(input, "a series")),
        }
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let (inputs, gates) = (input.channels(), GATES.saturating_mul(self.hidden));
        let none = Start::Constant(0.0);
        let matrix = |name: &str, rows: usize, columns: usize| {
            Tensor::new(name, [rows, columns], Start::xavier(rows, columns))
        };
        let mut tensors = vec![
            matrix("weight_iBarh", inputs, gates),
            matrix("weight_hh", self.hidden, gates),
            Tensor::new("bias", [gates], none),
            matrix("linear_first.weight", self.attention_width, inputs),
            Tensor::new("linear_first.bias", [self.attention_width], none),
            matrix("linear_second.weight", self.hops, self.attention_width),
            Tensor::new("linear_second.bias", [self.hops], none),
        ];
        tensors.extend(self.readout.tensors(self.hidden));
        tensors
    }

    fn cost(&self, input: Shape, output: Shape) -> Cost {
        let (steps, inputs) = (input.positions(), input.channels());
        let scores = inputs
            .saturating_add(self.hops)
            .saturating_mul(self.attention_width);
        let averages = product(&[self.hops, inputs]);
        let gates = product(&[GATES, self.hidden, inputs.saturating_add(self.hidden)]);
        let step = scores.saturating_add(averages).saturating_add(gates);
        Cost {
            operations: product(&[steps, step]),
            values: output.len().saturating_add(product(&[
                steps,
                averages.saturating_add(self.attention_width),
            ])),
        }
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let (steps, inputs) = (place.input.positions(), place.input.channels());
        let last = self.readout == Readout::Last;
        let shape = InputCellShape {
            lstm: LstmShape {
                readout: if last {
                    lstm::Readout::Last
                } else {
                    lstm::Readout::All
                },
                ..LstmShape::new(steps, inputs, self.hidden)
            },
            hops: self.hops,
            attention_width: self.attention_width,
        };
        let states = if last { Readout::Last } else { Readout::All };
        let parameters = place.parameters();
        let recur = Recur { shape, parameters };
        place.push_inner(recur, states.output(steps, self.hidden));
        self.readout.lower(steps, self.hidden, place);
    }
}

#[derive(Debug)]
struct Recur {
    shape: InputCellShape,
    /// In the order of [`Rule::tensors`].
    parameters: [Range<usize>; 7],
}

impl Recur {
    fn parameters<'a>(&self, call: &Call<'a>) -> InputCellParameters<'a> {
        let ranges = self.parameters.each_ref();
        let [
            weight_ibarh,
            weight_hh,
            bias,
            first_weight,
            first_bias,
            second_weight,
            second_bias,
        ] = ranges.map(|range| call.read(range));
        InputCellParameters {
            weight_ibarh,
            weight_hh,
            bias,
            first_weight,
            first_bias,
            second_weight,
            second_bias,
        }
    }
}

impl Operation for Recur {
    type State = InputCellCache;

    fn has_parameters(&self) -> bool {
        true
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        cache: &mut InputCellCache,
    ) -> Result<Flow> {
        let out = out.resize(call.batch * self.shape.lstm.output_len());
        let (lengths, keep) = (call.lengths, call.keep());
        let parameters = self.parameters(call);
        input_cell::forward(&self.shape, parameters, x, lengths, keep, out, cache)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        cache: &mut InputCellCache,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        let target = dx
            .as_deref_mut()
            .map_or(InputGradient::Skip, InputGradient::Overwrite);
        let gradients = pull.gradients(self.parameters.each_ref());
        let gradients = gradients.map(
            |[
                weight_ibarh,
                weight_hh,
                bias,
                first_weight,
                first_bias,
                second_weight,
                second_bias,
            ]| InputCellGradients {
                weight_ibarh,
                weight_hh,
                bias,
                first_weight,
                first_bias,
                second_weight,
                second_bias,
            },
        );
        input_cell::backward(self.parameters(call), cache, &dout, target, gradients)?;
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [cache, _]: [&mut InputCellCache; 2],
    ) -> Result<Buffer> {
        if pair.as_captum {
            let dx = self.backward(call, pair.kept(), dout, true, pull, cache)?;
            return Ok(dx.unwrap_or_default());
        }
        let mut dx = pull.take(pair.x.len());
        let target = InputGradient::Overwrite(&mut dx);
        let (parameters, lengths) = (self.parameters(call), call.lengths);
        let [x, reference] = [pair.x, pair.reference];
        input_cell::multipliers(
            &self.shape,
            parameters,
            x,
            reference,
            lengths,
            &dout,
            target,
        )?;
        pull.spare(dout);
        Ok(dx)
    }
}
