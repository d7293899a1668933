//! Small inputs that are easily taken wrong, and the right answer to each.

mod common;

use common::{fails, run, series, stderr, stdout, succeeds, write_series};
use flate2::Compression;
use flate2::write::GzEncoder;
use sgt_host::npy;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// `.ts` files of two classes: one channel that is `offset` and ± `spread` by class, with a wave.
fn write_channel(folder: &Path, name: &str, offset: f64, spread: f64) {
    let part = |cases: usize| {
        let mut text = format!("@problemName {name}\n@classLabel true up down\n@data\n");
        for case in 0..cases {
            let sign = if case % 2 == 0 { 1.0 } else { -1.0 };
            let value = |step: usize| {
                let wave = 0.5 * (step as f64 * 0.7 + case as f64).sin();
                format!("{}", offset + spread * (sign + wave))
            };
            let values: Vec<_> = (0..20).map(value).collect();
            let class = if case % 2 == 0 { "up" } else { "down" };
            let _ = writeln!(text, "{}:{class}", values.join(","));
        }
        text
    };
    std::fs::write(folder.join(format!("{name}_TRAIN.ts")), part(40)).unwrap();
    std::fs::write(folder.join(format!("{name}_TEST.ts")), part(20)).unwrap();
}

/// Unix seconds ± 10: a single-precision number knows them to 128 seconds.
#[test]
fn a_large_offset_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_channel(folder.path(), "time", 1.6e9, 10.0);
    write_channel(folder.path(), "control", 0.0, 10.0);
    let accuracy = |name: &str| {
        let train = format!("train --data {name}_TRAIN.ts --epochs 40 --out {name} --json");
        let record: serde_json::Value =
            serde_json::from_str(&succeeds(folder.path(), &train)).unwrap();
        record["test-accuracy"].as_f64().unwrap()
    };
    assert_eq!((accuracy("time"), accuracy("control")), (1.0, 1.0));
    succeeds(folder.path(), "evaluate time --extent quick --eps 0.1");

    // The weights know the offset: files hold values as recorded, in double precision.
    let recorded: Vec<f64> = (0..40)
        .map(|place| 1.6e9 + if place < 20 { 10.0 } else { -10.0 })
        .collect();
    npy::write_precise(&folder.path().join("x.npy"), &[2, 1, 20], &recorded).unwrap();
    npy::write_labels(&folder.path().join("y.npy"), &[0, 1]).unwrap();
    let weights = "--weights time/weights.safetensors --input x.npy";
    let said = succeeds(
        folder.path(),
        &format!("predict {weights} --output p.npy --json"),
    );
    let prediction: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(prediction["predicted"], serde_json::json!([0, 1]));
    let attack = "--labels y.npy --attack random-noise --eps 0.01 --output o.npy";
    succeeds(folder.path(), &format!("attack {weights} {attack}"));
    let noisy = npy::read_precise(&folder.path().join("o.npy"))
        .unwrap()
        .values;
    let moved = noisy.iter().zip(&recorded).map(|(a, b)| (a - b).abs());
    let most = moved.fold(0.0_f64, f64::max);
    assert!(most > 0.0 && most < 0.2, "moved by {most}");
    fails(
        folder.path(),
        "train --data time_TRAIN.ts --set data.standardise=false --out raw",
        2,
        &["data.standardise", "false"],
    );
}

