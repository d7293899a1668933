//! Bad usage, bad configurations and bad data on the built binary: exit codes and messages.

mod common;

use common::{fails, series, succeeds, write_series};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;

#[test]
fn bad_usage_is_one_line_and_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str]); 14] = [
        ("trian", &["trian", "train"]),
        ("train --epoch 3", &["--epoch", "--epochs"]),
        ("train --epochs many", &["--epochs", "many"]),
        ("train --epochs 0", &["training.epochs", "0", "1 or more"]),
        ("train --regime sgtt", &["regime", "sgtt", "sgt"]),
        (
            "train --preset refrence",
            &["preset", "refrence", "reference"],
        ),
        (
            "train --model sensor-cn",
            &["model", "sensor-cn", "sensor-cnn"],
        ),
        (
            "train --data basic-motion",
            &["basic-motion", "basic-motions"],
        ),
        (
            "train --set masking.fracton=0.3",
            &["masking", "fracton", "fraction"],
        ),
        (
            "train --set masking.fraction=2",
            &["masking.fraction", "2", "0 to 1"],
        ),
        ("train --set nothing", &["--set", "nothing", "KEY=VALUE"]),
        ("train --resume run --epochs 3", &["--resume", "--epochs"]),
        ("compare --seeds 0", &["--seeds", "0"]),
        ("compare --out . --eps 0.1,-1", &["epsilon", "-1"]),
    ];
    for (arguments, parts) in cases {
        fails(folder.path(), arguments, 2, parts);
    }
    fails(
        folder.path(),
        "train --model mnist-cnn",
        2,
        &["image", "mnist-cnn"],
    );
    fails(
        folder.path(),
        "train --set masking.policy=previous-salient",
        2,
        &["masking.policy", "previous-salient"],
    );
    assert!(
        std::fs::read_dir(folder.path()).unwrap().next().is_none(),
        "files were left"
    );
}

#[test]
fn a_bad_configuration_names_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.toml"), "[masking]\nfracton = 0.5\n").unwrap();
    fails(
        folder.path(),
        "train --config run.toml",
        2,
        &["run.toml: masking: found unknown key fracton, expected fraction"],
    );
    std::fs::write(folder.path().join("run.toml"), "seed = \n").unwrap();
    fails(
        folder.path(),
        "train --config run.toml",
        1,
        &["run.toml", "line 1"],
    );
    fails(
        folder.path(),
        "train --config none.toml",
        1,
        &["none.toml", "read"],
    );
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bad_series_name_the_file_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let whole = series(20);
    let packed = gzip(&whole);
    let header = whole.split("@data").next().unwrap();
    let ragged = whole.replacen(":up\n", ",0.5:up\n", 1);
    let fewer = {
        let mut lines: Vec<_> = whole.lines().collect();
        let first = lines.iter().position(|line| *line == "@data").unwrap() + 1;
        let shorter = lines[first].split_once(':').unwrap().1;
        lines[first] = shorter;
        lines.join("\n") + "\n"
    };
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        (
            "cut_TRAIN.ts.gz",
            packed[..packed.len() / 2].to_vec(),
            &["cut off"],
        ),
        ("plain_TRAIN.ts.gz", whole.clone().into_bytes(), &["gzip"]),
        ("nothing_TRAIN.ts", Vec::new(), &[]),
        (
            "header_TRAIN.ts",
            format!("{header}@data\n").into_bytes(),
            &[],
        ),
        ("ragged_TRAIN.ts", ragged.into_bytes(), &["line 9"]),
        ("fewer_TRAIN.ts", fewer.into_bytes(), &["line 9"]),
        (
            "bytes_TRAIN.ts",
            [whole.as_bytes(), b"\xff\xfe\n"].concat(),
            &["UTF-8"],
        ),
        (
            "label_TRAIN.ts",
            whole.replacen(":down", ":sideways", 1).into_bytes(),
            &["sideways"],
        ),
    ];
    for (name, bytes, parts) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(test_of(&path), series(10)).unwrap();
        let parts = [&[name], parts].concat();
        fails(
            folder.path(),
            &format!("train --data {name} --out run"),
            1,
            &parts,
        );
    }
    // The test part is as suspicious as the training part.
    write_series(folder.path());
    let strange = series(10).replacen(":down", ":sideways", 1);
    std::fs::write(folder.path().join("waves_TEST.ts"), strange).unwrap();
    fails(
        folder.path(),
        "train --data waves_TRAIN.ts --out run",
        1,
        &["waves_TEST.ts", "sideways"],
    );
    std::fs::remove_file(folder.path().join("waves_TEST.ts")).unwrap();
    fails(
        folder.path(),
        "train --data waves_TRAIN.ts --out run",
        1,
        &["waves_TRAIN.ts", "waves_TEST.ts"],
    );
    fails(
        folder.path(),
        "train --data none_TRAIN.ts --out run",
        1,
        &["none_T"],
    );
    assert!(!folder.path().join("run").exists(), "a run was begun");
}

