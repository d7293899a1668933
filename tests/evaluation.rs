//! The evaluation of one model and the comparison of several: on which samples, by which
//! defaults, and that every way to a table gives the same table.

mod common;
#[path = "common/tolerance.rs"]
mod tolerance;

use common::known::{IMAGE, SAMPLES, known_model, known_samples};
use common::mlp::{Mlp, WithoutRescale};
use sgt_host::attack::{AttackConfig, AttackKind};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::compare::{
    Comparison, Existing, MeasuredRun, Place, Plan, RegimeRuns, SampleMap, SampleMaps, SampleRule,
    compare, group, measure, sample_maps,
};
use sgt_host::config::{ConfigDraft, Regime};
use sgt_host::data::{
    DataKind, Dataset, InputUnit, LoadOptions, TrainTest, balanced_draw, balanced_order, load,
};
use sgt_host::evaluation::{About, Evaluation, EvaluationConfig, Measured, evaluate};
use sgt_host::metrics::robustness::{RobustnessCurve, RobustnessPoint, clean_accuracy};
use sgt_host::metrics::{Fill, Metric};
use sgt_host::network::{InputShape, Labelled, Model};
use sgt_host::report::{markdown, page, table};
use sgt_host::run::FinishedRun;
use std::sync::atomic::AtomicBool;

/// Methods that take a pass a piece, or a base method's passes.
const OCCLUDING: [&str; 6] = [
    "occlusion",
    "step-occlusion",
    "cell-occlusion",
    "temporal-rescaling",
    "win-tsr",
    "shuffled",
];

fn known_data() -> Dataset {
    let (_, truth) = known_model();
    let (x, labels) = known_samples(&truth);
    let classes = vec!["low".into(), "high".into()];
    Dataset::new("known", classes, IMAGE, x, labels, None).unwrap()
}

/// Every method but those that occlude piece by piece, on a tenth of the samples.
fn small_config() -> EvaluationConfig {
    let methods = Method::all().into_iter();
    EvaluationConfig {
        epsilons: vec![0.1, 0.5],
        methods: methods
            .filter(|method| !OCCLUDING.contains(&method.name()))
            .collect(),
        fractions: vec![0.0, 0.5],
        bins: vec![0.1, 0.5],
        fills: vec![Fill::Zero, Fill::Farthest],
        samples: 20,
        stability_samples: 5,
        ..EvaluationConfig::thorough(DataKind::Image)
    }
}

fn small_evaluation(seed: u64) -> Evaluation {
    let model = Mlp::random(IMAGE, 16, 2, seed);
    evaluate(&model, &known_data(), &small_config()).unwrap()
}

#[test]
fn an_evaluation_is_whole_repeatable_and_round_trips_through_json() {
    let found = small_evaluation(1);
    assert!(found == small_evaluation(1));
    assert_eq!(
        (found.samples, found.robustness.len(), found.maps.len()),
        (20, 4, 10)
    );
    assert!(found.skipped.is_empty());
    for map in &found.maps {
        assert_eq!((map.drop_curves.len(), map.faithfulness.len()), (2, 2));
        // A map that reads neither input nor parameters has no stability.
        assert_eq!(map.stability.is_none(), map.method == Method::Random);
        if let Some(stability) = &map.stability {
            assert_eq!(stability.randomisation.len(), 2);
        }
        let complete = ["integrated-gradients", "deeplift", "deeplift-shap"];
        assert_eq!(
            map.convergence_gap.is_some(),
            complete.contains(&map.method.name())
        );
    }
    let json = serde_json::to_string(&found).unwrap();
    let read: Evaluation = serde_json::from_str(&json).unwrap();
    assert!(read.by_sample.is_empty() && !found.by_sample.is_empty());
    let written = Evaluation {
        by_sample: Vec::new(),
        ..found.clone()
    };
    assert!(read == written);
    let json = serde_json::to_string(&small_config()).unwrap();
    let config: EvaluationConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(config, small_config());
    let odd = json.replacen("\"epsilons\"", "\"epsilon\"", 1);
    assert!(serde_json::from_str::<EvaluationConfig>(&odd).is_err());
    let scalars = found.scalars(&small_config());
    assert!(scalars.iter().all(|scalar| scalar.value.is_finite()));
    for (place, scalar) in scalars.iter().enumerate() {
        let same = |other: &&_| {
            let other: &sgt_host::evaluation::Scalar = other;
            other.metric == scalar.metric && other.about == scalar.about
        };
        assert!(
            scalars[place + 1..].iter().find(same).is_none(),
            "{scalar:?}"
        );
    }
}

