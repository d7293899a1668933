//! `sgt attack`, `attribute`, `evaluate` and `report` on the built binary, against golden values
//! through array files where there are some.

mod common;

use common::{fails, succeeds, write_series};
use safetensors::SafeTensors;
use sgt_host::npy;
use std::path::{Path, PathBuf};

/// Of values and gradients against PyTorch's and Captum's, relative to 1 or the value.
const TOLERANCE: f32 = 1e-4;
/// The share of adversarial pixels that may differ: gradients within rounding of zero.
const OTHER_SIGNS: f64 = 0.01;

/// A golden tensor's values and axes.
fn golden(bytes: &[u8], name: &str) -> (Vec<f32>, Vec<usize>) {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let values = match tensor.dtype() {
        safetensors::Dtype::F32 => {
            let (words, _) = tensor.data().as_chunks();
            words.iter().map(|word| f32::from_le_bytes(*word)).collect()
        }
        safetensors::Dtype::I64 => {
            let (words, _) = tensor.data().as_chunks();
            words
                .iter()
                .map(|word| i64::from_le_bytes(*word) as f32)
                .collect()
        }
        other => panic!("{name}: {other:?}"),
    };
    (values, tensor.shape().to_vec())
}

struct Golden {
    folder: tempfile::TempDir,
    cases: Vec<u8>,
}

