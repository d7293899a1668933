//! Element-wise layers: activations and the sum of a residual branch.
//!
//! | activation | `out` | derivative | kept for backward |
//! |---|---|---|---|
//! | ReLU | `max(x, 0)`, NaN stays NaN | 1 where x > 0, else 0 | x or out |
//! | GELU | `x Φ(x)`, `Φ(x) = ½(1 + erf(x / √2))` | `Φ(x) + x φ(x)` | x |
//! | tanh | `tanh(x)` | `1 − out²` | out |
//! | sigmoid | `1 / (1 + exp(−x))` | `out (1 − out)` | out |
//!
//! Relative errors of the curves are those of the table in `transcendental`, a few 1e-7.
//! Sources: Hendrycks and Gimpel, 2016, for GELU, in its exact form, PyTorch's default.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::dispatch::dispatch;
use super::expect_len;
use super::transcendental::{normal, sigmoid, tanh};
use crate::Result;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Values a task.
const PIECE: usize = 1 << 15;

const OPERATION: &str = "activation";

/// An activation; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The positive part.
    Relu,
    /// The Gaussian error linear unit.
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function.
    Sigmoid,
}

/// What a backward pass reads of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The layer's input.
    Input,
    /// The layer's output.
    Output,
}

impl Activation {
    /// What `kept` is to be in [`backward`]; ReLU takes either.
    pub const fn keeps(self) -> Kept {
        match self {
            Self::Gelu => Kept::Input,
            Self::Relu | Self::Tanh | Self::Sigmoid => Kept::Output,
        }
    }
}

/// `out = activation(x)`.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn forward(activation: Activation, x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len(OPERATION, "out", out.len(), x.len())?;
    let pieces = out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE));
    pieces.for_each(|(out, x)| {
        out.copy_from_slice(x);
        dispatch(Forward(activation, out));
    });
    Ok(())
}

/// [`forward`] in place.
pub fn forward_in_place(activation: Activation, x: &mut [f32]) {
    x.par_chunks_mut(PIECE)
        .for_each(|x| dispatch(Forward(activation, x)));
}

/// `dx = dout ∘ derivative`, the derivative as a function of what the activation
/// [`keeps`](Activation::keeps).
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn backward(activation: Activation, kept: &[f32], dout: &[f32], dx: &mut [f32]) -> Result<()> {
    expect_len(OPERATION, "dout", dout.len(), kept.len())?;
    expect_len(OPERATION, "dx", dx.len(), kept.len())?;
    let pieces = dx.par_chunks_mut(PIECE).zip(dout.par_chunks(PIECE));
    let pieces = pieces.zip(kept.par_chunks(PIECE));
    pieces.for_each(|((dx, dout), kept)| {
        dx.copy_from_slice(dout);
        dispatch(Backward(activation, kept, dx));
    });
    Ok(())
}

/// [`backward`] in place: `dout` becomes the gradient of the input.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn backward_in_place(activation: Activation, kept: &[f32], dout: &mut [f32]) -> Result<()> {
    expect_len(OPERATION, "dout", dout.len(), kept.len())?;
    let pieces = dout.par_chunks_mut(PIECE).zip(kept.par_chunks(PIECE));
    pieces.for_each(|(dout, kept)| dispatch(Backward(activation, kept, dout)));
    Ok(())
}

/// [`forward`] of ReLU.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn relu_forward(x: &[f32], out: &mut [f32]) -> Result<()> {
    forward(Activation::Relu, x, out)
}

/// [`forward_in_place`] of ReLU.
pub fn relu_in_place(x: &mut [f32]) {
    forward_in_place(Activation::Relu, x);
}

/// [`backward_in_place`] of ReLU.
///
/// # Panics
/// When the lengths differ.
pub(crate) fn relu_backward_in_place(x: &[f32], dout: &mut [f32]) {
    assert_eq!(x.len(), dout.len(), "relu: lengths");
    let pieces = dout.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE));
    pieces.for_each(|(dout, x)| dispatch(Backward(Activation::Relu, x, dout)));
}

/// [`backward`] of ReLU.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn relu_backward(x: &[f32], dout: &[f32], dx: &mut [f32]) -> Result<()> {
    backward(Activation::Relu, x, dout, dx)
}

/// `out += x`: joins a residual branch. Its gradient is `dout` for both summands.
///
/// # Errors
/// [`crate::Error::Shape`] when the lengths differ.
pub fn add_assign(x: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("add", "out", out.len(), x.len())?;
    out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
    Ok(())
}

