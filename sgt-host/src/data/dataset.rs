//! Labelled samples of one shape.

use super::{Axes, InputShape, Normalization, Preprocessing, Provenance, SeriesOrder};
use crate::npy::Array;
use crate::{Error, Result};
use sgt_core::Bounds;
use std::ops::Range;

/// Labelled samples of one shape, in input units.
///
/// - **Images** are `[channels, height, width]` in `[0, 1]` (bytes over 255) and have
///   [`Bounds::UNIT`].
/// - **Series** are `[channels, steps]`, unscaled. They have no bounds: a recording tells what
///   was seen, not what the sensor can see, and clipping to it would move clean test values.
///   A series shorter than `steps` is padded **in front**, so that the last step, which a
///   recurrent network reads, is always real. [`Dataset::valid_steps`] is the real part:
///   ranking and masking leave the rest alone. A channel whose values are far from 0 and close to
///   each other (time stamps, pressures) is held relative to its [`Dataset::origin`].
///
/// Every value is finite, every label is a class: checked once, by the constructors.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    classes: Vec<String>,
    shape: InputShape,
    samples: Vec<f32>,
    labels: Vec<usize>,
    real_steps: Option<Vec<usize>>,
    bounds: Option<Bounds>,
    origin: Vec<f64>,
    axes: Axes,
    provenance: Provenance,
    preprocessing: Option<Preprocessing>,
    /// What it was standardised by.
    units: Option<Normalization>,
}

impl Dataset {
    /// Samples that are all real.
    ///
    /// `samples` is `labels.len() × shape.len()` values, sample after sample. A series must be
    /// in [`SeriesOrder::ChannelsFirst`]; [`super::Batch`] gives models the order they want.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths do not fit or there is no sample, [`Error::Argument`]
    /// on a label that is no class, a value that is not finite or a series in steps-first order.
    pub fn new(
        name: impl Into<String>,
        classes: Vec<String>,
        shape: InputShape,
        samples: Vec<f32>,
        labels: Vec<usize>,
        bounds: Option<Bounds>,
    ) -> Result<Self> {
        let dataset = Self {
            name: name.into(),
            classes,
            shape,
            samples,
            labels,
            real_steps: None,
            bounds,
            origin: Vec::new(),
            axes: Axes::default(),
            provenance: Provenance::default(),
            preprocessing: None,
            units: None,
        };
        dataset.check()?;
        Ok(dataset)
    }

    /// Samples from an array of images `[samples, channels, height, width]` or series
    /// `[samples, channels, steps]`.
    ///
    /// # Errors
    /// [`Error::Shape`] on other axes, and as [`Dataset::new`].
    pub fn from_array(
        name: impl Into<String>,
        classes: Vec<String>,
        x: Array,
        labels: Vec<usize>,
        bounds: Option<Bounds>,
    ) -> Result<Self> {
        let shape = match *x.shape {
            [_, channels, height, width] => InputShape::Image {
                channels,
                height,
                width,
            },
            [_, channels, steps] => InputShape::Series {
                steps,
                channels,
                order: SeriesOrder::ChannelsFirst,
            },
            _ => {
                return Err(Error::Shape {
                    operation: "data set",
                    found: format!("{:?}", x.shape),
                    expected: "[samples, channels, height, width] or [samples, channels, steps]"
                        .into(),
                });
            }
        };
        Self::new(name, classes, shape, x.values, labels, bounds)
    }

    /// Says how many steps at the end of each series are real; those before are padding.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one number a sample, each from 1 to the steps.
    pub fn with_real_steps(mut self, real_steps: Vec<usize>) -> Result<Self> {
        let steps = self.steps().unwrap_or(0);
        if real_steps.len() != self.len() || real_steps.iter().any(|&n| n == 0 || n > steps) {
            return Err(Error::Shape {
                operation: "real steps",
                found: format!("{} numbers", real_steps.len()),
                expected: format!("{} numbers from 1 to {steps}", self.len()),
            });
        }
        let padded = real_steps.iter().any(|&n| n < steps);
        self.real_steps = padded.then_some(real_steps);
        Ok(self)
    }

    /// Says what was subtracted from each channel.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is none or one finite number a channel.
    pub fn with_origin(mut self, origin: Vec<f64>) -> Result<Self> {
        let fits = origin.is_empty() || origin.len() == self.shape.channels();
        if !fits || !origin.iter().all(|value| value.is_finite()) {
            return Err(Error::Shape {
                operation: "origin",
                found: format!("{} values", origin.len()),
                expected: format!("{} finite values, one a channel", self.shape.channels()),
            });
        }
        self.origin = origin;
        Ok(self)
    }

