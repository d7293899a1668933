//! The two forms of a mask: an ascending index list and a bit set.
//!
//! A bit set has one bit a group, lowest bit of the first `u32` first: an eighth of a byte a
//! feature. Bits past the last group are zero.

use crate::rank::order_key;
use crate::select::{Index, Threshold, check_index_type};
use crate::{Error, math};

const BITS: usize = u32::BITS as usize;

/// The `u32` words that a bit set over `groups` needs: `ceil(groups / 32)`.
pub const fn bit_words(groups: usize) -> usize {
    math::div_ceil(groups, BITS)
}

/// Marks the selected groups in `words`; the others are cleared. `importance` must be the slice
/// that was selected from. Cost O(n).
///
/// # Errors
/// [`Error::Length`] when `words` is not [`bit_words`] long; `words` is untouched then.
///
/// ```
/// use sgt_core::{End, mask, select_small};
/// let importance = [0.5, -1.0, 0.25, 0.0];
/// let lowest = select_small(&importance, 2, End::Lowest)?;
/// let mut words = [0; mask::bit_words(4)];
/// mask::set_bits(&lowest, &importance, &mut words)?;
/// assert_eq!(words, [0b1010]);
/// assert!(mask::is_selected(&words, 3));
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn set_bits(threshold: &Threshold, importance: &[f32], words: &mut [u32]) -> Result<(), Error> {
    math::check_length("words", bit_words(importance.len()), words.len())?;
    let mut ties = threshold.ties;
    for (word, chunk) in words.iter_mut().zip(importance.chunks(BITS)) {
        let mut bits = 0;
        for (bit, &value) in chunk.iter().enumerate() {
            let key = threshold.end.turn(order_key(value));
            let tied = key == threshold.key && ties != 0;
            ties -= usize::from(tied);
            bits |= u32::from(tied || key < threshold.key) << (bit as u32 % u32::BITS);
        }
        *word = bits;
    }
    Ok(())
}

/// Marks the listed groups in `words`; the others are cleared.
///
/// # Errors
/// [`Error::Length`] when `words` is not [`bit_words`] of `groups`, [`Error::Range`] when an index
/// is not below `groups`; `words` is untouched then.
pub fn bits_from_indices<I: Index>(
    indices: &[I],
    groups: usize,
    words: &mut [u32],
) -> Result<(), Error> {
    math::check_length("words", bit_words(groups), words.len())?;
    if indices.iter().any(|index| index.to_usize() >= groups) {
        return Err(Error::Range {
            argument: "indices",
        });
    }
    words.fill(0);
    for index in indices {
        set_bit(words, index.to_usize());
    }
    Ok(())
}

pub(crate) fn set_bit(words: &mut [u32], group: usize) {
    if let Some(word) = words.get_mut(group / BITS) {
        *word |= 1 << (group % BITS);
    }
}

/// Lists the marked groups, ascending, and returns the part of `indices` that was used.
///
/// # Errors
/// [`Error::IndexType`] when `I` cannot number the groups, [`Error::Length`] when `indices` is too
/// short for the marked groups; nothing is written then.
pub fn indices_from_bits<'i, I: Index>(
    words: &[u32],
    indices: &'i mut [I],
) -> Result<&'i [I], Error> {
    check_index_type::<I>(words.len().saturating_mul(BITS))?;
    let selected = words.iter().map(|word| word.count_ones() as usize).sum();
    let found = indices.len();
    let Some(used) = indices.get_mut(..selected) else {
        return Err(Error::Length {
            argument: "indices",
            expected: selected,
            found,
        });
    };
    for (slot, index) in used.iter_mut().zip(marked(words)) {
        *slot = I::from_usize(index);
    }
    Ok(used)
}

/// True when `group` is marked.
pub fn is_selected(words: &[u32], group: usize) -> bool {
    words
        .get(group / BITS)
        .is_some_and(|word| word >> (group % BITS) & 1 == 1)
}

/// The marked groups, ascending.
pub(crate) fn marked(words: &[u32]) -> impl Iterator<Item = usize> + Clone + '_ {
    words
        .iter()
        .enumerate()
        .flat_map(|(position, &word)| Bits { word }.map(move |bit| position * BITS + bit))
}

/// The set bits of a word, lowest first.
#[derive(Clone)]
struct Bits {
    word: u32,
}

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros();
        self.word &= self.word - 1;
        Some(bit as usize)
    }
}
