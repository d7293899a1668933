//! Means and deviations over seeds, paired comparisons, box plots, rank correlation.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Mean and deviation of a metric over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanDeviation {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); none for one value, which has none.
    pub deviation: Option<f64>,
    /// Number of values.
    pub count: usize,
}

impl MeanDeviation {
    /// Of `values`.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is none, or one that is NaN or infinite.
    pub fn of(values: &[f64]) -> Result<Self> {
        check(values)?;
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Ok(Self {
            mean,
            deviation,
            count,
        })
    }
}

/// The difference of two regimes trained with the same seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Mean of `a − b` over the seeds.
    pub difference: f64,
    /// Lower end of the confidence interval.
    pub low: f64,
    /// Upper end of the confidence interval.
    pub high: f64,
    /// Confidence level, 0.95 for example.
    pub level: f64,
    /// Two-sided p-value of no difference (paired t-test); 1 when all differences are 0.
    pub p_value: f64,
    /// Number of seeds.
    pub pairs: usize,
    /// Deviation over seeds of the difference (n − 1).
    pub deviation: f64,
}

/// The normal distribution's quantile: `quantile(0.975)` is 1.96.
///
/// # Errors
/// [`Error::Argument`] unless `share` lies between 0 and 1.
pub fn normal_quantile(share: f64) -> Result<f64> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Argument {
            argument: "share".into(),
            found: share.to_string(),
            expected: "a share between 0 and 1".into(),
        });
    }
    let normal = Normal::new(0.0, 1.0)
        .map_err(|reason| Error::Numerical(format!("the normal distribution: {reason}")))?;
    Ok(normal.inverse_cdf(share))
}

impl PairedComparison {
    /// `a − b`, seed by seed, with Student's interval on the mean difference. It assumes that
    /// differences over seeds are about normal; with few seeds the interval is wide, as it must.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lists differ in length or hold fewer than 2 seeds;
    /// [`Error::Argument`] on NaN, infinities or a level outside (0, 1).
    pub fn of(a: &[f64], b: &[f64], level: f64) -> Result<Self> {
        if a.len() != b.len() || a.len() < 2 {
            return Err(Error::Shape {
                operation: "paired comparison",
                found: format!("{} and {} seeds", a.len(), b.len()),
                expected: "2 or more seeds, the same for both".into(),
            });
        }
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::Argument {
                argument: "level".into(),
                found: level.to_string(),
                expected: "a confidence level between 0 and 1".into(),
            });
        }
        check(a)?;
        check(b)?;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let of_pairs = MeanDeviation::of(&differences)?;
        let deviation = of_pairs.deviation.unwrap_or(0.0);
        let error = deviation / (of_pairs.count as f64).sqrt();
        let freedom = (of_pairs.count - 1) as f64;
        let student = StudentsT::new(0.0, 1.0, freedom)
            .map_err(|reason| Error::Numerical(format!("Student's t: {reason}")))?;
        let half = student.inverse_cdf(f64::midpoint(1.0, level)) * error;
        let p_value = match (error == 0.0, of_pairs.mean == 0.0) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            _ => 2.0 * student.sf((of_pairs.mean / error).abs()),
        };
        Ok(Self {
            difference: of_pairs.mean,
            low: of_pairs.mean - half,
            high: of_pairs.mean + half,
            level,
            p_value,
            pairs: of_pairs.count,
            deviation,
        })
    }
}

/// The numbers of a box plot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxPlot {
    /// The smallest value.
    pub min: f64,
    /// The smallest value within 1.5 interquartile ranges below the first quartile.
    pub whisker_low: f64,
    /// First quartile (linear interpolation between order statistics).
    pub quartile_low: f64,
    /// Median.
    pub median: f64,
    /// Third quartile.
    pub quartile_high: f64,
    /// The largest value within 1.5 interquartile ranges above the third quartile.
    pub whisker_high: f64,
    /// The largest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Number of values.
    pub count: usize,
}

impl BoxPlot {
    /// Of `values`, in any order.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is none, or one that is NaN or infinite.
    pub fn of(values: &[f64]) -> Result<Self> {
        /// Tukey's factor.
        const REACH: f64 = 1.5;
        check(values)?;
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let reach = REACH * (high - low);
        let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
        let inside = |value: &&f64| (low - reach..=high + reach).contains(*value);
        Ok(Self {
            min,
            whisker_low: sorted.iter().find(inside).copied().unwrap_or(min),
            quartile_low: low,
            median: quantile(&sorted, 0.5),
            quartile_high: high,
            whisker_high: sorted.iter().rev().find(inside).copied().unwrap_or(max),
            max,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            count: values.len(),
        })
    }
}

