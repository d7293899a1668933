//! CSV files and folders of them: recordings, cut into windows or whole.

use super::cases::{self, Cases, settled};
use super::leaks::check_leaks;
use super::{DEPTH, Parts, TABLES, data_name, ending, stem};
use crate::data::csv::{Csv, Row, read_wide, text};
use crate::data::load::LoadOptions;
use crate::data::missing::{self, Fitted};
use crate::data::recording::{Cut, Dropped, Pace, Recorder, Segment, UNLABELLED, Window, cut};
use crate::data::series::{RawCase, RawCases};
use crate::data::{
    Axes, Dataset, InputShape, Missing, Population, Preprocessing, Provenance, Reading,
    SeriesOrder, Source, TrainTest, classes,
};
use crate::file::{data_error, excerpt, files_below};
use crate::{Error, Result, limits};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Rows between two looks at the memory.
const ROWS_BETWEEN_CHECKS: usize = 1 << 14;
/// A rate that is so near to a whole number, relative to it, is that number: times are rounded.
const WHOLE_RATE: f64 = 1e-3;

/// A file of a recording and what its place says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFile {
    /// The file.
    pub path: PathBuf,
    /// The name of the folder between it and the one that was asked for, its class.
    pub class: Option<String>,
}

/// How long windows are and how far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRule {
    /// Steps of a window.
    pub length: usize,
    /// Steps between the starts of two.
    pub step: usize,
}

/// Recordings read from files.
#[derive(Clone, Debug, Default)]
pub struct Recordings {
    /// The recordings, their labels being indices into [`Recordings::labels`].
    pub segments: Vec<Segment>,
    /// The names of persons, devices, sessions or files.
    pub groups: Vec<String>,
    /// The labels that occur, as files write them.
    pub labels: Vec<String>,
    /// The names of the channels.
    pub channels: Vec<String>,
    /// What is subtracted from each channel.
    pub origin: Vec<f64>,
    /// Steps a second.
    pub rate: Option<f64>,
    /// Whether rows say their class.
    pub labelled: bool,
    /// What was found out, a line each.
    pub notes: Vec<String>,
}

/// The CSV files that `path` names, one or those in a folder, each with the class that its folder says.
pub(super) fn list(path: &Path) -> Result<Vec<RecordingFile>> {
    if !path.is_dir() {
        return Ok(vec![RecordingFile {
            path: path.into(),
            class: None,
        }]);
    }
    let files = files_below(path, DEPTH)?.into_iter();
    let tables = files.filter(|file| TABLES.contains(&&*ending(file)));
    let class = |file: &Path| {
        let inside = file.strip_prefix(path).ok()?.parent()?;
        let first = inside.components().next()?;
        Some(first.as_os_str().to_string_lossy().into_owned())
    };
    let files: Vec<RecordingFile> = tables
        .map(|file| RecordingFile {
            class: class(&file),
            path: file,
        })
        .collect();
    if files.is_empty() {
        return Err(data_error(path, "no CSV file", "some, or folders of some"));
    }
    Ok(files)
}

