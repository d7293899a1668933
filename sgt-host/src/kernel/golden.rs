//! Self-attention and layer normalisation against PyTorch's values (made by
//! `tests/golden/generate_attention.py`).

use super::attention::{
    self, AttentionCache, AttentionGradients, AttentionParameters, AttentionPass, AttentionShape,
    InputGradient, Projection, ProjectionGradient,
};
use super::layer_norm::{
    self, LayerNormCache, LayerNormForm, LayerNormGradients, LayerNormParameters, LayerNormShape,
};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};

/// Largest difference, as a share of the tensor's largest magnitude, from values that were computed
/// in `f64` and rounded.
const GOLDEN: f32 = 2e-6;

/// As above, for rows whose mean is 35 times their deviation: `f32` inputs lose 5 bits.
const GOLDEN_OFFSET: f32 = 1e-4;

const FILE: &[u8] = include_bytes!("../../../tests/golden/attention.safetensors");

/// A case's tensors, by their names without the case's.
type Case = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn golden(name: &str) -> (Case, HashMap<String, String>) {
    let (_, metadata) = SafeTensors::read_metadata(FILE).expect("it is safetensors");
    let file = SafeTensors::deserialize(FILE).expect("it is safetensors");
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

fn assert_close(name: &str, found: &[f32], expected: &[f32], relative: f32) {
    assert_eq!(found.len(), expected.len(), "{name}: length");
    let largest = expected.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= relative * largest,
            "{name}[{index}]: found {found}, expected {expected} within {relative:e} of {largest}"
        );
    }
}

#[test]
fn attention_agrees_with_pytorch() {
    for name in ["attention", "attention-causal", "attention-one-step"] {
        let (case, metadata) = golden(name);
        let values = |tensor: &str| case[tensor].1.as_slice();
        let sizes = &case["x"].0;
        let shape = AttentionShape {
            batch: sizes[0],
            steps: sizes[1],
            dim: sizes[2],
            heads: metadata[&format!("{name}/heads")].parse().unwrap(),
            causal: metadata[&format!("{name}/causal")] == "true",
        };
        let names = [
            "in_proj_weight",
            "in_proj_bias",
            "out_proj.weight",
            "out_proj.bias",
        ];
        let [in_weight, in_bias, weight, bias] = names.map(values);
        let output = Projection { weight, bias };
        let parameters = AttentionParameters::packed(in_weight, in_bias, output);
        let mut cache = AttentionCache::default();
        let x = values("x");
        let mut out = vec![f32::NAN; x.len()];
        let pass = AttentionPass::default();
        attention::forward(&shape, &parameters, &pass, x, &mut out, &mut cache).unwrap();
        let mut dx = vec![f32::NAN; x.len()];
        let mut sums = names.map(|name| vec![0.0; values(name).len()]);
        let [in_weight, in_bias, weight, bias] = &mut sums;
        let output = ProjectionGradient { weight, bias };
        let gradients = AttentionGradients::packed(in_weight, in_bias, output);
        let overwrite = InputGradient::Overwrite(&mut dx);
        let dout = values("cotangent");
        attention::backward(&parameters, &mut cache, dout, overwrite, Some(gradients)).unwrap();
        let found = names.iter().zip(&sums);
        assert_close("out", &out, values("y"), GOLDEN);
        assert_close("dx", &dx, values("gradient/x"), GOLDEN);
        for (parameter, found) in found {
            let expected = values(&format!("gradient/{parameter}")).to_vec();
            assert_close(&format!("{name} {parameter}"), found, &expected, GOLDEN);
        }
    }
}

#[test]
fn layer_norm_agrees_with_pytorch() {
    let cases = [("layer-norm", GOLDEN), ("layer-norm-offset", GOLDEN_OFFSET)];
    for (name, tolerance) in cases {
        let (case, _) = golden(name);
        let values = |tensor: &str| case[tensor].1.as_slice();
        let [weight, bias, x] = ["weight", "bias", "x"].map(values);
        let shape = LayerNormShape {
            dim: weight.len(),
            form: LayerNormForm::Standard,
        };
        let parameters = LayerNormParameters { weight, bias };
        let mut cache = LayerNormCache::default();
        let mut out = vec![f32::NAN; x.len()];
        layer_norm::forward(&shape, &parameters, x, &mut out, &mut cache).unwrap();
        let mut dx = vec![f32::NAN; x.len()];
        let [mut d_weight, mut d_bias] = [weight, bias].map(|of| vec![0.0; of.len()]);
        let gradients = LayerNormGradients {
            weight: &mut d_weight,
            bias: &mut d_bias,
        };
        let overwrite = InputGradient::Overwrite(&mut dx);
        let dout = values("cotangent");
        layer_norm::backward(&parameters, &mut cache, dout, overwrite, Some(gradients)).unwrap();
        let found = [
            ("y", out),
            ("gradient/x", dx),
            ("gradient/weight", d_weight),
            ("gradient/bias", d_bias),
        ];
        for (tensor, found) in found {
            let expected = values(tensor);
            assert_close(&format!("{name} {tensor}"), &found, expected, tolerance);
        }
    }
}
