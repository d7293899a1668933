//! Layers on dfdx's tape: the CPU's operations and the ones composed of dfdx's own, held to the
//! same values and gradients, to finite differences, and to the typed layers' promises.

use dfdx::prelude::*;
use sgt_host::Error;
use sgt_host::model::Mode;
use sgt_host::nn::composed::{AttentionParameters, LstmParameters};
use sgt_host::nn::kernel::conv2d::Conv2dGeometry;
use sgt_host::nn::kernel::dropout::DropoutKey;
use sgt_host::nn::kernel::lstm::Readout;
use sgt_host::nn::kernel::pool::PoolGeometry;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The step of central differences: a power of two, so that `x ± STEP` is exact.
const STEP: f32 = 1.0 / 128.0;
/// Largest difference of a gradient to its central difference, relative to the largest of the
/// tensor's gradients: rounding of f32 values over the step, and the step's square.
const DIFFERENCE_TOLERANCE: f32 = 4e-3;
/// Largest difference between the two paths, relative to the tensor's largest value.
const PATH_TOLERANCE: f32 = 2e-5;

const TRAINING: Mode = Mode::Training { seed: 11 };

/// What an operation gave: its output, and the gradient of each of its inputs (the activation
/// first, then the parameters) where there is one.
#[derive(Debug)]
struct Outcome {
    out: Vec<f32>,
    gradients: Vec<Option<Vec<f32>>>,
}

/// Distinct values in an order without pattern, none nearer than 0.025 to another or to 0.
fn spread(count: usize, seed: usize) -> Vec<f32> {
    let stride = (0..).map(|extra| 2 * count / 3 + seed + extra);
    let coprime = |&stride: &usize| {
        (1..count.max(2)).all(|d| d == 1 || !(count.is_multiple_of(d) && stride.is_multiple_of(d)))
    };
    let stride = stride.clone().find(coprime).unwrap();
    let place = |index: usize| (index * stride + seed) % count;
    let value = |index| (place(index) as f32 - count as f32 / 2.0 + 0.25) * 0.05;
    (0..count).map(value).collect()
}

