//! Array files, `.npy` as `numpy.save` writes them.
//!
//! Read: `f4`, `f8`, `i1` to `i8`, `u1` to `u8`, either byte order, C or Fortran order, all
//! converted to `f32` in C order. Written: little-endian `f4`, `f8` or `u8` in C order.

use crate::file::{data_error, excerpt, read_decompressed, write_atomic};
use crate::{Error, Result, limits};
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
pub struct Array<T = f32> {
    /// The axes, outermost first.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values.
    pub values: Vec<T>,
}

/// Reads the array in the file `path` (gzip is accepted).
///
/// # Errors
/// [`Error::Io`], and [`Error::Data`] as [`parse`].
pub fn read(path: &Path) -> Result<Array> {
    parse(path, &read_decompressed(path)?)
}

/// [`read`] without rounding (but of 64-bit integers).
///
/// # Errors
/// As [`read`].
pub fn read_precise(path: &Path) -> Result<Array<f64>> {
    parse_precise(path, &read_decompressed(path)?)
}

/// Parses an array of numbers. `path` is only named in errors.
///
/// 64-bit values are rounded to the nearest `f32`.
///
/// # Errors
/// [`Error::Data`] when the header is damaged, the element type is none of those above, the data
/// are longer or shorter than the shape says, or a value is NaN or infinite as an `f32`.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Array> {
    convert(path, bytes, |value| value as f32, false)
}

pub(crate) fn parse_precise(path: &Path, bytes: &[u8]) -> Result<Array<f64>> {
    convert(path, bytes, |value| value, false)
}

/// [`parse`] where NaN, a missing value, is read.
pub(crate) fn parse_with_gaps(path: &Path, bytes: &[u8]) -> Result<Array> {
    convert(path, bytes, |value| value as f32, true)
}

/// [`parse_precise`] where NaN, a missing value, is read.
pub(crate) fn parse_precise_with_gaps(path: &Path, bytes: &[u8]) -> Result<Array<f64>> {
    convert(path, bytes, |value| value, true)
}

/// The axes of the array.
#[cfg(feature = "cli")]
pub(crate) fn parse_shape(path: &Path, bytes: &[u8]) -> Result<Vec<usize>> {
    Ok(parse_header(path, bytes)?.shape)
}

/// Whether the array's elements are bytes, as those of images often are.
pub(crate) fn holds_bytes(path: &Path, bytes: &[u8]) -> Result<bool> {
    Ok(kind(&parse_header(path, bytes)?.descriptor) == "u1")
}

/// The array with every value by way of an `f64`, which holds all of them but 64-bit integers.
fn convert<T: Copy>(
    path: &Path,
    bytes: &[u8],
    of: impl Fn(f64) -> T + Copy,
    gaps: bool,
) -> Result<Array<T>> {
    let header = parse_header(path, bytes)?;
    limits::check(path, "values", header.count(), size_of::<T>())?;
    let descriptor = header.descriptor.as_str();
    let values = match kind(descriptor) {
        "f4" => elements::<f32, T>(path, bytes, f64::from, of, gaps)?,
        "f8" => elements::<f64, T>(path, bytes, |v| v, of, gaps)?,
        "u1" => elements::<u8, T>(path, bytes, f64::from, of, gaps)?,
        "i1" => elements::<i8, T>(path, bytes, f64::from, of, gaps)?,
        "u2" => elements::<u16, T>(path, bytes, f64::from, of, gaps)?,
        "i2" => elements::<i16, T>(path, bytes, f64::from, of, gaps)?,
        "u4" => elements::<u32, T>(path, bytes, f64::from, of, gaps)?,
        "i4" => elements::<i32, T>(path, bytes, f64::from, of, gaps)?,
        "u8" => elements::<u64, T>(path, bytes, |v| v as f64, of, gaps)?,
        "i8" => elements::<i64, T>(path, bytes, |v| v as f64, of, gaps)?,
        _ => return Err(foreign(path, descriptor)),
    };
    Ok(Array {
        shape: header.shape,
        values,
    })
}

/// An element type without its byte order.
fn kind(descriptor: &str) -> &str {
    descriptor.trim_start_matches(['<', '>', '|', '='])
}

