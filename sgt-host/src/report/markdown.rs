//! The tables as Markdown, for a page that is kept beside the code.

use super::figures::share_changed;
use super::table::samples;
use super::text::{Notation, legend_of_signs, notes, title};
use crate::compare::{Comparison, ComparisonRow, RegimeRuns};
use crate::evaluation::grouped;
use crate::metrics::statistics::MeanDeviation;
use crate::metrics::{Classification, Fill, Metric};
use std::fmt::Write;

/// Every number of `comparison` in tables, a column a regime: how the runs were trained, then one
/// table a metric.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("# {}\n", escape(&title(comparison)));
    for note in notes(comparison) {
        let _ = write!(text, "\n{}\n", escape(&note));
    }
    text += "\n## Verdict\n\n";
    for sentence in &comparison.verdict.words {
        let _ = writeln!(text, "- {}", escape(sentence));
    }
    if !comparison.warnings.is_empty() {
        text += "\n## Warnings\n\n";
    }
    for warning in &comparison.warnings {
        let _ = writeln!(text, "- {}", escape(&warning.sentence()));
    }
    let _ = write!(
        text,
        "\n## Reading the tables\n\n{} Bold: the best mean.\n",
        escape(&legend_of_signs(comparison).join(" "))
    );
    text += &training(comparison);
    text += &classes(comparison);
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

/// The classes: their samples, and each regime's recall and precision, all runs counted together.
fn classes(comparison: &Comparison) -> String {
    if comparison.classes.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n## Classes\n\nRecall / precision in %, all runs of a regime counted together.\n\n{}",
        header(comparison, &["class", "training", "test"])
    );
    let found: Vec<_> = (0..comparison.regimes.len())
        .map(|regime| comparison.classification(regime))
        .collect();
    for (index, class) in comparison.classes.iter().enumerate() {
        let cell = |found: &Option<Classification>| {
            let of_class = found.as_ref().and_then(|found| found.per_class.get(index));
            let share = |share: Option<f64>| {
                share.map_or("–".into(), |share| Notation::Percent.number(share))
            };
            of_class.map_or("–".into(), |class| {
                format!("{} / {}", share(class.recall), share(class.precision))
            })
        };
        let labels = [
            escape(&class.class),
            grouped(class.training),
            grouped(class.test),
        ];
        let labels = labels.each_ref().map(String::as_str);
        text += &line(&labels, found.iter().map(cell));
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
        let mark = if row.is_starred(index) { "\\*" } else { "" };
        let bold = if best == Some(index) { "**" } else { "" };
        let range = row.intervals[index].map_or(String::new(), |found| {
            format!(" {}", escape(&notation.range(&found, value.mean)))
        });
        format!("{bold}{}{bold}{mark}{range}", notation.mean(value))
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
