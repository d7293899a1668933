//! How much an attribution moves when its input does.

use crate::attribution::{Method, Settings, attribute};
use crate::network::{Labelled, Model};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// Noise and draws of [`max_sensitivity`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SensitivityConfig {
    /// Half width of the uniform noise, in input units.
    pub radius: f32,
    /// Noisy copies a sample.
    pub draws: usize,
}

impl Default for SensitivityConfig {
    /// Captum's: radius 0.02, 10 draws.
    fn default() -> Self {
        Self {
            radius: 0.02,
            draws: 10,
        }
    }
}

/// `max_δ ‖A(x + δ) − A(x)‖₂ / ‖A(x)‖₂` over random δ in the L∞ ball of `radius`, mean over the
/// samples whose map is not zero (Yeh et al. 2019, arXiv 1901.09392). `clean` is the attribution
/// of the samples themselves.
///
/// Cost: `draws` attributions a sample.
///
/// # Errors
/// As [`attribute`]; [`Error::Argument`] for no draws or a radius that is not positive.
pub fn max_sensitivity<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    method: &Method,
    settings: &Settings<'_>,
    clean: &[f32],
    config: &SensitivityConfig,
) -> Result<f64> {
    if config.draws == 0 || !(config.radius > 0.0 && config.radius.is_finite()) {
        return Err(Error::Argument {
            argument: "sensitivity".into(),
            found: format!("{} draws of radius {}", config.draws, config.radius),
            expected: "at least one draw of a positive radius".into(),
        });
    }
    let sample = model.input().len();
    let mut worst = vec![0.0_f64; samples.labels.len()];
    for draw in 0..config.draws {
        let mut x = samples.x.to_vec();
        for (index, row) in x.chunks_exact_mut(sample).enumerate() {
            let mut rng = Pcg32::new(settings.seed, (index as u64) << 32 | draw as u64);
            for value in row {
                *value += config.radius * (2.0 * rng.unit() - 1.0);
            }
        }
        let noisy = Labelled { x: &x, ..samples };
        let noisy = attribute(model, noisy, method, settings)?.values;
        let rows = noisy.chunks_exact(sample).zip(clean.chunks_exact(sample));
        for (worst, (noisy, clean)) in worst.iter_mut().zip(rows) {
            let change = norm(noisy.iter().zip(clean).map(|(a, b)| a - b));
            let size = norm(clean.iter().copied());
            let relative = if size > 0.0 { change / size } else { f64::NAN };
            *worst = if relative > *worst || relative.is_nan() {
                relative
            } else {
                *worst
            };
        }
    }
    let counted: Vec<f64> = worst.into_iter().filter(|value| !value.is_nan()).collect();
    Ok(super::mean(counted.iter().copied()))
}

fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

/// Mean over samples of the share of the ⌈share · groups⌉ most important groups that two lists of
/// importances have in common.
///
/// # Errors
/// [`Error::Argument`] unless the share is above 0 and at most 1; [`Error::Core`] when the lists
/// do not fit each other.
pub fn overlap(clean: &[Vec<f32>], adversarial: &[Vec<f32>], share: f32) -> Result<f64> {
    if !(share > 0.0 && share <= 1.0) {
        return Err(Error::Argument {
            argument: "overlap share".into(),
            found: share.to_string(),
            expected: "a share above 0 and at most 1".into(),
        });
    }
    let mut sum = 0.0;
    for (clean, adversarial) in clean.iter().zip(adversarial) {
        let k = (share * clean.len() as f32).ceil() as usize;
        sum += f64::from(sgt_core::top_k_overlap(clean, adversarial, k)?);
    }
    Ok(sum / clean.len().max(1) as f64)
}
