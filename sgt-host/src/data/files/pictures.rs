//! Folders of pictures: a folder with PNG or JPEG files for each class.

use super::arrays::{Builder, Flat};
use super::leaks::check_leaks;
use super::{DEPTH, PICTURES, Parts, ending};
use crate::data::load::LoadOptions;
use crate::data::{InputShape, Population, Source, TrainTest, classes};
use crate::file::{data_error, excerpt, files_below, one_line, read};
use crate::{Result, limits};
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, Limits};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The pictures below `folder` with their classes, the names of the folders right below it.
fn list(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut pictures = Vec::new();
    for path in files_below(folder, DEPTH)? {
        if !PICTURES.contains(&&*ending(&path)) {
            continue;
        }
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let class = inside
            .parent()
            .and_then(|parent| parent.components().next());
        let Some(class) = class else {
            return Err(data_error(
                &path,
                "a picture that is in no class folder",
                "a folder for each class",
            ));
        };
        let class = class.as_os_str().to_string_lossy().into_owned();
        pictures.push((path, class));
    }
    if pictures.is_empty() {
        return Err(data_error(
            folder,
            "no picture",
            "PNG or JPEG files in class folders",
        ));
    }
    Ok(pictures)
}

/// A picture as it is in its file, brought to `resize` (height, width) where asked.
///
/// # Errors
/// [`crate::Error::Data`] when it is damaged or larger than the limit of memory.
pub(super) fn decode(path: &Path, resize: Option<[usize; 2]>) -> Result<DynamicImage> {
    let damaged = |error: &dyn std::fmt::Display| {
        data_error(
            path,
            format!("no picture ({})", one_line(&error.to_string())),
            "a whole PNG or JPEG file",
        )
    };
    let bytes = read(path)?;
    let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| damaged(&error))?;
    let mut allowed = Limits::default();
    allowed.max_alloc = Some(limits::memory());
    reader.limits(allowed);
    let picture = reader.decode().map_err(|error| damaged(&error))?;
    Ok(match resize {
        Some([height, width]) => {
            let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
            limits::check(path, "pixels", height.saturating_mul(width), 4)?;
            picture.resize_exact(size(width), size(height), FilterType::Triangle)
        }
        None => picture,
    })
}

/// Whether the picture's colours are greys by its file's own word.
fn is_grey(picture: &DynamicImage) -> bool {
    !picture.color().has_color()
}

/// The pixels `[channels, height, width]` from 0 to 1; what is transparent counts as opaque.
fn pixels(picture: &DynamicImage, channels: usize, values: &mut Vec<f32>) {
    let scale = |byte: u8| f32::from(byte) / 255.0;
    if channels == 1 && is_grey(picture) {
        values.extend(picture.to_luma8().into_raw().into_iter().map(scale));
        return;
    }
    let raw = picture.to_rgb8().into_raw();
    if channels == 1 {
        values.extend(raw.as_chunks::<3>().0.iter().copied().map(luma).map(scale));
        return;
    }
    for channel in 0..channels {
        values.extend(raw[channel..].iter().step_by(channels).copied().map(scale));
    }
}

/// The grey of a colour as ITU-R 601 has it, and Pillow computes it.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}

/// Pictures of one part, decoded.
struct Album {
    pictures: Vec<DynamicImage>,
    classes: Vec<String>,
}

fn album(folder: &Path, resize: Option<[usize; 2]>) -> Result<Album> {
    let mut album = Album {
        pictures: Vec::new(),
        classes: Vec::new(),
    };
    let mut first: Option<([u32; 2], PathBuf)> = None;
    let mut held = 0;
    for (path, class) in list(folder)? {
        let picture = decode(&path, resize)?;
        let size = [picture.height(), picture.width()];
        match &first {
            None => first = Some((size, path.clone())),
            Some((expected, other)) if *expected != size => {
                return Err(data_error(
                    &path,
                    format!("{} × {} pixels", size[0], size[1]),
                    format!(
                        "{} × {}, as {}; --resize {}x{} brings all to one size",
                        expected[0],
                        expected[1],
                        other.display(),
                        expected[0],
                        expected[1]
                    ),
                ));
            }
            Some(_) => {}
        }
        held += picture.as_bytes().len() * size_of::<f32>();
        limits::check(folder, "bytes of pictures", held, 1)?;
        album.pictures.push(picture);
        album.classes.push(class);
    }
    Ok(album)
}

