//! Forward and backward passes of single layers, as plain functions over slices.

mod aligned;
pub mod attention;
pub mod layer_norm;
pub mod lstm;
mod matrix;
mod request;
mod transcendental;