/// A run on the two channels of `series`, the first moved to around 100.
fn with_offset(folder: &Path) {
    let moved = |text: &str| {
        let (head, data) = text.split_once("@data\n").unwrap();
        let lines = data.lines().map(|line| {
            let (first, rest) = line.split_once(':').unwrap();
            let values = first
                .split(',')
                .map(|v| (100.0 + v.parse::<f64>().unwrap()).to_string());
            format!("{}:{rest}", values.collect::<Vec<_>>().join(","))
        });
        format!("{head}@data\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    };
    std::fs::write(folder.join("waves_TRAIN.ts"), moved(&series(20))).unwrap();
    std::fs::write(folder.join("waves_TEST.ts"), moved(&series(10))).unwrap();
    succeeds(folder, "train --data waves_TRAIN.ts --epochs 5 --out run");
    let text = moved(&series(10));
    let cases = text.lines().skip_while(|line| *line != "@data").skip(1);
    let values: Vec<f32> = cases
        .flat_map(|case| case.rsplit_once(':').unwrap().0.split([',', ':']))
        .map(|value| value.parse().unwrap())
        .collect();
    npy::write(&folder.join("x.npy"), &[10, 2, 12], &values).unwrap();
    let labels: Vec<usize> = (0..10).map(|case| case % 2).collect();
    npy::write_labels(&folder.join("y.npy"), &labels).unwrap();
}

const RUN: &str = "--weights run/weights.safetensors --input x.npy --labels y.npy";

#[test]
fn clip_is_in_the_inputs_units() {
    let folder = tempfile::tempdir().unwrap();
    with_offset(folder.path());
    let attack = format!("attack {RUN} --attack random-noise --eps 0.5 --output o.npy");
    succeeds(
        folder.path(),
        &format!("{attack} --clip 98.5,101.5 --clip -1.5,1.5"),
    );
    let before = npy::read(&folder.path().join("x.npy")).unwrap().values;
    let after = npy::read(&folder.path().join("o.npy")).unwrap().values;
    let mut at_bounds = 0;
    for (place, (before, after)) in before.iter().zip(&after).enumerate() {
        let centre = if place / 12 % 2 == 0 { 100.0 } else { 0.0 };
        assert!(
            (centre - 1.5..=centre + 1.5).contains(after),
            "{after} at {place}"
        );
        // A deviation of these channels is a little above 1.
        assert!((before - after).abs() < 0.6, "{before} to {after}");
        at_bounds += usize::from((after - centre).abs() == 1.5);
    }
    assert!(at_bounds > 0, "the bounds were never reached");
    let one = format!("{attack} --overwrite --clip 98,102");
    fails(
        folder.path(),
        &one,
        1,
        &["x.npy", "98 to 102", "channel 1", "once for each"],
    );
    let three = format!("{attack} --overwrite --clip 0,1 --clip 0,1 --clip 0,1");
    fails(
        folder.path(),
        &three,
        2,
        &["--clip", "3 times", "each of the 2"],
    );
    let empty = format!("{attack} --overwrite --clip 2,2");
    fails(folder.path(), &empty, 2, &["--clip", "2,2"]);
}

#[test]
fn a_zero_baseline_is_zero() {
    let folder = tempfile::tempdir().unwrap();
    with_offset(folder.path());
    npy::write(&folder.path().join("zeros.npy"), &[1, 2, 12], &[0.0; 24]).unwrap();
    let attribute = |baseline: &str, output: &str| {
        let method = "--method integrated-gradients --steps 9";
        let arguments = format!("attribute {RUN} {method} {baseline} --output {output}.npy");
        succeeds(folder.path(), &arguments);
        npy::read(&folder.path().join(format!("{output}.npy"))).unwrap()
    };
    let zero = attribute("--baseline zero", "zero");
    assert_eq!(zero, attribute("--baseline zeros.npy", "file"));
    let mean = attribute("--baseline mean", "mean");
    assert_ne!(zero, mean);
    assert_eq!(
        mean,
        attribute("", "usual"),
        "the mean is the usual one for series"
    );
}

/// 1 × 28 × 28 images, and weights for them: of a run, and the same without their metadata.
fn images(folder: &Path) {
    let train =
        "train --data mnist-subset --model small-cnn --epochs 1 --regime standard --out run";
    succeeds(folder, train);
    let values: Vec<f32> = (0..2 * 784).map(|place| (place % 256) as f32).collect();
    let write = |name: &str, factor: f32, shift: f32| {
        let values: Vec<f32> = values.iter().map(|v| v * factor + shift).collect();
        npy::write(&folder.join(name), &[2, 1, 28, 28], &values).unwrap();
    };
    write("x.npy", 1.0 / 255.0, 0.0);
    write("x255.npy", 1.0, 0.0);
    write("xnorm.npy", 1.0 / 80.0, -0.42);
    npy::write_labels(&folder.join("y.npy"), &[3, 4]).unwrap();
    let bytes = std::fs::read(folder.join("run/weights.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let write = |name: &str, tensors: Vec<(String, safetensors::tensor::TensorView<'_>)>| {
        let bytes = safetensors::serialize(tensors, None).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    write("plain.safetensors", tensors.tensors());
    let prefixed = tensors.tensors().into_iter();
    let prefixed = prefixed.map(|(name, view)| (format!("module.{name}"), view));
    write("module.safetensors", prefixed.collect());
    let transposed = tensors.tensors().into_iter().map(|(name, view)| {
        if name != "fc1.weight" {
            return (name, view);
        }
        let mut shape = view.shape().to_vec();
        shape.reverse();
        let view = safetensors::tensor::TensorView::new(view.dtype(), shape, view.data());
        (name, view.unwrap())
    });
    write("transposed.safetensors", transposed.collect());
}

#[test]
fn images_are_attacked_inside_their_bounds_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path());
    let attack = |weights: &str, input: &str| {
        format!(
            "attack --weights {weights} --input {input} --labels y.npy --attack pgd --eps 0.1 \
             --output o.npy --overwrite"
        )
    };
    let own = "run/weights.safetensors";
    succeeds(folder.path(), &attack(own, "x.npy"));
    fails(
        folder.path(),
        &attack(own, "x255.npy"),
        1,
        &["x255.npy", "0 to 255", "bounds 0 to 1"],
    );
    fails(
        folder.path(),
        &attack(own, "xnorm.npy"),
        1,
        &["xnorm.npy", "-0.4", "bounds 0 to 1"],
    );
    let zero = attack(own, "x255.npy").replace("0.1", "0");
    fails(folder.path(), &zero, 1, &["0 to 255"]);
    let predict = format!("predict --weights {own} --input x255.npy --output p.npy");
    let said = stderr(&run(folder.path(), &predict));
    assert!(said.contains("x255.npy: values from 0 to 255"), "{said}");

    // Weights that do not say what an image may be.
    let plain = format!("{} --model small-cnn", attack("plain.safetensors", "x.npy"));
    fails(
        folder.path(),
        &plain,
        2,
        &["--clip", "plain.safetensors", "0,1"],
    );
    succeeds(folder.path(), &format!("{plain} --clip 0,1"));
    let inside = npy::read(&folder.path().join("o.npy")).unwrap().values;
    assert!(inside.iter().all(|value| (0.0..=1.0).contains(value)));
    let module = plain.replace("plain.", "module.");
    succeeds(folder.path(), &format!("{module} --clip 0,1"));
    assert_eq!(
        npy::read(&folder.path().join("o.npy")).unwrap().values,
        inside
    );
    let transposed = plain.replace("plain.", "transposed.");
    fails(
        folder.path(),
        &transposed,
        1,
        &["transposed.safetensors", "fc1.weight [1152, 16] instead of"],
    );
    let none = plain.replace("small-cnn", "sensor-lstm");
    fails(folder.path(), &none, 1, &["plain.safetensors", "lstm"]);
}

#[test]
fn numbers_that_overflow_name_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    succeeds(
        folder.path(),
        "train --data waves_TRAIN.ts --epochs 1 --out run",
    );
    let mut values = vec![0.5; 3 * 24];
    values[24..48].fill(3e38);
    npy::write(&folder.path().join("big.npy"), &[3, 2, 12], &values).unwrap();
    npy::write(&folder.path().join("x.npy"), &[3, 2, 12], &[0.5; 72]).unwrap();
    let predict = |weights: &str, input: &str| {
        format!("predict --weights {weights} --input {input} --output p.npy --json")
    };
    let own = "run/weights.safetensors";
    fails(
        folder.path(),
        &predict(own, "big.npy"),
        1,
        &["big.npy", "sample 1"],
    );

    // Finite weights whose logits are not.
    let bytes = std::fs::read(folder.path().join(own)).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let largest: Vec<_> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let count = view.data().len() / 4;
            let data: Vec<u8> = (0..count).flat_map(|_| 3e38_f32.to_le_bytes()).collect();
            (name, view.shape().to_vec(), data)
        })
        .collect();
    let views = largest.iter().map(|(name, shape, data)| {
        let dtype = safetensors::tensor::Dtype::F32;
        (
            name,
            safetensors::tensor::TensorView::new(dtype, shape.clone(), data).unwrap(),
        )
    });
    let written = safetensors::serialize(views, None).unwrap();
    std::fs::write(folder.path().join("wild.safetensors"), written).unwrap();
    let wild = format!(
        "{} --model sensor-cnn",
        predict("wild.safetensors", "x.npy")
    );
    fails(
        folder.path(),
        &wild,
        1,
        &["x.npy", "sample 0", "wild.safetensors"],
    );
    assert!(!folder.path().join("p.npy").exists());
    fails(
        folder.path(),
        "evaluate run --samples 0",
        2,
        &["--samples", "0"],
    );
}

