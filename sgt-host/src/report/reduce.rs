//! Samples and maps too large for a page, drawn smaller.

/// A grid of values, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
}

/// What stands for a block of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Their mean: what an image looks like from afar.
    Mean,
    /// The one of the largest magnitude: a map's sharp places must stay visible.
    Strongest,
}

impl Stand {
    fn of(self, block: impl Iterator<Item = f32>) -> f32 {
        match self {
            Self::Mean => {
                let (sum, count) = block.fold((0.0, 0_usize), |(sum, n), x| (sum + x, n + 1));
                sum / count.max(1) as f32
            }
            Self::Strongest => block.fold(
                0.0,
                |most: f32, x| {
                    if x.abs() > most.abs() { x } else { most }
                },
            ),
        }
    }
}

/// How many values along each side one drawn value stands for, so that at most `most` are drawn.
pub(crate) fn block(rows: usize, columns: usize, most: usize) -> usize {
    rows.max(columns).div_ceil(most).max(1)
}

impl Grid {
    /// The grid in blocks of `height` × `width` values, the last of which may be smaller.
    pub(crate) fn reduced(self, height: usize, width: usize, stand: Stand) -> Self {
        if height == 1 && width == 1 {
            return self;
        }
        let (rows, columns) = (self.rows.div_ceil(height), self.columns.div_ceil(width));
        let mut values = Vec::with_capacity(rows * columns);
        for lines in self.values.chunks(height * self.columns) {
            for column in 0..columns {
                let first = column * width;
                let line = |line| -> &[f32] {
                    let line: &[f32] = line;
                    &line[first..line.len().min(first + width)]
                };
                let block = lines.chunks_exact(self.columns).flat_map(line);
                values.push(stand.of(block.copied()));
            }
        }
        Self {
            rows,
            columns,
            values,
        }
    }
}

/// The smallest and the largest of each `width` values, in the order in which they come: a line
/// through them looks like the line through all.
pub(crate) fn envelope(values: &[f32], width: usize) -> Vec<f32> {
    let mut line = Vec::with_capacity(2 * values.len().div_ceil(width));
    for piece in values.chunks(width) {
        let place = |is_more: fn(&f32, &f32) -> bool| {
            let mut best = 0;
            for (place, value) in piece.iter().enumerate() {
                if is_more(value, &piece[best]) {
                    best = place;
                }
            }
            best
        };
        let (least, most) = (place(|a, b| a < b), place(|a, b| a > b));
        line.extend([piece[least.min(most)], piece[least.max(most)]]);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            rows: 3,
            columns: 3,
            values: vec![1.0, -2.0, 3.0, 0.0, 1.0, -4.0, 5.0, 6.0, -7.0],
        }
    }

    #[test]
    fn blocks_at_the_border_are_smaller() {
        let means = grid().reduced(2, 2, Stand::Mean);
        assert_eq!((means.rows, means.columns), (2, 2));
        assert_eq!(means.values, [0.0, -0.5, 5.5, -7.0]);
        let strongest = grid().reduced(2, 2, Stand::Strongest);
        assert_eq!(strongest.values, [-2.0, -4.0, 6.0, -7.0]);
        assert_eq!(grid().reduced(1, 1, Stand::Mean), grid());
        let lanes = grid().reduced(1, 2, Stand::Strongest);
        assert_eq!(lanes.values, [-2.0, 3.0, 1.0, -4.0, 6.0, -7.0]);
    }

    #[test]
    fn a_block_leaves_no_more_than_asked() {
        for (rows, columns) in [(1, 1), (96, 96), (97, 10), (224, 224), (1, 1000)] {
            let size = block(rows, columns, 96);
            assert!(rows.div_ceil(size) <= 96 && columns.div_ceil(size) <= 96);
            assert!(size == 1 || rows.max(columns).div_ceil(size - 1) > 96);
        }
    }

    #[test]
    fn an_envelope_keeps_the_ends_of_each_piece_in_their_order() {
        let values = [0.0, 3.0, -1.0, 2.0, 2.0, 2.0, 5.0];
        assert_eq!(envelope(&values, 3), [3.0, -1.0, 2.0, 2.0, 5.0, 5.0]);
    }
}
