//! Results that nobody measured: regimes with chosen answers, for the statistics and the rules
//! that read them.
#![allow(dead_code, reason = "each test program uses its own part")]

use sgt_core::{Pcg32, Random};
use sgt_host::attack::{AttackConfig, AttackKind};
use sgt_host::attribution::Method;
use sgt_host::compare::{
    ClassCount, ComparisonRow, Evidence, MeasuredRun, RegimeRuns, Verdict, Warning, compare,
    verdict, warnings,
};
use sgt_host::data::DataKind;
use sgt_host::evaluation::{About, BySample, Evaluation, EvaluationConfig, MapEvaluation};
use sgt_host::metrics::classification::confusion;
use sgt_host::metrics::drop_curve::DropCurve;
use sgt_host::metrics::robustness::{RobustnessCurve, RobustnessPoint};
use sgt_host::metrics::statistics::BoxPlot;
use sgt_host::metrics::{Classification, Fill, Metric};

/// The radius of the made-up attack.
pub(crate) const EPSILON: f32 = 0.2;

/// One regime as it should come out: rates over samples, each run a little off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// The regime.
    pub(crate) name: &'static str,
    /// The accuracy.
    pub(crate) accuracy: f32,
    /// The accuracy under attack.
    pub(crate) attacked: f32,
    /// The area under the accuracy drop of its maps; that of the random map is 0.8.
    pub(crate) area: f32,
    /// The training time.
    pub(crate) seconds: f64,
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
}

/// An evaluation whose accuracy is `right`, sample by sample, of two classes in turn.
pub(crate) fn evaluation(right: &[f32]) -> Evaluation {
    let labels: Vec<usize> = (0..right.len()).map(|sample| sample % 2).collect();
    let predicted = labels.iter().zip(right);
    let predicted: Vec<usize> = predicted
        .map(|(&label, &right)| if right > 0.5 { label } else { 1 - label })
        .collect();
    answered(&labels, &predicted, right.to_vec())
}

/// An evaluation of these answers of two classes; `by_sample` are the accuracy's values.
pub(crate) fn answered(labels: &[usize], predicted: &[usize], by_sample: Vec<f32>) -> Evaluation {
    let classes = ["low".to_string(), "high".to_string()];
    Evaluation {
        test_samples: labels.len(),
        accuracy: mean(&by_sample),
        loss: 0.5,
        classification: Classification::of(&classes, confusion(labels, predicted, 2)),
        samples: labels.len(),
        drawn_accuracy: mean(&by_sample),
        stability_samples: 0,
        robustness: Vec::new(),
        mean_gradient: BoxPlot::of(&[0.0]).unwrap(),
        maps: Vec::new(),
        skipped: Vec::new(),
        by_sample: vec![BySample {
            metric: Metric::Accuracy,
            about: About::Clean,
            values: by_sample,
        }],
    }
}

pub(crate) fn run(seed: u64, seconds: f64, evaluation: Evaluation) -> MeasuredRun {
    MeasuredRun {
        seed,
        folder: None,
        config: String::new(),
        seconds,
        epochs: Vec::new(),
        evaluation,
    }
}

/// Adds accuracy under attack, sample by sample; `alone` is that of each radius by itself.
pub(crate) fn attacked(evaluation: &mut Evaluation, points: &[(f32, Vec<f32>, f64)]) {
    let attack = AttackConfig::new(AttackKind::Pgd, EPSILON);
    let point = |(epsilon, right, alone): &(f32, Vec<f32>, f64)| RobustnessPoint {
        epsilon: *epsilon,
        accuracy: mean(right),
        accuracy_alone: *alone,
        loss: 1.0,
    };
    evaluation.robustness.push(RobustnessCurve {
        attack: attack.clone(),
        points: points.iter().map(point).collect(),
    });
    for (epsilon, right, _) in points {
        evaluation.by_sample.push(BySample {
            metric: Metric::AccuracyUnderAttack,
            about: About::Attack(attack.with_epsilon(*epsilon)),
            values: right.clone(),
        });
    }
}

/// Adds the accuracy-drop area of the gradient's and of the random maps, sample by sample.
pub(crate) fn mapped(evaluation: &mut Evaluation, gradient: &[f32], random: &[f32]) {
    for (method, values) in [(Method::Gradient, gradient), (Method::Random, random)] {
        evaluation.maps.push(MapEvaluation {
            method: method.clone(),
            drop_curves: vec![DropCurve {
                fill: Fill::Mean,
                fractions: vec![0.0, 0.5],
                accuracies: vec![1.0, mean(values)],
                changed: vec![1.0, 1.0],
                area: mean(values),
                mean_accuracy: mean(values),
            }],
            faithfulness: Vec::new(),
            sparseness: 0.5,
            entropy: 0.5,
            convergence_gap: None,
            stability: None,
        });
        evaluation.by_sample.push(BySample {
            metric: Metric::AccuracyDropArea,
            about: About::Removal {
                method,
                fill: Fill::Mean,
            },
            values: values.to_vec(),
        });
    }
}

/// `samples` zeros and ones, about `rate` of them ones. Which samples are hard is the same for every
/// regime and seed; a little is not.
fn right(rate: f32, samples: usize, seed: u64) -> Vec<f32> {
    let (mut hard, mut own) = (Pcg32::new(1, 0), Pcg32::new(seed, 1));
    let draw = |_| 0.9 * hard.unit() + 0.1 * own.unit();
    let threshold = |value: f32| f32::from(value < rate);
    (0..samples).map(draw).map(threshold).collect()
}

/// Runs of these regimes with the seeds 0 … on so many test samples.
pub(crate) fn regimes(rates: &[Rates], seeds: u64, samples: usize) -> Vec<RegimeRuns> {
    let of_regime = |(place, rates): (usize, &Rates)| {
        let run_of = |seed: u64| {
            let own = 100 * place as u64 + seed;
            let mut found = evaluation(&right(rates.accuracy, samples, own));
            let under = right(rates.attacked, samples, own + 50);
            let alone = mean(&under);
            attacked(&mut found, &[(EPSILON, under, alone)]);
            let gradient = right(rates.area, samples, own + 70);
            mapped(&mut found, &gradient, &right(0.8, samples, own + 90));
            run(seed, rates.seconds + 0.01 * seed as f64, found)
        };
        RegimeRuns {
            name: rates.name.into(),
            runs: (0..seeds).map(run_of).collect(),
        }
    };
    rates.iter().enumerate().map(of_regime).collect()
}

/// Two classes of this many training and test samples.
pub(crate) fn classes(training: [usize; 2], test: [usize; 2]) -> Vec<ClassCount> {
    let count = |class: usize, name: &str| ClassCount {
        class: name.into(),
        training: training[class],
        test: test[class],
    };
    vec![count(0, "low"), count(1, "high")]
}

/// The table, the warnings and the verdict of made-up regimes.
pub(crate) fn judged(
    regimes: &[RegimeRuns],
    classes: &[ClassCount],
) -> (Vec<ComparisonRow>, Vec<Warning>, Verdict) {
    let config = EvaluationConfig::quick(DataKind::Series);
    let rows = compare(regimes, &config).unwrap();
    let warnings = warnings(classes, regimes, &rows);
    let names: Vec<String> = regimes.iter().map(|regime| regime.name.clone()).collect();
    let verdict = verdict(&Evidence {
        regimes: &names,
        rows: &rows,
        warnings: &warnings,
    });
    (rows, warnings, verdict)
}
