//! Pointers of a C program as slices and references: the one place that trusts them.

use crate::status::SgtStatus;
use core::slice;

/// Whether `len` values can lie at `pointer`.
fn check<T>(pointer: *const T, len: usize) -> Result<(), SgtStatus> {
    let most = isize::MAX.cast_unsigned() / size_of::<T>().max(1);
    if pointer.is_null() || !pointer.is_aligned() || len > most {
        return Err(SgtStatus::Pointer);
    }
    Ok(())
}

/// `len` values to be read. No value needs no memory.
///
/// # Safety
/// The contract of the crate: `pointer` points to `len` values that live and are not changed
/// during `'a`.
pub(crate) unsafe fn values<'a, T>(pointer: *const T, len: usize) -> Result<&'a [T], SgtStatus> {
    if len == 0 {
        return Ok(&[]);
    }
    check(pointer, len)?;
    // SAFETY: not null, aligned, of a size that memory has; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// `len` values to be written.
///
/// # Safety
/// As [`values`], and nobody else reads or writes them during `'a`.
pub(crate) unsafe fn values_mut<'a, T>(
    pointer: *mut T,
    len: usize,
) -> Result<&'a mut [T], SgtStatus> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(pointer, len)?;
    // SAFETY: not null, aligned, of a size that memory has; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// One structure to be read.
///
/// # Safety
/// As [`values`].
pub(crate) unsafe fn structure<'a, T>(pointer: *const T) -> Result<&'a T, SgtStatus> {
    check(pointer, 1)?;
    // SAFETY: not null and aligned; the rest is the caller's promise.
    Ok(unsafe { &*pointer })
}

/// One structure to be written.
///
/// # Safety
/// As [`values_mut`].
pub(crate) unsafe fn structure_mut<'a, T>(pointer: *mut T) -> Result<&'a mut T, SgtStatus> {
    check(pointer, 1)?;
    // SAFETY: not null and aligned; the rest is the caller's promise.
    Ok(unsafe { &mut *pointer })
}
