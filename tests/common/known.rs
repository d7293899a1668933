//! A model and samples of which it is known what features carry the signal.

use super::mlp::Mlp;
use sgt_core::{Pcg32, Random};
use sgt_host::network::InputShape;

pub const IMAGE: InputShape = InputShape::Image {
    channels: 1,
    height: 8,
    width: 8,
};
pub const SAMPLES: usize = 200;
/// Features that carry the signal.
pub const SIGNAL: usize = 8;

/// A linear model of the first `SIGNAL` places of a fixed shuffle, and which places these are.
pub fn known_model() -> (Mlp, Vec<bool>) {
    let mut places: Vec<usize> = (0..IMAGE.len()).collect();
    let mut rng = Pcg32::new(11, 0);
    for last in (1..places.len()).rev() {
        places.swap(last, rng.below(last as u32 + 1) as usize);
    }
    let mut weights = vec![0.0; IMAGE.len()];
    let mut truth = vec![false; IMAGE.len()];
    for (rank, &place) in places[..SIGNAL].iter().enumerate() {
        weights[place] = 1.0 + 0.1 * rank as f32;
        truth[place] = true;
    }
    (Mlp::linear(IMAGE, &weights, 0.0), truth)
}

pub fn known_samples(truth: &[bool]) -> (Vec<f32>, Vec<usize>) {
    let mut rng = Pcg32::new(12, 0);
    let mut x = Vec::new();
    let mut labels = Vec::new();
    for sample in 0..SAMPLES {
        let label = sample % 2;
        let sign = if label == 1 { 1.0 } else { -1.0 };
        for &signal in truth {
            let noise = rng.standard_normal();
            x.push(if signal { sign + 0.3 * noise } else { noise });
        }
        labels.push(label);
    }
    (x, labels)
}
