//! Files that belong together: what does not is refused, with the file's name.

mod common;

use common::{fails, run, series, sgt, stderr, succeeds, test_series, write_series};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

const TRAIN: &str = "train --data waves_TRAIN.ts --epochs 3 --regime sgt";
/// Long enough to be met at work.
const LONG: &str = "train --data waves_TRAIN.ts --epochs 100000 --regime asgt";

fn trained(folder: &Path, run: &str, more: &str) {
    succeeds(folder, &format!("{TRAIN} --out {run} {more}"));
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text} lacks {from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn start(folder: &Path, arguments: &str) -> Child {
    let mut command = sgt(folder);
    command.args(arguments.split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_checkpoint_belongs_to_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    trained(folder.path(), "run", "");
    trained(folder.path(), "other", "--seed 4");
    let config = folder.path().join("run/config.toml");
    let whole = std::fs::read(&config).unwrap();
    for (from, to, key) in [
        ("seed = 0", "seed = 1", "seed = 1"),
        ("regime = \"sgt\"", "regime = \"asgt\"", "regime = asgt"),
        ("lambda = 1.0", "lambda = 0.5", "lambda = 0.5"),
        (
            "learning-rate = 0.001",
            "learning-rate = 0.01",
            "learning-rate",
        ),
        (
            "policy = \"uniform\"",
            "policy = \"zero\"",
            "masking.policy",
        ),
        ("epochs = 3", "epochs = 6", "training.epochs = 6"),
        ("epochs = 3", "epochs = 2", "training.epochs = 2"),
        ("batch = 16", "batch = 8", "training.batch"),
    ] {
        edit(&config, from, to);
        let parts = ["run/config.toml", key, "another configuration"];
        fails(folder.path(), "train --resume run", 1, &parts);
        fails(folder.path(), "evaluate run", 1, &parts);
        std::fs::write(&config, &whole).unwrap();
    }
    succeeds(folder.path(), "train --resume run");

    let latest = "checkpoint/latest.safetensors";
    let [run, other] = ["run", "other"].map(|run| folder.path().join(run).join(latest));
    std::fs::copy(other, run).unwrap();
    fails(
        folder.path(),
        "train --resume run",
        1,
        &["run/config.toml", "seed = 0", "expected 4"],
    );
}

#[test]
fn what_is_evaluated_is_what_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    trained(folder.path(), "run", "");
    trained(folder.path(), "other", "--seed 4");
    let evaluate = "evaluate run --extent quick --eps 0.1";
    succeeds(folder.path(), evaluate);

    let weights = folder.path().join("run/weights.safetensors");
    let own = std::fs::read(&weights).unwrap();
    std::fs::copy(folder.path().join("other/weights.safetensors"), &weights).unwrap();
    fails(
        folder.path(),
        evaluate,
        1,
        &["weights.safetensors", "tensors", "run.json"],
    );
    std::fs::write(&weights, own).unwrap();

    let record = folder.path().join("run/run.json");
    let whole = std::fs::read(&record).unwrap();
    edit(&record, "\"binding\"", "\"bindinh\"");
    fails(folder.path(), evaluate, 1, &["run.json", "bindinh"]);
    std::fs::write(&record, whole).unwrap();

    // Standardisation hides a factor from the network; the digest is of what was read.
    let train = folder.path().join("waves_TRAIN.ts");
    let text = std::fs::read_to_string(&train).unwrap();
    let (head, data) = text.split_once("@data\n").unwrap();
    let double = |value: &str| {
        value
            .parse::<f64>()
            .map_or(value.into(), |v| (2.0 * v).to_string())
    };
    let lines = data.lines().map(|line| {
        let channels = line.split(':').map(|channel| {
            channel
                .split(',')
                .map(double)
                .collect::<Vec<String>>()
                .join(",")
        });
        channels.collect::<Vec<_>>().join(":")
    });
    let scaled = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(&train, format!("{head}@data\n{scaled}\n")).unwrap();
    fails(
        folder.path(),
        evaluate,
        1,
        &["waves_TRAIN.ts", "training data", "SHA-256"],
    );
    fails(
        folder.path(),
        "train --resume run",
        1,
        &["waves_TRAIN.ts", "SHA-256"],
    );
    std::fs::write(&train, &text).unwrap();

    let test = folder.path().join("waves_TEST.ts");
    let swapped = test_series()
        .replace(":up", ":x")
        .replace(":down", ":up")
        .replace(":x", ":down");
    std::fs::write(&test, swapped).unwrap();
    fails(
        folder.path(),
        evaluate,
        1,
        &["waves_TEST.ts", "test data", "SHA-256"],
    );
    std::fs::write(&test, test_series()).unwrap();
    succeeds(folder.path(), evaluate);
}

/// The file as it was before files had digests.
fn without_digest(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut entries = header.metadata().clone().unwrap();
    let mut own: Value = serde_json::from_str(&entries["sgt"]).unwrap();
    for key in ["format", "sha256", "binding"] {
        own.as_object_mut().unwrap().remove(key).unwrap();
    }
    entries.insert("sgt".into(), own.to_string());
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let old = safetensors::serialize(tensors.tensors(), Some(entries)).unwrap();
    std::fs::write(path, old).unwrap();
}

#[test]
fn files_of_earlier_versions_are_read() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    trained(folder.path(), "run", "");
    let evaluate = "evaluate run --extent quick --eps 0.1 --json";
    let expected = succeeds(folder.path(), evaluate);
    without_digest(&folder.path().join("run/weights.safetensors"));
    std::fs::remove_dir_all(folder.path().join("run/checkpoint")).unwrap();
    let path = folder.path().join("run/run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for key in ["binding", "tensors", "instructions"] {
        record.as_object_mut().unwrap().remove(key).unwrap();
    }
    std::fs::write(&path, record.to_string()).unwrap();
    assert_eq!(succeeds(folder.path(), evaluate), expected);
}

