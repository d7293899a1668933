//! A finished network read back from its weights.

use crate::data::{Bounds, Normalization};
use crate::file::data_error;
use crate::network::named::{self, Reads};
use crate::network::{Classifier, Description, InputShape, Model, Network, SeriesOrder, declare};
use crate::npy::Array;
use crate::weights::{Metadata, Weights};
use crate::{Error, Result};
use std::path::Path;

/// A network with its weights, and what the file says of it.
///
/// Three kinds of units meet here. *Files* hold data as recorded, series as
/// `[channels, steps]`. The *network* was trained in other units where the data has no bounds
/// (series): deviations of each channel; ε and attributions are in those. Data with bounds
/// (images) keeps its units, and the network standardises inside.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Reads samples in the network's units and memory order.
    pub model: Classifier,
    /// What it was trained on and how.
    pub metadata: Metadata,
    /// From a file's units to the network's.
    outside: Normalization,
}

impl Trained {
    /// Reads a weight file.
    ///
    /// A file of another program does not say its network: `name` does then, a network's name or
    /// the TOML file of a description, and `sample`, the axes of one sample in files, gives the
    /// sizes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] when the file is damaged or its tensors are not the
    /// model's; [`Error::Argument`] when nothing says the model, or `name` contradicts the file.
    pub fn read(path: &Path, name: Option<&str>, sample: &[usize]) -> Result<Self> {
        Self::from_weights(path, &Weights::read(path)?, name, sample)
    }

    /// [`Trained::read`] for weights that were read from `path`.
    ///
    /// # Errors
    /// As [`Trained::read`].
    pub fn from_weights(
        path: &Path,
        weights: &Weights,
        name: Option<&str>,
        sample: &[usize],
    ) -> Result<Self> {
        match (weights.metadata(), name) {
            (Some(metadata), Some(name)) if name != metadata.model => Err(Error::Argument {
                argument: "--model".into(),
                found: name.into(),
                expected: format!("{}, which {} holds", metadata.model, path.display()),
            }),
            (Some(metadata), _) => Self::assemble(weights, metadata.clone()),
            (None, Some(name)) => Self::of_foreign(path, weights, name, sample),
            (None, None) => Err(Error::Argument {
                argument: "--model".into(),
                found: "none".into(),
                expected: format!("the network of {}, which does not say it", path.display()),
            }),
        }
    }

    /// The network `name` with the weights of another program, whose names may all have a prefix.
    fn of_foreign(path: &Path, weights: &Weights, name: &str, sample: &[usize]) -> Result<Self> {
        let read = |weights: &Weights, sample: &[usize]| {
            Self::assemble(weights, foreign(weights, name, sample)?)
        };
        let plain = match weights.without_prefix() {
            Some(stripped) if read(weights, sample).is_err() => stripped,
            _ => weights.clone(),
        };
        let refused = match read(&plain, sample) {
            Ok(trained) => return Ok(trained),
            Err(error) => error,
        };
        let mut swapped = sample.to_vec();
        swapped.reverse();
        if sample.len() == 2 && read(&plain, &swapped).is_ok() {
            return Err(Error::Argument {
                argument: "--input".into(),
                found: format!("samples of shape {sample:?}"),
                expected: format!("{swapped:?}: steps and channels are swapped"),
            });
        }
        Err(match refused {
            Error::Argument {
                argument,
                found,
                expected,
            } if argument == "weights" || argument == "sizes" => data_error(path, found, expected),
            other => other,
        })
    }

    /// The network that `metadata` say, with these weights.
    fn assemble(weights: &Weights, metadata: Metadata) -> Result<Self> {
        let shapes: Vec<_> = weights.tensors().collect();
        let description = match &metadata.description {
            Some(description) => description.clone(),
            None => named_description(&metadata.model, &shapes, metadata.input)?,
        };
        // Before anything is allocated: a description may say any size.
        weights.check(&declare(&description)?.0)?;
        let mut network = Network::new(&description, 0)?;
        weights.load_into(network.parameters_mut())?;
        let identity = Normalization::identity(metadata.normalization.mean().len());
        let (inside, outside) = match metadata.bounds {
            Some(_) => (metadata.normalization.clone(), identity),
            None => (identity, metadata.normalization.clone()),
        };
        let mut model =
            Classifier::new(network, metadata.classes.clone())?.with_normalization(&inside)?;
        if let Some(bounds) = metadata.bounds {
            model = model.with_bounds(bounds)?;
        }
        Ok(Self {
            model,
            metadata,
            outside,
        })
    }

    /// The samples of an array `[samples, …]` as a file holds them, as the network reads them.
    ///
    /// # Errors
    /// [`Error::Data`] when the array has another shape, or a value that is no number once it is
    /// standardised.
    pub fn samples<T: Into<f64> + Copy>(&self, path: &Path, array: Array<T>) -> Result<Vec<f32>> {
        let sample = self.file_dims();
        if array.shape.get(1..) != Some(&sample[..]) || array.values.is_empty() {
            let swapped: Vec<usize> = array.shape.iter().skip(1).rev().copied().collect();
            let hint = match sample.len() {
                2 if swapped == sample => ": steps and channels are swapped",
                _ if array.shape == sample => ": put an axis for the samples in front",
                _ => "",
            };
            return Err(data_error(
                path,
                format!("an array of shape {:?}", array.shape),
                format!("[samples, {}]{hint}", axes(&sample)),
            ));
        }
        let values = self.relative_values(array.values);
        let mut samples = reordered(values, self.file_shape(), self.model.input());
        self.outside.apply(self.model.input(), &mut samples)?;
        if let Some(place) = samples.iter().position(|value| !value.is_finite()) {
            return Err(data_error(
                path,
                format!(
                    "{} once standardised, in sample {}",
                    samples[place],
                    place / self.model.input().len()
                ),
                "values that single precision can standardise",
            ));
        }
        Ok(samples)
    }

