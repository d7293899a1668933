//! Self-attention and layer normalisation against PyTorch's values (made by
//! `golden/generate_attention.py`) and finite differences, and their promises about bits and modes.

use safetensors::SafeTensors;
use sgt_core::{Pcg32, Random};
use sgt_host::kernel::attention::{
    self, AttentionCache, AttentionCall, AttentionGradient, AttentionWeights, InputGradient, Keep,
};
use sgt_host::kernel::layer_norm::{self, LayerNormCache};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Largest difference from PyTorch, as a share of the largest expected magnitude of a tensor.
const RELATIVE_TOLERANCE: f32 = 2e-6;
/// As above, for rows whose mean is 35 times their deviation: `f32` inputs lose 5 bits.
const OFFSET_TOLERANCE: f32 = 1e-4;
/// Central differences in `f32`: steps, and the error they may leave, as a share of the largest
/// gradient.
const STEPS: [(f32, f32); 3] = [(3e-2, 3e-4), (1e-2, 2e-4), (3e-3, 5e-4)];

/// A case's tensors, by their names without the case's.
type Case = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn golden(name: &str) -> (Case, HashMap<String, String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/attention.safetensors");
    let bytes = std::fs::read(path).expect("the golden file is readable");
    let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("it is safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("it is safetensors");
    let mut case = Case::new();
    for (tensor, view) in file.tensors() {
        if let Some(("", tensor)) = tensor.strip_prefix(name).and_then(|t| t.split_once('/')) {
            let (chunks, _) = view.data().as_chunks::<4>();
            let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes));
            case.insert(tensor.into(), (view.shape().to_vec(), values.collect()));
        }
    }
    assert!(!case.is_empty(), "{name} is in the file");
    (case, metadata.metadata().clone().unwrap_or_default())
}

fn assert_close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected
        .iter()
        .fold(0.0_f32, |max, value| max.max(value.abs()));
    let mut worst = 0.0_f32;
    for (found, expected) in found.iter().zip(expected) {
        let difference = (found - expected).abs();
        assert!(difference.is_finite(), "{name}: found {found}");
        worst = worst.max(difference / largest.max(1e-6));
    }
    println!("{name}: relative difference {worst:.1e}");
    assert!(worst <= tolerance, "{name}: relative difference {worst:e}");
}

fn uniform(len: usize, scale: f32, seed: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(seed, 0);
    let place = |_| (rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * scale;
    (0..len).map(place).collect()
}

/// Parameters in the order `in_proj_weight`, `in_proj_bias`, `out_proj.weight`, `out_proj.bias`.
type Parameters = [Vec<f32>; 4];
const NAMES: [&str; 4] = [
    "in_proj_weight",
    "in_proj_bias",
    "out_proj.weight",
    "out_proj.bias",
];

fn weights(parameters: &Parameters) -> AttentionWeights<'_> {
    let [in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias] = parameters;
    AttentionWeights {
        in_proj_weight,
        in_proj_bias,
        out_proj_weight,
        out_proj_bias,
    }
}

fn gradient(parameters: &mut Parameters) -> AttentionGradient<'_> {
    let [in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias] = parameters;
    AttentionGradient {
        in_proj_weight,
        in_proj_bias,
        out_proj_weight,
        out_proj_bias,
    }
}

/// y, dx and the parameters' gradients (added to `start`).
fn attend(
    call: &AttentionCall,
    parameters: &Parameters,
    x: &[f32],
    cotangent: &[f32],
    start: f32,
    with_weights: bool,
) -> (Vec<f32>, Vec<f32>, Parameters) {
    let mut cache = AttentionCache::default();
    let mut y = vec![f32::NAN; x.len()];
    let weights = weights(parameters);
    attention::forward(call, &weights, x, &mut y, &mut cache).expect("shapes fit");
    let mut dx = vec![f32::NAN; x.len()];
    let mut gradients: Parameters =
        std::array::from_fn(|index| vec![start; parameters[index].len()]);
    let wanted = with_weights.then(|| gradient(&mut gradients));
    let target = InputGradient::Overwrite(&mut dx);
    attention::backward(&weights, &mut cache, cotangent, target, wanted).expect("shapes fit");

    // A second pass through the same cache adds.
    let mut sum = dx.clone();
    let target = InputGradient::Add(&mut sum);
    attention::backward(&weights, &mut cache, cotangent, target, None).expect("shapes fit");
    let twice: Vec<f32> = dx.iter().map(|value| 2.0 * value).collect();
    assert_close("dx added", &sum, &twice, 1e-6);
    (y, dx, gradients)
}

