//! The arguments that say how one's own files become samples.

use super::list::trimmed;
use crate::config::ConfigDraft;
use crate::data::{Fold, Missing, Reading, Span, SplitBy, WindowLabel};
use crate::{Error, Result};

/// The heading of these arguments in the help.
const HEADING: &str = "Your own data (CSV, npz, ts, arff, pictures)";
const SPLIT_HEADING: &str = "Your own data: test part";

/// How rows become windows.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ReadingArguments {
    /// The column that holds the class, by name, or by number from 1 without a header [default: label,
    /// class, activity or target; the name of the file's folder].
    #[arg(long, value_name = "COLUMN", help_heading = HEADING)]
    label_column: Option<String>,
    /// The column of times: seconds, an epoch in s, ms, µs or ns, or ISO 8601; none for no such column
    /// [default: time, timestamp, datetime or date].
    #[arg(long, value_name = "COLUMN", help_heading = HEADING)]
    time_column: Option<String>,
    /// The column that names person, device or session, which a split must not divide [default: each
    /// file is a group].
    #[arg(long, value_name = "COLUMN", help_heading = HEADING)]
    group_column: Option<String>,
    /// The columns that are channels, in this order [default: every other column of numbers].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = trimmed::<String>, help_heading = HEADING)]
    channels: Vec<String>,
    /// Whether the first row holds names [default: found out].
    #[arg(long, value_name = "true|false", help_heading = HEADING)]
    header: Option<bool>,
    /// One row is a whole sample: its columns are the steps (UCR), of one channel or of those that
    /// columns called NAME_STEP name.
    #[arg(long, help_heading = HEADING)]
    wide: bool,
    /// The length of a window, 128 steps or 2.56s [default: a whole recording is a sample].
    #[arg(long, value_name = "N|SECONDSs", help_heading = HEADING)]
    window: Option<Span>,
    /// How far windows are apart [default: their length].
    #[arg(long, value_name = "N|SECONDSs", help_heading = HEADING)]
    step: Option<Span>,
    /// Steps a second: recordings with times are resampled to it by linear interpolation, others are
    /// said to have it [default: as recorded].
    #[arg(long, value_name = "HZ", help_heading = HEADING)]
    rate: Option<f64>,
    /// Steps that may be missing before a recording is cut in two [default: 5].
    #[arg(long, value_name = "N", help_heading = HEADING)]
    max_gap: Option<usize>,
    /// How a window gets its class: majority, last, or pure (windows of several are left out)
    /// [default: majority].
    #[arg(long, value_name = "RULE", help_heading = HEADING)]
    window_label: Option<WindowLabel>,
    /// Missing values: refuse, interpolate, mean (of the training part), or mask (mean, and a channel
    /// that says where) [default: refuse].
    #[arg(long, value_name = "HOW", help_heading = HEADING)]
    missing: Option<Missing>,
    /// The size that pictures are brought to: 28, or HEIGHTxWIDTH.
    #[arg(long, value_name = "HxW", value_parser = parse_size, help_heading = HEADING)]
    resize: Option<Size>,
}

/// What is tested on.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct SplitArguments {
    /// The share to train on, where there is no test part [default: 0.8].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, help_heading = SPLIT_HEADING)]
    split: Option<f64>,
    /// What a split keeps together: group, time (the end of every recording is tested on, windows
    /// across the border are left out) or sample [default: group where every class is in several, time
    /// for windows of a recording, else sample].
    #[arg(long, value_name = "WHAT", help_heading = SPLIT_HEADING)]
    split_by: Option<SplitBy>,
    /// Test on this one of several equal parts, 1/5 for example.
    #[arg(long, value_name = "N/K", help_heading = SPLIT_HEADING)]
    fold: Option<Fold>,
    /// Test on these groups.
    #[arg(long, value_name = "GROUPS", value_delimiter = ',', value_parser = trimmed::<String>, help_heading = SPLIT_HEADING)]
    leave_out: Vec<String>,
    /// Seeds the split, which is the same for every run [default: 0].
    #[arg(long, value_name = "N", help_heading = SPLIT_HEADING)]
    split_seed: Option<u32>,
    /// Go on with a test part that shares groups or samples with the training part, and say so in every
    /// table.
    #[arg(long, help_heading = SPLIT_HEADING)]
    force_split: bool,
}

