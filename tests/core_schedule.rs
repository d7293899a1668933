//! Schedules, the adaptive share and the number of masked groups.

#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::{Layout, Masking, Order, Schedule, Scope, adaptive_fraction, masked_count};
use std::f64::consts::PI;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn schedules_equal_their_formulas(
        from in samples::between(-10.0, 10.0),
        to in samples::between(-10.0, 10.0),
        progress in samples::between(0.0, 1.0),
    ) {
        let (start, end, t) = (f64::from(from), f64::from(to), f64::from(progress));
        let cases = [
            (Schedule::Constant(from), start),
            (Schedule::Linear { from, to }, start + (end - start) * t),
            (Schedule::Cosine { from, to }, start + (end - start) * (1.0 - (PI * t).cos()) / 2.0),
        ];
        for (schedule, expected) in cases {
            let found = f64::from(schedule.at(progress)?);
            let slack = tolerance::SCHEDULE * (start.abs() + end.abs());
            prop_assert!((found - expected).abs() <= slack, "{:?}: {} {}", schedule, found, expected);
        }
    }

    #[test]
    fn ramps_start_and_end_exactly(from in samples::between(-10.0, 10.0), to in samples::between(-10.0, 10.0)) {
        for ramp in [Schedule::Linear { from, to }, Schedule::Cosine { from, to }] {
            prop_assert_eq!(ramp.at(0.0)?, from);
            prop_assert_eq!(ramp.at(1.0)?, to);
        }
    }

    #[test]
    fn adaptive_share_lies_between_hard_and_easy(
        hard in samples::between(0.0, 1.0),
        easy in samples::between(0.0, 1.0),
        confidence in samples::between(0.0, 1.0),
    ) {
        let found = f64::from(adaptive_fraction(hard, easy, confidence)?);
        let (low, high) = (f64::from(hard), f64::from(easy));
        let expected = low + (high - low) * f64::from(confidence);
        prop_assert!((found - expected).abs() <= tolerance::SCHEDULE);
        prop_assert!((0.0..=1.0).contains(&found));
        prop_assert_eq!(adaptive_fraction(hard, easy, 0.0)?, hard);
        prop_assert_eq!(adaptive_fraction(hard, easy, 1.0)?, easy);
    }

    #[test]
    fn harder_samples_lose_fewer_features(
        hard in samples::between(0.0, 0.4),
        easy in samples::between(0.5, 1.0),
        sure in samples::between(0.5, 1.0),
        unsure in samples::between(0.0, 0.4),
    ) {
        let fewer = adaptive_fraction(hard, easy, unsure)?;
        prop_assert!(fewer < adaptive_fraction(hard, easy, sure)?);
    }

    #[test]
    fn masked_count_is_the_floor(fraction in samples::between(0.0, 1.0), groups in 0_usize..20_000) {
        let found = masked_count(fraction, groups)?;
        // Both factors have 24 bits: this product is exact.
        let exact = f64::from(fraction) * groups as f64;
        // A product within f32's rounding of a whole number counts as it: 0.7 of 10 is 7.
        let up = (exact * (1.0 + 2.0 * f64::from(f32::EPSILON))).floor() as usize;
        prop_assert!(found <= groups && (found == exact.floor() as usize || found == up));
    }

    #[test]
    fn decimal_shares_lose_no_group(percent in 0_usize..=100, hundreds in 0_usize..200) {
        // The decimal's binary rounding must not cost a group.
        let groups = 100 * hundreds;
        prop_assert_eq!(masked_count(percent as f32 / 100.0, groups)?, percent * hundreds);
    }
}

#[test]
fn masked_counts_of_the_field() -> Result<(), sgt_core::Error> {
    let cases = [
        (0.5, 784, 392),
        (0.5, 3_072, 1_536),
        (0.7, 10, 7),
        (0.1, 1_000, 100),
        (0.3, 1_152, 345),
        (0.21, 300, 63),
        (0.13, 900, 117),
        (1.0, 13, 13),
        (0.0, 13, 0),
        (0.999, 10, 9),
        (0.5, 1, 0),
        (0.5, 0, 0),
    ];
    for (fraction, groups, count) in cases {
        assert_eq!(
            masked_count(fraction, groups)?,
            count,
            "{fraction} of {groups}"
        );
    }
    let layout = Layout::series(100, 6, Order::ChannelsLast, sgt_core::Group::Cell)?;
    let masking = Masking {
        scope: Scope::PerStep,
        fraction: 0.4,
        ..Masking::reference(layout)
    };
    assert_eq!(masking.selected()?, 200);
    Ok(())
}

#[test]
fn the_cosine_ramp_rises_all_the_way() -> Result<(), sgt_core::Error> {
    let ramp = Schedule::Cosine { from: 0.0, to: 1.0 };
    let mut last = 0.0;
    for step in 0..=1_000_i16 {
        let value = ramp.at(f32::from(step) / 1_000.0)?;
        assert!(value >= last, "step {step}");
        last = value;
    }
    Ok(())
}
