//! A finished network read back from its weights.

use crate::data::Normalization;
use crate::file::data_error;
use crate::model::network::Network;
use crate::model::registry::{self, NetworkSizes};
use crate::model::{InputShape, Model, Normalized, SeriesOrder};
use crate::npy::Array;
use crate::weights::{Metadata, Weights};
use crate::{Error, Result};
use std::path::Path;

/// A network with its weights, and what the file says of it.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Reads samples in the file's units and the network's memory order.
    pub model: Normalized<Network>,
    /// What it was trained on and how.
    pub metadata: Metadata,
}

impl Trained {
    /// Reads a weight file.
    ///
    /// A file of another program does not say its network: `name` does then, and `sample`, the
    /// axes of one sample in files, gives the sizes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] when the file is damaged or its tensors are not the
    /// model's; [`Error::Argument`] when nothing says the model, or `name` contradicts the file.
    pub fn read(path: &Path, name: Option<&str>, sample: &[usize]) -> Result<Self> {
        let weights = Weights::read(path)?;
        let metadata = match (weights.metadata(), name) {
            (Some(metadata), Some(name)) if name != metadata.model => {
                return Err(Error::Argument {
                    argument: "--model".into(),
                    found: name.into(),
                    expected: format!("{}, which {} holds", metadata.model, path.display()),
                });
            }
            (Some(metadata), _) => metadata.clone(),
            (None, Some(name)) => foreign(path, &weights, name, sample)?,
            (None, None) => {
                return Err(Error::Argument {
                    argument: "--model".into(),
                    found: "none".into(),
                    expected: format!("the network of {}, which does not say it", path.display()),
                });
            }
        };
        let sizes = NetworkSizes::new(metadata.input, metadata.classes.len());
        let mut network = registry::build(&metadata.model, &sizes, 0)?;
        weights.load_into(network.parameters_mut())?;
        let normalization = &metadata.normalization;
        Ok(Self {
            model: Normalized::new(network, normalization.mean(), normalization.deviation())?,
            metadata,
        })
    }

    /// The samples of an array `[samples, …]` in the network's memory order.
    ///
    /// Series are `[samples, channels, steps]` in files, whatever the network reads.
    ///
    /// # Errors
    /// [`Error::Data`] when the array has another shape.
    pub fn samples(&self, path: &Path, array: Array) -> Result<Vec<f32>> {
        let sample = self.file_dims();
        if array.shape.len() != sample.len() + 1
            || array.shape[1..] != sample
            || array.values.is_empty()
        {
            return Err(data_error(
                path,
                format!("an array of shape {:?}", array.shape),
                format!("one or more samples of shape {sample:?}"),
            ));
        }
        Ok(self.reordered(array.values, true))
    }

    /// Samples in the network's memory order as files hold them.
    pub fn for_file(&self, samples: Vec<f32>) -> Vec<f32> {
        self.reordered(samples, false)
    }

    /// The axes of one sample in files.
    pub fn file_dims(&self) -> Vec<usize> {
        match self.model.input() {
            InputShape::Series {
                steps, channels, ..
            } => vec![channels, steps],
            other => other.dims(),
        }
    }

    fn reordered(&self, values: Vec<f32>, from_file: bool) -> Vec<f32> {
        let InputShape::Series {
            steps,
            channels,
            order: SeriesOrder::StepsFirst,
        } = self.model.input()
        else {
            return values;
        };
        let (rows, columns) = match from_file {
            true => (channels, steps),
            false => (steps, channels),
        };
        let mut reordered = Vec::with_capacity(values.len());
        for sample in values.chunks_exact(steps * channels) {
            for column in 0..columns {
                reordered.extend(sample[column..].iter().step_by(columns).take(rows));
            }
        }
        reordered
    }
}

/// What the weights of another program leave unsaid, from the samples at hand.
fn foreign(path: &Path, weights: &Weights, name: &str, sample: &[usize]) -> Result<Metadata> {
    /// The last layer of every network is one of these.
    const LAST: [&str; 2] = ["fc2.weight", "fc.weight"];
    let last = LAST.iter().find_map(|last| {
        let mut tensors = weights.tensors();
        tensors.find_map(|(tensor, shape)| (tensor == *last).then_some(shape))
    });
    let Some(&[classes, _]) = last else {
        let expected = format!("one of {} that tells the classes", LAST.join(", "));
        return Err(data_error(path, "no last layer", expected));
    };
    let order = registry::series_order(name)?;
    let (input, channels) = match *sample {
        [channels, height, width] => {
            let image = InputShape::Image {
                channels,
                height,
                width,
            };
            (image, channels)
        }
        [tokens, dim] if name.starts_with("text-") => (InputShape::Tokens { tokens, dim }, dim),
        [channels, steps] => {
            let series = InputShape::Series {
                steps,
                channels,
                order,
            };
            (series, channels)
        }
        _ => {
            return Err(Error::Argument {
                argument: "--input".into(),
                found: format!("samples of shape {sample:?}"),
                expected: "images [channels, height, width] or series [channels, steps]".into(),
            });
        }
    };
    Ok(Metadata {
        model: name.into(),
        input,
        classes: (0..classes).map(|class| class.to_string()).collect(),
        normalization: Normalization::identity(channels),
        bounds: None,
        regime: "unknown".into(),
        seed: 0,
        version: "unknown".into(),
    })
}
