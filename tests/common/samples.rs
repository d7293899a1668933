//! Arguments for the property tests.
#![allow(dead_code, unreachable_pub)] // every test binary uses its own part

use proptest::prelude::*;
use sgt_core::{End, Group, Importance, Layout, Masking, Order, Policy, Reduction, Scope};

/// Uniform in `[low, high]`, both ends included. (proptest's own ranges of floats can fail an
/// assertion of theirs.)
pub fn between(low: f32, high: f32) -> impl Strategy<Value = f32> + Clone {
    const STEPS: u32 = 1 << 24;
    (0..=STEPS).prop_map(move |step| {
        let share = step as f32 / STEPS as f32;
        low * (1.0 - share) + high * share
    })
}

/// Uniform in `[0, 1]`.
pub fn share() -> impl Strategy<Value = f64> + Clone {
    between(0.0, 1.0).prop_map(f64::from)
}

/// Any finite value, the ones that comparisons stumble over, and small integers, which tie.
pub fn awkward() -> impl Strategy<Value = f32> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
    ]);
    prop_oneof![
        2 => POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        3 => special,
        5 => (-3_i8..=3).prop_map(f32::from),
    ]
}

/// Gradients whose sums are finite: ties, both zeros, denormals and ordinary values.
pub fn gradient_value() -> impl Strategy<Value = f32> {
    let special = prop::sample::select(vec![0.0, -0.0, 1e-45, -1e-45]);
    prop_oneof![
        2 => special,
        4 => (-3_i8..=3).prop_map(f32::from),
        4 => between(-10.0, 10.0),
    ]
}

/// A sample value, never zero.
pub fn sample_value() -> impl Strategy<Value = f32> {
    prop_oneof![between(-100.0, -0.01), between(0.01, 100.0)]
}

pub fn end() -> impl Strategy<Value = End> {
    prop::sample::select(vec![End::Lowest, End::Highest])
}

/// Every kind of layout, padded or not. Some have more channels than the replacement holds
/// statistics for at a time.
pub fn layout() -> impl Strategy<Value = Layout> {
    let order = prop::sample::select(vec![Order::ChannelsFirst, Order::ChannelsLast]);
    let group = prop::sample::select(vec![Group::Position, Group::Cell]);
    let reduction = prop::sample::select(vec![Reduction::Mean, Reduction::Sum]);
    let sizes = prop_oneof![
        6 => (1_usize..12, 1_usize..6),
        1 => (1_usize..6, 15_usize..35),
    ];
    let padding = (any::<bool>(), share(), share());
    (sizes, order, group, reduction, padding).prop_map(
        |((positions, channels), order, group, reduction, (padded, first, valid))| {
            let layout = Layout::new(positions, channels, order, group, reduction).unwrap();
            if !padded {
                return layout;
            }
            let first = (first * positions as f64) as usize;
            let room = positions - first;
            let valid = 1 + (valid * room as f64) as usize;
            layout.with_valid(first, valid.min(room)).unwrap()
        },
    )
}

pub fn importance_kind() -> impl Strategy<Value = Importance> {
    prop::sample::select(vec![Importance::Signed, Importance::Absolute])
}

/// Every way of masking a layout, with the uniform policy.
pub fn masking() -> impl Strategy<Value = Masking> {
    let fraction = prop_oneof![
        1 => Just(0.0_f32),
        1 => Just(1.0),
        2 => Just(0.5),
        6 => between(0.0, 1.0),
    ];
    (layout(), importance_kind(), any::<bool>(), end(), fraction).prop_map(
        |(layout, importance, per_step, end, fraction)| Masking {
            layout,
            importance,
            scope: if per_step && layout.group() == Group::Cell {
                Scope::PerStep
            } else {
                Scope::Sample
            },
            end,
            fraction,
            policy: Policy::Uniform,
        },
    )
}

/// A masking, a gradient and a batch of three samples, the second of which is the masked one.
pub fn masking_case() -> impl Strategy<Value = (Masking, Vec<f32>, Vec<f32>, u64)> {
    masking().prop_flat_map(|masking| {
        let length = masking.layout.sample_len();
        (
            Just(masking),
            prop::collection::vec(gradient_value(), length),
            prop::collection::vec(sample_value(), 3 * length),
            any::<u64>(),
        )
    })
}

/// Logits as networks give them, and extreme ones.
pub fn logits(classes: usize) -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![
        6 => between(-8.0, 8.0),
        2 => between(-100.0, 100.0),
        1 => prop::sample::select(vec![-100.0, 100.0, 0.0]),
    ];
    prop::collection::vec(value, classes)
}
