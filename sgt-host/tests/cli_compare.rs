//! `sgt compare` on the built binary.

mod common;

use common::{fails, run, stderr, succeeds, write_series};
use std::collections::BTreeSet;

#[test]
fn the_embedded_data_give_a_table_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        "compare --data basic-motions --epochs 3 --seeds 2 --out out",
    );
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let text = common::stdout(&output);
    for row in [
        "accuracy, clean ↑",
        "accuracy under attack, pgd (L∞, 10 steps) ε 0.1 ↑",
        "accuracy under attack, pgd (L∞, 10 steps) ε 0.2 ↑",
        "accuracy under attack, pgd (L∞, 10 steps) ε 0.4 ↑",
        "accuracy-drop area, gradient, mean fill ↓",
        "sufficiency, gradient, mean fill ↓",
        "comprehensiveness, gradient, mean fill ↑",
        "sparseness (Gini), gradient ↑",
        "training seconds",
    ] {
        let line = text.lines().find(|line| line.starts_with(row));
        let line = line.unwrap_or_else(|| panic!("no {row} in {text}"));
        assert_eq!(line.matches('±').count(), 4, "{line}");
    }
    assert!(text.contains("40 of 40") && text.contains("ε, noise and saliency are in training"));
    assert_eq!(said.lines().count(), 8, "one line a run: {said}");

    let out = folder.path().join("out");
    let json = std::fs::read(out.join("results.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let regimes = report["regimes"].as_array().unwrap();
    let names: Vec<_> = regimes.iter().map(|regime| &regime["name"]).collect();
    assert_eq!(names, ["standard", "sgt", "adversarial", "asgt"]);
    assert!(
        regimes
            .iter()
            .all(|regime| regime["runs"].as_array().unwrap().len() == 2)
    );
    let csv = std::fs::read_to_string(out.join("results.csv")).unwrap();
    let metrics: BTreeSet<_> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').next())
        .collect();
    assert!(metrics.len() >= 7, "{metrics:?}");
    let saliency = std::fs::read_to_string(out.join("saliency-gradient.svg")).unwrap();
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
    let curves = std::fs::read_to_string(out.join("robustness-pgd.svg")).unwrap();
    assert!(
        curves.starts_with("<svg") && curves.contains("adversarial"),
        "{curves}"
    );
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    assert!(out.join("asgt-1/weights.safetensors").is_file());
}

/// The table without the rows of wall-clock time.
fn timeless(json: &str) -> Vec<serde_json::Value> {
    let comparison: serde_json::Value = serde_json::from_str(json).unwrap();
    let rows = comparison["rows"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["metric"] != "training-seconds");
    rows.cloned().collect()
}

#[test]
fn without_data_an_example_of_activities_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(
        folder.path(),
        "compare --regimes standard --epochs 1 --seeds 1 --samples 12 --out out",
    );
    assert!(
        text.contains("600 of 600") && text.contains("12 of 600"),
        "{text}"
    );
    let config = std::fs::read_to_string(folder.path().join("out/standard-0/config.toml")).unwrap();
    for line in [
        "source = \"uci-har-subset\"",
        "epochs = 1",
        "batch = 32",
        "learning-rate = 0.004",
    ] {
        assert!(
            config.lines().any(|found| found == line),
            "{line} in {config}"
        );
    }
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
        timeless(&said)
    };
    let one = numbers(1);
    assert_eq!(one, numbers(3));
    assert_eq!(one[0]["values"].as_array().unwrap().len(), 2);
}

#[test]
fn a_comparison_and_the_evaluation_of_its_runs_are_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let few = "--eps 0.5 --attacks fgsm,pgd --fills zero --samples 6 --stability-samples 2 \
               --seed 3 --json";
    let train = "--data waves_TRAIN.ts --regimes standard,sgt --epochs 3 --seeds 2 --out c";
    let runs = "c/standard-0 c/standard-1 c/sgt-0 c/sgt-1";
    let compared = succeeds(folder.path(), &format!("compare {train} {few}"));
    let evaluated = succeeds(
        folder.path(),
        &format!("evaluate {runs} --extent quick {few}"),
    );
    assert_eq!(evaluated, compared);
    let thorough = "--extent thorough --methods gradient,random";
    let compared = succeeds(
        folder.path(),
        &format!("compare {train} {thorough} {few} --overwrite"),
    );
    let evaluated = succeeds(folder.path(), &format!("evaluate {runs} {thorough} {few}"));
    assert_eq!(evaluated, compared);
    assert_ne!(timeless(&evaluated).len(), 0);
}

#[test]
fn what_cannot_be_trained_or_measured_shows_before_the_first_run() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    for (arguments, parts) in [
        ("--eps -1", ["epsilon", "-1"]),
        ("--fills delete", ["fill", "delete"]),
        ("--regimes sgt,sgt", ["--regimes", "sgt twice"]),
        ("--samples 0", ["--samples", "0"]),
        ("--extent deep", ["extent", "thorough"]),
    ] {
        let compare = format!("compare --data waves_TRAIN.ts --out c {arguments}");
        fails(folder.path(), &compare, 2, &parts);
        assert!(!folder.path().join("c").exists(), "{arguments}");
    }
}
