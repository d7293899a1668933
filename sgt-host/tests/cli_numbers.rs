//! Numbers that mean what they say: over all samples, of every class, without a deviation of one
//! run, and with a word where they mislead.

mod common;

use common::{fails, run, stderr, stdout, succeeds};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const STEPS: usize = 16;

/// A `.ts` file of `counts[class]` cases of each class, sorted by class; `signal` is what tells the
/// classes apart from noise that is the same for all.
fn sorted_series(classes: &[&str], counts: &[usize], signal: f64) -> String {
    let mut text = format!(
        "@problemName sorted\n@timeStamps false\n@univariate true\n@dimensions 1\n\
         @equalLength true\n@seriesLength {STEPS}\n@classLabel true {}\n@data\n",
        classes.join(" ")
    );
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    for (class, (name, &count)) in classes.iter().zip(counts).enumerate() {
        for _ in 0..count {
            for step in 0..STEPS {
                let level = signal * class as f64;
                let separator = if step == 0 { "" } else { "," };
                let _ = write!(text, "{separator}{:.4}", level + noise());
            }
            let _ = writeln!(text, ":{name}");
        }
    }
    text
}

fn write_parts(folder: &Path, train: &str, test: &str) {
    std::fs::write(folder.join("d_TRAIN.ts"), train).unwrap();
    std::fs::write(folder.join("d_TEST.ts"), test).unwrap();
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn row<'r>(comparison: &'r Value, metric: &str) -> &'r Value {
    let mut rows = comparison["rows"].as_array().unwrap().iter();
    rows.find(|row| row["metric"] == metric).unwrap()
}

