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

/// SGT, and SGA with the attacked masked sample's logits for `masked_logits`.
///
/// # Errors
/// [`Error::Empty`], [`Error::NonFinite`], [`Error::Length`], [`Error::Label`], and
/// [`Error::Range`] for a λ or scale that is not finite; the gradients are untouched then.
///
/// Sources: Ismail et al. 2021, algorithm 1; Li et al., "Saliency Guided Adversarial Training for
/// Learning Generalizable Features", 2022.
///
/// ```
/// use sgt_core::sgt_objective;
/// let (mut clean, mut masked) = ([0.0; 2], [0.0; 2]);
/// let losses = sgt_objective(&[2.0, 0.0], &[2.0, 0.0], 0, 1.0, 1.0, &mut clean, &mut masked)?;
/// assert_eq!(losses.divergence, 0.0);
/// assert_eq!(masked, [0.0, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn sgt_objective(
    clean_logits: &[f32],
    masked_logits: &[f32],
    label: usize,
    lambda: f32,
    scale: f32,
    clean_gradient: &mut [f32],
    masked_gradient: &mut [f32],
) -> Result<Losses, Error> {
    check_weights(lambda, scale)?;
    check_pair(
        ("clean_logits", clean_logits),
        ("masked_logits", masked_logits),
    )?;
    true_logit(clean_logits, label)?;
    math::check_length("clean_gradient", clean_logits.len(), clean_gradient.len())?;
    math::check_length("masked_gradient", clean_logits.len(), masked_gradient.len())?;
    let clean = cross_entropy(clean_logits, label)?;
    let divergence = kl_divergence(clean_logits, masked_logits)?;
    cross_entropy_grad(clean_logits, label, scale, clean_gradient)?;
    kl_divergence_grad(
        clean_logits,
        masked_logits,
        scale * lambda,
        clean_gradient,
        masked_gradient,
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
    clean_logits: &[f32],
    adversarial_logits: &[f32],
    label: usize,
    scale: f32,
    clean_gradient: &mut [f32],
    adversarial_gradient: &mut [f32],
) -> Result<Losses, Error> {
    check_weights(0.0, scale)?;
    check_pair(
        ("clean_logits", clean_logits),
        ("adversarial_logits", adversarial_logits),
    )?;
    true_logit(clean_logits, label)?;
    let classes = clean_logits.len();
    math::check_length("clean_gradient", classes, clean_gradient.len())?;
    math::check_length("adversarial_gradient", classes, adversarial_gradient.len())?;
    let clean = cross_entropy(clean_logits, label)?;
    let adversarial = cross_entropy(adversarial_logits, label)?;
    cross_entropy_grad(clean_logits, label, scale, clean_gradient)?;
    cross_entropy_grad(adversarial_logits, label, scale, adversarial_gradient)?;
    Ok(Losses {
        total: clean + adversarial,
        clean,
        adversarial,
        divergence: 0.0,
    })
}

/// The three rows of logits of [`asgt_objective`], or their gradients.
#[derive(Debug)]
pub struct AsgtRows<T> {
    /// Of the clean sample `x`.
    pub clean: T,
    /// Of the adversarial sample `x'`.
    pub adversarial: T,
    /// Of the masked adversarial sample `x̃'`.
    pub masked: T,
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
    let clean_row = ("clean", logits.clean);
    check_pair(clean_row, ("adversarial", logits.adversarial))?;
    check_pair(clean_row, ("masked", logits.masked))?;
    true_logit(logits.clean, label)?;
    math::check_length("clean_gradient", classes, gradients.clean.len())?;
    math::check_length("adversarial_gradient", classes, gradients.adversarial.len())?;
    math::check_length("masked_gradient", classes, gradients.masked.len())?;
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