impl Recordings {
    /// Reads files one after the other; `like` are recordings whose channels (any names, where it has
    /// none), origins, rate and labels these must have.
    ///
    /// # Errors
    /// As [`Csv::open`] and [`Csv::read`].
    pub fn read(files: &[RecordingFile], reading: &Reading, like: Option<&Self>) -> Result<Self> {
        let mut found = match like {
            Some(like) => Self {
                segments: Vec::new(),
                groups: Vec::new(),
                notes: Vec::new(),
                ..like.clone()
            },
            None => Self::default(),
        };
        let mut reading = reading.clone();
        if !found.channels.is_empty() {
            reading.channels.clone_from(&found.channels);
        }
        let mut ids = Ids::of(&found.labels);
        let (mut rows, mut gaps, mut jumps) = (0, 0, 0);
        let mut pace = None;
        for (place, file) in files.iter().enumerate() {
            let mut csv = Csv::open(&file.path, &reading)?;
            if place == 0 {
                found.begin(&mut csv, &mut reading, like.is_some(), files.len())?;
            } else {
                csv.set_origin(&found.origin);
            }
            let own = csv.columns.time.is_some();
            let pace = *pace.get_or_insert_with(|| found.pace(&reading, own));
            let file_group = stem(&file.path);
            let mut recorder = Recorder::new(pace, found.channels.len(), own);
            let class = match &file.class {
                Some(class) if csv.columns.label.is_none() => ids.of_text(class.as_bytes()),
                _ => UNLABELLED,
            };
            found.labelled |= csv.columns.label.is_some() || file.class.is_some();
            let mut groups = Ids::default();
            let mut group_places = Vec::new();
            let mut row = Row::default();
            let mut in_file = 0;
            while csv.read(&mut row)? {
                in_file += 1;
                if in_file % ROWS_BETWEEN_CHECKS == 0 {
                    let values = (rows + in_file).saturating_mul(found.channels.len());
                    limits::check(&file.path, "values of recordings", values, size_of::<f32>())?;
                }
                let label = if row.label.is_empty() {
                    class
                } else {
                    ids.of_text(&row.label)
                };
                if ids.names.len() >= usize::from(UNLABELLED) {
                    return Err(data_error(
                        &file.path,
                        format!(
                            "more than {} labels, on line {}",
                            ids.names.len(),
                            csv.line()
                        ),
                        "classes: another column as --label-column",
                    ));
                }
                let name = match &csv.columns.group {
                    Some(_) => &row.group[..],
                    None => file_group.as_bytes(),
                };
                let group = usize::from(groups.of_text(name));
                if groups.names.len() >= usize::from(UNLABELLED) {
                    return Err(data_error(
                        &file.path,
                        format!("more than {} groups", groups.names.len()),
                        "persons, devices or sessions: another column as --group-column",
                    ));
                }
                if group == group_places.len() {
                    group_places.push(found.group(&groups.names[group]));
                }
                recorder.push(group_places[group], row.time, &row.values, label);
            }
            rows += in_file;
            gaps += recorder.gaps;
            jumps += recorder.jumps;
            found.segments.extend(recorder.into_segments());
        }
        for segment in &mut found.segments {
            for channel in &mut segment.channels {
                channel.shrink_to_fit();
            }
        }
        found.labels = ids.names;
        if reading.missing == Missing::Interpolate {
            let gap = reading.gap();
            let segments = std::mem::take(&mut found.segments);
            for segment in segments {
                found.segments.extend(segment.without_long_gaps(gap));
            }
            for segment in &mut found.segments {
                segment.interpolate();
            }
        }
        found.note_times(rows, (gaps, jumps), reading.gap());
        Ok(found)
    }

    /// Takes what the first file says of all.
    fn begin(
        &mut self,
        csv: &mut Csv<'_>,
        reading: &mut Reading,
        settled: bool,
        files: usize,
    ) -> Result<()> {
        if csv.columns.channels.is_empty() {
            return Err(data_error(
                csv.path(),
                "no column of numbers",
                "one channel or more; --channels names them",
            ));
        }
        let more = match files {
            1 => String::new(),
            2 => ", and one more file".into(),
            files => format!(", and {} more files", files - 1),
        };
        self.notes.push(format!(
            "{}: {}; {}{more}",
            csv.path().display(),
            csv.dialect,
            csv.columns.describe()
        ));
        if settled {
            let found = csv.columns.channels.len();
            if found != self.origin.len() {
                return Err(data_error(
                    csv.path(),
                    format!("{found} channels"),
                    format!("{}; --channels names them", self.origin.len()),
                ));
            }
            csv.set_origin(&self.origin);
            self.channels.clone_from(&csv.columns.channels);
            reading.channels.clone_from(&self.channels);
            return Ok(());
        }
        self.origin = csv.origin().to_vec();
        self.channels.clone_from(&csv.columns.channels);
        // The other files' columns are found by these names, in any order.
        reading.channels.clone_from(&self.channels);
        if reading.label_column.is_none() {
            reading.label_column.clone_from(&csv.columns.label);
        }
        self.rate = match reading.rate {
            Some(rate) => Some(rate),
            None => period(&csv.first_times()?).map(|period| whole(1.0 / period)),
        };
        Ok(())
    }

