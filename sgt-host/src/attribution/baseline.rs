//! The reference samples that methods compare with.

use crate::network::check_finite;
use crate::{Error, Result};
use std::borrow::Cow;

/// The reference that IG, `DeepLIFT`, the SHAP methods and occlusion compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Baseline<'a> {
    /// Zero in input units.
    #[default]
    Zero,
    /// Reference samples `[n, input]`. IG, `DeepLIFT` and occlusion take one for all samples or
    /// one for each; the SHAP methods take any number as the reference distribution.
    Samples(&'a [f32]),
}

/// Checked baselines `[n, input]`.
pub(super) struct Baselines<'a> {
    values: Cow<'a, [f32]>,
    sample: usize,
}

impl<'a> Baselines<'a> {
    pub(super) fn new(
        baseline: Baseline<'a>,
        sample: usize,
        distribution: bool,
        batch: usize,
    ) -> Result<Self> {
        let values: Cow<'a, [f32]> = match baseline {
            Baseline::Zero => vec![0.0; sample].into(),
            Baseline::Samples(values) => {
                check_finite("baseline", values)?;
                values.into()
            }
        };
        let count = values.len() / sample;
        let fits = if distribution {
            count > 0
        } else {
            count == 1 || count == batch
        };
        if !fits || values.len() != count * sample {
            return Err(Error::Shape {
                operation: "baseline",
                found: format!("{} values", values.len()),
                expected: if distribution {
                    format!("one or more samples of {sample} values")
                } else {
                    format!("1 or {batch} samples of {sample} values")
                },
            });
        }
        Ok(Self { values, sample })
    }

    pub(super) fn count(&self) -> usize {
        self.values.len() / self.sample
    }

    /// Baseline number `index` of the set.
    pub(super) fn at(&self, index: usize) -> &[f32] {
        &self.values[index * self.sample..][..self.sample]
    }

    /// The mean of the set.
    pub(super) fn mean(&self) -> Vec<f32> {
        let share = 1.0 / self.count() as f32;
        let mut mean = vec![0.0; self.sample];
        for baseline in self.values.chunks_exact(self.sample) {
            for (mean, value) in mean.iter_mut().zip(baseline) {
                *mean += share * value;
            }
        }
        mean
    }

    /// The baseline of sample `sample`: its own, or the one of all.
    pub(super) fn of(&self, sample: usize) -> &[f32] {
        self.at(if self.count() == 1 { 0 } else { sample })
    }
}
