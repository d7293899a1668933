//! The data formats, well-formed and hostile: every refusal is one line that names the file.

use proptest::prelude::*;
use sgt_host::Error;
use sgt_host::data::series::Recordings;
use sgt_host::data::{Bounds, Dataset, cifar, har, idx, ts};
use sgt_host::file::{gunzip, gzip};
use sgt_host::network::InputShape;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// The error's text, after checking what holds for every one.
fn refusal<T: Debug>(result: Result<T, Error>) -> String {
    let text = result.expect_err("must be refused").to_string();
    assert!(!text.contains('\n') && text.len() < 250, "{text:?}");
    text
}

fn idx_images(count: u32, height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let words = [0x0803, count, height, width];
    let header = words.into_iter().flat_map(u32::to_be_bytes);
    header.chain(pixels.iter().copied()).collect()
}

fn idx_labels(count: u32, labels: &[u8]) -> Vec<u8> {
    let header = [0x0801, count].into_iter().flat_map(u32::to_be_bytes);
    header.chain(labels.iter().copied()).collect()
}

fn parse_idx(images: &[u8], labels: &[u8]) -> Result<Dataset, Error> {
    let (x, y) = (Path::new("x.idx"), Path::new("y.idx"));
    idx::parse("digits", (x, images), (y, labels))
}

#[test]
fn idx_pairs_become_pixels_in_unit_range() {
    let images = idx_images(2, 1, 3, &[0, 51, 255, 1, 2, 3]);
    let data = parse_idx(&images, &idx_labels(2, &[7, 0])).unwrap();
    let shape = InputShape::Image {
        channels: 1,
        height: 1,
        width: 3,
    };
    assert_eq!(data.shape(), shape);
    assert_eq!(data.labels(), [7, 0]);
    assert_eq!(data.sample(0), [0.0, 0.2, 1.0]);
    assert_eq!(data.sample(1), [1.0 / 255.0, 2.0 / 255.0, 3.0 / 255.0]);
    assert_eq!(data.bounds(), Some(Bounds::UNIT));
    assert_eq!(data.classes().len(), 10);
}

#[test]
fn hostile_idx_is_refused_in_one_line() {
    let images = idx_images(2, 1, 2, &[0; 4]);
    let labels = idx_labels(2, &[1, 2]);
    let refuse = |images: &[u8], labels: &[u8]| refusal(parse_idx(images, labels));
    assert_eq!(
        refuse(b"", &labels),
        "x.idx: found an empty file, expected idx images (magic 2051)"
    );
    assert_eq!(
        refuse(&labels, &labels),
        r#"x.idx: found a file that begins with "\x00\x00\x08\x01", expected idx images (magic 2051)"#
    );
    assert_eq!(
        refuse(&images[..10], &labels),
        "x.idx: found a header cut off, expected idx images (magic 2051)"
    );
    assert_eq!(
        refuse(&images[..18], &labels),
        "x.idx: found 2 bytes of values, expected those of the declared sizes [2, 1, 2]"
    );
    // Declared sizes whose product overflows must not be allocated.
    let huge = idx_images(u32::MAX, u32::MAX, u32::MAX, &[0]);
    assert!(refuse(&huge, &labels).contains("1 bytes of values"));
    let none = idx_images(0, 28, 28, &[]);
    assert!(refuse(&none, &idx_labels(0, &[])).contains("at least one value"));
    assert_eq!(
        refuse(&images, &idx_labels(1, &[1])),
        "y.idx: found 1 labels, expected 2, one for each image of x.idx"
    );
    assert_eq!(
        refuse(&images, &idx_labels(2, &[1, 10])),
        "y.idx: found label 10 at 1, expected a class below 10"
    );
}

