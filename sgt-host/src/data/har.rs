//! UCI HAR's raw inertial signals: one text file a channel, one window a line.

use super::series::{Recording, Recordings};
use crate::Result;
use crate::file::{data_error, excerpt};
use std::path::Path;

/// The channels in their order; the file of one is `SIGNAL_train.txt` or `SIGNAL_test.txt`.
pub const SIGNALS: [&str; 9] = [
    "body_acc_x",
    "body_acc_y",
    "body_acc_z",
    "body_gyro_x",
    "body_gyro_y",
    "body_gyro_z",
    "total_acc_x",
    "total_acc_y",
    "total_acc_z",
];

/// Labels are 1 to 6 in the files.
const CLASSES: [&str; 6] = [
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
];

/// Windows and labels from the (decompressed) content of the signal files, in the order of
/// [`SIGNALS`], and of the label file. Each is a path, named in errors, and its bytes.
///
/// # Errors
/// [`crate::Error::Data`] with the line, on anything but windows of one length made of finite
/// numbers, as many in each file as there are labels from 1 to 6.
pub fn parse(
    name: &str,
    signals: &[(&Path, &[u8]); SIGNALS.len()],
    labels: (&Path, &[u8]),
) -> Result<Recordings> {
    let mut cases = parse_labels(labels)?;
    for (channel, &file) in signals.iter().enumerate() {
        add_channel(&mut cases, channel, file)?;
    }
    Ok(Recordings {
        name: name.into(),
        classes: CLASSES.map(String::from).to_vec(),
        channels: SIGNALS.len(),
        cases,
    })
}

/// One recording without values for each label.
fn parse_labels((path, bytes): (&Path, &[u8])) -> Result<Vec<Recording>> {
    let mut cases = Vec::new();
    for (number, line) in lines(path, bytes)? {
        let label = line.parse::<usize>().ok();
        let Some(label) = label.filter(|label| (1..=CLASSES.len()).contains(label)) else {
            return Err(data_error(
                path,
                format!("line {number}: label {}", excerpt(line)),
                format!("a label from 1 to {}", CLASSES.len()),
            ));
        };
        cases.push(Recording {
            label: label - 1,
            steps: 0,
            values: Vec::new(),
        });
    }
    Ok(cases)
}

/// Appends a channel's windows to the recordings.
fn add_channel(
    cases: &mut [Recording],
    channel: usize,
    (path, bytes): (&Path, &[u8]),
) -> Result<()> {
    let windows = lines(path, bytes)?;
    if windows.len() != cases.len() {
        return Err(data_error(
            path,
            format!("{} windows", windows.len()),
            format!("{}, one a label", cases.len()),
        ));
    }
    // Every window of every channel has the length of the first.
    let mut steps = cases[0].steps;
    for (case, (number, line)) in cases.iter_mut().zip(windows) {
        for text in line.split_ascii_whitespace() {
            match text.parse::<f64>() {
                Ok(value) if (value as f32).is_finite() => case.values.push(value),
                _ => {
                    return Err(data_error(
                        path,
                        format!("line {number}: {}", excerpt(text)),
                        "a finite number",
                    ));
                }
            }
        }
        let found = case.values.len() - channel * steps;
        if steps == 0 {
            steps = found;
        }
        if found != steps {
            return Err(data_error(
                path,
                format!("line {number}: {found} values"),
                format!("{steps}, as in the first window"),
            ));
        }
        case.steps = steps;
    }
    Ok(())
}

/// The lines that are not blank, with their numbers; at least one.
fn lines<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<(usize, &'a str)>> {
    let mut lines = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let line = std::str::from_utf8(line.trim_ascii()).map_err(|_| {
            let found = format!("line {number}: bytes that are not UTF-8");
            data_error(path, found, "numbers as text")
        })?;
        if !line.is_empty() {
            lines.push((number, line));
        }
    }
    if lines.is_empty() {
        return Err(data_error(path, "no line", "at least one"));
    }
    Ok(lines)
}
