//! Occlusion: how far the score falls when a window is overwritten with the baseline.

use super::check::at_least;
use super::points::Points;
use super::{Attribution, Baselines};
use crate::Result;
use crate::network::Model;
use serde::{Deserialize, Serialize};

/// Parameters of occlusion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Occlusion {
    /// Length of the window: the side of a square over all channels of an image, time steps of
    /// one channel of a series, tokens of a text.
    pub window: usize,
    /// Distance of neighbouring windows; the last one is moved back onto the edge.
    pub stride: usize,
}

impl Default for Occlusion {
    /// Windows of 3, at every position.
    fn default() -> Self {
        Self {
            window: 3,
            stride: 1,
        }
    }
}

impl Occlusion {
    pub(super) fn check(&self) -> Result<()> {
        at_least("window", self.window, 1)?;
        at_least("stride", self.stride, 1)
    }
}

pub(super) fn occlusion<M: Model>(
    points: &mut Points<'_, M>,
    config: &Occlusion,
    baselines: &Baselines<'_>,
) -> Result<Attribution> {
    let windows = points.model.input().windows(config.window, config.stride);
    let (x, sample) = (points.x, points.sample);
    let mut cover = vec![0.0_f32; sample];
    for &place in windows.iter().flatten() {
        cover[place] += 1.0;
    }
    let mut values = vec![0.0; x.len()];
    let mut clean_score = 0.0;
    points.scores(
        1 + windows.len(),
        |index, window, row| {
            row.copy_from_slice(&x[index * sample..][..sample]);
            if let Some(window) = window.checked_sub(1) {
                let baseline = baselines.of(index);
                for &place in &windows[window] {
                    row[place] = baseline[place];
                }
            }
        },
        |index, window, score| match window.checked_sub(1) {
            None => clean_score = score,
            Some(window) => {
                let values = &mut values[index * sample..][..sample];
                for &place in &windows[window] {
                    values[place] += (clean_score - score) / cover[place];
                }
            }
        },
    )?;
    Ok(Attribution { values, gap: None })
}
