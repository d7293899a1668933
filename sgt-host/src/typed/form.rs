//! What flows between two typed layers, as a type.

use std::fmt::Debug;

/// A vector of features.
#[derive(Clone, Copy, Debug)]
pub enum Vector {}

/// A series of steps, or of tokens.
#[derive(Clone, Copy, Debug)]
pub enum Series {}

/// An image.
#[derive(Clone, Copy, Debug)]
pub enum Image {}

/// [`Vector`], [`Series`] or [`Image`]: what kind of [`crate::network::Shape`] a layer gives.
pub trait Form: Debug + Send + Sync + 'static {}
impl Form for Vector {}
impl Form for Series {}
impl Form for Image {}

/// What a fully connected layer reads.
#[diagnostic::on_unimplemented(
    message = "a linear layer reads a vector or a series, not an image",
    label = "`.flatten()` or `.global_average_pool()` comes first"
)]
pub trait Rows: Form {}
impl Rows for Vector {}
impl Rows for Series {}

/// What has positions: convolutions and pooling read it.
#[diagnostic::on_unimplemented(
    message = "this layer reads a series or an image, not a vector",
    label = "a vector has no positions"
)]
pub trait Positions: Form {}
impl Positions for Series {}
impl Positions for Image {}

/// What a network ends in.
#[diagnostic::on_unimplemented(
    message = "a network ends in a vector of logits",
    label = "`.flatten()`, `.global_average_pool()` or a recurrent layer's last state comes first"
)]
pub trait Logits: Form {}
impl Logits for Vector {}
