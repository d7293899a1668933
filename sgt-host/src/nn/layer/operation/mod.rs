//! Layers on the CPU: each one operation of ours on dfdx's tape, over a slice kernel.
//!
//! Each function has a twin of the same name and signature in [`crate::nn::composed`]. In
//! [`Mode::InputGradient`](crate::nn::Mode::InputGradient) no gradient of a parameter is
//! computed or allocated.

mod affine;
mod normalization;
mod pool;
mod sequence;
mod tape;
mod token;

pub use affine::{conv2d, linear};
pub use normalization::{batch_norm, layer_norm};
pub use pool::{average_pool, global_average_pool, max_pool};
pub use sequence::{attention, lstm};
pub use token::{dropout, embedding, relu};
