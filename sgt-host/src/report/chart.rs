//! Line charts and box plots as SVG.
//!
//! A chart is text: `standalone` ones carry their own colours, as plain values,
//! `inline` ones take those of the page they are put into. Lines differ by colour, dash and
//! marker, so that they can be told apart without colour.

use super::literal::literal;
use super::text::escape;
use crate::metrics::statistics::BoxPlot;
use std::fmt::Write;

/// The colours that charts use, for light and dark screens; [`crate::report::html`] puts the same
/// rules into its page.
pub const COLOURS: &str = include_str!("colours.css");

/// The look of a chart's parts.
pub const CHART_STYLE: &str = include_str!("chart.css");

/// Number of different line styles; more series repeat them.
pub const LINE_STYLES: usize = 6;

/// A point of a line: place, mean and deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Horizontal place.
    pub x: f64,
    /// Mean.
    pub y: f64,
    /// Standard deviation; 0 draws no band.
    pub deviation: f64,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by ascending x.
    pub points: Vec<Point>,
}

/// Lines over a common axis: of shares from 0 to 1, or of values from 0 to the largest.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// The heading.
    pub title: String,
    /// What the horizontal axis counts.
    pub x_label: String,
    /// What the vertical axis counts.
    pub y_label: String,
    /// Whether x is a share, drawn as per cent.
    pub x_percent: bool,
    /// Whether y is a share, drawn as per cent.
    pub y_percent: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 40.0;
/// Markers on a line, at most.
const MOST_MARKERS: usize = 12;
/// Space of one line of the legend of a standalone chart.
const LEGEND_ROW: f64 = 18.0;

impl LineChart {
    /// A file of its own, legend included.
    pub fn standalone(&self) -> String {
        self.draw(true)
    }

    /// A part of a page that has [`COLOURS`], [`CHART_STYLE`] and a [`legend`].
    pub fn inline(&self) -> String {
        self.draw(false)
    }

