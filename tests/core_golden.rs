//! The core against `PyTorch`'s numbers: masks, losses and divergences of three trained networks,
//! and the objective's gradient by way of the last layer's bias.

#[path = "common/network.rs"]
mod network;
#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/tolerance.rs"]
mod tolerance;

use network::Tensors;
use sgt_core::{
    Bounds, Error, Group, Importance, Layout, Masking, Order, Pcg32, Policy, SgtRows, Threat, fgsm,
    mask_sample, mask_sample_len, mask_sample_small, mask_sample_small_len, mean_cross_entropy,
    mean_kl_divergence, sgt_objective, softmax,
};

/// One sample's logits.
type Network = Box<dyn Fn(&[f64]) -> Vec<f64>>;

/// A golden set: its cases, and what of its network the core needs.
struct Golden {
    cases: Tensors,
    layout: Layout,
    bounds: Bounds,
    /// The bias of the layer that makes the logits.
    bias: &'static str,
    logits: Network,
}

fn golden_sets() -> Result<Vec<Golden>, Error> {
    let cells =
        |positions, channels| Layout::series(positions, channels, Order::ChannelsLast, Group::Cell);
    let weights = |name| Tensors::golden(name, "weights");
    let (cnn, sensor, text) = (
        weights("small-cnn"),
        weights("sensor-lstm"),
        weights("text-bilstm"),
    );
    Ok(vec![
        Golden {
            cases: Tensors::golden("small-cnn", "cases"),
            layout: Layout::image(1, 16, 16)?,
            bounds: Bounds::UNIT,
            bias: "sgt_grad.fc2.bias",
            logits: Box::new(move |x| network::cnn(&cnn, x, 16)),
        },
        Golden {
            cases: Tensors::golden("sensor-lstm", "cases"),
            layout: cells(100, 6)?,
            bounds: Bounds::NONE,
            bias: "sgt_grad.fc.bias",
            logits: Box::new(move |x| network::sensor(&sensor, x, 6)),
        },
        Golden {
            cases: Tensors::golden("text-bilstm", "cases"),
            layout: cells(12, 20)?,
            bounds: Bounds::NONE,
            bias: "sgt_grad.fc.bias",
            logits: Box::new(move |x| network::text(&text, x, 20)),
        },
    ])
}

impl Golden {
    fn masking(&self) -> Masking {
        Masking {
            importance: Importance::Absolute,
            policy: Policy::Zero,
            ..Masking::reference(self.layout)
        }
    }

    /// `masked_zero_k50` once more, by the fast call or the small one.
    fn masked(&self, small: bool) -> Result<Vec<f32>, Error> {
        let masking = self.masking();
        let length = self.layout.sample_len();
        let (x, gradient) = (
            self.cases.floats("x"),
            self.cases.floats("gradient_true_logit"),
        );
        let mut masked = vec![f32::NAN; x.len()];
        let mut rng = Pcg32::new(0, 0);
        let mut scratch = vec![0; mask_sample_len(&masking)];
        let mut indices = vec![0_u16; mask_sample_small_len(&masking)];
        let rows = x.chunks_exact(length).zip(gradient.chunks_exact(length));
        for ((x, gradient), out) in rows.zip(masked.chunks_exact_mut(length)) {
            if small {
                mask_sample_small(&masking, gradient, x, None, &mut rng, &mut indices, out)?;
            } else {
                mask_sample(&masking, gradient, x, None, &mut rng, &mut scratch, out)?;
            }
        }
        Ok(masked)
    }

    /// The naive network's logits of a batch.
    fn logits(&self, batch: &[f32]) -> Vec<f32> {
        let samples = batch.chunks_exact(self.layout.sample_len());
        let logits = samples.flat_map(|x| (self.logits)(&oracle::wide(x)));
        logits.map(|logit| logit as f32).collect()
    }
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        let slack = tolerance::GOLDEN_LOSS * (1.0 + f64::from(expected).abs());
        let difference = (f64::from(found) - f64::from(expected)).abs();
        assert!(difference <= slack, "{found}, expected {expected}");
    }
}

