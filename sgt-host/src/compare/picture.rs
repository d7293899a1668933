//! A comparison as pictures: SVG without scripts, fonts or links.

use super::{MappedSample, Maps, Report};
use crate::Result;
use crate::metrics::robustness::RobustnessCurve;
use crate::metrics::statistics::MeanDeviation;
use crate::model::{InputShape, SeriesOrder};
use std::fmt::Write;

/// Colours that stay apart for the colour-blind (Okabe and Ito, 2008).
const COLOURS: [&str; 5] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"];
/// Shades of a map, from no saliency to the most.
const SHADES: [&str; 8] = [
    "#ffffff", "#fdebd3", "#fdd5a5", "#fdb871", "#f7933f", "#e26a1c", "#b8450f", "#7f2704",
];
const INK: &str = "#222222";
const GRID: &str = "#dddddd";
const FONT: &str = "font-family=\"system-ui, sans-serif\"";

/// A saliency panel's width and the space between panels, in pixels.
const PANEL: f64 = 220.0;
const GAP: f64 = 14.0;
/// Space for labels on the left and on top.
const MARGIN: f64 = 110.0;
const TOP: f64 = 54.0;
/// Height of one channel's strip of a series.
const STRIP: f64 = 22.0;
/// What of a strip's height the line of the values takes.
const LINE_SHARE: f64 = 0.8;

/// Saliency maps: a row a sample, a column a regime. The shade is the gradient's magnitude over
/// the map's largest; a series' values are drawn over it, channel by channel.
pub fn saliency(maps: &Maps) -> String {
    let (rows, columns, strips) = grid(maps.input);
    let cell_width = PANEL / columns as f64;
    let cell_height = match strips {
        true => STRIP,
        false => PANEL / rows as f64,
    };
    let height = cell_height * rows as f64;
    let total_width = MARGIN + maps.regimes.len() as f64 * (PANEL + GAP);
    let total_height = TOP + maps.samples.len() as f64 * (height + GAP);
    let mut svg = open(total_width, total_height);
    text(
        &mut svg,
        GAP,
        20.0,
        14,
        "start",
        "Saliency |∂ logit of the true class / ∂ x|",
    );
    for (column, regime) in maps.regimes.iter().enumerate() {
        let x = MARGIN + column as f64 * (PANEL + GAP) + PANEL / 2.0;
        text(&mut svg, x, TOP - 8.0, 13, "middle", regime.name());
    }
    for (row, sample) in maps.samples.iter().enumerate() {
        let y = TOP + row as f64 * (height + GAP);
        text(
            &mut svg,
            MARGIN - GAP,
            y + height / 2.0,
            13,
            "end",
            &sample.class,
        );
        for column in 0..sample.saliency.len() {
            let x = MARGIN + column as f64 * (PANEL + GAP);
            let place = Place {
                x,
                y,
                cell_width,
                cell_height,
            };
            panel(&mut svg, maps.input, sample, column, &place);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y:.1}\" width=\"{PANEL}\" height=\"{height:.1}\" fill=\"none\" stroke=\"{GRID}\"/>"
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a panel and its cells lie.
struct Place {
    x: f64,
    y: f64,
    cell_width: f64,
    cell_height: f64,
}

/// Rows and columns of a map, and whether its rows are a series' channels.
fn grid(input: InputShape) -> (usize, usize, bool) {
    match input {
        InputShape::Image { height, width, .. } => (height, width, false),
        InputShape::Series {
            steps, channels, ..
        } => (channels, steps, true),
        InputShape::Tokens { tokens, .. } => (1, tokens, true),
    }
}

/// The values of a map as `grid` lays them: channels and embedding dimensions of an image or a
/// token are averaged.
fn cells(input: InputShape, values: &[f32], value: impl Fn(f32) -> f32) -> Vec<f32> {
    let average = |count: usize, offset: &dyn Fn(usize) -> usize| {
        let sum: f32 = (0..count).map(|index| value(values[offset(index)])).sum();
        sum / count as f32
    };
    match input {
        InputShape::Image {
            channels,
            height,
            width,
        } => {
            let pixels = height * width;
            let pixel = |pixel| average(channels, &|channel| channel * pixels + pixel);
            (0..pixels).map(pixel).collect()
        }
        InputShape::Series {
            order: SeriesOrder::ChannelsFirst,
            ..
        } => values.iter().map(|&v| value(v)).collect(),
        InputShape::Series {
            steps, channels, ..
        } => {
            let cell = |cell: usize| value(values[cell % steps * channels + cell / steps]);
            (0..steps * channels).map(cell).collect()
        }
        InputShape::Tokens { tokens, dim } => {
            let token = |token: usize| average(dim, &|index| token * dim + index);
            (0..tokens).map(token).collect()
        }
    }
}

fn panel(svg: &mut String, input: InputShape, sample: &MappedSample, column: usize, place: &Place) {
    let (rows, columns, strips) = grid(input);
    let map = cells(input, &sample.saliency[column], f32::abs);
    let largest = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let shade = |value: f32| {
        let level = (value / largest * SHADES.len() as f32) as usize;
        level.min(SHADES.len() - 1)
    };
    // One path a shade; neighbours of the same shade join.
    for (level, colour) in SHADES.iter().enumerate().skip(1) {
        let mut path = String::new();
        for row in 0..rows {
            let mut start = 0;
            while start < columns {
                let level_at = |index: usize| shade(map[row * columns + index]);
                if level_at(start) != level {
                    start += 1;
                    continue;
                }
                let run = (start..columns)
                    .take_while(|&i| level_at(i) == level)
                    .count();
                let _ = write!(
                    path,
                    "M{:.2} {:.2}h{:.2}v{:.2}h-{:.2}z",
                    place.x + start as f64 * place.cell_width,
                    place.y + row as f64 * place.cell_height,
                    run as f64 * place.cell_width,
                    place.cell_height,
                    run as f64 * place.cell_width
                );
                start += run;
            }
        }
        if !path.is_empty() {
            let _ = writeln!(svg, "<path d=\"{path}\" fill=\"{colour}\"/>");
        }
    }
    if strips {
        let series = cells(input, &sample.x, |value| value);
        for (row, values) in series.chunks_exact(columns).enumerate() {
            line(svg, values, row, place);
        }
    }
}

/// A channel's values over its strip, each channel in its own range.
fn line(svg: &mut String, values: &[f32], row: usize, place: &Place) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = (high - low).max(f32::MIN_POSITIVE);
    let mut points = String::new();
    for (step, value) in values.iter().enumerate() {
        let share = 0.5 + LINE_SHARE * (0.5 - f64::from((value - low) / range));
        let _ = write!(
            points,
            "{:.1},{:.1} ",
            place.x + (step as f64 + 0.5) * place.cell_width,
            place.y + (row as f64 + share) * place.cell_height
        );
    }
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{INK}\" stroke-width=\"0.7\"/>",
        points.trim_end()
    );
}

