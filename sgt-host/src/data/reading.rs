//! How a person's own files become samples, as plain data.

use crate::{Error, Result};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::Display;
use std::str::FromStr;

/// Missing samples in a row that a gap may have and still be bridged, unless [`Reading::max_gap`]
/// says otherwise.
pub const MAX_GAP: usize = 5;
/// The share of the samples that is trained on, unless [`Reading::split`] says otherwise.
pub const TRAINING_SHARE: f64 = 0.8;

/// How a person's own files become samples. What is absent is found out from the file, or does not
/// apply to its format. A run's configuration and its weights hold it, so that the same files are
/// read the same way again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reading {
    /// The column that holds the class; a column called label, class, activity or target, or
    /// else the name of the file's folder, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// The column that says when a row was recorded; a column called time, timestamp, datetime or
    /// date when absent. `none` for no such column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// The column that names whom or what a row belongs to (person, device, session), which a split
    /// must not divide; each file is a group of its own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// The columns that are read as channels, in this order; every other column of numbers when
    /// empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Whether the first row holds names; found out when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// One row is a whole sample, its columns the steps of one channel, or of several that are
    /// called `NAME_STEP`.
    #[serde(skip_serializing_if = "is_false")]
    pub wide: bool,
    /// The length of a window; the whole recording is one sample when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Span>,
    /// How far neighbouring windows are apart; their length when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Span>,
    /// Steps a second. With a time column, recordings are resampled to it by linear interpolation;
    /// without one, it says what the rows are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Samples that may be missing in a row before a recording is cut in two; [`MAX_GAP`] when
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gap: Option<usize>,
    /// How a window gets its class from its rows.
    #[serde(skip_serializing_if = "is_default")]
    pub window_label: WindowLabel,
    /// What becomes of missing values.
    #[serde(skip_serializing_if = "is_default")]
    pub missing: Missing,
    /// The height and width that images are brought to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// The share of the samples that is trained on, where no test part is given;
    /// [`TRAINING_SHARE`] when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<f64>,
    /// What a split keeps together; the groups where there are some, else time where samples come
    /// from longer recordings, else single samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_by: Option<SplitBy>,
    /// Which of several equal parts is the test part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// The groups that are the test part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<String>,
    /// Seeds the split; not the run's seed, so that every run is tested on the same samples.
    #[serde(skip_serializing_if = "is_default")]
    pub split_seed: u64,
    /// Go on with a test part that shares groups or samples with the training part.
    #[serde(skip_serializing_if = "is_false")]
    pub force_split: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Reading {
    /// True when nothing is asked for.
    pub fn is_default(&self) -> bool {
        is_default(self)
    }

    /// The gap that is bridged, in samples.
    pub fn gap(&self) -> usize {
        self.max_gap.unwrap_or(MAX_GAP)
    }

    /// The share that is trained on.
    pub fn training_share(&self) -> f64 {
        self.split.unwrap_or(TRAINING_SHARE)
    }

    /// Checks every value by itself.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the key.
    pub fn check(&self) -> Result<()> {
        let refuse = |key: &str, found: &dyn Display, expected: &str| {
            Err(Error::Argument {
                argument: key.into(),
                found: found.to_string(),
                expected: expected.into(),
            })
        };
        if let Some(rate) = self.rate
            && !(rate.is_finite() && rate > 0.0)
        {
            return refuse("rate", &rate, "steps a second above 0");
        }
        if let Some(share) = self.split
            && !(share > 0.0 && share < 1.0)
        {
            return refuse("split", &share, "a share between 0 and 1, 0.8 for example");
        }
        if let Some([height, width]) = self.resize
            && (height == 0 || width == 0)
        {
            return refuse("resize", &format!("{height}x{width}"), "sizes above 0");
        }
        if self.step.is_some() && self.window.is_none() {
            return refuse("step", &"one without a window", "a window, too");
        }
        if self.fold.is_some() && !self.leave_out.is_empty() {
            return refuse("fold", &"one beside leave-out", "one of the two");
        }
        if self.split.is_some() && (self.fold.is_some() || !self.leave_out.is_empty()) {
            return refuse("split", &"one beside fold or leave-out", "one of them");
        }
        if !self.leave_out.is_empty() && self.split_by.is_some_and(|by| by != SplitBy::Group) {
            return refuse("split-by", &"another than group", "group beside leave-out");
        }
        if self.fold.is_some() && self.split_by == Some(SplitBy::Time) {
            return refuse("split-by", &"time beside fold", "group or sample");
        }
        for (index, name) in self.channels.iter().enumerate() {
            if self.channels[..index].contains(name) {
                return refuse("channels", name, "every channel once");
            }
        }
        Ok(())
    }
}

