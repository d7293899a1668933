//! Weight files: both ways, with all that is wrong named in one line.

use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use sgt_host::data::{Bounds, Normalization};
use sgt_host::network::{Description, InputShape, Parameters, SeriesOrder};
use sgt_host::weights::{Metadata, Weights, save, to_bytes};
use std::collections::HashMap;
use std::path::Path;

fn parameters() -> Parameters {
    let mut parameters = Parameters::new();
    parameters.push("conv1.weight", [2, 1, 3], true);
    parameters.push("conv1.bias", [2], true);
    parameters.push("bn.running_mean", [2], false);
    for (index, value) in parameters.values_mut().iter_mut().enumerate() {
        *value = index as f32 - 4.5;
    }
    parameters
}

fn blank(parameters: &Parameters) -> Parameters {
    let mut blank = parameters.clone();
    blank.values_mut().fill(0.0);
    blank
}

fn metadata() -> Metadata {
    Metadata {
        model: "sensor-cnn".into(),
        description: None,
        input: InputShape::Series {
            steps: 100,
            channels: 2,
            order: SeriesOrder::ChannelsFirst,
        },
        classes: vec!["walk".into(), "run \"fast\"".into()],
        normalization: Normalization::new(vec![0.1, -2.5e-8], vec![0.3, 7.0]).unwrap(),
        bounds: Some(Bounds {
            low: -1.0,
            high: 0.3,
        }),
        preprocessing: None,
        regime: "sgt".into(),
        seed: u64::MAX,
        version: "0.1.0".into(),
        binding: None,
    }
}

fn parse(bytes: &[u8]) -> sgt_host::Result<Weights> {
    Weights::parse(Path::new("w.safetensors"), bytes)
}

fn one_line(error: &sgt_host::Error) -> String {
    let error = error.to_string();
    assert!(!error.contains('\n'), "{error:?}");
    error
        .strip_prefix("w.safetensors: found ")
        .unwrap_or(&error)
        .to_string()
}

fn refusal(bytes: &[u8]) -> String {
    one_line(&parse(bytes).unwrap_err())
}

#[test]
fn weights_and_metadata_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let saved = parameters();
    save(&path, &saved, Some(&metadata())).unwrap();
    let weights = Weights::read(&path).unwrap();
    assert_eq!(weights.metadata(), Some(&metadata()));
    let mut loaded = blank(&saved);
    weights.load_into(&mut loaded).unwrap();
    assert_eq!(loaded, saved);
    let names: Vec<_> = weights.tensors().collect();
    assert_eq!(names[0], ("bn.running_mean", &[2][..]));
    assert_eq!(names[2], ("conv1.weight", &[2, 1, 3][..]));
    // Nothing but the file itself is left in the folder.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_description_reads_back_and_must_fit_the_other_metadata() {
    let described = |description: Description| Metadata {
        description: Some(description),
        ..metadata()
    };
    let input = metadata().input;
    let description = Description::new(input)
        .convolution("conv1", 4, 3)
        .relu()
        .global_average_pool()
        .linear("fc", 2);
    let whole = described(description.clone());
    let bytes = to_bytes(&parameters(), Some(&whole)).unwrap();
    assert_eq!(parse(&bytes).unwrap().metadata(), Some(&whole));

    let flaw = |description| {
        let error = to_bytes(&parameters(), Some(&described(description))).unwrap_err();
        one_line(&error)
    };
    assert_eq!(
        flaw(description.clone().linear("more", 3)),
        "weights: found metadata with 2 names of classes, expected 3, as the network has"
    );
    let other = Description {
        input: InputShape::series(100, 3),
        ..description.clone()
    };
    assert_eq!(
        flaw(other),
        "weights: found metadata with a network that reads a series of 100 steps and 3 channels, \
         expected one that reads a series of 100 steps and 2 channels"
    );
    assert!(
        flaw(description.max_pool(2))
            .starts_with("weights: found metadata with layer 5 (max-pool): ")
    );
}

#[test]
fn equal_input_gives_equal_bytes() {
    let first = to_bytes(&parameters(), Some(&metadata())).unwrap();
    for _ in 0..8 {
        assert_eq!(to_bytes(&parameters(), Some(&metadata())).unwrap(), first);
    }
}

#[test]
fn a_file_of_another_program_has_no_metadata() {
    let bytes = std::fs::read("tests/golden/small-cnn.weights.safetensors").unwrap();
    let weights = parse(&bytes).unwrap();
    assert_eq!(weights.metadata(), None);
    let mut model = Parameters::new();
    for (name, shape) in weights.tensors() {
        model.push(name, shape, true);
    }
    weights.load_into(&mut model).unwrap();
    assert_eq!(
        model.trainable_count(),
        4 * 9 + 4 + 8 * 36 + 8 + 16 * 288 + 16 + 160 + 10
    );
    assert!(model.values().iter().all(|&value| value != 0.0));
    // Written again, the tensors are byte for byte the same.
    assert_eq!(to_bytes(&model, None).unwrap()[..], bytes[..]);
}

