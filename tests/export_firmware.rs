//! Networks for microcontrollers: what is exported computes what the engine computes, builds by
//! itself, and what a board cannot run is refused by the layer's name.

#[path = "common/tolerance.rs"]
mod tolerance;

use serde_json::{Value, json};
use sgt_core::{Pcg32, Random};
use sgt_host::data::{Dataset, Normalization};
use sgt_host::export::{
    Calibration, ExportFile, FirmwareOptions, Target, export, export_with, write,
};
use sgt_host::network::{
    ClassifierPass, Description, InputShape, Mode, Model, Network, SeriesOrder,
};
use sgt_host::npy::Array;
use sgt_host::run::Trained;
use sgt_host::weights::{Metadata, Weights, to_bytes};
use std::path::Path;
use std::process::Command;
use tolerance::{EXPORTED, assert_close};

/// `description` with fresh weights and running statistics, as if read from a file.
fn trained(description: &Description) -> Trained {
    let mut network = Network::new(description, 1).unwrap();
    let mut rng = Pcg32::new(4, 0);
    let parameters = network.parameters_mut();
    for entry in parameters.entries().to_vec() {
        // Statistics and scales that are not 0 and 1, so that folding them shows.
        let of_norm = entry.name.contains("norm");
        for value in &mut parameters.values_mut()[entry.range] {
            if of_norm {
                *value = 0.5 + rng.unit();
            }
        }
    }
    let channels = description.input.channels();
    let mean = (0..channels).map(|channel| channel as f32 / 3.0).collect();
    let metadata = Metadata {
        model: description.name.clone(),
        description: Some(description.clone()),
        input: description.input,
        classes: (0..network.classes())
            .map(|class| format!("\"{class}\"\\\n"))
            .collect(),
        normalization: Normalization::new(mean, vec![0.3; channels]).unwrap(),
        preprocessing: None,
        bounds: None,
        regime: "sgt\n#[x]".into(),
        seed: 1,
        version: "0.1.0".into(),
        binding: None,
    };
    let bytes = to_bytes(network.parameters(), Some(&metadata)).unwrap();
    let weights = Weights::parse(Path::new("w.safetensors"), &bytes).unwrap();
    Trained::from_weights(Path::new("w.safetensors"), &weights, None, &[]).unwrap()
}

fn described(input: InputShape, layers: Value) -> Description {
    let layers = serde_json::from_value(layers).unwrap();
    Description {
        layers,
        ..Description::new(input).named("board-test")
    }
}

/// Odd sizes, and everything that has a form of its own on a board.
fn networks() -> Vec<Description> {
    vec![
        described(
            InputShape::series(37, 5).ordered(SeriesOrder::ChannelsFirst),
            json!([
                { "kind": "convolution", "name": "conv1", "channels": 7, "kernel": 4,
                  "padding": "same", "bias": false },
                { "kind": "dropout", "p": 0.3 },
                { "kind": "batch-norm", "name": "norm1" },
                { "kind": "relu" },
                { "kind": "max-pool", "window": 3, "stride": 2, "padding": 1 },
                { "kind": "convolution", "name": "conv2", "channels": 7, "kernel": 3, "stride": 2,
                  "padding": 1, "groups": 7 },
                { "kind": "batch-norm", "name": "norm2" },
                { "kind": "batch-norm", "name": "norm3" },
                { "kind": "average-pool", "window": 2 },
                { "kind": "flatten" },
                { "kind": "linear", "name": "fc1", "outputs": 11 },
                { "kind": "batch-norm", "name": "norm4" },
                { "kind": "relu" },
                { "kind": "linear", "name": "fc2", "outputs": 3, "bias": false },
            ]),
        ),
        described(
            InputShape::series(23, 3),
            json!([
                { "kind": "batch-norm", "name": "norm0" },
                { "kind": "linear", "name": "step", "outputs": 6 },
                { "kind": "batch-norm", "name": "norm1" },
                { "kind": "residual", "body": [
                    { "kind": "convolution", "name": "conv", "channels": 6, "kernel": 3,
                      "dilation": 2, "padding": "causal", "weight-norm": true },
                    { "kind": "relu" },
                ] },
                { "kind": "batch-norm", "name": "norm2" },
                { "kind": "relu" },
                { "kind": "lstm", "name": "lstm", "hidden": 5 },
                { "kind": "linear", "name": "fc", "outputs": 4 },
            ]),
        ),
        described(
            InputShape::image(2, 5, 3),
            json!([
                { "kind": "relu" },
                { "kind": "flatten" },
                { "kind": "linear", "name": "fc", "outputs": 3 },
            ]),
        ),
        described(
            InputShape::series(9, 2),
            json!([
                { "kind": "convolution", "name": "conv", "channels": 5, "kernel": 3 },
                { "kind": "global-max-pool" },
                { "kind": "linear", "name": "fc", "outputs": 2 },
            ]),
        ),
    ]
}

