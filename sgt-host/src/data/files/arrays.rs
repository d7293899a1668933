//! `.npz` archives and pairs of `.npy` files.

use super::cases::settled;
use super::leaks::check_leaks;
use super::{Parts, data_name};
use crate::data::load::LoadOptions;
use crate::data::missing::{self, Fitted};
use crate::data::{
    Axes, Bounds, Dataset, InputShape, Missing, Population, Preprocessing, Provenance, Reading,
    SeriesOrder, Source, TrainTest, classes,
};
use crate::file::{data_error, excerpt, read_decompressed};
use crate::npy::Array;
use crate::{Error, Result, npy, npz};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names of the arrays, the first that is there counts.
const X: [&str; 5] = ["x", "X", "x_train", "X_train", "train_x"];
const Y: [&str; 5] = ["y", "Y", "y_train", "Y_train", "train_y"];
const X_TEST: [&str; 3] = ["x_test", "X_test", "test_x"];
const Y_TEST: [&str; 3] = ["y_test", "Y_test", "test_y"];
const CLASSES: [&str; 2] = ["classes", "class_names"];
const CHANNELS: [&str; 2] = ["channels", "channel_names"];
const GROUPS: [&str; 2] = ["groups", "groups_train"];
const GROUPS_TEST: [&str; 1] = ["groups_test"];
const RATE: [&str; 1] = ["rate"];

/// The arrays of one part.
struct Arrays {
    path: PathBuf,
    x: Array,
    labels: Vec<String>,
    groups: Vec<String>,
    /// Whether the values of images are bytes, 255 being white.
    bytes: bool,
}

/// What an archive says beside its parts.
#[derive(Default)]
struct Legend {
    classes: Vec<String>,
    channels: Vec<String>,
    rate: Option<f64>,
    notes: Vec<String>,
}

/// Reads `x.npy,y.npy`; the test part is another such pair.
pub(super) fn load_pair(source: &str, options: &LoadOptions) -> Result<TrainTest> {
    let pair = |source: &str| -> Result<(PathBuf, Arrays)> {
        let (x, y) = source.split_once(',').ok_or_else(|| Error::Argument {
            argument: "test".into(),
            found: source.into(),
            expected: "a pair, x.npy,y.npy".into(),
        })?;
        let (x, y) = (PathBuf::from(x.trim()), PathBuf::from(y.trim()));
        let bytes = read_decompressed(&x)?;
        let arrays = Arrays {
            labels: npy::parse_names(&y, &read_decompressed(&y)?)?,
            groups: Vec::new(),
            bytes: npy::holds_bytes(&x, &bytes)?,
            x: values(&x, &bytes, &options.reading)?,
            path: x.clone(),
        };
        Ok((x, arrays))
    };
    let (path, train) = pair(source)?;
    let test = match &options.test {
        Some(test) => Some(pair(&test.display().to_string())?.1),
        None => None,
    };
    finish(&path, train, test, Legend::default(), options)
}

