//! Test samples with their saliency under every regime.

use crate::Result;
use crate::attribution::{Method, Settings, attribute};
use crate::data::{Batch, Dataset};
use crate::metrics::samples::{logits, predictions};
use crate::network::{Model, Score};
use crate::report::{SampleMap, SampleReport};

/// Classes that are shown, one sample each.
const CLASSES: usize = 4;

/// The first test sample of each of the first classes, attributed by every method under every
/// one of `networks` (a regime's name and its network). What is attributed is the logit of the
/// sample's own class. A method that is not defined for a network has no map.
///
/// # Errors
/// As [`Batch::fill`] and [`attribute`].
pub fn sample_reports<M: Model>(
    test: &Dataset,
    networks: &[(String, &M)],
    methods: &[Method],
) -> Result<Vec<SampleReport>> {
    let mut reports = Vec::new();
    for (class, name) in test.classes().iter().enumerate().take(CLASSES) {
        let place = test.labels().iter().position(|&label| label == class);
        let (Some(place), Some((_, first))) = (place, networks.first()) else {
            continue;
        };
        let mut batch = Batch::new();
        batch.fill(test, &[place], first.input())?;
        let mut maps = Vec::new();
        for method in methods {
            for (regime, network) in networks {
                maps.extend(map(test, &batch, regime, *network, method)?);
            }
        }
        reports.push(SampleReport {
            shape: first.input(),
            class: name.clone(),
            values: batch.x().to_vec(),
            names: Vec::new(),
            maps,
        });
    }
    Ok(reports)
}

/// The map of a batch of one sample.
fn map<M: Model>(
    test: &Dataset,
    batch: &Batch,
    regime: &str,
    network: &M,
    method: &Method,
) -> Result<Option<SampleMap>> {
    let settings = Settings {
        score: Score::TrueLogit,
        ..Settings::default()
    };
    let found = match attribute(network, batch.labelled(), method, &settings) {
        Ok(found) => found,
        Err(crate::Error::Argument { argument, .. }) if argument == "method" => return Ok(None),
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
        values: found.values,
    }))
}
