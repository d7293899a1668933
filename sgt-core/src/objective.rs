//! The training objectives of one sample and their gradients with respect to every logit.
//!
//! | objective | formula |
//! |---|---|
//! | SGT | `CE(f(x), y) + λ·KL(f(x) ‖ f(x̃))` |
//! | SGA | `CE(f(x), y) + λ·KL(f(x) ‖ f(x̃'))`: the same function of its logits |
//! | adversarial | `CE(f(x), y) + CE(f(x'), y)` |
//! | ASGT | `CE(f(x), y) + CE(f(x'), y) + λ·KL(f(x̃') ‖ f(x))` |
//!
//! Gradients flow through every branch: nothing is detached. Like the losses' they are **added**
//! with a factor `scale`; pass `1 / batch` for batch means.

use crate::loss::{
    check_pair, cross_entropy, cross_entropy_grad, kl_divergence, kl_divergence_grad, true_logit,
};
use crate::{Error, math};

// Rows in errors.
const CLEAN: &str = "logits.clean";
const ADVERSARIAL: &str = "logits.adversarial";
const MASKED: &str = "logits.masked";
const CLEAN_GRADIENT: &str = "gradients.clean";
const ADVERSARIAL_GRADIENT: &str = "gradients.adversarial";
const MASKED_GRADIENT: &str = "gradients.masked";

/// One sample's loss and its terms, unscaled. A term that an objective lacks is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Losses {
    /// The objective's value.
    pub total: f32,
    /// `CE(f(x), y)`.
    pub clean: f32,
    /// `CE(f(x'), y)`.
    pub adversarial: f32,
    /// The divergence, before λ.
    pub divergence: f32,
}

/// The two rows of logits of [`sgt_objective`], or their gradients.
#[derive(Clone, Copy, Debug)]
pub struct SgtRows<T> {
    /// Of the clean sample `x`.
    pub clean: T,
    /// Of the masked sample `x̃`, in SGA the attacked masked one `x̃'`.
    pub masked: T,
}

/// The two rows of logits of [`adversarial_objective`], or their gradients.
#[derive(Clone, Copy, Debug)]
pub struct AdversarialRows<T> {
    /// Of the clean sample `x`.
    pub clean: T,
    /// Of the adversarial sample `x'`.
    pub adversarial: T,
}

/// The three rows of logits of [`asgt_objective`], or their gradients.
#[derive(Clone, Copy, Debug)]
pub struct AsgtRows<T> {
    /// Of the clean sample `x`.
    pub clean: T,
    /// Of the adversarial sample `x'`.
    pub adversarial: T,
    /// Of the masked adversarial sample `x̃'`.
    pub masked: T,
}

/// SGT and SGA: clean cross-entropy, and the divergence of the clean prediction from the masked
/// one.
///
/// All rows have one length: the number of classes. λ and scale may be any finite numbers.
///
/// # Errors
/// [`Error::Empty`], [`Error::NonFinite`] and [`Error::Length`] naming a row (`logits.clean`,
/// `gradients.masked`, …), [`Error::Label`], and [`Error::Range`] for a λ or scale that is not
/// finite; the gradients are untouched then.
///
/// Sources: Ismail et al. 2021, algorithm 1; Li et al., "Saliency Guided Adversarial Training for
/// Learning Generalizable Features", 2022.
///
/// ```
/// use sgt_core::{SgtRows, sgt_objective};
/// let (mut clean, mut masked) = ([0.0; 2], [0.0; 2]);
/// let logits = SgtRows { clean: &[2.0, 0.0][..], masked: &[2.0, 0.0] };
/// let mut gradients = SgtRows { clean: &mut clean[..], masked: &mut masked };
/// let losses = sgt_objective(&logits, 0, 1.0, 1.0, &mut gradients)?;
/// assert_eq!(losses.divergence, 0.0);
/// assert_eq!(masked, [0.0, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn sgt_objective(
    logits: &SgtRows<&[f32]>,
    label: usize,
    lambda: f32,
    scale: f32,
    gradients: &mut SgtRows<&mut [f32]>,
) -> Result<Losses, Error> {
    check_weights(lambda, scale)?;
    let classes = logits.clean.len();
    check_pair((CLEAN, logits.clean), (MASKED, logits.masked))?;
    true_logit(logits.clean, label)?;
    math::check_length(CLEAN_GRADIENT, classes, gradients.clean.len())?;
    math::check_length(MASKED_GRADIENT, classes, gradients.masked.len())?;
    let clean = cross_entropy(logits.clean, label)?;
    let divergence = kl_divergence(logits.clean, logits.masked)?;
    cross_entropy_grad(logits.clean, label, scale, gradients.clean)?;
    kl_divergence_grad(
        logits.clean,
        logits.masked,
        scale * lambda,
        gradients.clean,
        gradients.masked,
    )?;
    Ok(Losses {
        total: clean + lambda * divergence,
        clean,
        adversarial: 0.0,
        divergence,
    })
}

