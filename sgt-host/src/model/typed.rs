//! Networks of typed layers on dfdx's tape, behind the same seam as all others.
//!
//! A network here is a struct of [`crate::nn::layer`]s. Built of constant sizes, its shapes are
//! checked when the program is built, and dfdx's optimizers and devices serve it
//! ([`MnistCnn`], [`SmallCnn`]); built of `usize` ones, the same code takes sizes that only the
//! data tells. [`TapeModel`] makes any of them a [`Model`](super::Model), so that every regime,
//! attack and attribution runs on it.
//!
//! For speed take the networks of [`super::registry`]: a tape is used up by one backward pass, so
//! a [`TapeModel`] runs the forward pass again for each.

mod adapter;
mod cnn;
mod lstm;
mod tensors;

pub use adapter::{TapeModel, TapeNetwork, TapePass};
pub use cnn::{Cnn, CnnSides, MnistCnn, SmallCnn};
pub use lstm::SensorLstm;
pub use tensors::{load_tensors, named_parameters};
