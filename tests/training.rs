//! Training: gradients of every regime against an independent computation, and runs that can be
//! interrupted anywhere.

mod common;

use common::mlp::{Mlp, MlpPass};
use sgt_core::{Pcg32, Random};
use sgt_host::Result;
use sgt_host::config::{ConfigDraft, DataKind, RunConfig};
use sgt_host::data::{Bounds, Dataset, TrainTest};
use sgt_host::network::{InputShape, Mode, Model, Parameters, Samples};
use sgt_host::optimizer::LearningRateSchedule;
use sgt_host::run::{self, LATEST, PREVIOUS};
use sgt_host::train::{Checkpoint, Event, Trainer, TrainingData, prepare};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIDE: usize = 4;
const CLASSES: usize = 3;

fn shape() -> InputShape {
    InputShape::Image {
        channels: 1,
        height: SIDE,
        width: SIDE,
    }
}

/// Noise images with one bright row a class.
fn images(samples: usize, seed: u64) -> Dataset {
    let mut rng = Pcg32::new(seed, 3);
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for sample in 0..samples {
        let label = sample % CLASSES;
        labels.push(label);
        for pixel in 0..SIDE * SIDE {
            let bright = if pixel / SIDE == label { 0.4 } else { 0.0 };
            values.push(0.55 * rng.unit() + bright);
        }
    }
    let classes = (0..CLASSES).map(|class| class.to_string()).collect();
    Dataset::new("rows", classes, shape(), values, labels, Some(Bounds::UNIT)).unwrap()
}

fn data() -> TrainingData {
    TrainingData {
        train: images(30, 1),
        validation: Some(images(12, 2)),
    }
}

fn config(settings: &str) -> RunConfig {
    let mut draft = ConfigDraft::new();
    draft.table("test", settings.parse().unwrap()).unwrap();
    draft.finish(DataKind::Image).unwrap()
}

fn network() -> Mlp {
    Mlp::random(shape(), 6, CLASSES, 5).within(Bounds::UNIT)
}

fn finish(trainer: &mut Trainer<'_, Mlp>) {
    while trainer.advance().unwrap() != Event::Finished {}
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The regimes computed the long way: sorting for masks, a plain loop for attacks, `f64` losses.
mod oracle {
    use super::*;

    pub(super) fn logits(model: &Mlp, x: &[f32]) -> Vec<f64> {
        let mut pass = MlpPass::default();
        let logits = model.forward(x, Mode::Evaluation, &mut pass).unwrap();
        logits.iter().map(|&logit| f64::from(logit)).collect()
    }

    pub(super) fn log_softmax(logits: &[f64]) -> Vec<f64> {
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
        logits.iter().map(|z| z - largest - sum.ln()).collect()
    }

    pub(super) fn cross_entropy(model: &Mlp, x: &[f32], label: usize) -> f64 {
        -log_softmax(&logits(model, x))[label]
    }

    pub(super) fn divergence(model: &Mlp, p: &[f32], q: &[f32]) -> f64 {
        let (p, q) = (
            log_softmax(&logits(model, p)),
            log_softmax(&logits(model, q)),
        );
        p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
    }

    /// The input gradient of `Σ weight · logit`.
    fn pull(model: &Mlp, x: &[f32], weights: &[f32]) -> Vec<f32> {
        let mut pass = MlpPass::default();
        model.forward(x, Mode::Evaluation, &mut pass).unwrap();
        let mut dx = vec![0.0; x.len()];
        model
            .backward(&mut pass, weights, Some(&mut dx), None)
            .unwrap();
        dx
    }

    /// The half with the most negative gradient of the true logit set to 0.
    pub(super) fn mask(model: &Mlp, x: &[f32], label: usize) -> Vec<f32> {
        let mut weights = vec![0.0; CLASSES];
        weights[label] = 1.0;
        let gradient = pull(model, x, &weights);
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| gradient[a].total_cmp(&gradient[b]));
        let mut masked = x.to_vec();
        for &place in &order[..x.len() / 2] {
            masked[place] = 0.0;
        }
        masked
    }

    /// Three steps of 0.05 inside the ball of 0.1, without random start.
    pub(super) fn attack(model: &Mlp, x: &[f32], label: usize) -> Vec<f32> {
        let mut adversarial = x.to_vec();
        for _ in 0..3 {
            let p = log_softmax(&logits(model, &adversarial));
            let mut weights: Vec<f32> = p.iter().map(|p| p.exp() as f32).collect();
            weights[label] -= 1.0;
            let gradient = pull(model, &adversarial, &weights);
            for ((value, g), clean) in adversarial.iter_mut().zip(gradient).zip(x) {
                let moved = *value + 0.05 * if g > 0.0 { 1.0 } else { -1.0 };
                *value = moved.clamp(clean - 0.1, clean + 0.1).clamp(0.0, 1.0);
            }
        }
        adversarial
    }
}

