//! The core's network on random tables of layers: refused with every output untouched, or equal to
//! a naive network in `f64`, gradients by its central differences.

#[path = "common/tables.rs"]
mod tables;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::network::{
    Adam, Convolution, Dense, Labelled, Layer, Learner, Lstm, Network, Optimizer, Parameters,
    SaliencyGuided, Score, Sgd, SgtScratch, Shape, Window, kinds,
};
use sgt_core::{Error, Layout, Masking, Order, Pcg32, Policy, Random};
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
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_random_table_is_refused_or_right(
        choices in prop::collection::vec(any::<u32>(), 0..120),
        stream in 0_u64..1000,
    ) {
        let (input, layers) = Choices(choices.into_iter()).table();
        let fits = tables::fits(input, &layers);
        match Network::new(input, &layers) {
            Ok(network) if network.saliency_len() < 1 << 17 => {
                prop_assert!(fits, "taken: {layers:?}");
                Case::new(input, &layers, stream).check();
            }
            Ok(_) => {}
            Err(Error::Layer { layer, .. }) => {
                prop_assert!(!fits, "refused: {layers:?}");
                prop_assert!(layer < layers.len());
            }
            Err(error) => {
                prop_assert!(!fits, "{error}: {layers:?}");
                prop_assert!(layers.is_empty() || input.positions.checked_mul(input.channels).is_none_or(|len| len == 0));
            }
        }
    }
}
