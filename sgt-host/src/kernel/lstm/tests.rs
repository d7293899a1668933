//! The LSTM against its definition in `f64`, and its promises: bits that don't depend on threads,
//! padding that changes nothing, input-only passes, both directions in one row, refusals.

use super::*;
use crate::kernel::dispatch::on_every_instruction_set;
use crate::kernel::levels::values;
use crate::kernel::oracle::{TOLERANCE, assert_close, assert_same, bits, doubles, slopes};

/// Batch, steps, input, hidden: around the sizes of chunks, segments, vectors and tiles.
const SIZES: [[usize; 4]; 9] = [
    [1, 1, 1, 1],
    [1, 8, 3, 16],
    [3, 7, 9, 5],
    [16, 9, 2, 17],
    [17, 3, 17, 33],
    [33, 5, 1, 8],
    [5, 17, 4, 64],
    [2, 4, 70, 40],
    [7, 2, 6, 100],
];

/// Largest miss of completeness, as a share of the sum of the contributions' magnitudes: the
/// multipliers are rounded to `f32`.
const COMPLETENESS: f64 = 1e-6;

/// The parameters as vectors, in the order of [`LstmShape::parameter_lens`].
type Tensors<T> = [Vec<T>; 4];

/// One batch to try.
struct Case {
    shape: LstmShape,
    batch: usize,
    lengths: Option<Vec<usize>>,
    parameters: Tensors<f32>,
    x: Vec<f32>,
    dout: Vec<f32>,
}

impl Case {
    fn new(shape: LstmShape, batch: usize, padded: bool) -> Self {
        let lengths = (0..batch).map(|sample| (sample * 5 + 2) % shape.steps + 1);
        let mut seeds = 10..;
        let parameters = shape.parameter_lens().map(|len| {
            let values = values(len, seeds.next().unwrap_or(0));
            values.iter().map(|value| value * 0.5).collect()
        });
        Self {
            lengths: padded.then(|| lengths.collect()),
            parameters,
            x: values(batch * shape.input_len(), 20),
            dout: values(batch * shape.output_len(), 30),
            shape,
            batch,
        }
    }

    fn parameters(&self) -> LstmParameters<'_> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = &self.parameters;
        LstmParameters {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        }
    }

    fn length(&self, sample: usize) -> usize {
        self.lengths
            .as_ref()
            .map_or(self.shape.steps, |lengths| lengths[sample])
    }

    /// `x` with NaN in the padding.
    fn spoiled_x(&self) -> Vec<f32> {
        let mut x = self.x.clone();
        let samples = x.chunks_exact_mut(self.shape.input_len());
        for (sample, x) in samples.enumerate() {
            x[self.length(sample) * self.shape.input..].fill(f32::NAN);
        }
        x
    }

    fn forward(&self, keep: Keep, x: &[f32], cache: &mut LstmCache) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.dout.len()];
        let lengths = self.lengths.as_deref();
        forward(
            &self.shape,
            self.parameters(),
            x,
            lengths,
            keep,
            &mut out,
            cache,
        )
        .unwrap();
        out
    }

    fn name(&self) -> String {
        format!(
            "{} samples of {:?}, lengths {:?}",
            self.batch, self.shape, self.lengths
        )
    }
}