/// A length in time: `128` steps or `2.56s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// So many steps.
    Steps(usize),
    /// So many seconds.
    Seconds(f64),
}

impl Span {
    /// The number of steps at `rate` steps a second, rounded to the nearest. `key` is named in
    /// errors.
    ///
    /// # Errors
    /// [`Error::Argument`] for seconds without a rate, and for less than one step.
    pub fn steps(self, key: &str, rate: Option<f64>) -> Result<usize> {
        let refuse = |expected: &str| {
            Err(Error::Argument {
                argument: key.into(),
                found: self.to_string(),
                expected: expected.into(),
            })
        };
        match (self, rate) {
            (Self::Steps(steps), _) if steps > 0 => Ok(steps),
            (Self::Seconds(seconds), Some(rate)) => {
                let steps = (seconds * rate).round();
                if (1.0..=MOST_STEPS).contains(&steps) {
                    Ok(steps as usize)
                } else {
                    refuse(&format!("1 to {MOST_STEPS} steps at {rate} a second"))
                }
            }
            (Self::Seconds(_), None) => {
                refuse("a number of steps, or a rate or a time column that says what a second is")
            }
            (Self::Steps(_), _) => refuse("1 step or more"),
        }
    }
}

/// The longest window in steps; more are no window.
const MOST_STEPS: f64 = 1e9;

impl Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Steps(steps) => write!(f, "{steps}"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected steps or seconds, 128 or 2.56s for example".to_string();
        let text = text.trim();
        if let Some(seconds) = text.strip_suffix('s') {
            // Milliseconds read well for short windows.
            let (number, unit) = match seconds.strip_suffix('m') {
                Some(number) => (number, 1e-3),
                None => (seconds, 1.0),
            };
            let seconds = number.trim().parse::<f64>().map_err(|_| expected())? * unit;
            return if seconds.is_finite() && seconds > 0.0 {
                Ok(Self::Seconds(seconds))
            } else {
                Err(expected())
            };
        }
        match text.parse() {
            Ok(steps) if steps > 0 => Ok(Self::Steps(steps)),
            _ => Err(expected()),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Steps(steps) => serializer.serialize_u64(steps as u64),
            Self::Seconds(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("steps or seconds, 128 or \"2.56s\" for example")
    }

    fn visit_i64<E: serde::de::Error>(self, steps: i64) -> Result<Span, E> {
        match usize::try_from(steps) {
            Ok(steps) if steps > 0 => Ok(Span::Steps(steps)),
            _ => Err(E::invalid_value(
                serde::de::Unexpected::Signed(steps),
                &self,
            )),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, steps: u64) -> Result<Span, E> {
        self.visit_i64(i64::try_from(steps).unwrap_or(0))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse()
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// Names of a closed choice, as configuration and command line write them.
macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $name),+ })
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(format!("expected one of {}", [$($name),+].join(", "))),
                }
            }
        }
    };
}

/// How a window gets its class from its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowLabel {
    /// The class of most rows; of equally many, the first in the order of the classes.
    #[default]
    Majority,
    /// That of the last row.
    Last,
    /// The class of every row; windows of several are left out.
    Pure,
}
names!(WindowLabel {
    Majority = "majority",
    Last = "last",
    Pure = "pure"
});