#[test]
fn cifar_batches_are_joined_in_order() {
    let record = |label: u8, first: u8| {
        let mut record = vec![0; 3073];
        (record[0], record[1], record[3072]) = (label, first, 255);
        record
    };
    let first = [record(3, 51), record(9, 0)].concat();
    let second = record(0, 255);
    let batches = [
        (Path::new("a.bin"), &*first),
        (Path::new("b.bin"), &*second),
    ];
    let data = cifar::parse("cifar10", batches).unwrap();
    assert_eq!(data.labels(), [3, 9, 0]);
    assert_eq!(data.classes()[3], "cat");
    assert_eq!(data.shape().dims(), [3, 32, 32]);
    assert_eq!((data.sample(0)[0], data.sample(2)[0]), (0.2, 1.0));
    assert_eq!(data.sample(1)[3071], 1.0);

    let refuse = |bytes: &[u8]| refusal(cifar::parse("c", [(Path::new("c.bin"), bytes)]));
    let expected = "expected records of 3073 bytes, at least one";
    assert_eq!(refuse(b""), format!("c.bin: found 0 bytes, {expected}"));
    assert_eq!(
        refuse(&first[1..]),
        format!("c.bin: found 6145 bytes, {expected}")
    );
    assert_eq!(
        refuse(&record(10, 0)),
        "c.bin: found label 10 in record 0, expected a class below 10"
    );
    refusal(cifar::parse("c", []));
}

const TS: &str = "# a comment
@problemName Toy
@TIMESTAMPS false
@dimensions 2
@equalLength false
@classLabel true walk run
@data
1,2,3:4,5,6:run
-1.5:2e1:walk
";

fn parse_ts(text: impl AsRef<[u8]>) -> Result<Recordings, Error> {
    ts::parse(Path::new("Toy_TRAIN.ts"), text.as_ref(), None)
}