/// A run that a version without digests wrote: `tests/earlier`.
#[test]
fn a_run_of_an_earlier_version_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/earlier");
    std::fs::create_dir_all(folder.path().join("run/checkpoint")).unwrap();
    for name in [
        "config.toml",
        "metrics.csv",
        "run.json",
        "weights.safetensors",
        "checkpoint/latest.safetensors",
    ] {
        std::fs::copy(source.join(name), folder.path().join("run").join(name)).unwrap();
    }
    succeeds(folder.path(), "evaluate run --extent quick --eps 0.1");
    edit(
        &folder.path().join("run/config.toml"),
        "epochs = 4",
        "epochs = 6",
    );
    let record = succeeds(folder.path(), "train --resume run --json");
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["epochs"], 6);
    assert_eq!(
        record["binding"]["training-data"].as_str().unwrap().len(),
        64
    );
    // From here on it is bound.
    edit(
        &folder.path().join("run/config.toml"),
        "epochs = 6",
        "epochs = 8",
    );
    fails(
        folder.path(),
        "train --resume run",
        1,
        &["run/config.toml", "training.epochs = 8"],
    );
}

/// A bit of every byte class: each part of the file, each of its kinds of bytes.
#[test]
fn a_flipped_bit_is_detected_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    trained(folder.path(), "run", "");
    sgt_host::npy::write(&folder.path().join("x.npy"), &[1, 2, 12], &[0.5; 24]).unwrap();
    let evaluate = "evaluate run --extent quick --eps 0.1 --samples 2";
    let flips = |name: &str, places: &[usize], arguments: &str| {
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for &place in places {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << (place % 7);
            std::fs::write(&path, &flipped).unwrap();
            let output = run(folder.path(), arguments);
            let said = stderr(&output);
            assert!(
                matches!(output.status.code(), Some(1 | 2)),
                "{name}: byte {place} of {}: {said}",
                whole.len()
            );
            assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        }
        std::fs::write(&path, whole).unwrap();
    };
    let spread = |from: usize, to: usize, count: usize| -> Vec<usize> {
        (0..count)
            .map(|index| from + (to - from - 1) * index / (count - 1))
            .collect()
    };
    let length = |name: &str| std::fs::read(folder.path().join(name)).unwrap().len();

    let weights = "run/weights.safetensors";
    let bytes = std::fs::read(folder.path().join(weights)).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let predict =
        "predict --weights run/weights.safetensors --input x.npy --output y.npy --overwrite";
    let places = [
        spread(0, 8, 4),
        spread(8, header, 40),
        spread(header, bytes.len(), 30),
    ];
    flips(weights, &places.concat(), predict);

    let latest = "run/checkpoint/latest.safetensors";
    flips(latest, &spread(0, length(latest), 30), "train --resume run");

    // Where the data lies and how often the state is written change no result.
    let config = "run/config.toml";
    let text = std::fs::read_to_string(folder.path().join(config)).unwrap();
    let harmless: Vec<_> = ["folder", "checkpoint-seconds"]
        .iter()
        .filter_map(|key| {
            let start = text.find(key)?;
            Some(start..start + text[start..].find('\n').unwrap() + 1)
        })
        .collect();
    let places = spread(0, text.len(), 60);
    let places = places
        .into_iter()
        .filter(|place| !harmless.iter().any(|range| range.contains(place)));
    flips(config, &places.collect::<Vec<_>>(), evaluate);

    for name in ["waves_TRAIN.ts", "waves_TEST.ts"] {
        let text = series(20);
        let data = text.find("@data").unwrap();
        flips(name, &spread(data, length(name) - 1, 12), evaluate);
    }
    succeeds(folder.path(), evaluate);
}

