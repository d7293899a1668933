//! Saliency-guided and adversarial training of full networks on a host.
//!
//! The map, from the bottom up (each module uses only those above it):
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file or argument, what was found, what was expected |
//! | [`file`](mod@file) | files read whole, gunzipped, and written whole or not at all |
//! | [`npy`] | arrays in .npy files |
//! | [`nn`] | layers: kernels over slices, dfdx tape operations, typed layers |
//! | [`model`] | the seam [`model::Model`], parameters, scores and the registry of networks by name |
//! | [`data`] | data sets by name or file, standardisation, splits and batches |
//! | [`weights`] | weight files with their metadata, as `torch` reads and writes them |
//! | [`masking`] | the core's masking call in the widest vectors of the machine |
//! | [`optimizer`] | SGD, Adam, `RMSprop`, Adadelta; clipping and learning-rate schedules |
//! | [`attack`] | FGSM, PGD, MI-FGSM and the noise control, over batches |
//! | [`attribution`] | gradients, integrated gradients, `DeepLIFT`, SHAP, occlusion |
//! | [`metrics`] | accuracy, robustness, interpretability, and the comparison of regimes |
//! | [`report`] | one HTML page, charts and saliency maps |

pub mod attack;
pub mod attribution;
pub mod data;
pub mod error;
pub mod file;
pub mod masking;
pub mod metrics;
pub mod model;
pub mod nn;
pub mod npy;
pub mod optimizer;
pub mod report;
pub mod weights;

pub use error::{Error, Result};
