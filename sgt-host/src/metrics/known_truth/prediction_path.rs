//! Cumulative prediction difference and preservation (TIMING, arXiv 2506.05035): how far the
//! prediction moves while cells are removed one after another.

use super::super::outputs::probabilities;
use crate::attribution::ROWS_PER_FORWARD;
use crate::network::{Labelled, Mode, Model, Samples};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What removed cells become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathFill {
    /// The mean of the channel over the sample's real steps.
    #[default]
    Mean,
    /// Zero.
    Zero,
}

/// How far the prediction moved, mean over the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionPath {
    /// Most important cells first; higher is better.
    pub difference: f64,
    /// Least important cells first; lower is better.
    pub preservation: f64,
}

/// `Σ_k ‖p(x_k) − p(x_{k−1})‖₁`, `p` the softmax, `x_k` the sample without `k` cells by |map|, mean over
/// samples, `k` up to `cells`; the paper sums over classes as here, its program averages.
///
/// `maps` is `[samples, input]`; padding is never removed. Cost: 2 · `cells` forward passes a
/// sample.
///
/// # Errors
/// As [`Labelled::check`]; [`Error::Shape`] for maps that do not fit.
pub fn prediction_path<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    maps: &[f32],
    cells: usize,
    fill: PathFill,
) -> Result<PredictionPath> {
    let input = model.input();
    let count = samples.check("prediction path", input, model.classes())?;
    let size = input.len();
    if maps.len() != count * size {
        return Err(Error::Shape {
            operation: "prediction path",
            found: format!("{} values", maps.len()),
            expected: format!("{count} maps of {size}"),
        });
    }
    let mut sums = [0.0; 2];
    for sample in 0..count {
        let valid = samples.valid.get(sample..=sample).unwrap_or(&[]);
        let real = valid.first().cloned().unwrap_or(0..input.positions());
        let (x, map) = (
            &samples.x[sample * size..][..size],
            &maps[sample * size..][..size],
        );
        let mean = |channel: usize| {
            let values = real
                .clone()
                .map(|step| f64::from(x[input.place(step, channel)]));
            (values.sum::<f64>() / real.len() as f64) as f32
        };
        let fills: Vec<f32> = (0..input.channels())
            .map(|channel| match fill {
                PathFill::Mean => mean(channel),
                PathFill::Zero => 0.0,
            })
            .collect();
        let is_real = |&cell: &usize| real.contains(&input.position_and_channel(cell).0);
        let mut order: Vec<usize> = (0..size).filter(is_real).collect();
        order.sort_by(|&a, &b| map[b].abs().total_cmp(&map[a].abs()));
        let removed = cells.min(order.len());
        for sum in &mut sums {
            let mut without = x.to_vec();
            let mut rows = without.clone();
            for &cell in &order[..removed] {
                without[cell] = fills[input.position_and_channel(cell).1];
                rows.extend_from_slice(&without);
            }
            *sum += path_length(model, &rows, valid)?;
            // The second round goes from the least important cell on.
            order.reverse();
        }
    }
    let [difference, preservation] = sums.map(|sum| sum / count as f64);
    Ok(PredictionPath {
        difference,
        preservation,
    })
}

/// `Σ_k ‖p_k − p_{k−1}‖₁` over the rows.
fn path_length<M: Model>(model: &M, rows: &[f32], valid: &[std::ops::Range<usize>]) -> Result<f64> {
    let mut pass = M::Pass::default();
    let classes = model.classes();
    let mut path = Vec::new();
    for x in rows.chunks(ROWS_PER_FORWARD * model.input().len()) {
        let count = x.len() / model.input().len();
        let valid: Vec<_> = valid
            .iter()
            .cycle()
            .take(if valid.is_empty() { 0 } else { count })
            .cloned()
            .collect();
        let samples = Samples { x, valid: &valid };
        let logits = model.forward(samples, Mode::InputGradient, &mut pass)?;
        path.extend(probabilities(logits, classes)?);
    }
    let pairs = path.iter().zip(&path[classes..]);
    Ok(pairs.map(|(a, b)| f64::from((a - b).abs())).sum())
}
