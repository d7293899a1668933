//! The seam between networks and everything that trains, attacks or explains them.

use super::{InputShape, Mode, Parameters, Samples};
use crate::data::Bounds;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which relevance rules `DeepLIFT` uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rescaling {
    /// The rescale rule at every elementwise layer, and half of each factor's change at products
    /// (gates, attention): contributions add up exactly for every network.
    #[default]
    Complete,
    /// As Captum, which hooks no recurrent layer and no attention: they pass plain gradients.
    AsCaptum,
}

/// The smallest |Δ input| of an activation that the rescale rule divides by; below it the
/// activation's own derivative is taken. Captum's value.
pub const RESCALE_EPSILON: f32 = crate::kernel::rescale::SMALLEST_CHANGE as f32;

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

    /// The values that an input may take, in its own units; none where every number is one.
    fn bounds(&self) -> Option<Bounds> {
        None
    }

    /// The values that each channel of an input may take, where their units differ; none otherwise.
    /// [`Model::bounds`] is none then.
    fn channel_bounds(&self) -> &[Bounds] {
        &[]
    }

    /// The fewest samples that a training pass takes: 2 for a network that normalises single values
    /// over the batch, whose variance is not defined otherwise.
    fn least_batch(&self) -> usize {
        1
    }

    /// Logits `[batch, classes]` of a batch.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty or not a whole number of samples, [`Error::Argument`]
    /// when its real steps do not fit.
    fn forward<'s, 'p>(
        &self,
        samples: impl Into<Samples<'s>>,
        mode: Mode,
        pass: &'p mut Self::Pass,
    ) -> Result<&'p [f32]>;

    /// Runs the batch of `pass` again in another mode, reusing every activation in front of the
    /// first layer whose output depends on the mode (dropout, batch normalisation).
    ///
    /// Saliency needs evaluation mode and the clean loss training mode: this shares their
    /// common part. Gives exactly what [`Model::forward`] in `mode` gives.
    ///
    /// # Errors
    /// [`Error::Shape`] when `pass` holds no forward pass.
    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut Self::Pass) -> Result<&'p [f32]>;

    /// Pulls the cotangent `dlogits` `[batch, classes]` back through `pass`.
    ///
    /// `dx`, when given, is overwritten with the input's gradient. `gradient`, when given, has
    /// the parameters' gradient **added** to it, in the order of [`Model::parameters`].
    ///
    /// # Errors
    /// [`Error::Shape`] when a length does not fit the pass, or when parameter gradients
    /// are asked of a [`Mode::InputGradient`] pass.
    fn backward(
        &self,
        pass: &mut Self::Pass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()>;

    /// Writes `DeepLIFT`'s multipliers `m` `[batch, input]` into `dx` (Shrikumar, Greenside, Kundaje
    /// 2017, arXiv 1704.02685).
    ///
    /// They fulfil `Σ m · (x − reference) = Σ dlogits · (f(x) − f(reference))` a sample, up to
    /// rounding: at every activation the derivative is replaced by `Δ output / Δ input`, and a
    /// product's change is shared out by `Δ(ab) = ½(a + a₀)Δb + ½(b + b₀)Δa`. Linear layers pass
    /// multipliers as they pass gradients. `reference` and `dx` are as long as `samples.x`,
    /// `dlogits` is `[batch, classes]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a model without such rules, [`Error::Shape`] on mismatched lengths.
    fn multipliers(
        &self,
        _samples: Samples<'_>,
        _reference: &[f32],
        _dlogits: &[f32],
        _rules: Rescaling,
        _dx: &mut [f32],
    ) -> Result<()> {
        Err(Error::Argument {
            argument: "method".into(),
            found: "DeepLIFT for a model without its rules".into(),
            expected: "another method, integrated-gradients for example".into(),
        })
    }

    /// Updates running statistics (batch normalisation) from a training-mode pass.
    fn absorb_statistics(&mut self, _pass: &Self::Pass) {}

    /// All parameters and buffers, by their PyTorch names.
    fn parameters(&self) -> &Parameters;

    /// The same, to be changed.
    fn parameters_mut(&mut self) -> &mut Parameters;
}
