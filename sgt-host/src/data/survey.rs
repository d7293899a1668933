//! What a data set's channels hold, and what in them would give the classes away.

use super::{Dataset, TrainTest};
use serde::Serialize;

/// What the training values of a channel are.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChannelSurvey {
    /// Its name, or its number from 1.
    pub name: String,
    /// Its least value.
    pub least: f64,
    /// Its greatest value.
    pub greatest: f64,
    /// The mean of its values.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// What is suspicious about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<Suspicion>,
}

/// Why a channel may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspicion {
    /// It has one value.
    Constant,
    /// It rises in every sample.
    Clock,
    /// It does not change inside a sample, but from one to the next.
    Identifier,
    /// As [`Suspicion::Identifier`], and each of its values belongs to one class.
    GivesClassAway,
}

impl std::fmt::Display for Suspicion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Constant => "never changes",
            Self::Clock => "rises in every sample: a clock or a counter",
            Self::Identifier => "never changes inside a sample: an id",
            Self::GivesClassAway => "never changes inside a sample and gives the class away",
        })
    }
}

/// What is known about the data before anything is trained.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Survey {
    /// Every channel.
    pub channels: Vec<ChannelSurvey>,
    /// The balanced accuracy on the test part of telling the class by the length alone, where that is
    /// well above chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by_length: Option<f64>,
}

/// Accuracy by the length alone that is more than chance.
const LENGTH_TELLS: f64 = 0.1;

impl Survey {
    /// Of `data`. Costs a pass over its training part.
    pub fn of(data: &TrainTest) -> Self {
        let train = &data.train;
        let names = &train.axes().channels;
        let channels = 0..train.shape().channels();
        let name = |channel: usize| {
            let numbered = || format!("channel {}", channel + 1);
            names.get(channel).cloned().unwrap_or_else(numbered)
        };
        Self {
            channels: channels
                .map(|channel| survey(train, channel, name(channel)))
                .collect(),
            told_by_length: told_by_length(data),
        }
    }
}

fn survey(train: &Dataset, channel: usize, name: String) -> ChannelSurvey {
    let plane = train.shape().positions();
    let is_series = train.steps().is_some();
    let origin = train.origin().get(channel).copied().unwrap_or_default();
    let values = |index: usize| {
        let padded = train.valid_steps(index).start;
        &train.sample(index)[channel * plane..][..plane][padded..]
    };
    let (mut least, mut greatest) = (f32::INFINITY, f32::NEG_INFINITY);
    let (mut sum, mut count) = (0.0, 0_usize);
    let (mut rising, mut level) = (is_series, is_series);
    let mut levels: Vec<(u32, usize)> = Vec::new();
    for index in 0..train.len() {
        let values = values(index);
        for &value in values {
            least = least.min(value);
            greatest = greatest.max(value);
            sum += f64::from(value);
        }
        count += values.len();
        level &= values.iter().all(|value| *value == values[0]);
        rising &= values.len() > 1 && values.windows(2).all(|pair| pair[1] > pair[0]);
        if level {
            levels.push((values[0].to_bits(), train.labels()[index]));
        }
    }
    let mean = sum / count.max(1) as f64;
    let squares: f64 = (0..train.len())
        .flat_map(values)
        .map(|&value| (f64::from(value) - mean).powi(2))
        .sum();
    levels.sort_unstable();
    levels.dedup();
    let suspicion = if least == greatest {
        Some(Suspicion::Constant)
    } else if level && plane > 1 {
        let gives = levels.windows(2).all(|pair| pair[0].0 != pair[1].0);
        Some(if gives {
            Suspicion::GivesClassAway
        } else {
            Suspicion::Identifier
        })
    } else if rising {
        Some(Suspicion::Clock)
    } else {
        None
    };
    ChannelSurvey {
        name,
        least: f64::from(least) + origin,
        greatest: f64::from(greatest) + origin,
        mean: mean + origin,
        deviation: (squares / count.max(1) as f64).sqrt(),
        suspicion,
    }
}

/// The balanced accuracy of answering each length with the class that has the largest share of its
/// samples at the nearest training length.
fn told_by_length(data: &TrainTest) -> Option<f64> {
    let steps = data.train.steps()?;
    if !data.train.is_padded() {
        return None;
    }
    let totals = data.train.class_counts();
    let classes = totals.len();
    let mut counts = vec![vec![0_usize; classes]; steps + 1];
    for index in 0..data.train.len() {
        counts[data.train.valid_steps(index).len()][data.train.labels()[index]] += 1;
    }
    let known: Vec<usize> = (0..=steps)
        .filter(|&length| counts[length].iter().any(|&count| count > 0))
        .collect();
    let answer = |length: usize| {
        let nearest = known.iter().min_by_key(|known| known.abs_diff(length))?;
        let share = |class: usize| counts[*nearest][class] as f64 / totals[class].max(1) as f64;
        // Of equal shares the first.
        let classes = (0..classes).rev();
        classes.max_by(|&a, &b| share(a).total_cmp(&share(b)))
    };
    let mut right = vec![0_u32; classes];
    for index in 0..data.test.len() {
        let label = data.test.labels()[index];
        let told = answer(data.test.valid_steps(index).len());
        right[label] += u32::from(told == Some(label));
    }
    let tested = data.test.class_counts();
    let present = (0..classes).filter(|&class| tested[class] > 0);
    let shares: Vec<f64> = present
        .map(|class| f64::from(right[class]) / tested[class] as f64)
        .collect();
    let balanced = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let chance = 1.0 / shares.len().max(1) as f64;
    (balanced > chance + LENGTH_TELLS).then_some(balanced)
}
