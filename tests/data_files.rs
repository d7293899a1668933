//! A person's own arrays, archives and pictures.

use sgt_host::data::{Bounds, LoadOptions, Missing, Reading, SplitBy, TrainTest, arff, load, ts};
use sgt_host::npz::{self, Member};
use sgt_host::{Result, npy};
use std::path::{Path, PathBuf};

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read(source: &str, reading: Reading) -> Result<TrainTest> {
    let options = LoadOptions {
        reading,
        ..LoadOptions::default()
    };
    load(source, &options)
}

#[track_caller]
fn refusal(source: &str, reading: Reading) -> String {
    let text = read(source, reading)
        .expect_err("must be refused")
        .to_string();
    assert!(!text.contains('\n') && text.len() < 400, "{text:?}");
    text
}

const CHANNELS: usize = 2;
const STEPS: usize = 3;

fn values(samples: usize, from: f32) -> Vec<f32> {
    (0..samples * CHANNELS * STEPS)
        .map(|value| from + value as f32)
        .collect()
}

#[test]
fn archives_bring_their_parts_classes_and_channels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.npz");
    let members = [
        Member::floats("x", &[4, CHANNELS, STEPS], values(4, 0.0)),
        Member::labels("y", &[4], &[0, 1, 1, 0]),
        Member::floats("x_test", &[2, CHANNELS, STEPS], values(2, 100.0)),
        Member::labels("y_test", &[2], &[1, 0]),
        Member::texts("classes", &["stand".into(), "läuft".into()]),
        Member::texts("channels", &["ax".into(), "ay".into()]),
        Member::precise("rate", &[1], vec![50.0]),
        Member::flags("extra", &[1], &[true]),
    ];
    npz::write(&path, &members).unwrap();
    let data = read(path.to_str().unwrap(), Reading::default()).unwrap();
    assert_eq!(data.train.classes(), ["stand", "läuft"]);
    assert_eq!(data.train.samples(), values(4, 0.0));
    assert_eq!(data.test.labels(), [1, 0]);
    assert_eq!(data.train.axes().channels, ["ax", "ay"]);
    assert_eq!(data.train.axes().rate, Some(50.0));
    assert!(data.train.provenance().notes[0].ends_with("arrays left alone: extra"));

    // Without a test part a part of every class is held out; texts are classes of their own.
    let labels: Vec<String> = (0..10).map(|i| ["up", "down"][i % 2].to_string()).collect();
    let members = [
        Member::floats("X", &[10, CHANNELS, STEPS], values(10, 0.0)),
        Member::texts("Y", &labels),
    ];
    npz::write(&path, &members).unwrap();
    let data = read(path.to_str().unwrap(), Reading::default()).unwrap();
    assert_eq!(data.train.classes(), ["down", "up"]);
    assert_eq!(data.train.class_counts(), [4, 4]);
    assert_eq!(data.test.class_counts(), [1, 1]);

    npz::write(&path, &[Member::flags("foo", &[1], &[true])]).unwrap();
    let error = refusal(path.to_str().unwrap(), Reading::default());
    assert!(
        error.contains("found the arrays \"foo\", expected x [samples, channels, steps]"),
        "{error}"
    );
}

