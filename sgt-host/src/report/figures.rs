//! From evaluations to charts.

use super::chart::{BoxChart, Line, LineChart, Point};
use super::text::Notation;
use crate::compare::{Comparison, MeasuredRun, RegimeRuns};
use crate::evaluation::Evaluation;
use crate::metrics::drop_curve::DropCurve;
use crate::metrics::removal::Fill;
use crate::metrics::robustness::RobustnessCurve;
use crate::metrics::statistics::{BoxPlot, MeanDeviation};
use crate::train::EpochRow;

/// Accuracy under attack over ε: one chart an attack of the first run, one line a regime, means
/// and deviations over seeds. The point at ε = 0 is the accuracy on the same samples as they are.
pub fn robustness_charts(comparison: &Comparison) -> Vec<LineChart> {
    let regimes = &comparison.regimes;
    let attacks = first(regimes)
        .map(|evaluation| &evaluation.robustness[..])
        .unwrap_or_default();
    let measured = comparison.measured();
    let samples = measured
        .map(|samples| format!("; {samples} samples"))
        .unwrap_or_default();
    let chart = |curve: &RobustnessCurve| {
        let same = |other: &&RobustnessCurve| other.attack == curve.attack;
        let points = |run: &MeasuredRun| -> Vec<(f64, f64)> {
            let evaluation = &run.evaluation;
            let curve = evaluation.robustness.iter().find(same);
            let attacked = curve.into_iter().flat_map(|curve| &curve.points);
            let attacked = attacked.filter(|point| point.epsilon > 0.0);
            std::iter::once((0.0, evaluation.drawn_accuracy))
                .chain(attacked.map(|point| (f64::from(point.epsilon), point.accuracy)))
                .collect()
        };
        LineChart {
            title: curve.attack.title(),
            x_label: format!("ε in {}{samples}", comparison.unit),
            y_label: "accuracy, %".into(),
            x_percent: false,
            y_percent: true,
            lines: lines(regimes, points),
        }
    };
    attacks.iter().map(chart).collect()
}

/// Accuracy over the share of removed features: one chart a method and fill of the first run,
/// one line a regime.
pub fn drop_charts(comparison: &Comparison) -> Vec<(Fill, LineChart)> {
    let regimes = &comparison.regimes;
    let mut charts = Vec::new();
    for map in first(regimes)
        .map(|evaluation| &evaluation.maps[..])
        .unwrap_or_default()
    {
        for curve in &map.drop_curves {
            let points = |run: &MeasuredRun| -> Vec<(f64, f64)> {
                let same = |other: &&DropCurve| other.fill == curve.fill;
                let map = run
                    .evaluation
                    .maps
                    .iter()
                    .find(|other| other.method == map.method);
                let Some(curve) = map.and_then(|map| map.drop_curves.iter().find(same)) else {
                    return Vec::new();
                };
                let fractions = curve.fractions.iter().map(|&fraction| f64::from(fraction));
                fractions.zip(curve.accuracies.iter().copied()).collect()
            };
            let chart = LineChart {
                title: map.method.name().into(),
                x_label: "features removed, %".into(),
                y_label: "accuracy, %".into(),
                x_percent: true,
                y_percent: true,
                lines: lines(regimes, points),
            };
            charts.push((curve.fill, chart));
        }
    }
    charts
}

