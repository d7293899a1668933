//! Data by name or file, from folders in every layout that is looked up.

use sgt_host::Result;
use sgt_host::data::catalog::{self, Availability, ENTRIES, Origin};
use sgt_host::data::{LoadOptions, TrainTest, data_dir, load};
use sgt_host::file::gzip;
use std::path::Path;

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn load_from(folder: &Path, name: &str) -> Result<TrainTest> {
    let options = LoadOptions {
        data_dir: Some(folder.to_path_buf()),
        ..LoadOptions::default()
    };
    load(name, &options)
}

fn refusal(result: Result<TrainTest>) -> String {
    let error = result.unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error:?}");
    error
}

const TRAIN: &str = "@classLabel true up down\n@data\n1,2,3:down\n4,5:up\n";
const TEST: &str = "@data\n6,7:up\n";

#[test]
fn a_ts_file_is_read_with_the_test_file_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Mine_TRAIN.ts", TRAIN);
    write(folder.path(), "Mine_TEST.ts.gz", gzip(TEST.as_bytes()));
    let train = folder.path().join("Mine_TRAIN.ts");
    let data = load(train.to_str().unwrap(), &LoadOptions::default()).unwrap();
    assert_eq!(data.train.name(), "Mine");
    assert_eq!(data.train.classes(), ["up", "down"]);
    assert_eq!(data.train.labels(), [1, 0]);
    assert_eq!(data.train.sample(0), [1.0, 2.0, 3.0]);
    // mean(1, 2, 3, 4, 5) = 3 pads both parts.
    assert_eq!(data.train.sample(1), [3.0, 4.0, 5.0]);
    assert_eq!(data.test.sample(0), [3.0, 6.0, 7.0]);
    assert_eq!(data.test.labels(), [0]);
}

#[test]
fn a_test_file_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.ts", TRAIN);
    write(folder.path(), "b.ts", TEST);
    let train = folder.path().join("a.ts");
    let mut options = LoadOptions {
        test: Some(folder.path().join("b.ts")),
        ..LoadOptions::default()
    };
    let data = load(train.to_str().unwrap(), &options).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 1));
    assert_eq!(
        refusal(load("basic-motions", &options)),
        "test: found a file, expected none, basic-motions has a test part of its own"
    );
    options.test = None;
    let error = refusal(load(train.to_str().unwrap(), &options));
    assert!(
        error.starts_with("split: found an empty test part"),
        "{error}"
    );
    options.test = Some(folder.path().join("c.ts"));
    let error = refusal(load(train.to_str().unwrap(), &options));
    assert!(error.contains("c.ts: found no such file"), "{error}");
}

#[test]
fn a_missing_or_foreign_test_part_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Mine_TRAIN.ts", TRAIN);
    let train = folder.path().join("Mine_TRAIN.ts");
    let load = || refusal(load(train.to_str().unwrap(), &LoadOptions::default()));
    let error = load();
    assert!(error.contains("found no Mine_TEST.ts beside it"), "{error}");
    write(folder.path(), "Mine_TEST.ts", "@data\n1:left\n");
    let error = load();
    assert!(
        error.contains("Mine_TEST.ts: found line 2: label \"left\""),
        "{error}"
    );
    write(folder.path(), "Mine_TEST.ts", "@data\n1:2:up\n");
    let error = load();
    assert!(
        error.contains("found shape 2 channels, expected the 1"),
        "{error}"
    );
}

#[test]
fn an_unknown_name_lists_the_nearest_first() {
    let error = refusal(load("mnits", &LoadOptions::default()));
    assert!(
        error.starts_with("data: found mnits, expected a file, a folder or one of mnist, "),
        "{error}"
    );
    for entry in ENTRIES {
        assert!(error.contains(entry.name));
    }
}

#[test]
fn what_is_not_there_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(load_from(folder.path(), "natops"));
    let expected = "found no natops data, expected it in one of the folders uea/NATOPS, NATOPS, \
                    Multivariate_ts/NATOPS, .; `sgt data fetch natops` gets it";
    assert!(error.ends_with(expected), "{error}");
    let error = refusal(load_from(folder.path(), "magicwand"));
    assert!(error.contains("MagicWand_TRAIN.ts"), "{error}");
    for entry in ENTRIES {
        let availability = entry.availability(folder.path());
        match entry.origin {
            Origin::Embedded => assert_eq!(availability, Availability::Embedded),
            Origin::Downloads(_) => assert_eq!(availability, Availability::Fetchable),
            Origin::Manual(how) => assert_eq!(availability, Availability::Manual(how)),
        }
    }
}

