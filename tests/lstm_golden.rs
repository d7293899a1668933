//! The LSTM kernel against PyTorch's values, for a one-directional and a bidirectional network.

use safetensors::SafeTensors;
use sgt_host::kernel::lstm::{
    self, InputGradient, Keep, LstmCache, LstmCall, LstmGradient, LstmShape, LstmWeights, Readout,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Largest difference allowed, as a share of the largest expected magnitude of a tensor.
const RELATIVE_TOLERANCE: f32 = 1e-4;
/// Rounding of the expected divergence itself: it was summed in `f32` from log-probabilities near
/// 1, which cancel when the two distributions are close.
const DIVERGENCE_ROUNDING: f32 = 2e-7;

/// Named tensors as `f32`.
type Tensors = BTreeMap<String, Vec<f32>>;

fn read(name: &str) -> (Tensors, BTreeMap<String, Vec<usize>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bytes = std::fs::read(folder.join(name)).expect("the golden file is readable");
    let file = SafeTensors::deserialize(&bytes).expect("the golden file is safetensors");
    let mut tensors = Tensors::new();
    let mut shapes = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = if view.dtype() == safetensors::Dtype::I64 {
            let (chunks, _) = view.data().as_chunks::<8>();
            let integers = chunks.iter().map(|bytes| i64::from_le_bytes(*bytes));
            integers.map(|integer| integer as f32).collect()
        } else {
            let (chunks, _) = view.data().as_chunks::<4>();
            let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes));
            values.collect()
        };
        shapes.insert(name.clone(), view.shape().to_vec());
        tensors.insert(name, values);
    }
    (tensors, shapes)
}

fn assert_close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected
        .iter()
        .fold(0.0_f32, |max, value| max.max(value.abs()));
    let mut worst = 0.0_f32;
    for (found, expected) in found.iter().zip(expected) {
        let difference = (found - expected).abs();
        assert!(difference.is_finite(), "{name}: found {found}");
        worst = worst.max(difference / largest);
    }
    println!("{name}: relative difference {worst:.1e}");
    assert!(
        worst <= RELATIVE_TOLERANCE,
        "{name}: relative difference {worst:e}"
    );
}

/// An LSTM of one or two directions, its last states and a linear layer on them.
struct Network {
    weights: Tensors,
    calls: Vec<LstmCall>,
    classes: usize,
}

/// One forward pass.
struct Pass {
    caches: Vec<LstmCache>,
    states: Vec<f32>,
    logits: Vec<f32>,
}

const DIRECTIONS: [&str; 2] = ["", "_reverse"];
const LSTM_TENSORS: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

fn tensor_name(tensor: &str, direction: usize) -> String {
    format!("lstm.{tensor}_l0{}", DIRECTIONS[direction])
}

impl Network {
    fn lstm(&self, direction: usize) -> LstmWeights<'_> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] =
            LSTM_TENSORS.map(|tensor| self.weights[&tensor_name(tensor, direction)].as_slice());
        LstmWeights {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        }
    }

    fn forward(&self, x: &[f32], keep: Keep) -> Pass {
        let mut states = vec![f32::NAN; self.calls[0].readout_len()];
        let mut caches = Vec::new();
        for (direction, call) in self.calls.iter().enumerate() {
            let mut cache = LstmCache::default();
            let call = LstmCall { keep, ..*call };
            lstm::forward(&call, &self.lstm(direction), x, &mut states, &mut cache)
                .expect("the golden shapes fit");
            caches.push(cache);
        }
        let width = self.calls[0].row_width;
        let (weight, bias) = (&self.weights["fc.weight"], &self.weights["fc.bias"]);
        let mut logits = Vec::new();
        for state in states.chunks_exact(width) {
            for (row, bias) in weight.chunks_exact(width).zip(bias) {
                let products = row.iter().zip(state).map(|(w, s)| f64::from(w * s));
                logits.push((products.sum::<f64>() + f64::from(*bias)) as f32);
            }
        }
        Pass {
            caches,
            states,
            logits,
        }
    }

    fn backward(
        &self,
        pass: &mut Pass,
        dlogits: &[f32],
        mut dx: Option<&mut [f32]>,
        mut gradient: Option<&mut Tensors>,
    ) {
        let width = self.calls[0].row_width;
        let weight = &self.weights["fc.weight"];
        let mut d_states = vec![0.0; pass.states.len()];
        for (sample, dlogits) in dlogits.chunks_exact(self.classes).enumerate() {
            let states = &pass.states[sample * width..][..width];
            let d_states = &mut d_states[sample * width..][..width];
            for (class, dlogit) in dlogits.iter().enumerate() {
                for unit in 0..width {
                    d_states[unit] += dlogit * weight[class * width + unit];
                }
                if let Some(gradient) = &mut gradient {
                    let fc = gradient.get_mut("fc.weight").expect("is in the network");
                    for unit in 0..width {
                        fc[class * width + unit] += dlogit * states[unit];
                    }
                    gradient.get_mut("fc.bias").expect("is in the network")[class] += dlogit;
                }
            }
        }
        for (direction, cache) in pass.caches.iter_mut().enumerate() {
            let dx = match dx.as_deref_mut() {
                None => InputGradient::Skip,
                Some(dx) if direction == 0 => InputGradient::Overwrite(dx),
                Some(dx) => InputGradient::Add(dx),
            };
            let mut parts: Vec<Vec<f32>> = Vec::new();
            if let Some(gradient) = &mut gradient {
                parts.extend(LSTM_TENSORS.map(|tensor| {
                    gradient
                        .remove(&tensor_name(tensor, direction))
                        .expect("is in the network")
                }));
            }
            let slices = parts.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>();
            let lstm_gradient = <[&mut [f32]; 4]>::try_from(slices).ok().map(
                |[weight_ih, weight_hh, bias_ih, bias_hh]| LstmGradient {
                    weight_ih,
                    weight_hh,
                    bias_ih,
                    bias_hh,
                },
            );
            lstm::backward(&self.lstm(direction), cache, &d_states, dx, lstm_gradient)
                .expect("the golden shapes fit");
            if let Some(gradient) = &mut gradient {
                for (tensor, part) in LSTM_TENSORS.iter().zip(parts) {
                    gradient.insert(tensor_name(tensor, direction), part);
                }
            }
        }
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
    let largest = logits.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    logits
        .iter()
        .map(|logit| logit - largest - sum.ln())
        .collect()
}

