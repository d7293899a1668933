//! What each layer is in PyTorch.

use super::helpers::Helper;
use super::python::{call, number, size, tuple};
use super::writer::{Layout, Writer};
use crate::network::layer::{
    Convolution, Direction, EncodingForm, Flatten, FlattenOrder, InputCellLstm, Layer, LayerNorm,
    LayerNormForm, Lstm, Pair, PositionalEncoding, Projections, Readout, Residual, SelfAttention,
};
use crate::network::{LayerSummary, Shape};
use crate::{Error, Result};

/// The summaries of a description in the order of the walk, each with its place.
pub(super) type Walk<'w, 'd> = std::iter::Enumerate<std::slice::Iter<'w, LayerSummary<'d>>>;

impl Writer {
    /// Writes `layers`, whose summaries come next in `walk`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer that PyTorch does not have.
    pub(super) fn layers(&mut self, layers: &[Layer], walk: &mut Walk<'_, '_>) -> Result<()> {
        for _ in layers {
            if let Some((index, summary)) = walk.next() {
                self.layer(index, summary, walk)?;
            }
        }
        Ok(())
    }

    fn layer(
        &mut self,
        index: usize,
        summary: &LayerSummary<'_>,
        walk: &mut Walk<'_, '_>,
    ) -> Result<()> {
        let (layer, output) = (summary.layer, summary.output);
        if let Some(own) = layer.rule().elementwise() {
            let module = self.module(index, layer, call(own.class));
            self.apply(&module, output);
            self.state.filled |= !own.keeps_zero;
            return Ok(());
        }
        match layer {
            Layer::Convolution(own) => self.convolution(index, summary, own),
            Layer::BatchNorm(_) => self.batch_norm(index, summary),
            Layer::LayerNorm(own) => self.layer_norm(index, summary, own),
            Layer::MaxPool(own) => {
                let sizes = (own.window, own.stride, own.padding);
                self.pool("nn.MaxPool", index, summary, sizes);
            }
            Layer::AveragePool(own) => {
                let sizes = (own.window, own.stride, own.padding);
                self.pool("nn.AvgPool", index, summary, sizes);
            }
            Layer::GlobalAveragePool(_) => self.mean(output),
            Layer::GlobalMaxPool(_) => self.global_max_pool(index, summary),
            Layer::Dropout(own) => {
                let module = call("nn.Dropout").with(number(own.p));
                let module = self.module(index, layer, module);
                self.apply(&module, output);
            }
            Layer::Flatten(own) => self.flatten(own, output),
            Layer::Linear(own) => {
                self.turn(Layout::StepsFirst);
                let module = call("nn.Linear").with(summary.input.channels());
                let module = module
                    .with(own.outputs)
                    .unless("bias", "True", python(own.bias));
                let module = self.module(index, layer, module);
                self.apply(&module, output);
                self.state.filled |= own.bias;
            }
            // It stands in front of the normalisation.
            Layer::Embedding(_) => {}
            Layer::InputCellLstm(own) => self.input_cell_lstm(index, summary, own),
            Layer::PositionalEncoding(own) => self.positional_encoding(index, summary, own),
            Layer::Lstm(own) => self.lstm(index, summary, own),
            Layer::SelfAttention(own) => self.self_attention(index, summary, own),
            Layer::Residual(own) => self.residual(own, output, walk)?,
            other => {
                return Err(Error::Argument {
                    argument: format!("layer {}", index + 1),
                    found: other.kind().into(),
                    expected: "a layer that PyTorch has".into(),
                });
            }
        }
        Ok(())
    }

    fn convolution(&mut self, index: usize, summary: &LayerSummary<'_>, own: &Convolution) {
        let (input, output) = (summary.input, summary.output);
        let geometry = own.geometry(input);
        let geometry = geometry.unwrap_or_else(|misfit| {
            unreachable!("the description was checked: {misfit:?}");
        });
        self.turn(Layout::ChannelsFirst);
        let first = usize::from(matches!(input, Shape::Series { .. }));
        let (before, after) = (geometry.padding_before, geometry.padding_after);
        let ahead = geometry.dilation[1] * (geometry.kernel[1] - 1) > before[1];
        if ahead {
            self.clear_padding();
        }
        let mut padding = "0".to_string();
        if before == after {
            padding = size(&before[first..]);
        } else {
            // PyTorch names the last axis first.
            let axes = (first..2).rev();
            let zeros: Vec<usize> = axes.flat_map(|axis| [before[axis], after[axis]]).collect();
            let code = format!("{x} = F.pad({x}, {})", tuple(&zeros), x = self.x);
            self.line(&code, "zeros around it");
        }
        let function = match (own.weight_norm, first) {
            (false, 1) => "nn.Conv1d",
            (false, _) => "nn.Conv2d",
            (true, 1) => {
                self.helpers.insert(Helper::WeightNormConv1d);
                "WeightNormConv1d"
            }
            (true, _) => {
                self.helpers.insert(Helper::WeightNormConv2d);
                "WeightNormConv2d"
            }
        };
        let module = call(function)
            .with(geometry.in_channels)
            .with(own.channels)
            .with(size(&geometry.kernel[first..]))
            .unless("stride", "1", size(&geometry.stride[first..]))
            .unless("padding", "0", padding)
            .unless("dilation", "1", size(&geometry.dilation[first..]))
            .unless("groups", 1, own.groups)
            .unless("bias", "True", python(own.bias));
        let module = self.module(index, summary.layer, module);
        self.apply(&module, output);
        if let Shape::Series { steps, .. } = output {
            self.stride_lengths(geometry.stride[1], steps);
        }
    }

