//! The closed set of layers: their shapes, parameters and passes.

use super::rows::{column, rows_mut};
use super::{Convolution, Dense, Depthwise, Lstm, Shape, Window};
use super::{convolution, dense, depthwise, lstm, matrix, pool};
use crate::layout::Order;

/// One layer of a table.
///
/// In memory it is a C union behind a byte that tells the layer, numbered from 0 in this order, so
/// that a table of a C program is one of these as it lies in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, u8)]
#[non_exhaustive]
pub enum Layer {
    /// Every output sees every value of a vector.
    Dense(Dense),
    /// A convolution over the positions.
    Convolution(Convolution),
    /// A convolution of each channel with itself.
    Depthwise(Depthwise),
    /// The largest value of each window, ties to the first; padding is never the largest.
    MaxPool(Window),
    /// The mean of each window; zeros of the padding count.
    AveragePool(Window),
    /// The mean over all positions: a vector of channels.
    GlobalAveragePool,
    /// `max(x, 0)`; its derivative at 0 is 0, and NaN stays NaN.
    Relu,
    /// A vector of all values: channel after channel (`ChannelsFirst`, PyTorch's behind
    /// convolutions) or position after position (`ChannelsLast`, which costs nothing).
    Flatten(Order),
    /// Where a way around the layers up to the next [`Layer::ResidualAdd`] begins. One at a time.
    ResidualStart,
    /// Adds what [`Layer::ResidualStart`] read.
    ResidualAdd,
    /// A long short-term memory, its last state.
    Lstm(Lstm),
}

/// What [`Layer::kind`] and [`kinds`] count, one bit a kind.
pub(super) mod kind {
    pub(in crate::network) const DENSE: u16 = 1;
    pub(in crate::network) const CONVOLUTION: u16 = 1 << 1;
    pub(in crate::network) const DEPTHWISE: u16 = 1 << 2;
    pub(in crate::network) const MAX_POOL: u16 = 1 << 3;
    pub(in crate::network) const AVERAGE_POOL: u16 = 1 << 4;
    pub(in crate::network) const GLOBAL_AVERAGE_POOL: u16 = 1 << 5;
    pub(in crate::network) const RELU: u16 = 1 << 6;
    pub(in crate::network) const FLATTEN: u16 = 1 << 7;
    pub(in crate::network) const RESIDUAL: u16 = 1 << 8;
    pub(in crate::network) const LSTM: u16 = 1 << 9;
}

/// Every kind of layer.
pub const ALL_KINDS: u16 = u16::MAX;

/// The kinds of layers in a table, one bit a kind, for [`super::Network`]'s parameter.
pub const fn kinds(layers: &[Layer]) -> u16 {
    let mut kinds = 0;
    let mut rest = layers;
    while let [layer, behind @ ..] = rest {
        kinds |= layer.kind();
        rest = behind;
    }
    kinds
}

impl Layer {
    pub(super) const fn kind(&self) -> u16 {
        match self {
            Self::Dense(_) => kind::DENSE,
            Self::Convolution(_) => kind::CONVOLUTION,
            Self::Depthwise(_) => kind::DEPTHWISE,
            Self::MaxPool(_) => kind::MAX_POOL,
            Self::AveragePool(_) => kind::AVERAGE_POOL,
            Self::GlobalAveragePool => kind::GLOBAL_AVERAGE_POOL,
            Self::Relu => kind::RELU,
            Self::Flatten(_) => kind::FLATTEN,
            Self::ResidualStart | Self::ResidualAdd => kind::RESIDUAL,
            Self::Lstm(_) => kind::LSTM,
        }
    }

