//! Input-cell attention against its definition in `f64`, and its promises.

use super::lstm::{Direction, Readout};
use super::*;
use crate::kernel::dispatch::on_every_instruction_set;
use crate::kernel::levels::values;
use crate::kernel::oracle::{TOLERANCE, assert_close, bits, doubles, slopes};

/// Largest miss of completeness, as a share of the sum of the contributions' magnitudes: the
/// multipliers, and the means that the LSTM reads, are rounded to `f32`.
const COMPLETENESS: f64 = 1e-5;

/// Batch, steps, input, hidden, hops, attention width: around the sizes of vectors.
const SIZES: [[usize; 6]; 4] = [
    [1, 1, 1, 1, 1, 1],
    [2, 4, 3, 2, 2, 3],
    [3, 5, 17, 1, 3, 2],
    [2, 3, 2, 3, 18, 1],
];

struct Case {
    shape: InputCellShape,
    batch: usize,
    lengths: Option<Vec<usize>>,
    parameters: [Vec<f32>; 7],
    x: Vec<f32>,
    dout: Vec<f32>,
}

impl Case {
    fn new([batch, steps, input, hidden, hops, width]: [usize; 6], readout: Readout) -> Self {
        let shape = InputCellShape {
            lstm: LstmShape {
                readout,
                ..LstmShape::new(steps, input, hidden)
            },
            hops,
            attention_width: width,
        };
        let mut seeds = 10..;
        Self {
            shape,
            batch,
            lengths: None,
            parameters: shape
                .parameter_lens()
                .map(|len| values(len, seeds.next().unwrap_or(0))),
            x: values(batch * shape.lstm.input_len(), 1),
            dout: values(batch * shape.lstm.output_len(), 2),
        }
    }

    fn padded(mut self) -> Self {
        let lengths = (0..self.batch).map(|sample| (sample * 5 + 2) % self.shape.lstm.steps + 1);
        self.lengths = Some(lengths.collect());
        self
    }

    fn parameters(&self) -> InputCellParameters<'_> {
        let [weight_ibarh, weight_hh, bias, rest @ ..] = &self.parameters;
        let [first_weight, first_bias, second_weight, second_bias] = rest;
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

    fn length(&self, sample: usize) -> usize {
        let lengths = self.lengths.as_ref();
        lengths.map_or(self.shape.lstm.steps, |lengths| lengths[sample])
    }

    /// `x` with NaN in the padding.
    fn spoiled_x(&self) -> Vec<f32> {
        let mut x = self.x.clone();
        let samples = x.chunks_exact_mut(self.shape.lstm.input_len());
        for (sample, x) in samples.enumerate() {
            x[self.length(sample) * self.shape.lstm.input..].fill(f32::NAN);
        }
        x
    }

    fn forward(&self, keep: Keep, cache: &mut InputCellCache) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.dout.len()];
        let (x, lengths) = (self.spoiled_x(), self.lengths.as_deref());
        let parameters = self.parameters();
        forward(&self.shape, parameters, &x, lengths, keep, &mut out, cache).unwrap();
        out
    }

    /// The definition of a whole batch.
    fn truth(&self, parameters: &[Vec<f64>; 7], x: &[f64]) -> Vec<f64> {
        let samples = x.chunks_exact(self.shape.lstm.input_len()).enumerate();
        let out =
            samples.flat_map(|(sample, x)| truth(&self.shape, parameters, x, self.length(sample)));
        out.collect()
    }
}

fn gradients(tensors: &mut [Vec<f32>; 7]) -> InputCellGradients<'_> {
    let [weight_ibarh, weight_hh, bias, rest @ ..] = tensors;
    let [first_weight, first_bias, second_weight, second_bias] = rest;
    InputCellGradients {
        weight_ibarh,
        weight_hh,
        bias,
        first_weight,
        first_bias,
        second_weight,
        second_bias,
    }
}

