//! Weights of another program, read with the network's name: every golden network answers as PyTorch
//! did.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use sgt_host::network::{ClassifierPass, Mode, Model};
use sgt_host::npy::Array;
use sgt_host::run::Trained;
use std::path::Path;

/// Swaps the two axes of every `[steps, channels]` sample.
fn channels_first(x: &[f32], steps: usize, channels: usize) -> Vec<f32> {
    let samples = x.chunks_exact(steps * channels);
    samples
        .flat_map(|sample| {
            (0..channels * steps).map(move |place| {
                let (channel, step) = (place / steps, place % steps);
                sample[step * channels + channel]
            })
        })
        .collect()
}

#[test]
fn foreign_weights_answer_as_pytorch_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["small-cnn", "sensor-lstm", "text-bilstm"] {
        let (_, cases) = golden::golden(name).expect("a small golden file is in the tree");
        let (mut shape, mut x) = cases["x"].clone();
        if name == "sensor-lstm" {
            // Series lie channels first in files.
            x = channels_first(&x, shape[1], shape[2]);
            shape.swap(1, 2);
        }
        let weights = folder.join(format!("{name}.weights.safetensors"));
        let trained = Trained::read(&weights, Some(name), &shape[1..]).expect(name);
        let array = Array { shape, values: x };
        let x = trained.samples(Path::new("x.npy"), array).expect(name);
        let mut pass = ClassifierPass::default();
        let logits = trained.model.forward(&x, Mode::Evaluation, &mut pass);
        let (_, expected) = &cases["logits"];
        tolerance::assert_close(name, logits.expect(name), expected, tolerance::GOLDEN);
    }
}