#[test]
fn weights_that_declare_what_they_do_not_hold_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    npy::write(&folder.path().join("x.npy"), &[1, 6, 100], &[0.0; 600]).unwrap();
    for classes in [1_usize << 28, 1 << 63] {
        let view = |shape: Vec<usize>| {
            safetensors::tensor::TensorView::new(safetensors::tensor::Dtype::F32, shape, &[])
                .unwrap()
        };
        let tensors = [
            ("conv1.weight", view(vec![1, 0, 5])),
            ("fc.weight", view(vec![classes, 0])),
            ("fc.bias", view(vec![0])),
        ];
        let bytes = safetensors::serialize(tensors, None).unwrap();
        std::fs::write(folder.path().join("w.safetensors"), bytes).unwrap();
        for model in ["sensor-cnn", "sensor-lstm"] {
            let predict = format!(
                "predict --weights w.safetensors --model {model} --input x.npy --output p.npy"
            );
            fails(
                folder.path(),
                &predict,
                1,
                &["w.safetensors", "conv1.weight", "[1, 0, 5]"],
            );
        }
    }
}

#[test]
fn a_small_file_that_becomes_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, start: &str, repeated: &[u8], times: usize| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(start.as_bytes()).unwrap();
        let block = repeated.repeat(1 << 16);
        for _ in 0..times {
            encoder.write_all(&block).unwrap();
        }
        let bytes = encoder.finish().unwrap();
        assert!(bytes.len() < 4 << 20, "{}", bytes.len());
        std::fs::write(folder.path().join(name), bytes).unwrap();
    };
    std::fs::write(folder.path().join("rows_TEST.ts"), series(2)).unwrap();
    write(
        "rows_TRAIN.ts.gz",
        "@classLabel true a\n@data\n",
        b"0:a\n",
        160,
    );
    fails(
        folder.path(),
        "train --data rows_TRAIN.ts.gz --out run",
        1,
        &["rows_TRAIN.ts.gz", "1 GiB", "--memory-limit"],
    );
    for (arguments, parts) in [
        (
            "predict --weights /dev/zero --input /dev/zero --output p.npy",
            ["/dev/zero", "device"],
        ),
        (
            "predict --weights w --input /dev/zero --output p.npy",
            ["/dev/zero", "device"],
        ),
        ("train --config /dev/zero", ["/dev/zero", "device"]),
    ] {
        fails(folder.path(), arguments, 1, &parts);
    }
}

