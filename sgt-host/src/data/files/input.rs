//! Files as a finished network reads them: the same windows, channels and fillings as in training.

use super::csv_recordings::{RecordingFile, Recordings, list};
use super::{FileFormat, PICTURES, cases, ending, format_of, pictures};
use crate::data::csv::read_wide;
use crate::data::missing;
use crate::data::recording::{Cut, Dropped, Segment, cut};
use crate::data::{InputShape, Missing, Preprocessing, Provenance, Reading, Source, classes};
use crate::file::{data_error, read_decompressed};
use crate::npy::Array;
use crate::weights::Metadata;
use crate::{Error, Result, limits, npy, npz};
use std::ops::Range;
use std::path::Path;

/// Samples out of files, as a network's file of arrays would hold them.
#[derive(Clone, Debug)]
pub struct FileSamples {
    /// `[samples, channels, steps]` or `[samples, channels, height, width]`, in the files' units.
    pub values: Array<f64>,
    /// The class of each, where the files say it and the network knows it.
    pub labels: Vec<Option<usize>>,
    /// Where each comes from; none for arrays and pictures.
    pub provenance: Provenance,
    /// The real steps of each, the others being padding in front; none where every step is real.
    pub valid: Vec<Range<usize>>,
}

/// Reads `path` as the network of `metadata` was taught to; `asked` lays over the options of its
/// training what a person says otherwise.
///
/// # Errors
/// [`Error::Data`] for channels that are missing, by name, and for damaged files; [`Error::Argument`]
/// for what no network of this kind reads.
pub fn read_samples(path: &Path, metadata: &Metadata, asked: &Reading) -> Result<FileSamples> {
    let known = Known::of(metadata, asked);
    let name = path.to_string_lossy();
    if PICTURES.contains(&&*ending(path)) {
        return read_pictures(path, metadata);
    }
    match format_of(&name) {
        Some(FileFormat::Csv) => known.read_csv(path),
        Some(FileFormat::Ts | FileFormat::Arff) => {
            let read = cases::read_archive(path, Some(&metadata.classes), &known.reading)?;
            known.align(path, read)
        }
        Some(FileFormat::Npz) => {
            let mut contents = npz::contents(path)?;
            let content = ["x", "X", "x_test", "X_test"]
                .iter()
                .find_map(|name| contents.remove(*name));
            let content = content.ok_or_else(|| {
                let names: Vec<String> = contents.keys().cloned().collect();
                let found = format!("the arrays {}", names.join(", ").escape_debug());
                data_error(path, found, "x")
            })?;
            let labels = ["y", "Y", "y_test", "Y_test"]
                .iter()
                .find_map(|name| contents.remove(*name));
            let labels = match labels {
                Some(content) => npy::parse_names(&path.join("y"), &content)?,
                None => Vec::new(),
            };
            known.read_array(&path.join("x"), &content, &labels)
        }
        Some(FileFormat::Pictures) => read_pictures(path, metadata),
        _ => known.read_array(path, &read_decompressed(path)?, &[]),
    }
}

/// [`read_samples`] of the content of an `.npy` file.
///
/// # Errors
/// As [`read_samples`].
pub fn read_array(
    path: &Path,
    bytes: &[u8],
    metadata: &Metadata,
    asked: &Reading,
) -> Result<FileSamples> {
    Known::of(metadata, asked).read_array(path, bytes, &[])
}

fn read_pictures(path: &Path, metadata: &Metadata) -> Result<FileSamples> {
    let shape = metadata.input;
    let mut values = Vec::new();
    let mut labels = Vec::new();
    let found = pictures::pictures_of(path)?;
    limits::check(path, "pixels", found.len().saturating_mul(shape.len()), 8)?;
    for (file, class) in &found {
        values.extend(pictures::sample(file, shape)?.into_iter().map(f64::from));
        labels.push(
            class
                .as_ref()
                .and_then(|class| classes::find(class, &metadata.classes)),
        );
    }
    let mut dims = vec![found.len()];
    dims.extend(shape.dims());
    Ok(FileSamples {
        values: Array {
            shape: dims,
            values,
        },
        labels,
        provenance: Provenance::default(),
        valid: Vec::new(),
    })
}

/// What is known of the files that a network reads.
pub(super) struct Known<'m> {
    pub(super) metadata: &'m Metadata,
    pub(super) preprocessing: Preprocessing,
    pub(super) reading: Reading,
    /// Channels that files hold, without those that say where another is missing.
    pub(super) channels: usize,
    pub(super) steps: usize,
    pub(super) origin: Vec<f64>,
}

impl<'m> Known<'m> {
    pub(super) fn of(metadata: &'m Metadata, asked: &Reading) -> Self {
        let preprocessing = metadata.preprocessing.clone().unwrap_or_default();
        let reading = over(&preprocessing.reading, asked);
        let masks = preprocessing.masked.len();
        let channels = metadata.input.channels().saturating_sub(masks).max(1);
        let origin = metadata.normalization.origin();
        Self {
            metadata,
            channels,
            steps: metadata.input.positions(),
            origin: origin
                .get(..channels)
                .map_or(vec![0.0; channels], <[f64]>::to_vec),
            preprocessing: Preprocessing {
                reading: reading.clone(),
                ..preprocessing
            },
            reading,
        }
    }

