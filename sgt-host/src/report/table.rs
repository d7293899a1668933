//! A comparison as text for a terminal, and as CSV.

use super::text::{legend_of_signs, notes, title};
use crate::compare::{Comparison, ComparisonRow, Warning};
use crate::metrics::statistics::MeanDeviation;
use crate::metrics::{ClassQuality, Classification, Direction, Metric};
use crate::{Error, Result};
use serde::Serialize;
use std::fmt::Write;

const COLUMN_WIDTH: usize = 16;
/// Columns of a sentence.
const TEXT_WIDTH: usize = 100;
/// The most classes of a table in a terminal.
const MOST_CLASSES: usize = 20;
const SAMPLES: &str = "samples";

/// The table for people, of the rows that `shown` says, behind the verdict and the warnings: the
/// metric and what it is about, over how many samples, then a column a regime with mean ± deviation
/// over seeds, and under shares where they could lie over other test samples. What the signs mean
/// stands below.
pub fn text(comparison: &Comparison, shown: impl Fn(&ComparisonRow) -> bool) -> String {
    let rows = comparison.rows.iter().filter(|row| shown(row));
    let rows: Vec<(String, String, &ComparisonRow)> =
        rows.map(|row| (label(row), samples(row), row)).collect();
    let width = |text: &str| text.chars().count();
    let wide = rows
        .iter()
        .map(|(label, ..)| width(label))
        .max()
        .unwrap_or(0);
    let narrow = rows.iter().map(|(_, samples, _)| width(samples)).max();
    let narrow = narrow.unwrap_or(0).max(SAMPLES.len());
    let mut text = format!(
        "{}\n{}\n\n",
        title(comparison),
        notes(comparison).join("\n")
    );
    for (place, sentence) in comparison.verdict.words.iter().enumerate() {
        let bullet = if place == 0 { "" } else { "- " };
        text += &wrapped(&format!("{bullet}{sentence}"));
    }
    text += &warned(&comparison.warnings);
    let _ = write!(text, "\n{:wide$}  {SAMPLES:>narrow$}", "");
    for name in comparison.names() {
        let _ = write!(text, " {name:>COLUMN_WIDTH$}");
    }
    for (label, samples, row) in rows {
        let _ = write!(text, "\n{label:wide$}  {samples:>narrow$}");
        for (index, value) in row.values.iter().enumerate() {
            let mark = if row.is_starred(index) { '*' } else { ' ' };
            let value = value.map_or("–".into(), |value| number(&value));
            let _ = write!(text, "{value:>COLUMN_WIDTH$}{mark}");
        }
        let is_share = matches!(row.metric, Metric::Accuracy | Metric::AccuracyUnderAttack);
        if is_share && row.intervals.iter().any(Option::is_some) {
            let _ = write!(text, "\n{:wide$}  {:narrow$}", "", "");
            for interval in &row.intervals {
                let interval = interval.map_or(String::new(), |found| {
                    format!("[{:.3}, {:.3}]", found.low, found.high)
                });
                let _ = write!(text, "{interval:>COLUMN_WIDTH$} ");
            }
        }
    }
    let lines = text.lines().map(str::trim_end);
    let text = lines.collect::<Vec<_>>().join("\n");
    let legend: String = legend_of_signs(comparison)
        .iter()
        .map(|line| wrapped(line))
        .collect();
    format!("{text}\n\n{}", legend.trim_end())
}

/// A line or more for each warning.
pub fn warned(warnings: &[Warning]) -> String {
    let sentence = |warning: &Warning| wrapped(&format!("! {}", warning.sentence()));
    warnings.iter().map(sentence).collect()
}

/// One network's classes, one a line: samples, precision, recall and F1; of many the twenty that are
/// found worst.
pub fn classes(answers: &Classification) -> String {
    let mut shown: Vec<&ClassQuality> = answers.per_class.iter().collect();
    let all = shown.len();
    let mut head = "class".to_string();
    if all > MOST_CLASSES {
        let recall = |class: &ClassQuality| class.recall.unwrap_or(f64::INFINITY);
        shown.sort_by(|a, b| recall(a).total_cmp(&recall(b)));
        shown.truncate(MOST_CLASSES);
        head = format!("class (worst {MOST_CLASSES} of {all})");
    }
    let width = |text: &str| text.chars().count();
    let names = shown.iter().map(|class| width(&class.class));
    let wide = names.chain([width(&head)]).max().unwrap_or(0);
    let mut text = format!("{head:wide$}  samples  precision  recall     F1\n");
    let share = |share: Option<f64>| share.map_or("–".into(), |share| format!("{share:.3}"));
    for class in shown {
        let _ = writeln!(
            text,
            "{:wide$}  {:>7}  {:>9}  {:>6}  {:>5}",
            class.class,
            class.support,
            share(class.precision),
            share(class.recall),
            share(class.f1)
        );
    }
    text
}

/// Lines of a sentence, what follows the first set in.
fn wrapped(sentence: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in sentence.split(' ') {
        let letters = word.chars().count();
        if width > 0 && width + 1 + letters > TEXT_WIDTH {
            text += "\n  ";
            width = 2;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += letters;
    }
    text + "\n"
}

fn label(row: &ComparisonRow) -> String {
    let label = format!(
        "{}, {} {}",
        row.metric,
        row.about,
        row.metric.direction().arrow()
    );
    label.trim_end().into()
}

/// Over how many samples a row is, empty for what is no mean over samples.
pub(super) fn samples(row: &ComparisonRow) -> String {
    row.measured
        .map(|measured| measured.to_string())
        .unwrap_or_default()
}

/// `0.981 ± 0.003`, or `0.981` for one value.
fn number(value: &MeanDeviation) -> String {
    match value.deviation {
        Some(deviation) => format!("{:.3} ± {deviation:.3}", value.mean),
        None => format!("{:.3}", value.mean),
    }
}

/// A line of the CSV: one row of a comparison under one regime.
#[derive(Serialize)]
struct Line<'c> {
    metric: &'static str,
    about: String,
    direction: Direction,
    samples: Option<usize>,
    #[serde(rename = "of test samples")]
    of: Option<usize>,
    regime: &'c str,
    mean: f64,
    deviation: Option<f64>,
    seeds: usize,
    #[serde(rename = "samples low")]
    samples_low: Option<f64>,
    #[serde(rename = "samples high")]
    samples_high: Option<f64>,
    difference: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    p: Option<f64>,
    differs: Option<bool>,
}

