//! MNIST's idx format: a big-endian magic number and axes, then bytes.

use super::InputShape;
use super::{Bounds, Dataset};
use crate::file::{data_error, excerpt};
use crate::{Result, limits};
use std::path::Path;

const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;
/// MNIST and the sets that took over its format have ten classes, named by their numbers.
const CLASSES: usize = 10;

/// Images and labels from the (decompressed) content of an idx pair.
///
/// Each of the pair is a path, named in errors, and its bytes. Pixels are divided by 255.
///
/// # Errors
/// [`crate::Error::Data`] on a wrong magic number, a size that is not the declared one, another
/// number of labels than of images, or a label that is no digit.
pub fn parse(name: &str, images: (&Path, &[u8]), labels: (&Path, &[u8])) -> Result<Dataset> {
    let ([count, height, width], pixels) = body::<3>(images, IMAGES, "idx images (magic 2051)")?;
    let ([label_count], label_bytes) = body::<1>(labels, LABELS, "idx labels (magic 2049)")?;
    if count != label_count {
        return Err(data_error(
            labels.0,
            format!("{label_count} labels"),
            format!("{count}, one for each image of {}", images.0.display()),
        ));
    }
    if let Some(index) = label_bytes.iter().position(|&l| usize::from(l) >= CLASSES) {
        return Err(data_error(
            labels.0,
            format!("label {} at {index}", label_bytes[index]),
            format!("a class below {CLASSES}"),
        ));
    }
    limits::check(images.0, "pixels", pixels.len(), size_of::<f32>())?;
    let shape = InputShape::Image {
        channels: 1,
        height,
        width,
    };
    Dataset::new(
        name,
        (0..CLASSES).map(|class| class.to_string()).collect(),
        shape,
        pixels.iter().map(|&byte| pixel(byte)).collect(),
        label_bytes.iter().map(|&label| label.into()).collect(),
        Some(Bounds::UNIT),
    )
}

/// A byte as a pixel in `[0, 1]`.
pub(super) fn pixel(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

/// The axes, all positive, and exactly as many bytes as they count.
fn body<'a, const AXES: usize>(
    (path, bytes): (&Path, &'a [u8]),
    magic: u32,
    expected: &str,
) -> Result<([usize; AXES], &'a [u8])> {
    let word = |index: usize| {
        let bytes = bytes.get(index * 4..index * 4 + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if word(0) != Some(magic) {
        let found = if bytes.is_empty() {
            "an empty file".into()
        } else {
            format!(
                "a file that begins with {}",
                excerpt(&bytes[..bytes.len().min(4)])
            )
        };
        return Err(data_error(path, found, expected));
    }
    let mut axes = [0; AXES];
    for (index, axis) in axes.iter_mut().enumerate() {
        let size = word(index + 1);
        let size = size.ok_or_else(|| data_error(path, "a header cut off", expected))?;
        *axis = size as usize;
    }
    let values = &bytes[4 + 4 * AXES..];
    let declared = axes
        .iter()
        .try_fold(1_usize, |product, &axis| product.checked_mul(axis));
    if declared == Some(0) {
        return Err(data_error(
            path,
            format!("sizes {axes:?}"),
            "at least one value",
        ));
    }
    if declared != Some(values.len()) {
        return Err(data_error(
            path,
            format!("{} bytes of values", values.len()),
            format!("those of the declared sizes {axes:?}"),
        ));
    }
    Ok((axes, values))
}
