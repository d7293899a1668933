//! Optimizers against `PyTorch`'s steps, against dfdx's own, and their bookkeeping.

use dfdx::optim::{self, Momentum, WeightDecay};
use dfdx::prelude::*;
use safetensors::SafeTensors;
use sgt_host::Error;
use sgt_host::network::Parameters;
use sgt_host::optimizer::{
    Adadelta, GradientClipping, LearningRateSchedule, Optimizer, OptimizerConfig, RmsProp, Sgd,
};

const GOLDEN: &[u8] = include_bytes!("golden/optimizers.safetensors");
const STEPS: usize = 5;
/// Largest relative difference to `PyTorch` after any of the five steps.
const GOLDEN_TOLERANCE: f32 = 2e-6;
/// Largest relative difference to dfdx's optimizers after twenty steps.
const DFDX_TOLERANCE: f32 = 1e-5;

fn golden(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(GOLDEN).unwrap();
    let bytes = file.tensor(name).unwrap().data();
    let (values, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    values.iter().map(|&v| f32::from_le_bytes(v)).collect()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let scale = e.abs().max(1.0);
        assert!(
            (f - e).abs() <= tolerance * scale,
            "{what}, value {index}: found {f}, expected {e}"
        );
    }
}

/// Each golden case: its name in the file, its rule as configuration text, its clipping.
fn cases() -> Vec<(&'static str, &'static str, GradientClipping)> {
    let none = GradientClipping::None;
    vec![
        ("sgd", r#"{"name":"sgd","learning-rate":0.1}"#, none),
        (
            "sgd-momentum",
            r#"{"name":"sgd","learning-rate":0.1,"momentum":0.9,"weight-decay":0.01}"#,
            none,
        ),
        (
            "sgd-nesterov",
            r#"{"name":"sgd","learning-rate":0.1,"momentum":0.9,"nesterov":true}"#,
            none,
        ),
        ("adam", r#"{"name":"adam"}"#, none),
        (
            "adam-decay",
            r#"{"name":"adam","learning-rate":0.01,"betas":[0.8,0.99],"epsilon":1e-6,"weight-decay":0.1}"#,
            none,
        ),
        (
            "adamw",
            r#"{"name":"adam","learning-rate":0.01,"weight-decay":0.1,"decoupled":true}"#,
            none,
        ),
        ("rmsprop", r#"{"name":"rmsprop"}"#, none),
        (
            "rmsprop-centered",
            r#"{"name":"rmsprop","learning-rate":0.02,"alpha":0.9,"weight-decay":0.01,"momentum":0.5,"centered":true}"#,
            none,
        ),
        ("adadelta", r#"{"name":"adadelta"}"#, none),
        (
            "adadelta-decay",
            r#"{"name":"adadelta","learning-rate":0.5,"rho":0.8,"weight-decay":0.05}"#,
            none,
        ),
        (
            "clip-norm",
            r#"{"name":"sgd","learning-rate":0.1}"#,
            GradientClipping::GlobalNorm { maximum: 1.0 },
        ),
        (
            "clip-value",
            r#"{"name":"sgd","learning-rate":0.1}"#,
            GradientClipping::Value { limit: 0.5 },
        ),
    ]
}

fn optimizer(text: &str, clipping: GradientClipping, count: usize) -> Optimizer {
    let config: OptimizerConfig = serde_json::from_str(text).unwrap();
    let optimizer = Optimizer::new(config, count).unwrap();
    optimizer.with_clipping(clipping).unwrap()
}

#[test]
fn every_rule_takes_pytorchs_steps() {
    for (name, text, clipping) in cases() {
        let mut values = golden("values");
        let mut optimizer = optimizer(text, clipping, values.len());
        for step in 0..STEPS {
            let gradient = golden(&format!("gradient.{step}"));
            optimizer.step(&mut values, &gradient).unwrap();
            let expected = golden(&format!("{name}.{step}"));
            let what = format!("{name}, step {step}");
            assert_close(&values, &expected, GOLDEN_TOLERANCE, &what);
        }
    }
}

type Mlp = (
    modules::Linear<4, 8, f32, Cpu>,
    ReLU,
    modules::Linear<8, 3, f32, Cpu>,
);

fn flat_parameters(model: &Mlp) -> Vec<f32> {
    let tensors = [
        model.0.weight.as_vec(),
        model.0.bias.as_vec(),
        model.2.weight.as_vec(),
        model.2.bias.as_vec(),
    ];
    tensors.concat()
}

fn flat_gradients(model: &Mlp, gradients: &Gradients<f32, Cpu>) -> Vec<f32> {
    let tensors = [
        gradients.get(&model.0.weight).as_vec(),
        gradients.get(&model.0.bias).as_vec(),
        gradients.get(&model.2.weight).as_vec(),
        gradients.get(&model.2.bias).as_vec(),
    ];
    tensors.concat()
}

fn set_parameters(model: &mut Mlp, values: &[f32]) {
    let (weight, rest) = values.split_at(4 * 8);
    let (bias, rest) = rest.split_at(8);
    model.0.weight.copy_from(weight);
    model.0.bias.copy_from(bias);
    let (weight, bias) = rest.split_at(8 * 3);
    model.2.weight.copy_from(weight);
    model.2.bias.copy_from(bias);
}

/// Trains a small dfdx network with both optimizers and compares all parameters.
fn compare_with_dfdx<O: optim::Optimizer<Mlp, Cpu, f32>>(
    make: impl Fn(&Mlp) -> O,
    config: OptimizerConfig,
    prepare: impl Fn(&mut Optimizer),
) {
    let device = Cpu::seed_from_u64(3);
    let mut theirs: Mlp = BuildModule::build(&device);
    let mut ours = theirs.clone();
    let mut their_optimizer = make(&theirs);
    let mut our_optimizer = Optimizer::new(config, theirs.num_trainable_params()).unwrap();
    prepare(&mut our_optimizer);
    let before = flat_parameters(&theirs);
    let mut found = before.clone();
    for _ in 0..20 {
        let x: Tensor<Rank2<5, 4>, f32, Cpu> = device.sample_normal();
        let target: Tensor<Rank2<5, 3>, f32, Cpu> = device.sample_normal();
        let loss = |model: &Mlp| {
            let y = model.forward(x.leaky_trace());
            mse_loss(y, target.clone()).backward()
        };
        let gradients = loss(&theirs);
        their_optimizer.update(&mut theirs, &gradients).unwrap();
        let gradients = flat_gradients(&ours, &loss(&ours));
        our_optimizer.step(&mut found, &gradients).unwrap();
        set_parameters(&mut ours, &found);
    }
    let expected = flat_parameters(&theirs);
    assert_ne!(before, expected, "dfdx's optimizer didn't move");
    assert_close(&found, &expected, DFDX_TOLERANCE, "after 20 steps");
}

#[test]
fn sgd_agrees_with_dfdxs() {
    for nesterov in [false, true] {
        let momentum = if nesterov {
            Momentum::Nesterov(0.9)
        } else {
            Momentum::Classic(0.9)
        };
        let cfg = SgdConfig {
            lr: 0.05,
            momentum: Some(momentum),
            weight_decay: Some(WeightDecay::L2(0.01)),
        };
        let rule = Sgd {
            learning_rate: 0.05,
            momentum: 0.9,
            nesterov,
            weight_decay: 0.01,
        };
        compare_with_dfdx(
            |model| optim::Sgd::new(model, cfg),
            OptimizerConfig::Sgd(rule),
            |_| {},
        );
    }
}

#[test]
fn adam_agrees_with_dfdxs() {
    for decoupled in [false, true] {
        let decay = if decoupled {
            WeightDecay::Decoupled(0.05)
        } else {
            WeightDecay::L2(0.05)
        };
        let cfg = AdamConfig {
            lr: 0.01,
            weight_decay: Some(decay),
            ..AdamConfig::default()
        };
        let rule = sgt_host::optimizer::Adam {
            learning_rate: 0.01,
            weight_decay: 0.05,
            decoupled,
            ..Default::default()
        };
        compare_with_dfdx(
            |model| optim::Adam::new(model, cfg),
            OptimizerConfig::Adam(rule),
            |_| {},
        );
    }
}

#[test]
fn rmsprop_agrees_with_dfdxs_from_its_start_at_one() {
    let cfg = RMSpropConfig {
        lr: 0.01,
        alpha: 0.9,
        eps: 1e-12,
        momentum: Some(0.5),
        centered: true,
        weight_decay: Some(WeightDecay::L2(0.01)),
    };
    let rule = RmsProp {
        learning_rate: 0.01,
        alpha: 0.9,
        epsilon: 0.0,
        momentum: 0.5,
        centered: true,
        weight_decay: 0.01,
    };
    compare_with_dfdx(
        |model| optim::RMSprop::new(model, cfg),
        OptimizerConfig::RmsProp(rule),
        |optimizer| {
            let mut state = optimizer.state().clone();
            assert_eq!(state.slots[0].name, "square-average");
            state.slots[0].values.fill(1.0);
            optimizer.restore(state).unwrap();
        },
    );
}

/// Values and gradients long enough for several tasks.
fn long_vectors() -> (Vec<f32>, Vec<Vec<f32>>) {
    let wave = |phase: f32| (0..50_001).map(move |i| (i as f32 * 0.37 + phase).sin());
    let gradients = (1..=4).map(|step| wave(step as f32 * 1.7).collect());
    (wave(0.0).collect(), gradients.collect())
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    for (name, text, clipping) in cases() {
        let (mut values, gradients) = long_vectors();
        let mut first = optimizer(text, clipping, values.len());
        for gradient in &gradients[..2] {
            first.step(&mut values, gradient).unwrap();
        }
        let mut resumed = values.clone();
        let mut second = optimizer(text, clipping, values.len());
        second.restore(first.state().clone()).unwrap();
        for gradient in &gradients[2..] {
            first.step(&mut values, gradient).unwrap();
            second.step(&mut resumed, gradient).unwrap();
        }
        assert_eq!(values, resumed, "{name}");
        assert_eq!(first, second, "{name}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize, text: &str, clipping| {
        let pool = rayon_pool(threads);
        pool.install(|| {
            let (mut values, gradients) = long_vectors();
            let mut optimizer = optimizer(text, clipping, values.len());
            for gradient in &gradients {
                optimizer.step(&mut values, gradient).unwrap();
            }
            values
        })
    };
    for (name, text, clipping) in cases() {
        assert_eq!(run(1, text, clipping), run(3, text, clipping), "{name}");
    }
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().unwrap()
}

#[test]
fn running_statistics_are_left_alone_and_out_of_the_norm() {
    let mut parameters = Parameters::new();
    parameters.push("weight", vec![3], true);
    parameters.push("running_mean", vec![2], false);
    parameters.push("bias", vec![1], true);
    parameters.values_mut().fill(1.0);
    let gradient = [3.0, 0.0, 0.0, 100.0, f32::NAN, 4.0];
    let config = OptimizerConfig::Sgd(Sgd {
        learning_rate: 1.0,
        weight_decay: 0.5,
        ..Sgd::default()
    });
    let mut optimizer = Optimizer::new(config, parameters.values().len()).unwrap();
    let norm = optimizer.step_parameters(&mut parameters, &gradient);
    assert_eq!(norm.unwrap(), 5.0);
    assert_eq!(parameters.values(), [-2.5, 0.5, 0.5, 1.0, 1.0, -3.5]);
}

#[test]
fn the_multiplier_scales_the_step() {
    let mut values = [1.0, -2.0];
    let config = OptimizerConfig::Sgd(Sgd {
        learning_rate: 0.5,
        ..Sgd::default()
    });
    let mut optimizer = Optimizer::new(config, 2).unwrap();
    optimizer.set_multiplier(0.25);
    optimizer.step(&mut values, &[8.0, 16.0]).unwrap();
    assert_eq!(values, [0.0, -4.0]);
}

#[test]
fn refused_steps_touch_nothing() {
    let config = OptimizerConfig::Adadelta(Adadelta::default());
    let mut optimizer = Optimizer::new(config, 2).unwrap();
    let before = optimizer.clone();
    let mut values = [1.0, 2.0];
    for gradient in [
        &[0.0][..],
        &[0.0; 3],
        &[0.0, f32::NAN],
        &[f32::INFINITY, 0.0],
    ] {
        let error = optimizer.step(&mut values, gradient).unwrap_err();
        let expected = gradient.len() == 2;
        assert_eq!(matches!(error, Error::Numerical(_)), expected, "{error}");
        assert_eq!(values, [1.0, 2.0]);
        assert_eq!(optimizer, before);
    }
}

#[test]
fn a_foreign_state_is_refused() {
    let adam = Optimizer::new(OptimizerConfig::default(), 2).unwrap();
    let mut sgd = Optimizer::new(OptimizerConfig::Sgd(Sgd::default()), 2).unwrap();
    let error = sgd.restore(adam.state().clone()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "optimizer state: found [first-moment [2], second-moment [2]], expected []"
    );
    let mut longer = Optimizer::new(OptimizerConfig::default(), 3).unwrap();
    assert!(longer.restore(adam.state().clone()).is_err());
}

#[test]
fn constants_out_of_their_domain_are_named() {
    let refused = [
        (
            r#"{"name":"sgd","learning-rate":-1.0}"#,
            "optimizer.learning-rate",
        ),
        (r#"{"name":"sgd","nesterov":true}"#, "optimizer.momentum"),
        (r#"{"name":"sgd","momentum":1.0}"#, "optimizer.momentum"),
        (r#"{"name":"adam","betas":[0.9,1.0]}"#, "optimizer.betas[1]"),
        (r#"{"name":"rmsprop","alpha":-0.1}"#, "optimizer.alpha"),
        (r#"{"name":"adadelta","epsilon":0.0}"#, "optimizer.epsilon"),
    ];
    for (text, key) in refused {
        let config: OptimizerConfig = serde_json::from_str(text).unwrap();
        let error = Optimizer::new(config, 1).unwrap_err().to_string();
        assert!(error.starts_with(key), "{text}: {error}");
    }
    let unknown = r#"{"name":"adam","learning_rate":0.1}"#;
    assert!(serde_json::from_str::<OptimizerConfig>(unknown).is_err());
    let optimizer = Optimizer::new(OptimizerConfig::default(), 1).unwrap();
    let clipping = GradientClipping::GlobalNorm { maximum: 0.0 };
    assert!(optimizer.with_clipping(clipping).is_err());
}

#[test]
fn configurations_survive_being_written() {
    for (name, text, _) in cases() {
        let config: OptimizerConfig = serde_json::from_str(text).unwrap();
        let written = serde_json::to_string(&config).unwrap();
        let read: OptimizerConfig = serde_json::from_str(&written).unwrap();
        assert_eq!(config, read, "{name}");
    }
}

#[test]
fn schedules_start_and_end_where_they_say() {
    let schedule = |text: &str| -> LearningRateSchedule {
        let schedule: LearningRateSchedule = serde_json::from_str(text).unwrap();
        schedule.check().unwrap();
        schedule
    };
    assert_eq!(LearningRateSchedule::default().multiplier(7, 10), 1.0);
    let linear = schedule(r#"{"name":"linear","last":0.2}"#);
    assert_eq!(linear.multiplier(0, 10), 1.0);
    assert!((linear.multiplier(5, 10) - 0.6).abs() < 1e-12);
    assert!((linear.multiplier(10, 10) - 0.2).abs() < 1e-12);
    let cosine = schedule(r#"{"name":"cosine","last":0.1,"warm-up":0.2}"#);
    assert!((cosine.multiplier(0, 10) - 0.5).abs() < 1e-12);
    assert!((cosine.multiplier(2, 10) - 1.0).abs() < 1e-12);
    assert!((cosine.multiplier(6, 10) - 0.55).abs() < 1e-12);
    assert!((cosine.multiplier(10, 10) - 0.1).abs() < 1e-12);
    let step = schedule(r#"{"name":"step","every":0.5,"factor":0.1}"#);
    assert_eq!(step.multiplier(4, 10), 1.0);
    assert!((step.multiplier(5, 10) - 0.1).abs() < 1e-12);
    for text in [
        r#"{"name":"linear","last":-1.0}"#,
        r#"{"name":"cosine","last":0.0,"warm-up":1.0}"#,
        r#"{"name":"step","every":0.0,"factor":0.5}"#,
    ] {
        let schedule: LearningRateSchedule = serde_json::from_str(text).unwrap();
        assert!(schedule.check().is_err(), "{text}");
    }
}
