//! `DeepLIFT` is complete through every layer: the contributions of a sample's values add up to the
//! change of its logits.

#[path = "common/descriptions.rs"]
mod descriptions;
#[path = "common/tolerance.rs"]
mod tolerance;

use descriptions::{BATCH, CLASSES, Small, small_networks};
use sgt_core::{Pcg32, Random};
use sgt_host::network::{Mode, Model, Network, NetworkPass, Rescaling, Samples};

fn random(len: usize, stream: u64) -> Vec<f32> {
    let mut random = Pcg32::new(31, stream);
    (0..len).map(|_| 2.0 * random.unit() - 1.0).collect()
}

/// `Σ m · (x − reference)`, `Σ dlogits · (f(x) − f(reference))` and `Σ |m · (x − reference)|` of
/// every sample.
fn sums(small: &Small, rules: Rescaling) -> Vec<[f64; 3]> {
    let network = Network::new(&small.description, 9).unwrap();
    let valid = small.valid();
    let sample = network.input().len();
    let (x, reference) = (random(BATCH * sample, 1), random(BATCH * sample, 2));
    let dlogits = random(BATCH * CLASSES, 3);
    let samples = |x| Samples { x, valid: &valid };
    let mut multipliers = vec![f32::NAN; x.len()];
    network
        .multipliers(samples(&x), &reference, &dlogits, rules, &mut multipliers)
        .unwrap();
    let mut pass = NetworkPass::default();
    let mut logits = |x| {
        let logits = network.forward(samples(x), Mode::Evaluation, &mut pass);
        logits.unwrap().to_vec()
    };
    let (at_x, at_reference) = (logits(&x), logits(&reference));
    let wide = |value: f32| f64::from(value);
    (0..BATCH)
        .map(|row| {
            let places = row * sample..(row + 1) * sample;
            let contributions =
                places.map(|at| wide(multipliers[at]) * (wide(x[at]) - wide(reference[at])));
            let logits = row * CLASSES..(row + 1) * CLASSES;
            let change =
                logits.map(|at| wide(dlogits[at]) * (wide(at_x[at]) - wide(at_reference[at])));
            [
                contributions.clone().sum(),
                change.sum(),
                contributions.map(f64::abs).sum(),
            ]
        })
        .collect()
}

#[test]
fn contributions_add_up_to_the_change_of_the_logits() {
    let mut wrong = Vec::new();
    for small in small_networks() {
        for [found, expected, magnitude] in sums(&small, Rescaling::Complete) {
            let gap = (found - expected).abs() / magnitude;
            if gap.is_nan() || gap > tolerance::COMPLETE {
                wrong.push(format!("{}: {found}, expected {expected}", small.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn captums_rules_differ_in_recurrent_layers_and_attention_alone() {
    for small in small_networks() {
        let own = ["lstm", "input-cell-lstm", "self-attention"];
        let differs = own.iter().any(|kind| small.has(kind));
        let [complete, captum] = [Rescaling::Complete, Rescaling::AsCaptum].map(|rules| {
            let sums = sums(&small, rules);
            sums.iter().map(|[found, ..]| *found).collect::<Vec<_>>()
        });
        assert_eq!(complete != captum, differs, "{}", small.name);
    }
}
