//! Exponential, logistic sigmoid and hyperbolic tangent of whole vectors.
//!
//! Polynomials instead of the C library's scalar calls. Largest errors against `f64`, over the
//! ranges the tests sweep: see [`tests`]' table.

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

/// `coefficients[0]·x^n + … + coefficients[n]`.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficient));
    }
    sum
}

/// `exp(x)`, for x in [−87, 88] and clamped to that range outside of it.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // The constant comes first: x86's minimum and maximum return the second operand when one is
    // NaN, and a NaN must come out again.
    let x = simd.min_f32s(simd.splat_f32s(LARGEST), x);
    let x = simd.max_f32s(simd.splat_f32s(SMALLEST), x);
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
    let x = simd.min_f32s(simd.splat_f32s(TANH_LIMIT), x);
    let x = simd.max_f32s(simd.splat_f32s(-TANH_LIMIT), x);
    let square = simd.mul_f32s(x, x);
    let numerator = simd.mul_f32s(x, polynomial(simd, square, &TANH_NUMERATOR));
    simd.div_f32s(numerator, polynomial(simd, square, &TANH_DENOMINATOR))
}
