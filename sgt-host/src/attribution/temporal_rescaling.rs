//! Temporal saliency rescaling: a step's relevance is how far the whole map moves without it, and so
//! is a cell's; the map is their product (Ismail et al. 2020, arXiv 2010.13924).

use super::points::Points;
use super::step_occlusion::real_positions;
use super::{Attribution, Baseline, Baselines, Method, Settings, attribute};
use crate::network::{Labelled, Model};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Parameters of temporal saliency rescaling; the defaults are the published program's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemporalRescaling {
    /// The method whose maps are compared.
    pub base: Box<Method>,
    /// The cells of steps whose relevance is above this quantile of it are compared one by one.
    pub quantile: f32,
    /// The relevance of all cells of the other steps.
    pub floor: f32,
}

impl Default for TemporalRescaling {
    /// Integrated gradients; quantile 0.55, floor 0.1.
    fn default() -> Self {
        Self {
            base: Box::new(Method::IntegratedGradients(
                super::IntegratedGradients::default(),
            )),
            quantile: 0.55,
            floor: 0.1,
        }
    }
}

impl TemporalRescaling {
    pub(super) fn check(&self) -> Result<()> {
        check_share("quantile", self.quantile)?;
        super::check::not_negative("floor", self.floor)?;
        self.base.check()
    }
}

/// Refuses what is no share.
pub(super) fn check_share(argument: &str, found: f32) -> Result<()> {
    if (0.0..=1.0).contains(&found) {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: "a share from 0 to 1".into(),
    })
}

/// Samples without a part whose maps are computed at once.
const ROWS: usize = 128;

/// `dt` over the real steps and `df` over the cells of each relevant step are rescaled to [0, 1];
/// the map is `dt · df`. Padding is never overwritten and has 0.
pub(super) fn temporal_rescaling<M: Model>(
    points: &Points<'_, M>,
    config: &TemporalRescaling,
    baselines: &Baselines<'_>,
    settings: &Settings<'_>,
) -> Result<Attribution> {
    let sample = points.sample;
    let real = real_positions(points);
    let mean = config.base.takes_a_distribution().then(|| baselines.mean());
    let mut values = vec![0.0; points.x.len()];
    for (index, own) in values.chunks_exact_mut(sample).enumerate() {
        let reference = mean.as_deref().unwrap_or_else(|| baselines.of(index));
        let baseline = match (&mean, settings.baseline) {
            (Some(_), _) | (_, Baseline::Zero) => settings.baseline,
            (None, Baseline::Samples(_)) => Baseline::Samples(reference),
        };
        let compared = Compared {
            points,
            index,
            reference,
            valid: &real[index],
            method: &config.base,
            settings: Settings {
                score: points.score,
                baseline,
                ..*settings
            },
        };
        compared.rescale(config, own)?;
    }
    Ok(Attribution { values, gap: None })
}

/// One sample, whose map is compared with those without parts of it.
struct Compared<'a, 'p, M: Model> {
    points: &'a Points<'p, M>,
    index: usize,
    reference: &'a [f32],
    valid: &'a Range<usize>,
    method: &'a Method,
    settings: Settings<'a>,
}

impl<M: Model> Compared<'_, '_, M> {
    fn rescale(&self, config: &TemporalRescaling, map: &mut [f32]) -> Result<()> {
        let input = self.points.model.input();
        let channels = input.channels();
        let x = &self.points.x[self.index * self.points.sample..][..self.points.sample];
        let clean = self.maps(x)?;
        let steps: Vec<Vec<usize>> = self
            .valid
            .clone()
            .map(|step| (0..channels).map(|c| input.place(step, c)).collect())
            .collect();
        let mut time = self.relevance(x, &clean, &steps)?;
        scale(&mut time);
        let threshold = quantile(&time, config.quantile);
        let relevant: Vec<usize> = (0..time.len()).filter(|&t| time[t] > threshold).collect();
        let cells: Vec<Vec<usize>> = relevant
            .iter()
            .flat_map(|&step| steps[step].iter().map(|&place| vec![place]))
            .collect();
        let mut features = self.relevance(x, &clean, &cells)?;
        let mut of_relevant = features.chunks_exact_mut(channels);
        for (step, (places, &time)) in steps.iter().zip(&time).enumerate() {
            let own = relevant
                .contains(&step)
                .then(|| of_relevant.next())
                .flatten();
            match own {
                Some(own) => {
                    scale(own);
                    for (&place, &feature) in places.iter().zip(&*own) {
                        map[place] = time * feature;
                    }
                }
                None => {
                    for &place in places {
                        map[place] = time * config.floor;
                    }
                }
            }
        }
        Ok(())
    }

    /// `Σ |R(x) − R(x without a part)|` for each part.
    fn relevance(&self, x: &[f32], clean: &[f32], parts: &[Vec<usize>]) -> Result<Vec<f32>> {
        let mut relevance = Vec::with_capacity(parts.len());
        let mut rows = Vec::with_capacity(ROWS.min(parts.len()) * x.len());
        for parts in parts.chunks(ROWS) {
            rows.clear();
            for part in parts {
                let start = rows.len();
                rows.extend_from_slice(x);
                for &place in part {
                    rows[start + place] = self.reference[place];
                }
            }
            let maps = self.maps(&rows)?;
            relevance.extend(maps.chunks_exact(x.len()).map(|map| {
                let differences = map.iter().zip(clean).map(|(a, b)| f64::from((a - b).abs()));
                differences.sum::<f64>() as f32
            }));
        }
        Ok(relevance)
    }

    /// The base method's maps of rows that stand for the sample.
    fn maps(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let count = rows.len() / self.points.sample;
        let batch = self.points.batch;
        let valid = match batch.valid.get(self.index) {
            Some(valid) => vec![valid.clone(); count],
            None => Vec::new(),
        };
        let labels = vec![batch.labels[self.index]; count];
        let rows = Labelled {
            x: rows,
            labels: &labels,
            valid: &valid,
        };
        Ok(attribute(self.points.model, rows, self.method, &self.settings)?.values)
    }
}

/// To [0, 1], in place; zeros when all are equal.
pub(super) fn scale(values: &mut [f32]) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let factor = if high > low { 1.0 / (high - low) } else { 0.0 };
    for value in values {
        *value = (*value - low) * factor;
    }
}

/// Linear between order statistics.
pub(super) fn quantile(values: &[f32], share: f32) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let place = share * (sorted.len() - 1) as f32;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f32) * (sorted[above] - sorted[below])
}
