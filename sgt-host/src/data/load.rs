//! Data by name or file.

use super::catalog::{self, Entry, Format, Origin};
use super::series::{self, Length, Recordings};
use super::{Dataset, Reading, TrainTest, cifar, embedded, files, har, idx, synthetic, ts};
use crate::file::{data_error, io_error, read_decompressed};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The environment variable that names the data directory.
pub const DATA_DIR_VARIABLE: &str = "SGT_DATA";

/// How [`load`] reads.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The data directory; `None` takes [`data_dir`]'s answer.
    pub data_dir: Option<PathBuf>,
    /// The test file beside a training file; `None` takes `NAME_TEST.ts` beside `NAME_TRAIN.ts`.
    pub test: Option<PathBuf>,
    /// The common length of series; `None` takes the data set's own: [`Length::Longest`], but
    /// that of the shortest recording where the length would give a class away (`magicwand`).
    pub length: Option<Length>,
    /// How a person's own files become samples.
    pub reading: Reading,
}

/// The data directory: `chosen` if given, else what `SGT_DATA` says, else `./data`.
pub fn data_dir(chosen: Option<&Path>) -> PathBuf {
    match (chosen, std::env::var_os(DATA_DIR_VARIABLE)) {
        (Some(chosen), _) => chosen.to_path_buf(),
        (None, Some(folder)) if !folder.is_empty() => folder.into(),
        _ => PathBuf::from("data"),
    }
}

/// Reads a data set: a name of the [`catalog`], a person's own files ([`files`](mod@files)), or a
/// generated one, `synthetic:NAME?key=value` ([`synthetic`]).
///
/// Of a pair of files the classes and the length of the training part count.
///
/// # Errors
/// [`Error::Argument`] when it is neither, [`Error::Data`] when the data set is not in the data
/// directory or a file is damaged (see the parsers), [`Error::Io`].
pub fn load(name_or_file: &str, options: &LoadOptions) -> Result<TrainTest> {
    if name_or_file.starts_with(synthetic::SCHEME) {
        return generate(name_or_file, options);
    }
    let unknown = match catalog::entry(name_or_file) {
        Ok(entry) if options.test.is_none() => {
            if !options.reading.is_default() {
                return Err(Error::Argument {
                    argument: "data.reading".into(),
                    found: format!("options of one's own files beside {}", entry.name),
                    expected: "none: how a named set is read is known".into(),
                });
            }
            return load_entry(entry, options);
        }
        Ok(entry) => {
            return Err(Error::Argument {
                argument: "test".into(),
                found: "a file".into(),
                expected: format!("none, {} has a test part of its own", entry.name),
            });
        }
        Err(unknown) => unknown,
    };
    match files::format_of(name_or_file) {
        Some(format) => files::load(name_or_file, format, options),
        None if Path::new(name_or_file).is_dir() => Err(data_error(
            Path::new(name_or_file),
            "a folder without data",
            "CSV files, or pictures in class folders",
        )),
        None => Err(unknown),
    }
}

/// The files that [`load`] reads for a person's own data: training and test part; the name itself,
/// twice, where one file or a name holds both.
pub fn files_of(name_or_file: &str, options: &LoadOptions) -> [PathBuf; 2] {
    let path = Path::new(name_or_file);
    let parts = files::parts(path, options);
    let test = parts.test.unwrap_or_else(|| path.into());
    [parts.train, test]
}

/// True when `name` can only be the path of a file or folder.
#[cfg(feature = "cli")]
pub(crate) fn is_file(name: &str) -> bool {
    files::format_of(name).is_some()
}

/// A generated set has its own test part, and series of one length.
fn generate(source: &str, options: &LoadOptions) -> Result<TrainTest> {
    let request: synthetic::Synthetic = source.parse()?;
    let surplus = match (&options.test, options.length) {
        (Some(_), _) => Some("test"),
        (None, Some(_)) => Some("length"),
        (None, None) if !options.reading.is_default() => Some("data.reading"),
        (None, None) => None,
    };
    if let Some(argument) = surplus {
        return Err(Error::Argument {
            argument: argument.into(),
            found: format!("one beside {source}"),
            expected: "none, generated data has its own".into(),
        });
    }
    Ok(request.generate()?.into_data())
}