/// Linear interpolation between the order statistics of `sorted`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// Spearman's rank correlation, ties at their mean rank; 0 when a side is constant.
///
/// # Errors
/// [`Error::Shape`] when the lengths differ or are below 2.
pub fn rank_correlation(a: &[f32], b: &[f32]) -> Result<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return Err(Error::Shape {
            operation: "rank correlation",
            found: format!("{} and {} values", a.len(), b.len()),
            expected: "2 or more values, as many in both".into(),
        });
    }
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() - 1) as f64 / 2.0;
    let (mut product, mut a_square, mut b_square) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        product += (a - mean) * (b - mean);
        a_square += (a - mean).powi(2);
        b_square += (b - mean).powi(2);
    }
    let scale = (a_square * b_square).sqrt();
    Ok(if scale == 0.0 { 0.0 } else { product / scale })
}

/// Ranks from 0, tied values at the mean of their places.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let tied = order[start..]
            .iter()
            .take_while(|&&place| values[place] == values[order[start]]);
        let end = start + tied.count().max(1);
        for &place in &order[start..end] {
            ranks[place] = (start + end - 1) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

fn check(values: &[f64]) -> Result<()> {
    let odd = values.iter().find(|value| !value.is_finite());
    let found = match (values.is_empty(), odd) {
        (true, _) => "none".into(),
        (false, Some(value)) => value.to_string(),
        (false, None) => return Ok(()),
    };
    Err(Error::Argument {
        argument: "values".into(),
        found,
        expected: "one or more finite values".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::{BoxPlot, MeanDeviation, PairedComparison, rank_correlation};

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn means_and_deviations_are_those_of_a_sample() {
        let found = MeanDeviation::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!(close(found.mean, 5.0) && close(found.deviation.unwrap(), (32.0_f64 / 7.0).sqrt()));
        assert_eq!(MeanDeviation::of(&[3.0]).unwrap().deviation, None);
        assert!(MeanDeviation::of(&[]).is_err() && MeanDeviation::of(&[f64::NAN]).is_err());
    }

    #[test]
    fn the_paired_interval_is_the_textbook_one() {
        // Differences 1, 2, 3: mean 2, error 1/√3, t(0.975, 2) = 4.302652729…
        let found = PairedComparison::of(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0], 0.95).unwrap();
        let half = 4.302_652_729_911_275 / 3.0_f64.sqrt();
        assert!((found.difference - 2.0).abs() < 1e-9);
        assert!((found.high - 2.0 - half).abs() < 1e-6, "{found:?}");
        assert!((found.low - 2.0 + half).abs() < 1e-6);
        // t = 2√3, two sided with 2 degrees of freedom: 1 − t/√(2 + t²).
        let t = 2.0 * 3.0_f64.sqrt();
        assert!((found.p_value - (1.0 - t / (2.0 + t * t).sqrt())).abs() < 1e-6);
        assert!(close(found.deviation, 1.0) && found.p_value > 0.05);
        let clear = PairedComparison::of(&[1.0, 1.1, 1.2], &[0.0, 0.1, 0.21], 0.95).unwrap();
        assert!(clear.low > 0.0 && clear.p_value < 0.05);
        assert!(PairedComparison::of(&[1.0], &[1.0], 0.95).is_err());
        assert!(PairedComparison::of(&[1.0, 2.0], &[1.0, 2.0], 1.0).is_err());
        let same = PairedComparison::of(&[1.0, 2.0], &[1.0, 2.0], 0.9).unwrap();
        assert_eq!((same.p_value, same.low, same.high), (1.0, 0.0, 0.0));
    }

    #[test]
    fn box_plots_leave_outliers_out_of_the_whiskers() {
        let found = BoxPlot::of(&[4.0, 1.0, 2.0, 3.0, 5.0, 100.0]).unwrap();
        assert!(close(found.median, 3.5) && close(found.quartile_low, 2.25));
        assert!(close(found.quartile_high, 4.75));
        assert_eq!((found.min, found.max), (1.0, 100.0));
        assert_eq!((found.whisker_low, found.whisker_high), (1.0, 5.0));
    }

    #[test]
    fn rank_correlation_sees_order_alone() {
        let a = [1.0, 2.0, 3.0, 4.0];
        assert!(close(
            rank_correlation(&a, &[1.0, 10.0, 100.0, 1e6]).unwrap(),
            1.0
        ));
        assert!(close(
            rank_correlation(&a, &[4.0, 3.0, 2.0, 1.0]).unwrap(),
            -1.0
        ));
        assert_eq!(rank_correlation(&a, &[7.0; 4]).unwrap(), 0.0);
        // scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 4]) = 0.9486832980505138
        let tied = rank_correlation(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 4.0]).unwrap();
        assert!(close(tied, 0.948_683_298_050_513_8), "{tied}");
    }
}