    fn pace(&self, reading: &Reading, timed: bool) -> Pace {
        Pace {
            period: self.rate.map(|rate| 1.0 / rate),
            resample: reading.rate.is_some() && timed,
            gap: reading.gap(),
        }
    }

    fn group(&mut self, name: &str) -> usize {
        let place = self.groups.iter().position(|group| group == name);
        place.unwrap_or_else(|| {
            self.groups.push(name.to_string());
            self.groups.len() - 1
        })
    }

    fn note_times(&mut self, rows: usize, (gaps, jumps): (usize, usize), gap: usize) {
        let rate = match self.rate {
            Some(rate) => format!(" at {rate} Hz"),
            None => String::new(),
        };
        let mut note = format!("{rows} rows{rate} in {} recordings", self.segments.len());
        if gaps > 0 {
            let _ = write!(note, "; cut at {gaps} gaps of more than {gap} steps");
        }
        if jumps > 0 {
            let _ = write!(note, "; cut where the time goes back, {jumps} times");
        }
        self.notes.push(note);
    }

    /// The windows of all recordings, their classes being indices into `classes`.
    ///
    /// # Errors
    /// [`Error::Data`] for a label that is no class.
    fn windows(
        &mut self,
        path: &Path,
        rule: Cut,
        classes: &[String],
        labelled: bool,
    ) -> Result<(Vec<Window>, Dropped)> {
        self.relabel(path, classes)?;
        let mut dropped = Dropped::default();
        let mut windows = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            windows.extend(cut(segment, index, rule, labelled, &mut dropped));
        }
        Ok((windows, dropped))
    }

    /// Labels that are indices into `classes`.
    fn relabel(&mut self, path: &Path, classes: &[String]) -> Result<()> {
        let place = |label: &String| {
            let found = classes::find(label, classes);
            found.map(|class| class as u16).ok_or_else(|| {
                data_error(
                    path,
                    format!("class {}", excerpt(label)),
                    format!("one of {}", excerpt(classes.join(" "))),
                )
            })
        };
        let places = self
            .labels
            .iter()
            .map(place)
            .collect::<Result<Vec<u16>>>()?;
        for segment in &mut self.segments {
            for label in &mut segment.labels {
                if let Some(&class) = places.get(usize::from(*label)) {
                    *label = class;
                }
            }
        }
        self.labels = classes.to_vec();
        Ok(())
    }

    fn source(&self, window: &Window, length: usize) -> Source {
        let segment = &self.segments[window.segment];
        Source {
            group: segment.group,
            recording: window.segment,
            start: window.start,
            end: window.start + length,
            from: segment.time(window.start, self.rate),
            to: segment.time(window.start + length - 1, self.rate),
        }
    }

    /// The values of windows, `[windows, channels, steps]`.
    ///
    /// # Errors
    /// [`Error::Data`] beyond the limit of memory.
    fn values(&self, path: &Path, windows: &[Window], length: usize) -> Result<Vec<f32>> {
        let count = windows
            .len()
            .saturating_mul(self.channels.len())
            .saturating_mul(length);
        limits::check(path, "values of windows", count, size_of::<f32>())?;
        let mut values = Vec::with_capacity(count);
        for window in windows {
            for channel in &self.segments[window.segment].channels {
                values.extend_from_slice(&channel[window.start..window.start + length]);
            }
        }
        Ok(values)
    }
}