/// What the training showed over its epochs, one line a regime: accuracy and cross-entropy on the
/// training part, and on the validation part where there is one. None without epochs.
pub fn learning_charts(comparison: &Comparison) -> Vec<LineChart> {
    type Value = fn(&EpochRow) -> Option<f32>;
    let curves: [(&str, &str, bool, Value); 4] = [
        ("training accuracy", "accuracy, %", true, |row| {
            Some(row.accuracy)
        }),
        (
            "training cross-entropy",
            "cross-entropy, nats",
            false,
            |row| Some(row.clean_loss),
        ),
        ("validation accuracy", "accuracy, %", true, |row| {
            row.validation_accuracy
        }),
        (
            "validation cross-entropy",
            "cross-entropy, nats",
            false,
            |row| row.validation_loss,
        ),
    ];
    let chart = |(title, y_label, y_percent, value): (&str, &str, bool, Value)| {
        let points = |run: &MeasuredRun| -> Vec<(f64, f64)> {
            let epochs = thinned(&run.epochs);
            let known = epochs.filter_map(|row| Some((row.epoch as f64, f64::from(value(row)?))));
            known.collect()
        };
        LineChart {
            title: title.into(),
            x_label: "epoch".into(),
            y_label: y_label.into(),
            x_percent: false,
            y_percent,
            lines: lines(&comparison.regimes, points),
        }
    };
    let charts = curves.into_iter().map(chart);
    let is_known = |chart: &LineChart| chart.lines.iter().any(|line| !line.points.is_empty());
    charts.filter(is_known).collect()
}

/// At most so many epochs of a curve are drawn.
const MOST_EPOCHS: usize = 60;

/// Epochs at one distance, the last one too.
fn thinned(epochs: &[EpochRow]) -> impl Iterator<Item = &EpochRow> {
    let step = epochs.len().div_ceil(MOST_EPOCHS).max(1);
    let last = epochs.len().saturating_sub(1);
    let kept = move |place: usize| place.is_multiple_of(step) || place == last;
    let numbered = epochs.iter().enumerate();
    numbered.filter_map(move |(place, row)| kept(place).then_some(row))
}

/// The mean gradients of every regime's first run.
pub fn gradient_boxes(comparison: &Comparison) -> BoxChart {
    let of_regime = |regime: &RegimeRuns| -> Option<(String, BoxPlot)> {
        let run = regime.runs.first()?;
        Some((regime.name.clone(), run.evaluation.mean_gradient))
    };
    BoxChart {
        title: "Mean gradients".into(),
        x_label: "mean signed gradient of a sample".into(),
        boxes: comparison.regimes.iter().filter_map(of_regime).collect(),
    }
}

/// What a fill really changes, in a sentence; none when it changes everything.
pub(super) fn share_changed(comparison: &Comparison, fill: Fill) -> Option<String> {
    let runs = comparison.regimes.iter().flat_map(|regime| &regime.runs);
    let curves = runs
        .flat_map(|run| &run.evaluation.maps)
        .flat_map(|map| &map.drop_curves);
    let shares = curves
        .filter(|curve| curve.fill == fill)
        .flat_map(|curve| &curve.changed);
    let least = Notation::Percent.number(shares.copied().fold(1.0, f64::min));
    (least != Notation::Percent.number(1.0)).then(|| {
        format!(
            "at least {least}\u{202f}% of the removed features really changed: those that already \
             have the fill's value do not."
        )
    })
}

fn first(regimes: &[RegimeRuns]) -> Option<&Evaluation> {
    regimes
        .iter()
        .find_map(|regime| Some(&regime.runs.first()?.evaluation))
}

/// One line a regime: means over seeds of the points with the same place.
fn lines(regimes: &[RegimeRuns], points: impl Fn(&MeasuredRun) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |regime: &RegimeRuns| {
        let curves: Vec<Vec<(f64, f64)>> = regime.runs.iter().map(&points).collect();
        // A training that stopped early has fewer points.
        let longest = curves.iter().rev().max_by_key(|curve| curve.len());
        let places = longest.map(|curve| &curve[..]).unwrap_or_default();
        let mean = |(place, &(x, _)): (usize, &(f64, f64))| {
            let values: Vec<f64> = curves
                .iter()
                .filter_map(|c| Some(c.get(place)?.1))
                .collect();
            let MeanDeviation {
                mean, deviation, ..
            } = MeanDeviation::of(&values).ok()?;
            Some(Point {
                x,
                y: mean,
                deviation: deviation.unwrap_or(0.0),
            })
        };
        Line {
            name: regime.name.clone(),
            points: places.iter().enumerate().filter_map(mean).collect(),
        }
    };
    regimes.iter().map(line).collect()
}
