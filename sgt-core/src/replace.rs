//! What is put in the place of masked features.

use crate::layout::{Group, Layout};
use crate::mask::{bit_words, marked};
use crate::rank::all_finite;
use crate::rng::{Random, RandomField};
use crate::select::{Index, Threshold};
use crate::{Error, math};

/// The replacement policy: what a masked feature becomes.
///
/// Statistics are those of the sample's own channel over its valid positions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case", deny_unknown_fields)
)]
pub enum Policy {
    /// Uniform in the channel's `[min, max]`: the published choice for images and series.
    #[default]
    Uniform,
    /// Zero.
    Zero,
    /// A constant.
    Constant(f32),
    /// The channel's mean.
    Mean,
    /// Normal with this mean and standard deviation, whatever the sample.
    Gaussian {
        /// Mean.
        mean: f32,
        /// Standard deviation, not negative.
        std: f32,
    },
    /// The channel's value at the first valid position: an image's corner pixel.
    Background,
    /// The value of the same feature in another sample of the batch, drawn anew for each group.
    Permute,
    /// The nearest previous position that is kept, or the first kept one when there is none: the
    /// published choice for text. Groups must be positions.
    PreviousSalient,
}

/// The batch that [`Policy::Permute`] draws from.
#[derive(Clone, Copy, Debug)]
pub struct Donors<'b> {
    /// Whole samples of the layout, one after the other.
    pub batch: &'b [f32],
    /// The place of the masked sample in `batch`, which is never drawn.
    pub own: usize,
}

/// Copies `sample` to `out` with the groups listed in `indices` replaced.
///
/// Every other value, padding included, keeps its bits. `indices` must be strictly ascending for
/// [`Policy::PreviousSalient`]; the other policies take any order. Random policies draw 64 bits
/// from `rng`, once; a replaced value is a function of these and its offset. `donors` is read by
/// [`Policy::Permute`] only. Cost O(sample + k · channels).
///
/// # Errors
/// [`Error::Length`] on a wrong length of `sample`, `out` or the donors' batch; [`Error::Range`]
/// for an index that is no group or a policy's parameter outside its domain; [`Error::NonFinite`]
/// when a policy with statistics meets NaN or an infinity in the sample; [`Error::Empty`] when
/// `permute` has no other sample; [`Error::TooMany`] when `previous-salient` has nothing kept;
/// [`Error::Unsupported`] for `previous-salient` over cells. `out` is untouched then.
///
/// Source: Ismail et al. 2021, algorithm 1, `M_k`; the released code's fills.
///
/// ```
/// use sgt_core::{Layout, Pcg32, Policy, replace_features};
/// let tokens = Layout::text(4, 2)?;
/// let sample = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
/// let mut out = [0.0; 8];
/// let mut rng = Pcg32::new(1, 1);
/// replace_features(&tokens, Policy::PreviousSalient, &[0_u16, 2], &sample, None, &mut rng, &mut out)?;
/// assert_eq!(out, [2.0, 2.5, 2.0, 2.5, 2.0, 2.5, 4.0, 4.5]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn replace_features<I: Index, R: Random>(
    layout: &Layout,
    policy: Policy,
    indices: &[I],
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    out: &mut [f32],
) -> Result<(), Error> {
    let groups = layout.groups();
    if indices.iter().any(|index| index.to_usize() >= groups) {
        return Err(Error::Range {
            argument: "indices",
        });
    }
    check_replacement(layout, policy, indices.len(), sample, donors, out)?;
    let selected = indices.iter().map(|index| index.to_usize());
    replace_checked(layout, policy, selected, sample, donors, rng, out);
    Ok(())
}

/// As [`replace_features`], with the mask as a bit set (see [`crate::mask`]).
///
/// # Errors
/// As [`replace_features`], and [`Error::Length`] when `words` is not [`bit_words`] long.
pub fn replace_features_by_bits<R: Random>(
    layout: &Layout,
    policy: Policy,
    words: &[u32],
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    out: &mut [f32],
) -> Result<(), Error> {
    let groups = layout.groups();
    math::check_length("words", bit_words(groups), words.len())?;
    if marked(words).last().is_some_and(|last| last >= groups) {
        return Err(Error::Range { argument: "words" });
    }
    let selected = words.iter().map(|word| word.count_ones() as usize).sum();
    check_replacement(layout, policy, selected, sample, donors, out)?;
    replace_checked(layout, policy, marked(words), sample, donors, rng, out);
    Ok(())
}