/// The golden small CNN's weights, inputs and labels as files.
fn small_cnn() -> Golden {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let cases = std::fs::read(source.join("small-cnn.cases.safetensors")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let weights = source.join("small-cnn.weights.safetensors");
    std::fs::copy(weights, file("weights.safetensors")).unwrap();
    let (x, shape) = golden(&cases, "x");
    npy::write(&file("x.npy"), &shape, &x).unwrap();
    let (labels, _) = golden(&cases, "y");
    let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    npy::write_labels(&file("y.npy"), &labels).unwrap();
    Golden { folder, cases }
}

const FILES: &str = "--weights weights.safetensors --model small-cnn --input x.npy";

#[test]
fn logits_and_attributions_are_the_golden_ones() {
    let Golden { folder, cases } = small_cnn();
    let check = |command: &str, tensor: &str| {
        succeeds(
            folder.path(),
            &format!("{command} {FILES} --output out.npy --overwrite"),
        );
        let found = npy::read(&folder.path().join("out.npy")).unwrap();
        let (expected, shape) = golden(&cases, tensor);
        assert_eq!(found.shape, shape, "{tensor}");
        for (place, (a, b)) in found.values.iter().zip(&expected).enumerate() {
            let close = (a - b).abs() <= TOLERANCE * b.abs().max(1.0);
            assert!(close, "{tensor} at {place}: {a}, expected {b}");
        }
    };
    check("predict", "logits");
    let attribute = "attribute --labels y.npy --method";
    check(&format!("{attribute} gradient"), "gradient_true_logit");
    check(&format!("{attribute} input-x-gradient"), "input_x_gradient");
    check(
        &format!("{attribute} integrated-gradients"),
        "integrated_gradients",
    );
    check(&format!("{attribute} deeplift"), "deeplift");
}

#[test]
fn attacks_are_the_golden_ones() {
    let Golden { folder, cases } = small_cnn();
    let (_, header) = SafeTensors::read_metadata(&cases).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let epsilon = |name: &str| -> f32 {
        let text = metadata.iter().find(|(key, _)| key.contains(name));
        let text = text.unwrap_or_else(|| panic!("{name} in {metadata:?}")).1;
        let number = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        let mut numbers = number.filter_map(|part| part.parse().ok());
        numbers.next().unwrap_or_else(|| panic!("{text}"))
    };
    for (attack, tensor, options) in [
        ("fgsm", "fgsm", String::new()),
        ("pgd", "pgd", "--no-random-start --steps 10".to_string()),
        ("mi-fgsm", "mifgsm", "--steps 10".to_string()),
    ] {
        let eps = epsilon("eps");
        succeeds(
            folder.path(),
            &format!(
                "attack {FILES} --labels y.npy --attack {attack} --eps {eps} {options} \
                 --clip 0,1 --output out.npy --overwrite"
            ),
        );
        let found = npy::read(&folder.path().join("out.npy")).unwrap();
        let (expected, shape) = golden(&cases, tensor);
        assert_eq!(found.shape, shape);
        let others = found.values.iter().zip(&expected);
        let others = others.filter(|(a, b)| (*a - *b).abs() > TOLERANCE).count();
        let share = others as f64 / expected.len() as f64;
        assert!(share <= OTHER_SIGNS, "{attack}: {share} differ");
    }
}

#[test]
fn bad_inputs_are_one_line() {
    let Golden { folder, .. } = small_cnn();
    let write = |name: &str, shape: &[usize], value: f32| {
        let values = vec![value; shape.iter().product()];
        npy::write(&folder.path().join(name), shape, &values).unwrap();
    };
    write("flat.npy", &[2, 256], 0.5);
    write("large.npy", &[2, 1, 20, 20], 0.5);
    write("labels.npy", &[8], 10.0);
    let attack = "attack --weights weights.safetensors --model small-cnn --attack pgd \
                  --output out.npy";
    let fails = |arguments: &str, code, parts: &[&str]| {
        let radius = if arguments.contains("--eps") {
            ""
        } else {
            "--eps 0.1"
        };
        let clip = if arguments.contains("--clip") {
            ""
        } else {
            "--clip 0,1"
        };
        fails(
            folder.path(),
            &format!("{attack} {radius} {clip} {arguments}"),
            code,
            parts,
        );
    };
    fails("--input flat.npy --labels y.npy", 2, &["[256]"]);
    fails(
        "--input x.npy --labels labels.npy",
        1,
        &["labels.npy", "10"],
    );
    fails("--input none.npy --labels y.npy", 1, &["none.npy"]);
    fails("--input x.npy --labels y.npy --clip 1,0", 2, &["--clip"]);
    fails("--input x.npy --labels y.npy --steps 0", 2, &["steps"]);
    fails(
        "--input x.npy --labels y.npy --eps -1",
        2,
        &["epsilon", "-1"],
    );
    assert!(!folder.path().join("out.npy").exists());
}

/// The names of a comparison's regimes.
fn names(comparison: &serde_json::Value) -> Vec<&str> {
    let regimes = comparison["regimes"].as_array().unwrap().iter();
    regimes
        .map(|regime| regime["name"].as_str().unwrap())
        .collect()
}

#[test]
fn finished_runs_are_evaluated_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let compare =
        "compare --data waves_TRAIN.ts --regimes standard,sgt --seeds 2 --epochs 3 --out c";
    succeeds(folder.path(), compare);
    let runs = "c/standard-0 c/standard-1 c/sgt-0 c/sgt-1";
    let few = "--eps 0.5 --attacks pgd --methods gradient,random --samples 8 --stability-samples 2";
    let table = succeeds(folder.path(), &format!("evaluate {runs} {few}"));
    for row in [
        "accuracy, clean",
        "accuracy under attack, pgd (L∞, 10 steps) ε 0.5",
        "sparseness",
        "overlap",
    ] {
        assert!(table.contains(row), "{row} in {table}");
    }
    let json = succeeds(folder.path(), &format!("evaluate {runs} {few} --json"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(names(&json), ["standard", "sgt"]);
    assert_eq!(json["regimes"][1]["runs"][1]["folder"], "c/sgt-1");
    assert_eq!(json["evaluation"]["samples"], 8);

    let files = succeeds(folder.path(), &format!("report {runs} {few} --out page"));
    let files: Vec<PathBuf> = files.lines().map(|line| folder.path().join(line)).collect();
    assert!(
        files.contains(&folder.path().join("page/index.html")),
        "{files:?}"
    );
    for file in files {
        let content = std::fs::read_to_string(&file).unwrap();
        assert!(content.contains("sgt"), "{}", file.display());
    }

    let fills = format!("evaluate c/sgt-0 {few} --fills mean,farthest");
    let table = succeeds(folder.path(), &fills);
    assert!(table.contains("gradient, mean fill") && table.contains("gradient, farthest fill"));
    assert!(!table.contains("zero fill"));
    let fills = fills.replace("farthest", "median");
    fails(folder.path(), &fills, 2, &["median", "farthest"]);

    // Runs of one regime with other settings are not averaged with it.
    for seed in 0..2 {
        let settings = format!("--regime sgt --seed {seed} --set masking.importance=absolute");
        let train = format!("train --data waves_TRAIN.ts --epochs 3 {settings} --out a{seed}");
        succeeds(folder.path(), &train);
    }
    let all = format!("{runs} a1 a0");
    let json = succeeds(folder.path(), &format!("evaluate {all} {few} --json"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(names(&json), ["standard", "sgt signed", "sgt absolute"]);
    assert_eq!(json["rows"][0]["values"][2]["count"], 2);
    fails(
        folder.path(),
        &format!("evaluate {all} a1 {few}"),
        2,
        &["same settings and seed", "a1"],
    );

    fails(
        folder.path(),
        &format!("evaluate c {few}"),
        1,
        &["config.toml"],
    );
    std::fs::remove_file(folder.path().join("c/sgt-1/run.json")).unwrap();
    fails(
        folder.path(),
        &format!("evaluate {runs} {few}"),
        1,
        &["c/sgt-1", "unfinished"],
    );
    fails(
        folder.path(),
        &format!("evaluate c/sgt-0 --methods gradiant {few}")
            .replace("--methods gradient,random", ""),
        2,
        &["gradiant"],
    );
}