fn kinds(comparison: &Value) -> Vec<&str> {
    let warnings = comparison["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| warning["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn accuracy_is_over_a_whole_sorted_test_part_and_draws_are_announced() {
    let folder = tempfile::tempdir().unwrap();
    // The last class looks like the one before it: a quarter of the test part is lost.
    let classes = ["a", "b", "c", "d"];
    let train = sorted_series(&classes, &[20; 4], 1.5);
    let test = sorted_series(&["a", "b", "c", "d"], &[300; 4], 1.5);
    let test = test.replace(":d\n", ":c\n").replacen(":c\n", ":d\n", 1);
    write_parts(folder.path(), &train, &test);
    let arguments = "compare --data d_TRAIN.ts --regimes standard --seeds 2 --epochs 8 --out o";
    let text = succeeds(folder.path(), arguments);
    assert!(
        text.contains("80 training and 1,200 test samples."),
        "{text}"
    );
    assert!(
        text.contains("over 500 of 1,200 samples, drawn from every class alike"),
        "{text}"
    );
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
    assert!(line("accuracy, clean").contains("1,200 of 1,200"), "{text}");
    assert!(
        line("accuracy under attack").contains("500 of 1,200"),
        "{text}"
    );
    let written = std::fs::read_to_string(folder.path().join("o/results.json")).unwrap();
    let found = json(&written);
    let mean = row(&found, "accuracy")["values"][0]["mean"]
        .as_f64()
        .unwrap();
    // run.json of every run says the same.
    let records = ["o/standard-0/run.json", "o/standard-1/run.json"].map(|path| {
        let record = json(&std::fs::read_to_string(folder.path().join(path)).unwrap());
        record["test-accuracy"]
            .as_f64()
            .or(record["test_accuracy"].as_f64())
            .unwrap()
    });
    assert!((mean - f64::midpoint(records[0], records[1])).abs() < 1e-12);
    assert_eq!(row(&found, "accuracy")["measured"]["samples"], 1200);
    assert_eq!(
        row(&found, "accuracy-under-attack")["measured"]["samples"],
        500
    );
    let csv = std::fs::read_to_string(folder.path().join("o/results.csv")).unwrap();
    assert!(
        csv.contains("accuracy,clean,higher-is-better,1200,1200,standard,"),
        "{csv}"
    );
    let page = std::fs::read_to_string(folder.path().join("o/index.html")).unwrap();
    assert!(page.contains("1,200 of 1,200") && page.contains("500 of 1,200"));
}

#[test]
fn a_network_that_always_says_the_larger_class_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    // Noise: there is nothing to learn but that one class is rare.
    let part = sorted_series(&["fault", "ok"], &[10, 190], 0.0);
    write_parts(folder.path(), &part, &part.replace("0.1", "0.2"));
    let arguments = "compare --data d_TRAIN.ts --regimes standard,sgt --seeds 2 --epochs 2 --out o";
    let text = succeeds(folder.path(), arguments);
    for said in [
        "Take none: no regime is right more often than always answering the largest class.",
        "Always answering ok, the largest class, would be right for 95.0",
        "! The classes of the training part are uneven",
        "! standard never answers fault in 2 of 2 runs.",
        "balanced accuracy, clean",
        "macro F1, clean",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let found = json(&std::fs::read_to_string(folder.path().join("o/results.json")).unwrap());
    assert_eq!(row(&found, "balanced-accuracy")["values"][0]["mean"], 0.5);
    assert_eq!(row(&found, "majority-baseline")["values"][0]["mean"], 0.95);
    assert_eq!(found["verdict"]["choice"]["kind"], "nothing-learned");
    let named = kinds(&found);
    for kind in [
        "imbalance",
        "never-predicted",
        "no-better-than-majority",
        "few-seeds",
    ] {
        assert!(named.contains(&kind), "{kind} in {named:?}");
    }
    let quality = &found["regimes"][0]["runs"][0]["evaluation"]["classification"];
    assert_eq!(quality["confusion"], serde_json::json!([[0, 10], [0, 190]]));
    assert_eq!(quality["per-class"][0]["recall"], 0.0);
    assert!(quality["per-class"][0]["precision"].is_null());
    let classes = std::fs::read_to_string(folder.path().join("o/classes.csv")).unwrap();
    assert!(
        classes.contains("standard,fault,2,20,0,,0.0,0.0\n"),
        "{classes}"
    );
    let said = succeeds(folder.path(), "train --data d_TRAIN.ts --epochs 2 --out r");
    for line in [
        "test accuracy 0.9500 (balanced 0.5000, always the largest class 0.9500)",
        "fault       10          –   0.000  0.000",
        "! The classes of the training part are uneven",
        "! The network is right no more often than always answering the largest class",
        "! The network never answers fault.",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let record = json(&std::fs::read_to_string(folder.path().join("r/run.json")).unwrap());
    assert_eq!(record["classification"]["balanced-accuracy"], 0.5);
    let page = std::fs::read_to_string(folder.path().join("o/index.html")).unwrap();
    for said in [
        "Take none:",
        "never answers fault",
        "Confusion matrix of sgt",
        "F1 0.0",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn weights_and_batches_are_options_of_training_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let part = sorted_series(&["fault", "ok"], &[6, 54], 2.0);
    write_parts(folder.path(), &part, &part);
    let train = "train --data d_TRAIN.ts --epochs 2";
    for (name, option, recorded) in [
        ("plain", "", "class-weights = \"none\""),
        (
            "w",
            "--class-weights balanced",
            "class-weights = \"balanced\"",
        ),
        ("v", "--class-weights 5,0.5", "values = [5.0, 0.5]"),
        ("b", "--balanced-batches", "batches = \"balanced\""),
    ] {
        succeeds(folder.path(), &format!("{train} --out {name} {option}"));
        let path = folder.path().join(name).join("config.toml");
        let config = std::fs::read_to_string(path).unwrap();
        assert!(config.contains(recorded), "{recorded} in {config}");
        // Training again from what was recorded gives the same bits.
        succeeds(
            folder.path(),
            &format!("train --config {name}/config.toml --out {name}-2"),
        );
        let weights = |name: &str| {
            let path = folder.path().join(name).join("weights.safetensors");
            std::fs::read(path).unwrap()
        };
        assert!(weights(name) == weights(&format!("{name}-2")), "{name}");
        assert_eq!(name == "plain", weights(name) == weights("plain"));
    }
    let both = "--class-weights balanced --balanced-batches";
    fails(
        folder.path(),
        &format!("{train} {both}"),
        2,
        &["class-weights", "one of the two"],
    );
    let few = "--class-weights 1,2,3";
    fails(
        folder.path(),
        &format!("{train} {few}"),
        2,
        &["3 values", "2 classes"],
    );
    fails(
        folder.path(),
        &format!("{train} --class-weights 1,-2"),
        2,
        &["-2", "above 0"],
    );
    fails(
        folder.path(),
        &format!("{train} --class-weights even"),
        2,
        &["balanced"],
    );
}

#[test]
fn one_training_class_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let train = sorted_series(&["fault", "ok"], &[0, 20], 2.0);
    write_parts(
        folder.path(),
        &train,
        &sorted_series(&["fault", "ok"], &[5, 5], 2.0),
    );
    for command in ["train", "compare"] {
        let arguments = format!("{command} --data d_TRAIN.ts --out o");
        fails(
            folder.path(),
            &arguments,
            1,
            &["class ok alone", "two classes"],
        );
        assert!(!folder.path().join("o").exists());
    }
}

#[test]
fn accuracy_under_attack_never_rises_with_the_radius() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "compare --regimes standard,sgt --seeds 2 --epochs 2 --eps 0.4,0.1,2,0.8 \
                     --attacks pgd,fgsm,random-noise --out o --json";
    let found = json(&succeeds(folder.path(), arguments));
    for regime in found["regimes"].as_array().unwrap() {
        for run in regime["runs"].as_array().unwrap() {
            let clean = run["evaluation"]["drawn-accuracy"].as_f64().unwrap();
            for curve in run["evaluation"]["robustness"].as_array().unwrap() {
                let mut points: Vec<[f64; 3]> = curve["points"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|point| {
                        ["epsilon", "accuracy", "accuracy-alone"]
                            .map(|key| point[key].as_f64().unwrap())
                    })
                    .collect();
                points.sort_by(|a, b| a[0].total_cmp(&b[0]));
                let mut least = clean;
                for [epsilon, accuracy, alone] in points {
                    assert!(accuracy <= least && accuracy <= alone, "ε {epsilon}");
                    least = accuracy;
                }
            }
        }
    }
}

#[test]
fn one_run_has_no_deviation_and_no_star_and_one_regime_no_best() {
    let folder = tempfile::tempdir().unwrap();
    let one_seed = "compare --regimes standard,sgt --seeds 1 --epochs 2 --out o";
    let one_regime = "compare --regimes sgt --seeds 2 --epochs 2 --out p";
    for (arguments, out, deviates) in [(one_seed, "o", false), (one_regime, "p", true)] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        let read =
            |name: &str| std::fs::read_to_string(folder.path().join(out).join(name)).unwrap();
        let (page, markdown) = (read("index.html"), read("results.md"));
        for said in [&text, &page, &markdown] {
            assert_eq!(said.contains('±'), deviates, "{said}");
        }
        assert!(!text.contains('*') && !markdown.contains("\\*"), "{text}");
        let rows = page.lines().filter(|line| line.starts_with("<tr"));
        for row in rows {
            assert!(!row.contains('*'), "{row}");
        }
        if deviates {
            assert!(!markdown.contains("**"), "{markdown}");
        }
        assert!(text.contains("cross-entropy, clean"), "{text}");
        let found = json(&read("results.json"));
        let accuracy = &row(&found, "accuracy")["values"][0];
        assert_eq!(accuracy["deviation"].is_null(), !deviates);
    }
}

#[test]
fn the_random_maps_row_stands_behind_every_maps_row_and_stars_mean_one_thing() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "compare --regimes standard,sgt --seeds 3 --epochs 4 \
                     --methods integrated-gradients --out o";
    let text = succeeds(folder.path(), arguments);
    let found = json(&std::fs::read_to_string(folder.path().join("o/results.json")).unwrap());
    let rows = found["rows"].as_array().unwrap();
    let method = |row: &Value, key: &str| row["about"][key]["method"]["name"].clone();
    let mut removals = 0;
    for pair in rows.windows(2) {
        if method(&pair[0], "removal") == "integrated-gradients" {
            removals += 1;
            assert_eq!(method(&pair[1], "removal"), "random");
            assert_eq!(pair[0]["metric"], pair[1]["metric"]);
        }
    }
    assert_eq!(removals, 4);
    let meaning = "* differs from standard by more than chance";
    assert!(text.contains(meaning), "{text}");
    let page = std::fs::read_to_string(folder.path().join("o/index.html")).unwrap();
    // Under the summary, and under all rows.
    assert_eq!(page.matches(meaning).count(), 2);
    let markdown = std::fs::read_to_string(folder.path().join("o/results.md")).unwrap();
    assert_eq!(markdown.matches(&format!("\\{meaning}")).count(), 1);
    let verdict = found["verdict"]["words"].as_array().unwrap();
    assert!(!verdict.is_empty());
    let headline = verdict[0].as_str().unwrap();
    assert!(page.contains(headline) && markdown.contains("## Verdict"));
}
