//! Rows that come bit by bit, as a device sends them, cut into a finished network's windows.

use super::csv_recordings::WindowRule;
use super::input::{FileSamples, Known, label};
use crate::data::csv::{Csv, Row, text};
use crate::data::recording::{Cut, Pace, Recorder, Segment, UNLABELLED};
use crate::data::{Provenance, Reading, classes};
use crate::file::data_error;
use crate::npy::Array;
use crate::weights::Metadata;
use crate::{Result, limits};
use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;

/// Windows of rows that come bit by bit, as a device sends them.
pub struct Stream<'s, 'm> {
    csv: Csv<'s>,
    known: Known<'m>,
    rule: WindowRule,
    recorder: Recorder,
    row: Row,
    groups: Vec<String>,
    /// Of each group: the first step of the next window.
    next: Vec<usize>,
    ready: VecDeque<StreamWindow>,
}

/// A window of a stream.
#[derive(Clone, Debug)]
pub struct StreamWindow {
    /// `[1, channels, steps]`, in the stream's units.
    pub values: Array<f64>,
    /// Whom or what it is of; empty without a column of groups.
    pub group: String,
    /// When its first step was, in seconds, or its number.
    pub from: f64,
    /// When its last step was.
    pub to: f64,
    /// Its class, where the stream says it and the network knows it.
    pub label: Option<usize>,
}

impl<'s, 'm> Stream<'s, 'm> {
    /// Reads the beginning of `source`; `path` is only named in errors.
    ///
    /// # Errors
    /// As [`super::read_samples`].
    pub fn new(
        path: &Path,
        source: impl Read + 's,
        metadata: &'m Metadata,
        asked: &Reading,
    ) -> Result<Self> {
        let known = Known::of(metadata, asked);
        known.check_series(path)?;
        let mut reading = known.reading.clone();
        if known.is_named() {
            reading.channels.clone_from(&known.preprocessing.channels);
        }
        let mut csv = Csv::new(path, source, &reading)?;
        if csv.columns.channels.len() != known.channels {
            return Err(data_error(
                path,
                format!("{} channels", csv.columns.channels.len()),
                format!("{}, as the network reads", known.channels),
            ));
        }
        csv.set_origin(&known.origin);
        let rate = known.like().rate;
        let step = match known.reading.step {
            Some(step) => step.steps("step", rate)?,
            None => known.steps,
        };
        let timed = csv.columns.time.is_some();
        let pace = Pace {
            period: rate.map(|rate| 1.0 / rate),
            resample: known.reading.rate.is_some() && timed,
            gap: known.reading.gap(),
        };
        Ok(Self {
            recorder: Recorder::new(pace, known.channels, timed),
            rule: WindowRule {
                length: known.steps,
                step,
            },
            csv,
            known,
            row: Row::default(),
            groups: Vec::new(),
            next: Vec::new(),
            ready: VecDeque::new(),
        })
    }

    /// What was found out about the stream, in a line.
    pub fn describe(&self) -> String {
        format!("{}; {}", self.csv.dialect, self.csv.columns.describe())
    }

    /// The next window, as soon as its last row is there; `None` at the end.
    ///
    /// # Errors
    /// As [`Csv::read`].
    pub fn next_window(&mut self) -> Result<Option<StreamWindow>> {
        loop {
            if let Some(window) = self.ready.pop_front() {
                return Ok(Some(window));
            }
            if !self.csv.read(&mut self.row)? {
                return Ok(None);
            }
            self.take_row()?;
        }
    }

    fn take_row(&mut self) -> Result<()> {
        let name = text(&self.row.group);
        let place = self.groups.iter().position(|group| *group == name);
        let group = place.unwrap_or_else(|| {
            self.groups.push(name);
            self.next.push(0);
            self.groups.len() - 1
        });
        if self.groups.len() > limits::STEPS {
            let found = format!("more than {} groups", limits::STEPS);
            return Err(data_error(
                self.csv.path(),
                found,
                "persons, devices or sessions",
            ));
        }
        let class = classes::find(&text(&self.row.label), &self.known.metadata.classes);
        let class = class.map_or(UNLABELLED, |class| class as u16);
        self.recorder
            .push(group, self.row.time, &self.row.values, class);
        for ended in self.recorder.take_finished() {
            self.next[ended.group] = 0;
        }
        let length = self.rule.length;
        let rate = self.known.like().rate;
        while let Some(segment) = self.recorder.current(group)
            && segment.len() >= self.next[group] + length
        {
            let start = self.next[group];
            let range = start..start + length;
            let rule = Cut {
                length,
                step: length,
                label: self.known.reading.window_label,
            };
            let label = label(
                segment,
                range.clone(),
                rule,
                &self.known.metadata.classes,
                self.known.metadata,
            );
            let mut samples = Vec::new();
            let mut valid = Vec::new();
            self.known
                .append(segment, range.clone(), &mut samples, &mut valid);
            let found = FileSamples {
                values: Array {
                    shape: Vec::new(),
                    values: Vec::new(),
                },
                labels: vec![label],
                provenance: Provenance::default(),
                valid,
            };
            let (from, to) = (segment.time(start, rate), segment.time(range.end - 1, rate));
            let found = self.known.finish(found, samples)?;
            self.ready.push_back(StreamWindow {
                values: found.values,
                group: self.groups[group].clone(),
                from,
                to,
                label,
            });
            self.next[group] = start + self.rule.step;
        }
        // What no window needs any more.
        let past = self.next[group].min(self.recorder.current(group).map_or(0, Segment::len));
        if past >= length {
            self.recorder.forget(group, past);
            self.next[group] -= past;
        }
        Ok(())
    }
}
