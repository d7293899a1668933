//! Saliency-guided and adversarial training of full networks on a host.
//!
//! ```
//! use sgt_host::config::{DataKind, Regime, RunConfig};
//! use sgt_host::run::Session;
//!
//! let mut config = RunConfig::defaults(DataKind::Series); // sensor-cnn on the embedded recordings
//! config.regime = Regime::Sgt;
//! config.training.epochs = 2;
//! let session = Session::new(config)?;
//! let classifier = session.train(|_| {})?; // network, normalisation, bounds, class names
//! let quality = sgt_host::train::quality(&classifier, session.test())?;
//! assert!(quality.accuracy > 0.25);
//! session.save(&std::env::temp_dir().join("own.safetensors"), &classifier)?;
//! # Ok::<(), sgt_host::Error>(())
//! ```
//!
//! A network of one's own is a [`network::Description`]; the `examples/` folder has three programs to
//! start from.
//!
//! The map, from the bottom up (each module uses only those above it):
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file or argument, what was found, what was expected |
//! | [`limits`] | what a file or an argument may cost, in one place |
//! | [`file`](mod@file) | files read whole, gunzipped, and written whole or not at all |
//! | [`npy`], [`npz`] | arrays in .npy files, and archives of them |
//! | `shell` | words that a shell takes as they are |
//! | `protobuf` | protocol buffers, written |
//! | `strict` | TOML read into types, with errors that name the key |
//! | `kernel` | the arithmetic of layers as plain functions over slices |
//! | [`instructions`] | which vector instructions the arithmetic uses |
//! | [`network`] | descriptions, layers, the CPU engine, networks by name, classifiers |
//! | [`data`] | data sets by name or file, standardisation, splits and batches |
//! | [`binding`] | digests of what belongs together |
//! | [`weights`] | weight files with their metadata, as `torch` reads and writes them |
//! | [`masking`] | the core's masking call in the widest vectors of the machine |
//! | [`attack`] | FGSM, PGD, MI-FGSM and the random-noise control, over batches |
//! | [`attribution`] | gradients, integrated gradients, DeepLIFT, SHAP, occlusion |
//! | [`optimizer`] | SGD, Adam, `RMSprop`, Adadelta; clipping and learning-rate schedules |
//! | [`config`] | what a run does, as data: TOML in layers, every key checked |
//! | [`train`] | regimes, steps, stopping, and the loop that a caller drives |
//! | [`metrics`] | accuracy, robustness and interpretability of a model, number by number |
//! | [`evaluation`] | all of it for one model, with the defaults of what is measured |
//! | [`run`] | a run on the disk or in memory: its folder, its checkpoints, resuming |
//! | [`export`](mod@export) | networks for other programs and boards |
//! | [`compare`](mod@compare) | several regimes over several seeds: trained, measured, side by side |
//! | [`benchmark`] | maps scored where the truth is known |
//! | [`report`] | the comparison as tables, one HTML page, charts and saliency maps |
//! | [`tensorboard`] | learning curves as event files |
//! | [`sweep`](mod@sweep) | settings tried one against another, chosen by a validation part |
#![cfg_attr(
    feature = "typed",
    doc = "| [`typed`] | networks whose shapes the compiler checks, with dfdx's tensors (feature `typed`) |"
)]
#![cfg_attr(
    feature = "cli",
    doc = "| [`cli`] | the command line (feature `cli`) |"
)]

pub mod attack;
pub mod attribution;
pub mod benchmark;
pub mod binding;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod config;
pub mod data;
pub mod error;
pub mod evaluation;
pub mod export;
pub mod file;
pub mod instructions;
mod kernel;
pub mod limits;
pub mod masking;
pub mod metrics;
pub mod network;
pub mod npy;
pub mod npz;
pub mod optimizer;
mod protobuf;
pub mod report;
pub mod run;
mod shell;
mod strict;
pub mod sweep;
pub mod tensorboard;
pub mod train;
#[cfg(feature = "typed")]
pub mod typed;
pub mod weights;

pub use error::{Error, Result};
