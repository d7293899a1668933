//! What a configuration holds is read and written under its kebab-case name.

use serde_json::{Value, from_value, json, to_value};
use sgt_core::{
    Bounds, End, Goal, Group, Importance, MomentumScale, Norm, Order, Policy, Reduction, Scope,
};

/// Checks that `value` is written as `written`, and read from it.
#[track_caller]
fn assert_written<T>(value: &T, written: Value)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(to_value(value).unwrap(), written);
    assert_eq!(from_value::<T>(written).unwrap(), *value);
}

#[test]
fn choices_bear_their_names() {
    assert_written(&Importance::Signed, json!("signed"));
    assert_written(&Importance::Absolute, json!("absolute"));
    assert_written(&Scope::Sample, json!("sample"));
    assert_written(&Scope::PerStep, json!("per-step"));
    assert_written(&Group::Position, json!("position"));
    assert_written(&Group::Cell, json!("cell"));
    assert_written(&Order::ChannelsFirst, json!("channels-first"));
    assert_written(&Order::ChannelsLast, json!("channels-last"));
    assert_written(&Reduction::Mean, json!("mean"));
    assert_written(&Reduction::Sum, json!("sum"));
    assert_written(&End::Lowest, json!("lowest"));
    assert_written(&End::Highest, json!("highest"));
    assert_written(&Norm::Linf, json!("linf"));
    assert_written(&Norm::L2, json!("l2"));
    assert_written(&Goal::Untargeted, json!("untargeted"));
    assert_written(&Goal::Targeted, json!("targeted"));
    assert_written(&MomentumScale::MeanAbsolute, json!("mean-absolute"));
    assert_written(&MomentumScale::L1, json!("l1"));
    assert_written(&Bounds::UNIT, json!({ "low": 0.0, "high": 1.0 }));
}

#[test]
fn policies_bear_their_names_and_parameters() {
    assert_written(&Policy::Uniform, json!("uniform"));
    assert_written(&Policy::Zero, json!("zero"));
    assert_written(&Policy::Constant(0.5), json!({ "constant": 0.5 }));
    assert_written(&Policy::Mean, json!("mean"));
    let (mean, std) = (0.0, 1.0);
    let written = json!({ "gaussian": { "mean": 0.0, "std": 1.0 } });
    assert_written(&Policy::Gaussian { mean, std }, written);
    assert_written(&Policy::Background, json!("background"));
    assert_written(&Policy::Permute, json!("permute"));
    assert_written(&Policy::PreviousSalient, json!("previous-salient"));
}

#[test]
fn what_is_unknown_is_refused() {
    assert!(from_value::<Importance>(json!("Signed")).is_err());
    let misspelt = json!({ "gaussian": { "mean": 0.0, "std": 1.0, "sd": 1.0 } });
    assert!(from_value::<Policy>(misspelt).is_err());
    assert!(from_value::<Policy>(json!("constant")).is_err());
}