fn test_of(train: &Path) -> std::path::PathBuf {
    let name = train.file_name().unwrap().to_str().unwrap();
    let name = name.replace("_TRAIN", "_TEST");
    train.with_file_name(name.trim_end_matches(".gz"))
}

/// An idx file of unsigned bytes.
fn idx(magic: u32, axes: &[u32], values: &[u8]) -> Vec<u8> {
    let words = std::iter::once(&magic).chain(axes);
    let mut bytes: Vec<u8> = words.flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend(values);
    bytes
}

#[test]
fn bad_images_name_the_file_and_what_is_wrong() {
    const IMAGES: u32 = 0x803;
    const LABELS: u32 = 0x801;
    let folder = tempfile::tempdir().unwrap();
    let mnist = folder.path().join("data/mnist");
    std::fs::create_dir_all(&mnist).unwrap();
    let images = idx(IMAGES, &[4, 28, 28], &[7; 4 * 784]);
    let labels = idx(LABELS, &[4], &[0, 1, 2, 3]);
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    let reset = || {
        for (index, name) in names.iter().enumerate() {
            let bytes = if index % 2 == 0 { &images } else { &labels };
            std::fs::write(mnist.join(name), bytes).unwrap();
        }
    };
    let cases = [
        (0, idx(0x0d03, &[4, 28, 28], &[7; 4 * 784])),
        (0, images[..images.len() - 1].to_vec()),
        (0, Vec::new()),
        (1, idx(LABELS, &[4], &[0, 1, 2, 10])),
        (1, idx(LABELS, &[3], &[0, 1, 2])),
        (2, b"P5 28 28 255".to_vec()),
    ];
    for (index, bytes) in cases {
        reset();
        std::fs::write(mnist.join(names[index]), bytes).unwrap();
        fails(
            folder.path(),
            "train --data mnist --out run",
            1,
            &[names[index]],
        );
    }
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    fails(
        folder.path(),
        "train --data mnist --out run",
        1,
        &["mnist", "fetch"],
    );
}

#[test]
fn data_sets_are_listed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeeds(folder.path(), "data list");
    assert!(
        list.contains("basic-motions") && list.contains("embedded"),
        "{list}"
    );
    let list: serde_json::Value =
        serde_json::from_str(&succeeds(folder.path(), "data list --json")).unwrap();
    assert_eq!(list[0]["name"], "basic-motions");
    let info = succeeds(folder.path(), "data info basic-motions");
    assert!(info.contains("40 training, 40 test"), "{info}");
    let info = succeeds(folder.path(), "data info basic-motions --json");
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["classes"], 4);
    fails(folder.path(), "data info basic", 2, &["basic-motions"]);
    let help = succeeds(folder.path(), "--help");
    assert!(help.contains("compare") && help.contains("train"), "{help}");
    let version = succeeds(folder.path(), "--version");
    assert_eq!(version.trim(), concat!("sgt ", env!("CARGO_PKG_VERSION")));
}
