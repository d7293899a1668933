//! Exponential, logistic sigmoid and hyperbolic tangent of whole vectors.
//!
//! Polynomials instead of the C library's scalar calls. Largest relative errors against `f64`
//! (asserted by the tests, on every instruction set of the machine):
//!
//! | function | range | relative error |
//! |---|---|---|
//! | `exp` | −87 to 88 | 1.2e-7 |
//! | `sigmoid` | −87 to 87 | 1.8e-7 |
//! | `tanh` | all | 3.6e-7 |
//! | `erf` | all | 4e-7 |
//!
//! NaN gives NaN.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use pulp::Simd;

/// Largest argument of [`exp`]; above it the result stays at `exp(LARGEST)`.
const LARGEST: f32 = 88.0;
/// Smallest argument of [`exp`]; the result is the smallest normal number's neighbour.
const SMALLEST: f32 = -87.0;
/// `ln 2` in two parts: the first has so few bits that its product with an exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Adding this rounds to the nearest integer and leaves that integer plus the exponent bias (127)
/// in the low bits.
const ROUND_WITH_BIAS: f32 = 12_582_912.0 + 127.0;
/// Bits in front of the exponent of an `f32`.
const MANTISSA_BITS: u32 = 23;
/// `(exp(r) − 1 − r) / r²` on `|r| ≤ ln 2 / 2`, highest power first (Cephes' `expf`).
const EXP_POLYNOMIAL: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    5e-1,
];
/// Beyond this `tanh` rounds to ±1 within its error.
const TANH_LIMIT: f32 = 7.905_311;
/// Numerator of `tanh(x) / x` in powers of x², highest first (Eigen's rational approximation).
const TANH_NUMERATOR: [f32; 7] = [
    -2.760_768_5e-16,
    2.000_188e-13,
    -8.604_672e-11,
    5.122_297e-8,
    1.485_722_4e-5,
    6.372_619e-4,
    4.893_524_6e-3,
];
/// Its denominator.
const TANH_DENOMINATOR: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];

/// Beyond this `erf` rounds to ±1.
const ERF_LIMIT: f32 = 4.0;
/// Numerator of `erf(x) / x` in powers of x², highest first (Eigen's rational approximation).
const ERF_NUMERATOR: [f32; 7] = [
    -2.726_142_3e-10,
    2.770_681_4e-8,
    -2.101_024e-6,
    -5.692_506_4e-5,
    -7.349_906_3e-4,
    -2.954_6e-3,
    -1.609_603_3e-2,
];
/// Its denominator.
const ERF_DENOMINATOR: [f32; 5] = [
    -1.456_607_2e-5,
    -2.133_740_5e-4,
    -1.682_827e-3,
    -7.373_329e-3,
    -1.426_474e-2,
];

/// `coefficients[0]·x^n + … + coefficients[n]`.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// `x` limited to `low..=high`; NaN stays NaN.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    if S::F32_LANES == 1 {
        // The scalar minimum and maximum drop a NaN.
        let x = simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
        return simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    }
    // Vector instructions return NaN when either operand is one, or, on x86, the second operand:
    // so x comes second.
    simd.max_f32s(low, simd.min_f32s(high, x))
}

/// `exp(x)`, for x in [−87, 88] and clamped to that range outside of it.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = clamp(simd, x, SMALLEST, LARGEST);
    let magic = simd.splat_f32s(ROUND_WITH_BIAS);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), magic);
    let exponent = simd.sub_f32s(shifted, magic);
    let r = simd.mul_add_e_f32s(exponent, simd.splat_f32s(-LN_2_HIGH), x);
    let r = simd.mul_add_e_f32s(exponent, simd.splat_f32s(-LN_2_LOW), r);
    let tail = polynomial(simd, r, &EXP_POLYNOMIAL);
    let one = simd.splat_f32s(1.0);
    let mantissa = simd.mul_add_e_f32s(simd.mul_f32s(r, r), tail, simd.add_f32s(r, one));
    let bits = simd.transmute_u32s_f32s(shifted);
    let power = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(MANTISSA_BITS));
    simd.mul_f32s(mantissa, simd.transmute_f32s_u32s(power))
}

/// `1 / (1 + exp(−x))`.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let decay = exp(simd, simd.neg_f32s(x));
    simd.div_f32s(one, simd.add_f32s(one, decay))
}

/// `tanh(x)`.
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = clamp(simd, x, -TANH_LIMIT, TANH_LIMIT);
    let square = simd.mul_f32s(x, x);
    let numerator = simd.mul_f32s(x, polynomial(simd, square, &TANH_NUMERATOR));
    simd.div_f32s(numerator, polynomial(simd, square, &TANH_DENOMINATOR))
}

