//! How a CSV file is written, found out from its beginning.

use super::number;
use std::fmt::Display;

/// Separators in the order in which they are tried: what also occurs inside fields comes last.
const SEPARATORS: [u8; 5] = [b'\t', b';', b'|', b',', b' '];
/// Records that are looked at.
pub(super) const SAMPLE: usize = 200;

/// How a CSV file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What stands between two fields; blanks are counted as one.
    pub separator: u8,
    /// The decimal mark of its numbers.
    pub mark: u8,
    /// Whether the first row holds names.
    pub header: bool,
}

impl Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = match self.separator {
            b'\t' => "tab",
            b';' => "semicolon",
            b'|' => "bar",
            b' ' => "blank",
            _ => "comma",
        };
        let mark = if self.mark == b',' { "comma" } else { "point" };
        let header = if self.header { "a header" } else { "no header" };
        write!(f, "separator {separator}, decimal {mark}, {header}")
    }
}

impl Dialect {
    /// How the records of a file's beginning are written; `header` where it is known.
    pub(super) fn of(records: &[&[u8]], header: Option<bool>) -> Self {
        let separator = separator(records);
        let rows: Vec<Vec<&[u8]>> = records
            .iter()
            .map(|record| fields(record, separator))
            .collect();
        let mut dialect = Self {
            separator,
            mark: mark(separator, &rows),
            header: false,
        };
        dialect.header = header.unwrap_or_else(|| dialect.has_header(&rows));
        dialect
    }

    /// The first row holds names where a field is text over a column of numbers, or where all its
    /// fields are text that no row below has in that column.
    fn has_header(self, rows: &[Vec<&[u8]>]) -> bool {
        let Some((first, below)) = rows.split_first() else {
            return false;
        };
        let is_text = |field: &&[u8]| number::parse(unquoted(field), self.mark).is_none();
        let numeric = |column: usize| {
            let mut fields = below.iter().filter_map(|row| row.get(column)).peekable();
            fields.peek().is_some() && fields.all(|field| !is_text(field))
        };
        let named = |column: usize| !is_missing_name(first[column]) && is_text(&first[column]);
        if (0..first.len()).any(|column| named(column) && numeric(column)) {
            return true;
        }
        let new = |column: usize| {
            let mut fields = below.iter().filter_map(|row| row.get(column));
            fields.all(|field| *field != first[column])
        };
        !below.is_empty() && (0..first.len()).all(|column| named(column) && new(column))
    }
}

fn is_missing_name(field: &[u8]) -> bool {
    unquoted(field).is_empty()
}

/// `field` without quotes around it and blanks around those.
pub(super) fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    match field {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => inside,
        _ => field,
    }
}

/// The first separator that divides every record alike into two fields or more; a comma where none
/// does.
fn separator(records: &[&[u8]]) -> u8 {
    let alike = |&separator: &u8| {
        let mut counts = records.iter().map(|record| fields(record, separator).len());
        let first = counts.next().unwrap_or(0);
        first > 1 && counts.all(|count| count == first)
    };
    // Rows may be cut short; then the separator that most rows have.
    let most = |&separator: &u8| {
        let has = |record: &&&[u8]| fields(record, separator).len() > 1;
        let count = records.iter().filter(has).count();
        count * 10 > records.len() * 9
    };
    let mut found = SEPARATORS.iter().copied().filter(alike);
    let found = found.next();
    let found = found.or_else(|| SEPARATORS[..4].iter().copied().find(|by| most(by)));
    found.unwrap_or(b',')
}

/// The decimal mark: a comma where the separator is none and numbers have one.
fn mark(separator: u8, rows: &[Vec<&[u8]>]) -> u8 {
    if separator == b',' {
        return b'.';
    }
    let fields = || rows.iter().flatten().map(|field| unquoted(field));
    let with = |mark: u8| {
        fields()
            .filter(|field| field.contains(&mark) && number::parse(field, mark).is_some())
            .count()
    };
    if with(b',') > with(b'.') { b',' } else { b'.' }
}

/// The fields of a record, quotes left on; separators inside quotes do not count.
pub(super) fn fields(record: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (place, &byte) in record.iter().enumerate() {
        if byte == b'"' {
            quoted = !quoted;
        } else if byte == separator && !quoted {
            // A run of blanks is one separator, and none at the edges.
            if separator != b' ' || place > start {
                found.push(&record[start..place]);
            }
            start = place + 1;
        }
    }
    if separator != b' ' || start < record.len() {
        found.push(&record[start..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Dialect {
        let records: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        Dialect::of(&records, None)
    }

    #[test]
    fn dialects_are_found_out() {
        let cases = [
            ("t,ax,label\n0,1.5,a\n1,2.5,b", b',', b'.', true),
            ("0,1.5,a\n1,2.5,b", b',', b'.', false),
            ("t;ax;label\n0;1,5;a\n1;2,5;b", b';', b',', true),
            ("0;1,5\n1;2,5", b';', b',', false),
            ("0\t1,5\n1\t2,5", b'\t', b',', false),
            ("1\t1.5\t2\n2\t2.5\t3", b'\t', b'.', false),
            ("  1 1.5  2\n 2 2.5 3", b' ', b'.', false),
            ("a b;c\n1;2\n3;4", b';', b'.', true),
            ("\"x, y\",z\n1,2\n3,4", b',', b'.', true),
            ("ax\n1\n2", b',', b'.', true),
            ("name,class\nada,x\nbob,y\neve,x", b',', b'.', true),
            ("1,2\n3,4", b',', b'.', false),
            (",ax\n0,1\n1,2", b',', b'.', true),
        ];
        for (text, separator, mark, header) in cases {
            let expected = Dialect {
                separator,
                mark,
                header,
            };
            assert_eq!(of(text), expected, "{text:?}");
        }
    }
}
