//! Attention pooling against its definition in `f64`, and its promises about bits and padding.

use super::super::dispatch::on_every_instruction_set;
use super::super::levels::values;
use super::super::oracle::{assert_close, assert_complete, dot, doubles, slopes};
use super::*;

/// Largest difference from the definition, as a share of the largest magnitude.
const TOLERANCE: f64 = 5e-6;

/// Weight, bias, query.
type Parameters<T> = [Vec<T>; 3];

fn random_parameters(width: usize) -> Parameters<f32> {
    [(width * width, 10), (width, 11), (width, 12)].map(|(len, seed)| {
        let scale = if seed == 10 {
            1.0 / (width as f32).sqrt()
        } else {
            1.0
        };
        let values = values(len, seed);
        values.iter().map(|value| 2.0 * scale * value).collect()
    })
}

fn parameters(of: &Parameters<f32>) -> SoftmaxPoolParameters<'_> {
    let [weight, bias, query] = of;
    SoftmaxPoolParameters {
        weight,
        bias,
        query,
    }
}

fn oracle(
    shape: &SoftmaxPoolShape,
    lengths: Option<&[usize]>,
    [weight, bias, query]: &Parameters<f64>,
    x: &[f64],
) -> Vec<f64> {
    let SoftmaxPoolShape { steps, width, .. } = *shape;
    let samples = x.chunks_exact(steps * width).enumerate();
    let pooled = samples.flat_map(|(sample, x)| {
        let length = lengths.map_or(steps, |lengths| lengths[sample]);
        let h: Vec<&[f64]> = x.chunks_exact(width).take(length).collect();
        let score = |h: &[f64]| {
            let unit = |n: usize| {
                let products = (0..width).map(|i| weight[n * width + i] * h[i]);
                query[n] * (bias[n] + products.sum::<f64>()).tanh()
            };
            (0..width).map(unit).sum::<f64>().exp()
        };
        let shares: Vec<f64> = h.iter().map(|h| score(h)).collect();
        let sum: f64 = shares.iter().sum();
        let channel = |i: usize| (0..length).map(|t| shares[t] / sum * h[t][i]).sum::<f64>();
        (0..width).map(channel).collect::<Vec<_>>()
    });
    pooled.collect()
}

/// `out`, `dx` and the parameters' gradients.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    out: Vec<f32>,
    dx: Vec<f32>,
    gradients: Parameters<f32>,
}

fn run(
    shape: &SoftmaxPoolShape,
    lengths: Option<&[usize]>,
    keep: Keep,
    of: &Parameters<f32>,
    [x, dout]: [&[f32]; 2],
) -> Run {
    let mut run = Run {
        out: vec![f32::NAN; shape.output_len()],
        dx: vec![f32::NAN; x.len()],
        gradients: of.each_ref().map(|values| vec![1.0; values.len()]),
    };
    let parameters = parameters(of);
    let mut cache = SoftmaxPoolCache::default();
    forward(
        shape,
        &parameters,
        keep,
        lengths,
        x,
        &mut run.out,
        &mut cache,
    )
    .unwrap();
    let [weight, bias, query] = &mut run.gradients;
    let gradients = SoftmaxPoolGradients {
        weight,
        bias,
        query,
    };
    let gradients = (keep == Keep::ForWeights).then_some(gradients);
    let overwrite = InputGradient::Overwrite(&mut run.dx);
    backward(&parameters, &mut cache, dout, overwrite, gradients).unwrap();
    let mut sum = vec![1.0; x.len()];
    backward(
        &parameters,
        &mut cache,
        dout,
        InputGradient::Add(&mut sum),
        None,
    )
    .unwrap();
    assert_close("added", &sum, 1.0, &doubles(&run.dx), TOLERANCE);
    run
}

fn shape([batch, steps, width]: [usize; 3]) -> SoftmaxPoolShape {
    SoftmaxPoolShape {
        batch,
        steps,
        width,
    }
}

fn some_lengths(shape: &SoftmaxPoolShape) -> Vec<usize> {
    let length = |sample: usize| 1 + (shape.steps - 1) * (sample % 4 + 1) / 4;
    (0..shape.batch).map(length).collect()
}

#[test]
fn agrees_with_the_definition_on_every_instruction_set() {
    on_every_instruction_set(|arch| {
        for sizes in [[1, 1, 1], [5, 6, 3], [2, 21, 8], [9, 3, 4], [1, 2, 17]] {
            let shape = shape(sizes);
            let lengths = some_lengths(&shape);
            for lengths in [None, Some(lengths.as_slice())] {
                let name = format!("{arch:?} {shape:?}");
                let of = random_parameters(shape.width);
                let x = values(shape.input_len(), 1);
                let dout = values(shape.output_len(), 2);
                let found = run(&shape, lengths, Keep::ForWeights, &of, [&x, &dout]);
                let of = of.each_ref().map(|values| doubles(values));
                let x = doubles(&x);
                let expected = oracle(&shape, lengths, &of, &x);
                assert_close(&name, &found.out, 0.0, &expected, TOLERANCE);
                let objective = |of: &_, x: &_| dot(&oracle(&shape, lengths, of, x), &dout);
                let expected = slopes(&x, |x| objective(&of, x));
                assert_close(&name, &found.dx, 0.0, &expected, TOLERANCE);
                for (index, found) in found.gradients.iter().enumerate() {
                    let expected = slopes(&of[index], |values| {
                        let mut of = of.clone();
                        of[index].copy_from_slice(values);
                        objective(&of, &x)
                    });
                    assert_close(&name, found, 1.0, &expected, TOLERANCE);
                }
            }
        }
    });
}