/// A line of the differences: one row of a comparison between two regimes.
#[derive(Serialize)]
struct DifferenceLine<'c> {
    metric: &'static str,
    about: String,
    direction: Direction,
    regime: &'c str,
    other: &'c str,
    seeds: usize,
    difference: f64,
    #[serde(rename = "seeds low")]
    seeds_low: Option<f64>,
    #[serde(rename = "seeds high")]
    seeds_high: Option<f64>,
    #[serde(rename = "seeds p")]
    seeds_p: Option<f64>,
    #[serde(rename = "samples low")]
    samples_low: Option<f64>,
    #[serde(rename = "samples high")]
    samples_high: Option<f64>,
    #[serde(rename = "samples p")]
    samples_p: Option<f64>,
    #[serde(rename = "corrected p")]
    p: Option<f64>,
    differs: bool,
}

/// A line of the classes: one class under one regime, all its runs counted together.
#[derive(Serialize)]
struct ClassLine<'c> {
    regime: &'c str,
    class: String,
    runs: usize,
    support: usize,
    predicted: usize,
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
}

fn written<L: Serialize>(lines: impl Iterator<Item = L>) -> Result<Vec<u8>> {
    let refused = |reason: &dyn std::fmt::Display| Error::Argument {
        argument: "comparison".into(),
        found: reason.to_string(),
        expected: "rows that CSV can hold".into(),
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    for line in lines {
        table.serialize(line).map_err(|reason| refused(&reason))?;
    }
    table.into_inner().map_err(|reason| refused(&reason))
}

/// Every number in long form, a line a row and regime: what it is, over how many samples, mean and
/// deviation over seeds, where the mean could lie over other test samples, and the difference to
/// the first regime with its interval and corrected p-value.
///
/// # Errors
/// None in practice: every line has as many fields as the header.
pub fn csv(comparison: &Comparison) -> Result<Vec<u8>> {
    let lines = comparison.rows.iter().flat_map(|row| {
        let cells = row.values.iter().zip(&row.intervals).enumerate();
        cells
            .zip(comparison.names())
            .filter_map(move |((column, (value, range)), regime)| {
                let value = (*value)?;
                let against = row.between(column, 0);
                let interval = against.and_then(|found| found.interval());
                Some(Line {
                    metric: row.metric.name(),
                    about: row.about.to_string(),
                    direction: row.metric.direction(),
                    samples: row.measured.map(|measured| measured.samples),
                    of: row.measured.map(|measured| measured.of),
                    regime,
                    mean: value.mean,
                    deviation: value.deviation,
                    seeds: value.count,
                    samples_low: range.map(|range| range.low),
                    samples_high: range.map(|range| range.high),
                    difference: against.map(|found| found.difference),
                    low: interval.map(|found| found.low),
                    high: interval.map(|found| found.high),
                    p: against.and_then(|found| found.p_value),
                    differs: against.map(|found| found.differs()),
                })
            })
    });
    written(lines)
}

/// The differences between any two regimes, a line a row and pair: the interval and p-value over
/// seeds, those over test samples and seeds, and the larger p-value after correction.
///
/// # Errors
/// As [`csv`](fn@csv).
pub fn differences_csv(comparison: &Comparison) -> Result<Vec<u8>> {
    let lines = comparison.rows.iter().flat_map(|row| {
        row.pairs.iter().map(|pair| {
            let found = &pair.contrast;
            let over_samples = found.over_samples;
            DifferenceLine {
                metric: row.metric.name(),
                about: row.about.to_string(),
                direction: row.metric.direction(),
                regime: &comparison.regimes[pair.regime].name,
                other: &comparison.regimes[pair.other].name,
                seeds: found.seeds,
                difference: found.difference,
                seeds_low: found.over_seeds.map(|found| found.low),
                seeds_high: found.over_seeds.map(|found| found.high),
                seeds_p: found.over_seeds.map(|found| found.p_value),
                samples_low: over_samples.map(|found| found.interval.low),
                samples_high: over_samples.map(|found| found.interval.high),
                samples_p: over_samples.map(|found| found.p_value),
                p: found.p_value,
                differs: found.differs(),
            }
        })
    });
    written(lines)
}

/// Precision, recall, F1 and support of every class under every regime, its runs counted together.
///
/// # Errors
/// As [`csv`](fn@csv).
pub fn classes_csv(comparison: &Comparison) -> Result<Vec<u8>> {
    let regimes = comparison.regimes.iter().enumerate();
    let lines = regimes.flat_map(|(column, regime)| {
        let found = comparison.classification(column);
        let classes = found.map(|found| found.per_class).unwrap_or_default();
        classes.into_iter().map(|class| ClassLine {
            regime: &regime.name,
            class: class.class,
            runs: regime.runs.len(),
            support: class.support,
            predicted: class.predicted,
            precision: class.precision,
            recall: class.recall,
            f1: class.f1,
        })
    });
    written(lines)
}
