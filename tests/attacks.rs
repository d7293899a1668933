//! Attacks: identity at ε = 0, ball and bounds, strength against noise, restarts, targets.

mod common;

use common::mlp::Mlp;
use sgt_core::{Bounds, Pcg32, Random};
use sgt_host::attack::{
    Adversarial, AttackConfig, AttackKind, Goal, MomentumScale, Norm, ROWS_PER_FORWARD, attack,
    perturb,
};
use sgt_host::network::named::{self, Named, NetworkSizes, Reads};
use sgt_host::network::{Classifier, InputShape, Labelled, Mode, Model, Network};

const IMAGE: InputShape = InputShape::Image {
    channels: 1,
    height: 6,
    width: 6,
};
const CLASSES: usize = 4;
/// The ball holds to within one rounding of values of order 1.
const BALL_ROUNDING: f32 = 1e-6;
/// Rounding of an L2 norm over a sample.
const NORM_ROUNDING: f32 = 1e-5;

fn network() -> Mlp {
    Mlp::random(IMAGE, 24, CLASSES, 3).within(Bounds::UNIT)
}

/// Samples in [0, 1], labelled as the model sees them: all are classified correctly.
fn batch(model: &Mlp, samples: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
    let mut rng = Pcg32::new(seed, 1);
    let x: Vec<f32> = (0..samples * IMAGE.len()).map(|_| rng.unit()).collect();
    let mut pass = <Mlp as Model>::Pass::default();
    let logits = model.forward(&x, Mode::Evaluation, &mut pass).unwrap();
    let labels = logits.chunks(CLASSES).map(|row| {
        (0..CLASSES)
            .max_by(|&a, &b| row[a].total_cmp(&row[b]))
            .unwrap()
    });
    (x.clone(), labels.collect())
}

fn every_attack() -> Vec<AttackConfig> {
    let mut attacks = Vec::new();
    for kind in AttackKind::ALL {
        for norm in [Norm::Linf, Norm::L2] {
            for random_start in [false, true] {
                attacks.push(AttackConfig {
                    kind,
                    norm,
                    random_start,
                    ..AttackConfig::default()
                });
            }
        }
    }
    attacks
}

