//! Feature groups of a sample: the seam to the core's ranking.

use super::{InputShape, SeriesOrder};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sgt_core::{Importance, Layout, Order, rank_features};

/// What is ranked, masked and removed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// The usual one: a pixel of an image, a cell of a series, a token of a text.
    #[default]
    Natural,
    /// All channels of a time step.
    TimeStep,
}

/// The signed value of every group of one sample: the mean over a pixel's colours, the value of a
/// cell, the sum over a token's dimensions.
///
/// # Errors
/// [`Error::Core`] on a wrong length or values that are not finite.
pub fn group_values(layout: &Layout, values: &[f32]) -> Result<Vec<f32>> {
    let mut groups = vec![0.0; layout.groups()];
    rank_features(layout, Importance::Signed, values, &mut groups)?;
    Ok(groups)
}

impl InputShape {
    /// The core's view of one sample of this shape.
    ///
    /// # Errors
    /// [`Error::Core`] when the shape holds no value, [`Error::Argument`] for time steps of
    /// something that is no series.
    pub fn layout(&self, grouping: Grouping) -> Result<Layout> {
        let group = match grouping {
            Grouping::Natural => sgt_core::Group::Cell,
            Grouping::TimeStep => sgt_core::Group::Position,
        };
        let layout = match (*self, grouping) {
            (
                Self::Series {
                    steps,
                    channels,
                    order,
                },
                _,
            ) => {
                let order = match order {
                    SeriesOrder::ChannelsFirst => Order::ChannelsFirst,
                    SeriesOrder::StepsFirst => Order::ChannelsLast,
                };
                Layout::series(steps, channels, order, group)
            }
            (
                Self::Image {
                    channels,
                    height,
                    width,
                },
                Grouping::Natural,
            ) => Layout::image(channels, height, width),
            (Self::Tokens { tokens, dim }, Grouping::Natural) => Layout::text(tokens, dim),
            (_, Grouping::TimeStep) => {
                return Err(Error::Argument {
                    argument: "grouping".into(),
                    found: format!("time-step for samples of shape {:?}", self.dims()),
                    expected: "a series".into(),
                });
            }
        };
        Ok(layout?)
    }
}
