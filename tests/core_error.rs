//! The core's errors read as one line that names the argument.

use sgt_core::Error;

#[test]
fn every_error_is_one_line_that_names_its_argument() {
    let cases = [
        (
            Error::Empty {
                argument: "gradient",
            },
            "gradient: empty",
        ),
        (
            Error::Length {
                argument: "sample",
                expected: 4,
                found: 3,
            },
            "sample: 3 values, expected 4",
        ),
        (
            Error::TooMany {
                selected: 5,
                groups: 4,
            },
            "selected: 5, expected at most the 4 groups",
        ),
        (
            Error::Capacity {
                argument: "workspace",
                needed: 5,
                capacity: 4,
            },
            "workspace: room for 4 values, 5 needed",
        ),
        (
            Error::NonFinite {
                argument: "gradient",
                index: 7,
            },
            "gradient: NaN or infinite at 7, expected finite values",
        ),
        (
            Error::Label {
                label: 10,
                classes: 10,
            },
            "label: 10, expected a class below 10",
        ),
    ];
    for (error, line) in cases {
        assert_eq!(error.to_string(), line);
    }
}
