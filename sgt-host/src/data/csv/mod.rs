//! CSV files of recordings: a row a moment, its columns called by name.
//!
//! Separator, decimal mark and header are found out from the first rows ([`Dialect`]), what the
//! columns are from their names and content ([`Columns`]). Fields in quotes, gzip and byte order
//! marks are read; text that is not UTF-8 is taken for Latin-1. Missing values are what pandas takes
//! for missing, and `?`.

mod columns;
mod dialect;
mod number;
mod records;
mod time;
mod wide;

pub use columns::Columns;
pub use dialect::Dialect;
pub use time::Clock;
pub(super) use wide::read as read_wide;

use super::Reading;
use crate::Result;
use crate::file::{data_error, excerpt};
use columns::Role;
use dialect::{SAMPLE, fields, unquoted};
use records::Records;
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

/// An open file of which rows are read one after the other.
pub struct Csv<'s> {
    records: Records<'s>,
    /// How the file is written.
    pub dialect: Dialect,
    /// What its columns are.
    pub columns: Columns,
    /// Whether missing values are read, as NaN.
    missing: bool,
    /// What is subtracted from each channel before its values become `f32`.
    origin: Vec<f64>,
    header_left: bool,
}

/// What a row says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// One value a channel, NaN for a missing one, relative to [`Csv::origin`].
    pub values: Vec<f32>,
    /// When, in seconds; NaN without a column of times.
    pub time: f64,
    /// The class as the file writes it; empty without a column, or where it is missing.
    pub label: Vec<u8>,
    /// The group as the file writes it.
    pub group: Vec<u8>,
}

impl Csv<'static> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Data`] for an empty file; as [`Csv::new`].
    pub fn open(path: &Path, reading: &Reading) -> Result<Self> {
        Self::over(Records::open(path)?, reading)
    }
}

impl<'s> Csv<'s> {
    /// Reads from anything; `path` is only named in errors. What comes bit by bit is given out as
    /// soon as a row is whole.
    ///
    /// # Errors
    /// As [`Csv::open`].
    pub fn new(path: &Path, source: impl Read + 's, reading: &Reading) -> Result<Self> {
        Self::over(Records::new(path, Box::new(source), true), reading)
    }

    fn over(mut records: Records<'s>, reading: &Reading) -> Result<Self> {
        let path = records.path().to_path_buf();
        let beginning = records.peek(SAMPLE)?;
        let Some(first) = beginning.first() else {
            return Err(data_error(&path, "an empty file", "rows of a CSV file"));
        };
        if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
            return Err(data_error(&path, "text in UTF-16", "text in UTF-8"));
        }
        let mut beginning = beginning;
        if let Some(first) = beginning.first_mut() {
            *first = without_mark(first);
        }
        let preamble = beginning
            .iter()
            .take_while(|record| is_preamble(record))
            .count();
        let beginning = &beginning[preamble..];
        if beginning.is_empty() {
            return Err(data_error(&path, "comments alone", "rows of a CSV file"));
        }
        let dialect = Dialect::of(beginning, reading.header);
        let columns = Columns::of(&path, dialect, beginning, reading)?;
        let origin = origin(dialect, &columns, beginning);
        for _ in 0..preamble {
            records.next()?;
        }
        Ok(Self {
            records,
            dialect,
            missing: reading.missing != super::Missing::Refuse,
            origin,
            columns,
            header_left: dialect.header,
        })
    }

    /// What is subtracted from each channel, so that an `f32` holds what is left: 0, but for
    /// channels that begin far from 0 and close to each other.
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// Subtracts this, instead, as another file of the same data does.
    ///
    /// # Panics
    /// Unless there is one value a channel.
    pub fn set_origin(&mut self, origin: &[f64]) {
        assert_eq!(
            origin.len(),
            self.columns.channels.len(),
            "one value a channel"
        );
        self.origin = origin.to_vec();
    }

    /// The line of the row that was read last.
    pub fn line(&self) -> usize {
        self.records.line()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.records.path()
    }

    /// The times of the first rows, as far as they are at hand, in seconds.
    ///
    /// # Errors
    /// As [`Csv::read`].
    pub fn first_times(&mut self) -> Result<Vec<f64>> {
        let is_time = |role: &Role| matches!(role, Role::Time(_));
        let Some(place) = self.columns.roles.iter().position(is_time) else {
            return Ok(Vec::new());
        };
        let Role::Time(clock) = self.columns.roles[place] else {
            return Ok(Vec::new());
        };
        let (separator, mark) = (self.dialect.separator, self.dialect.mark);
        let skipped = usize::from(self.header_left);
        let records = self.records.peek(SAMPLE)?;
        let time = |record: &&[u8]| {
            let found = fields(record, separator);
            clock.seconds(unquoted(found.get(place)?), mark)
        };
        Ok(records.iter().skip(skipped).filter_map(time).collect())
    }

    /// Reads the next row into `row`; false at the end.
    ///
    /// # Errors
    /// [`crate::Error::Data`] with line and column for a row of another length, a value that is no
    /// number or not finite, a missing value where none is read, a time that is none;
    /// [`crate::Error::Io`].
    pub fn read(&mut self, row: &mut Row) -> Result<bool> {
        if std::mem::take(&mut self.header_left) {
            self.records.next()?;
        }
        row.values.resize(self.columns.channels.len(), f32::NAN);
        row.time = f64::NAN;
        row.label.clear();
        row.group.clear();
        // Found out before the record is borrowed: only errors need it.
        let Some(record) = self.records.next()? else {
            return Ok(false);
        };
        let taken = if record.contains(&b'"') || self.dialect.separator == b' ' {
            take(
                &self.columns.roles,
                fields(record, self.dialect.separator)
                    .into_iter()
                    .map(unquoted),
                (self.dialect.mark, self.missing, &self.origin),
                row,
            )
        } else {
            take(
                &self.columns.roles,
                Fields {
                    rest: Some(record),
                    separator: self.dialect.separator,
                },
                (self.dialect.mark, self.missing, &self.origin),
                row,
            )
        };
        match taken {
            Ok(()) => Ok(true),
            Err(flaw) => Err(self.refuse(flaw)),
        }
    }

    fn refuse(&self, flaw: Flaw) -> crate::Error {
        let line = self.records.line();
        let name = |place: usize| self.columns.names[place].escape_debug().to_string();
        let (found, expected) = match flaw {
            Flaw::Length(count) => (
                format!("{count} fields"),
                format!("{}, as in the first row", self.columns.roles.len()),
            ),
            Flaw::Number(place, field) => (
                format!("{} in column {}", excerpt(field), name(place)),
                "a finite number".to_string(),
            ),
            Flaw::Missing(place) => (
                format!("no value in column {}", name(place)),
                "a number; --missing interpolate, mean or mask reads it".into(),
            ),
            Flaw::Time(place, field) => (
                format!("{} in column {}", excerpt(field), name(place)),
                "a time as in the first row".to_string(),
            ),
        };
        data_error(self.path(), format!("line {line}: {found}"), expected)
    }
}

