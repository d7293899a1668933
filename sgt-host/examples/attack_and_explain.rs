//! Weights on the disk, loaded, attacked, explained and evaluated.
//!
//! ```text
//! cargo run --release -p sgt-host --example attack_and_explain [WEIGHTS]
//! ```
//!
//! Without weights a small network is trained on the embedded recordings first.

use sgt_host::attack::{AttackConfig, AttackKind, Goal, attack};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::config::{DataKind, RunConfig};
use sgt_host::data::Batch;
use sgt_host::evaluation::{EvaluationConfig, evaluate};
use sgt_host::network::Model;
use sgt_host::run::{Session, Trained};
use std::path::{Path, PathBuf};

fn main() -> sgt_host::Result<()> {
    let session = session()?;
    let path = match std::env::args().nth(1) {
        Some(path) => PathBuf::from(path),
        None => train(&session)?,
    };
    let trained = Trained::read(&path, None, &[])?;
    let classifier = &trained.model;

    let test = session.test();
    let mut batch = Batch::new();
    let places: Vec<usize> = (0..test.len()).collect();
    batch.fill(test, &places, classifier.input())?;
    let batch = batch.labelled();

    let pgd = AttackConfig::new(AttackKind::Pgd, 0.2);
    let adversarial = attack(classifier, batch, Goal::Untargeted, &pgd, 0)?;
    println!(
        "PGD at 0.2 succeeds on {:.2} of the samples",
        adversarial.success_rate()
    );

    let method = Method::named("integrated-gradients")?;
    let map = attribute(classifier, batch, &method, &Settings::default())?;
    let first = &map.values[..classifier.input().len()];
    let largest = first
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    println!("largest attribution of the first sample: {largest:.4}");

    let what = EvaluationConfig {
        attacks: vec![pgd],
        methods: vec![method],
        ..EvaluationConfig::quick(DataKind::Series)
    };
    let found = evaluate(classifier, test, &what)?;
    println!("accuracy {:.3}", found.accuracy);
    for point in &found.robustness[0].points {
        println!("  under PGD at {}: {:.3}", point.epsilon, point.accuracy);
    }
    println!(
        "sparseness of the maps (Gini): {:.3}",
        found.maps[0].sparseness
    );
    Ok(())
}

fn session() -> sgt_host::Result<Session> {
    let mut config = RunConfig::defaults(DataKind::Series);
    config.training.epochs = 20;
    Session::new(config)
}

/// Trains and writes a run's weights.
fn train(session: &Session) -> sgt_host::Result<PathBuf> {
    let classifier = session.train(|_| {})?;
    let path = std::env::temp_dir().join("attack_and_explain.safetensors");
    session.save(&path, &classifier)?;
    println!("trained weights in {}", Path::display(&path));
    Ok(path)
}
