//! Archives of arrays, `.npz` as `numpy.savez` writes them: a zip of `.npy` files.

use crate::data::archive;
use crate::file::{data_error, read, write_atomic};
use crate::npy::{self, Array};
use crate::{Error, Result};
use ndarray::ArrayD;
use ndarray_npy::{WritableElement, WriteNpyExt};
use std::collections::BTreeMap;
use std::path::Path;

/// An array to be written.
#[derive(Clone, Debug)]
pub struct Member {
    name: String,
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
    Bytes(Vec<u8>),
    Texts(Vec<String>),
    Precise(Vec<f64>),
}

impl Member {
    /// Little-endian `f4`.
    pub fn floats(name: &str, shape: &[usize], values: Vec<f32>) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            values: Values::Floats(values),
        }
    }

    /// Classes, as `i8`.
    pub fn labels(name: &str, shape: &[usize], labels: &[usize]) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            values: Values::Integers(
                labels
                    .iter()
                    .map(|label| label.cast_signed() as i64)
                    .collect(),
            ),
        }
    }

    /// 0 and 1, as `u1`.
    pub fn flags(name: &str, shape: &[usize], flags: &[bool]) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            values: Values::Bytes(flags.iter().map(|&flag| u8::from(flag)).collect()),
        }
    }

    /// Texts, as `U`.
    pub fn texts(name: &str, texts: &[String]) -> Self {
        Self {
            name: name.into(),
            shape: vec![texts.len()],
            values: Values::Texts(texts.to_vec()),
        }
    }

    /// Little-endian `f8`.
    pub fn precise(name: &str, shape: &[usize], values: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            values: Values::Precise(values),
        }
    }

    fn encode(&self) -> Result<Vec<u8>> {
        match &self.values {
            Values::Texts(texts) => Ok(encode_texts(texts)),
            Values::Precise(values) => encode(&self.shape, values),
            Values::Floats(values) => encode(&self.shape, values),
            Values::Integers(values) => encode(&self.shape, values),
            Values::Bytes(values) => encode(&self.shape, values),
        }
    }
}

fn encode<T: WritableElement + Clone>(shape: &[usize], values: &[T]) -> Result<Vec<u8>> {
    let array = ArrayD::from_shape_vec(shape, values.to_vec()).map_err(|_| Error::Shape {
        operation: "write npz",
        found: format!("{} values", values.len()),
        expected: format!("the shape {shape:?}"),
    })?;
    let mut bytes = Vec::new();
    let written = array.write_npy(&mut bytes);
    written.map_err(|error| Error::Argument {
        argument: "npz".into(),
        found: error.to_string(),
        expected: "an array that can be written".into(),
    })?;
    Ok(bytes)
}

/// Texts as NumPy has them: every one in as many UTF-32 units as the longest needs.
fn encode_texts(texts: &[String]) -> Vec<u8> {
    const ALIGNMENT: usize = 64;
    let longest = texts.iter().map(|text| text.chars().count()).max();
    let longest = longest.unwrap_or(0).max(1);
    let count = texts.len();
    let mut header =
        format!("{{'descr': '<U{longest}', 'fortran_order': False, 'shape': ({count},), }}");
    // Magic, version, length, and the line end that the header ends with.
    let around = 10 + 1;
    while !(header.len() + around).is_multiple_of(ALIGNMENT) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for text in texts {
        let units = text.chars().map(u32::from).chain(std::iter::repeat(0));
        bytes.extend(units.take(longest).flat_map(u32::to_le_bytes));
    }
    bytes
}

