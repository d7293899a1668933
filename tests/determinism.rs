//! The same bits whatever the number of threads, and in every way that promises the same result.

use sgt_core::{Pcg32, Random};
use sgt_host::network::named::{self, NetworkSizes};
use sgt_host::network::{InputShape, Mode, Model, Network, NetworkPass, SeriesOrder};

/// More than one chunk of images, and not a whole number of chunks.
const BATCH: usize = 19;

fn build(name: &str, sizes: &NetworkSizes, seed: u64) -> Network {
    Network::new(&named::description(name, sizes).unwrap(), seed).unwrap()
}

fn networks() -> Vec<(&'static str, Network)> {
    let image = |channels, side| InputShape::Image {
        channels,
        height: side,
        width: side,
    };
    let series = |order| InputShape::Series {
        steps: 21,
        channels: 3,
        order,
    };
    let tokens = InputShape::Tokens { tokens: 7, dim: 5 };
    [
        ("small-cnn", image(1, 12), vec![]),
        ("mnist-cnn", image(1, 10), vec![32, 32, 16]),
        ("cifar-cnn", image(3, 12), vec![4, 8, 16, 8, 12]),
        ("resnet18", image(3, 8), vec![4, 8, 8, 16]),
        ("sensor-cnn", series(SeriesOrder::ChannelsFirst), vec![]),
        ("sensor-lstm", series(SeriesOrder::StepsFirst), vec![17]),
        ("text-bilstm", tokens, vec![9]),
    ]
    .into_iter()
    .map(|(name, input, hidden)| {
        let sizes = NetworkSizes {
            hidden,
            ..NetworkSizes::new(input, 4)
        };
        (name, build(name, &sizes, 5))
    })
    .collect()
}

fn random(len: usize, stream: u64) -> Vec<f32> {
    let mut random = Pcg32::new(11, stream);
    (0..len).map(|_| random.unit() - 0.3).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Logits, input gradient, parameter gradient.
type Outcome = [Vec<u32>; 3];

fn outcome(network: &Network, mode: Mode, pass: &mut NetworkPass) -> Outcome {
    let x = random(BATCH * network.input().len(), 1);
    let logits = bits(network.forward(&x, mode, pass).unwrap());
    let [dx, gradient] = gradients(network, pass);
    [logits, dx, gradient]
}

fn gradients(network: &Network, pass: &mut NetworkPass) -> [Vec<u32>; 2] {
    let dlogits = random(BATCH * network.classes(), 2);
    let mut dx = vec![f32::NAN; BATCH * network.input().len()];
    let mut gradient = vec![0.0; network.parameters().values().len()];
    network
        .backward(pass, &dlogits, Some(&mut dx), Some(&mut gradient))
        .unwrap();
    [bits(&dx), bits(&gradient)]
}

#[test]
fn threads_do_not_change_a_bit() {
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            networks()
                .iter()
                .map(|(_, network)| {
                    let mode = Mode::Training { seed: 3 };
                    outcome(network, mode, &mut NetworkPass::default())
                })
                .collect::<Vec<_>>()
        })
    };
    let one = with_threads(1);
    for threads in [2, 3] {
        for ((name, _), (a, b)) in networks()
            .iter()
            .zip(one.iter().zip(&with_threads(threads)))
        {
            assert!(a == b, "{name} on {threads} threads");
        }
    }
}

#[test]
fn passes_may_be_reused() {
    for (name, network) in networks() {
        let mode = Mode::Training { seed: 3 };
        let mut pass = NetworkPass::default();
        let first = outcome(&network, mode, &mut pass);
        let x = random(network.input().len() * 4, 9);
        network.forward(&x, Mode::Evaluation, &mut pass).unwrap();
        assert!(first == outcome(&network, mode, &mut pass), "{name}");
    }
}

#[test]
fn input_gradient_mode_gives_the_full_modes_input_gradient() {
    for (name, network) in networks() {
        let mut pass = NetworkPass::default();
        let [logits, dx, _] = outcome(&network, Mode::Evaluation, &mut pass);
        let x = random(BATCH * network.input().len(), 1);
        let alone = network.forward(&x, Mode::InputGradient, &mut pass).unwrap();
        assert_eq!(bits(alone), logits, "{name}");
        let dlogits = random(BATCH * network.classes(), 2);
        let mut alone = vec![f32::NAN; x.len()];
        network
            .backward(&mut pass, &dlogits, Some(&mut alone), None)
            .unwrap();
        assert!(bits(&alone) == dx, "{name}");
        let mut gradient = vec![0.0; network.parameters().values().len()];
        let refused = network.backward(&mut pass, &dlogits, None, Some(&mut gradient));
        assert!(
            refused.is_err() && gradient.iter().all(|&g| g == 0.0),
            "{name}"
        );
    }
}

#[test]
fn forward_again_equals_forward() {
    let training = Mode::Training { seed: 8 };
    for (name, network) in networks() {
        let expected = outcome(&network, training, &mut NetworkPass::default());
        let x = random(BATCH * network.input().len(), 1);
        for first in [
            Mode::Evaluation,
            Mode::InputGradient,
            Mode::Training { seed: 1 },
        ] {
            let mut pass = NetworkPass::default();
            network.forward(&x, first, &mut pass).unwrap();
            let dlogits = random(BATCH * network.classes(), 2);
            let mut dx = vec![0.0; x.len()];
            network
                .backward(&mut pass, &dlogits, Some(&mut dx), None)
                .unwrap();
            let logits = bits(network.forward_again(training, &mut pass).unwrap());
            let [dx, gradient] = gradients(&network, &mut pass);
            assert!([logits, dx, gradient] == expected, "{name} after {first:?}");
        }
        let mut empty = NetworkPass::default();
        let refused = network.forward_again(training, &mut empty);
        assert!(refused.is_err(), "{name}: a pass without activations");
    }
}

#[test]
fn weight_gradients_add_to_what_is_there() {
    for (name, network) in networks() {
        let mut pass = NetworkPass::default();
        let [_, _, once] = outcome(&network, Mode::Evaluation, &mut pass);
        let dlogits = random(BATCH * network.classes(), 2);
        let mut twice = vec![0.0; network.parameters().values().len()];
        for _ in 0..2 {
            network
                .backward(&mut pass, &dlogits, None, Some(&mut twice))
                .unwrap();
        }
        let largest = twice.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        for (twice, once) in twice.iter().zip(&once) {
            let expected = 2.0 * f32::from_bits(*once);
            assert!(
                (twice - expected).abs() <= 1e-5 * largest,
                "{name}: {twice}, {expected}"
            );
        }
    }
}

#[test]
fn seeds_draw_parameters_and_dropout() {
    let image = InputShape::Image {
        channels: 1,
        height: 12,
        width: 12,
    };
    let sizes = NetworkSizes::new(image, 4);
    let build = |seed| build("small-cnn", &sizes, seed);
    assert_eq!(build(7).parameters(), build(7).parameters());
    assert_ne!(build(7).parameters(), build(8).parameters());
    let network = build(7);
    let x = random(BATCH * 144, 1);
    let logits = |seed| {
        let mut pass = NetworkPass::default();
        bits(
            network
                .forward(&x, Mode::Training { seed }, &mut pass)
                .unwrap(),
        )
    };
    assert_eq!(logits(1), logits(1));
    assert_ne!(logits(1), logits(2));
}
