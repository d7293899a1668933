//! Precision and recall of a map where it is known which features carry the signal.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Agreement of a map with the truth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthScores {
    /// `∫ precision dd`, d from 0.1 to 0.9: at most 0.8.
    pub aup: f64,
    /// `∫ recall dd`, d from 0.1 to 0.9: at most 0.8.
    pub aur: f64,
    /// `∫ precision d(recall)` over the nine points, sorted by recall.
    pub aupr: f64,
}

/// Shares of the saliency mass, in tenths.
const TENTHS: std::ops::RangeInclusive<usize> = 1..=9;

/// Scores the importances of every sample against `truth`, one flag a feature.
///
/// Importances are rescaled to [0, 1] a sample. For d = 10, 20, … 90 %, P is the smallest set of
/// most important features that holds d of the total importance s;
/// precision = Σ s (P and truth) / Σ s (P), recall = Σ s (P and truth) / Σ s (truth), means over
/// the samples where the denominator is not 0 (Ismail et al. 2020, arXiv 2010.13924: as its code,
/// but each P is searched for anew instead of incrementally).
///
/// # Errors
/// [`Error::Shape`] when the flags do not fit; [`Error::Argument`] when no sample has both
/// importance and truth.
pub fn truth_scores(importance: &[Vec<f32>], truth: &[Vec<bool>]) -> Result<TruthScores> {
    let lengths = |(i, t): (&Vec<f32>, &Vec<bool>)| i.len() == t.len();
    if importance.len() != truth.len() || !importance.iter().zip(truth).all(lengths) {
        return Err(Error::Shape {
            operation: "known truth",
            found: format!("{} samples of flags", truth.len()),
            expected: format!("{}, one flag a feature", importance.len()),
        });
    }
    let mut precision = vec![Mean::default(); TENTHS.count()];
    let mut recall = precision.clone();
    for (importance, truth) in importance.iter().zip(truth) {
        let scaled = rescale(importance);
        let mut order: Vec<usize> = (0..scaled.len()).collect();
        order.sort_by(|&a, &b| scaled[b].total_cmp(&scaled[a]));
        let total: f64 = scaled.iter().sum();
        let signal: f64 = (0..truth.len())
            .filter(|&i| truth[i])
            .map(|i| scaled[i])
            .sum();
        let (mut selected, mut hit) = (0.0, 0.0);
        let mut next = order.iter().copied().peekable();
        for (slot, tenth) in TENTHS.enumerate() {
            let mass = total * tenth as f64 / 10.0;
            while let Some(&feature) = next.peek().filter(|_| selected < mass) {
                next.next();
                selected += scaled[feature];
                hit += if truth[feature] { scaled[feature] } else { 0.0 };
            }
            precision[slot].add(hit, selected);
            recall[slot].add(hit, signal);
        }
    }
    let means = |curve: &[Mean]| curve.iter().map(Mean::value).collect::<Option<Vec<f64>>>();
    let (Some(precision), Some(recall)) = (means(&precision), means(&recall)) else {
        return Err(Error::Argument {
            argument: "importance".into(),
            found: "only constant maps, or no feature that carries signal".into(),
            expected: "a sample with both".into(),
        });
    };
    let spacing: Vec<f64> = TENTHS.map(|tenth| tenth as f64 / 10.0).collect();
    let mut by_recall: Vec<(f64, f64)> = recall.iter().copied().zip(precision.clone()).collect();
    by_recall.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (sorted_recall, sorted_precision): (Vec<f64>, Vec<f64>) = by_recall.into_iter().unzip();
    Ok(TruthScores {
        aup: trapezoid(&spacing, &precision),
        aur: trapezoid(&spacing, &recall),
        aupr: trapezoid(&sorted_recall, &sorted_precision),
    })
}

/// A mean of ratios that leaves out zero denominators.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, numerator: f64, denominator: f64) {
        if denominator > 0.0 {
            self.sum += numerator / denominator;
            self.count += 1;
        }
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

fn rescale(importance: &[f32]) -> Vec<f64> {
    let low = importance.iter().copied().fold(f32::INFINITY, f32::min);
    let high = importance.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = f64::from(high) - f64::from(low);
    let scale = if span > 0.0 { 1.0 / span } else { 0.0 };
    importance
        .iter()
        .map(|&v| (f64::from(v) - f64::from(low)) * scale)
        .collect()
}

fn trapezoid(x: &[f64], y: &[f64]) -> f64 {
    let steps = x.windows(2).zip(y.windows(2));
    steps
        .map(|(x, y)| (x[1] - x[0]) * f64::midpoint(y[0], y[1]))
        .sum()
}
