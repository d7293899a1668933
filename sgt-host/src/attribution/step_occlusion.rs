//! Occlusion of a series by whole steps and by single cells.

use super::points::Points;
use super::{Attribution, Baselines};
use crate::Result;
use crate::network::Model;
use std::ops::Range;

/// What is overwritten together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// All channels of a position: they share its value.
    Step,
    /// One cell.
    Cell,
}

/// `F(x) − F(x without a piece)` for every piece at a real position; 0 at padding, which is never
/// overwritten.
pub(super) fn step_occlusion<M: Model>(
    points: &mut Points<'_, M>,
    piece: Piece,
    baselines: &Baselines<'_>,
) -> Result<Attribution> {
    let input = points.model.input();
    let (x, sample, channels) = (points.x, points.sample, input.channels());
    let real = real_positions(points);
    let places = |index: usize, piece_number: usize| {
        let position = match piece {
            Piece::Step => piece_number,
            Piece::Cell => piece_number / channels,
        };
        let cells = match piece {
            Piece::Step => 0..channels,
            Piece::Cell => piece_number % channels..piece_number % channels + 1,
        };
        let cells = if real[index].contains(&position) {
            cells
        } else {
            0..0
        };
        cells.map(move |channel| input.place(position, channel))
    };
    let pieces = match piece {
        Piece::Step => input.positions(),
        Piece::Cell => sample,
    };
    let mut values = vec![0.0; x.len()];
    let mut clean_score = 0.0;
    points.scores(
        1 + pieces,
        |index, number, row| {
            row.copy_from_slice(&x[index * sample..][..sample]);
            if let Some(number) = number.checked_sub(1) {
                for place in places(index, number) {
                    row[place] = baselines.of(index)[place];
                }
            }
        },
        |index, number, score| match number.checked_sub(1) {
            None => clean_score = score,
            Some(number) => {
                for place in places(index, number) {
                    values[index * sample + place] = clean_score - score;
                }
            }
        },
    )?;
    Ok(Attribution { values, gap: None })
}

/// The positions of each sample that are no padding.
pub(super) fn real_positions<M: Model>(points: &Points<'_, M>) -> Vec<Range<usize>> {
    let all = 0..points.model.input().positions();
    let of = |index| points.batch.valid.get(index).unwrap_or(&all).clone();
    (0..points.batch.len()).map(of).collect()
}
