//! Networks against PyTorch's values: networks by name on real samples (logits, input gradients,
//! losses, the parameter gradients of the SGT objective), and a small network for every kind of
//! layer and each of its forms (logits, all gradients, running statistics, `DeepLIFT`).

#[path = "common/golden.rs"]
mod golden;
#[path = "common/model_golden.rs"]
mod model_golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use golden::Tensors;
use model_golden::{check_golden, load_golden};
use safetensors::SafeTensors;
use serde::Deserialize;
use sgt_host::Error;
use sgt_host::network::named::{self, Named, NetworkSizes, Reads};
use sgt_host::network::{
    Description, InputShape, Mode, Model, Network, NetworkPass, Rescaling, Samples, SeriesOrder,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use tolerance::{GOLDEN, GOLDEN_ZERO};

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

/// One network of the golden file: its description, and the real steps of each sample.
#[derive(Deserialize)]
struct Case {
    description: serde_json::Value,
    lengths: Option<Vec<usize>>,
}

/// Words of descriptions that this library cannot read yet.
const PENDING: [&str; 0] = [];

#[test]
fn every_layer_in_every_form() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/networks.safetensors");
    let tensors = golden::read(&path);
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let cases = &header.metadata().as_ref().unwrap()["cases"];
    let cases: BTreeMap<String, Case> = serde_json::from_str(cases).unwrap();
    let mut wrong = Vec::new();
    let mut skipped = BTreeMap::new();
    for (name, case) in &cases {
        let text = case.description.to_string();
        if let Some(word) = PENDING.iter().find(|word| text.contains(**word)) {
            *skipped.entry(*word).or_insert(0) += 1;
            continue;
        }
        let prefix = format!("{name}/");
        let own = tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(&prefix)?;
            Some((name.to_string(), tensor.clone()))
        });
        match case.check(&own.collect()) {
            Ok((worst, _)) if worst <= 1.0 => {}
            Ok((worst, tensor)) => wrong.push(format!("{name}: {tensor} {worst:.2e}")),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert_eq!(skipped.len(), PENDING.len(), "skipped: {skipped:?}");
    assert!(
        wrong.is_empty(),
        "largest difference, as a share of what is allowed, in {} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// The largest difference so far, as a share of what is allowed, and where it is.
#[derive(Default)]
struct Worst {
    share: f32,
    tensor: String,
}

impl Worst {
    fn take(&mut self, tensor: &str, found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len(), "{tensor}");
        let largest = expected.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let allowed = GOLDEN * largest + GOLDEN_ZERO;
        for (found, expected) in found.iter().zip(expected) {
            let difference = (found - expected).abs() / allowed;
            // NaN is as wrong as can be.
            if difference > self.share || difference.is_nan() {
                self.share = if difference.is_nan() {
                    f32::INFINITY
                } else {
                    difference
                };
                self.tensor = tensor.into();
            }
        }
    }
}

impl Case {
    fn check(&self, tensors: &Tensors) -> sgt_host::Result<(f32, String)> {
        let description = serde_json::from_value(self.description.clone());
        let description: Description = description.map_err(|reason| Error::Argument {
            argument: "description".into(),
            found: reason.to_string(),
            expected: "layers of this library".into(),
        })?;
        let mut network = Network::new(&description, 0)?;
        let is_parameter = |name: &&String| name.starts_with("parameter/");
        let given = tensors.keys().filter(is_parameter).count();
        let entries = network.parameters().entries().to_vec();
        assert_eq!(given, entries.len(), "tensors of {}", description.name);
        for entry in entries {
            let (shape, values) = &tensors[&format!("parameter/{}", entry.name)];
            assert_eq!(
                &entry.shape, shape,
                "{} of {}",
                entry.name, description.name
            );
            network.parameters_mut().values_mut()[entry.range].copy_from_slice(values);
        }
        let mut worst = Worst::default();
        self.compare(&network, tensors, "", Mode::Evaluation, &mut worst)?;
        if tensors.contains_key("deeplift/attributions") {
            self.compare_deeplift(&network, tensors, &mut worst)?;
        }
        if tensors.contains_key("training-logits") {
            let mode = Mode::Training { seed: 0 };
            let pass = self.compare(&network, tensors, "training-", mode, &mut worst)?;
            network.absorb_statistics(&pass);
            for entry in network.parameters().entries() {
                let expected = tensors.get(&format!("after/{}", entry.name));
                assert_eq!(expected.is_none(), entry.trainable, "{}", entry.name);
                if let Some((_, expected)) = expected {
                    let found = &network.parameters().values()[entry.range.clone()];
                    worst.take(&format!("after/{}", entry.name), found, expected);
                }
            }
        }
        Ok((worst.share, worst.tensor))
    }

    fn samples<'a>(&self, x: &'a [f32], valid: &'a mut Vec<Range<usize>>) -> Samples<'a> {
        valid.extend(self.lengths.iter().flatten().map(|&length| 0..length));
        Samples { x, valid }
    }

    /// Logits and gradients in one mode.
    fn compare(
        &self,
        network: &Network,
        tensors: &Tensors,
        prefix: &str,
        mode: Mode,
        worst: &mut Worst,
    ) -> sgt_host::Result<NetworkPass> {
        let expected = |name: &str| tensors[&format!("{prefix}{name}")].1.as_slice();
        let x = &tensors["x"].1;
        let mut valid = Vec::new();
        let samples = self.samples(x, &mut valid);
        let mut pass = NetworkPass::default();
        let logits = network.forward(samples, mode, &mut pass)?;
        worst.take(&format!("{prefix}logits"), logits, expected("logits"));
        let mut dx = vec![f32::NAN; x.len()];
        let mut gradient = vec![0.0; network.parameters().values().len()];
        let cotangent = &tensors["cotangent"].1;
        network.backward(&mut pass, cotangent, Some(&mut dx), Some(&mut gradient))?;
        worst.take(&format!("{prefix}dx"), &dx, expected("dx"));
        if let Some((_, ids)) = tensors.get("ids") {
            let words: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
            assert_eq!(&network.embed(&words)?, x);
            network.add_embedding_gradient(&words, &dx, &mut gradient)?;
        }
        for entry in network.parameters().entries() {
            if entry.trainable {
                let name = format!("gradient/{}", entry.name);
                let found = &gradient[entry.range.clone()];
                worst.take(&format!("{prefix}{name}"), found, expected(&name));
            }
        }
        Ok(pass)
    }

    /// The attributions of class 0, by either set of rules: these networks have no layer in which
    /// they differ.
    fn compare_deeplift(
        &self,
        network: &Network,
        tensors: &Tensors,
        worst: &mut Worst,
    ) -> sgt_host::Result<()> {
        let (x, baseline) = (&tensors["x"].1, &tensors["baseline"].1);
        let batch = x.len() / baseline.len();
        let baselines = baseline.repeat(batch);
        let mut dlogits = vec![0.0; batch * network.classes()];
        dlogits
            .iter_mut()
            .step_by(network.classes())
            .for_each(|of_first| *of_first = 1.0);
        let mut valid = Vec::new();
        let samples = self.samples(x, &mut valid);
        for rules in [Rescaling::Complete, Rescaling::AsCaptum] {
            let mut found = vec![f32::NAN; x.len()];
            network.multipliers(samples, &baselines, &dlogits, rules, &mut found)?;
            for ((m, x), baseline) in found.iter_mut().zip(x).zip(&baselines) {
                *m *= x - baseline;
            }
            let name = "deeplift/attributions";
            worst.take(name, &found, &tensors[name].1);
        }
        Ok(())
    }
}