/// Writes `members`, uncompressed and in their order, whole or not at all. Equal members give equal
/// bytes.
///
/// # Errors
/// [`Error::Shape`] when a shape does not count its values, [`Error::Argument`] for more than
/// 4 GiB, which the format of the archive ends at, [`Error::Io`].
pub fn write(path: &Path, members: &[Member]) -> Result<()> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        let content = member.encode()?;
        let too_large = |_| Error::Argument {
            argument: format!("{}: {}", path.display(), member.name),
            found: format!("{} bytes", archive.len() + content.len()),
            expected: "less than 4 GiB".into(),
        };
        let offset = u32::try_from(archive.len()).map_err(too_large)?;
        let size = u32::try_from(content.len()).map_err(too_large)?;
        let mut checksum = flate2::Crc::new();
        checksum.update(&content);
        let entry = zip::Entry {
            name: format!("{}.npy", member.name),
            checksum: checksum.sum(),
            size,
            offset,
        };
        archive.extend(entry.local_header());
        archive.extend(content);
        directory.extend(entry.directory_header());
    }
    let end = zip::end(members.len(), directory.len(), archive.len());
    archive.extend(directory);
    archive.extend(end);
    write_atomic(path, &archive)
}

/// The headers of a zip archive of stored files.
mod zip {
    /// 1 January 1980, the format's first day, at midnight.
    const DATE: u16 = (1 << 5) | 1;
    /// Version 2.0 of the format.
    const VERSION: u16 = 20;

    pub(super) struct Entry {
        pub(super) name: String,
        pub(super) checksum: u32,
        pub(super) size: u32,
        pub(super) offset: u32,
    }

    impl Entry {
        /// What both headers have in common, from the flags to the lengths of name and extras.
        fn common(&self) -> Vec<u8> {
            const STORED: u16 = 0;
            const NO_FLAGS: u16 = 0;
            const MIDNIGHT: u16 = 0;
            let mut header = Vec::new();
            for word in [VERSION, NO_FLAGS, STORED, MIDNIGHT, DATE] {
                header.extend(word.to_le_bytes());
            }
            for word in [self.checksum, self.size, self.size] {
                header.extend(word.to_le_bytes());
            }
            header.extend((self.name.len() as u16).to_le_bytes());
            header.extend([0; 2]);
            header
        }

        pub(super) fn local_header(&self) -> Vec<u8> {
            [b"PK\x03\x04", &self.common()[..], self.name.as_bytes()].concat()
        }

        pub(super) fn directory_header(&self) -> Vec<u8> {
            /// Comment, disk and attributes.
            const ABSENT: [u8; 10] = [0; 10];
            [
                b"PK\x01\x02",
                &VERSION.to_le_bytes()[..],
                &self.common(),
                &ABSENT,
                &self.offset.to_le_bytes(),
                self.name.as_bytes(),
            ]
            .concat()
        }
    }

    pub(super) fn end(entries: usize, directory: usize, start: usize) -> Vec<u8> {
        let entries = (entries as u16).to_le_bytes();
        [
            b"PK\x05\x06\0\0\0\0",
            &entries[..],
            &entries,
            &(directory as u32).to_le_bytes(),
            &(start as u32).to_le_bytes(),
            &[0; 2],
        ]
        .concat()
    }
}

/// The content of every array file in the archive at `path`, by its name without `.npy`, unparsed.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] when the archive is damaged or has an array twice.
pub(crate) fn contents(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut contents = BTreeMap::new();
    for (name, content) in archive::members(path, &read(path)?)? {
        let Some(name) = name.strip_suffix(".npy") else {
            continue;
        };
        if contents.insert(name.to_string(), content).is_some() {
            let found = format!("{} twice", name.escape_debug());
            return Err(data_error(path, found, "every array once"));
        }
    }
    Ok(contents)
}

/// Reads every array, by its name without `.npy`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] when the archive is damaged, has an array twice or one that
/// [`npy::parse`] refuses.
pub fn read_all(path: &Path) -> Result<BTreeMap<String, Array>> {
    let arrays = contents(path)?.into_iter().map(|(name, content)| {
        let array = npy::parse(&path.join(&name), &content)?;
        Ok((name, array))
    });
    arrays.collect()
}
