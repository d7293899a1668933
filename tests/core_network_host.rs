//! The core's network and the host's engine on the same parameters: PyTorch's layouts in both, so
//! that one slice serves both. Their sums have other orders (the core's are in its documentation,
//! the host's in vectors and blocks), so that they agree to rounding.

#[path = "common/tolerance.rs"]
mod tolerance;

use serde_json::{Value, json};
use sgt_core::network as core;
use sgt_core::network::{Convolution, Dense, Depthwise, Layer, Lstm, Shape, Window};
use sgt_core::{Order, Pcg32, Random, cross_entropy_grad};
use sgt_host::network::{Description, Mode, Model, Network, NetworkPass};
use tolerance::{CORE_HOST, assert_close};

const STEPS: usize = 30;
const CHANNELS: usize = 5;
const INPUT: Shape = Shape::series(STEPS, CHANNELS);
const LABEL: usize = 1;

const fn convolution(outputs: usize, window: Window) -> Layer {
    Layer::Convolution(Convolution { outputs, window })
}

const fn dense(outputs: usize) -> Layer {
    Layer::Dense(Dense { outputs })
}

/// A table and the same layers in a description.
fn networks() -> Vec<(&'static str, Vec<Layer>, Value)> {
    let linear =
        |name: &str, outputs: usize| json!({ "kind": "linear", "name": name, "outputs": outputs });
    let relu = json!({ "kind": "relu" });
    let same = |name: &str, channels: usize, kernel: usize| {
        json!({
            "kind": "convolution", "name": name, "channels": channels, "kernel": kernel,
            "padding": "same",
        })
    };
    vec![
        (
            "sensor network",
            vec![
                convolution(9, Window::same(5)),
                Layer::Relu,
                Layer::MaxPool(Window::side_by_side(2)),
                convolution(12, Window::same(4)),
                Layer::Relu,
                Layer::MaxPool(Window {
                    stride: 2,
                    padding: [1, 1],
                    ..Window::new(3)
                }),
                Layer::GlobalAveragePool,
                dense(4),
            ],
            json!([
                same("conv1", 9, 5),
                relu,
                { "kind": "max-pool", "window": 2 },
                same("conv2", 12, 4),
                relu,
                { "kind": "max-pool", "window": 3, "stride": 2, "padding": 1 },
                { "kind": "global-average-pool" },
                linear("fc", 4),
            ]),
        ),
        (
            "strides, dilation, causal padding, depthwise, flatten",
            vec![
                convolution(
                    6,
                    Window {
                        dilation: 3,
                        padding: [6, 0],
                        ..Window::new(3)
                    },
                ),
                Layer::Depthwise(Depthwise {
                    window: Window {
                        stride: 2,
                        padding: [1, 1],
                        ..Window::new(3)
                    },
                }),
                Layer::AveragePool(Window {
                    stride: 2,
                    padding: [1, 1],
                    ..Window::new(3)
                }),
                Layer::Flatten(Order::ChannelsFirst),
                dense(7),
                Layer::Relu,
                dense(3),
            ],
            json!([
                {
                    "kind": "convolution", "name": "conv1", "channels": 6, "kernel": 3,
                    "dilation": 3, "padding": "causal",
                },
                {
                    "kind": "convolution", "name": "conv2", "channels": 6, "kernel": 3,
                    "stride": 2, "padding": 1, "groups": 6,
                },
                { "kind": "average-pool", "window": 3, "stride": 2, "padding": 1 },
                { "kind": "flatten" },
                linear("fc1", 7),
                relu,
                linear("fc2", 3),
            ]),
        ),
        (
            "residual",
            vec![
                convolution(6, Window::same(3)),
                Layer::ResidualStart,
                convolution(4, Window::same(3)),
                Layer::Relu,
                convolution(6, Window::same(1)),
                Layer::ResidualAdd,
                Layer::Relu,
                Layer::Flatten(Order::ChannelsLast),
                dense(3),
            ],
            json!([
                same("conv1", 6, 3),
                { "kind": "residual", "body": [same("conv2", 4, 3), relu, same("conv3", 6, 1)] },
                relu,
                { "kind": "flatten", "order": "channels-last" },
                linear("fc", 3),
            ]),
        ),
        (
            "LSTM",
            vec![Layer::Lstm(Lstm { hidden: 8 }), dense(3)],
            json!([{ "kind": "lstm", "name": "lstm", "hidden": 8 }, linear("fc", 3)]),
        ),
    ]
}

#[test]
fn the_two_engines_agree() {
    for (name, layers, description) in networks() {
        let input = json!({ "kind": "series", "steps": STEPS, "channels": CHANNELS, "order": "steps-first" });
        let description = json!({ "name": "network", "input": input, "layers": description });
        let description: Description = serde_json::from_value(description).unwrap();
        let host = Network::new(&description, 3).unwrap();
        let network = core::Network::new(INPUT, &layers).unwrap();
        let parameters = host.parameters().values();
        assert_eq!(parameters.len(), network.parameter_len(), "{name}");
        let mut rng = Pcg32::new(6, 0);
        let x: Vec<f32> = (0..network.input_len())
            .map(|_| rng.standard_normal())
            .collect();

        let mut pass = NetworkPass::default();
        let expected = host
            .forward(&x, Mode::Evaluation, &mut pass)
            .unwrap()
            .to_vec();
        let mut dlogits = vec![0.0; expected.len()];
        cross_entropy_grad(&expected, LABEL, 1.0, &mut dlogits).unwrap();
        let mut expected_dx = vec![0.0; x.len()];
        let mut expected_gradient = vec![0.0; parameters.len()];
        let gradient = Some(&mut expected_gradient[..]);
        host.backward(&mut pass, &dlogits, Some(&mut expected_dx), gradient)
            .unwrap();

        let mut scratch = vec![0.0; network.saliency_len()];
        let (mut logits, mut dx) = (vec![0.0; expected.len()], vec![0.0; x.len()]);
        let all = core::Parameters::all(parameters);
        network
            .saliency(
                all,
                &x,
                core::Score::Loss,
                LABEL,
                &mut scratch,
                &mut logits,
                &mut dx,
            )
            .unwrap();
        let mut gradient = vec![0.0; parameters.len()];
        let trained = core::Parameters {
            frozen: &[],
            trained: parameters,
        };
        let example = core::Labelled {
            input: &x,
            label: LABEL,
        };
        network
            .standard_gradient(trained, example, 1.0, &mut scratch, &mut gradient)
            .unwrap();
        assert_close(name, &logits, &expected, CORE_HOST);
        assert_close(name, &dx, &expected_dx, CORE_HOST);
        assert_close(name, &gradient, &expected_gradient, CORE_HOST);
    }
}
