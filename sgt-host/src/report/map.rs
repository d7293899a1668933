//! Saliency maps of images, series and texts.
//!
//! A sample or map is drawn as one SVG cell: an image as its pixels, a series as one lane a
//! channel with the saliency behind the trace, a text as a strip of its tokens. Colour tells the
//! sign, opacity the magnitude; every cell says in words what it shows.

use super::chart::CHART_STYLE;
use super::literal::literal;
use super::picture::{Picture, strongest};
use super::reduce::{Grid, Stand, block, envelope};
use super::text::{base64, escape};
use super::time_axis::time_axis;
use crate::compare::{SampleMap, SampleMaps};
use crate::data::{Grouping, InputShape, group_values};
use crate::{Error, Result};
use std::fmt::Write;

/// Lanes of a series that are drawn at most: those with the most saliency.
const MOST_LANES: usize = 9;
const IMAGE_WIDTH: f64 = 120.0;
const SERIES_WIDTH: f64 = 280.0;
const LANE: f64 = 34.0;
const GAP: f64 = 4.0;
const STRIP: f64 = 24.0;
/// Space for the names and ranges of a sample's channels.
const NAMES: f64 = 116.0;
/// Space for the time axis.
const AXIS: f64 = 16.0;
/// Cells of a picture whose values a page holds for the pointer, at most.
const MOST_VALUES: usize = 4096;
/// Pixels along a side of an image as it is drawn, at most: large ones would make the page slow.
const MOST_PIXELS: usize = 96;
/// Steps of a series that are drawn one by one, at most.
const MOST_STEPS: usize = 560;
/// Columns in which the steps of a longer one are drawn.
const MOST_COLUMNS: usize = 280;

/// A drawing with its size in its own units, and where in it the values lie.
struct Cell {
    width: f64,
    height: f64,
    left: f64,
    bottom: f64,
    body: String,
}

/// The look of cells, beside [`CHART_STYLE`].
pub const MAP_STYLE: &str = include_str!("map.css");

