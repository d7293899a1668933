//! Rank, select and replace in one call: `x̃ = M_k(x)`.

use crate::layout::{Group, Layout, Order};
use crate::mask::{bit_words, set_bit};
use crate::rank::{Importance, Ranking};
use crate::replace::{
    Donors, Policy, check_replacement, replace_checked, replace_uniform_fast, uniform_is_fast,
};
use crate::rng::Random;
use crate::select::{
    End, Index, Threshold, check_index_type, threshold_fast, threshold_small, write_indices,
};
use crate::{Error, math};

/// Where groups compete for being masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Scope {
    /// All groups of the sample: the published method.
    #[default]
    Sample,
    /// The cells of each time step among themselves: every step loses the same share, whatever
    /// the gradient's decay along the sequence. Groups must be cells.
    PerStep,
}

/// Everything that decides how a sample is masked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Masking {
    /// The sample's shape and groups.
    pub layout: Layout,
    /// What of the gradient ranks a group.
    pub importance: Importance,
    /// Where groups compete.
    pub scope: Scope,
    /// Which end of the ranking is replaced: the lowest in training, the highest in ablations.
    pub end: End,
    /// The share of groups to replace, in `[0, 1]`; see [`masked_count`].
    pub fraction: f32,
    /// What they become.
    pub policy: Policy,
}

impl Masking {
    /// The published method: signed ranking of the whole sample, half of the groups, uniform.
    pub const fn reference(layout: Layout) -> Self {
        Self {
            layout,
            importance: Importance::Signed,
            scope: Scope::Sample,
            end: End::Lowest,
            fraction: 0.5,
            policy: Policy::Uniform,
        }
    }

    /// The groups that one call replaces: `floor(fraction · groups)`, or in scope `per-step`
    /// `steps · floor(fraction · channels)`.
    ///
    /// # Errors
    /// [`Error::Range`] for a fraction outside `[0, 1]`, [`Error::Unsupported`] for `per-step`
    /// over positions.
    pub const fn selected(&self) -> Result<usize, Error> {
        let (competing, times) = match (self.scope, self.layout.group()) {
            (Scope::Sample, _) => (self.layout.groups(), 1),
            (Scope::PerStep, Group::Cell) => (self.layout.channels(), self.layout.valid()),
            (Scope::PerStep, Group::Position) => {
                return Err(Error::Unsupported { argument: "scope" });
            }
        };
        match masked_count(self.fraction, competing) {
            Ok(each) => Ok(each * times),
            Err(error) => Err(error),
        }
    }
}

/// `floor(fraction · groups)`, where a product within `f32`'s rounding of a whole number counts as
/// that number: 0.7 of 10 is 7, 0.21 of 300 is 63.
///
/// # Errors
/// [`Error::Range`] for a fraction that is NaN or outside `[0, 1]`.
pub const fn masked_count(fraction: f32, groups: usize) -> Result<usize, Error> {
    if fraction >= 0.0 && fraction <= 1.0 {
        // The next number up: a decimal's binary rounding must not cost a whole group.
        let product = f32::from_bits((fraction * groups as f32).to_bits() + 1);
        let count = product as usize;
        Ok(if count < groups { count } else { groups })
    } else {
        Err(Error::Range {
            argument: "fraction",
        })
    }
}

/// Indices that [`mask_sample_small`] needs room for: [`Masking::selected`], or every group when
/// that is an error. With `u16` indices at most 2 bytes a feature; there is no other scratch.
pub const fn mask_sample_small_len(masking: &Masking) -> usize {
    match masking.selected() {
        Ok(selected) => selected,
        Err(_) => masking.layout.groups(),
    }
}

/// Scratch that [`mask_sample`] needs: one `u32` a group, 4 bytes a feature.
pub const fn mask_sample_len(masking: &Masking) -> usize {
    masking.layout.groups()
}

/// The groups that [`mask_sample`] replaced. Held as a threshold over the keys in the caller's
/// scratch: listing them costs only when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'s> {
    keys: &'s [u32],
    threshold: Threshold,
}

impl<'s> Selected<'s> {
    /// The number of groups.
    pub const fn count(&self) -> usize {
        self.threshold.selected()
    }

    /// Their numbers, ascending. Cost O(n) for the whole iteration.
    pub fn iter(&self) -> impl Iterator<Item = usize> + Clone + 's {
        let keys = self.keys.iter().map(|key| key.cast_signed());
        self.threshold.among_turned(keys)
    }

    /// Writes their numbers, ascending, and returns the part of `indices` that was used.
    ///
    /// # Errors
    /// [`Error::IndexType`] when `I` cannot number the groups, [`Error::Length`] when `indices` is
    /// too short; nothing is written then.
    pub fn indices<'i, I: Index>(&self, indices: &'i mut [I]) -> Result<&'i [I], Error> {
        check_index_type::<I>(self.keys.len())?;
        let found = indices.len();
        let Some(used) = indices.get_mut(..self.count()) else {
            return Err(Error::Length {
                argument: "indices",
                expected: self.count(),
                found,
            });
        };
        for (slot, group) in used.iter_mut().zip(self.iter()) {
            *slot = I::from_usize(group);
        }
        Ok(used)
    }

    /// Marks them in a bit set of [`crate::mask::bit_words`] words; the others are cleared.
    ///
    /// # Errors
    /// [`Error::Length`] for another number of words; `words` is untouched then.
    pub fn bits(&self, words: &mut [u32]) -> Result<(), Error> {
        math::check_length("words", bit_words(self.keys.len()), words.len())?;
        words.fill(0);
        for group in self.iter() {
            set_bit(words, group);
        }
        Ok(())
    }
}