#[test]
fn ts_files_keep_every_series_at_its_own_length() {
    let toy = parse_ts(TS).unwrap();
    assert_eq!((toy.name.as_str(), toy.channels), ("Toy", 2));
    assert_eq!(toy.classes, ["walk", "run"]);
    assert_eq!((toy.cases[0].label, toy.cases[0].steps), (1, 3));
    assert_eq!(toy.cases[0].values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!((toy.cases[1].label, toy.cases[1].steps), (0, 1));
    assert_eq!(toy.cases[1].values, [-1.5, 20.0]);
}

#[test]
fn ts_headers_vary_in_case_and_presence() {
    let bare = parse_ts("@data\n1,2:b\n3,4:a\n").unwrap();
    assert_eq!((bare.name.as_str(), bare.channels), ("Toy", 1));
    assert_eq!(
        bare.classes,
        ["a", "b"],
        "sorted when the header names none"
    );
    let windows = parse_ts(TS.replace('\n', "\r\n")).unwrap();
    assert_eq!(windows, parse_ts(TS).unwrap());
    let marked = parse_ts(format!("\u{feff}{TS}")).unwrap();
    assert_eq!(marked, parse_ts(TS).unwrap());
    let latin1 = [b"# Pierre-Fran\xe7ois\n", TS.as_bytes()].concat();
    assert_eq!(parse_ts(latin1).unwrap(), parse_ts(TS).unwrap());
    // Archives write the class 1 as 1 in one place and as 1.0 in the other.
    let numbers = parse_ts("@classLabel true 2.0 1.0\n@data\n5:1\n6:2\n").unwrap();
    assert_eq!([numbers.cases[0].label, numbers.cases[1].label], [1, 0]);
}

#[test]
fn the_training_file_defines_the_classes() {
    let classes = ["run".to_string(), "walk".to_string()];
    let path = Path::new("Toy_TEST.ts");
    let test = ts::parse(path, TS.as_bytes(), Some(&classes)).unwrap();
    assert_eq!([test.cases[0].label, test.cases[1].label], [0, 1]);
    let error = refusal(ts::parse(path, TS.as_bytes(), Some(&classes[..1])));
    assert_eq!(
        error,
        r#"Toy_TEST.ts: found line 9: label "walk", expected one of the classes "run""#
    );
}

#[test]
fn hostile_ts_is_refused_with_the_line() {
    let with = |old: &str, new: &str| {
        assert!(TS.contains(old));
        refusal(parse_ts(TS.replacen(old, new, 1)))
    };
    let cases = [
        (with("-1.5:2e1", "-1.5"), "line 9: 1 channels, expected 2"),
        (
            with("4,5,6", "4,5"),
            "line 8: 2 values in channel 2, expected 3, as in channel 1",
        ),
        (
            with("4,5,6", "4,?,6"),
            "line 8: a missing value (?), expected a number; --missing interpolate, mean or mask",
        ),
        (
            with("4,5", "4,nan"),
            "line 8: a missing value (nan), expected a number; --missing",
        ),
        (
            with("4,5", "4,1e99"),
            "line 8: \"1e99\", expected a finite number",
        ),
        (with("4,5", "4,,"), "line 8: \"\", expected a number"),
        (
            with(":run", ":jump"),
            "line 8: label \"jump\", expected one of",
        ),
        (
            with("1,2,3:4,5,6:run", "1 2 3"),
            "line 8: no label, expected",
        ),
        (
            with("@dimensions 2", "@dimensions 3"),
            "line 8: 2 channels, expected 3",
        ),
        (
            with("@dimensions 2", "@dimensions -2"),
            "line 4: \"-2\", expected a positive",
        ),
        (
            with("@equalLength false", "@equalLength true"),
            "line 9: 1 steps, expected 3, since the header says equal length",
        ),
        (
            with("@classLabel true", "@classLabel false"),
            "line 6: no class labels",
        ),
        (with("walk run", "run run"), "line 6: a class named twice"),
        (with("@data", "1,2,3"), "line 7: \"1,2,3\" before @data"),
        (
            with("@dimensions 2", "@targetlabel true"),
            "line 4: a regression target",
        ),
    ];
    for (error, expected) in cases {
        let expected = format!("Toy_TRAIN.ts: found {expected}");
        assert!(
            error.starts_with(&expected),
            "{error:?} is not {expected:?}"
        );
    }
    assert_eq!(
        refusal(parse_ts("")),
        "Toy_TRAIN.ts: found an empty file, expected a .ts file"
    );
    assert_eq!(
        refusal(parse_ts("@problemName x\n")),
        "Toy_TRAIN.ts: found no @data line, expected a .ts file"
    );
    assert_eq!(
        refusal(parse_ts("@data\n\n")),
        "Toy_TRAIN.ts: found no case after @data, expected at least one"
    );
    assert_eq!(
        refusal(parse_ts(b"@data\n1,\xff:a\n")),
        "Toy_TRAIN.ts: found line 2: bytes that are not UTF-8, expected text in UTF-8"
    );
    let long = format!("@data\n{}:a\n", "x".repeat(100_000));
    assert!(refusal(parse_ts(long)).contains("\"xxxx"));
}

#[test]
fn class_names_with_blanks_are_put_together_and_no_label_is_none() {
    let header = "@classLabel true Walk Up Sit\n@data\n";
    let named = parse_ts(format!("{header}1:Walk Up\n2:Sit\n")).unwrap();
    assert_eq!(named.classes, ["Walk Up", "Sit"]);
    assert_eq!(
        refusal(parse_ts(format!("{header}1:Walk Up\n2:\n"))),
        "Toy_TRAIN.ts: found line 4: label \"\", expected one of the classes \"Walk Up Sit\""
    );
}

fn parse_har(signals: [&str; 9], labels: &str) -> Result<Recordings, Error> {
    let paths: Vec<PathBuf> = har::SIGNALS.iter().map(PathBuf::from).collect();
    let files = std::array::from_fn(|i| (&*paths[i], signals[i].as_bytes()));
    har::parse("uci-har", &files, (Path::new("y"), labels.as_bytes()))
}

#[test]
fn har_folders_become_nine_channels() {
    let lines: Vec<String> = (0..9).map(|c| format!("  {c}.5 1\n2 3e-1 \n")).collect();
    let signals = std::array::from_fn(|channel| lines[channel].as_str());
    let har = parse_har(signals, "5\n1\n").unwrap();
    assert_eq!((har.channels, har.cases.len()), (9, 2));
    assert_eq!(har.classes[har.cases[0].label], "STANDING");
    assert_eq!(har.classes[har.cases[1].label], "WALKING");
    assert_eq!(har.cases[0].steps, 2);
    assert_eq!(har.cases[0].values[..4], [0.5, 1.0, 1.5, 1.0]);
    assert_eq!(har.cases[1].values[16..], [2.0, 0.3]);
}

#[test]
fn hostile_har_folders_are_refused_with_file_and_line() {
    let good = "1 2\n3 4\n";
    let with = |text: &str| {
        let mut signals = [good; 9];
        signals[8] = text;
        refusal(parse_har(signals, "1\n2\n"))
    };
    let ends = [
        (
            with("1 2\n"),
            "total_acc_z: found 1 windows, expected 2, one a label",
        ),
        (
            with(""),
            "total_acc_z: found no line, expected at least one",
        ),
        (
            with("1 2\n3\n"),
            "total_acc_z: found line 2: 1 values, expected 2, as in the first window",
        ),
        (
            with("1 2 3\n3 4\n"),
            "total_acc_z: found line 1: 3 values, expected 2, as in the first window",
        ),
        (
            with("1 2\n3 inf\n"),
            "total_acc_z: found line 2: \"inf\", expected a finite number",
        ),
        (
            refusal(parse_har([good; 9], "1\n7\n")),
            "y: found line 2: label \"7\", expected a label from 1 to 6",
        ),
        (
            refusal(parse_har([good; 9], "1\nx\n")),
            "y: found line 2: label \"x\", expected a label from 1 to 6",
        ),
    ];
    for (error, expected) in ends {
        assert_eq!(error, expected);
    }
}

#[test]
fn gzip_is_told_by_content_and_checked_by_name() {
    let path = Path::new("a.ts.gz");
    let bytes = gzip(TS.as_bytes());
    assert_eq!(gunzip(path, bytes.clone()).unwrap(), TS.as_bytes());
    assert_eq!(
        gunzip(Path::new("a"), bytes.clone()).unwrap(),
        TS.as_bytes()
    );
    assert_eq!(gunzip(Path::new("a.ts"), TS.into()).unwrap(), TS.as_bytes());
    let joined = [gzip(b"ab"), gzip(b"c")].concat();
    assert_eq!(gunzip(path, joined).unwrap(), b"abc");

    assert_eq!(
        refusal(gunzip(path, Vec::new())),
        "a.ts.gz: found an empty file, expected gzip data"
    );
    assert_eq!(
        refusal(gunzip(path, b"@data".to_vec())),
        "a.ts.gz: found a file that begins with \"@data\", expected gzip data"
    );
    for cut in [3, 12, bytes.len() / 2, bytes.len() - 1] {
        let error = refusal(gunzip(path, bytes[..cut].to_vec()));
        let expected = format!("found gzip data cut off after {cut} bytes");
        assert!(error.contains(&expected), "{error}");
    }
    let mut damaged = bytes.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 0xff;
    assert!(refusal(gunzip(path, damaged)).contains("found damaged gzip data"));
}

/// Well-formed content with some bytes changed and its end cut off: what a parser meets behind
/// its first checks.
fn damaged(bytes: &[u8], flips: &[(prop::sample::Index, u8)], cut: prop::sample::Index) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, byte) in flips {
        let place = place.index(bytes.len());
        bytes[place] = *byte;
    }
    let kept = cut.index(bytes.len() + 1);
    if kept.is_multiple_of(2) {
        bytes.truncate(kept);
    }
    bytes
}

