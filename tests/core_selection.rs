//! Selection equals a stable sort; one suite runs both implementations.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;

use proptest::prelude::*;
use sgt_core::{End, Error, Pcg32, Random, Threshold, select_fast, select_fast_len, select_small};

/// What [`select_fast`] looks at to choose its pivots: the order below hides values from it.
const PIVOT_SAMPLE: usize = 32;

fn fast(importance: &[f32], k: usize, end: End) -> Result<Threshold, Error> {
    let mut scratch = vec![0xdead_beef; select_fast_len(importance.len())];
    select_fast(importance, k, end, &mut scratch)
}

/// Orders that make a selection slow or wrong, each of `n` values.
fn orders(n: usize, rng: &mut Pcg32) -> Vec<(&'static str, Vec<f32>)> {
    let draw = |rng: &mut Pcg32| rng.unit() * 2.0 - 1.0;
    let random: Vec<f32> = (0..n).map(|_| draw(rng)).collect();
    let mut sorted = random.clone();
    sorted.sort_by(f32::total_cmp);
    let reversed = sorted.iter().rev().copied().collect();
    let ties = (0..n).map(|_| rng.below(4) as f32 - 1.0).collect();
    let two = (0..n)
        .map(|_| if rng.below(2) == 0 { 1.0 } else { -1.0 })
        .collect();
    let zeros = (0..n)
        .map(|_| if rng.below(2) == 0 { 0.0 } else { -0.0 })
        .collect();
    let denormals = (0..n)
        .map(|_| f32::from_bits(rng.below(4) | rng.below(2) << 31))
        .collect();
    let organ_pipe = (0..n).map(|i| i.min(n - 1 - i) as f32).collect();
    let stride = (n / PIVOT_SAMPLE).max(1);
    let sawtooth = |low: bool| {
        (0..n)
            .map(|i| match (i % stride, low) {
                (0, true) => -1000.0 - i as f32,
                (0, false) => 1000.0 + i as f32,
                (tooth, _) => tooth as f32,
            })
            .collect()
    };
    let bits = (0..n)
        .map(|_| f32::from_bits(Random::next_u32(rng)))
        .map(|value| if value.is_finite() { value } else { 0.0 })
        .collect();
    vec![
        ("random", random),
        ("sorted", sorted),
        ("reversed", reversed),
        ("equal", vec![0.25; n]),
        ("ties", ties),
        ("two values", two),
        ("both zeros", zeros),
        ("denormals", denormals),
        ("organ pipe", organ_pipe),
        ("low sawtooth", sawtooth(true)),
        ("high sawtooth", sawtooth(false)),
        ("any bits", bits),
    ]
}

macro_rules! selection_suite {
    ($name:ident, $select:path) => {
        mod $name {
            use super::*;

            #[track_caller]
            fn check(what: &str, importance: &[f32], k: usize, end: End) {
                let n = importance.len();
                let threshold = $select(importance, k, end).expect("valid arguments");
                assert_eq!(threshold.selected(), k);
                let mut indices = vec![u32::MAX; n];
                let listed = threshold.indices(importance, &mut indices).expect("room");
                let listed: Vec<usize> = listed.iter().map(|&index| index as usize).collect();
                let expected = oracle::selection(importance, k, end);
                assert_eq!(listed, expected, "{what}: {k} of {n}, {end:?}");
                assert!(
                    indices[k..].iter().all(|&index| index == u32::MAX),
                    "{what}"
                );
            }

            #[test]
            fn equals_a_stable_sort_for_every_size() {
                let mut rng = Pcg32::new(1, 1);
                for n in 1..=300 {
                    for (what, importance) in orders(n, &mut rng) {
                        let any = rng.below(n as u32 + 1) as usize;
                        for k in [0, 1, n / 2, n - 1, n, any] {
                            for end in [End::Lowest, End::Highest] {
                                check(what, &importance, k, end);
                            }
                        }
                    }
                }
            }

            #[test]
            fn equals_a_stable_sort_for_every_k() {
                let mut rng = Pcg32::new(2, 1);
                for n in [1, 2, 31, 32, 33, 63, 64, 65, 97] {
                    for (what, importance) in orders(n, &mut rng) {
                        for k in 0..=n {
                            for end in [End::Lowest, End::Highest] {
                                check(what, &importance, k, end);
                            }
                        }
                    }
                }
            }

            #[test]
            fn equals_a_stable_sort_for_large_samples() {
                let mut rng = Pcg32::new(3, 1);
                for n in [784, 1_024, 1_152, 3_072, 12_288, 65_536] {
                    for (what, importance) in orders(n, &mut rng) {
                        for k in [1, n / 10, n / 2, n - 1] {
                            check(what, &importance, k, End::Lowest);
                        }
                        check(what, &importance, n / 3, End::Highest);
                    }
                }
            }

            #[test]
            fn both_zeros_tie() {
                check("zeros", &[0.0, -0.0, 0.0, -0.0], 2, End::Lowest);
                check("zeros", &[0.0, -0.0, 0.0, -0.0], 2, End::Highest);
                check("zeros", &[1e-45, 0.0, -0.0, -1e-45], 3, End::Lowest);
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(512))]
                #[test]
                fn equals_a_stable_sort(
                    importance in prop::collection::vec(samples::awkward(), 1..200),
                    share in samples::share(),
                    end in samples::end(),
                ) {
                    let k = (share * importance.len() as f64).round() as usize;
                    check("property", &importance, k, end);
                }
            }
        }
    };
}

selection_suite!(small_selection, select_small);
selection_suite!(fast_selection, fast);

#[test]
fn both_selections_give_the_same_threshold() {
    let mut rng = Pcg32::new(4, 1);
    for n in [1, 33, 100, 1_000] {
        for (what, importance) in orders(n, &mut rng) {
            for k in [0, 1, n / 2, n] {
                let small = select_small(&importance, k, End::Highest);
                assert_eq!(
                    fast(&importance, k, End::Highest),
                    small,
                    "{what}: {k} of {n}"
                );
            }
        }
    }
}
