//! A description with its weights as the core's table of layers.
//!
//! What a board does not need goes: dropout vanishes, batch normalisation is folded into the layer in
//! front of it, normalised weights are multiplied out. What the core's network does not have is
//! refused by the layer's name and the reason.

use crate::kernel::batch_norm::EPSILON;
use crate::network::layer::{self, Direction, FlattenOrder, Layer, Readout};
use crate::network::{Description, LayerSummary, Parameters, Shape};
use crate::{Error, Result};
use sgt_core::Order;
use sgt_core::network as core;
use std::slice;

/// A network as the core runs it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Positions and channels of a window.
    pub(super) input: core::Shape,
    pub(super) rows: Vec<Row>,
    /// Those of all layers, in the core's order.
    pub(super) parameters: Vec<f32>,
}

/// One layer of a [`Table`].
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) layer: core::Layer,
    /// The description's layers that became it.
    pub(super) name: String,
    /// What it gives.
    pub(super) output: core::Shape,
    /// How many parameters it has.
    pub(super) parameters: usize,
}

impl Table {
    /// # Errors
    /// [`Error::Argument`] for a layer that the core's network does not have, or parameters that are
    /// not finite.
    pub(super) fn new(description: &Description, parameters: &Parameters) -> Result<Self> {
        let summaries = description.summary()?;
        let input = board_shape(Shape::of_input(description.input));
        let mut builder = Builder {
            parameters,
            table: Self {
                input,
                rows: Vec::new(),
                parameters: Vec::new(),
            },
            number: 0,
            inside_residual: false,
            foldable: false,
        };
        builder.layers(&description.layers, &mut summaries.iter())?;
        let table = builder.table;
        let layers = table.layers();
        core::Network::new(input, &layers).map_err(|error| match error {
            sgt_core::Error::Layer { layer, argument } => refuse(
                table.rows.get(layer).map_or("network", |row| &row.name),
                format!("a {argument} that the core's table does not take"),
                "another".into(),
            ),
            other => other.into(),
        })?;
        if let Some(value) = table.parameters.iter().find(|value| !value.is_finite()) {
            return Err(refuse(
                "weights",
                format!("{value} among them, batch normalisation folded"),
                "finite numbers".into(),
            ));
        }
        Ok(table)
    }

    /// The layers alone.
    pub(super) fn layers(&self) -> Vec<core::Layer> {
        self.rows.iter().map(|row| row.layer).collect()
    }
}

/// Pixels are positions to layers that do not look at neighbours.
fn board_shape(shape: Shape) -> core::Shape {
    core::Shape::series(shape.positions(), shape.channels())
}

/// Puts layer after layer into a table.
struct Builder<'p> {
    parameters: &'p Parameters,
    table: Table,
    /// The description's layers so far.
    number: usize,
    inside_residual: bool,
    /// Whether the last row is a layer with weights into which a batch normalisation may go.
    foldable: bool,
}

/// The layers of a description in the order of its walk.
type Walk<'w, 'd> = slice::Iter<'w, LayerSummary<'d>>;

