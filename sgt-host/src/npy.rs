//! Array files, `.npy` as `numpy.save` writes them.
//!
//! Read: `f4`, `f8`, `i1` to `i8`, `u1` to `u8`, either byte order, C or Fortran order, all
//! converted to `f32` in C order. Written: little-endian `f4` or `u8` in C order.

use crate::file::{data_error, excerpt, read_decompressed, write_atomic};
use crate::{Error, Result};
use ndarray::ArrayD;
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyExt, ReadableElement, WriteNpyExt};
use std::path::Path;

/// The longest header that is parsed. `numpy.load` refuses longer ones, too; the parser of the
/// header's Python literal recurses, so a hostile one could exhaust the stack.
const MAX_HEADER: usize = 10_000;
/// The deepest bracket nesting that is parsed: `{'shape': (1, 2)}` needs two.
const MAX_NESTING: usize = 8;

/// Values and shape of an array, in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The axes, outermost first.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values.
    pub values: Vec<f32>,
}

/// Reads the array in the file `path` (gzip is accepted).
///
/// # Errors
/// [`Error::Io`], and [`Error::Data`] as [`parse`].
pub fn read(path: &Path) -> Result<Array> {
    parse(path, &read_decompressed(path)?)
}

/// Parses an array of numbers. `path` is only named in errors.
///
/// 64-bit values are rounded to the nearest `f32`.
///
/// # Errors
/// [`Error::Data`] when the header is damaged, the element type is none of those above, the data
/// are longer or shorter than the shape says, or a value is NaN or infinite as an `f32`.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Array> {
    let header = parse_header(path, bytes)?;
    let descriptor = header.descriptor.as_str();
    let values = match descriptor.trim_start_matches(['<', '>', '|', '=']) {
        "f4" => elements::<f32>(path, bytes, |v| v)?,
        "f8" => elements::<f64>(path, bytes, |v| v as f32)?,
        "u1" => elements::<u8>(path, bytes, f32::from)?,
        "i1" => elements::<i8>(path, bytes, f32::from)?,
        "u2" => elements::<u16>(path, bytes, f32::from)?,
        "i2" => elements::<i16>(path, bytes, f32::from)?,
        "u4" => elements::<u32>(path, bytes, |v| v as f32)?,
        "i4" => elements::<i32>(path, bytes, |v| v as f32)?,
        "u8" => elements::<u64>(path, bytes, |v| v as f32)?,
        "i8" => elements::<i64>(path, bytes, |v| v as f32)?,
        _ => {
            return Err(data_error(
                path,
                format!("elements of type {}", excerpt(descriptor)),
                "f4, f8 or integers",
            ));
        }
    };
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(data_error(
            path,
            format!("{} at value {index}", values[index]),
            "finite values",
        ));
    }
    Ok(Array {
        shape: header.shape,
        values,
    })
}

/// Reads the labels `[samples]` in the file `path`; every one is below `classes`.
///
/// # Errors
/// [`Error::Io`], and [`Error::Data`] as [`parse_labels`].
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<usize>> {
    parse_labels(path, &read_decompressed(path)?, classes)
}

/// Parses labels `[samples]`, integers (of a float type, too) below `classes`.
///
/// # Errors
/// [`Error::Data`] as [`parse`], on more than one axis, and on a label that is no class.
pub fn parse_labels(path: &Path, bytes: &[u8], classes: usize) -> Result<Vec<usize>> {
    let array = parse(path, bytes)?;
    if array.shape.len() != 1 {
        return Err(data_error(
            path,
            format!("shape {:?}", array.shape),
            "labels of shape [samples]",
        ));
    }
    let label = |(index, &value): (usize, &f32)| {
        if value >= 0.0 && value < classes as f32 && value.fract() == 0.0 {
            return Ok(value as usize);
        }
        Err(data_error(
            path,
            format!("label {value} at {index}"),
            format!("a class below {classes}"),
        ))
    };
    array.values.iter().enumerate().map(label).collect()
}

