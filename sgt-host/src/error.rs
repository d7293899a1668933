//! The error type of the whole crate.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in one line: which file or argument, what was found, what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file's content is not what its format or the run asks for.
    #[error("{}: found {found}, expected {expected}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// A command-line argument, configuration key or library argument is out of its domain.
    #[error("{argument}: found {found}, expected {expected}")]
    Argument {
        /// The argument or key.
        argument: String,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// Two shapes do not fit each other.
    #[error("{operation}: found shape {found}, expected {expected}")]
    Shape {
        /// The operation that refused.
        operation: &'static str,
        /// The shape it got.
        found: String,
        /// The shape it needs.
        expected: String,
    },
    /// The operating system refused to read or write.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `write`, `rename`, ….
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A numerical failure during a run (NaN loss, for example).
    #[error("{0}")]
    Numerical(String),
    /// A tensor device refused, for lack of memory for example.
    #[error("tensor device: {0}")]
    Device(String),
    /// A check of the core refused its arguments, which its own text names.
    #[error(transparent)]
    Core(#[from] sgt_core::Error),
}
