//! The random numbers: the reference sequence, uniform and normal draws, both adapters.

#[path = "common/tolerance.rs"]
mod tolerance;

use rand_core::Rng;
use sgt_core::{Pcg32, RandCore, Random};

/// The first outputs of the reference implementation's demo for seed 42, stream 54.
const REFERENCE: [u32; 6] = [
    0xa15c_02b7,
    0x7b47_f409,
    0xba1d_3330,
    0x83d2_f293,
    0xbfa4_784b,
    0xcbed_606e,
];

/// Gives one word for ever.
struct Fixed(u32);

impl Random for Fixed {
    fn next_u32(&mut self) -> u32 {
        self.0
    }
}

#[test]
fn pcg32_gives_the_reference_sequence() {
    let mut rng = Pcg32::new(42, 54);
    for expected in REFERENCE {
        assert_eq!(Random::next_u32(&mut rng), expected);
    }
}

#[test]
fn a_saved_state_continues_the_sequence() {
    let mut rng = Pcg32::new(7, 9);
    for _ in 0..100 {
        Random::next_u32(&mut rng);
    }
    let (state, increment) = rng.state();
    let mut continued = Pcg32::from_state(state, increment);
    assert_eq!(continued, rng);
    for _ in 0..100 {
        assert_eq!(Random::next_u32(&mut continued), Random::next_u32(&mut rng));
    }
    // An even increment would halve the period.
    assert_eq!(Pcg32::from_state(1, 2), Pcg32::from_state(1, 3));
}

#[test]
fn streams_and_seeds_differ() {
    let first = |seed, stream| {
        let mut rng = Pcg32::new(seed, stream);
        [(); 4].map(|()| Random::next_u32(&mut rng))
    };
    assert_ne!(first(1, 0), first(1, 1));
    assert_ne!(first(1, 0), first(2, 0));
}

#[test]
fn pcg32_feeds_the_rand_family() {
    let mut rng = Pcg32::new(42, 54);
    for expected in REFERENCE {
        assert_eq!(Rng::next_u32(&mut rng), expected);
    }
    let mut rng = Pcg32::new(42, 54);
    let wide = Rng::next_u64(&mut rng);
    assert_eq!(
        wide,
        u64::from(REFERENCE[1]) << 32 | u64::from(REFERENCE[0])
    );
    let mut rng = Pcg32::new(42, 54);
    let mut bytes = [0; 10];
    rng.fill_bytes(&mut bytes);
    let expected = REFERENCE.iter().flat_map(|word| word.to_le_bytes());
    assert!(bytes.into_iter().eq(expected.take(10)));
}

#[test]
fn the_rand_family_feeds_the_core() {
    let mut direct = Pcg32::new(5, 6);
    let mut adapted = RandCore(Pcg32::new(5, 6));
    for _ in 0..100 {
        assert_eq!(direct.standard_normal(), adapted.standard_normal());
        assert_eq!(direct.unit(), adapted.unit());
    }
    // And through a reference, as the core's functions take it.
    let mut by_reference = &mut Pcg32::new(42, 54);
    assert_eq!(Random::next_u32(&mut by_reference), REFERENCE[0]);
}

#[test]
fn unit_draws_lie_in_the_half_open_interval() {
    assert_eq!(Fixed(0).unit(), 0.0);
    assert_eq!(Fixed(u32::MAX).unit(), 1.0 - f32::EPSILON / 2.0);
    assert!(Fixed(u32::MAX).unit() < 1.0);
    let mut rng = Pcg32::new(1, 2);
    let n = 100_000;
    let draws: Vec<f64> = (0..n).map(|_| f64::from(rng.unit())).collect();
    let mean = draws.iter().sum::<f64>() / f64::from(n);
    let bound = tolerance::STANDARD_ERRORS / (12.0 * f64::from(n)).sqrt();
    assert!((mean - 0.5).abs() < bound);
    assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
}

#[test]
fn bounded_draws_are_even() {
    assert_eq!(Fixed(u32::MAX).below(0), 0);
    assert_eq!(Fixed(u32::MAX).below(1), 0);
    assert_eq!(Fixed(u32::MAX).below(7), 6);
    assert_eq!(Fixed(u32::MAX).below(u32::MAX), u32::MAX - 1);
    let mut rng = Pcg32::new(3, 4);
    let (bound, n) = (13_u32, 130_000_u32);
    let mut counts = vec![0_u32; bound as usize];
    for _ in 0..n {
        counts[rng.below(bound) as usize] += 1;
    }
    let expected = f64::from(n / bound);
    let chi_square: f64 = counts
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum();
    // 12 degrees of freedom: mean 12, standard deviation √24.
    assert!(
        chi_square < 12.0 + tolerance::STANDARD_ERRORS * 24.0_f64.sqrt(),
        "{chi_square}"
    );
}

/// The quantile in `f64`, by Newton's method on the distribution function.
fn quantile(probability: f64) -> f64 {
    // The lower half only, where the distribution function loses no digit.
    if probability > 0.5 {
        return -quantile(1.0 - probability);
    }
    let mut z: f64 = 0.0;
    for _ in 0..60 {
        let below = libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0;
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        z -= ((below - probability) / density).clamp(-1.0, 1.0);
    }
    z
}

#[test]
fn normal_draws_are_quantiles() {
    const MIDPOINTS: u32 = 1 << 23;
    let ends = (0..2_000).chain(MIDPOINTS - 2_000..MIDPOINTS);
    let centre = MIDPOINTS / 2 - 1_000..MIDPOINTS / 2 + 1_000;
    for midpoint in (0..MIDPOINTS).step_by(997).chain(ends).chain(centre) {
        let found = f64::from(Fixed(midpoint << 9).standard_normal());
        let expected = quantile((f64::from(midpoint) + 0.5) / f64::from(MIDPOINTS));
        let slack = tolerance::QUANTILE * expected.abs();
        assert!(
            (found - expected).abs() <= slack,
            "{midpoint}: {found}, expected {expected}"
        );
    }
}

#[test]
fn normal_draws_are_symmetric_and_bounded() {
    for word in (0..u32::MAX / 2).step_by(9_999_991) {
        assert_eq!(
            Fixed(word).standard_normal(),
            -Fixed(!word).standard_normal()
        );
    }
    let largest = Fixed(u32::MAX).standard_normal();
    assert!((5.2..5.4).contains(&largest), "{largest}");
}
