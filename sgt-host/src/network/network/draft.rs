//! Layers and parameters of a network that is being put together.

use super::Network;
use super::layer::{BatchNorm, Convolution, Layer, Linear, Lstm, LstmParameters};
use crate::kernel::conv_block::{ConvBlock, OutputOrder};
use crate::kernel::conv2d::Conv2dGeometry;
use crate::network::{InputShape, Parameters};
use crate::{Error, Result};
use sgt_core::{Pcg32, Random};
use std::ops::Range;

/// How a tensor starts.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// Uniform in `±bound`.
    Uniform(f32),
    Constant(f32),
}

/// What follows a convolution.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct After {
    pub(crate) relu: bool,
    /// `[height, width]` of max pooling; `None` for none.
    pub(crate) pool: Option<[usize; 2]>,
    /// A fully connected layer follows: channels become the outermost axis.
    pub(crate) flatten: bool,
}

/// What a convolution is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filters {
    pub(crate) out_channels: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) bias: bool,
}

impl Filters {
    /// Stride 1, no padding, with bias.
    pub(crate) const fn new(out_channels: usize, kernel: usize) -> Self {
        Self {
            out_channels,
            kernel,
            stride: 1,
            padding: 0,
            bias: true,
        }
    }
}

/// A network that is being put together.
#[derive(Debug)]
pub(crate) struct Draft {
    input: InputShape,
    parameters: Parameters,
    starts: Vec<Start>,
    layers: Vec<Layer>,
    channels: usize,
    /// `[height, width]` of the current activations; a series has height 1.
    size: [usize; 2],
    dropouts: u64,
}

impl Draft {
    /// Nothing yet: what follows reads `input`.
    pub(crate) fn new(input: InputShape) -> Self {
        let (channels, size) = match input {
            InputShape::Image {
                channels,
                height,
                width,
            } => (channels, [height, width]),
            InputShape::Series {
                steps, channels, ..
            } => (channels, [1, steps]),
            InputShape::Tokens { tokens, dim } => (dim, [1, tokens]),
        };
        Self {
            input,
            parameters: Parameters::new(),
            starts: Vec::new(),
            layers: Vec::new(),
            channels,
            size,
            dropouts: 0,
        }
    }

