//! CIFAR-10's binary batches: records of a label byte and three 32×32 planes.

use super::InputShape;
use super::idx::pixel;
use super::{Bounds, Dataset};
use crate::file::data_error;
use crate::{Result, limits};
use std::path::Path;

const CHANNELS: usize = 3;
const SIDE: usize = 32;
const RECORD: usize = 1 + CHANNELS * SIDE * SIDE;
/// In the order of `batches.meta.txt`.
const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Images and labels from the (decompressed) content of one or more batches, in their order.
///
/// Each batch is a path, named in errors, and its bytes. Pixels are divided by 255.
///
/// # Errors
/// [`crate::Error::Data`] when a batch is empty or no whole number of records, or when a label
/// is no class; [`crate::Error::Shape`] without any batch.
pub fn parse<'a>(
    name: &str,
    batches: impl IntoIterator<Item = (&'a Path, &'a [u8])>,
) -> Result<Dataset> {
    let mut samples = Vec::new();
    let mut labels = Vec::new();
    for (path, bytes) in batches {
        if bytes.is_empty() || bytes.len() % RECORD != 0 {
            return Err(data_error(
                path,
                format!("{} bytes", bytes.len()),
                format!("records of {RECORD} bytes, at least one"),
            ));
        }
        let pixels = samples.len() + bytes.len();
        limits::check(path, "pixels", pixels, size_of::<f32>())?;
        samples.reserve(bytes.len());
        for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
            let label = usize::from(record[0]);
            if label >= CLASSES.len() {
                return Err(data_error(
                    path,
                    format!("label {label} in record {index}"),
                    format!("a class below {}", CLASSES.len()),
                ));
            }
            labels.push(label);
            samples.extend(record[1..].iter().map(|&byte| pixel(byte)));
        }
    }
    let shape = InputShape::Image {
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
    };
    Dataset::new(
        name,
        CLASSES.map(String::from).to_vec(),
        shape,
        samples,
        labels,
        Some(Bounds::UNIT),
    )
}