#[inline(always)]
pub(crate) fn check_replacement(
    layout: &Layout,
    policy: Policy,
    selected: usize,
    sample: &[f32],
    donors: Option<Donors<'_>>,
    out: &[f32],
) -> Result<(), Error> {
    math::check_length("sample", layout.sample_len(), sample.len())?;
    math::check_length("out", layout.sample_len(), out.len())?;
    match policy {
        Policy::Zero | Policy::Background => Ok(()),
        Policy::Uniform | Policy::Mean => {
            if all_finite(sample) {
                Ok(())
            } else {
                math::check_finite("sample", sample)
            }
        }
        Policy::Constant(value) if math::is_finite(value) => Ok(()),
        Policy::Constant(_) => Err(Error::Range {
            argument: "constant",
        }),
        Policy::Gaussian { mean, std } => {
            if !math::is_finite(mean) {
                Err(Error::Range { argument: "mean" })
            } else if !math::is_finite(std) || std < 0.0 {
                Err(Error::Range { argument: "std" })
            } else {
                Ok(())
            }
        }
        Policy::Permute => {
            let Some(donors) = donors else {
                return Err(Error::Empty { argument: "donors" });
            };
            let samples = donors.batch.len() / layout.sample_len().max(1);
            math::check_length("donors", samples * layout.sample_len(), donors.batch.len())?;
            if samples < 2 {
                Err(Error::Empty { argument: "donors" })
            } else if donors.own >= samples {
                Err(Error::Range { argument: "donors" })
            } else {
                Ok(())
            }
        }
        Policy::PreviousSalient => {
            let groups = layout.groups();
            if layout.group() != Group::Position {
                Err(Error::Unsupported { argument: "policy" })
            } else if selected >= groups {
                Err(Error::TooMany {
                    selected,
                    groups: groups - 1,
                })
            } else {
                Ok(())
            }
        }
    }
}

/// Arguments are those that [`check_replacement`] let pass; every index is a group.
///
/// One loop serves every policy: a loop for each would take three times the flash.
pub(crate) fn replace_checked<R: Random>(
    layout: &Layout,
    policy: Policy,
    selected: impl Iterator<Item = usize> + Clone,
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    out: &mut [f32],
) {
    // Lengths are equal; a zip, unlike `copy_from_slice`, has no panic to link.
    for (to, &from) in out.iter_mut().zip(sample) {
        *to = from;
    }
    let field = match policy {
        Policy::PreviousSalient => {
            replace_by_previous(layout, selected, sample, out);
            return;
        }
        Policy::Uniform | Policy::Gaussian { .. } | Policy::Permute => RandomField::draw(rng),
        Policy::Zero | Policy::Constant(_) | Policy::Mean | Policy::Background => {
            RandomField::default()
        }
    };
    let length = layout.sample_len();
    let (batch, own) = donors.map_or((&[][..], 0), |donors| (donors.batch, donors.own));
    let others = (batch.len() / length.max(1)).saturating_sub(1);
    // Statistics are held for a block of channels at a time: no memory of the caller's is needed,
    // and samples of up to a block of channels take one pass over the mask.
    let channels = layout.channels();
    let mut first = 0;
    while first < channels {
        let block = first..channels.min(first.saturating_add(BLOCK));
        let mut fills = [Fill::Value(0.0); BLOCK];
        for (slot, channel) in fills.iter_mut().zip(block.clone()) {
            *slot = Fill::new(policy, layout, sample, channel);
        }
        for_each_value(
            layout,
            selected.clone(),
            &block,
            |group, channel, offset| {
                let fill = fills.get((channel - first) % BLOCK);
                let value = match fill.copied().unwrap_or(Fill::Value(0.0)) {
                    Fill::Value(value) => value,
                    Fill::Between(low, high) => uniform((low, high), field.unit_at(offset)),
                    Fill::Normal { mean, std } => mean + std * field.normal_at(offset),
                    Fill::Donor => {
                        let draw = field.below_at(group, others as u32) as usize;
                        let donor = draw + usize::from(draw >= own);
                        read(batch, donor * length + offset)
                    }
                };
                write(out, offset, value);
            },
        );
        first = block.end;
    }
}

