//! Domains of the parameters.

use crate::{Error, Result, limits};

pub(super) fn at_least(argument: &str, found: usize, least: usize) -> Result<()> {
    if (least..=limits::STEPS).contains(&found) {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: format!("{least} to {}", limits::STEPS),
    })
}

pub(super) fn not_negative(argument: &str, found: f32) -> Result<()> {
    if found.is_finite() && found >= 0.0 {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: "a finite value of at least 0".into(),
    })
}
