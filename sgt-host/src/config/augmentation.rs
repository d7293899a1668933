//! How training samples are varied.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the samples of a batch are varied each time they are trained on, before anything is attacked or
/// masked; nothing by default. Padding, validation and test part are left alone.
///
/// Of series (Um et al. 2017, "Data augmentation of wearable sensor data"), in the order of the fields:
/// jitter, scaling, rotation, time shift. Of images: jitter, shift, flip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Augmentation {
    /// The standard deviation of Gaussian noise on every value: in training deviations for series, in
    /// the input's unit for images, where the bounds hold.
    #[serde(skip_serializing_if = "is_off")]
    pub jitter: f32,
    /// The standard deviation of a factor around 1, drawn for every channel of a sample.
    #[serde(skip_serializing_if = "is_off")]
    pub scaling: f32,
    /// The largest angle, in degrees, by which each triple of channels (1 to 3, 4 to 6, …: the axes of a
    /// sensor) is turned about an axis drawn for the sample. In the input's units.
    #[serde(skip_serializing_if = "is_off")]
    pub rotation: f32,
    /// The largest share of its steps that a series is moved by in time; the value at the end is
    /// repeated.
    #[serde(skip_serializing_if = "is_off")]
    pub time_shift: f32,
    /// The most pixels that an image is moved by along either axis; 0 comes in at the edge.
    #[serde(skip_serializing_if = "is_zero")]
    pub shift: usize,
    /// Whether half of the images, drawn, are mirrored left to right.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flip: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_off(value: &f32) -> bool {
    *value == 0.0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl Augmentation {
    /// True when nothing is varied.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Argument`] with the key.
    pub(super) fn check(&self) -> Result<()> {
        let bounds = [
            (
                "jitter",
                self.jitter,
                f32::MAX,
                "a finite number, 0 or more",
            ),
            ("scaling", self.scaling, 1.0, "a number from 0 to 1"),
            ("rotation", self.rotation, 180.0, "degrees from 0 to 180"),
            ("time-shift", self.time_shift, 1.0, "a share from 0 to 1"),
        ];
        for (key, value, most, expected) in bounds {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Argument {
                    argument: format!("augmentation.{key}"),
                    found: value.to_string(),
                    expected: expected.into(),
                });
            }
        }
        Ok(())
    }
}
