//! The cases that firmware runs on emulated boards, on the host, against the same hashes.
//!
//! After an intended change of results: `SGT_WRITE_EXPECTED=1 cargo test --test host_vectors`.

#[path = "embedded/cases/mod.rs"]
mod cases;

use cases::{CASES, EXPECTED};
use sgt_core::{Layout, Masking, mask_sample_len, mask_sample_small_len};
use std::fmt::Write;
use std::path::Path;

const EXPECTED_FILE: &str = "tests/embedded/cases/expected.txt";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_host_gives_the_bits_that_firmware_is_held_to() {
    let mut found = String::new();
    for case in CASES {
        match case.hash() {
            Ok(hash) => writeln!(found, "{} {hash:016x}", case.name).expect("text grows"),
            Err(error) => panic!("{}: {error}", case.name),
        }
    }
    if std::env::var_os("SGT_WRITE_EXPECTED").is_some() {
        std::fs::write(root().join(EXPECTED_FILE), &found).expect("expected.txt is written");
        return;
    }
    assert_eq!(found, EXPECTED, "{EXPECTED_FILE} holds other bits");
    for case in CASES {
        assert_eq!(case.expected(), case.hash().ok(), "{}", case.name);
    }
}

/// The names of the core's public functions, from its source.
fn public_functions() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    let mut folders = vec![root().join("sgt-core/src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the core's source") {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a source file");
        for line in text.lines() {
            let line = line.trim_start();
            let Some(rest) = line
                .strip_prefix("pub fn ")
                .or_else(|| line.strip_prefix("pub const fn "))
            else {
                continue;
            };
            let end = rest.find(['(', '<']).expect("a signature");
            functions.push((path.display().to_string(), rest[..end].to_owned()));
        }
    }
    functions
}

/// True when `name` stands in `text` as a call.
fn calls(text: &str, name: &str) -> bool {
    let call = format!("{name}(");
    text.match_indices(&call).any(|(position, _)| {
        text[..position]
            .chars()
            .next_back()
            .is_some_and(|before| matches!(before, '.' | ':' | ' ' | '(' | '!' | '\n'))
            && !text[..position].ends_with("fn ")
    })
}

#[test]
fn every_public_function_is_linked_alone_and_run_on_the_boards() {
    let functions = public_functions();
    assert!(functions.len() > 50, "found only {}", functions.len());
    for source in [
        "tests/embedded/entry/src/entries.rs",
        "tests/embedded/cases/mod.rs",
    ] {
        let text = std::fs::read_to_string(root().join(source)).expect("a source file");
        for (file, name) in &functions {
            assert!(calls(&text, name), "{source} never calls {name} of {file}");
        }
    }
}

/// Selection's memory beside the sample and the gradient, in bytes a feature.
#[test]
fn scratch_stays_within_four_bytes_a_feature() {
    const BYTES_A_FEATURE: usize = 4;
    for features in [64, 784, 1152, 3072, 12_288] {
        for percent in [0_u8, 50, 100] {
            let masking = Masking {
                fraction: f32::from(percent) / 100.0,
                ..Masking::reference(Layout::flat(features).expect("a layout"))
            };
            let small = mask_sample_small_len(&masking) * size_of::<u16>();
            assert!(small <= BYTES_A_FEATURE / 2 * features, "small: {small}");
            let fast = mask_sample_len(&masking) * size_of::<u32>();
            assert!(fast <= BYTES_A_FEATURE * features, "fast: {fast}");
        }
    }
}
