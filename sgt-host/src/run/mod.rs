//! A run on the disk: its folder, its checkpoints, and the training that writes them.
//!
//! ```text
//! RUN/config.toml            every setting: training again from it gives the same weights
//! RUN/metrics.csv            one row an epoch
//! RUN/weights.safetensors    the result, once finished
//! RUN/run.json               versions, seed, data, test accuracy, times
//! RUN/checkpoint/            the newest state and the one before it
//! ```
//!
//! Every file is written whole or not at all.

mod checkpoint;
mod execute;
mod finished;
mod folder;
mod session;
mod trained;

pub use checkpoint::{LATEST, PREVIOUS, load_checkpoint, save_checkpoint};
pub use execute::{Outcome, execute};
pub use finished::{FinishedRun, TestParts};
pub use folder::{Record, RunFolder};
pub use session::Session;
pub use trained::Trained;
