//! Saliency maps of images, series and texts.
//!
//! A sample or map is drawn as one SVG cell: an image as its pixels, a series as one lane a
//! channel with the saliency behind the trace, a text as a strip of its tokens. Colour tells the
//! sign, opacity the magnitude; every cell says in words what it shows.

use super::chart::CHART_STYLE;
use super::literal::literal;
use super::picture::{Picture, strongest};
use super::text::escape;
use crate::compare::{SampleMap, SampleMaps};
use crate::data::{Grouping, InputShape, group_values};
use crate::{Error, Result};
use std::fmt::Write;

/// Lanes of a series that are drawn at most: those with the most saliency.
const MOST_LANES: usize = 6;
const IMAGE_WIDTH: f64 = 120.0;
const SERIES_WIDTH: f64 = 280.0;
const LANE: f64 = 34.0;
const GAP: f64 = 4.0;
const STRIP: f64 = 24.0;
/// Space for the names of a sample's channels.
const NAMES: f64 = 62.0;

/// A drawing with its size in its own units.
struct Cell {
    width: f64,
    height: f64,
    body: String,
}

/// The look of cells, beside [`CHART_STYLE`].
pub const MAP_STYLE: &str = include_str!("map.css");

/// The sample itself, to be put into a page.
///
/// # Errors
/// [`Error::Shape`] when the values do not have the sample's shape.
pub fn sample(sample: &SampleMaps) -> Result<String> {
    let words = format!("The sample itself, class {}.", sample.class);
    Ok(inline(&draw(sample, None)?, &words))
}

/// One saliency map, to be put into a page.
///
/// # Errors
/// As [`sample`].
pub fn saliency(sample: &SampleMaps, map: &SampleMap) -> Result<String> {
    Ok(inline(&draw(sample, Some(map))?, &map_words(sample, map)))
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
    let (mut body, mut y, mut cell_width) = (String::new(), HEADING, 0.0_f64);
    for sample in samples {
        let maps = maps_of(sample);
        let cells = std::iter::once(None).chain(maps.iter().map(Some));
        let mut height = 0.0_f64;
        for (column, map) in cells.enumerate() {
            let cell = draw(sample, map)?;
            cell_width = cell_width.max(cell.width);
            height = height.max(cell.height);
            let x = SPACE + column as f64 * (cell.width + SPACE);
            let (whose, class) = match map {
                None => ("the sample", &sample.class),
                Some(map) => (&map.regime[..], &map.predicted),
            };
            let _ = write!(
                body,
                "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"caption\">{}\
                 <tspan x=\"{x:.1}\" dy=\"14\">{}</tspan></text>\
                 <g transform=\"translate({x:.1} {y:.1})\">{}</g>",
                y + cell.height + 14.0,
                escape(whose),
                escape(class),
                cell.body
            );
        }
        y += height + CAPTION + SPACE;
    }
    let width = SPACE + (columns + 1) as f64 * (cell_width + SPACE);
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
            "<span class=\"{class}\" style=\"--share:{:.0}%\">{}</span> ",
            70.0 * share,
            escape(name)
        );
    }
    Ok(html + "</p>")
}

fn inline(cell: &Cell, words: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {:.0} {:.0}\" class=\"chart cell\" role=\"img\"><title>{}</title>{}</svg>",
        cell.width,
        cell.height,
        escape(words),
        cell.body
    )
}

fn draw(sample: &SampleMaps, map: Option<&SampleMap>) -> Result<Cell> {
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
                    let range = range(&sample.values);
                    Picture::image(&sample.values, channels, width, height, range)?
                }
                Some(map) => Picture::saliency(&by_position(sample, &map.values)?, width, height)?,
            };
            let drawn = IMAGE_WIDTH * height as f64 / width as f64;
            Ok(Cell {
                width: IMAGE_WIDTH,
                height: drawn,
                body: frame(IMAGE_WIDTH, 0.0, drawn) + &image(&picture, IMAGE_WIDTH, 0.0, drawn)?,
            })
        }
        InputShape::Series {
            steps, channels, ..
        } => lanes(sample, map, steps, channels),
        InputShape::Tokens { tokens, .. } => {
            let values = map.map_or(&sample.values, |map| &map.values);
            let picture = Picture::saliency(&by_position(sample, values)?, tokens, 1)?;
            Ok(Cell {
                width: SERIES_WIDTH,
                height: STRIP,
                body: frame(SERIES_WIDTH, 0.0, STRIP) + &image(&picture, SERIES_WIDTH, 0.0, STRIP)?,
            })
        }
    }
}

