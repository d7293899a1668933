//! The LSTM kernel's gradients against finite differences, and its promises: bits that don't
//! depend on threads, input-only passes, both directions in one row, refusals.

use sgt_core::Pcg32;
use sgt_host::kernel::lstm::{
    self, Direction, InputGradient, Keep, LstmCache, LstmCall, LstmGradient, LstmShape,
    LstmWeights, Readout,
};

/// Central differences in `f32`: steps for values of about 1, and the error that curvature (long
/// steps) and rounding (short ones) may leave, as a share of the largest gradient.
const STEPS: [(f32, f32); 3] = [(3e-2, 1e-3), (1e-2, 2e-4), (3e-3, 1e-3)];

/// Values in `-scale..scale`.
fn uniform(len: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(seed, 0);
    let place =
        |_| (sgt_core::Random::next_u32(&mut rng) as f32 / u32::MAX as f32 * 2.0 - 1.0) * scale;
    (0..len).map(place).collect()
}

/// A network's parameters: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
fn parameters(shape: LstmShape, seed: u64) -> [Vec<f32>; 4] {
    let gates = 4 * shape.hidden;
    let lens = [gates * shape.input, gates * shape.hidden, gates, gates];
    let mut seeds = seed..;
    lens.map(|len| uniform(len, 0.5, seeds.next().unwrap_or(seed)))
}

fn weights(parameters: &[Vec<f32>; 4]) -> LstmWeights<'_> {
    let [weight_ih, weight_hh, bias_ih, bias_hh] = parameters;
    LstmWeights {
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
    }
}

fn gradient(gradients: &mut [Vec<f32>; 4]) -> LstmGradient<'_> {
    let [weight_ih, weight_hh, bias_ih, bias_hh] = gradients;
    LstmGradient {
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
    }
}

fn zeros(like: &[Vec<f32>; 4]) -> [Vec<f32>; 4] {
    std::array::from_fn(|index| vec![0.0; like[index].len()])
}

/// `Σ cotangent ∘ states`, the scalar whose gradients are checked.
fn objective(call: &LstmCall, parameters: &[Vec<f32>; 4], x: &[f32], cotangent: &[f32]) -> f64 {
    let mut states = vec![0.0; call.readout_len()];
    let mut cache = LstmCache::default();
    lstm::forward(call, &weights(parameters), x, &mut states, &mut cache).unwrap();
    let products = states.iter().zip(cotangent);
    products
        .map(|(state, d)| f64::from(*state) * f64::from(*d))
        .sum()
}

/// Compares every `stride`-th value of a gradient with the central difference of `objective_at`.
fn compare(
    name: &str,
    values: &[f32],
    gradient: &[f32],
    stride: usize,
    objective_at: &dyn Fn(&[f32]) -> f64,
) {
    let largest = gradient
        .iter()
        .fold(0.0_f32, |max, value| max.max(value.abs()));
    assert!(largest > 0.0, "{name}: no gradient at all");
    let mut moved = values.to_vec();
    for (step, tolerance) in STEPS {
        let mut worst = 0.0_f32;
        for index in (0..values.len()).step_by(stride) {
            let [above, below] = [step, -step].map(|step| {
                moved[index] = values[index] + step;
                (objective_at(&moved), f64::from(moved[index]))
            });
            moved[index] = values[index];
            let difference = ((above.0 - below.0) / (above.1 - below.1)) as f32;
            worst = worst.max((difference - gradient[index]).abs() / largest);
        }
        println!("{name}: step {step}, error {worst:.1e}");
        assert!(worst < tolerance, "{name}: error {worst:e} at step {step}");
    }
}

#[test]
fn gradients_are_finite_differences() {
    let shape = LstmShape {
        batch: 3,
        steps: 11,
        input: 4,
        hidden: 7,
    };
    let parameters = parameters(shape, 1);
    for direction in [Direction::Forward, Direction::Reverse] {
        for readout in [Readout::Last, Readout::All] {
            let call = LstmCall {
                direction,
                readout,
                ..LstmCall::new(shape)
            };
            let x = uniform(call.input_len(), 1.0, 7);
            let cotangent = uniform(call.readout_len(), 1.0, 8);
            let mut cache = LstmCache::default();
            let mut states = vec![0.0; call.readout_len()];
            let weights = weights(&parameters);
            lstm::forward(&call, &weights, &x, &mut states, &mut cache).unwrap();
            let mut dx = vec![0.0; x.len()];
            let mut gradients = zeros(&parameters);
            lstm::backward(
                &weights,
                &mut cache,
                &cotangent,
                InputGradient::Overwrite(&mut dx),
                Some(gradient(&mut gradients)),
            )
            .unwrap();
            let name = format!("{direction:?} {readout:?}");
            compare(&format!("{name} x"), &x, &dx, 1, &|x| {
                objective(&call, &parameters, x, &cotangent)
            });
            for index in 0..4 {
                let name = format!("{name} parameter {index}");
                compare(&name, &parameters[index], &gradients[index], 3, &|values| {
                    let mut parameters = parameters.clone();
                    parameters[index].copy_from_slice(values);
                    objective(&call, &parameters, &x, &cotangent)
                });
            }
        }
    }
}

