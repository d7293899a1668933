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
//! Every file is written whole or not at all. A folder has one writer at a time, and what is read
//! together must belong together: state, weights and record hold digests of network,
//! configuration and data ([`crate::binding`]).

mod checkpoint;
mod execute;
mod finished;
mod folder;
mod identity;
mod lock;
mod placed;
mod session;
mod trained;

pub use checkpoint::{LATEST, PREVIOUS, Saved, load_checkpoint, save_checkpoint};
pub use execute::{Outcome, Saving, execute};
pub use finished::{FinishedRun, TestParts};
pub use folder::{Record, RunFolder};
pub use identity::Identity;
#[cfg(feature = "cli")]
pub(crate) use lock::Lock;
pub use placed::Existing;
pub(crate) use placed::{Placed, TrainedNetwork, begin_anew, check_place, train_in};
pub use session::Session;
pub use trained::Trained;
