//! The core's network on random tables of layers: refused with every output untouched, or equal to
//! a naive network in `f64`, gradients by its central differences.

#[path = "common/tables.rs"]
mod tables;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::network::{
    Adam, Convolution, Dense, Labelled, Layer, Lstm, Network, Parameters, Score, Shape, Window,
    kinds,
};
use sgt_core::{Error, Order, Pcg32, Random};
use tables::Choices;

/// What outputs hold before a call.
const UNTOUCHED: f32 = 77.0;
/// Half the distance of a central difference.
const STEP: f64 = 1e-5;
/// Parameters whose derivative is checked.
const CHECKED: usize = 60;

fn random(len: usize, stream: u64) -> Vec<f32> {
    let mut rng = Pcg32::new(15, stream);
    (0..len).map(|_| 2.0 * rng.unit() - 1.0).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Largest difference as a share of the largest magnitude or 1.
fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
    let pairs = found.iter().zip(expected);
    let differences = pairs.map(|(&a, &b)| (f64::from(a) - b).abs() / largest);
    differences.fold(0.0, f64::max)
}

/// A network with parameters and a window.
struct Case {
    input: Shape,
    layers: Vec<Layer>,
    parameters: Vec<f32>,
    x: Vec<f32>,
    label: usize,
}

impl Case {
    fn new(input: Shape, layers: &[Layer], stream: u64) -> Self {
        let network = Network::new(input, layers).unwrap();
        Self {
            input,
            layers: layers.to_vec(),
            parameters: random(network.parameter_len(), stream),
            x: random(network.input_len(), stream + 1),
            label: stream as usize % network.classes(),
        }
    }

    fn network(&self) -> Network<'_> {
        Network::new(self.input, &self.layers).unwrap()
    }

    fn oracle(&self, parameters: &[f64], x: &[f64]) -> Vec<f64> {
        tables::logits(self.input, &self.layers, parameters, x)
    }

    fn infer(&self) -> Vec<f32> {
        let network = self.network();
        let mut scratch = vec![UNTOUCHED; network.inference_len()];
        let mut logits = vec![UNTOUCHED; network.classes()];
        let parameters = Parameters::all(&self.parameters);
        let done = network.infer(parameters, &self.x, &mut scratch, &mut logits);
        done.unwrap();
        logits
    }

    fn saliency(&self, score: Score) -> (Vec<f32>, Vec<f32>) {
        let network = self.network();
        let mut scratch = vec![UNTOUCHED; network.saliency_len()];
        let mut logits = vec![UNTOUCHED; network.classes()];
        let mut saliency = vec![UNTOUCHED; network.input_len()];
        let (parameters, label) = (Parameters::all(&self.parameters), self.label);
        network
            .saliency(
                parameters,
                &self.x,
                score,
                label,
                &mut scratch,
                &mut logits,
                &mut saliency,
            )
            .unwrap();
        (logits, saliency)
    }

    /// The gradient of the cross-entropy, of the parameters behind `frozen`.
    fn gradient(&self, frozen: usize) -> Vec<f32> {
        let network = self.network();
        let (frozen, trained) = self.parameters.split_at(frozen);
        let mut scratch = vec![UNTOUCHED; network.standard_len()];
        let mut gradient = vec![0.0; trained.len()];
        let example = Labelled {
            input: &self.x,
            label: self.label,
        };
        let parameters = Parameters { frozen, trained };
        network
            .standard_gradient(parameters, example, 1.0, &mut scratch, &mut gradient)
            .unwrap();
        gradient
    }

    fn loss(&self, parameters: &[f64], x: &[f64]) -> f64 {
        cross_entropy(&self.oracle(parameters, x), self.label)
    }

    /// Holds every call to the naive network.
    fn check(&self) {
        let (parameters, x) = (wide(&self.parameters), wide(&self.x));
        let expected = self.oracle(&parameters, &x);
        let logits = self.infer();
        let far = distance(&logits, &expected);
        assert!(far <= tolerance::CORE_NETWORK, "logits: {far:e}");
        let (again, saliency) = self.saliency(Score::TrueLogit);
        assert_eq!(logits, again, "the two forward passes");
        self.differences("saliency", &saliency, &x, |x| {
            self.oracle(&parameters, x)[self.label]
        });
        let (_, saliency) = self.saliency(Score::Loss);
        self.differences("loss saliency", &saliency, &x, |x| {
            self.loss(&parameters, x)
        });
        let gradient = self.gradient(0);
        self.differences("gradient", &gradient, &parameters, |parameters| {
            self.loss(parameters, &x)
        });
        self.part_of(&gradient);
    }

    /// The last layers alone have the same gradients, bit for bit.
    fn part_of(&self, gradient: &[f32]) {
        let network = self.network();
        for layers in 0..=self.layers.len() {
            let frozen = self.parameters.len() - network.trained_len(layers);
            assert_eq!(self.gradient(frozen), gradient[frozen..], "{layers} layers");
        }
        assert_eq!(
            network.trained_len(self.layers.len()),
            self.parameters.len()
        );
    }

    /// Central differences; where two steps disagree there is a kink, and none is asked for.
    fn differences(
        &self,
        what: &str,
        found: &[f32],
        point: &[f64],
        function: impl Fn(&[f64]) -> f64,
    ) {
        let largest = found.iter().fold(1.0_f64, |a, b| a.max(f64::from(b.abs())));
        let hop = found.len().div_ceil(CHECKED).max(1);
        for place in (0..found.len()).step_by(hop) {
            let along = |step: f64| {
                let mut moved = point.to_vec();
                moved[place] += step;
                let above = function(&moved);
                moved[place] -= 2.0 * step;
                (above - function(&moved)) / (2.0 * step)
            };
            let (near, nearer) = (along(STEP), along(STEP / 2.0));
            if (near - nearer).abs() > tolerance::CORE_NETWORK_GRADIENT * largest {
                continue;
            }
            let far = (f64::from(found[place]) - near).abs() / largest;
            assert!(
                far <= tolerance::CORE_NETWORK_GRADIENT,
                "{what} at {place}: {}, difference {near}; {:?}",
                found[place],
                self.layers
            );
        }
    }
}

