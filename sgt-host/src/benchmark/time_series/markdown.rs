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
    for table in tables(summary) {
        let Table { heading, about, .. } = &table;
        let _ = write!(text, "\n## {heading}\n\n{about}\n\n");
        text += &line(&table.header);
        let rules = (0..table.header.len()).map(|column| match column < table.names {
            true => "---".to_string(),
            false => "--:".to_string(),
        });
        let rules: Vec<String> = rules.collect();
        let _ = writeln!(text, "|{}|", rules.join("|"));
        for row in &table.rows {
            text += &line(row);
        }
    }
    text
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
