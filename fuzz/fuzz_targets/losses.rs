//! Softmax, losses and objectives: never NaN for finite logits, equal to the `f64` formulas, and
//! untouched outputs when refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::{
    AdversarialRows, AsgtRows, SgtRows, adversarial_objective, asgt_objective, cross_entropy,
    cross_entropy_grad, kl_divergence, kl_divergence_grad, log_softmax, mean_cross_entropy,
    mean_kl_divergence, sgt_objective, softmax,
};
use sgt_fuzz::{Bytes, UNTOUCHED, assert_untouched, oracle};

/// Rounding grows with the logits, whose error the probabilities take over as a relative one, and
/// with the number of classes.
fn assert_close(found: f32, expected: f64, rows: &[&[f32]]) {
    let largest = rows
        .iter()
        .flat_map(|row| row.iter())
        .fold(1.0_f64, |largest, value| {
            largest.max(f64::from(value.abs()))
        });
    let classes = rows[0].len() as f64;
    if largest < 1e6 {
        let unit = f64::from(f32::EPSILON) * largest;
        let slack = unit * 4.0 * (classes.sqrt().max(4.0) + expected.abs());
        assert!(
            (f64::from(found) - expected).abs() <= slack,
            "{found}, {expected}"
        );
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let classes = bytes.below(20);
    let label = bytes.below(classes + 2);
    let rows: [Vec<f32>; 3] = std::array::from_fn(|_| {
        let length = bytes.length(classes);
        bytes.floats(length)
    });
    let [a, b, c] = &rows;
    let (lambda, scale) = (bytes.float(), bytes.float());
    let (la, lb) = (oracle::wide(a), oracle::wide(b));
    let finite = |row: &[f32]| !row.is_empty() && row.iter().all(|value| value.is_finite());

    let mut out = vec![UNTOUCHED; bytes.length(a.len())];
    match softmax(a, &mut out) {
        Err(_) => assert_untouched(&out),
        Ok(()) => {
            assert!(finite(a));
            assert!(out.iter().all(|p| (0.0..=1.0).contains(p)));
            let sum: f64 = oracle::wide(&out).iter().sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
    }
    let mut out = vec![UNTOUCHED; out.len()];
    match log_softmax(a, &mut out) {
        Err(_) => assert_untouched(&out),
        Ok(()) => {
            for (&found, expected) in out.iter().zip(oracle::log_softmax(&la)) {
                assert!(found <= 1e-6 * a.len() as f32);
                assert_close(found, expected, &[a]);
            }
        }
    }
    let loss = cross_entropy(a, label);
    assert_eq!(loss.is_ok(), finite(a) && label < a.len());
    if let Ok(loss) = loss {
        assert!(loss >= 0.0);
        assert_close(loss, oracle::cross_entropy(&la, label), &[a]);
    }
    let mut out = vec![UNTOUCHED; bytes.length(a.len())];
    if cross_entropy_grad(a, label, scale, &mut out).is_err() {
        assert_untouched(&out);
    }

    let divergence = kl_divergence(a, b);
    assert_eq!(
        divergence.is_ok(),
        finite(a) && finite(b) && a.len() == b.len()
    );
    if let Ok(divergence) = divergence {
        assert!(divergence >= 0.0 && divergence.is_finite(), "{divergence}");
        assert_close(divergence, oracle::kl_divergence(&la, &lb), &[a, b]);
        assert_eq!(kl_divergence(a, a), Ok(0.0));
    }
    let mut p_gradient = vec![0.0; bytes.length(a.len())];
    let mut q_gradient = vec![0.0; bytes.length(a.len())];
    match kl_divergence_grad(a, b, 1.0, &mut p_gradient, &mut q_gradient) {
        Err(_) => assert!(
            p_gradient
                .iter()
                .chain(&q_gradient)
                .all(|&value| value == 0.0)
        ),
        Ok(()) => {
            let both = p_gradient.iter().chain(&q_gradient);
            assert!(both.clone().all(|value| value.is_finite()), "{both:?}");
        }
    }

    let columns = bytes.below(8);
    let length = a.len().min(b.len());
    let mean = mean_kl_divergence(&a[..length], &b[..length], columns);
    let whole = columns > 0 && length > 0 && length % columns == 0;
    assert_eq!(
        mean.is_ok(),
        whole && finite(&a[..length]) && finite(&b[..length])
    );
    let labels: Vec<usize> = (0..columns).map(|_| bytes.below(4)).collect();
    let mean = mean_cross_entropy(a, &labels);
    let width = a.len().checked_div(columns).unwrap_or(0);
    let whole = columns > 0 && a.len() % columns == 0 && labels.iter().all(|&y| y < width);
    assert_eq!(mean.is_ok(), whole && finite(a));

    let mut outs: [Vec<f32>; 3] = std::array::from_fn(|_| vec![UNTOUCHED; bytes.length(a.len())]);
    let [first, second, third] = &mut outs;
    let logits = SgtRows {
        clean: &a[..],
        masked: &b[..],
    };
    let mut gradients = SgtRows {
        clean: &mut first[..],
        masked: &mut second[..],
    };
    match sgt_objective(&logits, label, lambda, scale, &mut gradients) {
        Err(_) => {
            assert_untouched(first);
            assert_untouched(second);
        }
        Ok(losses) => {
            assert_eq!(losses.clean, loss.unwrap());
            assert_eq!(losses.divergence, divergence.unwrap());
        }
    }
    first.fill(UNTOUCHED);
    second.fill(UNTOUCHED);
    let logits = AdversarialRows {
        clean: &a[..],
        adversarial: &b[..],
    };
    let mut gradients = AdversarialRows {
        clean: &mut first[..],
        adversarial: &mut second[..],
    };
    if adversarial_objective(&logits, label, scale, &mut gradients).is_err() {
        assert_untouched(first);
        assert_untouched(second);
    }
    first.fill(UNTOUCHED);
    second.fill(UNTOUCHED);
    let logits = AsgtRows {
        clean: &a[..],
        adversarial: &b[..],
        masked: &c[..],
    };
    let mut gradients = AsgtRows {
        clean: &mut first[..],
        adversarial: &mut second[..],
        masked: &mut third[..],
    };
    match asgt_objective(&logits, label, lambda, scale, &mut gradients) {
        Err(_) => outs.iter().for_each(|out| assert_untouched(out)),
        Ok(losses) => {
            assert_eq!(losses.divergence, kl_divergence(c, a).unwrap());
            assert_eq!(losses.adversarial, cross_entropy(b, label).unwrap());
        }
    }
});