/// A curve and its derivative, vector by vector.
trait Curve {
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s;

    /// The gradient `d` of the output times the derivative.
    fn pull<S: Simd>(simd: S, kept: S::f32s, d: S::f32s) -> S::f32s;
}

struct Relu;

impl Curve for Relu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        // Not a maximum: NaN must stay NaN.
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.less_than_f32s(x, zero), zero, x)
    }

    #[inline(always)]
    fn pull<S: Simd>(simd: S, kept: S::f32s, d: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.greater_than_f32s(kept, zero), d, zero)
    }
}

struct Gelu;

impl Curve for Gelu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let (distribution, _) = normal(simd, x);
        simd.mul_f32s(x, distribution)
    }

    #[inline(always)]
    fn pull<S: Simd>(simd: S, kept: S::f32s, d: S::f32s) -> S::f32s {
        let (distribution, density) = normal(simd, kept);
        simd.mul_f32s(d, simd.mul_add_e_f32s(kept, density, distribution))
    }
}

struct Tanh;

impl Curve for Tanh {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        tanh(simd, x)
    }

    #[inline(always)]
    fn pull<S: Simd>(simd: S, kept: S::f32s, d: S::f32s) -> S::f32s {
        let square = simd.mul_f32s(kept, kept);
        simd.mul_f32s(d, simd.sub_f32s(simd.splat_f32s(1.0), square))
    }
}

struct Sigmoid;

impl Curve for Sigmoid {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        sigmoid(simd, x)
    }

    #[inline(always)]
    fn pull<S: Simd>(simd: S, kept: S::f32s, d: S::f32s) -> S::f32s {
        let rest = simd.sub_f32s(simd.splat_f32s(1.0), kept);
        simd.mul_f32s(d, simd.mul_f32s(kept, rest))
    }
}

/// An activation of values, in place.
struct Forward<'a>(Activation, &'a mut [f32]);

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(activation, values) = self;
        match activation {
            Activation::Relu => map::<S, Relu>(simd, values),
            Activation::Gelu => map::<S, Gelu>(simd, values),
            Activation::Tanh => map::<S, Tanh>(simd, values),
            Activation::Sigmoid => map::<S, Sigmoid>(simd, values),
        }
    }
}

#[inline(always)]
fn map<S: Simd, C: Curve>(simd: S, values: &mut [f32]) {
    let (vectors, rest) = S::as_mut_simd_f32s(values);
    for vector in vectors {
        *vector = C::value(simd, *vector);
    }
    if !rest.is_empty() {
        let value = C::value(simd, simd.partial_load_f32s(rest));
        simd.partial_store_f32s(rest, value);
    }
}

/// What is kept and the gradient of the output, which becomes that of the input.
struct Backward<'a>(Activation, &'a [f32], &'a mut [f32]);

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(activation, kept, gradient) = self;
        match activation {
            Activation::Relu => pull::<S, Relu>(simd, kept, gradient),
            Activation::Gelu => pull::<S, Gelu>(simd, kept, gradient),
            Activation::Tanh => pull::<S, Tanh>(simd, kept, gradient),
            Activation::Sigmoid => pull::<S, Sigmoid>(simd, kept, gradient),
        }
    }
}