#[cfg(unix)]
#[test]
fn a_folder_has_one_writer_and_a_dead_one_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let mut first = start(folder.path(), &format!("{LONG} --out run"));
    wait_for(&folder.path().join("run/checkpoint/latest.safetensors"));
    let parts = ["run", "another sgt is writing"];
    for second in [
        format!("{LONG} --out run --overwrite"),
        "train --resume run".into(),
    ] {
        fails(folder.path(), &second, 2, &parts);
    }
    first.kill().unwrap(); // SIGKILL
    first.wait().unwrap();
    let mut again = start(folder.path(), "train --resume run");
    std::thread::sleep(Duration::from_millis(300));
    assert!(again.try_wait().unwrap().is_none(), "it did not go on");
    fails(folder.path(), "train --resume run", 2, &parts);
    again.kill().unwrap();
    again.wait().unwrap();

    // Both start at the same moment: one trains, one is told.
    let longer = TRAIN.replace("--epochs 3", "--epochs 400");
    let both: Vec<Child> = (0..2)
        .map(|_| start(folder.path(), &format!("{longer} --out fresh")))
        .collect();
    let codes: Vec<_> = both
        .into_iter()
        .map(|mut child| child.wait().unwrap().code())
        .collect();
    assert!(
        codes.contains(&Some(0)) && codes.contains(&Some(2)),
        "{codes:?}"
    );

    let compare = "compare --data waves_TRAIN.ts --regimes standard,sgt --seeds 1 --epochs 100000";
    let mut first = start(folder.path(), &format!("{compare} --out c"));
    wait_for(&folder.path().join("c/standard-0/config.toml"));
    fails(
        folder.path(),
        &format!("{compare} --out c --overwrite"),
        2,
        &["c", "another sgt"],
    );
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn the_instruction_set_is_recorded_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    trained(folder.path(), "run", "--instructions plain");
    let record = |run: &str| -> Value {
        let path = folder.path().join(run).join("run.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    assert_eq!(record("run")["instructions"], serde_json::json!(["plain"]));
    let output = run(folder.path(), "train --resume run");
    assert_eq!(stderr(&output), "", "the same set needs no word");
    assert_eq!(record("run")["instructions"], serde_json::json!(["plain"]));
    fails(
        folder.path(),
        "train --instructions sse",
        2,
        &["instructions", "sse", "avx2"],
    );
    if sgt_host::instructions::InstructionSet::Avx2.is_available() {
        let output = run(folder.path(), "train --resume run --instructions avx2");
        let said = stderr(&output);
        assert!(said.contains("plain") && said.contains("avx2"), "{said}");
        assert_eq!(
            record("run")["instructions"],
            serde_json::json!(["plain", "avx2"])
        );
    }
}

const COMPARE: &str = "compare --data waves_TRAIN.ts --regimes standard,asgt --seeds 2 \
                       --epochs 60 --set training.checkpoint-seconds=0.01 --samples 4";

/// The table without the rows of wall-clock time.
fn timeless(folder: &Path) -> Vec<Value> {
    let json = std::fs::read(folder.join("results.json")).unwrap();
    let comparison: Value = serde_json::from_slice(&json).unwrap();
    let rows = comparison["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["metric"] != "training-seconds")
        .cloned()
        .collect()
}

#[test]
fn a_comparison_that_is_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    succeeds(folder.path(), &format!("{COMPARE} --out whole"));
    let resumed = format!("{COMPARE} --out killed --resume");
    let (mut kills, mut delay) = (0, 40);
    loop {
        let mut child = start(folder.path(), &resumed);
        std::thread::sleep(Duration::from_millis(delay));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        if child.wait().unwrap().success() {
            break;
        }
        delay += 40;
        assert!(kills < 200, "no end in sight");
    }
    assert!(kills >= 2, "only {kills} kills");
    let [whole, killed] = ["whole", "killed"].map(|run| folder.path().join(run));
    assert_eq!(timeless(&whole), timeless(&killed));
    for run in ["standard-0", "standard-1", "asgt-0", "asgt-1"] {
        let weights = |folder: &Path| std::fs::read(folder.join(run).join("weights.safetensors"));
        assert!(
            weights(&whole).unwrap() == weights(&killed).unwrap(),
            "{run}"
        );
    }

    // Finished runs are kept, more seeds are added, other settings are refused.
    let said = stderr(&run(folder.path(), &resumed));
    assert_eq!(said.matches("(kept)").count(), 4, "{said}");
    let more = resumed.replace("--seeds 2", "--seeds 3");
    let said = stderr(&run(folder.path(), &more));
    assert_eq!(said.matches("(kept)").count(), 4, "{said}");
    assert_eq!(said.lines().count(), 6, "{said}");
    let other = resumed.replace("--epochs 60", "--epochs 50");
    let parts = [
        "killed/standard-0/config.toml",
        "training.epochs = 60",
        "50",
        "--overwrite",
    ];
    fails(folder.path(), &other, 1, &parts);
    let plain = format!("{COMPARE} --out killed");
    fails(
        folder.path(),
        &plain,
        2,
        &["--out", "holds a run", "--resume", "--overwrite"],
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_how_a_comparison_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let mut command = sgt(folder.path());
    let long = COMPARE.replace("--epochs 60", "--epochs 30000");
    command.args(format!("{long} --out c").split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_for(
        &folder
            .path()
            .join("c/standard-0/checkpoint/latest.safetensors"),
    );
    signal("-TERM", &child);
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("go on with sgt compare --data waves_TRAIN.ts"),
        "{said}"
    );
    assert!(said.trim_end().ends_with("--out c --resume"), "{said}");
}

#[cfg(unix)]
fn signal(name: &str, child: &Child) {
    let pid = child.id().to_string();
    let status = std::process::Command::new("kill")
        .args([name, &pid])
        .status();
    assert!(status.unwrap().success());
}

/// Waits until the process catches SIGTERM, and a moment for what it says then.
#[cfg(target_os = "linux")]
fn wait_for_handler(child: &Child) {
    const SIGTERM: u64 = 15;
    let path = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.unwrap_or(0) >> (SIGTERM - 1) & 1 == 1
    };
    while !caught() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_measurement_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    trained(folder.path(), "run", "");
    for arguments in ["evaluate run", "report run --out page"] {
        let mut command = sgt(folder.path());
        // Long enough to be met at work.
        command.args(arguments.split_whitespace());
        command.args(["--attacks", "pgd", "--stability-samples", "10"]);
        command.args([
            "--eps",
            &(1..400)
                .map(|i| format!("0.{i:03}"))
                .collect::<Vec<_>>()
                .join(","),
        ]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        wait_for_handler(&child);
        signal("-TERM", &child);
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{said}");
        let words = format!("start again with sgt {arguments}");
        assert!(said.contains(&words), "{said}");
    }
}

/// As `nohup` starts a program.
#[cfg(target_os = "linux")]
#[test]
fn an_ignored_hangup_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let script = format!(
        "trap '' HUP; exec {} {LONG} --out run",
        env!("CARGO_BIN_EXE_sgt")
    );
    let mut command = std::process::Command::new("sh");
    command.current_dir(folder.path()).args(["-c", &script]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    wait_for(&folder.path().join("run/checkpoint/latest.safetensors"));
    signal("-HUP", &child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it ended");
    signal("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