#[test]
fn counts_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    with_offset(folder.path());
    let attribute = format!("attribute {RUN} --output a.npy --method");
    for steps in [
        "0",
        "1000000000",
        "9223372036854775808",
        "18446744073709551615",
    ] {
        for method in ["integrated-gradients", "smoothgrad", "gradient-shap"] {
            let arguments = format!("{attribute} {method} --steps {steps}");
            fails(folder.path(), &arguments, 2, &[steps, "1 to 10000"]);
        }
    }
    let attack = format!("attack {RUN} --attack pgd --eps 0.1 --output a.npy");
    fails(
        folder.path(),
        &format!("{attack} --steps 1000000000"),
        2,
        &["steps", "10000"],
    );
    fails(
        folder.path(),
        "compare --seeds 4294967295",
        2,
        &["--seeds", "4294967295", "1000"],
    );
    fails(
        folder.path(),
        "train --threads 65535",
        2,
        &["--threads", "1024"],
    );
    let seconds = "train --set training.checkpoint-seconds=1e20";
    fails(
        folder.path(),
        seconds,
        2,
        &["training.checkpoint-seconds", "31557600"],
    );
}

#[test]
fn what_a_terminal_acts_on_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "\u{1b}]0;owned\u{7}\u{202e}";
    let config = format!("\"{}\" = 1\n", "\\u001b]0;owned\\u0007\\u202e");
    std::fs::write(folder.path().join("run.toml"), config).unwrap();
    let output = run(folder.path(), "train --config run.toml");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("owned") && said.contains("\\u{1b}"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");

    // A class's name, which data info prints.
    let text = series(20).replace("down", hostile);
    std::fs::write(folder.path().join("waves_TRAIN.ts"), &text).unwrap();
    std::fs::write(folder.path().join("waves_TEST.ts"), &text).unwrap();
    for json in ["", " --json"] {
        let said = succeeds(folder.path(), &format!("data info waves_TRAIN.ts{json}"));
        assert!(said.contains("owned"), "{said}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{said:?}");
    }
}