/// Reads an archive; the test part is in it, or in another one.
pub(super) fn load_npz(parts: &Parts, options: &LoadOptions) -> Result<TrainTest> {
    let mut contents = npz::contents(&parts.train)?;
    let names: Vec<String> = contents.keys().cloned().collect();
    let reading = &options.reading;
    let Some(train) = part(&parts.train, &mut contents, [&X, &Y, &GROUPS], reading)? else {
        let list: Vec<String> = names.iter().map(|n| n.escape_debug().to_string()).collect();
        return Err(data_error(
            &parts.train,
            format!("the arrays {}", excerpt(list.join(", "))),
            "x [samples, channels, steps] or [samples, channels, height, width], and y [samples]",
        ));
    };
    let own = part(
        &parts.train,
        &mut contents,
        [&X_TEST, &Y_TEST, &GROUPS_TEST],
        reading,
    )?;
    let test = match (&parts.test, own) {
        (None, own) => own,
        (Some(_), Some(_)) => {
            return Err(Error::Argument {
                argument: "test".into(),
                found: "a file beside x_test".into(),
                expected: "one test part".into(),
            });
        }
        (Some(path), None) => {
            let mut contents = npz::contents(path)?;
            let test = match part(
                path,
                &mut contents,
                [&X_TEST, &Y_TEST, &GROUPS_TEST],
                reading,
            )? {
                Some(test) => Some(test),
                None => part(path, &mut contents, [&X, &Y, &GROUPS], reading)?,
            };
            let missing = || data_error(path, "no x and y", "a test part");
            Some(test.ok_or_else(missing)?)
        }
    };
    let mut legend = Legend::default();
    let path = &parts.train;
    if let Some(content) = take(&mut contents, &CLASSES) {
        legend.classes = npy::parse_names(&path.join("classes"), &content)?;
    }
    if let Some(content) = take(&mut contents, &CHANNELS) {
        legend.channels = npy::parse_names(&path.join("channels"), &content)?;
    }
    if let Some(content) = take(&mut contents, &RATE) {
        let rate = npy::parse_precise(&path.join("rate"), &content)?;
        legend.rate = rate.values.first().copied().filter(|rate| *rate > 0.0);
    }
    if !contents.is_empty() {
        let rest: Vec<String> = contents
            .keys()
            .map(|n| n.escape_debug().to_string())
            .collect();
        legend.notes.push(format!(
            "{}: arrays left alone: {}",
            path.display(),
            rest.join(", ")
        ));
    }
    finish(path, train, test, legend, options)
}

fn take(contents: &mut BTreeMap<String, Vec<u8>>, names: &[&str]) -> Option<Vec<u8>> {
    names.iter().find_map(|name| contents.remove(*name))
}

fn values(path: &Path, bytes: &[u8], reading: &Reading) -> Result<Array> {
    if reading.missing == Missing::Refuse {
        npy::parse(path, bytes)
    } else {
        npy::parse_with_gaps(path, bytes)
    }
}

fn part(
    path: &Path,
    contents: &mut BTreeMap<String, Vec<u8>>,
    [x, y, groups]: [&[&str]; 3],
    reading: &Reading,
) -> Result<Option<Arrays>> {
    let Some(content) = take(contents, x) else {
        return Ok(None);
    };
    let labels = take(contents, y)
        .ok_or_else(|| data_error(path, format!("{} without {}", x[0], y[0]), "both"))?;
    let inside = path.join(x[0]);
    Ok(Some(Arrays {
        path: path.into(),
        bytes: npy::holds_bytes(&inside, &content)?,
        x: values(&inside, &content, reading)?,
        labels: npy::parse_names(&path.join(y[0]), &labels)?,
        groups: match take(contents, groups) {
            Some(content) => npy::parse_names(&path.join(groups[0]), &content)?,
            None => Vec::new(),
        },
    }))
}

/// The shape of samples of an array: `[samples, steps]` is one channel.
pub(super) fn sample_shape(path: &Path, shape: &[usize]) -> Result<InputShape> {
    match *shape {
        [_, channels, height, width] => Ok(InputShape::image(channels, height, width)),
        [_, channels, steps] => {
            Ok(InputShape::series(steps, channels).ordered(SeriesOrder::ChannelsFirst))
        }
        [_, steps] => Ok(InputShape::series(steps, 1).ordered(SeriesOrder::ChannelsFirst)),
        _ => Err(data_error(
            path,
            format!("x of shape {shape:?}"),
            "[samples, channels, steps], [samples, steps] or [samples, channels, height, width]",
        )),
    }
}

/// Bytes of images as shares of white; the bounds that the values of images have.
pub(super) fn picture_units(shape: InputShape, x: &mut [f32], bytes: bool) -> Option<Bounds> {
    if !matches!(shape, InputShape::Image { .. }) {
        return None;
    }
    if bytes {
        for value in x.iter_mut() {
            *value /= 255.0;
        }
    }
    let inside = |value: &f32| value.is_nan() || (0.0..=1.0).contains(value);
    x.iter().all(inside).then_some(Bounds::UNIT)
}

