//! Selecting the k lowest or highest of n importances: two implementations, one contract.
//!
//! **Contract.** The result is the set a stable sort would put first: by importance, ties to the
//! lowest index; `-0.0` equals `0.0`, denormals count. It is held as a [`Threshold`], which needs
//! no memory; [`Threshold::indices`] and [`crate::mask::set_bits`] spell it out in ascending
//! order.
//!
//! | implementation | time | scratch | for |
//! |---|---|---|---|
//! | [`select_small`] | 8 passes over the importances | none | flash |
//! | [`select_fast`] | about 1.5 passes, O(n) in the worst case | one `u32` a group | hosts |

use crate::rank::order_key;
use crate::{Error, math};

/// Which end of the ranking is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The least important: what training masks.
    #[default]
    Lowest,
    /// The most important: what accuracy-drop curves remove.
    Highest,
}

impl End {
    /// Turns an order key so that the selected end is the low one.
    #[inline]
    pub(crate) fn turn(self, key: u32) -> u32 {
        match self {
            Self::Lowest => key,
            Self::Highest => !key,
        }
    }
}

/// An index that a caller stores: `u16` for small memories, `u32` otherwise.
pub trait Index: Copy + sealed::Sealed {
    /// The largest number of groups this type can number.
    const MAX_GROUPS: usize;
    /// Converts an index below [`Index::MAX_GROUPS`].
    fn from_usize(index: usize) -> Self;
    /// Converts back.
    fn to_usize(self) -> usize;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

impl Index for u16 {
    const MAX_GROUPS: usize = 1 << 16;
    #[inline]
    fn from_usize(index: usize) -> Self {
        index as Self
    }
    #[inline]
    fn to_usize(self) -> usize {
        usize::from(self)
    }
}

impl Index for u32 {
    const MAX_GROUPS: usize = u32::MAX as usize;
    #[inline]
    fn from_usize(index: usize) -> Self {
        index as Self
    }
    #[inline]
    fn to_usize(self) -> usize {
        self as usize
    }
}

/// A selection of k groups: all below a threshold, and the first few of those that equal it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Turned order key of the last selected group.
    pub(crate) key: u32,
    /// How many groups with exactly this key are selected.
    pub(crate) ties: usize,
    /// Groups selected in all.
    pub(crate) selected: usize,
    pub(crate) end: End,
}

impl Threshold {
    const fn nothing(end: End) -> Self {
        Self {
            key: 0,
            ties: 0,
            selected: 0,
            end,
        }
    }

    /// The number of selected groups.
    pub const fn selected(&self) -> usize {
        self.selected
    }

    /// Writes the selected indices, ascending, and returns the part of `indices` that was used.
    ///
    /// `importance` must be the slice that was selected from. Cost O(n).
    ///
    /// # Errors
    /// [`Error::IndexType`] when `I` cannot number the groups, [`Error::Length`] when `indices`
    /// has fewer than [`Threshold::selected`] places; nothing is written then.
    pub fn indices<'i, I: Index>(
        &self,
        importance: &[f32],
        indices: &'i mut [I],
    ) -> Result<&'i [I], Error> {
        check_index_type::<I>(importance.len())?;
        let selected = self.selected;
        if indices.len() < selected {
            return Err(Error::Length {
                argument: "indices",
                expected: selected,
                found: indices.len(),
            });
        }
        let keys = importance.iter().map(|&value| order_key(value));
        let used = write_indices(self, keys.enumerate(), indices);
        Ok(indices.get(..used).unwrap_or(&[]))
    }
}

/// The set of `k` groups as a [`Threshold`], without scratch and in little code: the threshold's
/// key is found four bits at a time.
///
/// Cost: 8 passes over `importance`, whatever the values. 64 bytes of stack.
///
/// # Errors
/// [`Error::Empty`] for no importance, [`Error::TooMany`] for `k > n`, [`Error::NonFinite`].
///
/// ```
/// use sgt_core::{End, select_small};
/// let importance = [0.3, -1.0, 0.3, 0.9];
/// let lowest = select_small(&importance, 2, End::Lowest)?;
/// let mut indices = [0_u16; 2];
/// assert_eq!(lowest.indices(&importance, &mut indices)?, [0, 1]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn select_small(importance: &[f32], k: usize, end: End) -> Result<Threshold, Error> {
    check_selection(importance, k)?;
    let turned = |index: usize| {
        let value = importance.get(index).copied().unwrap_or(0.0);
        end.turn(order_key(value))
    };
    Ok(threshold_small(importance.len(), k, end, turned))
}

