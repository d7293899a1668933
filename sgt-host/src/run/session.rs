//! From a configuration to a finished run: data read, network built, result written.

use super::{Record, RunFolder};
use crate::config::{DataConfig, DataKind, Draft, RunConfig};
use crate::data::{Dataset, LoadOptions, TrainTest, load};
use crate::network::network::Network;
use crate::network::registry::{self, NetworkSizes};
use crate::network::{InputShape, Model, Normalized};
use crate::train::{Prepared, Progress, Purpose, TrainingData, derive_seed, evaluate, prepare};
use crate::weights::{self, Metadata};
use crate::{Result, file};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked configuration with its data.
#[derive(Clone, Debug)]
pub struct Session {
    config: RunConfig,
    prepared: Prepared,
}

impl Session {
    /// Reads the data that `draft` names and completes the configuration by its kind.
    ///
    /// # Errors
    /// As [`Session::read`] and [`prepare`].
    pub fn open(draft: &Draft) -> Result<Self> {
        let (config, data) = Self::read(draft)?;
        Self::with_data(config, data)
    }

    /// The complete configuration and its data, not yet split.
    ///
    /// # Errors
    /// As [`Draft::finish`] and [`load`](fn@load).
    pub fn read(draft: &Draft) -> Result<(RunConfig, TrainTest)> {
        let source = draft.data()?;
        let options = LoadOptions {
            data_dir: source.folder.clone(),
            test: source.test.clone(),
            length: source.length,
        };
        let data = load(&source.source, &options)?;
        let mut config = draft.finish(kind(&data))?;
        // A run is taken up again from any folder.
        let DataConfig {
            test,
            folder,
            source,
            ..
        } = &mut config.data;
        *test = test.as_deref().map(absolute).transpose()?;
        *folder = folder.as_deref().map(absolute).transpose()?;
        if Path::new(source).is_file() {
            *source = absolute(Path::new(source))?.display().to_string();
        }
        Ok((config, data))
    }

    /// The configuration `config` on data that is already read.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn with_data(config: RunConfig, data: TrainTest) -> Result<Self> {
        let prepared = prepare(data, &config.data, config.seed)?;
        Ok(Self { config, prepared })
    }

    /// The checked configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// What is fitted and what chooses.
    pub fn training_data(&self) -> &TrainingData {
        &self.prepared.training
    }

    /// What is reported.
    pub fn test(&self) -> &Dataset {
        &self.prepared.test
    }

    /// The test part alone; the rest is freed.
    pub fn into_test(self) -> Dataset {
        self.prepared.test
    }

    /// A short name: data, network, regime and seed.
    pub fn name(&self) -> String {
        let Self { config, prepared } = self;
        let data = prepared.training.train.name().to_lowercase();
        format!("{data}-{}-{}-{}", config.model, config.regime, config.seed)
    }

    /// The network before its first step, standardising inside where the data does not.
    ///
    /// # Errors
    /// As [`registry::build`].
    pub fn network(&self) -> Result<Normalized<Network>> {
        let train = &self.prepared.training.train;
        let input = ordered(train.shape(), &self.config.model)?;
        let sizes = NetworkSizes::new(input, train.classes().len());
        let seed = derive_seed(self.config.seed, Purpose::Weights, [0, 0]);
        let network = registry::build(&self.config.model, &sizes, seed)?;
        let inside = &self.prepared.inside;
        Normalized::new(network, inside.mean(), inside.deviation())
    }

    /// Measures a finished network on the test part and writes weights and record.
    ///
    /// # Errors
    /// As [`weights::save`] and [`RunFolder::write_record`].
    pub fn finish<M: Model>(
        &self,
        folder: &RunFolder,
        model: &M,
        progress: &Progress,
        time: Duration,
    ) -> Result<Record> {
        let metadata = self.metadata(model);
        weights::save(&folder.weights_path(), model.parameters(), Some(&metadata))?;
        let quality = evaluate(model, self.test())?;
        let record = Record {
            version: Record::VERSION.into(),
            platform: Record::current_platform(),
            seed: self.config.seed,
            data_digest: progress.data_digest.clone(),
            parameters: model.parameters().trainable_count(),
            epochs: progress.epoch,
            best_epoch: progress.best.map(|best| best.epoch),
            test_accuracy: quality.accuracy,
            test_loss: quality.loss,
            seconds: time.as_secs_f64(),
        };
        folder.write_record(&record)?;
        Ok(record)
    }

    fn metadata<M: Model>(&self, model: &M) -> Metadata {
        let train = &self.prepared.training.train;
        Metadata {
            model: self.config.model.clone(),
            input: model.input(),
            classes: train.classes().to_vec(),
            normalization: self.prepared.normalization.clone(),
            bounds: train.bounds(),
            regime: self.config.regime.name().into(),
            seed: self.config.seed,
            version: Record::VERSION.into(),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|source| file::io_error(path, "find", source))
}

fn kind(data: &TrainTest) -> DataKind {
    match data.train.shape() {
        InputShape::Image { .. } => DataKind::Image,
        InputShape::Series { .. } | InputShape::Tokens { .. } => DataKind::Series,
    }
}

/// The shape in the memory order that the network reads.
fn ordered(shape: InputShape, model: &str) -> Result<InputShape> {
    Ok(match shape {
        InputShape::Series {
            steps, channels, ..
        } => InputShape::Series {
            steps,
            channels,
            order: registry::series_order(model)?,
        },
        other => other,
    })
}
