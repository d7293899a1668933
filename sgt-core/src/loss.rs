//! Cross-entropy and Kullback–Leibler divergence over logits, with their gradients.
//!
//! The functions take one sample's logits; the `mean_` ones a batch `[batch, classes]`. Gradient
//! functions **add** `scale` times the gradient to their outputs: a batch mean passes
//! `scale = 1 / batch`, a weighted sum of losses calls several on the same output.

use crate::softmax::{Normalizer, check_logits};
use crate::{Error, math};

/// `CE(z, y) = −log softmax(z)_y`, in nats.
///
/// # Errors
/// [`Error::Empty`] or [`Error::NonFinite`] for the logits, [`Error::Label`].
///
/// ```
/// let loss = sgt_core::cross_entropy(&[0.0, 0.0], 1)?;
/// assert!((loss - core::f32::consts::LN_2).abs() < 1e-6);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn cross_entropy(logits: &[f32], label: usize) -> Result<f32, Error> {
    check_logits("logits", logits)?;
    let true_logit = true_logit(logits, label)?;
    // Subtracted, not negated: a certain prediction costs 0, not -0.
    Ok(0.0 - Normalizer::new(logits).log_probability(true_logit))
}

/// Adds `scale · (softmax(z)_i − 1[i = y])` to `gradient`.
///
/// # Errors
/// As [`cross_entropy`], and [`Error::Length`]; `gradient` is untouched then.
pub fn cross_entropy_grad(
    logits: &[f32],
    label: usize,
    scale: f32,
    gradient: &mut [f32],
) -> Result<(), Error> {
    check_logits("logits", logits)?;
    true_logit(logits, label)?;
    math::check_length("gradient", logits.len(), gradient.len())?;
    let normalizer = Normalizer::new(logits);
    for (class, (slot, &logit)) in gradient.iter_mut().zip(logits).enumerate() {
        let target = if class == label { 1.0 } else { 0.0 };
        *slot += scale * (math::exp(normalizer.log_probability(logit)) - target);
    }
    Ok(())
}

/// `KL(p ‖ q) = Σ p_i (log p_i − log q_i)` for `p = softmax(p_logits)`, `q = softmax(q_logits)`,
/// in nats; never negative, finite for any finite logits.
///
/// # Errors
/// [`Error::Empty`], [`Error::NonFinite`] or [`Error::Length`], naming `p_logits` or `q_logits`.
pub fn kl_divergence(p_logits: &[f32], q_logits: &[f32]) -> Result<f32, Error> {
    check_pair(("p_logits", p_logits), ("q_logits", q_logits))?;
    Ok(math::max(
        LogPair::new(p_logits, q_logits).divergence(),
        0.0,
    ))
}

/// Adds `scale` times the gradients of `KL(p ‖ q)` with respect to both arguments' logits:
/// `∂/∂a_i = p_i (log p_i − log q_i − KL)` to `p_gradient` and `∂/∂b_i = q_i − p_i` to
/// `q_gradient`.
///
/// # Errors
/// As [`kl_divergence`], and [`Error::Length`] for the gradients; both are untouched then.
pub fn kl_divergence_grad(
    p_logits: &[f32],
    q_logits: &[f32],
    scale: f32,
    p_gradient: &mut [f32],
    q_gradient: &mut [f32],
) -> Result<(), Error> {
    check_pair(("p_logits", p_logits), ("q_logits", q_logits))?;
    math::check_length("p_gradient", p_logits.len(), p_gradient.len())?;
    math::check_length("q_gradient", q_logits.len(), q_gradient.len())?;
    let pair = LogPair::new(p_logits, q_logits);
    let divergence = pair.divergence();
    let slots = p_gradient.iter_mut().zip(q_gradient);
    for ((p_slot, q_slot), (log_p, log_q)) in slots.zip(pair.log_probabilities()) {
        let p = math::exp(log_p);
        *p_slot += scale * (p * (log_p - log_q - divergence));
        *q_slot += scale * (math::exp(log_q) - p);
    }
    Ok(())
}

