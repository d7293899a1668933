//! AUP and AUR over thresholds: the areas under precision and recall as functions of the threshold
//! on a map rescaled to [0, 1].
//!
//! Both reward how a map's values are spread, not only their order: the mask of the truth itself,
//! with a share p of true cells, has AUP (1 + p) / 2 and AUR 1 under [`Alignment::AtThreshold`],
//! but AUP 1 and AUR ½ under [`Alignment::NextThreshold`]; a uniformly random map has p and ½.

use super::ranking::selections;
use super::trapezoid;

/// Precision and recall over ascending thresholds, as scikit-learn's `precision_recall_curve` gives
/// them: one point a distinct value, and a last point (1, 0) without a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdCurve {
    /// The distinct values, ascending.
    pub thresholds: Vec<f64>,
    /// One more than thresholds.
    pub precision: Vec<f64>,
    /// One more than thresholds.
    pub recall: Vec<f64>,
}

/// Whether the thresholds below the highest one with full recall count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LowThresholds {
    /// They do: scikit-learn from 1.1 on.
    #[default]
    Kept,
    /// They do not: scikit-learn up to 1.0.2.
    Cut,
}

/// Which point of the curve belongs to a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alignment {
    /// Its own, `precision[:-1]`: Dynamask (state), `TimeX`, tint.
    #[default]
    AtThreshold,
    /// That of the next threshold, `precision[1:]`: Dynamask (rare features and times).
    NextThreshold,
}

/// Areas over thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdAreas {
    /// Under the precision.
    pub precision: f64,
    /// Under the recall.
    pub recall: f64,
}

impl ThresholdCurve {
    /// Of `values`; none without a true cell.
    ///
    /// # Panics
    /// When there are fewer flags than values.
    pub fn new(values: &[f64], truth: &[bool], low: LowThresholds) -> Option<Self> {
        let positives = truth.iter().filter(|&&t| t).count();
        if positives == 0 {
            return None;
        }
        let mut selections = selections(values, truth);
        if low == LowThresholds::Cut {
            let full = selections.iter().position(|s| s.hits == positives);
            selections.truncate(full.map_or(selections.len(), |full| full + 1));
        }
        selections.reverse();
        let precision = selections.iter().map(|s| s.hits as f64 / s.cells as f64);
        let recall = selections.iter().map(|s| s.hits as f64 / positives as f64);
        Some(Self {
            thresholds: selections.iter().map(|s| s.threshold).collect(),
            precision: precision.chain([1.0]).collect(),
            recall: recall.chain([0.0]).collect(),
        })
    }

    /// Trapezoids over the span of the thresholds; 0 where there is only one.
    pub fn areas(&self, alignment: Alignment) -> ThresholdAreas {
        let count = self.thresholds.len();
        let points = match alignment {
            Alignment::AtThreshold => 0..count,
            Alignment::NextThreshold => 1..count + 1,
        };
        ThresholdAreas {
            precision: trapezoid(&self.thresholds, &self.precision[points.clone()]),
            recall: trapezoid(&self.thresholds, &self.recall[points]),
        }
    }
}