#[test]
fn dialects_of_series_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let whole = series(20);
    // Unequal lengths, as aeon and sktime write them.
    let unequal = whole
        .replace(
            "@equalLength true\n@seriesLength 12",
            "@missing false\n@equalLength false\n@seriesLength 0",
        )
        .replacen("@data\n", "@data\n1,2:3,4:up\n", 1);
    let spaced = whole
        .replace("true up down", "true going up down")
        .replace(":up", ":going up");
    let old_mac = whole.replace('\n', "\r");
    let dos = whole.replace('\n', "\r\n");
    for (name, text) in [
        ("unequal", unequal),
        ("spaced", spaced),
        ("mac", old_mac),
        ("dos", dos),
    ] {
        for part in ["TRAIN", "TEST"] {
            std::fs::write(folder.path().join(format!("{name}_{part}.ts")), &text).unwrap();
        }
        let said = succeeds(folder.path(), &format!("data info {name}_TRAIN.ts --json"));
        let info: serde_json::Value = serde_json::from_str(&said).unwrap();
        let up = if name == "spaced" { "going up" } else { "up" };
        assert_eq!(
            info["class_names"],
            serde_json::json!([up, "down"]),
            "{name}"
        );
        assert_eq!(info["sample"], serde_json::json!([2, 12]), "{name}");
    }
}

#[test]
fn arrays_of_other_kinds_are_named() {
    let folder = tempfile::tempdir().unwrap();
    with_offset(folder.path());
    let array = |name: &str, descriptor: &str, size: usize, count: usize| {
        let header =
            format!("{{'descr': '{descriptor}', 'fortran_order': False, 'shape': ({count},), }}");
        let header = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0; size * count]);
        std::fs::write(folder.path().join(name), bytes).unwrap();
    };
    let attack = |labels: &str| {
        format!(
            "attack --weights run/weights.safetensors --input x.npy --labels {labels} \
             --attack fgsm --eps 0.1 --output o.npy"
        )
    };
    for (descriptor, size, word) in [
        ("<U5", 20, "texts"),
        ("|O", 8, "Python objects"),
        ("<f16", 16, "floats of another size"),
        ("<M8[ns]", 8, "dates"),
        ("<c8", 8, "complex"),
        ("|b1", 1, "truth values"),
    ] {
        array("kind.npy", descriptor, size, 10);
        fails(
            folder.path(),
            &attack("kind.npy"),
            1,
            &["kind.npy", word, descriptor, "f4, f8 or integers"],
        );
    }
    npy::write_labels(&folder.path().join("short.npy"), &[0; 9]).unwrap();
    fails(
        folder.path(),
        &attack("short.npy"),
        1,
        &["short.npy", "9 labels", "expected 10"],
    );

    let predict = "predict --weights run/weights.safetensors --input other.npy --output p.npy";
    for (shape, parts) in [
        (
            vec![2, 12],
            ["[2, 12]", "[samples, 2, 12]", "axis for the samples"],
        ),
        (
            vec![3, 12, 2],
            ["[3, 12, 2]", "[samples, 2, 12]", "swapped"],
        ),
        (
            vec![3, 2, 11],
            ["[3, 2, 11]", "[samples, 2, 12]", "other.npy"],
        ),
    ] {
        let count = shape.iter().product();
        npy::write(&folder.path().join("other.npy"), &shape, &vec![0.0; count]).unwrap();
        fails(folder.path(), predict, 1, &parts);
    }
}

