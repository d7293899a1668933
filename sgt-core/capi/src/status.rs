//! What a call says.

use core::ffi::{CStr, c_char};
use sgt_core::Error;

/// What a call says. Nothing was written unless it is `SGT_STATUS_OK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SgtStatus {
    /// Done.
    Ok,
    /// A pointer is null or misaligned, or a count is beyond memory.
    Pointer,
    /// A constant of this header (a policy, a norm, a layer's tag) that is none.
    Constant,
    /// An argument holds no value.
    Empty,
    /// An argument has the wrong length, or scratch is too short.
    Length,
    /// More groups were to be selected than there are.
    TooMany,
    /// An argument holds NaN or an infinity.
    NonFinite,
    /// The label is not a class.
    Label,
    /// An argument lies outside its domain.
    Range,
    /// The index type cannot count that many groups.
    IndexType,
    /// A layer of the table does not fit.
    Layer,
    /// The combination has no meaning.
    Unsupported,
}

impl From<Error> for SgtStatus {
    fn from(error: Error) -> Self {
        match error {
            Error::Empty { .. } => Self::Empty,
            Error::TooMany { .. } => Self::TooMany,
            Error::NonFinite { .. } => Self::NonFinite,
            Error::Label { .. } => Self::Label,
            Error::Range { .. } => Self::Range,
            Error::IndexType { .. } => Self::IndexType,
            Error::Layer { .. } => Self::Layer,
            Error::Unsupported { .. } => Self::Unsupported,
            // Length, Capacity
            _ => Self::Length,
        }
    }
}

/// A status in words, for a log.
#[unsafe(no_mangle)]
pub extern "C" fn sgt_status_text(status: u8) -> *const c_char {
    const TEXTS: [&CStr; 12] = [
        c"done",
        c"a pointer is null or misaligned",
        c"a constant that is none of the header's",
        c"an argument holds no value",
        c"an argument has the wrong length",
        c"more groups than there are",
        c"NaN or an infinity",
        c"the label is not a class",
        c"an argument is outside its domain",
        c"the index type is too narrow",
        c"a layer of the table does not fit",
        c"a combination without meaning",
    ];
    let text = TEXTS.get(usize::from(status)).copied();
    text.unwrap_or(c"no status").as_ptr()
}

/// The status of a body that stops at its first refusal.
pub(crate) fn status(body: impl FnOnce() -> Result<(), SgtStatus>) -> SgtStatus {
    match body() {
        Ok(()) => SgtStatus::Ok,
        Err(status) => status,
    }
}
