//! The difference of two regimes, and how sure it is.

use crate::metrics::bootstrap::{BootstrapComparison, Interval};
use crate::metrics::statistics::PairedComparison;
use serde::{Deserialize, Serialize};

/// The confidence level of intervals.
pub const CONFIDENCE_LEVEL: f64 = 0.95;

/// A difference counts as more than chance when its corrected p-value lies below this.
pub const SIGNIFICANCE: f64 = 0.05;

/// The fewest seeds over which anything is said of regimes.
pub const FEWEST_SEEDS: usize = 2;

/// How far one thing is from another over the seeds that both have, and whether that is more than
/// chance: of the seeds, and of the test samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Contrast {
    /// The mean difference.
    pub difference: f64,
    /// The seeds that both have.
    pub seeds: usize,
    /// Student's paired interval and test over seeds; none for one seed.
    pub over_seeds: Option<PairedComparison>,
    /// The bootstrap over test samples and seeds; none for what is no mean over samples.
    pub over_samples: Option<BootstrapComparison>,
    /// The larger of the two p-values, since a difference must be more than chance of either
    /// kind, after Holm's correction for all comparisons of its row; none for one seed.
    pub p_value: Option<f64>,
}

impl Contrast {
    /// True when the difference is more than chance: what a star marks in every table.
    pub fn differs(&self) -> bool {
        self.p_value.is_some_and(|p_value| p_value < SIGNIFICANCE)
    }

    /// The interval that holds both that over seeds and that over test samples, for this
    /// difference alone, uncorrected; none for one seed of what is no mean over samples, and where
    /// all differences are alike: they say nothing of others.
    pub fn interval(&self) -> Option<Interval> {
        let seeds = self.over_seeds.map(|found| Interval {
            low: found.low,
            high: found.high,
            level: found.level,
        });
        let samples = self.over_samples.map(|found| found.interval);
        let both = match (seeds, samples) {
            (Some(a), Some(b)) => Some(Interval {
                low: a.low.min(b.low),
                high: a.high.max(b.high),
                level: a.level,
            }),
            (one, other) => one.or(other),
        };
        both.filter(Interval::has_width)
    }

    /// The same difference seen from the other side.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.difference = -self.difference;
        if let Some(found) = &mut self.over_seeds {
            found.difference = -found.difference;
            (found.low, found.high) = (-found.high, -found.low);
        }
        if let Some(BootstrapComparison { interval, .. }) = &mut self.over_samples {
            (interval.low, interval.high) = (-interval.high, -interval.low);
        }
        self
    }

    /// The larger of the two p-values, before any correction; none for one seed.
    pub(super) fn uncorrected(&self) -> Option<f64> {
        let over_seeds = self.over_seeds?.p_value;
        let over_samples = self.over_samples.map_or(0.0, |found| found.p_value);
        Some(over_seeds.max(over_samples))
    }
}
