//! The parts of a data set, in the units that the network is trained in.

use super::{Purpose, derive_seed};
use crate::config::DataConfig;
use crate::data::{Dataset, Normalization, TrainTest};
use crate::{Result, file};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What a training reads. The test part is not here: it selects nothing.
#[derive(Clone, Debug)]
pub struct TrainingData {
    /// What is fitted.
    pub train: Dataset,
    /// What chooses the epoch to keep.
    pub validation: Option<Dataset>,
}

/// A data set split and standardised.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is fitted and what chooses.
    pub training: TrainingData,
    /// What is reported.
    pub test: Dataset,
    /// From the file's values to the network's; the identity without standardisation.
    pub normalization: Normalization,
    /// The part of it that the network must do itself: all of it, or nothing.
    pub inside: Normalization,
}

impl TrainingData {
    /// SHA-256 over the values and labels of both parts.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in std::iter::once(&self.train).chain(&self.validation) {
            hash.update((part.len() as u64).to_le_bytes());
            for value in part.samples() {
                hash.update(value.to_le_bytes());
            }
            for &label in part.labels() {
                hash.update((label as u64).to_le_bytes());
            }
        }
        file::hexadecimal(&hash.finalize())
    }
}

/// Splits the validation part off the training part ([`Dataset::validation_split`]) and standardises
/// by what is left.
///
/// A data set without bounds (series) is standardised here: its unit is each channel's training
/// deviation from then on, for ε and masks too, since sensors of different kinds have no unit
/// in common. A data set with bounds (images) keeps its unit, and the network standardises
/// inside, where attacks see through it.
///
/// # Errors
/// [`crate::Error::Argument`] when the validation share leaves nothing to train on,
/// [`crate::Error::Data`] when all training samples are of one class.
pub fn prepare(data: TrainTest, config: &DataConfig, seed: u64) -> Result<Prepared> {
    let TrainTest { mut train, test } = data;
    check_classes(&train)?;
    let mut validation = None;
    if config.validation > 0.0 {
        let seed = derive_seed(seed, Purpose::Split, [0, 0]);
        let split = train.validation_split(config.validation, seed)?;
        validation = Some(train.subset(&split.validation)?);
        train = train.subset(&split.train)?;
    }
    if !config.standardise && !train.origin().is_empty() {
        return Err(crate::Error::Argument {
            argument: "data.standardise".into(),
            found: "false for a channel whose values are thousands of times their deviation".into(),
            expected: "true: single precision cannot tell such values apart".into(),
        });
    }
    let normalization = if config.standardise {
        Normalization::fit(&train)
    } else {
        Normalization::identity(train.shape().channels())
    };
    if train.bounds().is_some() {
        return Ok(Prepared {
            training: TrainingData { train, validation },
            test,
            inside: normalization.clone(),
            normalization,
        });
    }
    let inside = Normalization::identity(train.shape().channels());
    let training = TrainingData {
        train: train.standardised(&normalization)?,
        validation: match validation {
            Some(part) => Some(part.standardised(&normalization)?),
            None => None,
        },
    };
    Ok(Prepared {
        training,
        test: test.standardised(&normalization)?,
        normalization,
        inside,
    })
}

/// Refuses a training part of one class, from which nothing can be learned.
fn check_classes(train: &Dataset) -> Result<()> {
    let counts = train.class_counts();
    let mut present = (0..counts.len()).filter(|&class| counts[class] > 0);
    match (present.next(), present.next()) {
        (Some(only), None) => Err(file::data_error(
            Path::new(train.name()),
            format!("training samples of class {} alone", train.classes()[only]),
            "those of two classes or more",
        )),
        _ => Ok(()),
    }
}
