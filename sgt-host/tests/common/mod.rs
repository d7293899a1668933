//! The built binary, called as a user calls it.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `sgt` in `folder`, without the caller's data directory and without a terminal.
pub fn sgt(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sgt"));
    command.current_dir(folder).env_remove("SGT_DATA");
    command.stdin(Stdio::null());
    command
}

/// Runs `sgt` with `arguments`, separated by blanks.
pub fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = sgt(folder);
    command.args(arguments.split_whitespace());
    command.output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Checks a success and returns its standard output.
#[track_caller]
pub fn succeeds(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "sgt {arguments}: {said}");
    stdout(&output)
}

/// Checks a failure: its exit code, and one line that holds every one of `parts`.
#[track_caller]
pub fn fails(folder: &Path, arguments: &str, code: i32, parts: &[&str]) {
    let output = run(folder, arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "sgt {arguments}: {said}");
    assert!(
        stdout(&output).is_empty(),
        "sgt {arguments}: {}",
        stdout(&output)
    );
    assert!(said.starts_with("error: "), "sgt {arguments}: {said}");
    assert_eq!(
        said.trim_end().lines().count(),
        1,
        "sgt {arguments}: {said}"
    );
    for part in parts {
        assert!(said.contains(part), "sgt {arguments}: {said} lacks {part}");
    }
}

/// A `.ts` file of two classes that differ in their sign, `cases` of 2 channels × 12 steps.
pub fn series(cases: usize) -> String {
    series_of(0..cases)
}

/// The test part: other cases of the same kind.
pub fn test_series() -> String {
    series_of(20..30)
}

/// The cases of [`series`] with these numbers.
fn series_of(cases: std::ops::Range<usize>) -> String {
    let mut text = String::from(
        "@problemName waves\n@timeStamps false\n@univariate false\n@dimensions 2\n\
         @equalLength true\n@seriesLength 12\n@classLabel true up down\n@data\n",
    );
    for case in cases {
        let sign = if case % 2 == 0 { 1.0 } else { -1.0 };
        let channel = |phase: f64| {
            let value = |step: usize| {
                let angle = step as f64 * 0.7 + phase + case as f64;
                format!("{:.4}", sign + 0.5 * angle.sin())
            };
            (0..12).map(value).collect::<Vec<_>>().join(",")
        };
        let class = if case % 2 == 0 { "up" } else { "down" };
        let line = [channel(0.0), channel(1.5), class.into()].join(":");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Writes `waves_TRAIN.ts` and `waves_TEST.ts` into `folder`.
pub fn write_series(folder: &Path) {
    std::fs::write(folder.join("waves_TRAIN.ts"), series(20)).unwrap();
    std::fs::write(folder.join("waves_TEST.ts"), test_series()).unwrap();
}
