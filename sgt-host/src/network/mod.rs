//! The seam between networks and everything that trains, attacks or explains them.
//!
//! A [`Model`] is a differentiable classifier over flat `f32` batches. Attacks, attribution
//! methods and training regimes see only this trait, never a layer or a tensor library.

mod batch;
mod layout;
mod mode;
pub mod network;
mod normalized;
mod parameters;
pub mod registry;
mod rescale;
mod score;

pub use batch::{check_batch, check_finite, check_labels};
pub use layout::Grouping;
pub use mode::Mode;
pub use normalized::{Normalized, NormalizedPass};
pub use parameters::{Parameter, Parameters};
pub use rescale::{RESCALE_EPSILON, Rescale};
pub(crate) use score::predicted_class;
pub use score::{Score, input_gradient, score_gradient};

use crate::Result;
use serde::{Deserialize, Serialize};

/// Which axis of a series is the outer one in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeriesOrder {
    /// `[channels, steps]`: what convolutions read.
    ChannelsFirst,
    /// `[steps, channels]`: what recurrent networks read.
    StepsFirst,
}

/// The shape and meaning of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum InputShape {
    /// `[channels, height, width]`.
    Image {
        /// Colour channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A multivariate series, in the memory order that `order` says.
    Series {
        /// Time steps.
        steps: usize,
        /// Channels (sensors).
        channels: usize,
        /// Memory order.
        order: SeriesOrder,
    },
    /// `[tokens, dim]`: embedded text.
    Tokens {
        /// Tokens a sample.
        tokens: usize,
        /// Embedding dimensions.
        dim: usize,
    },
}

impl InputShape {
    /// The number of values in one sample.
    pub fn len(&self) -> usize {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => channels * height * width,
            Self::Series {
                steps, channels, ..
            } => steps * channels,
            Self::Tokens { tokens, dim } => tokens * dim,
        }
    }

    /// True when a sample holds no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The axes of one sample as they lie in memory, outermost first.
    pub fn dims(&self) -> Vec<usize> {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => vec![channels, height, width],
            Self::Series {
                steps,
                channels,
                order: SeriesOrder::ChannelsFirst,
            } => vec![channels, steps],
            Self::Series {
                steps,
                channels,
                order: SeriesOrder::StepsFirst,
            } => vec![steps, channels],
            Self::Tokens { tokens, dim } => vec![tokens, dim],
        }
    }
}

/// A differentiable classifier over flat batches.
///
/// A batch is a slice of `batch × input().len()` values, sample after sample. One forward pass
/// fills a [`Model::Pass`]; any number of backward passes may follow it. Passes keep their
/// buffers, so reusing one for batches of the same size allocates nothing.
///
/// Same parameters, same batch, same mode: the same bits, whatever the number of threads.
pub trait Model: Clone + Send + Sync {
    /// The activations of one forward pass.
    type Pass: Default + Send;

    /// What one sample looks like.
    fn input(&self) -> InputShape;

    /// The number of logits a sample.
    fn classes(&self) -> usize;

    /// Logits `[batch, classes]` of the batch `x`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when `x` is empty or not a whole number of samples.
    fn forward<'p>(&self, x: &[f32], mode: Mode, pass: &'p mut Self::Pass) -> Result<&'p [f32]>;

    /// Runs the batch of `pass` again in another mode, reusing every activation in front of the
    /// first layer whose output depends on the mode (dropout, batch normalisation).
    ///
    /// Saliency needs evaluation mode and the clean loss training mode: this shares their
    /// common part. Gives exactly what [`Model::forward`] in `mode` gives.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when `pass` holds no forward pass.
    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut Self::Pass) -> Result<&'p [f32]>;

    /// Pulls the cotangent `dlogits` `[batch, classes]` back through `pass`.
    ///
    /// `dx`, when given, is overwritten with the input's gradient. `gradient`, when given, has
    /// the parameters' gradient **added** to it, in the order of [`Model::parameters`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when a length does not fit the pass, or when parameter gradients
    /// are asked of a [`Mode::InputGradient`] pass.
    fn backward(
        &self,
        pass: &mut Self::Pass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()>;

    /// Updates running statistics (batch normalisation) from a training-mode pass.
    fn absorb_statistics(&mut self, _pass: &Self::Pass) {}

    /// All parameters and buffers, by their PyTorch names.
    fn parameters(&self) -> &Parameters;

    /// The same, to be changed.
    fn parameters_mut(&mut self) -> &mut Parameters;
}
