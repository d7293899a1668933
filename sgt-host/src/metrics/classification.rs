//! What a classifier gets right and wrong, class by class.

use serde::{Deserialize, Serialize};

/// A classifier's answers on a test part, counted.
///
/// Precision = right answers of a class / answers of that class; recall = right answers of a class
/// / samples of that class; F1 = their harmonic mean, 2·right / (answers + samples).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Classification {
    /// The mean recall of the classes that have samples: what chance gives is one over their
    /// number, whatever their sizes.
    pub balanced_accuracy: f64,
    /// The mean F1 of the classes that have samples or answers.
    pub macro_f1: f64,
    /// The share of the largest class: the accuracy of always answering that.
    pub majority_baseline: f64,
    /// One entry a class, in the order of the labels.
    pub per_class: Vec<ClassQuality>,
    /// `confusion[label][answer]`: how many samples of a class got which answer.
    pub confusion: Vec<Vec<usize>>,
}

/// How well one class is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClassQuality {
    /// The class.
    pub class: String,
    /// Its samples.
    pub support: usize,
    /// How often it was the answer.
    pub predicted: usize,
    /// The share of its answers that are right; none when it was never the answer.
    pub precision: Option<f64>,
    /// The share of its samples that are found; none when it has no samples.
    pub recall: Option<f64>,
    /// The harmonic mean of the two, 0 when nothing is right; none without samples and answers.
    pub f1: Option<f64>,
}

/// Counts answers: `confusion[label][answer]`. Labels and answers are below `classes`.
pub fn confusion(labels: &[usize], predicted: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (&label, &answer) in labels.iter().zip(predicted) {
        counts[label][answer] += 1;
    }
    counts
}

impl Classification {
    /// What `confusion`, square and in the order of `classes`, says.
    pub fn of(classes: &[String], confusion: Vec<Vec<usize>>) -> Self {
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let quality = |(class, name): (usize, &String)| {
            let right = confusion[class][class];
            let support = confusion[class].iter().sum::<usize>();
            let predicted = confusion.iter().map(|row| row[class]).sum::<usize>();
            ClassQuality {
                class: name.clone(),
                support,
                predicted,
                precision: share(right, predicted),
                recall: share(right, support),
                f1: share(2 * right, support + predicted),
            }
        };
        let per_class: Vec<ClassQuality> = classes.iter().enumerate().map(quality).collect();
        let defined = |values: Vec<f64>| super::mean(values.into_iter());
        let samples = per_class.iter().map(|class| class.support);
        let largest = samples.clone().max().unwrap_or(0);
        Self {
            balanced_accuracy: defined(per_class.iter().filter_map(|c| c.recall).collect()),
            macro_f1: defined(per_class.iter().filter_map(|c| c.f1).collect()),
            majority_baseline: share(largest, samples.sum()).unwrap_or(0.0),
            per_class,
            confusion,
        }
    }

    /// The share of right answers; 0 without samples.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.confusion.len())
            .map(|class| self.confusion[class][class])
            .sum();
        let samples: usize = self.confusion.iter().flatten().sum();
        right as f64 / samples.max(1) as f64
    }

    /// The answers of several models on the same test part, counted together; none for no model.
    pub fn together<'c>(mut all: impl Iterator<Item = &'c Self>) -> Option<Self> {
        let first = all.next()?;
        let names = first.per_class.iter().map(|class| class.class.clone());
        let names: Vec<String> = names.collect();
        let mut counts = first.confusion.clone();
        for other in all {
            for (row, more) in counts.iter_mut().zip(&other.confusion) {
                for (count, more) in row.iter_mut().zip(more) {
                    *count += more;
                }
            }
        }
        Some(Self::of(&names, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn a_hand_computed_matrix_gives_its_shares() {
        // Two of three zeros are found, one of them is called 1; class 2 is never the answer.
        let counts = confusion(&[0, 0, 0, 1, 1, 2], &[0, 0, 1, 1, 1, 0], 3);
        assert_eq!(counts, [[2, 1, 0], [0, 2, 0], [1, 0, 0]]);
        let found = Classification::of(&names(3), counts);
        assert!((found.balanced_accuracy - (2.0 / 3.0 + 1.0 + 0.0) / 3.0).abs() < 1e-12);
        // F1: 2·2/(3+3), 2·2/(2+3), 0.
        assert!((found.macro_f1 - (4.0 / 6.0 + 0.8 + 0.0) / 3.0).abs() < 1e-12);
        assert_eq!(found.majority_baseline, 0.5);
        let never = &found.per_class[2];
        assert_eq!((never.support, never.predicted), (1, 0));
        assert_eq!(
            (never.precision, never.recall, never.f1),
            (None, Some(0.0), Some(0.0))
        );
    }

    #[test]
    fn a_class_without_samples_and_answers_counts_nowhere() {
        let found = Classification::of(&names(3), confusion(&[0, 1], &[0, 1], 3));
        assert_eq!((found.balanced_accuracy, found.macro_f1), (1.0, 1.0));
        assert_eq!(found.per_class[2].f1, None);
    }

    #[test]
    fn several_models_are_counted_together() {
        let one = Classification::of(&names(2), confusion(&[0, 1], &[0, 1], 2));
        let other = Classification::of(&names(2), confusion(&[0, 1], &[1, 1], 2));
        let both = Classification::together([&one, &other].into_iter()).unwrap();
        assert_eq!(both.confusion, [[1, 1], [0, 2]]);
        assert!(Classification::together(std::iter::empty()).is_none());
    }
}
