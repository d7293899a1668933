//! Maps made for series against their definitions, padding included.

mod common;

use common::assert_close;
use common::mlp::Mlp;
use sgt_core::{Pcg32, Random};
use sgt_host::attribution::{
    Baseline, IntegratedGradients, Method, Places, Settings, Shuffled, TemporalRescaling, WinTsr,
    attribute, score_values,
};
use sgt_host::network::layer::Lstm;
use sgt_host::network::{Description, InputShape, Labelled, Mode, Model, Network, Samples, Score};
use std::ops::Range;

const STEPS: usize = 9;
const CHANNELS: usize = 3;
const SERIES: InputShape = InputShape::series(STEPS, CHANNELS);
const SIZE: usize = STEPS * CHANNELS;
/// Relative to max(1, |expected|): sums in another order.
const ROUNDING: f32 = 1e-5;

fn uniform(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(seed, 7);
    (0..len).map(|_| 2.0 * rng.unit() - 1.0).collect()
}

fn lstm() -> Network {
    let description = Description::new(SERIES)
        .layer(Lstm::new("lstm", 6))
        .linear("fc", 3);
    Network::new(&description, 2).unwrap()
}

const LABELS: [usize; 3] = [0, 2, 1];

fn padded() -> [Range<usize>; 3] {
    [0..STEPS, 3..STEPS, 8..STEPS]
}

fn batch<'a>(x: &'a [f32], valid: &'a [Range<usize>]) -> Labelled<'a> {
    Labelled {
        x,
        labels: &LABELS,
        valid,
    }
}

fn one<'a>(x: &'a [f32], valid: &'a [Range<usize>], sample: usize) -> Labelled<'a> {
    Labelled {
        x,
        labels: &LABELS[sample..=sample],
        valid: valid.get(sample..=sample).unwrap_or(&[]),
    }
}

fn score_of<M: Model>(model: &M, sample: Labelled<'_>) -> f32 {
    let mut pass = M::Pass::default();
    let samples = Samples {
        x: sample.x,
        valid: sample.valid,
    };
    let logits = model.forward(samples, Mode::Evaluation, &mut pass).unwrap();
    score_values(Score::TrueLogit, logits, sample.labels).unwrap()[0]
}

fn scaled(values: &[f32]) -> Vec<f32> {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = if high > low { high - low } else { 1.0 };
    values.iter().map(|value| (value - low) / span).collect()
}

/// The 0.55 quantile, linear between order statistics.
fn quantile(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let place = 0.55 * (sorted.len() - 1) as f32;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f32) * (sorted[above] - sorted[below])
}

/// Temporal saliency rescaling as the published program loops: one map at a time.
fn naive_rescaling<M: Model>(
    model: &M,
    x: &[f32],
    valid: &[Range<usize>],
    base: &Method,
    baselines: &[f32],
) -> Vec<f32> {
    let mut result = vec![0.0; x.len()];
    for sample in 0..LABELS.len() {
        let own = &x[sample * SIZE..][..SIZE];
        let reference = &baselines[baselines.len().min(sample * SIZE + SIZE) - SIZE..][..SIZE];
        let real = valid.get(sample).cloned().unwrap_or(0..STEPS);
        let map = |x: &[f32]| {
            let settings = Settings {
                baseline: Baseline::Samples(reference),
                ..Settings::default()
            };
            attribute(model, one(x, valid, sample), base, &settings)
                .unwrap()
                .values
        };
        let clean = map(own);
        let distance = |cells: &[usize]| {
            let mut without = own.to_vec();
            for &cell in cells {
                without[cell] = reference[cell];
            }
            let moved = map(&without);
            moved
                .iter()
                .zip(&clean)
                .map(|(a, b)| (a - b).abs())
                .sum::<f32>()
        };
        let cells = |step: usize| (step * CHANNELS..(step + 1) * CHANNELS).collect::<Vec<_>>();
        let time: Vec<f32> = real.clone().map(|step| distance(&cells(step))).collect();
        let time = scaled(&time);
        let threshold = quantile(&time);
        for (step, time) in real.zip(time) {
            let features = if time > threshold {
                let each: Vec<f32> = cells(step).iter().map(|&cell| distance(&[cell])).collect();
                scaled(&each)
            } else {
                vec![0.1; CHANNELS]
            };
            for (cell, feature) in cells(step).into_iter().zip(features) {
                result[sample * SIZE + cell] = time * feature;
            }
        }
    }
    result
}

#[test]
fn temporal_rescaling_is_the_naive_loop() {
    let (network, mlp) = (lstm(), Mlp::random(SERIES, 12, 3, 1));
    let x = uniform(3 * SIZE, 4);
    let baselines = [vec![0.0; SIZE], uniform(SIZE, 5), uniform(3 * SIZE, 6)];
    let bases = [
        Method::Gradient,
        Method::IntegratedGradients(IntegratedGradients {
            steps: 4,
            ..IntegratedGradients::default()
        }),
        Method::DeepLift,
    ];
    for valid in [&[][..], &padded()] {
        for base in &bases {
            for baselines in &baselines {
                let method = Method::TemporalRescaling(TemporalRescaling {
                    base: Box::new(base.clone()),
                    ..TemporalRescaling::default()
                });
                let settings = Settings {
                    baseline: Baseline::Samples(baselines),
                    ..Settings::default()
                };
                let found = attribute(&network, batch(&x, valid), &method, &settings).unwrap();
                let expected = naive_rescaling(&network, &x, valid, base, baselines);
                assert_close(base.name(), &found.values, &expected, ROUNDING);
                let found = attribute(&mlp, batch(&x, valid), &method, &settings).unwrap();
                let expected = naive_rescaling(&mlp, &x, valid, base, baselines);
                assert_close(base.name(), &found.values, &expected, ROUNDING);
            }
        }
    }
}