fn cross_entropy(logits: &[f64], label: usize) -> f64 {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let sum: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
    largest + sum.ln() - logits[label]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_random_table_is_refused_or_right(
        choices in prop::collection::vec(any::<u32>(), 0..120),
        stream in 0_u64..1000,
    ) {
        let (input, layers) = Choices(choices.into_iter()).table();
        let fits = tables::fits(input, &layers);
        match Network::new(input, &layers) {
            Ok(network) if network.saliency_len().max(network.parameter_len()) < 1 << 17 => {
                prop_assert!(fits, "taken: {layers:?}");
                Case::new(input, &layers, stream).check();
            }
            Ok(_) => {}
            Err(Error::Layer { layer, .. }) => {
                let is_refused = !fits || tables::is_huge(&layers);
                prop_assert!(is_refused, "refused: {layers:?}");
                prop_assert!(layer < layers.len());
            }
            Err(error) => {
                prop_assert!(!fits, "{error}: {layers:?}");
                prop_assert!(layers.is_empty() || input.positions.checked_mul(input.channels).is_none_or(|len| len == 0));
            }
        }
    }
}

const fn convolution(outputs: usize, window: Window) -> Layer {
    Layer::Convolution(Convolution { outputs, window })
}

const fn dense(outputs: usize) -> Layer {
    Layer::Dense(Dense { outputs })
}

/// Every kind of layer, blocks of every remainder, and edges wider than a block.
#[test]
fn every_layer_is_right() {
    let causal = Window {
        padding: [6, 0],
        dilation: 3,
        ..Window::new(3)
    };
    let depthwise = Layer::Depthwise(sgt_core::network::Depthwise {
        window: Window {
            stride: 2,
            ..Window::same(4)
        },
    });
    let overlapping = Window {
        stride: 2,
        padding: [1, 1],
        ..Window::new(3)
    };
    let tables: [&[Layer]; 9] = [
        &[
            convolution(3, Window::same(3)),
            Layer::ResidualStart,
            Layer::Relu,
            convolution(3, Window::same(3)),
            Layer::ResidualAdd,
            Layer::GlobalAveragePool,
        ],
        &[
            convolution(5, Window::same(5)),
            Layer::Relu,
            Layer::GlobalAveragePool,
            dense(4),
        ],
        &[
            convolution(1, causal),
            Layer::Flatten(Order::ChannelsLast),
            dense(3),
        ],
        &[
            convolution(8, Window::new(3)),
            Layer::Relu,
            Layer::MaxPool(overlapping),
            depthwise,
            Layer::AveragePool(overlapping),
            Layer::Flatten(Order::ChannelsFirst),
            dense(7),
            Layer::Relu,
            dense(6),
        ],
        &[
            Layer::ResidualStart,
            Layer::Relu,
            convolution(3, Window::same(3)),
            Layer::ResidualAdd,
            Layer::Relu,
            Layer::ResidualStart,
            convolution(3, Window::same(2)),
            Layer::Relu,
            Layer::ResidualAdd,
            Layer::GlobalAveragePool,
            dense(2),
        ],
        &[Layer::Lstm(Lstm { hidden: 6 }), dense(3)],
        &[
            convolution(
                4,
                Window {
                    stride: 3,
                    ..Window::same(5)
                },
            ),
            Layer::Lstm(Lstm { hidden: 5 }),
            Layer::Relu,
            dense(3),
        ],
        &[
            convolution(6, Window::same(3)),
            Layer::ResidualStart,
            convolution(4, Window::same(3)),
            Layer::Relu,
            convolution(6, Window::same(1)),
            Layer::ResidualAdd,
            Layer::Flatten(Order::ChannelsFirst),
        ],
        &[
            convolution(
                2,
                Window {
                    dilation: 2,
                    stride: 5,
                    ..Window::new(2)
                },
            ),
            Layer::GlobalAveragePool,
        ],
    ];
    for (number, layers) in tables.into_iter().enumerate() {
        for steps in [17, 18] {
            Case::new(Shape::series(steps, 3), layers, 10 * number as u64).check();
        }
    }
}

