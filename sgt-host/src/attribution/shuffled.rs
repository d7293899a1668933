//! A control that keeps a map's values and takes away where they are.

use super::points::Points;
use super::step_occlusion::real_positions;
use super::{Attribution, IntegratedGradients, Method, Settings, attribute};
use crate::Result;
use crate::network::{Labelled, Model};
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// What is shuffled of the maps of which method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shuffled {
    /// The method.
    pub base: Box<Method>,
    /// What changes places.
    pub places: Places,
}

/// What changes places in a shuffled map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Places {
    /// Channels, by one permutation for all samples, so that the profile over time stays: the
    /// benchmark's control (Ismail et al. 2020). With a single channel nothing changes.
    Channels,
    /// The cells of each sample's real steps.
    #[default]
    Cells,
}

impl Default for Shuffled {
    /// The cells of integrated gradients.
    fn default() -> Self {
        Self {
            base: Box::new(Method::IntegratedGradients(IntegratedGradients::default())),
            places: Places::Cells,
        }
    }
}

pub(super) fn shuffled<M: Model>(
    points: &Points<'_, M>,
    config: &Shuffled,
    settings: &Settings<'_>,
) -> Result<Attribution> {
    let batch: Labelled<'_> = points.batch;
    let inner = Settings {
        score: points.score,
        ..*settings
    };
    let mut values = attribute(points.model, batch, &config.base, &inner)?.values;
    let input = points.model.input();
    let real = real_positions(points);
    let channels: Vec<usize> = (0..input.channels()).collect();
    for (index, row) in values.chunks_exact_mut(points.sample).enumerate() {
        // All samples draw the same permutation of channels.
        let stream = match config.places {
            Places::Channels => u64::MAX,
            Places::Cells => index as u64,
        };
        let mut rng = Pcg32::new(settings.seed, stream);
        let cells = |step: usize| {
            channels
                .iter()
                .map(move |&channel| input.place(step, channel))
        };
        match config.places {
            Places::Cells => {
                let places: Vec<usize> = real[index].clone().flat_map(cells).collect();
                for last in (1..places.len()).rev() {
                    let other = rng.below(last as u32 + 1) as usize;
                    row.swap(places[last], places[other]);
                }
            }
            Places::Channels => {
                for last in (1..channels.len()).rev() {
                    let other = rng.below(last as u32 + 1) as usize;
                    for step in 0..input.positions() {
                        row.swap(input.place(step, last), input.place(step, other));
                    }
                }
            }
        }
    }
    Ok(Attribution { values, gap: None })
}