    /// The shape behind the layer; an error names what does not fit.
    pub(super) const fn output(&self, input: Shape) -> Result<Shape, &'static str> {
        let window = match self {
            Self::Dense(layer) => {
                if layer.outputs == 0 {
                    return Err("outputs");
                }
                if input.positions != 1 {
                    return Err("input");
                }
                return Ok(Shape::vector(layer.outputs));
            }
            Self::Lstm(layer) => {
                if layer.hidden == 0 {
                    return Err("hidden");
                }
                return Ok(Shape::vector(layer.hidden));
            }
            Self::GlobalAveragePool => return Ok(Shape::vector(input.channels)),
            Self::Flatten(_) => return Ok(Shape::vector(input.len())),
            Self::Relu | Self::ResidualStart | Self::ResidualAdd => return Ok(input),
            Self::Convolution(layer) => {
                if layer.outputs == 0 {
                    return Err("outputs");
                }
                &layer.window
            }
            Self::Depthwise(layer) => &layer.window,
            Self::MaxPool(window) | Self::AveragePool(window) => {
                // Every window then has a tap inside.
                if window.padding[0] >= window.kernel || window.padding[1] >= window.kernel {
                    return Err("padding");
                }
                if window.dilation != 1 {
                    return Err("dilation");
                }
                window
            }
        };
        let positions = match window.outputs(input.positions) {
            Ok(positions) => positions,
            Err(argument) => return Err(argument),
        };
        let channels = match self {
            Self::Convolution(layer) => layer.outputs,
            _ => input.channels,
        };
        Ok(Shape::series(positions, channels))
    }

    /// The number of parameters; `None` when they cannot be counted.
    pub(super) const fn parameters(&self, input: Shape) -> Option<usize> {
        let (rows, columns) = match self {
            Self::Dense(layer) => (layer.outputs, input.channels),
            Self::Convolution(layer) => {
                let Some(field) = layer.field_len(input.channels) else {
                    return None;
                };
                (layer.outputs, field)
            }
            Self::Depthwise(layer) => (input.channels, layer.window.kernel),
            Self::Lstm(layer) => return layer.parameters(input.channels),
            _ => return Some(0),
        };
        // A row's weights and its bias.
        let Some(row) = columns.checked_add(1) else {
            return None;
        };
        rows.checked_mul(row)
    }

    /// Values of scratch beside input and output: for an inference, and from a forward pass to its
    /// backward pass.
    pub(super) const fn scratch(&self, input: Shape) -> Option<(usize, usize)> {
        let (own, kept) = match self {
            Self::Lstm(layer) => (layer.state_len(), layer.kept_len(input.positions)),
            Self::Convolution(layer) => {
                let field = layer.field_len(input.channels);
                (field, field)
            }
            _ => return Some((0, 0)),
        };
        match (own, kept) {
            (Some(own), Some(kept)) => Some((own, kept)),
            _ => None,
        }
    }

    /// Products of an inference; `None` when they cannot be counted.
    pub(super) const fn products(&self, input: Shape, output: Shape) -> Option<usize> {
        let (each, outputs) = match self {
            Self::Dense(_) => (Some(input.channels), output.channels),
            Self::Convolution(layer) => (layer.field_len(input.channels), output.len()),
            Self::Depthwise(layer) => (Some(layer.window.kernel), output.len()),
            Self::Lstm(layer) => (layer.parameters(input.channels), input.positions),
            _ => return Some(0),
        };
        match each {
            Some(each) => each.checked_mul(outputs),
            None => None,
        }
    }

    /// True for what leaves the values where they are.
    pub(super) const fn is_free(&self) -> bool {
        matches!(
            self,
            Self::ResidualStart | Self::Flatten(Order::ChannelsLast)
        )
    }
}

/// Where a layer stands in a pass: what it reads and its parameters.
#[derive(Clone, Copy)]
pub(super) struct Reads<'r> {
    pub(super) layer: &'r Layer,
    pub(super) input: Shape,
    pub(super) x: &'r [f32],
    pub(super) parameters: &'r [f32],
}

