//! A comparison as text for a terminal, and as CSV.

use super::text::{notes, title};
use crate::compare::{Comparison, ComparisonRow};
use crate::metrics::Direction;
use crate::metrics::statistics::MeanDeviation;
use crate::{Error, Result};
use serde::Serialize;
use std::fmt::Write;

const COLUMN_WIDTH: usize = 16;
const SAMPLES: &str = "samples";

/// The table for people, of the rows that `shown` says: the metric and what it is about, over how
/// many samples, then a column a regime with mean ± deviation over seeds. A star marks the best
/// mean where one is best.
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
    let _ = write!(text, "{:wide$}  {SAMPLES:>narrow$}", "");
    for name in comparison.names() {
        let _ = write!(text, " {name:>COLUMN_WIDTH$}");
    }
    for (label, samples, row) in rows {
        let best = row.best();
        let _ = write!(text, "\n{label:wide$}  {samples:>narrow$}");
        for (index, value) in row.values.iter().enumerate() {
            let mark = if best == Some(index) { '*' } else { ' ' };
            let value = value.map_or("–".into(), |value| number(&value));
            let _ = write!(text, "{value:>COLUMN_WIDTH$}{mark}");
        }
    }
    text
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

fn number(value: &MeanDeviation) -> String {
    format!("{:.3} ± {:.3}", value.mean, value.deviation)
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
    deviation: f64,
    seeds: usize,
    difference: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// Every number in long form, a line a row and regime: what it is, over how many samples, mean
/// and deviation over seeds, and the paired difference to the first regime with its confidence
/// interval.
///
/// # Errors
/// None in practice: every line has as many fields as the header.
pub fn csv(comparison: &Comparison) -> Result<Vec<u8>> {
    let refused = |reason: &dyn std::fmt::Display| Error::Argument {
        argument: "comparison".into(),
        found: reason.to_string(),
        expected: "rows that CSV can hold".into(),
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in &comparison.rows {
        let cells = row.values.iter().zip(&row.against_first);
        for ((value, difference), regime) in cells.zip(comparison.names()) {
            let Some(value) = value else { continue };
            let line = Line {
                metric: row.metric.name(),
                about: row.about.to_string(),
                direction: row.metric.direction(),
                samples: row.measured.map(|measured| measured.samples),
                of: row.measured.map(|measured| measured.of),
                regime,
                mean: value.mean,
                deviation: value.deviation,
                seeds: value.count,
                difference: difference.map(|pair| pair.difference),
                low: difference.map(|pair| pair.low),
                high: difference.map(|pair| pair.high),
            };
            table.serialize(line).map_err(|reason| refused(&reason))?;
        }
    }
    table.into_inner().map_err(|reason| refused(&reason))
}
