//! What every metric says about itself.

use serde::{Deserialize, Serialize};

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More is better.
    HigherIsBetter,
    /// Less is better.
    LowerIsBetter,
    /// The value describes, it does not judge.
    Descriptive,
}

/// A metric's name, direction and known sensitivities: shown wherever its value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Its name in tables and files.
    pub name: &'static str,
    /// Which way it gets better.
    pub direction: Direction,
    /// The choices that move the value without the model or the method changing.
    pub sensitive_to: &'static str,
}

impl Direction {
    /// The direction as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::HigherIsBetter => "Higher is better.",
            Self::LowerIsBetter => "Lower is better.",
            Self::Descriptive => "Describes; it does not judge.",
        }
    }

    /// True when `a` is better than `b`; never for descriptive metrics.
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Self::HigherIsBetter => a > b,
            Self::LowerIsBetter => a < b,
            Self::Descriptive => false,
        }
    }
}