/// The size of the robustness plot and its margins.
const PLOT: [f64; 2] = [560.0, 340.0];
const LEFT: f64 = 64.0;
const RIGHT: f64 = 130.0;
const UPPER: f64 = 44.0;
const LOWER: f64 = 56.0;
/// Lines of the accuracy axis.
const TICKS: usize = 5;

/// Accuracy under PGD over ε: a curve a regime, bars of one deviation over seeds.
///
/// # Errors
/// As [`MeanDeviation::of`].
pub fn robustness(report: &Report) -> Result<String> {
    let mut svg = open(LEFT + PLOT[0] + RIGHT, UPPER + PLOT[1] + LOWER);
    let title = format!("Accuracy under PGD: {}, {}", report.data, report.model);
    text(&mut svg, LEFT, 24.0, 14, "start", &title);
    let largest = report.epsilons.iter().copied().fold(0.0, f32::max);
    let across =
        |epsilon: f32| LEFT + f64::from(epsilon / largest.max(f32::MIN_POSITIVE)) * PLOT[0];
    let up = |accuracy: f64| UPPER + (1.0 - accuracy.clamp(0.0, 1.0)) * PLOT[1];
    for tick in 0..=TICKS {
        let accuracy = tick as f64 / TICKS as f64;
        let y = up(accuracy);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{GRID}\"/>",
            LEFT + PLOT[0]
        );
        text(
            &mut svg,
            LEFT - 8.0,
            y + 4.0,
            12,
            "end",
            &format!("{:.0} %", accuracy * 100.0),
        );
    }
    let bottom = UPPER + PLOT[1];
    for epsilon in std::iter::once(0.0).chain(report.epsilons.iter().copied()) {
        text(
            &mut svg,
            across(epsilon),
            bottom + 18.0,
            12,
            "middle",
            &epsilon.to_string(),
        );
    }
    text(
        &mut svg,
        LEFT + PLOT[0] / 2.0,
        bottom + 42.0,
        13,
        "middle",
        "ε (L∞, in input units)",
    );
    for (index, runs) in report.runs.chunks(report.seeds).enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let clean: Vec<f64> = runs.iter().map(|run| run.evaluation.accuracy).collect();
        let mut curve = vec![(0.0, MeanDeviation::of(&clean)?)];
        for (point, &epsilon) in report.epsilons.iter().enumerate() {
            let accuracies = runs.iter().filter_map(|run| {
                let curve: Option<&RobustnessCurve> = run.evaluation.robustness.first();
                Some(curve?.points.get(point)?.accuracy)
            });
            let accuracies: Vec<f64> = accuracies.collect();
            curve.push((epsilon, MeanDeviation::of(&accuracies)?));
        }
        let points = curve
            .iter()
            .map(|(epsilon, accuracy)| format!("{:.1},{:.1}", across(*epsilon), up(accuracy.mean)));
        let points = points.collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        for (epsilon, accuracy) in &curve {
            let (x, deviation) = (across(*epsilon), accuracy.deviation);
            let (high, low) = (up(accuracy.mean + deviation), up(accuracy.mean - deviation));
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{high:.1}\" y2=\"{low:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.5\"/>\n<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                up(accuracy.mean)
            );
        }
        let (x, y) = (LEFT + PLOT[0] + 16.0, UPPER + 10.0 + 22.0 * index as f64);
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            x + 20.0
        );
        let name = report.comparison.regimes.get(index);
        text(
            &mut svg,
            x + 26.0,
            y + 4.0,
            12,
            "start",
            name.map_or("", String::as_str),
        );
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn open(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    )
}

fn text(svg: &mut String, x: f64, y: f64, size: u32, anchor: &str, content: &str) {
    let content = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{INK}\" {FONT}>{content}</text>"
    );
}
