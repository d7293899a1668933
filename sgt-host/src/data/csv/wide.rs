//! CSV files in which one row is a whole sample, as the UCR archive and feature tables have them.

use super::columns::Columns;
use super::dialect::{Dialect, SAMPLE, fields, unquoted};
use super::records::Records;
use super::{is_preamble, number, text, without_mark};
use crate::data::Reading;
use crate::data::series::{RawCase, RawCases};
use crate::file::{data_error, excerpt};
use crate::{Result, limits};
use std::path::Path;

/// The samples of a file, and what was found out about it.
///
/// The columns are the steps of one channel, in their order, or, where all are called `NAME_STEP`
/// (or `NAME.STEP`, `NAMESTEP` with a number at the end), of the channels of those names. Missing
/// values at the end of a row are steps that were not recorded. Without a header and a label column
/// the first column is the class.
///
/// # Errors
/// As [`super::Csv::read`].
pub(in crate::data) fn read(path: &Path, reading: &Reading) -> Result<(RawCases, String)> {
    let mut records = Records::open(path)?;
    let (dialect, mut reading) = (
        {
            let beginning: Vec<&[u8]> = beginning(&mut records)?;
            if beginning.is_empty() {
                return Err(data_error(path, "an empty file", "rows of a CSV file"));
            }
            Dialect::of(&beginning, reading.header)
        },
        reading.clone(),
    );
    if reading.label_column.is_none() && !dialect.header {
        reading.label_column = Some("1".into());
    }
    reading.time_column = Some("none".into());
    let columns = Columns::of(path, dialect, &beginning(&mut records)?, &reading)?;
    let (channels, steps) = layout(&columns.channels).ok_or_else(|| {
        data_error(
            path,
            "columns of channels that have different numbers of steps",
            "NAME_STEP for every step of every channel, or one channel",
        )
    })?;
    if steps == 0 {
        return Err(data_error(
            path,
            "no column of numbers",
            "the steps of a sample",
        ));
    }
    let mut cases = RawCases {
        channels,
        ..RawCases::default()
    };
    let mut held = 0;
    let mut first = dialect.header;
    loop {
        let line = records.line() + 1;
        let Some(record) = records.next()? else { break };
        if is_preamble(without_mark(record)) || std::mem::take(&mut first) {
            continue;
        }
        let found = fields(without_mark(record), dialect.separator);
        let case = case(&found, dialect, &columns, steps).map_err(|(found, expected)| {
            data_error(path, format!("line {line}: {found}"), expected)
        })?;
        held += case.values.len() * size_of::<f64>();
        limits::check(path, "bytes of samples", held, 1)?;
        cases.cases.push(case);
    }
    if cases.cases.is_empty() {
        return Err(data_error(path, "no row of values", "one a sample"));
    }
    let label = columns.label.as_deref().unwrap_or("none").to_string();
    let said = format!(
        "{dialect}; one row a sample of {} channels × {steps} steps, classes from column {}",
        cases.channels.len(),
        label.escape_debug()
    );
    Ok((cases, said))
}

fn beginning<'r>(records: &'r mut Records<'_>) -> Result<Vec<&'r [u8]>> {
    let records = records.peek(SAMPLE)?.into_iter();
    let plain = records
        .map(without_mark)
        .filter(|record| !is_preamble(record));
    Ok(plain.collect())
}

/// One sample.
fn case(
    found: &[&[u8]],
    dialect: Dialect,
    columns: &Columns,
    steps: usize,
) -> Result<RawCase, (String, String)> {
    use super::columns::Role;
    if found.len() != columns.roles.len() {
        return Err((
            format!("{} fields", found.len()),
            format!("{}, as in the first row", columns.roles.len()),
        ));
    }
    let mut values = vec![f64::NAN; columns.channels.len()];
    let mut case = RawCase::default();
    for (field, role) in found.iter().zip(&columns.roles) {
        let field = unquoted(field);
        match *role {
            Role::Channel(slot) => {
                let value = number::parse(field, dialect.mark);
                let value = value.filter(|value| !(*value as f32).is_infinite());
                values[slot] =
                    value.ok_or_else(|| (excerpt(field), "a finite number".to_string()))?;
            }
            Role::Label => case.label = text(field),
            Role::Group => case.group = Some(text(field)),
            Role::Time(_) | Role::Ignored => {}
        }
    }
    let recorded = values
        .chunks_exact(steps)
        .map(|channel| channel.iter().rposition(|value| !value.is_nan()));
    let kept = recorded.flatten().max().map_or(1, |last| last + 1);
    case.steps = kept;
    case.values = values
        .chunks_exact(steps)
        .flat_map(|channel| &channel[..kept])
        .copied()
        .collect();
    Ok(case)
}

/// The names of the channels and the steps of each, of columns that are channels one after the
/// other; `None` where they have different numbers.
fn layout(columns: &[String]) -> Option<(Vec<String>, usize)> {
    let mut channels: Vec<(&str, usize)> = Vec::new();
    for column in columns {
        let stem = column.trim_end_matches(|c: char| c.is_ascii_digit());
        let stem = stem.trim_end_matches(['_', '.', '-', ' ']);
        if stem.is_empty() || stem.len() == column.len() {
            return Some((vec!["value".into()], columns.len()));
        }
        match channels.last_mut() {
            Some((name, count)) if *name == stem => *count += 1,
            _ => channels.push((stem, 1)),
        }
    }
    let steps = channels.first().map_or(0, |(_, count)| *count);
    let alike = channels.iter().all(|(_, count)| *count == steps);
    let names = channels.iter().map(|(name, _)| (*name).to_string());
    alike.then(|| (names.collect(), steps))
}
