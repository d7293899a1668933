//! Methods made of plain gradients: at the sample, under noise, between sample and baselines.

use super::points::Points;
use super::{Attribution, Baselines, GradientShap, SmoothGrad};
use crate::Result;
use crate::network::Model;
use sgt_core::{Pcg32, Random};

pub(super) fn gradient<M: Model>(points: &mut Points<'_, M>) -> Result<Attribution> {
    local(points, |_, gradient| gradient)
}

pub(super) fn absolute_gradient<M: Model>(points: &mut Points<'_, M>) -> Result<Attribution> {
    local(points, |_, gradient| gradient.abs())
}

pub(super) fn input_x_gradient<M: Model>(points: &mut Points<'_, M>) -> Result<Attribution> {
    local(points, |x, gradient| x * gradient)
}

/// A function of each value and the gradient there.
fn local<M: Model>(
    points: &mut Points<'_, M>,
    combine: impl Fn(f32, f32) -> f32,
) -> Result<Attribution> {
    let (x, sample) = (points.x, points.sample);
    let mut values = Vec::with_capacity(x.len());
    points.gradients(
        1,
        |index, _, row| row.copy_from_slice(&x[index * sample..][..sample]),
        |_, _, row, gradient| values.extend(row.iter().zip(gradient).map(|(&x, &g)| combine(x, g))),
    )?;
    Ok(Attribution { values, gap: None })
}

/// The generator of draw `draw` of sample `sample`: one stream each, so that the result does not
/// depend on how the batch is cut.
fn draw_rng(seed: u64, sample: usize, draw: usize) -> Pcg32 {
    Pcg32::new(seed, ((sample as u64) << 32) | draw as u64)
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
