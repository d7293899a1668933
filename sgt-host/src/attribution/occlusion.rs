//! Occlusion: how far the score falls when a window is overwritten with the baseline.

use super::points::Points;
use super::{Attribution, Baselines, Occlusion};
use crate::Result;
use crate::network::{InputShape, Model, SeriesOrder};

pub(super) fn occlusion<M: Model>(
    points: &mut Points<'_, M>,
    config: &Occlusion,
    baselines: &Baselines<'_>,
) -> Result<Attribution> {
    let windows = windows(points.model.input(), config);
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

/// The places in a sample that each window covers; together they cover every place.
fn windows(input: InputShape, config: &Occlusion) -> Vec<Vec<usize>> {
    let mut windows = Vec::new();
    match input {
        InputShape::Image {
            channels,
            height,
            width,
        } => {
            for top in starts(height, config) {
                for left in starts(width, config) {
                    let rows = top..(top + config.window).min(height);
                    let columns = left..(left + config.window).min(width);
                    let mut window = Vec::new();
                    for channel in 0..channels {
                        for row in rows.clone() {
                            let start = (channel * height + row) * width;
                            window.extend(columns.clone().map(|column| start + column));
                        }
                    }
                    windows.push(window);
                }
            }
        }
        InputShape::Series {
            steps,
            channels,
            order,
        } => {
            for channel in 0..channels {
                for start in starts(steps, config) {
                    let range = start..(start + config.window).min(steps);
                    windows.push(match order {
                        SeriesOrder::ChannelsFirst => {
                            range.map(|step| channel * steps + step).collect()
                        }
                        SeriesOrder::StepsFirst => {
                            range.map(|step| step * channels + channel).collect()
                        }
                    });
                }
            }
        }
        InputShape::Tokens { tokens, dim } => {
            for start in starts(tokens, config) {
                let end = (start + config.window).min(tokens);
                windows.push((start * dim..end * dim).collect());
            }
        }
    }
    windows
}

/// Window starts on an axis of `length`; the last window ends at the edge.
fn starts(length: usize, config: &Occlusion) -> Vec<usize> {
    let last = length.saturating_sub(config.window);
    let mut starts: Vec<usize> = (0..last).step_by(config.stride).collect();
    starts.push(last);
    starts
}

#[cfg(test)]
mod tests {
    use super::{Occlusion, starts, windows};
    use crate::network::{InputShape, SeriesOrder};

    #[test]
    fn windows_cover_every_place_of_every_kind_of_input() {
        let inputs = [
            InputShape::Image {
                channels: 2,
                height: 5,
                width: 7,
            },
            InputShape::Series {
                steps: 9,
                channels: 3,
                order: SeriesOrder::ChannelsFirst,
            },
            InputShape::Series {
                steps: 9,
                channels: 3,
                order: SeriesOrder::StepsFirst,
            },
            InputShape::Tokens { tokens: 8, dim: 4 },
        ];
        for input in inputs {
            for (window, stride) in [(1, 1), (3, 2), (4, 4), (20, 3)] {
                let mut covered = vec![false; input.len()];
                for place in windows(input, &Occlusion { window, stride }).concat() {
                    covered[place] = true;
                }
                assert!(covered.iter().all(|&c| c), "{input:?} {window} {stride}");
            }
        }
    }

    #[test]
    fn the_last_window_ends_at_the_edge() {
        let config = Occlusion {
            window: 3,
            stride: 2,
        };
        assert_eq!(starts(8, &config), [0, 2, 4, 5]);
        assert_eq!(starts(7, &config), [0, 2, 4]);
        assert_eq!(starts(2, &config), [0]);
    }
}
