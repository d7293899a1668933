//! Checks any model against a golden file: logits, input gradients, losses and the parameter
//! gradients of the SGT objective.

use crate::golden::Tensors;
use crate::tolerance::{DIVERGENCE_ROUNDING, GOLDEN, assert_close};
use sgt_core::{SgtRows, mean_cross_entropy, mean_kl_divergence, sgt_objective};
use sgt_host::network::{Labelled, Mode, Model, Score, input_gradient};

/// Sets the values of `model` to the golden weights, which must be all of its tensors.
pub(crate) fn load_golden<M: Model>(model: &mut M, weights: &Tensors) {
    let entries = model.parameters().entries().to_vec();
    assert_eq!(entries.len(), weights.len(), "number of tensors");
    for entry in entries {
        let (shape, values) = &weights[&entry.name];
        assert_eq!(&entry.shape, shape, "{}", entry.name);
        model.parameters_mut().values_mut()[entry.range].copy_from_slice(values);
    }
}

/// Compares everything that the golden file holds of `model`.
pub(crate) fn check_golden<M: Model>(model: &M, cases: &Tensors) {
    let case = |name: &str| cases[name].1.as_slice();
    let close = |name: &str, found: &[f32]| assert_close(name, found, case(name), GOLDEN);
    let (x, masked) = (case("x"), case("masked_zero_k50"));
    let labels: Vec<usize> = case("y").iter().map(|&label| label as usize).collect();
    let mut pass = M::Pass::default();
    let mut dx = vec![f32::NAN; x.len()];
    let batch = Labelled::new(x, &labels);
    input_gradient(model, batch, Score::TrueLogit, &mut pass, &mut dx).unwrap();
    close("gradient_true_logit", &dx);
    input_gradient(model, batch, Score::Loss, &mut pass, &mut dx).unwrap();
    close("gradient_loss_sum", &dx);

    let classes = model.classes();
    let clean = model.forward(x, Mode::Evaluation, &mut pass).unwrap();
    let clean = clean.to_vec();
    close("logits", &clean);
    close(
        "cross_entropy",
        &[mean_cross_entropy(&clean, &labels).unwrap()],
    );
    let mut masked_pass = M::Pass::default();
    let other = model.forward(masked, Mode::Evaluation, &mut masked_pass);
    let other = other.unwrap().to_vec();
    for (key, p, q) in [
        ("kl_clean_masked", &clean, &other),
        ("kl_masked_clean", &other, &clean),
    ] {
        let found = mean_kl_divergence(p, q, classes).unwrap();
        let expected = case(key)[0];
        let allowed = GOLDEN * expected.abs() + DIVERGENCE_ROUNDING;
        let close = (found - expected).abs() <= allowed;
        assert!(close, "{key}: {found}, {expected}");
    }

    let (mut dclean, mut dother) = (vec![0.0; clean.len()], vec![0.0; clean.len()]);
    for (sample, &label) in labels.iter().enumerate() {
        let row = sample * classes..(sample + 1) * classes;
        let logits = SgtRows {
            clean: &clean[row.clone()],
            masked: &other[row.clone()],
        };
        let mut gradients = SgtRows {
            clean: &mut dclean[row.clone()],
            masked: &mut dother[row],
        };
        let scale = 1.0 / labels.len() as f32;
        sgt_objective(&logits, label, 1.0, scale, &mut gradients).unwrap();
    }
    let mut gradient = vec![0.0; model.parameters().values().len()];
    for (pass, cotangent) in [(&mut pass, dclean), (&mut masked_pass, dother)] {
        let gradient = Some(gradient.as_mut_slice());
        model.backward(pass, &cotangent, None, gradient).unwrap();
    }
    let mut compared = 0;
    for entry in model.parameters().entries() {
        if let Some((_, expected)) = cases.get(&format!("sgt_grad.{}", entry.name)) {
            let found = &gradient[entry.range.clone()];
            assert_close(&entry.name, found, expected, GOLDEN);
            compared += 1;
        }
    }
    // The largest tensor of mnist-cnn has no golden gradient.
    assert!(compared + 1 >= model.parameters().entries().len());
}
