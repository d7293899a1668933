//! Comparisons that nobody trained: golden networks with growing noise, for the page and its
//! pictures.
#![allow(dead_code, reason = "each test program uses its own part")]

#[path = "golden.rs"]
mod golden;

use sgt_core::{Bounds, Pcg32, Random};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::compare::{
    ClassCount, Comparison, Evidence, MeasuredRun, RegimeRuns, SampleMap, SampleMaps, SampleRule,
    compare, verdict, warnings,
};
use sgt_host::config::Difference;
use sgt_host::data::{DataKind, Dataset, InputUnit};
use sgt_host::evaluation::{EvaluationConfig, evaluate};
use sgt_host::metrics::Fill;
use sgt_host::network::{
    Classifier, ClassifierPass, InputShape, Labelled, Mode, Model, Network, SeriesOrder, named,
};
use sgt_host::train::EpochRow;
use std::path::PathBuf;

/// Names that only look like regimes: golden weights with growing noise.
pub(crate) const REGIMES: [(&str, f32); 4] = [
    ("standard", 0.0),
    ("sgt", 0.02),
    ("adversarial", 0.05),
    ("asgt", 0.1),
];
/// Runs a regime.
pub(crate) const SEEDS: u64 = 2;
pub(crate) const METHODS: [&str; 4] = [
    "gradient",
    "integrated-gradients",
    "smoothgrad-squared",
    "random",
];

/// A method with few steps: the pictures' content is not the subject.
fn method(name: &str) -> Method {
    Method::named(name).unwrap().with_steps(5)
}

/// What is made up of a golden network.
pub(crate) struct Study {
    pub(crate) name: &'static str,
    input: Option<InputShape>,
    bounds: Option<Bounds>,
    pub(crate) classes: Vec<String>,
    pub(crate) names: Vec<String>,
    units: Vec<String>,
    rate: Option<f64>,
}

fn network(study: &Study, noise: f32, seed: u64) -> Classifier {
    let (weights, _) = golden::golden(study.name).unwrap();
    let shapes: Vec<(&str, &[usize])> = weights
        .iter()
        .map(|(name, (shape, _))| (name.as_str(), shape.as_slice()))
        .collect();
    let sizes = named::infer_sizes(study.name, &shapes, study.input).unwrap();
    let description = named::description(study.name, &sizes).unwrap();
    let mut network = Network::new(&description, 0).unwrap();
    let mut rng = Pcg32::new(seed, 0);
    for entry in network.parameters().entries().to_vec() {
        let values = &mut network.parameters_mut().values_mut()[entry.range];
        for (value, golden) in values.iter_mut().zip(&weights[&entry.name].1) {
            *value = golden + noise * rng.standard_normal();
        }
    }
    let classifier = Classifier::new(network, study.classes.clone()).unwrap();
    match study.bounds {
        Some(bounds) => classifier.with_bounds(bounds).unwrap(),
        None => classifier,
    }
}

/// The golden samples as a data set holds them.
fn dataset(study: &Study, input: InputShape, labels: &[usize]) -> Dataset {
    let (_, cases) = golden::golden(study.name).unwrap();
    let shape = input.ordered(SeriesOrder::ChannelsFirst);
    let samples = cases["x"].1.chunks(input.len());
    let samples = samples
        .flat_map(|sample| input.reorder(sample, shape))
        .collect();
    let (classes, labels) = (study.classes.clone(), labels.to_vec());
    Dataset::new(study.name, classes, shape, samples, labels, study.bounds).unwrap()
}

/// Three epochs of a loss that falls.
fn epochs(seed: u64) -> Vec<EpochRow> {
    let row = |epoch: usize| EpochRow {
        epoch,
        loss: 2.0 / epoch as f32,
        clean_loss: 1.5 / epoch as f32 + 0.01 * seed as f32,
        adversarial_loss: 0.0,
        divergence: 0.0,
        accuracy: 1.0 - 0.5 / epoch as f32,
        masked: 0.0,
        lambda: 0.0,
        validation_loss: None,
        validation_accuracy: None,
    };
    (1..=3).map(row).collect()
}

