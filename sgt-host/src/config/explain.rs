//! Every key of a configuration: what it means, and what it is when it is not given.

use super::{DataKind, RunConfig};
use crate::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// A key and its meaning.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// As `--set` takes it.
    pub key: &'static str,
    /// Its default for series; none where it is absent by default.
    pub series: Option<String>,
    /// Its default for images.
    pub images: Option<String>,
    /// What it does, its range, its unit.
    pub meaning: &'static str,
}

/// The keys in the order of a configuration file.
const MEANINGS: &[(&str, &str)] = &[
    (
        "preset",
        "a group of settings under the file's own: reference, robust",
    ),
    (
        "model",
        "a network's name (sgt models), or the TOML file of a description",
    ),
    (
        "hidden",
        "the sizes of a named network's hidden layers: a list",
    ),
    (
        "network",
        "a description in the place of a named network: a table",
    ),
    (
        "regime",
        "what the loss is made of: standard, sgt, adversarial, asgt, sga",
    ),
    (
        "lambda",
        "the weight of the Kullback-Leibler term, 0 or more; or { from, to, ramp = \"linear\" or \"cosine\", epochs }",
    ),
    (
        "seed",
        "seeds the weights, the split, the order, dropout, masks and random starts",
    ),
    (
        "data.source",
        "a name of sgt data list, or a file or folder of one's own",
    ),
    (
        "data.test",
        "the test part; NAME_TEST beside NAME_TRAIN, else a split, when absent",
    ),
    ("data.folder", "the folder of named sets"),
    (
        "data.length",
        "the common length of series: longest, shortest or { steps = N }",
    ),
    (
        "data.reading.label-column",
        "csv: the column of classes; label, class, activity, target or the folder's name when absent",
    ),
    (
        "data.reading.time-column",
        "csv: the column of times; time, timestamp, datetime or date when absent, none for none",
    ),
    (
        "data.reading.group-column",
        "csv: the column of persons, devices or sessions; each file is a group when absent",
    ),
    (
        "data.reading.channels",
        "csv: a list of columns; every other column of numbers when absent",
    ),
    (
        "data.reading.header",
        "csv: whether the first row holds names; found out when absent",
    ),
    (
        "data.reading.wide",
        "csv: true where one row is a whole sample",
    ),
    (
        "data.reading.window",
        "the length of a window: steps, or seconds as \"2.56s\"; whole recordings when absent",
    ),
    (
        "data.reading.step",
        "how far windows are apart; their length when absent",
    ),
    (
        "data.reading.rate",
        "steps a second: recordings with times are resampled to it",
    ),
    (
        "data.reading.max-gap",
        "steps that may be missing before a recording is cut; 5 when absent",
    ),
    (
        "data.reading.window-label",
        "the class of a window: majority when absent, last, pure",
    ),
    (
        "data.reading.missing",
        "missing values: refuse when absent, interpolate, mean, mask",
    ),
    (
        "data.reading.resize",
        "the height and width of pictures: a list of two",
    ),
    (
        "data.reading.split",
        "the share to train on where there is no test part; 0.8 when absent",
    ),
    (
        "data.reading.split-by",
        "what a split keeps together: group, time, sample",
    ),
    (
        "data.reading.fold",
        "which of several parts is tested on: \"1/5\"",
    ),
    (
        "data.reading.leave-out",
        "the groups that are tested on: a list",
    ),
    ("data.reading.split-seed", "seeds the split; 0 when absent"),
    (
        "data.reading.force-split",
        "true to go on with a test part that shares groups or samples with the training part",
    ),
    (
        "data.validation",
        "the share of the training part that chooses the epoch to keep, 0 to below 1",
    ),
    (
        "data.standardise",
        "whether values are standardised by each channel's training mean and deviation",
    ),
    (
        "masking.score",
        "whose input gradient is ranked: true-logit, true-log-prob, predicted-logit, loss",
    ),
    (
        "masking.importance",
        "how a gradient becomes an importance: signed, absolute",
    ),
    (
        "masking.guide",
        "the map that is ranked: gradient when absent, { integrated-gradients = POINTS } or { time-rescaled = WINDOWS }",
    ),
    ("masking.scope", "what is ranked together: sample, per-step"),
    (
        "masking.group",
        "what is masked together: natural (pixel, cell, token), time-step",
    ),
    (
        "masking.policy",
        "what masked values become: uniform, zero, { constant = X }, mean, { gaussian = { mean, std } }, background, permute, previous-salient",
    ),
    (
        "masking.fraction",
        "the share of groups that is masked, 0 to 1; or a ramp, as lambda",
    ),
    (
        "masking.hard-fraction",
        "the share for samples that the network gets wrong, 0 to 1; the same for all when absent",
    ),
    (
        "attack.kind",
        "the attack of adversarial regimes: fgsm, pgd, mi-fgsm, random-noise",
    ),
    ("attack.norm", "the norm of the ball: linf, l2"),
    (
        "attack.epsilon",
        "its radius: input units for images, training deviations for series",
    ),
    (
        "attack.alpha",
        "the length of a step; epsilon / 4, for mi-fgsm epsilon / steps, when absent",
    ),
    ("attack.steps", "steps of pgd and mi-fgsm"),
    (
        "attack.random-start",
        "whether pgd starts at a random point of the ball",
    ),
    (
        "attack.restarts",
        "random starts of which the best is kept; training takes one",
    ),
    ("attack.momentum", "the decay of mi-fgsm"),
    (
        "attack.momentum-scale",
        "the scale of mi-fgsm's gradients: mean-absolute, l1",
    ),
    (
        "optimizer.name",
        "sgd, adam, rmsprop or adadelta; another name drops the keys of the one before",
    ),
    ("optimizer.learning-rate", "the step size, 0 or more"),
    (
        "optimizer.betas",
        "adam: decay of the first and second moment, a list of two",
    ),
    (
        "optimizer.epsilon",
        "adam, rmsprop, adadelta: added to the denominator",
    ),
    ("optimizer.weight-decay", "0 or more"),
    ("optimizer.decoupled", "adam: true for AdamW"),
    ("optimizer.momentum", "sgd, rmsprop: 0 to below 1"),
    ("optimizer.nesterov", "sgd: Nesterov's momentum"),
    ("optimizer.alpha", "rmsprop: decay of the averages"),
    (
        "optimizer.centered",
        "rmsprop: divide by the deviation instead of the root mean square",
    ),
    ("optimizer.rho", "adadelta: decay of the averages"),
    (
        "training.epochs",
        "passes over the training part, 1 or more",
    ),
    (
        "training.batch",
        "samples a step; the last batch of an epoch may be smaller",
    ),
    (
        "training.batches",
        "shuffled, or balanced: every batch filled from all classes alike",
    ),
    (
        "training.class-weights",
        "what the cross-entropy of each class counts: none, balanced or { values = [one a class] }",
    ),
    (
        "training.augmentation.jitter",
        "Gaussian noise: its deviation, in training deviations for series, input units for images; 0 when absent",
    ),
    (
        "training.augmentation.scaling",
        "series: the deviation of a factor around 1 for each channel; 0 when absent",
    ),
    (
        "training.augmentation.rotation",
        "series: the largest angle by which triples of channels are turned, in degrees; 0 when absent",
    ),
    (
        "training.augmentation.time-shift",
        "series: the largest share of its steps that a sample is moved by; 0 when absent",
    ),
    (
        "training.augmentation.shift",
        "images: the most pixels that they are moved by; 0 when absent",
    ),
    (
        "training.augmentation.flip",
        "images: true mirrors half of them left to right",
    ),
    (
        "training.clipping",
        "of gradients: { name = \"none\" }, { name = \"global-norm\", maximum = X } or { name = \"value\", limit = X }",
    ),
    (
        "training.schedule",
        "of the learning rate: { name = \"constant\" }, \"linear\" with last, \"cosine\" with last and warm-up, \"step\" with every and factor",
    ),
    (
        "training.early-stopping",
        "{ patience = epochs, min-delta = X }: stops when the validation loss stops falling",
    ),
    (
        "training.checkpoint-seconds",
        "seconds between two states on the disk inside an epoch",
    ),
];

