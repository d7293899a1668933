//! The few files that are wanted out of a downloaded archive: zip, or tar behind gzip.
//!
//! Only the contents of members asked for by name are given out, so no path of an archive ever
//! reaches the file system.

use crate::Result;
use crate::file::{data_error, excerpt, gunzip};
use crate::limits;
use flate2::read::DeflateDecoder;
use std::io::Read;
use std::path::Path;

const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// An archive may lie in another one: UCI's downloads do that.
const MAX_DEPTH: usize = 1;

/// The contents of `members`, in their order, from the archive `bytes`. A member is the end of a
/// path: `train/y.txt` is also found as `Folder/train/y.txt`. `path` is only named in errors.
///
/// # Errors
/// [`crate::Error::Data`] when the archive is damaged, uses what is not supported (encryption,
/// zip64, other compressions) or lacks a member.
pub fn unpack(path: &Path, bytes: &[u8], members: &[&str]) -> Result<Vec<Vec<u8>>> {
    let mut wanted = Wanted {
        path,
        members,
        contents: vec![None; members.len()],
        budget: limits::memory(),
    };
    wanted.collect(bytes, 0)?;
    let found = wanted.contents.into_iter().zip(members);
    found
        .map(|(content, member)| {
            content.ok_or_else(|| {
                data_error(path, format!("no {member} in it"), "an archive that has it")
            })
        })
        .collect()
}

/// Every file of the zip archive `bytes`, by its name. `path` is only named in errors.
///
/// # Errors
/// As [`unpack`], and for names that are not UTF-8.
pub(crate) fn members(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut wanted = Wanted {
        path,
        members: &[],
        contents: Vec::new(),
        budget: limits::memory(),
    };
    let entries = zip_directory(bytes).ok_or_else(|| wanted.damaged("no whole zip archive"))?;
    let read = entries.iter().map(|entry| {
        let name = std::str::from_utf8(entry.name);
        let name = name.map_err(|_| data_error(path, excerpt(entry.name), "names in UTF-8"))?;
        Ok((name.to_string(), wanted.zip_content(bytes, entry)?))
    });
    read.collect()
}

struct Wanted<'a> {
    path: &'a Path,
    members: &'a [&'a str],
    contents: Vec<Option<Vec<u8>>>,
    /// How many bytes may still come out.
    budget: u64,
}

impl Wanted<'_> {
    fn collect(&mut self, bytes: &[u8], depth: usize) -> Result<()> {
        if bytes.starts_with(ZIP_MAGIC) {
            return self.collect_zip(bytes, depth);
        }
        let tar = gunzip(self.path, bytes.to_vec())?;
        self.collect_tar(&tar)
    }

    /// Where a member of this name belongs, if it is wanted and was not found before.
    fn place(&self, name: &[u8]) -> Option<usize> {
        let is_end = |member: &str| match name.strip_suffix(member.as_bytes()) {
            Some(folder) => folder.is_empty() || folder.ends_with(b"/"),
            None => false,
        };
        let index = self.members.iter().position(|member| is_end(member))?;
        self.contents[index].is_none().then_some(index)
    }

    fn damaged(&self, what: &str) -> crate::Error {
        data_error(self.path, what, "a whole zip or tar.gz archive")
    }

    fn collect_zip(&mut self, bytes: &[u8], depth: usize) -> Result<()> {
        let entries = zip_directory(bytes).ok_or_else(|| self.damaged("a damaged zip archive"))?;
        for entry in &entries {
            if let Some(index) = self.place(entry.name) {
                self.contents[index] = Some(self.zip_content(bytes, entry)?);
            }
        }
        if depth < MAX_DEPTH && self.contents.iter().any(Option::is_none) {
            for entry in entries.iter().filter(|entry| entry.name.ends_with(b".zip")) {
                let inner = self.zip_content(bytes, entry)?;
                self.collect(&inner, depth + 1)?;
            }
        }
        Ok(())
    }

    fn zip_content(&mut self, bytes: &[u8], entry: &ZipEntry) -> Result<Vec<u8>> {
        let refused = |wanted: &Self, what: &str| {
            let found = format!("{} {what}", excerpt(entry.name));
            data_error(wanted.path, found, "stored or deflated files")
        };
        if entry.encrypted {
            return Err(refused(self, "encrypted"));
        }
        let stored = zip_stored(bytes, entry).ok_or_else(|| refused(self, "cut off"))?;
        let mut content = Vec::new();
        let limit = self.budget.min(entry.size) + 1;
        let read = match entry.method {
            0 => stored.take(limit).read_to_end(&mut content),
            8 => DeflateDecoder::new(stored)
                .take(limit)
                .read_to_end(&mut content),
            _ => return Err(refused(self, "compressed by another method")),
        };
        let mut checksum = flate2::Crc::new();
        checksum.update(&content);
        let whole = content.len() as u64 == entry.size && checksum.sum() == entry.checksum;
        if read.is_err() || !whole {
            return Err(refused(self, "damaged"));
        }
        self.budget -= entry.size;
        Ok(content)
    }

    fn collect_tar(&mut self, bytes: &[u8]) -> Result<()> {
        const BLOCK: usize = 512;
        let mut rest = bytes;
        while let Some(header) = rest.get(..BLOCK) {
            if header.iter().all(|&byte| byte == 0) {
                return Ok(());
            }
            let damaged = || self.damaged("a damaged tar archive");
            let stored = octal(&header[148..156]).ok_or_else(damaged)?;
            let computed: u64 = header
                .iter()
                .enumerate()
                .map(|(index, &byte)| match index {
                    148..156 => u64::from(b' '),
                    _ => u64::from(byte),
                })
                .sum();
            if stored != computed {
                return Err(damaged());
            }
            let size = octal(&header[124..136]).and_then(|size| usize::try_from(size).ok());
            let size = size.ok_or_else(damaged)?;
            let content = rest.get(BLOCK..BLOCK.saturating_add(size));
            let content = content.ok_or_else(|| self.damaged("a tar archive cut off"))?;
            let regular = matches!(header[156], b'0' | 0);
            let name = tar_name(header);
            if let Some(index) = self.place(&name).filter(|_| regular) {
                self.contents[index] = Some(content.to_vec());
            }
            let next = BLOCK + size.next_multiple_of(BLOCK);
            rest = rest.get(next..).unwrap_or_default();
        }
        if rest.is_empty() && !bytes.is_empty() {
            return Ok(());
        }
        Err(self.damaged("no zip or tar archive"))
    }
}