/// Of equal values the first is the maximum.
#[test]
fn a_tie_of_a_maximum_goes_to_the_first() {
    let layers = [
        Layer::MaxPool(Window::side_by_side(3)),
        Layer::GlobalAveragePool,
    ];
    let network = Network::new(Shape::series(3, 1), &layers).unwrap();
    let mut scratch = vec![0.0; network.saliency_len()];
    let (mut logits, mut saliency) = ([0.0], [0.0; 3]);
    let (nothing, score) = (Parameters::all(&[]), Score::TrueLogit);
    let x = [1.0, 2.0, 2.0];
    let done = network.saliency(
        nothing,
        &x,
        score,
        0,
        &mut scratch,
        &mut logits,
        &mut saliency,
    );
    done.unwrap();
    assert_eq!((logits, saliency), ([2.0], [0.0, 1.0, 0.0]));
}

/// The kinds in the type change code, not bits.
#[test]
fn a_network_of_its_kinds_gives_the_same_bits() {
    const LAYERS: [Layer; 3] = [
        convolution(4, Window::same(3)),
        Layer::GlobalAveragePool,
        dense(3),
    ];
    const INPUT: Shape = Shape::series(9, 2);
    let case = Case::new(INPUT, &LAYERS, 3);
    let network = Network::<{ kinds(&LAYERS) }>::of_kinds(INPUT, &LAYERS).unwrap();
    let mut scratch = vec![0.0; network.inference_len()];
    let mut logits = [0.0; 3];
    let parameters = Parameters::all(&case.parameters);
    network
        .infer(parameters, &case.x, &mut scratch, &mut logits)
        .unwrap();
    assert_eq!(logits[..], case.infer());
    assert_eq!(network.products(), 9 * 4 * 3 * 2 + 4 * 3);
    let refused = Network::<{ kinds(&LAYERS) }>::of_kinds(INPUT, &[Layer::Relu]);
    let expected = Error::Layer {
        layer: 0,
        argument: "kind",
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(expected.to_string(), "layer 0: kind does not fit");
}

/// Two buffers, and a third only while a residual holds one; and what an output sees.
#[test]
fn an_inference_takes_two_buffers() {
    const FIELD: usize = 5 * 3;
    let len = |layers: &[Layer]| {
        Network::new(Shape::series(8, 2), layers)
            .unwrap()
            .inference_len()
    };
    let wide = convolution(5, Window::same(3));
    assert_eq!(
        len(&[wide, Layer::Relu, wide, Layer::GlobalAveragePool]),
        40 + 40 + FIELD
    );
    assert_eq!(
        len(&[wide, wide, wide, wide, Layer::GlobalAveragePool]),
        40 + 40 + FIELD
    );
    let residual = [
        wide,
        Layer::ResidualStart,
        wide,
        wide,
        Layer::ResidualAdd,
        Layer::GlobalAveragePool,
    ];
    assert_eq!(len(&residual), 40 + 40 + 40 + FIELD);
}

/// A network for windows of 100 steps and 6 channels: what a microcontroller must have.
#[test]
fn a_network_for_sensors_fits_small_memories() {
    const BYTES: usize = size_of::<f32>();
    const INFERENCE: usize = 8 << 10;
    const STEP: usize = 64 << 10;
    let pool = Layer::MaxPool(Window::side_by_side(2));
    let layers = [
        convolution(12, Window::same(5)),
        Layer::Relu,
        pool,
        convolution(16, Window::same(5)),
        Layer::Relu,
        pool,
        Layer::GlobalAveragePool,
        dense(4),
    ];
    let network = Network::new(Shape::series(100, 6), &layers).unwrap();
    let inference = BYTES * network.inference_len();
    assert!(inference <= INFERENCE, "inference: {inference}");
    // Parameters, their gradient and Adam's state, the scratch, the masked half of the cells.
    let state = Adam::new(0.1).state_len(network.parameter_len());
    let floats = 2 * network.parameter_len() + state + network.sgt_len();
    let step = BYTES * floats + size_of::<u16>() * network.input_len() / 2;
    assert!(step <= STEP, "step: {step}");
    println!(
        "inference {inference}, saliency {}, step {step} bytes",
        BYTES * network.saliency_len()
    );
}

#[test]
fn a_table_is_refused_with_the_layer_that_does_not_fit() {
    let refused = |layers: &[Layer]| match Network::new(Shape::series(8, 2), layers) {
        Err(Error::Layer { layer, argument }) => (layer, argument),
        other => panic!("{other:?}"),
    };
    let same = convolution(2, Window::same(3));
    assert_eq!(refused(&[same]), (0, "output"));
    assert_eq!(refused(&[same, dense(2)]), (1, "input"));
    assert_eq!(refused(&[convolution(2, Window::new(9))]), (0, "kernel"));
    assert_eq!(refused(&[convolution(0, Window::new(3))]), (0, "outputs"));
    assert_eq!(
        refused(&[convolution(
            2,
            Window {
                stride: 0,
                ..Window::new(3)
            }
        )]),
        (0, "stride")
    );
    assert_eq!(
        refused(&[Layer::MaxPool(Window {
            padding: [3, 0],
            ..Window::new(3)
        })]),
        (0, "padding")
    );
    assert_eq!(refused(&[same, Layer::ResidualAdd]), (1, "residual"));
    assert_eq!(
        refused(&[Layer::ResidualStart, Layer::GlobalAveragePool]),
        (1, "residual")
    );
    assert_eq!(
        refused(&[Layer::ResidualStart, Layer::ResidualAdd]),
        (1, "residual")
    );
    assert_eq!(
        refused(&[Layer::GlobalAveragePool, dense(usize::MAX)]),
        (1, "size")
    );
    assert_eq!(refused(&[Layer::Lstm(Lstm { hidden: 0 })]), (0, "hidden"));
    assert_eq!(
        Network::new(Shape::series(8, 2), &[]),
        Err(Error::Empty { argument: "layers" })
    );
    assert_eq!(
        Network::new(Shape::series(0, 2), &[same]),
        Err(Error::Empty { argument: "input" })
    );
}

/// Refused calls leave their outputs alone.
#[test]
fn outputs_are_untouched_when_a_call_is_refused() {
    let case = Case::new(
        Shape::series(9, 2),
        &[Layer::Lstm(Lstm { hidden: 2 }), dense(3)],
        0,
    );
    let network = case.network();
    let mut scratch = vec![0.0; network.saliency_len()];
    let all = Parameters::all(&case.parameters);
    let (front, back) = case.parameters.split_at(5);
    let cut = Parameters {
        frozen: front,
        trained: back,
    };
    let short = Parameters::all(front);
    let mut broken = case.x.clone();
    broken[3] = f32::NAN;
    let mut infinite = case.parameters.clone();
    infinite[network.parameter_len() - 1] = f32::INFINITY;
    let infinite = Parameters::all(&infinite);
    let (x, needed) = (&case.x, network.inference_len());
    for (parameters, x, room, label, saliency_alone) in [
        (short, x, needed, 0, false),
        (cut, x, needed, 0, false),
        (all, &broken, needed, 0, false),
        (all, &vec![0.0; 17], needed, 0, false),
        (all, x, needed - 1, 0, false),
        (all, x, scratch.len(), 3, true),
        (infinite, x, scratch.len(), 0, true),
    ] {
        let mut logits = [UNTOUCHED; 3];
        if !saliency_alone {
            let scratch = &mut scratch[..room];
            let refused = network.infer(parameters, x, scratch, &mut logits);
            assert!(refused.is_err());
        }
        let mut saliency = vec![UNTOUCHED; network.input_len()];
        let room = if room == needed { scratch.len() } else { room };
        let refused = network.saliency(
            parameters,
            x,
            Score::TrueLogit,
            label,
            &mut scratch[..room],
            &mut logits,
            &mut saliency,
        );
        assert!(refused.is_err(), "{label} {room}");
        assert!(
            logits
                .iter()
                .chain(&saliency)
                .all(|&value| value == UNTOUCHED)
        );
        let example = Labelled { input: x, label };
        let mut gradient = vec![UNTOUCHED; parameters.trained.len()];
        let refused = network.standard_gradient(
            parameters,
            example,
            1.0,
            &mut scratch[..room],
            &mut gradient,
        );
        assert!(refused.is_err());
        assert!(gradient.iter().all(|&value| value == UNTOUCHED));
    }
    let mut logits = [UNTOUCHED; 2];
    assert!(network.infer(all, x, &mut scratch, &mut logits).is_err());
    assert_eq!(logits, [UNTOUCHED; 2]);
}