/// Texts and their numbers, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct Ids {
    numbers: HashMap<Vec<u8>, u16>,
    names: Vec<String>,
    last: (Vec<u8>, u16),
}

impl Ids {
    fn of(names: &[String]) -> Self {
        let mut ids = Self::default();
        for name in names {
            ids.of_text(name.as_bytes());
        }
        ids
    }

    fn of_text(&mut self, label: &[u8]) -> u16 {
        // Neighbouring rows are alike.
        if !self.names.is_empty() && self.last.0 == label {
            return self.last.1;
        }
        let number = if let Some(&number) = self.numbers.get(label) {
            number
        } else {
            let number = self.names.len() as u16;
            self.names.push(text(label));
            self.numbers.insert(label.to_vec(), number);
            number
        };
        self.last = (label.to_vec(), number);
        number
    }
}

/// The median of the distances of times.
fn period(times: &[f64]) -> Option<f64> {
    let mut apart: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    apart.retain(|apart| *apart > 0.0);
    apart.sort_by(f64::total_cmp);
    apart.get(apart.len() / 2).copied()
}

/// The whole number that `rate` is all but equal to.
fn whole(rate: f64) -> f64 {
    let near = rate.round();
    if near > 0.0 && (rate - near).abs() <= WHOLE_RATE * rate {
        near
    } else {
        rate
    }
}

/// Reads training and test part.
pub(super) fn load(parts: &Parts, options: &LoadOptions) -> Result<TrainTest> {
    let mut reading = options.reading.clone();
    if is_ucr(&parts.train) && reading.window.is_none() {
        reading.wide = true;
    }
    if reading.wide {
        return load_wide(parts, &reading, options);
    }
    let files = list(&parts.train)?;
    let mut train = Recordings::read(&files, &reading, None)?;
    if !train.labelled {
        return Err(data_error(
            &parts.train,
            "no column of classes",
            "a column called label, one that --label-column names, or a folder for each class",
        ));
    }
    let test = match &parts.test {
        Some(test) => Some(Recordings::read(&list(test)?, &reading, Some(&train))?),
        None => None,
    };
    let classes = classes::names(train.labels.iter().map(String::as_str));
    reading.channels.clone_from(&train.channels);
    let Some(window) = reading.window else {
        let options = LoadOptions {
            reading,
            ..options.clone()
        };
        return whole_recordings(parts, train, test, &classes, &options);
    };
    let length = window.steps("window", train.rate)?;
    let step = match reading.step {
        Some(step) => step.steps("step", train.rate)?,
        None => length,
    };
    let rule = Cut {
        length,
        step,
        label: reading.window_label,
    };
    let (windows, dropped) = train.windows(&parts.train, rule, &classes, true)?;
    if windows.is_empty() {
        return Err(data_error(
            &parts.train,
            format!("no window of {length} steps with a class{}", said(dropped)),
            "recordings that are longer, or a shorter --window",
        ));
    }
    let mut notes = std::mem::take(&mut train.notes);
    notes.push(describe(windows.len(), rule, train.rate, dropped));
    let windows_of = Windows { rule, classes };
    if let Some(mut test) = test {
        let (held, dropped) = test.windows(
            parts.test.as_deref().unwrap_or(&parts.train),
            rule,
            &windows_of.classes,
            true,
        )?;
        notes.append(&mut test.notes);
        notes.push(format!(
            "test: {}",
            describe(held.len(), rule, test.rate, dropped)
        ));
        let data = windows_of.finish(parts, (&train, &windows), (&test, &held), &reading, notes)?;
        let test = parts.test.as_deref().unwrap_or(&parts.train);
        check_leaks(data, test, &reading, false)
    } else {
        let sources: Vec<Source> = windows.iter().map(|w| train.source(w, length)).collect();
        let labels: Vec<usize> = windows.iter().map(|w| w.label.into()).collect();
        let population = Population {
            labels: &labels,
            classes: windows_of.classes.len(),
            sources: &sources,
            groups: &train.groups,
        };
        let holdout = population.hold_out(&reading)?;
        notes.push(holdout.describe(&reading, &population));
        let pick = |indices: &[usize]| indices.iter().map(|&i| windows[i]).collect::<Vec<_>>();
        let (fitted, held) = (pick(&holdout.train), pick(&holdout.test));
        windows_of.finish(parts, (&train, &fitted), (&train, &held), &reading, notes)
    }
}

