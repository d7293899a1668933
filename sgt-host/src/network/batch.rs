//! The checks that every consumer of a batch makes once, before it trusts the batch.

use super::Model;
use crate::{Error, Result};

/// Checks a labelled batch against `model` and returns the number of samples.
///
/// # Errors
/// [`Error::Shape`] when `x` is empty, not a whole number of samples or not one sample a label;
/// [`Error::Argument`] on NaN or infinite values and on a label that is no class.
pub fn check_batch<M: Model>(
    operation: &'static str,
    model: &M,
    x: &[f32],
    labels: &[usize],
) -> Result<usize> {
    let sample = model.input().len();
    if x.is_empty() || labels.is_empty() || x.len() != labels.len() * sample {
        return Err(Error::Shape {
            operation,
            found: format!("{} values for {} labels", x.len(), labels.len()),
            expected: format!("{:?} values a label", model.input().dims()),
        });
    }
    check_finite("x", x)?;
    check_labels("labels", labels, model.classes())?;
    Ok(labels.len())
}

/// Checks that every value is finite.
///
/// # Errors
/// [`Error::Argument`] naming `argument` and the first offending place.
pub fn check_finite(argument: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => Err(Error::Argument {
            argument: argument.into(),
            found: format!("{} at value {place}", values[place]),
            expected: "finite values".into(),
        }),
    }
}

/// Checks that every label is one of `classes` classes.
///
/// # Errors
/// [`Error::Argument`] naming `argument`, the first offending label and its place.
pub fn check_labels(argument: &str, labels: &[usize], classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(place) => Err(Error::Argument {
            argument: argument.into(),
            found: format!("{} for sample {place}", labels[place]),
            expected: format!("a class below {classes}"),
        }),
    }
}
