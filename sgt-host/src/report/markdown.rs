//! The tables as Markdown, for a page that is kept beside the code.

use super::contents::{RegimeReport, Report};
use super::figures::share_changed;
use super::text::Unit;
use crate::metrics::comparison::{CONFIDENCE_LEVEL, Comparison, ComparisonRow};
use crate::metrics::drop_curve::DROP_AREA;
use crate::metrics::statistics::{MeanDeviation, PairedComparison};
use crate::metrics::{DESCRIPTIONS, Fill};
use std::fmt::Write;

/// Every number of `report` in tables, a column a regime: how the runs were trained, then one
/// table a metric.
pub fn markdown(report: &Report) -> String {
    let comparison = &report.comparison;
    let mut text = format!("# {}\n\n{}\n", escape(&report.title), escape(&report.data));
    for note in &report.notes {
        let _ = write!(text, "\n{}\n", escape(note));
    }
    let first = comparison.regimes.first();
    let _ = write!(
        text,
        "\nMean ± standard deviation over seeds. Bold: the best mean. A dagger † marks a regime \
         whose difference to {}, paired over common seeds, has a {:.0}\u{202f}% confidence \
         interval without 0.\n",
        escape(first.map_or("the first regime", |name| name)),
        100.0 * CONFIDENCE_LEVEL
    );
    text += &runs(report);
    for description in DESCRIPTIONS {
        let rows = comparison.rows.iter();
        let rows: Vec<_> = rows.filter(|row| row.metric == description.name).collect();
        if rows.is_empty() {
            continue;
        }
        let heading = escape(description.name);
        let (initial, rest) = heading.split_at(heading.chars().next().map_or(0, char::len_utf8));
        let _ = write!(
            text,
            "\n## {}{rest}\n\n{} Sensitive to {}.\n\n{}",
            initial.to_uppercase(),
            description.direction.sentence(),
            escape(description.sensitive_to),
            header(comparison)
        );
        for row in rows {
            text += &measured(row);
        }
        if description.name == DROP_AREA.name {
            text += &shares_changed(&report.regimes);
        }
    }
    text
}

/// How the runs came about: seeds, settings that differ, what their training recorded.
fn runs(report: &Report) -> String {
    let mut text = format!("\n## Training\n\n{}", header(&report.comparison));
    let seeds = |regime: &RegimeReport| {
        let seeds = regime.runs.iter().map(|run| run.seed.to_string());
        seeds.collect::<Vec<_>>().join(", ")
    };
    text += &line("seeds", report.regimes.iter().map(seeds));
    for setting in report.settings.iter().filter(|row| row.key != "regime") {
        let values = setting.values.iter();
        let values = values.map(|value| value.as_deref().map_or("–".into(), escape));
        text += &line(&escape(&setting.key), values);
    }
    let accuracy = |regime: &RegimeReport| {
        let values = regime.runs.iter().map(|run| run.test_accuracy);
        let values: Option<Vec<f64>> = values.collect();
        let mean = values.and_then(|values| MeanDeviation::of(&values).ok());
        mean.map_or("–".into(), |mean| Unit::Percent.mean(&mean))
    };
    text + &line(
        "accuracy, whole test part",
        report.regimes.iter().map(accuracy),
    )
}

/// What each fill really changes, a paragraph a fill that leaves something.
fn shares_changed(regimes: &[RegimeReport]) -> String {
    let sentence = |fill: Fill| {
        let sentence = share_changed(regimes, fill)?;
        Some(format!("\nWith the {} fill, {sentence}\n", fill.name()))
    };
    Fill::ALL.into_iter().filter_map(sentence).collect()
}

fn header(comparison: &Comparison) -> String {
    let names = comparison.regimes.iter().map(|name| escape(name));
    let columns = "| ---: ".repeat(comparison.regimes.len());
    format!("{}| --- {columns}|\n", line("", names))
}

fn measured(row: &ComparisonRow) -> String {
    let (unit, best) = (Unit::of(&row.metric), row.best());
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
        format!("{bold}{}{bold}{mark}", unit.mean(value))
    };
    line(&escape(&row.about), row.values.iter().enumerate().map(cell))
}

fn line(label: &str, cells: impl Iterator<Item = String>) -> String {
    let mut line = format!("| {label} |");
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
