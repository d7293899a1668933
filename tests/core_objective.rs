//! The training objectives equal their formulas; their gradients match differences.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::{
    AdversarialRows, AsgtRows, Losses, SgtRows, adversarial_objective, asgt_objective,
    sgt_objective,
};

/// Three rows of logits, a label, λ and the scale.
fn case() -> impl Strategy<Value = (Vec<f32>, usize, f32, f32)> {
    (1_usize..12).prop_flat_map(|classes| {
        (
            samples::logits(3 * classes),
            0..classes,
            samples::between(0.0, 3.0),
            samples::between(0.01, 2.0),
        )
    })
}

fn slack(tolerance: f64, logits: &[f32], value: f64) -> f64 {
    let largest = logits
        .iter()
        .fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    tolerance * (1.0 + 3.0 * f64::from(largest) + value.abs())
}

/// Checks the value and the gradients, which start at 1, of an objective over `rows` rows.
fn assert_objective(
    logits: &[f32],
    scale: f32,
    found: &Losses,
    gradients: &[f32],
    formula: impl Fn(&[f64]) -> f64,
) {
    let wide = oracle::wide(logits);
    let expected = formula(&wide);
    let difference = (f64::from(found.total) - expected).abs();
    assert!(
        difference <= slack(tolerance::LOSS, logits, expected),
        "{found:?} {expected}"
    );
    for (&found, difference) in gradients.iter().zip(oracle::gradient(&wide, formula)) {
        let expected = 1.0 + f64::from(scale) * difference;
        let slack = slack(tolerance::LOSS_GRADIENT, logits, expected);
        assert!(
            (f64::from(found) - expected).abs() <= slack,
            "{found} {expected}"
        );
    }
}

fn row(rows: &[f64], index: usize, classes: usize) -> &[f64] {
    &rows[index * classes..][..classes]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn sgt_is_cross_entropy_and_weighted_divergence(
        (logits, label, lambda, scale) in case(),
    ) {
        let classes = logits.len() / 3;
        let logits = &logits[..2 * classes];
        let (clean, masked) = logits.split_at(classes);
        let mut gradients = vec![1.0; 2 * classes];
        let (of_clean, of_masked) = gradients.split_at_mut(classes);
        let mut outputs = SgtRows {
            clean: of_clean,
            masked: of_masked,
        };
        let rows = SgtRows { clean, masked };
        let losses = sgt_objective(&rows, label, lambda, scale, &mut outputs)?;
        let weight = f64::from(lambda);
        assert_objective(logits, scale, &losses, &gradients, |z| {
            let (clean, masked) = (row(z, 0, classes), row(z, 1, classes));
            oracle::cross_entropy(clean, label) + weight * oracle::kl_divergence(clean, masked)
        });
        prop_assert_eq!(losses.clean, sgt_core::cross_entropy(clean, label)?);
        prop_assert_eq!(losses.divergence, sgt_core::kl_divergence(clean, masked)?);
        prop_assert_eq!(losses.adversarial, 0.0);
    }

    #[test]
    fn adversarial_is_the_sum_of_two_cross_entropies((logits, label, _, scale) in case()) {
        let classes = logits.len() / 3;
        let logits = &logits[..2 * classes];
        let (clean, attacked) = logits.split_at(classes);
        let mut gradients = vec![1.0; 2 * classes];
        let (of_clean, of_attacked) = gradients.split_at_mut(classes);
        let rows = AdversarialRows {
            clean,
            adversarial: attacked,
        };
        let mut outputs = AdversarialRows {
            clean: of_clean,
            adversarial: of_attacked,
        };
        let losses = adversarial_objective(&rows, label, scale, &mut outputs)?;
        assert_objective(logits, scale, &losses, &gradients, |z| {
            oracle::cross_entropy(row(z, 0, classes), label)
                + oracle::cross_entropy(row(z, 1, classes), label)
        });
        prop_assert_eq!(losses.divergence, 0.0);
        prop_assert_eq!(losses.adversarial, sgt_core::cross_entropy(attacked, label)?);
    }

    #[test]
    fn asgt_pulls_the_masked_adversarial_prediction_to_the_clean_one(
        (logits, label, lambda, scale) in case(),
    ) {
        let classes = logits.len() / 3;
        let narrow = |index: usize| &logits[index * classes..][..classes];
        let rows = AsgtRows {
            clean: narrow(0),
            adversarial: narrow(1),
            masked: narrow(2),
        };
        let mut gradients = vec![1.0; 3 * classes];
        let (of_clean, rest) = gradients.split_at_mut(classes);
        let (of_adversarial, of_masked) = rest.split_at_mut(classes);
        let mut outputs = AsgtRows {
            clean: of_clean,
            adversarial: of_adversarial,
            masked: of_masked,
        };
        let losses = asgt_objective(&rows, label, lambda, scale, &mut outputs)?;
        let weight = f64::from(lambda);
        assert_objective(&logits, scale, &losses, &gradients, |z| {
            let clean = row(z, 0, classes);
            oracle::cross_entropy(clean, label)
                + oracle::cross_entropy(row(z, 1, classes), label)
                + weight * oracle::kl_divergence(row(z, 2, classes), clean)
        });
        prop_assert_eq!(losses.divergence, sgt_core::kl_divergence(narrow(2), narrow(0))?);
    }
}

#[test]
fn without_lambda_sgt_is_standard_training() -> Result<(), sgt_core::Error> {
    let (mut clean, mut masked) = ([0.0; 3], [0.0; 3]);
    let logits = [1.0, -2.0, 0.5];
    let rows = SgtRows {
        clean: &logits[..],
        masked: &[0.0, 3.0, 0.0],
    };
    let mut gradients = SgtRows {
        clean: &mut clean[..],
        masked: &mut masked,
    };
    let losses = sgt_objective(&rows, 2, 0.0, 1.0, &mut gradients)?;
    assert_eq!(losses.total, losses.clean);
    assert_eq!(masked, [0.0; 3]);
    let mut alone = [0.0; 3];
    sgt_core::cross_entropy_grad(&logits, 2, 1.0, &mut alone)?;
    assert_eq!(clean, alone);
    Ok(())
}
