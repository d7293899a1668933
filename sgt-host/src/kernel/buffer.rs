//! Memory of the kernels: aligned to cache lines, kept between calls.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Values in a cache line, which is also the widest vector.
pub(crate) const LINE: usize = 16;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A growing buffer of `f32` that starts at a cache line: no vector load straddles two lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// Makes the buffer `len` values long. What it holds afterwards is unspecified.
    pub(crate) fn resize(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(LINE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; LINE]));
        }
        self.len = len;
        self
    }

    /// Becomes a copy of `values`.
    pub(crate) fn copy_from(&mut self, values: &[f32]) {
        self.resize(values.len()).copy_from_slice(values);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `len` consecutive, initialised `f32` (`Line` is
        // `repr(C)` over an array whose size is a multiple of its alignment: no padding).
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the borrow of `self` is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Calls `work` with scratch memory of this thread, cut into aligned pieces of the given lengths.
/// What they hold is unspecified. Calls may be nested.
pub(crate) fn with_scratch<const N: usize, R>(
    lens: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    thread_local! {
        static FREE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
    }
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    let total = lens.iter().map(|len| len.next_multiple_of(LINE)).sum();
    let mut rest = buffer.resize(total);
    let result = work(lens.map(|len| {
        let (piece, tail) = std::mem::take(&mut rest).split_at_mut(len.next_multiple_of(LINE));
        rest = tail;
        &mut piece[..len]
    }));
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}
