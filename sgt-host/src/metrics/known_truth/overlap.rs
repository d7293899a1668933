//! Overlap of a map with the truth as a mask.

/// `Σ min(truth, a) / Σ max(truth, a)` of values a in [0, 1] (Ismail et al. 2019, arXiv 1910.12370):
/// 1 for the mask of the truth, 0 for a map that is 0 on it. 0 where both are 0 everywhere.
pub fn weighted_jaccard(values: &[f64], truth: &[bool]) -> f64 {
    let (mut shared, mut covered) = (0.0, 0.0);
    for (&value, &truth) in values.iter().zip(truth) {
        let reference = f64::from(u8::from(truth));
        shared += value.min(reference);
        covered += value.max(reference);
    }
    if covered > 0.0 { shared / covered } else { 0.0 }
}

/// `‖truth − a‖ / ‖truth‖` of values a in [0, 1] (Ismail et al. 2019): 0 for the mask of the truth, 1
/// for a map that is 0 everywhere. None without a true cell.
pub fn euclid(values: &[f64], truth: &[bool]) -> Option<f64> {
    let positives = truth.iter().filter(|&&t| t).count();
    let squares = values.iter().zip(truth).map(|(&value, &truth)| {
        let difference = f64::from(u8::from(truth)) - value;
        difference * difference
    });
    let distance = squares.sum::<f64>().sqrt();
    (positives > 0).then(|| distance / (positives as f64).sqrt())
}

/// The share of cells that `TimeX` takes for salient.
pub const TOP_SHARE: f64 = 0.1;

/// Intersection over union of the true cells and those at or above the quantile `1 − share` of the
/// map (linear between order statistics). 0 without a true cell.
///
/// # Panics
/// Without a value.
pub fn intersection_over_union(values: &[f64], truth: &[bool], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (1.0 - share) * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let threshold = sorted[below] + (place - below as f64) * (sorted[above] - sorted[below]);
    let (mut both, mut either) = (0_u32, 0_u32);
    for (&value, &truth) in values.iter().zip(truth) {
        let salient = value >= threshold;
        both += u32::from(salient && truth);
        either += u32::from(salient || truth);
    }
    if truth.contains(&true) {
        f64::from(both) / f64::from(either)
    } else {
        0.0
    }
}
