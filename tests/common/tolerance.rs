//! How far `f32` results may lie from an oracle, a golden value or a finite difference: one table
//! for all tests.
#![allow(dead_code, reason = "each test program uses its own part")]

// The core, against `f64` oracles.
/// Softmax, losses and objectives, relative to `1 + largest |logit|` and the value.
pub(crate) const LOSS: f64 = 1e-6;
/// Analytic gradients of losses against central differences of the `f64` loss, likewise.
pub(crate) const LOSS_GRADIENT: f64 = 2e-6;
/// Group importances, means and other short sums, relative to the largest term.
pub(crate) const SUM: f64 = 1e-5;
/// One attack step and the distance to the ball, relative to the values.
pub(crate) const STEP: f64 = 1e-6;
/// Interpretability metrics, absolute.
pub(crate) const METRIC: f64 = 1e-5;
/// Schedules and adaptive shares, relative to the end values.
pub(crate) const SCHEDULE: f64 = 3e-7;
/// The normal quantile, relative.
pub(crate) const QUANTILE: f64 = 1e-6;
/// Moments of random draws, in standard errors: a fixed seed either passes always or never.
pub(crate) const STANDARD_ERRORS: f64 = 4.0;
/// Golden losses of the core, relative; `PyTorch` sums in another order.
pub(crate) const GOLDEN_LOSS: f64 = 1e-5;

/// Logits of the core's small networks against `f64`, relative to the largest magnitude or 1.
pub(crate) const CORE_NETWORK: f64 = 1e-5;
/// Their gradients against central differences of the `f64` network, relative to the largest
/// magnitude or 1.
pub(crate) const CORE_NETWORK_GRADIENT: f64 = 1e-4;
/// The core's networks against the host's engine, which sums in another order, as a share of the
/// largest magnitude.
pub(crate) const CORE_HOST: f32 = 1e-6;
/// The same for an exported network, into whose weights batch normalisation was folded.
pub(crate) const EXPORTED: f32 = 5e-6;

// Data.

/// Standardised values taken back to those that were recorded.
pub(crate) const RECORDED: f32 = 1e-6;
/// Numbers between 0 and 1 that a page says with three digits, absolute.
pub(crate) const SAID: f32 = 5e-4;

// Networks.

/// Golden values: largest difference, as a share of the tensor's largest magnitude. The expected
/// values were summed in `f32` in another order.
pub(crate) const GOLDEN: f32 = 1e-4;

/// Golden gradients that are 0 in exact arithmetic, absolute: their sums cancel up to rounding.
pub(crate) const GOLDEN_ZERO: f32 = 2e-6;
/// Rounding of the expected divergence itself: it was summed in `f32` from log-probabilities near
/// 1, which cancel when the two distributions are close.
pub(crate) const DIVERGENCE_ROUNDING: f32 = 2e-7;

/// One finite-difference check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference {
    /// The layer, as a test names it.
    pub(crate) layer: &'static str,
    /// Half the distance between the two evaluations.
    pub(crate) step: f32,
    /// Largest difference from the analytic derivative, as a share of its magnitude.
    pub(crate) relative: f32,
}

/// Finite differences in `f32`. A linear or piecewise linear layer takes a large step, which only
/// rounding limits; a curved one a smaller step, which its third derivative limits.
pub(crate) const DIFFERENCES: [Difference; 4] = [
    difference("small network", 0.01, 1e-2),
    difference("rough network", 1e-3, 1e-2),
    difference("network", 0.01, 2e-2),
    difference("deep network", 1e-4, 2e-2),
];

/// Rounding of a small network's logits, which a difference divides by its step.
pub(crate) const LOGIT_ROUNDING: f64 = 2e-6;

// Statistics.

/// Means, deviations, Student's and Wilson's intervals and p-values against scipy, absolute: values
/// by sample are `f32`.
pub(crate) const STATISTIC: f64 = 1e-6;
/// Ends of bootstrap intervals against other draws, as a share of the interval's width. With 2,000
/// draws the 2.5 % percentile of a normal distribution has a standard error of 1.5 % of the width.
pub(crate) const BOOTSTRAP_SHARE: f64 = 0.06;
/// `DeepLIFT`'s contributions against the change of the logits, as a share of the sum of the
/// contributions' magnitudes.
pub(crate) const COMPLETE: f64 = 2e-5;

const fn difference(layer: &'static str, step: f32, relative: f32) -> Difference {
    Difference {
        layer,
        step,
        relative,
    }
}

/// The row of [`DIFFERENCES`] for `layer`.
pub(crate) fn of(layer: &str) -> Difference {
    *DIFFERENCES.iter().find(|row| row.layer == layer).unwrap()
}

/// Scatter of a two-sided p-value that is twice a share of `draws`.
pub(crate) fn bootstrap_p(p_value: f64, draws: usize) -> f64 {
    let share = (p_value / 2.0).max(1.0 / draws as f64);
    2.0 * STANDARD_ERRORS * (share * (1.0 - share) / draws as f64).sqrt()
}

/// Asserts that two tensors agree to `relative` of the largest expected magnitude.
pub(crate) fn assert_close(name: &str, found: &[f32], expected: &[f32], relative: f32) {
    assert_eq!(found.len(), expected.len(), "{name}: length");
    let largest = expected.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= relative * largest,
            "{name}[{index}]: found {found}, expected {expected} within {relative:e} of {largest}"
        );
    }
}
