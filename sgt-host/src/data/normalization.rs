//! Per-channel standardisation, fitted on the training part and kept with the weights.

use super::InputShape;
use super::dataset::Dataset;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sgt_core::Bounds;

/// `z = (x − mean) / deviation`, per channel; `z = (x − origin − mean) / deviation` for channels
/// that are held relative to an origin ([`Dataset::origin`]).
///
/// Data, bounds, ε and attributions are in input units `x`; a network reads `z`. So a model
/// that normalises inside applies this in front of its forward pass and
/// [`Normalization::pull_back`] behind its backward pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Normalization {
    mean: Vec<f32>,
    deviation: Vec<f32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origin: Vec<f64>,
}

/// What ε, noise and attributions are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputUnit {
    /// The data's own unit, as recorded, within its bounds, if it has such.
    Recorded(Option<Bounds>),
    /// Deviations of each channel over the training part, for channels that share no unit.
    TrainingDeviation,
}

impl std::fmt::Display for InputUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recorded(None) => f.write_str("the data's own unit"),
            Self::Recorded(Some(Bounds { low, high })) => {
                write!(f, "the data's own unit ({low} to {high})")
            }
            Self::TrainingDeviation => f.write_str("training deviations"),
        }
    }
}

#[derive(Deserialize)]
struct Unchecked {
    mean: Vec<f32>,
    deviation: Vec<f32>,
    #[serde(default)]
    origin: Vec<f64>,
}

impl TryFrom<Unchecked> for Normalization {
    type Error = Error;

    fn try_from(unchecked: Unchecked) -> Result<Self> {
        let normalization = Self::new(unchecked.mean, unchecked.deviation)?;
        normalization.with_origin(unchecked.origin)
    }
}

impl Normalization {
    /// A mean and a deviation for each channel.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there are as many of each, at least one, all means finite and
    /// all deviations finite and positive.
    pub fn new(mean: Vec<f32>, deviation: Vec<f32>) -> Result<Self> {
        let valid = !mean.is_empty()
            && mean.len() == deviation.len()
            && mean.iter().all(|m| m.is_finite())
            && deviation.iter().all(|d| d.is_finite() && *d > 0.0);
        if !valid {
            return Err(Error::Argument {
                argument: "normalization".into(),
                found: format!("{} means, {} deviations", mean.len(), deviation.len()),
                expected: "a finite mean and a positive deviation for each channel".into(),
            });
        }
        Ok(Self {
            mean,
            deviation,
            origin: Vec::new(),
        })
    }

    /// The same for samples that are held relative to `origin`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is none or one finite number a channel.
    fn with_origin(mut self, origin: Vec<f64>) -> Result<Self> {
        let fits = origin.is_empty() || origin.len() == self.mean.len();
        if !fits || !origin.iter().all(|value| value.is_finite()) {
            return Err(Error::Argument {
                argument: "normalization".into(),
                found: format!("{} origins", origin.len()),
                expected: "none, or a finite one for each channel".into(),
            });
        }
        self.origin = origin;
        Ok(self)
    }

    /// What was subtracted from each channel of the samples that [`Normalization::apply`] takes;
    /// empty for nothing.
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// Leaves every value as it is.
    pub fn identity(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels.max(1)],
            deviation: vec![1.0; channels.max(1)],
            origin: Vec::new(),
        }
    }

    /// The mean and (population) standard deviation of each channel of `train`, over its real
    /// values, padding left out. A channel that never changes has deviation 1.
    ///
    /// Two passes in `f64`.
    pub fn fit(train: &Dataset) -> Self {
        let channels = train.shape().channels();
        let mut count = vec![0_usize; channels];
        let mut sum = vec![0.0_f64; channels];
        train.for_each_channel(|channel, values| {
            count[channel] += values.len();
            sum[channel] += values.iter().map(|&v| f64::from(v)).sum::<f64>();
        });
        let mean: Vec<f64> = sum.iter().zip(&count).map(|(s, &n)| s / n as f64).collect();
        let mut squares = vec![0.0_f64; channels];
        train.for_each_channel(|channel, values| {
            let deviations = values.iter().map(|&v| f64::from(v) - mean[channel]);
            squares[channel] += deviations.map(|d| d * d).sum::<f64>();
        });
        let deviation = squares.iter().zip(&count).map(|(s, &n)| {
            let deviation = (s / n as f64).sqrt() as f32;
            if deviation > 0.0 { deviation } else { 1.0 }
        });
        Self {
            deviation: deviation.collect(),
            mean: mean.into_iter().map(|m| m as f32).collect(),
            origin: train.origin().to_vec(),
        }
    }

    /// The mean of each channel, in input units, relative to its origin.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The deviation of each channel, in input units.
    pub fn deviation(&self) -> &[f32] {
        &self.deviation
    }

    /// True when it changes nothing.
    pub fn is_identity(&self) -> bool {
        let centred = self.mean.iter().all(|&m| m == 0.0) && self.origin.is_empty();
        centred && self.deviation.iter().all(|&d| d == 1.0)
    }

    /// Checks that it has one mean for each channel of `shape`; the maps below rely on it.
    ///
    /// # Errors
    /// [`Error::Shape`] otherwise.
    pub fn check(&self, shape: InputShape) -> Result<()> {
        let channels = shape.channels();
        if channels == self.mean.len() {
            return Ok(());
        }
        Err(Error::Shape {
            operation: "normalization",
            found: format!("{} channels", self.mean.len()),
            expected: format!("the {channels} of the input"),
        })
    }

    /// Input units to normalised, in place: `(x − mean) / deviation`. `batch` is any number of
    /// samples of `shape`, in the memory order that `shape` says.
    ///
    /// # Errors
    /// [`Error::Shape`] when the channels or the length do not fit.
    pub fn apply(&self, shape: InputShape, batch: &mut [f32]) -> Result<()> {
        self.map(shape, batch, |x, mean, deviation| (x - mean) / deviation)
    }

    /// Normalised to input units, in place: `z · deviation + mean`.
    ///
    /// # Errors
    /// As [`Normalization::apply`].
    pub fn invert(&self, shape: InputShape, batch: &mut [f32]) -> Result<()> {
        self.map(shape, batch, |z, mean, deviation| z * deviation + mean)
    }

    /// The gradient with respect to `z` to that with respect to `x`, in place: `∂z / deviation`.
    ///
    /// # Errors
    /// As [`Normalization::apply`].
    pub fn pull_back(&self, shape: InputShape, gradient: &mut [f32]) -> Result<()> {
        self.map(shape, gradient, |g, _, deviation| g / deviation)
    }

    fn map(
        &self,
        shape: InputShape,
        batch: &mut [f32],
        value: impl Fn(f32, f32, f32) -> f32,
    ) -> Result<()> {
        self.check(shape)?;
        let size = shape.len();
        if size == 0 || !batch.len().is_multiple_of(size) {
            return Err(Error::Shape {
                operation: "normalization",
                found: format!("{} values", batch.len()),
                expected: format!("whole samples of {size}"),
            });
        }
        shape.map_channels(batch, [&self.mean, &self.deviation], value);
        Ok(())
    }
}
