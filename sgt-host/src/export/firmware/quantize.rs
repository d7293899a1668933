//! A table of layers in 8-bit integers: scales from training data, weights rounded to them.
//!
//! An activation's range is that of the calibration windows, with 0 in it; behind a layer whose next
//! one is `ReLU`, the range of that. A weight's scale is its output channel's largest magnitude
//! over 127.

use super::golden::Standardisation;
use super::table::Table;
use crate::data::Dataset;
use crate::network::InputShape;
use crate::{Error, Result};
use sgt_core::network::{Activation, Layer, Network, Parameters, Quantized, Rescale};

/// What a quantisation is calibrated and measured on: a run's data, as its network reads it.
#[derive(Clone, Copy, Debug)]
pub struct Calibration<'d> {
    /// Where the ranges of activations come from.
    pub training: &'d Dataset,
    /// Where the accuracy is counted, before and after.
    pub test: &'d Dataset,
}

/// Training windows that are looked at, evenly over the data.
const WINDOWS: usize = 512;
/// Rows of a matrix that lie side by side.
const BLOCK: usize = 4;
/// The largest magnitude of a weight.
const MOST_WEIGHT: f64 = 127.0;
/// Steps of an activation's range.
const STEPS: f64 = 255.0;
/// Bits of a multiplier behind its point, and the largest shift.
const MULTIPLIER_BITS: i32 = 31;
const MOST_SHIFT: i32 = 62;
/// Below this a bias and its sum fit 32 bits.
const MOST_BIAS: f64 = (1_u32 << 30) as f64;

/// A table's parameters in integers, and as the numbers that they stand for.
#[derive(Clone, Debug)]
pub(super) struct Integers {
    pub(super) weights: Vec<i8>,
    pub(super) biases: Vec<i32>,
    pub(super) rescales: Vec<Rescale>,
    pub(super) activations: Vec<Activation>,
    /// Right and all of each class, of the numbers and of the integers.
    pub(super) accuracy: Vec<ClassAccuracy>,
}

/// How many test windows of a class are right.
#[derive(Clone, Debug, Default)]
pub(super) struct ClassAccuracy {
    pub(super) all: usize,
    pub(super) numbers: usize,
    pub(super) integers: usize,
}

impl Integers {
    pub(super) fn quantized(&self) -> Quantized<'_> {
        Quantized {
            weights: &self.weights,
            biases: &self.biases,
            rescales: &self.rescales,
            activations: &self.activations,
        }
    }

    /// Bytes in flash.
    pub(super) fn bytes(&self) -> usize {
        self.weights.len()
            + size_of_val(&self.biases[..])
            + size_of_val(&self.rescales[..])
            + size_of_val(&self.activations[..])
    }
}

/// Windows of a data set as a board reads them.
struct Windows<'d> {
    data: &'d Dataset,
    /// What is still to be done, for data that are held in their own units.
    standardisation: Option<&'d Standardisation>,
}

impl Windows<'_> {
    fn window(&self, index: usize) -> Vec<f32> {
        let shape = self.data.shape();
        let board = match shape {
            InputShape::Tokens { .. } => shape,
            _ => InputShape::series(shape.positions(), shape.channels()),
        };
        let sample = self.data.sample(index);
        let mut window = if shape.is_channels_first() {
            (0..sample.len())
                .map(|place| {
                    let (position, channel) = board.position_and_channel(place);
                    sample[shape.place(position, channel)]
                })
                .collect()
        } else {
            sample.to_vec()
        };
        if let Some(Standardisation { mean, deviation }) = self.standardisation {
            let channels = mean.iter().zip(deviation).cycle();
            for (x, (mean, deviation)) in window.iter_mut().zip(channels) {
                *x = (*x - mean) / deviation;
            }
        }
        window
    }
}

/// Quantises `table`, whose parameters become what the integers stand for.
///
/// `standardisation` is given where the data are in their own units.
///
/// # Errors
/// [`Error::Argument`] for a layer that has no integer form, or numbers beyond them.
pub(super) fn quantize(
    table: &mut Table,
    calibration: &Calibration<'_>,
    standardisation: Option<&Standardisation>,
) -> Result<Integers> {
    let lstm = |row: &&super::table::Row| matches!(row.layer, Layer::Lstm(_));
    if let Some(row) = table.rows.iter().find(lstm) {
        return Err(Error::Argument {
            argument: format!("--quantize int8, layer {}", row.name),
            found: "an LSTM".into(),
            expected: "layers whose sums are taken in integers: convolutions, linear, pooling"
                .into(),
        });
    }
    let training = Windows {
        data: calibration.training,
        standardisation,
    };
    let original = table.parameters.clone();
    let activations = activations(table, &training)?;
    let mut integers = integers(table, activations)?;
    let test = Windows {
        data: calibration.test,
        standardisation,
    };
    integers.accuracy = accuracy(table, &original, &integers, &test)?;
    Ok(integers)
}

