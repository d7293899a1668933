//! The closed set of layers, one file each.
//!
//! A layer's file holds what it is as data, its shape rule, its parameters and their start values,
//! and its operation on the CPU: forward, backward, and the relevance rule of `DeepLIFT`.

mod activation;
mod batch_norm;
mod convolution;
mod dropout;
mod embedding;
mod flatten;
mod global_pool;
mod input_cell_lstm;
mod layer_norm;
mod linear;
mod lstm;
mod pool;
mod positional_encoding;
mod readout;
mod residual;
mod self_attention;

pub use activation::{Gelu, Relu, Sigmoid, Tanh};
pub use batch_norm::BatchNorm;
pub(crate) use convolution::normalise;
pub use convolution::{Convolution, NamedPadding, Padding};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::{Flatten, FlattenOrder};
pub use global_pool::{GlobalAveragePool, GlobalMaxPool};
pub use input_cell_lstm::InputCellLstm;
pub use layer_norm::{LayerNorm, LayerNormForm};
pub use linear::Linear;
pub use lstm::{Direction, Lstm};
pub use pool::{AveragePool, MaxPool};
pub use positional_encoding::{EncodingForm, PositionalEncoding};
pub use readout::Readout;
pub use residual::Residual;
pub use self_attention::{Projections, SelfAttention};

use super::Shape;
use super::engine::Place;
use super::start::Start;
use crate::{Error, strict};
use serde::{Deserialize, Serialize};
use toml::Table;

/// What a layer says of itself; the closed set of implementations is [`Layer`].
pub(crate) trait Rule {
    /// The shape that it makes of `input`.
    fn output(&self, input: Shape) -> Result<Shape, Misfit>;

    /// Its own parameters, for an `input` that [`Rule::output`] takes; empty for layers without.
    fn tensors(&self, _input: Shape) -> Vec<Tensor> {
        Vec::new()
    }

    /// What it costs a sample.
    fn cost(&self, _input: Shape, output: Shape) -> Cost {
        Cost {
            operations: 0,
            values: output.len(),
        }
    }

    /// The class that computes it in `torch.nn`, for elementwise layers without parameters.
    fn elementwise(&self) -> Option<Elementwise> {
        None
    }

    /// Puts its operations, for an `input` that [`Rule::output`] takes, at `place`.
    fn lower(&self, place: &mut Place<'_, '_>);
}

/// An elementwise layer in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elementwise {
    /// Its class in `torch.nn`.
    pub(crate) class: &'static str,
    /// Whether it makes 0 of 0, so that padding stays empty.
    pub(crate) keeps_zero: bool,
}

/// Why a layer does not take a shape.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl Misfit {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "texts and format_args! are given, not kept"
    )]
    pub(crate) fn new(found: impl ToString, expected: impl ToString) -> Self {
        Self {
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// Refuses a size that is 0 or beyond [`super::limits::SIZE`].
pub(crate) fn check_size(field: &str, size: usize) -> Result<(), Misfit> {
    if (1..=super::limits::SIZE).contains(&size) {
        return Ok(());
    }
    let expected = format!("{field} from 1 to {}", super::limits::SIZE);
    Err(Misfit::new(format_args!("{field} {size}"), expected))
}

/// One parameter or buffer of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// What stands behind the layer's name: `weight`.
    pub(crate) suffix: String,
    /// PyTorch's shape.
    pub(crate) shape: Vec<usize>,
    pub(crate) start: Start,
    /// False for running statistics.
    pub(crate) trainable: bool,
}

impl Tensor {
    pub(crate) fn new(
        suffix: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        start: Start,
    ) -> Self {
        Self {
            suffix: suffix.into(),
            shape: shape.into(),
            start,
            trainable: true,
        }
    }

    /// The same as a buffer that no optimizer changes.
    pub(crate) fn buffer(mut self) -> Self {
        self.trainable = false;
        self
    }

    pub(crate) fn len(&self) -> usize {
        let axes = self.shape.iter();
        axes.fold(1, |len: usize, &axis| len.saturating_mul(axis))
    }
}

/// What a layer costs a sample in a forward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiplications of parameters or activations with activations.
    pub operations: usize,
    /// Values that it writes.
    pub values: usize,
}

impl Cost {
    /// Both together; the largest number there is when they cannot be counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            operations: self.operations.saturating_add(other.operations),
            values: self.values.saturating_add(other.values),
        }
    }
}

/// The default of counts.
pub(crate) const fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) const fn is_one(count: &usize) -> bool {
    *count == 1
}

/// The default of switches that are on.
pub(crate) const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) const fn is_yes(switch: &bool) -> bool {
    *switch
}

