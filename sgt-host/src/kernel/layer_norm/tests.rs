//! Layer normalisation against its definition in `f64`.

use super::super::dispatch::on_every_instruction_set;
use super::super::levels::values;
use super::super::oracle::{assert_close, assert_complete, dot, doubles, slopes};
use super::*;

/// Largest difference from the definition, as a share of the largest magnitude.
const TOLERANCE: f64 = 5e-6;

const FORMS: [LayerNormForm; 2] = [LayerNormForm::Standard, LayerNormForm::Unbiased];

fn oracle(shape: &LayerNormShape, weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let epsilon = f64::from(shape.form.epsilon());
    let dim = shape.dim as f64;
    let rows = x.chunks_exact(shape.dim).flat_map(|x| {
        let mean = x.iter().sum::<f64>() / dim;
        let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
        let divisor = match shape.form {
            LayerNormForm::Standard => (squares / dim + epsilon).sqrt(),
            LayerNormForm::Unbiased => (squares / (dim - 1.0)).sqrt() + epsilon,
        };
        let out = move |i: usize| (x[i] - mean) / divisor * weight[i] + bias[i];
        (0..x.len()).map(out)
    });
    rows.collect()
}

/// `out`, `dx` and the gradients of weight and bias, the latter three added to ones.
fn run(
    shape: &LayerNormShape,
    parameters: &LayerNormParameters,
    x: &[f32],
    dout: &[f32],
) -> [Vec<f32>; 4] {
    let mut cache = LayerNormCache::default();
    let mut out = vec![f32::NAN; x.len()];
    forward(shape, parameters, x, &mut out, &mut cache).unwrap();
    let mut overwritten = vec![f32::NAN; x.len()];
    let overwrite = InputGradient::Overwrite(&mut overwritten);
    backward(parameters, &mut cache, dout, overwrite, None).unwrap();
    let mut dx = vec![1.0; x.len()];
    let [mut weight, mut bias] = [0, 1].map(|_| vec![1.0; shape.dim]);
    let gradients = LayerNormGradients {
        weight: &mut weight,
        bias: &mut bias,
    };
    let add = InputGradient::Add(&mut dx);
    backward(parameters, &mut cache, dout, add, Some(gradients)).unwrap();
    let added: Vec<f32> = overwritten.iter().map(|dx| 1.0 + dx).collect();
    assert_eq!(dx, added);
    [out, dx, weight, bias]
}

#[test]
fn agrees_with_the_definition_on_every_instruction_set() {
    on_every_instruction_set(|arch| {
        for form in FORMS {
            for (rows, dim) in [(1, 2), (4, 19), (3, 64), (2, 33)] {
                let shape = LayerNormShape { dim, form };
                let name = format!("{arch:?} {form:?} {dim}");
                let [x, dout] = [1, 2].map(|seed| values(rows * dim, seed));
                let [weight, bias] = [3, 4].map(|seed| values(dim, seed));
                let parameters = LayerNormParameters {
                    weight: &weight,
                    bias: &bias,
                };
                let [out, dx, d_weight, d_bias] = run(&shape, &parameters, &x, &dout);
                let [x, weight, bias] = [&x, &weight, &bias].map(|values| doubles(values));
                let expected = oracle(&shape, &weight, &bias, &x);
                assert_close(&name, &out, 0.0, &expected, TOLERANCE);
                let objective = |weight: &[f64], bias: &[f64], x: &[f64]| {
                    dot(&oracle(&shape, weight, bias, x), &dout)
                };
                let expected = slopes(&x, |x| objective(&weight, &bias, x));
                assert_close(&name, &dx, 1.0, &expected, TOLERANCE);
                let expected = slopes(&weight, |weight| objective(weight, &bias, &x));
                assert_close(&name, &d_weight, 1.0, &expected, TOLERANCE);
                let expected = slopes(&bias, |bias| objective(&weight, bias, &x));
                assert_close(&name, &d_bias, 1.0, &expected, TOLERANCE);
            }
        }
    });
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let shape = LayerNormShape {
        dim: 9,
        form: LayerNormForm::Standard,
    };
    let x = values(1000 * shape.dim, 1);
    let weight = values(shape.dim, 2);
    let parameters = LayerNormParameters {
        weight: &weight,
        bias: &weight,
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| run(&shape, &parameters, &x, &x))
    };
    assert_eq!(on(1), on(2));
}

