//! Recordings of unequal length, and their alignment to one common length.

use super::{Dataset, Normalization, TrainTest};
use super::{InputShape, SeriesOrder};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// One labelled recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Its class.
    pub label: usize,
    /// Its length, at least 1.
    pub steps: usize,
    /// `[channels, steps]`.
    pub values: Vec<f32>,
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
    let mut train = to_dataset(train, steps)?;
    let mut test = to_dataset(test, steps)?;
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
    if aligned.is_some_and(|aligned| aligned <= granted) {
        return Ok(());
    }
    Err(Error::Argument {
        argument: "length".into(),
        found: format!(
            "{steps} steps for {} series of {recorded} values",
            cases().count()
        ),
        expected: "a length that is not nearly all padding".into(),
    })
}

fn to_dataset(recordings: &Recordings, steps: usize) -> Result<Dataset> {
    let shape = InputShape::Series {
        steps,
        channels: recordings.channels,
        order: SeriesOrder::ChannelsFirst,
    };
    let mut samples = Vec::with_capacity(recordings.cases.len() * shape.len());
    for case in &recordings.cases {
        let kept = case.steps.min(steps);
        for series in case.values.chunks_exact(case.steps) {
            samples.extend(std::iter::repeat_n(0.0, steps - kept));
            samples.extend_from_slice(&series[case.steps - kept..]);
        }
    }
    let labels = recordings.cases.iter().map(|case| case.label).collect();
    let real = recordings.cases.iter().map(|case| case.steps.min(steps));
    let classes = recordings.classes.clone();
    Dataset::new(&recordings.name, classes, shape, samples, labels, None)?
        .with_real_steps(real.collect())
}
