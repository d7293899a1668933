//! `sgt sweep` on the built binary: what is tried, what chooses, what is tested.

mod common;

use common::{fails, series, sgt, succeeds, write_series};
use serde_json::Value;
use std::path::Path;

const SWEEP: &str = "sweep --data waves_TRAIN.ts --epochs 3 --hidden 4,4,4 --seeds 2 \
     --set training.batch=4 --validation 0.4";
const GRID: &str = "--regimes standard,sgt --grid optimizer.learning-rate=0.0001,0.01";

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What does not depend on the clock: each trial's number and what its runs scored.
fn scores(sweep: &Value) -> Vec<(u64, Vec<f64>)> {
    let trials = sweep["trials"].as_array().unwrap().iter();
    let runs = |trial: &Value| -> Vec<f64> {
        let runs = trial["runs"].as_array().unwrap().iter();
        runs.map(|run| run["validation"]["loss"].as_f64().unwrap())
            .collect()
    };
    trials
        .map(|trial| (trial["trial"].as_u64().unwrap(), runs(trial)))
        .collect()
}

#[test]
fn every_combination_is_tried_and_only_the_chosen_one_is_tested() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    let text = succeeds(at, &format!("{SWEEP} {GRID} --out s"));
    for said in [
        "Chosen by the accuracy of 8 validation samples, mean of 2 seeds",
        "It alone was tested, on 10 samples",
        "s/sweep.svg",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let sweep = json(&at.join("s/sweep.json"));
    let chosen = sweep["chosen"]["trial"].as_u64().unwrap();
    assert_eq!(scores(&sweep)[0].0, chosen);
    let lines = std::fs::read_to_string(at.join("s/trials.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 4);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["trial"].as_u64().unwrap(), chosen);
    for trial in 0..4 {
        for seed in 0..2 {
            let run = at.join(format!("s/runs/{trial:04}-{seed}"));
            assert!(run.join("config.toml").exists());
            assert_eq!(
                run.join("run.json").exists(),
                trial == chosen,
                "{}",
                run.display()
            );
        }
    }
    let picture = std::fs::read_to_string(at.join("s/sweep.svg")).unwrap();
    assert_eq!(picture.matches("<polyline").count(), 4);
    assert!(picture.contains("optimizer.learning-rate"));
    // The chosen runs are runs as any other.
    let record = json(&at.join(format!("s/runs/{chosen:04}-0/run.json")));
    assert_eq!(
        record["validation-loss"].as_f64(),
        Some(scores(&sweep)[0].1[0])
    );
    succeeds(
        at,
        &format!("evaluate s/runs/{chosen:04}-0 s/runs/{chosen:04}-1"),
    );
    fails(
        at,
        &format!("{SWEEP} {GRID} --out s"),
        2,
        &["holds a run", "--resume"],
    );
    // All is there: nothing is trained, the same comes out.
    let again = succeeds(at, &format!("{SWEEP} {GRID} --out s --resume --json"));
    assert_eq!(
        scores(&serde_json::from_str(&again).unwrap()),
        scores(&sweep)
    );
    let other = format!("{SWEEP} {GRID} --set lambda=0.5 --out s --resume");
    fails(at, &other, 1, &["lambda = 1", "as this sweep has"]);
}

#[test]
fn the_test_part_does_not_choose_and_threads_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    succeeds(at, &format!("{SWEEP} {GRID} --out right --threads 1"));
    // The same series under the other class.
    let wrong = series(10)
        .replace(":up\n", ":UP\n")
        .replace(":down\n", ":up\n");
    std::fs::write(at.join("waves_TEST.ts"), wrong.replace(":UP\n", ":down\n")).unwrap();
    succeeds(at, &format!("{SWEEP} {GRID} --out wrong --threads 2"));
    let [right, wrong] = ["right", "wrong"].map(|name| json(&at.join(name).join("sweep.json")));
    assert_eq!(scores(&right), scores(&wrong));
    assert_eq!(right["chosen"]["trial"], wrong["chosen"]["trial"]);
    let tested = |sweep: &Value| sweep["chosen"]["test-accuracy"]["mean"].as_f64().unwrap();
    assert!((tested(&right) + tested(&wrong) - 1.0).abs() < 1e-9);
}

#[test]
fn draws_are_tried_and_a_diverging_one_does_not_end_the_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    let drawn = "--random lambda=0.1..10:log --random masking.fraction=0.1..0.9 --trials 5";
    succeeds(at, &format!("{SWEEP} {drawn} --choose loss --out drawn"));
    let sweep = json(&at.join("drawn/sweep.json"));
    let means: Vec<f64> = sweep["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["score"]["mean"].as_f64().unwrap())
        .collect();
    assert_eq!(means.len(), 5);
    assert!(means.is_sorted(), "{means:?}");
    let diverging = "--set optimizer.name=sgd --grid optimizer.learning-rate=0.01,1e30";
    let text = succeeds(at, &format!("{SWEEP} {diverging} --out diverging"));
    assert!(
        text.contains("failed") && text.contains("trial 0, optimizer.learning-rate=0.01"),
        "{text}"
    );
}

#[test]
fn bad_choices_are_told_before_the_first_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    for (arguments, said) in [
        ("", "nothing to try"),
        ("--grid lambda=1,1", "different values"),
        ("--grid lambda=one,2", "lambda: found"),
        ("--grid lamda=1,2", "the nearest of"),
        ("--grid seed=1,2", "--seeds"),
        ("--grid data.validation=0.1,0.2", "--data"),
        (
            "--grid lambda=1,2 --grid masking={fraction=0.1} --grid masking.fraction=0.2",
            "masking",
        ),
        ("--random lambda=0.1..1", "--trials"),
        ("--grid lambda=1,2 --regimes sgt,sgt", "sgt twice"),
        (
            "--grid lambda=1,2 --choose luck",
            "balanced-accuracy or loss",
        ),
    ] {
        fails(at, &format!("{SWEEP} {arguments} --out s"), 2, &[said]);
        assert!(!at.join("s").exists(), "{arguments}");
    }
    let all = "sweep --data waves_TRAIN.ts --grid lambda=1,2 --validation 1";
    fails(at, all, 2, &["--validation: found 1", "below 1"]);
}

