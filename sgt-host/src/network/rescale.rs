//! `DeepLIFT`'s rescale rule as an ability of a model.

use super::Model;
use crate::{Error, Result};

/// The smallest |Δ input| of an activation that the rescale rule divides by; below it the
/// activation's own derivative is taken. Captum's value.
pub const RESCALE_EPSILON: f32 = 1e-10;

/// A model whose contributions can be propagated by the rescale rule of `DeepLIFT` (Shrikumar,
/// Greenside, Kundaje 2017, arXiv 1704.02685).
pub trait Rescale: Model {
    /// Writes multipliers `m` `[batch, input]` into `dx`.
    ///
    /// They fulfil `Σ m · (x − reference) = Σ dlogits · (f(x) − f(reference))` a sample, up to
    /// rounding: at every activation the derivative is replaced by `Δ output / Δ input`.
    /// Linear layers pass multipliers as they pass gradients. `x`, `reference` and `dx` are
    /// `[batch, input]`, `dlogits` is `[batch, classes]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a network with gates, products of activations or attention, on
    /// which the rule is not defined here; [`Error::Shape`] on mismatched lengths.
    fn multipliers(
        &self,
        _x: &[f32],
        _reference: &[f32],
        _dlogits: &[f32],
        _dx: &mut [f32],
    ) -> Result<()> {
        Err(Error::Argument {
            argument: "method".into(),
            found: "DeepLIFT for a network that is not feed-forward with ReLU and pooling".into(),
            expected: "another method, integrated-gradients for example".into(),
        })
    }
}