/// Channels whose statistics are held at a time.
const BLOCK: usize = 16;

/// What the masked values of one channel become.
#[derive(Clone, Copy)]
enum Fill {
    Value(f32),
    Between(f32, f32),
    Normal { mean: f32, std: f32 },
    Donor,
}

impl Fill {
    fn new(policy: Policy, layout: &Layout, sample: &[f32], channel: usize) -> Self {
        match policy {
            Policy::Uniform => {
                let (low, high) = channel_range(layout, sample, channel);
                Self::Between(low, high)
            }
            Policy::Constant(value) => Self::Value(value),
            Policy::Mean => Self::Value(channel_mean(layout, sample, channel)),
            Policy::Gaussian { mean, std } => Self::Normal { mean, std },
            Policy::Background => Self::Value(read(sample, layout.offset(0, channel))),
            Policy::Permute => Self::Donor,
            Policy::Zero | Policy::PreviousSalient => Self::Value(0.0),
        }
    }
}

/// `share` of the way through the range: the weighted form cannot overflow, the clamp undoes its
/// rounding.
#[inline(always)]
fn uniform((low, high): (f32, f32), share: f32) -> f32 {
    let value = low * (1.0 - share) + high * share;
    math::min(math::max(value, low), high)
}

/// Whether [`replace_uniform_fast`] serves this layout and selection.
#[inline(always)]
pub(crate) fn uniform_is_fast(threshold: &Threshold, keys: &[u32], layout: &Layout) -> bool {
    if layout.contiguous_cells().is_none() {
        return false;
    }
    // Where channels alternate, they are taken in blocks and not in the groups' order: a tie that
    // isn't selected could not be told from one that is.
    one_channel_after_another(layout) || count_tied(threshold, keys) == threshold.ties as u32
}

/// Whether the groups' order is that of whole channels.
#[inline(always)]
fn one_channel_after_another(layout: &Layout) -> bool {
    layout.channels() == 1 || layout.position_stride() == 1
}

/// How many of `keys`, as turned for `threshold`, are its key.
#[inline(always)]
fn count_tied(threshold: &Threshold, keys: &[u32]) -> u32 {
    let mut tied = 0;
    for &key in keys {
        tied += u32::from(key.cast_signed() == threshold.key);
    }
    tied
}

/// [`replace_checked`] with the uniform policy for cells without gaps whose groups are `keys`, as
/// turned for `threshold`: loops without branches on the data. [`uniform_is_fast`] must hold.
#[inline(always)]
pub(crate) fn replace_uniform_fast<R: Random>(
    threshold: &Threshold,
    keys: &[u32],
    layout: &Layout,
    sample: &[f32],
    rng: &mut R,
    out: &mut [f32],
) {
    let field = RandomField::draw(rng);
    for (to, &from) in out.iter_mut().zip(sample) {
        *to = from;
    }
    let place = layout.offset(0, 0);
    let outs = out.get_mut(place..).unwrap_or(&mut []);
    if one_channel_after_another(layout) {
        let mut ties = threshold.ties as u32;
        let (mut keys, mut outs, mut place) = (keys, outs, place);
        for channel in 0..layout.channels() {
            let cells = layout.valid();
            let Some((keys_here, keys_after)) = keys.split_at_checked(cells) else {
                break;
            };
            let Some((outs_here, outs_after)) = outs.split_at_mut_checked(cells) else {
                break;
            };
            let range = channel_range(layout, sample, channel);
            let cells = Cells {
                threshold,
                field,
                keys: keys_here,
                place,
            };
            replace_in_channel(&cells, range, &mut ties, outs_here);
            (keys, outs, place) = (keys_after, outs_after, place + layout.valid());
        }
    } else {
        let cells = Cells {
            threshold,
            field,
            keys,
            place,
        };
        replace_in_rows(&cells, layout, sample, outs);
    }
}

