//! Recordings of unequal length, and their alignment to one common length.

use super::{Dataset, Normalization, TrainTest};
use super::{InputShape, SeriesOrder};
use crate::{Error, Result, limits};
use serde::{Deserialize, Serialize};

/// One labelled recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Its class.
    pub label: usize,
    /// Its length, at least 1.
    pub steps: usize,
    /// `[channels, steps]`, as precise as they were written.
    pub values: Vec<f64>,
}

/// Labelled recordings with the same channels, each of its own length.
#[derive(Clone, Debug, PartialEq)]
pub struct Recordings {
    /// The data set's name.
    pub name: String,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Channels of every recording.
    pub channels: usize,
    /// The recordings, at least one.
    pub cases: Vec<Recording>,
}

/// A recording whose class is a text still.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RawCase {
    pub(super) label: String,
    /// Whom or what it is of, where the file says it.
    pub(super) group: Option<String>,
    pub(super) steps: usize,
    /// `[channels, steps]`, NaN where a value is missing.
    pub(super) values: Vec<f64>,
}

/// What a file of such recordings holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RawCases {
    pub(super) channels: Vec<String>,
    pub(super) cases: Vec<RawCase>,
}

/// The common length that series are brought to: longer ones keep their last steps, shorter
/// ones are padded in front. The training part alone decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// The longest training series: nothing of it is lost.
    #[default]
    Longest,
    /// The shortest training series: none of it is padded, so that a class cannot be told by
    /// its length.
    Shortest,
    /// So many steps.
    Steps(usize),
}

/// Aligned series may take so many times the values that were recorded, so that one stray long
/// recording (or a slip in the length) among many short ones does not exhaust the memory.
const MAX_GROWTH: usize = 64;
/// So many values are always granted: 64 MiB.
const ALWAYS_GRANTED: usize = 1 << 24;
/// A channel whose values are so many times as large as their deviation is held relative to its
/// mean: an `f32` would keep less than a 4096th of a deviation of it.
const LARGE_OFFSET: f64 = 4096.0;

/// Recordings as data sets of one common length.
///
/// The padding holds the training mean of its channel, so that it is exactly 0 after
/// [`Normalization::fit`] on the training part.
///
/// # Errors
/// [`Error::Argument`] when the length is 0 or so large that nearly all would be padding;
/// [`Error::Shape`] when the parts differ in their channels.
pub fn align(train: &Recordings, test: &Recordings, length: Length) -> Result<TrainTest> {
    if train.channels != test.channels {
        return Err(Error::Shape {
            operation: "test series",
            found: format!("{} channels", test.channels),
            expected: format!("the {} of the training series", train.channels),
        });
    }
    let lengths = train.cases.iter().map(|case| case.steps);
    let steps = match length {
        Length::Longest => lengths.max().unwrap_or(0),
        Length::Shortest => lengths.min().unwrap_or(0),
        Length::Steps(steps) => steps,
    };
    if steps == 0 {
        return Err(Error::Argument {
            argument: "length".into(),
            found: "0 steps".into(),
            expected: "at least 1".into(),
        });
    }
    check_padding(&[train, test], steps)?;
    let origin = origin(train, steps);
    let mut train = to_dataset(train, steps, &origin)?;
    let mut test = to_dataset(test, steps, &origin)?;
    if train.is_padded() || test.is_padded() {
        let padding = Normalization::fit(&train);
        train.pad_with(padding.mean())?;
        test.pad_with(padding.mean())?;
    }
    Ok(TrainTest { train, test })
}

fn check_padding(parts: &[&Recordings], steps: usize) -> Result<()> {
    let cases = || parts.iter().flat_map(|part| &part.cases);
    let recorded: usize = cases().map(|case| case.values.len()).sum();
    let aligned = parts.iter().try_fold(0_usize, |total, part| {
        let values = steps.checked_mul(part.channels)?;
        total.checked_add(values.checked_mul(part.cases.len())?)
    });
    let granted = recorded.saturating_mul(MAX_GROWTH).max(ALWAYS_GRANTED);
    let allowed = usize::try_from(limits::memory()).unwrap_or(usize::MAX) / size_of::<f32>();
    let expected = match aligned {
        Some(aligned) if aligned <= granted.min(allowed) => return Ok(()),
        Some(aligned) if aligned <= granted => limits::expected(limits::memory()),
        _ => "a length that is not nearly all padding".into(),
    };
    Err(Error::Argument {
        argument: "length".into(),
        found: format!(
            "{steps} steps for {} series of {recorded} values",
            cases().count()
        ),
        expected,
    })
}

/// What is subtracted from each channel before its values become `f32`: the mean of the kept steps
/// where it is large ([`LARGE_OFFSET`]), 0 elsewhere; nothing where that is so of every channel.
fn origin(train: &Recordings, steps: usize) -> Vec<f64> {
    let origin = |channel: usize| {
        let kept = || {
            train.cases.iter().flat_map(move |case| {
                let series = &case.values[channel * case.steps..][..case.steps];
                series[case.steps - case.steps.min(steps)..].iter().copied()
            })
        };
        large_offset(kept)
    };
    let mut origin: Vec<f64> = (0..train.channels).map(origin).collect();
    if origin.iter().all(|&origin| origin == 0.0) {
        origin.clear();
    }
    origin
}

/// The mean of `values` where it is so large beside their deviation that an `f32` would lose what
/// matters of them, 0 elsewhere.
pub(super) fn large_offset<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> f64 {
    let count = values().count().max(1) as f64;
    let mean = values().sum::<f64>() / count;
    let square = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let largest = values().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let deviation = if square > 0.0 { square.sqrt() } else { 1.0 };
    if largest > LARGE_OFFSET * deviation {
        mean
    } else {
        0.0
    }
}

fn to_dataset(recordings: &Recordings, steps: usize, origin: &[f64]) -> Result<Dataset> {
    let shape = InputShape::Series {
        steps,
        channels: recordings.channels,
        order: SeriesOrder::ChannelsFirst,
    };
    let mut samples = Vec::with_capacity(recordings.cases.len() * shape.len());
    for case in &recordings.cases {
        let kept = case.steps.min(steps);
        for (channel, series) in case.values.chunks_exact(case.steps).enumerate() {
            let origin = origin.get(channel).copied().unwrap_or_default();
            let relative = |value: &f64| (value - origin) as f32;
            samples.extend(std::iter::repeat_n(0.0, steps - kept));
            samples.extend(series[case.steps - kept..].iter().map(relative));
        }
    }
    let labels = recordings.cases.iter().map(|case| case.label).collect();
    let real = recordings.cases.iter().map(|case| case.steps.min(steps));
    let classes = recordings.classes.clone();
    Dataset::new(&recordings.name, classes, shape, samples, labels, None)?
        .with_real_steps(real.collect())?
        .with_origin(origin.to_vec())
}
