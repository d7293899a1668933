//! Bounds on the gradient before a step.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Added to the norm before dividing, as in `torch.nn.utils.clip_grad_norm_`.
const NORM_EPSILON: f64 = 1e-6;

/// What is done to a large gradient; tagged by `name` in configuration files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "name",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum GradientClipping {
    /// Nothing.
    #[default]
    None,
    /// Scaled by `min(1, maximum / (‖g‖₂ + 1e-6))`, the norm being taken over all trainable
    /// parameters together.
    GlobalNorm {
        /// The largest norm, > 0.
        maximum: f64,
    },
    /// Each value clamped to `[-limit, limit]`.
    Value {
        /// The largest absolute value, > 0.
        limit: f64,
    },
}

impl GradientClipping {
    /// Checks the bound.
    ///
    /// # Errors
    /// [`Error::Argument`] when it is not a positive finite number.
    pub fn check(&self) -> Result<()> {
        let (key, value) = match *self {
            Self::None => return Ok(()),
            Self::GlobalNorm { maximum } => ("maximum", maximum),
            Self::Value { limit } => ("limit", limit),
        };
        if value.is_finite() && value > 0.0 {
            return Ok(());
        }
        Err(Error::Argument {
            argument: format!("clipping.{key}"),
            found: value.to_string(),
            expected: "a finite number above 0".into(),
        })
    }

    /// The factor and the bound of the gradient whose norm is `norm`: each value `g` becomes
    /// `clamp(factor·g, −bound, bound)`.
    pub(super) fn factor_and_bound(&self, norm: f64) -> (f32, f32) {
        match *self {
            Self::None => (1.0, f32::INFINITY),
            Self::GlobalNorm { maximum } => {
                let factor = (maximum / (norm + NORM_EPSILON)).min(1.0);
                (factor as f32, f32::INFINITY)
            }
            Self::Value { limit } => (1.0, limit as f32),
        }
    }
}
