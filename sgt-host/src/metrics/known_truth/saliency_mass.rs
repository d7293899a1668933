//! Masked accuracy: what is left of the accuracy without the cells that hold a share of the saliency
//! (Ismail et al. 2020, arXiv 2010.13924).

use super::super::outputs::{logits, predictions, share_correct};
use super::rescaled_magnitudes;
use crate::network::{Labelled, Model, Samples};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Shares of the saliency, in tenths.
const TENTHS: std::ops::RangeInclusive<usize> = 0..=10;
/// Percent, over steps of a tenth.
const SCALE: f64 = 10.0;

/// Accuracy over the share of the saliency that is masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskedAccuracy {
    /// With 0, 10, … 100 % of the saliency masked.
    pub accuracies: Vec<f64>,
    /// Area under the accuracy in percent, as published: at most 100, low for a good map.
    pub area: f64,
}

/// For d = 0, 10, … 100 %, overwrites the smallest set of most salient cells that holds d of the
/// saliency (magnitudes, rescaled a sample) with `replacement`, and classifies again; all cells
/// for 100 %. `maps` is `[samples, input]`, `replacement` one sample a d: series of the same
/// process without a signal.
///
/// The published program lets the accuracy stay 0 once it is; here it is measured.
///
/// # Errors
/// As [`Labelled::check`]; [`Error::Shape`] for maps or replacements that do not fit.
pub fn masked_accuracy<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    maps: &[f32],
    replacement: &[f32],
) -> Result<MaskedAccuracy> {
    let size = model.input().len();
    let count = samples.check("masked accuracy", model.input(), model.classes())?;
    if maps.len() != count * size || replacement.len() != TENTHS.count() * size {
        return Err(Error::Shape {
            operation: "masked accuracy",
            found: format!("{} and {} values", maps.len(), replacement.len()),
            expected: format!("maps of {count} and replacements of 11 samples of {size}"),
        });
    }
    let orders: Vec<Order> = maps.chunks_exact(size).map(Order::new).collect();
    let mut accuracies = Vec::new();
    let mut masked = samples.x.to_vec();
    for tenth in TENTHS {
        let replacement = &replacement[tenth * size..][..size];
        let rows = masked.chunks_exact_mut(size);
        for ((row, order), clean) in rows.zip(&orders).zip(samples.x.chunks_exact(size)) {
            row.copy_from_slice(clean);
            for &cell in order.first(tenth) {
                row[cell] = replacement[cell];
            }
        }
        let x = Samples {
            x: &masked,
            ..samples.samples()
        };
        let predicted = predictions(&logits(model, x)?, model.classes());
        accuracies.push(share_correct(&predicted, samples.labels));
    }
    let pieces = accuracies.windows(2);
    Ok(MaskedAccuracy {
        area: SCALE
            * pieces
                .map(|pair| f64::midpoint(pair[0], pair[1]))
                .sum::<f64>(),
        accuracies,
    })
}

/// A sample's cells from the most to the least salient.
struct Order {
    cells: Vec<usize>,
    /// How many of them hold each tenth of the saliency.
    counts: Vec<usize>,
}

impl Order {
    fn new(map: &[f32]) -> Self {
        let scaled = rescaled_magnitudes(map);
        let mut cells: Vec<usize> = (0..scaled.len()).collect();
        cells.sort_by(|&a, &b| scaled[b].total_cmp(&scaled[a]));
        let total: f64 = scaled.iter().sum();
        let (mut count, mut mass) = (0, 0.0);
        let counts = TENTHS.map(|tenth| {
            while count < cells.len() && mass < total * tenth as f64 / 10.0 {
                mass += scaled[cells[count]];
                count += 1;
            }
            count
        });
        let mut counts: Vec<usize> = counts.collect();
        if let Some(last) = counts.last_mut() {
            *last = cells.len();
        }
        Self { cells, counts }
    }

    fn first(&self, tenth: usize) -> &[usize] {
        &self.cells[..self.counts[tenth]]
    }
}
