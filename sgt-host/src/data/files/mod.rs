//! A person's own files as data sets: which format, which parts, what was found out.

mod arrays;
mod cases;
mod csv_recordings;
mod input;
mod leaks;
mod pictures;
mod stream;

pub use csv_recordings::{RecordingFile, Recordings, WindowRule};
pub use input::{FileSamples, read_array, read_samples};
pub use stream::{Stream, StreamWindow};

use super::TrainTest;
use super::load::LoadOptions;
use crate::file::{data_error, files_below, parent};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The formats that a person's own files may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// UEA's `.ts`.
    Ts,
    /// UEA's `.arff`.
    Arff,
    /// `.csv` or `.tsv`, or a folder of them.
    Csv,
    /// `.npz` with `x` and `y`.
    Npz,
    /// Two `.npy` files, separated by a comma.
    NpyPair,
    /// A folder with a folder of PNG or JPEG files for each class.
    Pictures,
}

/// The endings of each format.
const TABLES: [&str; 3] = ["csv", "tsv", "tab"];
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];
/// Folders below a folder that are looked into.
const DEPTH: usize = 3;

/// The format of what `--data` names, when it can only be files.
pub fn format_of(source: &str) -> Option<FileFormat> {
    if let Some((x, y)) = source.split_once(',') {
        let is_array = |name: &str| ending(Path::new(name.trim())) == "npy";
        return (is_array(x) && is_array(y)).then_some(FileFormat::NpyPair);
    }
    let path = Path::new(source);
    if path.is_dir() {
        let files = files_below(path, DEPTH).unwrap_or_default();
        let has = |endings: &[&str]| files.iter().any(|file| endings.contains(&&*ending(file)));
        return if has(&TABLES) {
            Some(FileFormat::Csv)
        } else if has(&PICTURES) {
            Some(FileFormat::Pictures)
        } else {
            None
        };
    }
    match &*ending(path) {
        "ts" => Some(FileFormat::Ts),
        "arff" => Some(FileFormat::Arff),
        "npz" => Some(FileFormat::Npz),
        table if TABLES.contains(&table) => Some(FileFormat::Csv),
        _ => None,
    }
}

/// The ending of a file's name in lower case, without `.gz`.
pub(super) fn ending(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let plain = Path::new(name.strip_suffix(".gz").unwrap_or(&name));
    let ending = plain.extension().unwrap_or_default();
    ending.to_string_lossy().into_owned()
}

/// The file's name without its endings.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = plain.rsplit_once('.').map_or(plain, |(stem, _)| stem);
    stem.to_string()
}

/// The data set's name: that of its file without `_TRAIN`.
pub(super) fn data_name(path: &Path) -> String {
    let stem = if path.is_dir() {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        name.into_owned()
    } else {
        stem(path)
    };
    stem.strip_suffix("_TRAIN").unwrap_or(&stem).to_string()
}

/// Where the parts of a person's own data lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) train: PathBuf,
    /// A test part of its own, if there is one.
    pub(super) test: Option<PathBuf>,
}

/// The training and the test part of what `--data` names: `options.test`; else `NAME_TEST` beside
/// `NAME_TRAIN`, or `test` beside `train` in a folder; else none.
pub(super) fn parts(path: &Path, options: &LoadOptions) -> Parts {
    if let Some(test) = &options.test {
        return Parts {
            train: path.into(),
            test: Some(test.clone()),
        };
    }
    if path.is_dir() {
        for name in ["test", "TEST", "Test", "val"] {
            let (train, test) = (path.join(train_beside(name)), path.join(name));
            if train.is_dir() && test.is_dir() {
                return Parts {
                    train,
                    test: Some(test),
                };
            }
        }
    }
    Parts {
        train: path.into(),
        test: test_beside(path),
    }
}

fn train_beside(test: &str) -> &'static str {
    match test {
        "TEST" => "TRAIN",
        "Test" => "Train",
        _ => "train",
    }
}

/// `NAME_TEST.ext` beside `NAME_TRAIN.ext`, either of them with or without `.gz`.
fn test_beside(train: &Path) -> Option<PathBuf> {
    let name = train.file_name()?.to_string_lossy();
    let (stem, end) = name.rsplit_once("_TRAIN.")?;
    let plain = end.strip_suffix(".gz").unwrap_or(end);
    let test = parent(train).join(format!("{stem}_TEST.{plain}"));
    let packed = parent(train).join(format!("{stem}_TEST.{plain}.gz"));
    [test, packed].into_iter().find(|path| path.is_file())
}

/// Reads a person's own files.
///
/// # Errors
/// [`Error::Data`] when they are not there or damaged, [`Error::Argument`] for options that do not fit,
/// [`Error::Io`].
pub(super) fn load(source: &str, format: FileFormat, options: &LoadOptions) -> Result<TrainTest> {
    options.reading.check()?;
    let path = Path::new(source);
    if format == FileFormat::NpyPair {
        return arrays::load_pair(source, options);
    }
    if !path.exists() {
        return Err(data_error(path, "no such file", "a file or a folder"));
    }
    let parts = parts(path, options);
    if let Some(test) = &parts.test
        && !test.exists()
    {
        return Err(data_error(test, "no such file", "a test part"));
    }
    if parts.test.is_some() {
        no_split(options)?;
    } else {
        no_forgotten_test(path, options)?;
    }
    match format {
        FileFormat::Ts | FileFormat::Arff => cases::load(&parts, options),
        FileFormat::Csv => csv_recordings::load(&parts, options),
        FileFormat::Npz => arrays::load_npz(&parts, options),
        FileFormat::Pictures => pictures::load(&parts, options),
        FileFormat::NpyPair => arrays::load_pair(source, options),
    }
}

/// Refuses a file whose name promises a test part that is not there, unless a split is asked for.
fn no_forgotten_test(path: &Path, options: &LoadOptions) -> Result<()> {
    let reading = &options.reading;
    let asked = reading.split.is_some() || reading.fold.is_some() || !reading.leave_out.is_empty();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit_once("_TRAIN.") {
        Some((stem, end)) if !asked && path.is_file() && !end.starts_with("npz") => {
            let end = end.strip_suffix(".gz").unwrap_or(end);
            Err(data_error(
                path,
                format!("no {stem}_TEST.{end} beside it"),
                "one, a test file named by --test, or --split",
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses a split beside a test part of its own.
fn no_split(options: &LoadOptions) -> Result<()> {
    let reading = &options.reading;
    let asked = [
        (reading.split.is_some(), "split"),
        (reading.fold.is_some(), "fold"),
        (!reading.leave_out.is_empty(), "leave-out"),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        None => Ok(()),
        Some((_, key)) => Err(Error::Argument {
            argument: key.into(),
            found: "one beside data that has a test part".into(),
            expected: "none: the test part is held out already".into(),
        }),
    }
}
