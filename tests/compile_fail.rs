//! Constant sizes that don't fit are refused when the program is built, with the numbers.
//!
//! The checks run when a generic function is instantiated, so the programs must be built, not
//! only checked. They are examples of this package: cargo builds them against the libraries that
//! are already there.

use std::process::{Command, Output};

/// A part of the message that each program must be refused with.
const REFUSED: [(&str, &str); 5] = [
    (
        "wrong_conv_output",
        "Conv2d: height of the output is 13, expected 14: input 16, kernel 3, stride 1, \
         padding 0 + 0, dilation 1",
    ),
    (
        "wrong_causal_steps",
        "Conv1d: steps of the output is 16, expected 20: input 20, kernel 5, stride 1, \
         padding 4 + 0, dilation 1",
    ),
    ("wrong_flatten", "flatten: features is 200, expected 196"),
    (
        "wrong_heads",
        "MultiHeadAttention: dimensions and heads: 16 is no multiple of 5",
    ),
    ("wrong_channels", "expected `1`, found `3`"),
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
