//! ERASER's comprehensiveness and sufficiency, averaged over bins.

use super::outputs::{logits, predictions, probabilities};
use super::removal::{Fill, Removal, Removing};
use crate::network::{Labelled, Model, Samples};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// ERASER's bins: the shares of the most important features.
pub const ERASER_BINS: [f32; 5] = [0.01, 0.05, 0.10, 0.20, 0.50];

/// Comprehensiveness and sufficiency of one attribution, means over samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Faithfulness {
    /// What removed features became.
    pub fill: Fill,
    /// The shares of the feature groups.
    pub bins: Vec<f32>,
    /// `p_j(x) − p_j(x without the top share)`, a bin.
    pub comprehensiveness_by_bin: Vec<f64>,
    /// `p_j(x) − p_j(only the top share)`, a bin.
    pub sufficiency_by_bin: Vec<f64>,
    /// Mean over the bins.
    pub comprehensiveness: f64,
    /// Mean over the bins.
    pub sufficiency: f64,
    /// The share of the removed groups that really changed, over all bins of comprehensiveness.
    pub changed: f64,
}

/// How the probability of the class `j` predicted on the whole sample falls when the ⌈q·groups⌉
/// most important groups are removed (comprehensiveness) or alone are kept (sufficiency), for
/// every bin `q`; plain mean over bins and samples (`DeYoung` et al. 2020, arXiv 1911.03429, and
/// its code: no bin at 0).
///
/// Cost: two forward passes a bin and sample.
///
/// # Errors
/// As [`Removal::new`] and [`Model::forward`]; [`Error::Argument`] for bins outside (0, 1].
pub fn faithfulness<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    attribution: &[f32],
    removing: Removing,
    bins: &[f32],
) -> Result<Faithfulness> {
    let (found, _) = faithfulness_by_sample(model, samples, attribution, removing, bins)?;
    Ok(found)
}

/// Comprehensiveness and sufficiency sample by sample, means over the bins.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaithfulnessBySample {
    pub(crate) comprehensiveness: Vec<f32>,
    pub(crate) sufficiency: Vec<f32>,
}

/// [`faithfulness`], and what each sample adds to it.
pub(crate) fn faithfulness_by_sample<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    attribution: &[f32],
    removing: Removing,
    bins: &[f32],
) -> Result<(Faithfulness, FaithfulnessBySample)> {
    let bad = bins.iter().find(|bin| !(**bin > 0.0 && **bin <= 1.0));
    if bins.is_empty() || bad.is_some() {
        return Err(Error::Argument {
            argument: "bins".into(),
            found: bad.map_or("none".into(), ToString::to_string),
            expected: "shares above 0 and at most 1".into(),
        });
    }
    let classes = model.classes();
    let full = logits(model, samples)?;
    let class = predictions(&full, classes);
    let of_class = |logits: &[f32]| -> Result<Vec<f32>> {
        let rows = probabilities(logits, classes)?;
        let rows = rows.chunks_exact(classes).zip(&class);
        Ok(rows.map(|(row, &class)| row[class]).collect())
    };
    let full = of_class(&full)?;
    let mut removal = Removal::new(model, samples, attribution, removing)?;
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    let mut changed = 0.0;
    for &bin in bins {
        let count = |groups: usize| Ok(((bin * groups as f32).ceil() as usize).min(groups));
        let without = removal.apply(count, false)?;
        changed += without.changed / bins.len() as f64;
        let with = |x: &[f32]| {
            let samples = Samples {
                x,
                ..samples.samples()
            };
            of_class(&logits(model, samples)?)
        };
        removed.push(with(&without.x)?);
        kept.push(with(&removal.apply(count, true)?.x)?);
    }
    let by_bin = |others: &[Vec<f32>]| -> Vec<f64> {
        let drop = |other: &Vec<f32>| {
            let drops = full.iter().zip(other).map(|(f, o)| f64::from(f - o));
            super::mean(drops)
        };
        others.iter().map(drop).collect()
    };
    let column = |others: &[Vec<f32>], index: usize| -> Vec<f32> {
        others.iter().map(|bin| bin[index]).collect()
    };
    let mut by_sample = FaithfulnessBySample::default();
    for (index, &full) in full.iter().enumerate() {
        let (removed, kept) = (column(&removed, index), column(&kept, index));
        let comprehensiveness = sgt_core::comprehensiveness(full, &removed)?;
        by_sample.comprehensiveness.push(comprehensiveness);
        let sufficiency = sgt_core::sufficiency(full, &kept)?;
        by_sample.sufficiency.push(sufficiency);
    }
    let mean = |values: &[f32]| super::mean(values.iter().map(|&value| f64::from(value)));
    let found = Faithfulness {
        fill: removing.fill,
        bins: bins.to_vec(),
        comprehensiveness_by_bin: by_bin(&removed),
        sufficiency_by_bin: by_bin(&kept),
        comprehensiveness: mean(&by_sample.comprehensiveness),
        sufficiency: mean(&by_sample.sufficiency),
        changed,
    };
    Ok((found, by_sample))
}