#[test]
fn series_archives_are_found_in_each_of_their_folders() {
    for place in ["uea/NATOPS", "NATOPS", "Multivariate_ts/NATOPS", "."] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &format!("{place}/NATOPS_TRAIN.ts"), TRAIN);
        assert!(refusal(load_from(folder.path(), "natops")).contains("no NATOPS_TEST.ts"));
        write(folder.path(), &format!("{place}/NATOPS_TEST.ts"), TEST);
        let data = load_from(folder.path(), "natops").unwrap();
        assert_eq!((data.train.len(), data.test.len()), (2, 1));
        assert!(data.train.is_padded());
    }
}

#[test]
fn the_magic_wand_is_cropped_so_that_lengths_tell_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let case = |steps: usize| format!("{}9:a\n", "5,".repeat(steps - 1));
    let train = format!("@data\n{}{}", case(128), case(46));
    write(folder.path(), "magicwand/MagicWand_TRAIN.ts", train);
    let test = format!("@data\n{}", case(44));
    write(folder.path(), "magicwand/MagicWand_TEST.ts", test);
    let data = load_from(folder.path(), "magicwand").unwrap();
    for part in [data.train, data.test] {
        assert_eq!(part.shape().dims(), [1, 44]);
        assert!(!part.is_padded());
        for index in 0..part.len() {
            assert_eq!(part.sample(index)[43], 9.0, "the last steps are kept");
        }
    }
}

fn idx(magic: u32, axes: &[u32], values: &[u8]) -> Vec<u8> {
    let words = [magic].into_iter().chain(axes.iter().copied());
    let header = words.flat_map(u32::to_be_bytes);
    header.chain(values.iter().copied()).collect()
}

#[test]
fn idx_files_are_found_under_either_name() {
    for (place, dot, compressed) in [
        ("mnist", '-', true),
        ("MNIST/raw", '-', false),
        (".", '.', false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: Vec<u8>| {
            if compressed {
                write(folder.path(), &format!("{place}/{name}.gz"), gzip(&bytes));
            } else {
                write(folder.path(), &format!("{place}/{name}"), bytes);
            }
        };
        put(
            &format!("train-images{dot}idx3-ubyte"),
            idx(2051, &[1, 1, 2], &[255, 0]),
        );
        assert!(refusal(load_from(folder.path(), "mnist")).contains("no train-labels-idx1-ubyte"));
        put(
            &format!("train-labels{dot}idx1-ubyte"),
            idx(2049, &[1], &[4]),
        );
        put(
            &format!("t10k-images{dot}idx3-ubyte"),
            idx(2051, &[1, 1, 2], &[0, 255]),
        );
        put(
            &format!("t10k-labels{dot}idx1-ubyte"),
            idx(2049, &[1], &[2]),
        );
        let data = load_from(folder.path(), "mnist").unwrap();
        assert_eq!(
            (data.train.labels(), data.train.samples()),
            (&[4][..], &[1.0, 0.0][..])
        );
        assert_eq!(
            (data.test.labels(), data.test.samples()),
            (&[2][..], &[0.0, 1.0][..])
        );
    }
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let whole = gzip(&idx(2051, &[1, 1, 2], &[255, 0]));
    let name = "mnist/train-images-idx3-ubyte.gz";
    write(folder.path(), name, &whole[..whole.len() - 3]);
    let error = refusal(load_from(folder.path(), "mnist"));
    assert!(
        error.contains("train-images-idx3-ubyte.gz: found gzip data cut off"),
        "{error}"
    );
}

fn cifar(label: u8) -> Vec<u8> {
    let mut record = vec![7; 3073];
    record[0] = label;
    record
}

#[test]
fn cifar_batches_are_found_whole_or_as_a_part() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "cifar10-small/train_10k.bin.gz",
        gzip(&cifar(3)),
    );
    assert!(refusal(load_from(folder.path(), "cifar10")).contains("found no test….bin"));
    write(folder.path(), "cifar10-small/test_2k.bin", cifar(4));
    let data = load_from(folder.path(), "cifar10").unwrap();
    assert_eq!(
        (data.train.labels(), data.test.labels()),
        (&[3][..], &[4][..])
    );

    // The original, once there, takes precedence and must be whole.
    for batch in [1, 2, 3, 5] {
        let name = format!("cifar-10-batches-bin/data_batch_{batch}.bin");
        write(folder.path(), &name, cifar(batch));
    }
    write(
        folder.path(),
        "cifar-10-batches-bin/test_batch.bin",
        cifar(9),
    );
    assert!(
        load_from(folder.path(), "cifar10").is_ok(),
        "a part of the original does not count"
    );
    write(
        folder.path(),
        "cifar-10-batches-bin/data_batch_4.bin",
        cifar(4),
    );
    let data = load_from(folder.path(), "cifar10").unwrap();
    assert_eq!(data.train.labels(), [1, 2, 3, 4, 5]);
    assert_eq!(data.test.labels(), [9]);
}

