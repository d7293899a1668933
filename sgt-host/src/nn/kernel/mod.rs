//! Forward and backward passes of single layers, as plain functions over slices.

mod activation;
mod aligned;
pub mod lstm;
