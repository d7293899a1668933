//! What is done about classes of different sizes. Both are off by default.

use crate::{Error, Result, strict};
use serde::{Deserialize, Serialize};

/// What the cross-entropy of a sample counts, by its class: w·CE(f(x), y), and w·CE(f(x'), y)
/// where the regime has it. The Kullback–Leibler term is not weighted, nor is the validation loss;
/// the mean is over the samples of the batch, not over their weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// 1 for every class.
    #[default]
    None,
    /// n / (K·m) for n training samples of K classes, m of them of the class: every class counts as
    /// much as any other, and the mean over the training part is 1.
    Balanced,
    /// One weight a class, above 0, in the order of the classes.
    Values(Vec<f32>),
}

/// How the samples of an epoch come into batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batches {
    /// Every sample once, in a shuffled order.
    #[default]
    Shuffled,
    /// As many samples as there are, from every class alike: those of small classes come several
    /// times, those of large ones in other epochs.
    Balanced,
}

impl ClassWeights {
    /// The weight of each class, `counts` being the training samples of each; none for 1 everywhere.
    ///
    /// # Errors
    /// [`Error::Argument`] when there are not as many values as classes.
    pub fn of(&self, counts: &[usize]) -> Result<Vec<f32>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Balanced => {
                let samples = counts.iter().sum::<usize>() as f32;
                let classes = counts.iter().filter(|&&count| count > 0).count() as f32;
                let weight = |&count: &usize| match count {
                    0 => 1.0,
                    _ => samples / (classes * count as f32),
                };
                Ok(counts.iter().map(weight).collect())
            }
            Self::Values(values) if values.len() == counts.len() => Ok(values.clone()),
            Self::Values(values) => Err(Error::Argument {
                argument: "training.class-weights".into(),
                found: format!("{} values", values.len()),
                expected: format!("one for each of the {} classes", counts.len()),
            }),
        }
    }

    /// The first value that is no weight.
    pub(super) fn bad(&self) -> Option<f32> {
        let Self::Values(values) = self else {
            return None;
        };
        let bad = |value: &f32| !(*value > 0.0 && value.is_finite());
        values.iter().copied().find(bad)
    }
}

impl std::str::FromStr for ClassWeights {
    type Err = Error;

    /// `none`, `balanced`, or the values with commas between them.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => return Ok(Self::None),
            "balanced" => return Ok(Self::Balanced),
            _ => {}
        }
        let values = text.split(',').map(|value| value.trim().parse::<f32>());
        let values: Result<Vec<f32>, _> = values.collect();
        values.map(Self::Values).map_err(|_| Error::Argument {
            argument: "class-weights".into(),
            found: text.into(),
            expected: format!(
                "{}, or one number a class with commas between them",
                strict::nearest(text, &["none", "balanced"])
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ClassWeights;

    #[test]
    fn balanced_weights_give_every_class_the_same_sum_and_a_mean_of_one() {
        let counts = [30, 10, 0, 20];
        let weights = ClassWeights::Balanced.of(&counts).unwrap();
        for (weight, count) in weights.iter().zip(counts).filter(|(_, count)| *count > 0) {
            assert!((weight * count as f32 - 20.0).abs() < 1e-5);
        }
        assert!(ClassWeights::None.of(&counts).unwrap().is_empty());
        let message = "1,2".parse::<ClassWeights>().unwrap().of(&counts);
        assert_eq!(
            message.unwrap_err().to_string(),
            "training.class-weights: found 2 values, expected one for each of the 4 classes"
        );
        assert!("balancd".parse::<ClassWeights>().is_err());
    }
}
