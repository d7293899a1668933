//! Typed layers on dfdx: sizes are [`Const`](dfdx::prelude::Const) or `usize`, the device is the
//! CPU or a GPU.
//!
//! A size that is a `Const` is checked when the program is built, one that is a `usize` when it
//! runs, by the same code ([`Extent`]). Parameters have `PyTorch`'s names and layouts. Layers of
//! constant sizes are dfdx `TensorCollection`s: its optimizers, `num_trainable_params` and
//! `to_device` work on them; layers of any size are [`NamedTensors`].
//!
//! Every layer takes the [`Mode`](crate::nn::Mode) of the pass. In `InputGradient` no gradient
//! of a parameter is computed or allocated. On the CPU a layer is one operation over a fast
//! kernel ([`operation`]); elsewhere it is composed of dfdx's operations
//! ([`crate::nn::composed`]). [`Backend`] says which.
//!
//! | module | what it holds |
//! |---|---|
//! | `extent` | sizes, padding, and their checks |
//! | `named` | tensors by name |
//! | `backend` | what runs on which device |
//! | [`operation`] | the operations of the CPU |
//! | `linear`, `conv`, `pool`, `normalization`, `token`, `recurrent`, `attention`, `residual` | the layers |

#![allow(
    clippy::type_complexity,
    reason = "a signature that spells its tensors' shapes is the layer's contract"
)]

mod attention;
mod backend;
mod conv;
mod extent;
mod linear;
pub(crate) mod named;
mod normalization;
pub mod operation;
mod pool;
mod recurrent;
mod residual;
mod token;

pub use attention::MultiHeadAttention;
pub use backend::Backend;
pub use conv::{Conv1d, Conv2d, UnbiasedConv2d};
pub use extent::{Causal, Extent, Padding, PaddingKind, flatten};
pub use linear::Linear;
pub use named::{NamedTensorVisitor, NamedTensors, TensorRole};
pub use normalization::{BatchNorm, LayerNorm};
pub use pool::{AveragePool2d, MaxPool1d, MaxPool2d, global_average_pool};
pub use recurrent::{BiLstm, Lstm};
pub use residual::{DownsampleBlock, ResidualBlock, Shortcut};
pub use token::{Dropout, Embedding, relu};
