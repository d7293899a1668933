//! How the values of one sample form feature groups.

use crate::Error;

/// Which axis of a sample is the outer one in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[repr(u8)]
pub enum Order {
    /// `[channels, positions]`: images `[channels, height × width]`, series `[channels, time]`.
    ChannelsFirst,
    /// `[positions, channels]`: series `[time, channels]`, text `[tokens, dim]`.
    ChannelsLast,
}

/// What is ranked and masked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Group {
    /// All channels of a position: a pixel, a time step, a token.
    Position,
    /// One value: the (time, channel) cell of a series.
    Cell,
}

/// How the gradients of a group's channels become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Reduction {
    /// `1/C · Σ_c g_c`: images and series.
    Mean,
    /// `Σ_c g_c`: the embedding dimensions of a token.
    Sum,
}

/// The shape of one sample and its feature groups.
///
/// A sample is `positions × channels` values in either [`Order`]. Groups are numbered in memory
/// order over the *valid* positions; padding (see [`Layout::with_valid`]) belongs to no group, so
/// it is never ranked, counted or replaced.
///
/// ```
/// use sgt_core::{Group, Layout, Order};
/// let image = Layout::image(3, 32, 32)?;
/// assert_eq!((image.groups(), image.sample_len()), (1024, 3072));
/// let series = Layout::series(128, 9, Order::ChannelsLast, Group::Cell)?;
/// assert_eq!(series.groups(), 1152);
/// let padded = series.with_valid(28, 100)?; // the first 28 steps are padding
/// assert_eq!(padded.groups(), 900);
/// # Ok::<(), sgt_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    positions: usize,
    channels: usize,
    order: Order,
    group: Group,
    reduction: Reduction,
    first: usize,
    valid: usize,
}

impl Layout {
    /// Every layout there is; the named constructors are shorthands.
    ///
    /// # Errors
    /// [`Error::Empty`] when a size is zero, [`Error::Range`] when their product overflows.
    pub const fn new(
        positions: usize,
        channels: usize,
        order: Order,
        group: Group,
        reduction: Reduction,
    ) -> Result<Self, Error> {
        if positions == 0 {
            return Err(Error::Empty {
                argument: "positions",
            });
        }
        if channels == 0 {
            return Err(Error::Empty {
                argument: "channels",
            });
        }
        if positions.checked_mul(channels).is_none() {
            return Err(Error::Range {
                argument: "positions",
            });
        }
        Ok(Self {
            positions,
            channels,
            order,
            group,
            reduction,
            first: 0,
            valid: positions,
        })
    }

    /// An image `[channels, height, width]`: groups are pixels, their gradient the channel mean.
    ///
    /// # Errors
    /// As [`Layout::new`], naming `height` or `width` where it is theirs.
    pub const fn image(channels: usize, height: usize, width: usize) -> Result<Self, Error> {
        if height == 0 {
            return Err(Error::Empty { argument: "height" });
        }
        if width == 0 {
            return Err(Error::Empty { argument: "width" });
        }
        let Some(pixels) = height.checked_mul(width) else {
            return Err(Error::Range { argument: "height" });
        };
        Self::new(
            pixels,
            channels,
            Order::ChannelsFirst,
            Group::Position,
            Reduction::Mean,
        )
    }

    /// A series of `steps × channels`: groups are cells or whole time steps.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub const fn series(
        steps: usize,
        channels: usize,
        order: Order,
        group: Group,
    ) -> Result<Self, Error> {
        Self::new(steps, channels, order, group, Reduction::Mean)
    }

    /// Embedded text `[tokens, dim]`: groups are tokens, their gradient the sum over `dim`.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub const fn text(tokens: usize, dim: usize) -> Result<Self, Error> {
        Self::new(
            tokens,
            dim,
            Order::ChannelsLast,
            Group::Position,
            Reduction::Sum,
        )
    }

    /// A flat vector of `features` values, each a group of its own.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub const fn flat(features: usize) -> Result<Self, Error> {
        Self::new(
            features,
            1,
            Order::ChannelsLast,
            Group::Cell,
            Reduction::Mean,
        )
    }

    /// The same layout with only the positions `first .. first + valid` real; the rest is padding.
    ///
    /// # Errors
    /// [`Error::Empty`] when `valid` is zero, [`Error::Range`] when the range leaves the sample.
    pub const fn with_valid(self, first: usize, valid: usize) -> Result<Self, Error> {
        if valid == 0 {
            return Err(Error::Empty { argument: "valid" });
        }
        match first.checked_add(valid) {
            Some(end) if end <= self.positions => Ok(Self {
                first,
                valid,
                ..self
            }),
            _ => Err(Error::Range { argument: "valid" }),
        }
    }

    /// Values in one sample, padding included.
    #[inline]
    pub const fn sample_len(&self) -> usize {
        self.positions * self.channels
    }

    /// Feature groups of one sample, padding left out.
    #[inline]
    pub const fn groups(&self) -> usize {
        match self.group {
            Group::Position => self.valid,
            Group::Cell => self.valid * self.channels,
        }
    }

    /// Positions of one sample, padding included.
    #[inline]
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Channels of a position.
    #[inline]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Memory order.
    #[inline]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// What a group is.
    #[inline]
    pub const fn group(&self) -> Group {
        self.group
    }

    /// How channel gradients are joined.
    #[inline]
    pub const fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// The first valid position.
    #[inline]
    pub const fn first_valid(&self) -> usize {
        self.first
    }

    /// The number of valid positions.
    #[inline]
    pub const fn valid(&self) -> usize {
        self.valid
    }

    /// Where the value of `channel` at the valid position `position` (counted from the first
    /// valid one) lies in the sample.
    #[inline]
    pub const fn offset(&self, position: usize, channel: usize) -> usize {
        match self.order {
            Order::ChannelsFirst => channel * self.positions + self.first + position,
            Order::ChannelsLast => (self.first + position) * self.channels + channel,
        }
    }

    /// The distance between two channels of a position.
    #[inline]
    pub(crate) const fn channel_stride(&self) -> usize {
        match self.order {
            Order::ChannelsFirst => self.positions,
            Order::ChannelsLast => 1,
        }
    }

    /// The distance between two positions of a channel.
    #[inline]
    pub(crate) const fn position_stride(&self) -> usize {
        match self.order {
            Order::ChannelsFirst => 1,
            Order::ChannelsLast => self.channels,
        }
    }

    /// Position and channel of a cell group.
    #[inline]
    pub(crate) fn cell(&self, group: usize) -> (usize, usize) {
        // The constructors exclude zero; `max` tells the compiler, which then links no panic.
        match self.order {
            Order::ChannelsFirst => {
                let valid = self.valid.max(1);
                (group % valid, group / valid)
            }
            Order::ChannelsLast => {
                let channels = self.channels.max(1);
                (group / channels, group % channels)
            }
        }
    }

    /// Where the groups' values start when cell groups lie in memory without a gap.
    #[inline]
    pub(crate) fn contiguous_cells(&self) -> Option<usize> {
        let gapless = match self.order {
            Order::ChannelsFirst => self.valid == self.positions,
            Order::ChannelsLast => true,
        };
        let cells = self.group == Group::Cell || self.channels == 1;
        (gapless && cells).then_some(self.first * self.channels)
    }
}
