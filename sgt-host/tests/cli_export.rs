//! A network of one's own on the built binary: described, trained, used and exported.

mod common;

use common::{fails, succeeds};

/// A network in a file that leaves the input and the classes to the data.
const OWN: &str = r#"
[[layers]]
kind = "convolution"
name = "stage.0.conv"
channels = 6
kernel = 5
padding = "same"
bias = false

[[layers]]
kind = "batch-norm"
name = "stage.0.norm"

[[layers]]
kind = "relu"

[[layers]]
kind = "max-pool"
window = 2

[[layers]]
kind = "lstm"
name = "lstm"
hidden = 5

[[layers]]
kind = "linear"
name = "fc"
outputs = "classes"
"#;

#[test]
fn a_network_of_ones_own_is_trained_used_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("own.toml"), OWN).unwrap();
    succeeds(path, "train --model own.toml --epochs 1 --out run");
    // Nothing but the run is needed from here on.
    std::fs::remove_file(path.join("own.toml")).unwrap();
    let config = std::fs::read_to_string(path.join("run/config.toml")).unwrap();
    assert!(
        config.contains("model = \"own\"") && config.contains("stage.0.norm"),
        "{config}"
    );

    // The embedded data: 6 channels of 100 steps, 4 classes.
    let samples: Vec<f32> = (0..3 * 600).map(|i| (i as f32 * 0.1).sin()).collect();
    sgt_host::npy::write(&path.join("x.npy"), &[3, 6, 100], &samples).unwrap();
    let predict = |weights: &str, to: &str| {
        succeeds(
            path,
            &format!("predict --weights {weights} --input x.npy --output {to}"),
        );
        sgt_host::npy::read(&path.join(to)).unwrap()
    };
    let logits = predict("run/weights.safetensors", "y.npy");
    assert_eq!(logits.shape, [3, 4]);

    let said = succeeds(path, "export run --to pytorch torch --json");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["target"], "pytorch");
    assert_eq!(said["files"].as_array().unwrap().len(), 2);
    let module = std::fs::read_to_string(path.join("torch/network.py")).unwrap();
    for part in [
        "class Network(nn.Module):",
        "self.stage[0].norm(x)",
        "def load(",
        "Badminton",
        "# [batch, 4]",
    ] {
        assert!(module.contains(part), "{part}: {module}");
    }
    // What is exported is a weight file still.
    let again = predict("torch/weights.safetensors", "z.npy");
    assert_eq!(again.values, logits.values);

    // The same from the weights alone, byte for byte.
    succeeds(path, "export run/weights.safetensors --to pytorch other");
    for name in ["network.py", "weights.safetensors"] {
        let read = |folder: &str| std::fs::read(path.join(folder).join(name)).unwrap();
        assert_eq!(read("torch"), read("other"), "{name}");
    }
    for (source, folder) in [("run", "onnx"), ("run/weights.safetensors", "again")] {
        succeeds(path, &format!("export {source} --to onnx {folder}"));
    }
    let model = |folder: &str| std::fs::read(path.join(folder).join("network.onnx")).unwrap();
    assert_eq!(model("onnx"), model("again"));
    assert!(model("onnx").windows(9).any(|part| part == b"Badminton"));
    let export = "export run --to pytorch torch";
    fails(
        path,
        export,
        2,
        &["network.py", "already there", "--overwrite"],
    );
    succeeds(path, &format!("{export} --overwrite"));
}

