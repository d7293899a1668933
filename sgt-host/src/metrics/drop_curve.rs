//! The accuracy-drop curve: accuracy after removing the most important features.

use super::outputs::{logits, predictions, share_correct};
use super::removal::{Fill, Removal, Removing};
use crate::Result;
use crate::network::{Labelled, Model, Samples};
use serde::{Deserialize, Serialize};
use sgt_core::masked_count;

/// Areas are sums in `f32`: digits beyond these are rounding.
const AREA_DIGITS: f64 = 1e6;

/// The shares that the SGT reference removes: 0, 10, … 90 %.
pub const REFERENCE_FRACTIONS: [f32; 10] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Accuracy after removing growing shares of the most important features, without retraining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DropCurve {
    /// What removed features became.
    pub fill: Fill,
    /// The shares of the feature groups that were removed, ascending.
    pub fractions: Vec<f32>,
    /// The accuracy at each.
    pub accuracies: Vec<f64>,
    /// The share of the removed groups that really changed, at each.
    pub changed: Vec<f64>,
    /// Area by trapezoids over the span of the fractions.
    pub area: f64,
    /// Plain mean of the accuracies: the reference's number.
    pub mean_accuracy: f64,
}

/// Removes ⌊fraction · groups⌋ of the most important groups of every sample and classifies
/// again. `attribution` is `[samples, input]`; groups are ranked by magnitude.
///
/// Cost: one forward pass a fraction and sample.
///
/// # Errors
/// As [`Removal::new`] and [`Model::forward`]; [`crate::Error::Core`] for fractions outside
/// [0, 1], fewer than two or not ascending.
pub fn accuracy_drop<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    attribution: &[f32],
    removing: Removing,
    fractions: &[f32],
) -> Result<DropCurve> {
    let (curve, _) = accuracy_drop_by_sample(model, samples, attribution, removing, fractions)?;
    Ok(curve)
}

/// What one sample adds to a curve's numbers, sample by sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct DropBySample {
    /// Its own area: that of a curve of zeros and ones.
    pub(crate) area: Vec<f32>,
    /// The share of the fractions at which it is classified correctly.
    pub(crate) mean_accuracy: Vec<f32>,
}

/// [`accuracy_drop`], and what each sample adds to it.
pub(crate) fn accuracy_drop_by_sample<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    attribution: &[f32],
    removing: Removing,
    fractions: &[f32],
) -> Result<(DropCurve, DropBySample)> {
    let mut removal = Removal::new(model, samples, attribution, removing)?;
    let mut accuracies = Vec::with_capacity(fractions.len());
    let mut changed = Vec::with_capacity(fractions.len());
    let mut right = vec![Vec::with_capacity(fractions.len()); samples.labels.len()];
    for &fraction in fractions {
        let without = removal.apply(|groups| Ok(masked_count(fraction, groups)?), false)?;
        let without_features = Samples {
            x: &without.x,
            ..samples.samples()
        };
        let predicted = predictions(&logits(model, without_features)?, model.classes());
        accuracies.push(share_correct(&predicted, samples.labels));
        changed.push(without.changed);
        for ((row, found), label) in right.iter_mut().zip(&predicted).zip(samples.labels) {
            row.push(f32::from(found == label));
        }
    }
    let heights: Vec<f32> = accuracies.iter().map(|&accuracy| accuracy as f32).collect();
    let area = f64::from(sgt_core::accuracy_drop_area(fractions, &heights)?);
    let mut by_sample = DropBySample::default();
    for row in &right {
        let area = sgt_core::accuracy_drop_area(fractions, row)?;
        by_sample.area.push(area);
        let mean = row.iter().sum::<f32>() / row.len() as f32;
        by_sample.mean_accuracy.push(mean);
    }
    let curve = DropCurve {
        fill: removing.fill,
        fractions: fractions.to_vec(),
        area: (area * AREA_DIGITS).round() / AREA_DIGITS,
        mean_accuracy: super::mean(accuracies.iter().copied()),
        accuracies,
        changed,
    };
    Ok((curve, by_sample))
}
