//! The scalar whose input gradient is the saliency.

use super::{Labelled, Mode, Model};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The score of a sample whose gradient with respect to the input is its saliency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// The true class's logit, `f_y(x)`.
    #[default]
    TrueLogit,
    /// The true class's log-probability, `log softmax(f(x))_y`: what the reference code ranks.
    TrueLogProb,
    /// The largest logit, `max_c f_c(x)` (ties: the lowest class).
    PredictedLogit,
    /// The sample's cross-entropy, `-log softmax(f(x))_y`.
    Loss,
}

/// Writes the gradient of each sample's score with respect to its logits into `dlogits`.
///
/// `logits` and `dlogits` are `[batch, classes]`; one label a sample.
///
/// # Errors
/// [`Error::Shape`] on mismatched lengths, [`Error::Argument`] on a label that is no class.
pub fn score_gradient(
    score: Score,
    logits: &[f32],
    labels: &[usize],
    dlogits: &mut [f32],
) -> Result<()> {
    let classes = logits.len() / labels.len().max(1);
    if classes == 0 || logits.len() != classes * labels.len() || dlogits.len() != logits.len() {
        return Err(Error::Shape {
            operation: "score gradient",
            found: format!("{} logits, {} gradients", logits.len(), dlogits.len()),
            expected: format!("{} × classes each", labels.len()),
        });
    }
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        return Err(Error::Argument {
            argument: "label".into(),
            found: label.to_string(),
            expected: format!("a class below {classes}"),
        });
    }
    let rows = logits.chunks_exact(classes);
    for ((row, gradient), &label) in rows.zip(dlogits.chunks_exact_mut(classes)).zip(labels) {
        match score {
            Score::TrueLogit => {
                gradient.fill(0.0);
                gradient[label] = 1.0;
            }
            Score::PredictedLogit => {
                gradient.fill(0.0);
                gradient[predicted_class(row)] = 1.0;
            }
            Score::TrueLogProb | Score::Loss => {
                let sign = if score == Score::Loss { 1.0 } else { -1.0 };
                let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for (g, &logit) in gradient.iter_mut().zip(row) {
                    *g = (logit - largest).exp();
                }
                let scale = sign / gradient.iter().sum::<f32>();
                for g in &mut *gradient {
                    *g *= scale;
                }
                gradient[label] -= sign;
            }
        }
    }
    Ok(())
}

/// The class with the largest logit; ties go to the lowest class.
pub(crate) fn predicted_class(logits: &[f32]) -> usize {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    best
}

/// Saliency: the gradient of each sample's score with respect to its input, in
/// [`Mode::InputGradient`]. `dx` has the length of `batch.x`.
///
/// # Errors
/// As [`Model::forward`], [`Model::backward`] and [`score_gradient`].
pub fn input_gradient<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    score: Score,
    pass: &mut M::Pass,
    dx: &mut [f32],
) -> Result<()> {
    let logits = model.forward(batch, Mode::InputGradient, pass)?;
    let mut dlogits = vec![0.0; logits.len()];
    score_gradient(score, logits, batch.labels, &mut dlogits)?;
    model.backward(pass, &dlogits, Some(dx), None)
}
