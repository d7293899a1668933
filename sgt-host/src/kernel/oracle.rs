//! What tests compare kernels with: definitions in `f64` and their slopes.

/// Magnitudes below this are compared as if they were this: sums that cancel are their rounding.
const SMALLEST_SCALE: f64 = 0.1;

/// Asserts that `found − start` agrees with `expected` to `tolerance` of its largest magnitude.
pub(super) fn assert_close(
    name: &str,
    found: &[f32],
    start: f32,
    expected: &[f64],
    tolerance: f64,
) {
    assert_eq!(found.len(), expected.len(), "{name}: length");
    let magnitudes = expected.iter().map(|value| value.abs());
    let largest = magnitudes.fold(SMALLEST_SCALE, f64::max);
    for (index, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - f64::from(start) - expected).abs() / largest;
        assert!(
            difference < tolerance,
            "{name}[{index}]: found {found}, expected {expected} + {start}"
        );
    }
}

/// The values in double precision.
pub(super) fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Half the distance between the two evaluations of [`slopes`]: the rounding of `f64` and the third
/// derivative both leave some 1e-9.
const STEP: f64 = 1e-4;

/// The gradient of `objective` at `values`, by central differences.
pub(super) fn slopes(values: &[f64], objective: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut moved = values.to_vec();
    let mut slope = |index: usize| {
        let [above, below] = [STEP, -STEP].map(|step| {
            moved[index] = values[index] + step;
            objective(&moved)
        });
        moved[index] = values[index];
        (above - below) / (2.0 * STEP)
    };
    (0..values.len()).map(&mut slope).collect()
}

/// `Σ a · b`.
pub(super) fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

/// Asserts that multipliers explain the change of an objective to a 10 000th of the larger of it and
/// the summands.
pub(super) fn assert_complete(multipliers: &[f32], x: &[f32], baseline: &[f32], change: f64) {
    let summands = multipliers.iter().zip(x).zip(baseline);
    let summands = summands.map(|((m, x), x0)| f64::from(*m) * (f64::from(*x) - f64::from(*x0)));
    let sum: f64 = summands.sum();
    assert!(
        change.abs() > 1e-3,
        "a change that can be measured: {change}"
    );
    assert!(
        (sum - change).abs() < 1e-4 * change.abs(),
        "contributions {sum}, change {change}"
    );
}
