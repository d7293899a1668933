//! The data sets known by name: what they are, whose they are, where they lie.

use super::axes::Sensors;
use super::load::{self, LoadOptions};
use super::{Bounds, Length, TrainTest, embedded};
use crate::{Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A data set known by name. The numbers are those of the whole original.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name that `--data` takes.
    pub name: &'static str,
    /// What is in it.
    pub description: &'static str,
    /// Training and test cases.
    pub cases: [usize; 2],
    /// One case.
    pub shape: CaseShape,
    /// The number of classes.
    pub classes: usize,
    /// How its files are read.
    pub(super) format: Format,
    /// Folders under the data directory that may hold it, the first found counts.
    pub(super) folders: &'static [&'static str],
    /// The common length of its series when none is asked for.
    pub(super) length: Length,
    /// What its channels are.
    pub(super) sensors: Sensors,
    /// The licence, as far as one is stated, and whom to cite.
    pub attribution: &'static str,
    /// Where it comes from.
    pub origin: Origin,
}

/// The shape of a case as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum CaseShape {
    /// `[channels, height, width]`.
    Image {
        /// Colour channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `[channels, steps]`.
    Series {
        /// Channels (sensors).
        channels: usize,
        /// Steps of the shortest series.
        shortest: usize,
        /// Steps of the longest series.
        longest: usize,
    },
}

impl std::fmt::Display for CaseShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => write!(f, "{channels} × {height} × {width}"),
            Self::Series {
                channels,
                shortest,
                longest,
            } if shortest == longest => write!(f, "{channels} × {longest}"),
            Self::Series {
                channels,
                shortest,
                longest,
            } => write!(f, "{channels} × {shortest}–{longest}"),
        }
    }
}