fn load_ts(train: &Path, test: &Path, length: Length) -> Result<TrainTest> {
    let train = ts::parse(train, &read_decompressed(train)?, None)?;
    let test = ts::parse(test, &read_decompressed(test)?, Some(&train.classes))?;
    series::align(&train, &test, length)
}

fn load_entry(entry: &Entry, options: &LoadOptions) -> Result<TrainTest> {
    let TrainTest { train, test } = load_samples(entry, options)?;
    let axes = entry.sensors.axes();
    Ok(TrainTest {
        train: train.with_axes(axes.clone())?,
        test: test.with_axes(axes)?,
    })
}

fn load_samples(entry: &Entry, options: &LoadOptions) -> Result<TrainTest> {
    let length = options.length.unwrap_or(entry.length);
    let folder = || required_folder(entry, &data_dir(options.data_dir.as_deref()));
    match entry.format {
        Format::EmbeddedBasicMotions => embedded::basic_motions(length),
        Format::EmbeddedUciHarSubset => embedded::uci_har_subset(length),
        Format::EmbeddedMnistSubset => embedded::mnist_subset(),
        Format::Idx => {
            let folder = folder()?;
            Ok(TrainTest {
                train: load_idx(entry.name, &folder, "train")?,
                test: load_idx(entry.name, &folder, "t10k")?,
            })
        }
        Format::Cifar => {
            let folder = folder()?;
            Ok(TrainTest {
                train: load_cifar(entry.name, &folder, Part::Train)?,
                test: load_cifar(entry.name, &folder, Part::Test)?,
            })
        }
        Format::Har => {
            let folder = folder()?;
            let train = load_har(entry.name, &folder, "train")?;
            series::align(&train, &load_har(entry.name, &folder, "test")?, length)
        }
        Format::Ts(stem) => {
            let folder = folder()?;
            let train = required(&folder, &format!("{stem}_TRAIN.ts"))?;
            let test = required(&folder, &format!("{stem}_TEST.ts"))?;
            load_ts(&train, &test, length)
        }
    }
}

fn required_folder(entry: &Entry, data_dir: &Path) -> Result<PathBuf> {
    folder_of(entry, data_dir).ok_or_else(|| {
        let how = match entry.origin {
            Origin::Manual(how) => how.to_string(),
            _ => format!("`sgt data fetch {}` gets it", entry.name),
        };
        data_error(
            data_dir,
            format!("no {} data", entry.name),
            format!(
                "it in one of the folders {}; {how}",
                entry.folders.join(", ")
            ),
        )
    })
}

/// The folder that holds the files of `entry`: the first that has its first training file.
pub(super) fn folder_of(entry: &Entry, data_dir: &Path) -> Option<PathBuf> {
    let mut folders = entry.folders.iter().map(|&folder| match folder {
        "." => data_dir.to_path_buf(),
        _ => data_dir.join(folder),
    });
    folders.find(|folder| match entry.format {
        Format::Idx => idx_file(folder, "train", "images", 3).is_some(),
        Format::Cifar => cifar_files(folder, Part::Train).is_ok_and(|files| !files.is_empty()),
        Format::Ts(stem) => existing(folder, &format!("{stem}_TRAIN.ts")).is_some(),
        Format::Har => existing(&signals(folder, "train"), "body_acc_x_train.txt").is_some(),
        Format::EmbeddedBasicMotions
        | Format::EmbeddedMnistSubset
        | Format::EmbeddedUciHarSubset => false,
    })
}

