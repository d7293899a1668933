//! The real steps of samples whose sequences are padded behind their end.

use crate::{Error, Result};
use std::ops::Range;

/// The real steps of each of `batch` samples: `lengths`, or all `steps` where there are none.
///
/// # Errors
/// [`Error::Argument`] when there isn't one length a sample, each from 1 to `steps`.
pub(crate) fn real_steps(
    lengths: Option<&[usize]>,
    batch: usize,
    steps: usize,
) -> Result<Vec<usize>> {
    let Some(lengths) = lengths else {
        return Ok(vec![steps; batch]);
    };
    let refuse = |found: String, expected: String| {
        Err(Error::Argument {
            argument: "lengths".into(),
            found,
            expected,
        })
    };
    if lengths.len() != batch {
        return refuse(
            format!("{} lengths", lengths.len()),
            format!("one for each of {batch} samples"),
        );
    }
    match lengths.iter().find(|length| !(1..=steps).contains(*length)) {
        None => Ok(lengths.to_vec()),
        Some(length) => refuse(length.to_string(), format!("from 1 to {steps} steps")),
    }
}

/// The rows of `[samples, steps]` that are real, as few ranges as can be.
pub(crate) fn real_rows(lengths: &[usize], steps: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (sample, length) in lengths.iter().enumerate() {
        let first = sample * steps;
        match ranges.last_mut() {
            Some(last) if last.end == first => last.end += length,
            _ => ranges.push(first..first + length),
        }
    }
    ranges
}

/// Overwrites the padding of `values` `[samples, steps, width]` with zeros.
pub(crate) fn clear_padding(lengths: &[usize], width: usize, values: &mut [f32]) {
    let sample = values.len() / lengths.len();
    for (values, length) in values.chunks_exact_mut(sample).zip(lengths) {
        values[length * width..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        let refuse = |lengths: &[usize], expected: &str| {
            let error = real_steps(Some(lengths), 2, 5).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        refuse(
            &[1],
            "lengths: found 1 lengths, expected one for each of 2 samples",
        );
        refuse(&[1, 0], "lengths: found 0, expected from 1 to 5 steps");
        refuse(&[6, 1], "lengths: found 6, expected from 1 to 5 steps");
        assert_eq!(real_steps(Some(&[5, 1]), 2, 5).unwrap(), [5, 1]);
        assert_eq!(real_steps(None, 2, 5).unwrap(), [5, 5]);
    }

    #[test]
    fn whole_samples_are_one_range() {
        assert_eq!(real_rows(&[4, 4, 3, 4, 1], 4), [0..11, 12..17]);
        let mut values = [1.0; 8];
        clear_padding(&[2, 1], 2, &mut values);
        assert_eq!(values, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    }
}
