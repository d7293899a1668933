//! The rules by which `DeepLIFT` pulls multipliers back through curves, products and softmax.
//!
//! A multiplier is the share of a change of the output that falls to an input: for a sample and its
//! baseline, `Σ multiplier · Δinput = Δoutput`. A curve passes on `Δout / Δin` (the rescale rule); a
//! product passes on half of each summand of `Δ(ab) = ½(a + a₀)Δb + ½(b + b₀)Δa`. Source: Shrikumar,
//! Greenside and Kundaje, 2017; products after the Shapley value of two factors.

/// A change of an input below which its derivative stands for the ratio of changes.
pub(crate) const SMALLEST_CHANGE: f64 = 1e-10;

/// `½(a + a₀)`: what a product passes on to its other factor.
pub(super) fn halfway([a, baseline]: [f64; 2]) -> f64 {
    0.5 * (a + baseline)
}

/// `Δ after / Δ before` of a curve that takes one pair to the other, or its `derivative` at the sample
/// where `before` does not change.
pub(super) fn slope(before: [f64; 2], after: [f64; 2], derivative: f64) -> f64 {
    let change = before[0] - before[1];
    if change.abs() < SMALLEST_CHANGE {
        derivative
    } else {
        (after[0] - after[1]) / change
    }
}

/// `Δ tanh / Δx` for the pair of a sample's value and its baseline's.
pub(super) fn tanh_slope([x, baseline]: [f64; 2]) -> f64 {
    let change = x - baseline;
    if change.abs() < SMALLEST_CHANGE {
        return 1.0 - x.tanh().powi(2);
    }
    (x.tanh() - baseline.tanh()) / change
}

/// `Δ exp / Δx`, given both exponentials, without cancellation.
pub(super) fn exp_slope([x, baseline]: [f64; 2], [exp, baseline_exp]: [f64; 2]) -> f64 {
    let change = x - baseline;
    if change.abs() < SMALLEST_CHANGE {
        exp
    } else if change > 0.0 {
        -exp * (-change).exp_m1() / change
    } else {
        baseline_exp * change.exp_m1() / change
    }
}

/// A row of softmax for a sample and its baseline, as `p = exp(s − L)` with `L = log Σ exp(s)`: two
/// curves and sums.
///
/// The change of a row by one constant changes nothing and is passed no multiplier; as `exp(s) / Σ
/// exp(s)`, a product, it would be, with terms that grow as its exponential and cancel.
pub(super) struct SoftmaxPair<'a> {
    scores: [&'a [f64]; 2],
    /// `L` of the sample and of the baseline.
    logs: [f64; 2],
    probabilities: [Vec<f64>; 2],
}

impl<'a> SoftmaxPair<'a> {
    /// The pair of rows of scores, of equal length.
    pub(super) fn new(scores: [&'a [f64]; 2]) -> Self {
        let logs = scores.map(|row| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            largest + row.iter().map(|s| (s - largest).exp()).sum::<f64>().ln()
        });
        let probabilities = [0, 1].map(|of: usize| {
            let row = scores[of].iter();
            row.map(|s| (s - logs[of]).exp()).collect()
        });
        Self {
            scores,
            logs,
            probabilities,
        }
    }

    /// The probability at `place`, of the sample and of the baseline.
    pub(super) fn probability(&self, place: usize) -> [f64; 2] {
        [0, 1].map(|of: usize| self.probabilities[of][place])
    }

    /// Multipliers of the probabilities become those of the scores.
    pub(super) fn pull(&self, multipliers: &mut [f64]) {
        let scores = |place: usize| [0, 1].map(|of: usize| self.scores[of][place]);
        let mut of_log = 0.0;
        for (place, multiplier) in multipliers.iter_mut().enumerate() {
            let [score, baseline] = scores(place);
            let exponents = [score - self.logs[0], baseline - self.logs[1]];
            *multiplier *= exp_slope(exponents, self.probability(place));
            of_log -= *multiplier;
        }
        // Σ exp(s) and its summands, over the larger of the two sums.
        let larger = self.logs[0].max(self.logs[1]);
        let sums = self.logs.map(|log| (log - larger).exp());
        let of_sum = of_log / exp_slope(self.logs, sums);
        for (place, multiplier) in multipliers.iter_mut().enumerate() {
            let [p, baseline] = self.probability(place);
            let exponentials = [p * sums[0], baseline * sums[1]];
            *multiplier += of_sum * exp_slope(scores(place), exponentials);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounding of `f64`, relative to the change.
    const TOLERANCE: f64 = 1e-9;

    fn probabilities(scores: &[f64]) -> Vec<f64> {
        let sum: f64 = scores.iter().map(|s| s.exp()).sum();
        scores.iter().map(|s| s.exp() / sum).collect()
    }

    #[test]
    fn softmax_multipliers_are_complete() {
        let of = [0.7, -1.3, 2.0];
        for baseline in [[0.1, 0.4, -2.0], [1.0, -1.3, 2.5], [300.0, -4000.0, 8.0]] {
            let scores = [1.0, -0.5, 0.3];
            let pair = SoftmaxPair::new([&scores, &baseline]);
            let mut multipliers = of;
            pair.pull(&mut multipliers);
            let [p, p0] = [scores, baseline].map(|row| probabilities(&row));
            let change: f64 = (0..3).map(|i| of[i] * (p[i] - p0[i])).sum();
            let sum: f64 = (0..3)
                .map(|i| multipliers[i] * (scores[i] - baseline[i]))
                .sum();
            assert!((sum - change).abs() < TOLERANCE, "{sum} {change}");
            for i in 0..3 {
                let [found, baseline] = pair.probability(i);
                assert!((found - p[i]).abs() < TOLERANCE && (baseline - p0[i]).abs() < TOLERANCE);
            }
        }
    }

    #[test]
    fn a_common_change_of_all_scores_is_passed_nothing() {
        let scores = [1.0, -0.5, 0.3];
        let of = [0.7, -1.3, 2.0];
        let pull = |baseline: [f64; 3]| {
            let mut multipliers = of;
            SoftmaxPair::new([&scores, &baseline]).pull(&mut multipliers);
            multipliers
        };
        for change in [1.0, 100.0, 1e6] {
            let shifted = pull(scores.map(|score| score + change));
            for (found, expected) in shifted.iter().zip(pull(scores)) {
                assert!((found - expected).abs() < TOLERANCE, "{shifted:?}");
            }
        }
    }

    #[test]
    fn equal_pairs_give_the_derivative() {
        let scores = [1.0, -0.5, 0.3];
        let of = [0.7, -1.3, 2.0];
        let mut multipliers = of;
        SoftmaxPair::new([&scores, &scores]).pull(&mut multipliers);
        let p = probabilities(&scores);
        let mean: f64 = p.iter().zip(of).map(|(p, of)| p * of).sum();
        for i in 0..3 {
            assert!((multipliers[i] - p[i] * (of[i] - mean)).abs() < TOLERANCE);
        }
        assert!((tanh_slope([0.3, 0.3]) - tanh_slope([0.3, 0.3 + 1e-7])).abs() < 1e-6);
    }
}