#[test]
fn the_draw_is_balanced_seeded_nested_and_whole_when_there_are_no_more() {
    // Classes of 50, 5 and 20 samples.
    let labels: Vec<usize> = (0..75)
        .map(|i| usize::from(i >= 50) + usize::from(i >= 55))
        .collect();
    let counts = |draw: &[usize]| {
        let mut counts = [0_usize; 3];
        for &place in draw {
            counts[labels[place]] += 1;
        }
        counts
    };
    let draw = balanced_draw(&labels, 30, 7);
    assert!(draw.is_sorted() && draw.len() == 30);
    let [large, small, middle] = counts(&draw);
    assert_eq!(small, 5);
    assert!(
        large + middle == 25 && large.abs_diff(middle) == 1,
        "{large} {middle}"
    );
    assert_eq!(counts(&balanced_draw(&labels, 12, 7)), [4, 4, 4]);
    assert_eq!(draw, balanced_draw(&labels, 30, 7));
    assert_ne!(draw, balanced_draw(&labels, 30, 8));
    let smaller = balanced_draw(&labels, 12, 7);
    assert!(smaller.iter().all(|place| draw.contains(place)));
    let all: Vec<usize> = (0..75).collect();
    assert_eq!(balanced_draw(&labels, 75, 7), all);
    assert_eq!(balanced_draw(&labels, 1000, 7), all);
    assert!(balanced_draw(&labels, 0, 7).is_empty());
}

#[test]
fn balanced_epochs_name_every_class_alike_and_large_ones_in_turn() {
    let labels: Vec<usize> = (0..75)
        .map(|i| usize::from(i >= 50) + 2 * usize::from(i >= 55))
        .collect();
    // Classes 0, 1 and 3 have 50, 5 and 20 samples; class 2 has none.
    let order = balanced_order(&labels, 7, 0);
    assert_eq!(order.len(), labels.len());
    for turn in order.chunks_exact(3) {
        let mut classes: Vec<usize> = turn.iter().map(|&place| labels[place]).collect();
        classes.sort_unstable();
        assert_eq!(classes, [0, 1, 3]);
    }
    let of = |order: &[usize], class| -> Vec<usize> {
        let of_class = order.iter().filter(|&&place| labels[place] == class);
        let mut named: Vec<usize> = of_class.copied().collect();
        named.sort_unstable();
        named
    };
    // 25 of 50 without a repetition; five each five times; all twenty, five of them twice.
    let large = of(&order, 0);
    assert!(large.windows(2).all(|pair| pair[0] < pair[1]) && large.len() == 25);
    let small = of(&order, 1);
    assert!(small.chunks(5).all(|same| same[0] == same[4]) && small.len() == 25);
    let mut middle = of(&order, 3);
    middle.dedup();
    assert_eq!(middle.len(), 20);
    assert_eq!(order, balanced_order(&labels, 7, 0));
    assert_ne!(order, balanced_order(&labels, 7, 1));
    assert_ne!(order, balanced_order(&labels, 8, 0));
    assert!(balanced_order(&[], 0, 0).is_empty());
}

