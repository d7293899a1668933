//! What a reader must know before trusting a number.

use super::{ClassCount, ComparisonRow, RegimeRuns};
use crate::attack::AttackKind;
use crate::data::Shared;
use crate::evaluation::{About, grouped};
use crate::metrics::bootstrap::Interval;
use crate::metrics::{Classification, Fill, Metric};
use serde::{Deserialize, Serialize};

/// The largest class over the smallest from which accuracy alone misleads.
const IMBALANCE: usize = 3;
/// Test samples below which a share is known to no better than ten points.
const FEW_SAMPLES: usize = 100;
/// Test samples of a class below which nothing is known of that class.
const FEW_SAMPLES_OF_A_CLASS: usize = 10;
/// Seeds below which a deviation says little.
const FEW_SEEDS: usize = 3;
/// A rise of the accuracy with ε that more than a stray sample makes.
const RISE: f64 = 0.01;

/// What one network is called.
const THE_NETWORK: &str = "The network";

/// Something that makes numbers mean less than they seem to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Warning {
    /// Some class has several times as many samples as another.
    Imbalance {
        /// The part of the data.
        part: Part,
        /// The largest class.
        largest: String,
        /// Its samples.
        most: usize,
        /// The smallest class that has any.
        smallest: String,
        /// Its samples.
        least: usize,
    },
    /// The test part has classes that the training part has not.
    UntrainedClasses {
        /// Those classes.
        classes: Vec<String>,
    },
    /// The training part has classes that the test part has not.
    UntestedClasses {
        /// Those classes.
        classes: Vec<String>,
    },
    /// The test part shares groups or samples with the training part.
    SharedTestPart {
        /// What it shares.
        shared: Shared,
    },
    /// Networks of a regime never answer with some class of the test part.
    NeverPredicted {
        /// The regime.
        regime: String,
        /// The classes that some network never predicts.
        classes: Vec<String>,
        /// The networks that never predict one of them.
        runs: usize,
        /// The regime's networks.
        of: usize,
    },
    /// A regime is no better than the answer that is always the largest class.
    NoBetterThanMajority {
        /// The regimes.
        regimes: Vec<String>,
        /// The accuracy of always answering the largest class.
        baseline: f64,
    },
    /// The test part, or one of its classes, is small.
    FewTestSamples {
        /// Test samples.
        samples: usize,
        /// The smallest class of the test part.
        class: String,
        /// Its samples.
        of_class: usize,
        /// Where the best accuracy could lie over other test samples.
        best: Option<Interval>,
    },
    /// A regime was trained with few seeds.
    FewSeeds {
        /// The fewest seeds of a regime.
        seeds: usize,
    },
    /// Accuracy rises with the attack's radius, though balls are nested: the attack is weak, or
    /// gradients are masked.
    RisingAccuracy {
        /// The attack's name.
        attack: String,
        /// The regimes in which it rises.
        regimes: Vec<String>,
        /// The largest rise.
        rise: f64,
    },
    /// A method's maps find what the network uses no better than random ones.
    RandomAsGood {
        /// The metric.
        metric: Metric,
        /// The method's name.
        method: String,
        /// What removed features become.
        fill: Fill,
        /// The regimes in which it is so.
        regimes: Vec<String>,
    },
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What is fitted.
    Training,
    /// What is reported.
    Test,
}

/// Everything that is to be said of these results, the data first.
pub fn warnings(
    classes: &[ClassCount],
    regimes: &[RegimeRuns],
    rows: &[ComparisonRow],
) -> Vec<Warning> {
    let mut warnings = of_data(classes);
    let accuracy = rows.iter().find(|row| row.metric == Metric::Accuracy);
    let intervals = accuracy.map(|row| row.intervals.iter().copied().flatten());
    let best = intervals.and_then(|all| all.max_by(|a, b| a.low.total_cmp(&b.low)));
    warnings.extend(few_test_samples(classes, best));
    let seeds = regimes.iter().map(|regime| regime.runs.len()).min();
    if let Some(seeds) = seeds.filter(|&seeds| seeds < FEW_SEEDS) {
        warnings.push(Warning::FewSeeds { seeds });
    }
    warnings.extend(no_better_than_majority(regimes));
    warnings.extend(regimes.iter().filter_map(never_predicted));
    warnings.extend(rising(regimes));
    warnings.extend(rows.iter().filter_map(|row| random_as_good(regimes, row)));
    warnings
}