/// The regime's loss at `model` with masks and attacks made at `fixed`: they are constants. Every
/// cross-entropy counts its class's weight.
fn loss(
    regime: &str,
    lambda: f64,
    weights: &[f64; CLASSES],
    model: &Mlp,
    fixed: &Mlp,
    data: &Dataset,
) -> f64 {
    use oracle::{attack, divergence, mask};
    let cross_entropy =
        |model: &Mlp, x: &[f32], y: usize| weights[y] * oracle::cross_entropy(model, x, y);
    let losses = (0..data.len()).map(|index| {
        let (x, y) = (data.sample(index), data.labels()[index]);
        let clean = cross_entropy(model, x, y);
        match regime {
            "standard" => clean,
            "sgt" => clean + lambda * divergence(model, x, &mask(fixed, x, y)),
            "adversarial" => clean + cross_entropy(model, &attack(fixed, x, y), y),
            "asgt" => {
                let adversarial = attack(fixed, x, y);
                let masked = mask(fixed, &adversarial, y);
                clean
                    + cross_entropy(model, &adversarial, y)
                    + lambda * divergence(model, &masked, x)
            }
            "sga" => {
                let masked = attack(fixed, &mask(fixed, x, y), y);
                clean + lambda * divergence(model, x, &masked)
            }
            other => panic!("{other}"),
        }
    });
    losses.sum::<f64>() / data.len() as f64
}

#[test]
fn each_regimes_step_follows_the_gradient_of_its_formula() {
    const LAMBDA: f64 = 0.7;
    const STEP: f32 = 1e-2;
    /// Of the central difference in `f32`, and its step.
    const TOLERANCE: f64 = 2e-3;
    const DIFFERENCE: f32 = 1e-2;
    let regimes = ["standard", "sgt", "adversarial", "asgt", "sga"];
    let weights = [
        ("\"none\"", [1.0; CLASSES]),
        ("{ values = [0.5, 3.0, 1.25] }", [0.5, 3.0, 1.25]),
    ];
    for (regime, (named, weights)) in regimes
        .into_iter()
        .flat_map(|regime| weights.map(|weights| (regime, weights)))
    {
        let config = config(&format!(
            r#"
            regime = "{regime}"
            lambda = {LAMBDA}
            masking = {{ score = "true-logit", importance = "signed", policy = "zero", fraction = 0.5 }}
            attack = {{ kind = "pgd", epsilon = 0.1, alpha = 0.05, steps = 3, random-start = false }}
            optimizer = {{ name = "sgd", learning-rate = {STEP} }}
            training = {{ batch = 30, epochs = 1, class-weights = {named} }}
            "#
        ));
        let data = data();
        let before = network();
        let mut trainer = Trainer::new(&config, &data, before.clone()).unwrap();
        let Event::Step { loss: reported, .. } = trainer.advance().unwrap() else {
            panic!("a step comes first");
        };
        let expected = loss(regime, LAMBDA, &weights, &before, &before, &data.train);
        assert!(
            (f64::from(reported) - expected).abs() < 1e-5,
            "{regime}: loss {reported}, expected {expected}"
        );
        let after = trainer.model().parameters().values();
        let values = before.parameters().values();
        for place in (0..values.len()).step_by(7) {
            let found = f64::from((values[place] - after[place]) / STEP);
            let at = |offset: f32| {
                let mut moved = before.clone();
                moved.parameters_mut().values_mut()[place] += offset;
                loss(regime, LAMBDA, &weights, &moved, &before, &data.train)
            };
            let expected = (at(DIFFERENCE) - at(-DIFFERENCE)) / f64::from(2.0 * DIFFERENCE);
            assert!(
                (found - expected).abs() < TOLERANCE,
                "{regime}, parameter {place}: {found}, expected {expected}"
            );
        }
    }
}

