//! Convolution over a series or an image.

use super::linear::weight_gradient;
use super::{Cost, FlattenOrder, Layer, Misfit, Pair, Rule, Tensor, check_size, product};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::conv_block::{Activations, ConvBlock, ConvBlockState, OutputOrder};
use crate::kernel::conv2d::{Conv2dGeometry, WeightGradient};
use crate::kernel::grouped::{Grouped, GroupedShape, GroupedState};
use crate::kernel::request::InputGradient;
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Place, Pull};
use crate::network::start::Start;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Cross-correlation as in PyTorch's `Conv1d` and `Conv2d`:
/// `out[o, i] = bias[o] + Σ_{c,u} weight[o, c, u] · x[c, i · stride + u · dilation − padding]` along
/// each axis, `x` zero outside its bounds. With groups, output channels see the input channels of
/// their own group alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Convolution {
    /// Its name: `NAME.weight` `[channels, inputs / groups, kernel]` (or two axes of the kernel) and
    /// `NAME.bias` `[channels]`.
    pub name: String,
    /// Channels of the output.
    pub channels: usize,
    /// Taps along each axis.
    pub kernel: Pair,
    /// Distance of neighbouring outputs.
    #[serde(default = "Pair::one", skip_serializing_if = "Pair::is_one")]
    pub stride: Pair,
    /// Zeros around the input.
    #[serde(default, skip_serializing_if = "Padding::is_none")]
    pub padding: Padding,
    /// Distance of neighbouring taps.
    #[serde(default = "Pair::one", skip_serializing_if = "Pair::is_one")]
    pub dilation: Pair,
    /// Groups of channels that do not see each other; as many as input channels is a depthwise
    /// convolution.
    #[serde(default = "super::one", skip_serializing_if = "super::is_one")]
    pub groups: usize,
    /// Whether there is a bias.
    #[serde(default = "super::yes", skip_serializing_if = "super::is_yes")]
    pub bias: bool,
    /// Whether the weight is `weight_g · weight_v / ‖weight_v‖` an output channel (Salimans, Kingma
    /// 2016, arXiv 1602.07868): `NAME.weight_v` as the weight, `NAME.weight_g`
    /// `[channels, 1, 1]`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weight_norm: bool,
}

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a whole number, a pair [vertical, horizontal], \"same\" or \"causal\""
)]
pub enum Padding {
    /// As many on both sides of each axis.
    Zeros(Pair),
    /// By name.
    Named(NamedPadding),
}

/// Zeros in numbers that follow from kernel, stride and dilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedPadding {
    /// As many outputs as inputs (divided by the stride and rounded up); an odd zero goes behind.
    Same,
    /// All in front of a series: output t sees inputs up to t alone.
    Causal,
}

