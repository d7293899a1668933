//! A person's own recordings through the command: read, trained, answered, streamed.

mod common;

use common::{fails, sgt, stderr, stdout, succeeds};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// Two people with a device of 50 Hz, still and walking in turn.
fn recording(rows: usize) -> String {
    let mut text = String::from("timestamp,ax,ay,person,label\n");
    for row in 0..rows {
        let walks = row / 100 % 2 == 1;
        let swing = if walks { (row as f64 * 0.6).sin() } else { 0.0 };
        let noise = f64::from((row as u32).wrapping_mul(2_654_435_761) % 97) / 970.0;
        let (person, label) = (
            ["ann", "bob"][row * 2 / rows],
            ["still", "walk"][usize::from(walks)],
        );
        let time = row as f64 * 0.02;
        let _ = writeln!(
            text,
            "{time:.2},{:.4},{:.4},{person},{label}",
            swing + noise,
            1.0 + 0.5 * swing
        );
    }
    text
}

fn trained(folder: &Path, more: &str) {
    std::fs::write(folder.join("walk.csv"), recording(4_000)).unwrap();
    succeeds(
        folder,
        &format!(
            "train --data walk.csv --window 0.64s --step 16 --epochs 3 --regime standard --out run {more}"
        ),
    );
}

#[test]
fn recordings_are_trained_on_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, "--group-column person");
    let config = std::fs::read_to_string(folder.join("run/config.toml")).unwrap();
    assert!(
        config.contains("window = \"0.64s\"") && config.contains("group-column = \"person\""),
        "{config}"
    );
    let record = std::fs::read_to_string(folder.join("run/run.json")).unwrap();
    assert!(
        record.contains("separator comma, decimal point, a header; channels ax, ay"),
        "{record}"
    );
    // The same files are read the same way again.
    succeeds(folder, "evaluate run --samples 20 --extent quick");

    let weights = "--weights run/weights.safetensors --input walk.csv";
    let said = succeeds(folder, &format!("predict {weights} --output p.csv --json"));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(said["accuracy"].as_f64().unwrap() > 0.6, "{said}");
    let table = std::fs::read_to_string(folder.join("p.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("index,group,from,to,true,predicted,still,walk")
    );
    assert!(
        lines.next().unwrap().starts_with("0,walk,0,0.62,still,"),
        "{table}"
    );

    // As npy the same answers.
    succeeds(folder, &format!("predict {weights} --output p.npy"));
    let logits = sgt_host::npy::read(&folder.join("p.npy")).unwrap();
    assert_eq!(logits.shape[0], table.lines().count() - 1);

    // Classes of the file serve attack and attribution.
    succeeds(
        folder,
        &format!("attack {weights} --attack fgsm --eps 0.1 --output a.csv"),
    );
    let adversarial = std::fs::read_to_string(folder.join("a.csv")).unwrap();
    assert!(
        adversarial.starts_with("index,step,ax,ay\n0,0,"),
        "{adversarial:.60}"
    );
    assert_eq!(adversarial.lines().count(), 1 + 32 * logits.shape[0]);
    succeeds(
        folder,
        &format!("attribute {weights} --method gradient --output g.npy"),
    );
    let map = sgt_host::npy::read(&folder.join("g.npy")).unwrap();
    assert_eq!(map.shape, [logits.shape[0], 2, 32]);
}

