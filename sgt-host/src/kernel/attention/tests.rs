//! Self-attention against its definition in `f64`, and its promises about bits, padding and modes.

use super::super::dispatch::on_every_instruction_set;
use super::super::levels::values;
use super::super::oracle::{assert_close, assert_complete, dot, doubles, slopes};
use super::*;

/// Largest difference from the definition, as a share of the largest magnitude.
const TOLERANCE: f64 = 5e-6;

/// Lengths of query, key, value and output projections: weight, bias, weight, ….
fn parameter_lens(dim: usize) -> [usize; 8] {
    std::array::from_fn(|index| if index % 2 == 0 { dim * dim } else { dim })
}

fn random_parameters(dim: usize) -> [Vec<f32>; 8] {
    let lens = parameter_lens(dim);
    // Scores of some units: softmax is neither flat nor a step.
    let scale = 2.0 / (dim as f32).sqrt();
    std::array::from_fn(|index| {
        let values = values(lens[index], 10 + index as u64);
        values.iter().map(|value| value * scale).collect()
    })
}

fn parameters(values: &[Vec<f32>; 8]) -> AttentionParameters<'_> {
    let [query, key, value, output] = [0, 2, 4, 6].map(|index| Projection {
        weight: &values[index],
        bias: &values[index + 1],
    });
    AttentionParameters {
        query,
        key,
        value,
        output,
    }
}

fn gradients(values: &mut [Vec<f32>; 8]) -> AttentionGradients<'_> {
    let mut values = values.iter_mut();
    let mut part = || ProjectionGradient {
        weight: values.next().expect("a weight"),
        bias: values.next().expect("a bias"),
    };
    AttentionGradients {
        query: part(),
        key: part(),
        value: part(),
        output: part(),
    }
}

