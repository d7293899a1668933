//! Saliency-guided and adversarial training of full networks on a host.
//!
//! The map, from the bottom up (each module uses only those above it):
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file or argument, what was found, what was expected |
//! | [`file`](mod@file) | files read whole, gunzipped, and written whole or not at all |
//! | [`npy`] | arrays in .npy files |
//! | [`nn`] | layers as kernels over slices |
//! | [`model`] | the seam [`model::Model`], parameters, scores and the registry of networks by name |
//! | [`data`] | data sets by name or file, standardisation, splits and batches |
//! | [`weights`] | weight files with their metadata, as `torch` reads and writes them |

pub mod data;
pub mod error;
pub mod file;
pub mod model;
pub mod nn;
pub mod npy;
pub mod weights;

pub use error::{Error, Result};