#[test]
fn a_stream_is_answered_as_the_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for more in ["--overwrite", "--rate 40 --overwrite"] {
        trained(folder, more);
        let weights = "--weights run/weights.safetensors";
        succeeds(
            folder,
            &format!("predict {weights} --input walk.csv --output p.csv --overwrite"),
        );
        let table = std::fs::read_to_string(folder.join("p.csv")).unwrap();
        // The columns in another order, byte by byte.
        let text: String = recording(4_000)
            .lines()
            .map(|line| {
                let mut fields: Vec<&str> = line.split(',').collect();
                fields.swap(1, 2);
                fields.remove(3);
                fields.join(";") + "\n"
            })
            .collect();
        let mut command = sgt(folder);
        command.args(format!("predict {weights} --input -").split(' '));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = command.spawn().unwrap();
        let mut input = running.stdin.take().unwrap();
        let sending = std::thread::spawn(move || {
            for piece in text.as_bytes().chunks(777) {
                input.write_all(piece).unwrap();
            }
        });
        let output = running.wait_with_output().unwrap();
        sending.join().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let without_group = |table: &str| -> Vec<String> {
            let lines = table.lines().map(|line| {
                let mut fields: Vec<&str> = line.split(',').collect();
                fields.remove(1);
                fields.join(",")
            });
            lines.collect()
        };
        let streamed = without_group(&stdout(&output));
        assert!(streamed.len() > 100);
        assert_eq!(streamed, without_group(&table), "{more}");
    }
}

#[test]
fn missing_and_swapped_channels_are_named_and_put_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, "");
    let weights = "predict --weights run/weights.safetensors";
    let cut = |columns: &[usize], name: &str| {
        let text = recording(400);
        let lines = text.lines().map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let kept: Vec<&str> = columns.iter().map(|&column| fields[column]).collect();
            kept.join(",") + "\n"
        });
        std::fs::write(folder.join(name), lines.collect::<String>()).unwrap();
    };
    cut(&[0, 1, 2], "right.csv");
    cut(&[2, 1, 0], "swapped.csv");
    cut(&[0, 3, 2], "short.csv");
    succeeds(
        folder,
        &format!("{weights} --input right.csv --output a.npy"),
    );
    succeeds(
        folder,
        &format!("{weights} --input swapped.csv --output b.npy"),
    );
    assert_eq!(
        std::fs::read(folder.join("a.npy")).unwrap(),
        std::fs::read(folder.join("b.npy")).unwrap()
    );
    fails(
        folder,
        &format!("{weights} --input short.csv --output c.npy"),
        1,
        &["short.csv: found no column for the channels ax, expected them among timestamp"],
    );
    let attack = "attack --weights run/weights.safetensors --attack fgsm --eps 0.1 --output a2.npy";
    fails(
        folder,
        &format!("{attack} --input right.csv"),
        1,
        &["no known class for", "--labels"],
    );
}

#[test]
fn a_run_on_recordings_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder, "--set data.validation=0.2");
    let weights = std::fs::read(folder.join("run/weights.safetensors")).unwrap();
    // Finished: nothing is trained, and the same is written.
    succeeds(folder, "train --resume run");
    assert_eq!(
        std::fs::read(folder.join("run/weights.safetensors")).unwrap(),
        weights
    );
    // Other windows of the same file are other data.
    let config = std::fs::read_to_string(folder.join("run/config.toml")).unwrap();
    std::fs::write(
        folder.join("run/config.toml"),
        config.replace("step = 16", "step = 8"),
    )
    .unwrap();
    fails(
        folder,
        "train --resume run",
        1,
        &["data.reading.step = 8", "expected 16"],
    );
}