/// Where the traces of a series come from.
#[derive(Clone, Copy)]
enum Traces<'t> {
    /// They are drawn.
    Drawn,
    /// They are drawn, and can be used again by this id.
    Named(&'t str),
    /// They are those of this id on the same page.
    Reused(&'t str),
}

/// The sample itself, to be put into a page; `id`, which the page has once, names its traces.
///
/// # Errors
/// [`Error::Shape`] when the values do not have the sample's shape.
pub fn sample(sample: &SampleMaps, id: &str) -> Result<String> {
    let words = format!("The sample itself, class {}.", sample.class);
    let cell = draw(sample, None, Traces::Named(id))?;
    Ok(inline(&cell, &words, ""))
}

/// One saliency map, to be put into a page that has the [`sample`](fn@sample) of that `id`.
///
/// # Errors
/// As [`sample`](fn@sample).
pub fn saliency(sample: &SampleMaps, map: &SampleMap, id: &str) -> Result<String> {
    let cell = draw(sample, Some(map), Traces::Reused(id))?;
    let (values, full) = drawn_saliency(sample, map)?;
    let levels: Vec<u8> = values.iter().map(|&value| level(value, full)).collect();
    let attributes = if has_values(sample) {
        format!(" data-saliency=\"{}\"", base64(&levels))
    } else {
        String::new()
    };
    Ok(inline(&cell, &map_words(sample, map), &attributes))
}

/// A signed share of `full` as a byte in two's complement, ±127 for all of it.
fn level(value: f32, full: f32) -> u8 {
    let share = if full > 0.0 {
        (value / full).clamp(-1.0, 1.0)
    } else {
        0.0
    };
    ((share * f32::from(i8::MAX)).round() as i8).cast_unsigned()
}

/// What a script must know to say the values under the pointer: attributes for the element that
/// holds the sample and its maps.
pub fn value_attributes(sample: &SampleMaps) -> String {
    let (rows, columns) = grid(sample);
    let mut html = format!(
        " data-kind=\"{}\" data-rows=\"{rows}\" data-columns=\"{columns}\"",
        sample.shape.noun()
    );
    if !has_values(sample) {
        return html;
    }
    let (names, units) = match sample.shape {
        InputShape::Series { channels, .. } => {
            let shown = shown_lanes(sample, channels);
            let name = |&channel: &usize| sample.shape.lane_name(channel, &sample.names);
            let unit = |&channel: &usize| sample.units.get(channel).cloned().unwrap_or_default();
            (
                shown.iter().map(name).collect(),
                shown.iter().map(unit).collect(),
            )
        }
        InputShape::Tokens { .. } => (sample.names.clone(), Vec::new()),
        InputShape::Image { .. } => (Vec::new(), Vec::new()),
    };
    for (attribute, texts) in [("names", names), ("units", units)] {
        let texts: Vec<String> = texts;
        if let Ok(list) = serde_json::to_string(&texts) {
            let _ = write!(html, " data-{attribute}=\"{}\"", escape(&list));
        }
    }
    if let Some(rate) = sample.rate {
        let _ = write!(html, " data-rate=\"{rate}\"");
    }
    let bytes: Vec<u8> = drawn_values(sample)
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let _ = write!(html, " data-values=\"{}\"", base64(&bytes));
    html
}

/// Whether a page holds a sample's values for the pointer.
fn has_values(sample: &SampleMaps) -> bool {
    let (rows, columns) = grid(sample);
    rows * columns <= MOST_VALUES && sample.values.len() == sample.shape.len()
}

/// Rows and columns of a sample's pictures.
fn grid(sample: &SampleMaps) -> (usize, usize) {
    match sample.shape {
        InputShape::Image { height, width, .. } => (height, width),
        InputShape::Series {
            steps, channels, ..
        } => (channels.min(MOST_LANES), steps),
        InputShape::Tokens { tokens, .. } => (1, tokens),
    }
}

/// A sample's values as they are drawn, row by row: of an image the mean over its channels; none of
/// a text, whose tokens are no numbers.
fn drawn_values(sample: &SampleMaps) -> Vec<f32> {
    match sample.shape {
        InputShape::Series { channels, .. } => {
            lanes_of(sample, &sample.values, &shown_lanes(sample, channels))
        }
        InputShape::Image {
            channels,
            height,
            width,
        } => {
            let plane = height * width;
            let values = |place: usize| sample.values.iter().skip(place).step_by(plane);
            let mean = |place: usize| values(place).sum::<f32>() / channels as f32;
            (0..plane).map(mean).collect()
        }
        InputShape::Tokens { .. } => Vec::new(),
    }
}

/// A map's values as they are drawn, row by row, and the magnitude at full strength.
fn drawn_saliency(sample: &SampleMaps, map: &SampleMap) -> Result<(Vec<f32>, f32)> {
    if let InputShape::Series { channels, .. } = sample.shape {
        let lanes = lanes_of(sample, &map.values, &shown_lanes(sample, channels));
        return Ok((lanes, strongest(&map.values)));
    }
    let values = by_position(sample, &map.values)?;
    let full = strongest(&values);
    Ok((values, full))
}

/// The values of these channels, channel by channel.
fn lanes_of(sample: &SampleMaps, values: &[f32], channels: &[usize]) -> Vec<f32> {
    let steps = sample.shape.positions();
    let lane =
        |&channel: &usize| (0..steps).map(move |step| values[sample.shape.place(step, channel)]);
    channels.iter().flat_map(lane).collect()
}

/// What a map shows, in words.
fn map_words(sample: &SampleMaps, map: &SampleMap) -> String {
    let mut words = format!(
        "Saliency by {} of a network trained by {}; class {}, predicted {}.",
        map.method, map.regime, sample.class, map.predicted
    );
    if let Some(place) = strongest_place(sample, map) {
        let _ = write!(words, " Strongest at {place}.");
    }
    words
}

/// Where a map is strongest.
fn strongest_place(sample: &SampleMaps, map: &SampleMap) -> Option<String> {
    let places = 0..map.values.len();
    let largest = places.max_by(|&a, &b| map.values[a].abs().total_cmp(&map.values[b].abs()))?;
    Some(sample.shape.place_name(largest, &sample.names))
}

/// A signed value a pixel or token.
fn by_position(sample: &SampleMaps, values: &[f32]) -> Result<Vec<f32>> {
    group_values(&sample.shape.layout(Grouping::Natural)?, values)
}

/// A picture of its own: a row a sample, the sample and then one map a regime in the columns.
/// Only the maps of `method` are drawn.
///
/// # Errors
/// As [`sample`]; [`Error::Argument`] when no sample has a map of that method.
pub fn panel(samples: &[SampleMaps], method: &str) -> Result<String> {
    const HEADING: f64 = 46.0;
    const CAPTION: f64 = 34.0;
    const SPACE: f64 = 12.0;
    let maps_of = |sample: &SampleMaps| -> Vec<SampleMap> {
        let maps = sample.maps.iter().filter(|map| map.method == method);
        maps.cloned().collect()
    };
    let columns = samples.iter().map(|s| maps_of(s).len()).max().unwrap_or(0);
    if columns == 0 {
        return Err(Error::Argument {
            argument: "method".into(),
            found: method.into(),
            expected: "a method whose maps the samples have".into(),
        });
    }
    let (mut body, mut y, mut width) = (String::new(), HEADING, 0.0_f64);
    for sample in samples {
        let maps = maps_of(sample);
        let cells = std::iter::once(None).chain(maps.iter().map(Some));
        let (mut height, mut x) = (0.0_f64, SPACE);
        for map in cells {
            let cell = draw(sample, map, Traces::Drawn)?;
            height = height.max(cell.height);
            let (whose, class) = match map {
                None => (
                    format!("test sample {}, {}", sample.index, sample.rule.name()),
                    sample.class.clone(),
                ),
                Some(map) => (map.regime.clone(), answer(map)),
            };
            let _ = write!(
                body,
                "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"caption\">{}\
                 <tspan x=\"{x:.1}\" dy=\"14\">{}</tspan></text>\
                 <g transform=\"translate({x:.1} {y:.1})\">{}</g>",
                y + cell.height + 14.0,
                escape(&whose),
                escape(&class),
                cell.body
            );
            x += cell.width + SPACE;
        }
        width = width.max(x);
        y += height + CAPTION + SPACE;
    }
    let words: Vec<String> = samples
        .iter()
        .flat_map(|sample| {
            maps_of(sample)
                .into_iter()
                .map(|map| map_words(sample, &map))
        })
        .collect();
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {y:.0}\" \
         class=\"chart\" role=\"img\"><title>Saliency by {name}</title><desc>{}</desc>\
         <style>{style}</style>\
         <rect width=\"100%\" height=\"100%\" class=\"surface\"/>\
         <text x=\"{SPACE}\" y=\"20\" class=\"chart-title\">Saliency by {name}</text>\
         <text x=\"{SPACE}\" y=\"36\" class=\"caption\">red raises the score, blue lowers it; \
         each map on its own scale</text>{body}</svg>",
        escape(&words.join(" ")),
        name = escape(method),
        style = literal(&format!("{CHART_STYLE}{MAP_STYLE}")),
    ))
}

