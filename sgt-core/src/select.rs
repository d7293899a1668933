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
//! | [`select_fast`] | about 6 passes of several lanes, O(n) in the worst case | one `u32` a group | hosts |

use crate::rank::{from_order_key, order_key};
use crate::{Error, math};

/// Which end of the ranking is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
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
    pub(crate) fn turn(self, key: i32) -> i32 {
        match self {
            Self::Lowest => key,
            Self::Highest => !key,
        }
    }
}

/// An index that a caller stores: `u8` for up to 256 groups, `u16` for small memories, `u32`
/// otherwise.
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
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

impl Index for u8 {
    const MAX_GROUPS: usize = 1 << 8;
    #[inline]
    fn from_usize(index: usize) -> Self {
        index as Self
    }
    #[inline]
    fn to_usize(self) -> usize {
        usize::from(self)
    }
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
    pub(crate) key: i32,
    /// How many groups with exactly this key are selected.
    pub(crate) ties: usize,
    /// Groups selected in all.
    pub(crate) selected: usize,
    pub(crate) end: End,
}

impl Threshold {
    const fn nothing(end: End) -> Self {
        Self {
            // No key is lower.
            key: i32::MIN,
            ties: 0,
            selected: 0,
            end,
        }
    }

    /// The number of selected groups.
    pub const fn selected(&self) -> usize {
        self.selected
    }

    /// The numbers of the selected among `keys` (as turned for this threshold), ascending.
    #[inline]
    pub(crate) fn among_turned<'k>(
        &self,
        keys: impl Iterator<Item = i32> + Clone + 'k,
    ) -> impl Iterator<Item = usize> + Clone + 'k {
        let limit = self.key;
        let mut ties = self.ties;
        keys.enumerate().filter_map(move |(index, key)| {
            let tied = key == limit && ties != 0;
            ties -= usize::from(tied);
            (tied || key < limit).then_some(index)
        })
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
        let found = indices.len();
        let Some(indices) = indices.get_mut(..selected) else {
            return Err(Error::Length {
                argument: "indices",
                expected: selected,
                found,
            });
        };
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

/// The same set as [`select_small`], in linear time: a sample brackets the threshold (Floyd and
/// Rivest, "Expected time bounds for selection", 1975), then interpolation between counts finds
/// it. Nothing moves: every pass counts, without a branch on the data, several lanes at a time.
///
/// Cost: about 6 such passes on smooth data; at most 96, so O(n) whatever the data.
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
        *key = end.turn(order_key(value)).cast_unsigned();
    }
    Ok(threshold_fast(keys, k, end))
}

fn check_selection(importance: &[f32], k: usize) -> Result<(), Error> {
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
    keys: impl Iterator<Item = (usize, i32)>,
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
    turned: impl Fn(usize) -> i32,
) -> Threshold {
    const DIGIT_BITS: u32 = 4;
    const DIGITS: usize = 1 << DIGIT_BITS;
    const SIGN: u32 = 1 << (u32::BITS - 1);
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
            let key = turned(group).cast_unsigned() ^ SIGN;
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
        key: (prefix ^ SIGN).cast_signed(),
        ties: rank,
        selected: k,
        end,
    }
}

/// Keys are bits of [`order_key`]s, turned so that the selected end is the low one.
/// `k <= keys.len()`.
#[inline(always)]
pub(crate) fn threshold_fast(keys: &[u32], k: usize, end: End) -> Threshold {
    if k == 0 {
        return Threshold::nothing(end);
    }
    let (key, ties) = kth_smallest(keys, k);
    Threshold {
        key,
        ties,
        selected: k,
        end,
    }
}

/// Keys looked at to choose the first bracket.
const SAMPLE: usize = 16;
/// How far from the expected rank, in sample ranks, the bracket reaches: 1.5 standard deviations
/// at the median.
const MARGIN: usize = 3;