    fn batch_norm(&mut self, index: usize, summary: &LayerSummary<'_>) {
        self.turn(Layout::ChannelsFirst);
        self.clear_padding();
        let function = match summary.input {
            Shape::Image { .. } => "nn.BatchNorm2d",
            Shape::Series { .. } | Shape::Vector { .. } => "nn.BatchNorm1d",
        };
        let module = call(function).with(summary.input.channels());
        let module = self.module(index, summary.layer, module);
        self.apply(&module, summary.output);
        self.state.filled = true;
    }

    fn layer_norm(&mut self, index: usize, summary: &LayerSummary<'_>, own: &LayerNorm) {
        self.turn(Layout::StepsFirst);
        let function = match own.form {
            LayerNormForm::Standard => "nn.LayerNorm",
            LayerNormForm::Unbiased => {
                self.helpers.insert(Helper::UnbiasedNorm);
                "UnbiasedNorm"
            }
        };
        let module = call(function).with(summary.input.channels());
        let module = self.module(index, summary.layer, module);
        if let Shape::Image { .. } = summary.input {
            let x = self.x.clone();
            self.line(&format!("{x} = {x}.permute(0, 2, 3, 1)"), "channels last");
            self.line(&format!("{x} = {module}({x})"), "");
            self.give(&format!("{x}.permute(0, 3, 1, 2)"), summary.output);
        } else {
            self.apply(&module, summary.output);
        }
        self.state.filled = true;
    }

    fn self_attention(&mut self, index: usize, summary: &LayerSummary<'_>, own: &SelfAttention) {
        self.turn(Layout::StepsFirst);
        let (steps, channels) = (summary.input.positions(), summary.input.channels());
        let padding = self.padding();
        let x = self.x.clone();
        match own.projections {
            Projections::Packed => {
                let module = call("nn.MultiheadAttention")
                    .with(channels)
                    .with(own.heads)
                    .unless("dropout", number(0.0), number(own.dropout))
                    .named("batch_first", "True");
                let module = self.module(index, summary.layer, module);
                let mut attend = call(&module).with(&*x).with(&*x).with(&*x);
                if let Some(padding) = padding {
                    attend = attend.named("key_padding_mask", padding);
                }
                if own.causal {
                    attend = attend.named("attn_mask", self.later(steps));
                }
                let attend = attend.named("need_weights", "False").flat();
                self.give_first(&attend, summary.output);
            }
            Projections::Separate => {
                self.helpers.insert(Helper::SeparateAttention);
                let module = call("SeparateAttention")
                    .with(channels)
                    .with(own.heads)
                    .unless("causal", "False", python(own.causal))
                    .unless("dropout", number(0.0), number(own.dropout));
                let module = self.module(index, summary.layer, module);
                let padding = padding.map(|padding| format!(", {padding}"));
                let padding = padding.unwrap_or_default();
                self.give(&format!("{module}({x}{padding})"), summary.output);
            }
        }
        self.state.filled = true;
    }

    /// Pooling over windows: window, stride and padding.
    fn pool(
        &mut self,
        function: &str,
        index: usize,
        summary: &LayerSummary<'_>,
        (window, stride, padding): (Pair, Option<Pair>, Pair),
    ) {
        self.turn(Layout::ChannelsFirst);
        self.clear_padding();
        let stride = stride.unwrap_or(window);
        let module = call(&format!("{function}{}d", axes(summary.input)))
            .with(pair(window))
            .unless("stride", pair(window), pair(stride))
            .unless("padding", "0", pair(padding));
        let module = self.module(index, summary.layer, module);
        self.apply(&module, summary.output);
        if let (Shape::Series { steps, .. }, Pair::Same(stride)) = (summary.output, stride) {
            self.stride_lengths(stride, steps);
        }
    }

