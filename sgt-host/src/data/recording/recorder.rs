//! Rows to recordings: gaps, groups and the rate.

use super::{Segment, UNLABELLED};
use std::collections::BTreeMap;

/// How fast rows follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds between two rows as they should be; `None` where no time is known.
    pub period: Option<f64>,
    /// Whether rows are brought to that period by linear interpolation.
    pub resample: bool,
    /// Rows that may be missing before a recording ends.
    pub gap: usize,
}

/// Times that are so close, in periods, to a step of the grid are that step.
const ON_GRID: f64 = 1e-6;

/// Takes rows one by one; gives out recordings when they are over.
///
/// With times, the rows of a group belong together however they are mixed with those of others, and
/// a recording ends where the time goes back or more than [`Pace::gap`] rows are missing. Without
/// times, it ends where the group changes.
#[derive(Clone, Debug)]
pub struct Recorder {
    pace: Pace,
    channels: usize,
    timed: bool,
    open: BTreeMap<usize, Open>,
    finished: Vec<Segment>,
    /// Where a recording was cut because rows were missing.
    pub gaps: usize,
    /// Where the time went back.
    pub jumps: usize,
}

/// A recording to which rows may still come.
#[derive(Clone, Debug)]
struct Open {
    segment: Segment,
    last_time: f64,
    last_values: Vec<f32>,
    last_label: u16,
}

impl Recorder {
    /// For rows of `channels` channels, with or without times.
    pub fn new(pace: Pace, channels: usize, timed: bool) -> Self {
        Self {
            pace,
            channels,
            timed,
            open: BTreeMap::new(),
            finished: Vec::new(),
            gaps: 0,
            jumps: 0,
        }
    }

    /// Takes the next row.
    pub fn push(&mut self, group: usize, time: f64, values: &[f32], label: u16) {
        if !self.timed {
            if !self.open.contains_key(&group) {
                self.finish();
            }
            let channels = self.channels;
            let open = self.open.entry(group);
            let open = open.or_insert_with(|| Open::new(group, channels, 0.0));
            open.append(values, label);
            return;
        }
        let mut ended = None;
        if let Some(open) = self.open.get(&group) {
            let apart = time - open.last_time;
            let longest = self.pace.period.map_or(f64::INFINITY, |period| {
                period * (self.pace.gap as f64 + 1.0 + ON_GRID)
            });
            if apart < 0.0 {
                self.jumps += 1;
                ended = self.open.remove(&group);
            } else if apart > longest {
                self.gaps += 1;
                ended = self.open.remove(&group);
            }
        }
        self.finished.extend(ended.map(|open| open.segment));
        let pace = self.pace;
        let channels = self.channels;
        match self.open.get_mut(&group) {
            None => {
                let mut open = Open::new(group, channels, time);
                open.append(values, label);
                if !pace.resample {
                    open.segment.times.push(time);
                }
                open.remember(time, values, label);
                self.open.insert(group, open);
            }
            Some(open) => {
                match pace.period {
                    Some(period) if pace.resample => open.resample(period, time, values),
                    _ => {
                        open.append(values, label);
                        open.segment.times.push(time);
                    }
                }
                open.remember(time, values, label);
            }
        }
    }

    /// The steps of the recording of `group` that are at hand, and how many there are, while it goes
    /// on.
    pub fn current(&self, group: usize) -> Option<&Segment> {
        self.open.get(&group).map(|open| &open.segment)
    }

    /// Gives up the first `steps` steps of the recording of `group`.
    ///
    /// # Panics
    /// When it has fewer.
    pub fn forget(&mut self, group: usize, steps: usize) {
        let Some(open) = self.open.get_mut(&group) else {
            return;
        };
        let segment = &mut open.segment;
        for channel in &mut segment.channels {
            channel.drain(..steps);
        }
        segment.labels.drain(..steps);
        if !segment.times.is_empty() {
            segment.times.drain(..steps);
        }
        segment.forgotten += steps;
    }

    /// Recordings that were finished since this was asked last.
    pub fn take_finished(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.finished)
    }

    /// Ends every recording.
    pub fn finish(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.finished
            .extend(open.into_values().map(|open| open.segment));
    }

    /// Every recording, in the order in which they ended.
    pub fn into_segments(mut self) -> Vec<Segment> {
        self.finish();
        self.finished
    }
}

impl Open {
    fn new(group: usize, channels: usize, start: f64) -> Self {
        Self {
            segment: Segment {
                group,
                channels: vec![Vec::new(); channels],
                start,
                ..Segment::default()
            },
            last_time: start,
            last_values: Vec::new(),
            last_label: UNLABELLED,
        }
    }

    fn append(&mut self, values: &[f32], label: u16) {
        for (channel, &value) in self.segment.channels.iter_mut().zip(values) {
            channel.push(value);
        }
        self.segment.labels.push(label);
    }

    fn remember(&mut self, time: f64, values: &[f32], label: u16) {
        self.last_time = time;
        self.last_values.clear();
        self.last_values.extend_from_slice(values);
        self.last_label = label;
    }

    /// Appends the steps of the grid after the last row, up to `time`, where `values` were seen. The
    /// class of a step is that of the last row at or before it.
    fn resample(&mut self, period: f64, time: f64, values: &[f32]) {
        let close = period * ON_GRID;
        loop {
            let step =
                self.segment.start + (self.segment.forgotten + self.segment.len()) as f64 * period;
            if step > time + close {
                return;
            }
            let apart = time - self.last_time;
            let share = if apart > 0.0 {
                ((step - self.last_time) / apart).clamp(0.0, 1.0)
            } else {
                1.0
            };
            let there = time - step <= close;
            for (slot, channel) in self.segment.channels.iter_mut().enumerate() {
                let (before, after) = (self.last_values[slot], values[slot]);
                channel.push(if there {
                    after
                } else if share == 0.0 {
                    before
                } else {
                    let (before, after) = (f64::from(before), f64::from(after));
                    (before + (after - before) * share) as f32
                });
            }
            self.segment.labels.push(self.last_label);
        }
    }
}