/// Counts the forward passes of the network inside.
#[derive(Clone)]
struct Counting {
    inner: Mlp,
    forward: Arc<AtomicUsize>,
    again: Arc<AtomicUsize>,
}

impl Model for Counting {
    type Pass = MlpPass;

    fn input(&self) -> InputShape {
        self.inner.input()
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn bounds(&self) -> Option<Bounds> {
        self.inner.bounds()
    }

    fn forward<'s, 'p>(
        &self,
        samples: impl Into<Samples<'s>>,
        mode: Mode,
        pass: &'p mut MlpPass,
    ) -> Result<&'p [f32]> {
        self.forward.fetch_add(1, Ordering::Relaxed);
        self.inner.forward(samples, mode, pass)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut MlpPass) -> Result<&'p [f32]> {
        self.again.fetch_add(1, Ordering::Relaxed);
        self.inner.forward_again(mode, pass)
    }

    fn backward(
        &self,
        pass: &mut MlpPass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        self.inner.backward(pass, dlogits, dx, gradient)
    }

    fn parameters(&self) -> &Parameters {
        self.inner.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.inner.parameters_mut()
    }
}

#[test]
fn saliency_and_loss_share_their_forward_pass() {
    // An attack of two steps has two passes of its own.
    for (regime, whole, shared) in [
        ("standard", 1, 0),
        ("sgt", 2, 1),
        ("adversarial", 2 + 2, 0),
        ("asgt", 2 + 3, 1),
        ("sga", 2 + 2, 1),
    ] {
        let config = config(&format!(
            "regime = \"{regime}\"\nattack = {{ steps = 2 }}\ntraining = {{ batch = 30 }}"
        ));
        let data = data();
        let (forward, again) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let network = Counting {
            inner: network(),
            forward: Arc::clone(&forward),
            again: Arc::clone(&again),
        };
        Trainer::new(&config, &data, network)
            .unwrap()
            .advance()
            .unwrap();
        let counted = (
            forward.load(Ordering::Relaxed),
            again.load(Ordering::Relaxed),
        );
        assert_eq!(counted, (whole, shared), "{regime}");
    }
}

const WHOLE: &str = r#"
    regime = "asgt"
    seed = 3
    data = { validation = 0.2 }
    masking = { policy = "permute", hard-fraction = 0.1, fraction = { from = 0.2, to = 0.6, epochs = 3 } }
    attack = { epsilon = 0.05, steps = 2 }
    optimizer = { name = "adam", learning-rate = 0.01 }
    training = { batch = 8, epochs = 4, early-stopping = { patience = 2 }, schedule = { name = "linear", last = 0.1 } }
"#;

