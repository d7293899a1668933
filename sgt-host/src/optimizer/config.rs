//! Which rule, with which constants.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// An update rule and its constants, tagged by `name` in configuration files:
/// `sgd`, `adam`, `rmsprop` or `adadelta`. Missing keys take `PyTorch`'s defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum OptimizerConfig {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam, or `AdamW` with decoupled weight decay.
    Adam(Adam),
    /// `RMSprop`.
    #[serde(rename = "rmsprop")]
    RmsProp(RmsProp),
    /// Adadelta.
    Adadelta(Adadelta),
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adam(Adam::default())
    }
}

/// Stochastic gradient descent (`torch.optim.SGD` without dampening).
///
/// `g ← g + weight_decay·p`; with momentum `b ← momentum·b + g` and `g ← b`, or with Nesterov's
/// `g ← g + momentum·b`; then `p ← p − learning_rate·g`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sgd {
    /// Step size, ≥ 0. Default 1e-3.
    pub learning_rate: f64,
    /// Momentum in `[0, 1)`. Default 0.
    pub momentum: f64,
    /// Nesterov's momentum; needs `momentum` > 0. Default false.
    pub nesterov: bool,
    /// L2 penalty added to the gradient, ≥ 0. Default 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        }
    }
}

/// Adam (`torch.optim.Adam`; Kingma and Ba, 2015), or `AdamW` (Loshchilov and Hutter, 2019).
///
/// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
/// `p ← p − learning_rate/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adam {
    /// Step size, ≥ 0. Default 1e-3.
    pub learning_rate: f64,
    /// Decay of the first and second moment, each in `[0, 1)`. Default `[0.9, 0.999]`.
    pub betas: [f64; 2],
    /// Added to the denominator, ≥ 0. Default 1e-8.
    pub epsilon: f64,
    /// Weight decay, ≥ 0. Default 0.
    pub weight_decay: f64,
    /// True: `AdamW`, `p ← (1 − learning_rate·weight_decay)·p` before the step. False: an L2
    /// penalty added to the gradient. Default false.
    pub decoupled: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        }
    }
}

/// `RMSprop` (`torch.optim.RMSprop`; Hinton, 2012).
///
/// `s ← αs + (1−α)g²`; centred: `a ← αa + (1−α)g` and `s − a²` in place of `s` below;
/// `d = g / (√s + ε)`; with momentum `b ← momentum·b + d` and `d ← b`;
/// `p ← p − learning_rate·d`. (dfdx adds ε inside the root and starts `s` at one.)
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RmsProp {
    /// Step size, ≥ 0. Default 1e-2.
    pub learning_rate: f64,
    /// Decay of the averages, in `[0, 1)`. Default 0.99.
    pub alpha: f64,
    /// Added to the denominator, ≥ 0. Default 1e-8.
    pub epsilon: f64,
    /// L2 penalty added to the gradient, ≥ 0. Default 0.
    pub weight_decay: f64,
    /// Momentum in `[0, 1)`. Default 0.
    pub momentum: f64,
    /// Divides by the standard deviation instead of the root mean square. Default false.
    pub centered: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self {
            learning_rate: 1e-2,
            alpha: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
        }
    }
}

/// Adadelta (`torch.optim.Adadelta`; Zeiler, 2012).
///
/// `s ← ρs + (1−ρ)g²`, `d = √(u + ε)/√(s + ε) · g`, `u ← ρu + (1−ρ)d²`,
/// `p ← p − learning_rate·d`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adadelta {
    /// Step size, ≥ 0. Default 1.
    pub learning_rate: f64,
    /// Decay of the averages, in `[0, 1)`. Default 0.9.
    pub rho: f64,
    /// Added inside both roots, > 0. Default 1e-6.
    pub epsilon: f64,
    /// L2 penalty added to the gradient, ≥ 0. Default 0.
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self {
            learning_rate: 1.0,
            rho: 0.9,
            epsilon: 1e-6,
            weight_decay: 0.0,
        }
    }
}

impl OptimizerConfig {
    /// The step size before the schedule's multiplier.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd(rule) => rule.learning_rate,
            Self::Adam(rule) => rule.learning_rate,
            Self::RmsProp(rule) => rule.learning_rate,
            Self::Adadelta(rule) => rule.learning_rate,
        }
    }

    /// Checks that every constant is in its domain.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the first key that is not.
    pub fn check(&self) -> Result<()> {
        at_least_zero("learning-rate", self.learning_rate())?;
        match self {
            Self::Sgd(rule) => {
                below_one("momentum", rule.momentum)?;
                at_least_zero("weight-decay", rule.weight_decay)?;
                if rule.nesterov && rule.momentum == 0.0 {
                    return Err(refuse("momentum", 0.0, "above 0 when nesterov is set"));
                }
            }
            Self::Adam(rule) => {
                below_one("betas[0]", rule.betas[0])?;
                below_one("betas[1]", rule.betas[1])?;
                at_least_zero("epsilon", rule.epsilon)?;
                at_least_zero("weight-decay", rule.weight_decay)?;
            }
            Self::RmsProp(rule) => {
                below_one("alpha", rule.alpha)?;
                below_one("momentum", rule.momentum)?;
                at_least_zero("epsilon", rule.epsilon)?;
                at_least_zero("weight-decay", rule.weight_decay)?;
            }
            Self::Adadelta(rule) => {
                below_one("rho", rule.rho)?;
                at_least_zero("weight-decay", rule.weight_decay)?;
                at_least_zero("epsilon", rule.epsilon)?;
                if rule.epsilon == 0.0 {
                    return Err(refuse("epsilon", 0.0, "above 0"));
                }
            }
        }
        Ok(())
    }

    /// The names of the flat buffers the rule keeps, in order.
    pub(super) fn slots(&self) -> Vec<&'static str> {
        match self {
            Self::Sgd(rule) if rule.momentum == 0.0 => vec![],
            Self::Sgd(_) => vec!["momentum"],
            Self::Adam(_) => vec!["first-moment", "second-moment"],
            Self::RmsProp(rule) => {
                let mut slots = vec!["square-average"];
                if rule.centered {
                    slots.push("gradient-average");
                }
                if rule.momentum > 0.0 {
                    slots.push("momentum");
                }
                slots
            }
            Self::Adadelta(_) => vec!["square-average", "square-update"],
        }
    }
}

fn at_least_zero(key: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(refuse(key, value, "a finite number of at least 0"))
}

fn below_one(key: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(refuse(key, value, "at least 0 and below 1"))
}

fn refuse(key: &'static str, value: f64, expected: &str) -> Error {
    Error::Argument {
        argument: format!("optimizer.{key}"),
        found: value.to_string(),
        expected: expected.into(),
    }
}
