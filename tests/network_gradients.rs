//! Finite differences in `f32` of whole networks, with the steps and
//! tolerances of `common/tolerance.rs`.

#[path = "common/tolerance.rs"]
mod tolerance;

use sgt_core::{Pcg32, Random};
use sgt_host::kernel::activation::{relu_backward, relu_forward};
use sgt_host::network::network::NetworkPass;
use sgt_host::network::registry::{self, NetworkSizes};
use sgt_host::network::{InputShape, Mode, Model, SeriesOrder};

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
    let row = tolerance::of(layer);
    assert_eq!(gradient.len(), point.len(), "{layer}");
    let scale = dot(gradient, gradient).sqrt();
    assert!(scale > 0.0, "{layer}: the gradient is zero");
    for direction in 0..DIRECTIONS {
        // Along the gradient itself, and along random signs.
        let direction: Vec<f32> = if direction == 0 {
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
            (found - expected).abs() <= f64::from(row.relative) * scale,
            "{layer}: difference {found}, derivative {expected}, gradient's length {scale}"
        );
    }
}

#[test]
fn relu() {
    // Values a step away from the kink of ReLU.
    let x: Vec<f32> = random(64, 1).iter().map(|x| x + 0.1 * x.signum()).collect();
    let dout = random(64, 2);
    let mut dx = vec![0.0; 64];
    relu_backward(&x, &dout, &mut dx).unwrap();
    check("relu", &x, &dout, &dx, |x| {
        let mut out = vec![0.0; x.len()];
        relu_forward(x, &mut out).unwrap();
        out
    });
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
        let network = registry::build(name, &sizes, 4).unwrap();
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
    let mut network = registry::build("resnet18", &sizes, 4).unwrap();
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
