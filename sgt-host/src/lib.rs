//! Saliency-guided and adversarial training of full networks on a host.
//!
//! The map, from the bottom up (each module uses only those above it):
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file or argument, what was found, what was expected |
//! | [`model`] | the seam [`model::Model`], parameters, scores and the registry of networks by name |
//! | [`nn`] | layers as kernels over slices |

pub mod attack;
pub mod attribution;
pub mod error;
pub mod metrics;
pub mod model;
pub mod nn;

pub use error::{Error, Result};
