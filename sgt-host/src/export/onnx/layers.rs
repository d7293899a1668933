//! What each layer is in ONNX.

use super::graph::{Attribute, Element, size};
use super::writer::{Layout, Writer};
use crate::Result;
use crate::kernel::batch_norm;
use crate::kernel::positional::{Wavelengths, table};
use crate::network::layer::{
    Convolution, Direction, EncodingForm, Flatten, FlattenOrder, InputCellLstm, Layer, LayerNorm,
    LayerNormForm, Linear, Lstm, Pair, PositionalEncoding, Projections, Readout, Residual,
    SelfAttention, normalise,
};
use crate::network::{LayerSummary, Shape};
use std::slice::Iter;

/// The summaries of a description in the order of the walk.
pub(super) type Walk<'w, 'd> = Iter<'w, LayerSummary<'d>>;

/// ε of PyTorch's layer norm, and of the unbiased form.
const LAYER_NORM_EPSILON: f32 = 1e-5;
const UNBIASED_EPSILON: f32 = 1e-6;

const GATES: usize = 4;

/// The weights of one recurrent layer in one direction, gates in the order i, f, g, o.
struct Recurrent {
    /// `[4 · hidden, inputs]`.
    input: Vec<f32>,
    /// `[4 · hidden, hidden]`.
    state: Vec<f32>,
    /// `[4 · hidden]`, of the input and of the state.
    biases: [Vec<f32>; 2],
}

