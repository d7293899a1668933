//! Test samples with their saliency under every regime.

use super::RunGroup;
use crate::Result;
use crate::attribution::{Method, Settings, attribute};
use crate::data::{Batch, Dataset, InputShape};
use crate::evaluation::is_undefined;
use crate::metrics::outputs::{logits, predictions};
use crate::network::{Model, Score};
use crate::run::FinishedRun;
use serde::{Deserialize, Serialize};

/// Classes that are shown, one sample each.
const CLASSES: usize = 4;

/// One sample and its maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleMaps {
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

/// The first test sample of each of the first classes, attributed by every method under the first
/// seed of every regime. What is attributed is the logit of the sample's own class. A method that
/// is not defined for a network has no map.
///
/// # Errors
/// As [`Batch::fill`] and [`attribute`].
pub fn sample_maps(groups: &[RunGroup<'_>], methods: &[Method]) -> Result<Vec<SampleMaps>> {
    let first = groups
        .iter()
        .filter_map(|group| Some((group, *group.runs.first()?)));
    let first: Vec<(&RunGroup<'_>, &FinishedRun)> = first.collect();
    let Some((_, any)) = first.first() else {
        return Ok(Vec::new());
    };
    let mut samples = Vec::new();
    for (class, name) in any.test.classes().iter().enumerate().take(CLASSES) {
        let place = any.test.labels().iter().position(|&label| label == class);
        let Some(place) = place else { continue };
        let mut maps = Vec::new();
        for method in methods {
            for (group, run) in &first {
                maps.extend(map(run, place, &group.name, method)?);
            }
        }
        samples.push(SampleMaps {
            shape: any.test.shape(),
            class: name.clone(),
            values: any.test.sample(place).to_vec(),
            names: any.test.axes().channels.clone(),
            maps,
        });
    }
    Ok(samples)
}

/// The map of the test sample at `place`, in the memory order of the data; none where the method
/// is not defined.
fn map(
    run: &FinishedRun,
    place: usize,
    regime: &str,
    method: &Method,
) -> Result<Option<SampleMap>> {
    let (test, network): (&Dataset, _) = (&run.test, &run.model);
    let mut batch = Batch::new();
    batch.fill(test, &[place], network.input())?;
    let settings = Settings {
        score: Score::TrueLogit,
        ..Settings::default()
    };
    let found = match attribute(network, batch.labelled(), method, &settings) {
        Ok(found) => found,
        Err(error) if is_undefined(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let logits = logits(network, batch.labelled())?;
    let predicted = predictions(&logits, network.classes());
    let predicted = predicted
        .first()
        .and_then(|&class| test.classes().get(class));
    Ok(Some(SampleMap {
        regime: regime.into(),
        method: method.name().into(),
        predicted: predicted.cloned().unwrap_or_default(),
        values: network.input().reorder(&found.values, test.shape()),
    }))
}