    fn draw(&self, standalone: bool) -> String {
        let rows = if standalone {
            self.lines.len().div_ceil(2)
        } else {
            0
        };
        let height = HEIGHT + rows as f64 * LEGEND_ROW;
        let mut svg = open(height, &self.title, &self.summary(), standalone);
        if !standalone {
            let axis = format!(" data-axis=\"{}\" role=", escape(&self.x_label));
            svg = svg.replacen(" role=", &axis, 1);
        }
        let text = |x: f64, y: f64, class: &str, text: &str| {
            format!(
                "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>",
                escape(text)
            )
        };
        svg += &text(LEFT, 18.0, "chart-title", &self.title);
        let (low, high) = self.span();
        let top = self.top();
        let x_at = |x: f64| LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT);
        let y_at = |y: f64| HEIGHT - BOTTOM - (y / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
        for quarter in 0..=4 {
            let y = top * f64::from(quarter) / 4.0;
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" class=\"grid\"/>",
                WIDTH - RIGHT,
                y_at(y)
            );
            let label = plain_number(if self.y_percent { 100.0 * y } else { y });
            svg += &text(LEFT - 6.0, y_at(y) + 4.0, "tick tick-y", &label);
        }
        for x in self.ticks() {
            let label = self.x_text(x);
            svg += &text(x_at(x), HEIGHT - BOTTOM + 16.0, "tick tick-x", &label);
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        svg += &text(middle, HEIGHT - 6.0, "axis", &self.x_label);
        let (x, y) = (12.0, f64::midpoint(TOP, HEIGHT - BOTTOM));
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" class=\"axis\" transform=\"rotate(-90 {x} {y})\">{}</text>",
            escape(&self.y_label)
        );
        for (index, line) in self.lines.iter().enumerate() {
            svg += &band(line, index, &x_at, &y_at);
        }
        for (index, line) in self.lines.iter().enumerate() {
            svg += &self.stroke(line, index, &x_at, &y_at);
        }
        for (index, line) in self.lines.iter().enumerate().take(rows * 2) {
            let x = LEFT + (index % 2) as f64 * (WIDTH - LEFT) / 2.0;
            let y = HEIGHT + (index / 2) as f64 * LEGEND_ROW + 6.0;
            svg += &key(index, x, y);
            svg += &text(x + 34.0, y + 4.0, "tick", &line.name);
        }
        svg + "</svg>"
    }

    fn span(&self) -> (f64, f64) {
        let xs = || {
            self.lines
                .iter()
                .flat_map(|line| line.points.iter().map(|p| p.x))
        };
        let low = xs().fold(f64::INFINITY, f64::min);
        let high = xs().fold(f64::NEG_INFINITY, f64::max);
        if high > low {
            (low, high)
        } else {
            (low.min(0.0), low.max(0.0) + 1.0)
        }
    }

    /// The common places of the points, thinned to what fits.
    fn ticks(&self) -> Vec<f64> {
        const MOST: usize = 6;
        /// Labels closer than this share of the axis would touch.
        const CLOSEST: f64 = 0.11;
        let mut ticks: Vec<f64> = Vec::new();
        let all = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().map(|p| p.x));
        let mut all: Vec<f64> = all.collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let step = all.len().div_ceil(MOST).max(1);
        let (low, high) = self.span();
        for &x in all.iter().step_by(step) {
            let free = ticks
                .last()
                .is_none_or(|last| x - last >= CLOSEST * (high - low));
            if free {
                ticks.push(x);
            }
        }
        ticks
    }

    pub(super) fn x_text(&self, x: f64) -> String {
        if self.x_percent {
            return format!("{:.0}", 100.0 * x);
        }
        plain_number(x)
    }

    /// A value of the vertical axis in its unit, which the axis says.
    pub(super) fn y_number(&self, y: f64) -> String {
        if self.y_percent {
            format!("{:.1}", 100.0 * y)
        } else {
            format!("{y:.3}")
        }
    }

    fn y_text(&self, y: f64) -> String {
        let unit = if self.y_percent { "\u{202f}%" } else { "" };
        self.y_number(y) + unit
    }

    /// Where the vertical axis ends: 1 for shares, a round number above all values otherwise.
    fn top(&self) -> f64 {
        /// Numbers whose quarters are short.
        const ROUND: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
        let points = self.lines.iter().flat_map(|line| &line.points);
        let largest = points.fold(0.0, |largest: f64, point| {
            largest.max(point.y + point.deviation)
        });
        if self.y_percent || !largest.is_finite() || largest <= 0.0 {
            return 1.0;
        }
        let power = 10.0_f64.powf(largest.log10().floor());
        let fits = |round: &&f64| **round * power >= largest;
        ROUND.iter().find(fits).map_or(10.0, |round| *round) * power
    }

    fn stroke(
        &self,
        line: &Line,
        index: usize,
        x_at: &impl Fn(f64) -> f64,
        y_at: &impl Fn(f64) -> f64,
    ) -> String {
        let places = line.points.iter().map(|p| (x_at(p.x), y_at(p.y)));
        let places: Vec<(f64, f64)> = places.collect();
        let path = points(&places);
        let mut svg = format!(
            "<g class=\"s{}\" data-regime=\"{index}\"><polyline points=\"{path}\" class=\"line\"/>",
            index % LINE_STYLES
        );
        // What a marker is drawn for, so that many do not hide their line.
        let step = places.len().div_ceil(MOST_MARKERS).max(1);
        for (number, (place, point)) in places.iter().zip(&line.points).enumerate() {
            let shape = if number % step == 0 {
                marker(index, place.0, place.1)
            } else {
                format!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"1\"/>",
                    place.0, place.1
                )
            };
            let _ = write!(
                svg,
                "<g class=\"point\" data-x=\"{}\">{shape}<title>{}: {}</title></g>",
                self.x_text(point.x),
                escape(&line.name),
                self.y_text(point.y)
            );
        }
        svg + "</g>"
    }

    /// What the chart shows, in words.
    fn summary(&self) -> String {
        let mut text = format!("{} over {}.", self.y_label, self.x_label);
        for line in &self.lines {
            if let (Some(first), Some(last)) = (line.points.first(), line.points.last()) {
                let _ = write!(
                    text,
                    " {}: {} at {}, {} at {}.",
                    line.name,
                    self.y_text(first.y),
                    self.x_text(first.x),
                    self.y_text(last.y),
                    self.x_text(last.x)
                );
            }
        }
        text
    }
}