    /// Says what the axes are called and measured in.
    ///
    /// # Errors
    /// [`Error::Shape`] unless names and units are none or one a channel, and the rate is positive.
    pub fn with_axes(mut self, axes: Axes) -> Result<Self> {
        let channels = self.shape.channels();
        for (operation, found) in [
            ("channel names", axes.channels.len()),
            ("channel units", axes.units.len()),
        ] {
            if found != 0 && found != channels {
                return Err(Error::Shape {
                    operation,
                    found: found.to_string(),
                    expected: format!("none or {channels}, one a channel"),
                });
            }
        }
        if axes
            .rate
            .is_some_and(|rate| !(rate.is_finite() && rate > 0.0))
        {
            return Err(Error::Shape {
                operation: "rate",
                found: format!("{:?} steps a second", axes.rate),
                expected: "a positive number".into(),
            });
        }
        self.axes = axes;
        Ok(self)
    }

    /// Says where the samples come from.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is no source or one a sample, of a group that is named.
    pub fn with_provenance(mut self, provenance: Provenance) -> Result<Self> {
        let sources = &provenance.sources;
        let named = |group: usize| group < provenance.groups.len();
        let fits = sources.is_empty() || sources.len() == self.len();
        if !fits || !sources.iter().all(|source| named(source.group)) {
            return Err(Error::Shape {
                operation: "provenance",
                found: format!("{} sources", sources.len()),
                expected: format!("none or {}, one a sample, of named groups", self.len()),
            });
        }
        self.provenance = provenance;
        Ok(self)
    }

