//! Recordings: rows in the order of time, without a gap, from which windows are cut.
//!
//! A [`Recorder`] takes rows as they come, from a file or from a device, and brings them to one rate.

mod cut;
mod recorder;

pub use cut::{Cut, Dropped, Window, cut};
pub use recorder::{Pace, Recorder};

/// The class of a row that has none.
pub const UNLABELLED: u16 = u16::MAX;

/// A recording without a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Whom or what it is of: an index into a list of names.
    pub group: usize,
    /// One list of values a channel; NaN is a missing value.
    pub channels: Vec<Vec<f32>>,
    /// The class of each step, or [`UNLABELLED`].
    pub labels: Vec<u16>,
    /// When each step was, in seconds; none where no time is known.
    pub times: Vec<f64>,
    /// When the first step was, where the steps are evenly apart.
    pub start: f64,
    /// Steps at its beginning that are not kept any more.
    pub forgotten: usize,
}

impl Segment {
    /// The number of steps.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without a step.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// When `step` was, in seconds; `rate` is that of evenly spaced steps, the number of the step
    /// stands for the time without one.
    pub fn time(&self, step: usize, rate: Option<f64>) -> f64 {
        match self.times.get(step) {
            Some(&time) => time,
            None => self.start + (self.forgotten + step) as f64 / rate.unwrap_or(1.0),
        }
    }

    /// Fills what is missing in a channel linearly between its neighbours, and with the nearest
    /// value at an end. A channel without any value is left.
    pub fn interpolate(&mut self) {
        for channel in &mut self.channels {
            crate::data::missing::interpolate(channel);
        }
    }

    /// Splits the recording where all channels together, or one alone, miss more than `gap` values in
    /// a row: nothing is made up over a longer time.
    pub fn without_long_gaps(self, gap: usize) -> Vec<Self> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for channel in &self.channels {
            // A channel that is never there is no gap.
            if channel.iter().all(|value| value.is_nan()) {
                continue;
            }
            let mut start = None;
            for (step, value) in channel.iter().chain([&0.0]).enumerate() {
                match (value.is_nan(), start) {
                    (true, None) => start = Some(step),
                    (false, Some(first)) => {
                        if step - first > gap {
                            runs.push((first, step));
                        }
                        start = None;
                    }
                    _ => {}
                }
            }
        }
        if runs.is_empty() {
            return vec![self];
        }
        runs.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for (start, end) in runs.into_iter().chain([(self.len(), self.len())]) {
            if start > from {
                parts.push(self.part(from, start));
            }
            from = from.max(end);
        }
        parts
    }

    fn part(&self, from: usize, to: usize) -> Self {
        Self {
            group: self.group,
            channels: self
                .channels
                .iter()
                .map(|channel| channel[from..to].to_vec())
                .collect(),
            labels: self.labels[from..to].to_vec(),
            times: self.times.get(from..to).map_or(Vec::new(), <[f64]>::to_vec),
            start: self.start,
            forgotten: self.forgotten + from,
        }
    }
}
