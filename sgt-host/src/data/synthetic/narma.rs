//! The nonlinear autoregressive moving average.

use super::draw::Draw;

/// Steps before the first that is kept, after which the start at 0 is forgotten.
const BURN_IN: usize = 50;
/// The coefficients of the value, the sum, the product of inputs, and the constant.
const COEFFICIENTS: [f64; 4] = [0.3, 0.05, 1.5, 0.1];
/// The inputs are uniform in [0, this).
const INPUT: f64 = 0.5;
/// A path above this has left the stable region, where the next steps grow without bound.
const DIVERGED: f64 = 10.0;

/// `y_t = 0.3 y_{t−1} + 0.05 y_{t−1} Σ_{j=1}^{order} y_{t−j} + 1.5 u_{t−order} u_t + 0.1` with
/// `u ~ U(0, 0.5)`, behind a burn-in; a path that diverges is drawn again.
///
/// As published it starts at zeros without a burn-in, and the sum is over an empty slice.
pub(super) fn series(steps: usize, order: usize, as_published: bool, draw: &mut Draw) -> Vec<f64> {
    let burn_in = if as_published { 0 } else { BURN_IN };
    loop {
        let path = path(burn_in + steps, order, as_published, draw);
        if path.iter().all(|&value| value < DIVERGED) {
            return path[burn_in..].to_vec();
        }
    }
}

fn path(steps: usize, order: usize, as_published: bool, draw: &mut Draw) -> Vec<f64> {
    let [value, sum, product, constant] = COEFFICIENTS;
    let inputs: Vec<f64> = (0..steps).map(|_| draw.uniform(INPUT)).collect();
    let mut path = vec![0.0; steps];
    for step in order..steps {
        let last: f64 = path[step - 1];
        let past: f64 = if as_published {
            0.0
        } else {
            path[step - order..step].iter().sum()
        };
        path[step] = value * last
            + sum * last * past
            + product * inputs[step - order] * inputs[step]
            + constant;
    }
    path
}
