//! The core's own sources, which an export takes along: what is written builds by itself.

use crate::export::ExportFile;

// SOURCES and INTERFACE: paths inside the core's crate and that of its C interface, and their texts,
// in the order of the paths.
include!(concat!(env!("OUT_DIR"), "/core_sources.rs"));

/// The core without its optional features, in `folder`.
pub(super) fn files(folder: &str) -> Vec<ExportFile> {
    let manifest = MANIFEST.replace("{version}", env!("CARGO_PKG_VERSION"));
    let sources = SOURCES.iter().map(|&(path, text)| (path, text.to_string()));
    let files = [("Cargo.toml", manifest)].into_iter().chain(sources);
    files
        .map(|(path, text)| ExportFile {
            name: format!("{folder}/{path}"),
            bytes: text.into_bytes(),
        })
        .collect()
}

/// The core's C interface, in `folder`.
pub(super) fn interface(folder: &str) -> Vec<ExportFile> {
    let files = INTERFACE.iter().map(|&(path, text)| ExportFile {
        name: format!("{folder}/{path}"),
        bytes: text.into(),
    });
    files.collect()
}

/// The interface's header.
pub(super) const HEADER: &str = include_str!("../../../../sgt-core/capi/include/sgt.h");
/// What C programs report with, on a host and under an emulator.
pub(super) const REPORT: &str = include_str!("../../../../sgt-core/capi/examples/report.h");

const MANIFEST: &str = r#"# sgt-core as it came with sgt {version}, unchanged but for this file.
[package]
name = "sgt-core"
version = "{version}"
edition = "2024"
rust-version = "1.95"
license = "MIT OR Apache-2.0"

[features]
default = []
heapless = ["dep:heapless"]
rand_core = ["dep:rand_core"]
defmt = ["dep:defmt"]
serde = ["dep:serde"]

[dependencies]
libm = "0.2"
heapless = { version = "0.9", default-features = false, optional = true }
rand_core = { version = "0.10", default-features = false, optional = true }
defmt = { version = "1.0", optional = true }
serde = { version = "1.0", default-features = false, features = ["derive"], optional = true }
"#;