/// The UCR archive's files: tab-separated, a row a sample, the class first.
fn is_ucr(path: &Path) -> bool {
    ending(path) == "tsv" && stem(path).ends_with("_TRAIN")
}

fn load_wide(parts: &Parts, reading: &Reading, options: &LoadOptions) -> Result<TrainTest> {
    let name = data_name(&parts.train);
    let (raw, said) = read_wide(&parts.train, reading)?;
    let mut train = cases::encode(&parts.train, name.clone(), raw, None)?;
    train
        .notes
        .push(format!("{}: {said}", parts.train.display()));
    let test = match &parts.test {
        Some(test) => {
            let (raw, _) = read_wide(test, reading)?;
            Some(cases::encode(
                test,
                name,
                raw,
                Some(&train.recordings.classes),
            )?)
        }
        None => None,
    };
    let options = LoadOptions {
        reading: reading.clone(),
        ..options.clone()
    };
    cases::finish(parts, train, test, &options, is_ucr(&parts.train))
}

/// Every recording as one sample.
fn whole_recordings(
    parts: &Parts,
    train: Recordings,
    test: Option<Recordings>,
    classes: &[String],
    options: &LoadOptions,
) -> Result<TrainTest> {
    if train.segments.len() < 2 {
        return Err(Error::Argument {
            argument: "window".into(),
            found: format!(
                "none for one recording of {} steps",
                train.segments.first().map_or(0, Segment::len)
            ),
            expected: "a window, 128 or 2.56s for example; --wide where each row is a sample"
                .into(),
        });
    }
    let whole = |path: &Path, mut set: Recordings| -> Result<Cases> {
        set.relabel(path, classes)?;
        let count = set
            .segments
            .iter()
            .map(|segment| segment.len() * set.channels.len());
        limits::check(path, "values of recordings", count.sum(), size_of::<f64>())?;
        let mut raw = RawCases {
            channels: set.channels.clone(),
            cases: Vec::new(),
        };
        let mut sources = Vec::new();
        for (index, segment) in set.segments.iter().enumerate() {
            let window = cut(
                segment,
                index,
                Cut {
                    length: segment.len(),
                    step: 1,
                    label: options.reading.window_label,
                },
                true,
                &mut Dropped::default(),
            );
            let Some(window) = window.first() else {
                continue;
            };
            let values = segment
                .channels
                .iter()
                .zip(&set.origin)
                .flat_map(|(values, origin)| {
                    values.iter().map(move |&value| f64::from(value) + origin)
                });
            raw.cases.push(RawCase {
                label: classes[usize::from(window.label)].clone(),
                group: Some(set.groups[segment.group].clone()),
                steps: segment.len(),
                values: values.collect(),
            });
            sources.push(set.source(window, segment.len()));
        }
        let mut cases = cases::encode(path, data_name(&parts.train), raw, Some(classes))?;
        for (own, source) in cases.sources.iter_mut().zip(sources) {
            *own = Source {
                group: own.group,
                ..source
            };
        }
        cases.rate = set.rate;
        cases.notes = set.notes;
        Ok(cases)
    };
    let train = whole(&parts.train, train)?;
    let test = match (test, &parts.test) {
        (Some(test), Some(path)) => Some(whole(path, test)?),
        _ => None,
    };
    cases::finish(parts, train, test, options, false)
}

