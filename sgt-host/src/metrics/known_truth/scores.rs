//! All scores that need nothing but maps and truth, at once.

use super::super::statistics::MeanDeviation;
use super::super::truth::{TruthScores, truth_scores};
use super::thresholds::{Alignment, LowThresholds, ThresholdCurve};
use super::{TrueMaps, mass, overlap, ranking, rescale, rescaled_magnitudes};
use crate::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A mean over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleMean {
    /// Arithmetic mean.
    pub mean: f64,
    /// The standard error over the samples: it says nothing about other runs.
    pub standard_error: f64,
}

/// Agreement of a method's maps with the truth. Unless it says otherwise, a score reads
/// magnitudes that are rescaled to [0, 1] a sample, and is a mean over samples that have a true
/// cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KnownTruthScores {
    /// Samples that are scored.
    pub samples: usize,
    /// The benchmark's AUP, AUR and AUPR, weighted by saliency: at most 0.8.
    pub weighted: TruthScores,
    /// Average precision.
    pub average_precision: SampleMean,
    /// Area under the ROC curve.
    pub roc_area: SampleMean,
    /// As the `TimeX` program: signed maps rescaled a sample.
    pub timex_average_precision: SampleMean,
    /// As the `TimeX` program.
    pub timex_aup: SampleMean,
    /// As the `TimeX` program.
    pub timex_aur: SampleMean,
    /// As the `TimeX` program: intersection over union of the top tenth.
    pub timex_overlap: SampleMean,
    /// As the Dynamask program: all cells of all samples in one curve.
    pub dynamask_aup: f64,
    /// As the Dynamask program.
    pub dynamask_aur: f64,
    /// Information in bits, a sum over the true cells of all samples.
    pub information: f64,
    /// Entropy in bits, a sum over the true cells of all samples.
    pub entropy: f64,
    /// Weighted Jaccard index.
    pub weighted_jaccard: SampleMean,
    /// Euclidean distance over that of an empty map.
    pub euclid: SampleMean,
}

impl KnownTruthScores {
    /// The weighted scores as shares of their maximum.
    pub fn weighted_of_maximum(&self) -> TruthScores {
        /// The span of the shares of saliency, 0.1 to 0.9.
        const MAXIMUM: f64 = 0.8;
        TruthScores {
            aup: self.weighted.aup / MAXIMUM,
            aur: self.weighted.aur / MAXIMUM,
            aupr: self.weighted.aupr / MAXIMUM,
        }
    }
}

/// What is a mean over samples, for one of them.
struct SampleScores {
    means: [f64; 8],
    information: f64,
    entropy: f64,
}

/// Scores maps against their truth. Samples without a true cell are left out.
///
/// # Errors
/// [`Error::Argument`] when no sample has a true cell, or only constant maps; as [`truth_scores`].
pub fn score_maps(maps: TrueMaps<'_>) -> Result<KnownTruthScores> {
    let scored: Vec<(&[f32], &[bool])> = maps
        .samples()
        .filter(|(_, truth)| truth.contains(&true))
        .collect();
    if scored.is_empty() {
        return Err(Error::Argument {
            argument: "truth".into(),
            found: "no true cell".into(),
            expected: "a sample with one".into(),
        });
    }
    let samples: Vec<SampleScores> = scored
        .par_iter()
        .map(|(map, truth)| score_sample(map, truth))
        .collect();
    let mean = |score: usize| {
        let values: Vec<f64> = samples.iter().map(|sample| sample.means[score]).collect();
        let found = MeanDeviation::of(&values)?;
        Ok::<_, Error>(SampleMean {
            mean: found.mean,
            standard_error: found.deviation.unwrap_or(0.0) / (found.count as f64).sqrt(),
        })
    };
    let magnitudes = |(map, _): &(&[f32], &[bool])| map.iter().map(|v| v.abs()).collect();
    let importance: Vec<Vec<f32>> = scored.iter().map(magnitudes).collect();
    let truth: Vec<Vec<bool>> = scored.iter().map(|(_, truth)| truth.to_vec()).collect();
    let pooled: Vec<f64> = scored
        .iter()
        .flat_map(|(map, _)| rescaled_magnitudes(map))
        .collect();
    let curve = ThresholdCurve::new(&pooled, &truth.concat(), LowThresholds::Kept);
    let dynamask = curve.map(|curve| curve.areas(Alignment::AtThreshold));
    Ok(KnownTruthScores {
        samples: scored.len(),
        weighted: truth_scores(&importance, &truth)?,
        average_precision: mean(0)?,
        roc_area: mean(1)?,
        timex_average_precision: mean(2)?,
        timex_aup: mean(3)?,
        timex_aur: mean(4)?,
        timex_overlap: mean(5)?,
        dynamask_aup: dynamask.map_or(0.0, |areas| areas.precision),
        dynamask_aur: dynamask.map_or(0.0, |areas| areas.recall),
        information: samples.iter().map(|sample| sample.information).sum(),
        entropy: samples.iter().map(|sample| sample.entropy).sum(),
        weighted_jaccard: mean(6)?,
        euclid: mean(7)?,
    })
}

/// The area under the ROC curve of a sample in which every cell is true.
const NOTHING_TO_TELL: f64 = 0.5;

/// `truth` has a true cell.
fn score_sample(map: &[f32], truth: &[bool]) -> SampleScores {
    let magnitudes = rescaled_magnitudes(map);
    let signed = rescale(map.iter().map(|&v| f64::from(v)), 0.0);
    let areas = ThresholdCurve::new(&signed, truth, LowThresholds::Kept)
        .map(|curve| curve.areas(Alignment::AtThreshold));
    SampleScores {
        means: [
            ranking::average_precision(&magnitudes, truth).unwrap_or_default(),
            ranking::roc_area(&magnitudes, truth).unwrap_or(NOTHING_TO_TELL),
            ranking::average_precision(&signed, truth).unwrap_or_default(),
            areas.map_or(0.0, |areas| areas.precision),
            areas.map_or(0.0, |areas| areas.recall),
            overlap::intersection_over_union(&signed, truth, overlap::TOP_SHARE),
            overlap::weighted_jaccard(&magnitudes, truth),
            overlap::euclid(&magnitudes, truth).unwrap_or_default(),
        ],
        information: mass::information(&magnitudes, truth),
        entropy: mass::entropy(&magnitudes, truth),
    }
}
