//! The command that goes on where this one ended.

use crate::shell::quoted;

/// The command of this process with `option` in place of those of `instead`.
pub(super) fn again(option: Option<&str>, instead: &[&str]) -> String {
    let arguments = std::env::args().skip(1);
    let kept = arguments.filter(|argument| {
        !instead.contains(&argument.as_str()) && Some(argument.as_str()) != option
    });
    let words = std::iter::once("sgt".to_string()).chain(kept);
    let words = words.chain(option.map(String::from));
    words
        .map(|word| quoted(&word))
        .collect::<Vec<_>>()
        .join(" ")
}
