//! The UEA archive's `.ts` format: `#` comments, an `@key value` header, `@data`, then one case a
//! line: channels between `:`, values between `,`, the label last.

use super::series::{Recording, Recordings};
use crate::file::{data_error, excerpt};
use crate::{Error, Result, limits};
use std::collections::BTreeSet;
use std::path::Path;

/// The recordings in the (decompressed) content of a `.ts` file. `path` is only named in errors.
///
/// `classes` are those of the training file, for a test file; `None` takes this file's own: the
/// names after `@classLabel true` in their order, or, without that line, the labels that occur,
/// sorted. Labels are matched by name, then as numbers (`1` is `1.0`).
///
/// Header keys may be in any case and absent, except `@data`. What `@dimensions`,
/// `@equalLength`, `@seriesLength` say must be true. Comments may be in any encoding; header
/// and data are UTF-8.
///
/// # Errors
/// [`Error::Data`] with the line, on anything else: regression targets, missing values (`?`, `NaN`),
/// ragged rows, numbers that are not finite, a label that is no class, no case. Values with time
/// stamps, `(time,value)`, are taken in their order.
pub fn parse(path: &Path, bytes: &[u8], classes: Option<&[String]>) -> Result<Recordings> {
    parse_with_gaps(path, bytes, classes, false)
}

/// [`parse`] where, with `gaps`, missing values are read, as NaN.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_with_gaps(
    path: &Path,
    bytes: &[u8],
    classes: Option<&[String]>,
    gaps: bool,
) -> Result<Recordings> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(data_error(path, "an empty file", "a .ts file"));
    }
    let mut header = Header::default();
    let mut channels = None;
    let mut first_steps = None;
    let mut cases = Vec::new();
    let mut labels = Vec::new();
    let mut in_data = false;
    let mut held = 0;
    // Lines end with a line feed, or, in files of old systems that have none, a carriage return.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    for (index, line) in bytes.split(|&byte| byte == end).enumerate() {
        let at = Line {
            path,
            number: index + 1,
        };
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        let line = std::str::from_utf8(line)
            .map_err(|_| at.error("bytes that are not UTF-8", "text in UTF-8"))?;
        if !in_data {
            in_data = header.take(at, line)?;
            continue;
        }
        let (case, label) = parse_case(at, line, gaps)?;
        held += case.values.len() * size_of::<f64>() + CASE;
        limits::check(path, "bytes of recordings", held, 1)?;
        let found = case.values.len() / case.steps;
        let expected = *channels.get_or_insert(header.channels.unwrap_or(found));
        if found != expected {
            return Err(at.error(format!("{found} channels"), format!("{expected}")));
        }
        let first = *first_steps.get_or_insert(header.equal_steps.unwrap_or(case.steps));
        if header.equal_length && case.steps != first {
            return Err(at.error(
                format!("{} steps", case.steps),
                format!("{first}, since the header says equal length"),
            ));
        }
        cases.push(case);
        labels.push((at.number, label));
    }
    if !in_data {
        return Err(data_error(path, "no @data line", "a .ts file"));
    }
    let Some(channels) = channels else {
        return Err(data_error(path, "no case after @data", "at least one"));
    };
    let line = header.class_line;
    let classes = match (classes, header.classes) {
        (Some(classes), _) => classes.to_vec(),
        (None, Some(words)) => {
            let names = labels.iter().map(|(_, name)| *name);
            with_spaces(&words, names.collect()).unwrap_or(words)
        }
        (None, None) => {
            let mut names: Vec<String> = labels.iter().map(|(_, name)| (*name).into()).collect();
            names.sort();
            names.dedup();
            names
        }
    };
    let distinct: BTreeSet<_> = classes.iter().collect();
    if distinct.len() != classes.len() {
        let at = Line { path, number: line };
        return Err(at.error("a class named twice", "distinct class names"));
    }
    for (case, (number, label)) in cases.iter_mut().zip(labels) {
        case.label = class_of(label, &classes).ok_or_else(|| {
            Line { path, number }.error(
                format!("label {}", excerpt(label)),
                format!("one of the classes {}", excerpt(classes.join(" "))),
            )
        })?;
    }
    Ok(Recordings {
        name: header.name.unwrap_or_else(|| stem(path)),
        classes,
        channels,
        cases,
    })
}

/// What a recording costs beside its values: itself, its label, and what the allocator adds.
const CASE: usize = 128;

/// A place in a file, for errors.
#[derive(Clone, Copy)]
struct Line<'a> {
    path: &'a Path,
    number: usize,
}

impl Line<'_> {
    fn error(self, found: impl std::fmt::Display, expected: impl Into<String>) -> Error {
        let found = format!("line {}: {found}", self.number);
        data_error(self.path, found, expected)
    }
}

#[derive(Default)]
struct Header {
    name: Option<String>,
    channels: Option<usize>,
    equal_length: bool,
    equal_steps: Option<usize>,
    /// Words, of which a name may have several.
    classes: Option<Vec<String>>,
    class_line: usize,
}

