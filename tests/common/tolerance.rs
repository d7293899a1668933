//! How far `f32` results may lie from the `f64` oracle: one table for all tests.
#![allow(dead_code, unreachable_pub)] // every test binary uses its own part

/// Softmax, losses and objectives, relative to `1 + largest |logit|` and the value.
pub const LOSS: f64 = 1e-6;
/// Analytic gradients of losses against central differences of the `f64` loss, likewise.
pub const LOSS_GRADIENT: f64 = 2e-6;
/// Group importances, means and other short sums, relative to the largest term.
pub const SUM: f64 = 1e-5;
/// One attack step and the distance to the ball, relative to the values.
pub const STEP: f64 = 1e-6;
/// Interpretability metrics, absolute.
pub const METRIC: f64 = 1e-5;
/// Schedules and adaptive shares, relative to the end values.
pub const SCHEDULE: f64 = 3e-7;
/// The normal quantile, relative.
pub const QUANTILE: f64 = 1e-6;
/// Moments of random draws, in standard errors: a fixed seed either passes always or never.
pub const STANDARD_ERRORS: f64 = 4.0;
/// Golden losses, relative; PyTorch sums in another order.
pub const GOLDEN: f64 = 1e-5;
