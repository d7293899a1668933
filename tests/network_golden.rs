//! Networks of the registry against PyTorch's values: logits, input gradients, losses, and the
//! parameter gradients of the SGT objective.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use golden::Tensors;
use sgt_core::{SgtRows, mean_cross_entropy, mean_kl_divergence, sgt_objective};
use sgt_host::network::network::{Network, NetworkPass};
use sgt_host::network::registry::{self, NetworkSizes};
use sgt_host::network::{InputShape, Mode, Model, Score, SeriesOrder, input_gradient};
use tolerance::{DIVERGENCE_ROUNDING, GOLDEN, assert_close};

/// The network `name` with the golden weights, its sizes found from their shapes.
fn load(name: &str, weights: &Tensors, input: Option<InputShape>) -> Network {
    let shapes: Vec<(&str, &[usize])> = weights
        .iter()
        .map(|(name, (shape, _))| (name.as_str(), shape.as_slice()))
        .collect();
    let sizes = registry::infer_sizes(name, &shapes, input).unwrap();
    let mut network = registry::build(name, &sizes, 0).unwrap();
    let entries = network.parameters().entries().to_vec();
    assert_eq!(entries.len(), weights.len(), "tensors of {name}");
    for entry in entries {
        let (shape, values) = &weights[&entry.name];
        assert_eq!(&entry.shape, shape, "{}", entry.name);
        network.parameters_mut().values_mut()[entry.range].copy_from_slice(values);
    }
    network
}

fn check(name: &str, input: Option<InputShape>) {
    let Some((weights, cases)) = golden::golden(name) else {
        return;
    };
    let network = load(name, &weights, input);
    let case = |name: &str| cases[name].1.as_slice();
    let (x, masked) = (case("x"), case("masked_zero_k50"));
    let labels: Vec<usize> = case("y").iter().map(|&label| label as usize).collect();
    let batch = labels.len();
    let mut pass = NetworkPass::default();
    let mut dx = vec![f32::NAN; x.len()];
    input_gradient(&network, x, &labels, Score::TrueLogit, &mut pass, &mut dx).unwrap();
    assert_close(
        "gradient_true_logit",
        &dx,
        case("gradient_true_logit"),
        GOLDEN,
    );
    input_gradient(&network, x, &labels, Score::Loss, &mut pass, &mut dx).unwrap();
    assert_close("gradient_loss_sum", &dx, case("gradient_loss_sum"), GOLDEN);

    let classes = network.classes();
    let clean = network
        .forward(x, Mode::Evaluation, &mut pass)
        .unwrap()
        .to_vec();
    assert_close("logits", &clean, case("logits"), GOLDEN);
    let mut masked_pass = NetworkPass::default();
    let logits = network
        .forward(masked, Mode::Evaluation, &mut masked_pass)
        .unwrap();
    let cross_entropy = mean_cross_entropy(&clean, &labels).unwrap();
    assert_close(
        "cross_entropy",
        &[cross_entropy],
        case("cross_entropy"),
        GOLDEN,
    );
    for (key, p, q) in [
        ("kl_clean_masked", clean.as_slice(), logits),
        ("kl_masked_clean", logits, clean.as_slice()),
    ] {
        let found = mean_kl_divergence(p, q, classes).unwrap();
        let expected = case(key)[0];
        let allowed = GOLDEN * expected.abs() + DIVERGENCE_ROUNDING;
        assert!(
            (found - expected).abs() <= allowed,
            "{key}: {found}, {expected}"
        );
    }

    let (mut dclean, mut dmasked) = (vec![0.0; clean.len()], vec![0.0; clean.len()]);
    for (sample, &label) in labels.iter().enumerate() {
        let row = sample * classes..(sample + 1) * classes;
        let rows = SgtRows {
            clean: &clean[row.clone()],
            masked: &logits[row.clone()],
        };
        let mut gradients = SgtRows {
            clean: &mut dclean[row.clone()],
            masked: &mut dmasked[row],
        };
        sgt_objective(&rows, label, 1.0, 1.0 / batch as f32, &mut gradients).unwrap();
    }
    let mut gradient = vec![0.0; network.parameters().values().len()];
    network
        .backward(&mut pass, &dclean, None, Some(&mut gradient))
        .unwrap();
    network
        .backward(&mut masked_pass, &dmasked, None, Some(&mut gradient))
        .unwrap();
    let mut compared = 0;
    for entry in network.parameters().entries() {
        // The largest tensor of mnist-cnn has no golden gradient.
        if let Some((_, expected)) = cases.get(&format!("sgt_grad.{}", entry.name)) {
            assert_close(
                &entry.name,
                &gradient[entry.range.clone()],
                expected,
                GOLDEN,
            );
            compared += 1;
        }
    }
    assert!(
        compared + 1 >= weights.len(),
        "{compared} gradients of {name}"
    );
}

