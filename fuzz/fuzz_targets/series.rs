//! UEA `.ts` files and UCI HAR folders.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::data::{har, ts};
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("series.ts");
    let classes = ["a".to_string(), "1".to_string()];
    let _ = ts::parse(path, data, None);
    let _ = ts::parse(path, data, Some(&classes));
    // A line of labels, then the same text as every signal.
    let cut = data.iter().position(|&byte| byte == 0);
    let (labels, signal) = data.split_at(cut.unwrap_or(data.len()));
    let _ = har::parse(
        "fuzz",
        &[(path, signal); har::SIGNALS.len()],
        (path, labels),
    );
});
