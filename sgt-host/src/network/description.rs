//! A network as plain data: what everything that must know a network reads.

use super::layer::{Cost, Layer, Tensor};
use super::{InputShape, Shape};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Bounds on a description, so that one of a stranger's costs neither memory nor time.
pub mod limits {
    /// Layers, those inside residual blocks included.
    pub const LAYERS: usize = 4_096;
    /// Residual blocks inside each other.
    pub const DEPTH: usize = 16;
    /// Any one size: a width, a kernel, an axis.
    pub const SIZE: usize = 1 << 28;
    /// Values of a sample that all layers keep together.
    pub const VALUES: usize = 1 << 30;
    /// Multiplications for a sample.
    pub const OPERATIONS: usize = 1 << 42;
    /// Parameters of the whole network.
    pub const PARAMETERS: usize = 1 << 32;
    /// Characters of a layer's or network's name.
    pub const NAME: usize = 128;
}

/// A network: the shape of one sample and the layers that turn it into logits.
///
/// ```
/// use sgt_host::network::{Description, InputShape, Network};
/// let description = Description::new(InputShape::series(128, 9))
///     .convolution("conv1", 32, 5)
///     .relu()
///     .global_average_pool()
///     .linear("fc", 6);
/// let network = Network::new(&description, 0)?;
/// # Ok::<(), sgt_host::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Description {
    /// What the network is called.
    #[serde(default = "unnamed")]
    pub name: String,
    /// One sample.
    pub input: InputShape,
    /// Whether padded steps behind a sample's real ones change nothing: recurrent layers stop in
    /// front of them, attention, readouts and global pooling do not see them. Otherwise they are
    /// ordinary zeros.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_padding: bool,
    /// From the input to the logits.
    pub layers: Vec<Layer>,
}

fn unnamed() -> String {
    "network".into()
}

/// One layer of a checked [`Description`], in the order of the walk: a residual block, then its
/// body, then its shortcut.
#[derive(Clone, Debug)]
pub struct LayerSummary<'d> {
    /// The layer.
    pub layer: &'d Layer,
    /// Residual blocks around it.
    pub depth: usize,
    /// What it reads.
    pub input: Shape,
    /// What it gives.
    pub output: Shape,
    /// Its own parameters.
    pub(crate) tensors: Vec<Tensor>,
    /// What it costs a sample.
    pub cost: Cost,
}

impl LayerSummary<'_> {
    /// Trainable values.
    pub fn parameter_count(&self) -> usize {
        let trainable = self.tensors.iter().filter(|tensor| tensor.trainable);
        trainable.map(Tensor::len).sum()
    }
}

impl Description {
    /// No layer yet.
    pub fn new(input: InputShape) -> Self {
        Self {
            name: unnamed(),
            input,
            skip_padding: false,
            layers: Vec::new(),
        }
    }

    /// The same network under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Checks every layer and gives its shapes, parameters and cost.
    ///
    /// Costs time and memory in proportion to the layers alone, whatever their sizes.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the layer, what it got and what it expected, or the bound of
    /// [`limits`] that was passed.
    pub fn summary(&self) -> Result<Vec<LayerSummary<'_>>> {
        name_is_plain("network's name", &self.name)?;
        let shape = Shape::of_input(self.input);
        if shape.is_empty() || shape.len() > limits::SIZE {
            return Err(refuse(
                "network input",
                self.input.to_string(),
                format!("1 to {} values", limits::SIZE),
            ));
        }
        let mut walk = Walk {
            summaries: Vec::new(),
            names: HashSet::new(),
            parameters: 0,
            cost: Cost::default(),
        };
        let output = walk.layers(&self.layers, shape, 0)?;
        if !matches!(output, Shape::Vector { .. }) {
            return Err(refuse(
                "network output",
                output.to_string(),
                "a vector of logits: flatten, pool globally or read a recurrent layer out".into(),
            ));
        }
        Ok(walk.summaries)
    }

    /// The number of logits.
    ///
    /// # Errors
    /// As [`Description::summary`].
    pub fn classes(&self) -> Result<usize> {
        let summary = self.summary()?;
        let last = summary.iter().rev().find(|layer| layer.depth == 0);
        Ok(last.map_or(self.input.len(), |last| last.output.len()))
    }

    /// The number of values that an optimizer may change.
    ///
    /// # Errors
    /// As [`Description::summary`].
    pub fn parameter_count(&self) -> Result<usize> {
        let summary = self.summary()?;
        Ok(summary.iter().map(LayerSummary::parameter_count).sum())
    }
}