    /// The mean over all real positions.
    fn mean(&mut self, output: Shape) {
        let axis = match (self.state.shape, self.state.layout) {
            (Shape::Image { .. }, _) => "(2, 3)",
            (_, Layout::ChannelsFirst) => "2",
            (_, Layout::StepsFirst) => "1",
        };
        let real = if self.state.filled {
            self.padded_with("0.0")
        } else {
            self.x.clone()
        };
        let code = match self.lengths() {
            Some(lengths) => format!("{real}.sum(dim={axis}) / {lengths}[:, None]"),
            None => format!("{real}.mean(dim={axis})"),
        };
        self.give(&code, output);
    }

    /// A module, so that relevance rules find it.
    fn global_max_pool(&mut self, index: usize, summary: &LayerSummary<'_>) {
        self.turn(Layout::ChannelsFirst);
        if self.lengths().is_some() {
            let real = self.padded_with("-torch.inf");
            let code = format!("{} = {real}", self.x);
            self.line(&code, "padding is never the largest");
        }
        let module = match summary.input {
            Shape::Image { height, width, .. } => call("nn.MaxPool2d").with(size(&[height, width])),
            other => call("nn.MaxPool1d").with(other.positions()),
        };
        let module = self.module(index, summary.layer, module);
        self.give(&format!("{module}({}).flatten(1)", self.x), summary.output);
    }

    fn flatten(&mut self, own: &Flatten, output: Shape) {
        self.clear_padding();
        let permuted = match (own.order, self.state.shape) {
            (FlattenOrder::ChannelsFirst, _) => {
                self.turn(Layout::ChannelsFirst);
                ""
            }
            (FlattenOrder::ChannelsLast, Shape::Image { .. }) => ".permute(0, 2, 3, 1)",
            (FlattenOrder::ChannelsLast, _) => {
                self.turn(Layout::StepsFirst);
                ""
            }
        };
        self.give(&format!("{}{permuted}.flatten(1)", self.x), output);
    }

    fn lstm(&mut self, index: usize, summary: &LayerSummary<'_>, own: &Lstm) {
        self.turn(Layout::StepsFirst);
        let (steps, inputs) = (summary.input.positions(), summary.input.channels());
        let both = own.direction == Direction::Both;
        let width = own.hidden * (1 + usize::from(both));
        let states = Shape::Series {
            steps,
            channels: width,
        };
        let x = self.x.clone();
        let lengths = self.lengths().map(str::to_string);
        let function = match own.direction {
            Direction::Reverse => {
                self.helpers.insert(Helper::ReverseLstm);
                call("ReverseLSTM")
                    .with(inputs)
                    .with(own.hidden)
                    .unless("layers", 1, own.layers)
            }
            Direction::Forward | Direction::Both => call("nn.LSTM")
                .with(inputs)
                .with(own.hidden)
                .unless("num_layers", 1, own.layers)
                .named("batch_first", "True")
                .unless("bidirectional", "False", python(both)),
        };
        let module = self.module(index, summary.layer, function);
        match (own.direction, lengths) {
            (Direction::Reverse, lengths) => {
                let lengths = lengths.map(|lengths| format!(", {lengths}"));
                self.give(
                    &format!("{module}({x}{})", lengths.unwrap_or_default()),
                    states,
                );
                self.state.filled = true;
                self.read_out(own.readout, &module, &format!("{x}[:, 0]"), summary.output);
            }
            (Direction::Forward, lengths) => {
                self.give_first(&format!("{module}({x})"), states);
                self.state.filled = true;
                let last = last_step(&x, lengths.as_deref());
                self.read_out(own.readout, &module, &last, summary.output);
            }
            (Direction::Both, lengths) => {
                let source = match &lengths {
                    None => x.clone(),
                    Some(lengths) => {
                        let packed = format!(
                            "packed = pack_padded_sequence({x}, {lengths}.cpu(), \
                             batch_first=True, enforce_sorted=False)"
                        );
                        self.line(&packed, "");
                        "packed".into()
                    }
                };
                if own.readout == Readout::Last {
                    self.line(&format!("_, (h, _) = {module}({source})"), "");
                    self.give("torch.cat([h[-2], h[-1]], dim=1)", summary.output);
                    return;
                }
                if lengths.is_some() {
                    self.line(&format!("packed, _ = {module}(packed)"), "");
                    let unpacked = format!(
                        "pad_packed_sequence(packed, batch_first=True, total_length={steps})"
                    );
                    self.give_first(&unpacked, states);
                    self.state.filled = false;
                } else {
                    self.give_first(&format!("{module}({x})"), states);
                }
                self.read_out(own.readout, &module, "", summary.output);
            }
        }
    }

