//! Windows that slide over a sample.

use super::InputShape;
use std::ops::Range;

impl InputShape {
    /// The places in a sample that each window covers: squares of `length` over all colours of an
    /// image, `length` steps of one channel of a series, `length` tokens. Neighbouring windows are
    /// `stride` apart, the last one on an axis ends at its edge: together they cover every place.
    pub fn windows(&self, length: usize, stride: usize) -> Vec<Vec<usize>> {
        let along = |axis: usize| ranges(axis, length, stride);
        let channels = self.channels();
        let mut windows = Vec::new();
        match *self {
            Self::Image { height, width, .. } => {
                for rows in along(height) {
                    for columns in along(width) {
                        let positions = rows.clone().flat_map(|row| {
                            let start = row * width;
                            columns.clone().map(move |column| start + column)
                        });
                        windows.push(self.places(&positions, 0..channels));
                    }
                }
            }
            Self::Series { steps, .. } => {
                for channel in 0..channels {
                    for window in along(steps) {
                        windows.push(self.places(&window, channel..channel + 1));
                    }
                }
            }
            Self::Tokens { tokens, .. } => {
                for window in along(tokens) {
                    windows.push(self.places(&window, 0..channels));
                }
            }
        }
        windows
    }

    /// The places of all `channels` at all `positions`.
    fn places(
        &self,
        positions: &(impl Iterator<Item = usize> + Clone),
        channels: Range<usize>,
    ) -> Vec<usize> {
        let at = |channel| {
            positions
                .clone()
                .map(move |position| self.place(position, channel))
        };
        channels.flat_map(at).collect()
    }
}

/// Windows on an axis of `axis` places.
fn ranges(axis: usize, length: usize, stride: usize) -> Vec<Range<usize>> {
    let last = axis.saturating_sub(length);
    let starts = (0..last).step_by(stride).chain([last]);
    starts
        .map(|start| start..(start + length).min(axis))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::ranges;
    use crate::data::{InputShape, SeriesOrder};

    #[test]
    fn windows_cover_every_place_of_every_kind_of_input() {
        let inputs = [
            InputShape::image(2, 5, 7),
            InputShape::series(9, 3),
            InputShape::series(9, 3).ordered(SeriesOrder::ChannelsFirst),
            InputShape::tokens(8, 4),
        ];
        for input in inputs {
            for (length, stride) in [(1, 1), (3, 2), (4, 4), (20, 3)] {
                let mut covered = vec![false; input.len()];
                for place in input.windows(length, stride).concat() {
                    covered[place] = true;
                }
                assert!(covered.iter().all(|&c| c), "{input:?} {length} {stride}");
            }
        }
    }

    #[test]
    fn a_window_is_a_square_of_all_colours_or_steps_of_one_channel() {
        let image = InputShape::image(2, 3, 3).windows(2, 1);
        assert_eq!(image[1], [1, 2, 4, 5, 10, 11, 13, 14]);
        let series = InputShape::series(4, 2).windows(3, 1);
        assert_eq!(series, [[0, 2, 4], [2, 4, 6], [1, 3, 5], [3, 5, 7]]);
        assert_eq!(InputShape::tokens(3, 2).windows(2, 1)[1], [2, 4, 3, 5]);
    }

    #[test]
    fn the_last_window_ends_at_the_edge() {
        assert_eq!(ranges(8, 3, 2), [0..3, 2..5, 4..7, 5..8]);
        assert_eq!(ranges(7, 3, 2), [0..3, 2..5, 4..7]);
        assert_eq!(InputShape::tokens(2, 1).windows(3, 2), [[0, 1]]);
    }
}
