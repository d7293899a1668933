//! Agreement of maps with a known truth, by each of the definitions in use.
//!
//! | module | what it measures | whose definition |
//! |---|---|---|
//! | [`super::truth`] | AUP, AUR, AUPR weighted by saliency, at most 0.8 | Ismail et al. 2020 |
//! | [`ranking`] | average precision, area under the ROC curve | scikit-learn |
//! | [`thresholds`] | AUP and AUR over thresholds | Dynamask, `TimeX`, tint: three ways of one name |
//! | [`mass`] | information and entropy of a map inside the truth | Dynamask |
//! | [`overlap`] | weighted Jaccard, Euclid, intersection over union | input-cell attention, `TimeX` |
//! | [`saliency_mass`] | accuracy without the cells that hold a share of the saliency | Ismail et al. 2020 |
//! | [`prediction_path`] | CPD and CPP: how far the prediction moves cell by cell | TIMING |
//!
//! Numbers of the same name under two definitions are not comparable. Every function takes maps in
//! any scale and says what it does to it.

pub mod mass;
pub mod overlap;
pub mod prediction_path;
pub mod ranking;
pub mod saliency_mass;
mod scores;
pub mod thresholds;

pub use scores::{KnownTruthScores, SampleMean, score_maps};

use crate::{Error, Result};

/// Maps of several samples beside their truth.
#[derive(Clone, Copy, Debug)]
pub struct TrueMaps<'a> {
    values: &'a [f32],
    truth: &'a [bool],
    cells: usize,
}

impl<'a> TrueMaps<'a> {
    /// `values` and `truth` are `[samples, cells]`, in the same order of cells.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are not as long, not whole samples or empty; [`Error::Argument`]
    /// on a value that is NaN or infinite.
    pub fn new(values: &'a [f32], truth: &'a [bool], cells: usize) -> Result<Self> {
        let whole = cells > 0 && !values.is_empty() && values.len().is_multiple_of(cells);
        if !whole || values.len() != truth.len() {
            return Err(Error::Shape {
                operation: "known truth",
                found: format!("{} values and {} flags", values.len(), truth.len()),
                expected: format!("as many, in whole samples of {cells}"),
            });
        }
        crate::network::check_finite("map", values)?;
        Ok(Self {
            values,
            truth,
            cells,
        })
    }

    /// Each sample's map and truth.
    pub fn samples(self) -> impl ExactSizeIterator<Item = (&'a [f32], &'a [bool])> {
        let truth = self.truth.chunks_exact(self.cells);
        self.values.chunks_exact(self.cells).zip(truth)
    }
}

/// `(v − min) / (max − min + epsilon)` over a sample; zeros for a constant map.
pub fn rescale(values: impl Iterator<Item = f64> + Clone, epsilon: f64) -> Vec<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.clone().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low + epsilon;
    let scale = if span > 0.0 { 1.0 / span } else { 0.0 };
    values.map(|value| (value - low) * scale).collect()
}

/// The magnitudes of a map, rescaled.
fn rescaled_magnitudes(map: &[f32]) -> Vec<f64> {
    rescale(map.iter().map(|&v| f64::from(v).abs()), 0.0)
}

/// `Σ (x_{i+1} − x_i) (y_i + y_{i+1}) / 2`.
fn trapezoid(x: &[f64], y: &[f64]) -> f64 {
    let pieces = x.windows(2).zip(y.windows(2));
    pieces
        .map(|(x, y)| (x[1] - x[0]) * f64::midpoint(y[0], y[1]))
        .sum()
}