/// The ranges of the input and of every layer's output over training windows.
fn activations(table: &Table, training: &Windows<'_>) -> Result<Vec<Activation>> {
    let layers = table.layers();
    let network = Network::new(table.input, &layers)?;
    let mut ranges = vec![[0.0_f32; 2]; layers.len() + 1];
    let widen = |[low, high]: &mut [f32; 2], values: &[f32]| {
        for &value in values {
            *low = low.min(value);
            *high = high.max(value);
        }
    };
    let mut tape = vec![0.0; network.saliency_len()];
    let count = training.data.len();
    let shown = count.min(WINDOWS);
    for number in 0..shown {
        let window = training.window(number * count / shown);
        widen(&mut ranges[0], &window);
        let parameters = Parameters::all(&table.parameters);
        network.observe(parameters, &window, &mut tape, &mut |layer, values| {
            widen(&mut ranges[layer + 1], values);
        })?;
    }
    let mut activations = vec![activation(ranges[0])];
    for (number, layer) in layers.iter().enumerate() {
        let before = activations[number];
        activations.push(match layer {
            Layer::Dense(_)
            | Layer::Convolution(_)
            | Layer::Depthwise(_)
            | Layer::ResidualAdd
            | Layer::AveragePool(_)
            | Layer::GlobalAveragePool => {
                // What is below 0 goes in the next layer anyway.
                let next = layers.get(number + 1);
                let is_cut = matches!(next, Some(Layer::Relu));
                activation(ranges[number + 1 + usize::from(is_cut)])
            }
            _ => before,
        });
    }
    Ok(activations)
}

/// The scale and the zero of a range that holds 0.
fn activation([low, high]: [f32; 2]) -> Activation {
    let width = f64::from(high) - f64::from(low);
    let scale = if width > 0.0 { width / STEPS } else { 1.0 } as f32;
    let lowest = f64::from(i8::MIN);
    let zero = (lowest - f64::from(low) / f64::from(scale)).round();
    Activation {
        scale,
        zero: zero.clamp(lowest, f64::from(i8::MAX)) as i8,
    }
}

/// `factor` as a multiplier and a shift.
fn rescale(factor: f64, row: &str) -> Result<Rescale> {
    let refused = || Error::Argument {
        argument: format!("--quantize int8, layer {row}"),
        found: format!("a factor of {factor:e} between its scales"),
        expected: "one below 2³⁰".into(),
    };
    if !(factor.is_finite() && factor >= 0.0) {
        return Err(refused());
    }
    let exponent = if factor > 0.0 {
        // factor = fraction · 2^exponent with the fraction in [½, 1).
        factor.log2().floor() as i32 + 1
    } else {
        0
    };
    let shift = (MULTIPLIER_BITS - exponent).min(MOST_SHIFT);
    if shift < 1 {
        return Err(refused());
    }
    let multiplier = (factor * f64::from(shift).exp2()).round();
    let (multiplier, shift) = if multiplier > f64::from(i32::MAX) {
        (multiplier / 2.0, shift - 1)
    } else {
        (multiplier, shift)
    };
    if shift < 1 {
        return Err(refused());
    }
    Ok(Rescale {
        multiplier: multiplier as i32,
        shift: shift as u32,
    })
}

fn integers(table: &mut Table, activations: Vec<Activation>) -> Result<Integers> {
    let mut integers = Integers {
        weights: Vec::new(),
        biases: Vec::new(),
        rescales: Vec::new(),
        activations,
        accuracy: Vec::new(),
    };
    let mut first = 0;
    let mut input = table.input;
    let mut around = integers.activations[0];
    for (number, row) in table.rows.iter().enumerate() {
        let (from, to) = (
            integers.activations[number],
            integers.activations[number + 1],
        );
        let own = &mut table.parameters[first..first + row.parameters];
        first += row.parameters;
        let factor = f64::from(from.scale) / f64::from(to.scale);
        match &row.layer {
            Layer::Dense(_) | Layer::Convolution(_) | Layer::Depthwise(_) => {
                let matrix = matrix(
                    own,
                    row.output.channels,
                    (from, to),
                    &row.name,
                    &mut integers,
                )?;
                let columns = (matrix.len() / row.output.channels.max(1)).max(1);
                integers.weights.extend(match &row.layer {
                    Layer::Depthwise(_) => matrix,
                    Layer::Convolution(own) => {
                        let kernel = own.window.kernel;
                        let turned = tap_after_tap(&matrix, columns / kernel.max(1), kernel);
                        packed(&turned, columns)
                    }
                    _ => packed(&matrix, columns),
                });
            }
            Layer::AveragePool(window) => {
                let own = rescale(factor / window.kernel as f64, &row.name)?;
                integers.rescales.push(own);
            }
            Layer::GlobalAveragePool => {
                let own = rescale(factor / input.positions as f64, &row.name)?;
                integers.rescales.push(own);
            }
            Layer::ResidualStart => around = from,
            Layer::ResidualAdd => {
                let over = f64::from(around.scale) / f64::from(to.scale);
                let shift = rescale(factor.max(over), &row.name)?.shift;
                let unit = f64::from(shift).exp2();
                for factor in [factor, over] {
                    integers.rescales.push(Rescale {
                        multiplier: (factor * unit).round() as i32,
                        shift,
                    });
                }
            }
            _ => {}
        }
        input = row.output;
    }
    Ok(integers)
}