#[test]
fn bits_depend_neither_on_threads_nor_on_what_is_kept() {
    let shape = shape([20, 9, 12]);
    let lengths = some_lengths(&shape);
    let of = random_parameters(shape.width);
    let x = values(shape.input_len(), 1);
    let dout = values(shape.output_len(), 2);
    let on = |threads: usize, keep: Keep| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| run(&shape, Some(&lengths), keep, &of, [&x, &dout]))
    };
    let one = on(1, Keep::ForWeights);
    assert_eq!(one, on(2, Keep::ForWeights));
    let input = on(2, Keep::ForInput);
    assert_eq!((&input.out, &input.dx), (&one.out, &one.dx));
}

#[test]
fn a_sample_does_not_depend_on_its_batch_or_its_padding() {
    on_every_instruction_set(|arch| {
        let shape = shape([11, 19, 10]);
        let lengths = some_lengths(&shape);
        let of = random_parameters(shape.width);
        let mut x = values(shape.input_len(), 1);
        let dout = values(shape.output_len(), 2);
        let sample = shape.steps * shape.width;
        for (x, length) in x.chunks_exact_mut(sample).zip(&lengths) {
            x[length * shape.width..].fill(f32::NAN);
        }
        let all = run(&shape, Some(&lengths), Keep::ForWeights, &of, [&x, &dout]);
        for (index, &length) in lengths.iter().enumerate() {
            let alone = SoftmaxPoolShape {
                batch: 1,
                steps: length,
                ..shape
            };
            let start = index * sample;
            let real = start..start + alone.input_len();
            let pooled = index * shape.width..(index + 1) * shape.width;
            let inputs = [&x[real.clone()], &dout[pooled.clone()]];
            let found = run(&alone, None, Keep::ForInput, &of, inputs);
            assert_eq!(found.out, all.out[pooled], "{arch:?}: sample {index}");
            assert_eq!(found.dx, all.dx[real.clone()], "{arch:?}: sample {index}");
            let mut padding = all.dx[real.end..start + sample].iter();
            assert!(padding.all(|&dx| dx == 0.0), "{arch:?}: sample {index}");
        }
        let mut gradients = all.gradients.iter().flatten();
        assert!(gradients.all(|value| value.is_finite()), "{arch:?}");
    });
}

#[test]
fn multipliers_are_complete_and_become_the_gradient() {
    let shape = shape([4, 7, 6]);
    let some = some_lengths(&shape);
    let of = random_parameters(shape.width);
    let [x, baseline] = [1, 2].map(|seed| values(shape.input_len(), seed));
    let dout = values(shape.output_len(), 3);
    for lengths in [None, Some(some.as_slice())] {
        let pull = |baseline: &[f32]| {
            let mut dx = vec![f32::NAN; x.len()];
            let of = parameters(&of);
            multipliers(&shape, &of, lengths, [&x, baseline], &dout, &mut dx).unwrap();
            dx
        };
        let run = |x: &[f32]| run(&shape, lengths, Keep::ForInput, &of, [x, &dout]);
        let objective = |x: &[f32]| dot(&doubles(&run(x).out), &dout);
        let change = objective(&x) - objective(&baseline);
        assert_complete(&pull(&baseline), &x, &baseline, change);

        let gradient = doubles(&run(&x).dx);
        assert_close("at x", &pull(&x), 0.0, &gradient, TOLERANCE);
        let near: Vec<f32> = x.iter().map(|x| x + 1e-4).collect();
        assert_close("near x", &pull(&near), 0.0, &gradient, 1e-3);
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let shape = shape([2, 3, 4]);
    let of = random_parameters(4);
    let of = parameters(&of);
    let x = [0.0; 24];
    let mut out = [0.0; 8];
    let mut cache = SoftmaxPoolCache::default();
    let refuse = |result: Result<()>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    refuse(
        backward(&of, &mut cache, &out.clone(), InputGradient::Skip, None),
        "softmax pool: found shape [0, 0, 0], expected at least one value",
    );
    let keep = Keep::ForInput;
    refuse(
        forward(&shape, &of, keep, None, &x[1..], &mut out, &mut cache),
        "softmax pool: found shape x of 23 values, expected 24 values",
    );
    refuse(
        forward(&shape, &of, keep, Some(&[3, 4]), &x, &mut out, &mut cache),
        "lengths: found 4, expected from 1 to 3 steps",
    );
    forward(&shape, &of, keep, None, &x, &mut out, &mut cache).unwrap();
    let mut sums = random_parameters(4);
    let [weight, bias, query] = &mut sums;
    let gradients = SoftmaxPoolGradients {
        weight,
        bias,
        query,
    };
    refuse(
        backward(&of, &mut cache, &out, InputGradient::Skip, Some(gradients)),
        "softmax pool: found shape a pass that was kept for the input's gradient only, expected a \
         pass that was kept for weight gradients",
    );
}
