//! The axes of a sample on the command line.

use std::str::FromStr;

/// The axes of one sample as files have them: `9x128` for channels × steps, `3x32x32` for
/// channels × rows × columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SampleAxes(pub(super) Vec<usize>);

impl FromStr for SampleAxes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let axes = text.split(['x', '×']).map(|axis| axis.trim().parse().ok());
        let axes: Option<Vec<usize>> = axes.collect();
        match axes {
            Some(axes) if matches!(axes.len(), 2 | 3) && !axes.contains(&0) => Ok(Self(axes)),
            _ => Err(
                "expected channels x steps, 9x128 for example, or channels x rows x columns, \
                      3x32x32"
                    .into(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_two_or_three_positive_numbers() {
        assert_eq!("9x128".parse(), Ok(SampleAxes(vec![9, 128])));
        assert_eq!("3x32 x 32".parse(), Ok(SampleAxes(vec![3, 32, 32])));
        for bad in ["", "9", "9x", "0x4", "1x2x3x4", "-1x3", "axb"] {
            assert!(bad.parse::<SampleAxes>().is_err(), "{bad}");
        }
    }
}