/// A network's answer: the class, and the probability that it gives to it.
pub(super) fn answer(map: &SampleMap) -> String {
    format!("{}, {:.0}\u{202f}%", map.predicted, 100.0 * map.certainty)
}

/// The tokens of a text as plain words, to be put into a page; empty as [`words`] is.
pub fn plain_words(sample: &SampleMaps) -> String {
    if !has_words(sample) {
        return String::new();
    }
    format!("<p class=\"words\">{}</p>", escape(&sample.names.join(" ")))
}

fn has_words(sample: &SampleMaps) -> bool {
    matches!(sample.shape, InputShape::Tokens { .. }) && !sample.names.is_empty()
}

/// The tokens of a text as coloured words, to be put into a page; empty for other samples or
/// without names.
///
/// # Errors
/// As [`sample`].
pub fn words(sample: &SampleMaps, map: &SampleMap) -> Result<String> {
    if !has_words(sample) {
        return Ok(String::new());
    }
    let tokens = by_position(sample, &map.values)?;
    let full = strongest(&tokens);
    let mut html = String::from("<p class=\"words\">");
    for (name, value) in sample.names.iter().zip(tokens) {
        let share = if full > 0.0 {
            (value.abs() / full).min(1.0)
        } else {
            0.0
        };
        let class = if value < 0.0 { "lowers" } else { "raises" };
        let _ = write!(
            html,
            "<span class=\"{class}\" style=\"--share:{:.0}%\" title=\"saliency {:+.0} %\">{}</span> ",
            70.0 * share,
            100.0 * share.copysign(value),
            escape(name)
        );
    }
    Ok(html + "</p>")
}

