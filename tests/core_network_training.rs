//! The core's steps: gradients of both losses by central differences of a naive network in `f64`,
//! optimizers against their formulas, and nothing changed by what is refused.

#[path = "common/tables.rs"]
mod tables;
#[path = "common/tolerance.rs"]
mod tolerance;

use sgt_core::network::{
    Adam, Convolution, Dense, Labelled, Layer, Learner, Lstm, Network, Optimizer, Parameters,
    SaliencyGuided, Score, Sgd, SgtScratch, Shape, Window,
};
use sgt_core::{Error, Group, Layout, Masking, Order, Pcg32, Policy, Random, mask_sample_small};

/// Half the distance of a central difference.
const STEP: f64 = 1e-5;
const UNTOUCHED: f32 = 77.0;
const STEPS: usize = 12;
const CHANNELS: usize = 3;
const INPUT: Shape = Shape::series(STEPS, CHANNELS);
const SEED: u64 = 4;

const CONVOLUTIONAL: [Layer; 5] = [
    Layer::Convolution(Convolution {
        outputs: 5,
        window: Window::same(3),
    }),
    Layer::Relu,
    Layer::MaxPool(Window::side_by_side(2)),
    Layer::Flatten(Order::ChannelsFirst),
    Layer::Dense(Dense { outputs: 4 }),
];

const RECURRENT: [Layer; 2] = [
    Layer::Lstm(Lstm { hidden: 4 }),
    Layer::Dense(Dense { outputs: 3 }),
];

fn random(len: usize, stream: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(15, stream);
    (0..len).map(|_| 2.0 * rng.unit() - 1.0).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
    logits.iter().map(|z| z - largest - sum.ln()).collect()
}

fn guided(score: Score) -> SaliencyGuided {
    let layout = Layout::series(STEPS, CHANNELS, Order::ChannelsLast, Group::Cell).unwrap();
    SaliencyGuided {
        score,
        lambda: 0.7,
        ..SaliencyGuided::new(Masking::reference(layout))
    }
}

/// The window that a step masks: its saliency's lowest half replaced.
fn masked(
    network: &Network<'_>,
    parameters: &[f32],
    x: &[f32],
    label: usize,
    guided: &SaliencyGuided,
) -> Vec<f32> {
    let mut scratch = vec![0.0; network.saliency_len()];
    let mut logits = vec![0.0; network.classes()];
    let mut saliency = vec![0.0; x.len()];
    let parameters = Parameters::all(parameters);
    network
        .saliency(
            parameters,
            x,
            guided.score,
            label,
            &mut scratch,
            &mut logits,
            &mut saliency,
        )
        .unwrap();
    let mut indices = vec![0_u16; guided.indices_len()];
    let mut masked = vec![0.0; x.len()];
    let mut rng = Pcg32::new(SEED, 0);
    mask_sample_small(
        &guided.masking,
        &saliency,
        x,
        None,
        &mut rng,
        &mut indices,
        &mut masked,
    )
    .unwrap();
    masked
}