proptest! {
    #[test]
    fn no_damage_makes_a_parser_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let path = Path::new("x");
        let hit = |bytes: &[u8]| damaged(bytes, &flips, cut);
        let images = idx_images(2, 2, 2, &[0, 1, 2, 3, 4, 5, 6, 7]);
        let labels = idx_labels(2, &[7, 0]);
        let signals = [hit(b"1 2\n3 4\n"), b"1 2\n3 4\n".to_vec()];
        let files = std::array::from_fn(|i| (path, &*signals[usize::from(i != 4)]));
        let errors = [
            parse_idx(&hit(&images), &labels).err(),
            parse_idx(&images, &hit(&labels)).err(),
            parse_idx(&noise, &labels).err(),
            parse_ts(hit(TS.as_bytes())).err(),
            parse_ts(&noise).err(),
            cifar::parse("c", [(path, &*noise)]).err(),
            har::parse("h", &files, (path, b"1\n2\n")).err(),
            har::parse("h", &[(path, b"1 2\n3 4\n".as_slice()); 9], (path, &hit(b"1\n2\n"))).err(),
            gunzip(path, hit(&gzip(TS.as_bytes()))).err(),
        ];
        for error in errors.into_iter().flatten() {
            let text = error.to_string();
            prop_assert!(!text.contains('\n') && text.len() < 400, "{:?}", text);
        }
    }
}
