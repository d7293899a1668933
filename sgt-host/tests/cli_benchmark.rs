//! `sgt benchmark time-series` and `sgt data synthetic` on the built binary.

mod common;

use common::{fails, run, stderr, succeeds};

/// One set, two small networks, one epoch.
const GRID: &str = "benchmark time-series --sets freq-shapes?steps=20&train=40&test=8 \
     --models lstm,cnn?hidden=4x4x4 --regimes standard,sgt --methods gradient,shuffled-gradient \
     --seeds 1 --epochs 1";

#[test]
fn a_grid_is_computed_once_and_its_maps_score_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let grid = format!("{GRID} --out runs --dump maps");
    let first = run(at, &grid);
    let said = stderr(&first);
    assert!(first.status.success(), "{said}");
    assert_eq!(said.matches("cell ").count(), 4, "{said}");
    assert!(said.contains("0:00 left"), "{said}");
    let text = String::from_utf8(first.stdout).unwrap();
    for part in ["## Accuracy", "| lstm | gradient |", "runs/index.html"] {
        assert!(text.contains(part), "{text}");
    }
    for file in ["time-series.md", "time-series.json", "index.html", "charts"] {
        assert!(at.join("runs").join(file).exists(), "{file}");
    }
    // Everything is there: nothing is computed, the same tables come out.
    let again = run(at, &grid);
    assert_eq!(stderr(&again), "");
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
    let json = succeeds(at, &format!("{grid} --json"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["trainings"], serde_json::json!(["standard", "sgt"]));

    // From the cells alone the same tables and a page with the maps beside the truth.
    succeeds(at, "report runs --out page");
    let read = |path: &str| std::fs::read_to_string(at.join(path)).unwrap();
    assert_eq!(read("page/time-series.md"), read("runs/time-series.md"));
    let page = read("page/index.html");
    assert_eq!(page, read("runs/index.html"));
    assert!(page.contains("<h2>Maps against the truth</h2>"));
    let figures = std::fs::read_dir(at.join("page/charts")).unwrap().flatten();
    let names = figures.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let figure: Vec<String> = names.filter(|name| name.starts_with("maps-")).collect();
    assert_eq!(figure, ["maps-freq-shapes-steps-20-train-40-test-8.svg"]);
    let figure = read(&format!("page/charts/{}", figure[0]));
    // For each network the sample, the truth and a map for each of two trainings by two methods.
    assert_eq!(figure.matches("<image").count(), 2 * (2 + 2 * 2));

    let scored = succeeds(at, "benchmark time-series --score maps --json");
    let scored: serde_json::Value = serde_json::from_str(&scored).unwrap();
    // Four cells, three methods: the random map is always among them.
    assert_eq!(scored.as_array().unwrap().len(), 12);
    assert!(succeeds(at, "benchmark time-series --score maps").contains("shuffled-gradient"));

    let other = format!("{grid} --set lambda=0.5");
    fails(at, &other, 1, &["other settings", "--overwrite"]);
    succeeds(at, &format!("{other} --overwrite"));
}

#[test]
fn bad_choices_are_told_before_the_first_cell() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (option, value, said) in [
        ("--sets", "freq-shape", "nearest: freq-shapes"),
        ("--sets", "zzz*", "pattern"),
        ("--models", "lsmt", "lstm"),
        ("--regimes", "sgt-per-stop", "sgt-per-step"),
        ("--methods", "gradients", "one of gradient"),
        ("--methods", "gradient,gradient", "gradient twice"),
        ("--set", "masking.fraction=2", "masking.fraction"),
        ("--scaling", "unit", "unit-interval"),
        ("--samples", "0", "1 or more"),
    ] {
        let arguments = format!("benchmark time-series {option} {value} --out runs");
        fails(at, &arguments, 2, &[said]);
    }
    fails(at, "benchmark time-series --score nowhere", 1, &["nowhere"]);
    std::fs::create_dir(at.join("empty")).unwrap();
    fails(
        at,
        "benchmark time-series --score empty",
        1,
        &["no npz file"],
    );
}

#[test]
fn generated_sets_are_listed_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let listed = succeeds(at, "data synthetic");
    assert_eq!(listed.lines().count(), 78);
    succeeds(
        at,
        "data synthetic seqcomb-mv?steps=60&train=8&test=4 --out set.npz",
    );
    let arrays = sgt_host::npz::read_all(&at.join("set.npz")).unwrap();
    assert_eq!(arrays["x_train"].shape, [8, 4, 60]);
    assert_eq!(arrays["truth_test"].shape, [4, 4, 60]);
    assert_eq!(arrays["y_train"].values, [0.0, 1.0, 2.0, 3.0].repeat(2));
    fails(at, "data synthetic lowvar?steps=1", 2, &["at least 40"]);
    let train = "train --data synthetic:lowvar?steps=40&train=16&test=4 --epochs 1 --out run";
    succeeds(at, train);
}
