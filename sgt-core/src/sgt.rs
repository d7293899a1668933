//! Rank, select and replace in one call: `x̃ = M_k(x)`.

use crate::layout::{Group, Layout, Order};
use crate::rank::{Importance, Ranking};
use crate::replace::{Donors, Policy, check_replacement, replace_checked};
use crate::rng::Random;
use crate::select::{
    End, Index, Threshold, check_index_type, threshold_fast, threshold_small, write_indices,
};
use crate::{Error, math};

/// Where groups compete for being masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// `floor(fraction · groups)`, the product in `f32`: 0.7 of 10 is 7.
///
/// # Errors
/// [`Error::Range`] for a fraction that is NaN or outside `[0, 1]`.
pub const fn masked_count(fraction: f32, groups: usize) -> Result<usize, Error> {
    if fraction >= 0.0 && fraction <= 1.0 {
        let count = (fraction * groups as f32) as usize;
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

/// Ranks the groups of one sample by `gradient`, copies the sample to `out` with the selected
/// groups replaced, and returns their indices: ascending, in scope `per-step` step after step.
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
/// assert_eq!(replaced, [1, 3]);
/// assert_eq!(masked, [1.0, 0.0, 3.0, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn mask_sample<'s, R: Random>(
    masking: &Masking,
    gradient: &[f32],
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    scratch: &'s mut [u32],
    out: &mut [f32],
) -> Result<&'s [u32], Error> {
    let layout = &masking.layout;
    let selected = masking.selected()?;
    check_index_type::<u32>(layout.groups())?;
    let found = scratch.len();
    let Some(scratch) = scratch.get_mut(..mask_sample_len(masking)) else {
        return Err(Error::Length {
            argument: "scratch",
            expected: mask_sample_len(masking),
            found,
        });
    };
    let ranking = Ranking::new(layout, masking.importance, gradient)?;
    check_replacement(layout, masking.policy, selected, sample, donors, out)?;
    match masking.scope {
        Scope::Sample => {
            select_sample_fast(&ranking, selected, masking.end, scratch);
        }
        Scope::PerStep => select_per_step(&ranking, masking, scratch),
    }
    let indices = scratch.get(..selected).unwrap_or(&[]);
    let groups = indices.iter().map(|&index| index as usize);
    replace_checked(layout, masking.policy, groups, sample, donors, rng, out);
    Ok(indices)
}

/// [`mask_sample`] for small memories: same arguments, same result, no scratch but the room for
/// the returned indices ([`mask_sample_small_len`]).
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
    match masking.scope {
        Scope::Sample => {
            let threshold = threshold_small(layout.groups(), selected, masking.end, |group| {
                masking.end.turn(ranking.key(group))
            });
            let keys = (0..layout.groups()).map(|group| (group, ranking.key(group)));
            write_indices(&threshold, keys, indices);
        }
        Scope::PerStep => select_per_step(&ranking, masking, indices),
    }
    let groups = indices.iter().map(|index| index.to_usize());
    replace_checked(layout, masking.policy, groups, sample, donors, rng, out);
    Ok(indices)
}

/// `scratch` holds one `u32` a group; its first `selected` become the indices.
fn select_sample_fast(ranking: &Ranking<'_>, selected: usize, end: End, scratch: &mut [u32]) {
    let threshold;
    if let Some(cells) = ranking.cells() {
        // One value a group, without a gap: these loops run several lanes at a time.
        let turned = |value: f32| end.turn(ranking.key_of(value));
        for (key, &value) in scratch.iter_mut().zip(cells) {
            *key = turned(value);
        }
        threshold = threshold_fast(scratch, selected, end);
        let keys = cells.iter().map(|&value| ranking.key_of(value));
        write_indices(&threshold, keys.enumerate(), scratch);
    } else {
        for (group, key) in scratch.iter_mut().enumerate() {
            *key = end.turn(ranking.key(group));
        }
        threshold = threshold_fast(scratch, selected, end);
        let groups = scratch.len();
        let keys = (0..groups).map(|group| (group, ranking.key(group)));
        write_indices(&threshold, keys, scratch);
    }
}

/// The share of each step's channels, step after step. Channels are few: the small selection is
/// the fast one here.
fn select_per_step<I: Index>(ranking: &Ranking<'_>, masking: &Masking, indices: &mut [I]) {
    let layout = &masking.layout;
    let steps = layout.valid();
    let channels = layout.channels();
    let each = masked_count(masking.fraction, channels).unwrap_or(0);
    if each == 0 {
        return;
    }
    let group_of = |step: usize, channel: usize| match layout.order() {
        Order::ChannelsFirst => channel * steps + step,
        Order::ChannelsLast => step * channels + channel,
    };
    for (step, slots) in indices.chunks_exact_mut(each).take(steps).enumerate() {
        let key = |channel| ranking.key(group_of(step, channel));
        let threshold: Threshold = threshold_small(channels, each, masking.end, |channel| {
            masking.end.turn(key(channel))
        });
        let keys = (0..channels).map(|channel| (group_of(step, channel), key(channel)));
        write_indices(&threshold, keys, slots);
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