#[test]
fn har_folders_are_found_as_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        for signal in sgt_host::data::har::SIGNALS {
            let name = format!("UCI HAR Dataset/{part}/Inertial Signals/{signal}_{part}.txt");
            write(folder.path(), &name, "1 2 3\n");
        }
        let name = format!("UCI HAR Dataset/{part}/y_{part}.txt");
        write(folder.path(), &name, "6\n");
    }
    let data = load_from(folder.path(), "uci-har").unwrap();
    assert_eq!(data.train.shape().dims(), [9, 3]);
    assert_eq!(data.test.classes()[data.test.labels()[0]], "LAYING");
    std::fs::remove_file(folder.path().join("UCI HAR Dataset/test/y_test.txt")).unwrap();
    assert!(refusal(load_from(folder.path(), "uci-har")).contains("no y_test.txt"));
}

#[test]
fn embedded_data_need_no_folder() {
    let nowhere = Path::new("no/such/folder");
    for entry in ENTRIES {
        if matches!(entry.origin, Origin::Embedded) {
            let data = load_from(nowhere, entry.name).unwrap();
            assert_eq!([data.train.len(), data.test.len()], entry.cases);
            assert_eq!(data.train.classes().len(), entry.classes);
        }
    }
}

#[test]
fn info_tells_numbers_licence_and_place() {
    let nowhere = Path::new("no/such/folder");
    let info = catalog::info("basic-motions", nowhere).unwrap();
    let loaded = info.loaded.as_ref().unwrap();
    assert_eq!((loaded.cases, &*loaded.sample), ([40, 40], &[6, 100][..]));
    assert_eq!(info.shape.to_string(), "6 × 100");
    assert_eq!(info.availability.to_string(), "embedded");
    assert!(loaded.range.low < -1.0 && loaded.range.high > 1.0);
    let json = serde_json::to_value(&info).unwrap();
    assert_eq!(json["loaded"]["class_names"][3], "Badminton");

    let info = catalog::info("japanese-vowels", nowhere).unwrap();
    assert!(info.loaded.is_none());
    assert_eq!(info.shape.to_string(), "12 × 7–29");
    assert_eq!(info.availability, Availability::Fetchable);
    catalog::info("nothing", nowhere).unwrap_err();
}

/// The sets of the data directory, where one is given: real files in their real layouts.
#[test]
fn real_sets_have_their_published_numbers() {
    if std::env::var_os("SGT_DATA").is_none() {
        eprintln!("SGT_DATA is not set: the data sets on disk are not checked");
        return;
    }
    let folder = data_dir(None);
    let folder = &folder;
    let mut checked = Vec::new();
    for entry in ENTRIES {
        if !matches!(entry.availability(folder), Availability::Found(_)) {
            continue;
        }
        let data = load_from(folder, entry.name).unwrap();
        assert_eq!(data.train.classes().len(), entry.classes, "{}", entry.name);
        let dims = data.train.shape().dims();
        let cases = [data.train.len(), data.test.len()];
        match entry.name {
            "mnist" => {
                let counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
                assert_eq!(data.train.class_counts(), counts);
                let counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
                assert_eq!(data.test.class_counts(), counts);
                let fitted = sgt_host::data::Normalization::fit(&data.train);
                assert!((fitted.mean()[0] - 0.13066).abs() < 1e-5);
                assert!((fitted.deviation()[0] - 0.30811).abs() < 1e-5);
            }
            "cifar10" => {
                let counts = data.train.class_counts();
                assert!(counts.iter().all(|&count| count == counts[0]));
                assert_eq!(dims, [3, 32, 32]);
            }
            "natops" => {
                assert_eq!((cases, &*dims), ([180, 180], &[24, 51][..]));
                assert_eq!(data.train.class_counts(), [30; 6]);
            }
            "japanese-vowels" => {
                assert_eq!((cases, dims[0]), ([270, 370], 12));
                assert_eq!(data.train.class_counts(), [30; 9]);
                assert!(data.train.is_padded() && data.test.is_padded());
            }
            "uci-har" => assert_eq!(dims, [9, 128]),
            "magicwand" => {
                assert_eq!((cases, &*dims), ([270, 111], &[3, 44][..]));
                assert_eq!(data.train.class_counts(), [87, 61, 62, 60]);
                assert!(!data.train.is_padded() && !data.test.is_padded());
            }
            name => panic!("{name} has no published numbers here"),
        }
        checked.push(format!("{} {cases:?} {dims:?}", entry.name));
    }
    eprintln!("checked in {}: {}", folder.display(), checked.join(", "));
}
