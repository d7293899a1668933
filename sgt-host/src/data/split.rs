//! Seeded choices over samples: the order of an epoch and the validation part.

use crate::{Error, Result};
use sgt_core::{Pcg32, Random};

/// Generator streams, so that equal seeds do not give related choices.
const SPLIT_STREAM: u64 = 0x5711_7000_0000_0000;
const EPOCH_STREAM: u64 = 0x0ede_7000_0000_0000;
const DRAW_STREAM: u64 = 0xd4a3_7000_0000_0000;
const BALANCED_STREAM: u64 = 0xba1a_7000_0000_0000;

/// The indices `0..samples` in the order of one epoch.
///
/// A function of its arguments alone: any epoch can be resumed without the ones before it.
pub fn epoch_order(samples: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    shuffle(&mut order, &mut Pcg32::new(seed, EPOCH_STREAM ^ epoch));
    order
}

/// As many indices as there are samples, in the order of one epoch whose batches hold every class
/// alike: of K classes that have samples, every K indices in turn hold each class once. A class
/// comes round again, in another order, when all its samples have been named.
///
/// A function of its arguments alone, as [`epoch_order`].
pub fn balanced_order(labels: &[usize], seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = Pcg32::new(seed, BALANCED_STREAM ^ epoch);
    let mut classes = members(labels);
    classes.retain(|class| !class.is_empty());
    for class in &mut classes {
        shuffle(class, &mut rng);
    }
    let mut named = vec![0; classes.len()];
    let mut turn: Vec<usize> = (0..classes.len()).collect();
    let mut order = Vec::with_capacity(labels.len() + classes.len());
    while order.len() < labels.len() {
        shuffle(&mut turn, &mut rng);
        for &class in &turn {
            let samples = &mut classes[class];
            if named[class] == samples.len() {
                shuffle(samples, &mut rng);
                named[class] = 0;
            }
            order.push(samples[named[class]]);
            named[class] += 1;
        }
    }
    order.truncate(labels.len());
    order
}

/// The indices of every class's samples.
fn members(labels: &[usize]) -> Vec<Vec<usize>> {
    let classes = labels.iter().max().map_or(0, |&label| label + 1);
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    members
}

/// The two parts of a training set, as ascending indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is fitted.
    pub train: Vec<usize>,
    /// What selects: early stopping, hyper-parameters.
    pub validation: Vec<usize>,
}

/// Holds out a share of each class of the training set for validation.
///
/// Of a class with `n` samples, `round(fraction · n)` are held out, chosen by `seed`; at least
/// one and never all when `n > 1` and `fraction > 0`; none when `n = 1`. `labels` are below
/// `classes`.
///
/// # Errors
/// [`Error::Argument`] when `fraction` is not in `[0, 1)` or a label is no class.
pub fn stratified_split(
    labels: &[usize],
    classes: usize,
    fraction: f32,
    seed: u64,
) -> Result<Split> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(Error::Argument {
            argument: "validation fraction".into(),
            found: fraction.to_string(),
            expected: "at least 0 and below 1".into(),
        });
    }
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        let class = members.get_mut(label).ok_or_else(|| Error::Argument {
            argument: "label".into(),
            found: label.to_string(),
            expected: format!("a class below {classes}"),
        })?;
        class.push(index);
    }
    let mut rng = Pcg32::new(seed, SPLIT_STREAM);
    let mut split = Split {
        train: Vec::new(),
        validation: Vec::new(),
    };
    for mut class in members {
        shuffle(&mut class, &mut rng);
        let share = (f64::from(fraction) * class.len() as f64).round() as usize;
        let held_out = if fraction > 0.0 && class.len() > 1 {
            share.clamp(1, class.len() - 1)
        } else {
            0
        };
        let (validation, train) = class.split_at(held_out);
        split.validation.extend_from_slice(validation);
        split.train.extend_from_slice(train);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    Ok(split)
}

/// At most `most` of the samples, as ascending indices: as many of each class as of any other,
/// but for classes that have no more and a remainder of one. All samples when there are no more.
///
/// `seed` chooses them; with the same seed, a smaller draw is part of a larger one.
pub fn balanced_draw(labels: &[usize], most: usize, seed: u64) -> Vec<usize> {
    let mut rng = Pcg32::new(seed, DRAW_STREAM);
    let mut members = members(labels);
    for class in &mut members {
        shuffle(class, &mut rng);
    }
    // Whose turn comes first gets the remainder.
    shuffle(&mut members, &mut rng);
    let turns = 0..labels.len();
    let turn = |turn| members.iter().filter_map(move |class| class.get(turn));
    let mut draw: Vec<usize> = turns.flat_map(turn).copied().take(most).collect();
    draw.sort_unstable();
    draw
}

/// Fisher and Yates: every order is equally likely (for fewer than 2³² values).
pub(super) fn shuffle<T>(values: &mut [T], rng: &mut impl Random) {
    for last in (1..values.len()).rev() {
        let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
        values.swap(last, rng.below(bound) as usize);
    }
}