#[inline(always)]
fn pull<S: Simd, C: Curve>(simd: S, kept: &[f32], gradient: &mut [f32]) {
    let (vectors, rest) = S::as_mut_simd_f32s(gradient);
    let (kept, kept_rest) = S::as_simd_f32s(kept);
    for (vector, kept) in vectors.iter_mut().zip(kept) {
        *vector = C::pull(simd, *kept, *vector);
    }
    if !rest.is_empty() {
        let kept = simd.partial_load_f32s(kept_rest);
        let value = C::pull(simd, kept, simd.partial_load_f32s(rest));
        simd.partial_store_f32s(rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::on_every_instruction_set;
    use super::super::levels::values;
    use super::super::oracle::{assert_close, doubles, slopes};
    use super::*;

    /// Largest difference from the definition, as a share of the largest magnitude.
    const TOLERANCE: f64 = 1e-6;

    const ALL: [Activation; 4] = [
        Activation::Relu,
        Activation::Gelu,
        Activation::Tanh,
        Activation::Sigmoid,
    ];

    /// erf by its series.
    fn erf(x: f64) -> f64 {
        let term = |power: f64, n: i32| -power * x * x / f64::from(n);
        let mut power = x;
        let mut sum = x;
        for n in 1..100 {
            power = term(power, n);
            sum += power / f64::from(2 * n + 1);
        }
        2.0 / std::f64::consts::PI.sqrt() * sum
    }

    fn definition(activation: Activation, x: f64) -> f64 {
        match activation {
            Activation::Relu => x.max(0.0),
            Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt())),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        }
    }

    #[test]
    fn agree_with_their_definitions_on_every_instruction_set() {
        let x: Vec<f32> = values(1003, 1).iter().map(|x| 4.0 * x).collect();
        let dout = values(x.len(), 2);
        let doubled = doubles(&x);
        on_every_instruction_set(|arch| {
            for activation in ALL {
                let name = format!("{arch:?} {activation:?}");
                let expected = doubled.iter().map(|x| definition(activation, *x));
                let mut out = vec![f32::NAN; x.len()];
                forward(activation, &x, &mut out).unwrap();
                assert_close(&name, &out, 0.0, &expected.collect::<Vec<_>>(), TOLERANCE);
                let mut in_place = x.clone();
                forward_in_place(activation, &mut in_place);
                assert_eq!(in_place, out, "{name}");

                let slope = |x: f64| slopes(&[x], |x| definition(activation, x[0]))[0];
                let expected = doubled.iter().zip(&dout);
                let expected = expected.map(|(x, d)| slope(*x) * f64::from(*d));
                let kept = match activation.keeps() {
                    Kept::Input => &x,
                    Kept::Output => &out,
                };
                let mut dx = vec![f32::NAN; x.len()];
                backward(activation, kept, &dout, &mut dx).unwrap();
                assert_close(&name, &dx, 0.0, &expected.collect::<Vec<_>>(), TOLERANCE);
                let mut in_place = dout.clone();
                backward_in_place(activation, kept, &mut in_place).unwrap();
                assert_eq!(in_place, dx, "{name}");
            }
        });
    }

    #[test]
    fn relu_has_the_bits_of_a_comparison() {
        let x = [
            -0.0,
            0.0,
            -1.0,
            1e-45,
            -1e-45,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ];
        let x: Vec<f32> = x.into_iter().cycle().take(50).collect();
        let dout = values(x.len(), 1);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        on_every_instruction_set(|arch| {
            let mut out = x.clone();
            relu_in_place(&mut out);
            let expected = x.iter().map(|&x| if x < 0.0 { 0.0 } else { x });
            assert_eq!(bits(&out), bits(&expected.collect::<Vec<_>>()), "{arch:?}");
            let mut dx = dout.clone();
            relu_backward_in_place(&x, &mut dx);
            let expected = x.iter().zip(&dout);
            let expected = expected.map(|(&x, &d)| if x > 0.0 { d } else { 0.0 });
            assert_eq!(bits(&dx), bits(&expected.collect::<Vec<_>>()), "{arch:?}");
        });
    }

    #[test]
    fn nan_and_infinities_are_those_of_the_formulas() {
        on_every_instruction_set(|arch| {
            for activation in ALL {
                let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
                forward_in_place(activation, &mut values);
                let [nan, above, below] = values;
                let name = format!("{arch:?} {activation:?}: {values:?}");
                assert!(nan.is_nan(), "{name}");
                let (expected_above, expected_below) = match activation {
                    Activation::Relu => (f32::INFINITY, 0.0),
                    // −∞ · 0, as in PyTorch.
                    Activation::Gelu => (f32::INFINITY, f32::NAN),
                    Activation::Tanh => (1.0, -1.0),
                    Activation::Sigmoid => (1.0, 0.0),
                };
                assert!(
                    (above - expected_above).abs() < 1e-6 || above == expected_above,
                    "{name}"
                );
                let both_nan = below.is_nan() && expected_below.is_nan();
                assert!(both_nan || (below - expected_below).abs() < 1e-6, "{name}");
                let mut gradient = [1.0];
                backward_in_place(activation, &[f32::NAN], &mut gradient).unwrap();
                let expected_nan = activation != Activation::Relu;
                assert_eq!(gradient[0].is_nan(), expected_nan, "{name}");
            }
        });
    }

    #[test]
    fn lengths_are_checked() {
        let mut short = [0.0; 2];
        assert!(forward(Activation::Gelu, &[0.0; 3], &mut short).is_err());
        assert!(backward(Activation::Gelu, &[0.0; 3], &[0.0; 3], &mut short).is_err());
        assert!(backward_in_place(Activation::Gelu, &[0.0; 3], &mut short).is_err());
        assert!(add_assign(&[0.0; 3], &mut short).is_err());
    }
}