fn gradients(gradients: &mut Tensors<f32>) -> LstmGradients<'_> {
    let [weight_ih, weight_hh, bias_ih, bias_hh] = gradients;
    LstmGradients {
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What one sample went through.
#[derive(Default)]
struct Truth {
    gates: Vec<Vec<f64>>,
    /// From the zero state on.
    h: Vec<Vec<f64>>,
    c: Vec<Vec<f64>>,
}

/// The definition, for one sample of `length` steps.
fn truth(shape: &LstmShape, parameters: &Tensors<f64>, x: &[f64], length: usize) -> Truth {
    let LstmShape { input, hidden, .. } = *shape;
    let [weight_ih, weight_hh, bias_ih, bias_hh] = parameters;
    let mut truth = Truth {
        gates: Vec::new(),
        h: vec![vec![0.0; hidden]],
        c: vec![vec![0.0; hidden]],
    };
    for step in 0..length {
        let time = match shape.direction {
            Direction::Forward => step,
            Direction::Reverse => length - 1 - step,
        };
        let x = &x[time * input..][..input];
        let z: Vec<f64> = (0..4 * hidden)
            .map(|row| {
                let from_x = x
                    .iter()
                    .enumerate()
                    .map(|(k, x)| weight_ih[row * input + k] * x);
                let h = truth.h[step].iter().enumerate();
                let from_h = h.map(|(k, h)| weight_hh[row * hidden + k] * h);
                let z = bias_ih[row] + bias_hh[row] + from_x.chain(from_h).sum::<f64>();
                if row / hidden == 2 {
                    z.tanh()
                } else {
                    sigmoid(z)
                }
            })
            .collect();
        let c =
            |unit: usize| z[hidden + unit] * truth.c[step][unit] + z[unit] * z[2 * hidden + unit];
        let c: Vec<f64> = (0..hidden).map(c).collect();
        truth.h.push(
            (0..hidden)
                .map(|unit| z[3 * hidden + unit] * c[unit].tanh())
                .collect(),
        );
        truth.c.push(c);
        truth.gates.push(z);
    }
    truth
}

/// The readout of one sample.
fn readout(shape: &LstmShape, truth: &Truth) -> Vec<f64> {
    let length = truth.gates.len();
    let hidden = shape.hidden;
    match shape.readout {
        Readout::Last => truth.h[length].clone(),
        Readout::All => {
            let mut out = vec![0.0; shape.steps * hidden];
            for time in 0..length {
                let step = match shape.direction {
                    Direction::Forward => time,
                    Direction::Reverse => length - 1 - time,
                };
                out[time * hidden..][..hidden].copy_from_slice(&truth.h[step + 1]);
            }
            out
        }
    }
}

/// The gradients of one sample: of x, and added to those of the parameters.
fn truth_gradient(
    shape: &LstmShape,
    parameters: &Tensors<f64>,
    x: &[f64],
    length: usize,
    dout: &[f64],
    gradients: &mut Tensors<f64>,
) -> Vec<f64> {
    let LstmShape { input, hidden, .. } = *shape;
    let Truth { gates, h, c } = truth(shape, parameters, x, length);
    let mut dx = vec![0.0; x.len()];
    let (mut dh, mut dc) = (vec![0.0; hidden], vec![0.0; hidden]);
    for step in (0..length).rev() {
        let time = match shape.direction {
            Direction::Forward => step,
            Direction::Reverse => length - 1 - step,
        };
        let place = match shape.readout {
            Readout::Last => (step + 1 == length).then_some(0),
            Readout::All => Some(time * hidden),
        };
        if let Some(place) = place {
            for (dh, d) in dh.iter_mut().zip(&dout[place..]) {
                *dh += d;
            }
        }
        let z = &gates[step];
        let mut dz = vec![0.0; 4 * hidden];
        for unit in 0..hidden {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| z[gate * hidden + unit]);
            let tanh_c = c[step + 1][unit].tanh();
            dc[unit] += dh[unit] * o * (1.0 - tanh_c * tanh_c);
            dz[unit] = dc[unit] * g * i * (1.0 - i);
            dz[hidden + unit] = dc[unit] * c[step][unit] * f * (1.0 - f);
            dz[2 * hidden + unit] = dc[unit] * i * (1.0 - g * g);
            dz[3 * hidden + unit] = dh[unit] * tanh_c * o * (1.0 - o);
            dc[unit] *= f;
        }
        dh.fill(0.0);
        let start = time * input;
        for (row, &dz) in dz.iter().enumerate() {
            for k in 0..input {
                dx[start + k] += dz * parameters[0][row * input + k];
                gradients[0][row * input + k] += dz * x[start + k];
            }
            for k in 0..hidden {
                dh[k] += dz * parameters[1][row * hidden + k];
                gradients[1][row * hidden + k] += dz * h[step][k];
            }
            gradients[2][row] += dz;
            gradients[3][row] += dz;
        }
    }
    dx
}

/// Readout, dx and parameter gradients of a whole batch.
fn expected(case: &Case) -> (Vec<f64>, Vec<f64>, Tensors<f64>) {
    let shape = &case.shape;
    let parameters = case.parameters.each_ref().map(|values| doubles(values));
    let mut gradients = shape.parameter_lens().map(|len| vec![0.0; len]);
    let (mut out, mut dx) = (Vec::new(), Vec::new());
    let samples = doubles(&case.x);
    let samples = samples.chunks_exact(shape.input_len());
    let douts = doubles(&case.dout);
    let douts = douts.chunks_exact(shape.output_len());
    for (sample, (x, dout)) in samples.zip(douts).enumerate() {
        let length = case.length(sample);
        out.extend(readout(shape, &truth(shape, &parameters, x, length)));
        dx.extend(truth_gradient(
            shape,
            &parameters,
            x,
            length,
            dout,
            &mut gradients,
        ));
    }
    (out, dx, gradients)
}