    /// Recordings whose channels, origins and rate those of a file must be.
    pub(super) fn like(&self) -> Recordings {
        Recordings {
            channels: self.preprocessing.channels.clone(),
            origin: self.origin.clone(),
            rate: self.reading.rate.or(self.preprocessing.rate),
            labels: Vec::new(),
            ..Recordings::default()
        }
    }

    pub(super) fn is_named(&self) -> bool {
        self.preprocessing.channels.len() == self.channels
    }

    pub(super) fn check_series(&self, path: &Path) -> Result<()> {
        match self.metadata.input {
            InputShape::Series { .. } => Ok(()),
            shape => Err(data_error(path, "recordings", format!("{shape}"))),
        }
    }

    fn read_csv(&self, path: &Path) -> Result<FileSamples> {
        self.check_series(path)?;
        if self.reading.wide {
            let reading = self.reading.clone();
            let (mut raw, _) = read_wide(path, &reading)?;
            let classes = &self.metadata.classes;
            let known = |label: &str| classes::find(label, classes);
            let labels: Vec<Option<usize>> =
                raw.cases.iter().map(|case| known(&case.label)).collect();
            for (case, label) in raw.cases.iter_mut().zip(&labels) {
                // A class that the network has not is no reason to refuse the sample.
                if label.is_none() {
                    case.label.clone_from(&classes[0]);
                }
            }
            let read = cases::encode(path, super::data_name(path), raw, Some(classes))?;
            let found = self.align(path, read)?;
            return Ok(FileSamples { labels, ..found });
        }
        let files: Vec<RecordingFile> = list(path)?;
        let like = self.like();
        let set = Recordings::read(&files, &self.reading, Some(&like))?;
        let length = match self.reading.window {
            Some(window) => window.steps("window", set.rate)?,
            None => 0,
        };
        if length != 0 && length != self.steps {
            return Err(Error::Argument {
                argument: "window".into(),
                found: format!("{length} steps"),
                expected: format!("{}, as the network reads", self.steps),
            });
        }
        let step = match self.reading.step {
            Some(step) => step.steps("step", set.rate)?,
            None => self.steps,
        };
        let mut dropped = Dropped::default();
        let mut samples = Vec::new();
        let mut found = FileSamples {
            values: Array {
                shape: Vec::new(),
                values: Vec::new(),
            },
            labels: Vec::new(),
            provenance: Provenance {
                groups: set.groups.clone(),
                notes: set.notes.clone(),
                ..Provenance::default()
            },
            valid: Vec::new(),
        };
        for (index, segment) in set.segments.iter().enumerate() {
            let rule = Cut {
                length: if length == 0 { segment.len() } else { length },
                step,
                label: self.reading.window_label,
            };
            for window in cut(segment, index, rule, false, &mut dropped) {
                let range = window.start..window.start + rule.length;
                let label = label(segment, range.clone(), rule, &set.labels, self.metadata);
                found.labels.push(label);
                self.append(segment, range.clone(), &mut samples, &mut found.valid);
                found.provenance.sources.push(Source {
                    group: segment.group,
                    recording: index,
                    start: range.start,
                    end: range.end,
                    from: segment.time(range.start, set.rate),
                    to: segment.time(range.end - 1, set.rate),
                });
                limits::check(path, "values of windows", samples.len(), size_of::<f64>())?;
            }
        }
        if found.labels.is_empty() {
            return Err(data_error(
                path,
                format!(
                    "no recording of {} steps ({} shorter ones)",
                    self.steps, dropped.short
                ),
                "a window's length or more",
            ));
        }
        self.finish(found, samples)
    }

    /// Appends the window, padded in front or cut at its beginning to the network's steps.
    pub(super) fn append(
        &self,
        segment: &Segment,
        range: Range<usize>,
        samples: &mut Vec<f32>,
        valid: &mut Vec<Range<usize>>,
    ) {
        let kept = range.len().min(self.steps);
        let padded = self.steps - kept;
        for channel in &segment.channels {
            samples.extend(std::iter::repeat_n(f32::NAN, padded));
            samples.extend_from_slice(&channel[range.end - kept..range.end]);
        }
        valid.push(padded..self.steps);
    }

    fn align(&self, path: &Path, read: cases::Cases) -> Result<FileSamples> {
        self.check_series(path)?;
        if read.recordings.channels != self.channels {
            return Err(data_error(
                path,
                format!("{} channels", read.recordings.channels),
                format!("{}, as the network reads", self.channels),
            ));
        }
        let mut samples = Vec::new();
        let mut valid = Vec::new();
        let mut labels = Vec::new();
        for case in &read.recordings.cases {
            let channels = case.values.chunks_exact(case.steps).zip(&self.origin);
            let segment = Segment {
                channels: channels
                    .map(|(values, origin)| values.iter().map(|v| (v - origin) as f32).collect())
                    .collect(),
                ..Segment::default()
            };
            self.append(&segment, 0..case.steps, &mut samples, &mut valid);
            labels.push(Some(case.label));
        }
        let found = FileSamples {
            values: Array {
                shape: Vec::new(),
                values: Vec::new(),
            },
            labels,
            provenance: Provenance {
                groups: read.groups,
                sources: read.sources,
                ..Provenance::default()
            },
            valid,
        };
        self.finish(found, samples)
    }

