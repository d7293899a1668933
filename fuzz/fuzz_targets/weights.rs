//! A weight file as a stranger would send it: the safetensors reader, its metadata and the model
//! loader behind it. What loads answers with finite logits' worth of memory, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::run::Trained;
use sgt_host::weights::Weights;
use std::path::Path;

/// A network by name, and the axes of one sample that a caller would give with it.
const FOREIGN: [(&str, &[usize]); 3] = [
    ("small-cnn", &[1, 16, 16]),
    ("sensor-lstm", &[100, 6]),
    ("text-bilstm", &[12, 20]),
];

fuzz_target!(|data: &[u8]| {
    let path = Path::new("weights.safetensors");
    let Ok(weights) = Weights::parse(path, data) else {
        return;
    };
    let _ = Trained::from_weights(path, &weights, None, &[]);
    for (name, sample) in FOREIGN {
        let _ = Trained::from_weights(path, &weights, Some(name), sample);
    }
});
