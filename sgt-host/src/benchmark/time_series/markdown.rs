//! The tables as Markdown.

use super::summary::{COLUMNS, CONTROL};
use super::{Summary, SummaryRow};
use std::fmt::Write;

/// The accuracy, then a table a score: methods and networks in the rows, trainings in the columns,
/// as differences to the random map; then the same set by set.
pub fn markdown(summary: &Summary) -> String {
    let mut text = String::from("# Time-series benchmark\n");
    let _ = write!(
        text,
        "\n{} sets, {} networks, {} regimes, {} methods, seeds {}. Mean ± standard deviation over \
         seeds of the mean over sets; a seed draws data and network anew. A dagger † marks a regime \
         whose difference to {}, paired over seeds, has a 95\u{202f}% confidence interval without \
         0. A cell took {:.1}\u{202f}s ± {:.1}.\n",
        summary.sets.len(),
        summary.networks.len(),
        summary.trainings.len(),
        summary.methods.len(),
        seeds(summary),
        summary.trainings.first().map_or("", String::as_str),
        summary.seconds.mean,
        summary.seconds.deviation
    );
    let _ = write!(text, "\nSets: {}.\n", summary.sets.join(", "));
    if !summary.left_out.is_empty() {
        let _ = write!(
            text,
            "\nLeft out for too little accuracy: {}.\n",
            summary.left_out.join(", ")
        );
    }
    text += "\n## Accuracy\n\n";
    text += &accuracy(summary, None);
    for column in COLUMNS {
        let _ = write!(
            text,
            "\n## {}: difference to the random map\n\nThe score is {}.\n\n",
            column.name, column.about
        );
        text += &header(summary, &["network", "method"], &["random"]);
        for network in &summary.networks {
            for method in &summary.methods {
                if method == CONTROL {
                    continue;
                }
                let of = |training: &String| {
                    summary.row(None, network, training, Some(method), column.name)
                };
                text += &line(
                    &[network, method],
                    summary
                        .trainings
                        .iter()
                        .map(|training| of(training).map_or("–".into(), difference))
                        .chain([control(summary, network, column.name)]),
                );
            }
        }
    }
    if summary.sets.len() > 1 {
        for set in &summary.sets {
            let _ = write!(text, "\n## {set}\n\n");
            text += &accuracy(summary, Some(set));
            text += "\nAUP, AUR (of at most 0.8) and AP.\n\n";
            text += &header(summary, &["network", "method"], &[]);
            for network in &summary.networks {
                for method in &summary.methods {
                    let of = |training: &String| {
                        let scores = ["AUP", "AUR", "AP"].map(|score| {
                            let row =
                                summary.row(Some(set), network, training, Some(method), score);
                            row.map_or("–".into(), |row| format!("{:.3}", row.value.mean))
                        });
                        scores.join(" · ")
                    };
                    text += &line(&[network, method], summary.trainings.iter().map(of));
                }
            }
        }
    }
    text
}

fn seeds(summary: &Summary) -> String {
    let seeds: Vec<String> = summary.seeds.iter().map(ToString::to_string).collect();
    seeds.join(", ")
}

fn accuracy(summary: &Summary, set: Option<&str>) -> String {
    let mut text = header(summary, &["network"], &[]);
    for network in &summary.networks {
        let of = |training: &String| {
            let row = summary.row(set, network, training, None, "accuracy");
            row.map_or("–".into(), |row| {
                let value = row.value;
                format!("{:.3} ± {:.3}{}", value.mean, value.deviation, dagger(row))
            })
        };
        text += &line(&[network], summary.trainings.iter().map(of));
    }
    text
}

fn difference(row: &SummaryRow) -> String {
    match row.to_random {
        Some(value) => format!("{:+.3} ± {:.3}{}", value.mean, value.deviation, dagger(row)),
        None => format!("{:.3} (no random map)", row.value.mean),
    }
}

fn control(summary: &Summary, network: &str, score: &str) -> String {
    let first = summary.trainings.first().map_or("", String::as_str);
    let row = summary.row(None, network, first, Some(CONTROL), score);
    row.map_or("–".into(), |row| format!("{:.3}", row.value.mean))
}

fn dagger(row: &SummaryRow) -> &'static str {
    match row.to_first {
        Some(paired) if paired.is_significant() => "†",
        _ => "",
    }
}

fn header(summary: &Summary, first: &[&str], last: &[&str]) -> String {
    let names = summary.trainings.iter().cloned();
    let names = names.chain(last.iter().map(ToString::to_string));
    let names: Vec<String> = names.collect();
    let rule: Vec<&str> = first
        .iter()
        .map(|_| "---")
        .chain(names.iter().map(|_| "--:"))
        .collect();
    line(first, names) + &format!("|{}|\n", rule.join("|"))
}

fn line(first: &[&str], cells: impl IntoIterator<Item = String>) -> String {
    let first = first.iter().map(ToString::to_string);
    let all: Vec<String> = first.chain(cells).collect();
    format!("| {} |\n", all.join(" | "))
}