/// The comparison of made-up regimes, each run with so many seeds, and the maps of three samples.
pub(crate) fn report(study: &Study, seeds: u64) -> (Comparison, Vec<SampleMaps>) {
    let (_, cases) = golden::golden(study.name).unwrap();
    let x = &cases["x"].1;
    let labels: Vec<usize> = cases["y"].1.iter().map(|&label| label as usize).collect();
    let config = EvaluationConfig {
        methods: METHODS.iter().map(|name| method(name)).collect(),
        fills: vec![Fill::Zero, Fill::Uniform],
        stability_samples: 1,
        ..EvaluationConfig::thorough(DataKind::Image)
    };
    let test = dataset(study, network(study, 0.0, 0).input(), &labels);
    let mut regimes = Vec::new();
    let mut samples = Vec::new();
    for (name, noise) in REGIMES {
        let run = |seed: u64| {
            let network = network(study, noise + 0.003, seed);
            MeasuredRun {
                seed,
                folder: Some(PathBuf::from(format!("{name}-{seed}"))),
                evaluation: evaluate(&network, &test, &config).unwrap(),
                config: format!(
                    "model = \"{}\"\nregime = \"{name}\"\nseed = {seed}\n",
                    study.name
                ),
                seconds: 12.3,
                epochs: epochs(seed),
            }
        };
        regimes.push(RegimeRuns {
            name: name.into(),
            runs: (0..seeds).map(run).collect(),
        });
    }
    for (sample, rule) in [0, 3, 1].into_iter().zip(SampleRule::ALL) {
        let shape = network(study, 0.0, 0).input();
        let values = x[sample * shape.len()..][..shape.len()].to_vec();
        let mut maps = Vec::new();
        for name_of_method in METHODS {
            for (name, noise) in REGIMES {
                let network = network(study, noise, 1);
                let mut pass = ClassifierPass::default();
                let logits = network
                    .forward(&values, Mode::Evaluation, &mut pass)
                    .unwrap();
                let predicted = (0..logits.len())
                    .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
                    .unwrap();
                let (label, method) = (&labels[sample..=sample], method(name_of_method));
                let settings = Settings::default();
                let found =
                    attribute(&network, Labelled::new(&values, label), &method, &settings).unwrap();
                maps.push(SampleMap {
                    regime: name.into(),
                    method: method.name().into(),
                    predicted: study.classes[predicted].clone(),
                    certainty: 0.75,
                    values: found.values,
                });
            }
        }
        samples.push(SampleMaps {
            index: sample,
            rule,
            shape,
            class: study.classes[labels[sample]].clone(),
            values,
            names: study.names.clone(),
            units: study.units.clone(),
            rate: study.rate,
            maps,
        });
    }
    let rows = compare(&regimes, &config).unwrap();
    let classes: Vec<ClassCount> = study
        .classes
        .iter()
        .zip(test.class_counts())
        .map(|(class, test)| ClassCount {
            class: class.clone(),
            training: 10,
            test,
        })
        .collect();
    let warnings = warnings(&classes, &regimes, &rows);
    let evidence = Evidence {
        regimes: &REGIMES.map(|(name, _)| name.to_string()),
        rows: &rows,
        warnings: &warnings,
    };
    for run in regimes.iter_mut().flat_map(|regime| &mut regime.runs) {
        run.evaluation.by_sample = Vec::new();
    }
    let comparison = Comparison {
        verdict: verdict(&evidence),
        warnings: warnings.clone(),
        classes,
        data: format!("made up: {}, <not> trained & such", study.name),
        model: study.name.into(),
        training_samples: 0,
        test_samples: labels.len(),
        unit: InputUnit::Recorded(study.bounds),
        rows: rows.clone(),
        evaluation: config,
        regimes,
        settings: vec![Difference {
            key: "masking.importance".into(),
            values: vec![None, Some("signed".into()), None, Some("absolute".into())],
        }],
    };
    (comparison, samples)
}

pub(crate) fn images() -> Study {
    Study {
        name: "small-cnn",
        input: None,
        bounds: Some(Bounds::UNIT),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        names: Vec::new(),
        units: Vec::new(),
        rate: None,
    }
}

pub(crate) fn series() -> Study {
    Study {
        name: "sensor-lstm",
        input: Some(InputShape::Series {
            steps: 100,
            channels: 6,
            order: SeriesOrder::StepsFirst,
        }),
        bounds: None,
        classes: ["standing", "running", "walking", "badminton"]
            .map(Into::into)
            .to_vec(),
        names: ["acc x", "acc y", "acc z", "gyro x", "gyro y", "gyro z"]
            .map(Into::into)
            .to_vec(),
        units: ["g", "g", "g", "°/s", "°/s", "°/s"]
            .map(Into::into)
            .to_vec(),
        rate: Some(50.0),
    }
}

pub(crate) fn text() -> Study {
    let words = "the film is not as bad as its <b>title</b> would suggest";
    Study {
        name: "text-bilstm",
        input: Some(InputShape::Tokens {
            tokens: 12,
            dim: 20,
        }),
        bounds: None,
        classes: ["negative", "positive"].map(Into::into).to_vec(),
        names: words.split(' ').map(Into::into).collect(),
        units: Vec::new(),
        rate: None,
    }
}
