//! One sample of a cell as pictures: its values, the cells that tell its class, and every method's
//! map; and the pictures of a set's networks and trainings side by side.

use super::{CellRecord, profile, summary::CONTROL};
use crate::Result;
use crate::report::chart::CHART_STYLE;
use crate::report::escape;
use crate::report::literal::literal;
use crate::report::map::MAP_STYLE;
use crate::report::picture::Picture;
use crate::report::reduce::{Grid, Stand};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Pictures of one test sample, channels downwards and steps to the right, as `data:` addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Example {
    /// Its class.
    pub class: String,
    /// What the network answers.
    pub predicted: String,
    /// Channels and steps.
    pub size: [usize; 2],
    /// Its values, the largest white.
    pub values: String,
    /// The cells that tell the class.
    pub truth: String,
    /// A method's name and its map: red raises the score of the class, blue lowers it.
    pub maps: Vec<(String, String)>,
}

/// Steps that are drawn side by side, at most: a picture of more stands for several by the strongest.
const MOST_STEPS: usize = 280;

/// Draws the map `values` `[channels, steps]`.
pub(super) fn map_picture(values: &[f32], size: [usize; 2]) -> Result<String> {
    let drawn = fitted(values, size, Stand::Strongest);
    Picture::saliency(&drawn.values, drawn.columns, drawn.rows)?.data_uri()
}

/// Draws the values of a sample in grey.
pub(super) fn value_picture(values: &[f32], size: [usize; 2]) -> Result<String> {
    let drawn = fitted(values, size, Stand::Mean);
    let range = (
        values.iter().copied().fold(f32::INFINITY, f32::min),
        values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    );
    Picture::image(&drawn.values, 1, drawn.columns, drawn.rows, range)?.data_uri()
}

fn fitted(values: &[f32], [rows, columns]: [usize; 2], stand: Stand) -> Grid {
    let all = Grid {
        rows,
        columns,
        values: values.to_vec(),
    };
    all.reduced(1, columns.div_ceil(MOST_STEPS).max(1), stand)
}

/// Sets that are drawn, at most: more would make the page slow.
const MOST_SETS: usize = 6;
/// Methods that are drawn, at most, those that are named first.
const MOST_METHODS: usize = 2;

/// The sets of `cells` that [`figures`] leaves out.
pub fn sets_without_figure(cells: &[CellRecord]) -> usize {
    sets(cells).len().saturating_sub(MOST_SETS)
}

fn sets(cells: &[CellRecord]) -> Vec<&str> {
    let mut sets: Vec<&str> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.example.is_some()) {
        if !sets.contains(&cell.set.as_str()) {
            sets.push(&cell.set);
        }
    }
    sets
}

/// A picture for each of the first sets: a row a network and method, with the sample, its truth and
/// a map for each of `trainings`. With its file name.
pub fn figures(cells: &[CellRecord], trainings: &[String]) -> Vec<(String, String)> {
    let drawn = sets(cells).into_iter().take(MOST_SETS);
    let figure = |set: &str| {
        let own: Vec<(&CellRecord, &Example)> = cells
            .iter()
            .filter(|cell| cell.set == set)
            .filter_map(|cell| cell.example.as_ref().map(|example| (cell, example)))
            .collect();
        let file = format!("maps-{}.svg", profile::plain(set));
        (file, draw(set, &own, trainings))
    };
    drawn.map(figure).collect()
}

const WIDTH: f64 = 120.0;
const LEAST_HEIGHT: f64 = 28.0;
const NAMES: f64 = 150.0;
const SPACE: f64 = 10.0;
const HEADING: f64 = 76.0;
const CAPTION: f64 = 16.0;

fn draw(set: &str, cells: &[(&CellRecord, &Example)], trainings: &[String]) -> String {
    let mut networks: Vec<&str> = Vec::new();
    for (cell, _) in cells {
        if !networks.contains(&cell.network.as_str()) {
            networks.push(&cell.network);
        }
    }
    let column = |place: usize| NAMES + place as f64 * (WIDTH + SPACE);
    let mut body = String::new();
    let heads = ["the sample", "the truth"].into_iter();
    for (place, head) in heads
        .chain(trainings.iter().map(String::as_str))
        .enumerate()
    {
        body += &text(column(place), HEADING - 6.0, "caption", head);
    }
    let mut top = HEADING;
    for network in networks {
        let own: Vec<_> = cells
            .iter()
            .filter(|(cell, _)| cell.network == network)
            .collect();
        let Some((_, first)) = own.first() else {
            continue;
        };
        let methods = first.maps.iter().map(|(name, _)| name.as_str());
        let methods = methods.filter(|name| *name != CONTROL).take(MOST_METHODS);
        let [channels, steps] = first.size;
        let height = (WIDTH * channels as f64 / steps as f64).clamp(LEAST_HEIGHT, WIDTH);
        for (line, method) in methods.enumerate() {
            body += &text(SPACE, top + 14.0, "lane", network);
            body += &text(SPACE, top + 27.0, "caption", method);
            if line == 0 {
                body += &picture(column(0), top, height, &first.values);
                body += &picture(column(1), top, height, &first.truth);
            }
            for (place, training) in trainings.iter().enumerate() {
                let found = own.iter().find(|(cell, _)| cell.training == *training);
                let Some((_, example)) = found else { continue };
                let mut maps = example.maps.iter();
                if let Some((_, map)) = maps.find(|(name, _)| name == method) {
                    let left = column(2 + place);
                    body += &picture(left, top, height, map);
                    let answer = format!("class {}", example.predicted);
                    body += &text(left, top + height + 12.0, "caption", &answer);
                }
            }
            top += height + CAPTION + SPACE;
        }
    }
    let width = column(2 + trainings.len());
    let title = escape(&format!("{set}: maps against the truth"));
    let class = cells.first().map_or("", |(_, example)| &example.class);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {top:.0}\" \
         class=\"chart\" role=\"img\"><title>{title}</title><style>{style}</style>\
         <rect width=\"100%\" height=\"100%\" class=\"surface\"/>\
         <text x=\"{SPACE}\" y=\"20\" class=\"chart-title\">{title}</text>\
         <text x=\"{SPACE}\" y=\"36\" class=\"caption\">One test sample of class {class}: channels \
         downwards, steps to the right.<tspan x=\"{SPACE}\" dy=\"14\">Red raises the score, blue \
         lowers it; below a map its network's answer.</tspan></text>{body}</svg>",
        style = literal(&format!("{CHART_STYLE}{MAP_STYLE}")),
        class = escape(class),
    )
}

fn text(left: f64, base: f64, class: &str, words: &str) -> String {
    format!(
        "<text x=\"{left:.1}\" y=\"{base:.1}\" class=\"{class}\">{}</text>",
        escape(words)
    )
}

fn picture(left: f64, top: f64, height: f64, address: &str) -> String {
    let mut drawn = format!(
        "<image class=\"pixels\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{WIDTH}\" \
         height=\"{height:.1}\" preserveAspectRatio=\"none\" href=\"{}\"/>",
        escape(address)
    );
    let _ = write!(
        drawn,
        "<rect class=\"frame\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{WIDTH}\" \
         height=\"{height:.1}\"/>"
    );
    drawn
}
