//! Typed networks whose sizes do not fit are refused when they are compiled, with the sizes.
//!
//! The compiler computes sizes where a generic function is instantiated, so the programs must be
//! built, not only checked. They are examples of this package: cargo builds them against the
//! libraries that are already there.

use std::process::{Command, Output};

/// A part of the message that each program must be refused with.
const REFUSED: [(&str, &str); 10] = [
    (
        "wrong_linear_inputs",
        "linear: 9217 inputs, but the layer before gives a vector of 9216 values",
    ),
    (
        "wrong_conv_inputs",
        "conv: 3 input channels, but the layer before gives an image of 28 x 28 pixels and 1 channel",
    ),
    (
        "wrong_kernel",
        "conv: a window of 7 positions does not fit into an image of 4 x 9 pixels and 1 channel \
         with 2 positions of padding along an axis",
    ),
    (
        "wrong_window",
        "max_pool: a window of 4 positions does not fit into a series of 3 steps and 2 channels",
    ),
    (
        "wrong_classes",
        "classify: 10 classes, but the layer before gives a vector of 12 values",
    ),
    (
        "wrong_residual",
        "residual: the body gives an image of 4 x 4 pixels and 4 channels, but the shortcut gives \
         an image of 8 x 8 pixels and 4 channels",
    ),
    (
        "wrong_heads",
        "self_attention: 5 heads do not divide 16 channels",
    ),
    (
        "wrong_readout",
        "lstm: an attention to states of 8 values, but a step has 16",
    ),
    (
        "image_without_flatten",
        "a linear layer reads a vector or a series, not an image",
    ),
    (
        "wrong_batch",
        "is no batch of `sgt_host::typed::Image<1, 28, 28>`",
    ),
];

/// What cargo tells this test of its package: build scripts that look at it would run again.
const OF_THIS_PACKAGE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_PRIMARY_PACKAGE"];

/// Runs cargo with the profile and environment that this test was built with, so that no
/// library is built twice.
fn cargo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(arguments).args(["--features", "compile-fail"]);
    command.args(["--offline", "--color", "never"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.output().unwrap()
}

#[test]
fn sizes_that_fit_are_built_and_run() {
    let output = cargo(&["run", "--quiet", "--example", "sizes_that_fit"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn sizes_that_do_not_fit_are_refused_with_the_numbers() {
    let mut arguments = vec!["build", "--keep-going"];
    for (program, _) in &REFUSED {
        arguments.extend(["--example", program]);
    }
    let output = cargo(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    for (program, message) in REFUSED {
        let refusal = format!("could not compile `sgt` (example \"{program}\")");
        assert!(errors.contains(&refusal), "{program} was built: {errors}");
        assert!(errors.contains(message), "{program}: {errors}");
    }
}
