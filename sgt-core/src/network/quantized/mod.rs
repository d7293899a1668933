//! Inference in 8-bit integers, for weights that were quantised beforehand.
//!
//! A number is `(q − zero) · scale`, with `q` an `i8`. Each activation has one scale and zero, found
//! on training data; each output channel has a scale of its weights, whose zero is 0. Sums are exact
//! in 32 bits, and are brought to the scale of what they give by [`Rescale::apply`]: one rounding,
//! the same on every machine.
//!
//! Jacob et al., "Quantization and Training of Neural Networks for Efficient
//! Integer-Arithmetic-Only Inference", 2018; the scheme of TensorFlow Lite for microcontrollers, but
//! that TensorFlow rounds twice.

mod kernel;
mod pass;

use super::layer::Layer;
use super::{Network, Shape};
use crate::{Error, math};

/// What a number of an activation means: `(q − zero) · scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Activation {
    /// What a step of `q` is worth, positive.
    pub scale: f32,
    /// The `q` of 0.
    pub zero: i8,
}

impl Activation {
    /// The nearest `q` in `[−128, 127]`, halves up.
    fn quantize(self, value: f32) -> i8 {
        const LOWEST: f32 = 128.0;
        const HALF: f32 = 0.5;
        // From 0 on a conversion rounds down, and below and above it stops at the ends.
        let steps = value / self.scale + (f32::from(self.zero) + LOWEST) + HALF;
        let place = steps as u8;
        (i16::from(place) - LOWEST as i16) as i8
    }

    fn dequantize(self, q: i8) -> f32 {
        f32::from(i16::from(q) - i16::from(self.zero)) * self.scale
    }
}

/// The factor from one scale to another: `multiplier / 2^shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Rescale {
    /// Not negative; `2³⁰` or more for 31 bits of precision.
    pub multiplier: i32,
    /// 1 to 62.
    pub shift: u32,
}

/// The largest shift of a product of 63 bits.
const MOST_SHIFT: u32 = 62;

impl Rescale {
    /// `⌊sum · multiplier / 2^shift + ½⌋`, exactly: to the nearest, halves up; at the ends of 32 bits
    /// beyond them.
    #[inline]
    pub const fn apply(self, sum: i32) -> i32 {
        Self::round(sum as i64 * self.multiplier as i64, self.shift)
    }

    /// `⌊product / 2^shift + ½⌋`, at the ends of 32 bits beyond them.
    #[inline]
    const fn round(product: i64, shift: u32) -> i32 {
        if let Some(high) = shift.checked_sub(i32::BITS + 1) {
            // The usual case, in words of 32 bits: the half lies in the upper one, and it fits.
            let upper = (product >> i32::BITS) as i32;
            let half = 1_i32 << (high % i32::BITS);
            return upper.wrapping_add(half) >> ((high + 1) % i32::BITS);
        }
        // Within 64 bits: a product has 63, the half 62.
        let half = 1_i64 << (shift.wrapping_sub(1) % i64::BITS);
        let value = product.wrapping_add(half) >> (shift % i64::BITS);
        if value > i32::MAX as i64 {
            i32::MAX
        } else if value < i32::MIN as i64 {
            i32::MIN
        } else {
            value as i32
        }
    }

    const fn is_valid(self) -> bool {
        self.multiplier >= 0 && self.shift >= 1 && self.shift <= MOST_SHIFT
    }
}

/// A network's parameters in integers, layer after layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantized<'q> {
    /// In `[−127, 127]`. A matrix `[outputs, columns]` of a dense layer, or of a convolution with
    /// its columns tap after tap, `[kernel, inputs]`, lies in blocks of four rows, each
    /// `[columns, 4]`, then the rows that are left; that of a depthwise convolution row after row.
    pub weights: &'q [i8],
    /// One an output channel, in steps of the input's scale times the weights':
    /// `bias / (scale_in · scale_w) − zero_in · Σ weights`, below `2³⁰`.
    pub biases: &'q [i32],
    /// One an output channel of layers with weights, `scale_in · scale_w / scale_out`; one of average
    /// pooling, with the division by the kernel's or the series' positions in it; two of a
    /// residual's sum, of one shift: the way through, the way around.
    pub rescales: &'q [Rescale],
    /// Of the input, then of each layer's output. A layer without arithmetic has its input's.
    pub activations: &'q [Activation],
}

/// Terms of a sum that 31 bits hold: `2¹⁶ · 2⁷ · 2⁷ = 2³⁰`, and a bias below it.
const MOST_COLUMNS: usize = 1 << 16;
const MOST_BIAS: u32 = 1 << 30;

/// How many of each a layer has.
#[derive(Clone, Copy)]
struct Counts {
    weights: usize,
    /// Its rows: weighted layers have a bias and a rescaling for each.
    biases: usize,
    rescales: usize,
    columns: usize,
}

impl Counts {
    /// `None` for a layer that has no integer form.
    fn of(layer: &Layer, input: Shape, parameters: usize) -> Option<Self> {
        let rows = match layer {
            Layer::Dense(layer) => layer.outputs,
            Layer::Convolution(layer) => layer.outputs,
            Layer::Depthwise(_) => input.channels,
            _ => 0,
        };
        let rescales = match layer {
            Layer::Dense(_) | Layer::Convolution(_) | Layer::Depthwise(_) => rows,
            Layer::AveragePool(_) | Layer::GlobalAveragePool => 1,
            Layer::ResidualAdd => 2,
            Layer::Lstm(_) => return None,
            Layer::MaxPool(_) | Layer::Relu | Layer::Flatten(_) | Layer::ResidualStart => 0,
        };
        let weights = parameters - rows;
        let columns = match layer {
            Layer::Dense(_) => input.channels,
            Layer::Convolution(layer) => input.channels * layer.window.kernel,
            Layer::Depthwise(layer) => layer.window.kernel,
            Layer::AveragePool(window) => window.kernel,
            _ => input.positions,
        };
        Some(Self {
            weights,
            biases: rows,
            rescales,
            columns,
        })
    }

