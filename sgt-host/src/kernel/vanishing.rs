//! Gradients that vanish over many steps, kept away from subnormal numbers.
//!
//! A gradient that goes back through hundreds of steps can shrink below `f32::MIN_POSITIVE`. Such
//! numbers lose their precision, and a product with one of them can take a hundred times as long.
//! So a recurrent backward pass multiplies its gradient by a power of two, which changes no bit of
//! a normal number, sets to zero what is too small even so, and divides its results again.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use pulp::Simd;

/// Exponent of two of the largest value of a scaled gradient. Above it there is room for a gradient
/// that explodes; between it and [`SMALLEST`] for one that vanishes, as much as between 1 and the
/// smallest subnormal number.
const LARGEST_EXPONENT: i32 = 40;

/// What is smaller in a scaled gradient becomes zero; its products with values down to 2⁻²⁶ are
/// normal numbers.
const SMALLEST: f32 = power_of_two(-100);

const F32_BIAS: i32 = 127;
const F32_MANTISSA: u32 = f32::MANTISSA_DIGITS - 1;

/// A power of two and its inverse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GradientScale {
    /// By what a gradient is multiplied on its way in.
    pub(super) up: f32,
    /// By what its results are multiplied on their way out.
    pub(super) down: f32,
}

impl Default for GradientScale {
    fn default() -> Self {
        Self { up: 1.0, down: 1.0 }
    }
}

impl GradientScale {
    /// The scale that brings the largest magnitude in `gradient` to [`LARGEST_EXPONENT`]; 1 where
    /// that is zero or infinite. NaN doesn't count.
    pub(super) fn of(gradient: &[f32]) -> Self {
        let largest = gradient.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        if largest == 0.0 || largest.is_infinite() {
            return Self::default();
        }
        let exponent = (largest.to_bits() >> F32_MANTISSA).cast_signed() - F32_BIAS;
        let shift = (LARGEST_EXPONENT - exponent).min(F32_BIAS - 1);
        Self {
            up: power_of_two(shift),
            down: power_of_two(-shift),
        }
    }
}

/// `2^exponent`, for exponents of normal numbers.
const fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + F32_BIAS) as u32) << F32_MANTISSA)
}

/// Zero for what is too small; NaN and infinities stay.
#[inline(always)]
pub(super) fn flush<S: Simd>(simd: S, scaled: S::f32s) -> S::f32s {
    let small = simd.less_than_f32s(simd.abs_f32s(scaled), simd.splat_f32s(SMALLEST));
    simd.select_f32s(small, simd.splat_f32s(0.0), scaled)
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::{dispatch, on_every_instruction_set};
    use super::*;
    use pulp::WithSimd;

    #[test]
    fn a_scale_and_its_inverse_change_no_bit() {
        for largest in [f32::MAX, 3.7e20, 1.0, 0.1, 2e-9, f32::MIN_POSITIVE] {
            let scale = GradientScale::of(&[0.0, -largest, largest / 3.0, f32::NAN]);
            for value in [largest, largest * 0.77, -largest / 1024.0 / 3.0] {
                if value.is_normal() {
                    assert_eq!(value * scale.up * scale.down, value, "{largest}");
                }
            }
            assert_eq!(scale.up * scale.down, 1.0, "{largest}");
        }
    }

    #[test]
    fn the_largest_value_comes_to_its_place() {
        for largest in [f32::MAX, 1.0, 1e-20] {
            let scaled = largest * GradientScale::of(&[largest]).up;
            assert!((2.0_f32.powi(40)..2.0_f32.powi(41)).contains(&scaled));
        }
        // As far as a power of two can bring it.
        let scaled = 1e-44 * GradientScale::of(&[1e-44]).up;
        assert!(scaled.is_normal());
    }

    #[test]
    fn no_gradient_and_an_infinite_one_are_not_scaled() {
        for gradient in [
            &[][..],
            &[0.0, -0.0],
            &[f32::NAN],
            &[1.0, f32::NEG_INFINITY],
        ] {
            assert_eq!(GradientScale::of(gradient), GradientScale::default());
        }
    }

    struct Flush(f32);

    impl WithSimd for Flush {
        type Output = f32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            let mut values = [f32::NAN; 16];
            let out = flush(simd, simd.splat_f32s(self.0));
            S::as_mut_simd_f32s(&mut values).0[0] = out;
            values[0]
        }
    }

    #[test]
    fn only_what_is_too_small_becomes_zero() {
        on_every_instruction_set(|arch| {
            for kept in [SMALLEST, -SMALLEST, 1.0, f32::INFINITY, f32::NEG_INFINITY] {
                assert_eq!(dispatch(Flush(kept)), kept, "{arch:?}");
            }
            assert!(dispatch(Flush(f32::NAN)).is_nan(), "{arch:?}");
            for small in [SMALLEST / 2.0, -SMALLEST / 2.0, 1e-42, 0.0] {
                assert_eq!(dispatch(Flush(small)), 0.0, "{arch:?}");
            }
        });
    }
}
