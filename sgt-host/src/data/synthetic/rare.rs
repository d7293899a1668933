//! A few cells whose squares decide everything (the "rare feature" and "rare time" sets of Crabbé,
//! van der Schaar, Dynamask, 2021, made into a classification).

use super::draw::Draw;
use super::sample::Sample;

/// Which axis the salient cells are few along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rare {
    /// Five channels, over the middle half of the steps.
    Feature,
    /// Five steps, over the middle half of the channels.
    Time,
}

/// Salient channels or steps.
const FEW: usize = 5;
/// The middle half: 12 to 36 of 50.
const MIDDLE: [usize; 3] = [12, 37, 50];
/// `x_t = Σ_j coefficient_j x_{t−j} + N(0, 1)`.
pub(super) const COEFFICIENTS: [f64; 3] = [-0.25, -0.1, -0.05];
/// Steps before the first that is kept.
const BURN_IN: usize = 50;

/// The salient steps and channels of a set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cells {
    steps: Vec<usize>,
    channels: Vec<usize>,
}

impl Rare {
    /// Which cells are salient: drawn once for a set, so that a network can learn them, and as
    /// published anew for every sample.
    pub(super) fn cells(self, [steps, channels]: [usize; 2], draw: &mut Draw) -> Cells {
        let middle = |size: usize| {
            let [start, end, of] = MIDDLE;
            (start * size / of..(end * size / of).max(1)).collect()
        };
        match self {
            Self::Feature => Cells {
                steps: middle(steps),
                channels: draw.subset(FEW, channels),
            },
            Self::Time => {
                let start = draw.integer(0..steps.saturating_sub(FEW).max(1));
                Cells {
                    steps: (start..steps.min(start + FEW)).collect(),
                    channels: middle(channels),
                }
            }
        }
    }
}

/// Independent autoregressive channels. Class 1 when the sum of the salient cells' squares, the
/// published white box, is above its mean.
pub(super) fn sample([steps, channels]: [usize; 2], cells: &Cells, draw: &mut Draw) -> Sample {
    let mut values = Vec::with_capacity(steps * channels);
    for _ in 0..channels {
        let mut past = [0.0; COEFFICIENTS.len()];
        for step in 0..BURN_IN + steps {
            let kept: f64 = past.iter().zip(COEFFICIENTS).map(|(x, c)| x * c).sum();
            let value = kept + draw.normal(0.0, 1.0);
            past.rotate_right(1);
            past[0] = value;
            if step >= BURN_IN {
                values.push(value);
            }
        }
    }
    let mut sample = Sample::new(steps, values, 0);
    let mut squares = 0.0;
    for &step in &cells.steps {
        for &channel in &cells.channels {
            let place = sample.place(step, channel);
            squares += sample.values[place].powi(2);
            sample.truth[place] = true;
        }
    }
    let count = cells.steps.len() * cells.channels.len();
    sample.label = usize::from(squares > count as f64 * variance());
    sample
}

/// The stationary variance of a channel, from the Yule–Walker equations.
pub(super) fn variance() -> f64 {
    let [a, b, c] = COEFFICIENTS;
    // ρ1 = a + b ρ1 + c ρ2 and ρ2 = a ρ1 + b + c ρ1.
    let first = (a + b * c) / (1.0 - b - c * (a + c));
    let second = (a + c) * first + b;
    let third = a * second + b * first + c;
    1.0 / (1.0 - a * first - b * second - c * third)
}