impl Builder<'_> {
    fn layers(&mut self, layers: &[Layer], walk: &mut Walk<'_, '_>) -> Result<()> {
        for layer in layers {
            let Some(summary) = walk.next() else {
                return Ok(());
            };
            self.number += 1;
            self.layer(layer, summary, walk)?;
        }
        Ok(())
    }

    fn layer(
        &mut self,
        layer: &Layer,
        summary: &LayerSummary<'_>,
        walk: &mut Walk<'_, '_>,
    ) -> Result<()> {
        let (input, output) = (summary.input, summary.output);
        match layer {
            Layer::Dropout(_) => {}
            Layer::Convolution(own) => self.convolution(own, layer, input, output)?,
            Layer::Linear(own) => self.linear(own, layer, input, output)?,
            Layer::BatchNorm(own) => self.batch_norm(own, layer, output)?,
            Layer::Lstm(own) => self.lstm(own, layer, output)?,
            Layer::Relu(_) => self.push(layer, core::Layer::Relu, output, &[]),
            Layer::MaxPool(own) => {
                let pool = (own.window, own.stride, own.padding);
                let window = self.pooling(layer, input, pool)?;
                self.push(layer, core::Layer::MaxPool(window), output, &[]);
            }
            Layer::AveragePool(own) => {
                let pool = (own.window, own.stride, own.padding);
                let window = self.pooling(layer, input, pool)?;
                self.push(layer, core::Layer::AveragePool(window), output, &[]);
            }
            Layer::GlobalAveragePool(_) => {
                self.push(layer, core::Layer::GlobalAveragePool, output, &[]);
            }
            Layer::GlobalMaxPool(_) => {
                let window = core::Window::new(input.positions());
                self.push(layer, core::Layer::MaxPool(window), output, &[]);
            }
            Layer::Flatten(own) => {
                let order = match own.order {
                    FlattenOrder::ChannelsFirst => Order::ChannelsFirst,
                    FlattenOrder::ChannelsLast => Order::ChannelsLast,
                };
                self.push(layer, core::Layer::Flatten(order), output, &[]);
            }
            Layer::Residual(own) => self.residual(own, layer, output, walk)?,
            Layer::LayerNorm(_)
            | Layer::Gelu(_)
            | Layer::Tanh(_)
            | Layer::Sigmoid(_)
            | Layer::Embedding(_)
            | Layer::InputCellLstm(_)
            | Layer::PositionalEncoding(_)
            | Layer::SelfAttention(_) => {
                return Err(self.refuse(layer, layer.kind(), EXPECTED));
            }
        }
        Ok(())
    }

    fn convolution(
        &mut self,
        own: &layer::Convolution,
        layer: &Layer,
        input: Shape,
        output: Shape,
    ) -> Result<()> {
        let Ok(geometry) = own.geometry(input) else {
            return Err(self.refuse(layer, "sizes that do not fit", EXPECTED));
        };
        if matches!(input, Shape::Image { .. }) {
            return Err(self.refuse(layer, "a convolution over an image", ONE_AXIS));
        }
        let window = core::Window {
            kernel: geometry.kernel[1],
            stride: geometry.stride[1],
            padding: [geometry.padding_before[1], geometry.padding_after[1]],
            dilation: geometry.dilation[1],
        };
        let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
        let mut values = if own.weight_norm {
            self.normalised_weight(&own.name)?
        } else {
            self.tensor(&own.name, "weight")?.to_vec()
        };
        values.extend(self.bias(&own.name, own.bias, outputs)?);
        let row = if own.groups == 1 {
            core::Layer::Convolution(core::Convolution { outputs, window })
        } else if own.groups == inputs && outputs == inputs {
            core::Layer::Depthwise(core::Depthwise { window })
        } else {
            return Err(self.refuse(
                layer,
                format!("{} groups for {inputs} channels", own.groups),
                "one group, or one for each channel and as many outputs",
            ));
        };
        self.push(layer, row, output, &values);
        self.foldable = true;
        Ok(())
    }

    /// `g · v / ‖v‖`, as the engine multiplies it.
    fn normalised_weight(&self, name: &str) -> Result<Vec<f32>> {
        let (direction, lengths) = (
            self.tensor(name, "weight_v")?,
            self.tensor(name, "weight_g")?,
        );
        let mut weight = vec![0.0; direction.len()];
        layer::normalise(direction, lengths, &mut weight);
        Ok(weight)
    }

    fn linear(
        &mut self,
        own: &layer::Linear,
        layer: &Layer,
        input: Shape,
        output: Shape,
    ) -> Result<()> {
        let mut values = self.tensor(&own.name, "weight")?.to_vec();
        values.extend(self.bias(&own.name, own.bias, own.outputs)?);
        let outputs = own.outputs;
        let row = if input.positions() == 1 {
            core::Layer::Dense(core::Dense { outputs })
        } else {
            // The same products at every step.
            let window = core::Window::new(1);
            core::Layer::Convolution(core::Convolution { outputs, window })
        };
        self.push(layer, row, output, &values);
        self.foldable = true;
        Ok(())
    }

    /// `scale · z + shift` a channel, in the weights that give `z` where they can be reached, else as
    /// a convolution of each channel with one tap.
    fn batch_norm(&mut self, own: &layer::BatchNorm, layer: &Layer, output: Shape) -> Result<()> {
        let name = &own.name;
        let [weight, bias, mean, variance] = [
            self.tensor(name, "weight")?,
            self.tensor(name, "bias")?,
            self.tensor(name, "running_mean")?,
            self.tensor(name, "running_var")?,
        ];
        let channels = weight.iter().zip(bias).zip(mean.iter().zip(variance));
        let affine = channels.map(|((weight, bias), (mean, variance))| {
            let deviation = (f64::from(*variance) + f64::from(EPSILON)).sqrt();
            let scale = f64::from(*weight) / deviation;
            (scale, f64::from(*bias) - f64::from(*mean) * scale)
        });
        let affine: Vec<(f64, f64)> = affine.collect();
        if !self.foldable {
            let window = core::Window::new(1);
            let scales = affine.iter().map(|&(scale, _)| scale as f32);
            let shifts = affine.iter().map(|&(_, shift)| shift as f32);
            let values: Vec<f32> = scales.chain(shifts).collect();
            let row = core::Layer::Depthwise(core::Depthwise { window });
            self.push(layer, row, output, &values);
            return Ok(());
        }
        let name = self.place(layer);
        if let Some(row) = self.table.rows.last_mut() {
            let first = self.table.parameters.len() - row.parameters;
            let channels = affine.len();
            let own = &mut self.table.parameters[first..];
            let (weights, biases) = own.split_at_mut(row.parameters - channels);
            let inputs = (weights.len() / channels.max(1)).max(1);
            let rows = weights.chunks_exact_mut(inputs).zip(biases);
            for ((weights, bias), (scale, shift)) in rows.zip(affine) {
                for weight in weights {
                    *weight = (f64::from(*weight) * scale) as f32;
                }
                *bias = (f64::from(*bias) * scale + shift) as f32;
            }
            row.name = format!("{}, {name}", row.name);
        }
        Ok(())
    }

    fn lstm(&mut self, own: &layer::Lstm, layer: &Layer, output: Shape) -> Result<()> {
        if own.layers != 1 {
            let found = format!("{} layers on top of each other", own.layers);
            return Err(self.refuse(layer, found, "one"));
        }
        if own.direction != Direction::Forward {
            return Err(self.refuse(
                layer,
                "a direction against time",
                "forward: a board has the steps as they come",
            ));
        }
        if own.readout != Readout::Last {
            return Err(self.refuse(layer, "a readout of all states", "that of the last state"));
        }
        let mut values = Vec::new();
        for tensor in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] {
            values.extend_from_slice(self.tensor(&own.name, tensor)?);
        }
        let hidden = own.hidden;
        self.push(
            layer,
            core::Layer::Lstm(core::Lstm { hidden }),
            output,
            &values,
        );
        Ok(())
    }

    fn pooling(
        &self,
        layer: &Layer,
        input: Shape,
        (window, stride, padding): (layer::Pair, Option<layer::Pair>, layer::Pair),
    ) -> Result<core::Window> {
        let sizes = (window, stride.unwrap_or(window), padding);
        let (layer::Pair::Same(kernel), layer::Pair::Same(stride), layer::Pair::Same(zeros)) =
            sizes
        else {
            return Err(self.refuse(layer, "pooling over an image", ONE_AXIS));
        };
        if matches!(input, Shape::Image { .. }) {
            return Err(self.refuse(layer, "pooling over an image", ONE_AXIS));
        }
        Ok(core::Window {
            stride,
            padding: [zeros, zeros],
            ..core::Window::new(kernel)
        })
    }

    fn residual(
        &mut self,
        own: &layer::Residual,
        layer: &Layer,
        output: Shape,
        walk: &mut Walk<'_, '_>,
    ) -> Result<()> {
        if self.inside_residual {
            return Err(self.refuse(layer, "a block inside a block", "one at a time"));
        }
        if let Some(around) = own.shortcut.first() {
            let found = format!("a shortcut through layers ({})", around.kind());
            return Err(self.refuse(layer, found, "the identity as shortcut"));
        }
        let name = self.place(layer);
        let start = core::Layer::ResidualStart;
        let before = self
            .table
            .rows
            .last()
            .map_or(self.table.input, |row| row.output);
        self.push_named(name.clone(), start, before, &[]);
        self.inside_residual = true;
        self.layers(&own.body, walk)?;
        self.inside_residual = false;
        self.push_named(name, core::Layer::ResidualAdd, board_shape(output), &[]);
        Ok(())
    }

    fn push(&mut self, layer: &Layer, row: core::Layer, output: Shape, values: &[f32]) {
        self.push_named(self.place(layer), row, board_shape(output), values);
    }

    fn push_named(
        &mut self,
        name: String,
        layer: core::Layer,
        output: core::Shape,
        values: &[f32],
    ) {
        self.table.parameters.extend_from_slice(values);
        self.table.rows.push(Row {
            layer,
            name,
            output,
            parameters: values.len(),
        });
        self.foldable = false;
    }

    fn tensor(&self, layer: &str, tensor: &str) -> Result<&[f32]> {
        self.parameters.get(&format!("{layer}.{tensor}"))
    }

    /// A bias of zeros where there is none.
    fn bias(&self, name: &str, has_bias: bool, outputs: usize) -> Result<Vec<f32>> {
        if has_bias {
            return Ok(self.tensor(name, "bias")?.to_vec());
        }
        Ok(vec![0.0; outputs])
    }

    /// The layer's own name, or its number and kind.
    fn place(&self, layer: &Layer) -> String {
        match layer.name() {
            "" => format!("layer {} ({})", self.number, layer.kind()),
            name => name.to_string(),
        }
    }

    fn refuse(&self, layer: &Layer, found: impl Into<String>, expected: &str) -> Error {
        let name = layer.name();
        let space = if name.is_empty() { "" } else { " " };
        let place = format!("layer {} ({}{space}{name})", self.number, layer.kind());
        refuse(&place, found.into(), expected.into())
    }
}

/// What the core's network has.
const EXPECTED: &str = "a layer that a board runs: convolution over a series, linear, batch \
                        normalisation, ReLU, pooling, dropout, flatten, LSTM, residual";
const ONE_AXIS: &str = "a series: a board's network slides over one axis";

fn refuse(argument: &str, found: String, expected: String) -> Error {
    Error::Argument {
        argument: argument.into(),
        found,
        expected,
    }
}
