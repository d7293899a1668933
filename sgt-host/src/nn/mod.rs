//! Building blocks of networks.
//!
//! [`kernel`] holds the arithmetic as plain functions over slices, without a tape: forward
//! passes, and backward passes that overwrite input gradients and **add** to weight gradients.

pub mod composed;
pub mod kernel;
pub mod layer;