/// The `rank`-th smallest key (from 1), and how many of its equals are among the `rank` smallest.
/// `0 < rank <= keys.len()`.
///
/// Keeps a bracket of keys with the counts at its ends and counts at a point between, chosen by
/// linear interpolation of the counts. Every third point is the middle of the bracket's keys,
/// which bounds the passes by three times the bits of a key whatever the data. Ends as soon as a
/// point separates exactly `rank` keys.
#[inline(always)]
fn kth_smallest(keys: &[u32], rank: usize) -> (i32, usize) {
    const HALVING: u32 = 3;
    // Invariant: count(key < low) = below < rank <= up_to = count(key <= high).
    let (mut low, mut high) = (i32::MIN, i32::MAX);
    let (mut below, mut up_to) = (0, keys.len());
    let (left, right) = pivots(keys, rank);
    let (left_count, right_count) = count_pair(keys, left, right);
    if rank <= left_count {
        (high, up_to) = (left, left_count);
    } else if left < i32::MAX {
        (low, below) = (left + 1, left_count);
    }
    if rank > right_count {
        (low, below) = (right.saturating_add(1), right_count);
    } else if right_count < up_to {
        (high, up_to) = (right, right_count);
    }
    let mut pass = 0;
    while low < high && up_to != rank {
        pass += 1;
        // Rounded down, so that `half < high`.
        let half = ((i64::from(low) + i64::from(high)) >> 1) as i32;
        let point = if pass % HALVING == 0 {
            half
        } else {
            let share = (rank - below) as f32 / (up_to - below) as f32;
            interpolate(low, high, share).unwrap_or(half)
        };
        let count = count_up_to(keys, point);
        if count < rank {
            (low, below) = (point + 1, count);
        } else {
            (high, up_to) = (point, count);
        }
    }
    if low < high {
        // Exactly `rank` keys up to `high`: the rank-th is the largest of them.
        high = largest_up_to(keys, high);
    }
    let (less, _) = count_pair(keys, high.saturating_sub(1), high);
    (high, rank - less)
}

/// A key in `low .. high` about `share` of the way between their floats.
#[inline(always)]
fn interpolate(low: i32, high: i32, share: f32) -> Option<i32> {
    // Weighted rather than by the difference, which may not be finite. The ends of the whole
    // range are no floats: NaN compares false and leaves the choice to the caller.
    let value = from_order_key(low) * (1.0 - share) + from_order_key(high) * share;
    let key = order_key(value);
    (low <= key && key < high && math::is_finite(value)).then_some(key)
}

#[inline(always)]
fn count_up_to(keys: &[u32], limit: i32) -> usize {
    let mut count = 0_u32;
    for &key in keys {
        count += u32::from(key.cast_signed() <= limit);
    }
    count as usize
}

/// How many keys are up to `low`, and how many up to `high`.
#[inline(always)]
fn count_pair(keys: &[u32], low: i32, high: i32) -> (usize, usize) {
    let (mut up_to_low, mut up_to_high) = (0_u32, 0_u32);
    for &key in keys {
        up_to_low += u32::from(key.cast_signed() <= low);
        up_to_high += u32::from(key.cast_signed() <= high);
    }
    (up_to_low as usize, up_to_high as usize)
}

#[inline(always)]
fn largest_up_to(keys: &[u32], limit: i32) -> i32 {
    let mut largest = i32::MIN;
    for &key in keys {
        let key = key.cast_signed();
        let candidate = if key <= limit { key } else { i32::MIN };
        largest = if candidate > largest {
            candidate
        } else {
            largest
        };
    }
    largest
}

/// Two keys of `keys`, in order, between which the key of `rank` (from 1) probably lies.
#[inline(always)]
fn pivots(keys: &[u32], rank: usize) -> (i32, i32) {
    let mut sample = [0_i32; SAMPLE];
    let stride = (keys.len() / SAMPLE).max(1);
    let mut position = 0;
    for slot in &mut sample {
        *slot = keys.get(position).map_or(i32::MAX, |key| key.cast_signed());
        position += stride;
    }
    // rank <= keys.len(), so the quotient is at most SAMPLE.
    let centre = (rank as u64 * SAMPLE as u64 / (keys.len() as u64).max(1)) as u32;
    let low_rank = centre.saturating_sub(MARGIN as u32);
    let high_rank = (centre + MARGIN as u32).min(SAMPLE as u32 - 1);
    // The key of a sorted rank is the largest with at most that many below it.
    let (mut low, mut high) = (i32::MIN, i32::MIN);
    for &key in &sample {
        let mut below = 0_u32;
        for &other in &sample {
            below += u32::from(other < key);
        }
        low = low.max(if below <= low_rank { key } else { i32::MIN });
        high = high.max(if below <= high_rank { key } else { i32::MIN });
    }
    (low, high)
}
