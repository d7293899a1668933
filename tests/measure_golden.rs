//! Attacks and attributions of the networks by name against torchattacks' and Captum's values.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use golden::Tensors;
use sgt_core::{Bounds, mean_cross_entropy};
use sgt_host::attack::{AttackConfig, AttackKind, Goal, attack};
use sgt_host::attribution::{Attribution, Baseline, Method, Settings, attribute};
use sgt_host::network::named::{self, NetworkSizes};
use sgt_host::network::{
    Classifier, ClassifierPass, InputShape, Labelled, Mode, Model, Network, SeriesOrder,
};
use tolerance::{GOLDEN, assert_close};

/// ε of the golden attacks.
const EPSILON: f32 = 0.1;
/// The share of values whose perturbation must have the same sign. A gradient within rounding of 0
/// may have either, and every later step follows.
const EQUAL_SIGNS: f32 = 0.985;
/// The largest difference of the mean loss that an attack reaches, as a share of it.
const LOSS: f32 = 2e-3;
/// The convergence gap of `DeepLIFT`, which is complete, and the error of any gap: a share of the
/// largest attribution's magnitude.
const GAP: f32 = 1e-4;

struct Case {
    network: Classifier,
    cases: Tensors,
    labels: Vec<usize>,
}

impl Case {
    fn load(name: &str, input: Option<InputShape>, bounds: Option<Bounds>) -> Option<Self> {
        let (weights, cases) = golden::golden(name)?;
        let shapes: Vec<(&str, &[usize])> = weights
            .iter()
            .map(|(name, (shape, _))| (name.as_str(), shape.as_slice()))
            .collect();
        let sizes = named::infer_sizes(name, &shapes, input).unwrap();
        let description = named::description(name, &sizes).unwrap();
        let mut network = Network::new(&description, 0).unwrap();
        for entry in network.parameters().entries().to_vec() {
            let values = &weights[&entry.name].1;
            network.parameters_mut().values_mut()[entry.range].copy_from_slice(values);
        }
        let classes = (0..sizes.classes).map(|class| class.to_string());
        let mut network = Classifier::new(network, classes.collect()).unwrap();
        if let Some(bounds) = bounds {
            network = network.with_bounds(bounds).unwrap();
        }
        let labels = cases["y"].1.iter().map(|&label| label as usize).collect();
        Some(Self {
            network,
            cases,
            labels,
        })
    }

    fn batch(&self) -> Labelled<'_> {
        Labelled::new(self.tensor("x"), &self.labels)
    }

    fn tensor(&self, name: &str) -> &[f32] {
        &self.cases[name].1
    }

    fn loss(&self, x: &[f32]) -> f32 {
        let mut pass = ClassifierPass::default();
        let logits = self
            .network
            .forward(x, Mode::Evaluation, &mut pass)
            .unwrap();
        mean_cross_entropy(logits, &self.labels).unwrap()
    }

    fn check_attack(&self, key: &str, config: &AttackConfig) {
        let x = self.tensor("x");
        let found = attack(&self.network, self.batch(), Goal::Untargeted, config, 0).unwrap();
        let expected = self.tensor(key);
        let signs = found.x.iter().zip(expected).zip(x);
        let sign = |moved: &f32, x: &f32| (moved - x).total_cmp(&0.0);
        let same = signs.filter(|((found, expected), x)| sign(found, x) == sign(expected, x));
        let share = same.count() as f32 / x.len() as f32;
        let (reached, wanted) = (self.loss(&found.x), self.loss(expected));
        println!("{key}: {share} of the signs equal, loss {reached}, expected {wanted}");
        assert!(
            share >= EQUAL_SIGNS,
            "{key}: {share} of the signs are equal"
        );
        assert!(
            (reached - wanted).abs() <= LOSS * wanted,
            "{key}: {reached}, {wanted}"
        );
        assert!(wanted > self.loss(x));
    }

    fn attribute(&self, name: &str) -> Attribution {
        let method = Method::named(name).unwrap();
        attribute(&self.network, self.batch(), &method, &Settings::default()).unwrap()
    }

    fn check_attribution(&self, key: &str, name: &str) {
        let found = self.attribute(name);
        assert_close(key, &found.values, self.tensor(key), GOLDEN);
        let Some(gap) = found.gap else { return };
        let largest = found.values.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
        let (x, zero) = (self.tensor("x"), vec![0.0; found.values.len()]);
        let (at_x, at_zero) = (self.true_logits(x), self.true_logits(&zero));
        let rows = self.tensor(key).chunks(self.network.input().len());
        for (sample, row) in rows.enumerate() {
            let expected = row.iter().sum::<f32>() - (at_x[sample] - at_zero[sample]);
            let found = gap[sample];
            assert!(
                (found - expected).abs() <= GAP * largest,
                "{key}: {found}, {expected}"
            );
            if name == "deeplift" {
                assert!(
                    found.abs() <= GAP * largest,
                    "{key}: gap {found} of {largest}"
                );
            }
        }
    }

    fn true_logits(&self, x: &[f32]) -> Vec<f32> {
        let mut pass = ClassifierPass::default();
        let logits = self
            .network
            .forward(x, Mode::Evaluation, &mut pass)
            .unwrap();
        let rows = logits.chunks(self.network.classes()).zip(&self.labels);
        rows.map(|(row, &label)| row[label]).collect()
    }

    fn check(&self) {
        let config = |kind| AttackConfig {
            random_start: false,
            ..AttackConfig::new(kind, EPSILON)
        };
        self.check_attack("fgsm", &config(AttackKind::Fgsm));
        self.check_attack("pgd", &config(AttackKind::Pgd));
        self.check_attack("mifgsm", &config(AttackKind::MiFgsm));
        self.check_attribution("input_x_gradient", "input-x-gradient");
        self.check_attribution("gradient_true_logit", "gradient");
        self.check_attribution("integrated_gradients", "integrated-gradients");
    }
}