fn shapes([batch, steps, input, hidden]: [usize; 4]) -> Vec<Case> {
    let mut cases = Vec::new();
    for direction in [Direction::Forward, Direction::Reverse] {
        for readout in [Readout::Last, Readout::All] {
            let shape = LstmShape {
                direction,
                readout,
                ..LstmShape::new(steps, input, hidden)
            };
            cases.extend([false, true].map(|padded| Case::new(shape, batch, padded)));
        }
    }
    cases
}

#[test]
fn the_oracle_is_differentiated_rightly() {
    for case in shapes([2, 4, 2, 3]) {
        let (_, dx, gradients) = expected(&case);
        let dout = doubles(&case.dout);
        let objective = |parameters: &Tensors<f64>, x: &[f64]| {
            let samples = x.chunks_exact(case.shape.input_len()).enumerate();
            let out = samples.flat_map(|(sample, x)| {
                let truth = truth(&case.shape, parameters, x, case.length(sample));
                readout(&case.shape, &truth)
            });
            out.zip(&dout).map(|(out, d)| out * d).sum::<f64>()
        };
        let parameters = case.parameters.each_ref().map(|values| doubles(values));
        let x = doubles(&case.x);
        let difference = slopes(&x, |x| objective(&parameters, x));
        assert_same("dx", &dx, &difference);
        for index in 0..4 {
            let difference = slopes(&parameters[index], |values| {
                let mut moved = parameters.clone();
                moved[index].copy_from_slice(values);
                objective(&moved, &x)
            });
            assert_same("parameters", &gradients[index], &difference);
        }
    }
}

#[test]
fn agrees_with_the_definition_on_every_instruction_set() {
    let cases: Vec<_> = SIZES.into_iter().flat_map(shapes).collect();
    let truths: Vec<_> = cases.iter().map(expected).collect();
    on_every_instruction_set(|arch| {
        for (case, (out, dx, parameters)) in cases.iter().zip(&truths) {
            let name = format!("{arch:?}, {}", case.name());
            let mut cache = LstmCache::default();
            let found = case.forward(Keep::ForWeights, &case.spoiled_x(), &mut cache);
            assert_close(&format!("out: {name}"), &found, 0.0, out, TOLERANCE);

            // Twice on one pass: overwritten without weights, then added to ones with them.
            let mut found = vec![f32::NAN; case.x.len()];
            let overwrite = InputGradient::Overwrite(&mut found);
            backward(case.parameters(), &mut cache, &case.dout, overwrite, None).unwrap();
            assert_close(&format!("dx: {name}"), &found, 0.0, dx, TOLERANCE);
            found.fill(1.0);
            let mut sums = case.shape.parameter_lens().map(|len| vec![1.0; len]);
            let add = InputGradient::Add(&mut found);
            let wanted = Some(gradients(&mut sums));
            backward(case.parameters(), &mut cache, &case.dout, add, wanted).unwrap();
            assert_close(&format!("dx added: {name}"), &found, 1.0, dx, TOLERANCE);
            for (sums, expected) in sums.iter().zip(parameters) {
                assert_close(&name, sums, 1.0, expected, TOLERANCE);
            }
        }
    });
}

