//! A comparison as text and as CSV.

use super::Summary;
use crate::metrics::comparison::{Comparison, ComparisonRow};
use crate::metrics::statistics::MeanDeviation;
use crate::metrics::{
    Description, Direction, drop_curve, faithfulness, focus, robustness, samples,
};
use crate::{Error, Result};
use std::fmt::Write;

/// Metrics of the text table, in its order; the CSV has all.
const SHOWN: [Description; 6] = [
    samples::ACCURACY,
    robustness::ROBUST_ACCURACY,
    drop_curve::DROP_AREA,
    faithfulness::SUFFICIENCY,
    faithfulness::COMPREHENSIVENESS,
    focus::SPARSENESS,
];
const LABEL_WIDTH: usize = 34;
const WIDE_LABEL: usize = 64;
const COLUMN_WIDTH: usize = 16;

/// The table for people: a row a metric, a column a regime, mean ± deviation over seeds. A star
/// marks the best mean where one is best.
pub fn text(summary: &Summary) -> String {
    let mut text = format!(
        "{} with {}: {} training and {} test samples, {} epochs, {} seeds, {:.1} s\n\n",
        summary.data,
        summary.model,
        summary.samples[0],
        summary.samples[1],
        summary.epochs,
        summary.seeds,
        summary.seconds
    );
    let rows = &summary.comparison.rows;
    let shown = SHOWN
        .iter()
        .flat_map(|metric| rows.iter().filter(|row| row.metric == metric.name));
    text += &lines(&summary.comparison.regimes, shown, LABEL_WIDTH);
    let _ = write!(text, "\n{:LABEL_WIDTH$}", "training seconds");
    for seconds in &summary.training_seconds {
        let seconds = format!("{:.2} ± {:.2}", seconds.mean, seconds.deviation);
        let _ = write!(text, "{seconds:>COLUMN_WIDTH$} ");
    }
    text
}

/// Every row of a comparison.
pub fn every_row(comparison: &Comparison) -> String {
    lines(&comparison.regimes, comparison.rows.iter(), WIDE_LABEL)
}

/// A line of regimes, then a line a row.
fn lines<'r>(
    regimes: &[String],
    rows: impl Iterator<Item = &'r ComparisonRow>,
    width: usize,
) -> String {
    let mut text = format!("{:width$}", "");
    for regime in regimes {
        let _ = write!(text, "{regime:>COLUMN_WIDTH$} ");
    }
    for row in rows {
        let best = row.best();
        let _ = write!(text, "\n{:width$}", label(row, width == LABEL_WIDTH));
        for (index, value) in row.values.iter().enumerate() {
            let mark = if best == Some(index) { '*' } else { ' ' };
            let value = value.map_or("–".into(), |value| number(&value));
            let _ = write!(text, "{value:>COLUMN_WIDTH$}{mark}");
        }
    }
    text
}

fn label(row: &ComparisonRow, short: bool) -> String {
    let arrow = match row.direction {
        Direction::HigherIsBetter => "↑",
        Direction::LowerIsBetter => "↓",
        Direction::Descriptive => " ",
    };
    match row.metric.as_str() {
        metric if metric == robustness::ROBUST_ACCURACY.name => {
            format!("accuracy, {} {arrow}", row.about)
        }
        metric if short => format!("{metric} {arrow}"),
        metric => format!("{metric}, {} {arrow}", row.about),
    }
}

fn number(value: &MeanDeviation) -> String {
    format!("{:.3} ± {:.3}", value.mean, value.deviation)
}

/// Every number in long form: metric, about, direction, regime, mean, deviation, seeds, and the
/// paired difference to the first regime with its confidence interval.
///
/// # Errors
/// None in practice: every row has as many fields as the header.
pub fn csv(summary: &Summary) -> Result<Vec<u8>> {
    let refused = |reason: &dyn std::fmt::Display| Error::Argument {
        argument: "comparison".into(),
        found: reason.to_string(),
        expected: "rows that CSV can hold".into(),
    };
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = |fields: [String; 10]| table.write_record(fields);
    let header = [
        "metric",
        "about",
        "direction",
        "regime",
        "mean",
        "deviation",
        "seeds",
        "difference",
        "low",
        "high",
    ];
    write(header.map(Into::into)).map_err(|reason| refused(&reason))?;
    for row in &summary.comparison.rows {
        let cells = row.values.iter().zip(&row.against_first);
        for ((value, difference), regime) in cells.zip(&summary.comparison.regimes) {
            let Some(value) = value else { continue };
            let difference = |part: fn(&_) -> f64| {
                let part = difference.as_ref().map(part);
                part.map(|number| number.to_string()).unwrap_or_default()
            };
            let fields = [
                row.metric.clone(),
                row.about.clone(),
                direction(row.direction).into(),
                regime.clone(),
                value.mean.to_string(),
                value.deviation.to_string(),
                value.count.to_string(),
                difference(|pair: &crate::metrics::statistics::PairedComparison| pair.difference),
                difference(|pair| pair.low),
                difference(|pair| pair.high),
            ];
            write(fields).map_err(|reason| refused(&reason))?;
        }
    }
    let seconds = summary
        .comparison
        .regimes
        .iter()
        .zip(&summary.training_seconds);
    for (regime, value) in seconds {
        let fields = [
            "training seconds".into(),
            String::new(),
            direction(Direction::LowerIsBetter).into(),
            regime.clone(),
            value.mean.to_string(),
            value.deviation.to_string(),
            value.count.to_string(),
            String::new(),
            String::new(),
            String::new(),
        ];
        write(fields).map_err(|reason| refused(&reason))?;
    }
    table.into_inner().map_err(|reason| refused(&reason))
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::HigherIsBetter => "higher-is-better",
        Direction::LowerIsBetter => "lower-is-better",
        Direction::Descriptive => "descriptive",
    }
}
