//! What is done to a set's values before a network reads them.

use crate::data::synthetic::{Set, Synthetic};
use crate::data::{Dataset, Normalization};
use crate::{Error, Result, strict};
use serde::Serialize;

/// The scale of the values that a network reads. It matters to maps: an LSTM whose gates saturate
/// where the signal is has its gradient everywhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// As the set's program: boxes to the unit interval, others standardised.
    #[default]
    OfSet,
    /// Every cell by its least and greatest value over the training part, to [0, 1].
    UnitInterval,
    /// Every channel by its mean and deviation over the training part.
    Standard,
}

impl Scaling {
    const ALL: [(&str, Self); 3] = [
        ("of-set", Self::OfSet),
        ("unit-interval", Self::UnitInterval),
        ("standard", Self::Standard),
    ];

    pub(super) fn scale(self, set: &Synthetic, train: &Dataset) -> Scale {
        let unit_interval = match self {
            Self::OfSet => matches!(set.set, Set::Box(..)),
            Self::UnitInterval => true,
            Self::Standard => false,
        };
        if unit_interval {
            Scale::unit_interval(train)
        } else {
            Scale::standard(train)
        }
    }
}

impl std::str::FromStr for Scaling {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found
            .map(|(_, scaling)| scaling)
            .ok_or_else(|| Error::Argument {
                argument: "scaling".into(),
                found: name.escape_debug().to_string(),
                expected: strict::nearest(name, &Self::ALL.map(|(name, _)| name)),
            })
    }
}

/// `(x − offset) · factor`, cell by cell, and the cells' means behind it.
pub(super) struct Scale {
    offset: Vec<f32>,
    factor: Vec<f32>,
    /// What says nothing: the baseline of methods that compare with one.
    pub(super) mean: Vec<f32>,
}

impl Scale {
    fn unit_interval(train: &Dataset) -> Self {
        let size = train.shape().len();
        let mut low = vec![f32::INFINITY; size];
        let mut high = vec![f32::NEG_INFINITY; size];
        for sample in train.samples().chunks_exact(size) {
            for ((low, high), &value) in low.iter_mut().zip(&mut high).zip(sample) {
                (*low, *high) = (low.min(value), high.max(value));
            }
        }
        let spans = low.iter().zip(&high).map(|(low, high)| high - low);
        let factor = spans.map(|span| if span > 0.0 { 1.0 / span } else { 1.0 });
        Self::with_mean(train, low.clone(), factor.collect())
    }

    fn standard(train: &Dataset) -> Self {
        let shape = train.shape();
        let normalization = Normalization::fit(train);
        let of_cells = |of_channels: &[f32]| {
            let cells = 0..shape.len();
            let values = cells.map(|cell| of_channels[shape.position_and_channel(cell).1]);
            values.collect::<Vec<_>>()
        };
        let factors = normalization.deviation().iter().map(|d| 1.0 / d);
        let factors: Vec<f32> = factors.collect();
        Self::with_mean(train, of_cells(normalization.mean()), of_cells(&factors))
    }

    fn with_mean(train: &Dataset, offset: Vec<f32>, factor: Vec<f32>) -> Self {
        let mut mean = vec![0.0_f64; offset.len()];
        for sample in train.samples().chunks_exact(offset.len()) {
            for (sum, &value) in mean.iter_mut().zip(sample) {
                *sum += f64::from(value);
            }
        }
        let cells = mean.into_iter().zip(offset.iter().zip(&factor));
        let mean = cells
            .map(|(sum, (&offset, &factor))| ((sum / train.len() as f64) as f32 - offset) * factor);
        Self {
            mean: mean.collect(),
            offset,
            factor,
        }
    }

    /// In place, over whole samples.
    pub(super) fn apply(&self, samples: &mut [f32]) {
        for sample in samples.chunks_exact_mut(self.offset.len()) {
            let scales = self.offset.iter().zip(&self.factor);
            for (value, (&offset, &factor)) in sample.iter_mut().zip(scales) {
                *value = (*value - offset) * factor;
            }
        }
    }

    /// The data set behind it.
    pub(super) fn of(&self, data: &Dataset) -> Result<Dataset> {
        let mut samples = data.samples().to_vec();
        self.apply(&mut samples);
        let (classes, labels) = (data.classes().to_vec(), data.labels().to_vec());
        Dataset::new(data.name(), classes, data.shape(), samples, labels, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_the_training_part_and_means_follow() {
        let set: Synthetic = "middle-gaussian?steps=20&channels=3&train=50&test=1"
            .parse()
            .unwrap();
        let train = set.generate().unwrap().train.data;
        let unit = Scaling::OfSet.scale(&set, &train);
        let scaled = unit.of(&train).unwrap();
        let range = scaled.range();
        assert!(range.low.abs() < 1e-6 && (range.high - 1.0).abs() < 1e-6);
        let mean = |data: &Dataset, cell: usize| {
            let cells = data.samples().iter().skip(cell).step_by(60);
            cells.sum::<f32>() / 50.0
        };
        assert!((0..60).all(|cell| (unit.mean[cell] - mean(&scaled, cell)).abs() < 1e-5));
        let standard = Scaling::Standard.scale(&set, &train);
        let fitted = Normalization::fit(&standard.of(&train).unwrap());
        assert!(fitted.mean().iter().all(|mean| mean.abs() < 1e-5));
        assert!(fitted.deviation().iter().all(|d| (d - 1.0).abs() < 1e-5));
        assert!("unit".parse::<Scaling>().is_err());
    }
}