#[test]
fn padding_has_no_gradient_and_changes_no_bit() {
    for mut case in shapes([19, 13, 5, 24])
        .into_iter()
        .filter(|case| case.lengths.is_some())
    {
        let shape = case.shape;
        // Padded rows of the readout have no way back.
        if shape.readout == Readout::All {
            for sample in 0..case.batch {
                let padding = case.length(sample) * shape.hidden..shape.output_len();
                case.dout[sample * shape.output_len()..][padding].fill(f32::NAN);
            }
        }
        let mut cache = LstmCache::default();
        let out = case.forward(Keep::ForInput, &case.spoiled_x(), &mut cache);
        let mut dx = vec![f32::NAN; case.x.len()];
        let overwrite = InputGradient::Overwrite(&mut dx);
        backward(case.parameters(), &mut cache, &case.dout, overwrite, None).unwrap();
        for sample in 0..case.batch {
            let length = case.length(sample);
            let alone = LstmShape {
                steps: length,
                ..shape
            };
            let x = &case.x[sample * shape.input_len()..][..alone.input_len()];
            let place = sample * shape.output_len();
            let (own, padding) = out[place..][..shape.output_len()].split_at(alone.output_len());
            assert!(padding.iter().all(|&state| state == 0.0), "{}", case.name());
            let mut expected = vec![f32::NAN; own.len()];
            let parameters = case.parameters();
            let keep = Keep::ForInput;
            forward(&alone, parameters, x, None, keep, &mut expected, &mut cache).unwrap();
            assert_eq!(bits(own), bits(&expected), "{}", case.name());
            let mut expected = vec![f32::NAN; x.len()];
            let overwrite = InputGradient::Overwrite(&mut expected);
            let dout = &case.dout[place..][..alone.output_len()];
            backward(parameters, &mut cache, dout, overwrite, None).unwrap();
            let dx = &dx[sample * shape.input_len()..][..shape.input_len()];
            let (own, padding) = dx.split_at(x.len());
            assert_eq!(bits(own), bits(&expected), "{}", case.name());
            assert!(padding.iter().all(|&d| d.to_bits() == 0), "{}", case.name());
        }
    }
}

/// Readout, dx and gradients of one pass on a pool of `threads`.
fn run(threads: usize, keep: Keep, with_weights: bool) -> Vec<Vec<u32>> {
    let shape = LstmShape {
        readout: Readout::All,
        ..LstmShape::new(19, 5, 24)
    };
    let case = Case::new(shape, 70, true);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(|| {
        let mut cache = LstmCache::default();
        let out = case.forward(keep, &case.x, &mut cache);
        let mut dx = vec![f32::NAN; case.x.len()];
        let mut sums = shape.parameter_lens().map(|len| vec![0.0; len]);
        let wanted = with_weights.then(|| gradients(&mut sums));
        let overwrite = InputGradient::Overwrite(&mut dx);
        backward(case.parameters(), &mut cache, &case.dout, overwrite, wanted).unwrap();
        let all = [vec![out, dx], sums.to_vec()].concat();
        all.iter().map(|values| bits(values)).collect()
    })
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let one = run(1, Keep::ForWeights, true);
    assert_eq!(one, run(2, Keep::ForWeights, true));
    assert_eq!(one, run(3, Keep::ForWeights, true));
}

#[test]
fn input_only_gives_the_bits_of_the_full_pass() {
    let full = run(2, Keep::ForWeights, true);
    for keep in [Keep::ForWeights, Keep::ForInput] {
        let input_only = run(2, keep, false);
        assert_eq!(full[..2], input_only[..2], "{keep:?}");
        assert!(input_only[2..].iter().flatten().all(|&bits| bits == 0));
    }
}

#[test]
fn the_second_direction_adds_to_the_first_and_leaves_its_columns_alone() {
    for readout in [Readout::Last, Readout::All] {
        let shape = LstmShape {
            readout,
            ..LstmShape::new(6, 3, 5)
        };
        let both = shape.bidirectional().map(|shape| Case::new(shape, 4, true));
        let x = &both[0].x;
        let dout = &both[0].dout;
        let lengths = both[0].lengths.as_deref();
        let mut out = vec![f32::NAN; dout.len()];
        let mut dx = vec![f32::NAN; x.len()];
        let mut expected_dx = vec![0.0; x.len()];
        for (index, case) in both.iter().enumerate() {
            let mut cache = LstmCache::default();
            let (shape, parameters) = (&case.shape, case.parameters());
            let keep = Keep::ForInput;
            forward(shape, parameters, x, lengths, keep, &mut out, &mut cache).unwrap();
            let target = match index {
                0 => InputGradient::Overwrite(&mut dx),
                _ => InputGradient::Add(&mut dx),
            };
            backward(parameters, &mut cache, dout, target, None).unwrap();

            // The same direction alone, with rows of its own.
            let alone = LstmShape {
                row_width: shape.hidden,
                row_offset: 0,
                ..*shape
            };
            let columns = |values: &[f32]| -> Vec<f32> {
                let rows = values.chunks_exact(shape.row_width);
                let own = rows.flat_map(|row| &row[shape.row_offset..][..shape.hidden]);
                own.copied().collect()
            };
            let mut own = vec![0.0; 4 * alone.output_len()];
            forward(&alone, parameters, x, lengths, keep, &mut own, &mut cache).unwrap();
            assert_eq!(own, columns(&out), "{readout:?}, direction {index}");
            let target = InputGradient::Add(&mut expected_dx);
            backward(parameters, &mut cache, &columns(dout), target, None).unwrap();
        }
        assert_eq!(dx, expected_dx, "{readout:?}");
        assert!(out.iter().all(|state| state.is_finite()));
    }
}