/// States, dx and gradients of one pass on a pool of `threads`.
fn run(threads: usize, keep: Keep, with_weights: bool) -> Vec<Vec<u32>> {
    let shape = LstmShape {
        batch: 70,
        steps: 19,
        input: 5,
        hidden: 24,
    };
    let call = LstmCall {
        keep,
        readout: Readout::All,
        ..LstmCall::new(shape)
    };
    let parameters = parameters(shape, 3);
    let x = uniform(call.input_len(), 1.0, 4);
    let cotangent = uniform(call.readout_len(), 1.0, 5);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(|| {
        let weights = weights(&parameters);
        let mut cache = LstmCache::default();
        let mut states = vec![0.0; call.readout_len()];
        lstm::forward(&call, &weights, &x, &mut states, &mut cache).unwrap();
        let mut dx = vec![f32::NAN; x.len()];
        let mut gradients = zeros(&parameters);
        let gradient = with_weights.then(|| gradient(&mut gradients));
        let overwrite = InputGradient::Overwrite(&mut dx);
        lstm::backward(&weights, &mut cache, &cotangent, overwrite, gradient).unwrap();
        let mut all = vec![states, dx];
        all.extend(gradients);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
        all.into_iter().map(bits).collect()
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
    let shape = LstmShape {
        batch: 4,
        steps: 6,
        input: 3,
        hidden: 5,
    };
    let parameters = [parameters(shape, 10), parameters(shape, 20)];
    let x = uniform(shape.batch * shape.steps * shape.input, 1.0, 30);
    for readout in [Readout::Last, Readout::All] {
        let both = LstmCall::bidirectional(shape, readout, Keep::ForInput);
        let mut states = vec![f32::NAN; both[0].readout_len()];
        let cotangent = uniform(states.len(), 1.0, 40);
        let mut dx = vec![f32::NAN; x.len()];
        let mut expected_dx = vec![0.0; x.len()];
        for (index, call) in both.iter().enumerate() {
            let weights = weights(&parameters[index]);
            let mut cache = LstmCache::default();
            lstm::forward(call, &weights, &x, &mut states, &mut cache).unwrap();
            let target = match index {
                0 => InputGradient::Overwrite(&mut dx),
                _ => InputGradient::Add(&mut dx),
            };
            lstm::backward(&weights, &mut cache, &cotangent, target, None).unwrap();

            // The same direction alone, with rows of its own.
            let alone = LstmCall {
                direction: call.direction,
                readout,
                ..LstmCall::new(shape)
            };
            let columns = |values: &[f32]| -> Vec<f32> {
                let rows = values.chunks_exact(2 * shape.hidden);
                rows.flat_map(|row| &row[index * shape.hidden..][..shape.hidden])
                    .copied()
                    .collect()
            };
            let mut own = vec![0.0; alone.readout_len()];
            lstm::forward(&alone, &weights, &x, &mut own, &mut cache).unwrap();
            assert_eq!(own, columns(&states), "{readout:?}, direction {index}");
            let mut own_dx = vec![0.0; x.len()];
            let target = InputGradient::Overwrite(&mut own_dx);
            lstm::backward(&weights, &mut cache, &columns(&cotangent), target, None).unwrap();
            for (sum, value) in expected_dx.iter_mut().zip(own_dx) {
                *sum += value;
            }
        }
        assert_eq!(dx, expected_dx, "{readout:?}");
        assert!(states.iter().all(|state| state.is_finite()));
    }
}

#[test]
fn a_nan_in_the_input_reaches_its_states_only() {
    let shape = LstmShape {
        batch: 2,
        steps: 3,
        input: 2,
        hidden: 3,
    };
    let parameters = parameters(shape, 1);
    let call = LstmCall::new(shape);
    let mut x = uniform(call.input_len(), 1.0, 2);
    x[0] = f32::NAN;
    let mut states = vec![0.0; call.readout_len()];
    let mut cache = LstmCache::default();
    lstm::forward(&call, &weights(&parameters), &x, &mut states, &mut cache).unwrap();
    assert!(states[..3].iter().all(|state| state.is_nan()));
    assert!(states[3..].iter().all(|state| state.is_finite()));
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let shape = LstmShape {
        batch: 2,
        steps: 3,
        input: 2,
        hidden: 3,
    };
    let parameters = parameters(shape, 1);
    let weights = weights(&parameters);
    let call = LstmCall {
        keep: Keep::ForInput,
        ..LstmCall::new(shape)
    };
    let x = vec![0.0; call.input_len()];
    let mut states = vec![0.0; call.readout_len()];
    let mut cache = LstmCache::default();
    let refuse = |result: sgt_host::Result<()>, expected: &str| {
        let message = result.expect_err(expected).to_string();
        assert_eq!(message, expected);
    };
    refuse(
        lstm::backward(&weights, &mut cache, &states, InputGradient::Skip, None),
        "lstm: found shape [0, 0, 0] with 0 hidden units, expected at least one sample, step, \
         value and unit",
    );
    refuse(
        lstm::forward(&call, &weights, &x[1..], &mut states, &mut cache),
        "lstm input: found shape 11 values, expected 12",
    );
    refuse(
        lstm::forward(&call, &weights, &x, &mut states[1..], &mut cache),
        "lstm states: found shape 5 values, expected 6",
    );
    let short = LstmWeights {
        weight_hh: &parameters[1][1..],
        ..weights
    };
    refuse(
        lstm::forward(&call, &short, &x, &mut states, &mut cache),
        "lstm weight_hh: found shape 35 values, expected 36",
    );
    let narrow = LstmCall {
        row_offset: 1,
        ..call
    };
    refuse(
        lstm::forward(&narrow, &weights, &x, &mut states, &mut cache),
        "lstm readout: found shape rows of 3, expected room for 3 values at 1",
    );
    lstm::forward(&call, &weights, &x, &mut states, &mut cache).unwrap();
    let mut gradients = zeros(&parameters);
    let wanted = Some(gradient(&mut gradients));
    refuse(
        lstm::backward(&weights, &mut cache, &states, InputGradient::Skip, wanted),
        "lstm weight gradient: found shape a pass that was kept for the input's gradient only, \
         expected a pass that was kept for weight gradients",
    );
}