#[test]
fn small_cnn() {
    check("small-cnn", None);
}

#[test]
fn mnist_cnn() {
    check("mnist-cnn", None);
}

#[test]
fn sensor_lstm() {
    let input = InputShape::Series {
        steps: 100,
        channels: 6,
        order: SeriesOrder::StepsFirst,
    };
    check("sensor-lstm", Some(input));
}

#[test]
fn text_bilstm() {
    let input = InputShape::Tokens {
        tokens: 12,
        dim: 20,
    };
    check("text-bilstm", Some(input));
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let input = InputShape::Image {
        channels: 1,
        height: 28,
        width: 28,
    };
    let error = registry::build("mnist_cnn", &NetworkSizes::new(input, 10), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model: found mnist_cnn, expected one of mnist-cnn, small-cnn, cifar-cnn, resnet18, \
         sensor-cnn, sensor-lstm, text-bilstm (nearest: mnist-cnn)"
    );
}

#[test]
fn published_parameter_counts() {
    let image = |channels, side| InputShape::Image {
        channels,
        height: side,
        width: side,
    };
    // The published MNIST network's, and those of ResNet-18 in its form for 32×32 images.
    for (name, input, count) in [
        ("mnist-cnn", image(1, 28), 1_199_882),
        ("resnet18", image(3, 32), 11_173_962),
    ] {
        let network = registry::build(name, &NetworkSizes::new(input, 10), 0).unwrap();
        assert_eq!(network.parameters().trainable_count(), count, "{name}");
    }
    let sizes = NetworkSizes::new(image(3, 32), 10);
    let network = registry::build("resnet18", &sizes, 0).unwrap();
    for (name, length) in [
        ("conv1.weight", 64 * 3 * 9),
        ("bn1.running_var", 64),
        ("layer1.1.bn2.bias", 64),
        ("layer2.0.downsample.0.weight", 128 * 64),
        ("layer4.0.downsample.1.running_mean", 512),
        ("fc.weight", 10 * 512),
    ] {
        assert_eq!(
            network.parameters().get(name).unwrap().len(),
            length,
            "{name}"
        );
    }
    assert!(
        network
            .parameters()
            .get("layer1.0.downsample.0.weight")
            .is_err()
    );
}

#[test]
fn sizes_are_found_from_shapes() {
    for name in registry::NAMES {
        let input = match name {
            "sensor-cnn" | "sensor-lstm" => InputShape::Series {
                steps: 40,
                channels: 5,
                order: registry::series_order(name).unwrap(),
            },
            "text-bilstm" => InputShape::Tokens { tokens: 9, dim: 6 },
            "mnist-cnn" | "small-cnn" => InputShape::Image {
                channels: 1,
                height: 28,
                width: 28,
            },
            _ => InputShape::Image {
                channels: 3,
                height: 32,
                width: 32,
            },
        };
        let sizes = NetworkSizes {
            hidden: registry::default_hidden(name).unwrap().to_vec(),
            ..NetworkSizes::new(input, 7)
        };
        let network = registry::build(name, &sizes, 0).unwrap();
        let entries = network.parameters().entries();
        let shapes: Vec<(&str, &[usize])> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.shape.as_slice()))
            .collect();
        let given = matches!(name, "mnist-cnn" | "small-cnn" | "cifar-cnn");
        let found = registry::infer_sizes(name, &shapes, (!given).then_some(input));
        assert_eq!(found.unwrap(), sizes, "{name}");
        let refused = registry::infer_sizes(name, &[], Some(input)).unwrap_err();
        assert!(refused.to_string().contains("no tensor"), "{refused}");
    }
}
