//! What one sample looks like.

use serde::{Deserialize, Serialize};

/// The kind of data; each has defaults of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Images.
    Image,
    /// Multivariate series.
    Series,
}

/// Which axis of a series is the outer one in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeriesOrder {
    /// `[channels, steps]`: PyTorch's convolutions.
    ChannelsFirst,
    /// `[steps, channels]`: PyTorch's recurrent networks, and the engine's own order.
    #[default]
    StepsFirst,
}

/// The shape and meaning of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum InputShape {
    /// `[channels, height, width]`.
    Image {
        /// Colour channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A multivariate series, in the memory order that `order` says.
    Series {
        /// Time steps.
        steps: usize,
        /// Channels (sensors).
        channels: usize,
        /// Memory order.
        #[serde(default)]
        order: SeriesOrder,
    },
    /// `[tokens, dim]`: embedded text.
    Tokens {
        /// Tokens a sample.
        tokens: usize,
        /// Embedding dimensions.
        dim: usize,
    },
}

impl InputShape {
    /// An image.
    pub const fn image(channels: usize, height: usize, width: usize) -> Self {
        Self::Image {
            channels,
            height,
            width,
        }
    }

    /// A series `[steps, channels]`.
    pub const fn series(steps: usize, channels: usize) -> Self {
        Self::Series {
            steps,
            channels,
            order: SeriesOrder::StepsFirst,
        }
    }

    /// Embedded text.
    pub const fn tokens(tokens: usize, dim: usize) -> Self {
        Self::Tokens { tokens, dim }
    }

    /// The number of values in one sample.
    pub const fn len(&self) -> usize {
        self.positions() * self.channels()
    }

    /// True when a sample holds no value.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixels, time steps or tokens.
    pub const fn positions(&self) -> usize {
        match *self {
            Self::Image { height, width, .. } => height * width,
            Self::Series { steps, .. } => steps,
            Self::Tokens { tokens, .. } => tokens,
        }
    }

    /// Values at each position: colours, sensors or embedding dimensions.
    pub const fn channels(&self) -> usize {
        match *self {
            Self::Image { channels, .. } | Self::Series { channels, .. } => channels,
            Self::Tokens { dim, .. } => dim,
        }
    }

    /// True when a channel's values are neighbours in memory, false when a position's are.
    pub const fn is_channels_first(&self) -> bool {
        match self {
            Self::Image { .. } => true,
            Self::Series { order, .. } => matches!(order, SeriesOrder::ChannelsFirst),
            Self::Tokens { .. } => false,
        }
    }

    /// `value = f(value, a, b)` for every value of whole samples, with the `a` and `b` of its channel.
    pub(crate) fn map_channels(
        &self,
        samples: &mut [f32],
        [a, b]: [&[f32]; 2],
        f: impl Fn(f32, f32, f32) -> f32,
    ) {
        if self.is_channels_first() {
            for sample in samples.chunks_exact_mut(self.len()) {
                let planes = sample.chunks_exact_mut(self.positions());
                for (plane, (&a, &b)) in planes.zip(a.iter().zip(b)) {
                    for value in plane {
                        *value = f(*value, a, b);
                    }
                }
            }
        } else {
            for position in samples.chunks_exact_mut(self.channels()) {
                for (value, (&a, &b)) in position.iter_mut().zip(a.iter().zip(b)) {
                    *value = f(*value, a, b);
                }
            }
        }
    }

    /// Where the value of `channel` at `position` lies in a sample.
    pub const fn place(&self, position: usize, channel: usize) -> usize {
        if self.is_channels_first() {
            channel * self.positions() + position
        } else {
            position * self.channels() + channel
        }
    }

    /// The position and the channel of the value at `place` in a sample.
    pub const fn position_and_channel(&self, place: usize) -> (usize, usize) {
        if self.is_channels_first() {
            (place % self.positions(), place / self.positions())
        } else {
            (place / self.channels(), place % self.channels())
        }
    }

    /// The values of one sample of this shape in the memory order of `to`, the same shape but for
    /// that order.
    pub fn reorder(&self, values: &[f32], to: Self) -> Vec<f32> {
        let value = |place| {
            let (position, channel) = to.position_and_channel(place);
            values[self.place(position, channel)]
        };
        (0..values.len()).map(value).collect()
    }

    /// The kind whose defaults hold; embedded text takes those of series.
    pub const fn kind(&self) -> DataKind {
        match self {
            Self::Image { .. } => DataKind::Image,
            Self::Series { .. } | Self::Tokens { .. } => DataKind::Series,
        }
    }

    /// What a sample is called: image, series or text.
    pub const fn noun(&self) -> &'static str {
        match self {
            Self::Image { .. } => "image",
            Self::Series { .. } => "series",
            Self::Tokens { .. } => "text",
        }
    }

    /// What a person calls where the value at `place` lies. `names` are those of a series'
    /// channels or a text's tokens; what they leave out is numbered from 1.
    pub fn place_name(&self, place: usize, names: &[String]) -> String {
        let (position, channel) = self.position_and_channel(place);
        match *self {
            Self::Image { width, .. } => {
                let (row, column) = (position / width, position % width);
                format!("row {}, column {}", row + 1, column + 1)
            }
            Self::Series { .. } => {
                format!("{}, step {}", self.lane_name(channel, names), position + 1)
            }
            Self::Tokens { .. } => self.lane_name(position, names),
        }
    }

    /// The name of a series' channel or a text's token, its number where `names` leaves it out.
    pub fn lane_name(&self, index: usize, names: &[String]) -> String {
        let word = match self {
            Self::Tokens { .. } => "token",
            Self::Image { .. } | Self::Series { .. } => "channel",
        };
        let numbered = || format!("{word} {}", index + 1);
        names.get(index).cloned().unwrap_or_else(numbered)
    }

    /// The same series in another memory order; images and tokens have only one.
    #[must_use]
    pub const fn ordered(self, order: SeriesOrder) -> Self {
        match self {
            Self::Series {
                steps, channels, ..
            } => Self::Series {
                steps,
                channels,
                order,
            },
            other => other,
        }
    }

    /// The axes of one sample as they lie in memory, outermost first.
    pub fn dims(&self) -> Vec<usize> {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => vec![channels, height, width],
            Self::Series {
                steps, channels, ..
            } if self.is_channels_first() => vec![channels, steps],
            Self::Series {
                steps, channels, ..
            } => vec![steps, channels],
            Self::Tokens { tokens, dim } => vec![tokens, dim],
        }
    }
}

impl std::fmt::Display for InputShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => write!(
                f,
                "an image of {height} × {width} pixels and {channels} channels"
            ),
            Self::Series {
                steps, channels, ..
            } => write!(f, "a series of {steps} steps and {channels} channels"),
            Self::Tokens { tokens, dim } => write!(f, "{tokens} tokens of {dim} dimensions"),
        }
    }
}