    /// The values of files relative to their channel's origin.
    fn relative_values<T: Into<f64> + Copy>(&self, values: Vec<T>) -> Vec<f32> {
        let (origin, plane) = (self.outside.origin(), self.model.input().positions());
        let channels = self.model.input().channels();
        let relative = |(place, value): (usize, T)| {
            let origin = origin.get(place / plane % channels);
            (value.into() - origin.copied().unwrap_or_default()) as f32
        };
        values.into_iter().enumerate().map(relative).collect()
    }

    /// Samples of the network as a file holds them.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are not whole samples.
    pub fn for_file(&self, mut samples: Vec<f32>) -> Result<Vec<f64>> {
        self.outside.invert(self.model.input(), &mut samples)?;
        let values = reordered(samples, self.model.input(), self.file_shape());
        let (origin, plane) = (self.outside.origin(), self.model.input().positions());
        let channels = self.model.input().channels();
        let whole = |(place, value): (usize, f32)| {
            let origin = origin.get(place / plane % channels);
            f64::from(value) + origin.copied().unwrap_or_default()
        };
        Ok(values.into_iter().enumerate().map(whole).collect())
    }

    /// Whether a file needs `f64` to hold samples in its units.
    pub fn needs_precision(&self) -> bool {
        !self.outside.origin().is_empty()
    }

    /// One sample, as the network reads it, whose every value in a file's units is `value`.
    pub fn constant(&self, value: f32) -> Vec<f32> {
        let input = self.model.input();
        let mut sample = self.relative_values(vec![value; input.len()]);
        // A constant has the same values in every order of steps and channels, an origin has not.
        sample = reordered(sample, self.file_shape(), input);
        // The lengths are the network's own.
        let _ = self.outside.apply(input, &mut sample);
        sample
    }

    /// One sample, as the network reads it, of every channel's mean over the training data.
    pub fn mean_sample(&self) -> Vec<f32> {
        let input = self.model.input();
        let mut sample = vec![0.0; input.len()];
        if self.metadata.bounds.is_some() {
            let (mean, none) = (
                self.metadata.normalization.mean(),
                vec![0.0; input.channels()],
            );
            input.map_channels(&mut sample, [mean, &none], |_, mean, _| mean);
        }
        sample
    }

    /// The bounds of each channel as the network reads it, for `bounds` of each in a file's units.
    pub fn channel_bounds(&self, bounds: &[Bounds]) -> Vec<Bounds> {
        let input = self.model.input();
        let convert = |(channel, bounds): (usize, &Bounds)| {
            let at = |value| self.constant(value)[input.place(0, channel)];
            Bounds {
                low: at(bounds.low),
                high: at(bounds.high),
            }
        };
        bounds.iter().enumerate().map(convert).collect()
    }

    /// Attributions (no samples: they have no mean) in a file's order.
    pub fn attributions_for_file(&self, attributions: Vec<f32>) -> Vec<f32> {
        reordered(attributions, self.model.input(), self.file_shape())
    }

    /// The axes of one sample in files.
    pub fn file_dims(&self) -> Vec<usize> {
        self.file_shape().dims()
    }

    fn file_shape(&self) -> InputShape {
        self.model.input().ordered(SeriesOrder::ChannelsFirst)
    }
}

/// The lengths of axes, between commas.
fn axes(dims: &[usize]) -> String {
    let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
    dims.join(", ")
}

/// Samples of shape `from` in the memory order of `to`.
fn reordered(values: Vec<f32>, from: InputShape, to: InputShape) -> Vec<f32> {
    if from == to {
        return values;
    }
    let samples = values.chunks_exact(from.len());
    samples
        .flat_map(|sample| from.reorder(sample, to))
        .collect()
}

/// The network `name` in the sizes that its tensors tell.
fn named_description(
    name: &str,
    shapes: &[(&str, &[usize])],
    input: InputShape,
) -> Result<Description> {
    let sizes = named::infer_sizes(name, shapes, Some(input))?;
    named::description(name, &sizes)
}

/// What the weights of another program leave unsaid, from the samples at hand.
fn foreign(weights: &Weights, name: &str, sample: &[usize]) -> Result<Metadata> {
    let description = if Path::new(name).extension().is_some_and(|end| end == "toml") {
        Description::read(Path::new(name), None)?
    } else {
        let input = sample_shape(named::find(name)?.reads, sample)?;
        let shapes: Vec<_> = weights.tensors().collect();
        named_description(name, &shapes, input)?
    };
    let classes = description.classes()?;
    Ok(Metadata {
        model: description.name.clone(),
        input: description.input,
        classes: (0..classes).map(|class| class.to_string()).collect(),
        normalization: Normalization::identity(description.input.channels()),
        description: Some(description),
        bounds: None,
        preprocessing: None,
        regime: "unknown".into(),
        seed: 0,
        version: "unknown".into(),
        binding: None,
    })
}

/// The shape of samples with these axes in files, for a network that reads `reads`.
fn sample_shape(reads: Reads, sample: &[usize]) -> Result<InputShape> {
    Ok(match (reads, sample) {
        (_, &[channels, height, width]) => InputShape::image(channels, height, width),
        (Reads::Tokens, &[tokens, dim]) => InputShape::tokens(tokens, dim),
        (Reads::Series(order), &[channels, steps]) => {
            InputShape::series(steps, channels).ordered(order)
        }
        _ => {
            return Err(Error::Argument {
                argument: "--input".into(),
                found: format!("samples of shape {sample:?}"),
                expected: "images [channels, height, width] or series [channels, steps]".into(),
            });
        }
    })
}