    /// Fills what is missing or padded, and puts the samples into the files' units.
    pub(super) fn finish(&self, mut found: FileSamples, samples: Vec<f32>) -> Result<FileSamples> {
        let count = found.labels.len();
        let mean = self.metadata.normalization.mean();
        let size = self.channels * self.steps;
        let mut samples = samples;
        // Padding holds the training mean, so that it is 0 behind the normalisation.
        for (index, range) in found.valid.iter().enumerate() {
            let sample = &mut samples[index * size..][..size];
            for (channel, values) in sample.chunks_exact_mut(self.steps).enumerate() {
                values[..range.start].fill(mean[channel]);
            }
        }
        if found.valid.iter().all(|range| range.start == 0) {
            found.valid.clear();
        }
        let filled = if self.preprocessing.fill.is_empty() {
            if let Some(place) = samples.iter().position(|value| value.is_nan()) {
                return Err(data_error(
                    Path::new("input"),
                    format!("a missing value in sample {}", place / size),
                    "values: the network was trained on data without missing ones",
                ));
            }
            samples
        } else {
            missing::fill(samples, self.steps, &self.preprocessing, &self.origin)
        };
        let channels = self.channels + self.preprocessing.masked.len();
        let absolute = |(place, value): (usize, f32)| {
            let origin = self.origin.get(place / self.steps % channels);
            f64::from(value) + origin.copied().unwrap_or_default()
        };
        found.values = Array {
            shape: vec![count, channels, self.steps],
            values: filled.into_iter().enumerate().map(absolute).collect(),
        };
        Ok(found)
    }

    fn read_array(&self, path: &Path, bytes: &[u8], labels: &[String]) -> Result<FileSamples> {
        let gaps = !self.preprocessing.fill.is_empty();
        let mut array = if gaps {
            npy::parse_precise_with_gaps(path, bytes)?
        } else {
            npy::parse_precise(path, bytes)?
        };
        if array.shape.len() == 4
            && self.metadata.preprocessing.is_some()
            && npy::holds_bytes(path, bytes)?
        {
            array.values.iter_mut().for_each(|value| *value /= 255.0);
        }
        if array.shape.len() == 2 && self.channels == 1 {
            array.shape.insert(1, 1);
        }
        let count = array.shape.first().copied().unwrap_or(0);
        let expected = [count, self.channels, self.steps];
        if gaps && array.shape == expected {
            let relative = |(place, value): (usize, f64)| {
                (value - self.origin[place / self.steps % self.channels]) as f32
            };
            let samples = array.values.into_iter().enumerate().map(relative).collect();
            let found = FileSamples {
                values: Array {
                    shape: Vec::new(),
                    values: Vec::new(),
                },
                labels: vec![None; count],
                provenance: Provenance::default(),
                valid: Vec::new(),
            };
            array = self.finish(found, samples)?.values;
        }
        let names = if labels.len() == count { labels } else { &[] };
        let class = |label: &String| {
            let by_name = classes::find(label, &self.metadata.classes);
            by_name.or_else(|| {
                label
                    .parse()
                    .ok()
                    .filter(|&n: &usize| n < self.metadata.classes.len())
            })
        };
        Ok(FileSamples {
            values: array,
            labels: match names {
                [] => vec![None; count],
                names => names.iter().map(class).collect(),
            },
            provenance: Provenance::default(),
            valid: Vec::new(),
        })
    }
}

/// The class of a window, where its rows say one that the network knows.
pub(super) fn label(
    segment: &Segment,
    range: Range<usize>,
    rule: Cut,
    names: &[String],
    metadata: &Metadata,
) -> Option<usize> {
    let part = Segment {
        labels: segment.labels[range].to_vec(),
        ..Segment::default()
    };
    let rule = Cut {
        step: rule.length.max(1),
        ..rule
    };
    let window = cut(&part, 0, rule, true, &mut Dropped::default());
    let name = names.get(usize::from(window.first()?.label))?;
    classes::find(name, &metadata.classes)
}

/// `asked` over `trained`.
fn over(trained: &Reading, asked: &Reading) -> Reading {
    let mut reading = trained.clone();
    macro_rules! lay {
        ($($key:ident),+) => { $(if asked.$key.is_some() { reading.$key.clone_from(&asked.$key); })+ };
    }
    lay!(
        label_column,
        time_column,
        group_column,
        header,
        step,
        rate,
        max_gap,
        window
    );
    reading.wide |= asked.wide;
    if asked.missing != Missing::Refuse {
        reading.missing = asked.missing;
    }
    // Only where it is: a file to be predicted has none, or another one.
    if asked.label_column.is_none() {
        reading.label_column = None;
    }
    if asked.group_column.is_none() {
        reading.group_column = None;
    }
    reading
}
