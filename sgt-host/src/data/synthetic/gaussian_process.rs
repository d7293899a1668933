//! Draws from Gaussian processes.

use super::draw::Draw;

/// How alike the values at two times are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    /// `variance · exp(−d² / 2 length²)`.
    SquaredExponential { variance: f64, length: f64 },
    /// `(1 + √3 d / length) · exp(−√3 d / length)`: Matérn with ν = 3/2 and variance 1.
    Matern { length: f64 },
}

impl Kernel {
    pub(super) fn covariance(self, distance: f64) -> f64 {
        match self {
            Self::SquaredExponential { variance, length } => {
                variance * (-0.5 * (distance / length).powi(2)).exp()
            }
            Self::Matern { length } => {
                let scaled = 3.0_f64.sqrt() * distance.abs() / length;
                (1.0 + scaled) * (-scaled).exp()
            }
        }
    }
}

/// The lower factor of a covariance matrix: `factor · z` with independent normal `z` is a draw.
pub(super) struct Process {
    times: usize,
    /// Row-major, lower triangle.
    factor: Vec<f64>,
}

impl Process {
    /// Cholesky's factor of the covariance at `times`.
    pub(super) fn new(kernel: Kernel, times: &[f64]) -> Self {
        /// Added to the diagonal, so that rounding leaves the matrix positive.
        const JITTER: f64 = 1e-9;
        let count = times.len();
        let mut factor = vec![0.0; count * count];
        for row in 0..count {
            for column in 0..=row {
                let mut rest = kernel.covariance(times[row] - times[column]);
                for inner in 0..column {
                    rest -= factor[row * count + inner] * factor[column * count + inner];
                }
                factor[row * count + column] = if row == column {
                    (rest + JITTER).max(JITTER).sqrt()
                } else {
                    rest / factor[column * count + column]
                };
            }
        }
        Self {
            times: count,
            factor,
        }
    }

    /// One path.
    pub(super) fn draw(&self, draw: &mut Draw) -> Vec<f64> {
        let normal: Vec<f64> = (0..self.times).map(|_| draw.normal(0.0, 1.0)).collect();
        let value = |row: usize| {
            let factor = &self.factor[row * self.times..][..=row];
            factor.iter().zip(&normal).map(|(f, z)| f * z).sum()
        };
        (0..self.times).map(value).collect()
    }
}
