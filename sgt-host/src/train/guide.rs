//! The map that ranks what is masked.

use crate::Result;
use crate::attribution::score_values;
use crate::config::Guide;
use crate::network::{Labelled, Mode, Model, Score, input_gradient};

/// Turns `saliency`, the score's gradient at `batch`, into the map that `guide` asks for. `pass` is
/// overwritten.
///
/// Cost beside that gradient: forward and input-backward passes for the points of integrated
/// gradients, forward passes for the windows of time rescaling.
///
/// # Errors
/// As [`Model::forward`].
pub(super) fn guide<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    score: Score,
    guide: Guide,
    pass: &mut M::Pass,
    saliency: &mut [f32],
) -> Result<()> {
    match guide {
        Guide::Gradient => Ok(()),
        Guide::IntegratedGradients(points) => {
            integrate(model, batch, score, points, pass, saliency)
        }
        Guide::TimeRescaled(windows) => rescale(model, batch, score, windows, pass, saliency),
    }
}

/// `x · mean of the gradient at α x`, α the midpoints of equal intervals.
fn integrate<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    score: Score,
    points: usize,
    pass: &mut M::Pass,
    saliency: &mut [f32],
) -> Result<()> {
    let mut between = vec![0.0; batch.x.len()];
    let mut gradient = vec![0.0; batch.x.len()];
    saliency.fill(0.0);
    for point in 0..points {
        let place = (point as f32 + 0.5) / points as f32;
        for (between, x) in between.iter_mut().zip(batch.x) {
            *between = place * x;
        }
        let rows = Labelled {
            x: &between,
            ..batch
        };
        input_gradient(model, rows, score, pass, &mut gradient)?;
        for (sum, g) in saliency.iter_mut().zip(&gradient) {
            *sum += g;
        }
    }
    let weight = 1.0 / points as f32;
    for (value, x) in saliency.iter_mut().zip(batch.x) {
        *value *= weight * x;
    }
    Ok(())
}

/// `|ΔF| of the window that a position is in · |gradient| as a share of the position's largest`.
fn rescale<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    score: Score,
    windows: usize,
    pass: &mut M::Pass,
    saliency: &mut [f32],
) -> Result<()> {
    let input = model.input();
    let (positions, channels, size) = (input.positions(), input.channels(), input.len());
    let length = positions.div_ceil(windows.max(1)).max(1);
    let labels = batch.labels;
    let logits = model.forward(batch, Mode::InputGradient, pass)?;
    let clean = score_values(score, logits, labels)?;
    let mut without = batch.x.to_vec();
    for first in (0..positions).step_by(length) {
        let window = first..positions.min(first + length);
        let places = || {
            let cells = window.clone();
            cells.flat_map(|position| (0..channels).map(move |c| input.place(position, c)))
        };
        for row in without.chunks_exact_mut(size) {
            places().for_each(|place| row[place] = 0.0);
        }
        let rows = Labelled {
            x: &without,
            ..batch
        };
        let logits = model.forward(rows, Mode::InputGradient, pass)?;
        let scores = score_values(score, logits, labels)?;
        let rows = saliency
            .chunks_exact_mut(size)
            .zip(clean.iter().zip(scores));
        for (row, (clean, score)) in rows {
            let relevance = (clean - score).abs();
            for position in window.clone() {
                let cells = || (0..channels).map(move |c| input.place(position, c));
                let largest = cells().map(|place| row[place].abs()).fold(0.0, f32::max);
                let scale = if largest > 0.0 {
                    relevance / largest
                } else {
                    0.0
                };
                cells().for_each(|place| row[place] = scale * row[place].abs());
            }
        }
        for (row, clean) in without
            .chunks_exact_mut(size)
            .zip(batch.x.chunks_exact(size))
        {
            places().for_each(|place| row[place] = clean[place]);
        }
    }
    Ok(())
}
