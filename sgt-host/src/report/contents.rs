//! What a report holds, as data.

use crate::config::Difference;
use crate::metrics::Evaluation;
use crate::metrics::comparison::Comparison;
use crate::network::InputShape;
use serde::{Deserialize, Serialize};

/// Everything a page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The heading.
    pub title: String,
    /// The data set and its size, in one sentence.
    pub data: String,
    /// The regimes over their seeds.
    pub comparison: Comparison,
    /// The runs behind it, in the same order.
    pub regimes: Vec<RegimeReport>,
    /// The settings in which the regimes differ, a value a regime.
    pub settings: Vec<Difference>,
    /// Samples with their saliency under every regime.
    pub samples: Vec<SampleReport>,
    /// Remarks a reader must know, one a paragraph.
    pub notes: Vec<String>,
}

/// One regime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RegimeReport {
    /// Its name.
    pub name: String,
    /// One run a seed.
    pub runs: Vec<RunReport>,
}

/// One trained run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
    /// What was measured of it.
    pub evaluation: Evaluation,
    /// Its configuration, as text.
    pub config: String,
    /// The command that repeats it.
    pub command: String,
    /// Accuracy on the whole test part, as the training recorded it.
    pub test_accuracy: Option<f64>,
    /// How long the training took.
    pub seconds: Option<f64>,
}

/// One sample and its maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleReport {
    /// What kind of sample, and its memory order.
    pub shape: InputShape,
    /// The name of its class.
    pub class: String,
    /// Its values.
    pub values: Vec<f32>,
    /// The names of its channels, or the tokens of a text; may be empty.
    pub names: Vec<String>,
    /// One map a regime and method.
    pub maps: Vec<SampleMap>,
}

/// The saliency of one sample under one regime and method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleMap {
    /// The regime's name.
    pub regime: String,
    /// The method's name.
    pub method: String,
    /// The class that this regime's network predicts.
    pub predicted: String,
    /// One value an input value.
    pub values: Vec<f32>,
}