#[test]
fn restored_after_any_step_it_ends_with_the_same_bits() {
    let config = config(WHOLE);
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let mut whole = Trainer::new(&config, &data, network()).unwrap();
    let mut checkpoints = vec![whole.checkpoint().unwrap()];
    while whole.advance().unwrap() != Event::Finished {
        checkpoints.push(whole.checkpoint().unwrap());
    }
    let expected = whole.checkpoint().unwrap();
    assert!(checkpoints.len() > 10);
    for checkpoint in checkpoints {
        run::save_checkpoint(folder.path(), &checkpoint, None).unwrap();
        let loaded = load(folder.path());
        assert_eq!(loaded, checkpoint);
        // From other weights: nothing may come from the network at hand.
        let other = Mlp::random(shape(), 6, CLASSES, 99).within(Bounds::UNIT);
        let mut resumed = Trainer::new(&config, &data, other).unwrap();
        resumed.restore(loaded).unwrap();
        finish(&mut resumed);
        let found = resumed.checkpoint().unwrap();
        assert_eq!(bits(&found.parameters), bits(&expected.parameters));
        assert_eq!(found, expected);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let data = data();
    let weights = |threads: usize, seed: u64| {
        let config = config(&WHOLE.replace("seed = 3", &format!("seed = {seed}")));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut trainer = Trainer::new(&config, &data, network()).unwrap();
            finish(&mut trainer);
            bits(trainer.into_model().parameters().values())
        })
    };
    assert_eq!(weights(1, 3), weights(3, 3));
    assert_ne!(weights(1, 3), weights(1, 4));
}

#[test]
fn without_weight_the_divergence_changes_nothing() {
    let data = data();
    let weights = |settings: &str| {
        let config = config(settings);
        let mut trainer = Trainer::new(&config, &data, network()).unwrap();
        finish(&mut trainer);
        trainer.into_model().parameters().values().to_vec()
    };
    let standard = weights("regime = \"standard\"");
    let sgt = weights("regime = \"sgt\"\nlambda = 0.0");
    common::assert_close("weights", &sgt, &standard, 1e-6);
    let nothing_masked = weights("regime = \"sgt\"\nmasking = { fraction = 0.0 }");
    common::assert_close("weights", &nothing_masked, &standard, 1e-6);
    assert_ne!(bits(&weights("regime = \"sgt\"")), bits(&standard));
}

#[test]
fn a_last_batch_of_one_sample_is_no_trouble() {
    let config =
        config("masking = { policy = \"permute\" }\ntraining = { batch = 29, epochs = 1 }");
    let data = data();
    let mut trainer = Trainer::new(&config, &data, network()).unwrap();
    finish(&mut trainer);
    let masked = trainer.progress().rows[0].masked;
    assert!((masked - 0.5 * 29.0 / 30.0).abs() < 1e-6, "{masked}");
}

#[test]
fn early_stopping_keeps_the_epoch_with_the_best_validation_loss() {
    let config = config(
        r#"
        regime = "standard"
        data = { validation = 0.2 }
        optimizer = { name = "sgd", learning-rate = 3.0 }
        training = { batch = 8, epochs = 60, early-stopping = { patience = 3 } }
        "#,
    );
    let data = data();
    let mut trainer = Trainer::new(&config, &data, network()).unwrap();
    let mut weights = Vec::new();
    loop {
        match trainer.advance().unwrap() {
            Event::Epoch(_) => weights.push(bits(trainer.model().parameters().values())),
            Event::Finished => break,
            Event::Step { .. } => {}
        }
    }
    let progress = trainer.progress().clone();
    let losses: Vec<f32> = progress
        .rows
        .iter()
        .map(|row| row.validation_loss.unwrap())
        .collect();
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
    let best = best.unwrap();
    assert!(losses.len() < 60, "it never stopped: {losses:?}");
    assert_eq!(losses.len(), best + 1 + 3, "{losses:?}");
    assert_eq!(progress.best.unwrap().epoch, best + 1);
    let kept = trainer.into_model();
    assert_eq!(bits(kept.parameters().values()), weights[best]);
}

#[test]
fn a_diverging_run_stops_with_weights_that_are_still_numbers() {
    let config = config(
        r#"
        regime = "sgt"
        optimizer = { name = "sgd", learning-rate = 1e30 }
        training = { batch = 8 }
        "#,
    );
    let data = data();
    let mut trainer = Trainer::new(&config, &data, network()).unwrap();
    let mut last_good = trainer.checkpoint().unwrap();
    let error = loop {
        match trainer.advance() {
            Ok(_) => match trainer.checkpoint() {
                Ok(checkpoint) => last_good = checkpoint,
                Err(error) => break error,
            },
            Err(error) => break error,
        }
    };
    let error = error.to_string();
    assert!(error.contains("in epoch 1"), "{error}");
    assert!(last_good.parameters.iter().all(|value| value.is_finite()));
}

