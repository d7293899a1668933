//! The one float path: every transcendental function of the crate goes through here.
//!
//! `libm` computes the same bits on a microcontroller without a floating-point unit and on a
//! host, and Rust never contracts or reorders float operations, so a test on the host speaks for
//! the target. Sums run in index order.

/// `e^x`.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    libm::expf(x)
}

/// The natural logarithm.
#[inline]
pub(crate) fn ln(x: f32) -> f32 {
    libm::logf(x)
}

/// The hyperbolic tangent.
#[inline]
pub(crate) fn tanh(x: f32) -> f32 {
    libm::tanhf(x)
}

/// The square root, correctly rounded.
#[inline]
pub(crate) fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}

/// `-1`, `0` or `1`; `0` for both zeros and for NaN.
#[inline]
pub(crate) fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The smaller of two numbers that are not NaN.
#[inline]
pub(crate) fn min(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

/// The larger of two numbers that are not NaN.
#[inline]
pub(crate) fn max(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// True for anything but NaN and the infinities; no float instruction.
#[inline]
pub(crate) fn is_finite(x: f32) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    x.to_bits() & EXPONENT != EXPONENT
}

/// `⌈count / size⌉`, and 0 for a size of 0. (The standard library's panics then; built for size it
/// is a function of its own, and the panic is linked whatever the size.)
#[inline]
pub(crate) const fn div_ceil(count: usize, size: usize) -> usize {
    if size == 0 {
        return 0;
    }
    let whole = count / size;
    if whole * size == count {
        whole
    } else {
        whole + 1
    }
}

/// Euclidean norm `m·√Σ(x/m)²` as its factors `m = max|x|` and the root, of which neither
/// overflows nor loses digits to denormals. Both are zero when every value is.
pub(crate) fn euclidean_factors(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let mut largest = 0.0;
    for value in values.clone() {
        largest = max(largest, value.abs());
    }
    if largest == 0.0 {
        return (0.0, 0.0);
    }
    let mut sum = 0.0;
    for value in values {
        let scaled = value / largest;
        sum += scaled * scaled;
    }
    (largest, sqrt(sum))
}

/// Euclidean norm.
pub(crate) fn euclidean_norm(values: impl Iterator<Item = f32> + Clone) -> f32 {
    let (largest, root) = euclidean_factors(values);
    largest * root
}

#[inline]
pub(crate) fn check_finite(argument: &'static str, values: &[f32]) -> Result<(), crate::Error> {
    match values.iter().position(|&value| !is_finite(value)) {
        None => Ok(()),
        Some(index) => Err(crate::Error::NonFinite { argument, index }),
    }
}

#[inline]
pub(crate) fn check_length(
    argument: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), crate::Error> {
    if expected == found {
        Ok(())
    } else {
        Err(crate::Error::Length {
            argument,
            expected,
            found,
        })
    }
}