/// One lane a channel: the saliency of its steps behind its trace.
fn lanes(
    sample: &SampleMaps,
    map: Option<&SampleMap>,
    steps: usize,
    channels: usize,
) -> Result<Cell> {
    let lane_of = |values: &[f32], channel: usize| -> Vec<f32> {
        let step = |step| values[sample.shape.place(step, channel)];
        (0..steps).map(step).collect()
    };
    let shown = shown_lanes(sample, channels, &lane_of);
    let full = map.map_or(0.0, |map| strongest(&map.values));
    let left = if map.is_none() { NAMES } else { 0.0 };
    let mut body = String::new();
    for (row, &channel) in shown.iter().enumerate() {
        let top = row as f64 * (LANE + GAP);
        body += &frame(SERIES_WIDTH, top, LANE);
        if let Some(map) = map {
            let lane = lane_of(&map.values, channel);
            let picture = Picture::saliency_on_scale(&lane, steps, 1, full)?;
            body += &image(&picture, SERIES_WIDTH, top, LANE)?;
        }
        let lane = lane_of(&sample.values, channel);
        let (low, high) = range(&lane);
        let span = if high > low { high - low } else { 1.0 };
        body += "<polyline class=\"trace\" points=\"";
        for (step, value) in lane.iter().enumerate() {
            let x = left + (step as f64 + 0.5) / steps as f64 * (SERIES_WIDTH - left);
            let share = f64::from((value - low) / span);
            let _ = write!(
                body,
                "{x:.1},{:.1} ",
                top + LANE - 3.0 - share * (LANE - 6.0)
            );
        }
        body += "\"/>";
        if map.is_none() {
            let _ = write!(
                body,
                "<text x=\"4\" y=\"{:.1}\" class=\"lane\">{}</text>",
                top + LANE / 2.0 + 4.0,
                escape(&sample.shape.lane_name(channel, &sample.names))
            );
        }
    }
    Ok(Cell {
        width: SERIES_WIDTH,
        height: shown.len() as f64 * (LANE + GAP) - GAP,
        body,
    })
}

/// The channels with the most saliency over all maps, in their own order.
fn shown_lanes(
    sample: &SampleMaps,
    channels: usize,
    lane_of: &impl Fn(&[f32], usize) -> Vec<f32>,
) -> Vec<usize> {
    let maps = || {
        sample
            .maps
            .iter()
            .filter(|map| map.values.len() == sample.values.len())
    };
    let strength = |channel: usize| -> f32 {
        let of_map = |map: &SampleMap| {
            let full = strongest(&map.values).max(f32::MIN_POSITIVE);
            lane_of(&map.values, channel)
                .iter()
                .map(|v| v.abs() / full)
                .sum::<f32>()
        };
        maps().map(of_map).sum()
    };
    let mut ranked: Vec<(usize, f32)> = (0..channels).map(|c| (c, strength(c))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut shown: Vec<usize> = ranked.iter().take(MOST_LANES).map(|(c, _)| *c).collect();
    shown.sort_unstable();
    shown
}

/// How many channels a series' cells leave out.
pub fn hidden_lanes(sample: &SampleMaps) -> usize {
    match sample.shape {
        InputShape::Series { channels, .. } => channels.saturating_sub(MOST_LANES),
        _ => 0,
    }
}

fn frame(width: f64, top: f64, height: f64) -> String {
    format!("<rect class=\"frame\" y=\"{top:.1}\" width=\"{width}\" height=\"{height:.1}\"/>")
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
