//! The distribution of mean gradients over samples: the box plots of the SGT paper.

use super::description::{Description, Direction};
use super::statistics::BoxPlot;
use crate::Result;
use crate::network::{Grouping, Labelled, Model};
use sgt_core::{Importance, rank_features};

/// Mean gradient a sample.
pub const MEAN_GRADIENT: Description = Description {
    name: "mean gradient",
    direction: Direction::Descriptive,
    sensitive_to: "the scale of the logits and of the input",
};

/// The box plot over samples of the mean, over a sample's feature groups, of the signed
/// gradient. `gradient` is `[samples, input]`.
///
/// # Errors
/// As [`Labelled::layouts`]; [`crate::Error::Core`] on a wrong length or non-finite gradients.
pub fn mean_gradients<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    gradient: &[f32],
) -> Result<BoxPlot> {
    let mut means = Vec::with_capacity(samples.labels.len());
    let layouts = samples.layouts(model.input(), Grouping::Natural)?;
    for (layout, row) in layouts.iter().zip(gradient.chunks(model.input().len())) {
        let mut groups = vec![0.0; layout.groups()];
        rank_features(layout, Importance::Signed, row, &mut groups)?;
        means.push(super::mean(groups.iter().map(|&g| f64::from(g))));
    }
    BoxPlot::of(&means)
}
