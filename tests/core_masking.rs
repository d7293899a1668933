//! Rank, select and replace in one call: exactly the chosen groups change.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;

use proptest::prelude::*;
use sgt_core::{
    Donors, End, Group, Importance, Layout, Masking, Order, Pcg32, Policy, Random, Scope,
    Threshold, Workspace, mask, mask_sample, mask_sample_len, mask_sample_small,
    mask_sample_small_len, rank_features, replace_features, select_small,
};

/// What a masking call made; the groups are ascending.
#[derive(Debug, PartialEq)]
struct Outcome {
    groups: Vec<usize>,
    bits: Vec<u32>,
    rng: Pcg32,
}

fn fast(masking: &Masking, gradient: &[f32], batch: &[f32], seed: u64) -> Outcome {
    let (sample, donors) = second(masking, batch);
    let mut rng = Pcg32::new(seed, 0);
    let mut scratch = vec![0xdead_beef; mask_sample_len(masking)];
    let mut out = vec![f32::NAN; sample.len()];
    let groups = mask_sample(
        masking,
        gradient,
        sample,
        donors,
        &mut rng,
        &mut scratch,
        &mut out,
    )
    .expect("valid arguments");
    Outcome {
        groups: groups.iter().collect(),
        bits: oracle::bits(&out),
        rng,
    }
}

fn small(masking: &Masking, gradient: &[f32], batch: &[f32], seed: u64) -> Outcome {
    let (sample, donors) = second(masking, batch);
    let mut rng = Pcg32::new(seed, 0);
    let mut indices = vec![0xdead_u16; mask_sample_small_len(masking)];
    let mut out = vec![f32::NAN; sample.len()];
    let groups = mask_sample_small(
        masking,
        gradient,
        sample,
        donors,
        &mut rng,
        &mut indices,
        &mut out,
    )
    .expect("valid arguments");
    let mut groups: Vec<usize> = groups.iter().map(|&group| usize::from(group)).collect();
    // Step after step in scope `per-step`.
    assert_eq!(groups, oracle::masked_groups(masking, gradient));
    groups.sort_unstable();
    Outcome {
        groups,
        bits: oracle::bits(&out),
        rng,
    }
}

/// The second sample of a batch, with the batch as donors.
fn second<'b>(masking: &Masking, batch: &'b [f32]) -> (&'b [f32], Option<Donors<'b>>) {
    let length = masking.layout.sample_len();
    let sample = &batch[length..2 * length];
    (sample, Some(Donors { batch, own: 1 }))
}

fn policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(vec![
        Policy::Uniform,
        Policy::Zero,
        Policy::Constant(7.5),
        Policy::Mean,
        Policy::Gaussian {
            mean: 1.0,
            std: 2.0,
        },
        Policy::Background,
        Policy::Permute,
        Policy::PreviousSalient,
    ])
}

