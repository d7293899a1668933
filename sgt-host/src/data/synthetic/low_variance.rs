//! `LowVar`: the level and the channel of a quiet piece tell four classes (Queen et al., `TimeX`,
//! 2023).

use super::draw::Draw;
use super::narma;
use super::sample::Sample;

pub(super) const CLASSES: usize = 4;
const ORDER: usize = 2;
/// Deviations of the background's noise and of the piece.
const NOISE: f64 = 1.0;
const QUIET: f64 = 0.1;
/// The piece's level: below in classes 0 and 2, above in 1 and 3.
const LEVEL: f64 = 1.5;
/// The lengths and the starts of the piece in `STEPS` steps; other lengths scale them.
const LENGTHS: std::ops::Range<usize> = 10..20;
const STARTS: std::ops::Range<usize> = 20..160;
const STEPS: usize = 200;

/// Classes 0 and 1 have the piece in the first channel, 2 and 3 in the second. The published
/// evaluation leaves class 0 out.
pub(super) fn sample(
    [steps, channels]: [usize; 2],
    label: usize,
    as_published: bool,
    draw: &mut Draw,
) -> Sample {
    let mut values = Vec::with_capacity(steps * channels);
    for _ in 0..channels {
        let clean = narma::series(steps, ORDER, as_published, draw);
        values.extend(
            clean
                .into_iter()
                .map(|value| value + draw.normal(0.0, NOISE)),
        );
    }
    let mut sample = Sample::new(steps, values, label);
    sample.is_scored = !(as_published && label == 0);
    let scale = |places: usize| places * steps / STEPS;
    let length = draw.integer(scale(LENGTHS.start).max(1)..scale(LENGTHS.end).max(2));
    let start = draw.integer(scale(STARTS.start)..scale(STARTS.end).max(1));
    let level = if label.is_multiple_of(2) {
        -LEVEL
    } else {
        LEVEL
    };
    for step in start..(start + length).min(steps) {
        sample.write(step, label / 2, draw.normal(level, QUIET));
    }
    sample
}
