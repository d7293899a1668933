//! A number that may change from epoch to epoch.

use crate::strict;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number, or a ramp between two numbers: `0.5`, or
/// `{ from = 0.1, to = 0.5, ramp = "linear", epochs = 10 }`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EpochSchedule {
    /// The same in every epoch.
    Constant(f32),
    /// From `from` in the first epoch to `to` after `epochs` epochs, then `to`.
    Ramp {
        /// The first epoch's value.
        from: f32,
        /// The last value.
        to: f32,
        /// The shape in between.
        ramp: Ramp,
        /// The length, 1 or more.
        epochs: usize,
    },
}

/// The shape of a [`EpochSchedule::Ramp`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ramp {
    /// A straight line.
    #[default]
    Linear,
    /// Half a cosine: flat at both ends.
    Cosine,
}

impl EpochSchedule {
    /// The value after `epoch` finished epochs.
    pub fn at(&self, epoch: usize) -> f32 {
        let (schedule, to, epochs) = match *self {
            Self::Constant(value) => return value,
            Self::Ramp {
                from,
                to,
                ramp: Ramp::Linear,
                epochs,
            } => (sgt_core::Schedule::Linear { from, to }, to, epochs),
            Self::Ramp {
                from,
                to,
                ramp: Ramp::Cosine,
                epochs,
            } => (sgt_core::Schedule::Cosine { from, to }, to, epochs),
        };
        let progress = (epoch as f32 / epochs.max(1) as f32).min(1.0);
        // Both ends are finite: checked when the configuration was read.
        schedule.at(progress).unwrap_or(to)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    from: f32,
    to: f32,
    #[serde(default)]
    ramp: Ramp,
    epochs: usize,
}

impl Serialize for EpochSchedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Constant(value) => serializer.serialize_f32(value),
            Self::Ramp {
                from,
                to,
                ramp,
                epochs,
            } => Table {
                from,
                to,
                ramp,
                epochs,
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for EpochSchedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScheduleVisitor)
    }
}

struct ScheduleVisitor;

impl<'de> Visitor<'de> for ScheduleVisitor {
    type Value = EpochSchedule;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number or { from, to, ramp, epochs }")
    }

    fn visit_f64<E>(self, value: f64) -> Result<EpochSchedule, E> {
        Ok(EpochSchedule::Constant(value as f32))
    }

    fn visit_i64<E>(self, value: i64) -> Result<EpochSchedule, E> {
        Ok(EpochSchedule::Constant(value as f32))
    }

    fn visit_u64<E>(self, value: u64) -> Result<EpochSchedule, E> {
        Ok(EpochSchedule::Constant(value as f32))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EpochSchedule, A::Error> {
        let Table {
            from,
            to,
            ramp,
            epochs,
        } = strict::from_map(map)?;
        Ok(EpochSchedule::Ramp {
            from,
            to,
            ramp,
            epochs,
        })
    }
}
