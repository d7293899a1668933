//! The trials as lines through their settings to their score.

use super::Sweep;
use super::table::digits;
use crate::report::chart::CHART_STYLE;
use crate::report::escape;
use crate::report::literal::literal;
use std::fmt::Write;

const COLUMN: f64 = 130.0;
/// The least width, which the words need.
const LEAST: f64 = 430.0;
/// Width of a letter.
const LETTER: f64 = 6.4;
/// Letters of a label or a name, at most.
const MOST_LETTERS: usize = 26;
const TOP: f64 = 64.0;
const HEIGHT: f64 = 240.0;
const BOTTOM: f64 = 40.0;
/// The ends of an axis from whose ratio on it is drawn logarithmically.
const WIDE: f64 = 30.0;
/// Labels of an axis, at most.
const MOST_LABELS: usize = 9;

/// Where the values of one axis lie: 0 at the bottom, 1 at the top.
struct Scale {
    name: String,
    /// Place and words of the labels.
    labels: Vec<(f64, String)>,
    /// The place of every trial.
    places: Vec<Option<f64>>,
}

/// Parallel coordinates: an axis a setting that differs, then the score; a line a trial, darker the
/// better, the chosen one in colour. An SVG file.
pub fn picture(sweep: &Sweep) -> String {
    let keys = sweep.trials.first().map_or(0, |best| best.values.len());
    let column = |key: usize| -> Vec<String> {
        let values = sweep.trials.iter().map(|trial| &trial.values[key].1);
        values.cloned().collect()
    };
    let mut scales: Vec<Scale> = (0..keys)
        .filter_map(|key| {
            let values = column(key);
            let differ = values.iter().any(|value| *value != values[0]);
            differ.then(|| scale(elided(&sweep.trials[0].values[key].0), &values))
        })
        .collect();
    let score = |value: Option<f64>| value.map_or(String::new(), digits);
    let scores = sweep
        .trials
        .iter()
        .map(|trial| score(trial.score.map(|score| score.mean)));
    let name = format!("validation {}", sweep.criterion.name());
    scales.push(scale(name, &scores.collect::<Vec<_>>()));
    let longest = |texts: &mut dyn Iterator<Item = &String>| {
        texts.map(|text| text.chars().count()).max().unwrap_or(0) as f64 * LETTER
    };
    // Labels stand left of an axis, its name in the middle below.
    let space = |scale: &Scale| longest(&mut scale.labels.iter().map(|(_, label)| label)) + 12.0;
    let half = |scale: &Scale| longest(&mut std::iter::once(&scale.name)) / 2.0 + 8.0;
    let mut axes: Vec<f64> = Vec::new();
    for (place, scale) in scales.iter().enumerate() {
        let left = space(scale).max(half(scale));
        axes.push(match place.checked_sub(1) {
            None => left,
            Some(before) => {
                let names = half(&scales[before]) + half(scale);
                axes[before] + COLUMN.max(space(scale) + 12.0).max(names)
            }
        });
    }
    let x = |place: usize| axes[place];
    let y = |share: f64| TOP + HEIGHT * (1.0 - share);
    let mut body = String::new();
    // The best is drawn last, over the others.
    for (rank, trial) in sweep.trials.iter().enumerate().rev() {
        let points: Option<Vec<String>> = scales
            .iter()
            .enumerate()
            .map(|(place, scale)| {
                let share = scale.places[rank]?;
                Some(format!("{:.1},{:.1}", x(place), y(share)))
            })
            .collect();
        let Some(points) = points else { continue };
        let style = if rank == 0 {
            "class=\"line s0\"".to_string()
        } else {
            let share = 1.0 - rank as f64 / sweep.trials.len() as f64;
            format!("class=\"trace\" opacity=\"{:.2}\"", 0.1 + 0.5 * share)
        };
        let _ = write!(
            body,
            "<polyline {style} points=\"{}\"><title>trial {}</title></polyline>",
            points.join(" "),
            trial.trial
        );
    }
    for (place, scale) in scales.iter().enumerate() {
        let x = x(place);
        let _ = write!(
            body,
            "<line class=\"grid zero\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            TOP + HEIGHT,
            TOP + HEIGHT + 20.0,
            escape(&scale.name)
        );
        for (share, label) in &scale.labels {
            let _ = write!(
                body,
                "<text class=\"tick-y halo\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x - 5.0,
                y(*share) + 4.0,
                escape(label)
            );
        }
    }
    let last = scales.len() - 1;
    let width = (x(last) + half(&scales[last]).max(COLUMN / 2.0)).max(LEAST);
    let height = TOP + HEIGHT + BOTTOM;
    let trials = if sweep.trials.len() == 1 {
        "1 trial".into()
    } else {
        format!("{} trials", sweep.trials.len())
    };
    let title = escape(&format!("{trials} on {}", sweep.data));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         class=\"chart\" role=\"img\"><title>{title}</title><style>{}</style>\
         <rect width=\"100%\" height=\"100%\" class=\"surface\"/>\
         <text x=\"12\" y=\"20\" class=\"chart-title\">{title}</text>\
         <text x=\"12\" y=\"38\">a line a trial, the darker the better; in colour the chosen one</text>\
         {body}</svg>\n",
        literal(CHART_STYLE)
    )
}

/// Numbers lie by their size, or their logarithm; other values in the order in which they come.
fn scale(name: String, values: &[String]) -> Scale {
    let numbers: Vec<Option<f64>> = values.iter().map(|value| value.parse().ok()).collect();
    let present = || {
        values
            .iter()
            .zip(&numbers)
            .filter(|(value, _)| !value.is_empty())
    };
    if present().all(|(_, number)| number.is_some()) {
        let ends = numbers
            .iter()
            .flatten()
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &x| {
                [low.min(x), high.max(x)]
            });
        let is_log = ends[0] > 0.0 && ends[1] / ends[0] >= WIDE;
        let place = |number: f64| {
            let [low, high, number] =
                [ends[0], ends[1], number].map(|x| if is_log { x.ln() } else { x });
            if high > low {
                (number - low) / (high - low)
            } else {
                0.5
            }
        };
        let mut known: Vec<(f64, String)> = Vec::new();
        for (value, number) in present() {
            let labelled = number.map(|number| (place(number), elided(value)));
            known.extend(labelled.filter(|new| !known.contains(new)));
        }
        if known.len() > MOST_LABELS {
            known.retain(|(share, _)| *share <= 0.0 || *share >= 1.0);
        }
        return Scale {
            name,
            labels: known,
            places: numbers
                .into_iter()
                .map(|number| number.map(place))
                .collect(),
        };
    }
    let mut known: Vec<&String> = Vec::new();
    for value in values {
        if !known.contains(&value) {
            known.push(value);
        }
    }
    known.sort();
    let last = (known.len() - 1).max(1) as f64;
    let place = |value: &String| {
        let found = known.iter().position(|known| *known == value);
        found.map(|place| place as f64 / last)
    };
    let labels = known.iter().enumerate();
    Scale {
        name,
        labels: labels
            .map(|(place, value)| (place as f64 / last, elided(value)))
            .collect(),
        places: values.iter().map(place).collect(),
    }
}

/// The end of a long text is what tells it from others.
fn elided(text: &str) -> String {
    let letters = text.chars().count();
    if letters <= MOST_LETTERS {
        return text.into();
    }
    let rest: String = text.chars().skip(letters - MOST_LETTERS + 1).collect();
    format!("…{rest}")
}
