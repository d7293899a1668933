//! One self-contained page: no script, no font, no picture from elsewhere.

use super::chart::{CHART_STYLE, COLOURS, LineChart, legend};
use super::figures::{drop_charts, gradient_boxes, robustness_charts, share_changed};
use super::map::{self, MAP_STYLE};
use super::table::samples;
use super::text::{Notation, escape, legend_of_signs, notes, title};
use crate::Result;
use crate::attack::AttackKind;
use crate::compare::{
    CONFIDENCE_LEVEL, Comparison, ComparisonRow, MeasuredRun, SIGNIFICANCE, SampleMaps,
};
use crate::evaluation::grouped;
use crate::metrics::bootstrap::Interval;
use crate::metrics::removal::Fill;
use crate::metrics::{Classification, Direction, Metric};
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
    html += "<nav aria-label=\"Sections\"><a href=\"#verdict\">Verdict</a> \
             <a href=\"#summary\">Summary</a> <a href=\"#classes\">Classes</a> \
             <a href=\"#robustness\">Robustness</a> <a href=\"#drop\">Accuracy drop</a> \
             <a href=\"#saliency\">Saliency</a> <a href=\"#gradients\">Gradients</a> \
             <a href=\"#metrics\">All metrics</a> <a href=\"#reproduce\">Reproduce</a></nav>\n\
             </header>\n<main>\n";
    let names: Vec<String> = comparison.names().cloned().collect();
    html += &verdict(comparison);
    html += &summary(comparison);
    html += &classes(comparison);
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

/// The verdict and the warnings, in words.
fn verdict(comparison: &Comparison) -> String {
    let mut words = comparison.verdict.words.iter();
    let mut body = words.next().map_or(String::new(), |headline| {
        format!("<p><strong>{}</strong></p>\n", escape(headline))
    });
    body += &list("findings", words.map(|sentence| escape(sentence)));
    let warnings = comparison.warnings.iter();
    let mut warnings = warnings
        .map(|warning| escape(&warning.sentence()))
        .peekable();
    if warnings.peek().is_some() {
        body += "<h3>Before you trust these numbers</h3>\n";
        body += &list("findings warnings", warnings);
    }
    section("verdict", "Verdict", &body)
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

/// What the signs of a table mean.
fn signs(comparison: &Comparison) -> String {
    format!(
        "<p class=\"fine\">{} Bold: the best mean. Small print: the difference to {}, with the \
         interval that holds both that over seeds and that over test samples, uncorrected.</p>\n",
        escape(&legend_of_signs(comparison).join(" ")),
        escape(comparison.first())
    )
}

/// The differences between any two regimes in the rows of a first look.
fn differences(comparison: &Comparison) -> String {
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
    let mut html = table_head(caption, caption, &corner, columns.iter());
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
                "<tr><th scope=\"row\">{}<small>{}</small></th><td>{} − {}</td><td>{}{star}</td>\
                 <td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(row.metric.name()),
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

/// The classes, their samples, and what each regime's networks answer.
fn classes(comparison: &Comparison) -> String {
    if comparison.classes.is_empty() {
        return String::new();
    }
    let caption = "Precision, recall and F1 in %, all runs of a regime counted together";
    let columns = comparison.names();
    let corner = ["Class", "Training", "Test"];
    let mut body = table_head("The classes", caption, &corner, columns);
    let found: Vec<_> = (0..comparison.regimes.len())
        .map(|regime| comparison.classification(regime))
        .collect();
    let share =
        |share: Option<f64>| share.map_or("–".into(), |share| Notation::Percent.number(share));
    for (index, class) in comparison.classes.iter().enumerate() {
        let _ = write!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td>",
            escape(&class.class),
            grouped(class.training),
            grouped(class.test)
        );
        for found in &found {
            let of_class = found.as_ref().and_then(|found| found.per_class.get(index));
            let text = of_class.map_or("–".into(), |class| {
                format!(
                    "F1 {}<small>precision {}<span>recall {}</span></small>",
                    share(class.f1),
                    share(class.precision),
                    share(class.recall)
                )
            });
            let _ = write!(body, "<td>{text}</td>");
        }
        body += "</tr>\n";
    }
    body += "</tbody>\n</table>\n</div>\n";
    for (found, regime) in found.iter().zip(&comparison.regimes) {
        if let Some(found) = found {
            body += &confusion(found, &regime.name, regime.runs.len());
        }
    }
    section("classes", "Classes", &body)
}

/// The answers of a regime's networks: a row a class, a column an answer.
fn confusion(found: &Classification, regime: &str, runs: usize) -> String {
    let caption =
        format!("Answers of {regime} over {runs} runs: a row a class, a column an answer");
    let names: Vec<String> = found
        .per_class
        .iter()
        .map(|class| class.class.clone())
        .collect();
    let mut html = table_head(&caption, &caption, &["Class"], names.iter());
    for (class, (name, counts)) in names.iter().zip(&found.confusion).enumerate() {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(name));
        for (answer, &count) in counts.iter().enumerate() {
            let count = grouped(count);
            let right = answer == class;
            let text = if right {
                format!("<strong>{count}</strong>")
            } else {
                count
            };
            let _ = write!(html, "<td>{text}</td>");
        }
        html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n</div>\n";
    format!(
        "<details><summary>Confusion matrix of {}</summary>\n{html}</details>\n",
        escape(regime)
    )
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
            let _ = write!(html, "<td>{text}{star}{range}{against}</td>");
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n" + &signs(comparison)
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
        "<details><summary>All {} rows</summary>\n{}</details>\n{}",
        rows.len(),
        table(comparison, &rows, "Every metric of every regime"),
        differences(comparison)
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
