//! `sgt compare` on the built binary.

mod common;

use common::{run, stderr, succeeds, write_series};
use std::collections::BTreeSet;

#[test]
fn the_embedded_data_give_a_table_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "compare --epochs 3 --seeds 2 --out out");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = common::stdout(&output);
    for row in [
        "accuracy ↑",
        "accuracy, pgd ε 0.1 ↑",
        "accuracy, pgd ε 0.2 ↑",
        "accuracy, pgd ε 0.4 ↑",
        "accuracy-drop area",
        "sufficiency",
        "comprehensiveness",
        "sparseness",
        "training seconds",
    ] {
        let line = text.lines().find(|line| line.starts_with(row));
        let line = line.unwrap_or_else(|| panic!("no {row} in {text}"));
        assert_eq!(line.matches('±').count(), 4, "{line}");
    }
    assert_eq!(said.lines().count(), 8, "one line a run: {said}");

    let out = folder.path().join("out");
    let json = std::fs::read(out.join("compare.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(report["runs"].as_array().unwrap().len(), 8);
    assert_eq!(
        report["comparison"]["regimes"],
        serde_json::json!(["standard", "sgt", "adversarial", "asgt"])
    );
    let csv = std::fs::read_to_string(out.join("compare.csv")).unwrap();
    let metrics: BTreeSet<_> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').next())
        .collect();
    assert!(metrics.len() >= 7, "{metrics:?}");
    let saliency = std::fs::read_to_string(out.join("saliency.svg")).unwrap();
    for name in [
        "Standing",
        "Badminton",
        "standard",
        "sgt",
        "adversarial",
        "asgt",
    ] {
        assert!(
            saliency.to_lowercase().contains(&name.to_lowercase()),
            "{name}"
        );
    }
    let curves = std::fs::read_to_string(out.join("robustness.svg")).unwrap();
    assert!(
        curves.starts_with("<svg") && curves.contains("adversarial"),
        "{curves}"
    );
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    assert!(out.join("asgt-1/weights.safetensors").is_file());
}

#[test]
fn results_depend_on_seeds_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let numbers = |threads: u32| {
        let said = succeeds(
            folder.path(),
            &format!(
                "compare --data waves_TRAIN.ts --regimes standard,sga --epochs 3 --seeds 2 \
                 --eps 0.5 --out out{threads} --threads {threads} --json"
            ),
        );
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        report["comparison"].clone()
    };
    let one = numbers(1);
    assert_eq!(one, numbers(3));
    assert_eq!(one["regimes"], serde_json::json!(["standard", "sga"]));
}
