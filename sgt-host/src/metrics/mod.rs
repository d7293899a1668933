//! Metrics: accuracy, robustness and interpretability of a model.
//!
//! | module | what it measures |
//! |---|---|
//! | [`Metric`] | which metrics there are, and what each says about itself |
//! | [`classification`] | right and wrong answers, class by class |
//! | [`outputs`] | what a model says of samples: logits, predictions, accuracy |
//! | [`robustness`] | accuracy under attack over ε |
//! | [`removal`] | removing ranked features: fills, and what they really change |
//! | [`drop_curve`] | the accuracy-drop curve and its area |
//! | [`faithfulness`] | AOPC comprehensiveness and sufficiency |
//! | [`focus`] | Gini sparseness and entropy of a map |
//! | [`stability`] | max-sensitivity; overlap of clean and adversarial maps |
//! | [`randomisation`] | what of a map survives when parameters are randomised |
//! | [`gradients`] | the distribution of mean gradients |
//! | [`truth`] | precision and recall where the truth is known |
//! | [`bootstrap`] | intervals over other test samples and other seeds |
//! | [`holm`](fn@holm) | several comparisons at a time |
//! | [`known_truth`] | the same by every definition in use, and more scores of its kind |
//! | [`statistics`] | means, deviations, paired intervals, box plots, rank correlation |

pub mod bootstrap;
pub mod classification;
pub mod drop_curve;
pub mod faithfulness;
pub mod focus;
pub mod gradients;
mod holm;
pub mod known_truth;
mod metric;
pub mod outputs;
pub mod randomisation;
pub mod removal;
pub mod robustness;
pub mod stability;
pub mod statistics;
pub mod truth;

pub use classification::{ClassQuality, Classification};
pub use holm::holm;
pub use metric::{Direction, Metric};
pub use removal::{Fill, Removing};

/// The arithmetic mean; 0 for no values.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}