#[test]
fn all_flaws_are_listed_in_one_line_and_nothing_is_changed() {
    let mut other = Parameters::new();
    other.push("conv1.weight", [2, 3, 1], true);
    other.push("head.weight", [1, 2], true);
    other.push("head\n.bias", [1], true);
    let bytes = to_bytes(&other, None).unwrap();
    let mut model = parameters();
    let error = parse(&bytes).unwrap().load_into(&mut model).unwrap_err();
    assert_eq!(
        one_line(&error),
        "missing: conv1.bias [2], bn.running_mean [2]; \
         extra: head\\n.bias [1], head.weight [1, 2]; \
         other shape: conv1.weight [2, 3, 1] instead of [2, 1, 3], \
         expected exactly the model's tensors"
    );
    assert_eq!(model, parameters());
}

fn typed(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
    let views = tensors.iter().map(|&(name, dtype, shape, bytes)| {
        (name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn other_float_types_are_converted() {
    let expected = [1.0_f32, -2.5];
    let f64s: Vec<u8> = [1.0_f64, -2.5]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    for (dtype, bytes) in [
        (Dtype::F64, f64s.as_slice()),
        (Dtype::F16, &[0x00, 0x3c, 0x00, 0xc1]),
        (Dtype::BF16, &[0x80, 0x3f, 0x20, 0xc0]),
    ] {
        let file = typed(&[("bias", dtype, &[2], bytes)]);
        let mut model = Parameters::new();
        model.push("bias", [2], true);
        parse(&file).unwrap().load_into(&mut model).unwrap();
        assert_eq!(model.values(), expected, "{dtype}");
    }
}

#[test]
fn types_without_weights_and_values_without_number_are_listed() {
    let nan = f32::NAN.to_le_bytes();
    let large = 1e300_f64.to_le_bytes();
    let file = typed(&[
        ("a", Dtype::I64, &[1], &[0; 8]),
        ("b", Dtype::F32, &[1], &nan),
        ("c", Dtype::F64, &[1], &large),
    ]);
    let mut model = Parameters::new();
    for name in ["a", "b", "c"] {
        model.push(name, [1], true);
    }
    let error = parse(&file).unwrap().load_into(&mut model).unwrap_err();
    assert_eq!(
        one_line(&error),
        "other type: a of type I64; not finite: b NaN at 0, c inf at 0, \
         expected exactly the model's tensors"
    );
}

#[test]
fn batch_counters_are_passed_over() {
    let one = 1.0_f32.to_le_bytes();
    let file = typed(&[
        ("bn.weight", Dtype::F32, &[1], &one),
        ("bn.num_batches_tracked", Dtype::I64, &[], &[0; 8]),
    ]);
    let mut model = Parameters::new();
    model.push("bn.weight", [1], true);
    parse(&file).unwrap().load_into(&mut model).unwrap();
    assert_eq!(model.values(), [1.0]);
}

#[test]
fn weights_that_could_not_be_read_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let mut broken = parameters();
    broken.values_mut()[7] = f32::NAN;
    let error = save(&path, &broken, None).unwrap_err().to_string();
    assert_eq!(error, "conv1.bias: found NaN at 1, expected finite weights");
    assert!(!path.exists());
    let missing = folder.path().join("no/w.safetensors");
    let error = save(&missing, &parameters(), None).unwrap_err().to_string();
    assert!(error.contains("no/w.safetensors: write: "), "{error}");
}

fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let length = header.len() as u64;
    let bytes = length.to_le_bytes().into_iter().chain(header.bytes());
    bytes.chain(data.iter().copied()).collect()
}

#[test]
fn hostile_files_are_refused_in_one_line() {
    assert_eq!(refusal(b""), "an empty file, expected safetensors weights");
    let whole = to_bytes(&parameters(), Some(&metadata())).unwrap();
    for cut in [1, 7, 8, 50, whole.len() / 2, whole.len() - 1] {
        let error = refusal(&whole[..cut]);
        assert!(error.starts_with("no safetensors data ("), "{error}");
        assert!(
            error.ends_with("), expected a whole safetensors file"),
            "{error}"
        );
    }
    let tensor = |shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    for bytes in [
        raw("", &[]),
        raw("{", &[]),
        raw("[]", &[]),
        raw("\u{feff}{}", &[]),
        raw(&"[".repeat(100_000), &[]),
        raw(&r#"{"a":"#.repeat(100_000), &[]),
        raw(&tensor("[2]", "[0,4]"), &[0; 4]),
        raw(&tensor("[1]", "[0,4]"), &[0; 5]),
        raw(&tensor("[1]", "[4,8]"), &[0; 8]),
        raw(&tensor("[1]", "[4,0]"), &[0; 4]),
        raw(&tensor("[-1]", "[0,4]"), &[0; 4]),
        raw(&tensor("[9223372036854775807,9]", "[0,4]"), &[0; 4]),
        raw(&tensor("[1]", "[0,18446744073709551615]"), &[0; 4]),
        raw(&tensor("[1]", "[0,4]").replace("F32", "F\\n99"), &[0; 4]),
        raw(&tensor("[1]", "[0,4]").replace('a', "\\ud800"), &[0; 4]),
        u64::MAX.to_le_bytes().to_vec(),
        (1_u64 << 40).to_le_bytes().to_vec(),
        [&4_u64.to_le_bytes()[..], b"\xff\xff\xff\xff"].concat(),
    ] {
        let error = refusal(&bytes);
        assert!(error.starts_with("no safetensors data ("), "{error}");
        assert!(error.len() < 300, "{error}");
    }
}

fn with_metadata(text: &str) -> Vec<u8> {
    let values = 0.0_f32.to_le_bytes();
    let view = TensorView::new(Dtype::F32, vec![1], &values).unwrap();
    let header = HashMap::from([("sgt".to_string(), text.to_string())]);
    safetensors::serialize([("a", view)], Some(header)).unwrap()
}

#[test]
fn damaged_metadata_are_refused_in_one_line() {
    let good = serde_json::to_value(metadata()).unwrap();
    assert!(parse(&with_metadata(&good.to_string())).is_ok());
    let with = |pointer: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        refusal(&with_metadata(&changed.to_string()))
    };
    assert_eq!(
        with("/input/steps", u64::MAX.into()),
        "metadata with an input of shape [18446744073709551615, 2, 1], \
         expected one of 1 to 67108864 values"
    );
    assert!(with("/input/channels", 0.into()).contains("an input of shape [100, 0, 1]"));
    assert_eq!(
        with("/input/channels", 3.into()),
        "metadata with normalization: found shape 2 channels, expected the 3 of the input, \
         expected a normalization of the input"
    );
    assert!(with("/classes", serde_json::json!([])).starts_with("metadata with no class"));
    assert!(with("/bounds/high", (-1).into()).starts_with("metadata with bounds -1 to -1"));
    assert!(with("/normalization/deviation/0", 0.into()).starts_with("damaged metadata ("));
    assert!(with("/input/kind", "sound".into()).starts_with("damaged metadata ("));
    for text in ["", "{}", "null", "\n\n[1,\n2", &"[".repeat(10_000)] {
        assert!(refusal(&with_metadata(text)).starts_with("damaged metadata ("));
    }
    let mut contradiction = metadata();
    contradiction.classes.clear();
    let error = to_bytes(&parameters(), Some(&contradiction)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "weights: found metadata with no class, expected the classes' names"
    );
}

proptest! {
    #[test]
    fn no_change_of_a_file_makes_the_reader_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = to_bytes(&parameters(), Some(&metadata())).unwrap();
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let cut = cut.index(bytes.len());
        for bytes in [&bytes[..], &bytes[..cut]] {
            match parse(bytes) {
                Ok(weights) => {
                    let mut model = parameters();
                    if let Err(error) = weights.load_into(&mut model) {
                        one_line(&error);
                        prop_assert_eq!(model, parameters());
                    }
                }
                Err(error) => {
                    one_line(&error);
                }
            }
        }
    }

    #[test]
    fn finite_weights_read_back_bit_for_bit(values in prop::collection::vec(any::<f32>(), 1..40)) {
        let mut saved = Parameters::new();
        saved.push("w", [values.len()], true);
        for (weight, value) in saved.values_mut().iter_mut().zip(values) {
            *weight = if value.is_finite() { value } else { 0.0 };
        }
        let mut loaded = blank(&saved);
        parse(&to_bytes(&saved, None).unwrap()).unwrap().load_into(&mut loaded).unwrap();
        let bits = |p: &Parameters| p.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&loaded), bits(&saved));
    }
}

#[test]
fn every_flipped_bit_of_a_file_is_noticed() {
    let (saved, own) = (parameters(), metadata());
    let whole = to_bytes(&saved, Some(&own)).unwrap();
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << bit;
            let Ok(weights) = parse(&flipped) else {
                continue;
            };
            // Without our key it is a file of another program, which says no network.
            let Some(metadata) = weights.metadata() else {
                continue;
            };
            let mut loaded = blank(&saved);
            let loads = weights.load_into(&mut loaded).is_ok();
            assert!(
                !loads || (loaded == saved && *metadata == own),
                "bit {bit} of {place}"
            );
        }
    }
}

#[test]
fn a_digest_covers_metadata_and_tensors() {
    let mut flipped = to_bytes(&parameters(), Some(&metadata())).unwrap();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let error = refusal(&flipped);
    assert!(
        error.contains("SHA-256") && error.contains("undamaged"),
        "{error}"
    );
}
