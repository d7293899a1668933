//! The benchmark's boxes: a rectangle of cells whose level or place tells one of two classes
//! (Ismail et al. 2020, arXiv 2010.13924).

use super::draw::Draw;
use super::process::Process;
use super::sample::Sample;

/// Where the box lies and what of it tells the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoxKind {
    /// 30 steps × 30 channels in the middle.
    Middle,
    /// 14 × 14 in the middle.
    SmallMiddle,
    /// 30 × 30 anywhere.
    MovingMiddle,
    /// 15 × 15 anywhere.
    MovingSmallMiddle,
    /// 6 steps × 40 channels.
    RareTime,
    /// The same at any step; as published at any channel, too.
    MovingRareTime,
    /// 40 steps × 6 channels.
    RareFeature,
    /// The same in any channels; as published at any step, too.
    MovingRareFeature,
    /// 20 × 20, early or late: the step tells the class. As published the channel does.
    PositionalTime,
    /// 20 × 20, among the first or the last channels: the channel tells the class. As published
    /// the step does.
    PositionalFeature,
}

/// Steps and channels that the sizes below are of; other sizes scale them.
const SIDE: usize = 50;
/// Where the box begins for class 1 and for class 0 of the positional kinds.
const POSITIONS: [usize; 2] = [1, 29];

/// Where a box begins along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    At(usize),
    Anywhere,
    /// The class tells it.
    OfClass,
}

impl BoxKind {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::Middle,
        Self::SmallMiddle,
        Self::MovingMiddle,
        Self::MovingSmallMiddle,
        Self::RareTime,
        Self::MovingRareTime,
        Self::RareFeature,
        Self::MovingRareFeature,
        Self::PositionalTime,
        Self::PositionalFeature,
    ];

    /// The name in set names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Middle => "middle",
            Self::SmallMiddle => "small-middle",
            Self::MovingMiddle => "moving-middle",
            Self::MovingSmallMiddle => "moving-small-middle",
            Self::RareTime => "rare-time",
            Self::MovingRareTime => "moving-rare-time",
            Self::RareFeature => "rare-feature",
            Self::MovingRareFeature => "moving-rare-feature",
            Self::PositionalTime => "positional-time",
            Self::PositionalFeature => "positional-feature",
        }
    }

    /// Steps and channels of the box in a series of 50 × 50.
    const fn size(self) -> [usize; 2] {
        match self {
            Self::Middle | Self::MovingMiddle => [30, 30],
            Self::SmallMiddle => [14, 14],
            Self::MovingSmallMiddle => [15, 15],
            Self::RareTime | Self::MovingRareTime => [6, 40],
            Self::RareFeature | Self::MovingRareFeature => [40, 6],
            Self::PositionalTime | Self::PositionalFeature => [20, 20],
        }
    }

    const fn starts(self, as_published: bool) -> [Start; 2] {
        use Start::{Anywhere, At, OfClass};
        match (self, as_published) {
            (Self::Middle, _) => [At(10), At(10)],
            (Self::SmallMiddle, _) => [At(18), At(18)],
            (Self::RareTime, _) => [At(22), At(5)],
            (Self::RareFeature, _) => [At(5), At(22)],
            (Self::MovingRareTime, false) => [Anywhere, At(5)],
            (Self::MovingRareFeature, false) => [At(5), Anywhere],
            (
                Self::MovingMiddle
                | Self::MovingSmallMiddle
                | Self::MovingRareTime
                | Self::MovingRareFeature,
                _,
            ) => [Anywhere, Anywhere],
            (Self::PositionalTime, false) | (Self::PositionalFeature, true) => [OfClass, Anywhere],
            (Self::PositionalTime, true) | (Self::PositionalFeature, false) => [Anywhere, OfClass],
        }
    }

    /// A sample of `[steps, channels]` with a box.
    ///
    /// The sign of the box tells the class: its cells are ±1 above the process. A positional box is
    /// 1 above it.
    pub(super) fn sample(
        self,
        process: Process,
        sizes: [usize; 2],
        as_published: bool,
        draw: &mut Draw,
    ) -> Sample {
        let label = usize::from(draw.happens(0.5));
        let starts = self.starts(as_published);
        let positional = starts.contains(&Start::OfClass);
        let level = if positional || label == 1 { 1.0 } else { -1.0 };
        let mut ranges = [0..0, 0..0];
        for axis in 0..2 {
            let scale = |places: usize| (places * sizes[axis] + SIDE / 2) / SIDE;
            let length = scale(self.size()[axis]).clamp(1, sizes[axis]);
            let last = sizes[axis] - length;
            let start = match starts[axis] {
                Start::At(start) => scale(start),
                Start::OfClass => scale(POSITIONS[1 - label]),
                // As published the last place is never drawn.
                Start::Anywhere if as_published => draw.integer(0..last),
                Start::Anywhere => draw.integer(0..last + 1),
            };
            let start = start.min(last);
            ranges[axis] = start..start + length;
        }
        let values = process.series(sizes, as_published, draw);
        let mut sample = Sample::new(sizes[0], values, label);
        let [steps, channels] = ranges;
        for channel in channels {
            for step in steps.clone() {
                // For the Gaussian process, whose steps are independent, adding 1 to a cell and
                // drawing it anew around 1 are the same.
                sample.add(step, channel, level);
            }
        }
        sample
    }
}
