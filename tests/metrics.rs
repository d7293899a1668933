//! Metrics on data with a known truth: perfect, random and inverted attributions must order in
//! each metric's declared direction.

mod common;

use common::known::{IMAGE, SAMPLES, SIGNAL, known_model, known_samples};
use common::mlp::Mlp;
use sgt_core::{Pcg32, Random};
use sgt_host::attack::{AttackConfig, AttackKind};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::metrics::drop_curve::{REFERENCE_FRACTIONS, accuracy_drop};
use sgt_host::metrics::faithfulness::{ERASER_BINS, faithfulness};
use sgt_host::metrics::gradients::mean_gradients;
use sgt_host::metrics::randomisation::randomisation;
use sgt_host::metrics::removal::{Removal, group_importance};
use sgt_host::metrics::robustness::{clean_accuracy, robustness};
use sgt_host::metrics::stability::{SensitivityConfig, max_sensitivity, overlap};
use sgt_host::metrics::truth::truth_scores;
use sgt_host::metrics::{Fill, Metric, Removing};
use sgt_host::network::{Grouping, InputShape, Labelled, SeriesOrder};

const ROUNDING: f64 = 1e-6;

/// A perfect, a random and an inverted map of every sample.
fn maps(truth: &[bool]) -> [Vec<f32>; 3] {
    let mut rng = Pcg32::new(13, 0);
    let perfect: Vec<f32> = (0..SAMPLES)
        .flat_map(|_| truth.iter().map(|&signal| if signal { 1.0 } else { 0.0 }))
        .map(|signal| signal + 0.01 * rng.unit())
        .collect();
    let random = (0..perfect.len()).map(|_| rng.unit()).collect();
    let inverted = perfect.iter().map(|value| 2.0 - value).collect();
    [perfect, random, inverted]
}

fn seeded(fill: Fill, seed: u64) -> Removing {
    Removing {
        fill,
        seed,
        ..Removing::default()
    }
}

/// The fills that keep features in their places.
fn in_place() -> impl Iterator<Item = Fill> {
    let all = Fill::ALL.into_iter();
    all.filter(|&fill| fill != Fill::Delete)
}

#[track_caller]
fn assert_ordered(metric: Metric, scores: [f64; 3], what: &str) {
    let direction = metric.direction();
    assert!(
        direction.prefers(scores[0], scores[1]) && direction.prefers(scores[1], scores[2]),
        "{what}: perfect, random, inverted = {scores:?}"
    );
}