/// A layer's weights in integers, row after row; its biases and rescalings go to `integers`, and
/// `own` becomes what they stand for.
fn matrix(
    own: &mut [f32],
    rows: usize,
    (from, to): (Activation, Activation),
    name: &str,
    integers: &mut Integers,
) -> Result<Vec<i8>> {
    let (weights, biases) = own.split_at_mut(own.len() - rows);
    let columns = (weights.len() / rows.max(1)).max(1);
    let mut matrix = Vec::with_capacity(weights.len());
    for (row, bias) in weights.chunks_exact_mut(columns).zip(biases) {
        let largest = row.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let scale = if largest > 0.0 {
            f64::from(largest) / MOST_WEIGHT
        } else {
            1.0
        };
        let mut sum = 0_i32;
        for weight in row {
            let q = (f64::from(*weight) / scale).round() as i8;
            sum += i32::from(q);
            *weight = (f64::from(q) * scale) as f32;
            matrix.push(q);
        }
        let step = f64::from(from.scale) * scale;
        let whole = (f64::from(*bias) / step).round() - f64::from(from.zero) * f64::from(sum);
        if whole.abs() >= MOST_BIAS {
            return Err(Error::Argument {
                argument: format!("--quantize int8, layer {name}"),
                found: format!("a bias of {bias}, {whole:e} steps of {step:e}"),
                expected: "fewer than 2³⁰ steps".into(),
            });
        }
        integers.biases.push(whole as i32);
        integers
            .rescales
            .push(rescale(step / f64::from(to.scale), name)?);
    }
    Ok(matrix)
}

/// A convolution's rows `[inputs, kernel]` as `[kernel, inputs]`, the order in which a window lies in
/// memory.
fn tap_after_tap(matrix: &[i8], inputs: usize, kernel: usize) -> Vec<i8> {
    let rows = matrix.chunks_exact((inputs * kernel).max(1));
    let turned = rows.flat_map(|row| {
        let places = 0..row.len();
        places.map(move |place| row[place % inputs * kernel + place / inputs])
    });
    turned.collect()
}

/// Blocks of four rows, `[columns, 4]`, then the rows that are left.
fn packed(matrix: &[i8], columns: usize) -> Vec<i8> {
    let block = BLOCK * columns;
    let mut packed = Vec::with_capacity(matrix.len());
    let mut blocks = matrix.chunks_exact(block);
    for rows in &mut blocks {
        for column in 0..columns {
            packed.extend((0..BLOCK).map(|row| rows[row * columns + column]));
        }
    }
    packed.extend(blocks.remainder());
    packed
}

/// Right answers of each class on the test windows: of the network that was trained, and of its
/// integers.
fn accuracy(
    table: &Table,
    original: &[f32],
    integers: &Integers,
    test: &Windows<'_>,
) -> Result<Vec<ClassAccuracy>> {
    let layers = table.layers();
    let network = Network::new(table.input, &layers)?;
    let mut classes = vec![ClassAccuracy::default(); network.classes()];
    let mut logits = vec![0.0; network.classes()];
    let mut scratch = vec![0.0; network.inference_len()];
    let mut bytes = vec![0; network.quantized_len()];
    for index in 0..test.data.len() {
        let window = test.window(index);
        let label = test.data.labels()[index];
        let Some(class) = classes.get_mut(label) else {
            continue;
        };
        class.all += 1;
        network.infer(
            Parameters::all(original),
            &window,
            &mut scratch,
            &mut logits,
        )?;
        class.numbers += usize::from(largest(&logits) == label);
        network.infer_quantized(&integers.quantized(), &window, &mut bytes, &mut logits)?;
        class.integers += usize::from(largest(&logits) == label);
    }
    Ok(classes)
}

/// The class of the largest logit, the first of equal ones.
fn largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_held_to_31_bits() {
        for factor in [1.0, 0.5, 0.9999, 1.0 / 3.0, 3.7e-5, 123.4, 1e-9] {
            let own = rescale(factor, "x").unwrap();
            let held = f64::from(own.multiplier) / f64::from(own.shift).exp2();
            assert!((held / factor - 1.0).abs() < 1e-9, "{factor}: {own:?}");
        }
        assert!(rescale(f64::INFINITY, "x").is_err());
        assert!(rescale(1e12, "x").is_err());
        assert_eq!(rescale(0.0, "x").unwrap().multiplier, 0);
    }

    #[test]
    fn ranges_hold_zero_exactly() {
        for range in [[-1.0, 3.0], [0.0, 2.0], [-5.0, 0.0], [0.0, 0.0]] {
            let own = activation(range);
            let at = |q: i32| (q - i32::from(own.zero)) as f32 * own.scale;
            assert!(at(-128) <= range[0] + own.scale && at(127) >= range[1] - own.scale);
        }
    }
}