fn check(name: &str, directions: usize) {
    let (weights, shapes) = read(&format!("{name}.weights.safetensors"));
    let (cases, case_shapes) = read(&format!("{name}.cases.safetensors"));
    let x_shape = &case_shapes["x"];
    let shape = LstmShape {
        batch: x_shape[0],
        steps: x_shape[1],
        input: x_shape[2],
        hidden: shapes["lstm.weight_hh_l0"][1],
    };
    let calls = if directions == 1 {
        vec![LstmCall::new(shape)]
    } else {
        LstmCall::bidirectional(shape, Readout::Last, Keep::ForWeights).to_vec()
    };
    let classes = weights["fc.bias"].len();
    let network = Network {
        weights,
        calls,
        classes,
    };
    let x = &cases["x"];
    let labels: Vec<usize> = cases["y"].iter().map(|&label| label as usize).collect();
    let mut clean = network.forward(x, Keep::ForWeights);
    assert_close("logits", &clean.logits, &cases["logits"]);

    // ∂ logit_y / ∂x, and ∂ ΣCE / ∂x, with and without what weight gradients need.
    let log_p: Vec<Vec<f64>> = clean
        .logits
        .chunks_exact(classes)
        .map(log_softmax)
        .collect();
    let mut one_hot = vec![0.0; clean.logits.len()];
    let mut d_loss = vec![0.0; clean.logits.len()];
    for (sample, &label) in labels.iter().enumerate() {
        one_hot[sample * classes + label] = 1.0;
        for class in 0..classes {
            let target = if class == label { 1.0 } else { 0.0 };
            d_loss[sample * classes + class] = (log_p[sample][class].exp() - target) as f32;
        }
    }
    for keep in [Keep::ForWeights, Keep::ForInput] {
        let mut pass = network.forward(x, keep);
        let mut dx = vec![f32::NAN; x.len()];
        network.backward(&mut pass, &one_hot, Some(&mut dx), None);
        assert_close("gradient_true_logit", &dx, &cases["gradient_true_logit"]);
        network.backward(&mut pass, &d_loss, Some(&mut dx), None);
        assert_close("gradient_loss_sum", &dx, &cases["gradient_loss_sum"]);
    }

    // Parameter gradients of CE(x, y) + KL(clean ‖ masked), both batch means, both branches.
    let mut masked = network.forward(&cases["masked_zero_k50"], Keep::ForWeights);
    let log_q: Vec<Vec<f64>> = masked
        .logits
        .chunks_exact(classes)
        .map(log_softmax)
        .collect();
    let batch = labels.len() as f64;
    let mut d_clean = Vec::new();
    let mut d_masked = Vec::new();
    let (mut cross_entropy, mut divergence) = (0.0, 0.0);
    for ((log_p, log_q), &label) in log_p.iter().zip(&log_q).zip(&labels) {
        let pairs = log_p.iter().zip(log_q);
        let kl: f64 = pairs.map(|(p, q)| p.exp() * (p - q)).sum();
        cross_entropy -= log_p[label] / batch;
        divergence += kl / batch;
        for (class, (lp, lq)) in log_p.iter().zip(log_q).enumerate() {
            let target = if class == label { 1.0 } else { 0.0 };
            let p = lp.exp();
            d_clean.push(((p - target + p * (lp - lq - kl)) / batch) as f32);
            d_masked.push(((lq.exp() - p) / batch) as f32);
        }
    }
    assert_close(
        "cross_entropy",
        &[cross_entropy as f32],
        &cases["cross_entropy"],
    );
    let expected = cases["kl_clean_masked"][0];
    let difference = (divergence as f32 - expected).abs();
    let tolerance = RELATIVE_TOLERANCE * expected + DIVERGENCE_ROUNDING;
    assert!(
        difference <= tolerance,
        "kl_clean_masked: {divergence}, expected {expected}"
    );
    let weights = network.weights.iter();
    let mut gradient: Tensors = weights
        .map(|(n, w)| (n.clone(), vec![0.0; w.len()]))
        .collect();
    network.backward(&mut clean, &d_clean, None, Some(&mut gradient));
    network.backward(&mut masked, &d_masked, None, Some(&mut gradient));
    for (name, found) in &gradient {
        let name = format!("sgt_grad.{name}");
        assert_close(&name, found, &cases[&name]);
    }
}

#[test]
fn sensor_lstm_agrees_with_pytorch() {
    check("sensor-lstm", 1);
}

#[test]
fn text_bilstm_agrees_with_pytorch() {
    check("text-bilstm", 2);
}
