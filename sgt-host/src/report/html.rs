//! One self-contained page: no script, no font, no picture from elsewhere.

use super::chart::{CHART_STYLE, COLOURS, LineChart, legend};
use super::figures::{drop_charts, gradient_boxes, robustness_charts, share_changed};
use super::map::{self, MAP_STYLE};
use super::table::samples;
use super::text::{Notation, escape, notes, title};
use crate::Result;
use crate::attack::AttackKind;
use crate::compare::{CONFIDENCE_LEVEL, Comparison, ComparisonRow, MeasuredRun, SampleMaps};
use crate::metrics::removal::Fill;
use crate::metrics::statistics::PairedComparison;
use crate::metrics::{Direction, Metric};
use std::fmt::Write;

const PAGE_STYLE: &str = include_str!("page.css");

/// The page of `comparison`, with the saliency of `samples`.
///
/// # Errors
/// [`crate::Error::Shape`] when a sample or map does not have the shape that it says.
pub fn page(comparison: &Comparison, samples: &[SampleMaps]) -> Result<String> {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{COLOURS}{CHART_STYLE}{MAP_STYLE}{PAGE_STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n",
        notes(comparison)
            .iter()
            .map(|note| escape(note))
            .collect::<Vec<_>>()
            .join(" "),
        title = escape(&title(comparison)),
    );
    html += "<nav aria-label=\"Sections\"><a href=\"#summary\">Summary</a> \
             <a href=\"#robustness\">Robustness</a> <a href=\"#drop\">Accuracy drop</a> \
             <a href=\"#saliency\">Saliency</a> <a href=\"#gradients\">Gradients</a> \
             <a href=\"#metrics\">All metrics</a> <a href=\"#reproduce\">Reproduce</a></nav>\n\
             </header>\n<main>\n";
    let names: Vec<String> = comparison.names().cloned().collect();
    html += &summary(comparison);
    html += &robustness(comparison, &names);
    html += &drops(comparison, &names);
    html += &saliency(samples)?;
    html += &gradients(comparison);
    html += &metrics(comparison);
    html += &reproduce(comparison);
    html += "</main>\n</body>\n</html>\n";
    Ok(html)
}

fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{body}</section>\n")
}

fn summary(comparison: &Comparison) -> String {
    let rows = comparison.rows.iter().filter(|row| row.is_headline());
    let rows: Vec<&ComparisonRow> = rows.collect();
    let mut body = String::new();
    let sentences: Vec<String> = rows
        .iter()
        .filter_map(|row| winner(comparison, row))
        .collect();
    if sentences.is_empty() {
        body += "<p>No regime is better than the first beyond the confidence interval of the \
                 difference.</p>\n";
    } else {
        body += "<ul class=\"findings\">";
        for sentence in sentences {
            let _ = write!(body, "<li>{sentence}</li>");
        }
        body += "</ul>\n";
    }
    body += &table(comparison, &rows, "The main numbers of every regime");
    let _ = writeln!(
        body,
        "<p class=\"fine\">Mean ± standard deviation over seeds. Small print: difference to {}, \
         with the {:.0}\u{202f}% confidence interval of the paired difference over seeds; * where \
         it excludes 0. Bold: the best mean.</p>",
        escape(comparison.first()),
        100.0 * CONFIDENCE_LEVEL
    );
    section("summary", "Summary", &body)
}

/// The best regime of a row in a sentence, when it differs from the first beyond the interval.
fn winner(comparison: &Comparison, row: &ComparisonRow) -> Option<String> {
    let best = row.best()?;
    let notation = Notation::of(row.metric);
    let value = row.values[best].as_ref()?;
    let mut sentence = format!(
        "{}, {}: best by <strong>{}</strong>, {}",
        escape(row.metric.name()),
        escape(&row.about.to_string()),
        escape(&comparison.regimes[best].name),
        notation.mean(value)
    );
    let paired = row.against_first[best].filter(PairedComparison::is_significant)?;
    let _ = write!(
        sentence,
        " ({} against {})",
        notation.interval(paired.difference, paired.low, paired.high),
        escape(comparison.first())
    );
    Some(sentence)
}

/// The start of a table that scrolls by itself, up to its body.
fn table_head<'n>(
    label: &str,
    caption: &str,
    corner: &[&'n str],
    columns: impl Iterator<Item = &'n String>,
) -> String {
    let mut html = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table>\n\
         <caption>{}</caption>\n<thead><tr>",
        escape(label),
        escape(caption),
    );
    for name in corner.iter().copied().chain(columns.map(String::as_str)) {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(name));
    }
    html + "</tr></thead>\n<tbody>\n"
}

