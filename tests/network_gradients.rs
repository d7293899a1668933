//! Finite differences in `f32` of whole networks, with the steps and
//! tolerances of `common/tolerance.rs`.

#[path = "common/descriptions.rs"]
mod descriptions;
#[path = "common/tolerance.rs"]
mod tolerance;

use descriptions::{BATCH, CLASSES, Small, small_networks};
use sgt_core::{Pcg32, Random};
use sgt_host::data::Normalization;
use sgt_host::network::named::{self, NetworkSizes};
use sgt_host::network::{
    Classifier, Description, InputShape, Mode, Model, Network, NetworkPass, Samples, SeriesOrder,
};

/// Directions in which each function is tried.
const DIRECTIONS: u64 = 6;

fn random(len: usize, stream: u64) -> Vec<f32> {
    let mut random = Pcg32::new(21, stream);
    (0..len).map(|_| 2.0 * random.unit() - 1.0).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

/// Compares `∂/∂direction Σ cotangent · function(point)` with `Σ gradient · direction`.
///
/// `gradient` is that of `Σ cotangent · function` with respect to `point`.
fn check(
    layer: &str,
    point: &[f32],
    cotangent: &[f32],
    gradient: &[f32],
    mut function: impl FnMut(&[f32]) -> Vec<f32>,
) {
    let scale = dot(gradient, gradient).sqrt();
    assert!(scale > 0.0, "{layer}: the gradient is zero");
    let row = tolerance::of(layer);
    check_tensor(layer, row, 0.0, point, cotangent, gradient, &mut function);
}

/// [`check`] of one tensor, whose gradient may be zero to within `floor`.
fn check_tensor(
    what: &str,
    row: tolerance::Difference,
    floor: f64,
    point: &[f32],
    cotangent: &[f32],
    gradient: &[f32],
    function: &mut impl FnMut(&[f32]) -> Vec<f32>,
) {
    assert_eq!(gradient.len(), point.len(), "{what}");
    let scale = dot(gradient, gradient).sqrt();
    for direction in 0..DIRECTIONS {
        // Along the gradient itself, and along random signs.
        let direction: Vec<f32> = if direction == 0 && scale > 0.0 {
            gradient.iter().map(|g| g / scale as f32).collect()
        } else {
            let signs = random(point.len(), 100 + direction);
            let length = (point.len() as f32).sqrt();
            signs.iter().map(|s| s.signum() / length).collect()
        };
        let mut along = |step: f32| {
            let moved = point.iter().zip(&direction).map(|(x, d)| x + step * d);
            dot(cotangent, &function(&moved.collect::<Vec<_>>()))
        };
        let found = (along(row.step) - along(-row.step)) / (2.0 * f64::from(row.step));
        let expected = dot(gradient, &direction);
        assert!(
            (found - expected).abs() <= f64::from(row.relative) * scale + floor,
            "{what}: difference {found}, derivative {expected}, gradient's length {scale}"
        );
    }
}

fn build(name: &str, sizes: &NetworkSizes) -> Network {
    Network::new(&named::description(name, sizes).unwrap(), 4).unwrap()
}

#[test]
fn networks() {
    let image = |channels, side| InputShape::Image {
        channels,
        height: side,
        width: side,
    };
    let series = |order| InputShape::Series {
        steps: 15,
        channels: 3,
        order,
    };
    let tokens = InputShape::Tokens { tokens: 7, dim: 5 };
    for (name, input, hidden) in [
        ("small-cnn", image(2, 12), vec![4, 16, 12]),
        ("cifar-cnn", image(3, 8), vec![4, 6, 16, 8, 12]),
        ("resnet18", image(3, 16), vec![4, 6, 8, 8]),
        (
            "sensor-cnn",
            series(SeriesOrder::ChannelsFirst),
            vec![8, 8, 8],
        ),
        ("sensor-lstm", series(SeriesOrder::StepsFirst), vec![8]),
        ("text-bilstm", tokens, vec![6]),
    ] {
        let sizes = NetworkSizes {
            hidden,
            ..NetworkSizes::new(input, 3)
        };
        let network = build(name, &sizes);
        let batch = 3;
        let x = random(batch * input.len(), 1);
        let dlogits = random(batch * 3, 2);
        for mode in [Mode::Training { seed: 6 }, Mode::Evaluation] {
            let mut pass = NetworkPass::default();
            network.forward(&x, mode, &mut pass).unwrap();
            let mut dx = vec![0.0; x.len()];
            let mut gradient = vec![0.0; network.parameters().values().len()];
            network
                .backward(&mut pass, &dlogits, Some(&mut dx), Some(&mut gradient))
                .unwrap();
            println!("{name} {mode:?}");
            let row = if name == "resnet18" {
                "deep network"
            } else {
                "network"
            };
            check(row, &x, &dlogits, &dx, |x| {
                network.forward(x, mode, &mut pass).unwrap().to_vec()
            });
            // Running statistics have no gradient: they are functions of the data.
            let trainable: Vec<usize> = network
                .parameters()
                .entries()
                .iter()
                .filter(|entry| entry.trainable)
                .flat_map(|entry| entry.range.clone())
                .collect();
            let pick = |values: &[f32]| trainable.iter().map(|&i| values[i]).collect::<Vec<_>>();
            let mut moved = network.clone();
            let point = pick(network.parameters().values());
            check(row, &point, &dlogits, &pick(&gradient), |point| {
                let values = moved.parameters_mut().values_mut();
                for (&place, &value) in trainable.iter().zip(point) {
                    values[place] = value;
                }
                moved.forward(&x, mode, &mut pass).unwrap().to_vec()
            });
        }
    }
}

#[test]
fn every_layer_in_both_modes() {
    for small in small_networks() {
        for mode in [Mode::Training { seed: 6 }, Mode::Evaluation] {
            check_small(&small, mode);
        }
    }
}

/// Differences of the input and of each parameter by itself.
fn check_small(small: &Small, mode: Mode) {
    let row = tolerance::of(if small.is_rough() {
        "rough network"
    } else {
        "small network"
    });
    let floor = tolerance::LOGIT_ROUNDING / f64::from(row.step);
    let network = Network::new(&small.description, 4).unwrap();
    let valid = small.valid();
    let x = random(BATCH * network.input().len(), 1);
    let dlogits = random(BATCH * CLASSES, 2);
    let mut pass = NetworkPass::default();
    let run = |network: &Network, x: &[f32], pass: &mut NetworkPass| {
        let samples = Samples { x, valid: &valid };
        network.forward(samples, mode, pass).unwrap().to_vec()
    };
    run(&network, &x, &mut pass);
    let mut dx = vec![f32::NAN; x.len()];
    let mut gradient = vec![0.0; network.parameters().values().len()];
    network
        .backward(&mut pass, &dlogits, Some(&mut dx), Some(&mut gradient))
        .unwrap();
    let what = |tensor: &str| format!("{tensor} of {} in {mode:?}", small.name);
    assert!(dx.iter().any(|&d| d != 0.0), "{}", what("x"));
    check_tensor(&what("x"), row, floor, &x, &dlogits, &dx, &mut |x| {
        run(&network, x, &mut pass)
    });
    let mut moved = network.clone();
    for entry in network.parameters().entries() {
        let range = entry.range.clone();
        if !entry.trainable {
            // Running statistics have no gradient: they are functions of the data.
            assert!(gradient[range].iter().all(|&g| g == 0.0), "{}", entry.name);
            continue;
        }
        let point = network.parameters().values()[range.clone()].to_vec();
        let own = &gradient[range.clone()];
        let mut at = |values: &[f32]| {
            moved.parameters_mut().values_mut()[range.clone()].copy_from_slice(values);
            run(&moved, &x, &mut pass)
        };
        check_tensor(
            &what(&entry.name),
            row,
            floor,
            &point,
            &dlogits,
            own,
            &mut at,
        );
        at(&point);
    }
}

#[test]
fn running_statistics_follow_training_batches() {
    let input = InputShape::Image {
        channels: 3,
        height: 16,
        width: 16,
    };
    let sizes = NetworkSizes {
        hidden: vec![4, 4, 4, 4],
        ..NetworkSizes::new(input, 3)
    };
    let mut network = build("resnet18", &sizes);
    let x = random(5 * input.len(), 1);
    let mut pass = NetworkPass::default();
    let before = network.parameters().clone();
    network.forward(&x, Mode::Evaluation, &mut pass).unwrap();
    network.absorb_statistics(&pass);
    assert_eq!(
        &before,
        network.parameters(),
        "an evaluation pass changes nothing"
    );
    let training = Mode::Training { seed: 0 };
    let trained = network.forward(&x, training, &mut pass).unwrap().to_vec();
    for _ in 0..200 {
        network.forward(&x, training, &mut pass).unwrap();
        network.absorb_statistics(&pass);
    }
    for entry in network.parameters().entries() {
        let range = entry.range.clone();
        let same = before.values()[range.clone()] == network.parameters().values()[range];
        assert_eq!(same, entry.trainable, "{}", entry.name);
    }
    // On the batch they were taken from, evaluation now nearly agrees with training: the running
    // variance is the unbiased one.
    let evaluated = network.forward(&x, Mode::Evaluation, &mut pass).unwrap();
    tolerance::assert_close("logits", evaluated, &trained, 0.3);
}

/// A dropout of nothing between two layers keeps them from being one kernel.
#[test]
fn layers_that_could_be_one_kernel_skip_padding_too() {
    let (steps, channels) = (12, 3);
    let x = random(2 * steps * channels, 1);
    for window in [1, 2, 3] {
        let logits = |apart: bool| {
            let split = |description: Description| {
                if apart {
                    description.dropout(0.0)
                } else {
                    description
                }
            };
            let description = Description {
                skip_padding: true,
                ..Description::new(InputShape::series(steps, channels))
            };
            let description = split(description.convolution("c", 4, 3).relu());
            let description = split(description.max_pool(window))
                .flatten()
                .linear("fc", 2);
            let network = Network::new(&description, 4).unwrap();
            let samples = Samples {
                x: &x,
                valid: &[0..5, 0..steps],
            };
            let mut pass = NetworkPass::default();
            let logits = network.forward(samples, Mode::Evaluation, &mut pass);
            logits.unwrap().to_vec()
        };
        let name = format!("windows of {window}");
        tolerance::assert_close(&name, &logits(false), &logits(true), tolerance::GOLDEN);
    }
}

/// Memory orders differ in where a channel's values stand.
#[test]
fn a_classifier_normalises_the_channels_of_every_input() {
    let series = InputShape::series(7, 3);
    for input in [
        InputShape::image(3, 4, 5),
        series,
        series.ordered(SeriesOrder::ChannelsFirst),
    ] {
        let description = Description::new(input).flatten().linear("fc", 2);
        let network = Network::new(&description, 4).unwrap();
        let normalization = Normalization::new(vec![0.5, -0.25, 1.0], vec![2.0, 0.5, 4.0]).unwrap();
        let names = vec!["a".into(), "b".into()];
        let classifier = Classifier::new(network.clone(), names).unwrap();
        let classifier = classifier.with_normalization(&normalization).unwrap();

        let raw = random(2 * input.len(), 1);
        let mut normalized = raw.clone();
        normalization.apply(input, &mut normalized).unwrap();
        let (mut inner, mut outer) = Default::default();
        let expected = network.forward(&normalized, Mode::InputGradient, &mut inner);
        let expected = expected.unwrap().to_vec();
        let found = classifier.forward(&raw, Mode::InputGradient, &mut outer);
        let found = found.unwrap().to_vec();
        tolerance::assert_close("logits", &found, &expected, tolerance::GOLDEN);

        let dlogits = random(found.len(), 2);
        let mut dx = vec![0.0; raw.len()];
        let backward = classifier.backward(&mut outer, &dlogits, Some(&mut dx), None);
        backward.unwrap();
        check("network", &raw, &dlogits, &dx, |x| {
            let logits = classifier.forward(x, Mode::Evaluation, &mut outer);
            logits.unwrap().to_vec()
        });
    }
}
