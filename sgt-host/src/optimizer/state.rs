//! What an optimizer remembers between steps.

use crate::{Error, Result};

/// One flat buffer of an optimizer, aligned with the parameters it was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSlot {
    /// `momentum`, `first-moment`, `second-moment`, `square-average`, `gradient-average` or
    /// `square-update`.
    pub name: String,
    /// One value a parameter.
    pub values: Vec<f32>,
}

/// Everything an optimizer remembers: written out and given to
/// [`Optimizer::restore`](super::Optimizer::restore), training goes on bit for bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// The number of steps taken.
    pub step: u64,
    /// The rule's buffers, all zero before the first step.
    pub slots: Vec<StateSlot>,
}

impl OptimizerState {
    /// Zero steps, buffers of zeros.
    pub(super) fn new(names: &[&str], parameter_count: usize) -> Self {
        let slot = |name: &&str| StateSlot {
            name: (*name).to_owned(),
            values: vec![0.0; parameter_count],
        };
        Self {
            step: 0,
            slots: names.iter().map(slot).collect(),
        }
    }

    /// Checks that `other` has the same buffers, in name, order and length.
    pub(super) fn check_alike(&self, other: &Self) -> Result<()> {
        let describe = |state: &Self| {
            let slots = state.slots.iter();
            let slots: Vec<_> = slots
                .map(|slot| format!("{} [{}]", slot.name, slot.values.len()))
                .collect();
            format!("[{}]", slots.join(", "))
        };
        let (found, expected) = (describe(other), describe(self));
        if found == expected {
            return Ok(());
        }
        Err(Error::Argument {
            argument: "optimizer state".into(),
            found,
            expected,
        })
    }
}
