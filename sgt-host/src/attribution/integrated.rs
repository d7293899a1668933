//! Integrated gradients: `(x − x′) · ∫₀¹ ∂F/∂x (x′ + α (x − x′)) dα`.

use super::check::at_least;
use super::points::Points;
use super::quadrature::{self, Rule};
use super::{Attribution, Baselines};
use crate::Result;
use crate::network::Model;
use serde::{Deserialize, Serialize};

/// Parameters of integrated gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntegratedGradients {
    /// Points on the path.
    pub steps: usize,
    /// Where they lie.
    pub rule: Rule,
}

impl Default for IntegratedGradients {
    /// Captum's defaults: 50 Gauss–Legendre points.
    fn default() -> Self {
        Self {
            steps: 50,
            rule: Rule::GaussLegendre,
        }
    }
}

impl IntegratedGradients {
    pub(super) fn check(&self) -> Result<()> {
        let least = if self.rule == Rule::Trapezoid { 2 } else { 1 };
        at_least("steps", self.steps, least)
    }
}

pub(super) fn integrated_gradients<M: Model>(
    points: &mut Points<'_, M>,
    config: &IntegratedGradients,
    baselines: &Baselines<'_>,
) -> Result<Attribution> {
    let path = quadrature::points(config.rule, config.steps);
    let (x, sample) = (points.x, points.sample);
    let mut values = vec![0.0; x.len()];
    points.gradients(
        path.len(),
        |index, step, row| {
            let place = path[step].0;
            let clean = &x[index * sample..][..sample];
            for ((value, &clean), &baseline) in row.iter_mut().zip(clean).zip(baselines.of(index)) {
                *value = baseline + place * (clean - baseline);
            }
        },
        |index, step, _, gradient| {
            let weight = path[step].1;
            let values = &mut values[index * sample..][..sample];
            for (value, &g) in values.iter_mut().zip(gradient) {
                *value += weight * g;
            }
        },
    )?;
    let rows = values.chunks_exact_mut(sample).zip(x.chunks_exact(sample));
    for (index, (values, clean)) in rows.enumerate() {
        for ((value, &clean), &baseline) in values.iter_mut().zip(clean).zip(baselines.of(index)) {
            *value *= clean - baseline;
        }
    }
    let gap = completeness_gap(points, &values, baselines)?;
    Ok(Attribution {
        values,
        gap: Some(gap),
    })
}

/// `Σ values − (F(x) − F(baseline))` a sample.
pub(super) fn completeness_gap<M: Model>(
    points: &mut Points<'_, M>,
    values: &[f32],
    baselines: &Baselines<'_>,
) -> Result<Vec<f32>> {
    let (x, sample) = (points.x, points.sample);
    let mut gap: Vec<f32> = values.chunks_exact(sample).map(sum).collect();
    points.scores(
        2,
        |index, end, row| {
            row.copy_from_slice(match end {
                0 => &x[index * sample..][..sample],
                _ => baselines.of(index),
            });
        },
        |index, end, score| gap[index] -= if end == 0 { score } else { -score },
    )?;
    Ok(gap)
}

/// A sum in f64: the gap is a small difference of large sums.
pub(super) fn sum(values: &[f32]) -> f32 {
    values.iter().map(|&v| f64::from(v)).sum::<f64>() as f32
}