/// The samples of a picture as a network of `shape` reads it.
///
/// # Errors
/// As [`decode`], and [`crate::Error::Data`] for another size.
pub(super) fn sample(path: &Path, shape: InputShape) -> Result<Vec<f32>> {
    let InputShape::Image {
        channels,
        height,
        width,
    } = shape
    else {
        return Err(data_error(path, "a picture", format!("{shape}")));
    };
    let picture = decode(path, Some([height, width]))?;
    let mut values = Vec::with_capacity(shape.len());
    pixels(&picture, channels, &mut values);
    Ok(values)
}

/// The pictures that `path` names: one, or those in a folder, with the names of their folders.
pub(super) fn pictures_of(path: &Path) -> Result<Vec<(PathBuf, Option<String>)>> {
    if !path.is_dir() {
        return Ok(vec![(path.into(), None)]);
    }
    let files = files_below(path, DEPTH)?.into_iter();
    let pictures = files.filter(|file| PICTURES.contains(&&*ending(file)));
    let class = |file: &Path| {
        let inside = file.strip_prefix(path).ok()?.parent()?;
        let first = inside.components().next()?;
        Some(first.as_os_str().to_string_lossy().into_owned())
    };
    Ok(pictures.map(|file| (file.clone(), class(&file))).collect())
}

/// Reads training and test part.
pub(super) fn load(parts: &Parts, options: &LoadOptions) -> Result<TrainTest> {
    let reading = &options.reading;
    let train = album(&parts.train, reading.resize)?;
    let test = match &parts.test {
        Some(test) => Some(album(test, reading.resize)?),
        None => None,
    };
    let all = || {
        train
            .pictures
            .iter()
            .chain(test.iter().flat_map(|t| &t.pictures))
    };
    let channels = if all().all(is_grey) { 1 } else { 3 };
    let first = &train.pictures[0];
    let shape = InputShape::image(channels, first.height() as usize, first.width() as usize);
    let fits = |p: &&DynamicImage| [p.height(), p.width()] == [first.height(), first.width()];
    let names = classes::names(train.classes.iter().map(String::as_str));
    let flat = |album: &Album, path: &Path| -> Result<Flat> {
        if !album.pictures.iter().all(|picture| fits(&picture)) {
            return Err(data_error(
                path,
                "pictures of another size",
                format!("{shape}"),
            ));
        }
        let mut values = Vec::with_capacity(album.pictures.len() * shape.len());
        for picture in &album.pictures {
            pixels(picture, channels, &mut values);
        }
        let class = |class: &String| {
            classes::find(class, &names).ok_or_else(|| {
                let expected = format!("one of {}", excerpt(names.join(" ")));
                data_error(path, format!("class {}", excerpt(class)), expected)
            })
        };
        Ok(Flat {
            values,
            labels: album.classes.iter().map(class).collect::<Result<_>>()?,
            origin: Default::default(),
            bytes: false,
        })
    };
    let whole = flat(&train, &parts.train)?;
    let count = whole.labels.len();
    let mut builder = Builder {
        path: &parts.train,
        shape,
        classes: names.clone(),
        channels: Vec::new(),
        rate: None,
        notes: vec![format!(
            "{}: {count} pictures of {} × {} pixels, {}",
            parts.train.display(),
            first.height(),
            first.width(),
            if channels == 1 { "grey" } else { "colour" }
        )],
    };
    if let (Some(album), Some(path)) = (&test, &parts.test) {
        let held = flat(album, path)?;
        let data = builder.finish(whole, held, reading)?;
        return check_leaks(data, path, reading, false);
    }
    let sources: Vec<Source> = (0..count).map(|index| Source::whole(index, 0, 1)).collect();
    let population = Population {
        labels: &whole.labels,
        classes: names.len(),
        sources: &sources,
        groups: &["all".to_string()],
    };
    let holdout = population.hold_out(reading)?;
    builder.notes.push(holdout.describe(reading, &population));
    let size = shape.len();
    let part = |indices: &[usize]| Flat {
        values: indices
            .iter()
            .flat_map(|&index| &whole.values[index * size..][..size])
            .copied()
            .collect(),
        labels: indices.iter().map(|&index| whole.labels[index]).collect(),
        origin: Default::default(),
        bytes: false,
    };
    let (fitted, held) = (part(&holdout.train), part(&holdout.test));
    builder.finish(fitted, held, reading)
}
