//! `sgt train` and `sgt predict` on the built binary: results, resuming after kills, failures.

mod common;

use common::{fails, run, sgt, stderr, stdout, succeeds, write_series};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A short training on the embedded data.
const SHORT: &str = "train --epochs 4 --seed 3 --regime sgt";

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_run_leaves_its_files_and_can_be_repeated_from_its_own_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let said = succeeds(folder.path(), &format!("{SHORT} --out first"));
    assert!(said.starts_with("test accuracy "), "{said}");
    let first = folder.path().join("first");
    for name in [
        "config.toml",
        "metrics.csv",
        "run.json",
        "weights.safetensors",
        "checkpoint/latest.safetensors",
    ] {
        assert!(first.join(name).is_file(), "{name}");
    }
    let metrics = String::from_utf8(read(&first.join("metrics.csv"))).unwrap();
    assert_eq!(metrics.lines().count(), 1 + 4, "{metrics}");
    assert!(metrics.starts_with("epoch,loss,"), "{metrics}");
    let record: serde_json::Value = serde_json::from_slice(&read(&first.join("run.json"))).unwrap();
    assert_eq!(record["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(record["seed"], 3);

    succeeds(
        folder.path(),
        "train --config first/config.toml --out second --threads 1",
    );
    let second = folder.path().join("second");
    for name in ["weights.safetensors", "metrics.csv", "config.toml"] {
        assert!(
            read(&first.join(name)) == read(&second.join(name)),
            "{name}"
        );
    }
    let other = SHORT.replace("--seed 3", "--seed 4");
    succeeds(folder.path(), &format!("{other} --out third"));
    let third = read(&folder.path().join("third/weights.safetensors"));
    assert!(third != read(&first.join("weights.safetensors")));
}

#[test]
fn a_file_of_series_is_trained_on_and_predicted() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    for model in ["sensor-cnn", "sensor-lstm"] {
        let said = succeeds(
            folder.path(),
            &format!(
                "train --data waves_TRAIN.ts --model {model} --regime asgt --epochs 15 \
                 --set optimizer.learning-rate=0.01 --out {model} --json"
            ),
        );
        let record: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(record["test-accuracy"].as_f64().unwrap() > 0.9, "{said}");

        // The 10 test samples as an array [10, 2, 12].
        let text = common::series(10);
        let cases = text.lines().skip_while(|line| *line != "@data").skip(1);
        let values: Vec<f32> = cases
            .flat_map(|case| case.rsplit_once(':').unwrap().0.split([',', ':']))
            .map(|value| value.parse().unwrap())
            .collect();
        let input = folder.path().join("x.npy");
        sgt_host::npy::write(&input, &[10, 2, 12], &values).unwrap();
        let said = succeeds(
            folder.path(),
            &format!(
                "predict --weights {model}/weights.safetensors --input x.npy --output y.npy --overwrite --json"
            ),
        );
        let prediction: serde_json::Value = serde_json::from_str(&said).unwrap();
        let predicted = prediction["predicted"].as_array().unwrap();
        let right = predicted
            .iter()
            .enumerate()
            .filter(|(case, class)| class.as_u64().unwrap() == (case % 2) as u64);
        assert!(right.count() >= 9, "{said}");
        let logits = sgt_host::npy::read(&folder.path().join("y.npy")).unwrap();
        assert_eq!(logits.shape, [10, 2]);

        // The same weights without the header, as another program writes them.
        let path = folder.path().join(model).join("weights.safetensors");
        let bytes = read(&path);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let foreign = safetensors::serialize(tensors.tensors(), None).unwrap();
        std::fs::write(folder.path().join("foreign.safetensors"), foreign).unwrap();
        let predict =
            "predict --weights foreign.safetensors --input x.npy --output z.npy --overwrite";
        fails(folder.path(), predict, 2, &["--model", "does not say"]);
        succeeds(folder.path(), &format!("{predict} --model {model}"));
    }
    std::fs::write(folder.path().join("bad.npy"), b"no array").unwrap();
    fails(
        folder.path(),
        "predict --weights sensor-cnn/weights.safetensors --input bad.npy --output y.npy --overwrite",
        1,
        &["bad.npy"],
    );
    sgt_host::npy::write(&folder.path().join("bad.npy"), &[1, 2, 11], &[0.0; 22]).unwrap();
    fails(
        folder.path(),
        "predict --weights sensor-cnn/weights.safetensors --input bad.npy --output y.npy --overwrite",
        1,
        &["bad.npy", "[1, 2, 11]", "[samples, 2, 12]"],
    );
}

/// Many steps, checkpoints all the time.
const LONG: &str = "train --epochs 12 --seed 7 --regime asgt --data basic-motions \
                    --set data.validation=0.2 --set training.batch=4 \
                    --set training.checkpoint-seconds=0.001 \
                    --set training.early-stopping={patience=5}";

