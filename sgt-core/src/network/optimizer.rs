//! What a gradient does to the parameters.

use crate::{Error, math};

/// A rule that changes parameters by their gradient.
pub trait Optimizer {
    /// Values of state beside the parameters.
    fn needs(&self, parameters: usize) -> usize;

    /// Changes `parameters`; `state` is the rule's own memory, zeros in front of the first call.
    ///
    /// # Errors
    /// [`Error::Length`] naming `gradient` or `state`, [`Error::NonFinite`] for a gradient that is
    /// not finite, [`Error::Range`] for a constant outside its domain; nothing is written then.
    fn update(
        &mut self,
        parameters: &mut [f32],
        gradient: &[f32],
        state: &mut [f32],
    ) -> Result<(), Error>;
}

/// Stochastic gradient descent: `v ← momentum · v + g`, `w ← w − rate · v`, with
/// `g` the gradient plus `weight_decay · w`, as PyTorch's `SGD`.
///
/// ```
/// use sgt_core::network::{Optimizer, Sgd};
/// let mut sgd = Sgd { momentum: 0.9, ..Sgd::new(0.1) };
/// let (mut weights, mut state) = ([1.0], [0.0]);
/// assert_eq!(sgd.state_len(1), 1);
/// sgd.update(&mut weights, &[2.0], &mut state)?;
/// assert_eq!(weights, [0.8]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate, at least 0.
    pub rate: f32,
    /// The share of the last step that is kept, in `[0, 1)`; 0 needs no state.
    pub momentum: f32,
    /// The L2 penalty, at least 0.
    pub weight_decay: f32,
}

impl Sgd {
    /// No momentum, no weight decay.
    pub const fn new(rate: f32) -> Self {
        Self {
            rate,
            momentum: 0.0,
            weight_decay: 0.0,
        }
    }

    /// Values of state for that many parameters: one each with momentum, none without.
    pub const fn state_len(&self, parameters: usize) -> usize {
        if self.momentum == 0.0 { 0 } else { parameters }
    }
}

impl Optimizer for Sgd {
    fn needs(&self, parameters: usize) -> usize {
        self.state_len(parameters)
    }

    fn update(
        &mut self,
        parameters: &mut [f32],
        gradient: &[f32],
        state: &mut [f32],
    ) -> Result<(), Error> {
        let Self {
            rate,
            momentum,
            weight_decay,
        } = *self;
        check_constants(rate, weight_decay, [momentum, 0.0])?;
        check_lengths(
            parameters,
            gradient,
            state,
            self.state_len(parameters.len()),
        )?;
        let pairs = parameters.iter_mut().zip(gradient);
        if momentum == 0.0 {
            for (value, gradient) in pairs {
                *value -= rate * (gradient + weight_decay * *value);
            }
            return Ok(());
        }
        for ((value, gradient), velocity) in pairs.zip(state) {
            *velocity = momentum * *velocity + (gradient + weight_decay * *value);
            *value -= rate * *velocity;
        }
        Ok(())
    }
}

/// Adam (Kingma and Ba 2015): `m ← m + (1 − β₁)(g − m)`, `v ← β₂ v + (1 − β₂) g²`,
/// `w ← w − rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)`, with `g` the gradient plus
/// `weight_decay · w`, as PyTorch's `Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate, at least 0.
    pub rate: f32,
    /// `β₁` and `β₂`, in `[0, 1)`.
    pub betas: [f32; 2],
    /// Added to the denominator, at least 0.
    pub epsilon: f32,
    /// The L2 penalty, at least 0.
    pub weight_decay: f32,
    /// `1 − β₁ᵗ` and `1 − β₂ᵗ` of the `t` steps so far: 0 in front of the first. To be stored with
    /// the state.
    pub corrections: [f32; 2],
}

impl Adam {
    /// PyTorch's constants: `β = (0.9, 0.999)`, `ε = 1e-8`, no weight decay.
    pub const fn new(rate: f32) -> Self {
        Self {
            rate,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
            corrections: [0.0; 2],
        }
    }

    /// Values of state for that many parameters: two each.
    pub const fn state_len(&self, parameters: usize) -> usize {
        parameters.saturating_mul(2)
    }
}

impl Optimizer for Adam {
    fn needs(&self, parameters: usize) -> usize {
        self.state_len(parameters)
    }

    fn update(
        &mut self,
        parameters: &mut [f32],
        gradient: &[f32],
        state: &mut [f32],
    ) -> Result<(), Error> {
        check_constants(self.rate, self.weight_decay, self.betas)?;
        if !(self.epsilon >= 0.0 && math::is_finite(self.epsilon)) {
            return Err(Error::Range {
                argument: "epsilon",
            });
        }
        check_lengths(
            parameters,
            gradient,
            state,
            self.state_len(parameters.len()),
        )?;
        let [beta1, beta2] = self.betas;
        let (new1, new2) = (1.0 - beta1, 1.0 - beta2);
        let [correction1, correction2] = &mut self.corrections;
        *correction1 += new1 * (1.0 - *correction1);
        *correction2 += new2 * (1.0 - *correction2);
        let step_size = self.rate / *correction1;
        let root = math::sqrt(*correction2);
        let split = state.split_at_mut_checked(parameters.len());
        let (first, second) = split.unwrap_or_default();
        let pairs = parameters.iter_mut().zip(gradient);
        for (((value, gradient), first), second) in pairs.zip(first).zip(second) {
            let gradient = gradient + self.weight_decay * *value;
            *first += new1 * (gradient - *first);
            *second = beta2 * *second + new2 * (gradient * gradient);
            *value -= step_size * (*first / (math::sqrt(*second) / root + self.epsilon));
        }
        Ok(())
    }
}

fn check_constants(rate: f32, weight_decay: f32, shares: [f32; 2]) -> Result<(), Error> {
    for (argument, value) in [("rate", rate), ("weight_decay", weight_decay)] {
        if !(value >= 0.0 && math::is_finite(value)) {
            return Err(Error::Range { argument });
        }
    }
    for value in shares {
        if !(0.0..1.0).contains(&value) {
            return Err(Error::Range {
                argument: "momentum",
            });
        }
    }
    Ok(())
}

fn check_lengths(
    parameters: &[f32],
    gradient: &[f32],
    state: &[f32],
    needed: usize,
) -> Result<(), Error> {
    math::check_length("gradient", parameters.len(), gradient.len())?;
    math::check_length("state", needed, state.len())?;
    math::check_finite("gradient", gradient)
}