/// The legend of inline charts: an HTML list of names with their line styles.
pub fn legend(names: &[String]) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for (index, name) in names.iter().enumerate() {
        let _ = write!(
            html,
            "<li data-regime=\"{index}\">{}{}</li>",
            line_key(index),
            escape(name)
        );
    }
    html + "</ul>"
}

/// The sample of line style `index` for a list of names.
pub(super) fn line_key(index: usize) -> String {
    format!(
        "<svg viewBox=\"0 0 30 12\" width=\"30\" height=\"12\" aria-hidden=\"true\">{}</svg>",
        key(index, 0.0, 6.0)
    )
}

/// Box plots under each other, on one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxChart {
    /// The heading.
    pub title: String,
    /// What the axis counts.
    pub x_label: String,
    /// A name and its box.
    pub boxes: Vec<(String, BoxPlot)>,
}

impl BoxChart {
    /// A file of its own.
    pub fn standalone(&self) -> String {
        self.draw(true)
    }

    /// A part of a page that has [`COLOURS`] and [`CHART_STYLE`].
    pub fn inline(&self) -> String {
        self.draw(false)
    }

    fn draw(&self, standalone: bool) -> String {
        const ROW: f64 = 34.0;
        const NAMES: f64 = 92.0;
        let height = TOP + ROW * self.boxes.len() as f64 + BOTTOM;
        let mut svg = open(height, &self.title, &self.summary(), standalone);
        let _ = write!(
            svg,
            "<text x=\"8\" y=\"18\" class=\"chart-title\">{}</text>",
            escape(&self.title)
        );
        let reach = self.boxes.iter().fold(0.0_f64, |reach, (_, plot)| {
            reach.max(plot.min.abs()).max(plot.max.abs())
        });
        let reach = if reach > 0.0 { reach } else { 1.0 };
        let x_at = |x: f64| {
            let middle = f64::midpoint(NAMES, WIDTH - RIGHT);
            middle + x / reach * (WIDTH - RIGHT - NAMES) / 2.0
        };
        let bottom = height - BOTTOM;
        for share in [-1.0, -0.5, 0.0, 0.5, 1.0] {
            let x = x_at(share * reach);
            let class = if share == 0.0 { "grid zero" } else { "grid" };
            let _ = write!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\" class=\"{class}\"/>"
            );
            if share != 0.5 && share != -0.5 {
                let label = format!("{:.1e}", share * reach).replace('-', "\u{2212}");
                let label = if share == 0.0 { "0".into() } else { label };
                let anchor = if share > 0.0 {
                    "tick tick-y"
                } else {
                    "tick tick-x"
                };
                let _ = write!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"{anchor}\">{label}</text>",
                    bottom + 16.0
                );
            }
        }
        for (index, (name, plot)) in self.boxes.iter().enumerate() {
            let y = TOP + ROW * (index as f64 + 0.5);
            let _ = write!(
                svg,
                "<g class=\"s{}\" data-regime=\"{index}\"><title>{}: {}</title>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"tick tick-y\">{}</text>",
                index % LINE_STYLES,
                escape(name),
                box_words(plot),
                NAMES - 8.0,
                y + 4.0,
                escape(name)
            );
            let _ = write!(
                svg,
                "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"whisker\"/>",
                x_at(plot.whisker_low),
                x_at(plot.whisker_high)
            );
            let (low, high) = (x_at(plot.quartile_low), x_at(plot.quartile_high));
            let _ = write!(
                svg,
                "<rect x=\"{low:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\" class=\"box\"/>",
                y - 9.0,
                (high - low).max(1.0)
            );
            let median = x_at(plot.median);
            let _ = write!(
                svg,
                "<line x1=\"{median:.1}\" x2=\"{median:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" class=\"median\"/>",
                y - 9.0,
                y + 9.0
            );
            for extreme in [plot.min, plot.max] {
                let _ = write!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"2\" class=\"extreme\"/>",
                    x_at(extreme)
                );
            }
            svg += "</g>";
        }
        let middle = f64::midpoint(NAMES, WIDTH - RIGHT);
        let _ = write!(
            svg,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" class=\"axis\">{}</text></svg>",
            height - 6.0,
            escape(&self.x_label)
        );
        svg
    }

    fn summary(&self) -> String {
        let mut text = format!("Box plots of {}.", self.x_label);
        for (name, plot) in &self.boxes {
            let _ = write!(text, " {name}: {}.", box_words(plot));
        }
        text
    }
}

