//! The report: a [`crate::compare::Comparison`] as tables, one page and pictures.
//!
//! | module | what it draws |
//! |---|---|
//! | [`table`] | the table for a terminal, and as CSV |
//! | [`html`] | one self-contained page, with a script for choices and values |
//! | [`markdown`](mod@markdown) | the tables as Markdown |
//! | [`chart`] | line charts and box plots as SVG |
//! | [`map`] | saliency maps of images, series and texts |
//! | `files` | all of it as files in one folder |
//! | [`picture`] | PNG pictures of samples and maps |
//! | `figures` | from evaluations to charts |
//! | `reduce` | large samples and maps, drawn smaller |
//! | `literal` | style sheets without variables |
//! | `time_axis` | the axis below a series |
//! | `text` | numbers and escaped text |
//!
//! The page is written for light and dark screens; all of it needs no network, and says in words what a
//! picture shows.

pub mod chart;
mod figures;
mod files;
pub mod html;
pub(crate) mod literal;
pub mod map;
pub mod markdown;
pub mod picture;
pub(crate) mod reduce;
pub mod table;
mod text;
mod time_axis;

pub use figures::{drop_charts, gradient_boxes, learning_charts, robustness_charts};
pub use files::{check_free, clear, write};
pub use html::page;
pub use markdown::markdown;
pub(crate) use text::escape;
