//! The tables, before they are written as Markdown or into a page.

use super::summary::{COLUMNS, CONTROL};
use super::{Summary, SummaryRow};
use crate::metrics::statistics::MeanDeviation;

/// One table under its heading.
pub(super) struct Table {
    pub(super) heading: String,
    pub(super) about: String,
    /// How many of the columns name a row.
    pub(super) names: usize,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// What all numbers have in common.
pub(super) fn notes(summary: &Summary) -> Vec<String> {
    let seeds: Vec<String> = summary.seeds.iter().map(ToString::to_string).collect();
    let first = summary.trainings.first().map_or("", String::as_str);
    let mut notes = vec![
        format!(
            "{} sets, {} networks, {} regimes, {} methods, seeds {}. A cell took {}\u{202f}s.",
            summary.sets.len(),
            summary.networks.len(),
            summary.trainings.len(),
            summary.methods.len(),
            seeds.join(", "),
            spread(&format!("{:.1}", summary.seconds.mean), summary.seconds, 1)
        ),
        format!(
            "Mean ± standard deviation over seeds of the mean over sets; a seed draws data and \
             network anew. A dagger † marks a regime whose difference to {first}, paired over \
             seeds, has a 95\u{202f}% confidence interval without 0."
        ),
        format!("Sets: {}.", summary.sets.join(", ")),
    ];
    if !summary.left_out.is_empty() {
        let pairs = summary.left_out.join(", ");
        notes.push(format!("Left out for too little accuracy: {pairs}."));
    }
    notes
}

/// The accuracy, then a table a score, networks and methods in the rows and trainings in the
/// columns, as differences to the random map; then the same set by set.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    let mut tables = vec![accuracy(summary, None)];
    tables.extend(COLUMNS.iter().map(|column| {
        let mut rows = Vec::new();
        for network in &summary.networks {
            for method in summary.methods.iter().filter(|method| *method != CONTROL) {
                let of = |training: &String| {
                    let row = summary.row(None, network, training, Some(method), column.name);
                    row.map_or("–".into(), difference)
                };
                let mut row = vec![network.clone(), method.clone()];
                row.extend(summary.trainings.iter().map(of));
                row.push(control(summary, network, column.name));
                rows.push(row);
            }
        }
        Table {
            heading: format!("{}: difference to the random map", column.name),
            about: format!("The score is {}.", column.about),
            names: 2,
            header: header(summary, &["network", "method"], &["random"]),
            rows,
        }
    }));
    if summary.sets.len() > 1 {
        for set in &summary.sets {
            let mut own = accuracy(summary, Some(set));
            own.heading = format!("{set}: accuracy");
            tables.push(own);
            tables.push(of_set(summary, set));
        }
    }
    tables
}

fn accuracy(summary: &Summary, set: Option<&str>) -> Table {
    let row = |network: &String| {
        let of = |training: &String| {
            let row = summary.row(set, network, training, None, "accuracy");
            row.map_or("–".into(), |row| {
                let value = row.value;
                spread(&format!("{:.3}", value.mean), value, 3) + dagger(row)
            })
        };
        let names = std::iter::once(network.clone());
        names.chain(summary.trainings.iter().map(of)).collect()
    };
    Table {
        heading: "Accuracy".into(),
        about: "Over the whole test part.".into(),
        names: 1,
        header: header(summary, &["network"], &[]),
        rows: summary.networks.iter().map(row).collect(),
    }
}

fn of_set(summary: &Summary, set: &str) -> Table {
    let mut rows = Vec::new();
    for network in &summary.networks {
        for method in &summary.methods {
            let of = |training: &String| {
                let scores = ["AUP", "AUR", "AP"].map(|score| {
                    let row = summary.row(Some(set), network, training, Some(method), score);
                    row.map_or("–".into(), |row| format!("{:.3}", row.value.mean))
                });
                scores.join(" · ")
            };
            let mut row = vec![network.clone(), method.clone()];
            row.extend(summary.trainings.iter().map(of));
            rows.push(row);
        }
    }
    Table {
        heading: format!("{set}: AUP · AUR · AP"),
        about: "The values themselves; AUP and AUR of at most 0.8.".into(),
        names: 2,
        header: header(summary, &["network", "method"], &[]),
        rows,
    }
}

fn difference(row: &SummaryRow) -> String {
    match row.to_random {
        Some(value) => spread(&format!("{:+.3}", value.mean), value, 3) + dagger(row),
        None => format!("{:.3} (no random map)", row.value.mean),
    }
}

/// `mean`, and the deviation where there is one.
fn spread(mean: &str, value: MeanDeviation, decimals: usize) -> String {
    match value.deviation {
        Some(deviation) => format!("{mean} ± {deviation:.decimals$}"),
        None => mean.into(),
    }
}

fn control(summary: &Summary, network: &str, score: &str) -> String {
    let first = summary.trainings.first().map_or("", String::as_str);
    let row = summary.row(None, network, first, Some(CONTROL), score);
    row.map_or("–".into(), |row| format!("{:.3}", row.value.mean))
}

fn dagger(row: &SummaryRow) -> &'static str {
    match row.to_first {
        Some(paired) if paired.low > 0.0 || paired.high < 0.0 => "†",
        _ => "",
    }
}

fn header(summary: &Summary, first: &[&str], last: &[&str]) -> Vec<String> {
    let first = first.iter().map(ToString::to_string);
    let last = last.iter().map(ToString::to_string);
    first.chain(summary.trainings.clone()).chain(last).collect()
}
