//! Multi-head self-attention.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Series;
use crate::typed::message::{Message, check_inputs, check_size};
use crate::typed::weights::weights;
use dfdx::prelude::{Device, Dtype, Rank1, Rank2, Rank3};

/// Self-attention of a series with `C` channels in `HEADS` heads.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelfAttention<const C: usize, const HEADS: usize> {
    causal: bool,
    dropout: f32,
}

weights! {
    /// The tensors of a [`SelfAttention`]. Queries, keys and values are an axis of their own: the
    /// same values in the same order as PyTorch's `[3 · C, …]`.
    SelfAttentionWeights<const C> {
        /// Of queries, keys and values.
        in_proj_weight: Rank3<3, C, C>,
        /// Of queries, keys and values.
        in_proj_bias: Rank2<3, C>,
        /// Of the projection of all heads.
        out_proj_weight: Rank2<C, C>,
        /// Of the projection of all heads.
        out_proj_bias: Rank1<C>,
    }
    of layer::SelfAttention::new("", 1), Shape::Series { steps: 1, channels: C }
}

impl<const C: usize, const HEADS: usize> SelfAttention<C, HEADS> {
    /// Every step sees every step; no dropout.
    pub const fn new() -> Self {
        Self {
            causal: false,
            dropout: 0.0,
        }
    }

    /// The same, but a step sees only itself and the steps before it.
    #[must_use]
    pub const fn causal(mut self) -> Self {
        self.causal = true;
        self
    }

    /// The same with dropout of attention weights with probability `p` in training.
    #[must_use]
    pub const fn dropout(mut self, p: f32) -> Self {
        self.dropout = p;
        self
    }
}

const fn output(input: Shape, channels: usize, heads: usize) -> Shape {
    check_size("self_attention", "head", heads);
    check_inputs("self_attention", channels, input);
    if !channels.is_multiple_of(heads) {
        Message::of("self_attention")
            .count(heads, "head")
            .text(" do not divide ")
            .count(channels, "channel")
            .refuse();
    }
    input
}

impl<N: Chain, const C: usize, const HEADS: usize> Step<N, Series> for SelfAttention<C, HEADS> {
    type Form = Series;
    type Weights<E: Dtype, D: Device<E>> = SelfAttentionWeights<C, E, D>;
    const OUTPUT: Shape = output(N::SHAPE, C, HEADS);

    fn describe(&self, name: String) -> Layer {
        let attention = layer::SelfAttention {
            causal: self.causal,
            dropout: self.dropout,
            ..layer::SelfAttention::new(&name, HEADS)
        };
        attention.into()
    }
}
