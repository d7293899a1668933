//! Networks by name: functions that give descriptions.
//!
//! | module | networks |
//! |---|---|
//! | `image` | `mnist-cnn`, `small-cnn`, `cifar-cnn`, `resnet18` |
//! | `series` | `sensor-cnn`, `sensor-lstm` |
//! | `text` | `text-bilstm` |
//! | `benchmark` | `input-cell-lstm`, `tcn`, `transformer` |

mod benchmark;
mod image;
mod series;
mod text;

use super::limits::SIZE;
use super::{Description, InputShape, SeriesOrder};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkSizes {
    /// One sample.
    pub input: InputShape,
    /// Classes.
    pub classes: usize,
    /// The sizes of the hidden layers, as [`Named::sizes`] lists them; empty for the usual ones.
    #[serde(default)]
    pub hidden: Vec<usize>,
}

impl NetworkSizes {
    /// The network's usual sizes.
    pub const fn new(input: InputShape, classes: usize) -> Self {
        Self {
            input,
            classes,
            hidden: Vec::new(),
        }
    }
}

/// What a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Images.
    Images,
    /// Series in a memory order.
    Series(SeriesOrder),
    /// Embedded text.
    Tokens,
}

impl Reads {
    fn takes(self, input: InputShape) -> bool {
        match (self, input) {
            (Self::Images, InputShape::Image { .. })
            | (Self::Tokens, InputShape::Tokens { .. }) => true,
            (Self::Series(order), InputShape::Series { .. }) => input.ordered(order) == input,
            _ => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Images => "an image",
            Self::Series(SeriesOrder::ChannelsFirst) => "a channels-first series",
            Self::Series(SeriesOrder::StepsFirst) => "a steps-first series",
            Self::Tokens => "tokens",
        }
    }
}

/// A network by name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// Its layers, in a line.
    pub layers: &'static str,
    /// What it reads.
    pub reads: Reads,
    /// What [`NetworkSizes::hidden`] lists.
    pub sizes: &'static str,
    /// Their usual values.
    pub hidden: &'static [usize],
    /// Whether the list may have any length but 0.
    pub any_length: bool,
    /// The description for checked sizes.
    describe: fn(&NetworkSizes) -> Description,
    /// The hidden sizes, the number of classes and, where the weights tell it, the input, from the
    /// shapes of the tensors.
    infer: fn(&Shapes<'_>) -> Result<Inferred>,
}

/// What the shapes of a network's tensors tell.
struct Inferred {
    hidden: Vec<usize>,
    classes: usize,
    input: Option<InputShape>,
}

/// The tensors of a weight file: names and shapes.
struct Shapes<'a> {
    network: &'static str,
    tensors: &'a [(&'a str, &'a [usize])],
}

impl Shapes<'_> {
    /// The length of an axis of a tensor.
    fn axis(&self, tensor: &str, axis: usize) -> Result<usize> {
        self.find(tensor, axis).ok_or_else(|| Error::Argument {
            argument: "weights".into(),
            found: format!("no tensor {tensor} with axis {axis}"),
            expected: format!("the tensors of {}", self.network),
        })
    }

    fn find(&self, tensor: &str, axis: usize) -> Option<usize> {
        let shape = self.tensors.iter().find(|(name, _)| *name == tensor);
        shape.and_then(|(_, shape)| shape.get(axis).copied())
    }
}

/// All of them, in the order of listings.
pub const ALL: &[Named] = &[
    image::MNIST_CNN,
    image::SMALL_CNN,
    image::CIFAR_CNN,
    image::RESNET18,
    series::SENSOR_CNN,
    series::SENSOR_LSTM,
    text::TEXT_BILSTM,
    benchmark::INPUT_CELL_LSTM,
    benchmark::TCN,
    benchmark::TRANSFORMER,
];

/// The network called `name`.
///
/// # Errors
/// [`Error::Argument`] that lists the names, the nearest last.
pub fn find(name: &str) -> Result<&'static Named> {
    if let Some(named) = ALL.iter().find(|named| named.name == name) {
        return Ok(named);
    }
    let names: Vec<&str> = ALL.iter().map(|named| named.name).collect();
    let distance = |known: &&&str| strsim::osa_distance(known, name);
    let nearest = names.iter().min_by_key(distance).unwrap_or(&names[0]);
    Err(Error::Argument {
        argument: "model".into(),
        found: name.escape_debug().to_string(),
        expected: format!("one of {} (nearest: {nearest})", names.join(", ")),
    })
}

/// The description of the network `name`.
///
/// # Errors
/// [`Error::Argument`] on an unknown name, sizes out of their range, or an input that this network
/// does not read; as [`Description::summary`] when the input is too small for its layers.
pub fn description(name: &str, sizes: &NetworkSizes) -> Result<Description> {
    let named = find(name)?;
    let mut sizes = sizes.clone();
    if sizes.hidden.is_empty() {
        sizes.hidden = named.hidden.to_vec();
    }
    let hidden = &sizes.hidden;
    let right = named.any_length || hidden.len() == named.hidden.len();
    if !right || hidden.contains(&0) {
        return Err(Error::Argument {
            argument: "hidden".into(),
            found: format!("{hidden:?}"),
            expected: format!(
                "{} positive sizes for {name}: {}",
                named.hidden.len(),
                named.sizes
            ),
        });
    }
    let axes = sizes.input.dims();
    let values = axes
        .iter()
        .try_fold(1_usize, |values, &axis| values.checked_mul(axis));
    let within = |size: usize| (1..=SIZE).contains(&size);
    let sample = values.is_some_and(within);
    if !sample || !within(sizes.classes) || !hidden.iter().all(|&width| within(width)) {
        return Err(Error::Argument {
            argument: "sizes".into(),
            found: format!(
                "input {axes:?}, {} classes, hidden {hidden:?}",
                sizes.classes
            ),
            expected: format!("sizes from 1 to {SIZE}"),
        });
    }
    if !named.reads.takes(sizes.input) {
        return Err(Error::Argument {
            argument: "input".into(),
            found: format!("{} of shape {axes:?}", sizes.input.noun()),
            expected: format!("{} for {name}", named.reads.name()),
        });
    }
    let description = (named.describe)(&sizes).named(name);
    description.summary()?;
    Ok(description)
}

/// Finds the sizes of the network `name` from the shapes of its tensors.
///
/// `input`, where the caller knows it, is taken as it is; a network that only sees the input's
/// channels (a series or tokens of any length, an image before global pooling) needs it. Without
/// it, a CNN's image is taken to be square, with the smaller side of those that fit.
///
/// # Errors
/// [`Error::Argument`] on an unknown name, a missing tensor, or where `input` is needed.
pub fn infer_sizes(
    name: &str,
    shapes: &[(&str, &[usize])],
    input: Option<InputShape>,
) -> Result<NetworkSizes> {
    let named = find(name)?;
    let inferred = (named.infer)(&Shapes {
        network: named.name,
        tensors: shapes,
    })?;
    let input = input.or(inferred.input).ok_or_else(|| Error::Argument {
        argument: "input".into(),
        found: "weights that fit inputs of many sizes".into(),
        expected: format!("the input's shape beside the weights of {name}"),
    })?;
    Ok(NetworkSizes {
        input,
        classes: inferred.classes,
        hidden: inferred.hidden,
    })
}