#[test]
fn faithfulness_metrics_order_perfect_random_and_inverted_maps_for_every_fill() {
    let (model, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let samples = Labelled::new(&x, &labels);
    assert!(clean_accuracy(&model, samples).unwrap() > 0.99);
    for fill in in_place() {
        let drops = maps(&truth).map(|map| {
            accuracy_drop(&model, samples, &map, seeded(fill, 1), &REFERENCE_FRACTIONS).unwrap()
        });
        let areas = [drops[0].area, drops[1].area, drops[2].area];
        assert_ordered(Metric::AccuracyDropArea, areas, fill.name());
        let means = drops.map(|drop| drop.mean_accuracy);
        assert_ordered(Metric::AccuracyDropMean, means, fill.name());
        let scores = maps(&truth)
            .map(|map| faithfulness(&model, samples, &map, seeded(fill, 1), &ERASER_BINS).unwrap());
        let comprehensiveness = [0, 1, 2].map(|map| scores[map].comprehensiveness);
        assert_ordered(Metric::Comprehensiveness, comprehensiveness, fill.name());
        let sufficiency = [0, 1, 2].map(|map| scores[map].sufficiency);
        assert_ordered(Metric::Sufficiency, sufficiency, fill.name());
    }
}

#[test]
fn metrics_of_known_truth_order_perfect_random_and_inverted_maps() {
    let (_, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let layouts = Labelled::new(&x, &labels)
        .layouts(IMAGE, Grouping::Natural)
        .unwrap();
    let truths = vec![truth.clone(); SAMPLES];
    let scores = maps(&truth)
        .map(|map| truth_scores(&group_importance(&layouts, &map).unwrap(), &truths).unwrap());
    let aup = [0, 1, 2].map(|map| scores[map].aup);
    assert_ordered(Metric::AreaUnderPrecision, aup, "AUP");
    let aur = [0, 1, 2].map(|map| scores[map].aur);
    assert_ordered(Metric::AreaUnderRecall, aur, "AUR");
    // Spans and chance level of the definition: 0.8 at best, 0.8 · |B| / n by chance.
    assert!(aup[0] > 0.75 && aup[0] <= 0.8 + ROUNDING, "{aup:?}");
    let chance = 0.8 * SIGNAL as f64 / IMAGE.len() as f64;
    assert!((aup[1] - chance).abs() < 0.01, "{aup:?}, chance {chance}");
}

#[test]
fn an_even_map_of_the_truth_has_the_areas_of_the_definition() {
    // Ten cells of equal importance: d tenths of the mass are d cells.
    let importance = [[vec![1.0; 10], vec![0.0; 30]].concat()];
    let truth = [[vec![true; 10], vec![false; 30]].concat()];
    let found = truth_scores(&importance, &truth).unwrap();
    assert!((found.aup - 0.8).abs() < ROUNDING && (found.aur - 0.4).abs() < ROUNDING);
    assert!((found.aupr - 0.8).abs() < ROUNDING);
    // Half of the marked cells are true: precision ½ once all are in.
    let half = [[vec![true; 5], vec![false; 35]].concat()];
    let found = truth_scores(&importance, &half).unwrap();
    let precision = [
        1.0,
        1.0,
        1.0,
        1.0,
        1.0,
        5.0 / 6.0,
        5.0 / 7.0,
        5.0 / 8.0,
        5.0 / 9.0,
    ];
    let expected: f64 = precision
        .windows(2)
        .map(|p| 0.1 * (p[0] + p[1]) / 2.0)
        .sum();
    assert!(
        (found.aup - expected).abs() < ROUNDING,
        "{found:?}, {expected}"
    );
    assert!(truth_scores(&importance, &[vec![false; 40]]).is_err());
    assert!(truth_scores(&[vec![1.0; 40]], &truth).is_err());
    assert!(truth_scores(&importance, &[vec![true; 3]]).is_err());
}

#[test]
fn a_real_attribution_of_the_known_model_is_close_to_perfect() {
    let (model, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let samples = Labelled::new(&x, &labels);
    let area = |map: &[f32]| {
        let removing = seeded(Fill::Zero, 1);
        let drop = accuracy_drop(&model, samples, map, removing, &REFERENCE_FRACTIONS);
        drop.unwrap().area
    };
    let [perfect, random, _] = maps(&truth).map(|map| area(&map));
    for name in [
        "gradient",
        "input-x-gradient",
        "integrated-gradients",
        "deeplift",
    ] {
        let method = Method::named(name).unwrap();
        let map = attribute(
            &model,
            Labelled::new(&x, &labels),
            &method,
            &Settings::default(),
        )
        .unwrap();
        let found = area(&map.values);
        assert!(
            found < perfect + 0.05 && found < random - 0.1,
            "{name}: {found}"
        );
    }
}

#[test]
fn the_share_changed_counts_what_the_fill_really_moved() {
    let (model, truth) = known_model();
    // Half of every image is black, corner included.
    let (mut x, labels) = known_samples(&truth);
    for row in x.chunks_mut(IMAGE.len()) {
        row[..32].fill(0.0);
    }
    let samples = Labelled::new(&x, &labels);
    let map: Vec<f32> = (0..x.len()).map(|place| (64 - place % 64) as f32).collect();
    for fill in in_place() {
        let fractions = [0.0, 0.25, 0.5, 0.75, 1.0];
        let curve = accuracy_drop(&model, samples, &map, seeded(fill, 3), &fractions).unwrap();
        assert_eq!(curve.changed[0], 1.0);
        let expected = match fill {
            Fill::Background | Fill::Zero => [0.0, 0.0, 16.0 / 48.0, 0.5],
            Fill::Mean | Fill::Uniform | Fill::Farthest => [1.0; 4],
            Fill::Delete => unreachable!("not in place"),
        };
        for (found, expected) in curve.changed[1..].iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-3,
                "{fill:?}: {:?}",
                curve.changed
            );
        }
        if fill.changes_everything() {
            assert!(curve.changed.iter().all(|&share| share > 0.999));
        }
    }
}

#[test]
fn removal_touches_exactly_the_selected_groups() {
    let shape = InputShape::Image {
        channels: 2,
        height: 2,
        width: 3,
    };
    let model = Mlp::random(shape, 4, 2, 1);
    let x: Vec<f32> = (0..12).map(|value| value as f32 + 1.0).collect();
    let mut map = vec![0.0; 12];
    // Pixel 4 by both channels' sum, pixel 1 by the second channel, pixel 2 cancels out.
    (map[4], map[10]) = (3.0, 3.0);
    (map[1], map[7]) = (0.0, -4.0);
    (map[2], map[8]) = (9.0, -9.0);
    let samples = Labelled::new(&x, &[0]);
    let mut removal = Removal::new(&model, samples, &map, Fill::Zero.into()).unwrap();
    let without = removal.apply(|_| Ok(2), false).unwrap();
    let expected = [1.0, 0.0, 3.0, 4.0, 0.0, 6.0, 7.0, 0.0, 9.0, 10.0, 0.0, 12.0];
    assert_eq!(without.x, expected);
    assert_eq!(without.changed, 1.0);
    let only = removal.apply(|_| Ok(2), true).unwrap();
    let kept: Vec<f32> = x.iter().zip(&expected).map(|(x, e)| x - e).collect();
    assert_eq!(only.x, kept);
    assert_eq!(removal.apply(|_| Ok(0), false).unwrap().x, x);
    assert_eq!(removal.apply(|_| Ok(6), false).unwrap().x, vec![0.0; 12]);
    assert!(removal.apply(|_| Ok(7), false).is_err());

    let mean = Removal::new(&model, samples, &map, Fill::Mean.into())
        .unwrap()
        .apply(|_| Ok(1), false);
    let mean = mean.unwrap().x;
    assert_eq!((mean[4], mean[10], mean[0]), (3.5, 9.5, 1.0));
    let far = Removal::new(&model, samples, &map, Fill::Farthest.into()).unwrap();
    let far = { far }.apply(|_| Ok(6), false).unwrap().x;
    assert_eq!(
        far,
        [
            6.0, 6.0, 6.0, 1.0, 1.0, 1.0, 12.0, 12.0, 12.0, 7.0, 7.0, 7.0
        ]
    );
    let delete = Removal::new(&model, samples, &map, Fill::Delete.into());
    assert!(
        delete
            .err()
            .unwrap()
            .to_string()
            .starts_with("fill: found delete")
    );
}

#[test]
fn deleting_tokens_moves_the_rest_to_the_end_and_leaves_padding_alone() {
    let shape = InputShape::Tokens { tokens: 5, dim: 2 };
    let model = Mlp::random(shape, 4, 2, 1);
    let x = [-1.0, -1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
    let map = [50.0, 50.0, 0.1, 0.1, 5.0, 5.0, 0.2, 0.2, 0.3, 0.3];
    let valid = 1..5;
    let samples = Labelled {
        valid: std::slice::from_ref(&valid),
        ..Labelled::new(&x, &[1])
    };
    let mut removal = Removal::new(&model, samples, &map, Fill::Delete.into()).unwrap();
    let without = removal.apply(|_| Ok(1), false).unwrap().x;
    assert_eq!(
        without,
        [-1.0, -1.0, 0.0, 0.0, 1.0, 1.5, 3.0, 3.5, 4.0, 4.5]
    );
    let only = removal.apply(|_| Ok(2), true).unwrap().x;
    assert_eq!(only, [-1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.5, 4.0, 4.5]);
}

#[test]
fn padding_is_never_ranked_or_removed() {
    let shape = InputShape::Series {
        steps: 6,
        channels: 2,
        order: SeriesOrder::StepsFirst,
    };
    let model = Mlp::random(shape, 4, 2, 1);
    let mut rng = Pcg32::new(1, 1);
    let x: Vec<f32> = (0..24).map(|_| 1.0 + rng.unit()).collect();
    let map: Vec<f32> = (0..24).map(|place| 24.0 - place as f32).collect();
    let valid = [2..6, 0..6];
    for grouping in [Grouping::Natural, Grouping::TimeStep] {
        let samples = Labelled {
            valid: &valid,
            ..Labelled::new(&x, &[0, 1])
        };
        let removing = Removing {
            fill: Fill::Zero,
            grouping,
            ..Removing::default()
        };
        let mut removal = Removal::new(&model, samples, &map, removing).unwrap();
        let steps = match grouping {
            Grouping::Natural => 2,
            Grouping::TimeStep => 1,
        };
        assert_eq!(
            (removal.groups(0), removal.groups(1)),
            (4 * steps, 6 * steps)
        );
        let without = removal.apply(|groups| Ok(groups / 2), false).unwrap().x;
        let zeros: Vec<usize> = (0..24).filter(|&place| without[place] == 0.0).collect();
        assert_eq!(zeros, [4, 5, 6, 7, 12, 13, 14, 15, 16, 17]);
    }
    let misfit = Labelled {
        valid: &valid[..1],
        ..Labelled::new(&x, &[0, 1])
    };
    assert_eq!(
        misfit.check("samples", shape, 2).unwrap_err().to_string(),
        "valid steps: found 1 ranges, expected 2 ranges, one a sample, within 0..6"
    );
}

#[test]
fn robust_accuracy_starts_at_clean_accuracy_and_falls() {
    let (model, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let samples = Labelled::new(&x, &labels);
    let clean = clean_accuracy(&model, samples).unwrap();
    let epsilons = [0.0, 0.3, 0.6, 1.0, 1.5];
    for kind in [AttackKind::Fgsm, AttackKind::Pgd, AttackKind::MiFgsm] {
        let config = AttackConfig::new(kind, 9.0);
        let curve = robustness(&model, samples, &config, &epsilons, 1).unwrap();
        assert_eq!(curve.points[0].accuracy, clean);
        for pair in curve.points.windows(2) {
            assert!(pair[1].accuracy <= pair[0].accuracy, "{curve:?}");
            assert!(pair[1].loss > pair[0].loss);
        }
        assert!(curve.points[4].accuracy < 0.05, "{curve:?}");
    }
    let config = AttackConfig::new(AttackKind::RandomNoise, 9.0);
    let noise = robustness(&model, samples, &config, &epsilons, 1).unwrap();
    assert!(noise.points[4].accuracy > 0.9, "{noise:?}");
}

#[test]
fn sensitivity_is_zero_for_a_constant_map_and_grows_with_the_radius() {
    let (linear, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let samples = Labelled::new(&x, &labels).first(20, IMAGE.len());
    let settings = Settings::default();
    let measure = |model: &Mlp, method: &Method, radius| {
        let clean = attribute(model, samples, method, &settings).unwrap();
        let config = SensitivityConfig { radius, draws: 10 };
        max_sensitivity(model, samples, method, &settings, &clean.values, &config).unwrap()
    };
    assert_eq!(measure(&linear, &Method::Gradient, 0.1), 0.0);
    assert!(measure(&linear, &Method::InputXGradient, 0.1) > 0.0);
    let curved = Mlp::random(IMAGE, 32, 2, 5);
    let (near, far) = (
        measure(&curved, &Method::Gradient, 0.05),
        measure(&curved, &Method::Gradient, 1.0),
    );
    assert!(far > near, "{near} {far}");
    // Random maps keep their seed: noise on the input does not reach them.
    assert_eq!(measure(&curved, &Method::Random, 0.5), 0.0);
}

#[test]
fn overlap_is_one_for_the_same_map_and_chance_for_another() {
    let (_, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let layouts = Labelled::new(&x, &labels)
        .layouts(IMAGE, Grouping::Natural)
        .unwrap();
    let [_, random, inverted] = maps(&truth);
    let random = group_importance(&layouts, &random).unwrap();
    let inverted = group_importance(&layouts, &inverted).unwrap();
    assert_eq!(overlap(&random, &random, 0.1).unwrap(), 1.0);
    let chance = overlap(&random, &inverted, 0.25).unwrap();
    assert!((chance - 0.25).abs() < 0.04, "{chance}");
}

#[test]
fn randomisation_destroys_maps_that_depend_on_parameters_and_no_others() {
    let model = Mlp::random(IMAGE, 32, 3, 5);
    let mut rng = Pcg32::new(1, 1);
    let x: Vec<f32> = (0..40 * IMAGE.len())
        .map(|_| rng.standard_normal())
        .collect();
    let labels: Vec<usize> = (0..40).map(|sample| sample % 3).collect();
    let samples = Labelled::new(&x, &labels);
    let run = |name| {
        let method = Method::named(name).unwrap();
        randomisation(&model, samples, &method, &Settings::default()).unwrap()
    };
    let stages = run("gradient");
    let layers: Vec<&str> = stages.iter().map(|stage| stage.layer.as_str()).collect();
    assert_eq!(layers, ["fc2", "fc1"]);
    assert!(stages[1].rank_correlation.abs() < 0.2, "{stages:?}");
    let random = run("random");
    assert!(
        random
            .iter()
            .all(|stage| (stage.rank_correlation - 1.0).abs() < ROUNDING)
    );
}

#[test]
fn mean_gradients_are_those_of_the_weights() {
    let (model, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let ones = vec![1; labels.len()];
    let settings = Settings::default();
    let gradient = attribute(
        &model,
        Labelled::new(&x, &ones),
        &Method::Gradient,
        &settings,
    )
    .unwrap();
    let samples = Labelled::new(&x, &labels);
    let found = mean_gradients(&model, samples, &gradient.values).unwrap();
    let expected = (0..SIGNAL).map(|rank| 1.0 + 0.1 * rank as f64).sum::<f64>() / 64.0;
    for value in [found.min, found.median, found.max, found.mean] {
        assert!((value - expected).abs() < ROUNDING, "{found:?}");
    }
}

#[test]
fn every_metric_has_a_name_and_says_what_it_is_and_what_moves_it() {
    for (place, &metric) in Metric::ALL.iter().enumerate() {
        assert!(!metric.name().is_empty() && metric.sensitive_to().len() > 10);
        assert!(metric.definition().ends_with('.') && metric.definition().len() > 20);
        assert!(!metric.sensitive_to().contains("  ") && !metric.definition().contains("  "));
        let others = &Metric::ALL[place + 1..];
        assert!(others.iter().all(|other| other.name() != metric.name()));
        let id = serde_json::to_string(&metric).unwrap();
        assert!(
            id.trim_matches('"')
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        );
        assert_eq!(serde_json::from_str::<Metric>(&id).unwrap(), metric);
    }
}

#[test]
fn bad_input_gets_one_line_that_names_it() {
    let (model, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let samples = Labelled::new(&x, &labels);
    let map = vec![1.0; x.len()];
    let curve = |map: &[f32], fractions: &[f32]| {
        let error = accuracy_drop(&model, samples, map, Fill::Zero.into(), fractions).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        curve(&map[1..], &[0.0, 0.5]),
        "attribution of the samples: found shape 12799 values, expected 200 × 64"
    );
    assert!(curve(&map, &[0.5, 0.1]).starts_with("fractions: "));
    assert!(curve(&map, &[0.0, 1.5]).starts_with("fraction: "));
    let mut with_nan = map.clone();
    with_nan[5] = f32::NAN;
    assert_eq!(
        curve(&with_nan, &[0.0, 0.5]),
        "attribution of the samples: found NaN at value 5, expected finite values"
    );
    let bins = faithfulness(&model, samples, &map, Fill::Zero.into(), &[0.0]);
    assert_eq!(
        bins.unwrap_err().to_string(),
        "bins: found 0, expected shares above 0 and at most 1"
    );
    let mut x = x.clone();
    x[3] = f32::NAN;
    let error = clean_accuracy(&model, Labelled::new(&x, &labels)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x: found NaN at value 3, expected finite values"
    );
}
