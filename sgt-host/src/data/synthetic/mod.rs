//! Generated series whose important cells are known.
//!
//! | module | sets |
//! |---|---|
//! | `boxes`, `process` | the benchmark of Ismail et al. 2020: ten kinds of boxes in seven processes |
//! | `freq_shapes`, `sequence_combination`, `low_variance` | those of `TimeX` (Queen et al. 2023) |
//! | `hidden_state`, `switch_feature` | those of FIT (Tonekaboni et al. 2020) |
//! | `rare` | those of Dynamask (Crabbé, van der Schaar 2021) |
//! | `narma`, `gaussian_process` | processes that several sets use |
//! | [`KnownTruth`] | a generated data set with its truth, and its file |
//! | `request` | a set's name and options: `seqcomb-mv?steps=100&seed=1` |
//!
//! The sets are as their papers describe them; `as-published` reproduces what their programs do
//! instead, where that is known. A seed gives other numbers than the original programs do.

mod boxes;
mod draw;
mod freq_shapes;
mod gaussian_process;
mod hidden_state;
mod known_truth;
mod low_variance;
mod narma;
mod process;
mod rare;
mod request;
mod sample;
mod sequence_combination;
mod switch_feature;
#[cfg(test)]
mod tests;

pub use boxes::BoxKind;
pub use known_truth::{KnownTruth, TruePart};
pub use process::Process;
pub use rare::Rare;
pub use request::{SCHEME, Synthetic};

use draw::{Draw, Stream};
use sample::Sample;
use sequence_combination::Form;

/// A generated set by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Set {
    /// A box in a process: `middle-gaussian`, `moving-rare-time-narma`, …; 50 × 50, two classes.
    Box(BoxKind, Process),
    /// `freq-shapes`: 50 steps, four classes.
    FreqShapes,
    /// `seqcomb-uv`: 200 steps, four classes.
    SeqCombUv,
    /// `seqcomb-mv`: 200 steps, 4 channels, four classes.
    SeqCombMv,
    /// `lowvar`: 200 steps, 2 channels, four classes.
    LowVar,
    /// `state`: 200 steps, 3 channels, two classes.
    State,
    /// `switch-feature`: 100 steps, 3 channels, two classes.
    SwitchFeature,
    /// `rare-feature` and `rare-time`: 50 × 50, two classes.
    Rare(Rare),
}

/// The published sizes of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetSizes {
    /// Steps of a series.
    pub steps: usize,
    /// Channels.
    pub channels: usize,
    /// Training samples, those that are set aside for validation included.
    pub train: usize,
    /// Test samples.
    pub test: usize,
}

impl Set {
    /// All of them, in the order of listings.
    pub fn all() -> Vec<Self> {
        let boxes = BoxKind::ALL
            .into_iter()
            .flat_map(|kind| Process::ALL.map(|process| Self::Box(kind, process)));
        let others = [
            Self::FreqShapes,
            Self::SeqCombUv,
            Self::SeqCombMv,
            Self::LowVar,
            Self::State,
            Self::SwitchFeature,
            Self::Rare(Rare::Feature),
            Self::Rare(Rare::Time),
        ];
        boxes.chain(others).collect()
    }

    /// The name on the command line.
    pub fn name(self) -> String {
        match self {
            Self::Box(kind, process) => format!("{}-{}", kind.name(), process.name()),
            Self::FreqShapes => "freq-shapes".into(),
            Self::SeqCombUv => "seqcomb-uv".into(),
            Self::SeqCombMv => "seqcomb-mv".into(),
            Self::LowVar => "lowvar".into(),
            Self::State => "state".into(),
            Self::SwitchFeature => "switch-feature".into(),
            Self::Rare(Rare::Feature) => "rare-feature".into(),
            Self::Rare(Rare::Time) => "rare-time".into(),
        }
    }

    /// The published sizes.
    pub const fn sizes(self) -> SetSizes {
        const fn sizes(steps: usize, channels: usize, train: usize, test: usize) -> SetSizes {
            SetSizes {
                steps,
                channels,
                train,
                test,
            }
        }
        match self {
            Self::Box(..) | Self::Rare(_) => sizes(50, 50, 1000, 100),
            Self::FreqShapes => sizes(50, 1, 5100, 1000),
            Self::SeqCombUv => sizes(200, 1, 5100, 1000),
            Self::SeqCombMv => sizes(200, 4, 5100, 1000),
            Self::LowVar => sizes(200, 2, 5100, 1000),
            Self::State => sizes(200, hidden_state::CHANNELS, 800, 200),
            Self::SwitchFeature => sizes(100, switch_feature::CHANNELS, 800, 200),
        }
    }

    /// The number of classes.
    pub const fn classes(self) -> usize {
        match self {
            Self::FreqShapes => freq_shapes::CLASSES,
            Self::SeqCombUv | Self::SeqCombMv => sequence_combination::CLASSES,
            Self::LowVar => low_variance::CLASSES,
            Self::Box(..) | Self::State | Self::SwitchFeature | Self::Rare(_) => 2,
        }
    }

    /// Channels that it needs at least, and at most where their number is part of it.
    const fn channels(self) -> (usize, Option<usize>) {
        match self {
            Self::SeqCombMv | Self::LowVar => (2, None),
            Self::State => (hidden_state::CHANNELS, Some(hidden_state::CHANNELS)),
            Self::SwitchFeature => (switch_feature::CHANNELS, Some(switch_feature::CHANNELS)),
            _ => (1, None),
        }
    }

    /// Steps that it needs at least for every part of a series to have room.
    const fn least_steps(self) -> usize {
        match self {
            Self::SeqCombUv | Self::SeqCombMv | Self::LowVar => 40,
            Self::Box(..) | Self::FreqShapes | Self::Rare(_) => 20,
            Self::State | Self::SwitchFeature => 1,
        }
    }
}

/// Sample number `index` of a part of `request`.
fn sample(request: &Synthetic, stream: Stream, index: usize) -> Sample {
    let Synthetic {
        set,
        steps,
        channels,
        seed,
        as_published,
        ..
    } = *request;
    let sizes = [steps, channels];
    let mut draw = Draw::new(seed, stream, index);
    let draw = &mut draw;
    // Classes of those sets that have four are balanced exactly.
    let label = index % set.classes();
    match set {
        Set::Box(kind, process) => kind.sample(process, sizes, as_published, draw),
        Set::FreqShapes => freq_shapes::sample(steps, channels, label, draw),
        Set::SeqCombUv | Set::SeqCombMv => {
            let several_channels = set == Set::SeqCombMv;
            Form { several_channels }.sample(sizes, label, as_published, draw)
        }
        Set::LowVar => low_variance::sample(sizes, label, as_published, draw),
        Set::State => hidden_state::sample(steps, as_published, draw),
        Set::SwitchFeature => switch_feature::sample(steps, as_published, draw),
        Set::Rare(rare) => {
            let cells = if as_published {
                rare.cells(sizes, draw)
            } else {
                rare.cells(sizes, &mut Draw::new(seed, Stream::Shared, 0))
            };
            rare::sample(sizes, &cells, draw)
        }
    }
}

/// A series `[channels, steps]` of the same process as the samples of `request`, without a signal;
/// none for sets in which every series has one.
fn background(request: &Synthetic, index: usize) -> Option<Vec<f64>> {
    let Synthetic {
        set: Set::Box(_, process),
        steps,
        channels,
        seed,
        as_published,
        ..
    } = *request
    else {
        return None;
    };
    let mut draw = Draw::new(seed, Stream::Background, index);
    Some(process.series([steps, channels], as_published, &mut draw))
}
