//! One self-contained page: no font, picture or script from elsewhere.
//!
//! | module | what it writes |
//! |---|---|
//! | `table` | the tables of metrics |
//! | `classes` | class counts, quality of each class, confusion matrices |
//! | `samples` | samples and their saliency |
//!
//! Everything is there without a script. `page.js` adds what a picture cannot do: a choice of
//! regimes, sample and method, and the values under the pointer or the arrow keys.

mod classes;
mod samples;
mod table;

use super::chart::{CHART_STYLE, COLOURS, LineChart, legend, line_key};
use super::figures::{
    drop_charts, gradient_boxes, learning_charts, robustness_charts, share_changed,
};
use super::map::MAP_STYLE;
use super::text::{escape, notes, title};
use crate::Result;
use crate::attack::AttackKind;
use crate::compare::{Comparison, ComparisonRow, MeasuredRun, SampleMaps};
use crate::metrics::Metric;
use crate::metrics::removal::Fill;
use classes::classes;
use samples::samples as saliency;
use std::fmt::Write;
use table::{Columns, differences, metric_id, table, table_head};

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of `comparison`, with the saliency of `samples`.
///
/// # Errors
/// [`crate::Error::Shape`] when a sample or map does not have the shape that it says.
pub fn page(comparison: &Comparison, samples: &[SampleMaps]) -> Result<String> {
    let names: Vec<String> = comparison.names().cloned().collect();
    let sections = [
        ("Verdict", verdict(comparison)),
        ("Summary", summary(comparison)),
        ("Learning", learning(comparison, &names)),
        ("Classes", classes(comparison)),
        ("Robustness", robustness(comparison, &names)),
        ("Samples", saliency(samples, &names)?),
        ("Accuracy drop", drops(comparison, &names)),
        ("Gradients", gradients(comparison)),
        ("All metrics", metrics(comparison)),
        ("Definitions", definitions(comparison)),
        ("Reproduce", reproduce(comparison)),
    ];
    let written = || sections.iter().filter(|(_, section)| !section.is_empty());
    let notes = notes(comparison);
    let notes: Vec<String> = notes.iter().map(|note| escape(note)).collect();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{COLOURS}{CHART_STYLE}{MAP_STYLE}{PAGE_STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n\
         <nav aria-label=\"Sections\">",
        notes.join(" "),
        title = escape(&title(comparison)),
    );
    for (heading, section) in written() {
        let id = section.split('"').nth(1).unwrap_or_default();
        let _ = write!(html, "<a href=\"#{id}\">{heading}</a> ");
    }
    html += "</nav>\n</header>\n";
    html += &regime_choice(&names);
    html += "<main>\n";
    html.extend(written().map(|(_, section)| section.as_str()));
    let _ = write!(
        html,
        "</main>\n<output id=\"values\" hidden></output>\n<script>\n{SCRIPT}</script>\n</body>\n\
         </html>\n"
    );
    Ok(html)
}

/// Which regimes are shown, for the script to show.
fn regime_choice(names: &[String]) -> String {
    if names.len() < 2 {
        return String::new();
    }
    let mut html = String::from(
        "<form class=\"choices regimes\" id=\"choose-regimes\" hidden>\n<fieldset>\
         <legend>Regimes</legend>",
    );
    for (place, name) in names.iter().enumerate() {
        let _ = write!(
            html,
            "<label><input type=\"checkbox\" value=\"{place}\" checked> {}{}</label>",
            line_key(place),
            escape(name)
        );
    }
    html + "</fieldset>\n</form>\n"
}

fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{body}</section>\n")
}

/// The verdict and the warnings, in words.
fn verdict(comparison: &Comparison) -> String {
    let mut words = comparison.verdict.words.iter();
    let headline = words.next().map_or(String::new(), |headline| {
        format!("<p class=\"headline\">{}</p>\n", escape(headline))
    });
    let mut body = headline + "<div class=\"columns\">\n<div>\n";
    body += &list("findings", words.map(|sentence| escape(sentence)));
    body += "</div>\n";
    let warnings = comparison.warnings.iter();
    let mut warnings = warnings
        .map(|warning| escape(&warning.sentence()))
        .peekable();
    if warnings.peek().is_some() {
        body += "<div>\n<h3>Before you trust these numbers</h3>\n";
        body += &list("findings warnings", warnings);
        body += "</div>\n";
    }
    section("verdict", "Verdict", &(body + "</div>\n"))
}