    /// Where the samples come from.
    pub const fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Says what the files went through to become these samples.
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Option<Preprocessing>) -> Self {
        self.preprocessing = preprocessing;
        self
    }

    /// What the files went through to become these samples; `None` for data sets known by name and
    /// for samples that were handed over in memory.
    pub const fn preprocessing(&self) -> Option<&Preprocessing> {
        self.preprocessing.as_ref()
    }

    /// What the axes are called and measured in.
    pub const fn axes(&self) -> &Axes {
        &self.axes
    }

    /// What was subtracted from each channel, so that an `f32` can hold what is left; empty for
    /// nothing.
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    fn check(&self) -> Result<()> {
        let refused = |argument: &str, found: String, expected: String| Error::Argument {
            argument: argument.into(),
            found,
            expected,
        };
        let axes = self.shape.dims().into_iter();
        let size = axes.fold(1_usize, usize::saturating_mul);
        if size == 0
            || self.labels.is_empty()
            || size.checked_mul(self.labels.len()) != Some(self.samples.len())
        {
            return Err(Error::Shape {
                operation: "data set",
                found: format!("{} values", self.samples.len()),
                expected: format!(
                    "{} samples of shape {:?}, at least one",
                    self.labels.len(),
                    self.shape.dims()
                ),
            });
        }
        if let InputShape::Series {
            order: SeriesOrder::StepsFirst,
            ..
        } = self.shape
        {
            return Err(refused(
                "shape",
                "a series in steps-first order".into(),
                "channels first".into(),
            ));
        }
        let classes = self.classes.len();
        if let Some(label) = self.labels.iter().find(|&&label| label >= classes) {
            return Err(refused(
                "label",
                label.to_string(),
                format!("a class below {classes}"),
            ));
        }
        if let Some(index) = self.samples.iter().position(|value| !value.is_finite()) {
            return Err(refused(
                "samples",
                format!("{} in sample {}", self.samples[index], index / size),
                "finite values".into(),
            ));
        }
        Ok(())
    }

    /// The data set's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the classes; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// One sample's shape; a series is in [`SeriesOrder::ChannelsFirst`].
    pub fn shape(&self) -> InputShape {
        self.shape
    }

    /// The number of samples, at least 1.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Every sample, one after the other, `len() × shape().len()` values.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// The values of sample `index`.
    ///
    /// # Panics
    /// When there is no such sample.
    pub fn sample(&self, index: usize) -> &[f32] {
        let size = self.shape.len();
        &self.samples[index * size..][..size]
    }

    /// One class a sample.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The values an input may take, if the data set has such limits.
    pub fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    /// The steps of a series; `None` for other samples.
    pub fn steps(&self) -> Option<usize> {
        match self.shape {
            InputShape::Series { steps, .. } => Some(steps),
            _ => None,
        }
    }

    /// True when some series is shorter than the common length.
    pub fn is_padded(&self) -> bool {
        self.real_steps.is_some()
    }

    /// The steps of sample `index` that are real: `padding..steps`. For samples that are no
    /// series, an empty padding: `0..0`.
    ///
    /// # Panics
    /// When there is no such sample.
    pub fn valid_steps(&self, index: usize) -> Range<usize> {
        let steps = self.steps().unwrap_or(0);
        match &self.real_steps {
            Some(real) => steps - real[index]..steps,
            None => 0..steps,
        }
    }

    /// How many samples each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }

    /// What the samples were standardised by; `None` in the units of their file.
    pub(crate) const fn units(&self) -> Option<&Normalization> {
        self.units.as_ref()
    }

    /// The least and greatest real value.
    pub fn range(&self) -> Bounds {
        let mut range = Bounds {
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
        };
        self.for_each_channel(|channel, values| {
            let origin = self.origin.get(channel).copied().unwrap_or_default();
            for &value in values {
                let value = (f64::from(value) + origin) as f32;
                range.low = range.low.min(value);
                range.high = range.high.max(value);
            }
        });
        range
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Argument`] when `indices` is empty or names no sample.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        if indices.is_empty() || indices.iter().any(|&index| index >= self.len()) {
            return Err(Error::Argument {
                argument: "indices".into(),
                found: format!("{} indices", indices.len()),
                expected: format!("at least one, each below {}", self.len()),
            });
        }
        let samples = indices.iter().flat_map(|&index| self.sample(index));
        Ok(Self {
            name: self.name.clone(),
            classes: self.classes.clone(),
            shape: self.shape,
            samples: samples.copied().collect(),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            real_steps: self
                .real_steps
                .as_ref()
                .map(|real| indices.iter().map(|&index| real[index]).collect()),
            bounds: self.bounds,
            origin: self.origin.clone(),
            axes: self.axes.clone(),
            provenance: self.provenance.subset(indices),
            preprocessing: self.preprocessing.clone(),
            units: self.units.clone(),
        })
    }

    /// Overwrites every padded step with its channel's value in `padding`: the mean of the
    /// [`super::Normalization`] in use, so that padding is exactly 0 behind it. [`super::load()`]
    /// pads with the mean of the whole training part.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one finite value a channel.
    pub fn pad_with(&mut self, padding: &[f32]) -> Result<()> {
        let channels = self.shape.channels();
        if padding.len() != channels || !padding.iter().all(|value| value.is_finite()) {
            return Err(Error::Shape {
                operation: "padding",
                found: format!("{} values", padding.len()),
                expected: format!("{channels} finite values, one a channel"),
            });
        }
        let Some(steps) = self.steps() else {
            return Ok(());
        };
        for index in 0..self.len() {
            let padded = self.valid_steps(index).start;
            let size = self.shape.len();
            let sample = &mut self.samples[index * size..][..size];
            for (series, &value) in sample.chunks_exact_mut(steps).zip(padding) {
                series[..padded].fill(value);
            }
        }
        Ok(())
    }

    /// The samples standardised, in place: the values in the file's units are not needed any more.
    ///
    /// # Errors
    /// As [`Normalization::apply`], and [`Error::Argument`] for a value that is not finite behind it.
    pub(crate) fn standardised(mut self, normalization: &Normalization) -> Result<Self> {
        normalization.apply(self.shape, &mut self.samples)?;
        self.units = Some(normalization.clone());
        self.bounds = None;
        self.origin = Vec::new();
        self.check()?;
        Ok(self)
    }

    /// Calls `visit(channel, real values)` for each channel of each sample.
    pub(crate) fn for_each_channel(&self, mut visit: impl FnMut(usize, &[f32])) {
        let channels = self.shape.channels();
        let plane = self.shape.len() / channels;
        for index in 0..self.len() {
            let padded = self.valid_steps(index).start;
            let planes = self.sample(index).chunks_exact(plane);
            for (channel, values) in planes.enumerate() {
                visit(channel, &values[padded..]);
            }
        }
    }
}

/// A training part and the test part that never selects anything.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainTest {
    /// What is fitted.
    pub train: Dataset,
    /// What is reported; of the same shape and classes.
    pub test: Dataset,
}
