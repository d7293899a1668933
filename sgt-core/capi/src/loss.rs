//! Softmax, losses and objectives with their gradients.

use crate::memory::{structure_mut, values, values_mut};
use crate::status::{SgtStatus, status};
use sgt_core::{AdversarialRows, AsgtRows, Losses, SgtRows};

/// One sample's loss and its terms, unscaled; a term that an objective lacks is 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtLosses {
    /// The objective's value.
    pub total: f32,
    /// The cross-entropy of the clean sample.
    pub clean: f32,
    /// That of the adversarial one.
    pub adversarial: f32,
    /// The divergence, before lambda.
    pub divergence: f32,
}

impl From<Losses> for SgtLosses {
    fn from(losses: Losses) -> Self {
        Self {
            total: losses.total,
            clean: losses.clean,
            adversarial: losses.adversarial,
            divergence: losses.divergence,
        }
    }
}

/// The probabilities of `classes` logits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_softmax(
    logits: *const f32,
    classes: usize,
    out: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (logits, out) = unsafe { (values(logits, classes)?, values_mut(out, classes)?) };
        Ok(sgt_core::softmax(logits, out)?)
    })
}

/// Their logarithms.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_log_softmax(
    logits: *const f32,
    classes: usize,
    out: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (logits, out) = unsafe { (values(logits, classes)?, values_mut(out, classes)?) };
        Ok(sgt_core::log_softmax(logits, out)?)
    })
}

/// Writes the cross-entropy to `loss`, and adds `scale` times its gradient to the `classes` values
/// of `gradient`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_cross_entropy(
    logits: *const f32,
    classes: usize,
    label: usize,
    scale: f32,
    loss: *mut f32,
    gradient: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (logits, loss, gradient) = unsafe {
            (
                values(logits, classes)?,
                structure_mut(loss)?,
                values_mut(gradient, classes)?,
            )
        };
        let value = sgt_core::cross_entropy(logits, label)?;
        sgt_core::cross_entropy_grad(logits, label, scale, gradient)?;
        *loss = value;
        Ok(())
    })
}

/// Writes KL(p || q) of two rows of logits to `divergence`, and adds `scale` times its gradients to
/// `p_gradient` and `q_gradient`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_kl_divergence(
    p_logits: *const f32,
    q_logits: *const f32,
    classes: usize,
    scale: f32,
    divergence: *mut f32,
    p_gradient: *mut f32,
    q_gradient: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (p, q, divergence, dp, dq) = unsafe {
            (
                values(p_logits, classes)?,
                values(q_logits, classes)?,
                structure_mut(divergence)?,
                values_mut(p_gradient, classes)?,
                values_mut(q_gradient, classes)?,
            )
        };
        let value = sgt_core::kl_divergence(p, q)?;
        sgt_core::kl_divergence_grad(p, q, scale, dp, dq)?;
        *divergence = value;
        Ok(())
    })
}

/// Saliency-guided training: CE(f(x), y) + lambda KL(f(x) || f(masked x)). Writes `losses`, adds
/// `scale` times the gradients of both rows of logits to theirs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_objective(
    clean: *const f32,
    masked: *const f32,
    classes: usize,
    label: usize,
    lambda: f32,
    scale: f32,
    losses: *mut SgtLosses,
    clean_gradient: *mut f32,
    masked_gradient: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (logits, losses, mut gradients) = unsafe {
            (
                SgtRows {
                    clean: values(clean, classes)?,
                    masked: values(masked, classes)?,
                },
                structure_mut(losses)?,
                SgtRows {
                    clean: values_mut(clean_gradient, classes)?,
                    masked: values_mut(masked_gradient, classes)?,
                },
            )
        };
        *losses = sgt_core::sgt_objective(&logits, label, lambda, scale, &mut gradients)?.into();
        Ok(())
    })
}

/// Adversarial training: CE(f(x), y) + CE(f(x'), y).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_adversarial_objective(
    clean: *const f32,
    adversarial: *const f32,
    classes: usize,
    label: usize,
    scale: f32,
    losses: *mut SgtLosses,
    clean_gradient: *mut f32,
    adversarial_gradient: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (logits, losses, mut gradients) = unsafe {
            (
                AdversarialRows {
                    clean: values(clean, classes)?,
                    adversarial: values(adversarial, classes)?,
                },
                structure_mut(losses)?,
                AdversarialRows {
                    clean: values_mut(clean_gradient, classes)?,
                    adversarial: values_mut(adversarial_gradient, classes)?,
                },
            )
        };
        *losses = sgt_core::adversarial_objective(&logits, label, scale, &mut gradients)?.into();
        Ok(())
    })
}

/// Adversarial saliency-guided training:
/// CE(f(x), y) + CE(f(x'), y) + lambda KL(f(masked x') || f(x)).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_asgt_objective(
    clean: *const f32,
    adversarial: *const f32,
    masked: *const f32,
    classes: usize,
    label: usize,
    lambda: f32,
    scale: f32,
    losses: *mut SgtLosses,
    clean_gradient: *mut f32,
    adversarial_gradient: *mut f32,
    masked_gradient: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (logits, losses, mut gradients) = unsafe {
            (
                AsgtRows {
                    clean: values(clean, classes)?,
                    adversarial: values(adversarial, classes)?,
                    masked: values(masked, classes)?,
                },
                structure_mut(losses)?,
                AsgtRows {
                    clean: values_mut(clean_gradient, classes)?,
                    adversarial: values_mut(adversarial_gradient, classes)?,
                    masked: values_mut(masked_gradient, classes)?,
                },
            )
        };
        *losses = sgt_core::asgt_objective(&logits, label, lambda, scale, &mut gradients)?.into();
        Ok(())
    })
}