#[test]
fn equal_values_become_the_bias_and_have_no_gradient() {
    for form in FORMS {
        let shape = LayerNormShape { dim: 4, form };
        let [weight, bias, dout] = [1, 2, 3].map(|seed| values(4, seed));
        let parameters = LayerNormParameters {
            weight: &weight,
            bias: &bias,
        };
        let [out, dx, ..] = run(&shape, &parameters, &[0.5; 4], &dout);
        assert_eq!(out, bias);
        assert!(dx.iter().all(|dx| dx.is_finite()), "{form:?}: {dx:?}");
        let mut dx = [f32::NAN; 4];
        let pair = [[0.5; 4].as_slice(), &[0.25; 4]];
        multipliers(&shape, &parameters, pair, &dout, &mut dx).unwrap();
        assert!(dx.iter().all(|dx| dx.is_finite()), "{form:?}: {dx:?}");
    }
}

#[test]
fn multipliers_are_complete_and_become_the_gradient() {
    for form in FORMS {
        let shape = LayerNormShape { dim: 7, form };
        let [x, baseline, dout] = [1, 2, 3].map(|seed| values(5 * shape.dim, seed));
        let weight = values(shape.dim, 4);
        let parameters = LayerNormParameters {
            weight: &weight,
            bias: &weight,
        };
        let pull = |baseline: &[f32]| {
            let mut dx = vec![f32::NAN; x.len()];
            multipliers(&shape, &parameters, [&x, baseline], &dout, &mut dx).unwrap();
            dx
        };
        let objective = |x: &[f32]| dot(&doubles(&run(&shape, &parameters, x, &dout)[0]), &dout);
        let change = objective(&x) - objective(&baseline);
        assert_complete(&pull(&baseline), &x, &baseline, change);

        // From equal values: large contributions that cancel, complete up to their own rounding.
        let change = objective(&x) - objective(&vec![0.0; x.len()]);
        let multipliers = pull(&vec![0.0; x.len()]);
        let contributions = || multipliers.iter().zip(&x).map(|(m, x)| f64::from(m * x));
        let size: f64 = contributions().map(f64::abs).sum();
        assert!((contributions().sum::<f64>() - change).abs() < 1e-6 * size);

        let [_, gradient, ..] = run(&shape, &parameters, &x, &dout);
        let gradient: Vec<f64> = gradient.iter().map(|dx| f64::from(dx - 1.0)).collect();
        assert_close("at x", &pull(&x), 0.0, &gradient, TOLERANCE);
        let near: Vec<f32> = x.iter().map(|x| x + 1e-4 * x * x).collect();
        assert_close("near x", &pull(&near), 0.0, &gradient, 1e-3);
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let mut cache = LayerNormCache::default();
    let mut out = [0.0; 6];
    let refuse = |result: Result<()>, expected: &str| {
        assert_eq!(result.unwrap_err().to_string(), expected);
    };
    let mut shape = LayerNormShape {
        dim: 3,
        ..LayerNormShape::default()
    };
    let parameters = LayerNormParameters {
        weight: &[1.0; 3],
        bias: &[0.0; 3],
    };
    refuse(
        backward(
            &parameters,
            &mut cache,
            &[0.0; 6],
            InputGradient::Skip,
            None,
        ),
        "layer norm: found shape rows of 0 values, expected at least 1",
    );
    refuse(
        forward(&shape, &parameters, &[0.0; 7], &mut out, &mut cache),
        "layer norm: found shape x of 7 values, expected one or more samples of 3 values",
    );
    shape.dim = 2;
    refuse(
        forward(&shape, &parameters, &[0.0; 6], &mut out, &mut cache),
        "layer norm: found shape weight of 3 values, expected 2 values",
    );
    shape.dim = 1;
    shape.form = LayerNormForm::Unbiased;
    refuse(
        forward(&shape, &parameters, &[0.0; 6], &mut out, &mut cache),
        "layer norm: found shape rows of 1 values, expected at least 2",
    );
}
