//! Words and their positions.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::Series;
use crate::typed::input::Tokens;
use crate::typed::message::check_size;
use crate::typed::weights::{NoWeights, weights};
use dfdx::prelude::{Device, Dtype, Rank2};

/// A table of `DIM` values for each of `VOCABULARY` words: the first layer behind [`Tokens`]. The
/// network itself reads embedded vectors; [`crate::network::Network::embed`] makes them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedding<const VOCABULARY: usize, const DIM: usize>;

weights! {
    /// The tensor of an [`Embedding`].
    EmbeddingWeights<const VOCABULARY, const DIM> {
        /// `[VOCABULARY, DIM]`.
        weight: Rank2<VOCABULARY, DIM>,
    }
    of layer::Embedding { name: String::new(), vocabulary: VOCABULARY, dim: DIM },
    Shape::Series { steps: 1, channels: DIM }
}

const fn embedded(input: Shape, vocabulary: usize) -> Shape {
    check_size("embedding", "word", vocabulary);
    input
}

impl<const TOKENS: usize, const VOCABULARY: usize, const DIM: usize>
    Step<Tokens<TOKENS, DIM>, Series> for Embedding<VOCABULARY, DIM>
{
    type Form = Series;
    type Weights<E: Dtype, D: Device<E>> = EmbeddingWeights<VOCABULARY, DIM, E, D>;
    const OUTPUT: Shape = embedded(Tokens::<TOKENS, DIM>::SHAPE, VOCABULARY);

    fn describe(&self, name: String) -> Layer {
        let embedding = layer::Embedding {
            name,
            vocabulary: VOCABULARY,
            dim: DIM,
        };
        embedding.into()
    }
}

/// x, or √channels · x, plus sines and cosines of the position.
#[derive(Clone, Copy, Debug, Default)]
pub struct PositionalEncoding {
    scale: bool,
}

impl PositionalEncoding {
    /// x is added to as it is.
    pub const fn new() -> Self {
        Self { scale: false }
    }

    /// The same, but x is multiplied by √channels first.
    pub const fn scaled() -> Self {
        Self { scale: true }
    }
}

impl<N: Chain> Step<N, Series> for PositionalEncoding {
    type Form = Series;
    type Weights<E: Dtype, D: Device<E>> = NoWeights;
    const OUTPUT: Shape = N::SHAPE;

    fn describe(&self, name: String) -> Layer {
        let encoding = layer::PositionalEncoding {
            name,
            scale: self.scale,
            ..layer::PositionalEncoding::default()
        };
        encoding.into()
    }
}
