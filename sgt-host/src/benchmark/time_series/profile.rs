//! Where in time the saliency lies, as charts.

use super::CellRecord;
use crate::report::chart::{Line, LineChart, Point};

/// A chart for each set and network: the saliency at every step by `method`, a line a training, mean
/// over seeds, as shares of the highest point. With its file name.
pub fn charts(cells: &[CellRecord], method: &str) -> Vec<(String, LineChart)> {
    let mut groups: Vec<(String, Vec<&CellRecord>)> = Vec::new();
    for cell in cells {
        let set = cell.set.split('?').next().unwrap_or_default();
        let name = plain(&format!("{set}-{}", cell.network));
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(cell),
            None => groups.push((name, vec![cell])),
        }
    }
    let chart = |(name, cells): (String, Vec<&CellRecord>)| {
        let mut lines: Vec<Line> = Vec::new();
        for cell in &cells {
            if lines.iter().all(|line| line.name != cell.training) {
                let own = cells.iter().filter(|other| other.training == cell.training);
                let profiles = own.flat_map(|cell| {
                    let methods = cell.methods.iter();
                    methods.filter(|record| record.method == method)
                });
                let profiles: Vec<&[f64]> = profiles.map(|record| &record.profile[..]).collect();
                lines.push(line(cell.training.clone(), &profiles));
            }
        }
        let points = || lines.iter().flat_map(|line| &line.points);
        let highest = points().map(|point| point.y).fold(0.0, f64::max);
        if highest > 0.0 {
            let points = lines.iter_mut().flat_map(|line| &mut line.points);
            points.for_each(|point| {
                point.y /= highest;
                point.deviation /= highest;
            });
        }
        let chart = LineChart {
            title: format!("{name}: {method}"),
            x_label: "step".into(),
            y_label: "saliency, % of the highest".into(),
            x_percent: false,
            y_percent: true,
            lines,
        };
        (format!("profile-{name}-{method}.svg"), chart)
    };
    groups.into_iter().map(chart).collect()
}

/// `text` in letters, digits, dots and dashes, for the name of a file.
pub(super) fn plain(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect()
}

fn line(name: String, profiles: &[&[f64]]) -> Line {
    let steps = profiles.first().map_or(0, |profile| profile.len());
    let count = profiles.len() as f64;
    let point = |step: usize| {
        let values = profiles.iter().map(|profile| profile[step]);
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Point {
            x: step as f64 + 1.0,
            y: mean,
            deviation: (squares / (count - 1.0).max(1.0)).sqrt(),
        }
    };
    Line {
        name,
        points: (0..steps).map(point).collect(),
    }
}
