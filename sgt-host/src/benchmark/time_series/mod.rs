//! The time-series benchmark: do maps mark the cells that were generated to tell the class?
//!
//! ```text
//! Grid  sets × networks × trainings × seeds  → Cell, each with every method's maps and scores
//! Store one file a cell: a grid that was stopped goes on with the cells that are missing
//! Summary  means over sets, deviations over seeds, differences to the random map
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`Grid`] | what is run |
//! | [`NetworkChoice`] | the networks by name, in the benchmark's sizes or others |
//! | [`Training`] | the trainings by name |
//! | [`Scaling`] | the scale of the values that networks read |
//! | [`cell`] | one network trained, its maps drawn and scored |
//! | [`store`] | cells on the disk |
//! | [`archive`] | maps as npz, written and scored |
//! | [`Summary`] | the tables' numbers |
//! | [`markdown`], [`page`](fn@page) | the tables, and a page with charts |
//! | [`profile`] | charts of the saliency over time |

pub mod archive;
pub mod cell;
pub mod example;
mod grid;
pub mod markdown;
mod network;
mod page;
pub mod profile;
mod scaling;
pub mod store;
mod summary;
mod tables;
mod training;

pub use cell::{CellRecord, MethodRecord};
pub use grid::{Extras, Grid, Job, Notice};
pub use network::{NetworkChoice, NetworkKind, Start};
pub use page::page;
pub use scaling::Scaling;
pub use summary::{Summary, SummaryRow};
pub use training::Training;