fn some_checkpoint() -> Checkpoint {
    let config = config(WHOLE);
    let data = data();
    let mut trainer = Trainer::new(&config, &data, network()).unwrap();
    for _ in 0..6 {
        trainer.advance().unwrap();
    }
    trainer.checkpoint().unwrap()
}

#[test]
fn a_damaged_checkpoint_is_refused_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let latest = folder.path().join(LATEST);
    run::save_checkpoint(folder.path(), &some_checkpoint(), None).unwrap();
    let whole = std::fs::read(&latest).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&latest, bytes).unwrap();
        let error = run::load_checkpoint(folder.path()).unwrap_err().to_string();
        assert!(error.contains(LATEST), "{error}");
        assert!(!error.contains('\n'), "{error}");
    };
    for cut in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..cut]);
    }
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for place in (0..header).chain((header..whole.len()).step_by(97)) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        refused(&damaged);
    }
    refused(b"not a checkpoint at all");
}

#[test]
fn the_checkpoint_before_a_damaged_one_is_named_and_usable() {
    let folder = tempfile::tempdir().unwrap();
    let (latest, previous) = (folder.path().join(LATEST), folder.path().join(PREVIOUS));
    let first = some_checkpoint();
    let mut second = first.clone();
    second.parameters[0] += 1.0;
    run::save_checkpoint(folder.path(), &first, None).unwrap();
    run::save_checkpoint(folder.path(), &second, None).unwrap();
    assert_eq!(load(folder.path()), second);
    std::fs::write(&latest, b"garbage").unwrap();
    let error = run::load_checkpoint(folder.path()).unwrap_err().to_string();
    assert!(error.contains(PREVIOUS), "{error}");
    std::fs::rename(&previous, &latest).unwrap();
    assert_eq!(load(folder.path()), first);
}

#[test]
fn a_finished_training_goes_on_when_there_are_more_epochs_and_ends_when_there_are_not() {
    let with_epochs = |epochs: usize| {
        let mut config = config(WHOLE);
        config.training.epochs = epochs;
        config.training.early_stopping = None;
        // A schedule over the whole run is another one in a longer run.
        config.training.schedule = LearningRateSchedule::Constant;
        config
    };
    let (short, long) = (with_epochs(2), with_epochs(4));
    let data = data();
    let finish = |trainer: &mut Trainer<'_, _>| {
        while trainer.advance().unwrap() != Event::Finished {}
        trainer.checkpoint().unwrap()
    };
    let whole = finish(&mut Trainer::new(&long, &data, network()).unwrap());
    let half = finish(&mut Trainer::new(&short, &data, network()).unwrap());
    let mut trainer = Trainer::new(&long, &data, network()).unwrap();
    trainer.restore(half.clone()).unwrap();
    assert_eq!(finish(&mut trainer).parameters, whole.parameters);

    // A state in the middle of the run that is the end of a shorter one.
    let mut unfinished = half.clone();
    unfinished.progress.finished = false;
    let mut trainer = Trainer::new(&short, &data, network()).unwrap();
    trainer.restore(unfinished).unwrap();
    assert_eq!(trainer.advance().unwrap(), Event::Finished);
}

fn load(folder: &Path) -> Checkpoint {
    run::load_checkpoint(folder).unwrap().unwrap().checkpoint
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let data = data();
    let checkpoint = some_checkpoint();
    let config = config(WHOLE);
    let larger = Mlp::random(shape(), 7, CLASSES, 5).within(Bounds::UNIT);
    let mut trainer = Trainer::new(&config, &data, larger).unwrap();
    let error = trainer.restore(checkpoint.clone()).unwrap_err().to_string();
    assert!(error.contains("parameters"), "{error}");

    let other = TrainingData {
        train: images(30, 77),
        ..data.clone()
    };
    let mut trainer = Trainer::new(&config, &other, network()).unwrap();
    let error = trainer.restore(checkpoint.clone()).unwrap_err().to_string();
    assert!(error.contains("SHA-256"), "{error}");

    let sgd = self::config("optimizer = { name = \"sgd\" }");
    let mut trainer = Trainer::new(&sgd, &data, network()).unwrap();
    let error = trainer.restore(checkpoint).unwrap_err().to_string();
    assert!(error.contains("optimizer state"), "{error}");
}