#[test]
fn accuracy_is_of_every_sample_and_the_rest_of_the_drawn_ones() {
    let (model, test) = (Mlp::random(IMAGE, 16, 2, 1), known_data());
    let config = small_config();
    let found = evaluate(&model, &test, &config).unwrap();
    let whole = Labelled::new(test.samples(), test.labels());
    let accuracy = clean_accuracy(&model, whole).unwrap();
    assert_eq!((found.accuracy, found.test_samples), (accuracy, SAMPLES));
    assert_ne!(found.accuracy, found.drawn_accuracy);

    // What is drawn is all there is in a smaller test part: the same numbers, but for the accuracy.
    let drawn = test
        .subset(&balanced_draw(test.labels(), 20, config.seed))
        .unwrap();
    let few = test
        .subset(&balanced_draw(test.labels(), 5, config.seed))
        .unwrap();
    let alone = EvaluationConfig {
        stability_samples: 0,
        ..config.clone()
    };
    let of_drawn = evaluate(&model, &drawn, &alone).unwrap();
    assert_eq!(of_drawn.accuracy, found.drawn_accuracy);
    assert_eq!(of_drawn.robustness, found.robustness);
    assert_eq!(of_drawn.mean_gradient, found.mean_gradient);
    assert_eq!(of_drawn.maps[0].drop_curves, found.maps[0].drop_curves);
    assert_eq!(of_drawn.maps[0].faithfulness, found.maps[0].faithfulness);
    let of_few = evaluate(&model, &few, &config).unwrap();
    assert_eq!(of_few.maps[0].stability, found.maps[0].stability);
    assert!(found.maps[0].stability.is_some());

    for scalar in found.scalars(&config) {
        let samples = match scalar.metric {
            Metric::Accuracy
            | Metric::BalancedAccuracy
            | Metric::MacroF1
            | Metric::MajorityBaseline
            | Metric::CrossEntropy => SAMPLES,
            Metric::MaxSensitivity
            | Metric::SaliencyOverlap
            | Metric::RandomisedRankCorrelation => 5,
            _ => 20,
        };
        let of = SAMPLES;
        assert_eq!(
            scalar.measured,
            Some(Measured { samples, of }),
            "{scalar:?}"
        );
    }
}

#[test]
fn values_by_sample_have_the_numbers_as_their_means() {
    let found = small_evaluation(1);
    let mut known = 0;
    for scalar in found.scalars(&small_config()) {
        let mut all = found.by_sample.iter();
        let same =
            all.find(|values| values.metric == scalar.metric && values.about == scalar.about);
        let Some(same) = same else { continue };
        known += 1;
        assert_eq!(same.values.len(), scalar.measured.unwrap().samples);
        let sum: f64 = same.values.iter().map(|&value| f64::from(value)).sum();
        let mean = sum / same.values.len() as f64;
        assert!((mean - scalar.value).abs() < 1e-5, "{scalar:?}: {mean}");
    }
    assert_eq!(known, found.by_sample.len());
}

#[test]
fn robustness_never_rises_with_the_radius_and_holds_the_smaller_balls() {
    let (model, test) = (Mlp::random(IMAGE, 16, 2, 1), known_data());
    // The radii in no order, with one twice.
    let config = EvaluationConfig {
        epsilons: vec![0.5, 0.05, 0.2, 0.05, 1.0],
        samples: 60,
        ..small_config()
    };
    let found = evaluate(&model, &test, &config).unwrap();
    for curve in &found.robustness {
        for a in &curve.points {
            assert!(a.accuracy <= a.accuracy_alone && a.accuracy <= found.drawn_accuracy);
            for b in &curve.points {
                assert!(
                    a.epsilon > b.epsilon || a.accuracy >= b.accuracy,
                    "{curve:?}"
                );
            }
        }
    }
}