/// The mean of [`cross_entropy`] over a batch: `logits` is `[batch, classes]`, one label a row.
///
/// # Errors
/// As [`cross_entropy`], [`Error::Empty`] for no labels, and [`Error::Length`].
pub fn mean_cross_entropy(logits: &[f32], labels: &[usize]) -> Result<f32, Error> {
    if labels.is_empty() {
        return Err(Error::Empty { argument: "labels" });
    }
    if logits.is_empty() {
        return Err(Error::Empty { argument: "logits" });
    }
    let classes = math::div_ceil(logits.len(), labels.len());
    let expected = labels.len().saturating_mul(classes);
    math::check_length("logits", expected, logits.len())?;
    let mut sum = 0.0;
    for (position, &label) in labels.iter().enumerate() {
        sum += cross_entropy(row(logits, position, classes), label)?;
    }
    Ok(sum / labels.len() as f32)
}

/// The mean of [`kl_divergence`] over a batch of rows of `classes` logits.
///
/// # Errors
/// As [`kl_divergence`], and [`Error::Length`].
pub fn mean_kl_divergence(
    p_logits: &[f32],
    q_logits: &[f32],
    classes: usize,
) -> Result<f32, Error> {
    math::check_length("q_logits", p_logits.len(), q_logits.len())?;
    if classes == 0 {
        return Err(Error::Empty {
            argument: "classes",
        });
    }
    if p_logits.is_empty() {
        return Err(Error::Empty {
            argument: "p_logits",
        });
    }
    let batch = math::div_ceil(p_logits.len(), classes);
    math::check_length("p_logits", batch.saturating_mul(classes), p_logits.len())?;
    let mut sum = 0.0;
    for position in 0..batch {
        let p_row = row(p_logits, position, classes);
        sum += kl_divergence(p_row, row(q_logits, position, classes))?;
    }
    Ok(sum / batch as f32)
}

pub(crate) fn true_logit(logits: &[f32], label: usize) -> Result<f32, Error> {
    logits.get(label).copied().ok_or(Error::Label {
        label,
        classes: logits.len(),
    })
}

/// Two rows of logits, each with its argument's name, of one length.
pub(crate) fn check_pair(
    (first, first_logits): (&'static str, &[f32]),
    (second, second_logits): (&'static str, &[f32]),
) -> Result<(), Error> {
    check_logits(first, first_logits)?;
    math::check_length(second, first_logits.len(), second_logits.len())?;
    check_logits(second, second_logits)
}

/// Row `position` of checked `[batch, classes]` logits. (`chunks_exact` panics for a length of 0;
/// a compiler that optimises for size may not see that this cannot be.)
fn row(logits: &[f32], position: usize, classes: usize) -> &[f32] {
    let start = position * classes;
    logits.get(start..start + classes).unwrap_or(&[])
}

/// Two rows of checked logits with their normalizers.
struct LogPair<'l> {
    p_logits: &'l [f32],
    q_logits: &'l [f32],
    p_normalizer: Normalizer,
    q_normalizer: Normalizer,
}

impl<'l> LogPair<'l> {
    fn new(p_logits: &'l [f32], q_logits: &'l [f32]) -> Self {
        Self {
            p_logits,
            q_logits,
            p_normalizer: Normalizer::new(p_logits),
            q_normalizer: Normalizer::new(q_logits),
        }
    }

    fn log_probabilities(&self) -> impl Iterator<Item = (f32, f32)> + '_ {
        let pairs = self.p_logits.iter().zip(self.q_logits);
        pairs.map(|(&a, &b)| {
            let log_p = self.p_normalizer.log_probability(a);
            (log_p, self.q_normalizer.log_probability(b))
        })
    }

    fn divergence(&self) -> f32 {
        let mut sum = 0.0;
        for (log_p, log_q) in self.log_probabilities() {
            // A probability that underflows to 0 makes the term 0: both logs are finite.
            sum += math::exp(log_p) * (log_p - log_q);
        }
        sum
    }
}
