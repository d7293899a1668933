//! Networks whose shapes the compiler checks, with dfdx's tensors.
//!
//! A network is a chain of layers whose sizes are types. Sizes that do not fit end the compilation:
//!
//! ```
//! use sgt_host::typed::{Chain, Image};
//! let architecture = Image::<1, 28, 28>
//!     .conv::<1, 32, 3>()
//!     .relu()
//!     .conv::<32, 64, 3>()
//!     .relu()
//!     .max_pool::<2>()
//!     .flatten()
//!     .dropout(0.25)
//!     .linear::<9216, 128>() // 9217 here does not compile:
//!     .relu() //                "linear: 9217 inputs, but the layer before gives a vector of 9216 values"
//!     .dropout(0.5)
//!     .linear::<128, 10>()
//!     .classify::<10>();
//! let network = architecture.build(0)?;
//! let classes = (0..10).map(|digit| digit.to_string()).collect();
//! let classifier = network.classifier(classes)?; // trained as every other network
//! # Ok::<(), sgt_host::Error>(())
//! ```
//!
//! Typed networks compute nothing themselves: they yield a [`crate::network::Description`], and the
//! engine executes it. So the same seed gives the same bits as the network by name, under every
//! regime.
//!
//! | module | what it holds |
//! |---|---|
//! | `chain` | [`Chain`]: an input with layers behind it; the methods that add a layer |
//! | `input` | what networks read: [`Image`], [`Series`], [`SeriesChannelsFirst`], [`Tokens`] |
//! | [`layer`] | one file a layer |
//! | [`form`] | vector, series or image, as a type |
//! | `naming` | names of layers that have none of their own |
//! | `network` | [`Architecture`], and [`TypedNetwork`] with its tensors |
//! | `weights` | the tensors of a layer as a dfdx `TensorCollection` |
//! | [`tape`] | the engine as one operation on dfdx's tape |
//! | `named` | the networks by name: [`mnist_cnn`], [`cifar_cnn`], [`sensor_lstm`] |
//! | `message` | the compiler's messages |
//!
//! Chains have no grouped, weight-normalised or non-square convolutions, no LSTMs of several layers,
//! no input-cell LSTM, no separate projections of self-attention and no published forms of the
//! benchmark's layers: networks with those are written as a [`crate::network::Description`].
//!
//! With the feature `dfdx-cuda` the tensors can also lie on dfdx's `Cuda` device: built there, moved
//! there and back, updated by dfdx's optimizers. The engine runs on the CPU.

mod chain;
pub mod form;
mod input;
pub mod layer;
mod message;
mod named;
mod naming;
mod network;
pub mod tape;
mod weights;

pub use chain::{Chain, Inside, Step, Then};
pub use input::{BatchOf, Image, Input, Series, SeriesChannelsFirst, Tokens};
pub use named::{cifar_cnn, mnist_cnn, sensor_lstm};
pub use network::{Architecture, Logits, TypedNetwork};
pub use weights::NoWeights;
