//! Accuracy under attack over a range of ε.

use super::outputs::{logits, predictions, share_correct};
use crate::Result;
use crate::attack::{AttackConfig, Goal, attack};
use crate::network::{Labelled, Model};
use serde::{Deserialize, Serialize};

/// Accuracy of one model under one attack at several ε.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessCurve {
    /// The attack; its own ε is that of the last point.
    pub attack: AttackConfig,
    /// One point an ε, in the order asked for.
    pub points: Vec<RobustnessPoint>,
}

/// What an attack of one radius leaves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RobustnessPoint {
    /// The radius.
    pub epsilon: f32,
    /// Share of samples that are classified correctly as they are, at this radius and at every
    /// smaller one. Balls are nested: what succeeds within a small one succeeds within a large
    /// one, so this never rises with ε.
    pub accuracy: f64,
    /// Share of samples still classified correctly by the attack of this radius alone. Where it
    /// rises with ε the attack is weak: the true accuracy may lie far below.
    pub accuracy_alone: f64,
    /// Mean cross-entropy of the labels at this radius alone.
    pub loss: f64,
}

impl RobustnessCurve {
    /// The largest rise of the accuracy from one radius, or none, to a larger one; 0 where it
    /// only falls. `clean` is the accuracy on the same samples as they are.
    pub fn rise(&self, clean: f64) -> f64 {
        let mut points: Vec<_> = self.points.iter().collect();
        points.sort_by(|a, b| a.epsilon.total_cmp(&b.epsilon));
        let (mut least, mut rise) = (clean, 0.0_f64);
        for point in points {
            rise = rise.max(point.accuracy_alone - least);
            least = least.min(point.accuracy_alone);
        }
        rise
    }
}

/// Attacks all samples at each of `epsilons`. Step lengths that the config leaves open scale
/// with ε.
///
/// # Errors
/// As [`attack`].
pub fn robustness<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    config: &AttackConfig,
    epsilons: &[f32],
    seed: u64,
) -> Result<RobustnessCurve> {
    let clean = predictions(&logits(model, samples)?, model.classes());
    let (curve, _) = robustness_by_sample(model, samples, &clean, config, epsilons, seed)?;
    Ok(curve)
}

/// [`robustness`] of samples that are classified as `clean` as they are, and for each point which
/// samples stay correct (1 or 0).
pub(crate) fn robustness_by_sample<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    clean: &[usize],
    config: &AttackConfig,
    epsilons: &[f32],
    seed: u64,
) -> Result<(RobustnessCurve, Vec<Vec<f32>>)> {
    let right = |predicted: &[usize]| -> Vec<bool> {
        let pairs = predicted.iter().zip(samples.labels);
        pairs.map(|(found, label)| found == label).collect()
    };
    let clean = right(clean);
    let mut last = config.clone();
    let mut points = Vec::with_capacity(epsilons.len());
    let mut alone = Vec::with_capacity(epsilons.len());
    for &epsilon in epsilons {
        last = config.with_epsilon(epsilon);
        let goal = Goal::Untargeted;
        let found = attack(model, samples, goal, &last, seed)?;
        let losses = found.loss.iter().map(|&loss| f64::from(loss));
        points.push(RobustnessPoint {
            epsilon,
            accuracy: 0.0,
            accuracy_alone: share_correct(&found.predicted, samples.labels),
            loss: super::mean(losses),
        });
        alone.push(right(&found.predicted));
    }
    let mut within = Vec::with_capacity(epsilons.len());
    for (point, &radius) in points.iter_mut().zip(epsilons) {
        let smaller = || epsilons.iter().zip(&alone).filter(|(e, _)| **e <= radius);
        let stays = |sample: usize| clean[sample] && smaller().all(|(_, right)| right[sample]);
        let stays: Vec<f32> = (0..clean.len()).map(|i| f32::from(stays(i))).collect();
        point.accuracy = super::mean(stays.iter().map(|&right| f64::from(right)));
        within.push(stays);
    }
    let curve = RobustnessCurve {
        attack: last,
        points,
    };
    Ok((curve, within))
}

/// Accuracy on the samples as they are.
///
/// # Errors
/// As [`Labelled::check`] and [`Model::forward`].
pub fn clean_accuracy<M: Model>(model: &M, samples: Labelled<'_>) -> Result<f64> {
    samples.check("samples", model.input(), model.classes())?;
    let predicted = predictions(&logits(model, samples)?, model.classes());
    Ok(share_correct(&predicted, samples.labels))
}
