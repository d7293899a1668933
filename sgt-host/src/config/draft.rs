//! Defaults, preset, file and command line, one over the other.

use super::{DataConfig, RunConfig};
use crate::data::DataKind;
use crate::{Error, Result, file, strict};
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};

/// The defaults of a kind of data, as TOML.
const fn defaults(kind: DataKind) -> &'static str {
    match kind {
        DataKind::Image => include_str!("defaults/image.toml"),
        DataKind::Series => include_str!("defaults/series.toml"),
    }
}

/// A named group of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// SGT as its published code runs it: signed gradient of the true log-probability, half of
    /// the features masked uniformly, λ = 1.
    Reference,
    /// ASGT with PGD.
    Robust,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 2] = [Self::Reference, Self::Robust];

    /// What it stands for, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Reference => {
                "SGT as its published code runs it: half of the features, uniform, λ 1"
            }
            Self::Robust => "ASGT with PGD of 7 steps",
        }
    }

    /// The preset's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Robust => "robust",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Self::Reference => include_str!("presets/reference.toml"),
            Self::Robust => include_str!("presets/robust.toml"),
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL;
        let preset = known.into_iter().find(|preset| preset.name() == name);
        preset.ok_or_else(|| Error::Argument {
            argument: "preset".into(),
            found: name.into(),
            expected: strict::nearest(name, &known.map(Self::name)),
        })
    }
}

/// Tables whose keys override one by one; any other value is replaced whole.
const SECTIONS: [&str; 5] = ["data", "masking", "attack", "optimizer", "training"];

/// A configuration whose data is not read yet: the defaults depend on the data's kind.
#[derive(Clone, Debug, Default)]
pub struct ConfigDraft {
    overrides: Vec<Override>,
}

/// Settings that take the place of those below them.
#[derive(Clone, Debug)]
struct Override {
    origin: String,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    /// Keys of the top level and of its [`SECTIONS`].
    Settings(Table),
    /// One key further inside, from the root.
    Key(Vec<String>, Value),
}

impl ConfigDraft {
    /// Nothing but defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays a preset over what is there.
    pub fn preset(&mut self, preset: Preset) {
        self.overrides.push(Override {
            origin: format!("preset {}", preset.name()),
            change: Change::Settings(built_in(preset.settings())),
        });
    }

    /// Lays a TOML file over what is there, its `preset` key below it.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Data`] when it is not TOML,
    /// [`Error::Argument`] for an unknown key or name or a value out of range.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let bytes = file::read(path)?;
        let malformed = |found: String| Error::Data {
            path: path.into(),
            found,
            expected: "a TOML run configuration".into(),
        };
        let text = String::from_utf8(bytes)
            .map_err(|reason| malformed(format!("bytes that are not UTF-8 ({reason})")))?;
        let settings = text.parse::<Table>().map_err(|reason| {
            let line = reason.span().map_or(0, |span| line_of(&text, span.start));
            let message = reason.message().lines().collect::<Vec<_>>().join(", ");
            malformed(format!("{message} on line {line}"))
        })?;
        self.table(&path.display().to_string(), settings)
    }

    /// Lays `settings` over what is there, their `preset` key below them; `origin` names them
    /// in errors.
    ///
    /// # Errors
    /// [`Error::Argument`] for an unknown key or name or a value out of range.
    pub fn table(&mut self, origin: &str, mut settings: Table) -> Result<()> {
        if let Some(preset) = settings.remove("preset") {
            let found = preset.to_string();
            let name = preset.as_str().ok_or_else(|| Error::Argument {
                argument: format!("{origin}: preset"),
                found,
                expected: "a name in quotes".into(),
            })?;
            self.preset(name.parse().map_err(|error| match error {
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
            })?);
        }
        self.overrides.push(Override {
            origin: origin.into(),
            change: Change::Settings(settings),
        });
        // A mistake in a key shows before any data is read, whatever its kind.
        self.read(DataKind::Series).map(drop)
    }

    /// Lays one key over what is there, at any depth: `masking.fraction` or
    /// `training.early-stopping.patience` for example. Unchecked until [`ConfigDraft::finish`].
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        let path: Vec<String> = key.split('.').map(|part| part.trim().to_string()).collect();
        let change = match &path[..] {
            [key] => Change::Settings(Table::from_iter([(key.clone(), value)])),
            [section, key] => {
                let inside = Table::from_iter([(key.clone(), value)]);
                Change::Settings(Table::from_iter([(section.clone(), inside.into())]))
            }
            _ => Change::Key(path, value),
        };
        self.overrides.push(Override {
            origin: "command line".into(),
            change,
        });
    }

    /// Which data to read, before its kind is known.
    ///
    /// # Errors
    /// As [`ConfigDraft::finish`].
    pub fn data(&self) -> Result<DataConfig> {
        Ok(self.finish(DataKind::Series)?.data)
    }

    /// The checked configuration, on the defaults of `kind`.
    ///
    /// # Errors
    /// [`Error::Argument`] naming where it stands, the key, what was found and what was expected.
    pub fn finish(&self, kind: DataKind) -> Result<RunConfig> {
        let config = self.read(kind)?;
        let last = self.overrides.last();
        config.check_combinations(last.map_or("defaults", |above| &above.origin))?;
        Ok(config)
    }

    fn read(&self, kind: DataKind) -> Result<RunConfig> {
        let mut settings = built_in(defaults(kind));
        let mut config: RunConfig = strict::read(settings.clone(), "defaults")?;
        for above in &self.overrides {
            match &above.change {
                Change::Settings(above) => lay_over(&mut settings, above),
                Change::Key(path, value) => insert(&mut settings, path, value),
            }
            // Read after every override: a mistake belongs to the one that brings it.
            config = strict::read(settings.clone(), &above.origin)?;
            config.check_ranges(&above.origin)?;
        }
        Ok(config)
    }
}

/// Writes `value` at `path`; what stands in the way of a table there gives way to one.
fn insert(table: &mut Table, path: &[String], value: &Value) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value.clone());
        return;
    }
    let place = table
        .entry(first)
        .or_insert_with(|| Value::Table(Table::new()));
    if !place.is_table() {
        *place = Value::Table(Table::new());
    }
    if let Value::Table(inside) = place {
        insert(inside, rest, value);
    }
}

fn lay_over(below: &mut Table, above: &Table) {
    // Another network than the one that was described or sized below.
    if above.contains_key("model") && above.get("model") != below.get("model") {
        below.remove("network");
        below.remove("hidden");
    }
    for (key, value) in above {
        let section = SECTIONS.contains(&key.as_str());
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if section => {
                drop_rivals(key, below, above);
                for (key, value) in above {
                    below.insert(key.clone(), value.clone());
                }
            }
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Removes from `below` what cannot stand beside `above`: another source's test file and options, or the
/// parameters of another optimizer.
fn drop_rivals(section: &str, below: &mut Table, above: &Table) {
    let changed = |key: &str| {
        above
            .get(key)
            .is_some_and(|value| below.get(key) != Some(value))
    };
    match section {
        "data" if changed("source") => {
            below.remove("test");
            below.remove("reading");
        }
        "optimizer" if changed("name") => below.clear(),
        _ => {}
    }
}

fn built_in(text: &str) -> Table {
    text.parse().unwrap_or_else(|reason| {
        unreachable!("the built-in settings are parsed by a test: {reason}");
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset.min(text.len())].matches('\n').count()
}
