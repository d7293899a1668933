//! Quadrature on [0, 1]: the points and weights of a path integral.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Where the points of a path integral lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The zeros of the Legendre polynomial: exact for polynomials of degree 2·steps − 1.
    #[default]
    GaussLegendre,
    /// `j / steps`.
    RiemannLeft,
    /// `(j + 1/2) / steps`.
    RiemannMiddle,
    /// `(j + 1) / steps`.
    RiemannRight,
    /// `j / (steps − 1)`, half weights at both ends. (Captum's rule of that name divides by
    /// `steps` and so loses the share `1 / steps` of every attribution.)
    Trapezoid,
}

/// The points and weights `(α, w)` of `rule` on [0, 1], ascending; the weights sum to 1.
///
/// Empty for 0 steps; the trapezoid needs 2.
pub fn points(rule: Rule, steps: usize) -> Vec<(f32, f32)> {
    if rule == Rule::GaussLegendre {
        return gauss_legendre(steps);
    }
    let n = steps as f64;
    (0..steps)
        .map(|j| {
            let end = j == 0 || j + 1 == steps;
            let (at, weight) = match rule {
                Rule::RiemannLeft => (j as f64 / n, 1.0 / n),
                Rule::RiemannMiddle | Rule::GaussLegendre => ((j as f64 + 0.5) / n, 1.0 / n),
                Rule::RiemannRight => ((j + 1) as f64 / n, 1.0 / n),
                Rule::Trapezoid if end => (j as f64 / (n - 1.0), 0.5 / (n - 1.0)),
                Rule::Trapezoid => (j as f64 / (n - 1.0), 1.0 / (n - 1.0)),
            };
            (at as f32, weight as f32)
        })
        .collect()
}

/// Newton's iteration on the Legendre polynomial, from the usual cosine guess; f64 throughout.
fn gauss_legendre(steps: usize) -> Vec<(f32, f32)> {
    const ITERATIONS: usize = 100;
    const CONVERGED: f64 = 1e-15;
    (0..steps)
        .rev()
        .map(|j| {
            let mut z = (PI * (j as f64 + 0.75) / (steps as f64 + 0.5)).cos();
            let mut derivative = 1.0;
            for _ in 0..ITERATIONS {
                let (value, slope) = legendre(steps, z);
                derivative = slope;
                let change = value / slope;
                z -= change;
                if change.abs() <= CONVERGED {
                    break;
                }
            }
            let weight = 1.0 / ((1.0 - z * z) * derivative * derivative);
            (f64::midpoint(z, 1.0) as f32, weight as f32)
        })
        .collect()
}

/// The Legendre polynomial of degree `n` and its derivative at `z` inside (−1, 1).
fn legendre(n: usize, z: f64) -> (f64, f64) {
    let (mut previous, mut value) = (0.0, 1.0);
    for k in 1..=n {
        let k = k as f64;
        let next = ((2.0 * k - 1.0) * z * value - (k - 1.0) * previous) / k;
        previous = value;
        value = next;
    }
    let slope = n as f64 * (z * value - previous) / (z * z - 1.0);
    (value, slope)
}

#[cfg(test)]
mod tests {
    use super::{Rule, points};

    const RULES: [Rule; 5] = [
        Rule::GaussLegendre,
        Rule::RiemannLeft,
        Rule::RiemannMiddle,
        Rule::RiemannRight,
        Rule::Trapezoid,
    ];

    fn integrate(rule: Rule, steps: usize, f: impl Fn(f64) -> f64) -> f64 {
        let points = points(rule, steps);
        points
            .iter()
            .map(|&(at, w)| f64::from(w) * f(f64::from(at)))
            .sum()
    }

    #[test]
    fn weights_sum_to_one_and_points_ascend_within_the_interval() {
        for rule in RULES {
            for steps in [2, 3, 10, 50, 333] {
                let points = points(rule, steps);
                assert_eq!(points.len(), steps);
                let sum: f64 = points.iter().map(|&(_, w)| f64::from(w)).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{rule:?} {steps}: {sum}");
                assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
                assert!(points.iter().all(|&(at, _)| (0.0..=1.0).contains(&at)));
            }
        }
    }

    #[test]
    fn two_gauss_points_are_the_textbook_ones() {
        let points = points(Rule::GaussLegendre, 2);
        let offset = 0.5 / 3.0_f64.sqrt();
        assert!((f64::from(points[0].0) - (0.5 - offset)).abs() < 1e-7);
        assert!((f64::from(points[1].0) - (0.5 + offset)).abs() < 1e-7);
        assert!((points[0].1 - 0.5).abs() < 1e-7);
    }

    #[test]
    fn gauss_legendre_is_exact_for_polynomials_of_twice_its_degree() {
        for steps in 1..12_u16 {
            let degree = 2 * i32::from(steps) - 1;
            let integral = integrate(Rule::GaussLegendre, steps.into(), |t| t.powi(degree));
            assert!((integral * f64::from(degree + 1) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn every_rule_converges_to_the_integral() {
        for rule in RULES {
            let integral = integrate(rule, 400, f64::exp);
            assert!((integral - (1.0_f64.exp() - 1.0)).abs() < 5e-3, "{rule:?}");
        }
    }
}
