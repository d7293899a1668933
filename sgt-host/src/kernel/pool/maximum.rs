//! The maximum of a window, channel by channel: the one comparison of all max pooling.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

/// The largest of the rows of channels taken so far, and the place of each largest value. Of equal values
/// the first is kept; a NaN is larger than any number.
///
/// Rows are taken in a loop of the caller's own, not from an iterator: the code must end up in the function
/// that enables the instruction set.
pub(in crate::kernel) struct Maximum<'a, P> {
    values: &'a mut [f32],
    places: &'a mut [P],
    is_empty: bool,
}

impl<'a, P: Copy> Maximum<'a, P> {
    /// No rows yet; both slices are as long as a row.
    #[inline(always)]
    pub(in crate::kernel) fn new(values: &'a mut [f32], places: &'a mut [P]) -> Self {
        Self {
            values,
            places,
            is_empty: true,
        }
    }

    /// Takes a row and its place.
    #[inline(always)]
    pub(in crate::kernel) fn take(&mut self, place: P, x: &[f32]) {
        if self.is_empty {
            self.values.copy_from_slice(x);
            self.places.fill(place);
            self.is_empty = false;
            return;
        }
        for ((value, at), &x) in self.values.iter_mut().zip(&mut *self.places).zip(x) {
            // Without branches, so that it can be done in vectors. "Not at most" holds for a NaN, too.
            #[allow(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is larger")]
            let is_larger = !(x <= *value) & !value.is_nan();
            *value = if is_larger { x } else { *value };
            *at = if is_larger { place } else { *at };
        }
    }
}
