//! Interpretability metrics that need only slices.
//!
//! | metric | better | sensitive to |
//! |---|---|---|
//! | [`comprehensiveness`] | higher | what removal puts in place |
//! | [`sufficiency`] | lower | the same |
//! | [`accuracy_drop_area`] | lower | the fill, and features that already equal it |
//! | [`gini`] | higher is sparser | the number of features, exact zeros |
//! | [`top_k_overlap`] | higher | k; an overlap of k/n is chance |

use crate::rank::order_key;
use crate::select::{End, Threshold, check_count, select_small};
use crate::{Error, math};

/// The mean of `p(x) − p(x without the rationale)` over bins: ERASER's AOPC comprehensiveness.
///
/// `full` is the predicted class's probability on the whole input, `removed` that on the input
/// without the most salient 1, 5, 10, 20, 50 % (any bins). In `[-1, 1]`, higher is better.
///
/// # Errors
/// [`Error::Empty`] for no bins, [`Error::NonFinite`].
///
/// Source: `DeYoung` et al., "ERASER", ACL 2020, and its code: a plain mean, no bin at 0.
///
/// ```
/// let drop = sgt_core::comprehensiveness(0.9, &[0.7, 0.5])?;
/// assert!((drop - 0.3).abs() < 1e-6);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn comprehensiveness(full: f32, removed: &[f32]) -> Result<f32, Error> {
    mean_drop(full, "removed", removed)
}

/// The mean of `p(x) − p(only the rationale)` over bins: ERASER's AOPC sufficiency. Lower is
/// better. Arguments as [`comprehensiveness`].
///
/// # Errors
/// As [`comprehensiveness`].
pub fn sufficiency(full: f32, kept: &[f32]) -> Result<f32, Error> {
    mean_drop(full, "kept", kept)
}

fn mean_drop(full: f32, argument: &'static str, others: &[f32]) -> Result<f32, Error> {
    if others.is_empty() {
        return Err(Error::Empty { argument });
    }
    math::check_finite("full", &[full])?;
    math::check_finite(argument, others)?;
    let mut sum = 0.0;
    for other in others {
        sum += full - other;
    }
    Ok(sum / others.len() as f32)
}

/// The area under the accuracy-drop curve, `∫ accuracy d(fraction) / span`, by trapezoids.
///
/// `fractions` are the removed shares, strictly ascending; `accuracies` belong to them. In the
/// units of `accuracies`; lower means that the removed features mattered.
///
/// # Errors
/// [`Error::Length`], [`Error::Empty`] for fewer than two points, [`Error::NonFinite`],
/// [`Error::Range`] for fractions that do not ascend.
///
/// Source: Ismail et al. 2021, figure 3.
///
/// ```
/// let area = sgt_core::accuracy_drop_area(&[0.0, 0.5, 1.0], &[1.0, 0.5, 0.0])?;
/// assert_eq!(area, 0.5);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn accuracy_drop_area(fractions: &[f32], accuracies: &[f32]) -> Result<f32, Error> {
    math::check_length("accuracies", fractions.len(), accuracies.len())?;
    let (Some(&first), Some(&last)) = (fractions.first(), fractions.last()) else {
        return Err(Error::Empty {
            argument: "fractions",
        });
    };
    math::check_finite("fractions", fractions)?;
    math::check_finite("accuracies", accuracies)?;
    let steps = fractions.iter().zip(fractions.iter().skip(1));
    if fractions.len() < 2 {
        return Err(Error::Empty {
            argument: "fractions",
        });
    }
    if steps.clone().any(|(left, right)| left >= right) {
        return Err(Error::Range {
            argument: "fractions",
        });
    }
    let heights = accuracies.iter().zip(accuracies.iter().skip(1));
    let mut area = 0.0;
    for ((left, right), (from, to)) in steps.zip(heights) {
        area += (right - left) * 0.5 * (from + to);
    }
    Ok(area / (last - first))
}

/// Scratch that [`gini`] needs: one `f32` a feature.
pub const fn gini_len(features: usize) -> usize {
    features
}

