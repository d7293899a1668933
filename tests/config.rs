//! Run configurations: layers, defaults, and errors that name the key.

use sgt_host::config::{ConfigDraft, DataKind, EpochSchedule, Policy, Preset, Regime, RunConfig};
use sgt_host::network::Score;
use sgt_host::optimizer::OptimizerConfig;
use std::path::Path;

fn read(text: &str) -> Result<RunConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, text).unwrap();
    let mut draft = ConfigDraft::new();
    let config = draft
        .file(&path)
        .and_then(|()| draft.finish(DataKind::Series));
    config.map_err(|error| {
        let line = error.to_string();
        line.replace(&format!("{}/", folder.path().display()), "")
    })
}

#[test]
fn a_mistake_is_one_line_with_the_key_and_the_nearest_known_one() {
    let cases = [
        (
            "modle = \"sensor-cnn\"",
            "run.toml: found unknown key modle, expected model (the nearest of model, hidden, network, regime, lambda, seed, data, masking, attack, optimizer, training)",
        ),
        (
            "[masking]\nfracton = 0.5",
            "run.toml: masking: found unknown key fracton, expected fraction (the nearest of score, importance, guide, scope, group, policy, fraction, hard-fraction)",
        ),
        (
            "regime = \"standrd\"",
            "run.toml: regime: found standrd, expected standard (the nearest of standard, sgt, adversarial, asgt, sga)",
        ),
        (
            "[masking]\nfraction = 1.5",
            "run.toml: masking.fraction: found 1.5, expected a number from 0 to 1",
        ),
        (
            "[masking]\nfraction = nan",
            "run.toml: masking.fraction: found NaN, expected a number from 0 to 1",
        ),
        (
            "lambda = { from = 0.0, to = -1.0, epochs = 3 }",
            "run.toml: lambda.to: found -1, expected a finite number, 0 or more",
        ),
        (
            "lambda = { from = 0.0, to = 1.0 }",
            "run.toml: lambda.epochs: found no value, expected one",
        ),
        (
            "lambda = \"high\"",
            "run.toml: lambda: found \"high\", expected a number or { from, to, ramp, epochs }",
        ),
        (
            "seed = -1",
            "run.toml: seed: found -1, expected a whole number, 0 or more",
        ),
        (
            "[masking]\npolicy = { constant = \"grey\" }",
            "run.toml: masking.policy.constant: found \"grey\", expected a number",
        ),
        (
            "[masking]\npolicy = \"constant\"",
            "run.toml: masking.policy: found constant, expected { constant = … }",
        ),
        (
            "[masking]\npolicy = { gaussian = { mean = 0.0, std = -1.0 } }",
            "run.toml: masking.policy.gaussian.std: found -1, expected a finite number, 0 or more",
        ),
        (
            "[masking]\npolicy = { uniform = 1 }",
            "run.toml: masking.policy: found { uniform = … }, expected the bare name uniform",
        ),
        (
            "[attack]\nepsilon = inf",
            "run.toml: attack.epsilon: found inf, expected a finite number of at least 0",
        ),
        (
            "[training]\nbatch = 0",
            "run.toml: training.batch: found 0, expected 1 or more",
        ),
        (
            "[training]\nearly-stopping = { patience = 3 }",
            "run.toml: training.early-stopping: found data.validation = 0, expected a share of the training part to judge by",
        ),
        (
            "[optimizer]\nname = \"adm\"",
            "run.toml: optimizer.name: found adm, expected adam (the nearest of sgd, adam, rmsprop, adadelta)",
        ),
        (
            "[optimizer]\nlearning-rate = \"fast\"",
            "run.toml: optimizer.learning-rate: found \"fast\", expected a number",
        ),
        (
            "[optimizer]\nbetas = [0.9]",
            "run.toml: optimizer.betas: found a list of 1 values, expected a list of 2 values",
        ),
        (
            "[optimizer]\ndecoupled = 1",
            "run.toml: optimizer.decoupled: found 1, expected true or false",
        ),
        (
            "[optimizer]\nlearning-rate = -0.1",
            "run.toml: optimizer.learning-rate: found -0.1, expected a finite number of at least 0",
        ),
        (
            "[data]\nvalidation = 1.0",
            "run.toml: data.validation: found 1, expected a share from 0 to below 1",
        ),
        ("data = 3", "run.toml: data: found 3, expected a table"),
        (
            "preset = \"refrence\"",
            "run.toml: preset: found refrence, expected reference (the nearest of reference, robust)",
        ),
    ];
    for (text, line) in cases {
        assert_eq!(read(text).unwrap_err(), line, "{text}");
    }
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let error = read("seed = 1\nmodel = ").unwrap_err();
    assert!(error.starts_with("run.toml: found "), "{error}");
    assert!(error.contains("on line 2"), "{error}");
    assert!(!error.contains('\n'), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes.toml");
    std::fs::write(&path, b"model = \"\xff\"").unwrap();
    let error = ConfigDraft::new().file(&path).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
    let error = ConfigDraft::new().file(Path::new("none.toml")).unwrap_err();
    assert!(
        error.to_string().starts_with("none.toml: read: "),
        "{error}"
    );
}

#[test]
fn layers_override_key_by_key() {
    let mut draft = ConfigDraft::new();
    draft.preset(Preset::Reference);
    draft.set("masking.fraction", 0.25);
    draft.set("seed", 7);
    let config = draft.finish(DataKind::Series).unwrap();
    assert_eq!(config.regime, Regime::Sgt);
    assert_eq!(config.masking.score, Score::TrueLogProb);
    assert_eq!(config.masking.policy, Policy::Uniform);
    assert_eq!(config.masking.fraction, EpochSchedule::Constant(0.25));
    assert_eq!(config.seed, 7);

    draft.preset(Preset::Robust);
    let config = draft.finish(DataKind::Image).unwrap();
    assert_eq!(config.regime, Regime::Asgt);
    assert_eq!(config.masking.fraction, EpochSchedule::Constant(0.25));
}

#[test]
fn another_optimizer_leaves_the_first_ones_parameters_behind() {
    let mut draft = ConfigDraft::new();
    draft.set("optimizer.name", "adadelta");
    let config = draft.finish(DataKind::Series).unwrap();
    let OptimizerConfig::Adadelta(rule) = config.optimizer else {
        panic!("{:?}", config.optimizer);
    };
    assert_eq!(rule.learning_rate, 1.0);
    draft.set("optimizer.learning-rate", 0.5);
    let config = draft.finish(DataKind::Series).unwrap();
    assert_eq!(config.optimizer.learning_rate(), 0.5);
}

#[test]
fn written_and_read_again_it_is_the_same() {
    let text = r#"
        preset = "robust"
        seed = 18446744073709551
        lambda = { from = 0.1, to = 1.0, ramp = "cosine", epochs = 5 }
        [data]
        source = "walks_TRAIN.ts"
        validation = 0.3
        [masking]
        policy = { gaussian = { mean = 0.1, std = 0.3 } }
        hard-fraction = 0.1
        [optimizer]
        name = "rmsprop"
        momentum = 0.9
        [training]
        early-stopping = { patience = 3 }
        clipping = { name = "global-norm", maximum = 1.0 }
        schedule = { name = "cosine", last = 0.01 }
    "#;
    let config = read(text).unwrap();
    let written = config.to_toml().unwrap();
    assert_eq!(read(&written).unwrap(), config, "{written}");
    // Numbers come out as a person wrote them.
    assert!(written.contains("hard-fraction = 0.1\n"), "{written}");
}

#[test]
fn schedules_start_and_end_where_they_say() {
    let config = read("lambda = { from = 0.0, to = 1.0, epochs = 4 }").unwrap();
    let values: Vec<_> = (0..6).map(|epoch| config.lambda.at(epoch)).collect();
    assert_eq!(values, [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    let config = read("lambda = { from = 2.0, to = 0.0, ramp = \"cosine\", epochs = 2 }").unwrap();
    let values: Vec<_> = (0..3).map(|epoch| config.lambda.at(epoch)).collect();
    assert_eq!((values[0], values[2]), (2.0, 0.0));
    assert!((values[1] - 1.0).abs() < 1e-6);
}

/// Whatever is wrong with a value, the line is in the words of TOML and of the field.
#[test]
fn no_error_speaks_of_types_in_rust() {
    let wrong = [
        "[1,2]",
        "{a=1}",
        "true",
        "1.5",
        "'zz'",
        "-3",
        "1979-05-27",
        "{name='zz'}",
        "{name=1}",
        "{constant='x'}",
        "{gaussian={mean='a'}}",
        "{from=1,to=2,ramp='x',epochs=3}",
        "{patience=1.5}",
        "{name='step'}",
        "{name='value',limit='x'}",
    ];
    let internal = [
        "enum",
        "struct",
        "tuple",
        "usize",
        "f32",
        "f64",
        "u64",
        "i64",
        "variant",
        "sequence",
        "serde",
        "does not fit",
        "identifier",
        "internally",
    ];
    let mut refused = 0;
    for key in sgt_host::config::explain().unwrap() {
        for value in wrong {
            let table: toml::Table = format!("value = {value}").parse().unwrap();
            let mut draft = ConfigDraft::new();
            draft.set(key.key, table["value"].clone());
            let Err(error) = draft.finish(DataKind::Series) else {
                continue;
            };
            let error = error.to_string();
            refused += 1;
            assert!(!error.contains('\n'), "{error}");
            for word in internal {
                assert!(!error.contains(word), "{}={value}: {error}", key.key);
            }
        }
    }
    assert!(refused > 400, "only {refused}");
}
