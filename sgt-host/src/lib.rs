//! Saliency-guided and adversarial training of full networks on a host.
//!
//! The map, from the bottom up (each module uses only those above it):
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file or argument, what was found, what was expected |
//! | [`model`] | the seam [`model::Model`], parameters, scores and the registry of networks by name |
//! | [`optimizer`] | SGD, Adam, `RMSprop`, Adadelta; clipping and learning-rate schedules |

pub mod config;
pub mod error;
pub mod model;
pub mod optimizer;

pub use error::{Error, Result};
