//! Attribution methods against their definitions, on a network whose gradients are exact.

mod common;

use common::assert_close;
use common::mlp::Mlp;
use sgt_core::{Pcg32, Random};
use sgt_host::attribution::quadrature::Rule;
use sgt_host::attribution::{
    Attribution, Baseline, GradientShap, IntegratedGradients, Method, Occlusion, ROWS_PER_FORWARD,
    Settings, SmoothGrad, attribute, score_values,
};
use sgt_host::data::Normalization;
use sgt_host::network::{Classifier, InputShape, Labelled, Mode, Model, Score, SeriesOrder};

const SERIES: InputShape = InputShape::Series {
    steps: 5,
    channels: 3,
    order: SeriesOrder::StepsFirst,
};
const SCORES: [Score; 4] = [
    Score::TrueLogit,
    Score::TrueLogProb,
    Score::PredictedLogit,
    Score::Loss,
];
/// Relative to max(1, |expected|).
const ROUNDING: f32 = 1e-5;

fn uniform(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(seed, 7);
    (0..len).map(|_| 2.0 * rng.unit() - 1.0).collect()
}

fn network() -> Mlp {
    Mlp::random(SERIES, 12, 3, 1)
}

fn batch(samples: usize) -> (Vec<f32>, Vec<usize>) {
    let labels = (0..samples).map(|sample| sample % 3).collect();
    (uniform(samples * SERIES.len(), 2), labels)
}

fn scores<M: Model>(model: &M, x: &[f32], labels: &[usize], score: Score) -> Vec<f32> {
    let mut pass = M::Pass::default();
    let logits = model.forward(x, Mode::Evaluation, &mut pass).unwrap();
    score_values(score, logits, labels).unwrap()
}

fn run(model: &Mlp, x: &[f32], labels: &[usize], method: &Method, score: Score) -> Attribution {
    let settings = Settings {
        score,
        ..Settings::default()
    };
    attribute(model, Labelled::new(x, labels), method, &settings).unwrap()
}

