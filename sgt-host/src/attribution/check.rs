//! Domains of the parameters.

use crate::{Error, Result};

pub(super) fn at_least(argument: &str, found: usize, least: usize) -> Result<()> {
    if found >= least {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: format!("at least {least}"),
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
