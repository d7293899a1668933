//! Softmax, cross-entropy and KL divergence against their `f64` formulas.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::{
    cross_entropy, cross_entropy_grad, kl_divergence, kl_divergence_grad, log_softmax, log_sum_exp,
    mean_cross_entropy, mean_kl_divergence, softmax,
};

/// Rounding that logits of this size bring.
fn slack(tolerance: f64, logits: &[f32], value: f64) -> f64 {
    let largest = logits
        .iter()
        .fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
    tolerance * (1.0 + f64::from(largest) + value.abs())
}

fn one() -> impl Strategy<Value = (Vec<f32>, usize)> {
    (1_usize..20).prop_flat_map(|classes| (samples::logits(classes), 0..classes))
}

fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1_usize..20).prop_flat_map(|classes| (samples::logits(classes), samples::logits(classes)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn softmax_and_its_logarithm_equal_their_formulas((logits, _) in one()) {
        let wide = oracle::wide(&logits);
        let expected = oracle::log_softmax(&wide);
        let (mut p, mut log_p) = (vec![f32::NAN; wide.len()], vec![f32::NAN; wide.len()]);
        softmax(&logits, &mut p)?;
        log_softmax(&logits, &mut log_p)?;
        for ((&p, &log_p), expected) in p.iter().zip(&log_p).zip(&expected) {
            prop_assert!((f64::from(p) - expected.exp()).abs() <= slack(tolerance::LOSS, &[], 1.0));
            let slack = slack(tolerance::LOSS, &logits, *expected);
            prop_assert!((f64::from(log_p) - expected).abs() <= slack);
            prop_assert!(log_p <= 0.0);
        }
        let found = f64::from(log_sum_exp(&logits)?);
        let expected = oracle::log_sum_exp(&wide);
        prop_assert!((found - expected).abs() <= slack(tolerance::LOSS, &logits, expected));
    }

    #[test]
    fn cross_entropy_equals_its_formula((logits, label) in one()) {
        let found = cross_entropy(&logits, label)?;
        let expected = oracle::cross_entropy(&oracle::wide(&logits), label);
        prop_assert!((f64::from(found) - expected).abs() <= slack(tolerance::LOSS, &logits, expected));
        prop_assert!(found >= 0.0 && found.is_sign_positive());
    }

    #[test]
    fn cross_entropy_gradient_is_added_and_matches_differences(
        (logits, label) in one(),
        scale in samples::between(-2.0, 2.0),
    ) {
        let mut gradient: Vec<f32> = (0..logits.len()).map(|class| class as f32).collect();
        cross_entropy_grad(&logits, label, scale, &mut gradient)?;
        let expected = oracle::gradient(&oracle::wide(&logits), |z| oracle::cross_entropy(z, label));
        for (class, (&found, expected)) in gradient.iter().zip(expected).enumerate() {
            let expected = class as f64 + f64::from(scale) * expected;
            let slack = slack(tolerance::LOSS_GRADIENT, &[], expected);
            prop_assert!((f64::from(found) - expected).abs() <= slack, "{} {}", found, expected);
        }
    }

    #[test]
    fn divergence_equals_its_formula((a, b) in pair()) {
        let found = kl_divergence(&a, &b)?;
        let expected = oracle::kl_divergence(&oracle::wide(&a), &oracle::wide(&b));
        let both = [&a[..], &b[..]].concat();
        prop_assert!((f64::from(found) - expected).abs() <= slack(tolerance::LOSS, &both, expected));
        prop_assert!(found >= 0.0 && found.is_finite());
        prop_assert_eq!(kl_divergence(&a, &a)?, 0.0);
    }

    #[test]
    fn divergence_vanishes_for_equal_distributions_only(
        (a, b) in pair(),
        shift in samples::between(-50.0, 50.0),
    ) {
        let distance: f64 = oracle::log_softmax(&oracle::wide(&a))
            .iter()
            .zip(oracle::log_softmax(&oracle::wide(&b)))
            .map(|(a, b)| (a.exp() - b.exp()).abs())
            .sum();
        // Pinsker: KL ≥ (Σ|p − q|)² / 2; below f32's rounding nothing can be told.
        prop_assume!(distance > 0.02);
        let divergence = f64::from(kl_divergence(&a, &b)?);
        prop_assert!(divergence >= 0.99 * distance * distance / 2.0);
        // Logits that differ by a constant are the same distribution.
        let shifted: Vec<f32> = a.iter().map(|logit| logit + shift).collect();
        prop_assert!(f64::from(kl_divergence(&a, &shifted)?) <= slack(tolerance::LOSS, &shifted, 50.0));
    }

    #[test]
    fn divergence_gradients_are_added_and_match_differences(
        (a, b) in pair(),
        scale in samples::between(-2.0, 2.0),
    ) {
        let classes = a.len();
        let mut p_gradient = vec![0.5; classes];
        let mut q_gradient = vec![-0.5; classes];
        kl_divergence_grad(&a, &b, scale, &mut p_gradient, &mut q_gradient)?;
        let joined = oracle::wide(&[&a[..], &b[..]].concat());
        let differences = oracle::gradient(&joined, |z| {
            oracle::kl_divergence(&z[..classes], &z[classes..])
        });
        let starts = [vec![0.5; classes], vec![-0.5; classes]].concat();
        let found = p_gradient.iter().chain(&q_gradient);
        let both = [&a[..], &b[..]].concat();
        for ((&found, difference), start) in found.zip(differences).zip(starts) {
            let expected = start + f64::from(scale) * difference;
            let slack = slack(tolerance::LOSS_GRADIENT, &both, expected);
            prop_assert!((f64::from(found) - expected).abs() <= slack, "{} {}", found, expected);
        }
    }

    #[test]
    fn batch_means_are_means_of_rows(
        rows in (1_usize..6, 1_usize..6).prop_flat_map(|(batch, classes)| {
            let row = || (samples::logits(classes), samples::logits(classes), 0..classes);
            prop::collection::vec(row(), batch)
        }),
    ) {
        let p: Vec<f32> = rows.iter().flat_map(|row| row.0.clone()).collect();
        let q: Vec<f32> = rows.iter().flat_map(|row| row.1.clone()).collect();
        let labels: Vec<usize> = rows.iter().map(|row| row.2).collect();
        let batch = rows.len() as f64;
        let wide = |row: &[f32]| oracle::wide(row);
        let expected = rows.iter().map(|row| oracle::cross_entropy(&wide(&row.0), row.2));
        let expected = expected.sum::<f64>() / batch;
        let found = f64::from(mean_cross_entropy(&p, &labels)?);
        prop_assert!((found - expected).abs() <= slack(tolerance::LOSS, &p, expected));
        let expected = rows.iter().map(|row| oracle::kl_divergence(&wide(&row.0), &wide(&row.1)));
        let expected = expected.sum::<f64>() / batch;
        let found = f64::from(mean_kl_divergence(&p, &q, rows[0].0.len())?);
        let both = [&p[..], &q[..]].concat();
        prop_assert!((found - expected).abs() <= slack(tolerance::LOSS, &both, expected));
    }

    #[test]
    fn extreme_logits_stay_finite(
        (a, b) in (1_usize..12).prop_flat_map(|classes| {
            let row = || prop::collection::vec(samples::awkward(), classes);
            (row(), row())
        }),
    ) {
        let classes = a.len();
        let divergence = kl_divergence(&a, &b)?;
        prop_assert!(divergence.is_finite() && divergence >= 0.0);
        let (mut p, mut q) = (vec![0.0; classes], vec![0.0; classes]);
        kl_divergence_grad(&a, &b, 1.0, &mut p, &mut q)?;
        prop_assert!(p.iter().chain(&q).all(|value| value.is_finite()));
        prop_assert!(cross_entropy(&a, classes - 1)?.is_finite());
        log_softmax(&a, &mut p)?;
        prop_assert!(p.iter().all(|&value| value.is_finite() && value <= 0.0));
        softmax(&a, &mut p)?;
        prop_assert!((oracle::wide(&p).iter().sum::<f64>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn one_hot_and_extreme_logits_have_finite_divergences() -> Result<(), sgt_core::Error> {
    let rows = [
        [100.0, -100.0, -100.0],
        [-100.0, 100.0, -100.0],
        [100.0, 100.0, -100.0],
        [0.0, 0.0, 0.0],
        [f32::MAX, f32::MIN, 0.0],
        [0.0, f32::MIN, f32::MAX],
    ];
    for p in &rows {
        for q in &rows {
            let divergence = kl_divergence(p, q)?;
            assert!(divergence.is_finite());
            // Some of these rows differ by no probability that f32 can tell from 0.
            let (mut of_p, mut of_q) = ([0.0; 3], [0.0; 3]);
            softmax(p, &mut of_p)?;
            softmax(q, &mut of_q)?;
            assert_eq!(divergence == 0.0, of_p == of_q, "{p:?} {q:?}");
        }
    }
    assert_eq!(kl_divergence(&rows[0], &rows[1])?, 200.0);
    Ok(())
}

#[test]
fn large_equal_logits_share_the_probability() -> Result<(), sgt_core::Error> {
    // The logarithm of the sum is far below the logits' last digit.
    let mut log_p = [0.0; 2];
    log_softmax(&[1e9, 1e9], &mut log_p)?;
    assert_eq!(log_p, [-core::f32::consts::LN_2; 2]);
    assert_eq!(cross_entropy(&[1e9, 1e9], 0)?, core::f32::consts::LN_2);
    let mut gradient = [0.0; 2];
    cross_entropy_grad(&[1e9, 1e9], 0, 1.0, &mut gradient)?;
    assert_eq!(gradient, [-0.5, 0.5]);
    Ok(())
}

#[test]
fn batch_means_refuse_a_broken_row() {
    use sgt_core::Error;
    // Eight logits are no whole number of rows of three, and do divide into two rows of four.
    let logits = [0.0; 8];
    let expected = Error::Length {
        argument: "p_logits",
        expected: 9,
        found: 8,
    };
    assert_eq!(mean_kl_divergence(&logits, &logits, 3), Err(expected));
    let expected = Error::Length {
        argument: "logits",
        expected: 9,
        found: 8,
    };
    assert_eq!(mean_cross_entropy(&logits, &[0, 0, 0]), Err(expected));
}