struct ZipEntry<'a> {
    name: &'a [u8],
    encrypted: bool,
    method: u16,
    checksum: u32,
    stored_size: usize,
    size: u64,
    offset: usize,
}

/// The entries of the central directory; `None` when it is damaged or zip64.
fn zip_directory(bytes: &[u8]) -> Option<Vec<ZipEntry<'_>>> {
    const END: &[u8] = b"PK\x05\x06";
    const END_SIZE: usize = 22;
    const MAX_COMMENT: usize = u16::MAX as usize;
    const HEADER: &[u8] = b"PK\x01\x02";
    const HEADER_SIZE: usize = 46;
    let last = bytes.len().checked_sub(END_SIZE)?;
    let end = (last.saturating_sub(MAX_COMMENT)..=last)
        .rev()
        .find(|&start| bytes[start..].starts_with(END))?;
    let count = u16_at(bytes, end + 10)?;
    let mut at = u32_at(bytes, end + 16)? as usize;
    let mut entries = Vec::new();
    for _ in 0..count {
        let header = bytes.get(at..)?;
        if !header.starts_with(HEADER) {
            return None;
        }
        let name_size = usize::from(u16_at(header, 28)?);
        let extra = usize::from(u16_at(header, 30)?) + usize::from(u16_at(header, 32)?);
        let (stored_size, size) = (u32_at(header, 20)?, u32_at(header, 24)?);
        let offset = u32_at(header, 42)?;
        if [stored_size, size, offset].contains(&u32::MAX) {
            return None;
        }
        entries.push(ZipEntry {
            name: header.get(HEADER_SIZE..HEADER_SIZE + name_size)?,
            encrypted: u16_at(header, 8)? & 1 == 1,
            method: u16_at(header, 10)?,
            checksum: u32_at(header, 16)?,
            stored_size: stored_size as usize,
            size: size.into(),
            offset: offset as usize,
        });
        at += HEADER_SIZE + name_size + extra;
    }
    Some(entries)
}

/// The bytes of an entry as they lie in the archive.
fn zip_stored<'a>(bytes: &'a [u8], entry: &ZipEntry) -> Option<&'a [u8]> {
    const HEADER_SIZE: usize = 30;
    let header = bytes.get(entry.offset..)?;
    if !header.starts_with(ZIP_MAGIC) {
        return None;
    }
    let names = usize::from(u16_at(header, 26)?) + usize::from(u16_at(header, 28)?);
    header.get(HEADER_SIZE + names..)?.get(..entry.stored_size)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Octal digits that end at a blank or a zero byte.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    u64::from_str_radix(digits, 8).ok()
}

/// The name, behind its prefix where the header has one.
fn tar_name(header: &[u8]) -> Vec<u8> {
    let field = |field: &[u8]| {
        let end = field.iter().position(|&byte| byte == 0);
        field[..end.unwrap_or(field.len())].to_vec()
    };
    let name = field(&header[..100]);
    let prefix = field(&header[345..500]);
    if header[257..].starts_with(b"ustar\0") && !prefix.is_empty() {
        [prefix, b"/".to_vec(), name].concat()
    } else {
        name
    }
}