/// Height and width.
#[derive(Clone, Copy, Debug)]
struct Size([usize; 2]);

fn parse_size(text: &str) -> Result<Size, String> {
    let expected = || "expected a size above 0, 28 or 28x32 for example".to_string();
    let (height, width) = text.split_once(['x', '×']).unwrap_or((text, text));
    let size = |text: &str| text.trim().parse::<usize>().ok().filter(|&size| size > 0);
    let height = size(height).ok_or_else(expected)?;
    Ok(Size([height, size(width).ok_or_else(expected)?]))
}

impl ReadingArguments {
    /// Lays what is given over `draft`.
    pub(super) fn lay(&self, draft: &mut ConfigDraft) {
        let mut set = |key: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                draft.set(&format!("data.reading.{key}"), value);
            }
        };
        let text = |value: &Option<String>| value.clone().map(toml::Value::from);
        let list =
            |values: &[String]| (!values.is_empty()).then(|| toml::Value::from(values.to_vec()));
        set("label-column", text(&self.label_column));
        set("time-column", text(&self.time_column));
        set("group-column", text(&self.group_column));
        set("channels", list(&self.channels));
        set("header", self.header.map(toml::Value::from));
        set("wide", self.wide.then(|| true.into()));
        set("window", self.window.map(span));
        set("step", self.step.map(span));
        set("rate", self.rate.map(toml::Value::from));
        set("max-gap", self.max_gap.map(|gap| whole(gap).into()));
        set(
            "window-label",
            self.window_label.map(|rule| rule.to_string().into()),
        );
        set("missing", self.missing.map(|how| how.to_string().into()));
        set(
            "resize",
            self.resize
                .map(|Size(size)| size.map(whole).to_vec().into()),
        );
    }

    /// The options that are given.
    pub(super) fn reading(&self) -> Reading {
        Reading {
            label_column: self.label_column.clone(),
            time_column: self.time_column.clone(),
            group_column: self.group_column.clone(),
            channels: self.channels.clone(),
            header: self.header,
            wide: self.wide,
            window: self.window,
            step: self.step,
            rate: self.rate,
            max_gap: self.max_gap,
            window_label: self.window_label.unwrap_or_default(),
            missing: self.missing.unwrap_or_default(),
            resize: self.resize.map(|Size(size)| size),
            ..Reading::default()
        }
    }
}

impl SplitArguments {
    /// Lays what is given over `draft`.
    pub(super) fn lay(&self, draft: &mut ConfigDraft) {
        let mut set = |key: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                draft.set(&format!("data.reading.{key}"), value);
            }
        };
        set("split", self.split.map(toml::Value::from));
        set("split-by", self.split_by.map(|by| by.to_string().into()));
        set("fold", self.fold.map(|fold| fold.to_string().into()));
        if !self.leave_out.is_empty() {
            set("leave-out", Some(self.leave_out.clone().into()));
        }
        set(
            "split-seed",
            self.split_seed.map(|seed| i64::from(seed).into()),
        );
        set("force-split", self.force_split.then(|| true.into()));
    }

    /// Lays what is given over `reading`.
    ///
    /// # Errors
    /// As [`Reading::check`].
    pub(super) fn over(&self, reading: Reading) -> Result<Reading> {
        let reading = Reading {
            split: self.split,
            split_by: self.split_by,
            fold: self.fold,
            leave_out: self.leave_out.clone(),
            split_seed: self.split_seed.unwrap_or_default().into(),
            force_split: self.force_split,
            ..reading
        };
        let named = |error: Error| match error {
            Error::Argument {
                argument,
                found,
                expected,
            } => Error::Argument {
                argument: format!("--{argument}"),
                found,
                expected,
            },
            other => other,
        };
        reading.check().map_err(named)?;
        Ok(reading)
    }
}

/// A count as TOML holds it.
fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn span(span: Span) -> toml::Value {
    match span {
        Span::Steps(steps) => whole(steps).into(),
        Span::Seconds(_) => span.to_string().into(),
    }
}