/// Values in `[-0.5, 0.5]` without pattern.
fn noise(count: usize, seed: usize) -> Vec<f32> {
    let value = |index: usize| {
        let mut bits = (index + 7919 * (seed + 1)) as u64;
        bits = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (bits >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(value).collect()
}

fn tensor<S: Shape>(device: &Cpu, values: &[f32], shape: S) -> Tensor<S, f32, Cpu> {
    device.tensor_from_vec(values.to_vec(), shape)
}

/// The gradient of `tensor`, or nothing when none was allocated (dfdx then panics).
fn gradient_of<S: Shape>(
    gradients: &Gradients<f32, Cpu>,
    tensor: &Tensor<S, f32, Cpu>,
) -> Option<Vec<f32>> {
    catch_unwind(AssertUnwindSafe(|| gradients.get(tensor).as_vec())).ok()
}

/// The cotangent that every test pulls back.
fn cotangent(count: usize) -> Vec<f32> {
    noise(count, 101)
}

/// Pulls the cotangent back through `out`.
fn backward<S: Shape>(
    out: Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>,
) -> (Vec<f32>, Gradients<f32, Cpu>) {
    let values = out.as_vec();
    let dout = tensor(out.device(), &cotangent(values.len()), *out.shape());
    let loss = (out * dout).sum::<Rank0, _>();
    (values, loss.backward())
}

/// An operation over its inputs (activation, parameters), in a mode.
type Operation<'a> = &'a dyn Fn(&[Vec<f32>], Mode) -> Outcome;

/// Defines, for one path, every operation as a function of plain vectors.
macro_rules! operations {
    ($path:ident, $($module:ident)::+) => {
        mod $path {
            use super::*;
            use $($module)::+ as path;

            pub(super) fn linear(sizes: [usize; 3], inputs: &[Vec<f32>], mode: Mode) -> Outcome {
                let device = Cpu::default();
                let [batch, features, outputs] = sizes;
                let x = tensor(&device, &inputs[0], (batch, features));
                let weight = tensor(&device, &inputs[1], (outputs, features));
                let bias = inputs.get(2).map(|bias| tensor(&device, bias, (outputs,)));
                let out = path::linear(x.leaky_trace(), &weight, bias.as_ref(), mode).unwrap();
                let (out, gradients) = backward(out);
                let mut all = vec![gradient_of(&gradients, &x), gradient_of(&gradients, &weight)];
                all.extend(bias.map(|bias| gradient_of(&gradients, &bias)));
                Outcome { out, gradients: all }
            }

            pub(super) fn conv2d(
                geometry: &Conv2dGeometry,
                batch: usize,
                inputs: &[Vec<f32>],
                mode: Mode,
            ) -> Outcome {
                let device = Cpu::default();
                let [height, width] = geometry.input;
                let x = tensor(&device, &inputs[0], (batch, geometry.in_channels, height, width));
                let [rows, columns] = geometry.kernel;
                let shape = (geometry.out_channels, geometry.in_channels, rows, columns);
                let weight = tensor(&device, &inputs[1], shape);
                let outputs = geometry.out_channels;
                let bias = inputs.get(2).map(|bias| tensor(&device, bias, (outputs,)));
                let out = path::conv2d(geometry, x.leaky_trace(), &weight, bias.as_ref(), mode);
                let (out, gradients) = backward(out.unwrap());
                let mut all = vec![gradient_of(&gradients, &x), gradient_of(&gradients, &weight)];
                all.extend(bias.map(|bias| gradient_of(&gradients, &bias)));
                Outcome { out, gradients: all }
            }

            pub(super) fn pool(
                geometry: &PoolGeometry,
                batch: usize,
                largest: bool,
                inputs: &[Vec<f32>],
            ) -> Outcome {
                let device = Cpu::default();
                let [height, width] = geometry.input;
                let x = tensor(&device, &inputs[0], (batch, geometry.channels, height, width));
                let out = if largest {
                    path::max_pool(geometry, x.leaky_trace())
                } else {
                    path::average_pool(geometry, x.leaky_trace())
                };
                let (out, gradients) = backward(out.unwrap());
                Outcome { out, gradients: vec![gradient_of(&gradients, &x)] }
            }

            pub(super) fn global_average_pool(
                shape: (usize, usize, usize, usize),
                inputs: &[Vec<f32>],
            ) -> Outcome {
                let x = tensor(&Cpu::default(), &inputs[0], shape);
                let out = path::global_average_pool(x.leaky_trace()).unwrap();
                let (out, gradients) = backward(out);
                Outcome { out, gradients: vec![gradient_of(&gradients, &x)] }
            }

            pub(super) fn batch_norm(
                shape: (usize, usize, usize),
                inputs: &[Vec<f32>],
                mode: Mode,
            ) -> Outcome {
                let device = Cpu::default();
                let x = tensor(&device, &inputs[0], shape);
                let channels = (shape.1,);
                let weight = tensor(&device, &inputs[1], channels);
                let bias = tensor(&device, &inputs[2], channels);
                let mean = tensor(&device, &noise(shape.1, 1), channels);
                let variance: Vec<f32> = noise(shape.1, 2).iter().map(|v| v + 1.0).collect();
                let variance = tensor(&device, &variance, channels);
                let (out, statistics) =
                    path::batch_norm(x.leaky_trace(), &weight, &bias, &mean, &variance, mode)
                        .unwrap();
                assert_eq!(statistics.is_some(), mode == TRAINING);
                let (out, gradients) = backward(out);
                if let Some(statistics) = statistics {
                    assert_statistics(&inputs[0], shape, &statistics);
                }
                let all = vec![
                    gradient_of(&gradients, &x),
                    gradient_of(&gradients, &weight),
                    gradient_of(&gradients, &bias),
                ];
                Outcome { out, gradients: all }
            }

            pub(super) fn layer_norm(
                shape: (usize, usize),
                inputs: &[Vec<f32>],
                mode: Mode,
            ) -> Outcome {
                let device = Cpu::default();
                let x = tensor(&device, &inputs[0], shape);
                let weight = tensor(&device, &inputs[1], (shape.1,));
                let bias = tensor(&device, &inputs[2], (shape.1,));
                let out = path::layer_norm(x.leaky_trace(), &weight, &bias, mode).unwrap();
                let (out, gradients) = backward(out);
                let all = vec![
                    gradient_of(&gradients, &x),
                    gradient_of(&gradients, &weight),
                    gradient_of(&gradients, &bias),
                ];
                Outcome { out, gradients: all }
            }

            pub(super) fn dropout(inputs: &[Vec<f32>]) -> Outcome {
                let x = tensor(&Cpu::default(), &inputs[0], (inputs[0].len(),));
                let key = DropoutKey::new(5, 1);
                let out = path::dropout(key, 0.25, x.leaky_trace()).unwrap();
                let (out, gradients) = backward(out);
                Outcome { out, gradients: vec![gradient_of(&gradients, &x)] }
            }

            pub(super) fn relu(inputs: &[Vec<f32>]) -> Outcome {
                let x = tensor(&Cpu::default(), &inputs[0], (inputs[0].len(),));
                let (out, gradients) = backward(path::relu(x.leaky_trace()).unwrap());
                Outcome { out, gradients: vec![gradient_of(&gradients, &x)] }
            }

            pub(super) fn embedding(
                dim: usize,
                tokens: &[usize],
                inputs: &[Vec<f32>],
                mode: Mode,
            ) -> Outcome {
                let table = tensor(&Cpu::default(), &inputs[0], (inputs[0].len() / dim, dim));
                let out = path::embedding(&table, tokens, mode).unwrap();
                let (out, gradients) = backward(out);
                Outcome { out, gradients: vec![gradient_of(&gradients, &table)] }
            }

            /// Inputs: x, then four tensors a direction.
            pub(super) fn lstm(
                (batch, steps, features): (usize, usize, usize),
                hidden: usize,
                readout: Readout,
                inputs: &[Vec<f32>],
                mode: Mode,
            ) -> Outcome {
                let device = Cpu::default();
                let x = tensor(&device, &inputs[0], (batch, steps, features));
                let gates = 4 * hidden;
                let direction = |inputs: &[Vec<f32>]| LstmParameters {
                    input: tensor(&device, &inputs[0], (gates, features)),
                    hidden: tensor(&device, &inputs[1], (gates, hidden)),
                    input_bias: tensor(&device, &inputs[2], (gates,)),
                    hidden_bias: tensor(&device, &inputs[3], (gates,)),
                };
                let directions: Vec<_> = inputs[1..].chunks_exact(4).map(direction).collect();
                let (first, second) = (&directions[0], directions.get(1));
                let out = path::lstm(x.leaky_trace(), first, second, readout, mode).unwrap();
                let (out, gradients) = backward(out);
                let mut all = vec![gradient_of(&gradients, &x)];
                for direction in &directions {
                    all.push(gradient_of(&gradients, &direction.input));
                    all.push(gradient_of(&gradients, &direction.hidden));
                    all.push(gradient_of(&gradients, &direction.input_bias));
                    all.push(gradient_of(&gradients, &direction.hidden_bias));
                }
                Outcome { out, gradients: all }
            }

            pub(super) fn attention(
                shape: (usize, usize, usize),
                heads: usize,
                causal: bool,
                inputs: &[Vec<f32>],
                mode: Mode,
            ) -> Outcome {
                let device = Cpu::default();
                let x = tensor(&device, &inputs[0], shape);
                let dim = shape.2;
                let parameters = AttentionParameters {
                    in_projection: tensor(&device, &inputs[1], (3 * dim, dim)),
                    in_bias: tensor(&device, &inputs[2], (3 * dim,)),
                    out_projection: tensor(&device, &inputs[3], (dim, dim)),
                    out_bias: tensor(&device, &inputs[4], (dim,)),
                };
                let out = path::attention(x.leaky_trace(), &parameters, heads, causal, mode);
                let (out, gradients) = backward(out.unwrap());
                let all = vec![
                    gradient_of(&gradients, &x),
                    gradient_of(&gradients, &parameters.in_projection),
                    gradient_of(&gradients, &parameters.in_bias),
                    gradient_of(&gradients, &parameters.out_projection),
                    gradient_of(&gradients, &parameters.out_bias),
                ];
                Outcome { out, gradients: all }
            }
        }
    };
}

operations!(fast, sgt_host::nn::layer::operation);
operations!(composed, sgt_host::nn::composed);

/// The batch's statistics against their definition.
fn assert_statistics(
    x: &[f32],
    (batch, channels, plane): (usize, usize, usize),
    found: &sgt_host::nn::composed::BatchStatistics,
) {
    for channel in 0..channels {
        let values: Vec<f64> = (0..batch)
            .flat_map(|sample| {
                let start = (sample * channels + channel) * plane;
                x[start..start + plane].iter().map(|&v| f64::from(v))
            })
            .collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        assert!((f64::from(found.mean[channel]) - mean).abs() < 1e-5);
        let variance = f64::from(found.unbiased_variance[channel]);
        assert!((variance - squares / (count - 1.0)).abs() < 1e-5);
    }
}

/// Every value within `tolerance` times the largest expected one.
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
    for (index, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let close = (f - e).abs() <= tolerance * largest;
        assert!(
            close,
            "{what}, value {index}: found {f}, expected {e} (largest {largest})"
        );
    }
}

/// Every gradient against central differences of `Σ out · cotangent`.
fn check_differences(operation: Operation, inputs: &[Vec<f32>], mode: Mode, what: &str) {
    let outcome = operation(inputs, mode);
    let loss = |inputs: &[Vec<f32>]| -> f64 {
        let out = operation(inputs, mode).out;
        let terms = out.iter().zip(cotangent(out.len()));
        terms.map(|(&o, c)| f64::from(o) * f64::from(c)).sum()
    };
    for (number, gradient) in outcome.gradients.iter().enumerate() {
        let gradient = gradient.as_ref().unwrap();
        assert_eq!(
            gradient.len(),
            inputs[number].len(),
            "{what}, input {number}"
        );
        let difference = |place: usize| {
            let mut moved = inputs.to_vec();
            moved[number][place] = inputs[number][place] + STEP;
            let above = loss(&moved);
            moved[number][place] = inputs[number][place] - STEP;
            ((above - loss(&moved)) / (2.0 * f64::from(STEP))) as f32
        };
        let differences: Vec<f32> = (0..gradient.len()).map(difference).collect();
        let what = format!("{what}, gradient of input {number}");
        assert_close(gradient, &differences, DIFFERENCE_TOLERANCE, &what);
    }
}

/// The mode for input gradients gives the evaluation's output and input gradient, and no
/// gradient of a parameter, not even an allocated one.
fn check_input_mode(operation: Operation, inputs: &[Vec<f32>], what: &str) {
    let full = operation(inputs, Mode::Evaluation);
    let input_only = operation(inputs, Mode::InputGradient);
    assert_eq!(full.out, input_only.out, "{what}");
    let (found, expected) = (&input_only.gradients[0], &full.gradients[0]);
    let (found, expected) = (found.as_ref().unwrap(), expected.as_ref().unwrap());
    assert_close(found, expected, 1e-6, what);
    for (number, gradient) in input_only.gradients.iter().enumerate().skip(1) {
        assert!(gradient.is_none(), "{what}: input {number} has a gradient");
        assert!(
            full.gradients[number].is_some(),
            "{what}: input {number} has none"
        );
    }
}

/// Both paths on the same inputs, in every mode.
fn check_paths(fast: Operation, composed: Operation, inputs: &[Vec<f32>], what: &str) {
    for mode in [Mode::Evaluation, TRAINING, Mode::InputGradient] {
        let (fast, composed) = (fast(inputs, mode), composed(inputs, mode));
        let what = format!("{what}, {mode:?}");
        assert_close(&composed.out, &fast.out, PATH_TOLERANCE, &what);
        assert_eq!(fast.gradients.len(), composed.gradients.len());
        let pairs = fast.gradients.iter().zip(&composed.gradients);
        for (number, (fast, composed)) in pairs.enumerate() {
            let what = format!("{what}, gradient of input {number}");
            assert_eq!(fast.is_some(), composed.is_some(), "{what}");
            if let (Some(fast), Some(composed)) = (fast, composed) {
                assert_close(composed, fast, PATH_TOLERANCE, &what);
            }
        }
    }
}

/// All checks of an operation with parameters.
fn check(fast: Operation, composed: Operation, inputs: &[Vec<f32>], what: &str) {
    check_paths(fast, composed, inputs, what);
    for (path, operation) in [("fast", fast), ("composed", composed)] {
        let what = format!("{path} {what}");
        check_differences(operation, inputs, Mode::Evaluation, &what);
        check_input_mode(operation, inputs, &what);
    }
}

#[test]
fn linear() {
    for [batch, features, outputs] in [[1, 1, 1], [3, 5, 2], [2, 4, 7]] {
        let sizes = [batch, features, outputs];
        for biased in [true, false] {
            let mut inputs = vec![noise(batch * features, 0), noise(outputs * features, 1)];
            if biased {
                inputs.push(noise(outputs, 2));
            }
            check(
                &|inputs, mode| fast::linear(sizes, inputs, mode),
                &|inputs, mode| composed::linear(sizes, inputs, mode),
                &inputs,
                &format!("linear {sizes:?}"),
            );
        }
    }
}

#[test]
fn convolution() {
    let plain = Conv2dGeometry::image(2, 3, [5, 6], 3);
    let geometries = [
        plain,
        plain.padded(1),
        plain.strided(2),
        plain.padded(2).strided(3),
        plain.dilated(2).padded(2),
        Conv2dGeometry::image(1, 2, [4, 4], 1),
        Conv2dGeometry::image(3, 4, [4, 5], 2).strided(2).padded(1),
        Conv2dGeometry::series(3, 2, 9, 3),
        Conv2dGeometry::series(2, 3, 8, 3).causal(),
        Conv2dGeometry::series(2, 2, 10, 3).dilated(2).causal(),
        Conv2dGeometry::series(2, 2, 11, 4).strided(2).padded(3),
    ];
    for geometry in geometries {
        let batch = 2;
        let inputs = [
            noise(batch * geometry.input_len(), 0),
            noise(geometry.weight_len(), 1),
            noise(geometry.out_channels, 2),
        ];
        for inputs in [&inputs[..], &inputs[..2]] {
            check(
                &|inputs, mode| fast::conv2d(&geometry, batch, inputs, mode),
                &|inputs, mode| composed::conv2d(&geometry, batch, inputs, mode),
                inputs,
                &format!("{geometry:?}"),
            );
        }
    }
}

#[test]
fn pooling() {
    let geometries = [
        PoolGeometry::image(2, [4, 6], 2),
        PoolGeometry::image(1, [5, 7], 2),
        PoolGeometry::series(3, 9, 3),
        PoolGeometry {
            channels: 2,
            input: [5, 5],
            window: [3, 2],
            stride: [1, 2],
        },
    ];
    for geometry in geometries {
        for largest in [true, false] {
            let inputs = [spread(2 * geometry.input_len(), 3)];
            check(
                &|inputs, _| fast::pool(&geometry, 2, largest, inputs),
                &|inputs, _| composed::pool(&geometry, 2, largest, inputs),
                &inputs,
                &format!("{geometry:?}, largest: {largest}"),
            );
        }
    }
    let shape = (2, 3, 4, 5);
    check(
        &|inputs, _| fast::global_average_pool(shape, inputs),
        &|inputs, _| composed::global_average_pool(shape, inputs),
        &[noise(120, 0)],
        "global average pool",
    );
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient_and_nan_wins() {
    let geometry = PoolGeometry::image(1, [2, 4], 2);
    let x = [1.0, 1.0, f32::NAN, 2.0, 1.0, 0.0, 3.0, 4.0];
    let [gradient, _] = [cotangent(2), vec![]];
    for outcome in [
        fast::pool(&geometry, 1, true, &[x.to_vec()]),
        composed::pool(&geometry, 1, true, &[x.to_vec()]),
    ] {
        assert_eq!(outcome.out[0], 1.0);
        assert!(outcome.out[1].is_nan());
        let expected = [gradient[0], 0.0, gradient[1], 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(outcome.gradients[0].as_deref(), Some(&expected[..]));
    }
}

#[test]
fn batch_normalisation() {
    for shape in [(3, 2, 4), (4, 3, 1), (1, 2, 6)] {
        let inputs = [
            noise(shape.0 * shape.1 * shape.2, 0),
            noise(shape.1, 1),
            noise(shape.1, 2),
        ];
        let fast = |inputs: &[Vec<f32>], mode| fast::batch_norm(shape, inputs, mode);
        let composed = |inputs: &[Vec<f32>], mode| composed::batch_norm(shape, inputs, mode);
        check(&fast, &composed, &inputs, &format!("batch norm {shape:?}"));
        check_differences(&fast, &inputs, TRAINING, "fast batch norm, training");
        check_differences(
            &composed,
            &inputs,
            TRAINING,
            "composed batch norm, training",
        );
    }
}

#[test]
fn layer_normalisation() {
    for shape in [(3, 4), (2, 7)] {
        let inputs = [
            noise(shape.0 * shape.1, 0),
            noise(shape.1, 1),
            noise(shape.1, 2),
        ];
        check(
            &|inputs, mode| fast::layer_norm(shape, inputs, mode),
            &|inputs, mode| composed::layer_norm(shape, inputs, mode),
            &inputs,
            &format!("layer norm {shape:?}"),
        );
    }
}

#[test]
fn dropout_and_relu() {
    let inputs = [spread(60, 1)];
    check(
        &|inputs, _| fast::dropout(inputs),
        &|inputs, _| composed::dropout(inputs),
        &inputs,
        "dropout",
    );
    let dropped = fast::dropout(&inputs).out;
    let zeros = dropped.iter().filter(|&&v| v == 0.0).count();
    assert!((5..=25).contains(&zeros), "{zeros} of 60 dropped at 0.25");
    check(
        &|inputs, _| fast::relu(inputs),
        &|inputs, _| composed::relu(inputs),
        &inputs,
        "relu",
    );
}

#[test]
fn embedding() {
    let (dim, tokens) = (3, [4, 0, 4, 2]);
    let inputs = [noise(5 * dim, 0)];
    let fast = |inputs: &[Vec<f32>], mode| fast::embedding(dim, &tokens, inputs, mode);
    let composed = |inputs: &[Vec<f32>], mode| composed::embedding(dim, &tokens, inputs, mode);
    check_paths(&fast, &composed, &inputs, "embedding");
    check_differences(&fast, &inputs, Mode::Evaluation, "fast embedding");
    check_differences(&composed, &inputs, Mode::Evaluation, "composed embedding");
    assert!(fast(&inputs, Mode::InputGradient).gradients[0].is_none());
}

#[test]
fn lstm() {
    for ((batch, steps, features), hidden) in [((2, 4, 3), 2), ((1, 1, 2), 3), ((3, 5, 1), 4)] {
        for directions in [1, 2] {
            for readout in [Readout::All, Readout::Last] {
                let shape = (batch, steps, features);
                let mut inputs = vec![noise(batch * steps * features, 0)];
                for direction in 0..directions {
                    inputs.push(noise(4 * hidden * features, 10 * direction + 1));
                    inputs.push(noise(4 * hidden * hidden, 10 * direction + 2));
                    inputs.push(noise(4 * hidden, 10 * direction + 3));
                    inputs.push(noise(4 * hidden, 10 * direction + 4));
                }
                check(
                    &|inputs, mode| fast::lstm(shape, hidden, readout, inputs, mode),
                    &|inputs, mode| composed::lstm(shape, hidden, readout, inputs, mode),
                    &inputs,
                    &format!("lstm {shape:?}, hidden {hidden}, {readout:?}, {directions} ways"),
                );
            }
        }
    }
}

#[test]
fn attention() {
    for (shape, heads) in [((2, 3, 4), 2), ((1, 5, 6), 3), ((2, 2, 3), 1)] {
        for causal in [false, true] {
            let (values, dim) = (shape.0 * shape.1 * shape.2, shape.2);
            let inputs = [
                noise(values, 0),
                noise(3 * dim * dim, 1),
                noise(3 * dim, 2),
                noise(dim * dim, 3),
                noise(dim, 4),
            ];
            check(
                &|inputs, mode| fast::attention(shape, heads, causal, inputs, mode),
                &|inputs, mode| composed::attention(shape, heads, causal, inputs, mode),
                &inputs,
                &format!("attention {shape:?}, {heads} heads, causal {causal}"),
            );
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_both_named() {
    use sgt_host::nn::layer::operation;
    let device = Cpu::default();
    let x: Tensor<_, f32, _> = device.zeros_like(&(2_usize, 3_usize));
    let weight: Tensor<_, f32, _> = device.zeros_like(&(4_usize, 5_usize));
    for error in [
        operation::linear(x.clone(), &weight, None, Mode::Evaluation).unwrap_err(),
        sgt_host::nn::composed::linear(x.clone(), &weight, None, Mode::Evaluation).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            "linear: found shape [2, 3], expected [2, 5]"
        );
        assert!(matches!(error, Error::Shape { .. }));
    }
}
