//! Writes the linker's map of the emulated board's memories.

use std::{env, fs, path::PathBuf};

fn main() {
    let target = env::var("TARGET").unwrap_or_default();
    // The board whose memory does not hold the training of all layers.
    println!("cargo:rustc-check-cfg=cfg(small_board)");
    let memory = if target.starts_with("thumbv6m") {
        println!("cargo:rustc-cfg=small_board");
        // QEMU's `microbit`: nRF51822, Cortex-M0.
        "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 256K\n RAM : ORIGIN = 0x20000000, LENGTH = 16K }\n"
    } else {
        // QEMU's `mps2-an386`: Cortex-M4 with its floating-point unit.
        "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 4M\n RAM : ORIGIN = 0x20000000, LENGTH = 4M }\n"
    };
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(directory.join("memory.x"), memory).expect("OUT_DIR is writable");
    println!("cargo:rustc-link-search={}", directory.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=build.rs");
}