impl Padding {
    /// No zeros.
    pub const NONE: Self = Self::Zeros(Pair::Same(0));
    /// [`NamedPadding::Same`].
    pub const SAME: Self = Self::Named(NamedPadding::Same);
    /// [`NamedPadding::Causal`].
    pub const CAUSAL: Self = Self::Named(NamedPadding::Causal);

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl Default for Padding {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<usize> for Padding {
    fn from(zeros: usize) -> Self {
        Self::Zeros(zeros.into())
    }
}

impl Convolution {
    /// Stride 1, no padding, no dilation, one group, with bias.
    pub fn new(name: &str, channels: usize, kernel: impl Into<Pair>) -> Self {
        Self {
            name: name.into(),
            channels,
            kernel: kernel.into(),
            stride: Pair::ONE,
            padding: Padding::NONE,
            dilation: Pair::ONE,
            groups: 1,
            bias: true,
            weight_norm: false,
        }
    }

    /// The sizes on `input`; the kernel's channels are those of one group.
    pub(crate) fn geometry(&self, input: Shape) -> Result<Conv2dGeometry, Misfit> {
        if matches!(input, Shape::Vector { .. }) {
            return Err(Misfit::new(input, "a series or an image"));
        }
        check_size("channels", self.channels)?;
        let in_channels = input.channels();
        if self.groups == 0
            || !in_channels.is_multiple_of(self.groups)
            || !self.channels.is_multiple_of(self.groups)
        {
            let expected = format!(
                "a divisor of the {in_channels} channels read and the {} given",
                self.channels
            );
            return Err(Misfit::new(
                format_args!("{} groups", self.groups),
                expected,
            ));
        }
        let kernel = self.kernel.on("kernel", input, 1)?;
        let stride = self.stride.on("stride", input, 1)?;
        let dilation = self.dilation.on("dilation", input, 1)?;
        for (field, sizes) in [
            ("kernel", kernel),
            ("stride", stride),
            ("dilation", dilation),
        ] {
            sizes.iter().try_for_each(|&size| check_size(field, size))?;
        }
        let size = input.size();
        let spans = [0, 1].map(|axis| dilation[axis].saturating_mul(kernel[axis] - 1));
        let (before, after) = match self.padding {
            Padding::Zeros(zeros) => {
                let zeros = zeros.on("padding", input, 0)?;
                for &zeros in &zeros {
                    check_size("padding", zeros + 1)?;
                }
                (zeros, zeros)
            }
            Padding::Named(NamedPadding::Causal) => {
                if !matches!(input, Shape::Series { .. }) {
                    return Err(Misfit::new(
                        format_args!("causal padding of {input}"),
                        "a series",
                    ));
                }
                ([0, spans[1]], [0, 0])
            }
            Padding::Named(NamedPadding::Same) => {
                let zeros = [0, 1].map(|axis| {
                    let outputs = size[axis].div_ceil(stride[axis]);
                    let reach = (outputs - 1) * stride[axis];
                    reach
                        .saturating_add(spans[axis] + 1)
                        .saturating_sub(size[axis])
                });
                let before = zeros.map(|zeros| zeros / 2);
                (before, [0, 1].map(|axis| zeros[axis] - before[axis]))
            }
        };
        for axis in [0, 1] {
            let padded = before[axis]
                .saturating_add(size[axis])
                .saturating_add(after[axis]);
            check_size("input with its padding", padded)?;
            if padded <= spans[axis] {
                return Err(Misfit::new(
                    input,
                    format_args!("{} positions or more along the kernel", spans[axis] + 1),
                ));
            }
        }
        Ok(Conv2dGeometry {
            in_channels,
            out_channels: self.channels,
            input: size,
            kernel,
            stride,
            padding_before: before,
            padding_after: after,
            dilation,
        })
    }

    /// Values of the weight that one output channel has.
    fn depth(&self, geometry: &Conv2dGeometry) -> usize {
        let group = geometry.in_channels / self.groups;
        product(&[group, geometry.kernel[0], geometry.kernel[1]])
    }
}

impl Rule for Convolution {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        let geometry = self.geometry(input)?;
        Ok(input.resized(geometry.output(), self.channels))
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let Ok(geometry) = self.geometry(input) else {
            return Vec::new();
        };
        let is_series = matches!(input, Shape::Series { .. });
        let kernel = &geometry.kernel[usize::from(is_series)..];
        let mut shape = vec![self.channels, geometry.in_channels / self.groups];
        shape.extend(kernel);
        let start = Start::fan_in(self.depth(&geometry));
        let mut tensors = Vec::new();
        if self.weight_norm {
            let mut lengths = vec![1; shape.len()];
            lengths[0] = self.channels;
            tensors.push(Tensor::new("weight_v", shape, start));
            tensors.push(Tensor::new("weight_g", lengths, Start::RowLengths));
        } else {
            tensors.push(Tensor::new("weight", shape, start));
        }
        if self.bias {
            tensors.push(Tensor::new("bias", [self.channels], start));
        }
        tensors
    }

    fn cost(&self, input: Shape, output: Shape) -> Cost {
        let depth = self
            .geometry(input)
            .map_or(0, |geometry| self.depth(&geometry));
        Cost {
            operations: product(&[output.len(), depth]),
            values: output.len(),
        }
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let geometry = self.geometry(place.input);
        let geometry = geometry.unwrap_or_else(|misfit| {
            unreachable!("the description was checked: {misfit:?}");
        });
        let weight = place.parameter();
        let lengths = self.weight_norm.then(|| place.parameter());
        let bias = self.bias.then(|| place.parameter());
        let mut steps = [geometry.stride[1], 1];
        let kernel = if self.groups == 1 {
            Kernel::Block(Box::new(fused_block(&geometry, &mut steps, place)))
        } else {
            let shape = GroupedShape {
                ungrouped: geometry,
                groups: self.groups,
            };
            let plan = Grouped::new(&shape);
            Kernel::Grouped(plan.unwrap_or_else(|error| {
                unreachable!("the description was checked: {error}");
            }))
        };
        let [_, outputs] = place.output.size();
        place.push(Convolve {
            kernel,
            weight,
            lengths,
            bias,
            steps,
            outputs,
            output_len: place.output.len(),
        });
    }
}

/// The convolution with the layers behind it that one kernel computes together: `ReLU`, max
/// pooling and flattening. `steps` gets the distance of pooled outputs.
fn fused_block(
    geometry: &Conv2dGeometry,
    steps: &mut [usize; 2],
    place: &mut Place<'_, '_>,
) -> ConvBlock {
    let relu = place.take_relu();
    let window = place.take(|layer, input| match layer {
        Layer::MaxPool(pool) => pool.side_by_side(input),
        _ => None,
    });
    let window = window.unwrap_or([1, 1]);
    steps[1] = window[1];
    let flatten = place.take(|layer, _| match layer {
        Layer::Flatten(flatten) if flatten.order == FlattenOrder::ChannelsFirst => Some(()),
        _ => None,
    });
    let order = match flatten {
        Some(()) => OutputOrder::ChannelsFirst,
        None => OutputOrder::ChannelsLast,
    };
    ConvBlock::new(geometry, relu, window, order)
}

/// The convolution, with `ReLU`, max pooling and flattening where they follow.
#[derive(Debug)]
struct Convolve {
    kernel: Kernel,
    weight: Range<usize>,
    /// `weight_g`; `weight` is `weight_v` then.
    lengths: Option<Range<usize>>,
    bias: Option<Range<usize>>,
    /// Distances of neighbouring outputs in time: of the convolution and of the pooling.
    steps: [usize; 2],
    /// Steps of the output.
    outputs: usize,
    /// Values of an output sample.
    output_len: usize,
}

#[derive(Debug)]
enum Kernel {
    Block(Box<ConvBlock>),
    Grouped(Grouped),
}

#[derive(Default)]
struct ConvolveState {
    kernel: KernelState,
    /// The weight that was convolved with, where it is normalised.
    weight: Buffer,
}

/// That of the layer's own kernel is used.
#[derive(Default)]
struct KernelState {
    block: ConvBlockState,
    grouped: GroupedState,
}

impl Convolve {
    fn pull(
        &self,
        weight: &[f32],
        activations: Activations<'_>,
        dx: Option<&mut [f32]>,
        gradient: Option<WeightGradient<'_>>,
        state: &mut KernelState,
    ) -> Result<()> {
        match &self.kernel {
            Kernel::Block(block) => {
                block.backward(weight, activations, dx, gradient, &mut state.block);
                Ok(())
            }
            Kernel::Grouped(plan) => {
                let Activations { x, dout, .. } = activations;
                let dx = dx.map_or(InputGradient::Skip, InputGradient::Overwrite);
                plan.backward(weight, x, dout, dx, gradient, &mut state.grouped)
            }
        }
    }
}

impl Operation for Convolve {
    type State = ConvolveState;

