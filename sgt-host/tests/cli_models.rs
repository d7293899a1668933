//! `sgt models` on the built binary.

mod common;

use common::{fails, succeeds};

const OWN: &str = r#"
[[layers]]
kind = "convolution"
name = "conv1"
channels = 4
kernel = 3

[[layers]]
kind = "relu"

[[layers]]
kind = "global-average-pool"

[[layers]]
kind = "linear"
name = "fc"
outputs = "classes"
"#;

#[test]
fn all_networks_and_layers_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), "models");
    let json = succeeds(folder.path(), "models --json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for named in sgt_host::network::named::ALL {
        assert!(
            text.contains(named.name) && text.contains(named.sizes),
            "{text}"
        );
        let models = json["models"].as_array().unwrap();
        assert!(models.iter().any(|model| model["name"] == named.name));
    }
    for kind in sgt_host::network::Layer::KINDS {
        assert!(text.contains(kind), "{text}");
    }
}

#[test]
fn a_named_network_is_shown_in_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), "models mnist-cnn");
    // The published network's count, and its first layer's: 26 × 26 × 32 outputs of 9 products.
    assert!(
        text.contains("1,199,882") && text.contains("194,688"),
        "{text}"
    );
    let said = succeeds(
        folder.path(),
        "models sensor-cnn --input 3x40 --classes 5 --hidden 8,9,10 --json",
    );
    let table: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(table["classes"], 5);
    let first = &table["layers"][0];
    assert_eq!(
        (&first["number"], &first["name"]),
        (&1.into(), &"conv1".into())
    );
    assert_eq!(first["output"], serde_json::json!([40, 8]));
    assert_eq!(first["parameters"], 8 * 3 * 5 + 8);
    assert_eq!(first["multiplications"], 40 * 8 * 3 * 5);
    let nested = succeeds(folder.path(), "models resnet18 --input 3x32x32");
    assert!(
        nested.contains("11,173,962") && nested.contains("  convolution"),
        "{nested}"
    );
    for named in sgt_host::network::named::ALL {
        succeeds(folder.path(), &format!("models {}", named.name));
    }
}

#[test]
fn a_description_as_toml_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    for named in sgt_host::network::named::ALL {
        let toml = succeeds(folder.path(), &format!("models {} --toml", named.name));
        std::fs::write(folder.path().join("own.toml"), &toml).unwrap();
        assert_eq!(succeeds(folder.path(), "models own.toml --toml"), toml);
        let table = succeeds(folder.path(), "models own.toml");
        assert_eq!(
            table,
            succeeds(folder.path(), &format!("models {}", named.name))
        );
    }
}

#[test]
fn a_file_that_leaves_sizes_to_the_data_is_shown_with_any() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), OWN).unwrap();
    let show = "models own.toml --input 2x12 --classes 3";
    let text = succeeds(folder.path(), show);
    assert!(
        text.starts_with("own: a series of 12 steps and 2 channels to 3 classes\n"),
        "{text}"
    );
    assert!(text.contains("10 × 4"), "{text}");
    succeeds(folder.path(), "models own.toml --input 3x9x9");
    fails(
        folder.path(),
        "models own.toml",
        2,
        &["--input", "own.toml"],
    );
    let input = "[input]\nkind = \"series\"\nsteps = 12\nchannels = 2\n";
    std::fs::write(folder.path().join("own.toml"), OWN.to_string() + input).unwrap();
    succeeds(folder.path(), "models own.toml");
    fails(
        folder.path(),
        "models own.toml --input 2x13",
        2,
        &["input", "12 steps", "13 steps"],
    );
}

#[test]
fn mistakes_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("odd.toml"),
        OWN.replace("convolution", "convolutoin"),
    )
    .unwrap();
    std::fs::write(folder.path().join("cut.toml"), "[[layers]\n").unwrap();
    let cases: [(&str, i32, &[&str]); 10] = [
        ("models sensor-cn", 2, &["sensor-cn", "nearest: sensor-cnn"]),
        ("models sensor-cnn --input 9", 2, &["--input", "9x128"]),
        (
            "models sensor-cnn --input 3x9x9",
            2,
            &["--input", "3 axes", "channels x steps"],
        ),
        ("models mnist-cnn --input 1x3x3", 2, &["layer"]),
        ("models mnist-cnn --hidden 3", 2, &["hidden", "[3]"]),
        ("models mnist-cnn --classes 0", 2, &["classes"]),
        ("models --toml", 2, &["NAME"]),
        (
            "models odd.toml --input 2x9",
            2,
            &["odd.toml", "convolutoin", "convolution"],
        ),
        ("models cut.toml", 1, &["cut.toml", "line 1"]),
        ("models none.toml", 1, &["none.toml"]),
    ];
    for (arguments, code, parts) in cases {
        fails(folder.path(), arguments, code, parts);
    }
    fails(
        folder.path(),
        "models odd.toml --hidden 3",
        2,
        &["--hidden", "odd.toml"],
    );
}