/// Scratch that [`select_fast`] needs: one `u32` a group.
pub const fn select_fast_len(groups: usize) -> usize {
    groups
}

/// The same set as [`select_small`], in linear time: keys are narrowed by two pivots taken from a
/// small sample (Floyd and Rivest, "Expected time bounds for selection", 1975); an adversarial
/// order falls back to the digit search, so the worst case stays O(n).
///
/// # Errors
/// As [`select_small`], and [`Error::Length`] when `scratch` is shorter than
/// [`select_fast_len`].
///
/// ```
/// use sgt_core::{End, select_fast, select_small};
/// let importance = [0.3, -1.0, 0.3, 0.9];
/// let mut scratch = [0; 4];
/// let fast = select_fast(&importance, 2, End::Highest, &mut scratch)?;
/// assert_eq!(fast, select_small(&importance, 2, End::Highest)?);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn select_fast(
    importance: &[f32],
    k: usize,
    end: End,
    scratch: &mut [u32],
) -> Result<Threshold, Error> {
    check_selection(importance, k)?;
    let groups = importance.len();
    let found = scratch.len();
    let Some(keys) = scratch.get_mut(..select_fast_len(groups)) else {
        return Err(Error::Length {
            argument: "scratch",
            expected: select_fast_len(groups),
            found,
        });
    };
    for (key, &value) in keys.iter_mut().zip(importance) {
        *key = end.turn(order_key(value));
    }
    Ok(threshold_fast(keys, k, end))
}

pub(crate) fn check_selection(importance: &[f32], k: usize) -> Result<(), Error> {
    if importance.is_empty() {
        return Err(Error::Empty {
            argument: "importance",
        });
    }
    check_count(k, importance.len())?;
    math::check_finite("importance", importance)
}

pub(crate) fn check_count(selected: usize, groups: usize) -> Result<(), Error> {
    if selected > groups {
        Err(Error::TooMany { selected, groups })
    } else {
        Ok(())
    }
}

pub(crate) fn check_index_type<I: Index>(groups: usize) -> Result<(), Error> {
    if groups > I::MAX_GROUPS {
        Err(Error::IndexType { groups })
    } else {
        Ok(())
    }
}

/// Appends the selected of `keys` (index, key) to `indices` and returns how many were written.
#[inline]
pub(crate) fn write_indices<I: Index>(
    threshold: &Threshold,
    keys: impl Iterator<Item = (usize, u32)>,
    indices: &mut [I],
) -> usize {
    let mut ties = threshold.ties;
    let mut used = 0;
    for (index, key) in keys {
        let key = threshold.end.turn(key);
        let tied = key == threshold.key && ties != 0;
        ties -= usize::from(tied);
        let take = tied || key < threshold.key;
        // Written before it is known to be wanted: no branch depends on the data.
        if let Some(slot) = indices.get_mut(used) {
            *slot = I::from_usize(index);
        }
        used += usize::from(take);
    }
    used
}

/// `turned(0 .. groups)` must give finite values' keys; `k <= groups`.
pub(crate) fn threshold_small(
    groups: usize,
    k: usize,
    end: End,
    turned: impl Fn(usize) -> u32,
) -> Threshold {
    const DIGIT_BITS: u32 = 4;
    const DIGITS: usize = 1 << DIGIT_BITS;
    if k == 0 {
        return Threshold::nothing(end);
    }
    // Invariant: the sought key starts with `prefix`, and is the `rank`-th (from 1) of those
    // that do.
    let mut rank = k;
    let mut prefix = 0_u32;
    let mut shift = u32::BITS;
    while shift > 0 {
        let above = shift;
        shift -= DIGIT_BITS;
        let mut counts = [0_usize; DIGITS];
        for group in 0..groups {
            let key = turned(group);
            // Two shifts, because a shift by the full width is not defined.
            if ((key ^ prefix) >> (above - 1)) >> 1 == 0 {
                let digit = (key >> shift) as usize % DIGITS;
                if let Some(count) = counts.get_mut(digit) {
                    *count += 1;
                }
            }
        }
        let mut digit = 0;
        for &count in &counts {
            if rank <= count {
                break;
            }
            rank -= count;
            digit += 1;
        }
        prefix |= digit << shift;
    }
    Threshold {
        key: prefix,
        ties: rank,
        selected: k,
        end,
    }
}