fn list(class: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return String::new();
    }
    let items = items.join("</li><li>");
    format!("<ul class=\"{class}\"><li>{items}</li></ul>\n")
}

fn summary(comparison: &Comparison) -> String {
    let rows = comparison.rows.iter().filter(|row| row.is_headline());
    let rows: Vec<&ComparisonRow> = rows.collect();
    let body = table(comparison, &rows, "The main numbers of every regime");
    section("summary", "Summary", &body)
}

/// What the trainings showed, epoch by epoch; nothing without that.
fn learning(comparison: &Comparison, names: &[String]) -> String {
    let drawn = learning_charts(comparison);
    if drawn.is_empty() {
        return String::new();
    }
    let body = format!(
        "<p>What each training showed while it went on, mean over seeds; bands show one standard \
         deviation. Accuracy is the share of training samples predicted right while they were \
         trained on; cross-entropy is that of the samples as they are, each weighted by its class.</p>\n\
         {}{}",
        legend(names),
        charts(&drawn.iter().collect::<Vec<_>>())
    );
    section("learning", "Learning curves", &body)
}

/// Charts, and the numbers behind them: beside a single one, below several.
fn charts(charts: &[&LineChart]) -> String {
    let alone = if charts.len() == 1 { " alone" } else { "" };
    let mut html = format!("<div class=\"drawn{alone}\">\n<div class=\"charts\">\n");
    for chart in charts {
        let _ = writeln!(html, "<figure>{}</figure>", chart.inline());
    }
    html + "</div>\n" + &chart_data(charts) + "</div>\n"
}

/// The numbers behind charts, as tables.
fn chart_data(charts: &[&LineChart]) -> String {
    let open = if charts.len() == 1 { " open" } else { "" };
    let mut html = format!("<details{open}><summary>The numbers behind this</summary>\n");
    for chart in charts {
        let caption = format!("{}: {}", chart.title, chart.y_label);
        let names = chart.lines.iter().map(|line| &line.name);
        html += &table_head(
            &chart.title,
            &caption,
            &[&chart.x_label],
            names,
            Columns::Regimes,
        );
        let places = chart
            .lines
            .iter()
            .map(|line| line.points.len())
            .max()
            .unwrap_or(0);
        for place in 0..places {
            let x = chart.lines.iter().find_map(|line| line.points.get(place));
            let x = x.map_or(0.0, |point| point.x);
            let _ = write!(html, "<tr><th scope=\"row\">{}</th>", chart.x_text(x));
            for (regime, line) in chart.lines.iter().enumerate() {
                let value = line.points.get(place).map_or("–".into(), |point| {
                    let value = chart.y_number(point.y);
                    if point.deviation > 0.0 {
                        format!("{value} ± {}", chart.y_number(point.deviation))
                    } else {
                        value
                    }
                });
                let _ = write!(
                    html,
                    "<td{}>{value}</td>",
                    Columns::Regimes.attribute(regime)
                );
            }
            html += "</tr>\n";
        }
        html += "</tbody></table>\n</div>\n";
    }
    html + "</details>\n"
}

/// Over which samples a section's charts are: `500 of 1,849`.
fn drawn_samples(comparison: &Comparison) -> String {
    let measured = comparison.measured();
    measured
        .map(|samples| samples.to_string())
        .unwrap_or_default()
}

fn robustness(comparison: &Comparison, names: &[String]) -> String {
    let drawn = robustness_charts(comparison);
    let mut attacks = comparison.evaluation.attacks.iter();
    let has_noise = attacks.any(|attack| attack.kind == AttackKind::RandomNoise);
    let body = format!(
        "<p>Accuracy when each of {} test samples is attacked within a ball of radius ε, in {}, the worst \
         over smaller radii too. \
         Bands show one standard deviation over seeds.{}</p>\n{}{}",
        drawn_samples(comparison),
        comparison.unit,
        if has_noise {
            " Random noise of the same size is the control: an attack must lie below it."
        } else {
            ""
        },
        legend(names),
        charts(&drawn.iter().collect::<Vec<_>>())
    );
    section("robustness", "Robustness", &body)
}