fn inline(cell: &Cell, words: &str, attributes: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {:.0} {:.0}\" class=\"chart cell\" data-left=\"{}\" data-bottom=\"{}\"\
         {attributes} role=\"img\"><title>{}</title>{}</svg>",
        cell.width,
        cell.height,
        cell.left,
        cell.bottom,
        escape(words),
        cell.body
    )
}

fn draw(sample: &SampleMaps, map: Option<&SampleMap>, traces: Traces<'_>) -> Result<Cell> {
    for values in [Some(&sample.values), map.map(|map| &map.values)]
        .into_iter()
        .flatten()
    {
        if values.len() != sample.shape.len() || values.is_empty() {
            return Err(Error::Shape {
                operation: "picture of a sample",
                found: format!("{} values", values.len()),
                expected: format!("shape {:?}", sample.shape.dims()),
            });
        }
    }
    match sample.shape {
        InputShape::Image {
            channels,
            height,
            width,
        } => {
            let picture = match map {
                None => {
                    let planes = sample.values.chunks_exact(height * width);
                    let planes: Vec<Grid> = planes
                        .map(|plane| image_grid(plane.to_vec(), [height, width], Stand::Mean))
                        .collect();
                    let [rows, columns] = planes.first().map_or([0; 2], |p| [p.rows, p.columns]);
                    let values: Vec<f32> = planes.into_iter().flat_map(|p| p.values).collect();
                    Picture::image(&values, channels, columns, rows, range(&sample.values))?
                }
                Some(map) => {
                    let values = by_position(sample, &map.values)?;
                    let drawn = image_grid(values, [height, width], Stand::Strongest);
                    Picture::saliency(&drawn.values, drawn.columns, drawn.rows)?
                }
            };
            let drawn = IMAGE_WIDTH * height as f64 / width as f64;
            Ok(Cell {
                width: IMAGE_WIDTH,
                height: drawn,
                left: 0.0,
                bottom: drawn,
                body: frame(0.0, IMAGE_WIDTH, 0.0, drawn)
                    + &image(&picture, IMAGE_WIDTH, 0.0, drawn)?,
            })
        }
        InputShape::Series {
            steps, channels, ..
        } => lanes(sample, map, traces, (steps, channels)),
        InputShape::Tokens { tokens, .. } => {
            let values = map.map_or(&sample.values, |map| &map.values);
            let picture = Picture::saliency(&by_position(sample, values)?, tokens, 1)?;
            Ok(Cell {
                width: SERIES_WIDTH,
                height: STRIP,
                left: 0.0,
                bottom: STRIP,
                body: frame(0.0, SERIES_WIDTH, 0.0, STRIP)
                    + &image(&picture, SERIES_WIDTH, 0.0, STRIP)?,
            })
        }
    }
}