const SENSOR: InputShape = InputShape::Series {
    steps: 100,
    channels: 6,
    order: SeriesOrder::StepsFirst,
};

#[test]
fn small_cnn() {
    let case = Case::load("small-cnn", None, Some(Bounds::UNIT)).unwrap();
    case.check();
    case.check_attribution("deeplift", "deeplift");
}

#[test]
fn mnist_cnn() {
    if let Some(case) = Case::load("mnist-cnn", None, Some(Bounds::UNIT)) {
        case.check();
        case.check_attribution("deeplift", "deeplift");
    }
}

#[test]
fn sensor_lstm() {
    let case = Case::load("sensor-lstm", Some(SENSOR), None).unwrap();
    case.check();
}

#[test]
fn text_bilstm() {
    let input = InputShape::Tokens {
        tokens: 12,
        dim: 20,
    };
    Case::load("text-bilstm", Some(input), None)
        .unwrap()
        .check();
}

#[test]
fn the_rescale_rule_is_complete_through_every_feed_forward_network() {
    /// Share of the logits' size: batch norm and nine blocks round more than one layer.
    const COMPLETE: f32 = 1e-3;
    let image = InputShape::Image {
        channels: 3,
        height: 32,
        width: 32,
    };
    let series = InputShape::Series {
        steps: 40,
        channels: 3,
        order: SeriesOrder::ChannelsFirst,
    };
    let narrow = |name: &str| match name {
        "resnet18" => vec![8, 8, 8, 8],
        "cifar-cnn" => vec![4, 4, 8, 8, 16],
        _ => Vec::new(),
    };
    for (name, input) in [
        ("cifar-cnn", image),
        ("resnet18", image),
        ("sensor-cnn", series),
    ] {
        let sizes = NetworkSizes {
            input,
            classes: 4,
            hidden: narrow(name),
        };
        let description = named::description(name, &sizes).unwrap();
        let network = Network::new(&description, 3).unwrap();
        let x: Vec<f32> = (0..2 * input.len())
            .map(|i| (i as f32 * 0.7).sin())
            .collect();
        let reference: Vec<f32> = (0..input.len()).map(|i| (i as f32 * 1.3).cos()).collect();
        let settings = Settings {
            baseline: Baseline::Samples(&reference),
            ..Settings::default()
        };
        let found = attribute(
            &network,
            Labelled::new(&x, &[0, 3]),
            &Method::DeepLift,
            &settings,
        )
        .unwrap();
        let size = found
            .values
            .chunks(input.len())
            .map(|row| row.iter().sum::<f32>().abs());
        let size = size.fold(0.0, f32::max);
        for gap in found.gap.unwrap() {
            println!("{name}: gap {gap}, size {size}");
            assert!(gap.abs() <= COMPLETE * size, "{name}: {gap} of {size}");
        }
    }
}