#[test]
fn a_network_without_names_of_channels_reads_columns_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Far from 0, so that values are held relative to an origin.
    let mut text = String::from("@classLabel true still walk\n@data\n");
    let mut table = String::from("a,b,label\n");
    for case in 0..20 {
        let swing = f64::from(case % 2);
        let value = |step: u32| 1e6 + swing * f64::from(step).sin() + f64::from(case) * 1e-2;
        let line: Vec<String> = (0..16).map(|step| format!("{:.3}", value(step))).collect();
        let label = ["still", "walk"][case as usize % 2];
        let _ = writeln!(text, "{0}:{0}:{label}", line.join(","));
        for step in line {
            let _ = writeln!(table, "{step},{step},{label}");
        }
    }
    std::fs::write(folder.join("own.ts"), text).unwrap();
    std::fs::write(folder.join("own.csv"), table).unwrap();
    succeeds(folder, "train --data own.ts --epochs 1 --out run");
    let predict = "predict --weights run/weights.safetensors";
    succeeds(folder, &format!("{predict} --input own.ts --output a.npy"));
    succeeds(
        folder,
        &format!("{predict} --input own.csv --label-column label --window 16 --output b.npy"),
    );
    let read = |name: &str| sgt_host::npy::read(&folder.join(name)).unwrap();
    let (a, b) = (read("a.npy"), read("b.npy"));
    assert_eq!(a.shape, b.shape);
    for (a, b) in a.values.iter().zip(&b.values) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn windows_are_written_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("walk.csv"), recording(4_000)).unwrap();
    let options = "walk.csv --window 32 --step 16 --group-column person";
    succeeds(folder, &format!("data windows {options} --out w.npz"));
    fails(
        folder,
        &format!("data windows {options} --out w.npz"),
        2,
        &["--out: found w.npz, which exists"],
    );
    let info = |arguments: &str| -> serde_json::Value {
        serde_json::from_str(&succeeds(folder, &format!("data info {arguments} --json"))).unwrap()
    };
    let (file, again) = (info(options), info("w.npz"));
    for key in [
        "cases",
        "sample",
        "class-names",
        "class_names",
        "class_counts",
        "groups",
        "rate",
        "survey",
    ] {
        assert_eq!(file.get(key), again.get(key), "{key}");
    }
    assert_eq!(file["groups"][0].as_array().unwrap().len(), 1);
    succeeds(folder, "train --data w.npz --epochs 1 --out run");
    // The person's file and the archive are the same to a network.
    succeeds(
        folder,
        "predict --weights run/weights.safetensors --input w.npz --output a.npy",
    );
}

#[test]
fn suspicious_channels_are_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("counter,id,dead,ax,label\n");
    for row in 0..800 {
        let class = row / 100 % 2;
        let _ = writeln!(
            text,
            "{row},{},1,{},{class}",
            row / 100 % 2 + 5,
            (row * 7) % 13
        );
    }
    std::fs::write(folder.path().join("odd.csv"), text).unwrap();
    let said = succeeds(folder.path(), "data info odd.csv --window 20");
    for expected in [
        "rises in every sample: a clock or a counter",
        "never changes inside a sample and gives the class away",
        "1 to 1, mean 1.0000, deviation 0.0000  ! never changes",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_forced_leak_is_in_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("walk.csv"), recording(4_000)).unwrap();
    std::fs::write(folder.join("again.csv"), recording(4_000)).unwrap();
    let options = "--data walk.csv --test again.csv --window 32 --epochs 1";
    fails(
        folder,
        &format!("train {options}"),
        1,
        &["again.csv: found a test part that shares", "--force-split"],
    );
    let compare = format!(
        "compare {options} --force-split --regimes standard --seeds 1 --samples 10 --out c"
    );
    let said = succeeds(folder, &compare);
    assert!(
        said.contains("shares 125 of its samples with the training part"),
        "{said}"
    );
    let markdown = std::fs::read_to_string(folder.join("c/results.md")).unwrap();
    assert!(markdown.contains("125 of its samples"), "{markdown}");
}

#[test]
fn bad_options_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("walk.csv"), recording(400)).unwrap();
    let refused: [(&str, i32, &str); 8] = [
        ("train --data walk.csv --window 0", 2, "--window"),
        (
            "train --data walk.csv",
            2,
            "window: found none for one recording",
        ),
        (
            "train --data walk.csv --window 32 --split 1.5",
            2,
            "data.reading.split: found 1.5",
        ),
        (
            "train --data walk.csv --window 32 --label-column kind",
            2,
            "label-column: found kind, no column of",
        ),
        (
            "train --data walk.csv --step 16",
            2,
            "step: found one without a window",
        ),
        ("train --data walk.csv --window 32 --fold 6/5", 2, "--fold"),
        (
            "train --data basic-motions --window 32",
            2,
            "beside basic-motions",
        ),
        (
            "train --data nowhere.csv --window 32",
            1,
            "nowhere.csv: found no such file",
        ),
    ];
    for (arguments, code, part) in refused {
        fails(folder, arguments, code, &[part]);
    }
}