    /// Channels of the current activations.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Values of the current activations of a sample.
    pub(crate) fn len(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    fn parameter(&mut self, name: String, shape: Vec<usize>, start: Start) -> Range<usize> {
        self.starts.push(start);
        self.parameters.declare(name, shape, true)
    }

    /// Brings a channels-first input into the order of convolutions.
    pub(crate) fn channels_last(&mut self) {
        let (channels, pixels) = (self.channels, self.size[0] * self.size[1]);
        if channels > 1 && pixels > 1 {
            self.layers.push(Layer::ChannelsLast { channels, pixels });
        }
    }

    /// A square kernel over an image, a kernel over the steps of a series.
    pub(crate) fn convolution(&mut self, name: &str, filters: Filters, after: After) -> Result<()> {
        let Filters {
            out_channels,
            kernel,
            stride,
            padding,
            bias,
        } = filters;
        let is_series = self.size[0] == 1;
        let geometry = if is_series {
            Conv2dGeometry::series(self.channels, out_channels, self.size[1], kernel)
        } else {
            Conv2dGeometry::image(self.channels, out_channels, self.size, kernel)
        };
        let geometry = geometry.padded(padding).strided(stride);
        geometry.check()?;
        let order = if after.flatten {
            OutputOrder::ChannelsFirst
        } else {
            OutputOrder::ChannelsLast
        };
        let window = after.pool.unwrap_or([1, 1]);
        let block = ConvBlock::new(&geometry, after.relu, window, order);
        let size = block.output();
        if size.contains(&0) {
            return Err(Error::Shape {
                operation: "max pool",
                found: format!("{:?}", geometry.output()),
                expected: format!("at least one window {window:?}"),
            });
        }
        let fan_in = self.channels * geometry.kernel[0] * geometry.kernel[1];
        let start = Start::Uniform(1.0 / (fan_in as f32).sqrt());
        let mut shape = vec![out_channels, self.channels];
        shape.extend(geometry.kernel.iter().skip(usize::from(is_series)));
        let weight = self.parameter(format!("{name}.weight"), shape, start);
        let bias = bias.then(|| self.parameter(format!("{name}.bias"), vec![out_channels], start));
        self.layers.push(Layer::Convolution(Box::new(Convolution {
            block,
            weight,
            bias,
        })));
        self.channels = out_channels;
        self.size = size;
        Ok(())
    }

    /// Batch normalisation over the current channels.
    pub(crate) fn batch_norm(&mut self, name: &str, relu: bool) {
        let shape = vec![self.channels];
        let weight = self.parameter(
            format!("{name}.weight"),
            shape.clone(),
            Start::Constant(1.0),
        );
        let bias = self.parameter(format!("{name}.bias"), shape.clone(), Start::Constant(0.0));
        let mut buffer = |suffix: &str, start: f32| {
            self.starts.push(Start::Constant(start));
            self.parameters
                .declare(format!("{name}.{suffix}"), shape.clone(), false)
        };
        let running_mean = buffer("running_mean", 0.0);
        let running_variance = buffer("running_var", 1.0);
        self.layers.push(Layer::BatchNorm(BatchNorm {
            weight,
            bias,
            running_mean,
            running_variance,
            relu,
        }));
    }

    /// `relu(body(x) + shortcut(x))`; an empty shortcut is the identity.
    pub(crate) fn residual(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<()>,
        shortcut: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let (channels, size) = (self.channels, self.size);
        let before = std::mem::take(&mut self.layers);
        body(self)?;
        let body = std::mem::take(&mut self.layers);
        let end = (self.channels, self.size);
        (self.channels, self.size) = (channels, size);
        shortcut(self)?;
        let shortcut = std::mem::replace(&mut self.layers, before);
        if (self.channels, self.size) != end {
            return Err(Error::Shape {
                operation: "residual block",
                found: format!("{:?}", (self.channels, self.size)),
                expected: format!("{end:?}"),
            });
        }
        self.layers.push(Layer::Residual { body, shortcut });
        Ok(())
    }

    /// The mean over all pixels or steps.
    pub(crate) fn global_average_pool(&mut self) {
        self.layers.push(Layer::GlobalAveragePool {
            channels: self.channels,
            pixels: self.size[0] * self.size[1],
        });
        self.size = [1, 1];
    }

    /// Dropout with probability `p`.
    pub(crate) fn dropout(&mut self, p: f32) {
        let index = self.dropouts;
        self.dropouts += 1;
        self.layers.push(Layer::Dropout { p, index });
    }

    /// A fully connected layer.
    pub(crate) fn linear(&mut self, name: &str, outputs: usize, relu: bool) {
        let inputs = self.len();
        let start = Start::Uniform(1.0 / (inputs as f32).sqrt());
        let weight = self.parameter(format!("{name}.weight"), vec![outputs, inputs], start);
        let bias = self.parameter(format!("{name}.bias"), vec![outputs], start);
        self.layers.push(Layer::Linear(Linear {
            inputs,
            outputs,
            weight,
            bias,
            relu,
        }));
        (self.channels, self.size) = (outputs, [1, 1]);
    }

    /// An LSTM over the steps or tokens, in one direction or both; its last states.
    pub(crate) fn lstm(&mut self, name: &str, hidden: usize, bidirectional: bool) {
        let start = Start::Uniform(1.0 / (hidden as f32).sqrt());
        let (input, steps) = (self.channels, self.size[1]);
        let suffixes: &[&str] = if bidirectional {
            &["", "_reverse"]
        } else {
            &[""]
        };
        let gates = 4 * hidden;
        let mut directions = Vec::new();
        for suffix in suffixes {
            let mut tensor = |kind: &str, shape: Vec<usize>| {
                self.parameter(format!("{name}.{kind}_l0{suffix}"), shape, start)
            };
            directions.push(LstmParameters {
                weight_ih: tensor("weight_ih", vec![gates, input]),
                weight_hh: tensor("weight_hh", vec![gates, hidden]),
                bias_ih: tensor("bias_ih", vec![gates]),
                bias_hh: tensor("bias_hh", vec![gates]),
            });
        }
        self.channels = hidden * suffixes.len();
        self.size = [1, 1];
        self.layers.push(Layer::Lstm(Lstm {
            steps,
            input,
            hidden,
            directions,
        }));
    }

    /// The network, its parameters drawn from `seed`: every tensor from a stream of its own.
    /// Draws the parameters and hands the network over.
    ///
    /// # Errors
    /// [`Error::Argument`] when there would be more than `limit` parameters; nothing has been
    /// allocated for them then.
    pub(crate) fn finish(mut self, seed: u64, limit: usize) -> Result<Network> {
        let declared = self.parameters.declared();
        if declared > limit {
            return Err(Error::Argument {
                argument: "sizes".into(),
                found: format!("a network of {declared} parameters"),
                expected: format!("at most {limit}"),
            });
        }
        self.parameters.allocate();
        let entries: Vec<_> = self.parameters.entries().to_vec();
        for (stream, (entry, start)) in entries.iter().zip(&self.starts).enumerate() {
            let values = &mut self.parameters.values_mut()[entry.range.clone()];
            match *start {
                Start::Constant(value) => values.fill(value),
                Start::Uniform(bound) => {
                    let mut random = Pcg32::new(seed, stream as u64);
                    for value in values {
                        *value = bound * (2.0 * random.unit() - 1.0);
                    }
                }
            }
        }
        Ok(Network {
            input: self.input,
            classes: self.len(),
            parameters: self.parameters,
            layers: self.layers.into(),
        })
    }
}