fn drops(comparison: &Comparison, names: &[String]) -> String {
    let drawn = drop_charts(comparison);
    let mut fills: Vec<Fill> = Vec::new();
    for (fill, _) in &drawn {
        if !fills.contains(fill) {
            fills.push(*fill);
        }
    }
    let mut body = format!(
        "<p>Accuracy after the most important features of each of {} test samples are \
         overwritten, without retraining. A steeper fall means that the map found what the network \
         uses{}.</p>\n{}",
        drawn_samples(comparison),
        if drawn.iter().any(|(_, chart)| chart.title == "random") {
            "; the random map is the control"
        } else {
            ""
        },
        legend(names)
    );
    for (place, &fill) in fills.iter().enumerate() {
        let of_fill: Vec<&LineChart> = drawn
            .iter()
            .filter(|(other, _)| *other == fill)
            .map(|(_, chart)| chart)
            .collect();
        let content = format!("{}{}", changed(comparison, fill), charts(&of_fill));
        let heading = format!("Removed features become: {}", fill.name());
        if place == 0 {
            let _ = write!(body, "<h3>{heading}</h3>\n{content}");
        } else {
            let _ = write!(
                body,
                "<details><summary>{heading}</summary>\n{content}</details>\n"
            );
        }
    }
    section("drop", "Accuracy drop", &body)
}

/// What the fill really changes, as a paragraph.
fn changed(comparison: &Comparison, fill: Fill) -> String {
    let sentence = share_changed(comparison, fill);
    sentence.map_or(String::new(), |sentence| {
        format!("<p class=\"fine\">With this fill, {sentence}</p>\n")
    })
}

fn gradients(comparison: &Comparison) -> String {
    let body = format!(
        "<p>The distribution over {} test samples, first seed of every regime. Box: half of the samples; \
         line: median; whiskers: 1.5 box lengths; circles: extremes.</p>\n\
         <div class=\"charts\"><figure>{}</figure></div>\n",
        drawn_samples(comparison),
        gradient_boxes(comparison).inline()
    );
    section("gradients", "Gradients", &body)
}

fn metrics(comparison: &Comparison) -> String {
    let rows: Vec<&ComparisonRow> = comparison.rows.iter().collect();
    let body = format!(
        "<details><summary>All {} rows</summary>\n{}</details>\n{}",
        rows.len(),
        table(comparison, &rows, "Every metric of every regime"),
        differences(comparison)
    );
    section("metrics", "All metrics", &body)
}

/// One sentence for each metric that the page shows, and what to mind.
fn definitions(comparison: &Comparison) -> String {
    let shown = |metric: &&Metric| comparison.rows.iter().any(|row| row.metric == **metric);
    let mut body = String::from("<dl>\n");
    for &metric in Metric::ALL.iter().filter(shown) {
        let _ = writeln!(
            body,
            "<dt id=\"{}\">{}</dt><dd>{}<br><span class=\"fine\">{} Sensitive to {}.</span></dd>",
            metric_id(metric),
            escape(metric.name()),
            escape(metric.definition()),
            metric.direction().sentence(),
            escape(metric.sensitive_to())
        );
    }
    body += "</dl>\n";
    section("definitions", "What the metrics mean", &body)
}

/// The settings in which the regimes differ, as a table.
fn settings(comparison: &Comparison) -> String {
    if comparison.settings.is_empty() {
        return String::new();
    }
    let caption = "Settings in which the regimes differ";
    let mut html = table_head(
        caption,
        caption,
        &["Setting"],
        comparison.names(),
        Columns::Regimes,
    );
    for setting in &comparison.settings {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(&setting.key));
        for (regime, value) in setting.values.iter().enumerate() {
            let value = value.as_deref().unwrap_or("–");
            let regime = Columns::Regimes.attribute(regime);
            let _ = write!(html, "<td{regime}>{}</td>", escape(value));
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

fn reproduce(comparison: &Comparison) -> String {
    let mut body = settings(comparison);
    body += "<p>Each run again, from its command or its configuration:</p>\n";
    for (place, regime) in comparison.regimes.iter().enumerate() {
        for run in &regime.runs {
            let MeasuredRun { seed, seconds, .. } = run;
            let mut skipped = String::new();
            for method in &run.evaluation.skipped {
                let _ = writeln!(
                    skipped,
                    "<p class=\"fine\">Without {}: {}</p>",
                    escape(&method.method),
                    escape(&method.reason)
                );
            }
            let _ = write!(
                body,
                "<details data-regime=\"{place}\"><summary>{}, seed {seed}, trained in {seconds:.1} s</summary>\n\
                 <pre><code>{}</code></pre>\n<pre><code>{}</code></pre>\n{skipped}</details>\n",
                escape(&regime.name),
                escape(&run.command()),
                escape(&run.config)
            );
        }
    }
    section("reproduce", "Reproduce", &body)
}
