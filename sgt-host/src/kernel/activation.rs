//! Elementwise layers, and the sum of a residual branch.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::dispatch::dispatch;
use super::expect_len;
use super::transcendental::{erf, exp, sigmoid, tanh};
use crate::Result;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::f32::consts::FRAC_1_SQRT_2;

/// Values a task.
const PIECE: usize = 1 << 15;

/// `x = max(x, 0)`; NaN stays NaN.
pub(crate) fn relu_in_place(x: &mut [f32]) {
    x.par_chunks_mut(PIECE).for_each(|x| {
        for x in x {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    });
}

/// The gradient of [`relu_in_place`], in place: `dout` becomes 0 where `x`, its input or output, is
/// not positive.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn relu_backward_in_place(x: &[f32], dout: &mut [f32]) {
    assert_eq!(x.len(), dout.len(), "relu: lengths");
    dout.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .for_each(|(dout, x)| {
            for (d, &x) in dout.iter_mut().zip(x) {
                *d = if x > 0.0 { *d } else { 0.0 };
            }
        });
}

/// `out += x`: joins a residual branch. Its gradient is `dout` for both summands.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub(crate) fn add_assign(x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("add", "out", out.len(), x.len())?;
    out.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .for_each(|(out, x)| out.iter_mut().zip(x).for_each(|(out, x)| *out += x));
    Ok(())
}

/// A smooth function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// `x · Φ(x)`, with the distribution function Φ of the standard normal distribution.
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
}

/// `out = curve(x)`.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub(crate) fn curve_forward(curve: Curve, x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("activation", "out", out.len(), x.len())?;
    out.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .for_each(|(out, x)| dispatch(Forward { curve, x, out }));
    Ok(())
}

/// `dout *= curve'(x)`, of the input `x` and the output `out` of [`curve_forward`].
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub(crate) fn curve_backward(curve: Curve, x: &[f32], out: &[f32], dout: &mut [f32]) -> Result<()> {
    expect_len("activation", "x", x.len(), dout.len())?;
    expect_len("activation", "out", out.len(), dout.len())?;
    dout.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .zip(out.par_chunks(PIECE))
        .for_each(|((dout, x), out)| {
            dispatch(Backward {
                curve,
                x,
                out,
                dout,
            });
        });
    Ok(())
}

struct Forward<'a> {
    curve: Curve,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { curve, x, out } = self;
        macro_rules! apply {
            ($f:expr) => {
                for (x, out) in x.chunks(S::F32_LANES).zip(out.chunks_mut(S::F32_LANES)) {
                    simd.partial_store_f32s(out, $f(simd.partial_load_f32s(x)));
                }
            };
        }
        match curve {
            Curve::Gelu => apply!(|x| simd.mul_f32s(x, normal_share(simd, x))),
            Curve::Tanh => apply!(|x| tanh(simd, x)),
            Curve::Sigmoid => apply!(|x| sigmoid(simd, x)),
        }
    }
}

struct Backward<'a> {
    curve: Curve,
    x: &'a [f32],
    out: &'a [f32],
    dout: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            curve,
            x,
            out,
            dout,
        } = self;
        let one = simd.splat_f32s(1.0);
        macro_rules! apply {
            ($values:expr, $slope:expr) => {
                let values = $values.chunks(S::F32_LANES);
                for (values, dout) in values.zip(dout.chunks_mut(S::F32_LANES)) {
                    let slope = $slope(simd.partial_load_f32s(values));
                    let d = simd.mul_f32s(simd.partial_load_f32s(dout), slope);
                    simd.partial_store_f32s(dout, d);
                }
            };
        }
        match curve {
            Curve::Gelu => {
                apply!(x, |x| {
                    let square = simd.mul_f32s(x, x);
                    let bell = exp(simd, simd.mul_f32s(square, simd.splat_f32s(-0.5)));
                    let density = simd.mul_f32s(bell, simd.splat_f32s(NORMAL_DENSITY));
                    simd.mul_add_e_f32s(x, density, normal_share(simd, x))
                });
            }
            Curve::Tanh => {
                apply!(out, |y| simd.sub_f32s(one, simd.mul_f32s(y, y)));
            }
            Curve::Sigmoid => {
                apply!(out, |y| simd.mul_f32s(y, simd.sub_f32s(one, y)));
            }
        }
    }
}

/// 1 / √(2π): the standard normal density at 0.
const NORMAL_DENSITY: f32 = 0.398_942_3;

/// Φ(x), the standard normal distribution function.
#[inline(always)]
fn normal_share<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (half, one) = (simd.splat_f32s(0.5), simd.splat_f32s(1.0));
    let scaled = simd.mul_f32s(x, simd.splat_f32s(FRAC_1_SQRT_2));
    simd.mul_f32s(half, simd.add_f32s(one, erf(simd, scaled)))
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::on_every_instruction_set;
    use super::super::oracle::{assert_close, doubles, slopes};
    use super::*;

    /// Largest error as a share of the largest magnitude.
    const TOLERANCE: f64 = 1e-6;

    /// erf by its series: exact to double precision on −4..4.
    fn series_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn definition(curve: Curve, x: f64) -> f64 {
        match curve {
            Curve::Gelu => 0.5 * x * (1.0 + series_erf(x / std::f64::consts::SQRT_2)),
            Curve::Tanh => x.tanh(),
            Curve::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }

    #[test]
    fn curves_and_their_gradients_agree_with_the_definition() {
        let x: Vec<f32> = (-400..=400).map(|i| i as f32 * 0.01 + 0.003).collect();
        let dout: Vec<f32> = x.iter().map(|x| (3.0 * x).sin()).collect();
        on_every_instruction_set(|arch| {
            for curve in [Curve::Gelu, Curve::Tanh, Curve::Sigmoid] {
                let name = format!("{arch:?} {curve:?}");
                let mut out = vec![f32::NAN; x.len()];
                curve_forward(curve, &x, &mut out).unwrap();
                let expected: Vec<f64> =
                    doubles(&x).iter().map(|&x| definition(curve, x)).collect();
                assert_close(&name, &out, 0.0, &expected, TOLERANCE);
                let mut dx = dout.clone();
                curve_backward(curve, &x, &out, &mut dx).unwrap();
                let slopes = slopes(&doubles(&x), |x| {
                    let values = x.iter().zip(&dout);
                    values
                        .map(|(x, d)| definition(curve, *x) * f64::from(*d))
                        .sum()
                });
                assert_close(&name, &dx, 0.0, &slopes, TOLERANCE);
            }
        });
    }
}
