//! MNIST's idx pairs and CIFAR-10's records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::data::{cifar, idx};
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let (images, labels) = (Path::new("images"), Path::new("labels"));
    // The first byte says where the images end.
    if let Some((&cut, rest)) = data.split_first() {
        let middle = rest.len() * usize::from(cut) / usize::from(u8::MAX);
        let (first, second) = rest.split_at(middle);
        let _ = idx::parse("fuzz", (images, first), (labels, second));
    }
    let _ = cifar::parse("fuzz", [(images, data)]);
});