fn text<'f>(files: &'f [ExportFile], name: &str) -> &'f str {
    let file = files.iter().find(|file| file.name == name).expect(name);
    std::str::from_utf8(&file.bytes).unwrap()
}

/// The numbers of every field `name` of `src/golden.rs`.
fn numbers(golden: &str, name: &str) -> Vec<Vec<f32>> {
    let marker = format!("{name}: [\n");
    let parts = golden.split(&marker).skip(1);
    let lists = parts.map(|part| part.split(']').next().unwrap());
    lists
        .map(|list| {
            let values = list.split(',').map(str::trim).filter(|it| !it.is_empty());
            values.map(|value| value.parse().unwrap()).collect()
        })
        .collect()
}

#[test]
fn an_exported_network_computes_what_the_engine_computes() {
    for description in networks() {
        let trained = trained(&description);
        let files = export(&trained, Target::FirmwareRust).unwrap();
        let golden = text(&files, "src/golden.rs");
        let windows = numbers(golden, "window");
        let logits = numbers(golden, "logits");
        let saliency = numbers(golden, "saliency");
        assert_eq!((windows.len(), logits.len(), saliency.len()), (2, 2, 2));
        let input = description.input;
        let board = InputShape::series(input.positions(), input.channels());
        let file = InputShape::series(input.positions(), input.channels())
            .ordered(SeriesOrder::ChannelsFirst);
        for (number, (window, expected)) in windows.iter().zip(&logits).enumerate() {
            let mut shape = trained.file_dims();
            shape.insert(0, 1);
            let array = Array {
                shape,
                values: board.reorder(window, file),
            };
            let x = trained.samples(Path::new("x.npy"), array).unwrap();
            let mut pass = ClassifierPass::default();
            let found = trained.model.forward(&x[..], Mode::Evaluation, &mut pass);
            let found = found.unwrap().to_vec();
            assert_close("logits", &found, expected, EXPORTED);
            let mut dlogits = vec![0.0; found.len()];
            dlogits[number % found.len()] = 1.0;
            let mut dx = vec![0.0; x.len()];
            let model = &trained.model;
            model
                .backward(&mut pass, &dlogits, Some(&mut dx), None)
                .unwrap();
            let dx = if input.is_channels_first() {
                file.reorder(&dx, board)
            } else {
                dx
            };
            assert_close("saliency", &dx, &saliency[number], EXPORTED);
        }
    }
}