impl Writer<'_> {
    /// Writes `layers`, whose summaries come next in `walk`.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] for a parameter that is missing.
    pub(super) fn layers(&mut self, layers: &[Layer], walk: &mut Walk<'_, '_>) -> Result<()> {
        for _ in layers {
            if let Some(summary) = walk.next() {
                self.layer(summary, walk)?;
            }
        }
        Ok(())
    }

    fn layer(&mut self, summary: &LayerSummary<'_>, walk: &mut Walk<'_, '_>) -> Result<()> {
        let output = summary.output;
        match summary.layer {
            Layer::Relu(_) => self.elementwise("Relu", output),
            Layer::Tanh(_) => self.elementwise("Tanh", output),
            Layer::Sigmoid(_) => {
                self.elementwise("Sigmoid", output);
                self.state.filled = true;
            }
            Layer::Gelu(_) => self.gelu(output),
            Layer::Convolution(own) => self.convolution(summary, own)?,
            Layer::BatchNorm(own) => self.batch_norm(&own.name, output)?,
            Layer::LayerNorm(own) => self.layer_norm(summary, own)?,
            Layer::MaxPool(own) => {
                self.pool("MaxPool", output, (own.window, own.stride, own.padding));
            }
            Layer::AveragePool(own) => {
                self.pool("AveragePool", output, (own.window, own.stride, own.padding));
            }
            Layer::GlobalAveragePool(_) => self.mean(output),
            Layer::GlobalMaxPool(_) => self.maximum(output),
            // Nothing at inference; and the vectors are looked up in front of the network.
            Layer::Dropout(_) | Layer::Embedding(_) => self.state.shape = output,
            Layer::Flatten(own) => self.flatten(own, output),
            Layer::Linear(own) => self.linear(own, output)?,
            Layer::InputCellLstm(own) => self.input_cell_lstm(summary, own)?,
            Layer::PositionalEncoding(own) => self.positional_encoding(own, output),
            Layer::Lstm(own) => self.lstm(summary, own)?,
            Layer::SelfAttention(own) => self.self_attention(summary, own)?,
            Layer::Residual(own) => self.residual(own, output, walk)?,
        }
        Ok(())
    }

    fn elementwise(&mut self, operator: &str, output: Shape) {
        let value = self.of_x(operator, &[]);
        self.give(value, output);
    }

    /// `x · ½ (1 + erf(x / √2))`.
    fn gelu(&mut self, output: Shape) {
        let x = self.x.clone();
        let [root, half, one] = [std::f32::consts::FRAC_1_SQRT_2, 0.5, 1.0]
            .map(|value| self.graph.floats(&[], &[value]));
        let scaled = self.both("Mul", &x, &root);
        let erf = self.graph.node("Erf", &[&scaled], &[]);
        let share = self.both("Add", &erf, &one);
        let share = self.both("Mul", &share, &half);
        let value = self.both("Mul", &x, &share);
        self.give(value, output);
    }

    /// The parameter `name` as a tensor of the graph.
    fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<String> {
        let values = self.parameters.get(name)?;
        Ok(self.graph.floats(shape, values))
    }

    fn convolution(&mut self, summary: &LayerSummary<'_>, own: &Convolution) -> Result<()> {
        let geometry = own.geometry(summary.input);
        let geometry = geometry.unwrap_or_else(|misfit| {
            unreachable!("the description was checked: {misfit:?}");
        });
        self.turn(Layout::ChannelsFirst);
        let first = usize::from(matches!(summary.input, Shape::Series { .. }));
        if geometry.dilation[1] * (geometry.kernel[1] - 1) > geometry.padding_before[1] {
            self.clear_padding();
        }
        let mut shape = vec![own.channels, geometry.in_channels / own.groups];
        shape.extend(&geometry.kernel[first..]);
        let name = &own.name;
        let weight = if own.weight_norm {
            let direction = self.parameters.get(&format!("{name}.weight_v"))?;
            let lengths = self.parameters.get(&format!("{name}.weight_g"))?;
            let mut weight = vec![0.0; direction.len()];
            normalise(direction, lengths, &mut weight);
            self.graph.floats(&shape, &weight)
        } else {
            self.parameter(&format!("{name}.weight"), &shape)?
        };
        let mut inputs = vec![self.x.clone(), weight];
        if own.bias {
            inputs.push(self.parameter(&format!("{name}.bias"), &[own.channels])?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let axes = |sizes: &[usize]| sizes[first..].iter().map(|&s| size(s)).collect::<Vec<_>>();
        let mut pads = axes(&geometry.padding_before);
        pads.extend(axes(&geometry.padding_after));
        let attributes = [
            Attribute::Ints("kernel_shape", axes(&geometry.kernel)),
            Attribute::Ints("strides", axes(&geometry.stride)),
            Attribute::Ints("dilations", axes(&geometry.dilation)),
            Attribute::Ints("pads", pads),
            Attribute::Int("group", size(own.groups)),
        ];
        let value = self.graph.node("Conv", &inputs, &attributes);
        self.give(value, summary.output);
        if let Shape::Series { steps, .. } = summary.output {
            self.stride_lengths(geometry.stride[1], steps);
        }
        Ok(())
    }

    fn batch_norm(&mut self, name: &str, output: Shape) -> Result<()> {
        self.turn(Layout::ChannelsFirst);
        let channels = output.channels();
        let mut inputs = vec![self.x.clone()];
        for part in ["weight", "bias", "running_mean", "running_var"] {
            inputs.push(self.parameter(&format!("{name}.{part}"), &[channels])?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let epsilon = Attribute::Float("epsilon", batch_norm::EPSILON);
        let value = self.graph.node("BatchNormalization", &inputs, &[epsilon]);
        self.give(value, output);
        self.state.filled = true;
        Ok(())
    }

    fn layer_norm(&mut self, summary: &LayerSummary<'_>, own: &LayerNorm) -> Result<()> {
        self.turn(Layout::StepsFirst);
        let is_image = matches!(summary.input, Shape::Image { .. });
        let mut x = self.x.clone();
        if is_image {
            x = self.transposed(&x, &[0, 2, 3, 1]);
        }
        let channels = summary.input.channels();
        let scale = match own.form {
            LayerNormForm::Standard => "weight",
            LayerNormForm::Unbiased => "alpha",
        };
        let scale = self.parameter(&format!("{}.{scale}", own.name), &[channels])?;
        let bias = self.parameter(&format!("{}.bias", own.name), &[channels])?;
        let mut value = match own.form {
            LayerNormForm::Standard => {
                let attributes = [
                    Attribute::Int("axis", -1),
                    Attribute::Float("epsilon", LAYER_NORM_EPSILON),
                ];
                self.graph
                    .node("LayerNormalization", &[&x, &scale, &bias], &attributes)
            }
            LayerNormForm::Unbiased => {
                let mean = self.reduced("ReduceMean", &x, &[-1], true);
                let centred = self.both("Sub", &x, &mean);
                let squares = self.both("Mul", &centred, &centred);
                let sum = self.reduced("ReduceSum", &squares, &[-1], true);
                let freedom = self.graph.floats(&[], &[channels.saturating_sub(1) as f32]);
                let variance = self.both("Div", &sum, &freedom);
                let deviation = self.graph.node("Sqrt", &[&variance], &[]);
                let epsilon = self.graph.floats(&[], &[UNBIASED_EPSILON]);
                let deviation = self.both("Add", &deviation, &epsilon);
                let scaled = self.both("Mul", &centred, &scale);
                let normalised = self.both("Div", &scaled, &deviation);
                self.both("Add", &normalised, &bias)
            }
        };
        if is_image {
            value = self.transposed(&value, &[0, 3, 1, 2]);
        }
        self.give(value, summary.output);
        self.state.filled = true;
        Ok(())
    }

    fn pool(
        &mut self,
        operator: &str,
        output: Shape,
        (window, stride, padding): (Pair, Option<Pair>, Pair),
    ) {
        self.turn(Layout::ChannelsFirst);
        self.clear_padding();
        let axes = if matches!(output, Shape::Image { .. }) {
            2
        } else {
            1
        };
        let sizes = |pair: Pair| -> Vec<i64> {
            match pair {
                Pair::Same(one) => vec![size(one); axes],
                Pair::Each(each) => each[2 - axes..].iter().map(|&s| size(s)).collect(),
            }
        };
        let stride = stride.unwrap_or(window);
        let mut attributes = vec![
            Attribute::Ints("kernel_shape", sizes(window)),
            Attribute::Ints("strides", sizes(stride)),
            Attribute::Ints("pads", [sizes(padding), sizes(padding)].concat()),
        ];
        if operator == "AveragePool" {
            attributes.push(Attribute::Int("count_include_pad", 1));
        }
        let value = self.of_x(operator, &attributes);
        self.give(value, output);
        if let (Shape::Series { steps, .. }, Pair::Same(stride)) = (output, stride) {
            self.stride_lengths(stride, steps);
        }
    }

    /// The axes of positions of `x`.
    fn positions(&self) -> Vec<i64> {
        match (self.state.shape, self.state.layout) {
            (Shape::Image { .. }, _) => vec![2, 3],
            (_, Layout::ChannelsFirst) => vec![2],
            (_, Layout::StepsFirst) => vec![1],
        }
    }

    /// The mean over all real positions.
    fn mean(&mut self, output: Shape) {
        let axes = self.positions();
        let value = match self.lengths() {
            None => {
                let x = self.x.clone();
                self.reduced("ReduceMean", &x, &axes, false)
            }
            Some(lengths) => {
                let real = self.padded_with(0.0);
                let sum = self.reduced("ReduceSum", &real, &axes, false);
                let count = self.cast(&lengths, Element::Float);
                let count = self.unsqueezed(&count, &[1]);
                self.both("Div", &sum, &count)
            }
        };
        self.give(value, output);
    }

    /// The largest value over all real positions.
    fn maximum(&mut self, output: Shape) {
        let axes = self.positions();
        let real = self.padded_with(f32::NEG_INFINITY);
        let value = self.reduced("ReduceMax", &real, &axes, false);
        self.give(value, output);
    }

    fn flatten(&mut self, own: &Flatten, output: Shape) {
        self.clear_padding();
        match (own.order, self.state.shape) {
            (FlattenOrder::ChannelsFirst, _) => self.turn(Layout::ChannelsFirst),
            (FlattenOrder::ChannelsLast, Shape::Image { .. }) => {
                let x = self.x.clone();
                self.x = self.transposed(&x, &[0, 2, 3, 1]);
            }
            (FlattenOrder::ChannelsLast, _) => self.turn(Layout::StepsFirst),
        }
        let value = self.of_x("Flatten", &[Attribute::Int("axis", 1)]);
        self.give(value, output);
    }

    /// `value Wᵀ + b` over its last axis.
    fn product(
        &mut self,
        value: &str,
        weight: &[f32],
        bias: Option<&[f32]>,
        outputs: usize,
    ) -> String {
        let inputs = weight.len() / outputs;
        let columns = turned(weight, outputs);
        let weight = self.graph.floats(&[inputs, outputs], &columns);
        let product = self.both("MatMul", value, &weight);
        match bias {
            None => product,
            Some(bias) => {
                let bias = self.graph.floats(&[outputs], bias);
                self.both("Add", &product, &bias)
            }
        }
    }

    fn linear(&mut self, own: &Linear, output: Shape) -> Result<()> {
        self.turn(Layout::StepsFirst);
        let weight = self.parameters.get(&format!("{}.weight", own.name))?;
        let bias = if own.bias {
            Some(self.parameters.get(&format!("{}.bias", own.name))?)
        } else {
            None
        };
        let x = self.x.clone();
        let value = self.product(&x, weight, bias, own.outputs);
        self.give(value, output);
        self.state.filled |= own.bias;
        Ok(())
    }

    fn positional_encoding(&mut self, own: &PositionalEncoding, output: Shape) {
        self.turn(Layout::StepsFirst);
        let (steps, channels) = (output.positions(), output.channels());
        let wavelengths = match own.form {
            EncodingForm::Published => Wavelengths::Published,
            EncodingForm::Standard => Wavelengths::Shared,
        };
        let waves = table(wavelengths, steps, channels);
        let waves = self.graph.floats(&[steps, channels], &waves);
        let mut x = self.x.clone();
        if own.scale {
            let scale = self.graph.floats(&[], &[(channels as f32).sqrt()]);
            x = self.both("Mul", &x, &scale);
        }
        let value = self.both("Add", &x, &waves);
        self.give(value, output);
        self.state.filled = true;
    }

    /// An LSTM over `x` `[batch, steps, inputs]`: the states of all steps, directions side by side,
    /// and the last state of each direction side by side.
    fn recur(
        &mut self,
        x: &str,
        hidden: usize,
        direction: Direction,
        all: &[Recurrent],
    ) -> [String; 2] {
        let inputs = all[0].input.len() / (GATES * hidden);
        let join =
            |of: &dyn Fn(&Recurrent) -> Vec<f32>| -> Vec<f32> { all.iter().flat_map(of).collect() };
        let weight = join(&|own| in_onnx_order(&own.input, hidden));
        let state = join(&|own| in_onnx_order(&own.state, hidden));
        let bias = join(&|own| {
            let [input, state] = &own.biases;
            [in_onnx_order(input, hidden), in_onnx_order(state, hidden)].concat()
        });
        let directions = all.len();
        let weight = self
            .graph
            .floats(&[directions, GATES * hidden, inputs], &weight);
        let state = self
            .graph
            .floats(&[directions, GATES * hidden, hidden], &state);
        let bias = self.graph.floats(&[directions, 2 * GATES * hidden], &bias);
        let steps_outside = self.transposed(x, &[1, 0, 2]);
        let lengths = self
            .lengths()
            .map(|lengths| self.cast(&lengths, Element::Int32));
        let lengths = lengths.unwrap_or_default();
        let direction = match direction {
            Direction::Forward => "forward",
            Direction::Reverse => "reverse",
            Direction::Both => "bidirectional",
        };
        let attributes = [
            Attribute::Int("hidden_size", size(hidden)),
            Attribute::Text("direction", direction),
        ];
        let inputs = [&*steps_outside, &weight, &state, &bias, &lengths];
        let count = if lengths.is_empty() { 4 } else { 5 };
        let [states, last] = self
            .graph
            .node_of_two("LSTM", &inputs[..count], &attributes);
        // [steps, directions, batch, hidden] and [directions, batch, hidden].
        let states = self.transposed(&states, &[2, 0, 1, 3]);
        let last = self.transposed(&last, &[1, 0, 2]);
        let width = directions * hidden;
        [
            self.reshaped(&states, &[0, 0, width]),
            self.reshaped(&last, &[0, width]),
        ]
    }

    fn lstm(&mut self, summary: &LayerSummary<'_>, own: &Lstm) -> Result<()> {
        self.turn(Layout::StepsFirst);
        let suffixes: &[&str] = match own.direction {
            Direction::Forward => &[""],
            Direction::Reverse => &["_reverse"],
            Direction::Both => &["", "_reverse"],
        };
        let mut found = [self.x.clone(), String::new()];
        for layer in 0..own.layers {
            let mut all = Vec::new();
            for suffix in suffixes {
                let get = |part: &str| {
                    let name = format!("{}.{part}_l{layer}{suffix}", own.name);
                    self.parameters.get(&name).map(<[f32]>::to_vec)
                };
                all.push(Recurrent {
                    input: get("weight_ih")?,
                    state: get("weight_hh")?,
                    biases: [get("bias_ih")?, get("bias_hh")?],
                });
            }
            let x = found[0].clone();
            found = self.recur(&x, own.hidden, own.direction, &all);
        }
        self.read_out(summary, own.readout, &own.name, found)
    }

    fn input_cell_lstm(&mut self, summary: &LayerSummary<'_>, own: &InputCellLstm) -> Result<()> {
        self.turn(Layout::StepsFirst);
        let steps = summary.input.positions();
        let parameters = self.parameters;
        let get = |part: &str| parameters.get(&format!("{}.{part}", own.name));
        let x = self.x.clone();
        let (weight, bias) = (get("linear_first.weight")?, get("linear_first.bias")?);
        let inner = self.product(&x, weight, Some(bias), own.attention_width);
        let inner = self.graph.node("Tanh", &[&inner], &[]);
        let (weight, bias) = (get("linear_second.weight")?, get("linear_second.bias")?);
        let scores = self.product(&inner, weight, Some(bias), own.hops);
        // A row for each step, over the steps that it sees.
        let scores = self.transposed(&scores, &[0, 2, 1]);
        let scores = self.unsqueezed(&scores, &[2]);
        let later = self.later(steps);
        let scores = self.both("Add", &scores, &later);
        let shares = self
            .graph
            .node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let shares = self.reduced("ReduceMean", &shares, &[1], false);
        let read = self.both("MatMul", &shares, &x);
        let rows = GATES * own.hidden;
        let inputs = summary.input.channels();
        let all = [Recurrent {
            input: turned(get("weight_iBarh")?, inputs),
            state: turned(get("weight_hh")?, own.hidden),
            biases: [get("bias")?.to_vec(), vec![0.0; rows]],
        }];
        let found = self.recur(&read, own.hidden, Direction::Forward, &all);
        self.read_out(summary, own.readout, &own.name, found)
    }

    /// From the states of all steps, and the last ones, to what leaves a recurrent layer.
    fn read_out(
        &mut self,
        summary: &LayerSummary<'_>,
        readout: Readout,
        name: &str,
        [states, last]: [String; 2],
    ) -> Result<()> {
        let output = summary.output;
        let width = output.channels();
        let series = Shape::Series {
            steps: summary.input.positions(),
            channels: width,
        };
        self.give(states, series);
        self.state.layout = Layout::StepsFirst;
        // Behind the real steps the operator leaves zeros.
        self.state.filled = false;
        match readout {
            Readout::All => {}
            Readout::Last => self.give(last, output),
            Readout::Mean => self.mean(output),
            Readout::Max => self.maximum(output),
            Readout::Attention => {
                let parameters = self.parameters;
                let get = |part: &str| parameters.get(&format!("{name}.attention.{part}"));
                let (weight, bias) = (get("weight")?, get("bias")?);
                let x = self.x.clone();
                let inner = self.product(&x, weight, Some(bias), width);
                let inner = self.graph.node("Tanh", &[&inner], &[]);
                let scores = self.product(&inner, get("query")?, None, 1);
                let scores = match self.real() {
                    None => scores,
                    Some(real) => {
                        let real = self.unsqueezed(&real, &[2]);
                        let never = self.graph.floats(&[], &[f32::NEG_INFINITY]);
                        self.graph.node("Where", &[&real, &scores, &never], &[])
                    }
                };
                let shares = self
                    .graph
                    .node("Softmax", &[&scores], &[Attribute::Int("axis", 1)]);
                let weighted = self.both("Mul", &x, &shares);
                let value = self.reduced("ReduceSum", &weighted, &[1], false);
                self.give(value, output);
            }
        }
        Ok(())
    }

    /// `[steps, steps]`: −∞ for the steps that lie in the future of each, 0 elsewhere.
    fn later(&mut self, steps: usize) -> String {
        let cell = |place: usize| {
            if place % steps > place / steps {
                f32::NEG_INFINITY
            } else {
                0.0
            }
        };
        let mask: Vec<f32> = (0..steps * steps).map(cell).collect();
        self.graph.floats(&[steps, steps], &mask)
    }

    fn self_attention(&mut self, summary: &LayerSummary<'_>, own: &SelfAttention) -> Result<()> {
        self.turn(Layout::StepsFirst);
        let (steps, channels) = (summary.input.positions(), summary.input.channels());
        let width = channels / own.heads;
        let parameters = self.parameters;
        let get = |part: &str| parameters.get(&format!("{}.{part}", own.name));
        let x = self.x.clone();
        let mut heads = Vec::new();
        for (place, part) in ["q_linear", "k_linear", "v_linear"].into_iter().enumerate() {
            let (weight, bias) = match own.projections {
                Projections::Packed => {
                    let rows = place * channels..(place + 1) * channels;
                    let weight =
                        &get("in_proj_weight")?[rows.start * channels..rows.end * channels];
                    (weight, &get("in_proj_bias")?[rows])
                }
                Projections::Separate => (
                    get(&format!("{part}.weight"))?,
                    get(&format!("{part}.bias"))?,
                ),
            };
            let projected = self.product(&x, weight, Some(bias), channels);
            let split = self.reshaped(&projected, &[0, steps, own.heads, width]);
            heads.push(self.transposed(&split, &[0, 2, 1, 3]));
        }
        let keys = self.transposed(&heads[1], &[0, 1, 3, 2]);
        let scores = self.both("MatMul", &heads[0], &keys);
        let scale = self.graph.floats(&[], &[1.0 / (width as f32).sqrt()]);
        let mut scores = self.both("Mul", &scores, &scale);
        if own.causal {
            let later = self.later(steps);
            scores = self.both("Add", &scores, &later);
        }
        if let Some(real) = self.real() {
            let real = self.unsqueezed(&real, &[1, 2]);
            let never = self.graph.floats(&[], &[f32::NEG_INFINITY]);
            scores = self.graph.node("Where", &[&real, &scores, &never], &[]);
        }
        let shares = self
            .graph
            .node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let read = self.both("MatMul", &shares, &heads[2]);
        let read = self.transposed(&read, &[0, 2, 1, 3]);
        let read = self.reshaped(&read, &[0, steps, channels]);
        let out = match own.projections {
            Projections::Packed => "out_proj",
            Projections::Separate => "out",
        };
        let (weight, bias) = (get(&format!("{out}.weight"))?, get(&format!("{out}.bias"))?);
        let value = self.product(&read, weight, Some(bias), channels);
        self.give(value, summary.output);
        self.state.filled = true;
        Ok(())
    }

    fn residual(&mut self, own: &Residual, output: Shape, walk: &mut Walk<'_, '_>) -> Result<()> {
        let (x, start) = (self.x.clone(), self.state);
        self.layers(&own.body, walk)?;
        let (through, after) = (self.x.clone(), self.state);
        self.x = x;
        self.state = start;
        self.layers(&own.shortcut, walk)?;
        if matches!(output, Shape::Series { .. }) {
            self.turn(after.layout);
        }
        let (around, filled) = (self.x.clone(), self.state.filled);
        self.state = after;
        self.state.filled |= filled;
        let value = self.both("Add", &through, &around);
        self.give(value, output);
        Ok(())
    }
}

/// The matrix `[rows, columns]` as `[columns, rows]`.
fn turned(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    let column = |column: usize| (0..rows).map(move |row| matrix[row * columns + column]);
    (0..columns).flat_map(column).collect()
}

/// Gates in the order i, o, f, g instead of i, f, g, o.
fn in_onnx_order(rows: &[f32], hidden: usize) -> Vec<f32> {
    let gate = rows.len() / GATES;
    debug_assert!(gate.is_multiple_of(hidden));
    let order = [0, 3, 1, 2].into_iter();
    order
        .flat_map(|place| rows[place * gate..][..gate].to_vec())
        .collect()
}
