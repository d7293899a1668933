//! What every replacement policy puts in the place of masked features.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::{
    Donors, Group, Layout, Order, Pcg32, Policy, Random, mask, replace_features,
    replace_features_by_bits,
};

/// A layout, a mask over its groups, three samples and a seed.
fn case() -> impl Strategy<Value = (Layout, Vec<u16>, Vec<f32>, u64)> {
    samples::layout().prop_flat_map(|layout| {
        let mask = prop::collection::vec(any::<bool>(), layout.groups()).prop_map(|marks| {
            let marked = marks.iter().enumerate().filter(|(_, mark)| **mark);
            marked.map(|(group, _)| group as u16).collect()
        });
        let batch = prop::collection::vec(samples::sample_value(), 3 * layout.sample_len());
        (Just(layout), mask, batch, any::<u64>())
    })
}

/// The replaced second sample of the batch.
fn replaced(layout: &Layout, policy: Policy, mask: &[u16], batch: &[f32], seed: u64) -> Vec<f32> {
    let length = layout.sample_len();
    let sample = &batch[length..2 * length];
    let donors = Some(Donors { batch, own: 1 });
    let mut out = vec![f32::NAN; length];
    let mut rng = Pcg32::new(seed, 0);
    replace_features(layout, policy, mask, sample, donors, &mut rng, &mut out)
        .expect("valid arguments");
    out
}

/// Calls `check` with the channel's values and the new value of everything that was replaced, and
/// checks that all else kept its bits.
fn for_each_replaced(
    layout: &Layout,
    mask: &[u16],
    batch: &[f32],
    out: &[f32],
    mut check: impl FnMut(&[f32], f32),
) {
    let sample = &batch[layout.sample_len()..2 * layout.sample_len()];
    let groups = oracle::groups(layout);
    let coordinates = oracle::coordinates(layout);
    let masked: Vec<usize> = mask
        .iter()
        .flat_map(|&group| groups[usize::from(group)].clone())
        .collect();
    for (offset, &value) in out.iter().enumerate() {
        if masked.contains(&offset) {
            check(
                &oracle::channel(layout, sample, coordinates[offset].1),
                value,
            );
        } else {
            assert_eq!(value.to_bits(), sample[offset].to_bits());
        }
    }
}

fn smallest(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::INFINITY, f32::min)
}