#[test]
fn step_and_cell_occlusion_are_differences_of_scores() {
    let model = Mlp::random(SERIES, 12, 3, 1);
    let (x, valid, baseline) = (uniform(3 * SIZE, 4), padded(), uniform(SIZE, 5));
    let settings = Settings {
        baseline: Baseline::Samples(&baseline),
        ..Settings::default()
    };
    let run = |method| {
        attribute(&model, batch(&x, &valid), &method, &settings)
            .unwrap()
            .values
    };
    let (steps, cells) = (run(Method::StepOcclusion), run(Method::CellOcclusion));
    let rescaled = run(Method::WinTsr(WinTsr::default()));
    for sample in 0..3 {
        let own = &x[sample * SIZE..][..SIZE];
        let clean = score_of(&model, one(own, &valid, sample));
        let without = |places: &[usize]| {
            let mut x = own.to_vec();
            for &place in places {
                x[place] = baseline[place];
            }
            clean - score_of(&model, one(&x, &valid, sample))
        };
        let of_steps: Vec<f32> = valid[sample]
            .clone()
            .map(|step| {
                let places: Vec<usize> = (step * CHANNELS..(step + 1) * CHANNELS).collect();
                without(&places).abs()
            })
            .collect();
        let relevance = scaled(&of_steps);
        for place in 0..SIZE {
            let (step, found) = (place / CHANNELS, sample * SIZE + place);
            if !valid[sample].contains(&step) {
                assert_eq!([steps[found], cells[found], rescaled[found]], [0.0; 3]);
                continue;
            }
            let own_step: Vec<usize> = (step * CHANNELS..(step + 1) * CHANNELS).collect();
            let real = step - valid[sample].start;
            let expected = [
                without(&own_step),
                without(&[place]),
                relevance[real] * without(&[place]).abs(),
            ];
            let found = [steps[found], cells[found], rescaled[found]];
            assert_close("occlusion", &found, &expected, ROUNDING);
        }
    }
}

#[test]
fn win_tsr_drops_steps_below_its_quantile() {
    let model = Mlp::random(SERIES, 12, 3, 1);
    let x = uniform(3 * SIZE, 4);
    let zeros = |quantile| {
        let method = Method::WinTsr(WinTsr { quantile });
        let found = attribute(&model, batch(&x, &[]), &method, &Settings::default()).unwrap();
        let rows = found.values.chunks(CHANNELS);
        rows.filter(|row| row.iter().all(|&value| value == 0.0))
            .count()
    };
    // The least relevant step has 0 anyway.
    assert_eq!(zeros(0.0), 3);
    assert_eq!(zeros(0.5), 3 * (STEPS / 2));
}

#[test]
fn a_shuffled_map_has_the_values_at_other_places() {
    let model = Mlp::random(SERIES, 12, 3, 1);
    let (x, valid) = (uniform(3 * SIZE, 4), padded());
    let run = |method: &Method, seed| {
        let settings = Settings {
            seed,
            ..Settings::default()
        };
        attribute(&model, batch(&x, &valid), method, &settings)
            .unwrap()
            .values
    };
    let base = run(&Method::Gradient, 0);
    let shuffled = |places| {
        Method::Shuffled(Shuffled {
            base: Box::new(Method::Gradient),
            places,
        })
    };
    let sorted = |values: &[f32]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f32::total_cmp);
        sorted
    };
    let cells = run(&shuffled(Places::Cells), 1);
    assert!(cells != base && cells == run(&shuffled(Places::Cells), 1));
    assert_ne!(cells, run(&shuffled(Places::Cells), 2));
    for (sample, real) in valid.iter().enumerate() {
        let place = sample * SIZE + real.start * CHANNELS..(sample + 1) * SIZE;
        assert_eq!(sorted(&cells[place.clone()]), sorted(&base[place]));
        let padding = sample * SIZE..sample * SIZE + real.start * CHANNELS;
        assert_eq!(cells[padding.clone()], base[padding]);
    }
    // One permutation of the channels for all steps and samples.
    let channels = run(&shuffled(Places::Channels), 3);
    let order: Vec<usize> = (0..CHANNELS)
        .map(|channel| {
            (0..CHANNELS)
                .find(|&from| base[from] == channels[channel])
                .unwrap()
        })
        .collect();
    for (found, before) in channels.chunks(CHANNELS).zip(base.chunks(CHANNELS)) {
        let expected: Vec<f32> = order.iter().map(|&from| before[from]).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn parameters_out_of_their_range_are_refused() {
    let model = Mlp::random(SERIES, 4, 3, 1);
    let x = uniform(3 * SIZE, 4);
    let rescaling = |quantile, floor| {
        Method::TemporalRescaling(TemporalRescaling {
            quantile,
            floor,
            ..TemporalRescaling::default()
        })
    };
    for (method, said) in [
        (Method::WinTsr(WinTsr { quantile: 1.5 }), "quantile"),
        (rescaling(-0.1, 0.1), "quantile"),
        (rescaling(0.5, f32::NAN), "floor"),
    ] {
        let error = attribute(&model, batch(&x, &[]), &method, &Settings::default());
        assert!(error.unwrap_err().to_string().starts_with(said));
    }
}
