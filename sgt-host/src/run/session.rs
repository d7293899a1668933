//! From a configuration to a finished run: data read, network built, result written.

use super::{Identity, Record, RunFolder};
use crate::binding::{Binding, DataDigests};
use crate::config::{ConfigDraft, DataConfig, RunConfig};
use crate::data::files::format_of;
use crate::data::{Dataset, LoadOptions, Normalization, TrainTest, load};
use crate::metrics::Classification;
use crate::metrics::classification::confusion;
use crate::network::named::{self, NetworkSizes, Reads};
use crate::network::{Classifier, Description, Gaps, InputShape, Model, Network, SeriesOrder};
use crate::train::{
    Event, Prepared, Progress, Purpose, Trainer, TrainingData, answers, derive_seed, prepare,
};
use crate::weights::{self, Metadata};
use crate::{Error, Result, file};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked configuration with its data.
#[derive(Clone, Debug)]
pub struct Session {
    config: RunConfig,
    prepared: Prepared,
    digests: DataDigests,
    notes: Vec<String>,
}

impl Session {
    /// Reads the data that `draft` names and completes the configuration by its kind.
    ///
    /// # Errors
    /// As [`Session::read`] and [`prepare`].
    pub fn open(draft: &ConfigDraft) -> Result<Self> {
        let (config, data) = Self::read(draft)?;
        Self::with_data(config, data)
    }

    /// The complete configuration and its data, not yet split.
    ///
    /// # Errors
    /// As [`ConfigDraft::finish`] and [`load`](fn@load).
    pub fn read(draft: &ConfigDraft) -> Result<(RunConfig, TrainTest)> {
        let data = read_data(&draft.data()?)?;
        Ok((Self::complete(draft, &data)?, data))
    }

    /// The complete configuration on data that is already read.
    ///
    /// # Errors
    /// As [`ConfigDraft::finish`].
    pub(crate) fn complete(draft: &ConfigDraft, data: &TrainTest) -> Result<RunConfig> {
        let mut config = draft.finish(data.train.shape().kind())?;
        // A run is taken up again from any folder.
        let DataConfig {
            test,
            folder,
            source,
            ..
        } = &mut config.data;
        *test = test.as_deref().map(absolute).transpose()?;
        *folder = folder.as_deref().map(absolute).transpose()?;
        if let Some((x, y)) = source.split_once(',')
            && Path::new(x.trim()).is_file()
        {
            let [x, y] = [x, y].map(|part| absolute(Path::new(part.trim())));
            *source = format!("{},{}", x?.display(), y?.display());
        } else if format_of(source).is_some() && Path::new(source).exists() {
            *source = absolute(Path::new(source))?.display().to_string();
        }
        settle_network(&mut config, data)?;
        Ok(config)
    }

    /// The configuration `config` on the data that it names.
    ///
    /// # Errors
    /// As [`load`](fn@load) and [`prepare`].
    pub fn new(config: RunConfig) -> Result<Self> {
        let data = read_data(&config.data)?;
        Self::with_data(config, data)
    }