#[test]
fn pairs_of_arrays_are_read_with_labels_of_any_kind() {
    let folder = tempfile::tempdir().unwrap();
    let x = folder.path().join("x.npy");
    npy::write(&x, &[6, CHANNELS, STEPS], &values(6, 0.0)).unwrap();
    let y = folder.path().join("y.npy");
    npy::write(&y, &[6], &[3.0, 5.0, 3.0, 5.0, 3.0, 5.0]).unwrap();
    let source = format!("{},{}", x.display(), y.display());
    let half = Reading {
        split: Some(0.5),
        ..Reading::default()
    };
    let data = read(&source, half.clone()).unwrap();
    assert_eq!(data.train.classes(), ["3", "5"]);
    assert_eq!(data.train.len() + data.test.len(), 6);
    npy::write(&y, &[5], &[0.0; 5]).unwrap();
    let error = refusal(&source, half.clone());
    assert!(
        error.contains("found 5 labels, expected 6, one a sample"),
        "{error}"
    );
    // One axis less is one channel.
    npy::write(&x, &[6, 4], &[0.5; 24]).unwrap();
    npy::write(&y, &[6], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
    assert_eq!(read(&source, half).unwrap().train.shape().dims(), [1, 4]);
}

#[test]
fn missing_values_of_archives_are_filled_by_the_training_mean() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.npz");
    let mut x = values(4, 0.0);
    x[1] = f32::NAN;
    let mut test = values(2, 50.0);
    test[8] = f32::NAN;
    let members = [
        Member::floats("x", &[4, CHANNELS, STEPS], x),
        Member::labels("y", &[4], &[0, 1, 1, 0]),
        Member::floats("x_test", &[2, CHANNELS, STEPS], test),
        Member::labels("y_test", &[2], &[1, 0]),
    ];
    npz::write(&path, &members).unwrap();
    let source = path.to_str().unwrap();
    assert!(refusal(source, Reading::default()).contains("NaN at value 1"));
    let with = |missing| Reading {
        missing,
        ..Reading::default()
    };
    let data = read(source, with(Missing::Mean)).unwrap();
    let first = [
        0.0, 2.0, 6.0, 7.0, 8.0, 12.0, 13.0, 14.0, 18.0, 19.0, 20.0_f32,
    ];
    let mean = first.iter().sum::<f32>() / 11.0;
    assert!((data.train.samples()[1] - mean).abs() < 1e-5);
    assert_eq!(data.test.samples()[8], data.train.samples()[1]);
    let data = read(source, with(Missing::Interpolate)).unwrap();
    assert_eq!(data.train.samples()[1], 1.0);
    let data = read(source, with(Missing::Mask)).unwrap();
    assert_eq!(
        data.train.shape().dims(),
        [3, STEPS],
        "one channel misses training values"
    );
    assert_eq!(data.train.sample(0)[6..], [0.0, 1.0, 0.0]);
}

const TS: &str = "@problemName Toy\n@classLabel true walk run\n@data\n\
    1,2,3:4,5,6:run\n-1,0,1.5:2,2,?:walk\n";
const ARFF: &str = "% a comment\n@relation 'Toy'\n@attribute parts relational\n@attribute t0 numeric\n\
    @end parts\n@attribute kind {walk,run}\n@data\n\
    '1,2,3\\n4,5,6',run\n\"-1,0,1.5\\n2,2,?\",walk\n";

#[test]
fn arff_and_ts_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["ts", "arff"] {
        let text = if ending == "ts" { TS } else { ARFF };
        write(folder.path(), &format!("{ending}_TRAIN.{ending}"), text);
        write(
            folder.path(),
            &format!("{ending}_TEST.{ending}"),
            text.replace("1,2,3", "9,9,9"),
        );
    }
    let of = |ending: &str, missing| {
        let path = folder.path().join(format!("{ending}_TRAIN.{ending}"));
        let reading = Reading {
            missing,
            ..Reading::default()
        };
        read(path.to_str().unwrap(), reading)
    };
    let (ts, arff) = (
        of("ts", Missing::Mean).unwrap(),
        of("arff", Missing::Mean).unwrap(),
    );
    assert_eq!(ts.train.samples(), arff.train.samples());
    assert_eq!(ts.train.labels(), arff.train.labels());
    assert_eq!(ts.train.classes(), arff.train.classes());
    assert_eq!(ts.test.labels(), [1, 0]);
    for ending in ["ts", "arff"] {
        let error = of(ending, Missing::Refuse).unwrap_err().to_string();
        assert!(error.contains("a missing value (?)"), "{error}");
    }
}