/// The definition, for one sample: a softmax of its own for every step.
fn truth(shape: &InputCellShape, parameters: &[Vec<f64>; 7], x: &[f64], length: usize) -> Vec<f64> {
    let LstmShape {
        input,
        hidden,
        steps,
        ..
    } = shape.lstm;
    let (hops, width) = (shape.hops, shape.attention_width);
    let [weight_ibarh, weight_hh, bias, rest @ ..] = parameters;
    let [first_weight, first_bias, second_weight, second_bias] = rest;
    let row = |step: usize| &x[step * input..][..input];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scores: Vec<Vec<f64>> = (0..length)
        .map(|step| {
            let of = |unit: usize| {
                let weights = &first_weight[unit * input..][..input];
                (dot(weights, row(step)) + first_bias[unit]).tanh()
            };
            let activations: Vec<f64> = (0..width).map(of).collect();
            let of = |hop: usize| {
                let weights = &second_weight[hop * width..][..width];
                dot(weights, &activations) + second_bias[hop]
            };
            (0..hops).map(of).collect()
        })
        .collect();
    let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
    let mut out = Vec::new();
    for step in 0..length {
        let mut mean = vec![0.0; input];
        for hop in 0..hops {
            let so_far = scores[..=step].iter().map(|scores| scores[hop]);
            let largest = so_far.clone().fold(f64::NEG_INFINITY, f64::max);
            let exponentials: Vec<f64> = so_far.map(|score| (score - largest).exp()).collect();
            let sum: f64 = exponentials.iter().sum();
            for (s, exponential) in exponentials.iter().enumerate() {
                for (mean, x) in mean.iter_mut().zip(row(s)) {
                    *mean += exponential / sum * x / hops as f64;
                }
            }
        }
        let gate = |index: usize| {
            let from_mean = (0..input).map(|k| mean[k] * weight_ibarh[k * 4 * hidden + index]);
            let from_h = (0..hidden).map(|k| h[k] * weight_hh[k * 4 * hidden + index]);
            bias[index] + from_mean.chain(from_h).sum::<f64>()
        };
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let new: Vec<[f64; 2]> = (0..hidden)
            .map(|unit| {
                let [i, f, g, o] = [0, 1, 2, 3].map(|index| gate(index * hidden + unit));
                let c = sigmoid(f) * c[unit] + sigmoid(i) * g.tanh();
                [sigmoid(o) * c.tanh(), c]
            })
            .collect();
        (h, c) = new.iter().map(|[h, c]| (*h, *c)).unzip();
        out.extend(&h);
    }
    match shape.lstm.readout {
        Readout::Last => h,
        Readout::All => {
            out.resize(steps * hidden, 0.0);
            out
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for sizes in SIZES {
        for readout in [Readout::Last, Readout::All] {
            cases.push(Case::new(sizes, readout));
            cases.push(Case::new(sizes, readout).padded());
        }
    }
    cases
}

#[test]
fn agrees_with_the_definition_on_every_instruction_set() {
    // The slopes of the definition are the gradients.
    let truths = cases().into_iter().map(|case| {
        let parameters = case.parameters.each_ref().map(|values| doubles(values));
        let x = doubles(&case.x);
        let dout = doubles(&case.dout);
        let objective = |parameters: &[Vec<f64>; 7], x: &[f64]| {
            let out = case.truth(parameters, x);
            out.iter().zip(&dout).map(|(out, d)| out * d).sum::<f64>()
        };
        let out = case.truth(&parameters, &x);
        let dx = slopes(&x, |x| objective(&parameters, x));
        let of_parameter = |index: usize| {
            slopes(&parameters[index], |values| {
                let mut moved = parameters.clone();
                moved[index] = values.to_vec();
                objective(&moved, &x)
            })
        };
        let gradients: Vec<_> = (0..7).map(of_parameter).collect();
        (case, out, dx, gradients)
    });
    let truths: Vec<_> = truths.collect();
    on_every_instruction_set(|arch| {
        for (case, out, dx, expected) in &truths {
            let name = format!("{arch:?}, {:?}, lengths {:?}", case.shape, case.lengths);
            let mut cache = InputCellCache::default();
            let found = case.forward(Keep::ForWeights, &mut cache);
            assert_close(&format!("out: {name}"), &found, 0.0, out, TOLERANCE);

            // Twice on one pass: overwritten without weights, then added to ones with them.
            let parameters = case.parameters();
            let mut found = vec![f32::NAN; case.x.len()];
            let overwrite = InputGradient::Overwrite(&mut found);
            backward(parameters, &mut cache, &case.dout, overwrite, None).unwrap();
            assert_close(&format!("dx: {name}"), &found, 0.0, dx, TOLERANCE);
            found.fill(1.0);
            let mut sums = case.shape.parameter_lens().map(|len| vec![1.0; len]);
            let (add, wanted) = (InputGradient::Add(&mut found), Some(gradients(&mut sums)));
            backward(parameters, &mut cache, &case.dout, add, wanted).unwrap();
            assert_close(&format!("dx added: {name}"), &found, 1.0, dx, TOLERANCE);
            for (index, (sums, expected)) in sums.iter().zip(expected).enumerate() {
                let name = format!("parameter {index}: {name}");
                assert_close(&name, sums, 1.0, expected, TOLERANCE);
            }
        }
    });
}

#[test]
fn a_reversed_lstm_reads_the_same_means() {
    let mut case = Case::new([2, 6, 3, 4, 2, 5], Readout::All);
    case.shape.lstm.direction = Direction::Reverse;
    let mut cache = InputCellCache::default();
    let out = case.forward(Keep::ForInput, &mut cache);
    let mut expected = vec![f32::NAN; out.len()];
    let weights = cache.weights.parameters();
    let lstm = &mut LstmCache::default();
    let keep = Keep::ForInput;
    lstm::forward(
        &case.shape.lstm,
        weights,
        &cache.means,
        None,
        keep,
        &mut expected,
        lstm,
    )
    .unwrap();
    assert_eq!(bits(&out), bits(&expected));
}

#[test]
fn scores_far_apart_stay_finite() {
    /// Scores of a thousand are rounded to some 1e-4, and so are the logarithms of the shares.
    const HARD: f64 = 1e-2;
    let mut case = Case::new([2, 30, 4, 3, 2, 5], Readout::All);
    for weight in &mut case.parameters[5] {
        *weight *= 1e3;
    }
    let mut cache = InputCellCache::default();
    let found = case.forward(Keep::ForWeights, &mut cache);
    let parameters = case.parameters.each_ref().map(|values| doubles(values));
    let expected = case.truth(&parameters, &doubles(&case.x));
    assert_close("out", &found, 0.0, &expected, HARD);
    let mut dx = vec![f32::NAN; case.x.len()];
    let mut sums = case.shape.parameter_lens().map(|len| vec![0.0; len]);
    let (target, wanted) = (
        InputGradient::Overwrite(&mut dx),
        Some(gradients(&mut sums)),
    );
    backward(case.parameters(), &mut cache, &case.dout, target, wanted).unwrap();
    let all = dx.iter().chain(sums.iter().flatten());
    assert!(all.into_iter().all(|value| value.is_finite()));
}

#[test]
fn bits_do_not_depend_on_threads_or_on_what_is_kept() {
    let run = |threads: usize, keep: Keep| {
        let case = Case::new([19, 23, 9, 24, 5, 12], Readout::Last).padded();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut cache = InputCellCache::default();
            let out = case.forward(keep, &mut cache);
            let mut dx = vec![f32::NAN; case.x.len()];
            let mut sums = case.shape.parameter_lens().map(|len| vec![0.0; len]);
            let wanted = (keep == Keep::ForWeights).then(|| gradients(&mut sums));
            let overwrite = InputGradient::Overwrite(&mut dx);
            backward(case.parameters(), &mut cache, &case.dout, overwrite, wanted).unwrap();
            for (sample, dx) in dx.chunks_exact(case.shape.lstm.input_len()).enumerate() {
                let padding = &dx[case.length(sample) * case.shape.lstm.input..];
                assert!(padding.iter().all(|d| d.to_bits() == 0));
            }
            (
                bits(&out),
                bits(&dx),
                sums.each_ref().map(|sums| bits(sums)),
            )
        })
    };
    let one = run(1, Keep::ForWeights);
    assert_eq!(one, run(2, Keep::ForWeights));
    assert_eq!(one, run(3, Keep::ForWeights));
    let (out, dx, _) = run(2, Keep::ForInput);
    assert_eq!((&one.0, &one.1), (&out, &dx));
}