impl Reads<'_> {
    /// Writes the layer's output. `skip` is what a residual adds, `scratch` as long as
    /// [`Layer::scratch`] says; `KEEP` writes there what [`Reads::backward`] needs.
    ///
    /// A layer whose kind is not among `KINDS` is not compiled.
    pub(super) fn forward<const KINDS: u16, const KEEP: bool>(
        &self,
        skip: &[f32],
        scratch: &mut [f32],
        out: &mut [f32],
    ) {
        let Self {
            layer,
            input,
            x,
            parameters,
        } = *self;
        match layer {
            Layer::Dense(_) if KINDS & kind::DENSE != 0 => dense::forward(x, parameters, out),
            Layer::Convolution(layer) if KINDS & kind::CONVOLUTION != 0 => {
                let field = field(scratch, layer, input);
                convolution::forward(layer, input, x, parameters, field, out);
            }
            Layer::Depthwise(layer) if KINDS & kind::DEPTHWISE != 0 => {
                depthwise::forward(layer, input, x, parameters, out);
            }
            Layer::MaxPool(window) if KINDS & kind::MAX_POOL != 0 => {
                pool::max_forward(window, input, x, out);
            }
            Layer::AveragePool(window) if KINDS & kind::AVERAGE_POOL != 0 => {
                pool::average_forward(window, input, x, out);
            }
            Layer::GlobalAveragePool if KINDS & kind::GLOBAL_AVERAGE_POOL != 0 => {
                pool::global_forward(input, x, out);
            }
            Layer::Relu if KINDS & kind::RELU != 0 => {
                matrix::copy(x, out);
                relu(out);
            }
            Layer::Flatten(_) if KINDS & kind::FLATTEN != 0 => {
                transpose(input.positions, x, out);
            }
            Layer::ResidualAdd if KINDS & kind::RESIDUAL != 0 => {
                matrix::copy(x, out);
                matrix::add(skip, out);
            }
            Layer::Lstm(layer) if KINDS & kind::LSTM != 0 => {
                if KEEP {
                    lstm::forward_kept(*layer, input, x, parameters, scratch, out);
                } else {
                    lstm::forward(*layer, input, x, parameters, scratch, out);
                }
            }
            _ => {}
        }
    }

    /// Writes the gradient with respect to what the layer reads into `dx`, if it is `wanted`, and
    /// adds that of its parameters to `gradient`, if `TRAIN` and the slice is not empty.
    /// `scratch` is the forward pass's, and is used up.
    pub(super) fn backward<const KINDS: u16, const TRAIN: bool>(
        &self,
        scratch: &mut [f32],
        dout: &[f32],
        wanted: bool,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let Self {
            layer,
            input,
            x,
            parameters,
        } = *self;
        let train = TRAIN && !gradient.is_empty();
        match layer {
            Layer::Dense(_) if KINDS & kind::DENSE != 0 => {
                if train {
                    dense::parameter_gradient(x, dout, gradient);
                }
                if wanted {
                    dense::input_gradient(parameters, dout, dx);
                }
            }
            Layer::Convolution(layer) if KINDS & kind::CONVOLUTION != 0 => {
                let field = field(scratch, layer, input);
                if train {
                    convolution::parameter_gradient(layer, input, x, dout, field, gradient);
                }
                if wanted {
                    convolution::input_gradient(layer, input, parameters, dout, field, dx);
                }
            }
            Layer::Depthwise(layer) if KINDS & kind::DEPTHWISE != 0 => {
                if train {
                    depthwise::parameter_gradient(layer, input, x, dout, gradient);
                }
                if wanted {
                    depthwise::input_gradient(layer, input, parameters, dout, dx);
                }
            }
            Layer::MaxPool(window) if KINDS & kind::MAX_POOL != 0 => {
                pool::max_input_gradient(window, input, x, dout, dx);
            }
            Layer::AveragePool(window) if KINDS & kind::AVERAGE_POOL != 0 => {
                pool::average_input_gradient(window, input, dout, dx);
            }
            Layer::GlobalAveragePool if KINDS & kind::GLOBAL_AVERAGE_POOL != 0 => {
                pool::global_input_gradient(input, dout, dx);
            }
            Layer::Relu if KINDS & kind::RELU != 0 => {
                matrix::copy(dout, dx);
                relu_gradient(x, dx);
            }
            Layer::Flatten(_) if KINDS & kind::FLATTEN != 0 => {
                transpose(input.channels, dout, dx);
            }
            Layer::ResidualAdd if KINDS & kind::RESIDUAL != 0 => matrix::copy(dout, dx),
            Layer::Lstm(layer) if KINDS & kind::LSTM != 0 => {
                if train {
                    lstm::backward::<true>(
                        *layer, input, x, parameters, scratch, dout, dx, gradient,
                    );
                } else {
                    lstm::backward::<false>(
                        *layer,
                        input,
                        x,
                        parameters,
                        scratch,
                        dout,
                        dx,
                        &mut [],
                    );
                }
            }
            _ => {}
        }
    }
}

/// The part of the scratch that a convolution takes.
fn field<'s>(scratch: &'s mut [f32], layer: &Convolution, input: Shape) -> &'s mut [f32] {
    let len = input.channels * layer.window.kernel;
    scratch.get_mut(..len).unwrap_or_default()
}

/// `x = max(x, 0)`.
pub(super) fn relu(values: &mut [f32]) {
    for value in values {
        *value = if *value < 0.0 { 0.0 } else { *value };
    }
}

/// Clears the gradient where `x`, the input or output of [`relu`], is not positive.
pub(super) fn relu_gradient(x: &[f32], gradient: &mut [f32]) {
    for (gradient, &x) in gradient.iter_mut().zip(x) {
        *gradient = if x > 0.0 { *gradient } else { 0.0 };
    }
}

/// `x` of `rows` rows, column after column.
fn transpose(rows: usize, x: &[f32], out: &mut [f32]) {
    let columns = x.len() / rows.max(1);
    for (place, out) in rows_mut(out, rows).enumerate() {
        for (out, x) in out.iter_mut().zip(column(x, place, columns)) {
            *out = *x;
        }
    }
}
