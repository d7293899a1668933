//! A network under construction: layers behind an input, with shapes that the compiler knows.

use super::form::{Form, Logits, Positions};
use super::input::Input;
use super::layer::{
    AveragePool, BatchNorm, Conv, Dropout, Embedding, Flatten, Gelu, GlobalAveragePool,
    GlobalMaxPool, LayerNorm, Linear, Lstm, MaxPool, Relu, Residual, SelfAttention, Sigmoid, Tanh,
};
use super::network::Architecture;
use super::weights::NoWeights;
use crate::network::{Layer, Shape};
use dfdx::nn::tensor_collection::TensorCollection;
use dfdx::prelude::{Device, Dtype};
use std::fmt::Debug;
use std::marker::PhantomData;

/// An input and the layers behind it.
///
/// Each method adds a layer and checks its sizes against what the layer before gives. Sizes that do
/// not fit end `cargo build`, `run` and `test` with a message that says both, at the line of the
/// layer (`cargo check` does not compute them); a kind of layer that cannot stand here, `linear`
/// behind an image for example, is refused by `cargo check` as well.
///
/// Layers with parameters are named as PyTorch's modules usually are, see
/// [`Architecture::describe`]; [`Then::named`] names the last one.
// Each method checks by itself, so that the message points to the line that calls it.
pub trait Chain: Clone + Debug + Send + Sync + 'static {
    /// What the first layer reads.
    type Input: Input;
    /// The kind of [`Chain::SHAPE`].
    type Form: Form;
    /// The tensors of all layers, in pairs of what is in front of a layer and the layer's own.
    type Weights<E: Dtype, D: Device<E>>: TensorCollection<E, D, To<E, D> = Self::Weights<E, D>>
        + Clone
        + Debug;

    /// What the last layer gives.
    const SHAPE: Shape;

    /// Appends the layers as data.
    fn layers(&self, layers: &mut Vec<Layer>);

    /// Adds any layer: one with other settings than the methods below have, for example
    /// `Conv::<32, 64, 3>::new().stride::<2>()`.
    fn layer<L: Step<Self>>(self, layer: L) -> Then<Self, L> {
        const { check::<Self, L>() };
        Then::new(self, layer)
    }

    /// Adds a convolution from `I` to `O` channels: a kernel of `K` steps over a series, of `K` × `K`
    /// pixels over an image; stride 1, no padding.
    fn conv<const I: usize, const O: usize, const K: usize>(self) -> Then<Self, Conv<I, O, K>>
    where
        Conv<I, O, K>: Step<Self>,
    {
        const { check::<Self, Conv<I, O, K>>() };
        Then::new(self, Conv::new())
    }

    /// Adds a batch normalisation of `C` channels.
    fn batch_norm<const C: usize>(self) -> Then<Self, BatchNorm<C>>
    where
        BatchNorm<C>: Step<Self>,
    {
        const { check::<Self, BatchNorm<C>>() };
        Then::new(self, BatchNorm)
    }

    /// Adds a layer normalisation of the `C` channels of each position.
    fn layer_norm<const C: usize>(self) -> Then<Self, LayerNorm<C>>
    where
        LayerNorm<C>: Step<Self>,
    {
        const { check::<Self, LayerNorm<C>>() };
        Then::new(self, LayerNorm)
    }

    /// Adds a `ReLU`.
    fn relu(self) -> Then<Self, Relu> {
        Then::new(self, Relu)
    }

    /// Adds a GELU.
    fn gelu(self) -> Then<Self, Gelu> {
        Then::new(self, Gelu)
    }

    /// Adds a hyperbolic tangent.
    fn tanh(self) -> Then<Self, Tanh> {
        Then::new(self, Tanh)
    }

    /// Adds a logistic function.
    fn sigmoid(self) -> Then<Self, Sigmoid> {
        Then::new(self, Sigmoid)
    }

    /// Adds max pooling over windows of `W` steps, or of `W` × `W` pixels, side by side.
    fn max_pool<const W: usize>(self) -> Then<Self, MaxPool<W, W>>
    where
        Self::Form: Positions,
    {
        const { check::<Self, MaxPool<W, W>>() };
        Then::new(self, MaxPool::new())
    }

    /// Adds average pooling over windows of `W` steps, or of `W` × `W` pixels, side by side.
    fn average_pool<const W: usize>(self) -> Then<Self, AveragePool<W, W>>
    where
        Self::Form: Positions,
    {
        const { check::<Self, AveragePool<W, W>>() };
        Then::new(self, AveragePool::new())
    }

    /// Adds the mean over all positions.
    fn global_average_pool(self) -> Then<Self, GlobalAveragePool>
    where
        Self::Form: Positions,
    {
        Then::new(self, GlobalAveragePool)
    }

    /// Adds the largest value over all positions.
    fn global_max_pool(self) -> Then<Self, GlobalMaxPool>
    where
        Self::Form: Positions,
    {
        Then::new(self, GlobalMaxPool)
    }

    /// Adds dropout with probability `p`.
    fn dropout(self, p: f32) -> Then<Self, Dropout> {
        Then::new(self, Dropout { p })
    }

    /// Adds a flattening, channel after channel.
    fn flatten(self) -> Then<Self, Flatten> {
        Then::new(self, Flatten::new())
    }

    /// Adds a fully connected layer with bias, of a vector or at every step of a series.
    fn linear<const I: usize, const O: usize>(self) -> Then<Self, Linear<I, O>>
    where
        Linear<I, O>: Step<Self>,
    {
        const { check::<Self, Linear<I, O>>() };
        Then::new(self, Linear::new())
    }

    /// Adds a table of `DIM` values for each of `VOCABULARY` words: the first layer behind
    /// [`Tokens`](super::Tokens).
    fn embedding<const VOCABULARY: usize, const DIM: usize>(
        self,
    ) -> Then<Self, Embedding<VOCABULARY, DIM>>
    where
        Embedding<VOCABULARY, DIM>: Step<Self>,
    {
        const { check::<Self, Embedding<VOCABULARY, DIM>>() };
        Then::new(self, Embedding)
    }

    /// Adds an LSTM from `I` channels to `H` hidden units that gives its last state.
    fn lstm<const I: usize, const H: usize>(self) -> Then<Self, Lstm<I, H>>
    where
        Lstm<I, H>: Step<Self>,
    {
        const { check::<Self, Lstm<I, H>>() };
        Then::new(self, Lstm::new())
    }

    /// Adds self-attention of a series with `C` channels in `HEADS` heads, without mask.
    fn self_attention<const C: usize, const HEADS: usize>(
        self,
    ) -> Then<Self, SelfAttention<C, HEADS>>
    where
        SelfAttention<C, HEADS>: Step<Self>,
    {
        const { check::<Self, SelfAttention<C, HEADS>>() };
        Then::new(self, SelfAttention::new())
    }

    /// Adds `body(x) + shortcut(x)`. Both get the beginning of a chain that reads x; a shortcut that
    /// gives it back is the identity.
    fn residual<B: Chain, S: Chain>(
        self,
        body: impl FnOnce(Inside<Self>) -> B,
        shortcut: impl FnOnce(Inside<Self>) -> S,
    ) -> Then<Self, Residual<B, S>> {
        const { check::<Self, Residual<B, S>>() };
        let residual = Residual::new(body(Inside::new()), shortcut(Inside::new()));
        Then::new(self, residual)
    }

    /// Ends the network: the last layer gives the logits of `CLASSES` classes.
    fn classify<const CLASSES: usize>(self) -> Architecture<Self, CLASSES>
    where
        Self::Form: Logits,
    {
        const { super::network::check_classes::<Self, CLASSES>() };
        Architecture::new(self)
    }
}