/// Writes `values` of `shape` as little-endian `f4`, whole or not at all.
///
/// # Errors
/// [`Error::Shape`] when the shape does not count the values, [`Error::Io`].
pub fn write(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    write_atomic(path, &encode(shape, values.to_vec())?)
}

/// Writes `labels` as little-endian `u8` of shape `[samples]`, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_labels(path: &Path, labels: &[usize]) -> Result<()> {
    let labels: Vec<u64> = labels.iter().map(|&label| label as u64).collect();
    write_atomic(path, &encode(&[labels.len()], labels)?)
}

fn encode<T: ndarray_npy::WritableElement>(shape: &[usize], values: Vec<T>) -> Result<Vec<u8>> {
    let count = values.len();
    let mismatch = |_| Error::Shape {
        operation: "write npy",
        found: format!("{count} values"),
        expected: format!("the shape {shape:?}"),
    };
    let array = ArrayD::from_shape_vec(shape, values).map_err(mismatch)?;
    let mut bytes = Vec::new();
    array
        .write_npy(&mut bytes)
        .map_err(|error| Error::Argument {
            argument: "npy".into(),
            found: error.to_string(),
            expected: "an array that can be written".into(),
        })?;
    Ok(bytes)
}

struct CheckedHeader {
    descriptor: String,
    shape: Vec<usize>,
}

/// Checks everything that a parser or an allocation relies on, before either runs.
fn parse_header(path: &Path, bytes: &[u8]) -> Result<CheckedHeader> {
    let damaged = || {
        data_error(
            path,
            format!("a damaged npy header {}", excerpt(bytes)),
            "a header with descr, fortran_order and shape",
        )
    };
    if !bytes.starts_with(b"\x93NUMPY") {
        let found = if bytes.is_empty() {
            "an empty file".into()
        } else {
            format!("a file that begins with {}", excerpt(bytes))
        };
        return Err(data_error(path, found, "a NumPy array (.npy)"));
    }
    let (length, start): (usize, usize) = match *bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (usize::from(u16::from_le_bytes([a, b])), 10),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d, ..] => {
            (u32::from_le_bytes([a, b, c, d]) as usize, 12)
        }
        _ => return Err(damaged()),
    };
    let text = bytes.get(start..start.saturating_add(length));
    let text = text.filter(|text| text.len() <= MAX_HEADER && nesting(text) <= MAX_NESTING);
    if text.is_none() {
        return Err(damaged());
    }
    let header = Header::from_reader(&mut &*bytes).map_err(|_| damaged())?;
    let Some(descriptor) = header.type_descriptor.as_string() else {
        return Err(data_error(
            path,
            "a structured array",
            "an array of numbers",
        ));
    };
    let size = descriptor.chars().last().and_then(|c| c.to_digit(10));
    let declared = size.and_then(|size| {
        let mut factors = header.shape.iter();
        factors.try_fold(size as usize, |bytes, &axis| bytes.checked_mul(axis))
    });
    let held = bytes.len() - start - length;
    if declared == Some(0) || header.shape.contains(&0) {
        return Err(data_error(
            path,
            format!("shape {:?}", header.shape),
            "at least one value",
        ));
    }
    if declared != Some(held) {
        return Err(data_error(
            path,
            format!("{held} bytes of values"),
            format!(
                "those of shape {:?} and type {}",
                header.shape,
                excerpt(descriptor)
            ),
        ));
    }
    Ok(CheckedHeader {
        descriptor: descriptor.clone(),
        shape: header.shape,
    })
}

fn nesting(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn elements<T: ReadableElement + Copy>(
    path: &Path,
    bytes: &[u8],
    convert: impl Fn(T) -> f32,
) -> Result<Vec<f32>> {
    let array = ArrayD::<T>::read_npy(bytes)
        .map_err(|_| data_error(path, "damaged npy data", "an array of numbers"))?;
    Ok(array.iter().map(|&value| convert(value)).collect())
}