/// The error function, `2/√π · ∫₀ˣ exp(−t²) dt`.
#[inline(always)]
pub(super) fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = clamp(simd, x, -ERF_LIMIT, ERF_LIMIT);
    let square = simd.mul_f32s(x, x);
    let numerator = simd.mul_f32s(x, polynomial(simd, square, &ERF_NUMERATOR));
    simd.div_f32s(numerator, polynomial(simd, square, &ERF_DENOMINATOR))
}

#[cfg(test)]
mod tests {
    use super::super::instructions;
    use super::{erf, exp, sigmoid, tanh};
    use pulp::{Simd, WithSimd};

    /// Points of a sweep over a function's range.
    const POINTS: usize = 200_000;

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
        Erf,
    }

    /// A function's values in place of its arguments.
    struct Apply<'a>(Function, &'a mut [f32]);

    impl WithSimd for Apply<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(function, values) = self;
            for values in values.chunks_mut(S::F32_LANES) {
                let x = simd.partial_load_f32s(values);
                let y = match function {
                    Function::Exp => exp(simd, x),
                    Function::Sigmoid => sigmoid(simd, x),
                    Function::Tanh => tanh(simd, x),
                    Function::Erf => erf(simd, x),
                };
                simd.partial_store_f32s(values, y);
            }
        }
    }

    /// The largest relative error over `low..=high` on every instruction set.
    fn largest_error(function: Function, low: f32, high: f32, truth: fn(f64) -> f64) -> f64 {
        let step = (high - low) / POINTS as f32;
        let arguments: Vec<f32> = (0..=POINTS).map(|i| low + step * i as f32).collect();
        let mut largest = 0.0_f64;
        for arch in instructions() {
            let mut values = arguments.clone();
            arch.dispatch(Apply(function, &mut values));
            let mut worst = (0.0_f64, 0.0);
            for (&x, &found) in arguments.iter().zip(&values) {
                let expected = truth(f64::from(x));
                let error = (f64::from(found) - expected).abs() / expected.abs().max(1e-300);
                assert!(
                    error.is_finite(),
                    "{arch:?}: {found} at {x}, expected {expected}"
                );
                if error > worst.0 && expected != 0.0 {
                    worst = (error, x);
                }
            }
            println!("{arch:?}: relative error {:.2e} at {}", worst.0, worst.1);
            largest = largest.max(worst.0);
        }
        largest
    }

    #[test]
    fn exp_is_accurate() {
        assert!(largest_error(Function::Exp, -87.0, 88.0, f64::exp) < 1.2e-7);
        assert!(largest_error(Function::Exp, -0.5, 0.5, f64::exp) < 1.2e-7);
    }

    #[test]
    fn sigmoid_is_accurate() {
        let truth = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(largest_error(Function::Sigmoid, -87.0, 87.0, truth) < 1.8e-7);
        assert!(largest_error(Function::Sigmoid, -3.0, 3.0, truth) < 1.8e-7);
    }

    #[test]
    fn tanh_is_accurate() {
        for limit in [1e-30, 1e-3, 1.0, 20.0, 1e30] {
            assert!(
                largest_error(Function::Tanh, -limit, limit, f64::tanh) < 3.6e-7,
                "{limit}"
            );
        }
    }

    #[test]
    fn erf_is_accurate() {
        // The series is exact to double precision here.
        let truth = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        };
        for limit in [1e-3, 1.0, 4.0] {
            let error = largest_error(Function::Erf, -limit, limit, truth);
            assert!(error < 4e-7, "{limit}: {error:e}");
        }
    }

    #[test]
    fn nan_comes_out_and_infinity_saturates() {
        let cases = [
            (Function::Exp, f32::NEG_INFINITY, 0.0),
            (Function::Sigmoid, f32::NEG_INFINITY, 0.0),
            (Function::Sigmoid, f32::INFINITY, 1.0),
            (Function::Tanh, f32::NEG_INFINITY, -1.0),
            (Function::Tanh, f32::INFINITY, 1.0),
        ];
        for arch in instructions() {
            for (function, argument, limit) in cases {
                let mut values = [f32::NAN, argument];
                arch.dispatch(Apply(function, &mut values));
                assert!(values[0].is_nan(), "{arch:?}: {values:?}");
                assert!((values[1] - limit).abs() < 1e-6, "{arch:?}: {values:?}");
            }
        }
    }
}