/// `name` or `name.gz` in `folder`, whichever is a file.
fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = folder.join(name);
    let compressed = folder.join(format!("{name}.gz"));
    [plain, compressed].into_iter().find(|path| path.is_file())
}

fn required(folder: &Path, name: &str) -> Result<PathBuf> {
    existing(folder, name)
        .ok_or_else(|| data_error(folder, format!("no {name}"), format!("{name} or {name}.gz")))
}

/// Sites and tools write both `train-images-idx3-ubyte` and `train-images.idx3-ubyte`.
fn idx_file(folder: &Path, part: &str, what: &str, axes: usize) -> Option<PathBuf> {
    ['-', '.']
        .into_iter()
        .find_map(|dot| existing(folder, &format!("{part}-{what}{dot}idx{axes}-ubyte")))
}

fn load_idx(name: &str, folder: &Path, part: &str) -> Result<Dataset> {
    let read = |what: &str, axes: usize| {
        let path = idx_file(folder, part, what, axes).ok_or_else(|| {
            let name = format!("{part}-{what}-idx{axes}-ubyte");
            data_error(folder, format!("no {name}"), format!("{name} or {name}.gz"))
        })?;
        let bytes = read_decompressed(&path)?;
        Ok::<_, Error>((path, bytes))
    };
    let (image_path, images) = read("images", 3)?;
    let (label_path, labels) = read("labels", 1)?;
    idx::parse(name, (&image_path, &images), (&label_path, &labels))
}

#[derive(Clone, Copy)]
enum Part {
    Train,
    Test,
}

/// The original's batches, or else every `train….bin` or `test….bin`, in the order of names.
fn cifar_files(folder: &Path, part: Part) -> Result<Vec<PathBuf>> {
    const BATCHES: [&str; 5] = [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ];
    if existing(folder, BATCHES[0]).is_some() {
        return match part {
            Part::Train => BATCHES.iter().map(|name| required(folder, name)).collect(),
            Part::Test => Ok(vec![required(folder, "test_batch.bin")?]),
        };
    }
    let prefix = match part {
        Part::Train => "train",
        Part::Test => "test",
    };
    let entries = std::fs::read_dir(folder).map_err(|source| io_error(folder, "list", source))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let plain = Path::new(name.strip_suffix(".gz").unwrap_or(&name));
            let batch = plain.extension().is_some_and(|ending| ending == "bin");
            batch && name.starts_with(prefix) && path.is_file()
        })
        .collect();
    files.sort();
    // One of NAME and NAME.gz, as `existing` has it; they are neighbours.
    files.dedup_by(|packed, plain| packed.with_extension("") == *plain);
    Ok(files)
}

fn load_cifar(name: &str, folder: &Path, part: Part) -> Result<Dataset> {
    let files = cifar_files(folder, part)?;
    if files.is_empty() {
        return Err(data_error(
            folder,
            "no test….bin",
            "one beside the training batches",
        ));
    }
    let mut batches = Vec::new();
    for path in files {
        let bytes = read_decompressed(&path)?;
        batches.push((path, bytes));
    }
    cifar::parse(
        name,
        batches.iter().map(|(path, bytes)| (&**path, &**bytes)),
    )
}

fn signals(folder: &Path, part: &str) -> PathBuf {
    folder.join(part).join("Inertial Signals")
}

fn load_har(name: &str, folder: &Path, part: &str) -> Result<Recordings> {
    let mut files = Vec::with_capacity(har::SIGNALS.len());
    for signal in har::SIGNALS {
        let path = required(&signals(folder, part), &format!("{signal}_{part}.txt"))?;
        let bytes = read_decompressed(&path)?;
        files.push((path, bytes));
    }
    let labels = required(&folder.join(part), &format!("y_{part}.txt"))?;
    let label_bytes = read_decompressed(&labels)?;
    let files = std::array::from_fn(|index| {
        let (path, bytes) = &files[index];
        (&**path, &**bytes)
    });
    har::parse(name, &files, (&labels, &label_bytes))
}
