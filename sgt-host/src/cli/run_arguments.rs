//! The arguments from which a configuration is laid in layers.

use super::Common;
use super::list::trimmed;
use super::reading_arguments::{ReadingArguments, SplitArguments};
use crate::config::{ClassWeights, ConfigDraft, Preset};
use crate::data::data_dir;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What `train` and `compare` have in common.
#[derive(Debug, clap::Args)]
pub(super) struct RunArguments {
    /// A named data set, or one's own: a CSV file or a folder of them, npz, x.npy,y.npy, ts, arff, a
    /// folder of pictures in class folders [default: basic-motions; compare: an example of 5 epochs
    /// over uci-har-subset].
    #[arg(long, value_name = "NAME|FILE|DIR")]
    data: Option<String>,
    /// The test part [default: NAME_TEST beside NAME_TRAIN, test beside train in a folder, x_test in an
    /// archive; else a split].
    #[arg(long, value_name = "FILE|DIR")]
    test: Option<PathBuf>,
    /// The network: a name of sgt models, or the description of one's own [default: sensor-cnn for
    /// series, mnist-cnn for images].
    #[arg(long, value_name = "NAME|FILE.toml")]
    model: Option<String>,
    /// The sizes of a named network's hidden layers, 32,64,64 for example.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = trimmed::<u32>)]
    hidden: Vec<u32>,
    /// A group of settings: reference or robust [default: none].
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,
    /// A TOML run configuration; the other arguments override it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any key of the configuration at any depth, masking.fraction=0.3 or
    /// training.early-stopping.patience=5 for example; sgt config --explain lists them.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    keys: Vec<String>,
    /// The number of passes over the training part [default: 60 for series, 2 for images].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<u32>,
    /// What the cross-entropy of each class counts: balanced, or one number a class.
    #[arg(long, value_name = "balanced|LIST", allow_hyphen_values = true)]
    class_weights: Option<ClassWeights>,
    /// Fill every batch from all classes alike.
    #[arg(long)]
    balanced_batches: bool,
    #[command(flatten)]
    reading: ReadingArguments,
    #[command(flatten)]
    split: SplitArguments,
}

impl RunArguments {
    /// Whether an argument says what the data are.
    pub(super) fn names_data(&self) -> bool {
        let names_source = |key: &String| key.trim_start().starts_with("data.source");
        self.data.is_some() || self.config.is_some() || self.keys.iter().any(names_source)
    }

    /// The layers that the command line describes.
    pub(super) fn draft(&self, common: &Common) -> Result<ConfigDraft> {
        self.draft_over(|_| {}, common)
    }

    /// [`RunArguments::draft`] over a layer of the command's own.
    pub(super) fn draft_over(
        &self,
        lay: impl FnOnce(&mut ConfigDraft),
        common: &Common,
    ) -> Result<ConfigDraft> {
        let mut draft = ConfigDraft::new();
        lay(&mut draft);
        if let Some(preset) = self.preset {
            draft.preset(preset);
        }
        if let Some(path) = &self.config {
            draft.file(path)?;
        }
        if let Some(source) = &self.data {
            draft.set("data.source", source.as_str());
        }
        if let Some(test) = &self.test {
            draft.set("data.test", text(test)?);
        }
        self.reading.lay(&mut draft);
        self.split.lay(&mut draft);
        if let Some(model) = &self.model {
            draft.set("model", model.as_str());
        }
        if !self.hidden.is_empty() {
            draft.set("hidden", self.hidden.clone());
        }
        if let Some(epochs) = self.epochs {
            draft.set("training.epochs", i64::from(epochs));
        }
        match &self.class_weights {
            None => {}
            Some(ClassWeights::None) => draft.set("training.class-weights", "none"),
            Some(ClassWeights::Balanced) => draft.set("training.class-weights", "balanced"),
            Some(ClassWeights::Values(values)) => {
                let values: toml::Table = [("values".to_string(), values.clone().into())]
                    .into_iter()
                    .collect();
                draft.set("training.class-weights", values);
            }
        }
        if self.balanced_batches {
            draft.set("training.batches", "balanced");
        }
        for setting in &self.keys {
            let (key, value) = key_value(setting)?;
            if key == "preset" {
                return Err(Error::Argument {
                    argument: "--set".into(),
                    found: setting.clone(),
                    expected: "--preset NAME, which the other settings lie over".into(),
                });
            }
            draft.set(key, value);
        }
        let folder = data_dir(common.data_dir.as_deref());
        let chosen = common.data_dir.is_some() || self.config.is_none() && folder.is_dir();
        if chosen {
            draft.set("data.folder", text(&folder)?);
        }
        Ok(draft)
    }
}

/// `KEY=VALUE`, the value in TOML's notation, or a text without quotes.
pub(super) fn key_value(setting: &str) -> Result<(&str, toml::Value)> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(Error::Argument {
            argument: "--set".into(),
            found: setting.into(),
            expected: "KEY=VALUE, masking.fraction=0.3 for example".into(),
        });
    };
    let parsed = format!("value = {value}").parse::<toml::Table>();
    let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
    Ok((key.trim(), parsed.unwrap_or_else(|| value.trim().into())))
}

/// A path as a configuration can hold it.
pub(super) fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::Argument {
        argument: "path".into(),
        found: path.display().to_string(),
        expected: "a path in UTF-8".into(),
    })
}
