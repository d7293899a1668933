//! All values of an image or a series in one vector.

use super::{Misfit, Rule};
use crate::Result;
use crate::network::Shape;
use crate::network::engine::{Place, Reorder};
use serde::{Deserialize, Serialize};

/// Makes a vector of an image or a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Flatten {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The order of the values.
    #[serde(default, skip_serializing_if = "FlattenOrder::is_channels_first")]
    pub order: FlattenOrder,
}

/// The order of a flattened sample's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlattenOrder {
    /// Channel after channel: PyTorch's `flatten` behind convolutions.
    #[default]
    ChannelsFirst,
    /// Position after position: PyTorch's `flatten` behind recurrent layers, Keras'.
    ChannelsLast,
}

impl FlattenOrder {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_channels_first(&self) -> bool {
        *self == Self::ChannelsFirst
    }
}

impl Rule for Flatten {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        let features = input.len();
        Ok(Shape::Vector { features })
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let (positions, channels) = (place.input.positions(), place.input.channels());
        if self.order == FlattenOrder::ChannelsFirst && positions > 1 && channels > 1 {
            place.push(Reorder {
                rows: positions,
                columns: channels,
            });
        }
    }
}
