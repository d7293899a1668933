//! The tables as Markdown.

use super::Summary;
use super::tables::{Table, notes, tables};
use std::fmt::Write;

/// The accuracy, then a table a score: networks and methods in the rows, trainings in the columns,
/// as differences to the random map; then the same set by set.
pub fn markdown(summary: &Summary) -> String {
    let mut text = String::from("# Time-series benchmark\n");
    for note in notes(summary) {
        let _ = write!(text, "\n{note}\n");
    }
    text + &tables(summary).iter().map(written).collect::<String>()
}

/// The accuracy and the benchmark's two areas, for a terminal.
pub fn headline(summary: &Summary) -> String {
    const SHOWN: usize = 3;
    let tables = tables(summary);
    tables.iter().take(SHOWN).map(written).collect()
}

fn written(table: &Table) -> String {
    let Table { heading, about, .. } = table;
    let mut text = format!("\n## {heading}\n\n{about}\n\n");
    text += &line(&table.header);
    let rules =
        (0..table.header.len()).map(|column| if column < table.names { "---" } else { "--:" });
    let rules: Vec<&str> = rules.collect();
    let _ = writeln!(text, "|{}|", rules.join("|"));
    for row in &table.rows {
        text += &line(row);
    }
    text
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
