//! The core's network on any table of layers, parameters and window: refused with every output
//! untouched, or the naive network's logits where the numbers are tame; a step changes the
//! parameters or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::network::{
    Adam, Labelled, Learner, Network, Parameters, SaliencyGuided, Score, Sgd, SgtScratch,
};
use sgt_core::{Group, Layout, Masking, Order, Pcg32};
use sgt_fuzz::tables::{self, Choices};
use sgt_fuzz::{Bytes, UNTOUCHED, assert_untouched, oracle};

/// Values of the largest network that is run.
const LARGEST: usize = 1 << 14;
/// Parameters and inputs whose logits are compared: products stay within range and cancel little.
const TAME: f32 = 4.0;

const SCORES: [Score; 4] = [
    Score::TrueLogit,
    Score::TrueLogProb,
    Score::PredictedLogit,
    Score::Loss,
];

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let choices = std::iter::from_fn(|| Some(u32::from(bytes.byte())));
    let (input, layers) = Choices(choices).table();
    let network = match Network::new(input, &layers) {
        Ok(network) => {
            let fits = tables::shapes(input, &layers).is_none() || tables::fits(input, &layers);
            assert!(fits, "{input:?} {layers:?}");
            network
        }
        Err(error) => {
            let fits = tables::fits(input, &layers) && !tables::is_huge(&layers);
            assert!(!fits, "{error}: {input:?} {layers:?}");
            return;
        }
    };
    if network.sgt_len().max(network.parameter_len()) > LARGEST {
        return;
    }
    let seed: Vec<f32> = (0..16).map(|_| bytes.float()).collect();
    // A few values from the input, again and again with signs and sizes of their own.
    let mut drawn = Pcg32::new(u64::from(bytes.word()), 0);
    let mut values = |len: usize| -> Vec<f32> {
        let mut draw = || sgt_core::Random::below(&mut drawn, 16) as usize;
        (0..len)
            .map(|_| seed[draw()] * (draw() as f32 - 7.5) / 8.0)
            .collect()
    };
    let mut parameters = values(network.parameter_len());
    let x = values(bytes.length(network.input_len()));
    let label = bytes.below(network.classes() + 1);
    let mut logits = vec![UNTOUCHED; bytes.length(network.classes())];
    let mut scratch = vec![0.0; bytes.length(network.sgt_len())];

    let all = Parameters::all(&parameters);
    match network.infer(all, &x, &mut scratch, &mut logits) {
        Err(_) => assert_untouched(&logits),
        Ok(()) => {
            let tame = |values: &[f32]| values.iter().all(|value| value.abs() <= TAME);
            if tame(&parameters) && tame(&x) && layers.len() <= 4 {
                let (wide, x) = (oracle::wide(&parameters), oracle::wide(&x));
                let expected = tables::logits(input, &layers, &wide, &x);
                // Bounds each product's rounding by the largest value that a layer may reach.
                let terms = network.parameter_len() as f64 + 16.0;
                let reach = (f64::from(TAME) * terms).powi(layers.len() as i32 + 1);
                for (&found, expected) in logits.iter().zip(expected) {
                    let slack = f64::from(f32::EPSILON) * reach;
                    assert!(
                        (f64::from(found) - expected).abs() <= slack,
                        "{found}, {expected}"
                    );
                }
            }
        }
    }
    let mut saliency = vec![UNTOUCHED; x.len()];
    let mut again = vec![UNTOUCHED; logits.len()];
    for score in SCORES {
        again.fill(UNTOUCHED);
        saliency.fill(UNTOUCHED);
        let (logits_out, saliency_out) = (&mut again[..], &mut saliency[..]);
        match network.saliency(
            all,
            &x,
            score,
            label,
            &mut scratch,
            logits_out,
            saliency_out,
        ) {
            Err(_) => {
                assert_untouched(&again);
                assert_untouched(&saliency);
            }
            Ok(()) => assert_eq!(again, logits, "the two forward passes"),
        }
    }

    let layout = Layout::new(
        input.positions,
        input.channels,
        Order::ChannelsLast,
        Group::Cell,
        sgt_core::Reduction::Mean,
    );
    let masking = Masking {
        fraction: bytes.float(),
        policy: bytes.policy(),
        ..Masking::reference(layout.expect("a network's input"))
    };
    let guided = SaliencyGuided {
        score: SCORES[bytes.below(SCORES.len())],
        lambda: bytes.float(),
        ..SaliencyGuided::new(masking)
    };
    let count = network.trained_len(bytes.below(4));
    let cut = network.parameter_len() - bytes.length(count).min(network.parameter_len());
    let (frozen, trained) = parameters.split_at_mut(cut);
    let before = trained.to_vec();
    let mut gradient = vec![0.0; trained.len()];
    let mut state = vec![0.0; 2 * trained.len()];
    let example = Labelled { input: &x, label };
    let mut rng = Pcg32::new(1, 0);
    let mut indices = vec![0_u16; bytes.length(guided.indices_len())];
    if bytes.flag() {
        let mut learner = Learner {
            frozen,
            trained,
            gradient: &mut gradient,
            optimizer: Adam::new(bytes.float()),
            state: &mut state,
        };
        let mut scratch = SgtScratch {
            values: &mut scratch,
            indices: &mut indices,
        };
        let done = network.sgt_step(&mut learner, example, &guided, &mut rng, &mut scratch);
        if done.is_err() {
            assert!(same(learner.trained, &before));
            assert!(learner.state.iter().all(|&value| value == 0.0));
        }
    } else {
        let mut learner = Learner {
            frozen,
            trained,
            gradient: &mut gradient,
            optimizer: Sgd::new(bytes.float()),
            state: &mut [],
        };
        let done = network.standard_step(&mut learner, example, &mut scratch);
        if done.is_err() {
            assert!(same(learner.trained, &before));
        }
    }
});

/// Equal bits: a NaN is not equal to itself.
fn same(a: &[f32], b: &[f32]) -> bool {
    let bits = |values: &[f32]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    bits(a) == bits(b)
}