#[test]
fn multipliers_are_complete() {
    for case in cases() {
        let shape = &case.shape;
        let len = shape.lstm.input_len();
        let mut reference = values(case.x.len(), 99);
        // The last sample is its own reference but for one value.
        let last = (case.batch - 1) * len;
        reference[last..].copy_from_slice(&case.x[last..]);
        reference[last] += 0.5;
        let mut dx = vec![f32::NAN; case.x.len()];
        let target = InputGradient::Overwrite(&mut dx);
        let (x, lengths, dout) = (case.spoiled_x(), case.lengths.as_deref(), &case.dout);
        multipliers(
            shape,
            case.parameters(),
            &x,
            &reference,
            lengths,
            dout,
            target,
        )
        .unwrap();
        let parameters = case.parameters.each_ref().map(|values| doubles(values));
        for sample in 0..case.batch {
            let place = sample * len..(sample + 1) * len;
            let length = case.length(sample);
            let out = |x: &[f32]| truth(shape, &parameters, &doubles(&x[place.clone()]), length);
            let outputs = &dout[sample * shape.lstm.output_len()..];
            let changes = out(&case.x).into_iter().zip(out(&reference)).zip(outputs);
            let change: f64 = changes.map(|((a, b), &d)| (a - b) * f64::from(d)).sum();
            let contributions = place.clone().map(|place| {
                f64::from(dx[place]) * (f64::from(case.x[place]) - f64::from(reference[place]))
            });
            let contributions: Vec<f64> = contributions.collect();
            let size: f64 = contributions.iter().map(|c| c.abs()).sum();
            let sum: f64 = contributions.iter().sum();
            assert!(
                (sum - change).abs() <= COMPLETENESS * size,
                "{shape:?}, sample {sample}: {sum}, expected {change}"
            );
            let padding = &dx[place][length * shape.lstm.input..];
            assert!(padding.iter().all(|&d| d == 0.0));
        }
    }
}