#[test]
fn what_an_interrupted_replacement_leaves_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    let grid = "--grid lambda=0.5,1,2";
    succeeds(at, &format!("{SWEEP} {grid} --out s"));
    let own = at.join("s/runs/0002-0/note.txt");
    std::fs::write(&own, "mine").unwrap();
    // Ended before its first run: every run is of the new settings, no result of the old ones.
    let other = format!("{SWEEP} --grid lambda=0.5,1 --set masking.fraction=0.2 --out s");
    let mut child = sgt(at)
        .args(format!("{other} --overwrite --set training.epochs=100000").split_whitespace())
        .spawn()
        .unwrap();
    let begun = at.join("s/runs/0001-1/config.toml");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !std::fs::read_to_string(&begun).is_ok_and(|text| text.contains("100000")) {
        assert!(std::time::Instant::now() < deadline, "never begun");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(own.exists(), "a file of somebody else's");
    let old = [
        "runs/0002-0/config.toml",
        "runs/0002-0/trial.json",
        "runs/0002-1/config.toml",
    ];
    for gone in ["sweep.json", "trials.jsonl", "sweep.svg"]
        .into_iter()
        .chain(old)
    {
        assert!(!at.join("s").join(gone).exists(), "{gone}");
    }
    succeeds(at, &format!("{other} --overwrite"));
    let sweep = json(&at.join("s/sweep.json"));
    assert_eq!(scores(&sweep).len(), 2);
    // Seconds are those of the training, whenever they are asked for.
    let seconds = |sweep: &Value| sweep["trials"][0]["seconds"].as_f64().unwrap();
    let again = succeeds(at, &format!("{other} --resume --json"));
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(seconds(&again), seconds(&sweep));
    let chosen = sweep["chosen"]["trial"].as_u64().unwrap();
    let record = json(&at.join(format!("s/runs/{chosen:04}-0/run.json")));
    let run = sweep["trials"][0]["runs"][0]["seconds"].as_f64().unwrap();
    assert!((record["seconds"].as_f64().unwrap() - run).abs() < 1e-6);
}

#[test]
fn combinations_that_do_the_same_are_tried_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    // Standard training reads no λ.
    let grid = "--regimes standard,sgt --grid lambda=0.5,1,2";
    let text = succeeds(at, &format!("{SWEEP} {grid} --out s"));
    assert!(text.contains("2 more combinations do the same"), "{text}");
    assert_eq!(scores(&json(&at.join("s/sweep.json"))).len(), 4);
    // Early stopping has the sweep's validation part.
    let stopping = "--grid training.early-stopping.patience=1,2";
    succeeds(at, &format!("{SWEEP} {stopping} --out stopping"));
    let few = format!("{SWEEP} --random lambda=1..2 --trials 9 --out few");
    let output = common::run(at, &few);
    assert!(common::stderr(&output).contains("no more than 2 different trials"));
}