/// What becomes of missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// They are an error.
    #[default]
    Refuse,
    /// Linearly between the neighbours in time, the nearest value at an end; where a channel of a
    /// recording has none, as [`Missing::Mean`].
    Interpolate,
    /// The channel's mean over the training part.
    Mean,
    /// As [`Missing::Mean`], and every channel in which training values are missing gets a second
    /// one that is 1 where a value is missing and 0 elsewhere.
    Mask,
}
names!(Missing {
    Refuse = "refuse",
    Interpolate = "interpolate",
    Mean = "mean",
    Mask = "mask"
});

/// What a split keeps together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitBy {
    /// The samples of a group (person, device, session, file).
    Group,
    /// Time: the last part of every recording, each class for itself, is tested on; windows across
    /// the border are left out.
    Time,
    /// Nothing: samples are drawn, every class alike. Only for samples that share no row.
    Sample,
}
names!(SplitBy {
    Group = "group",
    Time = "time",
    Sample = "sample"
});

/// Part `number` (from 1) of `of` equal parts: `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fold {
    /// Which part, from 1.
    pub number: usize,
    /// Of how many, at least 2.
    pub of: usize,
}

impl Display for Fold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Fold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let number = |text: &str| text.trim().parse::<usize>().ok();
        match parts.and_then(|(part, of)| Some((number(part)?, number(of)?))) {
            Some((part, of)) if of >= 2 && (1..=of).contains(&part) => {
                Ok(Self { number: part, of })
            }
            _ => Err("expected one of several parts, 1/5 to 5/5 for example".into()),
        }
    }
}

impl TryFrom<String> for Fold {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fold> for String {
    fn from(fold: Fold) -> Self {
        fold.to_string()
    }
}

/// What a network's files must go through before it reads them: what its training data went
/// through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Preprocessing {
    /// How the training files were read, every choice settled.
    pub reading: Reading,
    /// The names of the channels that files hold, in the network's order; none where unknown.
    pub channels: Vec<String>,
    /// Steps a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// What missing values become, one a channel; none where nothing was missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fill: Vec<f64>,
    /// The channels that have a second one that says where they are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<usize>,
}

impl Preprocessing {
    /// The names of all channels of a network's input, those that say where another is missing last.
    pub fn channel_names(&self) -> Vec<String> {
        super::missing::names(&self.channels, &self.masked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_steps_or_seconds() {
        assert_eq!("128".parse(), Ok(Span::Steps(128)));
        assert_eq!(" 2.56s".parse(), Ok(Span::Seconds(2.56)));
        assert_eq!("500ms".parse(), Ok(Span::Seconds(0.5)));
        for bad in ["", "0", "-1", "0s", "-1s", "nans", "infs", "x", "1.5"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert_eq!(
            Span::Seconds(2.56).steps("window", Some(50.0)).unwrap(),
            128
        );
        assert!(Span::Seconds(2.56).steps("window", None).is_err());
        assert!(Span::Seconds(1e-3).steps("window", Some(50.0)).is_err());
    }

    #[test]
    fn folds_are_counted_from_one() {
        assert_eq!("2/5".parse(), Ok(Fold { number: 2, of: 5 }));
        for bad in ["", "0/5", "6/5", "1/1", "x/5", "1"] {
            assert!(bad.parse::<Fold>().is_err(), "{bad}");
        }
    }

    #[test]
    fn options_come_back_from_toml() {
        let reading = Reading {
            label_column: Some("activity".into()),
            channels: vec!["ax".into()],
            window: Some(Span::Seconds(2.56)),
            step: Some(Span::Steps(64)),
            window_label: WindowLabel::Pure,
            missing: Missing::Mask,
            fold: Some(Fold { number: 1, of: 5 }),
            resize: Some([28, 28]),
            ..Reading::default()
        };
        let text = toml::to_string(&reading).unwrap();
        assert_eq!(toml::from_str::<Reading>(&text).unwrap(), reading, "{text}");
        assert_eq!(toml::to_string(&Reading::default()).unwrap(), "");
    }
}