#[test]
fn multipliers_of_nothing_are_the_gradient() {
    let case = Case::new([3, 9, 4, 5, 3, 6], Readout::All).padded();
    let mut cache = InputCellCache::default();
    case.forward(Keep::ForInput, &mut cache);
    let mut gradient = vec![0.0; case.x.len()];
    let overwrite = InputGradient::Overwrite(&mut gradient);
    backward(case.parameters(), &mut cache, &case.dout, overwrite, None).unwrap();
    let mut found = vec![1.0; case.x.len()];
    let target = InputGradient::Add(&mut found);
    let (x, lengths) = (&case.x, case.lengths.as_deref());
    multipliers(
        &case.shape,
        case.parameters(),
        x,
        x,
        lengths,
        &case.dout,
        target,
    )
    .unwrap();
    assert_close("multipliers", &found, 1.0, &doubles(&gradient), TOLERANCE);
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let case = Case::new([2, 3, 2, 3, 2, 4], Readout::Last);
    let (shape, parameters, x) = (case.shape, case.parameters(), &case.x);
    let mut out = vec![0.0; case.dout.len()];
    let mut cache = InputCellCache::default();
    let keep = Keep::ForInput;
    let refuse = |result: Result<()>, expected: &str| {
        assert_eq!(result.expect_err(expected).to_string(), expected);
    };
    refuse(
        backward(parameters, &mut cache, &out, InputGradient::Skip, None),
        "input-cell lstm backward: found shape no forward pass, expected a cache that a forward \
         pass filled",
    );
    let no_hops = InputCellShape { hops: 0, ..shape };
    refuse(
        forward(&no_hops, parameters, x, None, keep, &mut out, &mut cache),
        "input-cell attention: found shape 0 hops of width 4, expected at least one hop and one \
         hidden unit",
    );
    let short = InputCellParameters {
        second_bias: &[0.0],
        ..parameters
    };
    refuse(
        forward(&shape, short, x, None, keep, &mut out, &mut cache),
        "input-cell lstm: found shape linear_second.bias of 1 values, expected 2 values",
    );
    refuse(
        forward(
            &shape,
            parameters,
            x,
            Some(&[0, 1]),
            keep,
            &mut out,
            &mut cache,
        ),
        "lengths: found 0, expected from 1 to 3 steps",
    );
    forward(&shape, parameters, x, None, keep, &mut out, &mut cache).unwrap();
    let mut sums = shape.parameter_lens().map(|len| vec![0.0; len]);
    let wanted = Some(gradients(&mut sums));
    refuse(
        backward(parameters, &mut cache, &out, InputGradient::Skip, wanted),
        "input-cell lstm weight gradient: found shape a pass that was kept for the input's \
         gradient only, expected a pass that was kept for weight gradients",
    );
}
