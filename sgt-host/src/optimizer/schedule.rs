//! How the learning rate changes during a run.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The factor on the learning rate over a run; tagged by `name` in configuration files.
///
/// Each is a function of the share of the run that is done, so that the same configuration
/// serves a run of any length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "name",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum LearningRateSchedule {
    /// Always 1.
    #[default]
    Constant,
    /// From 1 to `last` along a line.
    Linear {
        /// The factor at the end, ≥ 0.
        last: f64,
    },
    /// From 1 to `last` along half a cosine, after a linear warm-up from 0.
    Cosine {
        /// The factor at the end, ≥ 0.
        last: f64,
        /// The share of the run that warms up, in `[0, 1)`.
        #[serde(default)]
        warm_up: f64,
    },
    /// Multiplied by `factor` each time another share `every` of the run is done.
    Step {
        /// The share of the run between two drops, in `(0, 1]`.
        every: f64,
        /// What each drop multiplies by, ≥ 0.
        factor: f64,
    },
}

impl LearningRateSchedule {
    /// Checks that every constant is in its domain.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the key that is not.
    pub fn check(&self) -> Result<()> {
        let refuse = |key: &str, value: f64, expected: &str| {
            Err(Error::Argument {
                argument: format!("schedule.{key}"),
                found: value.to_string(),
                expected: expected.into(),
            })
        };
        let factor_fits = |value: f64| value.is_finite() && value >= 0.0;
        match *self {
            Self::Linear { last } | Self::Cosine { last, .. } if !factor_fits(last) => {
                refuse("last", last, "a finite number of at least 0")
            }
            Self::Cosine { warm_up, .. } if !(0.0..1.0).contains(&warm_up) => {
                refuse("warm-up", warm_up, "at least 0 and below 1")
            }
            Self::Step { every, .. } if !(every > 0.0 && every <= 1.0) => {
                refuse("every", every, "a share of the run, above 0 and at most 1")
            }
            Self::Step { factor, .. } if !factor_fits(factor) => {
                refuse("factor", factor, "a finite number of at least 0")
            }
            _ => Ok(()),
        }
    }

    /// The factor on the learning rate of step `step` (from 0) of `steps`.
    pub fn multiplier(&self, step: u64, steps: u64) -> f64 {
        let done = step as f64 / steps.max(1) as f64;
        let done = done.min(1.0);
        match *self {
            Self::Constant => 1.0,
            Self::Linear { last } => 1.0 + (last - 1.0) * done,
            // The first step of a warm-up moves already: a step of zero would be wasted.
            Self::Cosine { warm_up, .. } if done < warm_up => {
                (done + 1.0 / steps.max(1) as f64).min(warm_up) / warm_up
            }
            Self::Cosine { last, warm_up } => {
                let share = (done - warm_up) / (1.0 - warm_up);
                last + (1.0 - last) * 0.5 * (1.0 + (PI * share).cos())
            }
            Self::Step { every, factor } => factor.powf((done / every).floor()),
        }
    }
}
