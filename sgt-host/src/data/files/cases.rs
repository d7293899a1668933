//! Files whose cases are samples: `.ts`, `.arff`, wide CSV, whole CSV recordings.

use super::leaks::check_leaks;
use super::{Parts, ending};
use crate::data::load::LoadOptions;
use crate::data::missing::{self, Fitted};
use crate::data::series::{self, RawCases, Recordings};
use crate::data::{
    Axes, Missing, Population, Preprocessing, Provenance, Reading, Source, TrainTest, arff,
    classes, ts,
};
use crate::file::{data_error, excerpt, read_decompressed};
use crate::{Error, Result};
use std::path::Path;

/// Recordings that are samples, with what is known of them.
#[derive(Clone, Debug)]
pub(super) struct Cases {
    /// NaN where a value is missing.
    pub(super) recordings: Recordings,
    /// The group of each.
    pub(super) sources: Vec<Source>,
    pub(super) groups: Vec<String>,
    pub(super) channels: Vec<String>,
    pub(super) rate: Option<f64>,
    pub(super) notes: Vec<String>,
}

/// Reads `.ts` and `.arff` files.
pub(super) fn load(parts: &Parts, options: &LoadOptions) -> Result<TrainTest> {
    let reading = &options.reading;
    let train = read_archive(&parts.train, None, reading)?;
    let test = match &parts.test {
        Some(test) => Some(read_archive(
            test,
            Some(&train.recordings.classes),
            reading,
        )?),
        None => None,
    };
    finish(parts, train, test, options, true)
}

/// The cases of one file of an archive.
pub(super) fn read_archive(
    path: &Path,
    classes: Option<&[String]>,
    reading: &Reading,
) -> Result<Cases> {
    let bytes = read_decompressed(path)?;
    let gaps = reading.missing != Missing::Refuse;
    let (recordings, channels) = if ending(path) == "arff" {
        arff::parse(path, &bytes, classes, gaps)?
    } else {
        (
            ts::parse_with_gaps(path, &bytes, classes, gaps)?,
            Vec::new(),
        )
    };
    let steps = recordings.cases.iter().map(|case| case.steps).enumerate();
    Ok(Cases {
        sources: steps
            .map(|(index, steps)| Source::whole(index, 0, steps))
            .collect(),
        groups: vec!["all".into()],
        recordings,
        channels,
        rate: None,
        notes: Vec::new(),
    })
}

/// Cases whose classes are texts: their classes are those that occur, or `known` ones.
pub(super) fn encode(
    path: &Path,
    name: String,
    raw: RawCases,
    known: Option<&[String]>,
) -> Result<Cases> {
    let names = match known {
        Some(known) => known.to_vec(),
        None => classes::names(raw.cases.iter().map(|case| &*case.label)),
    };
    let mut groups: Vec<String> = Vec::new();
    let mut sources = Vec::new();
    let mut cases = Vec::new();
    for (index, case) in raw.cases.into_iter().enumerate() {
        let group = case.group.unwrap_or_else(|| "all".into());
        let place = groups.iter().position(|known| *known == group);
        let group = place.unwrap_or_else(|| {
            groups.push(group);
            groups.len() - 1
        });
        sources.push(Source::whole(index, group, case.steps));
        let label = classes::find(&case.label, &names);
        let label = label.ok_or_else(|| {
            data_error(
                path,
                format!("class {} of sample {}", excerpt(&case.label), index + 1),
                format!("one of {}", excerpt(names.join(" "))),
            )
        })?;
        cases.push(series::Recording {
            label,
            steps: case.steps,
            values: case.values,
        });
    }
    Ok(Cases {
        recordings: Recordings {
            name,
            classes: names,
            channels: raw.channels.len(),
            cases,
        },
        sources,
        groups,
        channels: raw.channels,
        rate: None,
        notes: Vec::new(),
    })
}

impl Cases {
    fn subset(&self, indices: &[usize]) -> Self {
        let cases = indices.iter().map(|&i| self.recordings.cases[i].clone());
        Self {
            recordings: Recordings {
                name: self.recordings.name.clone(),
                classes: self.recordings.classes.clone(),
                channels: self.recordings.channels,
                cases: cases.collect(),
            },
            sources: indices.iter().map(|&i| self.sources[i]).collect(),
            groups: self.groups.clone(),
            channels: self.channels.clone(),
            rate: self.rate,
            notes: Vec::new(),
        }
    }

