//! Missing values: NaN until they are filled.

use super::series::Recordings;
use super::{Missing, Preprocessing};
use crate::{Error, Result};

/// Numbers that may be missing.
pub(super) trait Value: Copy {
    /// As an `f64`.
    fn wide(self) -> f64;
    /// The nearest number.
    fn near(value: f64) -> Self;
}

impl Value for f32 {
    fn wide(self) -> f64 {
        self.into()
    }

    fn near(value: f64) -> Self {
        value as Self
    }
}

impl Value for f64 {
    fn wide(self) -> f64 {
        self
    }

    fn near(value: f64) -> Self {
        value
    }
}

/// Fills NaN linearly between the neighbours, and with the nearest value at an end. Values without
/// any number are left.
pub(super) fn interpolate<T: Value>(values: &mut [T]) {
    let mut before = None;
    let mut next = 0;
    while next < values.len() {
        if !values[next].wide().is_nan() {
            before = Some(next);
            next += 1;
            continue;
        }
        let known = |place: &usize| !values[*place].wide().is_nan();
        let after = (next..values.len()).find(known);
        let end = after.unwrap_or(values.len());
        match (before, after) {
            (None, None) => return,
            (Some(known), None) | (None, Some(known)) => {
                let nearest = values[known];
                values[next..end].fill(nearest);
            }
            (Some(first), Some(last)) => {
                let (low, high) = (values[first].wide(), values[last].wide());
                let width = (last - first) as f64;
                for (place, value) in values.iter_mut().enumerate().take(end).skip(next) {
                    let share = (place - first) as f64 / width;
                    *value = T::near(low + (high - low) * share);
                }
            }
        }
        next = end;
    }
}

/// Sums of what is there, a channel each.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    sums: Vec<f64>,
    counts: Vec<usize>,
    missing: Vec<usize>,
}

impl Fitted {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            sums: vec![0.0; channels],
            counts: vec![0; channels],
            missing: vec![0; channels],
        }
    }

    /// Counts training values of a channel.
    pub(super) fn add<T: Value>(&mut self, channel: usize, values: &[T]) {
        for value in values {
            let value = value.wide();
            if value.is_nan() {
                self.missing[channel] += 1;
            } else {
                self.sums[channel] += value;
                self.counts[channel] += 1;
            }
        }
    }

    /// Values that are not there.
    pub(super) fn missing(&self) -> usize {
        self.missing.iter().sum()
    }

    /// The mean of each channel; 0 for one of which nothing is known.
    pub(super) fn means(&self) -> Vec<f64> {
        let means = self.sums.iter().zip(&self.counts);
        means
            .map(|(sum, &count)| sum / count.max(1) as f64)
            .collect()
    }

    /// The channels in which something is missing.
    pub(super) fn gappy(&self) -> Vec<usize> {
        let channels = 0..self.missing.len();
        channels
            .filter(|&channel| self.missing[channel] > 0)
            .collect()
    }
}

/// Refuses missing values that nothing is said of.
pub(super) fn refuse(missing: usize, name: &str) -> Error {
    crate::file::data_error(
        std::path::Path::new(name),
        format!("{missing} missing values"),
        "none; --missing interpolate, mean or mask reads them",
    )
}

/// Fills the samples `[samples, channels, steps]`, and appends, after the channels of each, those that
/// say where [`Preprocessing::masked`] ones are missing.
pub(super) fn fill(
    samples: Vec<f32>,
    steps: usize,
    preprocessing: &Preprocessing,
    origin: &[f64],
) -> Vec<f32> {
    let channels = preprocessing.fill.len();
    let masked = &preprocessing.masked;
    let by_time = preprocessing.reading.missing == Missing::Interpolate;
    let relative = |channel: usize| {
        let origin = origin.get(channel).copied().unwrap_or_default();
        (preprocessing.fill[channel] - origin) as f32
    };
    let fill_channel = |channel: usize, values: &mut [f32]| {
        if by_time {
            interpolate(values);
        }
        for value in values {
            if value.is_nan() {
                *value = relative(channel);
            }
        }
    };
    if masked.is_empty() {
        let mut samples = samples;
        for (index, values) in samples.chunks_exact_mut(steps).enumerate() {
            fill_channel(index % channels, values);
        }
        return samples;
    }
    let size = channels * steps;
    let count = samples.len() / size;
    let mut filled = Vec::with_capacity(count * (channels + masked.len()) * steps);
    for sample in samples.chunks_exact(size) {
        let start = filled.len();
        filled.extend_from_slice(sample);
        for (channel, values) in filled[start..].chunks_exact_mut(steps).enumerate() {
            fill_channel(channel, values);
        }
        for &channel in masked {
            let values = &sample[channel * steps..][..steps];
            filled.extend(
                values
                    .iter()
                    .map(|value| f32::from(u8::from(value.is_nan()))),
            );
        }
    }
    filled
}

/// [`fill`] of recordings of any length.
pub(super) fn fill_recordings(recordings: &mut Recordings, preprocessing: &Preprocessing) {
    let masked = &preprocessing.masked;
    let by_time = preprocessing.reading.missing == Missing::Interpolate;
    for case in &mut recordings.cases {
        let steps = case.steps;
        let mut masks = Vec::new();
        for &channel in masked {
            let values = &case.values[channel * steps..][..steps];
            masks.extend(
                values
                    .iter()
                    .map(|value| f64::from(u8::from(value.is_nan()))),
            );
        }
        for (channel, values) in case.values.chunks_exact_mut(steps).enumerate() {
            if by_time {
                interpolate(values);
            }
            for value in values {
                if value.is_nan() {
                    *value = preprocessing.fill[channel];
                }
            }
        }
        case.values.extend(masks);
    }
    recordings.channels += masked.len();
}

/// Sets [`Preprocessing::fill`] and [`Preprocessing::masked`] from the training values; `missing` is
/// the number of values that are missing in both parts.
///
/// # Errors
/// [`Error::Data`] when some are and nothing is said of them.
pub(super) fn settle(
    preprocessing: &mut Preprocessing,
    fitted: &Fitted,
    missing: usize,
    name: &str,
) -> Result<()> {
    let policy = preprocessing.reading.missing;
    if policy == Missing::Refuse {
        return if missing == 0 {
            Ok(())
        } else {
            Err(refuse(missing, name))
        };
    }
    preprocessing.fill = fitted.means();
    if policy == Missing::Mask {
        preprocessing.masked = fitted.gappy();
    }
    Ok(())
}

/// The names of all channels, those that say where another is missing behind the others.
pub(super) fn names(channels: &[String], masked: &[usize]) -> Vec<String> {
    let masks = masked.iter().filter_map(|&channel| channels.get(channel));
    let masks = masks.map(|name| format!("{name} missing"));
    channels.iter().cloned().chain(masks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_between_their_neighbours() {
        const N: f64 = f64::NAN;
        let mut values = [N, 1.0, N, N, 4.0, N];
        interpolate(&mut values);
        assert_eq!(values, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
        let mut nothing = [N, N];
        interpolate(&mut nothing);
        assert!(nothing.iter().all(|value| value.is_nan()));
    }
}
