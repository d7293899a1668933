//! Information and entropy of a map inside the truth (Crabbé, van der Schaar, Dynamask, 2021).

/// What keeps the logarithms finite, as published.
const EPSILON: f64 = 1e-5;

/// `Σ −log₂(1 − a + 1e-5)` over the true cells, of values a in [0, 1]: high where the map says with
/// certainty that true cells matter.
///
/// # Panics
/// When there are fewer flags than values.
pub fn information(values: &[f64], truth: &[bool]) -> f64 {
    of_true(values, truth)
        .map(|a| -(1.0 - a + EPSILON).log2())
        .sum()
}

/// `Σ −a log₂(a + 1e-5) − (1 − a) log₂(1 − a + 1e-5)` over the true cells, of values a in [0, 1]:
/// low where the map is sure of true cells, one way or the other.
///
/// # Panics
/// When there are fewer flags than values.
pub fn entropy(values: &[f64], truth: &[bool]) -> f64 {
    of_true(values, truth)
        .map(|a| -a * (a + EPSILON).log2() - (1.0 - a) * (1.0 - a + EPSILON).log2())
        .sum()
}

fn of_true(values: &[f64], truth: &[bool]) -> impl Iterator<Item = f64> {
    let cells = values.iter().enumerate();
    cells.filter(|&(cell, _)| truth[cell]).map(|(_, &a)| a)
}