/// What is wrong with a row, with the number of the field.
enum Flaw {
    Length(usize),
    Number(usize, Vec<u8>),
    Missing(usize),
    Time(usize, Vec<u8>),
}

/// Fills `row` from the fields of a record.
fn take<'r>(
    roles: &[Role],
    fields: impl Iterator<Item = &'r [u8]>,
    (mark, missing, origin): (u8, bool, &[f64]),
    row: &mut Row,
) -> Result<(), Flaw> {
    let mut count = 0;
    for (place, field) in fields.enumerate() {
        count += 1;
        let Some(&role) = roles.get(place) else {
            continue;
        };
        match role {
            Role::Channel(slot) => {
                let value = number::parse(field, mark);
                let value = value.ok_or_else(|| Flaw::Number(place, field.to_vec()))?;
                if value.is_nan() && !missing {
                    return Err(Flaw::Missing(place));
                }
                let relative = (value - origin[slot]) as f32;
                if relative.is_infinite() {
                    return Err(Flaw::Number(place, field.to_vec()));
                }
                row.values[slot] = relative;
            }
            Role::Time(clock) => {
                let time = clock.seconds(unquoted(field), mark);
                row.time = time.ok_or_else(|| Flaw::Time(place, field.to_vec()))?;
            }
            Role::Label => {
                let field = unquoted(field);
                if !number::is_missing(field) {
                    row.label.extend_from_slice(field);
                }
            }
            Role::Group => row.group.extend_from_slice(unquoted(field)),
            Role::Ignored => {}
        }
    }
    if count == roles.len() {
        Ok(())
    } else {
        Err(Flaw::Length(count))
    }
}

/// The fields of a record without quotes.
struct Fields<'r> {
    rest: Option<&'r [u8]>,
    separator: u8,
}

impl<'r> Iterator for Fields<'r> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        let rest = self.rest?;
        // Fields are short: a search that is set up for long ones takes longer.
        let Some(end) = rest.iter().position(|&byte| byte == self.separator) else {
            self.rest = None;
            return Some(rest);
        };
        self.rest = Some(&rest[end + 1..]);
        Some(&rest[..end])
    }
}

/// What is subtracted from each channel: the mean over the first rows where that is thousands of
/// times their deviation, 0 elsewhere.
fn origin(dialect: Dialect, columns: &Columns, records: &[&[u8]]) -> Vec<f64> {
    let mut values = vec![Vec::new(); columns.channels.len()];
    for record in records.iter().skip(usize::from(dialect.header)) {
        for (field, role) in fields(record, dialect.separator).iter().zip(&columns.roles) {
            if let Role::Channel(slot) = *role
                && let Some(value) = number::parse(unquoted(field), dialect.mark)
                && value.is_finite()
            {
                values[slot].push(value);
            }
        }
    }
    let origin = |values: &Vec<f64>| super::series::large_offset(|| values.iter().copied());
    values.iter().map(origin).collect()
}

/// The file's first record without a byte order mark.
fn without_mark(record: &[u8]) -> &[u8] {
    record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record)
}

/// Comments, and the line by which Excel is told the separator.
fn is_preamble(record: &[u8]) -> bool {
    record.starts_with(b"#") || (record.starts_with(b"sep=") && record.len() <= 6)
}

/// Text in UTF-8, or else in Latin-1, which old programs write.
pub(super) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text).into_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}
