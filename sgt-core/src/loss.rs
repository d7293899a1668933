//! Cross-entropy and Kullback–Leibler divergence over logits, with their gradients.
//!
//! The functions take one sample's logits; the `mean_` ones a batch `[batch, classes]`. Gradient
//! functions **add** `scale` times the gradient to their outputs: a batch mean passes
//! `scale = 1 / batch`, a weighted sum of losses calls several on the same output.

use crate::softmax::{check_logits, log_normalizer};
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
    Ok(math::max(log_normalizer(logits) - true_logit, 0.0))
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
    let normalizer = log_normalizer(logits);
    for (class, (slot, &logit)) in gradient.iter_mut().zip(logits).enumerate() {
        let target = if class == label { 1.0 } else { 0.0 };
        *slot += scale * (math::exp(logit - normalizer) - target);
    }
    Ok(())
}

/// `KL(p ‖ q) = Σ p_i (log p_i − log q_i)` for `p = softmax(p_logits)`, `q = softmax(q_logits)`,
/// in nats; never negative, finite for any finite logits.
///
/// # Errors
/// [`Error::Empty`], [`Error::NonFinite`] or [`Error::Length`], naming `p_logits` or `q_logits`.
pub fn kl_divergence(p_logits: &[f32], q_logits: &[f32]) -> Result<f32, Error> {
    check_pair(p_logits, q_logits)?;
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
    check_pair(p_logits, q_logits)?;
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
    let classes = row_length("labels", labels.len(), "logits", logits.len())?;
    let mut sum = 0.0;
    for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
        sum += cross_entropy(row, label)?;
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
    let batch = p_logits.len() / classes.max(1);
    row_length("classes", batch, "p_logits", p_logits.len())?;
    let mut sum = 0.0;
    let rows = p_logits.chunks_exact(classes.max(1));
    for (p_row, q_row) in rows.zip(q_logits.chunks_exact(classes.max(1))) {
        sum += kl_divergence(p_row, q_row)?;
    }
    Ok(sum / batch as f32)
}

pub(crate) fn true_logit(logits: &[f32], label: usize) -> Result<f32, Error> {
    logits.get(label).copied().ok_or(Error::Label {
        label,
        classes: logits.len(),
    })
}

pub(crate) fn check_pair(p_logits: &[f32], q_logits: &[f32]) -> Result<(), Error> {
    check_logits("p_logits", p_logits)?;
    math::check_length("q_logits", p_logits.len(), q_logits.len())?;
    check_logits("q_logits", q_logits)
}

fn row_length(
    rows_argument: &'static str,
    rows: usize,
    argument: &'static str,
    length: usize,
) -> Result<usize, Error> {
    if rows == 0 {
        return Err(Error::Empty {
            argument: rows_argument,
        });
    }
    let columns = length / rows.max(1);
    math::check_length(argument, rows * columns, length)?;
    if columns == 0 {
        return Err(Error::Empty { argument });
    }
    Ok(columns)
}

/// Two rows of checked logits with their log-normalizers.
struct LogPair<'l> {
    p_logits: &'l [f32],
    q_logits: &'l [f32],
    p_normalizer: f32,
    q_normalizer: f32,
}

impl<'l> LogPair<'l> {
    fn new(p_logits: &'l [f32], q_logits: &'l [f32]) -> Self {
        Self {
            p_logits,
            q_logits,
            p_normalizer: log_normalizer(p_logits),
            q_normalizer: log_normalizer(q_logits),
        }
    }

    fn log_probabilities(&self) -> impl Iterator<Item = (f32, f32)> + '_ {
        let pairs = self.p_logits.iter().zip(self.q_logits);
        pairs.map(|(&a, &b)| (a - self.p_normalizer, b - self.q_normalizer))
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