fn said(dropped: Dropped) -> String {
    let counts = [
        (dropped.mixed, "of several classes"),
        (dropped.unlabelled, "without a class"),
        (dropped.short, "recordings that are shorter"),
    ];
    let parts = counts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("; left out: {}", parts.join(", "))
    }
}

fn describe(count: usize, rule: Cut, rate: Option<f64>, dropped: Dropped) -> String {
    let seconds = match rate {
        Some(rate) => format!(" ({} s)", rule.length as f64 / rate),
        None => String::new(),
    };
    format!(
        "{count} windows of {} steps{seconds}, one every {}, class by {}{}",
        rule.length,
        rule.step,
        rule.label,
        said(dropped)
    )
}

/// Windows on their way to data sets.
struct Windows {
    rule: Cut,
    classes: Vec<String>,
}

impl Windows {
    fn finish(
        &self,
        parts: &Parts,
        (train, train_windows): (&Recordings, &[Window]),
        (test, test_windows): (&Recordings, &[Window]),
        reading: &Reading,
        mut notes: Vec<String>,
    ) -> Result<TrainTest> {
        let length = self.rule.length;
        let name = parts.train.display().to_string();
        let mut preprocessing = Preprocessing {
            reading: Reading {
                window: Some(crate::data::Span::Steps(length)),
                step: Some(crate::data::Span::Steps(self.rule.step)),
                ..settled(reading)
            },
            channels: train.channels.clone(),
            rate: train.rate,
            ..Preprocessing::default()
        };
        if reading.missing != Missing::Refuse {
            let mut fitted = Fitted::new(train.channels.len());
            for window in train_windows {
                let segment = &train.segments[window.segment];
                for (channel, values) in segment.channels.iter().enumerate() {
                    fitted.add(channel, &values[window.start..window.start + length]);
                }
            }
            let gaps = fitted.missing();
            missing::settle(&mut preprocessing, &fitted, gaps, &name)?;
            for (fill, origin) in preprocessing.fill.iter_mut().zip(&train.origin) {
                *fill += origin;
            }
            if gaps > 0 {
                notes.push(format!(
                    "{gaps} missing training values: {}",
                    reading.missing
                ));
            }
        }
        let masks = preprocessing.masked.len();
        let mut origin = train.origin.clone();
        origin.extend(std::iter::repeat_n(0.0, masks));
        if origin.iter().all(|&origin| origin == 0.0) {
            origin.clear();
        }
        let axes = Axes {
            channels: missing::names(&train.channels, &preprocessing.masked),
            units: Vec::new(),
            rate: train.rate,
        };
        let shape = InputShape::Series {
            steps: length,
            channels: train.channels.len() + masks,
            order: SeriesOrder::ChannelsFirst,
        };
        let part = |set: &Recordings, windows: &[Window], notes: Vec<String>| -> Result<Dataset> {
            let mut values = set.values(&parts.train, windows, length)?;
            if !preprocessing.fill.is_empty() {
                values = missing::fill(values, length, &preprocessing, &train.origin);
            }
            let labels = windows.iter().map(|window| window.label.into()).collect();
            let sources = windows.iter().map(|window| set.source(window, length));
            let provenance = Provenance {
                groups: set.groups.clone(),
                sources: sources.collect(),
                notes,
                ..Provenance::default()
            };
            let data = Dataset::new(
                data_name(&parts.train),
                self.classes.clone(),
                shape,
                values,
                labels,
                None,
            )?;
            Ok(data
                .with_origin(origin.clone())?
                .with_axes(axes.clone())?
                .with_provenance(provenance)?
                .with_preprocessing(Some(preprocessing.clone())))
        };
        if test_windows.is_empty() {
            return Err(data_error(
                parts.test.as_deref().unwrap_or(&parts.train),
                format!("no test window of {length} steps with a class"),
                "recordings that are longer, or a shorter --window",
            ));
        }
        Ok(TrainTest {
            train: part(train, train_windows, notes)?,
            test: part(test, test_windows, Vec::new())?,
        })
    }
}