#[test]
fn attention_agrees_with_pytorch() {
    for name in ["attention", "attention-causal", "attention-one-step"] {
        let (case, metadata) = golden(name);
        let (shape, x) = &case["x"];
        let call = AttentionCall {
            batch: shape[0],
            steps: shape[1],
            dim: shape[2],
            heads: metadata[&format!("{name}/heads")]
                .parse()
                .expect("a number"),
            causal: metadata[&format!("{name}/causal")] == "true",
            keep: Keep::ForWeights,
        };
        let parameters = NAMES.map(|parameter| case[parameter].1.clone());
        let cotangent = &case["cotangent"].1;
        let (y, dx, gradients) = attend(&call, &parameters, x, cotangent, 1.0, true);
        assert_close("y", &y, &case["y"].1, RELATIVE_TOLERANCE);
        assert_close("dx", &dx, &case["gradient/x"].1, RELATIVE_TOLERANCE);
        for (parameter, found) in NAMES.iter().zip(gradients) {
            let expected = &case[&format!("gradient/{parameter}")].1;
            let found: Vec<f32> = found.iter().map(|value| value - 1.0).collect();
            assert_close(parameter, &found, expected, RELATIVE_TOLERANCE);
        }
    }
}

/// Compares a gradient with the central differences of `objective_at`.
fn compare(name: &str, values: &[f32], gradient: &[f32], objective_at: &dyn Fn(&[f32]) -> f64) {
    let largest = gradient
        .iter()
        .fold(0.0_f32, |max, value| max.max(value.abs()));
    assert!(largest > 0.0, "{name}: no gradient at all");
    let mut moved = values.to_vec();
    for (step, tolerance) in STEPS {
        let mut worst = 0.0_f32;
        for index in 0..values.len() {
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

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

fn small_call(causal: bool) -> AttentionCall {
    AttentionCall {
        batch: 10,
        steps: 5,
        dim: 6,
        heads: 2,
        causal,
        keep: Keep::ForWeights,
    }
}

fn small_parameters() -> Parameters {
    [108, 18, 36, 6].map(|len| uniform(len, 0.5, len as u64))
}

#[test]
fn attention_gradients_are_finite_differences() {
    for causal in [false, true] {
        let call = small_call(causal);
        let parameters = small_parameters();
        let x = uniform(call.input_len(), 1.0, 5);
        let cotangent = uniform(call.input_len(), 1.0, 6);
        let (_, dx, gradients) = attend(&call, &parameters, &x, &cotangent, 0.0, true);
        let objective = |parameters: &Parameters, x: &[f32]| {
            let mut y = vec![0.0; x.len()];
            let mut cache = AttentionCache::default();
            attention::forward(&call, &weights(parameters), x, &mut y, &mut cache)
                .expect("shapes fit");
            dot(&y, &cotangent)
        };
        compare("x", &x, &dx, &|x| objective(&parameters, x));
        for index in 0..4 {
            // The key's bias moves every score of a row alike: softmax takes no notice.
            let name = NAMES[index];
            compare(name, &parameters[index], &gradients[index], &|values| {
                let mut parameters = parameters.clone();
                parameters[index].copy_from_slice(values);
                objective(&parameters, &x)
            });
        }
    }
}

#[test]
fn attention_bits_depend_neither_on_threads_nor_on_what_is_kept() {
    let call = small_call(true);
    let parameters = small_parameters();
    let x = uniform(call.input_len(), 1.0, 5);
    let cotangent = uniform(call.input_len(), 1.0, 6);
    let run = |threads: usize, keep: Keep, with_weights: bool| {
        let call = AttentionCall { keep, ..call };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build()
            .expect("a pool")
            .install(|| attend(&call, &parameters, &x, &cotangent, 0.0, with_weights))
    };
    let one = run(1, Keep::ForWeights, true);
    assert_eq!(one, run(2, Keep::ForWeights, true));
    for keep in [Keep::ForWeights, Keep::ForInput] {
        let (y, dx, gradients) = run(2, keep, false);
        assert_eq!((&y, &dx), (&one.0, &one.1), "{keep:?}");
        assert!(gradients.iter().flatten().all(|&value| value == 0.0));
    }
}

#[test]
fn a_causal_step_does_not_see_what_comes_later() {
    let call = small_call(true);
    let parameters = small_parameters();
    let x = uniform(call.input_len(), 1.0, 5);
    let mut changed = x.clone();
    // The fourth step of the first sample.
    changed[3 * call.dim] += 1.0;
    let cotangent = vec![1.0; x.len()];
    let (before, ..) = attend(&call, &parameters, &x, &cotangent, 0.0, false);
    let (after, ..) = attend(&call, &parameters, &changed, &cotangent, 0.0, false);
    let seen = 3 * call.dim..call.steps * call.dim;
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before == after, !seen.contains(&index), "{index}");
    }
}

#[test]
fn attention_refuses_what_does_not_fit() {
    let call = small_call(false);
    let parameters = small_parameters();
    let x = vec![0.0; call.input_len()];
    let mut y = x.clone();
    let mut cache = AttentionCache::default();
    let weights = weights(&parameters);
    let refuse = |result: sgt_host::Result<()>, expected: &str| {
        assert_eq!(result.expect_err(expected).to_string(), expected);
    };
    let odd = AttentionCall { heads: 4, ..call };
    refuse(
        attention::forward(&odd, &weights, &x, &mut y, &mut cache),
        "attention: found shape [10, 5, 6] with 4 heads, expected at least one value, and heads \
         that divide the values a step",
    );
    refuse(
        attention::forward(&call, &weights, &x[1..], &mut y, &mut cache),
        "attention input: found shape 299 values, expected 300",
    );
    let kept = AttentionCall {
        keep: Keep::ForInput,
        ..call
    };
    attention::forward(&kept, &weights, &x, &mut y, &mut cache).expect("shapes fit");
    let mut gradients = small_parameters();
    let wanted = Some(gradient(&mut gradients));
    refuse(
        attention::backward(&weights, &mut cache, &y, InputGradient::Skip, wanted),
        "attention weight gradient: found shape a pass that was kept for the input's gradient \
         only, expected a pass that was kept for weight gradients",
    );
}

/// y, dx, and the gradients of weight and bias, of a layer normalisation.
fn normalise(weight: &[f32], bias: &[f32], x: &[f32], cotangent: &[f32]) -> [Vec<f32>; 4] {
    let mut cache = LayerNormCache::default();
    let mut y = vec![f32::NAN; x.len()];
    layer_norm::forward(weight, bias, layer_norm::EPSILON, x, &mut y, &mut cache)
        .expect("shapes fit");
    let mut dx = vec![f32::NAN; x.len()];
    let (mut d_weight, mut d_bias) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
    let wanted = Some((d_weight.as_mut_slice(), d_bias.as_mut_slice()));
    let target = InputGradient::Overwrite(&mut dx);
    layer_norm::backward(weight, &mut cache, cotangent, target, wanted).expect("shapes fit");

    // Without weight gradients, and added: the same bits twice.
    let mut sum = dx.clone();
    let target = InputGradient::Add(&mut sum);
    layer_norm::backward(weight, &mut cache, cotangent, target, None).expect("shapes fit");
    let twice: Vec<f32> = dx.iter().map(|value| value + value).collect();
    assert_eq!(sum, twice);
    [y, dx, d_weight, d_bias]
}

#[test]
fn layer_norm_agrees_with_pytorch() {
    let cases = [
        ("layer-norm", RELATIVE_TOLERANCE),
        ("layer-norm-offset", OFFSET_TOLERANCE),
    ];
    for (name, tolerance) in cases {
        let (case, _) = golden(name);
        let values = |tensor: &str| case[tensor].1.as_slice();
        let [weight, bias, x] = ["weight", "bias", "x"].map(values);
        let found = normalise(weight, bias, x, values("cotangent"));
        let names = ["y", "gradient/x", "gradient/weight", "gradient/bias"];
        for (tensor, found) in names.iter().zip(found) {
            assert_close(
                &format!("{name} {tensor}"),
                &found,
                values(tensor),
                tolerance,
            );
        }
    }
}

#[test]
fn layer_norm_gradients_are_finite_differences() {
    let (rows, dim) = (4, 19);
    let x = uniform(rows * dim, 1.0, 1);
    let weight = uniform(dim, 1.0, 2);
    let bias = uniform(dim, 1.0, 3);
    let cotangent = uniform(rows * dim, 1.0, 4);
    let [_, dx, d_weight, d_bias] = normalise(&weight, &bias, &x, &cotangent);
    let objective = |weight: &[f32], bias: &[f32], x: &[f32]| {
        let [y, ..] = normalise(weight, bias, x, &cotangent);
        dot(&y, &cotangent)
    };
    compare("x", &x, &dx, &|x| objective(&weight, &bias, x));
    compare("weight", &weight, &d_weight, &|weight| {
        objective(weight, &bias, &x)
    });
    compare("bias", &bias, &d_bias, &|bias| objective(&weight, bias, &x));
}

#[test]
fn layer_norm_bits_do_not_depend_on_the_number_of_threads() {
    let (rows, dim) = (1000, 9);
    let x = uniform(rows * dim, 1.0, 1);
    let weight = uniform(dim, 1.0, 2);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build()
            .expect("a pool")
            .install(|| normalise(&weight, &weight, &x, &x))
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn layer_norm_refuses_what_does_not_fit() {
    let mut cache = LayerNormCache::default();
    let mut y = [0.0; 6];
    let refuse = |result: sgt_host::Result<()>, expected: &str| {
        assert_eq!(result.expect_err(expected).to_string(), expected);
    };
    refuse(
        layer_norm::backward(&[1.0; 3], &mut cache, &y, InputGradient::Skip, None),
        "layer norm backward: found shape no forward pass, expected a cache that a forward pass \
         filled",
    );
    let x = [0.0; 7];
    refuse(
        layer_norm::forward(&[1.0; 3], &[0.0; 3], 1e-5, &x, &mut y, &mut cache),
        "layer norm: found shape 7 values, expected rows of 3, at least one value",
    );
    refuse(
        layer_norm::forward(&[1.0; 3], &[0.0; 2], 1e-5, &x[..6], &mut y, &mut cache),
        "layer norm bias: found shape 2 values, expected 3",
    );
}