impl Header {
    /// Takes one header line; true when the data follow.
    fn take(&mut self, at: Line, line: &str) -> Result<bool> {
        let Some(entry) = line.strip_prefix('@') else {
            return Err(at.error(
                format!("{} before @data", excerpt(line)),
                "comments, @key lines, then @data",
            ));
        };
        let (key, value) = entry
            .split_once(|c: char| c.is_whitespace())
            .map_or((entry, ""), |(key, value)| (key, value.trim()));
        let mut words = value.split_whitespace();
        match key.to_ascii_lowercase().as_str() {
            "data" => {
                if !self.equal_length {
                    self.equal_steps = None;
                }
                return Ok(true);
            }
            "problemname" if !value.is_empty() && !value.contains(char::is_control) => {
                self.name = Some(value.into());
            }
            "targetlabel" if flag(at, value)? => {
                return Err(at.error("a regression target", "class labels (@classLabel true …)"));
            }
            "univariate" if flag(at, value)? => self.channels = Some(1),
            "dimensions" | "dimension" => self.channels = Some(count(at, value)?),
            "equallength" => self.equal_length = flag(at, value)?,
            // Series of unequal lengths are said to have length 0.
            "serieslength" if value == "0" => {}
            "serieslength" => self.equal_steps = Some(count(at, value)?),
            "classlabel" => {
                if !flag(at, words.next().unwrap_or(""))? {
                    return Err(at.error("no class labels", "@classLabel true NAME …"));
                }
                let names: Vec<String> = words.map(String::from).collect();
                if !names.is_empty() {
                    self.classes = Some(names);
                    self.class_line = at.number;
                }
            }
            _ => {}
        }
        Ok(false)
    }
}

fn flag(at: Line, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(at.error(excerpt(value), "true or false")),
    }
}

fn count(at: Line, value: &str) -> Result<usize> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(at.error(excerpt(value), "a positive number")),
    }
}

/// The case on a line, its class still open, and the label's text.
fn parse_case<'a>(at: Line, line: &'a str, gaps: bool) -> Result<(Recording, &'a str)> {
    let Some((series, label)) = line
        .rsplit_once(':')
        .filter(|(_, label)| !label.contains(')'))
    else {
        return Err(at.error("no label", "channels, each ended by ':', then the label"));
    };
    let mut values = Vec::new();
    let mut steps = None;
    for (channel, text) in parts(series, ':').enumerate() {
        let start = values.len();
        for value in parts(text, ',') {
            values.push(parse_value(at, without_time(at, value.trim())?, gaps)?);
        }
        let found = values.len() - start;
        let expected = *steps.get_or_insert(found);
        if found != expected {
            return Err(at.error(
                format!("{found} values in channel {}", channel + 1),
                format!("{expected}, as in channel 1"),
            ));
        }
    }
    let case = Recording {
        label: 0,
        steps: steps.unwrap_or(1),
        values,
    };
    Ok((case, label.trim()))
}

/// `text` between separators that stand in no parentheses.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == separator && !inside
    })
}

/// The value of `(time,value)`, or the value alone.
fn without_time<'a>(at: Line, text: &'a str) -> Result<&'a str> {
    let Some(inside) = text.strip_prefix('(') else {
        return Ok(text);
    };
    let pair = inside.strip_suffix(')');
    match pair.and_then(|pair| pair.rsplit_once(',')) {
        Some((_, value)) => Ok(value.trim()),
        None => Err(at.error(excerpt(text), "(time,value)")),
    }
}

fn parse_value(at: Line, text: &str, gaps: bool) -> Result<f64> {
    match text.parse::<f64>() {
        // Training is in single precision, whose range is smaller.
        Ok(value) if (value as f32).is_finite() => Ok(value),
        Ok(value) if gaps && value.is_nan() => Ok(f64::NAN),
        Ok(value) if !value.is_nan() => Err(at.error(excerpt(text), "a finite number")),
        Err(_) if text == "?" && gaps => Ok(f64::NAN),
        Err(_) if text != "?" => Err(at.error(excerpt(text), "a number")),
        _ => Err(at.error(
            format!("a missing value ({text})"),
            "a number; --missing interpolate, mean or mask reads it",
        )),
    }
}

/// The names that `words` are made of, where some labels have blanks; `None` where none has.
fn with_spaces(words: &[String], labels: BTreeSet<&str>) -> Option<Vec<String>> {
    if !labels
        .iter()
        .any(|label| label.contains(char::is_whitespace))
    {
        return None;
    }
    let mut longest_first: Vec<Vec<&str>> = labels
        .into_iter()
        .map(|label| label.split_whitespace().collect::<Vec<_>>())
        .filter(|label| !label.is_empty())
        .collect();
    longest_first.sort_by_key(|label| std::cmp::Reverse(label.len()));
    let mut names = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let label = longest_first
            .iter()
            .find(|label| label.len() <= rest.len() && label.iter().zip(rest).all(|(a, b)| a == b));
        // A class without a recording is one word.
        let length = label.map_or(1, Vec::len);
        names.push(rest[..length].join(" "));
        rest = &rest[length..];
    }
    Some(names)
}

fn class_of(label: &str, classes: &[String]) -> Option<usize> {
    let by_name = classes.iter().position(|class| class == label);
    by_name.or_else(|| {
        let number: f64 = label.parse().ok()?;
        classes
            .iter()
            .position(|class| class.parse::<f64>().is_ok_and(|class| class == number))
    })
}

/// The file's name without its ending and `_TRAIN` or `_TEST`.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.strip_suffix("_TRAIN").unwrap_or(stem);
    stem.strip_suffix("_TEST").unwrap_or(stem).to_string()
}