#[test]
fn a_nan_in_the_input_reaches_its_states_only() {
    let case = Case::new(LstmShape::new(3, 2, 3), 2, false);
    let mut x = case.x.clone();
    x[0] = f32::NAN;
    let out = case.forward(Keep::ForInput, &x, &mut LstmCache::default());
    assert!(out[..3].iter().all(|state| state.is_nan()));
    assert!(out[3..].iter().all(|state| state.is_finite()));
}

/// The input's gradient, after checking what its pass leaves behind.
fn gradient_without_subnormals(case: &Case) -> Vec<f32> {
    let mut cache = LstmCache::default();
    case.forward(Keep::ForWeights, &case.x, &mut cache);
    let mut dx = vec![f32::NAN; case.x.len()];
    let mut sums = case.shape.parameter_lens().map(|len| vec![0.0; len]);
    let (target, wanted) = (InputGradient::Overwrite(&mut dx), gradients(&mut sums));
    backward(
        case.parameters(),
        &mut cache,
        &case.dout,
        target,
        Some(wanted),
    )
    .unwrap();
    for chunk in &cache.chunks {
        for values in [&chunk.d_gates, &chunk.d_cells, &chunk.d_inputs] {
            let subnormal = values.iter().any(|value| value.is_subnormal());
            assert!(!subnormal, "{}", case.name());
        }
    }
    dx
}

#[test]
fn what_goes_through_a_shut_gate_meets_no_subnormal_number() {
    // The gradients of the gates are kept for some steps only, so the sequence has to end where
    // they are about to vanish.
    for steps in (8..=256).step_by(8) {
        let mut case = Case::new(LstmShape::new(steps, 3, 5), 9, false);
        case.parameters[2][0] = -20.0;
        on_every_instruction_set(|_| {
            gradient_without_subnormals(&case);
        });
    }
}

#[test]
fn a_gradient_that_vanishes_meets_no_subnormal_number_and_stays_right() {
    const STEPS: usize = 300;
    // Rounding adds up from step to step.
    let error_of_steps = STEPS as f64 * f64::from(f32::EPSILON);
    let case = Case::new(LstmShape::new(STEPS, 3, 5), 9, false);
    let (_, expected, _) = expected(&case);
    on_every_instruction_set(|arch| {
        let dx = gradient_without_subnormals(&case);
        let steps = dx
            .chunks_exact(case.shape.input)
            .zip(expected.chunks_exact(case.shape.input));
        let mut vanished = 0;
        for (found, expected) in steps {
            let size =
                |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |sum, x| sum + x.abs());
            let total = size(&mut expected.iter().copied());
            if total < f64::from(f32::MIN_POSITIVE) {
                vanished += 1;
                continue;
            }
            let misses = found
                .iter()
                .zip(expected)
                .map(|(found, expected)| f64::from(*found) - expected);
            assert!(size(&mut { misses }) < error_of_steps * total, "{arch:?}");
        }
        assert!(vanished > STEPS, "the gradient has to vanish: {vanished}");
    });
}