/// Where a data set comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// It is part of this program.
    Embedded,
    /// These downloads hold it.
    Downloads(&'static [Download]),
    /// There is no download; the text says how to get it.
    Manual(&'static str),
}

/// One file at the data set's original site.
#[derive(Clone, Copy, Debug)]
pub struct Download {
    /// Its address.
    pub url: &'static str,
    /// The sha256 of its content behind any gzip, in lower-case hexadecimal, where it is known.
    /// Where it is not, what was downloaded is read and counted before it is kept.
    pub sha256: Option<&'static str>,
    /// What is kept of it.
    pub content: Content,
}

/// What is kept of a download.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// The file itself, under this path in the data directory.
    File(&'static str),
    /// Files of an archive (zip or tar.gz).
    Archive {
        /// The folder in the data directory.
        folder: &'static str,
        /// The ends of their paths in the archive, and their paths in the folder.
        members: &'static [&'static str],
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    EmbeddedBasicMotions,
    EmbeddedMnistSubset,
    EmbeddedUciHarSubset,
    Idx,
    Cifar,
    /// The stem of the files: `STEM_TRAIN.ts` and `STEM_TEST.ts`.
    Ts(&'static str),
    Har,
}

const MNIST_ATTRIBUTION: &str = "Y. LeCun, C. Cortes, C. J. C. Burges; commonly stated as CC BY-SA 3.0. \
     Cite LeCun, Bottou, Bengio, Haffner: \"Gradient-based learning applied to document recognition\", 1998.";
const UEA_ATTRIBUTION: &str = "The archive states no licence. Cite Bagnall et al.: \
     \"The UEA multivariate time series classification archive, 2018\", arXiv:1811.00075.";

/// Every data set known by name.
pub const ENTRIES: [Entry; 9] = [
    Entry {
        name: "basic-motions",
        description: "smart-watch accelerometer and gyroscope, 10 Hz, four activities",
        cases: [40, 40],
        shape: CaseShape::Series {
            channels: 6,
            shortest: 100,
            longest: 100,
        },
        classes: 4,
        format: Format::EmbeddedBasicMotions,
        folders: &[],
        length: Length::Longest,
        sensors: MOTION_SENSORS,
        attribution: embedded::BASIC_MOTIONS_ATTRIBUTION,
        origin: Origin::Embedded,
    },
    Entry {
        name: "uci-har-subset",
        description: "smartphone accelerometer and gyroscope at the waist, 50 Hz, six activities",
        cases: [480, 600],
        shape: CaseShape::Series {
            channels: 6,
            shortest: 128,
            longest: 128,
        },
        classes: 6,
        format: Format::EmbeddedUciHarSubset,
        folders: &[],
        length: Length::Longest,
        sensors: PHONE_SENSORS,
        attribution: embedded::UCI_HAR_SUBSET_ATTRIBUTION,
        origin: Origin::Embedded,
    },
    Entry {
        name: "mnist-subset",
        description: "handwritten digits, the first 500 + 100 of each",
        cases: [5_000, 1_000],
        shape: DIGIT,
        classes: 10,
        format: Format::EmbeddedMnistSubset,
        folders: &[],
        length: Length::Longest,
        sensors: Sensors::UNKNOWN,
        attribution: embedded::MNIST_SUBSET_ATTRIBUTION,
        origin: Origin::Embedded,
    },
    Entry {
        name: "mnist",
        description: "handwritten digits",
        cases: [60_000, 10_000],
        shape: DIGIT,
        classes: 10,
        format: Format::Idx,
        folders: &["mnist", "MNIST/raw", "mnist/MNIST/raw", "."],
        length: Length::Longest,
        sensors: Sensors::UNKNOWN,
        attribution: MNIST_ATTRIBUTION,
        origin: Origin::Downloads(&MNIST_DOWNLOADS),
    },
    Entry {
        name: "cifar10",
        description: "small colour photographs of ten kinds of things",
        cases: [50_000, 10_000],
        shape: CaseShape::Image {
            channels: 3,
            height: 32,
            width: 32,
        },
        classes: 10,
        format: Format::Cifar,
        folders: &[
            "cifar10",
            "cifar-10-batches-bin",
            "cifar10/cifar-10-batches-bin",
            "cifar10-small",
        ],
        length: Length::Longest,
        sensors: Sensors::UNKNOWN,
        attribution: "No licence stated. \
             Cite A. Krizhevsky: \"Learning multiple layers of features from tiny images\", 2009.",
        origin: Origin::Downloads(&[Download {
            url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            sha256: None,
            content: Content::Archive {
                folder: "cifar-10-batches-bin",
                members: &[
                    "data_batch_1.bin",
                    "data_batch_2.bin",
                    "data_batch_3.bin",
                    "data_batch_4.bin",
                    "data_batch_5.bin",
                    "test_batch.bin",
                ],
            },
        }]),
    },
    Entry {
        name: "natops",
        description: "coordinates of hands, elbows, wrists and thumbs, six aircraft signals",
        cases: [180, 180],
        shape: CaseShape::Series {
            channels: 24,
            shortest: 51,
            longest: 51,
        },
        classes: 6,
        format: Format::Ts("NATOPS"),
        folders: &["uea/NATOPS", "NATOPS", "Multivariate_ts/NATOPS", "."],
        length: Length::Longest,
        sensors: Sensors::UNKNOWN,
        attribution: UEA_ATTRIBUTION,
        origin: Origin::Downloads(&[Download {
            url: "https://timeseriesclassification.com/aeon-toolkit/NATOPS.zip",
            sha256: None,
            content: Content::Archive {
                folder: "uea/NATOPS",
                members: &["NATOPS_TRAIN.ts", "NATOPS_TEST.ts"],
            },
        }]),
    },
    Entry {
        name: "japanese-vowels",
        description: "cepstra of two vowels spoken by nine men",
        cases: [270, 370],
        shape: CaseShape::Series {
            channels: 12,
            shortest: 7,
            longest: 29,
        },
        classes: 9,
        format: Format::Ts("JapaneseVowels"),
        folders: &[
            "uea/JapaneseVowels",
            "JapaneseVowels",
            "Multivariate_ts/JapaneseVowels",
            ".",
        ],
        length: Length::Longest,
        sensors: Sensors::UNKNOWN,
        attribution: "CC BY 4.0 at the UCI repository. Cite Kudo, Toyama, Shimbo: \
             \"Multidimensional curve classification using passing-through regions\", 1999, \
             and Bagnall et al., arXiv:1811.00075.",
        origin: Origin::Downloads(&[Download {
            url: "https://timeseriesclassification.com/aeon-toolkit/JapaneseVowels.zip",
            sha256: None,
            content: Content::Archive {
                folder: "uea/JapaneseVowels",
                members: &["JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"],
            },
        }]),
    },
    Entry {
        name: "uci-har",
        description: "smartphone accelerometer and gyroscope at the waist, 50 Hz, six activities",
        cases: [7_352, 2_947],
        shape: CaseShape::Series {
            channels: 9,
            shortest: 128,
            longest: 128,
        },
        classes: 6,
        format: Format::Har,
        folders: &[
            "uci-har",
            "UCI HAR Dataset",
            "uci-har/UCI HAR Dataset",
            "uci-har-raw",
        ],
        length: Length::Longest,
        sensors: HAR_SENSORS,
        attribution: "CC BY 4.0. Cite Anguita, Ghio, Oneto, Parra, Reyes-Ortiz: \"A public domain dataset \
             for human activity recognition using smartphones\", 2013.",
        origin: Origin::Downloads(&[Download {
            url: "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
            sha256: None,
            content: Content::Archive {
                folder: "UCI HAR Dataset",
                members: &HAR_MEMBERS,
            },
        }]),
    },
    Entry {
        name: "magicwand",
        description: "accelerometer gestures, three gestures and negatives",
        cases: [270, 111],
        shape: CaseShape::Series {
            channels: 3,
            shortest: 44,
            longest: 133,
        },
        classes: 4,
        format: Format::Ts("MagicWand"),
        folders: &["magicwand", "MagicWand", "."],
        // Many negatives are exactly 128 steps long: with padding, the length alone tells them.
        // No recording of either part is shorter than this.
        length: Length::Steps(44),
        sensors: Sensors::UNKNOWN,
        attribution: "TensorFlow's magic wand example (Apache-2.0); no licence stated for its data.",
        origin: Origin::Manual(
            "the original is TensorFlow's magic_wand recordings; convert them to \
             MagicWand_TRAIN.ts and MagicWand_TEST.ts",
        ),
    },
];

const MOTION_SENSORS: Sensors = Sensors {
    channels: &[
        ("accelerometer x", ""),
        ("accelerometer y", ""),
        ("accelerometer z", ""),
        ("gyroscope x", ""),
        ("gyroscope y", ""),
        ("gyroscope z", ""),
    ],
    rate: Some(10.0),
};

const PHONE_SENSORS: Sensors = Sensors {
    channels: &[
        ("acceleration x", "g"),
        ("acceleration y", "g"),
        ("acceleration z", "g"),
        ("angular velocity x", "rad/s"),
        ("angular velocity y", "rad/s"),
        ("angular velocity z", "rad/s"),
    ],
    rate: Some(50.0),
};

const HAR_SENSORS: Sensors = Sensors {
    channels: &[
        ("body acceleration x", "g"),
        ("body acceleration y", "g"),
        ("body acceleration z", "g"),
        ("angular velocity x", "rad/s"),
        ("angular velocity y", "rad/s"),
        ("angular velocity z", "rad/s"),
        ("acceleration x", "g"),
        ("acceleration y", "g"),
        ("acceleration z", "g"),
    ],
    rate: Some(50.0),
};

const DIGIT: CaseShape = CaseShape::Image {
    channels: 1,
    height: 28,
    width: 28,
};

const MNIST_DOWNLOADS: [Download; 4] = [
    Download {
        url: "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
        sha256: Some("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        content: Content::File("mnist/train-images-idx3-ubyte.gz"),
    },
    Download {
        url: "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
        sha256: Some("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        content: Content::File("mnist/train-labels-idx1-ubyte.gz"),
    },
    Download {
        url: "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
        sha256: Some("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        content: Content::File("mnist/t10k-images-idx3-ubyte.gz"),
    },
    Download {
        url: "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
        sha256: Some("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        content: Content::File("mnist/t10k-labels-idx1-ubyte.gz"),
    },
];

const HAR_MEMBERS: [&str; 20] = [
    "train/y_train.txt",
    "train/Inertial Signals/body_acc_x_train.txt",
    "train/Inertial Signals/body_acc_y_train.txt",
    "train/Inertial Signals/body_acc_z_train.txt",
    "train/Inertial Signals/body_gyro_x_train.txt",
    "train/Inertial Signals/body_gyro_y_train.txt",
    "train/Inertial Signals/body_gyro_z_train.txt",
    "train/Inertial Signals/total_acc_x_train.txt",
    "train/Inertial Signals/total_acc_y_train.txt",
    "train/Inertial Signals/total_acc_z_train.txt",
    "test/y_test.txt",
    "test/Inertial Signals/body_acc_x_test.txt",
    "test/Inertial Signals/body_acc_y_test.txt",
    "test/Inertial Signals/body_acc_z_test.txt",
    "test/Inertial Signals/body_gyro_x_test.txt",
    "test/Inertial Signals/body_gyro_y_test.txt",
    "test/Inertial Signals/body_gyro_z_test.txt",
    "test/Inertial Signals/total_acc_x_test.txt",
    "test/Inertial Signals/total_acc_y_test.txt",
    "test/Inertial Signals/total_acc_z_test.txt",
];

/// The entry called `name`.
///
/// # Errors
/// [`Error::Argument`] that lists the names, the nearest first.
pub fn entry(name: &str) -> Result<&'static Entry> {
    let entry = ENTRIES.iter().find(|entry| entry.name == name);
    entry.ok_or_else(|| {
        let mut names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        names.sort_by_key(|known| strsim::damerau_levenshtein(known, name));
        Error::Argument {
            argument: "data".into(),
            found: name.escape_debug().to_string(),
            expected: format!("a file, a folder or one of {}", names.join(", ")),
        }
    })
}

/// Whether a data set can be used, and how it can be got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "where")]
pub enum Availability {
    /// It is part of this program.
    Embedded,
    /// It lies in this folder.
    Found(PathBuf),
    /// `sgt data fetch NAME` gets it.
    Fetchable,
    /// The text says how to get it.
    Manual(&'static str),
}

impl std::fmt::Display for Availability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Found(folder) => write!(f, "in {}", folder.display()),
            Self::Fetchable => f.write_str("to be fetched (sgt data fetch)"),
            Self::Manual(how) => write!(f, "to be got by hand: {how}"),
        }
    }
}

impl Entry {
    /// Whether the data set can be used now, with `data_dir` as the data directory.
    pub fn availability(&self, data_dir: &Path) -> Availability {
        match (self.origin, load::folder_of(self, data_dir)) {
            (Origin::Embedded, _) => Availability::Embedded,
            (_, Some(folder)) => Availability::Found(folder),
            (Origin::Downloads(_), None) => Availability::Fetchable,
            (Origin::Manual(how), None) => Availability::Manual(how),
        }
    }
}

/// What there is to say about one data set: what `sgt data info` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub description: &'static str,
    /// Training and test cases of the whole original.
    pub cases: [usize; 2],
    /// One case.
    pub shape: CaseShape,
    /// The number of classes.
    pub classes: usize,
    /// The licence, as far as one is stated, and whom to cite.
    pub attribution: &'static str,
    /// Whether it can be used now.
    pub availability: Availability,
    /// What its files hold, when it can be used now.
    pub loaded: Option<Loaded>,
}

/// What a data set's files hold.
#[derive(Clone, Debug, Serialize)]
pub struct Loaded {
    /// Training and test cases in the files.
    pub cases: [usize; 2],
    /// One sample as models get it, `[channels, …]`.
    pub sample: Vec<usize>,
    /// The names of the classes.
    pub class_names: Vec<String>,
    /// Training cases of each class.
    pub class_counts: Vec<usize>,
    /// The values an input may take; attacks stay inside them.
    pub bounds: Option<Bounds>,
    /// The least and greatest training value.
    pub range: Bounds,
    /// True when shorter series are padded in front.
    pub padded: bool,
}

impl From<&TrainTest> for Loaded {
    fn from(data: &TrainTest) -> Self {
        Self {
            cases: [data.train.len(), data.test.len()],
            sample: data.train.shape().dims(),
            class_names: data.train.classes().to_vec(),
            class_counts: data.train.class_counts(),
            bounds: data.train.bounds(),
            range: data.train.range(),
            padded: data.train.is_padded() || data.test.is_padded(),
        }
    }
}

/// Describes the data set `name`; reads its files when they are there.
///
/// # Errors
/// As [`entry`], and as [`load::load`] when its files are damaged.
pub fn info(name: &str, data_dir: &Path) -> Result<Info> {
    let entry = entry(name)?;
    let availability = entry.availability(data_dir);
    let usable = matches!(
        availability,
        Availability::Embedded | Availability::Found(_)
    );
    let options = LoadOptions {
        data_dir: Some(data_dir.to_path_buf()),
        ..LoadOptions::default()
    };
    let loaded = if usable {
        Some(Loaded::from(&load::load(name, &options)?))
    } else {
        None
    };
    Ok(Info {
        name: entry.name,
        description: entry.description,
        cases: entry.cases,
        shape: entry.shape,
        classes: entry.classes,
        attribution: entry.attribution,
        availability,
        loaded,
    })
}