fn run(model: &Mlp, x: &[f32], labels: &[usize], config: &AttackConfig) -> Adversarial {
    let batch = Labelled::new(x, labels);
    attack(model, batch, Goal::Untargeted, config, 5).unwrap()
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// An ε at which samples of this size are in reach but not lost.
fn radius(norm: Norm) -> f32 {
    match norm {
        Norm::Linf => 0.1,
        Norm::L2 => 0.5,
    }
}

#[test]
fn epsilon_zero_is_the_identity() {
    let model = network();
    let (x, labels) = batch(&model, 5, 1);
    for config in every_attack() {
        let found = run(&model, &x, &labels, &config.with_epsilon(0.0));
        assert_eq!(found.x, x, "{config:?}");
        assert_eq!(found.predicted, labels);
        assert_eq!(found.success_rate(), 0.0);
    }
}

#[test]
fn perturbations_stay_in_the_ball_and_the_bounds() {
    let model = network();
    let (x, labels) = batch(&model, 40, 2);
    for config in every_attack() {
        for epsilon in [0.01, 0.1, 0.7] {
            let config = config.with_epsilon(epsilon);
            let found = run(&model, &x, &labels, &config);
            assert!(
                found.x.iter().all(|v| (0.0..=1.0).contains(v)),
                "{config:?}"
            );
            assert_ne!(found.x, x);
            for (clean, moved) in x.chunks(IMAGE.len()).zip(found.x.chunks(IMAGE.len())) {
                let delta = clean.iter().zip(moved).map(|(a, b)| b - a);
                match config.norm {
                    Norm::Linf => {
                        let largest = delta.fold(0.0_f32, |m, d| m.max(d.abs()));
                        assert!(largest <= epsilon + BALL_ROUNDING, "{largest}: {config:?}");
                    }
                    Norm::L2 => {
                        let length = delta.map(|d| d * d).sum::<f32>().sqrt();
                        assert!(length <= epsilon + NORM_ROUNDING, "{length}: {config:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_attack_is_stronger_than_noise_of_its_size_and_noise_than_nothing() {
    let model = network();
    let (x, labels) = batch(&model, 100, 3);
    for norm in [Norm::Linf, Norm::L2] {
        let of = |kind| {
            let config = AttackConfig {
                norm,
                ..AttackConfig::new(kind, radius(norm))
            };
            run(&model, &x, &labels, &config)
        };
        let noise = of(AttackKind::RandomNoise);
        for kind in [AttackKind::Fgsm, AttackKind::Pgd, AttackKind::MiFgsm] {
            let found = of(kind);
            assert!(mean(&found.loss) > mean(&noise.loss), "{kind:?} {norm:?}");
            let (success, control) = (found.success_rate(), noise.success_rate());
            assert!(
                success > control + 0.1,
                "{kind:?} {norm:?}: {success} {control}"
            );
            // One sample at a time, an attack hardly ever loses against noise.
            let wins = found.loss.iter().zip(&noise.loss).filter(|(a, n)| a > n);
            assert!(wins.count() >= 95);
        }
    }
}

#[test]
fn more_steps_and_more_restarts_never_help_the_defender() {
    /// Iterates may overshoot: the loss may fall by this share of itself.
    const NOISE: f32 = 0.01;
    let model = network();
    let (x, labels) = batch(&model, 60, 4);
    for kind in [AttackKind::Pgd, AttackKind::MiFgsm] {
        for norm in [Norm::Linf, Norm::L2] {
            let mut previous = 0.0;
            for steps in [1, 2, 5, 10, 30] {
                let config = AttackConfig {
                    steps,
                    norm,
                    random_start: false,
                    ..AttackConfig::new(kind, radius(norm))
                };
                let loss = mean(&run(&model, &x, &labels, &config).loss);
                assert!(
                    loss >= previous * (1.0 - NOISE),
                    "{kind:?} {norm:?} {steps}"
                );
                previous = loss;
            }
        }
    }
    let mut previous: Option<Adversarial> = None;
    for restarts in 1..5 {
        let config = AttackConfig {
            restarts,
            steps: 3,
            ..AttackConfig::default()
        };
        let found = run(&model, &x, &labels, &config);
        if let Some(previous) = previous {
            for index in 0..labels.len() {
                let kept = (previous.success[index], previous.loss[index]);
                assert!((found.success[index], found.loss[index]) >= kept);
            }
        }
        previous = Some(found);
    }
}

#[test]
fn one_pgd_step_of_length_epsilon_is_fgsm_and_momentum_starts_there() {
    let model = network();
    let (x, labels) = batch(&model, 10, 5);
    for norm in [Norm::Linf, Norm::L2] {
        let fgsm = AttackConfig {
            norm,
            ..AttackConfig::new(AttackKind::Fgsm, 0.07)
        };
        let expected = run(&model, &x, &labels, &fgsm).x;
        for kind in [AttackKind::Pgd, AttackKind::MiFgsm] {
            let one = AttackConfig {
                kind,
                steps: 1,
                alpha: Some(0.07),
                random_start: false,
                ..fgsm.clone()
            };
            let found = run(&model, &x, &labels, &one).x;
            let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            assert!(
                largest.fold(0.0, f32::max) <= BALL_ROUNDING,
                "{kind:?} {norm:?}"
            );
        }
    }
}

#[test]
fn the_momentum_scales_agree_in_linf() {
    let model = network();
    let (x, labels) = batch(&model, 10, 6);
    let with = |momentum_scale| {
        let config = AttackConfig {
            momentum_scale,
            ..AttackConfig::new(AttackKind::MiFgsm, 0.1)
        };
        run(&model, &x, &labels, &config).x
    };
    let (mean, l1) = (with(MomentumScale::MeanAbsolute), with(MomentumScale::L1));
    let equal = mean
        .iter()
        .zip(&l1)
        .filter(|(a, b)| (*a - *b).abs() < 1e-6)
        .count();
    assert!(equal as f32 >= 0.99 * mean.len() as f32, "{equal}");
}

#[test]
fn targeted_attacks_reach_their_class() {
    let model = network();
    let (x, labels) = batch(&model, 50, 7);
    let targets: Vec<usize> = labels.iter().map(|label| (label + 1) % CLASSES).collect();
    for kind in [AttackKind::Fgsm, AttackKind::Pgd, AttackKind::MiFgsm] {
        let config = AttackConfig::new(kind, 0.4);
        let goal = Goal::Targeted(&targets);
        let batch = Labelled::new(&x, &labels);
        let found = attack(&model, batch, goal, &config, 1).unwrap();
        let untouched = config.with_epsilon(0.0);
        let clean = attack(&model, batch, goal, &untouched, 1).unwrap();
        assert!(mean(&found.loss) < mean(&clean.loss), "{kind:?}");
        assert!(
            found.success_rate() > 0.5,
            "{kind:?}: {}",
            found.success_rate()
        );
        let reached = found.predicted.iter().zip(&targets).map(|(p, t)| p == t);
        assert!(reached.eq(found.success.iter().copied()));
    }
}

#[test]
fn a_sample_is_attacked_alike_in_any_run_of_its_seed() {
    let model = network();
    let samples = ROWS_PER_FORWARD + 5;
    let (x, labels) = batch(&model, samples, 8);
    for config in every_attack() {
        let whole = run(&model, &x, &labels, &config);
        assert_eq!(whole, run(&model, &x, &labels, &config));
        let shorter = run(&model, &x[..3 * IMAGE.len()], &labels[..3], &config);
        assert_eq!(shorter.x, whole.x[..3 * IMAGE.len()], "{config:?}");
        let mut pass = <Mlp as Model>::Pass::default();
        let mut out = vec![0.0; 3 * IMAGE.len()];
        let clean = Labelled::new(&x, &labels);
        let first = clean.first(3, IMAGE.len());
        perturb(&model, first, &config, 5, &mut pass, &mut out).unwrap();
        assert_eq!(out, shorter.x);
        let other = attack(&model, clean, Goal::Untargeted, &config, 6);
        assert_eq!(
            other.unwrap().x != whole.x,
            config.is_random(),
            "{config:?}"
        );
    }
}

/// Input, and hidden widths small enough for a test.
fn sizes_of(network: &Named) -> NetworkSizes {
    let input = match network.reads {
        Reads::Images if matches!(network.name, "mnist-cnn" | "small-cnn") => {
            InputShape::image(1, 12, 12)
        }
        Reads::Images => InputShape::image(3, 16, 16),
        Reads::Series(order) => InputShape::series(24, 3).ordered(order),
        Reads::Tokens => InputShape::tokens(8, 6),
    };
    let hidden = match network.name {
        "mnist-cnn" | "small-cnn" => vec![4, 8, 16],
        "cifar-cnn" => vec![4, 4, 8, 8, 16],
        "resnet18" => vec![4, 8, 8, 8],
        "text-bilstm" => vec![8],
        _ => Vec::new(),
    };
    NetworkSizes {
        input,
        classes: 3,
        hidden,
    }
}

#[test]
fn attacks_keep_their_word_on_every_network_by_name() {
    const EPSILON: f32 = 0.1;
    const SAMPLES: usize = 12;
    for named in named::ALL {
        let name = named.name;
        let description = named::description(name, &sizes_of(named)).unwrap();
        let network = Network::new(&description, 7).unwrap();
        let classes = ["a", "b", "c"].map(String::from);
        let network = Classifier::new(network, classes.into()).unwrap();
        let network = network.with_bounds(Bounds::UNIT).unwrap();
        let sample = network.input().len();
        let mut rng = Pcg32::new(3, 3);
        let x: Vec<f32> = (0..SAMPLES * sample).map(|_| rng.unit()).collect();
        let labels: Vec<usize> = (0..SAMPLES).map(|index| index % 3).collect();
        let mut losses = Vec::new();
        for kind in [
            AttackKind::RandomNoise,
            AttackKind::Fgsm,
            AttackKind::MiFgsm,
            AttackKind::Pgd,
        ] {
            let run = |epsilon| {
                let config = AttackConfig::new(kind, epsilon);
                let batch = Labelled::new(&x, &labels);
                attack(&network, batch, Goal::Untargeted, &config, 1).unwrap()
            };
            assert_eq!(run(0.0).x, x, "{name} {kind:?}");
            let found = run(EPSILON);
            assert_ne!(found.x, x, "{name} {kind:?}");
            for (moved, clean) in found.x.iter().zip(&x) {
                assert!((0.0..=1.0).contains(moved), "{name} {kind:?}");
                assert!(
                    (moved - clean).abs() <= EPSILON + BALL_ROUNDING,
                    "{name} {kind:?}"
                );
            }
            losses.push(mean(&found.loss));
        }
        let noise = losses[0];
        assert!(
            losses[1..].iter().all(|&loss| loss > noise),
            "{name}: {losses:?}"
        );
    }
}

#[test]
fn parameters_stay_and_the_result_is_what_the_model_says() {
    let model = network();
    let before = model.parameters().values().to_vec();
    let (x, labels) = batch(&model, 20, 9);
    let found = run(&model, &x, &labels, &AttackConfig::default());
    assert_eq!(model.parameters().values(), before);
    let mut pass = <Mlp as Model>::Pass::default();
    let logits = model
        .forward(&found.x, Mode::Evaluation, &mut pass)
        .unwrap();
    for (index, row) in logits.chunks(CLASSES).enumerate() {
        let loss = sgt_core::cross_entropy(row, labels[index]).unwrap();
        assert_eq!(loss, found.loss[index]);
        assert!(row.iter().all(|&v| v <= row[found.predicted[index]]));
        assert_eq!(
            found.success[index],
            found.predicted[index] != labels[index]
        );
    }
}

#[test]
fn configs_are_data_with_defaults_that_refuse_unknown_keys() {
    let bare: AttackConfig = serde_json::from_str("{\"kind\":\"mi-fgsm\"}").unwrap();
    assert_eq!(bare, AttackConfig::new(AttackKind::MiFgsm, 0.1));
    for config in every_attack() {
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<AttackConfig>(&json).unwrap(), config);
    }
    assert!(serde_json::from_str::<AttackConfig>("{\"eps\":0.1}").is_err());
    assert_eq!(AttackConfig::new(AttackKind::Pgd, 0.2).step_length(), 0.05);
    assert_eq!(
        AttackConfig::new(AttackKind::MiFgsm, 0.2).step_length(),
        0.02
    );
    for kind in AttackKind::ALL {
        assert_eq!(kind.name().parse::<AttackKind>().unwrap(), kind);
    }
}

#[test]
fn bad_input_gets_one_line_that_names_it() {
    let model = network();
    let (x, labels) = batch(&model, 2, 10);
    let config = AttackConfig::default();
    let refuse = |x: &[f32], labels: &[usize], goal, config: &AttackConfig, bounds| {
        let model = model.clone().within(bounds);
        let error = attack(&model, Labelled::new(x, labels), goal, config, 0).unwrap_err();
        let message = error.to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    };
    let untargeted = Goal::Untargeted;
    let mut with_nan = x.clone();
    with_nan[40] = f32::INFINITY;
    assert_eq!(
        refuse(&with_nan, &labels, untargeted, &config, Bounds::UNIT),
        "x: found inf at value 40, expected finite values"
    );
    assert_eq!(
        refuse(&x[..71], &labels, untargeted, &config, Bounds::UNIT),
        "attack: found shape 71 values for 2 labels, expected [1, 6, 6] values a label"
    );
    assert_eq!(
        refuse(&x, &[0, 9], untargeted, &config, Bounds::UNIT),
        "labels: found 9 for sample 1, expected a class below 4"
    );
    assert_eq!(
        refuse(&x, &labels, Goal::Targeted(&[0, 4]), &config, Bounds::UNIT),
        "targets: found 4 for sample 1, expected a class below 4"
    );
    assert_eq!(
        refuse(&x, &labels, Goal::Targeted(&[0]), &config, Bounds::UNIT),
        "targets: found shape 1 classes, expected 2, one a sample"
    );
    assert_eq!(
        refuse(
            &x,
            &labels,
            untargeted,
            &config.with_epsilon(-0.1),
            Bounds::UNIT
        ),
        "epsilon: found -0.1, expected a finite number of at least 0"
    );
    let crossed = Bounds {
        low: 1.0,
        high: 0.0,
    };
    assert_eq!(
        refuse(&x, &labels, untargeted, &config, crossed),
        "bounds: outside its domain"
    );
    let idle = AttackConfig {
        restarts: 3,
        random_start: false,
        ..config
    };
    assert_eq!(
        refuse(&x, &labels, untargeted, &idle, Bounds::UNIT),
        "restarts: found 3 of an attack without random start, expected 1, or pgd with a random start"
    );
}
