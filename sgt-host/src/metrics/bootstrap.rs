//! How far a mean over test samples, and over seeds, could lie elsewhere by chance.
//!
//! The bootstrap draws test samples with replacement, the same for every run, and seeds with
//! replacement, the same for both sides of a difference: the two-factor bootstrap (Owen 2007, *The
//! pigeonhole bootstrap*, Annals of Applied Statistics 1), which errs on the side of wide
//! intervals. Intervals are percentiles.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// Draws of a bootstrap.
pub const REPLICATES: usize = 2000;

/// Generator streams of the draws: samples and seeds are drawn independently.
const SAMPLE_STREAM: u64 = 0xb007_5a00_0000_0000;
const SEED_STREAM: u64 = 0xb007_5eed_0000_0000;

/// Where a value lies with a given confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Confidence level, 0.95 for example.
    pub level: f64,
}

/// A difference over other test samples and other seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BootstrapComparison {
    /// The interval of the difference.
    pub interval: Interval,
    /// Two-sided p-value of no difference: twice the smaller share of draws on one side of 0.
    pub p_value: f64,
    /// Test samples.
    pub samples: usize,
    /// Deviation over test samples of the difference, mean over seeds.
    pub deviation: f64,
}

/// The column means of `values` `[samples, columns]` in each of `replicates` draws of as many
/// samples, `[replicates, columns]`. A draw depends on `seed` and its number alone.
///
/// Cost: `replicates · samples · columns` additions.
pub fn resampled_means(values: &[f32], columns: usize, replicates: usize, seed: u64) -> Vec<f64> {
    let samples = values.len() / columns.max(1);
    let mut means = vec![0.0; replicates * columns];
    if means.is_empty() || samples == 0 {
        return means;
    }
    let bound = u32::try_from(samples).unwrap_or(u32::MAX);
    let rows = means.par_chunks_exact_mut(columns).enumerate();
    rows.for_each(|(replicate, means)| {
        let mut rng = Pcg32::new(seed, SAMPLE_STREAM ^ replicate as u64);
        for _ in 0..samples {
            let drawn = rng.below(bound) as usize;
            let row = &values[drawn * columns..][..columns];
            for (mean, &value) in means.iter_mut().zip(row) {
                *mean += f64::from(value);
            }
        }
        for mean in means {
            *mean /= samples as f64;
        }
    });
    means
}

/// The means over drawn seeds of `value(replicate, seed)`, one a replicate: as many seeds as there
/// are, drawn with replacement.
pub fn over_seeds(
    replicates: usize,
    seeds: usize,
    seed: u64,
    value: impl Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let bound = u32::try_from(seeds).unwrap_or(u32::MAX);
    let mean = |replicate| {
        let mut rng = Pcg32::new(seed, SEED_STREAM ^ replicate as u64);
        let drawn = (0..seeds).map(|_| value(replicate, rng.below(bound) as usize));
        drawn.sum::<f64>() / seeds as f64
    };
    (0..replicates).map(mean).collect()
}

impl Interval {
    /// The central share `level` of `replicates`, by linear interpolation between order
    /// statistics; none without replicates.
    pub fn of_percentiles(mut replicates: Vec<f64>, level: f64) -> Option<Self> {
        replicates.sort_by(f64::total_cmp);
        let last = replicates.len().checked_sub(1)?;
        let quantile = |share: f64| {
            let place = share * last as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            let (a, b) = (replicates[below], replicates[above]);
            a + (b - a) * place.fract()
        };
        let tail = (1.0 - level) / 2.0;
        Some(Self {
            low: quantile(tail),
            high: quantile(1.0 - tail),
            level,
        })
    }

    /// False for a single point, which a bootstrap of values that are all alike gives.
    pub fn has_width(&self) -> bool {
        self.high > self.low
    }

    /// Wilson's interval of a share of `samples`: it stays within 0 and 1 and has a width even
    /// where all or none were right (Wilson 1927). `quantile` is the normal one of the level,
    /// 1.96 for 0.95.
    pub fn of_share(share: f64, samples: usize, level: f64, quantile: f64) -> Self {
        let (n, z) = (samples.max(1) as f64, quantile);
        let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let spread = share * (1.0 - share) / n + z * z / (4.0 * n * n);
        let half = z / (1.0 + z * z / n) * spread.max(0.0).sqrt();
        Self {
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
            level,
        }
    }
}

impl BootstrapComparison {
    /// Of the differences in `replicates` draws; none without draws. `by_sample` are the
    /// differences sample by sample, mean over seeds.
    pub fn of(replicates: Vec<f64>, by_sample: &[f64], level: f64) -> Option<Self> {
        let draws = replicates.len() as f64;
        // One more draw on each side: no p-value is 0.
        let side = |beyond: &dyn Fn(f64) -> bool| {
            let count = replicates.iter().filter(|&&value| beyond(value)).count();
            (1.0 + count as f64) / (1.0 + draws)
        };
        let smaller = side(&|value| value <= 0.0).min(side(&|value| value >= 0.0));
        let samples = by_sample.len();
        let mean = super::mean(by_sample.iter().copied());
        let squares = by_sample.iter().map(|value| (value - mean).powi(2));
        Some(Self {
            p_value: (2.0 * smaller).min(1.0),
            samples,
            deviation: (squares.sum::<f64>() / samples.saturating_sub(1).max(1) as f64).sqrt(),
            interval: Interval::of_percentiles(replicates, level)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_the_seed_alone_and_average_to_the_mean() {
        // Two columns: a constant, and 0 … 99.
        let values: Vec<f32> = (0..100).flat_map(|i| [3.0, i as f32]).collect();
        let means = resampled_means(&values, 2, 400, 5);
        assert_eq!(means, resampled_means(&values, 2, 400, 5));
        assert_ne!(means, resampled_means(&values, 2, 400, 6));
        let of_one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let alone = of_one
            .unwrap()
            .install(|| resampled_means(&values, 2, 400, 5));
        assert_eq!(means, alone);
        assert!(means.chunks(2).all(|row| row[0] == 3.0));
        let mean = means.chunks(2).map(|row| row[1]).sum::<f64>() / 400.0;
        // The deviation of a mean of 100 of them is 2.9, of 400 such means 0.14.
        assert!((mean - 49.5).abs() < 0.6, "{mean}");
        assert!(resampled_means(&[], 0, 10, 0).is_empty());
    }

    #[test]
    fn percentiles_interpolate_and_shares_stay_inside() {
        let found = Interval::of_percentiles((0..=100).map(f64::from).collect(), 0.9).unwrap();
        assert_eq!((found.low.round(), found.high.round()), (5.0, 95.0));
        assert!(Interval::of_percentiles(Vec::new(), 0.9).is_none());
        let all = Interval::of_share(1.0, 40, 0.95, 1.96);
        assert!(
            all.high == 1.0 && all.low > 0.9 && all.low < 0.92,
            "{all:?}"
        );
        let none = Interval::of_share(0.0, 40, 0.95, 1.96);
        assert!(none.low == 0.0 && (none.high + all.low - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_difference_is_never_significant_and_a_constant_one_always() {
        let same = BootstrapComparison::of(vec![0.0; 2000], &[0.0; 30], 0.95).unwrap();
        assert_eq!((same.p_value, same.interval.low), (1.0, 0.0));
        let shifted = BootstrapComparison::of(vec![0.5; 2000], &[0.5; 30], 0.95).unwrap();
        assert!(shifted.p_value < 0.002 && shifted.deviation == 0.0);
    }
}