    /// Whether the layer's output has a scale of its own.
    const fn has_scale(&self) -> bool {
        self.rescales > 0
    }
}

impl<const KINDS: u16> Network<'_, KINDS> {
    /// Scratch of [`Network::infer_quantized`], in bytes: as many as [`Network::infer`] needs values,
    /// and the window.
    pub const fn quantized_len(&self) -> usize {
        self.inference_len() + self.input_len()
    }

    /// The logits of one window, computed in 8-bit integers. `logits` has [`Network::classes`]
    /// values, `scratch` at least [`Network::quantized_len`].
    ///
    /// # Errors
    /// As [`Network::infer`]; [`Error::Unsupported`] naming `layers` for an LSTM, [`Error::Length`]
    /// naming `weights`, `biases`, `rescales` or `activations`, [`Error::Range`] for one of them that
    /// is outside its domain, or a layer whose sums have more terms than 32 bits hold.
    ///
    /// ```
    /// use sgt_core::network::{Activation, Dense, Layer, Network, Quantized, Rescale, Shape};
    /// let layers = [Layer::Dense(Dense { outputs: 1 })];
    /// let network = Network::new(Shape::vector(2), &layers)?;
    /// // Inputs in steps of 1/64, weights of 1/32, the output in steps of 1/16.
    /// let quantized = Quantized {
    ///     weights: &[32, -16],
    ///     biases: &[64],
    ///     rescales: &[Rescale { multiplier: 1 << 30, shift: 37 }],
    ///     activations: &[
    ///         Activation { scale: 1.0 / 64.0, zero: 0 },
    ///         Activation { scale: 1.0 / 16.0, zero: 0 },
    ///     ],
    /// };
    /// let mut logits = [0.0];
    /// network.infer_quantized(&quantized, &[1.0, 0.5], &mut [0; 3], &mut logits)?;
    /// assert_eq!(logits, [1.0 - 0.25 + 1.0 / 32.0 + 1.0 / 32.0]); // the bias is half a step
    /// # Ok::<(), sgt_core::Error>(())
    /// ```
    pub fn infer_quantized(
        &self,
        quantized: &Quantized<'_>,
        input: &[f32],
        scratch: &mut [i8],
        logits: &mut [f32],
    ) -> Result<(), Error> {
        math::check_length("input", self.input_len(), input.len())?;
        math::check_finite("input", input)?;
        let found = scratch.len();
        let needed = self.quantized_len();
        let scratch = scratch.get_mut(..needed).ok_or(Error::Length {
            argument: "scratch",
            expected: needed,
            found,
        })?;
        math::check_length("logits", self.classes(), logits.len())?;
        self.check_quantized(quantized)?;
        self.run_quantized(quantized, input, scratch, logits);
        Ok(())
    }

    fn check_quantized(&self, quantized: &Quantized<'_>) -> Result<(), Error> {
        const ACTIVATIONS: &str = "activations";
        let range = |argument| Err(Error::Range { argument });
        let (mut weights, mut biases, mut rescales) = (0, 0, 0);
        let mut activations = quantized.activations.iter();
        let mut number = 0;
        let mut walk = self.walk();
        let mut before = activations.next();
        while let Some(stage) = walk.next() {
            let Some(counts) = Counts::of(stage.layer, stage.input, stage.parameters) else {
                return Err(Error::Unsupported { argument: "layers" });
            };
            if counts.columns > MOST_COLUMNS {
                return range("layers");
            }
            weights += counts.weights;
            biases += counts.biases;
            rescales += counts.rescales;
            number += 1;
            let behind = activations.next();
            if !counts.has_scale() && behind != before {
                return range(ACTIVATIONS);
            }
            before = behind;
        }
        math::check_length("weights", weights, quantized.weights.len())?;
        math::check_length("biases", biases, quantized.biases.len())?;
        math::check_length("rescales", rescales, quantized.rescales.len())?;
        math::check_length(ACTIVATIONS, number + 1, quantized.activations.len())?;
        let small = |bias: &i32| bias.unsigned_abs() < MOST_BIAS;
        if !quantized.biases.iter().all(small) {
            return range("biases");
        }
        if !quantized.rescales.iter().all(|rescale| rescale.is_valid()) {
            return range("rescales");
        }
        let valid = |it: &Activation| it.scale > 0.0 && math::is_finite(it.scale);
        if !quantized.activations.iter().all(valid) {
            return range(ACTIVATIONS);
        }
        Ok(())
    }

    /// Shows every layer's output for one window to `visit`, with the layer's number: what a
    /// quantisation is calibrated on. Costs a pass for each layer. `tape` has at least [`Network::saliency_len`] values.
    ///
    /// # Errors
    /// As [`Network::infer`].
    pub fn observe(
        &self,
        parameters: super::Parameters<'_>,
        input: &[f32],
        tape: &mut [f32],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Error> {
        self.check(parameters, input)?;
        let tape = super::take(tape, self.saliency_len())?;
        self.each_output(parameters, input, tape, visit);
        Ok(())
    }
}

/// `values` of an activation, as numbers.
fn dequantize(activation: Activation, values: &[i8], out: &mut [f32]) {
    for (out, &q) in out.iter_mut().zip(values) {
        *out = activation.dequantize(q);
    }
}

/// `values` as those of an activation.
fn quantize(activation: Activation, values: &[f32], out: &mut [i8]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = activation.quantize(value);
    }
}