    fn missing(&self) -> usize {
        let values = self.recordings.cases.iter().flat_map(|case| &case.values);
        values.filter(|value| value.is_nan()).count()
    }
}

/// Splits where there is no test part, fills what is missing, and brings all to one length.
pub(super) fn finish(
    parts: &Parts,
    train: Cases,
    test: Option<Cases>,
    options: &LoadOptions,
    published: bool,
) -> Result<TrainTest> {
    let reading = &options.reading;
    let mut notes = train.notes.clone();
    let own_test = test.is_some();
    let (train, test) = match test {
        Some(test) => (train, test),
        None => split(&train, reading, &mut notes)?,
    };
    if train.recordings.channels != test.recordings.channels {
        return Err(Error::Shape {
            operation: "test series",
            found: format!("{} channels", test.recordings.channels),
            expected: format!("the {} of the training series", train.recordings.channels),
        });
    }
    let mut fitted = Fitted::new(train.recordings.channels);
    for case in &train.recordings.cases {
        for (channel, values) in case.values.chunks_exact(case.steps).enumerate() {
            fitted.add(channel, values);
        }
    }
    let gaps = fitted.missing() + test.missing();
    let mut preprocessing = Preprocessing {
        reading: settled(reading),
        channels: train.channels.clone(),
        rate: train.rate,
        ..Preprocessing::default()
    };
    let name = parts.train.display().to_string();
    missing::settle(&mut preprocessing, &fitted, gaps, &name)?;
    if gaps > 0 {
        notes.push(format!("{gaps} missing values: {}", reading.missing));
    }
    let (mut train_recordings, mut test_recordings) = (train.recordings, test.recordings);
    if !preprocessing.fill.is_empty() {
        missing::fill_recordings(&mut train_recordings, &preprocessing);
        missing::fill_recordings(&mut test_recordings, &preprocessing);
    }
    let data = series::align(
        &train_recordings,
        &test_recordings,
        options.length.unwrap_or_default(),
    )?;
    let axes = Axes {
        channels: missing::names(&train.channels, &preprocessing.masked),
        units: Vec::new(),
        rate: train.rate,
    };
    let finished = |data: crate::data::Dataset, sources, groups, notes| {
        let provenance = Provenance {
            groups,
            sources,
            notes,
            ..Provenance::default()
        };
        let data = data.with_axes(axes.clone())?.with_provenance(provenance)?;
        Ok::<_, Error>(data.with_preprocessing(Some(preprocessing.clone())))
    };
    let data = TrainTest {
        train: finished(data.train, train.sources, train.groups.clone(), notes)?,
        test: finished(data.test, test.sources, test.groups, Vec::new())?,
    };
    // "all" is no name of a group that two files could share.
    let data = if train.groups.len() < 2 && own_test {
        without_groups(data)?
    } else {
        data
    };
    let test = parts.test.as_deref().unwrap_or(&parts.train);
    if own_test {
        check_leaks(data, test, reading, published)
    } else {
        Ok(data)
    }
}

/// The same without sources, where a file is all there is to tell samples apart.
fn without_groups(data: TrainTest) -> Result<TrainTest> {
    let bare = |data: crate::data::Dataset| {
        let provenance = Provenance {
            notes: data.provenance().notes.clone(),
            ..Provenance::default()
        };
        data.with_provenance(provenance)
    };
    Ok(TrainTest {
        train: bare(data.train)?,
        test: bare(data.test)?,
    })
}

/// The options without those that say how the parts were chosen: what a network's input needs.
pub(super) fn settled(reading: &Reading) -> Reading {
    Reading {
        split: None,
        split_by: None,
        fold: None,
        leave_out: Vec::new(),
        split_seed: 0,
        force_split: false,
        ..reading.clone()
    }
}

fn split(all: &Cases, reading: &Reading, notes: &mut Vec<String>) -> Result<(Cases, Cases)> {
    let labels: Vec<usize> = all.recordings.cases.iter().map(|case| case.label).collect();
    let population = Population {
        labels: &labels,
        classes: all.recordings.classes.len(),
        sources: &all.sources,
        groups: &all.groups,
    };
    let holdout = population.hold_out(reading)?;
    notes.push(holdout.describe(reading, &population));
    Ok((all.subset(&holdout.train), all.subset(&holdout.test)))
}