/// Whether the policy has a meaning for the masking; `previous-salient` must keep a position.
fn fits(masking: &Masking, policy: Policy) -> bool {
    let selected = masking.selected().expect("a fraction in [0, 1]");
    policy != Policy::PreviousSalient
        || masking.layout.group() == Group::Position && selected < masking.layout.groups()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn chosen_groups_are_those_of_a_stable_sort(
        (masking, gradient, batch, seed) in samples::masking_case(),
    ) {
        let mut expected = oracle::masked_groups(&masking, &gradient);
        expected.sort_unstable();
        prop_assert_eq!(masking.selected()?, expected.len());
        prop_assert_eq!(fast(&masking, &gradient, &batch, seed).groups, expected.clone());
        prop_assert_eq!(small(&masking, &gradient, &batch, seed).groups, expected);
    }

    #[test]
    fn exactly_the_chosen_groups_change(
        (masking, gradient, batch, seed) in samples::masking_case(),
    ) {
        // No sample holds what these put in its place.
        let surely_other = [
            Policy::Zero,
            Policy::Constant(5_000.0),
            Policy::Gaussian { mean: 5_000.0, std: 1.0 },
        ];
        let expected = oracle::masked_groups(&masking, &gradient);
        let groups = oracle::groups(&masking.layout);
        let replaced: Vec<usize> = expected.iter().flat_map(|&group| groups[group].clone()).collect();
        let before = oracle::bits(second(&masking, &batch).0);
        for policy in surely_other {
            let masking = Masking { policy, ..masking };
            for outcome in [
                fast(&masking, &gradient, &batch, seed),
                small(&masking, &gradient, &batch, seed),
            ] {
                for (offset, (before, after)) in before.iter().zip(&outcome.bits).enumerate() {
                    prop_assert_eq!(before != after, replaced.contains(&offset), "{}", offset);
                }
            }
        }
    }

    #[test]
    fn fast_and_small_give_the_same(
        (masking, gradient, batch, seed) in samples::masking_case(),
        policy in policy(),
    ) {
        prop_assume!(fits(&masking, policy));
        let masking = Masking { policy, ..masking };
        let of_fast = fast(&masking, &gradient, &batch, seed);
        prop_assert_eq!(&of_fast, &small(&masking, &gradient, &batch, seed));

        let mut workspace = Workspace::<256>::new();
        let (sample, donors) = second(&masking, &batch);
        let mut rng = Pcg32::new(seed, 0);
        let masked = workspace.mask(&masking, &gradient, sample, donors, &mut rng)?;
        let mut groups: Vec<usize> =
            masked.indices.iter().map(|&group| usize::from(group)).collect();
        groups.sort_unstable();
        let owned = Outcome {
            groups,
            bits: oracle::bits(masked.values),
            rng,
        };
        prop_assert_eq!(owned, of_fast);
    }

    #[test]
    fn one_call_is_rank_select_replace(
        (masking, gradient, batch, seed) in samples::masking_case(),
        policy in policy(),
    ) {
        prop_assume!(masking.scope == Scope::Sample && fits(&masking, policy));
        let masking = Masking { policy, ..masking };
        let layout = &masking.layout;
        let mut importance = vec![0.0; layout.groups()];
        rank_features(layout, masking.importance, &gradient, &mut importance)?;
        let threshold: Threshold = select_small(&importance, masking.selected()?, masking.end)?;
        let mut indices = vec![0_u32; threshold.selected()];
        let indices = threshold.indices(&importance, &mut indices)?;
        let (sample, donors) = second(&masking, &batch);
        let mut rng = Pcg32::new(seed, 0);
        let mut out = vec![0.0; sample.len()];
        replace_features(layout, policy, indices, sample, donors, &mut rng, &mut out)?;
        let steps = Outcome {
            groups: indices.iter().map(|&group| group as usize).collect(),
            bits: oracle::bits(&out),
            rng,
        };
        prop_assert_eq!(steps, fast(&masking, &gradient, &batch, seed));
    }

    #[test]
    fn the_selected_groups_have_every_form_of_a_mask(
        (masking, gradient, batch, _) in samples::masking_case(),
    ) {
        let (sample, donors) = second(&masking, &batch);
        let mut scratch = vec![0; mask_sample_len(&masking) + 3];
        let mut out = vec![0.0; sample.len()];
        let mut rng = Pcg32::new(0, 0);
        let selected =
            mask_sample(&masking, &gradient, sample, donors, &mut rng, &mut scratch, &mut out)?;
        let mut expected = oracle::masked_groups(&masking, &gradient);
        expected.sort_unstable();
        prop_assert_eq!(selected.count(), expected.len());
        let groups = masking.layout.groups();
        let (mut narrow, mut wide) = (vec![7_u16; groups], vec![7_u32; groups]);
        let narrow = selected.indices(&mut narrow)?;
        prop_assert!(narrow.iter().map(|&group| usize::from(group)).eq(expected.iter().copied()));
        let wide = selected.indices(&mut wide)?;
        prop_assert!(wide.iter().map(|&group| group as usize).eq(expected.iter().copied()));
        let mut words = vec![u32::MAX; mask::bit_words(groups)];
        selected.bits(&mut words)?;
        let marked = (0..32 * words.len()).filter(|&group| mask::is_selected(&words, group));
        prop_assert!(marked.eq(expected.iter().copied()));
    }

    #[test]
    fn relabelling_features_relabels_the_mask(
        positions in 1_usize..40,
        channels in 1_usize..4,
        last in any::<bool>(),
        cells in any::<bool>(),
        fraction in samples::between(0.0, 1.0),
        end in samples::end(),
        seed in any::<u64>(),
    ) {
        let order = if last { Order::ChannelsLast } else { Order::ChannelsFirst };
        let group = if cells { Group::Cell } else { Group::Position };
        let masking = Masking {
            fraction,
            end,
            policy: Policy::Zero,
            ..Masking::reference(Layout::series(positions, channels, order, group)?)
        };
        let groups = oracle::groups(&masking.layout);
        let mut rng = Pcg32::new(seed, 0);
        // Distinct importances, in a random order.
        let ranks = shuffled(groups.len(), &mut rng);
        let relabel = shuffled(groups.len(), &mut rng);
        let length = masking.layout.sample_len();
        let (mut gradient, mut relabelled) = (vec![0.0; length], vec![0.0; length]);
        for (label, &rank) in ranks.iter().enumerate() {
            for (&from, &to) in groups[label].iter().zip(&groups[relabel[label]]) {
                gradient[from] = rank as f32 - 10.0;
                relabelled[to] = gradient[from];
            }
        }
        let batch = vec![1.0; 3 * length];
        let mut expected: Vec<usize> = fast(&masking, &gradient, &batch, 0)
            .groups
            .into_iter()
            .map(|label| relabel[label])
            .collect();
        expected.sort_unstable();
        prop_assert_eq!(fast(&masking, &relabelled, &batch, 0).groups, expected);
    }

    #[test]
    fn padding_keeps_its_bits_and_is_not_ranked(
        (masking, gradient, batch, seed) in samples::masking_case(),
    ) {
        let masking = Masking { policy: Policy::Constant(5_000.0), ..masking };
        let real: Vec<usize> = oracle::groups(&masking.layout).concat();
        let length = masking.layout.sample_len();
        let poison = |values: &[f32]| -> Vec<f32> {
            let places = values.iter().enumerate();
            places
                .map(|(at, &value)| if real.contains(&(at % length)) { value } else { f32::NAN })
                .collect()
        };
        let clean = fast(&masking, &gradient, &batch, seed);
        let poisoned = fast(&masking, &poison(&gradient), &poison(&batch), seed);
        prop_assert_eq!(&poisoned.groups, &clean.groups);
        for offset in 0..length {
            let padding = !real.contains(&offset);
            let expected = if padding { f32::NAN.to_bits() } else { clean.bits[offset] };
            prop_assert_eq!(poisoned.bits[offset], expected);
        }
    }
}