/// Cells in a row: their keys, and the offset of the first in the sample.
struct Cells<'a> {
    threshold: &'a Threshold,
    field: RandomField,
    keys: &'a [u32],
    place: usize,
}

/// The cells of one channel of this range, of whose ties the first `ties` are selected.
#[inline(always)]
fn replace_in_channel(cells: &Cells<'_>, range: (f32, f32), ties: &mut u32, outs: &mut [f32]) {
    const LANES: usize = 64;
    let Cells {
        threshold, field, ..
    } = *cells;
    let mut place = cells.place;
    let (mut keys_left, mut outs_left) = (cells.keys, outs);
    // Split by hand: `chunks` divides by its length in a function that may not be inlined, which
    // then links the panic of a division by zero.
    while !keys_left.is_empty() {
        let length = LANES.min(keys_left.len());
        let Some((keys, keys_rest)) = keys_left.split_at_checked(length) else {
            break;
        };
        let Some((outs, outs_rest)) = core::mem::take(&mut outs_left).split_at_mut_checked(length)
        else {
            break;
        };
        (keys_left, outs_left) = (keys_rest, outs_rest);
        let equal = count_tied(threshold, keys);
        if equal <= *ties {
            for (lane, (&key, out)) in keys.iter().zip(outs).enumerate() {
                let value = uniform(range, field.unit_at(place + lane));
                *out = if key.cast_signed() <= threshold.key {
                    value
                } else {
                    *out
                };
            }
            *ties -= equal;
        } else {
            // The last selected tie lies in this block or before it.
            for (lane, (&key, out)) in keys.iter().zip(outs).enumerate() {
                let tied = key.cast_signed() == threshold.key && *ties != 0;
                *ties -= u32::from(tied);
                if tied || key.cast_signed() < threshold.key {
                    *out = uniform(range, field.unit_at(place + lane));
                }
            }
        }
        place += LANES;
    }
}

/// Cells whose channels alternate; every tie is selected.
#[inline(always)]
fn replace_in_rows(cells: &Cells<'_>, layout: &Layout, sample: &[f32], outs: &mut [f32]) {
    // Ranges are held for so many channels at a time.
    const CHANNELS: usize = 32;
    let Cells {
        threshold, field, ..
    } = *cells;
    let channels = layout.channels();
    let mut first = 0;
    while first < channels {
        let held = CHANNELS.min(channels - first);
        let (mut low, mut high) = ([f32::INFINITY; CHANNELS], [f32::NEG_INFINITY; CHANNELS]);
        let mut offset = cells.place + first;
        for _ in 0..layout.valid() {
            let values = sample.get(offset..offset + held).unwrap_or(&[]);
            for ((low, high), &value) in low.iter_mut().zip(&mut high).zip(values) {
                *low = math::min(*low, value);
                *high = math::max(*high, value);
            }
            offset += channels;
        }
        let mut start = first;
        for _ in 0..layout.valid() {
            let keys = cells.keys.get(start..start + held).unwrap_or(&[]);
            let outs = outs.get_mut(start..start + held).unwrap_or(&mut []);
            let ranges = low.iter().zip(&high);
            for (lane, ((&key, out), (&low, &high))) in
                keys.iter().zip(outs).zip(ranges).enumerate()
            {
                let share = field.unit_at(cells.place + start + lane);
                let value = uniform((low, high), share);
                *out = if key.cast_signed() <= threshold.key {
                    value
                } else {
                    *out
                };
            }
            start += channels;
        }
        first += CHANNELS;
    }
}