/// Every key with its defaults and meaning.
///
/// # Errors
/// As [`RunConfig::to_toml`].
pub fn explain() -> Result<Vec<Explanation>> {
    let series = defaults(DataKind::Series)?;
    let images = defaults(DataKind::Image)?;
    let keys = MEANINGS.iter().map(|&(key, meaning)| Explanation {
        key,
        series: value(&series, key),
        images: value(&images, key),
        meaning,
    });
    Ok(keys.collect())
}

fn defaults(kind: DataKind) -> Result<BTreeMap<String, String>> {
    super::settings::flat(&RunConfig::defaults(kind).to_toml()?)
}

/// The value of `key`, or of what is inside it.
fn value(defaults: &BTreeMap<String, String>, key: &str) -> Option<String> {
    let inside = format!("{key}.name");
    let found = defaults.get(key).or_else(|| defaults.get(&inside));
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_explained_once() {
        let keys: Vec<&str> = MEANINGS.iter().map(|(key, _)| *key).collect();
        for kind in [DataKind::Series, DataKind::Image] {
            for default in defaults(kind).unwrap().keys() {
                let is = |key: &&&str| default == **key || default.starts_with(&format!("{key}."));
                assert_eq!(keys.iter().filter(is).count(), 1, "{default}");
            }
        }
    }
}