#[test]
fn equal_networks_give_equal_bytes() {
    for description in networks() {
        let files = || export(&trained(&description), Target::FirmwareRust).unwrap();
        assert_eq!(files(), files());
        // A stranger's words stay in their place.
        let first = files();
        let library = text(&first, "src/lib.rs");
        assert!(library.starts_with("//! The network `board-test` with the weights of a sgtx run"));
        assert!(library.contains(r#"    "\"0\"\\ ","#), "{library}");
    }
}

#[test]
fn what_a_board_cannot_run_is_refused_by_the_layers_name() {
    let series = InputShape::series(12, 4);
    let linear = json!({ "kind": "linear", "name": "fc", "outputs": 2 });
    for (input, layer, expected) in [
        (
            series,
            json!({ "kind": "gelu", "name": "act" }),
            "layer 1 (gelu act): found gelu, expected a layer that a board runs",
        ),
        (
            series,
            json!({ "kind": "self-attention", "name": "attend", "heads": 2 }),
            "layer 1 (self-attention attend): found self-attention",
        ),
        (
            series,
            json!({ "kind": "convolution", "name": "conv", "channels": 4, "kernel": 3, "groups": 2 }),
            "layer 1 (convolution conv): found 2 groups for 4 channels, expected one group",
        ),
        (
            InputShape::image(1, 6, 6),
            json!({ "kind": "convolution", "name": "conv", "channels": 4, "kernel": 3 }),
            "layer 1 (convolution conv): found a convolution over an image, expected a series",
        ),
        (
            InputShape::image(1, 6, 6),
            json!({ "kind": "max-pool", "window": 2 }),
            "layer 1 (max-pool): found pooling over an image",
        ),
        (
            series,
            json!({ "kind": "lstm", "name": "lstm", "hidden": 3, "direction": "both" }),
            "layer 1 (lstm lstm): found a direction against time",
        ),
        (
            series,
            json!({ "kind": "lstm", "name": "lstm", "hidden": 3, "layers": 2 }),
            "layer 1 (lstm lstm): found 2 layers on top of each other",
        ),
        (
            series,
            json!({ "kind": "residual", "body": [
                { "kind": "convolution", "name": "a", "channels": 3, "kernel": 1 }], "shortcut": [
                { "kind": "convolution", "name": "b", "channels": 3, "kernel": 1 }] }),
            "layer 1 (residual): found a shortcut through layers (convolution), expected the identity",
        ),
        (
            series,
            json!({ "kind": "residual", "body": [
                { "kind": "residual", "body": [{ "kind": "relu" }] }, { "kind": "relu" }] }),
            "layer 2 (residual): found a block inside a block, expected one at a time",
        ),
    ] {
        let description = described(input, json!([layer, { "kind": "flatten" }, linear]));
        let refused = export(&trained(&description), Target::FirmwareRust);
        let message = refused.unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

fn sources_below(folder: &Path) -> usize {
    let paths = std::fs::read_dir(folder).unwrap();
    let paths = paths.map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| {
        if path.is_dir() {
            sources_below(&path)
        } else {
            usize::from(path.extension().is_some_and(|end| end == "rs"))
        }
    };
    paths.map(count).sum()
}

/// The copy of the core is the core.
#[test]
fn the_core_is_taken_along_whole() {
    let files = export(&trained(&networks()[3]), Target::FirmwareRust).unwrap();
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("sgt-core");
    let copies = files.iter().filter_map(|file| {
        let path = file.name.strip_prefix("sgt-core/src/")?;
        Some((path, &file.bytes))
    });
    let mut count = 0;
    for (path, bytes) in copies {
        let source = std::fs::read(core.join("src").join(path)).unwrap();
        assert!(&source == bytes, "{path}");
        count += 1;
    }
    assert_eq!(count, sources_below(&core.join("src")));

    let read = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    let copy = read(text(&files, "sgt-core/Cargo.toml"));
    let own = read(&std::fs::read_to_string(core.join("Cargo.toml")).unwrap());
    assert_eq!(copy["features"], own["features"]);
    let all = read(include_str!("../Cargo.toml"));
    for (name, dependency) in own["dependencies"].as_table().unwrap() {
        let version = |table: &toml::Value| match table {
            toml::Value::Table(table) => table.get("version").cloned(),
            version => Some(version.clone()),
        };
        let shared = &all["workspace"]["dependencies"];
        let expected = version(dependency).or_else(|| version(&shared[name]));
        assert_eq!(version(&copy["dependencies"][name]), expected, "{name}");
    }
}

/// Standardised windows with labels by turns, as a run's data are.
fn data(input: InputShape, classes: usize) -> Dataset {
    const SAMPLES: usize = 40;
    let mut rng = Pcg32::new(9, 0);
    let values = (0..SAMPLES * input.len()).map(|_| rng.standard_normal());
    Dataset::new(
        "made-up",
        (0..classes).map(|class| class.to_string()).collect(),
        input.ordered(SeriesOrder::ChannelsFirst),
        values.collect(),
        (0..SAMPLES).map(|index| index % classes).collect(),
        None,
    )
    .unwrap()
}

/// `cargo test` in the folder of an export.
fn golden_windows_hold(folder: &Path, target: &Path, tests: usize) {
    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--quiet"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains(&format!("{tests} passed")),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The description without its LSTM, which has no integer form.
fn in_integers(description: &Description) -> Option<Description> {
    let is_recurrent = |layer: &sgt_host::network::Layer| layer.kind() == "lstm";
    (!description.layers.iter().any(is_recurrent)).then(|| description.clone())
}

#[test]
fn exported_crates_build_and_pass_their_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("sgt-core");
    for (number, description) in networks().iter().enumerate() {
        let own = folder.path().join(number.to_string());
        let trained = trained(description);
        let data = data(description.input, trained.model.classes());
        let calibration = Calibration {
            training: &data,
            test: &data,
        };
        let integers = in_integers(description).map(|_| calibration);
        // The first with its copy of the core, the others on the one of this workspace.
        let options = FirmwareOptions {
            core: (number > 0).then(|| core.to_str().unwrap().into()),
            quantize: integers,
        };
        let files = export_with(&trained, Target::FirmwareRust, &options).unwrap();
        write(&own, &files, false).unwrap();
        golden_windows_hold(&own, &target, 2 + usize::from(integers.is_some()));
    }
}

#[test]
fn integers_are_close_to_the_numbers_that_they_stand_for() {
    // Of the logits' range over the data, which is small beside the activations of networks that
    // nobody trained: layers of 8 bits each add their roundings.
    const LARGEST_SHARE: f32 = 0.2;
    const LARGEST_MEAN: f32 = 0.06;
    const STEPS: f32 = 255.0;
    let mut shares = Vec::new();
    for description in networks().iter().filter_map(in_integers) {
        let trained = trained(&description);
        let data = data(description.input, trained.model.classes());
        let options = FirmwareOptions {
            core: None,
            quantize: Some(Calibration {
                training: &data,
                test: &data,
            }),
        };
        let files = export_with(&trained, Target::FirmwareRust, &options).unwrap();
        let golden = text(&files, "src/golden.rs");
        let (logits, integers) = (numbers(golden, "logits"), numbers(golden, "quantized"));
        let quantized = text(&files, "src/quantized.rs");
        let last = quantized.rsplit("a(").next().unwrap();
        let scale: f32 = last.split(',').next().unwrap().parse().unwrap();
        for (logits, integers) in logits.concat().iter().zip(integers.concat()) {
            let share = (logits - integers).abs() / (STEPS * scale);
            assert!(share < LARGEST_SHARE, "{integers}, {logits}: {share}");
            shares.push(share);
        }
        let readme = text(&files, "README.md");
        assert!(readme.contains("| all | 40 | "), "{readme}");
    }
    let mean = shares.iter().sum::<f32>() / shares.len() as f32;
    assert!(mean < LARGEST_MEAN, "{mean}");
}

#[test]
fn an_lstm_has_no_integer_form() {
    let description = &networks()[1];
    let data = data(description.input, 4);
    let options = FirmwareOptions {
        core: None,
        quantize: Some(Calibration {
            training: &data,
            test: &data,
        }),
    };
    let refused = export_with(&trained(description), Target::FirmwareRust, &options);
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("layer lstm: found an LSTM"), "{message}");
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{complained}");
    said
}

/// The C folder, built as its README says, with the core that came along.
#[test]
fn exported_c_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    for (number, description) in networks().iter().enumerate() {
        let own = folder.path().join(number.to_string());
        let trained = trained(description);
        let data = data(description.input, trained.model.classes());
        let options = FirmwareOptions {
            core: None,
            quantize: in_integers(description).map(|_| Calibration {
                training: &data,
                test: &data,
            }),
        };
        let files = export_with(&trained, Target::FirmwareC, &options).unwrap();
        write(&own, &files, false).unwrap();
        if number == 0 {
            succeeds(
                Command::new(env!("CARGO"))
                    .args(["build", "--release", "--locked", "--offline", "--quiet"])
                    .args(["--manifest-path", "extras/rust/sgt-core/capi/Cargo.toml"])
                    .arg("--target-dir")
                    .arg(&target)
                    .current_dir(&own)
                    .env_remove("RUSTFLAGS"),
            );
        }
        let program = own.join("golden");
        succeeds(
            Command::new("cc")
                .args([
                    "-std=c11",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-pedantic",
                    "-Isrc",
                ])
                .args(["extras/golden.c", "src/board_test.c"])
                .arg(target.join("release/libsgt.a"))
                .arg("-o")
                .arg(&program)
                .current_dir(&own),
        );
        let said = succeeds(&mut Command::new(&program));
        assert_eq!(said, "golden windows: the same bits\n");
    }
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// The same on an emulated Cortex-M4F with the archive that the folder's own script makes, where the
/// tools for it are there.
#[test]
fn exported_c_gives_the_same_bits_on_a_board() {
    let tools = ["arm-none-eabi-gcc", "qemu-system-arm", "rustup"];
    if let Some(missing) = tools.into_iter().find(|program| !has(program)) {
        eprintln!("not run: no {missing}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path();
    // Without those layers that a network of convolutions has not.
    let description = &networks()[3];
    let trained = trained(description);
    let data = data(description.input, trained.model.classes());
    let options = FirmwareOptions {
        core: None,
        quantize: Some(Calibration {
            training: &data,
            test: &data,
        }),
    };
    let files = export_with(&trained, Target::FirmwareC, &options).unwrap();
    write(own, &files, false).unwrap();
    let processor = "cortex-m4/fpv4-sp-d16-hard";
    let made = succeeds(
        Command::new("sh")
            .args(["build-archives.sh", processor])
            .current_dir(own)
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("CARGO_TARGET_DIR"),
    );
    assert_eq!(made, format!("src/{processor}/libsgt.a\n"));
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("sgt-core/capi/examples/board");
    succeeds(
        Command::new("arm-none-eabi-gcc")
            .args(["-std=c11", "-Os", "-Wall", "-Wextra", "-Werror", "-Isrc"])
            .args(["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard"])
            .args(["-mfpu=fpv4-sp-d16", "-ffreestanding", "-nostdlib"])
            .args([
                "-ffunction-sections",
                "-fdata-sections",
                "-Wl,--gc-sections",
            ])
            .args(["extras/golden.c", "src/board_test.c"])
            .arg(board.join("startup.c"))
            .arg("-T")
            .arg(board.join("m4f.ld"))
            .arg(format!("src/{processor}/libsgt.a"))
            .args(["-lgcc", "-o", "golden"])
            .current_dir(own),
    );
    let output = Command::new("qemu-system-arm")
        .args(["-M", "mps2-an386", "-nographic", "-monitor", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .args(["-kernel", "golden"])
        .current_dir(own)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("golden windows: the same bits"), "{said}");
}