#[test]
fn the_guided_gradient_is_that_of_its_loss() {
    for (layers, score) in [
        (&CONVOLUTIONAL[..], Score::TrueLogit),
        (&CONVOLUTIONAL, Score::TrueLogProb),
        (&RECURRENT, Score::PredictedLogit),
        (&RECURRENT, Score::Loss),
    ] {
        let network = Network::new(INPUT, layers).unwrap();
        let parameters = random(network.parameter_len(), 1);
        let x = random(network.input_len(), 2);
        let (label, guided) = (2, guided(score));
        let masked = masked(&network, &parameters, &x, label, &guided);
        assert_ne!(masked, x);
        let mut gradient = vec![0.0; parameters.len()];
        let mut values = vec![UNTOUCHED; network.sgt_len()];
        let mut indices = vec![0_u16; guided.indices_len()];
        let mut scratch = SgtScratch {
            values: &mut values,
            indices: &mut indices,
        };
        let example = Labelled { input: &x, label };
        let all = Parameters {
            frozen: &[],
            trained: &parameters,
        };
        let mut rng = Pcg32::new(SEED, 0);
        let losses = network
            .sgt_gradient(
                all,
                example,
                &guided,
                1.0,
                &mut rng,
                &mut scratch,
                &mut gradient,
            )
            .unwrap();
        let (x, masked) = (wide(&x), wide(&masked));
        let loss = |parameters: &[f64]| {
            let rows =
                [&x, &masked].map(|x| log_softmax(&tables::logits(INPUT, layers, parameters, x)));
            let pairs = rows[0].iter().zip(&rows[1]);
            let divergence: f64 = pairs.map(|(p, q)| p.exp() * (p - q)).sum();
            -rows[0][label] + f64::from(guided.lambda) * divergence
        };
        let point = wide(&parameters);
        let far = (f64::from(losses.total) - loss(&point)).abs();
        assert!(far <= tolerance::CORE_NETWORK, "loss: {far:e}");
        let largest = gradient
            .iter()
            .fold(1.0_f64, |a, g| a.max(f64::from(g.abs())));
        for (place, &found) in gradient.iter().enumerate() {
            let mut moved = point.clone();
            moved[place] += STEP;
            let above = loss(&moved);
            moved[place] -= 2.0 * STEP;
            let difference = (above - loss(&moved)) / (2.0 * STEP);
            assert!(
                (f64::from(found) - difference).abs() <= tolerance::CORE_NETWORK_GRADIENT * largest,
                "{score:?} at {place}: {found}, difference {difference}"
            );
        }
        // The last layer alone: the same bits.
        let frozen = parameters.len() - network.trained_len(1);
        let cut = Parameters {
            frozen: &parameters[..frozen],
            trained: &parameters[frozen..],
        };
        let mut last = vec![0.0; network.trained_len(1)];
        let mut rng = Pcg32::new(SEED, 0);
        network
            .sgt_gradient(
                cut,
                example,
                &guided,
                1.0,
                &mut rng,
                &mut scratch,
                &mut last,
            )
            .unwrap();
        assert_eq!(last, gradient[frozen..]);
    }
}

#[test]
fn steps_lower_the_loss_of_all_layers_and_of_the_last() {
    for layers in [&CONVOLUTIONAL[..], &RECURRENT] {
        let network = Network::new(INPUT, layers).unwrap();
        for trained in [1, 2] {
            let mut parameters = random(network.parameter_len(), 1);
            let x = random(network.input_len(), 2);
            let count = network.trained_len(trained);
            let (frozen, values) = parameters.split_at_mut(network.parameter_len() - count);
            let before = values.to_vec();
            let (mut gradient, mut state) = (vec![0.0; count], vec![0.0; 2 * count]);
            let mut learner = Learner {
                frozen,
                trained: values,
                gradient: &mut gradient,
                optimizer: Adam::new(0.01),
                state: &mut state,
            };
            let guided = guided(Score::TrueLogit);
            let (mut floats, mut indices) = (vec![0.0; network.sgt_len()], vec![0_u16; 99]);
            let mut scratch = SgtScratch {
                values: &mut floats,
                indices: &mut indices,
            };
            let example = Labelled {
                input: &x,
                label: 1,
            };
            let mut rng = Pcg32::new(SEED, 0);
            let mut losses = Vec::new();
            for _ in 0..40 {
                let step = network.sgt_step(&mut learner, example, &guided, &mut rng, &mut scratch);
                losses.push(step.unwrap().total);
            }
            assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
            let mut plain = Vec::new();
            for _ in 0..3 {
                let step = network.standard_step(&mut learner, example, scratch.values);
                plain.push(step.unwrap().total);
            }
            assert!(plain[2] < plain[0]);
            assert_ne!(learner.trained, before);
        }
    }
}

