//! The data sets inside the binary. `assets/make.py` makes their files from the originals.

use super::series::{self, Length};
use super::{Dataset, TrainTest, idx, ts};
use crate::Result;
use crate::file::gunzip;
use std::path::Path;

macro_rules! asset {
    ($name:literal) => {
        Asset {
            name: $name,
            bytes: include_bytes!(concat!("../../assets/", $name)),
        }
    };
}

/// A file inside the binary.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its name in `assets/`.
    pub name: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// Every embedded data file.
pub const ASSETS: [Asset; 8] = [
    asset!("BasicMotions_TRAIN.ts.gz"),
    asset!("BasicMotions_TEST.ts.gz"),
    asset!("mnist-subset-train-images-idx3-ubyte.gz"),
    asset!("mnist-subset-train-labels-idx1-ubyte.gz"),
    asset!("mnist-subset-t10k-images-idx3-ubyte.gz"),
    asset!("mnist-subset-t10k-labels-idx1-ubyte.gz"),
    asset!("UciHarSubset_TRAIN.ts.gz"),
    asset!("UciHarSubset_TEST.ts.gz"),
];

/// Who made the sensor data, and its licence.
pub const BASIC_MOTIONS_ATTRIBUTION: &str =
    include_str!("../../assets/BasicMotions.attribution.txt");
/// Who made the digits, their licence, and how the subset was chosen.
pub const MNIST_SUBSET_ATTRIBUTION: &str =
    include_str!("../../assets/mnist-subset.attribution.txt");

/// Who made the activity data, its licence, and what was chosen and changed.
pub const UCI_HAR_SUBSET_ATTRIBUTION: &str =
    include_str!("../../assets/UciHarSubset.attribution.txt");

/// Smart-watch accelerometer and gyroscope: 40 + 40 cases of 6 channels and 100 steps in 4
/// classes, or of another common length.
///
/// # Errors
/// [`crate::Error::Argument`] on a length that makes no sense.
pub fn basic_motions(length: Length) -> Result<TrainTest> {
    let [train, test, ..] = ASSETS;
    series_of(train, test, length)
}

/// Smartphone accelerometer (g) and gyroscope (rad/s) at the waist, 50 Hz: 480 + 600 windows of 6
/// channels and 128 steps in 6 classes, of people who are not in both parts.
///
/// # Errors
/// [`crate::Error::Argument`] on a length that makes no sense.
pub fn uci_har_subset(length: Length) -> Result<TrainTest> {
    let [.., train, test] = ASSETS;
    series_of(train, test, length)
}

fn series_of(train: Asset, test: Asset, length: Length) -> Result<TrainTest> {
    let (path, bytes) = content(train)?;
    let train = ts::parse(path, &bytes, None)?;
    let (path, bytes) = content(test)?;
    let test = ts::parse(path, &bytes, Some(&train.classes))?;
    series::align(&train, &test, length)
}

/// The first 500 training and the first 100 test images of each MNIST digit.
///
/// # Errors
/// None in practice: the files were checked when they were made.
pub fn mnist_subset() -> Result<TrainTest> {
    let [
        _,
        _,
        train_images,
        train_labels,
        test_images,
        test_labels,
        ..,
    ] = ASSETS;
    Ok(TrainTest {
        train: mnist_part(train_images, train_labels)?,
        test: mnist_part(test_images, test_labels)?,
    })
}

fn mnist_part(images: Asset, labels: Asset) -> Result<Dataset> {
    let (image_path, image_bytes) = content(images)?;
    let (label_path, label_bytes) = content(labels)?;
    idx::parse(
        "mnist-subset",
        (image_path, &image_bytes),
        (label_path, &label_bytes),
    )
}

fn content(asset: Asset) -> Result<(&'static Path, Vec<u8>)> {
    let path = Path::new(asset.name);
    Ok((path, gunzip(path, asset.bytes.to_vec())?))
}
