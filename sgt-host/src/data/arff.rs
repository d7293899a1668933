//! The UEA archive's `.arff` format, as Weka writes it: `%` comments, `@attribute` lines, `@data`, then
//! one case a line, `,` between values, the label last. The channels of a case are the lines of one
//! quoted text (`'1,2\n3,4',walk`) or, in univariate files, its values (`1,2,walk`).

use super::classes;
use super::series::{Recording, Recordings};
use crate::file::{data_error, excerpt};
use crate::{Error, Result, limits};
use std::path::Path;

/// What a recording costs beside its values.
const CASE: usize = 128;

/// The recordings in the (decompressed) content of an `.arff` file and the names of their channels,
/// none where the file has no names of channels. With `gaps`, missing values (`?`) are read, as NaN.
/// `path` is only named in errors.
///
/// `known` are the classes of the training file, for a test file; `None` takes this file's own: those
/// that its last attribute lists, or, where it lists none, those that occur.
///
/// # Errors
/// [`Error::Data`] with the line on anything else.
pub fn parse(
    path: &Path,
    bytes: &[u8],
    known: Option<&[String]>,
    gaps: bool,
) -> Result<(Recordings, Vec<String>)> {
    let refuse = |number: usize, found: String, expected: &str| -> Error {
        data_error(path, format!("line {number}: {found}"), expected)
    };
    let mut name = super::files::stem(path);
    let mut listed = None;
    let mut in_data = false;
    let mut cases = Vec::new();
    let mut labels = Vec::new();
    let mut channels = None;
    let mut held = 0;
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let line = line.trim_ascii();
        if line.is_empty() || line[0] == b'%' {
            continue;
        }
        let line = std::str::from_utf8(line)
            .map_err(|_| refuse(number, "bytes that are not UTF-8".into(), "text in UTF-8"))?;
        if !in_data {
            let Some(entry) = line.strip_prefix('@') else {
                let found = format!("{} before @data", excerpt(line));
                return Err(refuse(number, found, "@relation, @attribute, @data"));
            };
            let (key, value) = entry
                .split_once(char::is_whitespace)
                .map_or((entry, ""), |(key, value)| (key, value.trim()));
            match key.to_ascii_lowercase().as_str() {
                "data" => in_data = true,
                "relation" if !value.contains(char::is_control) => name = bare(value).into(),
                // The last one counts.
                "attribute" => listed = nominal(value),
                _ => {}
            }
            continue;
        }
        let (case, label) =
            case(line, gaps).map_err(|(found, expected)| refuse(number, found, expected))?;
        held += case.values.len() * size_of::<f64>() + CASE;
        limits::check(path, "bytes of recordings", held, 1)?;
        let found = case.values.len() / case.steps;
        let expected = *channels.get_or_insert(found);
        if found != expected {
            let found = format!("{found} channels");
            return Err(refuse(
                number,
                found,
                &format!("{expected}, as in the first case"),
            ));
        }
        labels.push((number, label.to_string()));
        cases.push(case);
    }
    let Some(channels) = channels else {
        let found = if in_data { "no case" } else { "no @data line" };
        return Err(data_error(path, found, "cases after @data"));
    };
    let classes = match (known, listed) {
        (Some(known), _) => known.to_vec(),
        (None, Some(listed)) => listed,
        (None, None) => classes::names(labels.iter().map(|(_, label)| label.as_str())),
    };
    for (case, (number, label)) in cases.iter_mut().zip(&labels) {
        case.label = classes::find(label, &classes).ok_or_else(|| {
            let expected = format!("one of the classes {}", excerpt(classes.join(" ")));
            refuse(*number, format!("label {}", excerpt(label)), &expected)
        })?;
    }
    let name = name.strip_suffix("_TRAIN").unwrap_or(&name);
    let name = name.strip_suffix("_TEST").unwrap_or(name);
    let recordings = Recordings {
        name: name.to_string(),
        classes,
        channels,
        cases,
    };
    Ok((recordings, Vec::new()))
}

/// The values of `NAME {a,b,c}`.
fn nominal(attribute: &str) -> Option<Vec<String>> {
    let (_, list) = attribute.split_once('{')?;
    let list = list.trim_end().strip_suffix('}')?;
    let names: Vec<String> = list.split(',').map(|name| bare(name).into()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    (sorted.len() == names.len()).then_some(names)
}

/// Without quotes and blanks around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    for quote in ['\'', '"'] {
        let inside = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inside) = inside {
            return inside;
        }
    }
    text
}

type Flaw = (String, &'static str);

/// The case on a line, its class still open, and the label.
fn case(line: &str, gaps: bool) -> Result<(Recording, &str), Flaw> {
    let quote = line
        .chars()
        .next()
        .filter(|quote| matches!(quote, '\'' | '"'));
    let (channels, label): (Vec<&str>, &str) = match quote {
        // The text of a relation: its lines are channels, written as \n.
        Some(quote)
            if line[1..].contains("\\n")
                || line.ends_with(quote)
                || has_comma_after(line, quote) =>
        {
            let (inside, rest) = line[1..].split_once(quote).ok_or_else(|| {
                (
                    "a quoted text that does not end".to_string(),
                    "'channels',label",
                )
            })?;
            let label = rest
                .trim_start()
                .strip_prefix(',')
                .ok_or_else(|| ("no label".to_string(), "'channels',label"))?;
            (inside.split("\\n").collect(), label)
        }
        _ => {
            let (values, label) = line
                .rsplit_once(',')
                .ok_or_else(|| ("no label".to_string(), "values, then the label"))?;
            (vec![values], label)
        }
    };
    let mut values = Vec::new();
    let mut steps = None;
    for (channel, text) in channels.into_iter().enumerate() {
        let start = values.len();
        for text in text.split(',') {
            values.push(value(text.trim(), gaps)?);
        }
        let found = values.len() - start;
        if *steps.get_or_insert(found) != found {
            return Err((
                format!("{found} values in channel {}", channel + 1),
                "as many as in channel 1",
            ));
        }
    }
    let case = Recording {
        label: 0,
        steps: steps.unwrap_or(1),
        values,
    };
    Ok((case, bare(label)))
}

/// Whether the text that begins with `quote` ends before a comma.
fn has_comma_after(line: &str, quote: char) -> bool {
    let rest = line[1..].split_once(quote).map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.trim_start().starts_with(','))
}

fn value(text: &str, gaps: bool) -> Result<f64, Flaw> {
    match text.parse::<f64>() {
        Ok(value) if (value as f32).is_finite() => Ok(value),
        Ok(value) if value.is_nan() && gaps => Ok(f64::NAN),
        Err(_) if text == "?" && gaps => Ok(f64::NAN),
        Ok(value) if !value.is_nan() => Err((excerpt(text), "a finite number")),
        Err(_) if text != "?" => Err((excerpt(text), "a number")),
        _ => Err((
            format!("a missing value ({text})"),
            "a number; --missing interpolate, mean or mask reads it",
        )),
    }
}