#[test]
fn a_refused_step_changes_nothing() {
    let network = Network::new(INPUT, &CONVOLUTIONAL).unwrap();
    let mut parameters = random(network.parameter_len(), 1);
    let before = parameters.clone();
    let x = random(network.input_len(), 2);
    let count = parameters.len();
    let (mut gradient, mut state) = (vec![0.0; count], vec![UNTOUCHED; count]);
    let sgd = Sgd {
        momentum: 0.5,
        ..Sgd::new(0.1)
    };
    let mut learner = Learner {
        frozen: &[],
        trained: &mut parameters,
        gradient: &mut gradient,
        optimizer: sgd,
        state: &mut state,
    };
    let (mut floats, mut indices) = (vec![0.0; network.sgt_len()], vec![0_u16; 99]);
    let good = guided(Score::TrueLogit);
    let other = Masking::reference(Layout::flat(9).unwrap());
    let permute = Masking {
        policy: Policy::Permute,
        ..good.masking
    };
    let mut broken = x.clone();
    broken[0] = f32::INFINITY;
    let mut rng = Pcg32::new(SEED, 0);
    for (x, label, guided, room, rate) in [
        (&broken, 0, good, network.sgt_len(), 0.1),
        (&x, 4, good, network.sgt_len(), 0.1),
        (
            &x,
            0,
            SaliencyGuided {
                lambda: f32::NAN,
                ..good
            },
            network.sgt_len(),
            0.1,
        ),
        (
            &x,
            0,
            SaliencyGuided {
                masking: other,
                ..good
            },
            network.sgt_len(),
            0.1,
        ),
        (
            &x,
            0,
            SaliencyGuided {
                masking: permute,
                ..good
            },
            network.sgt_len(),
            0.1,
        ),
        (&x, 0, good, network.sgt_len() - 1, 0.1),
        (&x, 0, good, network.sgt_len(), f32::NAN),
    ] {
        learner.optimizer = Sgd { rate, ..sgd };
        let mut scratch = SgtScratch {
            values: &mut floats[..room],
            indices: &mut indices,
        };
        let example = Labelled { input: x, label };
        let refused = network.sgt_step(&mut learner, example, &guided, &mut rng, &mut scratch);
        assert!(refused.is_err());
        assert_eq!(learner.trained, before);
        assert!(learner.state.iter().all(|&value| value == UNTOUCHED));
    }
    learner.optimizer = sgd;
    learner.state = &mut [];
    let example = Labelled {
        input: &x,
        label: 0,
    };
    let refused = network.standard_step(&mut learner, example, &mut floats);
    let expected = Error::Length {
        argument: "state",
        expected: count,
        found: 0,
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(learner.trained, before);
}

/// The formulas in `f64`, some steps.
#[test]
fn optimizers_follow_their_formulas() {
    let (mut values, mut moved) = (random(9, 1), random(9, 1));
    let sgd = Sgd {
        rate: 0.1,
        momentum: 0.9,
        weight_decay: 0.01,
    };
    let adam = Adam {
        weight_decay: 0.01,
        ..Adam::new(0.02)
    };
    let (mut rule, mut other) = (sgd, adam);
    let mut state = vec![0.0; sgd.state_len(9)];
    let mut moments = vec![0.0; adam.state_len(9)];
    let (mut expected, mut of_adam) = (wide(&values), wide(&moved));
    let (mut velocity, mut first, mut second) = (vec![0.0; 9], vec![0.0; 9], vec![0.0; 9]);
    for step in 1..=20 {
        let gradient = random(9, step);
        rule.update(&mut values, &gradient, &mut state).unwrap();
        other.update(&mut moved, &gradient, &mut moments).unwrap();
        for place in 0..9 {
            let g = f64::from(gradient[place]);
            velocity[place] = 0.9 * velocity[place] + g + 0.01 * expected[place];
            expected[place] -= 0.1 * velocity[place];
            let g = g + 0.01 * of_adam[place];
            first[place] = 0.9 * first[place] + 0.1 * g;
            second[place] = 0.999 * second[place] + 0.001 * g * g;
            let mean = first[place] / (1.0 - 0.9_f64.powi(step as i32));
            let square: f64 = second[place] / (1.0 - 0.999_f64.powi(step as i32));
            of_adam[place] -= 0.02 * mean / (square.sqrt() + 1e-8);
        }
    }
    for (found, expected) in [(&values, &expected), (&moved, &of_adam)] {
        for (&found, expected) in found.iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() <= tolerance::CORE_NETWORK);
        }
    }
    let refused = Sgd::new(-1.0).update(&mut values, &[0.0; 9], &mut []);
    assert_eq!(refused, Err(Error::Range { argument: "rate" }));
    let refused = Sgd::new(1.0).update(&mut values, &[f32::NAN; 9], &mut []);
    assert_eq!(
        refused,
        Err(Error::NonFinite {
            argument: "gradient",
            index: 0
        })
    );
}
