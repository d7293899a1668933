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
pub struct RobustnessPoint {
    /// The radius.
    pub epsilon: f32,
    /// Share of samples still classified correctly.
    pub accuracy: f64,
    /// Mean cross-entropy of the labels.
    pub loss: f64,
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
    let mut last = config.clone();
    let mut points = Vec::with_capacity(epsilons.len());
    for &epsilon in epsilons {
        last = config.with_epsilon(epsilon);
        let goal = Goal::Untargeted;
        let found = attack(model, samples, goal, &last, seed)?;
        let losses = found.loss.iter().map(|&loss| f64::from(loss));
        points.push(RobustnessPoint {
            epsilon,
            accuracy: share_correct(&found.predicted, samples.labels),
            loss: super::mean(losses),
        });
    }
    Ok(RobustnessCurve {
        attack: last,
        points,
    })
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