#[test]
fn arguments_are_taken_as_they_are_meant() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let compare = "compare --data waves_TRAIN.ts --epochs 1 --seeds 1 --eps 0.1 --out c";
    let mut command = common::sgt(folder.path());
    command.args(compare.split_whitespace());
    let output = command
        .args(["--regimes", "standard, sgt"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (arguments, code, parts) in [
        (
            "compare --regimes standard,standard",
            2,
            ["--regimes", "standard twice", "once"],
        ),
        (
            "compare --regimes sgt,sgtt",
            2,
            ["--regimes", "sgtt", "sgt"],
        ),
        ("compare --eps 0.1,", 2, ["--eps", "nothing", "value"]),
        ("train --epochs -1", 2, ["--epochs", "-1", "0"]),
        (
            "train --data none_TRAIN.ts",
            1,
            ["none_TRAIN.ts", "no such file", ".ts"],
        ),
        (
            "train --set training.schedule=bogus",
            2,
            ["training.schedule", "\"bogus\"", "{ name = "],
        ),
        (
            "train --set training.schedule={name=\"step\",every=0,factor=0.5}",
            2,
            ["training.schedule.every", "found 0", "share of the run"],
        ),
        (
            "train --set training.early-stopping.patience=x",
            2,
            ["patience", "\"x\"", "whole number"],
        ),
        (
            "train --set optimizer.betas=[1]",
            2,
            ["optimizer", "list of 1", "list of 2"],
        ),
        ("train --set seed=-1", 2, ["seed", "-1", "0 or more"]),
        (
            "train --set masking.policy.gaussian.mean=1",
            2,
            ["masking.policy.gaussian", "std", "value"],
        ),
        (
            "train --set preset=robust",
            2,
            ["--set", "preset", "--preset"],
        ),
    ] {
        fails(folder.path(), arguments, code, &parts);
    }
    for arguments in [
        "--set training.early-stopping.patience=7 --set data.validation=0.2",
        "--set masking.policy={constant=0.5}",
        "--set masking.policy.constant=0.5",
        "--set training.schedule.name=\"constant\"",
    ] {
        let toml = succeeds(
            folder.path(),
            &format!("config --data waves_TRAIN.ts {arguments}"),
        );
        for value in ["patience = 7", "constant = 0.5"] {
            let part = value.split(' ').next().unwrap();
            assert!(
                !arguments.contains(&format!("{part}=")) || toml.contains(value),
                "{toml}"
            );
        }
    }
}

#[test]
fn help_says_what_names_stand_for() {
    let folder = tempfile::tempdir().unwrap();
    let alone = succeeds(folder.path(), "");
    for word in [
        "sensor-lstm",
        "asgt",
        "robust",
        "1 GiB",
        "regime sgt",
        "60 epochs",
        "compare",
    ] {
        assert!(alone.contains(word), "{word} in {alone}");
    }
    let explained = succeeds(folder.path(), "config --explain");
    for key in [
        "masking.hard-fraction",
        "training.early-stopping",
        "optimizer.learning-rate",
    ] {
        let line = explained.lines().find(|line| line.starts_with(key));
        assert!(
            line.is_some_and(|line| line.contains("[default: ")),
            "{explained}"
        );
    }
    let json = succeeds(folder.path(), "config --explain --json");
    let keys: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(keys.as_array().unwrap().len() > 30, "{json}");
}

#[test]
fn another_model_takes_the_place_of_a_described_one() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let network = "[[layers]]\nkind = \"flatten\"\n[[layers]]\nkind = \"linear\"\nname = \"fc\"\noutputs = \"classes\"\n";
    std::fs::write(folder.path().join("own.toml"), network).unwrap();
    let own = succeeds(
        folder.path(),
        "config --data waves_TRAIN.ts --model own.toml",
    );
    assert!(
        own.contains("model = \"own\"") && own.contains("[network]"),
        "{own}"
    );
    std::fs::write(folder.path().join("run.toml"), own).unwrap();
    let other = succeeds(
        folder.path(),
        "config --config run.toml --model sensor-lstm",
    );
    assert!(
        other.contains("model = \"sensor-lstm\"") && !other.contains("network"),
        "{other}"
    );

    for (change, parts) in [
        ("padding = \"sane\"", ["padding", "\"sane\"", "\"same\""]),
        ("kernel = [1, 2, 3]", ["kernel", "[1, 2, 3]", "pair"]),
    ] {
        let key = change.split(' ').next().unwrap();
        let kernel = if key == "kernel" { "" } else { "kernel = 3\n" };
        let layer = format!(
            "[[layers]]\nkind = \"convolution\"\nname = \"c\"\nchannels = 2\n{kernel}{change}\n"
        );
        std::fs::write(folder.path().join("bad.toml"), format!("{layer}{network}")).unwrap();
        fails(folder.path(), "models bad.toml --input 2x12", 2, &parts);
    }
}

