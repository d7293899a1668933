//! A generated data set with its truth.

use super::{Synthetic, sample::Sample};
use crate::Result;
use crate::data::{Dataset, InputShape, SeriesOrder, TrainTest};
use crate::npz::{self, Member};
use std::path::Path;

/// A data set of which it is known where the classes show.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTruth {
    /// What is fitted.
    pub train: TruePart,
    /// What is reported.
    pub test: TruePart,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TruePart {
    /// The samples.
    pub data: Dataset,
    /// Which cells carry the class, `[samples, channels, steps]`, as the samples lie.
    pub truth: Vec<bool>,
    /// Whether the published evaluation scores a sample.
    pub is_scored: Vec<bool>,
    /// The class at every step, `[samples, steps]`, in sets that have one.
    pub step_labels: Option<Vec<usize>>,
}

impl TruePart {
    pub(super) fn new(request: &Synthetic, samples: Vec<Sample>) -> Result<Self> {
        let Synthetic {
            set,
            steps,
            channels,
            ..
        } = *request;
        let shape = InputShape::Series {
            steps,
            channels,
            order: SeriesOrder::ChannelsFirst,
        };
        let mut values = Vec::with_capacity(samples.len() * shape.len());
        let mut truth = Vec::with_capacity(samples.len() * shape.len());
        let mut step_labels = Vec::new();
        let (mut labels, mut is_scored) = (Vec::new(), Vec::new());
        for sample in samples {
            values.extend(sample.values.iter().map(|&value| value as f32));
            truth.extend(sample.truth);
            step_labels.extend(sample.step_labels);
            labels.push(sample.label);
            is_scored.push(sample.is_scored);
        }
        let classes = (0..set.classes()).map(|class| class.to_string()).collect();
        Ok(Self {
            data: Dataset::new(set.name(), classes, shape, values, labels, None)?,
            truth,
            is_scored,
            step_labels: (!step_labels.is_empty()).then_some(step_labels),
        })
    }

    /// The truth of one sample, `[channels, steps]`.
    ///
    /// # Panics
    /// When there is no such sample.
    pub fn truth_of(&self, sample: usize) -> &[bool] {
        let size = self.data.shape().len();
        &self.truth[sample * size..][..size]
    }

    /// The share of true cells over the samples that are scored; 0 where none is.
    pub fn density(&self) -> f64 {
        let scored = (0..self.data.len()).filter(|&sample| self.is_scored[sample]);
        let shares = scored.map(|sample| {
            let truth = self.truth_of(sample);
            truth.iter().filter(|&&t| t).count() as f64 / truth.len() as f64
        });
        let shares: Vec<f64> = shares.collect();
        shares.iter().sum::<f64>() / shares.len().max(1) as f64
    }

    fn members(&self, part: &str) -> Vec<Member> {
        let shape = self.data.shape();
        let axes: Vec<usize> = std::iter::once(self.data.len())
            .chain(shape.dims())
            .collect();
        let mut members = vec![
            Member::floats(&format!("x_{part}"), &axes, self.data.samples().to_vec()),
            Member::labels(&format!("y_{part}"), &axes[..1], self.data.labels()),
            Member::flags(&format!("truth_{part}"), &axes, &self.truth),
            Member::flags(&format!("scored_{part}"), &axes[..1], &self.is_scored),
        ];
        if let Some(labels) = &self.step_labels {
            let axes = [self.data.len(), labels.len() / self.data.len()];
            members.push(Member::labels(&format!("y_steps_{part}"), &axes, labels));
        }
        members
    }
}

impl KnownTruth {
    /// The data set without its truth.
    pub fn into_data(self) -> TrainTest {
        TrainTest {
            train: self.train.data,
            test: self.test.data,
        }
    }

    /// Writes `x_train`, `y_train`, `truth_train`, `scored_train` and the same of the test part:
    /// samples and truth as `[samples, channels, steps]`, the truth as 0 and 1.
    ///
    /// # Errors
    /// As [`npz::write`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut members = self.train.members("train");
        members.extend(self.test.members("test"));
        npz::write(path, &members)
    }
}
