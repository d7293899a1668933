//! The distribution of mean gradients over samples: the box plots of the SGT paper.

use super::statistics::BoxPlot;
use crate::Result;
use crate::data::group_values;
use crate::network::{Grouping, Labelled, Model};

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
        let groups = group_values(layout, row)?;
        means.push(super::mean(groups.iter().map(|&g| f64::from(g))));
    }
    BoxPlot::of(&means)
}
