//! What a file or an argument may cost: every limit in one place.
//!
//! A small file can ask for much: gzip shrinks zeros a thousandfold, a row of two bytes becomes a
//! recording of a hundred, a header of a weight file declares any size. What a file becomes is
//! therefore counted before it is allocated, and refused beyond [`memory`].

use crate::Result;
use crate::file::data_error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that the content of one file may become in memory unless [`set_memory`] says otherwise:
/// nearly twice the training part of CIFAR-10 as numbers.
pub const MEMORY: u64 = GIB;
/// The most points of an attribution method, steps of an attack or restarts of one.
pub const STEPS: usize = 10_000;
/// The most seeds of a comparison.
pub const SEEDS: u32 = 1_000;
/// The most trials of a sweep.
pub const TRIALS: usize = 10_000;
/// The most worker threads.
pub const THREADS: u16 = 1_024;
/// The longest training interval between two checkpoints, in seconds: a year.
pub const CHECKPOINT_SECONDS: f32 = 31_557_600.0;

/// The unit of `--memory-limit`.
pub const GIB: u64 = 1 << 30;

static CHOSEN: AtomicU64 = AtomicU64::new(MEMORY);

/// Bytes that the content of one file may become.
pub fn memory() -> u64 {
    CHOSEN.load(Ordering::Relaxed)
}

/// Sets [`memory`] for the whole process.
pub fn set_memory(bytes: u64) {
    CHOSEN.store(bytes, Ordering::Relaxed);
}

/// Refuses `count` things of `each` bytes beyond [`memory`]; `path` is the file that asks for them.
///
/// # Errors
/// [`crate::Error::Data`].
pub(crate) fn check(path: &Path, what: &str, count: usize, each: usize) -> Result<()> {
    let bytes = (count as u64).saturating_mul(each as u64);
    if bytes <= memory() {
        return Ok(());
    }
    Err(data_error(
        path,
        format!(
            "{count} {what}, {:.1} GiB in memory",
            bytes as f64 / GIB as f64
        ),
        expected(memory()),
    ))
}

/// What a refusal expects.
pub(crate) fn expected(limit: u64) -> String {
    format!(
        "at most {} in memory (--memory-limit raises it)",
        size(limit)
    )
}

/// Whole GiB where it is that, bytes otherwise.
fn size(bytes: u64) -> String {
    if bytes > 0 && bytes.is_multiple_of(GIB) {
        format!("{} GiB", bytes / GIB)
    } else {
        format!("{bytes} bytes")
    }
}
