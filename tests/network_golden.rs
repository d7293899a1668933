//! Networks by name against PyTorch's values: logits, input gradients, losses, and the
//! parameter gradients of the SGT objective.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/model_golden.rs"]
mod model_golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use golden::Tensors;
use model_golden::{check_golden, load_golden};
use sgt_host::network::named::{self, Named, NetworkSizes, Reads};
use sgt_host::network::{InputShape, Model, Network, SeriesOrder};

fn build(name: &str, sizes: &NetworkSizes) -> Network {
    Network::new(&named::description(name, sizes).unwrap(), 0).unwrap()
}

fn shapes(weights: &Tensors) -> Vec<(&str, &[usize])> {
    let shapes = weights.iter();
    shapes
        .map(|(name, (shape, _))| (name.as_str(), shape.as_slice()))
        .collect()
}

/// The network `name` with the golden weights, its sizes found from their shapes.
fn check(name: &str, input: Option<InputShape>) {
    let Some((weights, cases)) = golden::golden(name) else {
        return;
    };
    let sizes = named::infer_sizes(name, &shapes(&weights), input).unwrap();
    let mut network = build(name, &sizes);
    load_golden(&mut network, &weights);
    check_golden(&network, &cases);
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
    let error = named::description("mnist_cnn", &NetworkSizes::new(input, 10)).unwrap_err();
    let names: Vec<&str> = named::ALL.iter().map(|named| named.name).collect();
    assert!(names.len() >= 7, "{names:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "model: found mnist_cnn, expected one of {} (nearest: mnist-cnn)",
            names.join(", ")
        )
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
        let network = build(name, &NetworkSizes::new(input, 10));
        assert_eq!(network.parameters().trainable_count(), count, "{name}");
    }
    let sizes = NetworkSizes::new(image(3, 32), 10);
    let network = build("resnet18", &sizes);
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
    for Named {
        name,
        reads,
        hidden,
        ..
    } in named::ALL
    {
        let input = match (*name, *reads) {
            ("mnist-cnn" | "small-cnn", _) => InputShape::image(1, 28, 28),
            (_, Reads::Images) => InputShape::image(3, 32, 32),
            (_, Reads::Series(order)) => InputShape::series(40, 5).ordered(order),
            (_, Reads::Tokens) => InputShape::tokens(9, 6),
        };
        let sizes = NetworkSizes {
            hidden: hidden.to_vec(),
            ..NetworkSizes::new(input, 7)
        };
        let network = build(name, &sizes);
        let entries = network.parameters().entries();
        let shapes: Vec<(&str, &[usize])> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.shape.as_slice()))
            .collect();
        let given = matches!(*name, "mnist-cnn" | "small-cnn" | "cifar-cnn");
        let found = named::infer_sizes(name, &shapes, (!given).then_some(input));
        assert_eq!(found.unwrap(), sizes, "{name}");
        let refused = named::infer_sizes(name, &[], Some(input)).unwrap_err();
        assert!(refused.to_string().contains("no tensor"), "{refused}");
    }
}