fn largest(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn uniform_stays_in_the_channel_range((layout, mask, batch, seed) in case()) {
        let out = replaced(&layout, Policy::Uniform, &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |channel, value| {
            assert!((smallest(channel)..=largest(channel)).contains(&value));
        });
    }

    #[test]
    fn uniform_stays_in_the_range_of_extreme_values(
        sample in prop::collection::vec(samples::awkward(), 1..60),
        seed in any::<u64>(),
    ) {
        let layout = Layout::flat(sample.len())?;
        let mask: Vec<u16> = (0..sample.len() as u16).collect();
        let mut out = vec![f32::NAN; sample.len()];
        let mut rng = Pcg32::new(seed, 0);
        replace_features(&layout, Policy::Uniform, &mask, &sample, None, &mut rng, &mut out)?;
        let range = smallest(&sample)..=largest(&sample);
        prop_assert!(out.iter().all(|value| range.contains(value)));
        replace_features(&layout, Policy::Mean, &mask, &sample, None, &mut rng, &mut out)?;
        prop_assert!(out.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn zero_and_constant_are_exact(
        (layout, mask, batch, seed) in case(),
        constant in samples::awkward(),
    ) {
        let out = replaced(&layout, Policy::Zero, &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |_, value| {
            assert_eq!(value.to_bits(), 0);
        });
        let out = replaced(&layout, Policy::Constant(constant), &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |_, value| {
            assert_eq!(value.to_bits(), constant.to_bits());
        });
    }

    #[test]
    fn mean_is_the_channel_mean((layout, mask, batch, seed) in case()) {
        let out = replaced(&layout, Policy::Mean, &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |channel, value| {
            let mean = oracle::wide(channel).iter().sum::<f64>() / channel.len() as f64;
            let scale = f64::from(largest(channel).abs().max(smallest(channel).abs()));
            assert!((f64::from(value) - mean).abs() <= tolerance::SUM * scale);
        });
    }

    #[test]
    fn background_is_the_first_position((layout, mask, batch, seed) in case()) {
        let out = replaced(&layout, Policy::Background, &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |channel, value| {
            assert_eq!(value.to_bits(), channel[0].to_bits());
        });
    }

    #[test]
    fn permute_takes_the_same_group_of_another_sample((layout, mask, batch, seed) in case()) {
        let out = replaced(&layout, Policy::Permute, &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |_, _| {});
        let groups = oracle::groups(&layout);
        for &group in &mask {
            let from = |donor: usize| {
                let mut offsets = groups[usize::from(group)].iter();
                offsets.all(|&at| out[at] == batch[donor * layout.sample_len() + at])
            };
            prop_assert!(from(0) || from(2));
        }
    }

    #[test]
    fn previous_salient_is_the_nearest_kept_token(
        tokens in 1_usize..20,
        dim in 1_usize..20,
        marks in prop::collection::vec(any::<bool>(), 20),
        padding in 0_usize..4,
        seed in any::<u64>(),
    ) {
        let layout = Layout::text(tokens + padding, dim)?.with_valid(padding, tokens)?;
        let mut masked: Vec<usize> = (0..tokens).filter(|&token| marks[token]).collect();
        if masked.len() == tokens {
            masked.pop();
        }
        let batch: Vec<f32> = (0..3 * layout.sample_len()).map(|at| at as f32).collect();
        let mask: Vec<u16> = masked.iter().map(|&token| token as u16).collect();
        let out = replaced(&layout, Policy::PreviousSalient, &mask, &batch, seed);
        for_each_replaced(&layout, &mask, &batch, &out, |_, _| {});
        for &token in &masked {
            let from = oracle::previous_salient(&masked, tokens, token);
            for channel in 0..dim {
                let expected = batch[layout.sample_len() + layout.offset(from, channel)];
                prop_assert_eq!(out[layout.offset(token, channel)], expected);
            }
        }
    }

    #[test]
    fn a_bit_set_masks_as_its_index_list((layout, mask, batch, seed) in case()) {
        let length = layout.sample_len();
        let sample = &batch[length..2 * length];
        let mut words = vec![0; mask::bit_words(layout.groups())];
        mask::bits_from_indices(&mask, layout.groups(), &mut words)?;
        for policy in [Policy::Uniform, Policy::Permute, Policy::Background, Policy::Constant(3.0)] {
            let mut out = vec![f32::NAN; length];
            let mut rng = Pcg32::new(seed, 0);
            let donors = Some(Donors { batch: &batch, own: 1 });
            replace_features_by_bits(&layout, policy, &words, sample, donors, &mut rng, &mut out)?;
            let listed = replaced(&layout, policy, &mask, &batch, seed);
            prop_assert_eq!(oracle::bits(&out), oracle::bits(&listed));
        }
    }
}

/// Mean, variance and the fourth moment of standardised draws against those expected.
fn assert_moments(draws: &[f32], mean: f64, std: f64, kurtosis: f64) {
    let n = draws.len() as f64;
    let standard = draws.iter().map(|&draw| (f64::from(draw) - mean) / std);
    let moment = |power: i32| standard.clone().map(|z| z.powi(power)).sum::<f64>() / n;
    // The variance of z² is its kurtosis less one; of z³ and z⁴ below 15 and 96.
    let bound = |variance: f64| tolerance::STANDARD_ERRORS * (variance / n).sqrt();
    assert!(moment(1).abs() <= bound(1.0), "mean {}", moment(1));
    assert!(
        (moment(2) - 1.0).abs() <= bound(kurtosis - 1.0),
        "variance {}",
        moment(2)
    );
    assert!(moment(3).abs() <= bound(15.0), "skewness {}", moment(3));
    assert!(
        (moment(4) - kurtosis).abs() <= bound(96.0),
        "kurtosis {}",
        moment(4)
    );
}

#[test]
fn gaussian_has_its_moments() -> Result<(), sgt_core::Error> {
    let layout = Layout::flat(60_000)?;
    let mask: Vec<u16> = (0..60_000).collect();
    let sample = vec![9.0; 60_000];
    let mut out = vec![f32::NAN; 60_000];
    for (mean, std) in [(0.0, 1.0), (-3.0, 0.25), (100.0, 20.0)] {
        let policy = Policy::Gaussian { mean, std };
        replace_features(
            &layout,
            policy,
            &mask,
            &sample,
            None,
            &mut Pcg32::new(4, 2),
            &mut out,
        )?;
        assert_moments(&out, f64::from(mean), f64::from(std), 3.0);
    }
    let policy = Policy::Gaussian {
        mean: 2.5,
        std: 0.0,
    };
    replace_features(
        &layout,
        policy,
        &mask,
        &sample,
        None,
        &mut Pcg32::new(4, 2),
        &mut out,
    )?;
    assert!(out.iter().all(|&value| value == 2.5));
    Ok(())
}

#[test]
fn uniform_is_uniform() -> Result<(), sgt_core::Error> {
    let layout = Layout::flat(60_000)?;
    let mask: Vec<u16> = (0..60_000).collect();
    let mut sample = vec![0.0; 60_000];
    (sample[17], sample[41_000]) = (-1.0, 3.0);
    let mut out = vec![f32::NAN; 60_000];
    replace_features(
        &layout,
        Policy::Uniform,
        &mask,
        &sample,
        None,
        &mut Pcg32::new(4, 3),
        &mut out,
    )?;
    assert_moments(&out, 1.0, 4.0 / 12.0_f64.sqrt(), 9.0 / 5.0);
    Ok(())
}

#[test]
fn ranges_and_means_are_those_of_real_positions() -> Result<(), sgt_core::Error> {
    for order in [Order::ChannelsFirst, Order::ChannelsLast] {
        let layout = Layout::series(6, 2, order, Group::Cell)?.with_valid(2, 3)?;
        let mask: Vec<u16> = (0..6).collect();
        let mut batch = vec![1e6; 36];
        let sample = &mut batch[12..24];
        for step in 0..3 {
            sample[layout.offset(step, 0)] = step as f32;
            sample[layout.offset(step, 1)] = 10.0 + step as f32;
        }
        let means = replaced(&layout, Policy::Mean, &mask, &batch, 0);
        let uniform = replaced(&layout, Policy::Uniform, &mask, &batch, 0);
        let first = replaced(&layout, Policy::Background, &mask, &batch, 0);
        for step in 0..3 {
            for (channel, low) in [(0, 0.0), (1, 10.0)] {
                let at = layout.offset(step, channel);
                assert_eq!(means[at], low + 1.0);
                assert_eq!(first[at], low);
                assert!((low..=low + 2.0).contains(&uniform[at]));
            }
        }
    }
    Ok(())
}

#[test]
fn the_mean_of_huge_values_is_finite() -> Result<(), sgt_core::Error> {
    let layout = Layout::flat(3)?;
    for sample in [[f32::MAX; 3], [f32::MAX, f32::MAX, 0.0], [f32::MIN; 3]] {
        let mut out = [0.0; 3];
        let mut rng = Pcg32::new(0, 0);
        replace_features(
            &layout,
            Policy::Mean,
            &[0_u16],
            &sample,
            None,
            &mut rng,
            &mut out,
        )?;
        let mean = oracle::wide(&sample).iter().sum::<f64>() / 3.0;
        assert!(
            (f64::from(out[0]) / mean - 1.0).abs() < tolerance::SUM,
            "{}",
            out[0]
        );
    }
    Ok(())
}

#[test]
fn permute_draws_every_other_sample_alike() -> Result<(), sgt_core::Error> {
    const DONORS: usize = 5;
    let groups = 40_000;
    let layout = Layout::flat(groups)?;
    let mask: Vec<u16> = (0..groups as u16).collect();
    let batch: Vec<f32> = (0..DONORS * groups)
        .map(|at| (at / groups) as f32)
        .collect();
    for own in 0..DONORS {
        let mut out = vec![f32::NAN; groups];
        let donors = Some(Donors { batch: &batch, own });
        let mut rng = Pcg32::new(8, own as u64);
        let sample = &batch[own * groups..][..groups];
        replace_features(
            &layout,
            Policy::Permute,
            &mask,
            sample,
            donors,
            &mut rng,
            &mut out,
        )?;
        for donor in 0..DONORS {
            let drawn = out.iter().filter(|&&value| value == donor as f32).count() as f64;
            let share = if donor == own { 0.0 } else { 0.25 };
            let expected = share * groups as f64;
            let bound = tolerance::STANDARD_ERRORS * (expected * (1.0 - share)).sqrt();
            assert!(
                (drawn - expected).abs() <= bound,
                "{own} drew {donor} {drawn} times"
            );
        }
    }
    Ok(())
}

/// The uniform replacements of a whole sample in `[0, 1]` by a generator that gives these words.
fn uniform_field(words: [u32; 2]) -> Vec<f64> {
    const N: u16 = 40_000;
    let mut words = words.into_iter().cycle();
    let mut rng = Words(move || words.next().unwrap_or(0));
    let layout = Layout::flat(usize::from(N)).expect("not empty");
    let mask: Vec<u16> = (0..N).collect();
    let mut sample = vec![0.0; usize::from(N)];
    sample[0] = 1.0;
    let mut out = vec![f32::NAN; usize::from(N)];
    replace_features(
        &layout,
        Policy::Uniform,
        &mask,
        &sample,
        None,
        &mut rng,
        &mut out,
    )
    .expect("valid arguments");
    oracle::wide(&out)
}

struct Words<F>(F);

impl<F: FnMut() -> u32> Random for Words<F> {
    fn next_u32(&mut self) -> u32 {
        (self.0)()
    }
}

/// Pearson's, for values uniform in `[0, 1]`, in standard errors.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| (a - 0.5) * (b - 0.5));
    let n = a.len().min(b.len()) as f64;
    products.sum::<f64>() * 12.0 / n.sqrt()
}

#[test]
fn random_replacements_are_independent() {
    let first = uniform_field([1, 2]);
    for lag in [1, 2, 28, 32, 784, 3_072] {
        let found = correlation(&first, &first[lag..]);
        assert!(
            found.abs() < tolerance::STANDARD_ERRORS,
            "{found} at a distance of {lag}"
        );
    }
    // A bit more or less in the generator's first word gives unrelated numbers, in its second
    // other ones.
    for words in [[0, 2], [3, 2], [1 | 1 << 31, 2], [2, 1]] {
        let found = correlation(&first, &uniform_field(words));
        assert!(
            found.abs() < tolerance::STANDARD_ERRORS,
            "{found} for {words:?}"
        );
    }
    for words in [[1, 3], [1, 2 | 1 << 31]] {
        assert_ne!(first, uniform_field(words));
    }
    // Neighbouring seeds and streams, as a batch takes them.
    for rng in [Pcg32::new(1, 0), Pcg32::new(0, 1), Pcg32::new(1 << 32, 0)] {
        let fields = [Pcg32::new(0, 0), rng].map(|mut rng| {
            let words = [Random::next_u32(&mut rng), Random::next_u32(&mut rng)];
            uniform_field(words)
        });
        let found = correlation(&fields[0], &fields[1]);
        assert!(
            found.abs() < tolerance::STANDARD_ERRORS,
            "{found} for {rng:?}"
        );
    }
}