/// What is to be said of one network, given its answers on the test part.
pub fn warnings_of_one(classes: &[ClassCount], answers: &Classification) -> Vec<Warning> {
    let mut warnings = of_data(classes);
    warnings.extend(few_test_samples(classes, None));
    let right = answers.accuracy();
    if !is_better_than_majority(right, answers) {
        warnings.push(Warning::NoBetterThanMajority {
            regimes: vec![THE_NETWORK.into()],
            baseline: answers.majority_baseline,
        });
    }
    let classes: Vec<String> = classes_never_predicted(answers).cloned().collect();
    if !classes.is_empty() {
        warnings.push(Warning::NeverPredicted {
            regime: THE_NETWORK.into(),
            classes,
            runs: 1,
            of: 1,
        });
    }
    warnings
}

/// What the classes' sizes mean, whatever was trained.
fn of_data(classes: &[ClassCount]) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = imbalance(classes).into_iter().collect();
    let untrained = classes
        .iter()
        .filter(|class| class.test > 0 && class.training == 0);
    let untrained: Vec<String> = untrained.map(|class| class.class.clone()).collect();
    if !untrained.is_empty() {
        warnings.push(Warning::UntrainedClasses { classes: untrained });
    }
    let untested = classes
        .iter()
        .filter(|class| class.test == 0 && class.training > 0);
    let untested: Vec<String> = untested.map(|class| class.class.clone()).collect();
    if !untested.is_empty() {
        warnings.push(Warning::UntestedClasses { classes: untested });
    }
    warnings
}

fn imbalance(classes: &[ClassCount]) -> Option<Warning> {
    let of_part = |part: Part| {
        let count = |class: &ClassCount| match part {
            Part::Training => class.training,
            Part::Test => class.test,
        };
        let present = || classes.iter().filter(|class| count(class) > 0);
        let (large, small) = (
            present().max_by_key(|class| count(class))?,
            present().min_by_key(|class| count(class))?,
        );
        let uneven = count(large) >= IMBALANCE * count(small);
        uneven.then(|| Warning::Imbalance {
            part,
            largest: large.class.clone(),
            most: count(large),
            smallest: small.class.clone(),
            least: count(small),
        })
    };
    of_part(Part::Training).or_else(|| of_part(Part::Test))
}

fn few_test_samples(classes: &[ClassCount], best: Option<Interval>) -> Option<Warning> {
    let samples: usize = classes.iter().map(|class| class.test).sum();
    let present = classes.iter().filter(|class| class.test > 0);
    let small = present.min_by_key(|class| class.test)?;
    if samples >= FEW_SAMPLES && small.test >= FEW_SAMPLES_OF_A_CLASS {
        return None;
    }
    Some(Warning::FewTestSamples {
        samples,
        class: small.class.clone(),
        of_class: small.test,
        best,
    })
}

fn no_better_than_majority(regimes: &[RegimeRuns]) -> Option<Warning> {
    let mut baseline = 0.0;
    let mut named = Vec::new();
    for RegimeRuns { name, runs } in regimes {
        let accuracies = runs.iter().map(|run| run.evaluation.accuracy);
        let mean = crate::metrics::mean(accuracies);
        let Some(run) = runs.first() else { continue };
        let answers = &run.evaluation.classification;
        baseline = answers.majority_baseline;
        if !is_better_than_majority(mean, answers) {
            named.push(name.clone());
        }
    }
    (!named.is_empty()).then_some(Warning::NoBetterThanMajority {
        regimes: named,
        baseline,
    })
}

/// Of one class alone nothing is better.
fn is_better_than_majority(accuracy: f64, answers: &Classification) -> bool {
    let baseline = answers.majority_baseline;
    accuracy > baseline || baseline >= 1.0
}

fn classes_never_predicted(answers: &Classification) -> impl Iterator<Item = &String> {
    let all = answers.per_class.iter();
    let never = all.filter(|class| class.support > 0 && class.predicted == 0);
    never.map(|class| &class.class)
}

fn never_predicted(regime: &RegimeRuns) -> Option<Warning> {
    let mut classes: Vec<String> = Vec::new();
    let mut runs = 0;
    for run in &regime.runs {
        let never: Vec<_> = classes_never_predicted(&run.evaluation.classification).collect();
        runs += usize::from(!never.is_empty());
        for class in never {
            if !classes.contains(class) {
                classes.push(class.clone());
            }
        }
    }
    (runs > 0).then(|| Warning::NeverPredicted {
        regime: regime.name.clone(),
        classes,
        runs,
        of: regime.runs.len(),
    })
}

fn rising(regimes: &[RegimeRuns]) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    for regime in regimes {
        for run in &regime.runs {
            for curve in &run.evaluation.robustness {
                let found = curve.rise(run.evaluation.drawn_accuracy);
                // Noise is no attack: that it fails says nothing.
                if found < RISE || curve.attack.kind == AttackKind::RandomNoise {
                    continue;
                }
                let name = curve.attack.title();
                let known = warnings.iter_mut().find_map(|known| match known {
                    Warning::RisingAccuracy {
                        attack,
                        regimes,
                        rise,
                    } if *attack == name => Some((regimes, rise)),
                    _ => None,
                });
                if let Some((regimes, rise)) = known {
                    *rise = rise.max(found);
                    if !regimes.contains(&regime.name) {
                        regimes.push(regime.name.clone());
                    }
                } else {
                    warnings.push(Warning::RisingAccuracy {
                        attack: name,
                        regimes: vec![regime.name.clone()],
                        rise: found,
                    });
                }
            }
        }
    }
    warnings
}

