//! What is trained, saved, attacked and explained: a network that reads data in its own units.

use super::{InputShape, Mode, Model, Network, Parameters, Rescaling, Samples};
use crate::data::{Bounds, Normalization};
use crate::{Error, Result};

/// `f((x − mean) / deviation)` over named classes.
///
/// Normalisation and bounds belong to the classifier: x, ε, bounds and attributions are in the
/// data's own units, and gradients come out scaled by `1 / deviation`. Parameters are the
/// network's.
///
/// ```
/// use sgt_host::data::{Bounds, Normalization};
/// use sgt_host::network::{Classifier, Description, InputShape, Network};
/// let description = Description::new(InputShape::image(1, 8, 8)).flatten().linear("fc", 2);
/// let network = Network::new(&description, 0)?;
/// let classes = vec!["night".to_string(), "day".to_string()];
/// let mut classifier = Classifier::new(network, classes)?
///     .with_normalization(&Normalization::new(vec![0.13], vec![0.31])?)?
///     .with_bounds(Bounds { low: 0.0, high: 1.0 })?;
/// # Ok::<(), sgt_host::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Classifier<M = Network> {
    network: M,
    class_names: Vec<String>,
    bounds: Option<Bounds>,
    channel_bounds: Vec<Bounds>,
    mean: Vec<f32>,
    scale: Vec<f32>,
}

/// The network's pass and the normalised batch.
#[derive(Debug)]
pub struct ClassifierPass<P> {
    network: P,
    normalized: Vec<f32>,
}

impl<P: Default> Default for ClassifierPass<P> {
    fn default() -> Self {
        Self {
            network: P::default(),
            normalized: Vec::new(),
        }
    }
}

impl<M: Model> Classifier<M> {
    /// `network` as it is: no normalisation, no bounds.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is one name for each class.
    pub fn new(network: M, class_names: Vec<String>) -> Result<Self> {
        if class_names.len() != network.classes() {
            return Err(Error::Argument {
                argument: "class names".into(),
                found: class_names.len().to_string(),
                expected: format!("{}, one for each logit", network.classes()),
            });
        }
        let channels = network.input().channels();
        Ok(Self {
            mean: vec![0.0; channels],
            scale: vec![1.0; channels],
            network,
            class_names,
            bounds: None,
            channel_bounds: Vec::new(),
        })
    }

    /// Puts a normalisation in front of the network, instead of the one that is there.
    ///
    /// # Errors
    /// [`Error::Shape`] unless it has one mean and deviation a channel, [`Error::Argument`] when
    /// `1 / deviation` is no number.
    pub fn with_normalization(mut self, normalization: &Normalization) -> Result<Self> {
        normalization.check(self.network.input())?;
        let deviation = normalization.deviation();
        if let Some(found) = deviation.iter().find(|deviation| !deviation.is_normal()) {
            return Err(Error::Argument {
                argument: "deviation".into(),
                found: found.to_string(),
                expected: "deviations whose reciprocal is a number".into(),
            });
        }
        self.mean = normalization.mean().to_vec();
        self.scale = deviation.iter().map(|deviation| 1.0 / deviation).collect();
        Ok(self)
    }

    /// States the values that an input may take, whatever its channel.
    ///
    /// # Errors
    /// [`Error::Argument`] unless they are finite and in order.
    pub fn with_bounds(mut self, bounds: Bounds) -> Result<Self> {
        check_bounds(bounds)?;
        self.bounds = Some(bounds);
        self.channel_bounds.clear();
        Ok(self)
    }

    /// States the values that each channel of an input may take.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are bounds for each channel; [`Error::Argument`] unless they
    /// are finite and in order.
    pub fn with_channel_bounds(mut self, bounds: Vec<Bounds>) -> Result<Self> {
        let channels = self.network.input().channels();
        if bounds.len() != channels {
            return Err(Error::Shape {
                operation: "bounds",
                found: format!("{} channels", bounds.len()),
                expected: format!("{channels}"),
            });
        }
        bounds.iter().copied().try_for_each(check_bounds)?;
        self.bounds = None;
        self.channel_bounds = bounds;
        Ok(self)
    }