fn finish(
    path: &Path,
    train: Arrays,
    test: Option<Arrays>,
    legend: Legend,
    options: &LoadOptions,
) -> Result<TrainTest> {
    let reading = &options.reading;
    let names = |labels: &[String]| classes::names(labels.iter().map(String::as_str));
    let found = names(&train.labels);
    // Numbers may be places in a list of names.
    let numbers = |found: &String| {
        found
            .parse::<usize>()
            .is_ok_and(|n| n < legend.classes.len())
    };
    let by_place = !legend.classes.is_empty() && found.iter().all(numbers);
    let class_names = if legend.classes.is_empty() {
        found
    } else {
        legend.classes.clone()
    };
    let labels_of = |arrays: &Arrays| -> Result<Vec<usize>> {
        if arrays.labels.len() != arrays.x.shape[0] {
            return Err(data_error(
                &arrays.path,
                format!("{} labels", arrays.labels.len()),
                format!("{}, one a sample", arrays.x.shape[0]),
            ));
        }
        let class = |label: &String| {
            let place = if by_place {
                label
                    .parse()
                    .ok()
                    .filter(|&n: &usize| n < class_names.len())
            } else {
                classes::find(label, &class_names)
            };
            place.ok_or_else(|| {
                data_error(
                    &arrays.path,
                    format!("class {}", excerpt(label)),
                    format!("one of {}", excerpt(class_names.join(" "))),
                )
            })
        };
        arrays.labels.iter().map(class).collect()
    };
    let shape = sample_shape(&train.path, &train.x.shape)?;
    let train_labels = labels_of(&train)?;
    let test = match test {
        Some(test) => {
            let labels = labels_of(&test)?;
            if sample_shape(&test.path, &test.x.shape)? != shape {
                return Err(data_error(
                    &test.path,
                    format!("x of shape {:?}", test.x.shape),
                    format!("samples of {shape}, as in the training part"),
                ));
            }
            Some((test, labels))
        }
        None => None,
    };
    let channels = if legend.channels.len() == shape.channels() {
        legend.channels.clone()
    } else {
        Vec::new()
    };
    let mut builder = Builder {
        path,
        shape,
        classes: class_names,
        channels,
        rate: legend.rate,
        notes: legend.notes,
    };
    let (own_groups, own_sources) = groups(&train.groups, train_labels.len());
    if let Some((test, labels)) = test {
        let (test_groups, test_sources) = groups(&test.groups, labels.len());
        let grouped = !train.groups.is_empty() && !test.groups.is_empty();
        let known = |groups, sources| {
            if grouped {
                (groups, sources)
            } else {
                Default::default()
            }
        };
        let train = Flat {
            values: train.x.values,
            labels: train_labels,
            origin: known(own_groups, own_sources),
            bytes: train.bytes,
        };
        let place = test.path;
        let test = Flat {
            values: test.x.values,
            labels,
            origin: known(test_groups, test_sources),
            bytes: test.bytes,
        };
        let data = builder.finish(train, test, reading)?;
        check_leaks(data, &place, reading, false)
    } else {
        let population = Population {
            labels: &train_labels,
            classes: builder.classes.len(),
            sources: &own_sources,
            groups: &own_groups,
        };
        let holdout = population.hold_out(reading)?;
        builder.notes.push(holdout.describe(reading, &population));
        let size = shape.len();
        let part = |indices: &[usize]| {
            let values = indices
                .iter()
                .flat_map(|&i| &train.x.values[i * size..][..size]);
            Flat {
                values: values.copied().collect(),
                labels: indices.iter().map(|&i| train_labels[i]).collect(),
                origin: (
                    own_groups.clone(),
                    indices.iter().map(|&i| own_sources[i]).collect(),
                ),
                bytes: train.bytes,
            }
        };
        let (fitted, held) = (part(&holdout.train), part(&holdout.test));
        builder.finish(fitted, held, reading)
    }
}

