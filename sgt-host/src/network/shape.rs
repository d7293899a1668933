//! The shape of one sample's activations between two layers.

use super::InputShape;
use std::fmt::{Display, Formatter};

/// What flows from layer to layer. In memory positions come first and channels are innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `[features]`.
    Vector {
        /// Values.
        features: usize,
    },
    /// `[steps, channels]`: time series and tokens.
    Series {
        /// Positions.
        steps: usize,
        /// Values a step.
        channels: usize,
    },
    /// `[height, width, channels]`.
    Image {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Values a pixel.
        channels: usize,
    },
}

impl Shape {
    /// What the first layer reads of `input`.
    pub const fn of_input(input: InputShape) -> Self {
        match input {
            InputShape::Image {
                channels,
                height,
                width,
            } => Self::Image {
                height,
                width,
                channels,
            },
            InputShape::Series {
                steps, channels, ..
            } => Self::Series { steps, channels },
            InputShape::Tokens { tokens, dim } => Self::Series {
                steps: tokens,
                channels: dim,
            },
        }
    }

    /// Values of a sample; the largest number there is when they cannot be counted.
    pub const fn len(&self) -> usize {
        self.positions().saturating_mul(self.channels())
    }

    /// True when a sample holds no value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixels or steps; 1 for a vector.
    pub const fn positions(&self) -> usize {
        let [height, width] = self.size();
        height.saturating_mul(width)
    }

    /// Values at each position; all of a vector's.
    pub const fn channels(&self) -> usize {
        match *self {
            Self::Vector { features } => features,
            Self::Series { channels, .. } | Self::Image { channels, .. } => channels,
        }
    }

    /// `[height, width]`; a series has height 1, a vector one position.
    pub const fn size(&self) -> [usize; 2] {
        match *self {
            Self::Vector { .. } => [1, 1],
            Self::Series { steps, .. } => [1, steps],
            Self::Image { height, width, .. } => [height, width],
        }
    }

    /// The same kind of shape with other positions and channels. `size` has height 1 for a series.
    #[must_use]
    pub(crate) const fn resized(&self, size: [usize; 2], channels: usize) -> Self {
        match self {
            Self::Vector { .. } => Self::Vector { features: channels },
            Self::Series { .. } => Self::Series {
                steps: size[1],
                channels,
            },
            Self::Image { .. } => Self::Image {
                height: size[0],
                width: size[1],
                channels,
            },
        }
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Vector { features } => write!(f, "a vector of {features} values"),
            Self::Series { steps, channels } => {
                write!(f, "a series of {steps} steps and {channels} channels")
            }
            Self::Image {
                height,
                width,
                channels,
            } => write!(
                f,
                "an image of {height} × {width} pixels and {channels} channels"
            ),
        }
    }
}