/// Element types that are read.
const KINDS: [&str; 10] = ["f4", "f8", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"];

/// Refuses an element type that is none of [`KINDS`], in words.
fn foreign(path: &Path, descriptor: &str) -> Error {
    let what = match kind(descriptor).as_bytes().first() {
        Some(b'U' | b'S' | b'a') => "texts",
        Some(b'O') => "Python objects",
        Some(b'M' | b'm') => "dates",
        Some(b'c') => "complex numbers",
        Some(b'b') => "truth values",
        Some(b'f') => "floats of another size",
        _ => "elements",
    };
    data_error(
        path,
        format!("{what} (type {})", excerpt(descriptor)),
        "numbers: f4, f8 or integers, as numpy.save writes them after .astype(\"f4\")",
    )
}

/// Reads the labels `[samples]` in the file `path`; every one is below `classes`.
///
/// # Errors
/// [`Error::Io`], and [`Error::Data`] as [`parse_labels`].
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<usize>> {
    parse_labels(path, &read_decompressed(path)?, classes)
}

/// [`read_labels`] of `samples` samples.
///
/// # Errors
/// As [`read_labels`], and [`Error::Data`] for another number of labels.
pub fn read_labels_of(path: &Path, classes: usize, samples: usize) -> Result<Vec<usize>> {
    let labels = read_labels(path, classes)?;
    if labels.len() == samples {
        return Ok(labels);
    }
    Err(data_error(
        path,
        format!("{} labels", labels.len()),
        format!("{samples}, one for each sample of the input"),
    ))
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

/// Parses labels of any kind, `[samples]` or `[samples, 1]`: texts as they are, numbers as short as
/// they can be written.
///
/// # Errors
/// [`Error::Data`] as [`parse`], on more than one axis, and on texts that are damaged.
pub(crate) fn parse_names(path: &Path, bytes: &[u8]) -> Result<Vec<String>> {
    let Some((descriptor, shape, start)) = text_header(path, bytes)? else {
        let array = parse_precise(path, bytes)?;
        check_one_axis(path, &array.shape)?;
        return Ok(array.values.iter().map(f64::to_string).collect());
    };
    check_one_axis(path, &shape)?;
    let damaged = || {
        data_error(
            path,
            format!("damaged texts (type {})", excerpt(&descriptor)),
            "labels as numpy.save writes them",
        )
    };
    let wide = kind(&descriptor).starts_with('U');
    let length: usize = kind(&descriptor)[1..].parse().map_err(|_| damaged())?;
    let width = length.checked_mul(if wide { UTF_32 } else { 1 });
    let count: Option<usize> = shape
        .iter()
        .try_fold(1_usize, |n, &axis| n.checked_mul(axis));
    let held = &bytes[start..];
    let size = count.and_then(|count| count.checked_mul(width?));
    let width = width.filter(|&width| width > 0 && size == Some(held.len()));
    let width = width.ok_or_else(damaged)?;
    let name = |text: &[u8]| {
        if !wide {
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            return String::from_utf8(text.to_vec()).ok();
        }
        let big = descriptor.starts_with('>');
        let units = text.as_chunks::<UTF_32>().0.iter().map(|&unit| {
            let code = if big {
                u32::from_be_bytes(unit)
            } else {
                u32::from_le_bytes(unit)
            };
            char::from_u32(code)
        });
        let text: Option<String> = units.collect();
        text.map(|text| text.trim_end_matches('\0').to_string())
    };
    let names = held.chunks_exact(width).map(name);
    names.collect::<Option<_>>().ok_or_else(damaged)
}

/// Bytes of a character in NumPy's texts.
const UTF_32: usize = 4;

fn check_one_axis(path: &Path, shape: &[usize]) -> Result<()> {
    match shape {
        [_] | [_, 1] => Ok(()),
        _ => Err(data_error(
            path,
            format!("shape {shape:?}"),
            "labels of shape [samples]",
        )),
    }
}

/// Type, shape and start of the values of an array of texts; `None` for other arrays.
fn text_header(path: &Path, bytes: &[u8]) -> Result<Option<(String, Vec<usize>, usize)>> {
    let Some((text, start)) = header_text(bytes) else {
        return Ok(None);
    };
    if text.len() > MAX_HEADER || nesting(text) > MAX_NESTING {
        return Ok(None);
    }
    let Ok(header) = Header::from_reader(&mut &*bytes) else {
        return Ok(None);
    };
    let Some(descriptor) = header.type_descriptor.as_string() else {
        return Ok(None);
    };
    if !kind(descriptor).starts_with(['U', 'S']) {
        return Ok(None);
    }
    let count = header
        .shape
        .iter()
        .try_fold(1_usize, |n, &axis| n.checked_mul(axis));
    limits::check(
        path,
        "labels",
        count.unwrap_or(usize::MAX),
        size_of::<String>(),
    )?;
    Ok(Some((descriptor.clone(), header.shape, start)))
}

/// The header's text and where the values start.
fn header_text(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (length, start): (usize, usize) = match *bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => {
            (u16::from_le_bytes([a, b]).into(), 10)
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => {
            (u32::from_le_bytes([a, b, c, d]) as usize, 12)
        }
        _ => return None,
    };
    let end = start.checked_add(length)?;
    Some((bytes.get(start..end)?, end))
}

/// Writes `values` of `shape` as little-endian `f4`, whole or not at all.
///
/// # Errors
/// [`Error::Shape`] when the shape does not count the values, [`Error::Io`].
pub fn write(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    write_atomic(path, &encode(shape, values.to_vec())?)
}

/// Writes `values` of `shape` as little-endian `f8`, whole or not at all.
///
/// # Errors
/// As [`write`](fn@write).
pub fn write_precise(path: &Path, shape: &[usize], values: &[f64]) -> Result<()> {
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

impl CheckedHeader {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }
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
    let (text, start) = header_text(bytes).ok_or_else(damaged)?;
    if text.len() > MAX_HEADER || nesting(text) > MAX_NESTING {
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
    if !KINDS.contains(&kind(descriptor)) {
        return Err(foreign(path, descriptor));
    }
    let size = descriptor.chars().last().and_then(|c| c.to_digit(10));
    let declared = size.and_then(|size| {
        let mut factors = header.shape.iter();
        factors.try_fold(size as usize, |bytes, &axis| bytes.checked_mul(axis))
    });
    let held = bytes.len() - start;
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

/// The elements as `f64`, each finite as an `f32`, then converted.
fn elements<E: ReadableElement + Copy, T>(
    path: &Path,
    bytes: &[u8],
    wide: impl Fn(E) -> f64,
    convert: impl Fn(f64) -> T,
    gaps: bool,
) -> Result<Vec<T>> {
    let array = ArrayD::<E>::read_npy(bytes)
        .map_err(|_| data_error(path, "damaged npy data", "an array of numbers"))?;
    let element = |(index, &value): (usize, &E)| {
        let value = wide(value);
        // Computation is in single precision, whose range is smaller.
        if (value as f32).is_finite() || (gaps && value.is_nan()) {
            return Ok(convert(value));
        }
        Err(data_error(
            path,
            format!("{} at value {index}", value as f32),
            "finite values",
        ))
    };
    array.iter().enumerate().map(element).collect()
}
