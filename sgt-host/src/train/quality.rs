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
    let mut batch = Batch::new();
    let mut pass = M::Pass::default();
    let (mut loss, mut correct) = (0.0_f64, 0_usize);
    let places: Vec<usize> = (0..data.len()).collect();
    for places in places.chunks(BATCH) {
        batch.fill(data, places, model.input())?;
        let logits = model.forward(batch.labelled(), Mode::InputGradient, &mut pass)?;
        for (row, &label) in logits.chunks_exact(model.classes()).zip(batch.labels()) {
            let value = sgt_core::cross_entropy(row, label);
            loss += f64::from(value.unwrap_or(f32::INFINITY));
            correct += usize::from(predicted_class(row) == label);
        }
    }
    let samples = data.len() as f64;
    Ok(Quality {
        loss: loss / samples,
        accuracy: correct as f64 / samples,
    })
}
