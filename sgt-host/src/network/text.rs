//! Descriptions as text: TOML for people, JSON for weight files.

use super::{Description, InputShape, Layer, SeriesOrder};
use crate::file::data_error;
use crate::{Error, Result, file, strict};
use std::path::Path;
use toml::{Table, Value};

/// What a description may leave to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gaps {
    /// One sample.
    pub input: InputShape,
    /// The number of classes, which `outputs = "classes"` stands for.
    pub classes: usize,
}

/// The word that stands for the number of classes.
const CLASSES: &str = "classes";

impl Description {
    /// Reads a description from a TOML file; without a name of its own it gets the file's.
    ///
    /// `gaps`, where the caller knows them, fill in an absent `input` and `outputs = "classes"`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] when the file is no TOML; as [`Description::from_table`].
    pub fn read(path: &Path, gaps: Option<Gaps>) -> Result<Self> {
        let (origin, table) = read_table(path)?;
        Self::from_table(&origin, table, gaps)
    }

    /// Reads a description from a TOML table that `origin` names in errors.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the key or the layer.
    pub fn from_table(origin: &str, mut table: Table, gaps: Option<Gaps>) -> Result<Self> {
        if let Some(gaps) = gaps {
            if !table.contains_key("input") {
                // A network that does not say its order gets the engine's own.
                let input = Value::try_from(gaps.input.ordered(SeriesOrder::StepsFirst));
                table.insert("input".into(), input.map_err(|reason| not_toml(&reason))?);
            }
            if let Some(layers) = table.get_mut("layers") {
                fill_classes(layers, gaps.classes)?;
            }
        }
        let named = |error: Error| match error {
            Error::Argument {
                argument,
                found,
                expected,
            } => Error::Argument {
                argument: format!("{origin}: {argument}"),
                found,
                expected,
            },
            other => other,
        };
        let description: Self = strict::read(table.clone(), origin)
            .map_err(|error| layers_mistake(&table, origin, "layers").unwrap_or(error))?;
        description.summary().map_err(named)?;
        if let Some(gaps) = gaps {
            let (own, data) = (description.input, gaps.input);
            if own.ordered(SeriesOrder::StepsFirst) != data.ordered(SeriesOrder::StepsFirst) {
                return Err(named(Error::Argument {
                    argument: "input".into(),
                    found: own.to_string(),
                    expected: format!("{data}, as the data has"),
                }));
            }
            let classes = description.classes()?;
            if classes != gaps.classes {
                return Err(named(Error::Argument {
                    argument: "layers".into(),
                    found: format!("{classes} logits"),
                    expected: format!("{}, one a class of the data", gaps.classes),
                }));
            }
        }
        Ok(description)
    }

    /// The description as TOML.
    ///
    /// # Errors
    /// [`Error::Argument`] when a size is beyond what TOML can hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|reason| not_toml(&reason))
    }

    /// The description as a TOML table.
    ///
    /// # Errors
    /// As [`Description::to_toml`].
    pub fn to_table(&self) -> Result<Table> {
        // By way of the text, where an f32 has its own shortest digits.
        let parsed: Result<Table, toml::de::Error> = self.to_toml()?.parse();
        parsed.map_err(|reason| not_toml(&reason))
    }
}

/// A TOML file's table with a `name`, and what errors call it.
fn read_table(path: &Path) -> Result<(String, Table)> {
    let origin = path.display().to_string();
    let bytes = file::read(path)?;
    let malformed = |found: String| data_error(path, found, "the TOML description of a network");
    let text = String::from_utf8(bytes)
        .map_err(|reason| malformed(format!("bytes that are not UTF-8 ({reason})")))?;
    let mut table = text.parse::<Table>().map_err(|reason| {
        let line = reason.span().map_or(0, |span| {
            1 + text[..span.start.min(text.len())].matches('\n').count()
        });
        let message = reason.message().lines().collect::<Vec<_>>().join(", ");
        malformed(format!("{message} on line {line}"))
    })?;
    if let (false, Some(stem)) = (table.contains_key("name"), path.file_stem()) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let stem = stem.to_string_lossy().replace(|c| !plain(c), "-");
        table.insert("name".into(), stem.into());
    }
    Ok((origin, table))
}

/// The first mistake inside a layer of the list at `place` of `origin`, which `table` holds; that of
/// a residual block after those of its layers.
fn layers_mistake(table: &Table, origin: &str, place: &str) -> Option<Error> {
    let (_, key) = place.rsplit_once('.').unwrap_or(("", place));
    let layers = table.get(key)?.as_array()?;
    layers.iter().enumerate().find_map(|(index, layer)| {
        let layer = layer.as_table()?;
        let place = format!("{place}.{index}");
        let inside = |key: &str| layers_mistake(layer, origin, &format!("{place}.{key}"));
        inside("body")
            .or_else(|| inside("shortcut"))
            .or_else(|| Layer::mistake(layer.clone(), origin, &place))
    })
}

/// Writes the number of classes wherever `outputs` asks for it.
fn fill_classes(layers: &mut Value, classes: usize) -> Result<()> {
    let count = i64::try_from(classes).map_err(|reason| not_toml(&reason))?;
    let mut waiting = vec![layers];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Table(layer) => {
                for (key, value) in layer.iter_mut() {
                    match key.as_str() {
                        "outputs" if value.as_str() == Some(CLASSES) => *value = count.into(),
                        "body" | "shortcut" => waiting.push(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn not_toml(reason: &dyn std::fmt::Display) -> Error {
    Error::Argument {
        argument: "description".into(),
        found: reason.to_string(),
        expected: "values that TOML can hold".into(),
    }
}
