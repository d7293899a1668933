//! The parameter-randomisation check: a map that survives random weights does not explain them.

use super::removal::group_importance;
use super::statistics::rank_correlation;
use crate::Result;
use crate::attribution::{Method, Settings, attribute};
use crate::network::{Grouping, Labelled, Model};
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// The maps after randomising the network from the output down to one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomisationStage {
    /// The layer that was randomised last.
    pub layer: String,
    /// Spearman's correlation of the importances with those of the intact network, mean over
    /// samples.
    pub rank_correlation: f64,
}

/// Randomises the layers one after the other, from the output to the input, and compares the
/// maps of every stage with the intact network's (Adebayo et al. 2018, arXiv 1810.03292).
///
/// A tensor's values are redrawn from a normal distribution with the tensor's own mean and
/// deviation, so that activations keep their scale. Running statistics stay.
///
/// # Errors
/// As [`attribute`] and [`group_importance`].
pub fn randomisation<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    method: &Method,
    settings: &Settings<'_>,
) -> Result<Vec<RandomisationStage>> {
    let layouts = samples.layouts(model.input(), Grouping::Natural)?;
    let importance = |model: &M| {
        let map = attribute(model, samples, method, settings)?;
        group_importance(&layouts, &map.values)
    };
    let intact = importance(model)?;
    let mut model = model.clone();
    let mut stages = Vec::new();
    for layer in layers(&model).into_iter().rev() {
        randomise(&mut model, &layer, settings.seed);
        let random = importance(&model)?;
        let mut sum = 0.0;
        for (intact, random) in intact.iter().zip(&random) {
            sum += rank_correlation(intact, random)?;
        }
        stages.push(RandomisationStage {
            layer,
            rank_correlation: sum / intact.len() as f64,
        });
    }
    Ok(stages)
}

/// A tensor's layer: its name without the last part.
fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

/// Layers with trainable tensors, from the input to the output.
fn layers<M: Model>(model: &M) -> Vec<String> {
    let mut layers: Vec<String> = Vec::new();
    for entry in model.parameters().entries() {
        let layer = layer_of(&entry.name);
        if entry.trainable && layers.last().is_none_or(|last| last != layer) {
            layers.push(layer.into());
        }
    }
    layers
}

fn randomise<M: Model>(model: &mut M, layer: &str, seed: u64) {
    let entries = model.parameters().entries().to_vec();
    for (index, entry) in entries.iter().enumerate() {
        if !entry.trainable || layer_of(&entry.name) != layer {
            continue;
        }
        let values = &mut model.parameters_mut().values_mut()[entry.range.clone()];
        let mean = super::mean(values.iter().map(|&v| f64::from(v)));
        let variance = super::mean(values.iter().map(|&v| (f64::from(v) - mean).powi(2)));
        let mut rng = Pcg32::new(seed, index as u64);
        for value in values {
            *value = (mean + variance.sqrt() * f64::from(rng.standard_normal())) as f32;
        }
    }
}
