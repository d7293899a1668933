//! `GradientSHAP`: gradients at random points between a noisy sample and a random baseline.

use super::check::{at_least, not_negative};
use super::noise::draw_rng;
use super::points::Points;
use super::{Attribution, Baselines};
use crate::Result;
use crate::network::Model;
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// Parameters of `GradientSHAP`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientShap {
    /// Random points a sample.
    pub samples: usize,
    /// Standard deviation of the noise on the input, in input units.
    pub noise: f32,
}

impl Default for GradientShap {
    /// 25 points; deviation 0.09, the SGT reference's.
    fn default() -> Self {
        Self {
            samples: 25,
            noise: 0.09,
        }
    }
}

impl GradientShap {
    pub(super) fn check(&self) -> Result<()> {
        at_least("samples", self.samples, 1)?;
        not_negative("noise", self.noise)
    }
}

pub(super) fn gradient_shap<M: Model>(
    points: &mut Points<'_, M>,
    config: &GradientShap,
    baselines: &Baselines<'_>,
    seed: u64,
) -> Result<Attribution> {
    let (x, sample) = (points.x, points.sample);
    let weight = 1.0 / config.samples as f32;
    let mut values = vec![0.0; x.len()];
    // A draw fixes the baseline, the place on the path and the noise. `take` repeats the draw
    // of `place` instead of keeping every noisy input.
    let baseline_and_place = |rng: &mut Pcg32| {
        let chosen = rng.below(baselines.count() as u32) as usize;
        (baselines.at(chosen), rng.unit())
    };
    points.gradients(
        config.samples,
        |index, draw, row| {
            let mut rng = draw_rng(seed, index, draw);
            let (baseline, place) = baseline_and_place(&mut rng);
            let clean = &x[index * sample..][..sample];
            for ((value, &clean), &baseline) in row.iter_mut().zip(clean).zip(baseline) {
                let noisy = clean + config.noise * rng.standard_normal();
                *value = baseline + place * (noisy - baseline);
            }
        },
        |index, draw, _, gradient| {
            let mut rng = draw_rng(seed, index, draw);
            let (baseline, _) = baseline_and_place(&mut rng);
            let clean = &x[index * sample..][..sample];
            let values = &mut values[index * sample..][..sample];
            let inputs = clean.iter().zip(baseline);
            for ((value, &g), (&clean, &baseline)) in values.iter_mut().zip(gradient).zip(inputs) {
                let noisy = clean + config.noise * rng.standard_normal();
                *value += weight * g * (noisy - baseline);
            }
        },
    )?;
    Ok(Attribution { values, gap: None })
}