    /// The network behind the normalisation.
    pub fn network(&self) -> &M {
        &self.network
    }

    /// The network without normalisation, bounds and names.
    pub fn into_network(self) -> M {
        self.network
    }

    /// The names of the classes, in the order of the logits.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Whether the network reads its inputs as they are.
    fn is_identity(&self) -> bool {
        self.mean.iter().all(|&mean| mean == 0.0) && self.scale.iter().all(|&scale| scale == 1.0)
    }

    /// The batch as the network reads it; `memory` is used where that differs.
    fn normalize<'x>(&self, x: &'x [f32], memory: &'x mut Vec<f32>) -> &'x [f32] {
        if self.is_identity() {
            return x;
        }
        memory.clear();
        memory.extend_from_slice(x);
        let scaled = |value, mean, scale| (value - mean) * scale;
        self.map_channels(memory, scaled);
        memory
    }

    fn scale_gradient(&self, dx: &mut [f32]) {
        if !self.is_identity() {
            self.map_channels(dx, |value, _, scale| value * scale);
        }
    }

    fn map_channels(&self, values: &mut [f32], f: impl Fn(f32, f32, f32) -> f32) {
        let channels = [&self.mean[..], &self.scale];
        self.network.input().map_channels(values, channels, f);
    }
}

fn check_bounds(Bounds { low, high }: Bounds) -> Result<()> {
    if low.is_finite() && high.is_finite() && low < high {
        return Ok(());
    }
    Err(Error::Argument {
        argument: "bounds".into(),
        found: format!("{low} to {high}"),
        expected: "finite bounds, the lower one first".into(),
    })
}

impl<M: Model> Model for Classifier<M> {
    type Pass = ClassifierPass<M::Pass>;

    fn input(&self) -> InputShape {
        self.network.input()
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    fn least_batch(&self) -> usize {
        self.network.least_batch()
    }

    fn channel_bounds(&self) -> &[Bounds] {
        &self.channel_bounds
    }

    fn forward<'s, 'p>(
        &self,
        samples: impl Into<Samples<'s>>,
        mode: Mode,
        pass: &'p mut Self::Pass,
    ) -> Result<&'p [f32]> {
        let Samples { x, valid } = samples.into();
        let x = self.normalize(x, &mut pass.normalized);
        let samples = Samples { x, valid };
        self.network.forward(samples, mode, &mut pass.network)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut Self::Pass) -> Result<&'p [f32]> {
        self.network.forward_again(mode, &mut pass.network)
    }

    fn backward(
        &self,
        pass: &mut Self::Pass,
        dlogits: &[f32],
        mut dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        let network_pass = &mut pass.network;
        self.network
            .backward(network_pass, dlogits, dx.as_deref_mut(), gradient)?;
        if let Some(dx) = dx {
            self.scale_gradient(dx);
        }
        Ok(())
    }

    fn multipliers(
        &self,
        samples: Samples<'_>,
        reference: &[f32],
        dlogits: &[f32],
        rules: Rescaling,
        dx: &mut [f32],
    ) -> Result<()> {
        let (mut normalized, mut normalized_reference) = (Vec::new(), Vec::new());
        let x = self.normalize(samples.x, &mut normalized);
        let reference = self.normalize(reference, &mut normalized_reference);
        let samples = Samples { x, ..samples };
        self.network
            .multipliers(samples, reference, dlogits, rules, dx)?;
        self.scale_gradient(dx);
        Ok(())
    }

    fn absorb_statistics(&mut self, pass: &Self::Pass) {
        self.network.absorb_statistics(&pass.network);
    }

    fn parameters(&self) -> &Parameters {
        self.network.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.network.parameters_mut()
    }
}
