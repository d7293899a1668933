//! Data sets: readers, alignment of unequal series, standardisation, splits and batches.
//!
//! | module | what it holds |
//! |---|---|
//! | [`InputShape`], [`Grouping`] | what a sample looks like, and what is ranked together in it |
//! | [`Labelled`], [`Samples`] | batches as the library's functions take them |
//! | [`Dataset`] | labelled samples of one shape, in input units, with bounds and padding |
//! | [`idx`], [`cifar`], [`ts`], [`arff`], [`har`], [`csv`] | parsers, one format each |
//! | [`recording`] | rows in the order of time: gaps, the rate, windows |
//! | [`Reading`], [`Preprocessing`] | how a person's own files become samples, as plain data |
//! | [`files`] | a person's own files as data sets |
//! | [`Survey`] | what the channels hold, and what in them gives the classes away |
//! | [`Provenance`], [`Population`], [`Holdout`] | where samples come from, and parts that share nothing |
//! | [`series`] | recordings of unequal length and how they get one length |
//! | [`Normalization`] | per-channel standardisation, both ways, and its gradient |
//! | [`Split`], [`epoch_order`], [`balanced_draw`] | the validation part, the order of an epoch and samples of every class, by seed |
//! | [`Batch`] | minibatches in a model's memory order |
//! | [`embedded`] | the data sets inside the binary |
//! | [`catalog`] | the data sets known by name: numbers, licence, origin |
//! | [`archive`] | what is kept of a download |
//! | [`synthetic`] | generated series whose important cells are known |
//! | [`load`](mod@load) | data by name or file |
#![cfg_attr(
    feature = "cli",
    doc = "| [`fetch`](mod@fetch) | downloads from the original sites (feature `cli`) |"
)]

pub mod archive;
pub mod arff;
mod axes;
mod batch;
pub mod catalog;
pub mod cifar;
mod classes;
pub mod csv;
mod dataset;
pub mod embedded;
#[cfg(feature = "cli")]
pub mod fetch;
pub mod files;
mod grouping;
pub mod har;
mod holdout;
pub mod idx;
mod labelled;
pub mod load;
mod missing;
mod normalization;
mod provenance;
mod reading;
pub mod recording;
mod sample;
pub mod series;
mod split;
mod survey;
pub mod synthetic;
pub mod ts;
mod windows;

pub use axes::Axes;
pub use batch::Batch;
pub use dataset::{Dataset, TrainTest};
#[cfg(feature = "cli")]
pub use fetch::fetch;
pub use grouping::{Grouping, group_values};
pub use holdout::{Holdout, Population};
pub use labelled::{Labelled, Samples, check_finite, check_labels};
pub use load::{LoadOptions, data_dir, load};
pub use normalization::{InputUnit, Normalization};
pub use provenance::{Provenance, Shared, Source};
pub use reading::{
    Fold, MAX_GAP, Missing, Preprocessing, Reading, Span, SplitBy, TRAINING_SHARE, WindowLabel,
};
pub use sample::{DataKind, InputShape, SeriesOrder};
pub use series::Length;
pub use sgt_core::Bounds;
pub use split::{Split, balanced_draw, balanced_order, epoch_order, stratified_split};
pub use survey::{ChannelSurvey, Survey, Suspicion};
