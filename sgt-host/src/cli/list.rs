//! Lists on the command line: trimmed, each value once.

use std::str::FromStr;

/// Values between commas.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: FromStr> FromStr for List<T>
where
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        for (place, word) in words.iter().enumerate() {
            if word.is_empty() {
                return Err("found nothing between commas, expected a value".into());
            }
            if words[..place].contains(word) {
                return Err(format!("found {word} twice, expected each value once"));
            }
        }
        let values = words.into_iter().map(|word| {
            word.parse()
                .map_err(|reason: T::Err| format!("{word}: {reason}"))
        });
        values.collect::<Result<_, _>>().map(Self)
    }
}

/// A value of a list whose values may repeat.
pub(super) fn trimmed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.trim().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_trimmed_and_hold_each_value_once() {
        assert_eq!(" 1, 2 ".parse(), Ok(List(vec![1, 2])));
        for (text, said) in [("1,1", "1 twice"), ("1,", "nothing"), ("1,x", "x: ")] {
            let error = text.parse::<List<u8>>().unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