/// Reorders `keys`; `k <= keys.len()`.
pub(crate) fn threshold_fast(keys: &mut [u32], k: usize, end: End) -> Threshold {
    if k == 0 {
        return Threshold::nothing(end);
    }
    let groups = keys.len();
    if k == groups {
        let key = keys.iter().copied().max().unwrap_or(0);
        let ties = keys.iter().filter(|&&other| other == key).count();
        return Threshold {
            key,
            ties,
            selected: k,
            end,
        };
    }
    let (key, below) = kth_smallest(keys, k - 1);
    Threshold {
        key,
        ties: k - below,
        selected: k,
        end,
    }
}

/// Below this many keys, counting every pair is cheaper than another narrowing.
const DIRECT: usize = 32;
/// Keys looked at to choose the two pivots.
const SAMPLE: usize = 32;
/// How far from the expected rank, in sample ranks, the pivots are taken: about 1.4 standard
/// deviations at the median.
const MARGIN: usize = 4;
/// Narrowings before the order counts as adversarial.
const NARROWINGS: usize = 12;

/// The key of 0-based `rank`, and how many keys are below it. `rank < keys.len()`.
fn kth_smallest(keys: &mut [u32], rank: usize) -> (u32, usize) {
    let mut length = keys.len();
    // Keys known to be below all that remain.
    let mut below = 0;
    for _ in 0..NARROWINGS {
        let Some(rest) = keys.get_mut(..length) else {
            break;
        };
        let local = rank - below;
        if length <= DIRECT {
            let (key, less) = kth_by_counting(rest, local);
            return (key, below + less);
        }
        let (low, high) = pivots(rest, local);
        let (mut less, mut up_to) = (0_u32, 0_u32);
        for &key in rest.iter() {
            less += u32::from(key < low);
            up_to += u32::from(key <= high);
        }
        let (less, up_to) = (less as usize, up_to as usize);
        if local < less {
            length = keep(rest, |key| key < low);
        } else if local >= up_to {
            length = keep(rest, |key| key > high);
            below += up_to;
        } else if low == high {
            return (low, below + less);
        } else {
            length = keep(rest, |key| low <= key && key <= high);
            below += less;
        }
    }
    let rest = keys.get(..length).unwrap_or(&[]);
    let key_at = |index: usize| rest.get(index).copied().unwrap_or(0);
    let local = rank - below;
    let threshold = threshold_small(rest.len(), local + 1, End::Lowest, key_at);
    (threshold.key, below + local + 1 - threshold.ties)
}

/// Moves the wanted keys to the front, in order, and returns their number.
fn keep(keys: &mut [u32], wanted: impl Fn(u32) -> bool) -> usize {
    let cells = core::cell::Cell::from_mut(keys).as_slice_of_cells();
    let mut kept = 0;
    for cell in cells {
        let key = cell.get();
        if let Some(slot) = cells.get(kept) {
            slot.set(key);
        }
        kept += usize::from(wanted(key));
    }
    kept
}

/// Two keys of `keys` between which the key of `rank` probably lies.
fn pivots(keys: &[u32], rank: usize) -> (u32, u32) {
    let mut sample = [0_u32; SAMPLE];
    let stride = keys.len() / SAMPLE;
    for (slot, &key) in sample.iter_mut().zip(keys.iter().step_by(stride.max(1))) {
        *slot = key;
    }
    // rank < keys.len(), so the quotient is below SAMPLE.
    let centre = (rank as u64 * SAMPLE as u64 / (keys.len() as u64).max(1)) as usize;
    let low = kth_by_counting(&sample, centre.saturating_sub(MARGIN)).0;
    let high = kth_by_counting(&sample, (centre + MARGIN).min(SAMPLE - 1)).0;
    (low, high)
}

/// The key of 0-based `rank` and the number of keys below it, by comparing every pair.
fn kth_by_counting(keys: &[u32], rank: usize) -> (u32, usize) {
    let mut found = (0, 0);
    for &key in keys {
        let (mut less, mut up_to) = (0_u32, 0_u32);
        for &other in keys {
            less += u32::from(other < key);
            up_to += u32::from(other <= key);
        }
        if less as usize <= rank && rank < up_to as usize {
            found = (key, less as usize);
        }
    }
    found
}