fn random_as_good(regimes: &[RegimeRuns], row: &ComparisonRow) -> Option<Warning> {
    let About::OverRandom { method, fill } = &row.about else {
        return None;
    };
    let names = regimes.iter().zip(row.values.iter().enumerate());
    let names = names.filter(|(_, (column, value))| value.is_some() && !row.beats_random(*column));
    let names: Vec<String> = names.map(|(regime, _)| regime.name.clone()).collect();
    (!names.is_empty()).then(|| Warning::RandomAsGood {
        metric: row.metric,
        method: method.name().into(),
        fill: *fill,
        regimes: names,
    })
}

/// Names of a sentence, at most.
const MOST_NAMES: usize = 8;

/// The first names, and how many more there are.
fn some(names: &[String]) -> Vec<String> {
    let more = names.len().saturating_sub(MOST_NAMES);
    let mut shown: Vec<String> = names.iter().take(MOST_NAMES).cloned().collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `12.5 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

impl Warning {
    /// The warning in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Imbalance {
                part,
                largest,
                most,
                smallest,
                least,
            } => format!(
                "The classes of the {} part are uneven, {} samples of {largest} and {} of \
                 {smallest}: read balanced accuracy and the classes one by one, and see \
                 --class-weights and --balanced-batches.",
                match part {
                    Part::Training => "training",
                    Part::Test => "test",
                },
                grouped(*most),
                grouped(*least)
            ),
            Self::UntrainedClasses { classes } => format!(
                "The training part has no sample of {}: no network can know {}.",
                listed(&some(classes)),
                if classes.len() == 1 { "it" } else { "them" }
            ),
            Self::UntestedClasses { classes } => format!(
                "The test part has no sample of {}: nothing is known of {}.",
                listed(&some(classes)),
                if classes.len() == 1 { "it" } else { "them" }
            ),
            Self::NeverPredicted {
                regime,
                classes,
                of: 1,
                ..
            } => format!("{regime} never answers {}.", some(classes).join(" or ")),
            Self::NeverPredicted {
                regime,
                classes,
                runs,
                of,
            } => format!(
                "{regime} never answers {} in {runs} of {of} runs.",
                some(classes).join(" or ")
            ),
            Self::NoBetterThanMajority { regimes, baseline } => format!(
                "{} {} right no more often than always answering the largest class would be, {}.",
                listed(regimes),
                if regimes.len() == 1 { "is" } else { "are" },
                percent(*baseline)
            ),
            Self::FewTestSamples {
                samples,
                class,
                of_class,
                best,
            } => {
                let best = best.map_or(String::new(), |best| {
                    format!(
                        "; over other samples the best accuracy could be anything from {} to {}",
                        percent(best.low),
                        percent(best.high)
                    )
                });
                format!(
                    "There are few test samples, {} in all and {} of {class}: one more or less \
                     moves the accuracy by {} points{best}.",
                    grouped(*samples),
                    grouped(*of_class),
                    points(1.0 / (*samples).max(1) as f64)
                )
            }
            Self::SharedTestPart { shared } => format!(
                "The test part shares {shared} with the training part: the numbers say less of \
                 what was not seen in training."
            ),
            Self::FewSeeds { seeds: 1 } => {
                "There is one run of a regime: no deviation can be given, and no difference \
                 between regimes can be told from the chance of a start; take 3 seeds at least."
                    .into()
            }
            Self::FewSeeds { seeds } => format!(
                "There are {seeds} runs of a regime: deviations are rough and only large \
                 differences can be told from chance; take 3 seeds at least."
            ),
            Self::RisingAccuracy {
                attack,
                regimes,
                rise,
            } => format!(
                "Accuracy under {attack} rises with ε by up to {} points under {}, though a larger \
                 ball holds the smaller: the attack is weak there, and robustness may be far lower \
                 than measured; the tables give the worst over smaller radii too.",
                points(*rise),
                listed(regimes)
            ),
            Self::RandomAsGood {
                metric,
                method,
                fill,
                regimes,
            } => format!(
                "By {metric} ({} fill) the {method} map is no better than a random one under {}, \
                 as far as can be told.",
                fill.name(),
                listed(regimes)
            ),
        }
    }
}

/// A share in points of per cent.
pub(super) fn points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}