#[test]
fn the_gradient_is_the_finite_difference_of_every_score() {
    const STEP: f32 = 1e-2;
    const TOLERANCE: f32 = 2e-3;
    let (model, (x, labels)) = (network(), batch(4));
    for score in SCORES {
        let gradient = run(&model, &x, &labels, &Method::Gradient, score).values;
        let absolute = run(&model, &x, &labels, &Method::AbsoluteGradient, score).values;
        let product = run(&model, &x, &labels, &Method::InputXGradient, score).values;
        let mut close = 0;
        for place in 0..x.len() {
            let sample = place / SERIES.len();
            let at = |offset: f32| {
                let mut x = x.clone();
                x[place] += offset;
                scores(&model, &x, &labels, score)[sample]
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            close += usize::from((gradient[place] - slope).abs() < TOLERANCE);
            assert_eq!(absolute[place], gradient[place].abs());
            assert_eq!(product[place], x[place] * gradient[place]);
        }
        // A difference across a ReLU's kink is no derivative; few are.
        assert!(
            close * 10 >= x.len() * 9,
            "{score:?}: {close} of {}",
            x.len()
        );
    }
}

#[test]
fn integrated_gradients_is_complete_up_to_its_gap_and_the_gap_shrinks() {
    let (model, (x, labels)) = (network(), batch(6));
    for score in [Score::TrueLogit, Score::TrueLogProb, Score::Loss] {
        let mut worst = Vec::new();
        for steps in [2, 10, 300] {
            let method = Method::IntegratedGradients(IntegratedGradients {
                steps,
                rule: Rule::GaussLegendre,
            });
            let found = run(&model, &x, &labels, &method, score);
            let at_x = scores(&model, &x, &labels, score);
            let at_zero = scores(&model, &vec![0.0; x.len()], &labels, score);
            let gap = found.gap.unwrap();
            for (sample, row) in found.values.chunks(SERIES.len()).enumerate() {
                let change = at_x[sample] - at_zero[sample];
                let sum: f32 = row.iter().sum();
                assert!((sum - change - gap[sample]).abs() < ROUNDING);
            }
            worst.push(gap.iter().fold(0.0_f32, |a, g| a.max(g.abs())));
        }
        assert!(
            worst[0] > worst[2] && worst[2] < 2e-3,
            "{score:?}: {worst:?}"
        );
    }
}

#[test]
fn integrated_gradients_equals_a_fine_riemann_sum_for_every_rule() {
    const POINTS: usize = 4000;
    const TOLERANCE: f32 = 5e-3;
    let (model, (x, labels)) = (network(), batch(2));
    let mut expected = vec![0.0; x.len()];
    for point in 0..POINTS {
        let place = (point as f32 + 0.5) / POINTS as f32;
        let between: Vec<f32> = x.iter().map(|x| x * place).collect();
        let gradient = run(
            &model,
            &between,
            &labels,
            &Method::Gradient,
            Score::TrueLogit,
        );
        for ((e, g), x) in expected.iter_mut().zip(gradient.values).zip(&x) {
            *e += g * x / POINTS as f32;
        }
    }
    for rule in [
        Rule::GaussLegendre,
        Rule::RiemannLeft,
        Rule::RiemannMiddle,
        Rule::RiemannRight,
        Rule::Trapezoid,
    ] {
        let method = Method::IntegratedGradients(IntegratedGradients { steps: 400, rule });
        let found = run(&model, &x, &labels, &method, Score::TrueLogit);
        assert_close("IG", &found.values, &expected, TOLERANCE);
    }
}

#[test]
fn every_contribution_method_is_exact_for_a_linear_model() {
    let weights = uniform(SERIES.len(), 3);
    let model = Mlp::linear(SERIES, &weights, 0.25);
    let (x, _) = batch(4);
    let labels = vec![1; 4];
    let baseline = uniform(SERIES.len(), 4);
    let expected: Vec<f32> = (0..x.len())
        .map(|place| {
            let feature = place % SERIES.len();
            weights[feature] * (x[place] - baseline[feature])
        })
        .collect();
    let settings = Settings {
        baseline: Baseline::Samples(&baseline),
        ..Settings::default()
    };
    let methods = [
        Method::IntegratedGradients(IntegratedGradients {
            steps: 3,
            ..IntegratedGradients::default()
        }),
        Method::GradientShap(GradientShap {
            samples: 3,
            noise: 0.0,
        }),
        Method::DeepLift,
        Method::DeepLiftShap,
        Method::Occlusion(Occlusion {
            window: 1,
            stride: 1,
        }),
    ];
    for method in methods {
        let found = attribute(&model, Labelled::new(&x, &labels), &method, &settings).unwrap();
        // The two halves of the linear model cancel: their rounding is that of the logit.
        assert_close(method.name(), &found.values, &expected, 5e-5);
    }
}

#[test]
fn deeplift_is_complete_for_any_baseline_and_its_mean_for_a_set() {
    let (model, (x, labels)) = (network(), batch(5));
    let baselines = uniform(5 * SERIES.len(), 9);
    let settings = Settings {
        baseline: Baseline::Samples(&baselines),
        ..Settings::default()
    };
    for method in [Method::DeepLift, Method::DeepLiftShap] {
        let found = attribute(&model, Labelled::new(&x, &labels), &method, &settings).unwrap();
        let gap = found.gap.unwrap();
        assert_close(method.name(), &gap, &[0.0; 5], ROUNDING);
    }
    let mean = attribute(
        &model,
        Labelled::new(&x, &labels),
        &Method::DeepLiftShap,
        &settings,
    )
    .unwrap();
    let mut expected = vec![0.0; x.len()];
    for baseline in baselines.chunks(SERIES.len()) {
        let settings = Settings {
            baseline: Baseline::Samples(baseline),
            ..Settings::default()
        };
        let one = attribute(
            &model,
            Labelled::new(&x, &labels),
            &Method::DeepLift,
            &settings,
        )
        .unwrap();
        for (e, v) in expected.iter_mut().zip(one.values) {
            *e += v / 5.0;
        }
    }
    assert_close("mean", &mean.values, &expected, ROUNDING);
}

#[test]
fn smoothgrad_without_noise_is_the_gradient_and_with_noise_its_mean() {
    let (model, (x, labels)) = (network(), batch(3));
    let gradient = run(&model, &x, &labels, &Method::Gradient, Score::TrueLogit).values;
    let squares: Vec<f32> = gradient.iter().map(|g| g * g).collect();
    let quiet = SmoothGrad {
        samples: 4,
        noise: 0.0,
    };
    let score = Score::TrueLogit;
    let plain = run(&model, &x, &labels, &Method::SmoothGrad(quiet), score);
    assert_close("smoothgrad", &plain.values, &gradient, ROUNDING);
    let squared = run(
        &model,
        &x,
        &labels,
        &Method::SmoothGradSquared(quiet),
        score,
    );
    assert_close("squared", &squared.values, &squares, ROUNDING);

    let noisy = SmoothGrad {
        samples: 50,
        noise: 0.3,
    };
    let mean = run(&model, &x, &labels, &Method::SmoothGrad(noisy), score).values;
    let power = run(
        &model,
        &x,
        &labels,
        &Method::SmoothGradSquared(noisy),
        score,
    )
    .values;
    assert_ne!(mean, gradient);
    // Jensen: the mean square is at least the square of the mean.
    assert!(mean.iter().zip(&power).all(|(m, p)| m * m <= p + ROUNDING));
}

#[test]
fn gradient_shap_converges_to_the_mean_of_integrated_gradients() {
    const TOLERANCE: f32 = 0.04;
    let (model, (x, labels)) = (network(), batch(2));
    let baselines = uniform(3 * SERIES.len(), 5);
    let settings = Settings {
        baseline: Baseline::Samples(&baselines),
        ..Settings::default()
    };
    let method = Method::GradientShap(GradientShap {
        samples: 6000,
        noise: 0.0,
    });
    let found = attribute(&model, Labelled::new(&x, &labels), &method, &settings).unwrap();
    let mut expected = vec![0.0; x.len()];
    for baseline in baselines.chunks(SERIES.len()) {
        let settings = Settings {
            baseline: Baseline::Samples(baseline),
            ..Settings::default()
        };
        let method = Method::named("integrated-gradients").unwrap();
        let one = attribute(&model, Labelled::new(&x, &labels), &method, &settings).unwrap();
        for (e, v) in expected.iter_mut().zip(one.values) {
            *e += v / 3.0;
        }
    }
    assert_close("gradient-shap", &found.values, &expected, TOLERANCE);
}

#[test]
fn occlusion_is_the_mean_drop_over_the_windows_that_cover_a_value() {
    let (model, (x, labels)) = (network(), batch(2));
    let config = Occlusion {
        window: 3,
        stride: 1,
    };
    let found = run(
        &model,
        &x,
        &labels,
        &Method::Occlusion(config),
        Score::TrueLogit,
    );
    let clean = scores(&model, &x, &labels, Score::TrueLogit);
    let mut expected = vec![0.0; x.len()];
    let mut cover = vec![0.0; x.len()];
    for (sample, clean) in clean.iter().enumerate() {
        for channel in 0..3 {
            for start in 0..3 {
                let places = (start..start + 3).map(|step| (sample * 5 + step) * 3 + channel);
                let mut hidden = x.clone();
                places.clone().for_each(|place| hidden[place] = 0.0);
                let score = scores(&model, &hidden, &labels, Score::TrueLogit)[sample];
                for place in places {
                    expected[place] += clean - score;
                    cover[place] += 1.0;
                }
            }
        }
    }
    expected.iter_mut().zip(cover).for_each(|(e, c)| *e /= c);
    assert_close("occlusion", &found.values, &expected, ROUNDING);
}

#[test]
fn the_predicted_class_is_that_of_the_sample_itself() {
    let (model, (x, _)) = (network(), batch(20));
    let mut pass = <Mlp as Model>::Pass::default();
    let logits = model.forward(&x, Mode::Evaluation, &mut pass).unwrap();
    let predicted: Vec<usize> = logits
        .chunks(3)
        .map(|row| (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap())
        .collect();
    let wrong: Vec<usize> = predicted.iter().map(|class| (class + 1) % 3).collect();
    for name in [
        "integrated-gradients",
        "deeplift",
        "smoothgrad",
        "occlusion",
    ] {
        let method = Method::named(name).unwrap();
        let of_predicted = run(&model, &x, &wrong, &method, Score::PredictedLogit);
        let of_label = run(&model, &x, &predicted, &method, Score::TrueLogit);
        assert_eq!(of_predicted, of_label, "{name}");
    }
}

#[test]
fn a_large_batch_gives_what_its_samples_give() {
    let samples = ROWS_PER_FORWARD + 3;
    let (model, (x, labels)) = (network(), batch(samples));
    for name in ["gradient", "integrated-gradients", "deeplift", "occlusion"] {
        let method = Method::named(name).unwrap().with_steps(5);
        let whole = run(&model, &x, &labels, &method, Score::TrueLogit);
        for sample in [0, ROWS_PER_FORWARD - 1, ROWS_PER_FORWARD, samples - 1] {
            let range = sample * SERIES.len()..(sample + 1) * SERIES.len();
            let label = &labels[sample..=sample];
            let one = run(&model, &x[range.clone()], label, &method, Score::TrueLogit);
            assert_eq!(one.values, whole.values[range], "{name} of sample {sample}");
        }
    }
}

#[test]
fn random_methods_repeat_with_their_seed_and_differ_with_another() {
    let (model, (x, labels)) = (network(), batch(3));
    for name in [
        "smoothgrad",
        "smoothgrad-squared",
        "gradient-shap",
        "random",
    ] {
        let method = Method::named(name).unwrap();
        let with_seed = |seed| {
            let settings = Settings {
                seed,
                ..Settings::default()
            };
            attribute(&model, Labelled::new(&x, &labels), &method, &settings).unwrap()
        };
        assert_eq!(with_seed(1), with_seed(1), "{name}");
        assert_ne!(with_seed(1), with_seed(2), "{name}");
        let samples = with_seed(1).values;
        assert_ne!(
            samples[..SERIES.len()],
            samples[SERIES.len()..][..SERIES.len()]
        );
    }
    let random = run(&model, &x, &labels, &Method::Random, Score::TrueLogit);
    assert!(random.values.iter().all(|v| (0.0..1.0).contains(v)));
}

#[test]
fn normalisation_in_front_of_a_model_scales_gradients_and_keeps_contributions() {
    let inner = network();
    let (mean, std) = ([0.5, -0.25, 1.0], [2.0, 0.5, 4.0]);
    let normalised = |mean: &[f32], deviation: &[f32]| {
        let normalization = Normalization::new(mean.to_vec(), deviation.to_vec())?;
        let classes = ["a", "b", "c"].map(String::from);
        Classifier::new(inner.clone(), classes.into())?.with_normalization(&normalization)
    };
    let model = normalised(&mean, &std).unwrap();
    let (raw, labels) = batch(4);
    let normalized: Vec<f32> = raw
        .iter()
        .enumerate()
        .map(|(place, x)| (x - mean[place % 3]) / std[place % 3])
        .collect();
    let reference: Vec<f32> = (0..SERIES.len())
        .map(|p| -mean[p % 3] / std[p % 3])
        .collect();
    let zero = Settings::default();
    let shifted = Settings {
        baseline: Baseline::Samples(&reference),
        ..Settings::default()
    };
    let outer = attribute(
        &model,
        Labelled::new(&raw, &labels),
        &Method::Gradient,
        &zero,
    )
    .unwrap();
    let mut expected = attribute(
        &inner,
        Labelled::new(&normalized, &labels),
        &Method::Gradient,
        &zero,
    )
    .unwrap()
    .values;
    let scaled = expected.iter_mut().enumerate();
    scaled.for_each(|(place, g)| *g /= std[place % 3]);
    assert_close("gradient", &outer.values, &expected, ROUNDING);
    for name in ["integrated-gradients", "deeplift", "occlusion"] {
        let method = Method::named(name).unwrap();
        let outer = attribute(&model, Labelled::new(&raw, &labels), &method, &zero).unwrap();
        let inner = attribute(
            &inner,
            Labelled::new(&normalized, &labels),
            &method,
            &shifted,
        )
        .unwrap();
        assert_close(name, &outer.values, &inner.values, 1e-4);
    }
    assert!(normalised(&mean, &[1.0, 0.0, 1.0]).is_err());
    assert!(normalised(&mean, &[1.0, 1e-45, 1.0]).is_err());
    assert!(normalised(&mean[..2], &std).is_err());
    assert!(normalised(&mean[..2], &std[..2]).is_err());
}

#[test]
fn methods_are_data_that_round_trips_and_refuses_unknown_keys() {
    for method in Method::all() {
        let name = method.name();
        assert_eq!(Method::named(name).unwrap(), method);
        let json = serde_json::to_string(&method).unwrap();
        assert!(json.contains(&format!("\"name\":\"{name}\"")), "{json}");
        assert_eq!(serde_json::from_str::<Method>(&json).unwrap(), method);
        let bare = format!("{{\"name\":\"{name}\"}}");
        assert_eq!(serde_json::from_str::<Method>(&bare).unwrap(), method);
    }
    let misspelt = "{\"name\":\"integrated-gradients\",\"step\":3}";
    assert!(serde_json::from_str::<Method>(misspelt).is_err());
}

#[test]
fn bad_input_gets_one_line_that_names_it() {
    let (model, (x, labels)) = (network(), batch(2));
    let settings = Settings::default();
    let refuse = |x: &[f32], labels: &[usize], method: &Method, settings: &Settings<'_>| {
        let message = attribute(&model, Labelled::new(x, labels), method, settings)
            .unwrap_err()
            .to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    };
    let mut with_nan = x.clone();
    with_nan[17] = f32::NAN;
    let gradient = Method::Gradient;
    assert_eq!(
        refuse(&with_nan, &labels, &gradient, &settings),
        "x: found NaN at value 17, expected finite values"
    );
    assert_eq!(
        refuse(&x[1..], &labels, &gradient, &settings),
        "attribution: found shape 29 values for 2 labels, expected [5, 3] values a label"
    );
    assert_eq!(
        refuse(&x, &[0, 3], &gradient, &settings),
        "labels: found 3 for sample 1, expected a class below 3"
    );
    let short = Settings {
        baseline: Baseline::Samples(&x[..7]),
        ..settings
    };
    assert_eq!(
        refuse(&x, &labels, &Method::DeepLift, &short),
        "baseline: found shape 7 values, expected 1 or 2 samples of 15 values"
    );
    let none = Method::named("integrated-gradients").unwrap().with_steps(0);
    assert_eq!(
        refuse(&x, &labels, &none, &settings),
        "steps: found 0, expected 1 to 10000"
    );
    let unknown = Method::named("lime").unwrap_err().to_string();
    assert!(unknown.starts_with("method: found lime, expected one of gradient"));
}