#[test]
fn the_accuracy_of_attacks_that_fail_at_large_radii_is_that_at_the_small_ones() {
    let point = |epsilon, accuracy_alone| RobustnessPoint {
        epsilon,
        accuracy: 0.0,
        accuracy_alone,
        loss: 0.0,
    };
    let curve = RobustnessCurve {
        attack: AttackConfig::new(AttackKind::Pgd, 0.4),
        points: vec![point(0.4, 0.7), point(0.1, 0.8), point(0.2, 0.55)],
    };
    assert!((curve.rise(0.9) - 0.15).abs() < 1e-12);
    assert!((curve.rise(0.5) - 0.3).abs() < 1e-12);
    let falling = RobustnessCurve {
        points: vec![point(0.1, 0.8), point(0.2, 0.8)],
        ..curve
    };
    assert_eq!(falling.rise(0.8), 0.0);
}

#[test]
fn a_quick_evaluation_is_a_part_of_a_thorough_one() {
    let model = Mlp::random(IMAGE, 16, 2, 1);
    let test = known_data();
    for kind in [DataKind::Image, DataKind::Series] {
        let thorough = EvaluationConfig::thorough(kind);
        let quick = EvaluationConfig::quick(kind);
        assert!(quick.samples < thorough.samples);
        let all = evaluate(&model, &test, &thorough)
            .unwrap()
            .scalars(&thorough);
        let part = evaluate(&model, &test, &quick).unwrap().scalars(&quick);
        assert!(part.len() > 8 && part.len() < all.len());
        assert!(part.iter().all(|scalar| all.contains(scalar)));
    }
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is() {
    let refused = |change: fn(&mut EvaluationConfig)| {
        let mut config = small_config();
        change(&mut config);
        config.check(IMAGE).unwrap_err().to_string()
    };
    assert_eq!(
        refused(|config| config.samples = 0),
        "samples: found 0, expected 1 or more"
    );
    let radius = refused(|config| config.epsilons.push(-1.0));
    assert!(radius.starts_with("epsilon: found -1"), "{radius}");
    let fill = refused(|config| config.fills.push(Fill::Delete));
    assert!(fill.starts_with("fill: found delete"), "{fill}");
    let steps = refused(|config| config.methods[3] = config.methods[3].clone().with_steps(0));
    assert!(steps.starts_with("steps: found 0"), "{steps}");
    assert!(small_config().check(IMAGE).is_ok());
    let text = EvaluationConfig {
        fills: vec![Fill::Delete],
        ..small_config()
    };
    assert!(text.check(InputShape::tokens(5, 2)).is_ok());
}

#[test]
fn a_model_without_the_rescale_rule_skips_deeplift_and_says_why() {
    let model = WithoutRescale(Mlp::random(IMAGE, 16, 2, 1));
    let test = known_data();
    let found = evaluate(&model, &test, &small_config()).unwrap();
    let skipped: Vec<&str> = found.skipped.iter().map(|s| s.method.as_str()).collect();
    assert_eq!(skipped, ["deeplift", "deeplift-shap"]);
    assert!(found.skipped[0].reason.contains("DeepLIFT"));
    assert_eq!(found.maps.len(), 8);
    let batch = Labelled::new(test.samples(), test.labels());
    let error = attribute(&model, batch, &Method::DeepLift, &Settings::default());
    let message = error.unwrap_err().to_string();
    assert!(message.starts_with("method: found DeepLIFT") && !message.contains('\n'));
    assert_eq!(model.classes(), 2);
}

fn runs(name: &str, seeds: &[u64], evaluations: &[Evaluation]) -> RegimeRuns {
    let run = |(&seed, evaluation): (&u64, &Evaluation)| MeasuredRun {
        seed,
        folder: None,
        config: String::new(),
        seconds: 1.0,
        epochs: Vec::new(),
        evaluation: evaluation.clone(),
    };
    RegimeRuns {
        name: name.into(),
        runs: seeds.iter().zip(evaluations).map(run).collect(),
    }
}

#[test]
fn a_comparison_pairs_seeds_and_names_the_best_regime() {
    let config = small_config();
    let known: Vec<Evaluation> = (0..3)
        .map(|seed| {
            let config = EvaluationConfig {
                seed,
                ..small_config()
            };
            evaluate(&known_model().0, &known_data(), &config).unwrap()
        })
        .collect();
    let untrained: Vec<Evaluation> = (0..3).map(small_evaluation).collect();
    let regimes = [
        runs("untrained", &[2, 1, 7], &untrained),
        runs("known", &[1, 2, 3], &known),
    ];
    let rows = compare(&regimes, &config).unwrap();
    let row = &rows[0];
    assert_eq!((row.metric, &row.about), (Metric::Accuracy, &About::Clean));
    assert_eq!(row.best(), Some(1));
    let paired = row.between(1, 0).unwrap();
    assert!(paired.difference > 0.3 && paired.seeds == 2 && row.between(0, 0).is_none());
    let json = serde_json::to_string(&rows).unwrap();
    assert!(serde_json::from_str(&json).ok() == Some(rows));
    let refused = |regimes: &[RegimeRuns]| compare(regimes, &config).unwrap_err().to_string();
    assert!(refused(&[]).starts_with("regimes: found none"));
    assert!(refused(&[runs("idle", &[], &[])]).contains("idle without runs"));
    assert_eq!(
        refused(&[runs("twice", &[4, 4, 5], &known)]),
        "regimes: found twice with seed 4 twice, expected one run for each of its seeds"
    );
}

#[test]
fn a_row_says_in_words_and_as_data_what_it_is_about() {
    let found = small_evaluation(1);
    let words: Vec<String> = found
        .scalars(&small_config())
        .into_iter()
        .map(|scalar| format!("{}, {}", scalar.metric, scalar.about))
        .collect();
    for expected in [
        "accuracy, clean",
        "accuracy under attack, pgd (L∞, 10 steps) ε 0.5",
        "accuracy under attack, fgsm (L∞) ε 0.1",
        "sufficiency, integrated-gradients, farthest fill",
        "entropy, smoothgrad",
        "max-sensitivity, gradient, noise 0.02",
        "saliency overlap, gradient, pgd (L∞, 10 steps) ε 0.1",
    ] {
        assert!(
            words.iter().any(|found| found == expected),
            "{expected} in {words:#?}"
        );
    }
    let about = About::Removal {
        method: Method::Gradient,
        fill: Fill::Mean,
    };
    assert_eq!(
        serde_json::to_value(&about).unwrap(),
        serde_json::json!({"removal": {"method": {"name": "gradient"}, "fill": "mean"}})
    );
}

/// Two regimes and seeds, trained for a moment on the embedded recordings.
fn plan() -> Plan {
    let mut draft = ConfigDraft::new();
    draft.set("training.epochs", 2_i64);
    Plan::read(&draft, &[Regime::Standard, Regime::Sgt], 2).unwrap()
}

fn in_memory() -> Vec<FinishedRun> {
    let trained = plan().train(None, &AtomicBool::default(), |_| {});
    trained.unwrap().unwrap()
}

fn table_of(runs: &[FinishedRun], config: &EvaluationConfig) -> Comparison {
    measure(&group(runs).unwrap(), config, |_, _| {}).unwrap()
}

#[test]
fn runs_in_memory_and_runs_read_back_have_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let place = Some(Place {
        folder: folder.path(),
        existing: Existing::Refuse,
    });
    let trained = plan()
        .train(place, &AtomicBool::default(), |_| {})
        .unwrap()
        .unwrap();
    let config = EvaluationConfig {
        samples: 10,
        stability_samples: 2,
        ..EvaluationConfig::quick(DataKind::Series)
    };
    let compared = table_of(&trained, &config);
    let paths = ["sgt-1", "standard-0", "sgt-0", "standard-1"].map(|name| folder.path().join(name));
    let read = FinishedRun::open_all(&paths, None).unwrap();
    let mut evaluated = table_of(&read, &config);
    // The first run that is named sets the first column.
    assert_eq!(evaluated.names().collect::<Vec<_>>(), ["sgt", "standard"]);
    let paths = ["standard-1", "standard-0", "sgt-1", "sgt-0"].map(|name| folder.path().join(name));
    evaluated = table_of(&FinishedRun::open_all(&paths, None).unwrap(), &config);
    assert_eq!(evaluated, compared);
    assert_eq!(
        table::csv(&evaluated).unwrap(),
        table::csv(&compared).unwrap()
    );

    // Without a folder there is nothing to read back, but the same numbers.
    let unsaved = table_of(&in_memory(), &config);
    let timeless = |comparison: &Comparison| {
        let rows = comparison.rows.iter();
        let rows = rows.filter(|row| row.metric != Metric::TrainingSeconds);
        rows.cloned().collect::<Vec<_>>()
    };
    assert_eq!(timeless(&unsaved), timeless(&compared));
    assert!(unsaved.regimes[0].runs[0].folder.is_none());
    let json = serde_json::to_string(&compared).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), compared);
}