struct Walk<'d> {
    summaries: Vec<LayerSummary<'d>>,
    names: HashSet<&'d str>,
    parameters: usize,
    cost: Cost,
}

impl<'d> Walk<'d> {
    /// Checks `layers`, the first of which reads `input`, and gives the shape behind the last.
    fn layers(&mut self, layers: &'d [Layer], input: Shape, depth: usize) -> Result<Shape> {
        let mut shape = input;
        for layer in layers {
            shape = self.layer(layer, shape, depth)?;
        }
        Ok(shape)
    }

    /// Checks one layer and what is inside it.
    fn layer(&mut self, layer: &'d Layer, input: Shape, depth: usize) -> Result<Shape> {
        let number = self.summaries.len() + 1;
        if number > limits::LAYERS {
            let found = format!("more than {} layers", limits::LAYERS);
            return Err(refuse("network", found, "fewer".into()));
        }
        let place = || {
            let name = layer.name();
            let space = if name.is_empty() { "" } else { " " };
            format!("layer {number} ({}{space}{name})", layer.kind())
        };
        if depth > limits::DEPTH {
            let found = format!("{depth} residual blocks inside each other");
            return Err(refuse(
                &place(),
                found,
                format!("at most {}", limits::DEPTH),
            ));
        }
        let own_name = layer.name();
        name_is_plain(&place(), own_name)?;
        if matches!(layer, Layer::Embedding(_)) && number > 1 {
            let expected = "an embedding as the first layer".into();
            return Err(refuse(&place(), "layers in front of it".into(), expected));
        }
        let rule = layer.rule();
        let mut output = rule
            .output(input)
            .map_err(|misfit| refuse(&place(), misfit.found, misfit.expected))?;
        let tensors = rule.tensors(input);
        if !tensors.is_empty() {
            if own_name.is_empty() {
                let expected = "a name: it has parameters".into();
                return Err(refuse(&place(), "no name".into(), expected));
            }
            if !self.names.insert(own_name) {
                let expected = "a name that no other layer has".into();
                return Err(refuse(&place(), own_name.into(), expected));
            }
        }
        let cost = rule.cost(input, output);
        self.summaries.push(LayerSummary {
            layer,
            depth,
            input,
            output,
            tensors,
            cost,
        });
        if let Layer::Residual(block) = layer {
            let place = place();
            let body = self.layers(&block.body, input, depth + 1)?;
            let shortcut = self.layers(&block.shortcut, input, depth + 1)?;
            if body != shortcut {
                let expected = format!("{body}, as its body gives");
                return Err(refuse(
                    &place,
                    format!("a shortcut that gives {shortcut}"),
                    expected,
                ));
            }
            output = body;
            self.summaries[number - 1].output = output;
        }
        let own = &self.summaries[number - 1];
        let counted = own.tensors.iter().map(Tensor::len);
        self.parameters = counted.fold(self.parameters, usize::saturating_add);
        self.cost = self.cost.plus(own.cost);
        for (what, found, most) in [
            ("values of its output", output.len(), limits::SIZE),
            ("parameters so far", self.parameters, limits::PARAMETERS),
            ("values a sample so far", self.cost.values, limits::VALUES),
            (
                "multiplications a sample so far",
                self.cost.operations,
                limits::OPERATIONS,
            ),
        ] {
            if found > most {
                let found = format!("{found} {what}");
                return Err(refuse(&place(), found, format!("at most {most}")));
            }
        }
        Ok(output)
    }
}

fn name_is_plain(place: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() <= limits::NAME && name.chars().all(plain) {
        return Ok(());
    }
    let shown: String = name.escape_debug().take(limits::NAME).collect();
    let expected = format!(
        "at most {} letters, digits, dots, underscores and dashes",
        limits::NAME
    );
    Err(refuse(place, format!("the name {shown}"), expected))
}

fn refuse(argument: &str, found: String, expected: String) -> Error {
    Error::Argument {
        argument: argument.into(),
        found,
        expected,
    }
}
