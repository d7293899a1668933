//! The core's LSTM network against PyTorch: logits, saliency, and the whole guided gradient of a
//! batch, one call a window.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use sgt_core::network::{
    Dense, Labelled, Layer, Lstm, Network, Parameters, SaliencyGuided, Score, SgtScratch, Shape,
};
use sgt_core::{Group, Importance, Layout, Masking, Order, Pcg32, Policy};
use tolerance::{GOLDEN, assert_close};

const STEPS: usize = 100;
const CHANNELS: usize = 6;
const WINDOW: usize = STEPS * CHANNELS;
const CLASSES: usize = 4;
const LAYERS: [Layer; 2] = [
    Layer::Lstm(Lstm { hidden: 64 }),
    Layer::Dense(Dense { outputs: CLASSES }),
];
/// PyTorch's names, in the order of the core's parameters.
const TENSORS: [&str; 6] = [
    "lstm.weight_ih_l0",
    "lstm.weight_hh_l0",
    "lstm.bias_ih_l0",
    "lstm.bias_hh_l0",
    "fc.weight",
    "fc.bias",
];

#[test]
fn an_lstm_is_that_of_pytorch() {
    let (weights, cases) = golden::golden("sensor-lstm").expect("a golden file of this repository");
    let network = Network::new(Shape::series(STEPS, CHANNELS), &LAYERS).unwrap();
    let parameters: Vec<f32> = TENSORS
        .iter()
        .flat_map(|name| weights[*name].1.clone())
        .collect();
    assert_eq!(parameters.len(), network.parameter_len());
    let layout = Layout::series(STEPS, CHANNELS, Order::ChannelsLast, Group::Cell).unwrap();
    // As the golden file's `masked_zero_k50`.
    let guided = SaliencyGuided::new(Masking {
        importance: Importance::Absolute,
        policy: Policy::Zero,
        ..Masking::reference(layout)
    });
    let labels = &cases["y"].1;
    let windows = cases["x"].1.chunks_exact(WINDOW);
    let (mut all_logits, mut saliencies) = (Vec::new(), Vec::new());
    let mut gradient = vec![0.0; network.parameter_len()];
    let (mut values, mut indices) = (vec![0.0; network.sgt_len()], vec![0_u16; WINDOW]);
    for (input, &label) in windows.zip(labels) {
        let label = label as usize;
        let (mut logits, mut saliency) = ([0.0; CLASSES], [0.0; WINDOW]);
        let all = Parameters::all(&parameters);
        network
            .saliency(
                all,
                input,
                Score::TrueLogit,
                label,
                &mut values,
                &mut logits,
                &mut saliency,
            )
            .unwrap();
        all_logits.extend(logits);
        saliencies.extend(saliency);
        let trained = Parameters {
            frozen: &[],
            trained: &parameters,
        };
        let mut scratch = SgtScratch {
            values: &mut values,
            indices: &mut indices,
        };
        network
            .sgt_gradient(
                trained,
                Labelled { input, label },
                &guided,
                1.0 / labels.len() as f32,
                &mut Pcg32::new(1, 0),
                &mut scratch,
                &mut gradient,
            )
            .unwrap();
    }
    assert_close("logits", &all_logits, &cases["logits"].1, GOLDEN);
    let expected = &cases["gradient_true_logit"].1;
    assert_close("saliency", &saliencies, expected, GOLDEN);
    let mut start = 0;
    for name in TENSORS {
        let expected = &cases[&format!("sgt_grad.{name}")].1;
        let found = &gradient[start..start + expected.len()];
        assert_close(name, found, expected, GOLDEN);
        start += expected.len();
    }
}