/// One lane a channel: the saliency of its steps behind its trace, and time below.
fn lanes(
    sample: &SampleMaps,
    map: Option<&SampleMap>,
    traces: Traces<'_>,
    (steps, channels): (usize, usize),
) -> Result<Cell> {
    let shown = shown_lanes(sample, channels);
    let left = if map.is_none() { NAMES } else { 0.0 };
    let bottom = shown.len() as f64 * (LANE + GAP) - GAP;
    let top_of = |row: usize| row as f64 * (LANE + GAP);
    let mut body = String::new();
    if let Some(map) = map {
        let (values, full) = drawn_saliency(sample, map)?;
        let all = Grid {
            rows: shown.len(),
            columns: steps,
            values,
        };
        let drawn = all.reduced(1, steps_a_column(steps), Stand::Strongest);
        let picture = Picture::saliency_on_scale(&drawn.values, drawn.columns, drawn.rows, full)?;
        body += &image(&picture, SERIES_WIDTH, -GAP / 2.0, bottom + GAP)?;
        for row in 0..=shown.len() {
            let _ = write!(
                body,
                "<rect class=\"surface\" y=\"{:.1}\" width=\"{SERIES_WIDTH}\" height=\"{GAP}\"/>",
                top_of(row) - GAP
            );
        }
    }
    for row in 0..shown.len() {
        body += &frame(left, SERIES_WIDTH, top_of(row), LANE);
    }
    let lines = || -> String {
        let line = |(row, &channel): (usize, &usize)| trace(sample, channel, top_of(row));
        shown.iter().enumerate().map(line).collect()
    };
    let _ = match traces {
        Traces::Drawn => write!(body, "<g transform=\"translate({left} 0)\">{}</g>", lines()),
        Traces::Named(id) => write!(
            body,
            "<g transform=\"translate({left} 0)\"><g id=\"{}\">{}</g></g>",
            escape(id),
            lines()
        ),
        Traces::Reused(id) => write!(body, "<use href=\"#{}\"/>", escape(id)),
    };
    if map.is_none() {
        for (row, &channel) in shown.iter().enumerate() {
            body += &lane_words(sample, channel, top_of(row));
        }
    }
    body += &time_axis(
        steps,
        sample.rate,
        (left, SERIES_WIDTH),
        bottom + AXIS - 4.0,
    );
    Ok(Cell {
        width: left + SERIES_WIDTH,
        height: bottom + AXIS,
        left,
        bottom,
        body,
    })
}

/// A channel's values as a line in a lane at `top`.
fn trace(sample: &SampleMaps, channel: usize, top: f64) -> String {
    /// Space above and below the line.
    const MARGIN: f64 = 3.0;
    let lane = lanes_of(sample, &sample.values, &[channel]);
    let (low, high) = range(&lane);
    let span = if high > low { high - low } else { 1.0 };
    let lane = match steps_a_column(lane.len()) {
        1 => lane,
        steps => envelope(&lane, steps),
    };
    let mut line = String::from("<polyline class=\"trace\" points=\"");
    for (step, value) in lane.iter().enumerate() {
        let x = (step as f64 + 0.5) / lane.len() as f64 * SERIES_WIDTH;
        let share = f64::from((value - low) / span);
        let y = top + LANE - MARGIN - share * (LANE - 2.0 * MARGIN);
        let _ = write!(line, "{x:.1},{y:.1} ");
    }
    line + "\"/>"
}

/// The name of a channel, and the range of its values with their unit.
fn lane_words(sample: &SampleMaps, channel: usize, top: f64) -> String {
    let (low, high) = range(&lanes_of(sample, &sample.values, &[channel]));
    let unit = sample.units.get(channel).map_or("", String::as_str);
    let range = format!("{} {unit}", range_words(low, high));
    let line = |y: f64, class: &str, words: &str| {
        format!(
            "<text x=\"0\" y=\"{:.1}\" class=\"{class}\">{}</text>",
            top + y,
            escape(words)
        )
    };
    let name = sample.shape.lane_name(channel, &sample.names);
    line(14.0, "lane", &name) + &line(27.0, "lane range", range.trim_end())
}

/// The ends of a range, both with the digits that tell them apart.
fn range_words(low: f32, high: f32) -> String {
    /// More decimals than that read better as a power of ten.
    const MOST_DECIMALS: f32 = 6.0;
    let span = high - low;
    let decimals = if span > 0.0 {
        (1.0 - span.log10().floor()).max(0.0)
    } else {
        2.0
    };
    let number = |value: f32| {
        if decimals > MOST_DECIMALS {
            format!("{value:.1e}")
        } else {
            format!("{value:.0$}", decimals as usize)
        }
    };
    format!("{} to {}", number(low), number(high)).replace('-', "\u{2212}")
}