    fn input_cell_lstm(&mut self, index: usize, summary: &LayerSummary<'_>, own: &InputCellLstm) {
        self.turn(Layout::StepsFirst);
        self.helpers.insert(Helper::InputCellLstm);
        let module = call("InputCellLSTM")
            .with(summary.input.channels())
            .with(own.hidden)
            .named("hops", own.hops)
            .named("attention_width", own.attention_width);
        let module = self.module(index, summary.layer, module);
        let states = Shape::Series {
            steps: summary.input.positions(),
            channels: own.hidden,
        };
        self.apply(&module, states);
        self.state.filled = true;
        let last = last_step(&self.x, self.lengths());
        self.read_out(own.readout, &module, &last, summary.output);
    }

    /// From the states of all steps to what leaves the recurrent layer `module`; `last` is its
    /// last state.
    fn read_out(&mut self, readout: Readout, module: &str, last: &str, output: Shape) {
        match readout {
            Readout::All => {}
            Readout::Last => self.give(last, output),
            Readout::Mean => self.mean(output),
            Readout::Max => {
                let real = self.padded_with("-torch.inf");
                self.give(&format!("{real}.max(dim=1).values"), output);
            }
            Readout::Attention => {
                self.helpers.insert(Helper::AttentionReadout);
                let readout = call("AttentionReadout").with(output.channels());
                self.attach(module, "attention", &readout);
                let padding = self.padding().map(|padding| format!(", {padding}"));
                let padding = padding.unwrap_or_default();
                self.give(&format!("{module}.attention({}{padding})", self.x), output);
            }
        }
    }

    fn positional_encoding(
        &mut self,
        index: usize,
        summary: &LayerSummary<'_>,
        own: &PositionalEncoding,
    ) {
        self.turn(Layout::StepsFirst);
        self.helpers.insert(Helper::PositionalEncoding);
        let published = own.form == EncodingForm::Published;
        let module = call("PositionalEncoding")
            .with(summary.input.positions())
            .with(summary.input.channels())
            .unless("scale", "False", python(own.scale))
            .unless("published", "False", python(published));
        let module = self.module(index, summary.layer, module);
        self.apply(&module, summary.output);
        self.state.filled = true;
    }

    fn residual(&mut self, own: &Residual, output: Shape, walk: &mut Walk<'_, '_>) -> Result<()> {
        let shortcut = self.enter_residual();
        let (x, start) = (self.x.clone(), self.state);
        // The walk has the body in front of the shortcut, the code behind it.
        let mut body = walk.clone();
        for _ in 0..count(&own.body) {
            walk.next();
        }
        let what = if own.shortcut.is_empty() {
            "x"
        } else {
            "shortcut(x)"
        };
        self.line(&format!("# Residual block: body(x) + {what}."), "");
        self.line(&format!("{shortcut} = {x}"), "");
        self.x.clone_from(&shortcut);
        self.layers(&own.shortcut, walk)?;
        let around = self.state;
        self.x.clone_from(&x);
        self.state = start;
        self.layers(&own.body, &mut body)?;
        let through = self.state;
        if matches!(output, Shape::Series { .. }) && around.layout != through.layout {
            self.x.clone_from(&shortcut);
            self.state = around;
            self.turn(through.layout);
            self.x.clone_from(&x);
            self.state = through;
        }
        self.state.filled |= around.filled;
        self.give(&format!("{x} + {shortcut}"), output);
        self.leave_residual();
        Ok(())
    }
}

/// The state of the last real step.
fn last_step(x: &str, lengths: Option<&str>) -> String {
    match lengths {
        None => format!("{x}[:, -1]"),
        Some(lengths) => format!("{x}[torch.arange(len({x}), device={x}.device), {lengths} - 1]"),
    }
}

/// Layers, those inside residual blocks included.
fn count(layers: &[Layer]) -> usize {
    let each = layers.iter().map(|layer| match layer {
        Layer::Residual(block) => 1 + count(&block.body) + count(&block.shortcut),
        _ => 1,
    });
    each.sum()
}

/// 1 for a series, 2 for an image.
fn axes(shape: Shape) -> usize {
    match shape {
        Shape::Image { .. } => 2,
        Shape::Series { .. } | Shape::Vector { .. } => 1,
    }
}

fn pair(pair: Pair) -> String {
    match pair {
        Pair::Same(size) => size.to_string(),
        Pair::Each(sizes) => size(&sizes),
    }
}

fn python(switch: bool) -> &'static str {
    if switch { "True" } else { "False" }
}