fn table(comparison: &Comparison, rows: &[&ComparisonRow], caption: &str) -> String {
    if rows.is_empty() {
        return "<p>Nothing was measured.</p>\n".into();
    }
    let mut html = table_head(caption, caption, &["Metric", "Samples"], comparison.names());
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
            "<tr><th scope=\"row\">{}{arrow}<small>{}</small></th><td>{}</td>",
            escape(row.metric.name()),
            escape(&row.about.to_string()),
            samples(row)
        );
        let (notation, best) = (Notation::of(row.metric), row.best());
        for (index, value) in row.values.iter().enumerate() {
            let Some(value) = value else {
                html += "<td>–</td>";
                continue;
            };
            let text = notation.mean(value);
            let text = if best == Some(index) {
                format!("<strong>{text}</strong>")
            } else {
                text
            };
            let against = row.against_first.get(index).copied().flatten();
            let against = against.map_or(String::new(), |paired| {
                let star = if paired.is_significant() { "*" } else { "" };
                let PairedComparison {
                    difference,
                    low,
                    high,
                    ..
                } = paired;
                // The interval has a line of its own.
                let text = notation.interval(difference, low, high);
                let text = text.replacen('[', "<span>[", 1);
                format!("<small>{text}{star}</span></small>")
            });
            let _ = write!(html, "<td>{text}{against}</td>");
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

fn charts(charts: &[&LineChart]) -> String {
    let mut html = String::from("<div class=\"charts\">\n");
    for chart in charts {
        let _ = writeln!(html, "<figure>{}</figure>", chart.inline());
    }
    html + "</div>\n" + &chart_data(charts)
}

/// The numbers behind charts, as tables.
fn chart_data(charts: &[&LineChart]) -> String {
    let mut html = String::from("<details><summary>The numbers behind these charts</summary>\n");
    for chart in charts {
        let caption = format!("{}: {}", chart.title, chart.y_label);
        let names = chart.lines.iter().map(|line| &line.name);
        html += &table_head(&chart.title, &caption, &[&chart.x_label], names);
        let places = chart
            .lines
            .iter()
            .map(|line| line.points.len())
            .max()
            .unwrap_or(0);
        for place in 0..places {
            let x = chart.lines.iter().find_map(|line| line.points.get(place));
            let x = x.map_or(0.0, |point| point.x);
            let x = if chart.x_percent {
                format!("{:.0}", 100.0 * x)
            } else {
                format!("{x:.3}")
            };
            let _ = write!(html, "<tr><th scope=\"row\">{x}</th>");
            for line in &chart.lines {
                let value = line.points.get(place).map_or("–".into(), |point| {
                    let value = Notation::Percent.number(point.y);
                    if point.deviation > 0.0 {
                        format!("{value} ± {}", Notation::Percent.number(point.deviation))
                    } else {
                        value
                    }
                });
                let _ = write!(html, "<td>{value}</td>");
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
        "<p>Accuracy when each of {} test samples is attacked within a ball of radius ε, in {}. \
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

fn saliency(samples: &[SampleMaps]) -> Result<String> {
    let mut body = String::from(
        "<p>Red raises the score, blue lowers it; the strength is relative to the strongest value \
         of each map. Methods that give magnitudes are red alone.</p>\n",
    );
    for (number, sample) in samples.iter().enumerate() {
        let _ = write!(
            body,
            "<article class=\"{}\">\n<h3>Sample {}: {}</h3>\n<figure class=\"original\">{}{}\
             <figcaption>the sample{}</figcaption></figure>\n",
            sample.shape.noun(),
            number + 1,
            escape(&sample.class),
            map::plain_words(sample),
            map::sample(sample)?,
            match map::hidden_lanes(sample) {
                0 => String::new(),
                hidden => format!("; {hidden} more channels with less saliency are not drawn"),
            }
        );
        let mut methods: Vec<&str> = Vec::new();
        for map in &sample.maps {
            if !methods.contains(&map.method.as_str()) {
                methods.push(&map.method);
            }
        }
        body += "<div class=\"methods\">\n";
        for method in methods {
            let maps: Vec<_> = sample
                .maps
                .iter()
                .filter(|map| map.method == method)
                .collect();
            let _ = write!(
                body,
                "<div>\n<h4>{}</h4>\n<div class=\"maps\" style=\"--columns:{}\">\n",
                escape(method),
                maps.len()
            );
            for shown in maps {
                let wrong = if shown.predicted == sample.class {
                    ""
                } else {
                    " class=\"wrong\""
                };
                let _ = writeln!(
                    body,
                    "<figure>{}{}<figcaption>{}<br><span{wrong}>{}</span></figcaption></figure>",
                    map::words(sample, shown)?,
                    map::saliency(sample, shown)?,
                    escape(&shown.regime),
                    escape(&shown.predicted)
                );
            }
            body += "</div>\n</div>\n";
        }
        body += "</div>\n</article>\n";
    }
    if samples.is_empty() {
        body += "<p>No sample was chosen.</p>\n";
    }
    Ok(section("saliency", "Saliency side by side", &body))
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
    let mut body = format!(
        "<details><summary>All {} rows</summary>\n{}</details>\n",
        rows.len(),
        table(comparison, &rows, "Every metric of every regime")
    );
    body += "<h3>What the metrics mean</h3>\n<dl>\n";
    let shown = |metric: &&Metric| rows.iter().any(|row| row.metric == **metric);
    for metric in Metric::ALL.iter().filter(shown) {
        let _ = writeln!(
            body,
            "<dt>{}</dt><dd>{} {} Sensitive to {}.</dd>",
            escape(metric.name()),
            escape(metric.definition()),
            metric.direction().sentence(),
            escape(metric.sensitive_to())
        );
    }
    body += "</dl>\n";
    section("metrics", "All metrics", &body)
}

/// The settings in which the regimes differ, as a table.
fn settings(comparison: &Comparison) -> String {
    if comparison.settings.is_empty() {
        return String::new();
    }
    let caption = "Settings in which the regimes differ";
    let mut html = table_head(caption, caption, &["Setting"], comparison.names());
    for setting in &comparison.settings {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(&setting.key));
        for value in &setting.values {
            let value = value.as_deref().unwrap_or("–");
            let _ = write!(html, "<td>{}</td>", escape(value));
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

fn reproduce(comparison: &Comparison) -> String {
    let mut body = settings(comparison);
    body += "<p>Each run again, from its command or its configuration:</p>\n";
    for regime in &comparison.regimes {
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
                "<details><summary>{}, seed {seed}, trained in {seconds:.1} s</summary>\n\
                 <pre><code>{}</code></pre>\n<pre><code>{}</code></pre>\n{skipped}</details>\n",
                escape(&regime.name),
                escape(&run.command()),
                escape(&run.config)
            );
        }
    }
    section("reproduce", "Reproduce", &body)
}
