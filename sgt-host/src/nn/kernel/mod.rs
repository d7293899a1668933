//! Forward and backward passes of single layers, as plain functions over slices.

mod activation;
mod aligned;
pub mod attention;
pub mod layer_norm;
pub mod lstm;
mod product;
mod request;
