//! Predictions as CSV: a line a sample.

use crate::Result;
use crate::metrics::outputs::probabilities;
use crate::network::predicted_class;
use std::path::Path;

/// `index,group,from,to,true,predicted` and the probability of every class by its name; what is not
/// known is empty.
pub(super) struct PredictionTable<'c> {
    classes: &'c [String],
    text: String,
    rows: usize,
}

impl<'c> PredictionTable<'c> {
    pub(super) fn new(classes: &'c [String]) -> Self {
        let mut text = String::from("index,group,from,to,true,predicted");
        for class in classes {
            text.push(',');
            text.push_str(&field(class));
        }
        text.push('\n');
        Self {
            classes,
            text,
            rows: 0,
        }
    }

    /// Appends the line of a sample with these logits.
    ///
    /// # Errors
    /// As [`probabilities`].
    pub(super) fn add(
        &mut self,
        (group, time, label): (Option<&str>, Option<(f64, f64)>, Option<usize>),
        logits: &[f32],
    ) -> Result<()> {
        let (from, to) = match time {
            Some((from, to)) => (from.to_string(), to.to_string()),
            None => (String::new(), String::new()),
        };
        let name = |class: usize| field(&self.classes[class]);
        let mut line = vec![
            self.rows.to_string(),
            group.map_or(String::new(), field),
            from,
            to,
            label.map_or(String::new(), name),
            name(predicted_class(logits)),
        ];
        let shares = probabilities(logits, self.classes.len())?;
        line.extend(shares.iter().map(f32::to_string));
        self.text.push_str(&line.join(","));
        self.text.push('\n');
        self.rows += 1;
        Ok(())
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What was appended since this was asked last.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

/// A text as a field of CSV.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// Whether a file is to be CSV.
pub(super) fn is_csv(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

/// Samples of series as CSV: a line a step, a column a channel.
pub(super) fn series(values: &[f64], channels: &[String], steps: usize) -> String {
    let mut text = String::from("index,step");
    for channel in channels {
        text.push(',');
        text.push_str(&field(channel));
    }
    text.push('\n');
    for (index, sample) in values.chunks_exact(channels.len() * steps).enumerate() {
        for step in 0..steps {
            let mut line = vec![index.to_string(), step.to_string()];
            // As short as a single number can be written.
            let value = |value: &f64| {
                let near = *value as f32;
                if f64::from(near) == *value {
                    near.to_string()
                } else {
                    value.to_string()
                }
            };
            line.extend(sample[step..].iter().step_by(steps).map(value));
            text.push_str(&line.join(","));
            text.push('\n');
        }
    }
    text
}
