//! Training: regimes, steps, stopping, and the loop that a caller drives.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Trainer`] | the loop: one step a call, its state taken and put back at any step |
//! | `step` | one step: saliency, masks, attack, losses, gradient, for each regime |
//! | `guide` | the map that ranks what is masked |
//! | `masking` | a batch masked in parallel by the core |
//! | [`prepare`] | split and standardisation |
//! | [`quality`](fn@quality) | loss and accuracy over a data set |
//! | [`derive_seed`] | one seed for each random thing |

mod augment;
mod data;
mod guide;
mod masking;
mod progress;
mod quality;
mod seeds;
mod step;
mod stopping;
mod trainer;

pub use data::{Prepared, TrainingData, prepare};
pub use progress::{Checkpoint, EpochRow, Progress, Sums};
pub(crate) use quality::{Answers, answers};
pub use quality::{Quality, quality};
pub use seeds::{Purpose, derive_seed};
pub use stopping::Best;
pub use trainer::{Event, Trainer};
