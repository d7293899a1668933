//! NumPy arrays as values and as labels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::npy;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("x.npy");
    if let Ok(array) = npy::parse(path, data) {
        assert_eq!(array.shape.iter().product::<usize>(), array.values.len());
    }
    if let Ok(labels) = npy::parse_labels(path, data, 10) {
        assert!(labels.iter().all(|&label| label < 10));
    }
});
