//! The settings of several runs side by side: what they differ in.

use super::RunConfig;
use crate::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Settings that say which run it is and where its data lies, not what it computes.
const IDENTITY: [&str; 3] = ["seed", "data.folder", "training.checkpoint-seconds"];

/// One setting in which runs differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its key, as the command line takes it: `masking.importance`.
    pub key: String,
    /// Its value in each run; none where the run's regime does not read it.
    pub values: Vec<Option<String>>,
}

impl RunConfig {
    /// Every setting that this run's regime reads, by its key, without the seed and the place
    /// of the data.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn settings(&self) -> Result<BTreeMap<String, String>> {
        // By way of the text, where an f32 has its own shortest digits.
        let mut settings = flat(&self.to_toml()?)?;
        let unread = |key: &str| match key.split('.').next() {
            Some("masking" | "lambda") => !self.regime.masks(),
            Some("attack") => !self.regime.attacks(),
            _ => false,
        };
        settings.retain(|key, _| !IDENTITY.contains(&key.as_str()) && !unread(key));
        Ok(settings)
    }
}

impl RunConfig {
    /// The configuration as TOML without what changes no bit: where the data's files lie, and how
    /// often the state is written.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn bound(&self) -> Result<String> {
        let mut config = self.clone();
        config.data.folder = None;
        config.training.checkpoint_seconds = 1.0;
        let name = |path: &Path| path.file_name().map(PathBuf::from);
        config.data.test = config.data.test.as_deref().and_then(name);
        if let Some(file) = name(Path::new(&self.data.source)) {
            config.data.source = file.display().to_string();
        }
        config.to_toml()
    }
}

/// Every key of a configuration's text with its value.
///
/// # Errors
/// [`crate::Error::Argument`] when it is no TOML.
pub(super) fn flat(text: &str) -> Result<BTreeMap<String, String>> {
    let table: Result<Table, toml::de::Error> = text.parse();
    let table = table.map_err(|reason| super::not_toml(&reason))?;
    let mut settings = BTreeMap::new();
    flatten("", &Value::Table(table), &mut settings);
    Ok(settings)
}

/// The settings in which two texts of [`RunConfig::bound`] differ, the value of each.
pub fn changes(before: &str, after: &str) -> Vec<Difference> {
    let settings = |text: &str| flat(text).unwrap_or_default();
    differences(&[settings(before), settings(after)])
}

fn flatten(key: &str, value: &Value, settings: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let separator = if key.is_empty() { "" } else { "." };
                flatten(&format!("{key}{separator}{name}"), value, settings);
            }
        }
        Value::String(text) => drop(settings.insert(key.into(), text.clone())),
        other => drop(settings.insert(key.into(), other.to_string())),
    }
}

/// The settings in which `runs` differ, in the order of their keys.
pub fn differences(runs: &[BTreeMap<String, String>]) -> Vec<Difference> {
    let mut keys: Vec<&String> = runs.iter().flat_map(BTreeMap::keys).collect();
    keys.sort();
    keys.dedup();
    let rows = keys.into_iter().map(|key| Difference {
        key: key.clone(),
        values: runs.iter().map(|run| run.get(key).cloned()).collect(),
    });
    rows.filter(|row| row.values.windows(2).any(|pair| pair[0] != pair[1]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigDraft, DataKind, Regime};
    use super::*;

    fn settings(lines: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut draft = ConfigDraft::new();
        for (key, value) in lines {
            let parsed: Result<Table, _> = format!("value = {value}").parse();
            let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
            draft.set(
                key,
                parsed.unwrap_or_else(|| Value::String((*value).into())),
            );
        }
        let config = draft.finish(DataKind::Image).unwrap();
        config.settings().unwrap()
    }

    #[test]
    fn runs_differ_in_what_their_regimes_read() {
        let signed = settings(&[("regime", "sgt"), ("masking.fraction", "0.5")]);
        let absolute = settings(&[("regime", "sgt"), ("masking.importance", "absolute")]);
        let found = differences(&[signed.clone(), absolute]);
        let expected = Difference {
            key: "masking.importance".into(),
            values: vec![Some("signed".into()), Some("absolute".into())],
        };
        assert_eq!(found, [expected]);

        let standard = settings(&[
            ("regime", "standard"),
            ("masking.fraction", "0.1"),
            (
                "lambda",
                "{ from = 0.0, to = 1.0, ramp = \"linear\", epochs = 3 }",
            ),
        ]);
        let unread = |key: &String| key.starts_with("masking") || key.starts_with("lambda");
        assert!(!standard.keys().any(unread));
        assert_eq!(standard["regime"], Regime::Standard.name());
        assert_eq!(standard["optimizer.learning-rate"], "0.001");
        let found = differences(&[standard, signed]);
        let fraction = found.iter().find(|row| row.key == "masking.fraction");
        assert_eq!(fraction.unwrap().values, [None, Some("0.5".into())]);
    }
}