/// The definition. `values` are the eight parameters.
fn oracle(
    shape: &AttentionShape,
    pass: &AttentionPass,
    values: &[Vec<f64>; 8],
    x: &[f64],
) -> Vec<f64> {
    let AttentionShape {
        batch,
        steps,
        dim,
        heads,
        causal,
    } = *shape;
    let width = dim / heads;
    let project = |index: usize, x: &[f64]| -> Vec<f64> {
        let [weight, bias] = [&values[index], &values[index + 1]];
        let output = |n: usize| bias[n] + (0..dim).map(|i| weight[n * dim + i] * x[i]).sum::<f64>();
        (0..dim).map(output).collect()
    };
    let factor = |index: usize| match pass.dropout {
        None => 1.0,
        Some(AttentionDropout { key, probability }) => {
            let share = f64::from(key.bits(index as u64)) / 4_294_967_296.0;
            if share < f64::from(probability) {
                0.0
            } else {
                1.0 / (1.0 - f64::from(probability))
            }
        }
    };
    let mut out = vec![0.0; x.len()];
    for sample in 0..batch {
        let length = pass.lengths.map_or(steps, |lengths| lengths[sample]);
        let x = &x[sample * steps * dim..];
        let projected: Vec<[Vec<f64>; 3]> = (0..length)
            .map(|step| [0, 2, 4].map(|index| project(index, &x[step * dim..][..dim])))
            .collect();
        for step in 0..length {
            let mut context = vec![0.0; dim];
            for head in 0..heads {
                let columns = head * width..(head + 1) * width;
                let seen = if causal { step + 1 } else { length };
                let weight = |seen: usize| {
                    let products = columns.clone();
                    let products = products.map(|c| projected[step][0][c] * projected[seen][1][c]);
                    (products.sum::<f64>() / (width as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = (0..seen).map(weight).collect();
                let sum: f64 = weights.iter().sum();
                for (seen, weight) in weights.iter().enumerate() {
                    let position = ((sample * heads + head) * steps + step) * steps + seen;
                    for c in columns.clone() {
                        context[c] += weight / sum * factor(position) * projected[seen][2][c];
                    }
                }
            }
            out[(sample * steps + step) * dim..][..dim].copy_from_slice(&project(6, &context));
        }
    }
    out
}

/// `out`, `dx` and the parameters' gradients.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    out: Vec<f32>,
    dx: Vec<f32>,
    gradients: [Vec<f32>; 8],
}

/// A forward and a backward pass; `dx` and gradients are added to ones when `add` is set.
fn run(
    shape: &AttentionShape,
    pass: &AttentionPass,
    of: &[Vec<f32>; 8],
    [x, dout]: [&[f32]; 2],
    add: bool,
) -> Run {
    let start = f32::from(add);
    let mut run = Run {
        out: vec![f32::NAN; x.len()],
        dx: vec![if add { 1.0 } else { f32::NAN }; x.len()],
        gradients: parameter_lens(shape.dim).map(|len| vec![start; len]),
    };
    let parameters = parameters(of);
    let mut cache = AttentionCache::default();
    forward(shape, &parameters, pass, x, &mut run.out, &mut cache).unwrap();
    let wanted = (pass.keep == Keep::ForWeights).then(|| gradients(&mut run.gradients));
    let dx = if add {
        InputGradient::Add(&mut run.dx)
    } else {
        InputGradient::Overwrite(&mut run.dx)
    };
    backward(&parameters, &mut cache, dout, dx, wanted).unwrap();
    run
}

fn shape([batch, steps, dim, heads]: [usize; 4], causal: bool) -> AttentionShape {
    AttentionShape {
        batch,
        steps,
        dim,
        heads,
        causal,
    }
}

/// Lengths that differ from sample to sample, some of them whole.
fn some_lengths(shape: &AttentionShape) -> Vec<usize> {
    let length = |sample: usize| 1 + (shape.steps - 1) * (sample % 4 + 1) / 4;
    (0..shape.batch).map(length).collect()
}

const DROPOUT: AttentionDropout = AttentionDropout {
    key: DropoutKey::new(7, 3),
    probability: 0.3,
};

/// Every kind of pass over a shape.
fn passes(lengths: &[usize]) -> [AttentionPass<'_>; 3] {
    let plain = AttentionPass::default();
    let padded = AttentionPass {
        lengths: Some(lengths),
        ..plain
    };
    let dropped = AttentionPass {
        dropout: Some(DROPOUT),
        ..padded
    };
    [plain, padded, dropped]
}

#[test]
fn agrees_with_the_definition_on_every_instruction_set() {
    // Around the sizes of chunks, vectors and tiles.
    let sizes = [
        [1, 1, 1, 1],
        [9, 7, 12, 3],
        [3, 50, 50, 5],
        [2, 17, 40, 2],
        [1, 33, 66, 3],
        [17, 3, 4, 4],
    ];
    on_every_instruction_set(|arch| {
        for sizes in sizes {
            for causal in [false, true] {
                let shape = shape(sizes, causal);
                let lengths = some_lengths(&shape);
                for pass in passes(&lengths) {
                    compare_along_directions(&format!("{arch:?} {shape:?}"), &shape, &pass);
                }
            }
        }
    });
}

/// Compares the output with the oracle's, and the gradient of each tensor along one direction with
/// the oracle's slope.
fn compare_along_directions(name: &str, shape: &AttentionShape, pass: &AttentionPass) {
    let of = random_parameters(shape.dim);
    let x = values(shape.input_len(), 1);
    let dout = values(shape.input_len(), 2);
    let found = run(shape, pass, &of, [&x, &dout], false);
    let of = of.each_ref().map(|values| doubles(values));
    let x = doubles(&x);
    assert_close(
        name,
        &found.out,
        0.0,
        &oracle(shape, pass, &of, &x),
        TOLERANCE,
    );
    let tensors = found.gradients.iter().chain([&found.dx]);
    for (index, gradient) in tensors.enumerate() {
        let direction = values(gradient.len(), 30 + index as u64);
        let along = |distance: f64| {
            let (mut of, mut x) = (of.clone(), x.clone());
            let moved = of.get_mut(index).unwrap_or(&mut x);
            for (value, direction) in moved.iter_mut().zip(&direction) {
                *value += distance * f64::from(*direction);
            }
            dot(&oracle(shape, pass, &of, &x), &dout)
        };
        let expected = slopes(&[0.0], |distance| along(distance[0]))[0];
        let summands = || {
            gradient
                .iter()
                .zip(&direction)
                .map(|(g, d)| f64::from(g * d))
        };
        let size = summands()
            .map(|summand| summand * summand)
            .sum::<f64>()
            .sqrt();
        let found = summands().sum::<f64>();
        // The key's bias moves every score of a row alike: its gradient is rounding.
        assert!(
            (found - expected).abs() < TOLERANCE * size.max(1.0),
            "{name}, gradient {index}: {found}, expected {expected}"
        );
    }
}

#[test]
fn gradients_are_slopes_of_the_definition() {
    for causal in [false, true] {
        let shape = shape([3, 5, 6, 2], causal);
        let lengths = some_lengths(&shape);
        for pass in passes(&lengths) {
            let of = random_parameters(shape.dim);
            let x = values(shape.input_len(), 1);
            let dout = values(shape.input_len(), 2);
            let found = run(&shape, &pass, &of, [&x, &dout], true);
            let of = of.each_ref().map(|values| doubles(values));
            let x = doubles(&x);
            let expected = slopes(&x, |x| dot(&oracle(&shape, &pass, &of, x), &dout));
            assert_close("dx", &found.dx, 1.0, &expected, TOLERANCE);
            for (index, found) in found.gradients.iter().enumerate() {
                let expected = slopes(&of[index], |values| {
                    let mut of = of.clone();
                    of[index].copy_from_slice(values);
                    dot(&oracle(&shape, &pass, &of, &x), &dout)
                });
                assert_close(
                    &format!("gradient {index}"),
                    found,
                    1.0,
                    &expected,
                    TOLERANCE,
                );
            }
        }
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_what_is_kept() {
    let shape = shape([20, 9, 12, 3], true);
    let lengths = some_lengths(&shape);
    let of = random_parameters(shape.dim);
    let [x, dout] = [1, 2].map(|seed| values(shape.input_len(), seed));
    let on = |threads: usize, keep: Keep| {
        let [.., pass] = passes(&lengths);
        let pass = AttentionPass { keep, ..pass };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| run(&shape, &pass, &of, [&x, &dout], false))
    };
    let one = on(1, Keep::ForWeights);
    assert_eq!(one, on(2, Keep::ForWeights));
    let input = on(2, Keep::ForInput);
    assert_eq!((&input.out, &input.dx), (&one.out, &one.dx));
}

#[test]
fn a_sample_does_not_depend_on_its_batch_or_its_padding() {
    on_every_instruction_set(|arch| {
        let shape = shape([11, 19, 12, 3], false);
        let lengths = some_lengths(&shape);
        let of = random_parameters(shape.dim);
        let [mut x, mut dout] = [1, 2].map(|seed| values(shape.input_len(), seed));
        let sample = shape.steps * shape.dim;
        for (index, length) in lengths.iter().enumerate() {
            for values in [&mut x, &mut dout] {
                values[index * sample..][..sample][length * shape.dim..].fill(f32::NAN);
            }
        }
        let [_, pass, _] = passes(&lengths);
        let all = run(&shape, &pass, &of, [&x, &dout], false);
        for (index, &length) in lengths.iter().enumerate() {
            let alone = AttentionShape {
                batch: 1,
                steps: length,
                ..shape
            };
            let part = |values: &[f32]| values[index * sample..][..alone.input_len()].to_vec();
            let (x, dout) = (part(&x), part(&dout));
            let alone = run(&alone, &AttentionPass::default(), &of, [&x, &dout], false);
            assert_eq!(alone.out, part(&all.out), "{arch:?}: sample {index}");
            assert_eq!(alone.dx, part(&all.dx), "{arch:?}: sample {index}");
            let padding = index * sample + length * shape.dim..(index + 1) * sample;
            let padding = all.out[padding.clone()].iter().chain(&all.dx[padding]);
            assert!(padding.into_iter().all(|&value| value == 0.0), "{arch:?}");
        }
        let finite = all
            .gradients
            .iter()
            .flatten()
            .all(|value| value.is_finite());
        assert!(finite, "{arch:?}: padding in a parameter's gradient");
    });
}

#[test]
fn a_causal_step_does_not_see_what_comes_later() {
    let shape = shape([2, 5, 6, 2], true);
    let of = random_parameters(shape.dim);
    let x = values(shape.input_len(), 1);
    let mut changed = x.clone();
    // The fourth step of the first sample.
    changed[3 * shape.dim] += 1.0;
    let pass = AttentionPass::default();
    let [before, after] = [&x, &changed].map(|x| run(&shape, &pass, &of, [x, x], false).out);
    let seen = 3 * shape.dim..shape.steps * shape.dim;
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before == after, !seen.contains(&index), "{index}");
    }
}

#[test]
fn packed_parameters_are_the_three_projections() {
    let shape = shape([2, 3, 4, 2], false);
    let of = random_parameters(shape.dim);
    let [in_weight, in_bias] = [0, 1].map(|kind| {
        let parts = [kind, kind + 2, kind + 4].map(|index| of[index].as_slice());
        parts.concat()
    });
    let [x, dout] = [1, 2].map(|seed| values(shape.input_len(), seed));
    let expected = run(&shape, &AttentionPass::default(), &of, [&x, &dout], false);
    let output = Projection {
        weight: &of[6],
        bias: &of[7],
    };
    let parameters = AttentionParameters::packed(&in_weight, &in_bias, output);
    let mut cache = AttentionCache::default();
    let mut out = vec![0.0; x.len()];
    let pass = AttentionPass::default();
    forward(&shape, &parameters, &pass, &x, &mut out, &mut cache).unwrap();
    assert_eq!(out, expected.out);
    let [mut d_in_weight, mut d_in_bias] = [&in_weight, &in_bias].map(|of| vec![0.0; of.len()]);
    let [mut d_weight, mut d_bias] = [&of[6], &of[7]].map(|of| vec![0.0; of.len()]);
    let output = ProjectionGradient {
        weight: &mut d_weight,
        bias: &mut d_bias,
    };
    let gradients = AttentionGradients::packed(&mut d_in_weight, &mut d_in_bias, output);
    backward(
        &parameters,
        &mut cache,
        &dout,
        InputGradient::Skip,
        Some(gradients),
    )
    .unwrap();
    let of = &expected.gradients;
    assert_eq!(d_in_weight, [&*of[0], &*of[2], &*of[4]].concat());
    assert_eq!(d_in_bias, [&*of[1], &*of[3], &*of[5]].concat());
    assert_eq!((&d_weight, &d_bias), (&of[6], &of[7]));
}

#[test]
fn multipliers_are_complete_and_become_the_gradient() {
    for causal in [false, true] {
        let shape = shape([4, 7, 12, 3], causal);
        let lengths = some_lengths(&shape);
        let of = random_parameters(shape.dim);
        let [x, baseline, dout] = [1, 2, 3].map(|seed| values(shape.input_len(), seed));
        for pass in &passes(&lengths)[..2] {
            let pull = |baseline: &[f32]| {
                let mut dx = vec![f32::NAN; x.len()];
                let pair = [x.as_slice(), baseline];
                let of = parameters(&of);
                multipliers(&shape, &of, pass.lengths, pair, &dout, &mut dx).unwrap();
                dx
            };
            let objective = |x: &[f32]| {
                dot(
                    &doubles(&run(&shape, pass, &of, [x, &dout], false).out),
                    &dout,
                )
            };
            let change = objective(&x) - objective(&baseline);
            assert_complete(&pull(&baseline), &x, &baseline, change);

            let gradient = doubles(&run(&shape, pass, &of, [&x, &dout], false).dx);
            assert_close("at x", &pull(&x), 0.0, &gradient, TOLERANCE);
            let near: Vec<f32> = x.iter().map(|x| x + 1e-4).collect();
            assert_close("near x", &pull(&near), 0.0, &gradient, 1e-3);
        }
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let shape = shape([10, 5, 6, 2], false);
    let of = random_parameters(shape.dim);
    let x = vec![0.0; shape.input_len()];
    let mut out = x.clone();
    let mut cache = AttentionCache::default();
    let of = parameters(&of);
    let refuse = |result: Result<()>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    let pass = AttentionPass::default();
    refuse(
        backward(&of, &mut cache, &x, InputGradient::Skip, None),
        "attention: found shape [0, 0, 0] with 0 heads, expected at least one value, and heads that \
         divide the values a step",
    );
    let odd = AttentionShape { heads: 4, ..shape };
    refuse(
        forward(&odd, &of, &pass, &x, &mut out, &mut cache),
        "attention: found shape [10, 5, 6] with 4 heads, expected at least one value, and heads \
         that divide the values a step",
    );
    refuse(
        forward(&shape, &of, &pass, &x[1..], &mut out, &mut cache),
        "attention: found shape x of 299 values, expected 300 values",
    );
    let dropout = Some(AttentionDropout {
        probability: 1.0,
        ..DROPOUT
    });
    let certain = AttentionPass { dropout, ..pass };
    refuse(
        forward(&shape, &of, &certain, &x, &mut out, &mut cache),
        "dropout: found 1, expected a probability of at least 0 and below 1",
    );
    let short = AttentionParameters::packed(&x[..107], &x[..18], of.output);
    refuse(
        forward(&shape, &short, &pass, &x, &mut out, &mut cache),
        "attention: found shape query weight of 35 values, expected 36 values",
    );
    let keep = Keep::ForInput;
    let kept = AttentionPass { keep, ..pass };
    forward(&shape, &of, &kept, &x, &mut out, &mut cache).unwrap();
    let mut sums = random_parameters(shape.dim);
    let wanted = Some(gradients(&mut sums));
    refuse(
        backward(&of, &mut cache, &x, InputGradient::Skip, wanted),
        "attention: found shape a pass that was kept for the input's gradient only, expected a \
         pass that was kept for weight gradients",
    );
}