/// The Gini index of `|attribution|`: `1 − 2 Σ_k (a_(k) / ‖a‖₁) · (n − k + ½) / n` with ascending
/// `a_(k)`, `k = 1 … n`. 0 for equal magnitudes, `1 − 1/n` for a single one; 0 for all zeros.
///
/// Cost O(n log n). `scratch` has at least [`gini_len`] values and is overwritten.
///
/// # Errors
/// [`Error::Empty`], [`Error::NonFinite`], [`Error::Length`].
///
/// Source: Hurley and Rickard, "Comparing Measures of Sparsity", 2009; Chalasani et al. 2020 use
/// it for attributions.
///
/// ```
/// let mut scratch = [0.0; 4];
/// assert_eq!(sgt_core::gini(&[0.0, 0.0, -3.0, 0.0], &mut scratch)?, 0.75);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn gini(attribution: &[f32], scratch: &mut [f32]) -> Result<f32, Error> {
    if attribution.is_empty() {
        return Err(Error::Empty {
            argument: "attribution",
        });
    }
    math::check_finite("attribution", attribution)?;
    let features = attribution.len();
    let found = scratch.len();
    let Some(magnitudes) = scratch.get_mut(..gini_len(features)) else {
        return Err(Error::Length {
            argument: "scratch",
            expected: gini_len(features),
            found,
        });
    };
    let mut largest = 0.0;
    for value in attribution {
        largest = math::max(largest, value.abs());
    }
    if largest == 0.0 {
        return Ok(0.0);
    }
    // Relative to the largest, so that the sum of finite values is finite.
    for (slot, value) in magnitudes.iter_mut().zip(attribution) {
        *slot = value.abs() / largest;
    }
    heap_sort(magnitudes);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (position, &magnitude) in magnitudes.iter().enumerate() {
        let rank = position as f32 + 1.0;
        sum += magnitude;
        weighted += magnitude * (features as f32 - rank + 0.5);
    }
    Ok(1.0 - 2.0 * weighted / (sum * features as f32))
}

/// The share of the k most important features of `a` that are also among the k most important of
/// `b`, in `[0, 1]`. Pass magnitudes if sign does not matter. No scratch; cost O(n).
///
/// # Errors
/// [`Error::Empty`] for no features or `k = 0`, [`Error::Length`], [`Error::TooMany`],
/// [`Error::NonFinite`].
///
/// ```
/// let overlap = sgt_core::top_k_overlap(&[3.0, 2.0, 0.0], &[9.0, 0.0, 1.0], 2)?;
/// assert_eq!(overlap, 0.5);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn top_k_overlap(a: &[f32], b: &[f32], k: usize) -> Result<f32, Error> {
    math::check_length("b", a.len(), b.len())?;
    if k == 0 {
        return Err(Error::Empty { argument: "k" });
    }
    if a.is_empty() {
        return Err(Error::Empty { argument: "a" });
    }
    check_count(k, a.len())?;
    math::check_finite("a", a)?;
    math::check_finite("b", b)?;
    let mut top_a = Membership::new(select_small(a, k, End::Highest)?);
    let mut top_b = Membership::new(select_small(b, k, End::Highest)?);
    let mut shared = 0_usize;
    for (&a, &b) in a.iter().zip(b) {
        let (in_a, in_b) = (top_a.takes(a), top_b.takes(b));
        shared += usize::from(in_a && in_b);
    }
    Ok(shared as f32 / k as f32)
}

/// A threshold asked for one feature after the other.
struct Membership {
    threshold: Threshold,
    ties: usize,
}

impl Membership {
    fn new(threshold: Threshold) -> Self {
        let ties = threshold.ties;
        Self { threshold, ties }
    }

    fn takes(&mut self, value: f32) -> bool {
        let key = self.threshold.end.turn(order_key(value));
        let tied = key == self.threshold.key && self.ties != 0;
        self.ties -= usize::from(tied);
        tied || key < self.threshold.key
    }
}

/// Ascending heap sort of non-negative numbers, in place. (The standard library's sorts can panic
/// on an inconsistent order, so linking them would link the panic.)
fn heap_sort(values: &mut [f32]) {
    let length = values.len();
    for root in (0..length / 2).rev() {
        sift_down(values, root, length);
    }
    for end in (1..length).rev() {
        swap(values, 0, end);
        sift_down(values, 0, end);
    }
}

fn sift_down(values: &mut [f32], mut root: usize, end: usize) {
    loop {
        let left = 2 * root + 1;
        if left >= end {
            return;
        }
        let right = left + 1;
        let larger = if right < end && at(values, right) > at(values, left) {
            right
        } else {
            left
        };
        if at(values, root) >= at(values, larger) {
            return;
        }
        swap(values, root, larger);
        root = larger;
    }
}

fn at(values: &[f32], index: usize) -> f32 {
    values.get(index).copied().unwrap_or(0.0)
}

fn swap(values: &mut [f32], a: usize, b: usize) {
    let cells = core::cell::Cell::from_mut(values).as_slice_of_cells();
    if let (Some(a), Some(b)) = (cells.get(a), cells.get(b)) {
        a.swap(b);
    }
}
