//! Metrics: accuracy, robustness and interpretability of a model, and their comparison.
//!
//! | module | what it measures |
//! |---|---|
//! | [`samples`] | what a model says of samples: logits, predictions, accuracy |
//! | [`robustness`] | accuracy under attack over ε |
//! | [`removal`] | removing ranked features: fills, and what they really change |
//! | [`drop_curve`] | the accuracy-drop curve and its area |
//! | [`faithfulness`] | AOPC comprehensiveness and sufficiency |
//! | [`focus`] | Gini sparseness and entropy of a map |
//! | [`stability`] | max-sensitivity; overlap of clean and adversarial maps |
//! | [`randomisation`] | what of a map survives when parameters are randomised |
//! | [`gradients`] | the distribution of mean gradients |
//! | [`truth`] | precision and recall where the truth is known |
//! | [`evaluation`] | all of it for one model, as one serialisable result |
//! | [`comparison`] | regimes over seeds: means, deviations, paired intervals |
//! | [`statistics`] | the arithmetic of that: intervals, box plots, rank correlation |
//! | [`description`] | what every metric says about itself |

pub mod comparison;
pub mod description;
pub mod drop_curve;
pub mod evaluation;
pub mod faithfulness;
pub mod focus;
pub mod gradients;
pub mod randomisation;
pub mod removal;
pub mod robustness;
pub mod samples;
pub mod stability;
pub mod statistics;
pub mod truth;

pub use description::{Description, Direction};
pub use evaluation::{Evaluation, EvaluationConfig, evaluate};
pub use removal::{Fill, Removing};

/// Every metric's description, in the order of tables.
pub const DESCRIPTIONS: [Description; 15] = [
    samples::ACCURACY,
    robustness::ROBUST_ACCURACY,
    drop_curve::DROP_AREA,
    drop_curve::DROP_MEAN,
    faithfulness::COMPREHENSIVENESS,
    faithfulness::SUFFICIENCY,
    focus::SPARSENESS,
    focus::ENTROPY,
    stability::MAX_SENSITIVITY,
    stability::OVERLAP,
    randomisation::RANDOMISATION,
    gradients::MEAN_GRADIENT,
    truth::AREA_UNDER_PRECISION,
    truth::AREA_UNDER_RECALL,
    truth::AREA_UNDER_PRECISION_RECALL,
];

/// The arithmetic mean; 0 for no values.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}
