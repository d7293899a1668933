//! Typed layers, one file a kind: sizes as types, the tensors, the rule that the compiler checks.
//!
//! What a layer computes is the engine's: [`crate::network::layer`].

mod activation;
mod attention;
mod conv;
mod dropout;
mod flatten;
mod linear;
mod lstm;
mod norm;
mod pool;
mod residual;
mod token;

pub use activation::{Gelu, Relu, Sigmoid, Tanh};
pub use attention::{SelfAttention, SelfAttentionWeights};
pub use conv::{
    Causal, Conv, Conv1dWeights, Conv2dWeights, Padding, Same, UnbiasedConv1dWeights,
    UnbiasedConv2dWeights, Zeros,
};
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::{Linear, LinearWeights, UnbiasedLinearWeights};
pub use lstm::{
    All, Attention, AttentionWeights, Both, Direction, Forward, Last, Lstm, LstmWeights, Max, Mean,
    Readout, Reverse, ReverseLstmWeights,
};
pub use norm::{BatchNorm, BatchNormWeights, LayerNorm, LayerNormWeights};
pub use pool::{AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool};
pub use residual::Residual;
pub use token::{Embedding, EmbeddingWeights, PositionalEncoding};

/// A layer without its bias.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unbiased<L>(L);
