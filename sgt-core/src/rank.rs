//! From gradients to the importance of feature groups.

use crate::layout::{Group, Layout, Reduction};
use crate::{Error, math};

/// What of a group's gradient makes it important.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Importance {
    /// The gradient itself: the most negative are least important. The published method and its
    /// reference code.
    #[default]
    Signed,
    /// Its magnitude: the flattest directions are least important.
    Absolute,
}

/// Writes the importance of every group of one sample:
/// `r = 1/C · Σ_c g_c` (or `Σ_c g_c`, see [`Reduction`]), then `r` or `|r|`.
///
/// `gradient` has [`Layout::sample_len`] values, `importance` has [`Layout::groups`]. Channels
/// are added in index order. Cost O(sample). Padding is not read.
///
/// # Errors
/// [`Error::Length`] on a wrong length; [`Error::NonFinite`] with the group's number when an
/// importance is NaN or infinite. `importance` is then untouched.
///
/// Source: Ismail et al., "Improving Deep Learning Interpretability by Saliency Guided
/// Training", `NeurIPS` 2021, algorithm 1.
///
/// ```
/// use sgt_core::{Importance, Layout, rank_features};
/// let image = Layout::image(2, 1, 3)?; // two channels of three pixels
/// let gradient = [1.0, -2.0, 0.0, 3.0, -4.0, 0.5];
/// let mut importance = [0.0; 3];
/// rank_features(&image, Importance::Signed, &gradient, &mut importance)?;
/// assert_eq!(importance, [2.0, -3.0, 0.25]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn rank_features(
    layout: &Layout,
    kind: Importance,
    gradient: &[f32],
    importance: &mut [f32],
) -> Result<(), Error> {
    let ranking = Ranking::new(layout, kind, gradient)?;
    math::check_length("importance", layout.groups(), importance.len())?;
    for (group, slot) in importance.iter_mut().enumerate() {
        *slot = ranking.importance(group);
    }
    Ok(())
}

/// A checked gradient, read group by group. Nothing is stored: an importance is computed when it
/// is asked for, which is what lets the small selection work without scratch.
#[derive(Clone, Copy)]
pub(crate) struct Ranking<'g> {
    layout: &'g Layout,
    kind: Importance,
    gradient: &'g [f32],
}

impl<'g> Ranking<'g> {
    #[inline(always)]
    pub(crate) fn new(
        layout: &'g Layout,
        kind: Importance,
        gradient: &'g [f32],
    ) -> Result<Self, Error> {
        math::check_length("gradient", layout.sample_len(), gradient.len())?;
        let ranking = Self {
            layout,
            kind,
            gradient,
        };
        let finite = match ranking.cells() {
            Some(cells) => all_finite(cells),
            None => (0..layout.groups()).all(|group| math::is_finite(ranking.importance(group))),
        };
        if finite {
            return Ok(ranking);
        }
        let mut groups = 0..layout.groups();
        Err(Error::NonFinite {
            argument: "gradient",
            index: groups
                .find(|&group| !math::is_finite(ranking.importance(group)))
                .unwrap_or(0),
        })
    }

    /// The gradient of the groups as one slice, when every group is one value and nothing lies
    /// between them.
    #[inline]
    pub(crate) fn cells(&self) -> Option<&'g [f32]> {
        let start = self.layout.contiguous_cells()?;
        self.gradient.get(start..start + self.layout.groups())
    }

    #[inline]
    pub(crate) fn importance(&self, group: usize) -> f32 {
        let reduced = match self.layout.group() {
            Group::Cell => {
                let offset = if let Some(start) = self.layout.contiguous_cells() {
                    start + group
                } else {
                    let (position, channel) = self.layout.cell(group);
                    self.layout.offset(position, channel)
                };
                self.gradient.get(offset).copied().unwrap_or(0.0)
            }
            Group::Position => {
                let mut offset = self.layout.offset(group, 0);
                let mut sum = 0.0;
                for _ in 0..self.layout.channels() {
                    sum += self.gradient.get(offset).copied().unwrap_or(0.0);
                    offset += self.layout.channel_stride();
                }
                match self.layout.reduction() {
                    Reduction::Mean => sum / self.layout.channels() as f32,
                    Reduction::Sum => sum,
                }
            }
        };
        match self.kind {
            Importance::Signed => reduced,
            Importance::Absolute => reduced.abs(),
        }
    }

    #[inline]
    pub(crate) fn key(&self, group: usize) -> i32 {
        order_key(self.importance(group))
    }

    /// The key of a group whose reduced gradient is `value`.
    #[inline]
    pub(crate) fn key_of(&self, value: f32) -> i32 {
        order_key(match self.kind {
            Importance::Signed => value,
            Importance::Absolute => value.abs(),
        })
    }
}

/// Branch-free so that it runs several lanes at a time.
#[inline(always)]
pub(crate) fn all_finite(values: &[f32]) -> bool {
    const MAGNITUDE: i32 = 0x7fff_ffff;
    const LARGEST_FINITE: i32 = 0x7f7f_ffff;
    let mut largest = 0;
    for value in values {
        let magnitude = value.to_bits().cast_signed() & MAGNITUDE;
        largest = if magnitude > largest {
            magnitude
        } else {
            largest
        };
    }
    largest <= LARGEST_FINITE
}

/// Maps a float to an integer so that `a < b` for floats is `key(a) < key(b)` for integers, with
/// both zeros equal. Comparing keys is exact for denormals whatever the float environment flushes.
#[inline]
pub(crate) fn order_key(value: f32) -> i32 {
    const NEGATIVE_ZERO: i32 = i32::MIN;
    const MAGNITUDE: i32 = i32::MAX;
    let bits = value.to_bits().cast_signed();
    let bits = if bits == NEGATIVE_ZERO { 0 } else { bits };
    // Negative numbers are stored as sign and magnitude: turning the magnitude makes them ascend.
    bits ^ ((bits >> 31) & MAGNITUDE)
}

/// The float whose [`order_key`] is `key`.
#[inline]
pub(crate) fn from_order_key(key: i32) -> f32 {
    f32::from_bits((key ^ ((key >> 31) & i32::MAX)).cast_unsigned())
}