/// A layer that can stand behind `N`, which gives an `F`.
#[diagnostic::on_unimplemented(
    message = "a layer `{Self}` does not read what the layer before gives: {F}",
    label = "not behind this layer"
)]
pub trait Step<N: Chain, F: Form = <N as Chain>::Form>:
    Clone + Debug + Send + Sync + 'static
{
    /// The kind of [`Step::OUTPUT`].
    type Form: Form;
    /// Its tensors.
    type Weights<E: Dtype, D: Device<E>>: TensorCollection<E, D, To<E, D> = Self::Weights<E, D>>
        + Clone
        + Debug;

    /// What it makes of `N`'s shape. Computing it ends the compilation when sizes do not fit.
    const OUTPUT: Shape;

    /// The layer as data.
    fn describe(&self, name: String) -> Layer;
}

/// Computes the shape behind `L`.
const fn check<N: Chain, L: Step<N>>() {
    assert!(!L::OUTPUT.is_empty(), "a layer gives no value");
}

/// The chain `N` with a layer `L` behind it.
#[derive(Clone, Debug)]
pub struct Then<N, L> {
    before: N,
    layer: L,
    /// Empty for a name that follows from the layer's kind.
    name: String,
}

impl<N, L> Then<N, L> {
    fn new(before: N, layer: L) -> Self {
        Self {
            before,
            layer,
            name: String::new(),
        }
    }

    /// Names the last layer: PyTorch's path of its module, whole also inside a residual block.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl<N: Chain, L: Step<N>> Chain for Then<N, L> {
    type Input = N::Input;
    type Form = L::Form;
    type Weights<E: Dtype, D: Device<E>> = (N::Weights<E, D>, L::Weights<E, D>);
    const SHAPE: Shape = L::OUTPUT;

    fn layers(&self, layers: &mut Vec<Layer>) {
        self.before.layers(layers);
        layers.push(self.layer.describe(self.name.clone()));
    }
}

/// The beginning of a way through a residual block behind `N`.
#[derive(Clone, Debug)]
pub struct Inside<N>(PhantomData<N>);

impl<N> Inside<N> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<N: Chain> Chain for Inside<N> {
    type Input = N::Input;
    type Form = N::Form;
    type Weights<E: Dtype, D: Device<E>> = NoWeights;
    const SHAPE: Shape = N::SHAPE;

    fn layers(&self, _layers: &mut Vec<Layer>) {}
}
