//! Loss and accuracy over a whole data set.

use crate::Result;
use crate::data::{Batch, Dataset};
use crate::network::{Mode, Model, predicted_class};

/// Samples a forward pass takes.
const BATCH: usize = 256;

/// How well a network does on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The mean cross-entropy; infinite when an output is not finite.
    pub loss: f64,
    /// The share of samples whose largest logit is the label's.
    pub accuracy: f64,
}

/// Loss and accuracy of `model` on `data`, in evaluation mode.
///
/// # Errors
/// [`crate::Error::Shape`] when the data does not fit the model.
pub fn quality<M: Model>(model: &M, data: &Dataset) -> Result<Quality> {
    Ok(answers(model, data)?.quality(data.labels()))
}

/// A network's answer to every sample of a data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answers {
    /// The predicted classes.
    pub(crate) predicted: Vec<usize>,
    /// The cross-entropies of the labels; infinite where an output is not finite.
    pub(crate) losses: Vec<f32>,
    /// The probabilities of the predicted classes; 0 where an output is not finite.
    pub(crate) certainties: Vec<f32>,
}

impl Answers {
    /// The means.
    pub(crate) fn quality(&self, labels: &[usize]) -> Quality {
        let pairs = self.predicted.iter().zip(labels);
        let correct = pairs.filter(|(found, label)| found == label).count();
        let samples = labels.len() as f64;
        Quality {
            loss: self.losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / samples,
            accuracy: correct as f64 / samples,
        }
    }
}

/// The answers of `model` on `data`, in evaluation mode.
///
/// # Errors
/// As [`quality`].
pub(crate) fn answers<M: Model>(model: &M, data: &Dataset) -> Result<Answers> {
    let mut batch = Batch::new();
    let mut pass = M::Pass::default();
    let mut answers = Answers::default();
    let places: Vec<usize> = (0..data.len()).collect();
    for places in places.chunks(BATCH) {
        batch.fill(data, places, model.input())?;
        let logits = model.forward(batch.labelled(), Mode::InputGradient, &mut pass)?;
        for (row, &label) in logits.chunks_exact(model.classes()).zip(batch.labels()) {
            let loss = sgt_core::cross_entropy(row, label);
            answers.losses.push(loss.unwrap_or(f32::INFINITY));
            let class = predicted_class(row);
            let surprise = sgt_core::cross_entropy(row, class);
            answers
                .certainties
                .push(surprise.map_or(0.0, |surprise| (-surprise).exp()));
            answers.predicted.push(class);
        }
    }
    Ok(answers)
}