#[test]
fn foreign_weights_are_exported_with_their_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(
        path,
        "train --model sensor-cnn --hidden 3,4,5 --epochs 1 --out run",
    );
    let bytes = std::fs::read(path.join("run/weights.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("conv2.weight").unwrap().shape(), [4, 3, 5]);
    let foreign = safetensors::serialize(tensors.tensors(), None).unwrap();
    std::fs::write(path.join("foreign.safetensors"), foreign).unwrap();
    let export = "export foreign.safetensors --to pytorch torch";
    fails(path, export, 2, &["--model", "does not say"]);
    fails(
        path,
        &format!("{export} --model sensor-cnn"),
        2,
        &["--input"],
    );
    succeeds(path, &format!("{export} --model sensor-cnn --input 6x100"));
    assert!(path.join("torch/network.py").is_file());
}

#[test]
fn mistakes_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("empty")).unwrap();
    std::fs::write(path.join("bad.safetensors"), b"no weights").unwrap();
    std::fs::write(path.join("own.toml"), OWN).unwrap();
    let cases: [(&str, i32, &[&str]); 6] = [
        (
            "export run --to keras out",
            2,
            &["--to", "keras", "pytorch"],
        ),
        (
            "export none.safetensors --to pytorch out",
            1,
            &["none.safetensors"],
        ),
        (
            "export bad.safetensors --to pytorch out",
            1,
            &["bad.safetensors"],
        ),
        (
            "export empty --to pytorch out",
            1,
            &["empty", "config.toml"],
        ),
        ("export empty out", 2, &["--to"]),
        (
            "train --model own.toml --hidden 3 --out run",
            2,
            &["hidden", "[3]", "by name"],
        ),
    ];
    for (arguments, code, parts) in cases {
        fails(path, arguments, code, parts);
    }
    assert!(!path.join("out").exists() && !path.join("run").exists());
}

#[test]
fn a_run_is_exported_to_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(
        path,
        "train --model sensor-cnn --hidden 3,4,5 --epochs 1 --out run",
    );
    let export = "export run --to firmware-rust board --quantize int8";
    let said = succeeds(path, &format!("{export} --json"));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["target"], "firmware-rust");
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    let readme = read("board/README.md");
    for part in [
        "| SGT step, all layers |",
        "| Badminton | 10 |",
        "| all | 40 |",
    ] {
        assert!(readme.contains(part), "{part}: {readme}");
    }
    let library = read("board/src/lib.rs");
    assert!(
        library.contains("pub const STEPS: usize = 100;"),
        "{library}"
    );
    // With the core, so that it builds by itself.
    assert!(read("board/sgt-core/Cargo.toml").contains("name = \"sgt-core\""));

    fails(path, export, 2, &["already there", "--overwrite"]);
    succeeds(path, &format!("{export} --overwrite"));
    assert_eq!(read("board/src/lib.rs"), library);
    fails(
        path,
        "export run/weights.safetensors --to firmware-rust other --quantize int8",
        2,
        &["--quantize", "weights without their run"],
    );
    succeeds(
        path,
        "export run --to firmware-rust beside --core ../sgt-core",
    );
    assert!(read("beside/Cargo.toml").contains("path = \"../sgt-core\""));
    assert!(!path.join("beside/sgt-core").exists());

    fails(
        path,
        "export run --to pytorch torch --quantize int8",
        2,
        &["--quantize", "int8 for pytorch"],
    );
    succeeds(path, "export run --to firmware-c arduino");
    for name in [
        "library.properties",
        "src/sgt.h",
        "src/sensor_cnn.c",
        "build-archives.sh",
        "examples/Predict/Predict.ino",
        "extras/rust/sgt-core/capi/Cargo.toml",
    ] {
        assert!(path.join("arduino").join(name).is_file(), "{name}");
    }
}

/// The boards' demo runs the network that its own description and two commands give.
#[test]
fn the_demo_is_what_its_commands_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/embedded/demo");
    std::fs::copy(demo.join("wrist.toml"), path.join("wrist.toml")).unwrap();
    // As in train.sh beside it.
    succeeds(
        path,
        "train --data basic-motions --model wrist.toml --regime sgt --epochs 60 --seed 1 \
         --instructions plain --out run",
    );
    let export =
        "export run --to firmware-rust network --quantize int8 --core ../../../../sgt-core";
    let said = succeeds(path, &format!("{export} --json"));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let files = said["files"].as_array().unwrap();
    assert_eq!(files.len(), 7);
    for file in files {
        let name = file.as_str().unwrap();
        let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(read(path) == read(&demo), "{name} differs");
    }
}
