//! The records of a CSV file, one after the other, out of a buffer that does not grow with the file.

use crate::file::data_error;
use crate::{Result, file};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// The longest record. A file without a line end is none of recordings, whatever its size.
const LONGEST: usize = 1 << 26;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads records: lines, or several where a quoted field goes over line ends.
pub(super) struct Records<'s> {
    path: PathBuf,
    source: Box<dyn Read + 's>,
    buffer: Vec<u8>,
    /// What of the buffer is not given out yet.
    start: usize,
    filled: usize,
    ended: bool,
    /// Whether a read that brings something is enough: a stream's lines are given out as they come.
    eager: bool,
    /// Lines that were given out.
    lines: usize,
}

impl<'s> Records<'s> {
    /// The records of a file, gzip or not.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub(super) fn open(path: &Path) -> Result<Records<'static>> {
        let refused = |source| file::io_error(path, "read", source);
        let mut file = File::open(path).map_err(refused)?;
        let mut start = Vec::new();
        let magic = file.by_ref().take(GZIP_MAGIC.len() as u64);
        { magic }.read_to_end(&mut start).map_err(refused)?;
        let packed = start == GZIP_MAGIC;
        if !packed && path.extension().is_some_and(|ending| ending == "gz") {
            return Err(data_error(path, "a file without gzip's mark", "gzip data"));
        }
        let whole = std::io::Cursor::new(start).chain(file);
        let source: Box<dyn Read> = if packed {
            Box::new(MultiGzDecoder::new(whole))
        } else {
            Box::new(whole)
        };
        Ok(Records::new(path, source, false))
    }

    /// The records of anything; `path` is only named in errors.
    pub(super) fn new(path: &Path, source: Box<dyn Read + 's>, eager: bool) -> Self {
        Self {
            path: path.to_path_buf(),
            source,
            buffer: vec![0; CHUNK],
            start: 0,
            filled: 0,
            ended: false,
            eager,
            lines: 0,
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The line on which the record that was given out last ends.
    pub(super) fn line(&self) -> usize {
        self.lines
    }

    /// The next record without its line end; `None` at the end. Blank ones are passed over.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Data`] for a record that does not end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>> {
        loop {
            let Some((start, end)) = self.advance()? else {
                return Ok(None);
            };
            if !self.buffer[start..end].trim_ascii().is_empty() {
                let record = &self.buffer[start..end];
                return Ok(Some(record.strip_suffix(b"\r").unwrap_or(record)));
            }
        }
    }

    /// The records of the beginning, at most `most`, without giving them out.
    ///
    /// # Errors
    /// As [`Records::next`].
    pub(super) fn peek(&mut self, most: usize) -> Result<Vec<&[u8]>> {
        while !self.eager && !self.ended && self.filled < self.buffer.len() {
            self.fill()?;
        }
        if self.filled == 0 {
            self.fill()?;
        }
        let held = &self.buffer[self.start..self.filled];
        let mut records = Vec::new();
        let mut rest = held;
        while records.len() < most {
            let Some(end) = record_end(rest) else {
                // The last one may be cut off by the buffer, and counts only when it is whole.
                if self.ended || records.is_empty() {
                    records.push(rest);
                }
                break;
            };
            records.push(&rest[..end]);
            rest = &rest[end + 1..];
        }
        let trimmed = records.into_iter().map(<[u8]>::trim_ascii_end);
        Ok(trimmed.filter(|record| !record.is_empty()).collect())
    }

    /// Where the next record lies in the buffer.
    fn advance(&mut self) -> Result<Option<(usize, usize)>> {
        let mut searched = 0;
        loop {
            let held = &self.buffer[self.start..self.filled];
            if let Some(length) = record_end_from(held, searched) {
                let (start, end) = (self.start, self.start + length);
                self.lines += 1 + count(&self.buffer[start..end], b'\n');
                self.start = end + 1;
                return Ok(Some((start, end)));
            }
            if self.ended {
                let (start, end) = (self.start, self.filled);
                self.start = end;
                self.lines += usize::from(start < end);
                return Ok((start < end).then_some((start, end)));
            }
            // Quotes make the search begin again: whether a line end counts depends on all before.
            searched = if held.contains(&b'"') { 0 } else { held.len() };
            self.fill()?;
        }
    }

    /// Reads more behind what is held.
    fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.filled == self.buffer.len() {
            if self.buffer.len() >= LONGEST {
                return Err(data_error(
                    &self.path,
                    format!(
                        "a record of more than {LONGEST} bytes on line {}",
                        self.lines + 1
                    ),
                    "rows that end",
                ));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = loop {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match read {
            Ok(0) => self.ended = true,
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Other || is_damage(&error) => {
                let found = format!("damaged data ({})", file::one_line(&error));
                return Err(data_error(&self.path, found, "a whole file"));
            }
            Err(source) => return Err(file::io_error(&self.path, "read", source)),
        }
        Ok(())
    }
}

/// What a damaged gzip stream gives.
fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// The length of the first record of `held`, when its end is there.
fn record_end(held: &[u8]) -> Option<usize> {
    record_end_from(held, 0)
}

/// [`record_end`] when the first `searched` bytes have no line end and no quote.
fn record_end_from(held: &[u8], searched: usize) -> Option<usize> {
    let mut from = searched;
    let mut quotes = 0;
    let mut counted = searched;
    loop {
        let end = from + memchr::memchr(b'\n', &held[from..])?;
        quotes += count(&held[counted..end], b'"');
        if quotes % 2 == 0 {
            return Some(end);
        }
        counted = end;
        from = end + 1;
    }
}

fn count(bytes: &[u8], wanted: u8) -> usize {
    memchr::memchr_iter(wanted, bytes).count()
}
