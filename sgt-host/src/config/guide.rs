//! Which map ranks the features that a step masks.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The map of the score whose values are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guide {
    /// The gradient: the papers'.
    #[default]
    Gradient,
    /// Integrated gradients from zero, with so many points.
    IntegratedGradients(usize),
    /// The gradient's magnitude as a share of its position's largest, times how far the score moves
    /// without the window of positions that it is in, of so many windows: a recurrent network's
    /// early steps are ranked by what they do, not by what is left of their gradient.
    TimeRescaled(usize),
}

impl Guide {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn is_gradient(&self) -> bool {
        *self == Self::Gradient
    }

    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::IntegratedGradients(0) | Self::TimeRescaled(0) => Err(Error::Argument {
                argument: "guide".into(),
                found: "0".into(),
                expected: "1 or more points or windows".into(),
            }),
            _ => Ok(()),
        }
    }
}