/// The channels with the most saliency over all maps, in their own order.
fn shown_lanes(sample: &SampleMaps, channels: usize) -> Vec<usize> {
    if channels <= MOST_LANES {
        return (0..channels).collect();
    }
    let maps = || {
        sample
            .maps
            .iter()
            .filter(|map| map.values.len() == sample.values.len())
    };
    let strength = |channel: usize| -> f32 {
        let of_map = |map: &SampleMap| {
            let full = strongest(&map.values).max(f32::MIN_POSITIVE);
            let lane = lanes_of(sample, &map.values, &[channel]);
            lane.iter().map(|v| v.abs() / full).sum::<f32>()
        };
        maps().map(of_map).sum()
    };
    let mut ranked: Vec<(usize, f32)> = (0..channels).map(|c| (c, strength(c))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut shown: Vec<usize> = ranked.iter().take(MOST_LANES).map(|(c, _)| *c).collect();
    shown.sort_unstable();
    shown
}

/// Steps of a series that one drawn column stands for.
fn steps_a_column(steps: usize) -> usize {
    if steps <= MOST_STEPS {
        1
    } else {
        steps.div_ceil(MOST_COLUMNS)
    }
}

/// An image's plane or map as it is drawn.
fn image_grid(values: Vec<f32>, [rows, columns]: [usize; 2], stand: Stand) -> Grid {
    let all = Grid {
        rows,
        columns,
        values,
    };
    let side = block(rows, columns, MOST_PIXELS);
    all.reduced(side, side, stand)
}

/// What a reader must know of cells in which one place stands for several values; none where each
/// is drawn.
pub fn reduction_words(sample: &SampleMaps) -> Option<String> {
    match sample.shape {
        InputShape::Image { height, width, .. } => {
            let side = block(height, width, MOST_PIXELS);
            (side > 1).then(|| {
                format!(
                    "drawn smaller: a pixel is the mean, or the strongest saliency, of {side} × {side}"
                )
            })
        }
        InputShape::Series { steps, .. } => {
            let steps = steps_a_column(steps);
            (steps > 1).then(|| {
                format!(
                    "drawn in columns of {steps} steps: their smallest and largest value, and \
                     their strongest saliency"
                )
            })
        }
        InputShape::Tokens { .. } => None,
    }
}

/// How many channels a series' cells leave out.
pub fn hidden_lanes(sample: &SampleMaps) -> usize {
    match sample.shape {
        InputShape::Series { channels, .. } => channels.saturating_sub(MOST_LANES),
        _ => 0,
    }
}

fn frame(left: f64, width: f64, top: f64, height: f64) -> String {
    format!(
        "<rect class=\"frame\" x=\"{left}\" y=\"{top:.1}\" width=\"{width}\" \
         height=\"{height:.1}\"/>"
    )
}

fn image(picture: &Picture, width: f64, top: f64, height: f64) -> Result<String> {
    Ok(format!(
        "<image class=\"pixels\" y=\"{top:.1}\" width=\"{width}\" height=\"{height:.1}\" \
         preserveAspectRatio=\"none\" href=\"{}\"/>",
        picture.data_uri()?
    ))
}

fn range(values: &[f32]) -> (f32, f32) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::{level, range_words};

    #[test]
    fn ranges_have_the_digits_that_tell_their_ends_apart() {
        let found = [(-0.034, 0.008), (980.4, 1021.0), (1.0, 1.0), (0.0, 2e-8)]
            .map(|(low, high)| range_words(low, high));
        assert_eq!(
            found,
            [
                "\u{2212}0.034 to 0.008",
                "980 to 1021",
                "1.00 to 1.00",
                "0.0e0 to 2.0e\u{2212}8"
            ]
        );
    }

    #[test]
    fn levels_keep_sign_and_share() {
        let found = [0.0, 1.0, -1.0, 0.5, 9.0].map(|value| level(value, 1.0).cast_signed());
        assert_eq!(found, [0, 127, -127, 64, 127]);
        assert_eq!(level(1.0, 0.0), 0);
    }
}
