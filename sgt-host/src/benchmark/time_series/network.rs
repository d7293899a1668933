//! The benchmark's networks by name.

use crate::data::{InputShape, SeriesOrder};
use crate::network::layer::{Dropout, Lstm, Readout};
use crate::network::named::{self, NetworkSizes};
use crate::network::{Description, Model, Network};
use crate::{Error, Result, strict};
use sgt_core::{Pcg32, Random};
use std::fmt::Display;

/// A network, and the sizes of its hidden layers where they are not the usual ones:
/// `lstm?hidden=64`, `tcn?hidden=8x8x32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkChoice {
    /// Which.
    pub kind: NetworkKind,
    /// The sizes; empty for the usual ones.
    pub hidden: Vec<usize>,
}

/// The networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// The benchmark's: dropout, an LSTM's last state, dropout, linear.
    Lstm(Readout, Start),
    /// An LSTM that reads an attention over the steps so far.
    InputCellLstm,
    /// Causal convolutions.
    Tcn,
    /// Causal self-attention; few channels are widened by a linear layer first.
    Transformer,
    /// Convolutions over time and their mean.
    Cnn,
}

/// How the gates of an LSTM start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// As `PyTorch` starts them.
    #[default]
    Usual,
    /// 1 is added to the forget gate's bias (Gers et al. 2000; Jozefowicz et al. 2015).
    ForgetBias,
    /// Forget gate `log U(1, T − 1)`, input gate its negative, so that units remember for up to T
    /// steps (Tallec, Ollivier 2018, arXiv 1804.11188).
    Chrono,
}

/// Dropout before and behind the LSTM.
const DROPOUT: f32 = 0.1;
/// Hidden units of the benchmark's LSTM.
const LSTM_HIDDEN: usize = 5;
/// Channels below which the transformer gets a linear layer to that many: a width of a few values
/// has no room for positions.
const TRANSFORMER_LEAST: usize = 16;
const TRANSFORMER_WIDTH: usize = 32;

const ALL: [(&str, NetworkKind); 10] = [
    ("lstm", NetworkKind::Lstm(Readout::Last, Start::Usual)),
    ("lstm-mean", NetworkKind::Lstm(Readout::Mean, Start::Usual)),
    ("lstm-max", NetworkKind::Lstm(Readout::Max, Start::Usual)),
    (
        "lstm-attention",
        NetworkKind::Lstm(Readout::Attention, Start::Usual),
    ),
    (
        "lstm-forget-bias",
        NetworkKind::Lstm(Readout::Last, Start::ForgetBias),
    ),
    (
        "lstm-chrono",
        NetworkKind::Lstm(Readout::Last, Start::Chrono),
    ),
    ("input-cell-lstm", NetworkKind::InputCellLstm),
    ("tcn", NetworkKind::Tcn),
    ("transformer", NetworkKind::Transformer),
    ("cnn", NetworkKind::Cnn),
];

impl NetworkChoice {
    /// The names, in the order of listings.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }

    /// Its layers for samples of `input` and `classes` classes.
    ///
    /// # Errors
    /// As [`named::description`] and [`Description::summary`]; [`Error::Argument`] for a number of
    /// sizes that the network does not have.
    pub fn description(&self, input: InputShape, classes: usize) -> Result<Description> {
        let steps_first = input.ordered(SeriesOrder::StepsFirst);
        let by_name = |name: &str, input: InputShape| {
            let sizes = NetworkSizes {
                input,
                classes,
                hidden: self.hidden.clone(),
            };
            named::description(name, &sizes)
        };
        let description = match self.kind {
            NetworkKind::Lstm(readout, _) => self.lstm(readout, steps_first, classes)?,
            NetworkKind::InputCellLstm => by_name("input-cell-lstm", steps_first)?,
            NetworkKind::Tcn => by_name("tcn", steps_first)?,
            NetworkKind::Transformer if input.channels() < TRANSFORMER_LEAST => {
                let wide = InputShape::series(input.positions(), TRANSFORMER_WIDTH);
                let encoder = by_name("transformer", wide)?;
                let mut widened = Description::new(steps_first).linear("widen", TRANSFORMER_WIDTH);
                widened.layers.extend(encoder.layers);
                widened
            }
            NetworkKind::Transformer => by_name("transformer", steps_first)?,
            NetworkKind::Cnn => by_name("sensor-cnn", input.ordered(SeriesOrder::ChannelsFirst))?,
        };
        Ok(description.named(self.kind.to_string()))
    }