/// The groups' names and the source of each sample.
fn groups(names: &[String], samples: usize) -> (Vec<String>, Vec<Source>) {
    if names.len() != samples {
        let sources = (0..samples).map(|index| Source::whole(index, 0, 1));
        return (vec!["all".into()], sources.collect());
    }
    let mut groups: Vec<String> = names.to_vec();
    groups.sort();
    groups.dedup();
    let place = |name: &String| groups.binary_search(name).unwrap_or_default();
    let sources = names.iter().enumerate();
    let sources = sources.map(|(index, name)| Source::whole(index, place(name), 1));
    (groups.clone(), sources.collect())
}

/// Samples `[samples, …]` of one part, NaN where a value is missing.
pub(super) struct Flat {
    pub(super) values: Vec<f32>,
    pub(super) labels: Vec<usize>,
    pub(super) origin: (Vec<String>, Vec<Source>),
    /// Whether the values of images are bytes.
    pub(super) bytes: bool,
}

/// What the parts have in common.
pub(super) struct Builder<'p> {
    pub(super) path: &'p Path,
    pub(super) shape: InputShape,
    pub(super) classes: Vec<String>,
    pub(super) channels: Vec<String>,
    pub(super) rate: Option<f64>,
    pub(super) notes: Vec<String>,
}

impl Builder<'_> {
    pub(super) fn finish(
        mut self,
        mut train: Flat,
        mut test: Flat,
        reading: &Reading,
    ) -> Result<TrainTest> {
        let shape = self.shape;
        let (channels, plane) = (shape.channels(), shape.positions());
        let bounds = picture_units(shape, &mut train.values, train.bytes);
        let test_bounds = picture_units(shape, &mut test.values, test.bytes);
        let bounds = bounds.filter(|_| test_bounds.is_some());
        let mut fitted = Fitted::new(channels);
        for (index, values) in train.values.chunks_exact(plane).enumerate() {
            fitted.add(index % channels, values);
        }
        let gaps = fitted.missing() + test.values.iter().filter(|value| value.is_nan()).count();
        let mut preprocessing = Preprocessing {
            reading: settled(reading),
            channels: self.channels.clone(),
            rate: self.rate,
            ..Preprocessing::default()
        };
        let name = self.path.display().to_string();
        missing::settle(&mut preprocessing, &fitted, gaps, &name)?;
        if gaps > 0 {
            self.notes
                .push(format!("{gaps} missing values: {}", reading.missing));
        }
        let masks = preprocessing.masked.len();
        let whole = match shape {
            InputShape::Series {
                steps,
                channels,
                order,
            } => InputShape::Series {
                steps,
                channels: channels + masks,
                order,
            },
            other if masks == 0 => other,
            _ => {
                return Err(Error::Argument {
                    argument: "missing".into(),
                    found: "mask for images".into(),
                    expected: "mean, or series".into(),
                });
            }
        };
        let axes = Axes {
            channels: missing::names(&self.channels, &preprocessing.masked),
            units: Vec::new(),
            rate: self.rate,
        };
        let part = |flat: Flat, notes: Vec<String>| -> Result<Dataset> {
            let values = if preprocessing.fill.is_empty() {
                flat.values
            } else {
                missing::fill(flat.values, plane, &preprocessing, &[])
            };
            let (groups, sources) = flat.origin;
            let provenance = Provenance {
                groups,
                sources,
                notes,
                ..Provenance::default()
            };
            let name = data_name(self.path);
            let data = Dataset::new(
                name,
                self.classes.clone(),
                whole,
                values,
                flat.labels,
                bounds,
            )?;
            let data = data.with_axes(axes.clone())?.with_provenance(provenance)?;
            Ok(data.with_preprocessing(Some(preprocessing.clone())))
        };
        Ok(TrainTest {
            train: part(train, self.notes)?,
            test: part(test, Vec::new())?,
        })
    }
}