#[test]
fn multipliers_are_complete() {
    for case in shapes([5, 11, 4, 7]) {
        let shape = &case.shape;
        let mut reference = values(case.x.len(), 99);
        // A sample that is its reference, one that differs from it in one value.
        reference[..shape.input_len()].copy_from_slice(&case.x[..shape.input_len()]);
        let second = shape.input_len()..2 * shape.input_len();
        reference[second.clone()].copy_from_slice(&case.x[second.clone()]);
        reference[second.start] += 0.5;
        let lengths = case.lengths.as_deref();
        let parameters = case.parameters();
        let mut dx = vec![f32::NAN; case.x.len()];
        let overwrite = InputGradient::Overwrite(&mut dx);
        let dout = &case.dout;
        multipliers(
            shape, parameters, &case.x, &reference, lengths, dout, overwrite,
        )
        .unwrap();

        let wide_parameters = case.parameters.each_ref().map(|values| doubles(values));
        for sample in 0..case.batch {
            let length = case.length(sample);
            let inputs = sample * shape.input_len()..(sample + 1) * shape.input_len();
            let outputs = sample * shape.output_len()..(sample + 1) * shape.output_len();
            let out = |x: &[f32]| {
                let truth = truth(
                    shape,
                    &wide_parameters,
                    &doubles(&x[inputs.clone()]),
                    length,
                );
                readout(shape, &truth)
            };
            let change = out(&case.x).into_iter().zip(out(&reference));
            let change = change.zip(&dout[outputs]);
            let change: f64 = change
                .map(|((out, of_reference), &d)| (out - of_reference) * f64::from(d))
                .sum();
            let contributions = inputs.clone().map(|place| {
                f64::from(dx[place]) * (f64::from(case.x[place]) - f64::from(reference[place]))
            });
            let contributions: Vec<f64> = contributions.collect();
            let size: f64 = contributions.iter().map(|value| value.abs()).sum();
            let sum: f64 = contributions.iter().sum();
            assert!(
                (sum - change).abs() <= COMPLETENESS * size,
                "{}, sample {sample}: {sum}, expected {change}",
                case.name()
            );
            let padding = &dx[inputs][length * shape.input..];
            assert!(padding.iter().all(|&d| d == 0.0), "{}", case.name());
        }

        // Where nothing changes, the multipliers are the gradient.
        let mut cache = LstmCache::default();
        case.forward(Keep::ForInput, &case.x, &mut cache);
        let mut gradient = vec![0.0; case.x.len()];
        let overwrite = InputGradient::Overwrite(&mut gradient);
        backward(parameters, &mut cache, dout, overwrite, None).unwrap();
        let first = 0..shape.input_len();
        let expected = doubles(&gradient[first.clone()]);
        assert_close(&case.name(), &dx[first], 0.0, &expected, TOLERANCE);
    }
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let case = Case::new(LstmShape::new(3, 2, 3), 2, false);
    let (shape, parameters, x) = (case.shape, case.parameters(), &case.x);
    let mut out = vec![0.0; 2 * shape.output_len()];
    let mut cache = LstmCache::default();
    let refuse = |result: Result<()>, expected: &str| {
        let message = result.expect_err(expected).to_string();
        assert_eq!(message, expected);
    };
    refuse(
        backward(parameters, &mut cache, &out, InputGradient::Skip, None),
        "lstm backward: found shape no forward pass, expected a cache that a forward pass filled",
    );
    let keep = Keep::ForInput;
    refuse(
        forward(
            &shape,
            parameters,
            &x[1..],
            None,
            keep,
            &mut out,
            &mut cache,
        ),
        "lstm: found shape x of 11 values, expected one or more samples of 6 values",
    );
    refuse(
        forward(&shape, parameters, x, None, keep, &mut out[1..], &mut cache),
        "lstm: found shape out of 5 values, expected 6 values",
    );
    let short = LstmParameters {
        weight_hh: &parameters.weight_hh[1..],
        ..parameters
    };
    refuse(
        forward(&shape, short, x, None, keep, &mut out, &mut cache),
        "lstm: found shape weight_hh of 35 values, expected 36 values",
    );
    let narrow = LstmShape {
        row_offset: 1,
        ..shape
    };
    refuse(
        forward(&narrow, parameters, x, None, keep, &mut out, &mut cache),
        "lstm readout: found shape rows of 3, expected room for 3 values at 1",
    );
    refuse(
        forward(
            &LstmShape::new(3, 0, 3),
            parameters,
            x,
            None,
            keep,
            &mut out,
            &mut cache,
        ),
        "lstm: found shape [3, 0] with 3 hidden units, expected at least one step, value and unit",
    );
    refuse(
        forward(
            &shape,
            parameters,
            x,
            Some(&[3, 4]),
            keep,
            &mut out,
            &mut cache,
        ),
        "lengths: found 4, expected from 1 to 3 steps",
    );
    forward(&shape, parameters, x, None, keep, &mut out, &mut cache).unwrap();
    let mut sums = shape.parameter_lens().map(|len| vec![0.0; len]);
    let wanted = Some(gradients(&mut sums));
    refuse(
        backward(parameters, &mut cache, &out, InputGradient::Skip, wanted),
        "lstm weight gradient: found shape a pass that was kept for the input's gradient only, \
         expected a pass that was kept for weight gradients",
    );
}
