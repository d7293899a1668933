//! Times the masking of a batch, for the comparison with PyTorch (`benches/peers/mask_speed.py`).
//!
//! Masks half of the features of every sample with the uniform policy, on one thread, and prints
//! one JSON object: nanoseconds a batch (median over rounds) by feature count.
//!
//! `cargo bench --bench mask_timing -- [BATCH] [FEATURES…]`

use sgt_core::{Layout, Masking, Pcg32, Random};
use sgt_host::masking::mask_sample;
use std::time::Instant;

const ROUNDS: usize = 200;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let batch: usize = numbers.next().unwrap_or(128);
    let mut sizes: Vec<usize> = numbers.collect();
    if sizes.is_empty() {
        sizes = vec![784];
    }
    let mut medians = serde_json::Map::new();
    for features in sizes {
        let mut rng = Pcg32::new(1, 0);
        let mut normal = || -> Vec<f32> {
            let count = batch * features;
            (0..count).map(|_| rng.standard_normal()).collect()
        };
        let (gradient, x) = (normal(), normal());
        let mut masked = vec![0.0; x.len()];
        let mut scratch = vec![0; features];
        let masking = Masking::reference(Layout::flat(features).expect("features above zero"));
        let mut nanoseconds: Vec<u64> = (0..ROUNDS)
            .map(|round| {
                let start = Instant::now();
                let samples = gradient
                    .chunks_exact(features)
                    .zip(x.chunks_exact(features));
                let outs = masked.chunks_exact_mut(features);
                for (sample, ((gradient, x), out)) in samples.zip(outs).enumerate() {
                    let mut rng = Pcg32::new(round as u64, sample as u64);
                    mask_sample(&masking, gradient, x, None, &mut rng, &mut scratch, out)
                        .expect("finite gradients");
                }
                u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
            })
            .collect();
        nanoseconds.sort_unstable();
        medians.insert(features.to_string(), nanoseconds[ROUNDS / 2].into());
    }
    println!("{}", serde_json::Value::Object(medians));
}