fn box_words(plot: &BoxPlot) -> String {
    let BoxPlot {
        median,
        quartile_low,
        quartile_high,
        ..
    } = plot;
    format!(
        "median {median:.1e}, half of the samples from {quartile_low:.1e} to {quartile_high:.1e}"
    )
}

/// At most four decimals, none at the end that are 0.
pub(super) fn plain_number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// The opening tag with title and description; colours too, when the file stands alone.
pub(super) fn open(height: f64, title: &str, summary: &str, standalone: bool) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" class=\"chart\" \
         role=\"img\"><title>{}</title><desc>{}</desc>",
        escape(title),
        escape(summary)
    );
    if standalone {
        let _ = write!(
            svg,
            "<style>{}</style>\
             <rect width=\"100%\" height=\"100%\" class=\"surface\"/>",
            literal(CHART_STYLE)
        );
    }
    svg
}

fn band(
    line: &Line,
    index: usize,
    x_at: &impl Fn(f64) -> f64,
    y_at: &impl Fn(f64) -> f64,
) -> String {
    if line.points.len() < 2 || line.points.iter().all(|point| point.deviation == 0.0) {
        return String::new();
    }
    let edge = |point: &Point, side: f64| (x_at(point.x), y_at(point.y + side * point.deviation));
    let upper = line.points.iter().map(|point| edge(point, 1.0));
    let lower = line.points.iter().rev().map(|point| edge(point, -1.0));
    let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
    format!(
        "<polygon points=\"{}\" class=\"band s{}\" data-regime=\"{index}\"/>",
        points(&outline),
        index % LINE_STYLES
    )
}

/// The `points` attribute of a line or polygon.
fn points(places: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (x, y) in places {
        let _ = write!(text, "{x:.1},{y:.1} ");
    }
    text
}

/// A legend's sample of line style `index`.
fn key(index: usize, x: f64, y: f64) -> String {
    format!(
        "<g class=\"s{}\"><line x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"line\"/>{}</g>",
        index % LINE_STYLES,
        x + 28.0,
        marker(index, x + 14.0, y)
    )
}

fn marker(index: usize, x: f64, y: f64) -> String {
    const R: f64 = 3.2;
    let polygon = |corners: &[(f64, f64)]| {
        let corners: Vec<_> = corners
            .iter()
            .map(|(dx, dy)| (x + R * dx, y + R * dy))
            .collect();
        format!(
            "<polygon points=\"{}\" class=\"marker\"/>",
            points(&corners)
        )
    };
    match index % LINE_STYLES {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{R}\" class=\"marker\"/>"),
        1 => polygon(&[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]),
        2 => polygon(&[(0.0, -1.3), (1.2, 0.9), (-1.2, 0.9)]),
        3 => polygon(&[(0.0, -1.4), (1.4, 0.0), (0.0, 1.4), (-1.4, 0.0)]),
        4 => polygon(&[(0.0, 1.3), (1.2, -0.9), (-1.2, -0.9)]),
        _ => polygon(&[(-1.4, -0.5), (1.4, -0.5), (1.4, 0.5), (-1.4, 0.5)]),
    }
}
