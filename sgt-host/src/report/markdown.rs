//! The tables as Markdown, for a page that is kept beside the code.

use super::figures::share_changed;
use super::table::samples;
use super::text::{Notation, notes, title};
use crate::compare::{CONFIDENCE_LEVEL, Comparison, ComparisonRow, RegimeRuns};
use crate::metrics::statistics::{MeanDeviation, PairedComparison};
use crate::metrics::{Fill, Metric};
use std::fmt::Write;

/// Every number of `comparison` in tables, a column a regime: how the runs were trained, then one
/// table a metric.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("# {}\n", escape(&title(comparison)));
    for note in notes(comparison) {
        let _ = write!(text, "\n{}\n", escape(&note));
    }
    let _ = write!(
        text,
        "\nMean ± standard deviation over seeds. Bold: the best mean. A dagger † marks a regime \
         whose difference to {}, paired over common seeds, has a {:.0}\u{202f}% confidence \
         interval without 0.\n",
        escape(comparison.first()),
        100.0 * CONFIDENCE_LEVEL
    );
    text += &training(comparison);
    for &metric in Metric::ALL {
        let rows = comparison.rows.iter().filter(|row| row.metric == metric);
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            continue;
        }
        let heading = escape(metric.name());
        let (initial, rest) = heading.split_at(heading.chars().next().map_or(0, char::len_utf8));
        let _ = write!(
            text,
            "\n## {}{rest}\n\n{} {} Sensitive to {}.\n\n{}",
            initial.to_uppercase(),
            metric.definition(),
            metric.direction().sentence(),
            escape(metric.sensitive_to()),
            header(comparison, &["", "samples"])
        );
        for row in rows {
            text += &measured(row);
        }
        if metric == Metric::AccuracyDropArea {
            text += &shares_changed(comparison);
        }
    }
    text
}

/// How the runs came about: seeds, and the settings that differ.
fn training(comparison: &Comparison) -> String {
    let mut text = format!("\n## Training\n\n{}", header(comparison, &[""]));
    let seeds = |regime: &RegimeRuns| {
        let seeds = regime.runs.iter().map(|run| run.seed.to_string());
        seeds.collect::<Vec<_>>().join(", ")
    };
    text += &line(&["seeds"], comparison.regimes.iter().map(seeds));
    for setting in comparison.settings.iter().filter(|row| row.key != "regime") {
        let values = setting.values.iter();
        let values = values.map(|value| value.as_deref().map_or("–".into(), escape));
        text += &line(&[&escape(&setting.key)], values);
    }
    text
}

/// What each fill really changes, a paragraph a fill that leaves something.
fn shares_changed(comparison: &Comparison) -> String {
    let sentence = |fill: Fill| {
        let sentence = share_changed(comparison, fill)?;
        Some(format!("\nWith the {} fill, {sentence}\n", fill.name()))
    };
    Fill::ALL.into_iter().filter_map(sentence).collect()
}

/// The names over the columns, the first of which are `labels`, and the rule.
fn header(comparison: &Comparison, labels: &[&str]) -> String {
    let names = comparison.names().map(|name| escape(name));
    let rule = "| --- ".repeat(labels.len()) + &"| ---: ".repeat(names.len());
    format!("{}{rule}|\n", line(labels, names))
}

fn measured(row: &ComparisonRow) -> String {
    let (notation, best) = (Notation::of(row.metric), row.best());
    let cell = |(index, value): (usize, &Option<MeanDeviation>)| {
        let Some(value) = value else {
            return "–".into();
        };
        let against = row.against_first.get(index).copied().flatten();
        let differs = against
            .as_ref()
            .is_some_and(PairedComparison::is_significant);
        let mark = if differs { "†" } else { "" };
        let bold = if best == Some(index) { "**" } else { "" };
        format!("{bold}{}{bold}{mark}", notation.mean(value))
    };
    let labels = [&escape(&row.about.to_string())[..], &samples(row)];
    line(&labels, row.values.iter().enumerate().map(cell))
}

fn line(labels: &[&str], cells: impl Iterator<Item = String>) -> String {
    let mut line = String::from("|");
    for label in labels {
        let _ = write!(line, " {label} |");
    }
    for cell in cells {
        let _ = write!(line, " {cell} |");
    }
    line + "\n"
}

/// Keeps text from being read as markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '|' | '<' | '>' | '[' | ']' | '#' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_cannot_leave_its_cell() {
        assert_eq!(escape("a|b\n<c> *d*"), "a\\|b \\<c\\> \\*d\\*");
    }
}