/// Adversarial training: clean and adversarial cross-entropy.
///
/// # Errors
/// As [`sgt_objective`].
///
/// Source: Goodfellow et al. 2015 and Madry et al. 2018, in the two-term form of Guesmi et al.
pub fn adversarial_objective(
    logits: &AdversarialRows<&[f32]>,
    label: usize,
    scale: f32,
    gradients: &mut AdversarialRows<&mut [f32]>,
) -> Result<Losses, Error> {
    check_weights(0.0, scale)?;
    let classes = logits.clean.len();
    check_pair((CLEAN, logits.clean), (ADVERSARIAL, logits.adversarial))?;
    true_logit(logits.clean, label)?;
    math::check_length(CLEAN_GRADIENT, classes, gradients.clean.len())?;
    math::check_length(ADVERSARIAL_GRADIENT, classes, gradients.adversarial.len())?;
    let clean = cross_entropy(logits.clean, label)?;
    let adversarial = cross_entropy(logits.adversarial, label)?;
    cross_entropy_grad(logits.clean, label, scale, gradients.clean)?;
    cross_entropy_grad(logits.adversarial, label, scale, gradients.adversarial)?;
    Ok(Losses {
        total: clean + adversarial,
        clean,
        adversarial,
        divergence: 0.0,
    })
}

/// ASGT: clean and adversarial cross-entropy, and the divergence of the masked adversarial
/// prediction from the clean one.
///
/// # Errors
/// As [`sgt_objective`].
///
/// Source: Guesmi, Aswani, Shafique, "Exploring the Interplay of Interpretability and Robustness
/// in Deep Neural Networks: A Saliency-guided Approach", 2024, algorithm 2.
pub fn asgt_objective(
    logits: &AsgtRows<&[f32]>,
    label: usize,
    lambda: f32,
    scale: f32,
    gradients: &mut AsgtRows<&mut [f32]>,
) -> Result<Losses, Error> {
    check_weights(lambda, scale)?;
    let classes = logits.clean.len();
    check_pair((CLEAN, logits.clean), (ADVERSARIAL, logits.adversarial))?;
    check_pair((CLEAN, logits.clean), (MASKED, logits.masked))?;
    true_logit(logits.clean, label)?;
    math::check_length(CLEAN_GRADIENT, classes, gradients.clean.len())?;
    math::check_length(ADVERSARIAL_GRADIENT, classes, gradients.adversarial.len())?;
    math::check_length(MASKED_GRADIENT, classes, gradients.masked.len())?;
    let clean = cross_entropy(logits.clean, label)?;
    let adversarial = cross_entropy(logits.adversarial, label)?;
    let divergence = kl_divergence(logits.masked, logits.clean)?;
    cross_entropy_grad(logits.clean, label, scale, gradients.clean)?;
    cross_entropy_grad(logits.adversarial, label, scale, gradients.adversarial)?;
    kl_divergence_grad(
        logits.masked,
        logits.clean,
        scale * lambda,
        gradients.masked,
        gradients.clean,
    )?;
    Ok(Losses {
        total: clean + adversarial + lambda * divergence,
        clean,
        adversarial,
        divergence,
    })
}

fn check_weights(lambda: f32, scale: f32) -> Result<(), Error> {
    for (argument, weight) in [("lambda", lambda), ("scale", scale)] {
        if !math::is_finite(weight) {
            return Err(Error::Range { argument });
        }
    }
    Ok(())
}