/// The parameters after a run of `settings` on `data`.
fn trained(settings: &str, data: &TrainingData) -> Vec<u32> {
    let config = config(settings);
    let mut trainer = Trainer::new(&config, data, network()).unwrap();
    finish(&mut trainer);
    bits(trainer.model().parameters().values())
}

#[test]
fn weights_of_one_change_no_bit_and_others_do() {
    for regime in ["standard", "sgt", "asgt"] {
        let with = |training: &str| {
            let settings = format!("regime = \"{regime}\"\ntraining = {{ batch = 7, {training} }}");
            trained(&settings, &data())
        };
        let plain = with("epochs = 2");
        assert_eq!(
            plain,
            with("epochs = 2, class-weights = { values = [1, 1, 1] }")
        );
        // The classes of these images are of one size.
        assert_eq!(plain, with("epochs = 2, class-weights = \"balanced\""));
        assert_ne!(
            plain,
            with("epochs = 2, class-weights = { values = [1, 1, 2] }")
        );
        assert_ne!(plain, with("epochs = 2, batches = \"balanced\""));
    }
}

/// Images of which the classes 0, 1 and 2 have 24, 5 and 1.
fn uneven() -> TrainingData {
    let all = images(90, 1);
    let mut left = [24, 5, 1];
    let places: Vec<usize> = (0..all.len())
        .filter(|&place| {
            let left = &mut left[all.labels()[place]];
            *left -= i32::from(*left >= 0);
            *left >= 0
        })
        .collect();
    TrainingData {
        train: all.subset(&places).unwrap(),
        validation: None,
    }
}

#[test]
fn balanced_batches_can_be_interrupted_anywhere() {
    let settings = "training = { batch = 6, epochs = 2, batches = \"balanced\" }";
    let (config, data) = (config(settings), uneven());
    let expected = trained(settings, &data);
    let mut trainer = Trainer::new(&config, &data, network()).unwrap();
    for _ in 0..7 {
        trainer.advance().unwrap();
    }
    let checkpoint = trainer.checkpoint().unwrap();
    let mut other = Trainer::new(&config, &data, network()).unwrap();
    other.restore(checkpoint).unwrap();
    finish(&mut other);
    assert_eq!(bits(other.model().parameters().values()), expected);
}

#[test]
fn balanced_weights_are_those_of_the_training_parts_classes() {
    let data = uneven();
    assert_eq!(data.train.class_counts(), [24, 5, 1]);
    let run = |weights: &str| {
        trained(
            &format!("training = {{ epochs = 1, batch = 30, class-weights = {weights} }}"),
            &data,
        )
    };
    let by_hand = [24.0, 5.0, 1.0].map(|count| 30.0_f32 / (3.0 * count));
    let by_hand = format!("{{ values = {by_hand:?} }}");
    assert_eq!(run("\"balanced\""), run(&by_hand));
    assert_ne!(run("\"balanced\""), run("\"none\""));
}

#[test]
fn one_class_alone_and_weights_of_other_classes_are_refused() {
    let all = images(30, 1);
    let of_class = |class| {
        let places = (0..all.len()).filter(|place| place % CLASSES == class);
        all.subset(&places.collect::<Vec<_>>()).unwrap()
    };
    let (train, test) = (of_class(1), all.clone());
    let refused = prepare(TrainTest { train, test }, &config("").data, 0).map(drop);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "rows: found training samples of class 1 alone, expected those of two classes or more"
    );
    let weights = config("training = { class-weights = { values = [1, 2] } }");
    let data = data();
    let refused = Trainer::new(&weights, &data, network()).map(drop);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "training.class-weights: found 2 values, expected one for each of the 3 classes"
    );
}
