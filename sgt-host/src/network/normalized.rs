//! Normalisation as part of the model, so that attacks and attributions work in input units.

use super::{InputShape, Mode, Model, Parameters, Rescale, SeriesOrder};
use crate::{Error, Result};

/// `f((x − mean) / std)`: a model that reads raw inputs.
///
/// ε and bounds of an attack then are in the data's own units, and gradients come out scaled by
/// `1 / std`. Parameters are the inner model's.
#[derive(Clone, Debug)]
pub struct Normalized<M> {
    inner: M,
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// The inner pass and the normalised batch.
#[derive(Debug)]
pub struct NormalizedPass<P> {
    inner: P,
    normalized: Vec<f32>,
}

impl<P: Default> Default for NormalizedPass<P> {
    fn default() -> Self {
        Self {
            inner: P::default(),
            normalized: Vec::new(),
        }
    }
}

impl<M: Model> Normalized<M> {
    /// Puts `(x − mean) / std` in front of `inner`: one mean and one deviation a channel (an
    /// embedding dimension for tokens).
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one of each a channel, [`Error::Argument`] on a
    /// non-finite mean or a deviation that is not finite and positive.
    pub fn new(inner: M, mean: &[f32], std: &[f32]) -> Result<Self> {
        let channels = channels(inner.input());
        if mean.len() != channels || std.len() != channels {
            return Err(Error::Shape {
                operation: "normalisation",
                found: format!("{} means, {} deviations", mean.len(), std.len()),
                expected: format!("{channels} of each, one a channel"),
            });
        }
        super::check_finite("mean", mean)?;
        if let Some(found) = std.iter().find(|std| !std.is_normal() || **std < 0.0) {
            return Err(Error::Argument {
                argument: "std".into(),
                found: found.to_string(),
                expected: "finite positive deviations".into(),
            });
        }
        Ok(Self {
            inner,
            mean: mean.to_vec(),
            scale: std.iter().map(|std| 1.0 / std).collect(),
        })
    }

    /// The model behind the normalisation.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// The model behind the normalisation, without it.
    pub fn into_inner(self) -> M {
        self.inner
    }

    fn normalize(&self, x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend_from_slice(x);
        self.for_each_channel(out, |value, channel| {
            (value - self.mean[channel]) * self.scale[channel]
        });
    }

    fn scale_gradient(&self, dx: &mut [f32]) {
        self.for_each_channel(dx, |value, channel| value * self.scale[channel]);
    }

    fn for_each_channel(&self, values: &mut [f32], f: impl Fn(f32, usize) -> f32) {
        let channels = self.mean.len();
        let run = channel_run(self.inner.input());
        for (index, chunk) in values.chunks_mut(run).enumerate() {
            let channel = index % channels;
            for value in chunk {
                *value = f(*value, channel);
            }
        }
    }
}

/// The number of channels that share a mean and a deviation.
fn channels(input: InputShape) -> usize {
    match input {
        InputShape::Image { channels, .. } | InputShape::Series { channels, .. } => channels,
        InputShape::Tokens { dim, .. } => dim,
    }
}

/// The number of neighbouring values in memory that belong to one channel.
fn channel_run(input: InputShape) -> usize {
    match input {
        InputShape::Image { height, width, .. } => height * width,
        InputShape::Series {
            steps,
            order: SeriesOrder::ChannelsFirst,
            ..
        } => steps,
        InputShape::Series { .. } | InputShape::Tokens { .. } => 1,
    }
}

impl<M: Model> Model for Normalized<M> {
    type Pass = NormalizedPass<M::Pass>;

    fn input(&self) -> InputShape {
        self.inner.input()
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn forward<'p>(&self, x: &[f32], mode: Mode, pass: &'p mut Self::Pass) -> Result<&'p [f32]> {
        self.normalize(x, &mut pass.normalized);
        self.inner.forward(&pass.normalized, mode, &mut pass.inner)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut Self::Pass) -> Result<&'p [f32]> {
        self.inner.forward_again(mode, &mut pass.inner)
    }

    fn backward(
        &self,
        pass: &mut Self::Pass,
        dlogits: &[f32],
        mut dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        self.inner
            .backward(&mut pass.inner, dlogits, dx.as_deref_mut(), gradient)?;
        if let Some(dx) = dx {
            self.scale_gradient(dx);
        }
        Ok(())
    }

    fn absorb_statistics(&mut self, pass: &Self::Pass) {
        self.inner.absorb_statistics(&pass.inner);
    }

    fn parameters(&self) -> &Parameters {
        self.inner.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.inner.parameters_mut()
    }
}

impl<M: Rescale> Rescale for Normalized<M> {
    fn multipliers(
        &self,
        x: &[f32],
        reference: &[f32],
        dlogits: &[f32],
        dx: &mut [f32],
    ) -> Result<()> {
        let (mut normalized, mut normalized_reference) = (Vec::new(), Vec::new());
        self.normalize(x, &mut normalized);
        self.normalize(reference, &mut normalized_reference);
        self.inner
            .multipliers(&normalized, &normalized_reference, dlogits, dx)?;
        self.scale_gradient(dx);
        Ok(())
    }
}