#[test]
fn masks_have_pytorchs_bits() -> Result<(), Error> {
    for golden in golden_sets()? {
        let expected = oracle::bits(&golden.cases.floats("masked_zero_k50"));
        assert_eq!(oracle::bits(&golden.masked(false)?), expected);
        assert_eq!(oracle::bits(&golden.masked(true)?), expected);
    }
    Ok(())
}

#[test]
fn cross_entropies_are_pytorchs() -> Result<(), Error> {
    for golden in golden_sets()? {
        let (logits, labels) = (golden.cases.floats("logits"), golden.cases.labels("y"));
        let found = mean_cross_entropy(&logits, &labels)?;
        assert_close(&[found], &golden.cases.floats("cross_entropy"));
    }
    Ok(())
}

#[test]
fn softmaxes_are_the_exact_ones() -> Result<(), Error> {
    for golden in golden_sets()? {
        let logits = golden.cases.floats("logits");
        let classes = golden.cases.shape("logits")[1];
        for row in logits.chunks_exact(classes) {
            let mut found = vec![0.0; classes];
            softmax(row, &mut found)?;
            let expected = oracle::log_softmax(&oracle::wide(row));
            let expected: Vec<f32> = expected.iter().map(|log_p| log_p.exp() as f32).collect();
            assert_close(&found, &expected);
        }
    }
    Ok(())
}

#[test]
fn naive_networks_give_pytorchs_logits() -> Result<(), Error> {
    for golden in golden_sets()? {
        let found = golden.logits(&golden.cases.floats("x"));
        assert_close(&found, &golden.cases.floats("logits"));
    }
    Ok(())
}

#[test]
fn divergences_are_pytorchs() -> Result<(), Error> {
    for golden in golden_sets()? {
        let classes = golden.cases.shape("logits")[1];
        let clean = golden.cases.floats("logits");
        let masked = golden.logits(&golden.masked(false)?);
        let forward = mean_kl_divergence(&clean, &masked, classes)?;
        assert_close(&[forward], &golden.cases.floats("kl_clean_masked"));
        let backward = mean_kl_divergence(&masked, &clean, classes)?;
        assert_close(&[backward], &golden.cases.floats("kl_masked_clean"));
    }
    Ok(())
}

#[test]
fn objective_gradients_reach_the_last_bias_as_in_pytorch() -> Result<(), Error> {
    for golden in golden_sets()? {
        let classes = golden.cases.shape("logits")[1];
        let labels = golden.cases.labels("y");
        let clean = golden.cases.floats("logits");
        let masked = golden.logits(&golden.masked(false)?);
        let scale = 1.0 / labels.len() as f32;
        // Both branches share the bias, so its gradient is the sum over both and the batch.
        let (mut of_clean, mut of_masked) = (vec![0.0; classes], vec![0.0; classes]);
        let rows = clean
            .chunks_exact(classes)
            .zip(masked.chunks_exact(classes));
        for ((clean, masked), &label) in rows.zip(&labels) {
            let mut gradients = SgtRows {
                clean: &mut of_clean[..],
                masked: &mut of_masked,
            };
            let rows = SgtRows { clean, masked };
            sgt_objective(&rows, label, 1.0, scale, &mut gradients)?;
        }
        let bias: Vec<f32> = of_clean
            .iter()
            .zip(&of_masked)
            .map(|(p, q)| p + q)
            .collect();
        assert_close(&bias, &golden.cases.floats(golden.bias));
    }
    Ok(())
}

#[test]
fn fgsm_is_pytorchs() -> Result<(), Error> {
    for golden in golden_sets()? {
        let (x, gradient) = (
            golden.cases.floats("x"),
            golden.cases.floats("gradient_loss_sum"),
        );
        let mut found = vec![f32::NAN; x.len()];
        fgsm(&Threat::linf(0.1, golden.bounds), &x, &gradient, &mut found)?;
        assert_close(&found, &golden.cases.floats("fgsm"));
    }
    Ok(())
}
