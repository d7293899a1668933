//! Training: regimes, steps, stopping, and the loop that a caller drives.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Trainer`] | the loop: one step a call, its state taken and put back at any step |
//! | `step` | one step: saliency, masks, attack, losses, gradient, for each regime |
//! | `masking` | a batch masked in parallel by the core |
//! | [`prepare`] | split and standardisation |
//! | [`evaluate`](fn@evaluate) | loss and accuracy over a data set |
//! | [`derive_seed`] | one seed for each random thing |

mod data;
mod evaluate;
mod masking;
mod progress;
mod seeds;
mod step;
mod stopping;
mod trainer;

pub use data::{Prepared, TrainingData, prepare};
pub use evaluate::{Quality, evaluate};
pub use progress::{Checkpoint, EpochRow, Progress, Sums};
pub use seeds::{Purpose, derive_seed};
pub use stopping::Best;
pub use trainer::{Event, Trainer};