/// The product of `factors`; the largest number there is when it cannot be counted.
pub(crate) fn product(factors: &[usize]) -> usize {
    let factors = factors.iter();
    factors.fold(1, |product: usize, &factor| product.saturating_mul(factor))
}

/// One number for both axes of an image and for a series, or `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a whole number or a pair [vertical, horizontal]"
)]
pub enum Pair {
    /// The same for every axis.
    Same(usize),
    /// `[vertical, horizontal]`.
    Each([usize; 2]),
}

impl From<usize> for Pair {
    fn from(size: usize) -> Self {
        Self::Same(size)
    }
}

impl From<[usize; 2]> for Pair {
    fn from(sizes: [usize; 2]) -> Self {
        Self::Each(sizes)
    }
}

impl Pair {
    /// 1, the default of strides, dilations and groups.
    pub(crate) const ONE: Self = Self::Same(1);

    /// 0, the default of padding.
    pub(crate) const fn zero() -> Self {
        Self::Same(0)
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::zero()
    }

    /// 1.
    pub(crate) const fn one() -> Self {
        Self::ONE
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(crate) fn is_one(&self) -> bool {
        *self == Self::ONE
    }

    /// `[vertical, horizontal]` on `input`: `flat` above and below a series.
    pub(crate) fn on(self, field: &str, input: Shape, flat: usize) -> Result<[usize; 2], Misfit> {
        match (self, input) {
            (Self::Same(size), Shape::Series { .. }) => Ok([flat, size]),
            (Self::Same(size), _) => Ok([size, size]),
            (Self::Each(sizes), Shape::Image { .. }) => Ok(sizes),
            (Self::Each(sizes), _) => Err(Misfit::new(
                format_args!("{field} {sizes:?}"),
                format_args!("one number: it reads {input}"),
            )),
        }
    }
}

/// Makes the closed set of layers.
macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident = $kind:literal),+ $(,)?) => {
        /// A layer, as data.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Layer {
            $($(#[$doc])* #[serde(rename = $kind)] $layer($layer),)+
        }

        impl Layer {
            /// The kinds, as descriptions spell them.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// The kind, as descriptions spell it.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$layer(_) => $kind,)+
                }
            }

            /// PyTorch's path of its module; empty for layers that need none.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$layer(layer) => &layer.name,)+
                }
            }

            #[cfg(feature = "typed")]
            pub(crate) fn name_mut(&mut self) -> &mut String {
                match self {
                    $(Self::$layer(layer) => &mut layer.name,)+
                }
            }

            /// What the reader of the layer's own kind says of a table at `place` of what `origin`
            /// names; nothing for a kind that is none. [`Layer`]'s own reader does not know the
            /// kind before it has read all keys, and has lost their names then.
            pub(crate) fn mistake(mut table: Table, origin: &str, place: &str) -> Option<Error> {
                match table.remove("kind")?.as_str()? {
                    $($kind => strict::read_at::<$layer>(table, origin, place).err(),)+
                    _ => None,
                }
            }

            pub(crate) fn rule(&self) -> &dyn Rule {
                match self {
                    $(Self::$layer(layer) => layer,)+
                }
            }
        }

        $(impl From<$layer> for Layer {
            fn from(layer: $layer) -> Self {
                Self::$layer(layer)
            }
        })+
    };
}

layers! {
    /// Convolution over a series or an image.
    Convolution = "convolution",
    /// Batch normalisation.
    BatchNorm = "batch-norm",
    /// Layer normalisation.
    LayerNorm = "layer-norm",
    /// max(x, 0).
    Relu = "relu",
    /// x · Φ(x).
    Gelu = "gelu",
    /// tanh(x).
    Tanh = "tanh",
    /// 1 / (1 + e⁻ˣ).
    Sigmoid = "sigmoid",
    /// The largest value of each window.
    MaxPool = "max-pool",
    /// The mean of each window.
    AveragePool = "average-pool",
    /// The mean over all positions.
    GlobalAveragePool = "global-average-pool",
    /// The largest value over all positions.
    GlobalMaxPool = "global-max-pool",
    /// Dropout in training.
    Dropout = "dropout",
    /// All values in one vector.
    Flatten = "flatten",
    /// x Wᵀ + b.
    Linear = "linear",
    /// Vectors of words.
    Embedding = "embedding",
    /// A long short-term memory.
    Lstm = "lstm",
    /// An LSTM that reads an attention over its inputs.
    InputCellLstm = "input-cell-lstm",
    /// Sines and cosines of the position.
    PositionalEncoding = "positional-encoding",
    /// Multi-head self-attention.
    SelfAttention = "self-attention",
    /// body(x) + shortcut(x).
    Residual = "residual",
}
