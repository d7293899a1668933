//! `WinTSR`: the relevance of a step and of a cell is how far the score moves without it, and the map
//! their product (Islam et al. 2024, arXiv 2412.04532).

use super::points::Points;
use super::step_occlusion::{Piece, real_positions, step_occlusion};
use super::temporal_rescaling::{check_share, quantile, scale};
use super::{Attribution, Baselines};
use crate::Result;
use crate::network::Model;
use serde::{Deserialize, Serialize};

/// Parameters of `WinTSR`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WinTsr {
    /// Steps whose relevance is below this quantile of it get 0; 0, the default, keeps all.
    pub quantile: f32,
}

impl WinTsr {
    pub(super) fn check(self) -> Result<()> {
        check_share("quantile", self.quantile)
    }
}

/// `|ΔF of a step|`, rescaled to [0, 1] over the sample's real steps, times `|ΔF of a cell|`.
pub(super) fn win_tsr<M: Model>(
    points: &mut Points<'_, M>,
    config: WinTsr,
    baselines: &Baselines<'_>,
) -> Result<Attribution> {
    let input = points.model.input();
    let real = real_positions(points);
    let of_steps = step_occlusion(points, Piece::Step, baselines)?.values;
    let mut values = step_occlusion(points, Piece::Cell, baselines)?.values;
    let rows = values.chunks_exact_mut(points.sample);
    for ((row, of_steps), real) in rows.zip(of_steps.chunks_exact(points.sample)).zip(real) {
        let relevance = real
            .clone()
            .map(|step| of_steps[input.place(step, 0)].abs());
        let mut relevance: Vec<f32> = relevance.collect();
        scale(&mut relevance);
        let threshold = quantile(&relevance, config.quantile);
        for (step, relevance) in real.zip(relevance) {
            let relevance = if relevance < threshold {
                0.0
            } else {
                relevance
            };
            for channel in 0..input.channels() {
                let value = &mut row[input.place(step, channel)];
                *value = relevance * value.abs();
            }
        }
    }
    Ok(Attribution { values, gap: None })
}
