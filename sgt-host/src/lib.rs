//! Saliency-guided and adversarial training of full networks on a host.
//!
//! The map, from the bottom up (each module uses only those above it):
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file or argument, what was found, what was expected |
//! | [`model`] | the seam [`model::Model`], parameters, scores and the registry of networks by name |
//! | [`nn`] | layers as kernels over slices |
//! | [`attack`] | FGSM, PGD, MI-FGSM and the noise control, over batches |
//! | [`attribution`] | gradients, integrated gradients, `DeepLIFT`, SHAP, occlusion |
//! | [`metrics`] | accuracy, robustness, interpretability, and the comparison of regimes |
//! | [`report`] | one HTML page, charts and saliency maps |

pub mod attack;
pub mod attribution;
pub mod error;
pub mod metrics;
pub mod model;
pub mod nn;
pub mod report;

pub use error::{Error, Result};
