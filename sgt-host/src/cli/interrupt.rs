//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use super::output::remark;
use crate::{Error, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a process that ctrl-C ended exits with.
pub(super) const INTERRUPTED: u8 = 130;

/// What ctrl-C, SIGTERM and SIGHUP do from now on.
pub(super) struct Interrupt {
    asked: Arc<AtomicBool>,
    last_words: Arc<Mutex<Option<String>>>,
}

impl Interrupt {
    /// Watches the signals that the process was not started to ignore (`nohup` ignores SIGHUP).
    pub(super) fn watch() -> Result<Self> {
        let ignored = ignored_signals();
        let watched = [SIGINT, SIGTERM, SIGHUP].into_iter();
        let watched = watched.filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(watched).map_err(|reason| Error::Argument {
            argument: "ctrl-C".into(),
            found: reason.to_string(),
            expected: "a system that reports it".into(),
        })?;
        let interrupt = Self {
            asked: Arc::default(),
            last_words: Arc::default(),
        };
        let asked = Arc::clone(&interrupt.asked);
        let last_words = Arc::clone(&interrupt.last_words);
        let wait = move || {
            for _ in signals.forever() {
                let words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(words) = &*words {
                    remark(words);
                }
                if words.is_some() || asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(INTERRUPTED.into());
                }
            }
        };
        let thread = std::thread::Builder::new().spawn(wait);
        thread.map_err(|reason| Error::Argument {
            argument: "ctrl-C".into(),
            found: reason.to_string(),
            expected: "a system that allows a thread".into(),
        })?;
        Ok(interrupt)
    }

    /// Set by the first signal while there is something to save.
    pub(super) fn asked(&self) -> &AtomicBool {
        &self.asked
    }

    /// From now on nothing needs to be saved: a signal says `words` and ends the process.
    pub(super) fn end_with(&self, words: String) {
        let mut last_words = self.last_words.lock();
        let place = last_words.as_mut();
        if let Ok(place) = place {
            **place = Some(words);
        }
    }
}

/// A bit for each signal that is ignored, the first for signal 1; what the system does not say
/// counts as not ignored.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