#[test]
fn series_with_time_stamps_are_read() {
    let text = b"@timeStamps true\n@classLabel true a b\n@data\n(0,1),(1,2.5):(0,3),(1,4):a\n\
        (2007-01-01 00:00:00,5),(2007-01-01 01:00:00,6):(x,7),(y,8):b\n";
    let found = ts::parse(Path::new("x.ts"), text, None).unwrap();
    assert_eq!(found.cases[0].values, [1.0, 2.5, 3.0, 4.0]);
    assert_eq!(found.cases[1].values, [5.0, 6.0, 7.0, 8.0]);
    assert_eq!(found.cases[1].label, 1);
    for bad in ["(0,1:a", "(0):a", "(0,1),2),3:a"] {
        let text = format!("@data\n{bad}\n");
        assert!(
            ts::parse(Path::new("x.ts"), text.as_bytes(), None).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn univariate_arff_and_hostile_ones() {
    let parse = |text: &str| arff::parse(Path::new("x.arff"), text.as_bytes(), None, false);
    let head = "@relation x\n@attribute t0 numeric\n@attribute c {1,2}\n@data\n";
    let (found, _) = parse(&format!("{head}1,2,3,1\n4,5,6,2.0\n")).unwrap();
    assert_eq!(found.cases[1].values, [4.0, 5.0, 6.0]);
    assert_eq!(found.cases[1].label, 1);
    for (bad, said) in [
        ("", "no @data line"),
        ("@data\n", "no case"),
        ("hello\n@data\n", "before @data"),
        ("@data\n1\n", "no label"),
        ("@data\n'1,2\\n3',a\n", "1 values in channel 2"),
        ("@data\n'1,2\\n3,4\n", "does not end"),
        ("@data\n1,x,a\n", "\"x\""),
        ("@data\n1,1e60,a\n", "a finite number"),
        ("@data\n'1\\n2',a\n1,a\n", "1 channels"),
    ] {
        let error = parse(bad).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{error}");
    }
    let error = parse(&format!("{head}1,2,3\n")).unwrap_err().to_string();
    assert!(
        error.contains("line 5: label \"3\", expected one of the classes"),
        "{error}"
    );
}

fn png(size: [u32; 2], colour: bool, at: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let [height, width] = size;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(if colour {
        png::ColorType::Rgb
    } else {
        png::ColorType::Grayscale
    });
    let mut data = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let pixel = at(row, column);
            data.extend_from_slice(if colour { &pixel } else { &pixel[..1] });
        }
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&data).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn folders_of_pictures_are_images_in_unit_range() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..5_u8 {
        for (class, base) in [("cat", 0_u8), ("dog", 100)] {
            let bytes = png([2, 3], true, |row, column| {
                [base + index, row as u8 * 10, column as u8 * 20]
            });
            write(folder.path(), &format!("{class}/{index}.png"), bytes);
        }
    }
    let source = folder.path().to_str().unwrap();
    let data = read(source, Reading::default()).unwrap();
    assert_eq!(data.train.classes(), ["cat", "dog"]);
    assert_eq!((data.train.len(), data.test.len()), (8, 2));
    assert_eq!(data.train.shape().dims(), [3, 2, 3]);
    assert_eq!(data.train.bounds(), Some(Bounds::UNIT));
    let sample = data.train.sample(0);
    assert_eq!(
        sample[6..],
        [0, 0, 0, 10, 10, 10, 0, 20, 40, 0, 20, 40].map(|byte| f32::from(byte as u8) / 255.0)
    );

    // Sizes that differ need one.
    write(folder.path(), "dog/9.png", png([4, 4], true, |_, _| [7; 3]));
    let error = refusal(source, Reading::default());
    assert!(
        error.contains("found 4 × 4 pixels, expected 2 × 3, as") && error.contains("--resize 2x3"),
        "{error}"
    );
    let resized = Reading {
        resize: Some([3, 5]),
        ..Reading::default()
    };
    assert_eq!(
        read(source, resized).unwrap().train.shape().dims(),
        [3, 3, 5]
    );
    write(folder.path(), "dog/8.png", b"\x89PNG\r\n\x1a\nno");
    assert!(refusal(source, Reading::default()).contains("8.png: found no picture"));
    let by_time = Reading {
        split_by: Some(SplitBy::Group),
        ..Reading::default()
    };
    std::fs::remove_file(folder.path().join("dog/8.png")).unwrap();
    std::fs::remove_file(folder.path().join("dog/9.png")).unwrap();
    assert!(refusal(source, by_time).contains("split-by: found group, with 1 group"));
}

#[test]
fn grey_pictures_have_one_channel_and_train_lies_beside_test() {
    let folder = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 3), ("test", 2)] {
        for index in 0..count {
            for class in ["0", "1"] {
                let shade = if part == "test" { 200 } else { 20 };
                let bytes = png([2, 2], false, |_, _| [shade + index; 3]);
                write(folder.path(), &format!("{part}/{class}/{index}.png"), bytes);
            }
        }
    }
    let source = folder.path().to_str().unwrap();
    let data = read(source, Reading::default()).unwrap();
    assert_eq!(data.train.shape().dims(), [1, 2, 2]);
    assert_eq!((data.train.len(), data.test.len()), (6, 4));
    assert_eq!(data.test.sample(0)[0], 200.0 / 255.0);
    let split = Reading {
        split: Some(0.5),
        ..Reading::default()
    };
    assert!(refusal(source, split).contains("split: found one beside data that has a test part"));
}
