//! The report: what was measured, as one page and as pictures.
//!
//! | module | what it draws |
//! |---|---|
//! | [`contents`] | what a report holds, as data |
//! | [`html`] | one self-contained page |
//! | [`markdown`](mod@markdown) | the tables as Markdown |
//! | [`chart`] | line charts and box plots as SVG |
//! | [`map`] | saliency maps of images, series and texts |
//! | [`picture`] | PNG pictures of samples and maps |
//! | `figures` | from evaluations to charts |
//! | `text` | numbers and escaped text |
//!
//! Everything is written for light and dark screens, needs no network, and says in words what a
//! picture shows.

pub mod chart;
pub mod contents;
mod figures;
pub mod html;
pub mod map;
pub mod markdown;
pub mod picture;
mod text;

pub use contents::{RegimeReport, Report, RunReport, SampleMap, SampleReport};
pub use figures::{drop_charts, gradient_boxes, robustness_charts};
pub use html::page;
pub use markdown::markdown;
