//! What goes to standard output and standard error.

use crate::{Error, Result};
use serde::Serialize;
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
            serde_json::to_string_pretty(value).map_err(|reason| Error::Argument {
                argument: "result".into(),
                found: reason.to_string(),
                expected: "values that JSON can hold".into(),
            })?
        } else {
            text()
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
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
