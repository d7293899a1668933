//! `SeqComb`: rising and falling pieces, one after the other, tell four classes (Queen et al.,
//! `TimeX`, 2023).

use super::draw::Draw;
use super::narma;
use super::sample::Sample;
use std::ops::Range;

pub(super) const CLASSES: usize = 4;
/// Order of the background, a nonlinear moving average in every channel, and of its noise.
const ORDER: usize = 2;
const NOISE: f64 = 0.01;
/// The line of a piece ends this many times beyond the background's extremes.
const REACH: f64 = 5.0;
/// Steps that the lengths of the pieces are of; other lengths scale them.
const STEPS: usize = 200;

/// One channel or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether the two pieces are in different channels.
    pub(super) several_channels: bool,
}

impl Form {
    /// The lengths of a piece in `steps` steps.
    pub(super) fn lengths(self, steps: usize) -> Range<usize> {
        let lengths = if self.several_channels {
            15..30
        } else {
            10..20
        };
        let scale = |length: usize| length * steps / STEPS;
        scale(lengths.start).max(2)..scale(lengths.end).max(3)
    }

    /// The mean of the Poisson distribution of the sine's frequency.
    fn frequency(self) -> f64 {
        if self.several_channels { 5.0 } else { 10.0 }
    }

    /// Class 0 is the background alone and cannot be scored. In the others two pieces take its
    /// place: falling twice (1), rising twice (2), rising and then falling (3).
    pub(super) fn sample(
        self,
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
        sample.is_scored = label != 0;
        let rises = match label {
            1 => [false, false],
            2 => [true, true],
            3 => [true, false],
            _ => return sample,
        };
        let extremes = |pick: fn(f64, f64) -> f64| {
            let values = sample.values.iter().copied();
            values.reduce(pick).unwrap_or_default().abs()
        };
        let height = REACH * (extremes(f64::min) + extremes(f64::max));
        let lengths = [(); 2].map(|()| draw.integer(self.lengths(steps)));
        let first = draw.integer(0..steps / 2);
        let second_range = first + lengths[0]..steps - lengths[1];
        let starts = [first, draw.integer(second_range)];
        let of_pieces = if self.several_channels {
            let two = draw.subset(2, channels);
            if draw.happens(0.5) {
                [two[1], two[0]]
            } else {
                [two[0], two[1]]
            }
        } else {
            [draw.integer(0..channels); 2]
        };
        for piece in 0..2 {
            let length = lengths[piece];
            let frequency = f64::from(draw.poisson(self.frequency()));
            let slope = height / length as f64 * if rises[piece] { 1.0 } else { -1.0 };
            for place in 0..length {
                let x = place as f64 - (length / 2) as f64;
                let value = slope * x + (frequency * x).sin();
                sample.write(starts[piece] + place, of_pieces[piece], value);
            }
        }
        sample
    }
}