    fn lstm(&self, readout: Readout, input: InputShape, classes: usize) -> Result<Description> {
        let hidden = match *self.hidden {
            [] => LSTM_HIDDEN,
            [hidden] => hidden,
            _ => {
                return Err(Error::Argument {
                    argument: "hidden".into(),
                    found: format!("{:?}", self.hidden),
                    expected: "one size for an LSTM".into(),
                });
            }
        };
        let dropout = || Dropout {
            name: String::new(),
            p: DROPOUT,
        };
        let lstm = Lstm {
            readout,
            ..Lstm::new("lstm", hidden)
        };
        let description = Description::new(input)
            .layer(dropout())
            .layer(lstm)
            .layer(dropout())
            .linear("fc", classes);
        description.summary()?;
        Ok(description)
    }

    /// Gives the gates of a fresh network the start that the name says.
    pub fn start(&self, network: &mut Network, seed: u64) {
        let NetworkKind::Lstm(_, start) = self.kind else {
            return;
        };
        let steps = network.input().positions();
        let parameters = network.parameters_mut();
        let bias = parameters.entries().iter();
        let bias = bias.filter(|entry| entry.name.starts_with("lstm.bias_ih_l"));
        let ranges: Vec<_> = bias.map(|entry| entry.range.clone()).collect();
        for (stream, range) in ranges.into_iter().enumerate() {
            let values = &mut parameters.values_mut()[range];
            // Gate order i, f, g, o. The other bias keeps its small random start.
            let hidden = values.len() / GATES;
            let (input, rest) = values.split_at_mut(hidden);
            let forget = &mut rest[..hidden];
            match start {
                Start::Usual => {}
                Start::ForgetBias => forget.iter_mut().for_each(|bias| *bias += 1.0),
                Start::Chrono => {
                    let mut rng = Pcg32::new(seed, stream as u64);
                    let longest = steps.saturating_sub(2) as f32;
                    for (input, forget) in input.iter_mut().zip(forget) {
                        let memory = 1.0 + longest * rng.unit();
                        (*forget, *input) = (memory.ln(), -memory.ln());
                    }
                }
            }
        }
    }
}

const GATES: usize = 4;

impl Display for NetworkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = ALL.iter().find(|(_, kind)| kind == self);
        f.pad(name.map_or("lstm", |(name, _)| name))
    }
}

impl Display for NetworkChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.hidden.is_empty() {
            return Ok(());
        }
        let sizes: Vec<String> = self.hidden.iter().map(ToString::to_string).collect();
        write!(f, "?hidden={}", sizes.join("x"))
    }
}

impl std::str::FromStr for NetworkChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, options) = text.split_once('?').unwrap_or((text, ""));
        let kind = ALL.iter().find(|(known, _)| *known == name);
        let known: Vec<&str> = Self::names().collect();
        let kind = kind.ok_or_else(|| Error::Argument {
            argument: "network".into(),
            found: name.escape_debug().to_string(),
            expected: strict::nearest(name, &known),
        })?;
        let hidden = match options {
            "" => Some(Vec::new()),
            _ => options.strip_prefix("hidden=").and_then(|sizes| {
                let sizes = sizes.split('x').map(|size| size.parse().ok());
                sizes.collect::<Option<Vec<usize>>>()
            }),
        };
        let hidden = hidden.ok_or_else(|| Error::Argument {
            argument: format!("network {name}"),
            found: options.escape_debug().to_string(),
            expected: "hidden=SIZE or hidden=SIZExSIZE".into(),
        })?;
        Ok(Self {
            kind: kind.1,
            hidden,
        })
    }
}