    /// The configuration `config` on data that is already read.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn with_data(config: RunConfig, data: TrainTest) -> Result<Self> {
        let digests = DataDigests::of(&data);
        Self::with_digests(config, data, digests)
    }

    /// [`Session::with_data`] for data whose digests are known.
    ///
    /// # Errors
    /// As [`prepare`].
    pub(crate) fn with_digests(
        config: RunConfig,
        data: TrainTest,
        digests: DataDigests,
    ) -> Result<Self> {
        let notes = data.train.provenance().notes.clone();
        let prepared = prepare(data, &config.data, config.seed)?;
        Ok(Self {
            config,
            prepared,
            digests,
            notes,
        })
    }

    /// What this run is.
    ///
    /// # Errors
    /// As [`Session::description`].
    pub fn identity(&self) -> Result<Identity> {
        Identity::new(&self.config, self.binding(&self.description()?)?)
    }

    fn binding(&self, description: &Description) -> Result<Binding> {
        Binding::new(&self.config, description, &self.digests)
    }

    /// The checked configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// What is fitted and what chooses.
    pub fn training_data(&self) -> &TrainingData {
        &self.prepared.training
    }

    /// What was found out when the data was read, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What is reported.
    pub fn test(&self) -> &Dataset {
        &self.prepared.test
    }

    /// From the file's values to those of the training and test parts: the identity where the network
    /// standardises inside.
    pub fn standardisation(&self) -> Normalization {
        let Prepared {
            training,
            normalization,
            inside,
            ..
        } = &self.prepared;
        if inside.is_identity() {
            normalization.clone()
        } else {
            Normalization::identity(training.train.shape().channels())
        }
    }

    /// The test part alone; the rest is freed.
    pub fn into_test(self) -> Dataset {
        self.prepared.test
    }

    /// A short name: data, network, regime and seed, in letters, digits, dots, dashes and
    /// underscores, so that no name in a file chooses a folder.
    pub fn name(&self) -> String {
        let config = &self.config;
        let data = plain(&self.prepared.training.train.name().to_lowercase());
        let model = plain(&config.model);
        format!("{data}-{model}-{}-{}", config.regime, config.seed)
    }

    /// The network that is trained: one by name in the sizes of the data, or one's own.
    ///
    /// # Errors
    /// As [`named::description`] and [`Description::from_table`].
    pub fn description(&self) -> Result<Description> {
        let train = &self.prepared.training.train;
        describe(&self.config, train.shape(), train.classes().len())
    }

    /// The network before its first step, standardising inside where the data does not.
    ///
    /// # Errors
    /// As [`Session::description`].
    pub fn classifier(&self) -> Result<Classifier> {
        let train = &self.prepared.training.train;
        let seed = derive_seed(self.config.seed, Purpose::Weights, [0, 0]);
        let network = Network::new(&self.description()?, seed)?;
        let classifier = Classifier::new(network, train.classes().to_vec())?
            .with_normalization(&self.prepared.inside)?;
        match train.bounds() {
            Some(bounds) => classifier.with_bounds(bounds),
            None => Ok(classifier),
        }
    }

    /// Trains to the end, in memory; `watch` sees every step and epoch.
    ///
    /// # Errors
    /// As [`Session::classifier`], [`Trainer::new`] and [`Trainer::advance`].
    pub fn train(&self, mut watch: impl FnMut(&Event)) -> Result<Classifier> {
        let data = self.training_data();
        let mut trainer = Trainer::new(&self.config, data, self.classifier()?)?;
        loop {
            match trainer.advance()? {
                Event::Finished => return Ok(trainer.into_model()),
                event => watch(&event),
            }
        }
    }

    /// Writes the weights of a trained network with all that is needed to use them.
    ///
    /// # Errors
    /// As [`weights::save`].
    pub fn save(&self, path: &Path, model: &Classifier) -> Result<()> {
        self.save_digested(path, model).map(drop)
    }

    fn save_digested(&self, path: &Path, model: &Classifier) -> Result<String> {
        weights::save(path, model.parameters(), Some(&self.metadata(model)?))
    }

    /// Measures a finished network on the test part, and writes weights and record to `folder`,
    /// if there is one.
    ///
    /// # Errors
    /// As [`quality`](crate::train::quality), [`Session::save`] and [`RunFolder::write_record`].
    pub fn finish(
        &self,
        folder: Option<&RunFolder>,
        model: &Classifier,
        progress: &Progress,
        time: Duration,
    ) -> Result<Record> {
        let test = self.test();
        let answers = answers(model, test)?;
        let quality = answers.quality(test.labels());
        let counts = confusion(test.labels(), &answers.predicted, test.classes().len());
        let validation = self.training_data().validation.as_ref();
        let validation = validation.map(|part| crate::train::quality(model, part));
        let validation = validation.transpose()?;
        let mut record = Record {
            version: Record::VERSION.into(),
            platform: Record::current_platform(),
            seed: self.config.seed,
            data_digest: progress.data_digest.clone(),
            parameters: model.parameters().trainable_count(),
            epochs: progress.epoch,
            best_epoch: progress.best.map(|best| best.epoch),
            test_accuracy: quality.accuracy,
            test_loss: quality.loss,
            classification: Some(Classification::of(test.classes(), counts)),
            validation_accuracy: validation.map(|found| found.accuracy),
            validation_loss: validation.map(|found| found.loss),
            seconds: time.as_secs_f64(),
            binding: Some(self.binding(model.network().description())?),
            tensors: None,
            data_notes: self.notes.clone(),
            instructions: progress.instructions.clone(),
        };
        if let Some(folder) = folder {
            record.tensors = Some(self.save_digested(&folder.weights_path(), model)?);
            folder.write_record(&record)?;
        }
        Ok(record)
    }

    fn metadata(&self, model: &Classifier) -> Result<Metadata> {
        let train = &self.prepared.training.train;
        let description = model.network().description().clone();
        Ok(Metadata {
            binding: Some(self.binding(&description)?),
            model: description.name.clone(),
            description: Some(description),
            input: model.input(),
            classes: train.classes().to_vec(),
            normalization: self.prepared.normalization.clone(),
            bounds: train.bounds(),
            preprocessing: train.preprocessing().cloned(),
            regime: self.config.regime.name().into(),
            seed: self.config.seed,
            version: Record::VERSION.into(),
        })
    }
}

