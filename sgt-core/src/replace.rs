//! What is put in the place of masked features.

use crate::layout::{Group, Layout};
use crate::mask::{bit_words, marked};
use crate::rank::all_finite;
use crate::rng::Random;
use crate::select::Index;
use crate::{Error, math};

/// The replacement policy: what a masked feature becomes.
///
/// Statistics are those of the sample's own channel over its valid positions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
/// Every other value, padding included, keeps its bits. `indices` must be ascending for
/// [`Policy::PreviousSalient`]; the other policies take any order, which is then the order of the
/// draws. `donors` is read by [`Policy::Permute`] only. Cost O(sample + k · channels).
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
    let all = 0..layout.channels();
    match policy {
        Policy::Zero => for_each_value(layout, selected, &all, |offset, _| {
            write(out, offset, 0.0);
        }),
        Policy::Constant(value) => for_each_value(layout, selected, &all, |offset, _| {
            write(out, offset, value);
        }),
        Policy::Gaussian { mean, std } => for_each_value(layout, selected, &all, |offset, _| {
            write(out, offset, mean + std * rng.standard_normal());
        }),
        Policy::Uniform => {
            let range = |channel| channel_range(layout, sample, channel);
            with_statistics(layout, &selected, range, |offset, &(low, high)| {
                let share = rng.unit();
                // The weighted form cannot overflow, the clamp undoes its rounding.
                let value = low * (1.0 - share) + high * share;
                write(out, offset, math::min(math::max(value, low), high));
            });
        }
        Policy::Mean => {
            let mean = |channel| channel_mean(layout, sample, channel);
            with_statistics(layout, &selected, mean, |offset, &mean| {
                write(out, offset, mean);
            });
        }
        Policy::Background => {
            let first = |channel| read(sample, layout.offset(0, channel));
            with_statistics(layout, &selected, first, |offset, &first| {
                write(out, offset, first);
            });
        }
        Policy::Permute => {
            let Some(donors) = donors else { return };
            let length = layout.sample_len();
            let others = donors.batch.len() / length.max(1) - 1;
            for group in selected {
                let draw = rng.below(others as u32) as usize;
                let donor = draw + usize::from(draw >= donors.own);
                for_each_value(layout, core::iter::once(group), &all, |offset, _| {
                    write(out, offset, read(donors.batch, donor * length + offset));
                });
            }
        }
        Policy::PreviousSalient => replace_by_previous(layout, selected, sample, out),
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

/// Calls `replace` with the offset and the channel's statistic of every selected value. Statistics
/// are held for a block of channels at a time: no memory of the caller's is needed, and samples of
/// up to a block of channels take one pass over the mask.
fn with_statistics<S: Copy + Default>(
    layout: &Layout,
    selected: &(impl Iterator<Item = usize> + Clone),
    statistic: impl Fn(usize) -> S,
    mut replace: impl FnMut(usize, &S),
) {
    const BLOCK: usize = 16;
    let channels = layout.channels();
    let mut first = 0;
    while first < channels {
        let block = first..channels.min(first + BLOCK);
        let mut statistics = [S::default(); BLOCK];
        for (slot, channel) in statistics.iter_mut().zip(block.clone()) {
            *slot = statistic(channel);
        }
        for_each_value(layout, selected.clone(), &block, |offset, channel| {
            if let Some(statistic) = statistics.get(channel - first) {
                replace(offset, statistic);
            }
        });
        first = block.end;
    }
}

/// Calls `visit` with the offset and channel of every value of the groups that lies in `channels`.
#[inline]
fn for_each_value(
    layout: &Layout,
    groups: impl Iterator<Item = usize>,
    channels: &core::ops::Range<usize>,
    mut visit: impl FnMut(usize, usize),
) {
    match (layout.group(), layout.contiguous_cells()) {
        (_, Some(start)) if layout.channels() == 1 => {
            for group in groups {
                visit(start + group, 0);
            }
        }
        (Group::Cell, _) => {
            for group in groups {
                let (position, channel) = layout.cell(group);
                if channels.contains(&channel) {
                    visit(layout.offset(position, channel), channel);
                }
            }
        }
        (Group::Position, _) => {
            for group in groups {
                let mut offset = layout.offset(group, channels.start);
                for channel in channels.clone() {
                    visit(offset, channel);
                    offset += layout.channel_stride();
                }
            }
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
    let sum: f32 = channel_values(layout, sample, channel).sum();
    sum / layout.valid() as f32
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
