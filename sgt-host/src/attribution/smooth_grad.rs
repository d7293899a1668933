//! `SmoothGrad`: the mean gradient, or squared gradient, under noise.

use super::Attribution;
use super::check::{at_least, not_negative};
use super::noise::draw_rng;
use super::points::Points;
use crate::Result;
use crate::network::Model;
use serde::{Deserialize, Serialize};
use sgt_core::Random;

/// Parameters of `SmoothGrad` and its squared form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothGrad {
    /// Noisy copies a sample.
    pub samples: usize,
    /// Standard deviation of the noise as a share of the sample's own range `max − min`.
    pub noise: f32,
}

impl Default for SmoothGrad {
    /// 25 copies, 15 % noise: within the range that the paper recommends.
    fn default() -> Self {
        Self {
            samples: 25,
            noise: 0.15,
        }
    }
}

impl SmoothGrad {
    pub(super) fn check(&self) -> Result<()> {
        at_least("samples", self.samples, 1)?;
        not_negative("noise", self.noise)
    }
}

pub(super) fn smooth_grad<M: Model>(
    points: &mut Points<'_, M>,
    config: &SmoothGrad,
    squared: bool,
    seed: u64,
) -> Result<Attribution> {
    let (x, sample) = (points.x, points.sample);
    let weight = 1.0 / config.samples as f32;
    let mut values = vec![0.0; x.len()];
    points.gradients(
        config.samples,
        |index, draw, row| {
            let clean = &x[index * sample..][..sample];
            let low = clean.iter().copied().fold(f32::INFINITY, f32::min);
            let high = clean.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let deviation = config.noise * (high - low);
            let mut rng = draw_rng(seed, index, draw);
            for (value, &clean) in row.iter_mut().zip(clean) {
                *value = clean + deviation * rng.standard_normal();
            }
        },
        |index, _, _, gradient| {
            let values = &mut values[index * sample..][..sample];
            for (value, &g) in values.iter_mut().zip(gradient) {
                *value += weight * if squared { g * g } else { g };
            }
        },
    )?;
    Ok(Attribution { values, gap: None })
}
