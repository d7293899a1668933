//! The tables of metrics.

use super::super::table::samples;
use super::super::text::{Notation, escape, legend_of_signs};
use crate::compare::{CONFIDENCE_LEVEL, Comparison, ComparisonRow, SIGNIFICANCE};
use crate::metrics::bootstrap::Interval;
use crate::metrics::{Direction, Metric};
use std::fmt::Write;

/// The column that a narrow screen has in small print.
const SAMPLES: &str = "Samples";

/// What the columns behind a table's first ones are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// One a regime, in their order: each can be hidden.
    Regimes,
    /// Anything else.
    Others,
    /// Anything else, many in little space: their heads stand upright.
    Upright,
}

impl Columns {
    /// What the cells of the column at `place` say, so that they can be hidden.
    pub(super) fn attribute(self, place: usize) -> String {
        match self {
            Self::Regimes => format!(" data-regime=\"{place}\""),
            Self::Others | Self::Upright => String::new(),
        }
    }
}

/// Where a metric is defined on the page.
pub(super) fn metric_id(metric: Metric) -> String {
    let letters = metric.name().chars();
    let plain = letters.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    format!("metric-{}", plain.collect::<String>().trim_end_matches('-'))
}

/// The name of a metric, which leads to its definition and shows it under the pointer.
pub(super) fn metric_link(metric: Metric) -> String {
    format!(
        "<a class=\"metric\" href=\"#{}\" title=\"{}\">{}</a>",
        metric_id(metric),
        escape(metric.definition()),
        escape(metric.name())
    )
}

/// The start of a table that scrolls by itself, up to its body.
pub(super) fn table_head<'n>(
    label: &str,
    caption: &str,
    corner: &[&str],
    columns: impl Iterator<Item = &'n String>,
    head: Columns,
) -> String {
    let mut html = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table>\n\
         <caption>{}</caption>\n<thead><tr>",
        escape(label),
        escape(caption),
    );
    for name in corner {
        let class = if *name == SAMPLES {
            " class=\"wide\""
        } else {
            ""
        };
        let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escape(name));
    }
    for (place, name) in columns.enumerate() {
        let name = escape(name);
        let _ = match head {
            Columns::Upright => write!(html, "<th scope=\"col\"><span>{name}</span></th>"),
            _ => write!(
                html,
                "<th scope=\"col\"{}>{name}</th>",
                head.attribute(place)
            ),
        };
    }
    html + "</tr></thead>\n<tbody>\n"
}

pub(super) fn table(comparison: &Comparison, rows: &[&ComparisonRow], caption: &str) -> String {
    if rows.is_empty() {
        return "<p>Nothing was measured.</p>\n".into();
    }
    let mut html = table_head(
        caption,
        caption,
        &["Metric", SAMPLES],
        comparison.names(),
        Columns::Regimes,
    );
    for row in rows {
        let direction = row.metric.direction();
        let arrow = match direction {
            Direction::Descriptive => String::new(),
            _ => format!(
                "\u{a0}<abbr title=\"{}\">{}</abbr>",
                direction.sentence(),
                direction.arrow()
            ),
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}{arrow}<small>{}<span class=\"narrow\">{samples}</span></small></th>\
             <td class=\"wide\">{samples}</td>",
            metric_link(row.metric),
            escape(&row.about.to_string()),
            samples = samples(row)
        );
        let (notation, best) = (Notation::of(row.metric), row.best());
        for (index, value) in row.values.iter().enumerate() {
            let regime = Columns::Regimes.attribute(index);
            let Some(value) = value else {
                let _ = write!(html, "<td{regime}>–</td>");
                continue;
            };
            let text = notation.mean(value);
            let text = if best == Some(index) {
                format!("<strong>{text}</strong>")
            } else {
                text
            };
            let range = row.intervals.get(index).copied().flatten();
            let range = range.map_or(String::new(), |range| {
                format!("<small>{}</small>", notation.range(&range, value.mean))
            });
            let star = if row.is_starred(index) { "*" } else { "" };
            let against = row.between(index, 0).map_or(String::new(), |found| {
                let text = found.interval().map_or_else(
                    || notation.number(found.difference),
                    |range| notation.interval(found.difference, range.low, range.high),
                );
                // The interval has a line of its own.
                match text.split_once(' ') {
                    Some((difference, interval)) => {
                        format!("<small>{difference} <span>{interval}</span></small>")
                    }
                    None => format!("<small>{text}</small>"),
                }
            });
            let _ = write!(html, "<td{regime}>{text}{star}{range}{against}</td>");
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n" + &signs(comparison)
}

/// What the signs of a table mean.
pub(super) fn signs(comparison: &Comparison) -> String {
    format!(
        "<p class=\"fine\">{} Bold: the best mean. Small print: the difference to {}, with the \
         interval that holds both that over seeds and that over test samples, uncorrected.</p>\n",
        escape(&legend_of_signs(comparison).join(" ")),
        escape(comparison.first())
    )
}

/// The differences between any two regimes in the rows of a first look.
pub(super) fn differences(comparison: &Comparison) -> String {
    let pairs = comparison.rows.iter().map(|row| row.pairs.len()).max();
    if pairs.unwrap_or(0) == 0 {
        return String::new();
    }
    let caption = "Any two regimes: the first less the second";
    let corner = ["Metric", "Regimes"];
    let columns = [
        "difference",
        "over seeds",
        "over samples and seeds",
        "corrected p",
    ]
    .map(String::from);
    let mut html = table_head(caption, caption, &corner, columns.iter(), Columns::Others);
    for row in comparison.rows.iter().filter(|row| row.is_headline()) {
        let notation = Notation::of(row.metric);
        for pair in &row.pairs {
            let found = &pair.contrast;
            let star = if found.differs() { "*" } else { "" };
            let seeds = found.over_seeds.map(|found| Interval {
                low: found.low,
                high: found.high,
                level: found.level,
            });
            let samples = found.over_samples.map(|found| found.interval);
            let range = |range: Option<Interval>| {
                range.map_or("–".into(), |range| {
                    notation.range(&range, found.difference)
                })
            };
            let _ = writeln!(
                html,
                "<tr data-regime=\"{}\" data-other=\"{}\"><th scope=\"row\">{}<small>{}</small></th>\
                 <td>{} − {}</td><td>{}{star}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                pair.regime,
                pair.other,
                metric_link(row.metric),
                escape(&row.about.to_string()),
                escape(&comparison.regimes[pair.regime].name),
                escape(&comparison.regimes[pair.other].name),
                notation.number(found.difference),
                range(seeds),
                range(samples),
                found.p_value.map_or("–".into(), |p| format!("{p:.3}"))
            );
        }
    }
    html += "</tbody>\n</table>\n</div>\n";
    format!(
        "<details><summary>The differences between any two regimes</summary>\n{html}\
         <p class=\"fine\">* more than chance: the larger of the two p-values, after Holm's \
         correction for all pairs of the row, is below {:.0}\u{202f}%. Intervals are those of a \
         pair alone, {:.0}\u{202f}%.</p></details>\n",
        100.0 * SIGNIFICANCE,
        100.0 * CONFIDENCE_LEVEL
    )
}