#[test]
fn shown_samples_are_as_recorded_with_names_and_rate() {
    let trained = in_memory();
    let samples = sample_maps(&group(&trained).unwrap(), &[Method::Gradient]).unwrap();
    let data = &trained[0].config.data.source;
    let TrainTest { test, .. } = load(data, &LoadOptions::default()).unwrap();
    assert_eq!(samples[0].rule, SampleRule::Right);
    let least = samples.iter().find(|s| s.rule == SampleRule::LeastCertain);
    for sample in &samples {
        let recorded = test.sample(sample.index);
        tolerance::assert_close("recorded", &sample.values, recorded, tolerance::RECORDED);
        assert_eq!(sample.class, test.classes()[test.labels()[sample.index]]);
        assert_eq!(sample.names, test.axes().channels);
        assert_eq!(sample.units, test.axes().units);
        assert_eq!(sample.rate, test.axes().rate);
        assert!(sample.rate.is_some());
        let regimes: Vec<&str> = sample.maps.iter().map(|map| &map.regime[..]).collect();
        assert_eq!(regimes, ["standard", "sgt"]);
        let chance = 1.0 / test.classes().len() as f32;
        let sure = |map: &SampleMap| map.certainty >= chance && map.certainty <= 1.0;
        assert!(sample.maps.iter().all(sure));
        let sum = |sample: &SampleMaps| -> f32 { sample.maps.iter().map(|m| m.certainty).sum() };
        let is_pick = matches!(sample.rule, SampleRule::LeastCertain | SampleRule::Wrong);
        assert!(is_pick || least.is_none_or(|least| sum(least) <= sum(sample)));
    }
}

#[test]
fn every_table_and_page_announces_what_it_is_over() {
    let trained = in_memory();
    let config = EvaluationConfig {
        samples: 12,
        stability_samples: 2,
        ..EvaluationConfig::quick(DataKind::Series)
    };
    let comparison = table_of(&trained, &config);
    assert_eq!(comparison.unit, InputUnit::TrainingDeviation);
    let samples = sample_maps(&group(&trained).unwrap(), &config.methods).unwrap();
    let csv = String::from_utf8(table::csv(&comparison).unwrap()).unwrap();
    for line in csv
        .lines()
        .filter(|line| line.starts_with("accuracy under attack"))
    {
        assert!(line.contains("higher-is-better,12,40,"), "{line}");
    }
    assert!(csv.contains("accuracy,clean,higher-is-better,40,40,"));
    for text in [
        table::text(&comparison, |_| true),
        markdown(&comparison),
        page(&comparison, &samples).unwrap(),
    ] {
        for announced in [
            "12 of 40",
            "2 of 40",
            "40 of 40",
            "training deviations",
            "mean fill",
            "pgd (L∞, 10 steps) ε 0.4",
        ] {
            assert!(text.contains(announced), "{announced} in {text}");
        }
    }
}