#[test]
fn a_rest_of_one_sample_is_part_of_the_batch_before() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let network = "[[layers]]\nkind = \"flatten\"\n\
                   [[layers]]\nkind = \"linear\"\nname = \"fc1\"\noutputs = 4\n\
                   [[layers]]\nkind = \"batch-norm\"\nname = \"bn\"\n\
                   [[layers]]\nkind = \"linear\"\nname = \"fc\"\noutputs = \"classes\"\n";
    std::fs::write(folder.path().join("own.toml"), network).unwrap();
    let train = "train --data waves_TRAIN.ts --model own.toml --epochs 2 --out run --overwrite";
    // 20 samples: 19 and 1.
    succeeds(folder.path(), &format!("{train} --set training.batch=19"));
    fails(
        folder.path(),
        &format!("{train} --set training.batch=1"),
        2,
        &["training.batch", "1 sample", "2 or more"],
    );
}

#[test]
fn an_unpacked_file_beside_its_archive_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let cifar = folder.path().join("data/cifar10-small");
    std::fs::create_dir_all(&cifar).unwrap();
    let batch: Vec<u8> = (0..10_u8)
        .flat_map(|label| [vec![label], vec![7; 3072]].concat())
        .collect();
    for name in ["train_1.bin", "train_2.bin", "test.bin"] {
        std::fs::write(cifar.join(name), &batch).unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&batch).unwrap();
        std::fs::write(cifar.join(format!("{name}.gz")), encoder.finish().unwrap()).unwrap();
    }
    let said = succeeds(folder.path(), "data info cifar10");
    assert!(said.contains("20 training, 10 test"), "{said}");
}

#[test]
fn pictures_stand_without_variables() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    let compare =
        "compare --data waves_TRAIN.ts --epochs 1 --seeds 2 --regimes standard,sgt --out c";
    let output = run(folder.path(), compare);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("index.html"));
    for name in ["robustness-pgd.svg", "saliency-gradient.svg"] {
        let svg = std::fs::read_to_string(folder.path().join("c").join(name)).unwrap();
        assert!(!svg.contains("var(") && svg.contains("#fcfcfb"), "{svg}");
    }
}

/// Only the order of `HashMap` keys would make headers differ.
#[test]
fn weights_have_one_metadata_entry() {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    succeeds(
        folder.path(),
        "train --data waves_TRAIN.ts --epochs 1 --out run",
    );
    let bytes = std::fs::read(folder.path().join("run/weights.safetensors")).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let entries: HashMap<String, String> = header.metadata().clone().unwrap();
    assert_eq!(entries.keys().collect::<Vec<_>>(), ["sgt"]);
    let own: serde_json::Value = serde_json::from_str(&entries["sgt"]).unwrap();
    for digest in ["description", "configuration", "training-data", "test-data"] {
        assert_eq!(own["binding"][digest].as_str().unwrap().len(), 64);
    }
}
