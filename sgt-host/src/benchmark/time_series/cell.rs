//! One cell of the grid: a network trained on a set, its maps drawn and scored.

use super::example::{Example, map_picture, value_picture};
use super::scaling::Scale;
use super::{Extras, Job};
use crate::attribution::{Baseline, Method, Settings, attribute};
use crate::data::synthetic::{KnownTruth, Synthetic};
use crate::data::{Batch, InputShape, SeriesOrder, TrainTest, balanced_draw};
use crate::metrics::known_truth::prediction_path::{PathFill, PredictionPath, prediction_path};
use crate::metrics::known_truth::saliency_mass::{MaskedAccuracy, masked_accuracy};
use crate::metrics::known_truth::{KnownTruthScores, TrueMaps, score_maps};
use crate::metrics::outputs::{logits, predictions};
use crate::network::{Classifier, Model, Network};
use crate::run::Session;
use crate::train::{Event, Purpose, Trainer, derive_seed, quality};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a cell found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellRecord {
    /// Everything that decides what it computes, as text.
    pub settings: String,
    /// The set.
    pub set: String,
    /// The network.
    pub network: String,
    /// The training.
    pub training: String,
    /// The seed of data and run.
    pub seed: u64,
    /// Trainable parameters.
    pub parameters: usize,
    /// Epochs that were trained.
    pub epochs: usize,
    /// Accuracy over the training part.
    pub train_accuracy: f64,
    /// Accuracy over the whole test part.
    pub test_accuracy: f64,
    /// Seconds of training, on the cell's share of the threads.
    pub training_seconds: f64,
    /// Test samples whose maps are scored, those without a truth included.
    pub samples: usize,
    /// One a method.
    pub methods: Vec<MethodRecord>,
    /// Pictures of a sample; of the first seed alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
}

/// What a cell found of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MethodRecord {
    /// The method.
    pub method: String,
    /// Seconds for all maps, on the cell's share of the threads.
    pub seconds: f64,
    /// Agreement with the truth; none where every map is constant.
    pub scores: Option<KnownTruthScores>,
    /// Mean share of a map's magnitude at each step, times the steps: 1 everywhere for an even map.
    pub profile: Vec<f64>,
    /// Accuracy without the saliency's shares, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_accuracy: Option<MaskedAccuracy>,
    /// Path of the prediction, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_path: Option<PredictionPath>,
}

/// A cell with what was scored, for other programs to score.
pub struct Drawn {
    /// The test samples as they were generated, `[samples, channels, steps]`.
    pub x: Vec<f32>,
    /// Their classes.
    pub labels: Vec<usize>,
    /// Their predicted classes.
    pub predicted: Vec<usize>,
    /// `[samples, channels, steps]`.
    pub truth: Vec<bool>,
    /// One sample, channels first.
    pub shape: InputShape,
    /// A method's name and its maps, `[samples, channels, steps]`.
    pub maps: Vec<(String, Vec<f32>)>,
}

/// Samples of the training part that the SHAP methods take as baselines.
const BASELINES: usize = 5;

