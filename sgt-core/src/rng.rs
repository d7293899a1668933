//! Random numbers for replacement policies, random starts and noise controls.

/// A source of uniformly distributed `u32`.
///
/// [`Pcg32`] is built in; with the feature `rand_core`, `RandCore` adapts any other generator.
pub trait Random {
    /// The next 32 random bits.
    fn next_u32(&mut self) -> u32;

    /// Uniform in `[0, 1)`, a multiple of 2⁻²⁴.
    #[inline]
    fn unit(&mut self) -> f32 {
        unit_from_bits(self.next_u32())
    }

    /// Uniform in `0 .. bound` by multiplication; the bias is below `bound / 2³²`. Zero for a
    /// bound of zero.
    #[inline]
    fn below(&mut self, bound: u32) -> u32 {
        below_from_bits(self.next_u32(), bound)
    }

    /// Standard normal by inversion of one uniform draw (relative error about 1e-7 of the
    /// quantile; the 23-bit draw ends the tails near ±5.3).
    ///
    /// Source: M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal
    /// Distribution", 1988, routine PPND7.
    #[inline]
    fn standard_normal(&mut self) -> f32 {
        normal_from_bits(self.next_u32())
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        (**self).next_u32()
    }
}

/// PCG-XSH-RR with 64 bits of state and 32 of output: small, fast, statistically sound and
/// **not** cryptographic.
///
/// Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
/// Algorithms for Random Number Generation", 2014; the numbers equal those of `pcg32_random_r`.
///
/// ```
/// use sgt_core::{Pcg32, Random};
/// let mut rng = Pcg32::new(42, 54);
/// assert_eq!(rng.next_u32(), 0xa15c_02b7); // the reference implementation's demo output
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcg32 {
    state: u64,
    increment: u64,
}

const PCG_MULTIPLIER: u64 = 6_364_136_223_846_793_005;

impl Pcg32 {
    /// A generator for `seed` on one of 2⁶³ independent streams.
    pub const fn new(seed: u64, stream: u64) -> Self {
        let increment = (stream << 1) | 1;
        let state = increment.wrapping_add(seed);
        Self {
            state: state.wrapping_mul(PCG_MULTIPLIER).wrapping_add(increment),
            increment,
        }
    }

    /// Position in the sequence, for a checkpoint: `(state, increment)`.
    pub const fn state(&self) -> (u64, u64) {
        (self.state, self.increment)
    }

    /// Continues from what [`Pcg32::state`] gave. The increment is made odd.
    pub const fn from_state(state: u64, increment: u64) -> Self {
        Self {
            state,
            increment: increment | 1,
        }
    }
}

impl Random for Pcg32 {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        let state = self.state;
        self.state = state
            .wrapping_mul(PCG_MULTIPLIER)
            .wrapping_add(self.increment);
        let xorshifted = (((state >> 18) ^ state) >> 27) as u32;
        xorshifted.rotate_right((state >> 59) as u32)
    }
}

/// A random number for every place: a function of a seed and the place's number alone.
///
/// Replacement draws one of these from the caller's generator and asks it for each replaced value.
/// So a value does not depend on which others are replaced or on the order of the loop, the loop
/// has no chain of states and runs several lanes at a time, and a microcontroller needs only
/// 32-bit products.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RandomField {
    before: u32,
    between: u32,
}

impl RandomField {
    pub(crate) fn draw<R: Random>(rng: &mut R) -> Self {
        Self {
            before: rng.next_u32(),
            between: rng.next_u32(),
        }
    }

    /// A bijective mix of 32 bits (the constants of C. Wellons' `lowbias32`), keyed twice.
    #[inline(always)]
    fn bits_at(self, place: usize) -> u32 {
        const WEYL: u32 = 0x9e37_79b9;
        let mut bits = (place as u32).wrapping_mul(WEYL) ^ self.before;
        bits ^= bits >> 16;
        bits = bits.wrapping_mul(0x7feb_352d);
        bits ^= bits >> 15;
        bits = (bits ^ self.between).wrapping_mul(0x846c_a68b);
        bits ^ (bits >> 16)
    }

    /// As [`Random::unit`].
    #[inline(always)]
    pub(crate) fn unit_at(self, place: usize) -> f32 {
        unit_from_bits(self.bits_at(place))
    }

    /// As [`Random::below`].
    #[inline]
    pub(crate) fn below_at(self, place: usize, bound: u32) -> u32 {
        below_from_bits(self.bits_at(place), bound)
    }

    /// As [`Random::standard_normal`].
    #[inline]
    pub(crate) fn normal_at(self, place: usize) -> f32 {
        normal_from_bits(self.bits_at(place))
    }
}

#[inline(always)]
fn unit_from_bits(bits: u32) -> f32 {
    const STEP: f32 = 1.0 / (1 << 24) as f32;
    // Below 2²⁴, so the signed conversion, which every vector unit has, is exact.
    (bits >> 8).cast_signed() as f32 * STEP
}

#[inline]
fn below_from_bits(bits: u32, bound: u32) -> u32 {
    ((u64::from(bits) * u64::from(bound)) >> 32) as u32
}

#[inline]
fn normal_from_bits(bits: u32) -> f32 {
    const STEP: f32 = 1.0 / (1 << 23) as f32;
    // Midpoints of 2²³ equal intervals: never 0 or 1, symmetric about 0.5.
    normal_quantile(((bits >> 9) as f32 + 0.5) * STEP)
}

/// Lets any generator of the `rand` family feed this crate.
#[cfg(feature = "rand_core")]
#[derive(Clone, Debug)]
pub struct RandCore<R>(
    /// The generator.
    pub R,
);

#[cfg(feature = "rand_core")]
impl<R: rand_core::Rng> Random for RandCore<R> {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
}

#[cfg(feature = "rand_core")]
impl rand_core::TryRng for Pcg32 {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(Random::next_u32(self))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let low = u64::from(Random::next_u32(self));
        Ok(u64::from(Random::next_u32(self)) << 32 | low)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(4) {
            let word = Random::next_u32(self).to_le_bytes();
            for (byte, value) in chunk.iter_mut().zip(word) {
                *byte = value;
            }
        }
        Ok(())
    }
}

/// The `probability`-quantile of the standard normal distribution (AS 241, PPND7).
#[allow(clippy::excessive_precision)] // the published coefficients, digit for digit
fn normal_quantile(probability: f32) -> f32 {
    const CENTRE: f32 = 0.425;
    let centred = probability - 0.5;
    if centred.abs() <= CENTRE {
        let r = CENTRE * CENTRE - centred * centred;
        let numerator =
            ((59.109_374_720 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9;
        let denominator = ((67.187_563_600 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0;
        return centred * numerator / denominator;
    }
    let tail = if centred < 0.0 {
        probability
    } else {
        1.0 - probability
    };
    // At most 4.1 for the smallest draw, 2⁻²⁴; the published far tail starts at 5.
    let r = crate::math::sqrt(-crate::math::ln(tail)) - 1.6;
    let magnitude = (((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r
        + 1.423_437_277_7)
        / ((0.120_211_329_75 * r + 0.737_001_642_50) * r + 1.0);
    if centred < 0.0 { -magnitude } else { magnitude }
}
