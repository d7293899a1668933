//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a process that ctrl-C ended exits with.
pub(super) const INTERRUPTED: u8 = 130;

/// A flag that the first ctrl-C (or SIGTERM) sets.
pub(super) fn watch() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let handler = ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    handler.map_err(|reason| Error::Argument {
        argument: "ctrl-C".into(),
        found: reason.to_string(),
        expected: "a system that reports it".into(),
    })?;
    Ok(flag)
}