fn start(folder: &Path, arguments: &str) -> Child {
    let mut command = sgt(folder);
    command.args(arguments.split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn killed_again_and_again_and_resumed_it_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &format!("{LONG} --out whole"));
    let mut kills = 0;
    let mut delay = 30;
    let mut arguments = format!("{LONG} --out killed");
    loop {
        let mut child = start(folder.path(), &arguments);
        std::thread::sleep(Duration::from_millis(delay));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap(); // SIGKILL
            kills += 1;
        }
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        // Longer each time, so that it ends on the slowest machine, too.
        delay += 37;
        let begun = folder.path().join("killed/config.toml").exists();
        if begun {
            arguments = "train --resume killed".into();
        }
        assert!(kills < 200, "no end in sight");
    }
    assert!(kills >= 3, "only {kills} kills");
    for name in ["weights.safetensors", "metrics.csv"] {
        let (whole, killed) = (
            read(&folder.path().join("whole").join(name)),
            read(&folder.path().join("killed").join(name)),
        );
        assert!(whole == killed, "{name} after {kills} kills");
    }
    // What a kill leaves half-written is gone.
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    for part in ["", "checkpoint"] {
        let (whole, killed) = (
            names(&folder.path().join("whole").join(part)),
            names(&folder.path().join("killed").join(part)),
        );
        assert_eq!(whole, killed);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &format!("{LONG} --out whole"));
    let mut command = sgt(folder.path());
    command.args(format!("{LONG} --out stopped").split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let metrics = folder.path().join("stopped/metrics.csv");
    let started = || std::fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 1);
    while !started() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    let signalled = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(signalled.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("go on with sgt train --resume stopped"),
        "{said}"
    );
    succeeds(folder.path(), "train --resume stopped");
    let weights = |run: &str| read(&folder.path().join(run).join("weights.safetensors"));
    assert!(weights("whole") == weights("stopped"));
}

#[test]
fn a_diverging_run_names_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &format!("{SHORT} --set optimizer.learning-rate=1e30 --out wild"),
    );
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said.lines().last().unwrap();
    assert!(line.starts_with("error: "), "{said}");
    assert!(line.contains("in epoch 1"), "{said}");
    let path = "wild/checkpoint/latest.safetensors";
    assert!(line.ends_with(path), "{said}");
    assert!(folder.path().join(path).is_file());
    assert!(!folder.path().join("wild/weights.safetensors").exists());
}

#[test]
fn a_damaged_checkpoint_or_folder_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &format!("{SHORT} --out run"));
    fails(
        folder.path(),
        &format!("{SHORT} --out run"),
        2,
        &["--out", "holds a run", "--resume run"],
    );
    succeeds(folder.path(), &format!("{SHORT} --out run --overwrite"));
    let latest = folder.path().join("run/checkpoint/latest.safetensors");
    let whole = read(&latest);
    std::fs::write(&latest, &whole[..whole.len() / 2]).unwrap();
    fails(
        folder.path(),
        "train --resume run",
        1,
        &["latest.safetensors", "damaged", "previous.safetensors"],
    );
    std::fs::write(&latest, whole).unwrap();
    succeeds(folder.path(), "train --resume run");
    fails(
        folder.path(),
        "train --resume nowhere",
        1,
        &["nowhere", "config.toml"],
    );
    let config = folder.path().join("run/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("sensor-cnn", "sensor-lstm")).unwrap();
    fails(
        folder.path(),
        "train --resume run",
        1,
        &["config.toml", "model = sensor-lstm", "sensor-cnn"],
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    fails(
        folder.path(),
        &format!("{SHORT} --out file/run"),
        1,
        &["file/run", "create folder"],
    );
}

/// A limit on the size of files stands for a full disk: the write fails half-way.
#[cfg(unix)]
#[test]
fn a_full_disk_is_one_line_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &format!("{SHORT} --out run"));
    let latest = folder.path().join("run/checkpoint/latest.safetensors");
    let before = read(&latest);
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; exec {} train --resume run",
        env!("CARGO_BIN_EXE_sgt")
    );
    let mut command = std::process::Command::new("sh");
    command.current_dir(folder.path()).args(["-c", &script]);
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("latest.safetensors: write: "), "{said}");
    assert!(stdout(&output).is_empty());
    assert!(read(&latest) == before, "the checkpoint changed");
    let names = std::fs::read_dir(folder.path().join("run/checkpoint")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() <= 2, "{names:?}");
    succeeds(folder.path(), "train --resume run");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = sgt(folder.path());
    let output = command
        .args(["data", "list"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("standard output"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn progress_is_lines_in_a_pipe_and_nothing_for_machines() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &format!("{SHORT} --out a"));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 4, "{said}");
    for (epoch, line) in said.lines().enumerate() {
        assert!(
            line.starts_with(&format!("epoch {}/4  loss ", epoch + 1)),
            "{line}"
        );
        assert!(
            line.contains("  accuracy ") && line.ends_with(" left"),
            "{line}"
        );
    }
    let output = run(folder.path(), &format!("{SHORT} --out b --json"));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    let record: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(record["epochs"], 4);
}

#[test]
fn learning_curves_are_written_for_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write_series(at);
    let train = "train --data waves_TRAIN.ts --epochs 3 --hidden 4,4,4 --seed 1";
    succeeds(at, &format!("{train} --out run --tensorboard curves"));
    let runs: Vec<_> = std::fs::read_dir(at.join("curves"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(runs.len(), 1);
    let files: Vec<_> = std::fs::read_dir(runs[0].path())
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(files.len(), 1);
    let bytes = std::fs::read(files[0].path()).unwrap();
    // The version and three epochs, each behind its length and a checksum.
    let mut records = 0;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        rest = &rest[8 + 4 + length + 4..];
        records += 1;
    }
    assert_eq!(records, 4);
    // A curve that cannot be written costs no run.
    std::fs::write(at.join("file"), "").unwrap();
    let failing = format!("{train} --out other --tensorboard file/curves");
    let output = run(at, &failing);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("file/curves"),
        "{}",
        stderr(&output)
    );
    assert!(at.join("other/run.json").exists());
}
