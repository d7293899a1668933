//! SHA-256 digests of what belongs together: a run's network, configuration and data.

use crate::config::RunConfig;
use crate::data::{Dataset, TrainTest};
use crate::network::Description;
use crate::{Result, file};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a run's checkpoint, weights and record were made from. Each of them holds it, and what is
/// read together must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Binding {
    /// Of the network's description.
    pub description: String,
    /// Of [`RunConfig::bound`].
    pub configuration: String,
    /// Of the data set's training part, as it was read: before split and standardisation.
    pub training_data: String,
    /// Of its test part.
    pub test_data: String,
}

/// The digests of a data set's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDigests {
    /// Of the training part.
    pub training: String,
    /// Of the test part.
    pub test: String,
}

impl DataDigests {
    /// Of both parts. Costs a pass over the data.
    pub fn of(data: &TrainTest) -> Self {
        Self {
            training: dataset(&data.train),
            test: dataset(&data.test),
        }
    }
}

impl Binding {
    /// Of a run of `config` that trains the network of `description` on `data`.
    ///
    /// # Errors
    /// As [`RunConfig::bound`] and [`Description::to_toml`].
    pub fn new(config: &RunConfig, description: &Description, data: &DataDigests) -> Result<Self> {
        Ok(Self {
            description: file::sha256(description.to_toml()?.as_bytes()),
            configuration: file::sha256(config.bound()?.as_bytes()),
            training_data: data.training.clone(),
            test_data: data.test.clone(),
        })
    }
}

/// Values that are hashed at once.
const CHUNK: usize = 1 << 14;

/// Of everything that a computation reads of a data set: name and classes, shape, bounds, values,
/// labels and padding.
fn dataset(data: &Dataset) -> String {
    let mut hash = Sha256::new();
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    text(data.name());
    text(&format!("{:?} {:?}", data.shape(), data.bounds()));
    data.classes().iter().for_each(|class| text(class));
    hash.update((data.len() as u64).to_le_bytes());
    for origin in data.origin() {
        hash.update(origin.to_le_bytes());
    }
    for values in data.samples().chunks(CHUNK) {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        hash.update(bytes);
    }
    for index in 0..data.len() {
        hash.update((data.labels()[index] as u64).to_le_bytes());
        hash.update((data.valid_steps(index).start as u64).to_le_bytes());
    }
    file::hexadecimal(&hash.finalize())
}

/// The first characters of a digest, enough to tell two apart in a message.
pub(crate) fn short(digest: &str) -> &str {
    const SHOWN: usize = 12;
    digest.get(..SHOWN).unwrap_or(digest)
}
