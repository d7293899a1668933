//! What goes to standard output and standard error.

use crate::{Error, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// Where results go: text for people, or one JSON value.
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// True when a machine reads.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints `text()`, or `value` as JSON.
    pub(super) fn print<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        let text = if self.json {
            let text = serde_json::to_string_pretty(value).map_err(|reason| Error::Argument {
                argument: "result".into(),
                found: reason.to_string(),
                expected: "values that JSON can hold".into(),
            })?;
            visible(&text, json_escape)
        } else {
            visible(&text(), |c| c.escape_unicode().to_string())
        };
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        match written {
            // Whoever read has seen enough.
            Err(reason) if reason.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(source) => Err(Error::Io {
                path: PathBuf::from("standard output"),
                action: "write",
                source,
            }),
            Ok(()) => Ok(()),
        }
    }
}

/// One line to standard error.
pub(super) fn complain(line: &str) {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    remark(&format!("error: {line}"));
}

/// One line to standard error; a closed one is nobody's loss.
pub(super) fn remark(line: &str) {
    let line = visible(line, |c| c.escape_unicode().to_string());
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// `text` with `escape` in place of the characters that a terminal acts on or that change the order
/// of others: names in files and paths may hold any.
fn visible(text: &str, escape: impl Fn(char) -> String) -> String {
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.push_str(&escape(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters but for the end of a line and tabs, and characters without a width: those of
/// direction, joiners, byte-order marks.
fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// As JSON escapes inside a text, where alone it can stand.
fn json_escape(c: char) -> String {
    let mut units = [0; 2];
    let mut text = String::new();
    for unit in c.encode_utf16(&mut units) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\u{unit:04x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_shown_instead() {
        let shown = visible("a\u{1b}[2J\u{202e}é\n", |c| c.escape_unicode().to_string());
        assert_eq!(shown, "a\\u{1b}[2J\\u{202e}é\n");
        let json = visible("\"\u{9b}\u{e0041}\"", json_escape);
        let back: String = serde_json::from_str(&json).unwrap();
        assert_eq!(back, "\u{9b}\u{e0041}");
    }
}