/// The most characters of a name from a file in the name of a folder.
const MAX_NAME: usize = 64;

/// `name` in the characters that every file system and shell takes as they are, not hidden.
fn plain(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept = name.chars().take(MAX_NAME);
    let kept: String = kept.map(|c| if plain(c) { c } else { '-' }).collect();
    let shown = kept.trim_start_matches(['.', '-']);
    if shown.is_empty() {
        "unnamed".into()
    } else {
        shown.into()
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|source| file::io_error(path, "find", source))
}

/// The ending that tells a network's file from a network's name.
const FILE_ENDING: &str = "toml";

/// Reads a network's file and fills in what it leaves to the data, so that the configuration
/// stands alone.
fn settle_network(config: &mut RunConfig, data: &TrainTest) -> Result<()> {
    let path = PathBuf::from(&config.model);
    let gaps = Gaps {
        input: data.train.shape(),
        classes: data.train.classes().len(),
    };
    let is_file = path.extension().is_some_and(|ending| ending == FILE_ENDING);
    if (is_file || config.network.is_some()) && !config.hidden.is_empty() {
        return Err(Error::Argument {
            argument: "hidden".into(),
            found: format!("{:?} beside a network of one's own", config.hidden),
            expected: "a network by name; the layers of a description have their own sizes".into(),
        });
    }
    let description = if is_file && config.network.is_none() {
        Description::read(&path, Some(gaps))?
    } else if config.network.is_some() {
        describe(config, gaps.input, gaps.classes)?
    } else {
        return Ok(());
    };
    config.model.clone_from(&description.name);
    config.network = Some(description.to_table()?);
    Ok(())
}

/// The network of `config` for samples of shape `input`.
fn describe(config: &RunConfig, input: InputShape, classes: usize) -> Result<Description> {
    if let Some(table) = &config.network {
        let gaps = Gaps { input, classes };
        return Description::from_table("network", table.clone(), Some(gaps));
    }
    let order = match named::find(&config.model)?.reads {
        Reads::Series(order) => order,
        Reads::Images | Reads::Tokens => SeriesOrder::default(),
    };
    let sizes = NetworkSizes {
        input: input.ordered(order),
        classes,
        hidden: config.hidden.clone(),
    };
    named::description(&config.model, &sizes)
}

/// The data set that `config` names.
fn read_data(config: &DataConfig) -> Result<TrainTest> {
    let options = LoadOptions {
        data_dir: config.folder.clone(),
        test: config.test.clone(),
        length: config.length,
        reading: config.reading.clone(),
    };
    load(&config.source, &options)
}