fn shuffled(length: usize, rng: &mut Pcg32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    for last in (1..length).rev() {
        order.swap(last, rng.below(last as u32 + 1) as usize);
    }
    order
}

#[test]
fn large_samples_of_the_field() -> Result<(), sgt_core::Error> {
    let layouts = [
        Layout::image(1, 28, 28)?,
        Layout::image(3, 32, 32)?,
        Layout::image(3, 64, 64)?,
        Layout::series(128, 9, Order::ChannelsLast, Group::Cell)?,
        Layout::series(128, 9, Order::ChannelsFirst, Group::Cell)?,
        Layout::series(128, 9, Order::ChannelsFirst, Group::Cell)?.with_valid(28, 100)?,
        Layout::text(50, 300)?,
    ];
    let mut rng = Pcg32::new(5, 0);
    for layout in layouts {
        for importance in [Importance::Signed, Importance::Absolute] {
            let mut draw = |_| rng.standard_normal();
            let gradient: Vec<f32> = (0..layout.sample_len()).map(&mut draw).collect();
            let batch: Vec<f32> = (0..3 * layout.sample_len()).map(&mut draw).collect();
            let masking = Masking {
                importance,
                ..Masking::reference(layout)
            };
            let expected = oracle::masked_groups(&masking, &gradient);
            let of_fast = fast(&masking, &gradient, &batch, 1);
            assert_eq!(of_fast.groups, expected);
            assert_eq!(small(&masking, &gradient, &batch, 1), of_fast);
        }
    }
    Ok(())
}

#[test]
fn reference_masking_is_the_published_one() -> Result<(), sgt_core::Error> {
    let masking = Masking::reference(Layout::image(1, 28, 28)?);
    assert_eq!(masking.importance, Importance::Signed);
    assert_eq!(masking.scope, Scope::Sample);
    assert_eq!(masking.end, End::Lowest);
    assert_eq!(masking.policy, Policy::Uniform);
    assert_eq!(masking.selected()?, 392);
    Ok(())
}

#[test]
fn many_channels_are_replaced_alike_by_both_implementations() -> Result<(), sgt_core::Error> {
    const POSITIONS: usize = 11;
    for channels in [2, 9, 16, 31, 32, 33, 50, 65] {
        let length = POSITIONS * channels;
        let mut rng = Pcg32::new(channels as u64, 1);
        let batch: Vec<f32> = (0..2 * length).map(|_| rng.unit() - 0.3).collect();
        let smooth: Vec<f32> = (0..length).map(|_| rng.unit() - 0.5).collect();
        let tied: Vec<f32> = smooth.iter().map(|value| (value * 4.0).round()).collect();
        for order in [Order::ChannelsFirst, Order::ChannelsLast] {
            let layout = Layout::series(POSITIONS, channels, order, Group::Cell)?;
            let masking = Masking {
                policy: Policy::Uniform,
                ..Masking::reference(layout)
            };
            for gradient in [&smooth, &tied] {
                assert_eq!(
                    fast(&masking, gradient, &batch, 5),
                    small(&masking, gradient, &batch, 5),
                    "{channels} channels, {order:?}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn scratch_lengths_are_bytes_a_feature() -> Result<(), sgt_core::Error> {
    let masking = Masking::reference(Layout::flat(3_072)?);
    assert_eq!(mask_sample_len(&masking), 3_072);
    assert_eq!(mask_sample_small_len(&masking), 1_536);
    Ok(())
}