    fn has_parameters(&self) -> bool {
        true
    }

    fn valid_steps(&self, steps: usize) -> usize {
        let [convolution, pooling] = self.steps;
        steps
            .div_ceil(convolution)
            .div_ceil(pooling)
            .min(self.outputs)
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        ConvolveState { kernel, weight }: &mut ConvolveState,
    ) -> Result<Flow> {
        let bias = self.bias.as_ref().map(|bias| call.read(bias));
        let own = call.read(&self.weight);
        let weight = match &self.lengths {
            None => own,
            Some(lengths) => {
                normalise(own, call.read(lengths), weight.resize(own.len()));
                weight
            }
        };
        let out = out.resize(call.batch * self.output_len);
        match &self.kernel {
            Kernel::Block(block) => block.forward(weight, bias, x, out, &mut kernel.block),
            Kernel::Grouped(plan) => {
                plan.forward(weight, bias, x, out, &mut kernel.grouped)?;
            }
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
        ConvolveState { kernel, weight }: &mut ConvolveState,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        let target = dx.as_deref_mut();
        let activations = Activations {
            x: kept.x,
            out: kept.out,
            dout: &dout,
        };
        match &self.lengths {
            None => {
                let gradient = weight_gradient(&self.weight, self.bias.as_ref(), pull);
                self.pull(
                    call.read(&self.weight),
                    activations,
                    target,
                    gradient,
                    kernel,
                )?;
            }
            Some(_) if pull.gradient.is_none() => {
                self.pull(weight, activations, target, None, kernel)?;
            }
            Some(lengths) => {
                let mut of_weight = pull.take(self.weight.len());
                of_weight.fill(0.0);
                let mut of_bias = vec![0.0; self.bias.as_ref().map_or(0, Range::len)];
                let gradient = WeightGradient {
                    weight: &mut of_weight,
                    bias: self.bias.is_some().then_some(&mut of_bias[..]),
                };
                self.pull(weight, activations, target, Some(gradient), kernel)?;
                if let Some([direction, length]) = pull.gradients([&self.weight, lengths]) {
                    let weights = [call.read(&self.weight), call.read(lengths)];
                    pull_normalised(weights, &of_weight, direction, length);
                }
                if let Some(bias) = &self.bias
                    && let Some([bias]) = pull.gradients([bias])
                {
                    bias.iter_mut().zip(&of_bias).for_each(|(sum, d)| *sum += d);
                }
                pull.spare(of_weight);
            }
        }
        pull.spare(dout);
        Ok(dx)
    }
}

/// `weight = lengths · direction / ‖direction‖`, row by row.
pub(crate) fn normalise(direction: &[f32], lengths: &[f32], weight: &mut [f32]) {
    let row = direction.len() / lengths.len();
    let rows = direction
        .chunks_exact(row)
        .zip(weight.chunks_exact_mut(row));
    for ((direction, weight), length) in rows.zip(lengths) {
        let scale = length / norm(direction);
        for (weight, v) in weight.iter_mut().zip(direction) {
            *weight = scale * v;
        }
    }
}

/// From the gradient of a weight to those of its direction and length, which are added to.
fn pull_normalised(
    [directions, lengths]: [&[f32]; 2],
    of_weight: &[f32],
    of_direction: &mut [f32],
    of_length: &mut [f32],
) {
    let row = directions.len() / lengths.len();
    let rows = directions
        .chunks_exact(row)
        .zip(of_weight.chunks_exact(row));
    let targets = of_direction
        .chunks_exact_mut(row)
        .zip(of_length)
        .zip(lengths);
    for ((direction, d), ((of_direction, of_length), length)) in rows.zip(targets) {
        let norm = norm(direction);
        let along: f32 = direction.iter().zip(d).map(|(v, d)| v * d).sum::<f32>() / norm;
        *of_length += along;
        let scale = length / norm;
        for ((sum, d), v) in of_direction.iter_mut().zip(d).zip(direction) {
            *sum += scale * (d - along * v / norm);
        }
    }
}

fn norm(row: &[f32]) -> f32 {
    row.iter().map(|v| v * v).sum::<f32>().sqrt()
}
