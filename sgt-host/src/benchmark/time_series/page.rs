//! One self-contained page: tables, and where in time the saliency lies.

use super::tables::{Table, notes, tables};
use super::{CellRecord, Summary, example, profile};
use crate::report::chart::{CHART_STYLE, COLOURS, legend};
use crate::report::escape;
use std::fmt::Write;

const PAGE_STYLE: &str = include_str!("../../report/html/page.css");
const TITLE: &str = "Time-series benchmark";

/// The page of `summary`; the charts are of `cells`.
pub fn page(summary: &Summary, cells: &[CellRecord]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{TITLE}</title>\n<style>\n{COLOURS}{CHART_STYLE}{PAGE_STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>{TITLE}</h1>\n<p class=\"lead\">{}</p>\n</header>\n<main>\n",
        escape(&notes(summary).join(" "))
    );
    html += "<section>\n<h2>Saliency over time</h2>\n<p>The mean magnitude at every step, as a \
             share of the highest; a band is one standard deviation over seeds.</p>\n";
    html += &legend(&summary.trainings);
    for method in &summary.methods {
        let _ = writeln!(html, "<h3>{}</h3>\n<div class=\"charts\">", escape(method));
        for (_, chart) in profile::charts(cells, method) {
            let _ = writeln!(html, "<figure>{}</figure>", chart.inline());
        }
        html += "</div>\n";
    }
    html += "</section>\n";
    let figures = example::figures(cells, &summary.trainings);
    if !figures.is_empty() {
        html += "<section>\n<h2>Maps against the truth</h2>\n";
        let others = example::sets_without_figure(cells);
        if others > 0 {
            let _ = writeln!(html, "<p>{others} more sets are not drawn.</p>");
        }
        for (_, figure) in figures {
            let _ = writeln!(html, "<figure>{figure}</figure>");
        }
        html += "</section>\n";
    }
    for table in tables(summary) {
        html += &section(&table);
    }
    html + "</main>\n</body>\n</html>\n"
}

fn section(table: &Table) -> String {
    let heading = escape(&table.heading);
    let mut html = format!(
        "<section>\n<h2>{heading}</h2>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" \
         aria-label=\"{heading}\">\n<table>\n<caption>{}</caption>\n<thead><tr>",
        escape(&table.about)
    );
    for name in &table.header {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in &table.rows {
        html += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = if column < table.names {
                write!(html, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(html, "<td>{cell}</td>")
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n</section>\n"
}