/// Trains the network of `job` and scores its maps; none when `interrupt` was set on the way.
///
/// # Errors
/// As [`Synthetic::generate`], [`Session::with_data`], [`Trainer::advance`] and [`attribute`].
pub(super) fn run(
    job: &Job<'_>,
    known: &KnownTruth,
    interrupt: &AtomicBool,
) -> Result<Option<(CellRecord, Drawn)>> {
    let config = job.config(known)?;
    let scale = job.grid.scaling.scale(&job.set, &known.train.data);
    let data = TrainTest {
        train: scale.of(&known.train.data)?,
        test: scale.of(&known.test.data)?,
    };
    let session = Session::with_data(config, data)?;
    let start = Instant::now();
    let seed = session.config().seed;
    let weights_seed = derive_seed(seed, Purpose::Weights, [0, 0]);
    let mut network = Network::new(&session.description()?, weights_seed)?;
    job.network.start(&mut network, weights_seed);
    let classes = known.train.data.classes().to_vec();
    let classifier = Classifier::new(network, classes)?;
    let mut trainer = Trainer::new(session.config(), session.training_data(), classifier)?;
    loop {
        match trainer.advance()? {
            Event::Finished => break,
            Event::Epoch(row) if f64::from(row.accuracy) >= job.grid.extras.enough => break,
            _ => {}
        }
        if interrupt.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    let epochs = trainer.progress().epoch;
    let model = trainer.into_model();
    let training_seconds = start.elapsed().as_secs_f64();

    let test = &known.test;
    let extras = &job.grid.extras;
    let chosen = balanced_draw(test.data.labels(), extras.samples, 0);
    let mut batch = Batch::new();
    batch.fill(session.test(), &chosen, model.input())?;
    let shape = test.data.shape();
    let truth: Vec<bool> = chosen
        .iter()
        .flat_map(|&sample| test.truth_of(sample).to_vec())
        .collect();
    let baselines = baselines(&session, &model)?;
    let mean = shape.reorder(&scale.mean, model.input());
    let predicted = predictions(&logits(&model, batch.labelled())?, model.classes());
    let mut drawn = Drawn {
        x: chosen
            .iter()
            .flat_map(|&sample| test.data.sample(sample).to_vec())
            .collect(),
        labels: batch.labels().to_vec(),
        predicted,
        truth,
        shape,
        maps: Vec::new(),
    };
    let mut methods = Vec::new();
    let mut example = match job.seed {
        0 => example(&drawn, known.test.data.classes())?,
        _ => None,
    };
    for (name, method) in &job.grid.methods {
        if interrupt.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let start = Instant::now();
        let settings = Settings {
            baseline: if method.takes_a_distribution() {
                Baseline::Samples(&baselines)
            } else {
                Baseline::Samples(&mean)
            },
            seed,
            ..Settings::default()
        };
        let maps = attribute(&model, batch.labelled(), method, &settings)?.values;
        let seconds = start.elapsed().as_secs_f64();
        let record = measure(&model, job, &scale, &batch, &maps, method)?;
        let channels_first = in_order(&maps, model.input(), shape);
        let scores = TrueMaps::new(&channels_first, &drawn.truth, shape.len()).and_then(score_maps);
        methods.push(MethodRecord {
            method: name.clone(),
            seconds,
            scores: match scores {
                // Every map is constant: the network does not read its input.
                Err(Error::Argument { argument, .. }) if argument == "importance" => None,
                other => Some(other?),
            },
            profile: profile(&channels_first, shape),
            ..record
        });
        if let Some((sample, example)) = &mut example {
            let map = &channels_first[*sample * shape.len()..][..shape.len()];
            let picture = map_picture(map, example.size)?;
            example.maps.push((name.clone(), picture));
        }
        if job.grid.keeps_maps {
            drawn.maps.push((name.clone(), channels_first));
        }
    }
    let record = CellRecord {
        settings: job.settings()?,
        set: job.set.to_string(),
        network: job.network.to_string(),
        training: job.training.name.into(),
        seed: job.seed,
        parameters: model.parameters().trainable_count(),
        epochs,
        train_accuracy: quality(&model, &session.training_data().train)?.accuracy,
        test_accuracy: quality(&model, session.test())?.accuracy,
        training_seconds,
        samples: chosen.len(),
        methods,
        example: example.map(|(_, example)| example),
    };
    Ok(Some((record, drawn)))
}

/// The sample to be drawn, without maps: the first with a truth, whatever the network.
fn example(drawn: &Drawn, classes: &[String]) -> Result<Option<(usize, Example)>> {
    let values = drawn.shape.len();
    let truth_of = |sample: usize| &drawn.truth[sample * values..][..values];
    let mut samples = 0..drawn.labels.len();
    let Some(sample) = samples.find(|&sample| truth_of(sample).contains(&true)) else {
        return Ok(None);
    };
    let size = [drawn.shape.channels(), drawn.shape.positions()];
    let truth: Vec<f32> = truth_of(sample)
        .iter()
        .map(|&told| f32::from(u8::from(told)))
        .collect();
    Ok(Some((
        sample,
        Example {
            class: classes[drawn.labels[sample]].clone(),
            predicted: classes[drawn.predicted[sample]].clone(),
            size,
            values: value_picture(&drawn.x[sample * values..][..values], size)?,
            truth: map_picture(&truth, size)?,
            maps: Vec::new(),
        },
    )))
}

/// Training samples of all classes, as the network reads them.
fn baselines(session: &Session, model: &Classifier) -> Result<Vec<f32>> {
    let train = &session.training_data().train;
    let chosen = balanced_draw(train.labels(), BASELINES, session.config().seed);
    let mut batch = Batch::new();
    batch.fill(train, &chosen, model.input())?;
    Ok(batch.x().to_vec())
}

/// What needs the network again.
fn measure(
    model: &Classifier,
    job: &Job<'_>,
    scale: &Scale,
    batch: &Batch,
    maps: &[f32],
    method: &Method,
) -> Result<MethodRecord> {
    let Extras {
        removal,
        path_cells,
        ..
    } = job.grid.extras;
    let replacement = if removal {
        replacement(&job.set, scale, model)
    } else {
        None
    };
    let samples = batch.labelled();
    let masked = replacement.map(|replacement| masked_accuracy(model, samples, maps, &replacement));
    let path =
        removal.then(|| prediction_path(model, samples, maps, path_cells, PathFill::default()));
    Ok(MethodRecord {
        method: method.name().into(),
        seconds: 0.0,
        scores: None,
        profile: Vec::new(),
        masked_accuracy: masked.transpose()?,
        prediction_path: path.transpose()?,
    })
}

/// Eleven series without a signal, as the network reads them.
fn replacement(set: &Synthetic, scale: &Scale, model: &Classifier) -> Option<Vec<f32>> {
    const SHARES: usize = 11;
    let shape = model.input().ordered(SeriesOrder::ChannelsFirst);
    let mut all = Vec::new();
    for index in 0..SHARES {
        let mut series = set.background(index)?;
        scale.apply(&mut series);
        all.extend(shape.reorder(&series, model.input()));
    }
    Some(all)
}

/// Maps of `from` in the memory order of `to`.
fn in_order(maps: &[f32], from: InputShape, to: InputShape) -> Vec<f32> {
    let maps = maps.chunks_exact(from.len());
    maps.flat_map(|map| from.reorder(map, to)).collect()
}

fn profile(maps: &[f32], shape: InputShape) -> Vec<f64> {
    debug_assert!(shape == shape.ordered(SeriesOrder::ChannelsFirst));
    let steps = shape.positions();
    let mut profile = vec![0.0; steps];
    let mut counted = 0;
    for map in maps.chunks_exact(shape.len()) {
        let total: f64 = map.iter().map(|&v| f64::from(v.abs())).sum();
        if total == 0.0 {
            continue;
        }
        counted += 1;
        for channel in map.chunks_exact(steps) {
            for (share, value) in profile.iter_mut().zip(channel) {
                *share += f64::from(value.abs()) / total;
            }
        }
    }
    let scale = steps as f64 / f64::from(counted.max(1));
    profile.into_iter().map(|share| share * scale).collect()
}
