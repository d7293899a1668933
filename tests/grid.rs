//! A small grid of regimes, shares and policies on the embedded sensor data, under snapshot.
//!
//! The network is the tests' own, plain loops without platform kernels, and numbers are rounded,
//! so that every x86-64 machine gives the same table.

mod common;

use common::mlp::Mlp;
use sgt_host::config::{ConfigDraft, DataKind};
use sgt_host::data::{Length, embedded};
use sgt_host::train::{Event, Trainer, prepare, quality};
use std::fmt::Write;

const REGIMES: [&str; 5] = ["standard", "sgt", "adversarial", "asgt", "sga"];
const FRACTIONS: [f64; 3] = [0.1, 0.5, 0.9];
const POLICIES: [&str; 3] = ["uniform", "zero", "permute"];

#[test]
fn regime_by_share_by_policy() {
    let data = embedded::basic_motions(Length::default()).unwrap();
    let mut table =
        String::from("regime       k    policy    masked  divergence  train %  test %\n");
    for regime in REGIMES {
        // Regimes that mask nothing have one row.
        let masks = !matches!(regime, "standard" | "adversarial");
        let fractions = if masks {
            &FRACTIONS[..]
        } else {
            &FRACTIONS[..1]
        };
        let policies = if masks { &POLICIES[..] } else { &POLICIES[..1] };
        for fraction in fractions {
            for policy in policies {
                let mut draft = ConfigDraft::new();
                draft.set("regime", regime);
                draft.set("seed", 11);
                draft.set("masking.fraction", *fraction);
                draft.set("masking.policy", *policy);
                draft.set("attack.epsilon", 0.1);
                draft.set("attack.steps", 2);
                draft.set("training.epochs", 8);
                draft.set("optimizer.learning-rate", 0.01);
                let config = draft.finish(DataKind::Series).unwrap();
                let prepared = prepare(data.clone(), &config.data, config.seed).unwrap();
                let network = Mlp::random(prepared.test.shape(), 8, 4, 11);
                let mut trainer = Trainer::new(&config, &prepared.training, network).unwrap();
                while trainer.advance().unwrap() != Event::Finished {}
                let row = trainer.progress().rows.last().unwrap().clone();
                let model = trainer.into_model();
                let percent = |part| (100.0 * quality(&model, part).unwrap().accuracy).round();
                let _ = writeln!(
                    table,
                    "{regime:<12} {:<4} {:<9} {:>6.2} {:>11.1} {:>8} {:>7}",
                    if masks {
                        fraction.to_string()
                    } else {
                        "–".into()
                    },
                    if masks { *policy } else { "–" },
                    row.masked,
                    row.divergence,
                    percent(&prepared.training.train),
                    percent(&prepared.test),
                );
            }
        }
    }
    insta::assert_snapshot!(table);
}