/// Positions before the first kept one take the first kept one's values.
fn replace_by_previous(
    layout: &Layout,
    selected: impl Iterator<Item = usize> + Clone,
    sample: &[f32],
    out: &mut [f32],
) {
    let mut kept = 0;
    for masked in selected.clone() {
        if masked != kept {
            break;
        }
        kept += 1;
    }
    let mut previous_masked = None;
    for masked in selected {
        // The position just before is kept, unless it was the last masked one.
        if masked > 0 && previous_masked != Some(masked - 1) {
            kept = masked - 1;
        }
        previous_masked = Some(masked);
        for channel in 0..layout.channels() {
            let value = read(sample, layout.offset(kept, channel));
            write(out, layout.offset(masked, channel), value);
        }
    }
}

/// Calls `visit` with the group, channel and offset of every value of the groups that lies in
/// `channels`.
#[inline]
fn for_each_value(
    layout: &Layout,
    groups: impl Iterator<Item = usize>,
    channels: &core::ops::Range<usize>,
    mut visit: impl FnMut(usize, usize, usize),
) {
    // A single channel's cells need no division to be found.
    let start = match layout.channels() {
        1 => layout.contiguous_cells(),
        _ => None,
    };
    for group in groups {
        let (mut offset, visited) = match (start, layout.group()) {
            (Some(start), _) => (start + group, channels.clone()),
            (None, Group::Cell) => {
                let (position, channel) = layout.cell(group);
                if !channels.contains(&channel) {
                    continue;
                }
                (layout.offset(position, channel), channel..channel + 1)
            }
            (None, Group::Position) => (layout.offset(group, channels.start), channels.clone()),
        };
        for channel in visited {
            visit(group, channel, offset);
            offset += layout.channel_stride();
        }
    }
}

fn channel_values<'s>(
    layout: &Layout,
    sample: &'s [f32],
    channel: usize,
) -> impl Iterator<Item = f32> + 's {
    let stride = layout.position_stride();
    let values = sample.get(layout.offset(0, channel)..).unwrap_or(&[]);
    let values = values.iter().step_by(stride.max(1));
    values.take(layout.valid()).copied()
}

/// `(min, max)` of a channel.
#[inline(always)]
fn channel_range(layout: &Layout, sample: &[f32], channel: usize) -> (f32, f32) {
    const LANES: usize = 8;
    let start = layout.offset(0, channel);
    let mut low = [f32::INFINITY; LANES];
    let mut high = [f32::NEG_INFINITY; LANES];
    let mut widen = |lane: usize, value: f32| {
        if let (Some(low), Some(high)) = (low.get_mut(lane), high.get_mut(lane)) {
            *low = math::min(*low, value);
            *high = math::max(*high, value);
        }
    };
    if layout.position_stride() == 1 {
        // Independent lanes, because a minimum of floats is not reordered by the compiler.
        let values = sample.get(start..start + layout.valid()).unwrap_or(&[]);
        let blocks = values.chunks_exact(LANES);
        for &value in blocks.remainder() {
            widen(0, value);
        }
        for block in blocks {
            for (lane, &value) in block.iter().enumerate() {
                widen(lane, value);
            }
        }
    } else {
        for value in channel_values(layout, sample, channel) {
            widen(0, value);
        }
    }
    let lowest = low.iter().fold(f32::INFINITY, |a, &b| math::min(a, b));
    let highest = high.iter().fold(f32::NEG_INFINITY, |a, &b| math::max(a, b));
    (lowest, highest)
}

fn channel_mean(layout: &Layout, sample: &[f32], channel: usize) -> f32 {
    let count = layout.valid() as f32;
    let sum: f32 = channel_values(layout, sample, channel).sum();
    if math::is_finite(sum) {
        return sum / count;
    }
    // The values are finite, so only their sum has overflowed; their mean has not.
    let mut mean = 0.0;
    for value in channel_values(layout, sample, channel) {
        mean += value / count;
    }
    math::min(math::max(mean, f32::MIN), f32::MAX)
}

#[inline]
fn read(values: &[f32], offset: usize) -> f32 {
    values.get(offset).copied().unwrap_or(0.0)
}

#[inline]
fn write(values: &mut [f32], offset: usize, value: f32) {
    if let Some(slot) = values.get_mut(offset) {
        *slot = value;
    }
}
