//! The maximum of a window, channel by channel: the one comparison of all max pooling.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

/// Writes the largest of several rows of channels to `out`, and the name of the row that holds it
/// to `places`. Ties go to the first row; a NaN is larger than any number. Without rows nothing is
/// written.
#[inline(always)]
pub(in crate::kernel) fn maximum<'x, P: Copy>(
    rows: impl Iterator<Item = (P, &'x [f32])>,
    out: &mut [f32],
    places: &mut [P],
) {
    let mut is_first = true;
    rows.for_each(|(place, x)| {
        if is_first {
            out.copy_from_slice(x);
            places.fill(place);
            is_first = false;
            return;
        }
        for ((out, at), &x) in out.iter_mut().zip(&mut *places).zip(x) {
            let is_larger = x > *out || (x.is_nan() && !out.is_nan());
            *out = if is_larger { x } else { *out };
            *at = if is_larger { place } else { *at };
        }
    });
}
