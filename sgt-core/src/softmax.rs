//! Softmax and log-softmax, stable for any finite logits.

use crate::{Error, math};

/// `log Σ exp(z)`, computed as `m + log Σ exp(z − m)` with `m = max z`.
///
/// # Errors
/// [`Error::Empty`] for no logits, [`Error::NonFinite`] for NaN or an infinity.
pub fn log_sum_exp(logits: &[f32]) -> Result<f32, Error> {
    check_logits("logits", logits)?;
    let normalizer = Normalizer::new(logits);
    Ok(normalizer.largest + normalizer.log_sum)
}

/// `log p_i = z_i − log Σ exp(z)`, computed as `(z_i − m) − log Σ exp(z − m)`. Logits in,
/// log-probabilities out; `out` has their length.
///
/// # Errors
/// As [`log_sum_exp`], and [`Error::Length`]; `out` is untouched then.
pub fn log_softmax(logits: &[f32], out: &mut [f32]) -> Result<(), Error> {
    check_logits("logits", logits)?;
    math::check_length("out", logits.len(), out.len())?;
    let normalizer = Normalizer::new(logits);
    for (slot, &logit) in out.iter_mut().zip(logits) {
        *slot = normalizer.log_probability(logit);
    }
    Ok(())
}

/// `p_i = exp(z_i − m) / Σ exp(z − m)`. Logits in, probabilities out; `out` has their length.
///
/// # Errors
/// As [`log_softmax`].
///
/// ```
/// let mut probabilities = [0.0; 3];
/// sgt_core::softmax(&[100.0, 100.0, -100.0], &mut probabilities)?;
/// assert_eq!(probabilities, [0.5, 0.5, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn softmax(logits: &[f32], out: &mut [f32]) -> Result<(), Error> {
    check_logits("logits", logits)?;
    math::check_length("out", logits.len(), out.len())?;
    let largest = largest(logits);
    let mut sum = 0.0;
    for (slot, &logit) in out.iter_mut().zip(logits) {
        *slot = math::exp(logit - largest);
        sum += *slot;
    }
    for slot in out {
        *slot /= sum;
    }
    Ok(())
}

pub(crate) fn check_logits(argument: &'static str, logits: &[f32]) -> Result<(), Error> {
    if logits.is_empty() {
        return Err(Error::Empty { argument });
    }
    math::check_finite(argument, logits)
}

/// `log Σ exp(z)` of checked logits in two parts: their sum would lose the smaller one for logits
/// of a large magnitude.
#[derive(Clone, Copy)]
pub(crate) struct Normalizer {
    /// `m = max z`.
    largest: f32,
    /// `log Σ exp(z − m)`, in `[0, log n]`.
    log_sum: f32,
}

impl Normalizer {
    pub(crate) fn new(logits: &[f32]) -> Self {
        let largest = largest(logits);
        let mut sum = 0.0;
        for &logit in logits {
            sum += math::exp(logit - largest);
        }
        Self {
            largest,
            log_sum: math::ln(sum),
        }
    }

    /// Never positive. Logits that lie further apart than `f32` can tell count as a quarter of
    /// its range apart, so that no sum or difference of log-probabilities overflows.
    #[inline]
    pub(crate) fn log_probability(self, logit: f32) -> f32 {
        const LOWEST: f32 = f32::MIN / 4.0;
        math::max((logit - self.largest) - self.log_sum, LOWEST)
    }
}

fn largest(logits: &[f32]) -> f32 {
    let mut largest = f32::NEG_INFINITY;
    for &logit in logits {
        largest = math::max(largest, logit);
    }
    largest
}