/// Ranks the groups of one sample by `gradient`, copies the sample to `out` with the selected
/// groups replaced, and returns which they are.
///
/// `gradient`, `sample` and `out` have the layout's sample length. `donors` is read by
/// [`Policy::Permute`] only. This is the fast implementation; [`mask_sample_small`] gives the same
/// result with less code and memory. Cost O(sample).
///
/// # Errors
/// [`Error::Length`], [`Error::NonFinite`] for a NaN or infinite importance, [`Error::Range`] for
/// a fraction outside `[0, 1]`, and those of [`crate::replace_features`]. `out` is untouched then;
/// `scratch` is not.
///
/// Source: Ismail et al. 2021, algorithm 1.
///
/// ```
/// use sgt_core::{Layout, Masking, Pcg32, Policy, mask_sample, mask_sample_len};
/// let masking = Masking { policy: Policy::Zero, ..Masking::reference(Layout::flat(4)?) };
/// let gradient = [0.1, -0.3, 0.2, -0.1];
/// let sample = [1.0, 2.0, 3.0, 4.0];
/// let (mut scratch, mut masked) = ([0; 4], [0.0; 4]);
/// assert_eq!(mask_sample_len(&masking), 4);
/// let mut rng = Pcg32::new(7, 0);
/// let replaced =
///     mask_sample(&masking, &gradient, &sample, None, &mut rng, &mut scratch, &mut masked)?;
/// let mut indices = [0_u16; 2];
/// assert_eq!(replaced.indices(&mut indices)?, [1, 3]);
/// assert_eq!(masked, [1.0, 0.0, 3.0, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
// Inlined so that a caller compiled for a wider vector unit gets these loops in its width.
#[inline(always)]
pub fn mask_sample<'s, R: Random>(
    masking: &Masking,
    gradient: &[f32],
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    scratch: &'s mut [u32],
    out: &mut [f32],
) -> Result<Selected<'s>, Error> {
    let layout = &masking.layout;
    let selected = masking.selected()?;
    check_index_type::<u32>(layout.groups())?;
    let found = scratch.len();
    let Some(keys) = scratch.get_mut(..mask_sample_len(masking)) else {
        return Err(Error::Length {
            argument: "scratch",
            expected: mask_sample_len(masking),
            found,
        });
    };
    let ranking = Ranking::new(layout, masking.importance, gradient)?;
    check_replacement(layout, masking.policy, selected, sample, donors, out)?;
    let threshold = match masking.scope {
        Scope::Sample => {
            write_keys(&ranking, masking.end, keys);
            threshold_fast(keys, selected, masking.end)
        }
        Scope::PerStep => mark_per_step(&ranking, masking, selected, keys),
    };
    let selected = Selected { keys, threshold };
    if masking.policy == Policy::Uniform && uniform_is_fast(&threshold, keys, layout) {
        replace_uniform_fast(&threshold, keys, layout, sample, rng, out);
    } else {
        let groups = selected.iter();
        replace_checked(layout, masking.policy, groups, sample, donors, rng, out);
    }
    Ok(selected)
}

/// [`mask_sample`] for small memories: same arguments, same masked sample, no scratch but the room
/// for the returned indices ([`mask_sample_small_len`]): ascending, in scope `per-step` step after
/// step.
///
/// Cost: 9 passes over the gradient.
///
/// # Errors
/// As [`mask_sample`], and [`Error::IndexType`] when `I` cannot number the groups.
///
/// ```
/// use sgt_core::{Layout, Masking, Pcg32, Policy, mask_sample_small};
/// let masking = Masking { policy: Policy::Zero, ..Masking::reference(Layout::flat(4)?) };
/// let (mut indices, mut masked) = ([0_u16; 2], [0.0; 4]);
/// let mut rng = Pcg32::new(7, 0);
/// let (gradient, sample) = ([0.1, -0.3, 0.2, -0.1], [1.0, 2.0, 3.0, 4.0]);
/// mask_sample_small(&masking, &gradient, &sample, None, &mut rng, &mut indices, &mut masked)?;
/// assert_eq!(masked, [1.0, 0.0, 3.0, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn mask_sample_small<'i, I: Index, R: Random>(
    masking: &Masking,
    gradient: &[f32],
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    indices: &'i mut [I],
    out: &mut [f32],
) -> Result<&'i [I], Error> {
    let layout = &masking.layout;
    let selected = masking.selected()?;
    check_index_type::<I>(layout.groups())?;
    let found = indices.len();
    let Some(indices) = indices.get_mut(..selected) else {
        return Err(Error::Length {
            argument: "indices",
            expected: selected,
            found,
        });
    };
    let ranking = Ranking::new(layout, masking.importance, gradient)?;
    check_replacement(layout, masking.policy, selected, sample, donors, out)?;
    select_groups_small(&ranking, masking, indices);
    let groups = indices.iter().map(|index| index.to_usize());
    replace_checked(layout, masking.policy, groups, sample, donors, rng, out);
    Ok(indices)
}

