//! Optimizers: SGD, Adam, `RMSprop` and Adadelta, with `PyTorch`'s formulas and defaults.
//!
//! One implementation serves every kind of model. [`Optimizer::step`] walks a flat buffer,
//! [`Optimizer::step_parameters`] a [`Parameters`](crate::network::Parameters) (running statistics
//! are left alone).
//!
//! The state is a step count and a few flat `f32` slices ([`OptimizerState`]): saved and
//! restored, training goes on bit for bit. Updates are element-wise and the gradient's norm is
//! summed in a fixed order, so the number of threads never changes a bit.

mod clipping;
mod config;
mod schedule;
mod state;
mod step;
mod update;

pub use clipping::GradientClipping;
pub use config::{Adadelta, Adam, OptimizerConfig, RmsProp, Sgd};
pub use schedule::LearningRateSchedule;
pub use state::{OptimizerState, StateSlot};
pub use step::Optimizer;
