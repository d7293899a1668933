//! The attributed scalar: its value, and the class it stays with.

use super::ROWS_PER_FORWARD;
use crate::network::{Labelled, Mode, Model, Score, predicted_class};
use crate::{Error, Result};

/// Each sample's score from its logits: `logits` is `[batch, classes]`, the result `[batch]`.
///
/// # Errors
/// [`Error::Shape`] when the logits are not `labels.len()` rows.
pub fn score_values(score: Score, logits: &[f32], labels: &[usize]) -> Result<Vec<f32>> {
    let classes = logits.len() / labels.len().max(1);
    if classes == 0 || logits.len() != classes * labels.len() {
        return Err(Error::Shape {
            operation: "score",
            found: format!("{} logits", logits.len()),
            expected: format!("{} × classes", labels.len()),
        });
    }
    crate::network::check_labels("labels", labels, classes)?;
    let rows = logits.chunks_exact(classes).zip(labels);
    Ok(rows
        .map(|(row, &label)| match score {
            Score::TrueLogit => row[label],
            Score::PredictedLogit => row[predicted_class(row)],
            Score::TrueLogProb => row[label] - log_sum_exp(row),
            Score::Loss => log_sum_exp(row) - row[label],
        })
        .collect())
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + row.iter().map(|v| (v - largest).exp()).sum::<f32>().ln()
}

/// Fixes the class of a [`Score::PredictedLogit`]: the class predicted for `x` itself.
pub(super) fn resolve<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    score: Score,
) -> Result<(Score, Vec<usize>)> {
    if score != Score::PredictedLogit {
        return Ok((score, batch.labels.to_vec()));
    }
    let mut pass = M::Pass::default();
    let mut predicted = Vec::with_capacity(batch.len());
    for (_, rows) in batch.chunks(ROWS_PER_FORWARD, model.input().len()) {
        let logits = model.forward(rows, Mode::InputGradient, &mut pass)?;
        predicted.extend(logits.chunks_exact(model.classes()).map(predicted_class));
    }
    Ok((Score::TrueLogit, predicted))
}