/// Fills `keys`, one a group, with the turned order keys.
#[inline(always)]
fn write_keys(ranking: &Ranking<'_>, end: End, keys: &mut [u32]) {
    if let Some(cells) = ranking.cells() {
        for (key, &value) in keys.iter_mut().zip(cells) {
            *key = end.turn(ranking.key_of(value)).cast_unsigned();
        }
    } else {
        for (group, key) in keys.iter_mut().enumerate() {
            *key = end.turn(ranking.key(group)).cast_unsigned();
        }
    }
}

/// The groups that compete in one round of a selection: group `start + place · stride` at each
/// `place`. Scope `sample` is one round over all groups, `per-step` a round for each step.
#[derive(Clone, Copy)]
struct Rounds {
    count: usize,
    competing: usize,
    next_round: usize,
    stride: usize,
}

impl Rounds {
    fn new(masking: &Masking) -> Self {
        let layout = &masking.layout;
        let (count, competing) = match masking.scope {
            Scope::Sample => (1, layout.groups()),
            Scope::PerStep => (layout.valid(), layout.channels()),
        };
        let (next_round, stride) = match layout.order() {
            Order::ChannelsFirst if masking.scope == Scope::PerStep => (1, layout.valid()),
            _ => (competing, 1),
        };
        Self {
            count,
            competing,
            next_round,
            stride,
        }
    }
}

/// Lists the selected groups with the small selection: ascending within a round, round after
/// round. The channels of a step are few, so that it is the fast one there too.
fn select_groups_small<I: Index>(ranking: &Ranking<'_>, masking: &Masking, indices: &mut [I]) {
    let rounds = Rounds::new(masking);
    let each = masked_count(masking.fraction, rounds.competing).unwrap_or(0);
    for round in 0..rounds.count {
        let group_of = |place: usize| round * rounds.next_round + place * rounds.stride;
        let threshold = threshold_small(rounds.competing, each, masking.end, |place| {
            masking.end.turn(ranking.key(group_of(place)))
        });
        let keys = (0..rounds.competing).map(|place| {
            let group = group_of(place);
            (group, ranking.key(group))
        });
        let slots = indices.get_mut(round * each..(round + 1) * each);
        write_indices(&threshold, keys, slots.unwrap_or(&mut []));
    }
}

/// Marks the share of each step's channels in `keys` and returns the threshold that tells marked
/// from unmarked.
fn mark_per_step(
    ranking: &Ranking<'_>,
    masking: &Masking,
    selected: usize,
    keys: &mut [u32],
) -> Threshold {
    const MARKED: i32 = i32::MIN;
    const UNMARKED: i32 = i32::MAX;
    keys.fill(UNMARKED.cast_unsigned());
    let rounds = Rounds::new(masking);
    let each = masked_count(masking.fraction, rounds.competing).unwrap_or(0);
    for round in 0..rounds.count {
        let group_of = |place: usize| round * rounds.next_round + place * rounds.stride;
        let turned = |place: usize| masking.end.turn(ranking.key(group_of(place)));
        let threshold = threshold_small(rounds.competing, each, masking.end, turned);
        for place in threshold.among_turned((0..rounds.competing).map(turned)) {
            if let Some(key) = keys.get_mut(group_of(place)) {
                *key = MARKED.cast_unsigned();
            }
        }
    }
    Threshold {
        key: MARKED,
        ties: selected,
        selected,
        end: masking.end,
    }
}

/// SMOOT-style adaptive share: `hard + (easy − hard) · confidence`, where `confidence` is the true
/// class's probability. With `hard < easy` fewer features are masked when the sample is hard.
///
/// Source: Karkehabadi et al., "SMOOT: Saliency Guided Mask Optimized Online Training", 2023,
/// whose number of masked inputs follows the network's success on the sample.
///
/// # Errors
/// [`Error::Range`] when an argument is NaN or outside `[0, 1]`.
pub fn adaptive_fraction(hard: f32, easy: f32, confidence: f32) -> Result<f32, Error> {
    let unit = 0.0..=1.0;
    for (argument, value) in [("hard", hard), ("easy", easy), ("confidence", confidence)] {
        if !unit.contains(&value) {
            return Err(Error::Range { argument });
        }
    }
    Ok(math::min(
        hard * (1.0 - confidence) + easy * confidence,
        1.0,
    ))
}
