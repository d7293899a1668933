//! What a model says of samples.

use crate::Result;
use crate::attribution::ROWS_PER_FORWARD;
use crate::network::{Mode, Model, Samples, predicted_class};

/// Logits `[samples, classes]` in evaluation mode, in bounded memory.
///
/// # Errors
/// As [`Model::forward`].
pub fn logits<'s, M: Model>(model: &M, samples: impl Into<Samples<'s>>) -> Result<Vec<f32>> {
    let Samples { x, valid } = samples.into();
    let mut pass = M::Pass::default();
    let mut logits = Vec::with_capacity(x.len() / model.input().len().max(1) * model.classes());
    let rows = x.chunks(ROWS_PER_FORWARD * model.input().len());
    for (index, x) in rows.enumerate() {
        let mut valid = valid.chunks(ROWS_PER_FORWARD).skip(index);
        let samples = Samples {
            x,
            valid: valid.next().unwrap_or(&[]),
        };
        logits.extend_from_slice(model.forward(samples, Mode::InputGradient, &mut pass)?);
    }
    Ok(logits)
}

/// The predicted class of every sample; ties go to the lowest class.
pub fn predictions(logits: &[f32], classes: usize) -> Vec<usize> {
    logits.chunks_exact(classes).map(predicted_class).collect()
}

/// The share of samples whose predicted class is their label.
pub fn share_correct(predicted: &[usize], labels: &[usize]) -> f64 {
    let correct = predicted.iter().zip(labels).filter(|(p, l)| p == l).count();
    correct as f64 / labels.len() as f64
}

/// Softmax probabilities `[samples, classes]`.
///
/// # Errors
/// [`crate::Error::Core`] when a logit is NaN or infinite.
pub fn probabilities(logits: &[f32], classes: usize) -> Result<Vec<f32>> {
    let mut out = vec![0.0; logits.len()];
    let rows = logits.chunks_exact(classes);
    for (row, out) in rows.zip(out.chunks_exact_mut(classes)) {
        sgt_core::softmax(row, out)?;
    }
    Ok(out)
}
