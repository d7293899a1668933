//! Which regime to take, by rules that are written down here and nowhere else.
//!
//! **Questions.** Each is one row of the table.
//! - Accuracy: accuracy on the whole test part; balanced accuracy where the classes are uneven.
//! - Robustness, a question for each radius: accuracy under PGD, or under MI-FGSM or FGSM where the
//!   strongest of them was not measured.
//! - Explanations, a question for each of accuracy-drop area, comprehensiveness and sufficiency:
//!   the gradient's map (or that of the first method) less the random map of the same network, with
//!   the mean as fill (or the first fill). The difference to the random map counts, since a network
//!   that bears missing features has a large area whatever its map.
//!
//! **Answers.** The leader is the regime with the best mean. A rival is a regime that cannot be
//! told apart from it: the corrected p-value of their difference ([`Contrast`]) is not below 5 %. Is
//! its mean worse than that of a regime that can be told apart, only the spread of its seeds makes
//! it a rival: it is *unsure* and shares nothing.
//! - Without two seeds in common with the leader, or where an attack is weak (accuracy rises with ε)
//!   against the leader: *not judged*.
//! - Explanations, when not even the leader's map beats the random one: *useless*.
//! - No rival: the leader is *best*. Some but not all others are rivals: those that are not unsure
//!   *share* the lead. All others are rivals: *undecided*.
//!
//! **What to take.** Among the regimes that lead or share in every question that has an answer, the
//! one that is best most often, then the one that trains fastest. When no regime leads in all of
//! them it is a *trade-off* between every regime that is best at something and, for a question that
//! none of these leads in, its leader. Without any answer, *no difference* was seen, and the fastest
//! is as good as any. When no regime is right more often than always answering the largest class,
//! *nothing was learned*, whatever else differs.
//!
//! **What it costs.** For the regime to take, or every regime of a trade-off: by how much
//! it is behind the leader of each question where that is more than chance; by how much its accuracy
//! is behind as measured, from one point on, where that may be chance; and how much longer it trains.
//!
//! **What cannot be said.** For every question that is undecided or shared: between the leader and
//! its nearest rival, about how many seeds, or test samples, it would take to tell them apart if
//! the difference is as large as it looks: ((z₁ + z₂)·s / d)², with z₁ the normal quantile of the
//! level corrected for the number of pairs (Bonferroni, which Holm's first step is), z₂ that of a
//! power of 80 %, s the deviation of the differences over seeds or samples, d the difference.

use super::warning::{listed, percent, points};
use super::{ComparisonRow, Contrast, FEWEST_SEEDS, SIGNIFICANCE, Warning};
use crate::attack::AttackKind;
use crate::attribution::Method;
use crate::evaluation::{About, grouped};
use crate::metrics::statistics::normal_quantile;
use crate::metrics::{Fill, Metric};
use serde::{Deserialize, Serialize};

/// The chance of finding a difference that is as large as it looks.
const POWER: f64 = 0.8;
/// More seeds or samples than anybody takes: beyond it only this bound is named.
const MOST_SEEDS: usize = 100;
const MOST_SAMPLES: usize = 100_000;
/// The seeds that a single run is asked to become.
const ENOUGH_SEEDS: usize = 5;
/// What an accuracy must be behind, as measured, to be named.
const NAMED_LOSS: f64 = 0.01;
/// Trainings that differ by less take as long as each other.
const SAME_TIME: f64 = 1.1;

/// What the rules read.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'e> {
    /// The regimes' names.
    pub regimes: &'e [String],
    /// The table.
    pub rows: &'e [ComparisonRow],
    /// What is known to make its numbers mean less.
    pub warnings: &'e [Warning],
}

/// Which regime to take for what, what it costs, and what cannot be said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// All of it in words, a sentence each, the most important first.
    pub words: Vec<String>,
    /// What to take altogether.
    pub choice: Choice,
    /// The answer to every question.
    pub answers: Vec<Answer>,
    /// Where the regimes to take are behind.
    pub costs: Vec<Cost>,
}

/// What to take altogether.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Choice {
    /// One regime leads or shares the lead in everything that has an answer.
    Take {
        /// The regime.
        regime: String,
    },
    /// No regime leads in everything.
    TradeOff {
        /// The regimes that lead in something.
        regimes: Vec<String>,
    },
    /// No regime can be told apart from another in anything.
    NoDifference {
        /// The one that trains fastest.
        fastest: String,
    },
    /// No regime is right more often than always answering the largest class.
    NothingLearned,
    /// There are too few runs to say anything.
    TooFewRuns,
    /// There is one regime, and nothing to compare.
    #[default]
    Alone,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Which regime is most accurate.
    Accuracy,
    /// Which regime withstands attacks of a radius.
    Robustness,
    /// Which regime's maps find what its network uses.
    Explanations,
}

impl Question {
    /// Every question, in the order of the answers.
    const ALL: [Self; 3] = [Self::Accuracy, Self::Robustness, Self::Explanations];
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The question.
    pub question: Question,
    /// The metric that decides.
    pub metric: Metric,
    /// Of what.
    pub about: About,
    /// Who leads.
    pub outcome: Outcome,
    /// What it would take to tell the leader and its nearest rival apart.
    pub needed: Option<Needed>,
}

/// Who leads in a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Outcome {
    /// One regime is better than every other.
    Best {
        /// The regime.
        regime: String,
    },
    /// Some regimes cannot be told apart, and the first of them is better than the rest.
    Shared {
        /// These, the best mean first.
        regimes: Vec<String>,
        /// Those that cannot be told apart either, though a better mean than theirs can.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unsure: Vec<String>,
    },
    /// No regime can be told apart from the one with the best mean.
    Undecided,
    /// Not even the leader's map is better than a random one.
    Useless,
    /// The runs cannot answer.
    NotJudged {
        /// Why.
        reason: Reason,
    },
}

/// Why a question was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Fewer than two seeds in common.
    FewSeeds,
    /// The attack is weak against the leader.
    WeakAttack,
}

/// What it would take to tell two regimes apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Needed {
    /// The leader and its nearest rival.
    pub between: [String; 2],
    /// How far their means are apart.
    pub difference: f64,
    /// About so many seeds; none where the difference is 0 or no deviation is known.
    pub seeds: Option<usize>,
    /// The seeds at hand.
    pub seeds_at_hand: usize,
    /// About so many test samples; none as well for what is no mean over samples.
    pub samples: Option<usize>,
    /// The samples at hand.
    pub samples_at_hand: Option<usize>,
}

/// Where a regime is behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cost {
    /// The regime.
    pub regime: String,
    /// The one that is ahead.
    pub against: String,
    /// In what.
    pub metric: Metric,
    /// Of what.
    pub about: About,
    /// The regime's mean less the other's; for the training time, how many times as long.
    pub difference: f64,
    /// The interval of the difference.
    pub interval: Option<[f64; 2]>,
    /// Whether it is more than chance.
    pub told_apart: bool,
}

/// The verdict on `evidence`.
pub fn verdict(evidence: &Evidence<'_>) -> Verdict {
    let court = Court {
        evidence: *evidence,
    };
    let answers = court.answers();
    let choice = court.choice(&answers);
    let costs = court.costs(&choice);
    let words = court.words(&choice, &answers, &costs);
    Verdict {
        words,
        choice,
        answers,
        costs,
    }
}

/// The rules, over the evidence.
struct Court<'e> {
    evidence: Evidence<'e>,
}

impl<'e> Court<'e> {
    fn name(&self, regime: usize) -> String {
        self.evidence.regimes[regime].clone()
    }

    fn find(&self, regime: &str) -> Option<usize> {
        self.evidence.regimes.iter().position(|name| name == regime)
    }

    /// The rows that are asked about, in the order of the questions.
    fn questions(&self) -> Vec<(Question, &'e ComparisonRow)> {
        let rows = self.evidence.rows;
        let uneven = |warning: &Warning| matches!(warning, Warning::Imbalance { .. });
        let metric = if self.evidence.warnings.iter().any(uneven) {
            Metric::BalancedAccuracy
        } else {
            Metric::Accuracy
        };
        let mut asked = Vec::new();
        let accuracy = rows.iter().find(|row| row.metric == metric);
        asked.extend(accuracy.map(|row| (Question::Accuracy, row)));
        let kind_of = |row: &ComparisonRow| match &row.about {
            About::Attack(attack) => Some(attack.kind),
            _ => None,
        };
        let kinds = [AttackKind::Pgd, AttackKind::MiFgsm, AttackKind::Fgsm];
        let strongest = kinds
            .into_iter()
            .find(|&kind| rows.iter().any(|row| kind_of(row) == Some(kind)));
        let attacked = rows
            .iter()
            .filter(|row| strongest.is_some() && kind_of(row) == strongest);
        asked.extend(attacked.map(|row| (Question::Robustness, row)));
        let map_of = |row: &ComparisonRow| match &row.about {
            About::OverRandom { method, fill } => Some((method.clone(), *fill)),
            _ => None,
        };
        let maps: Vec<(Method, Fill)> = rows.iter().filter_map(map_of).collect();
        let preferred = maps
            .iter()
            .find(|map| **map == (Method::Gradient, Fill::Mean))
            .or_else(|| maps.iter().find(|(method, _)| *method == Method::Gradient))
            .or(maps.first());
        let explained = rows
            .iter()
            .filter(|row| preferred.is_some() && map_of(row).as_ref() == preferred);
        asked.extend(explained.map(|row| (Question::Explanations, row)));
        asked
    }

    fn answers(&self) -> Vec<Answer> {
        let answer = |(question, row): (Question, &ComparisonRow)| {
            let (outcome, needed) = self.outcome(question, row)?;
            Some(Answer {
                question,
                metric: row.metric,
                about: row.about.clone(),
                outcome,
                needed,
            })
        };
        self.questions().into_iter().filter_map(answer).collect()
    }

    /// The regimes that a row knows, best mean first.
    fn ranking(&self, row: &ComparisonRow) -> Vec<usize> {
        let mean = |&regime: &usize| row.values[regime].map(|value| value.mean);
        let mut ranking: Vec<usize> = (0..self.evidence.regimes.len())
            .filter(|regime| mean(regime).is_some())
            .collect();
        ranking.sort_by(|a, b| {
            let (of_a, of_b) = (mean(a).unwrap_or(0.0), mean(b).unwrap_or(0.0));
            let ahead = |a, b| row.metric.direction().prefers(a, b);
            ahead(of_b, of_a).cmp(&ahead(of_a, of_b))
        });
        ranking
    }

    fn outcome(
        &self,
        question: Question,
        row: &ComparisonRow,
    ) -> Option<(Outcome, Option<Needed>)> {
        let ranking = self.ranking(row);
        let (&leader, others) = ranking.split_first()?;
        if others.is_empty() {
            return None;
        }
        let contrast = |other: usize| row.between(leader, other);
        let judged = |other: &usize| contrast(*other).is_some_and(|c| c.p_value.is_some());
        let not = |reason| Some((Outcome::NotJudged { reason }, None));
        if !others.iter().all(judged) {
            return not(Reason::FewSeeds);
        }
        if question == Question::Robustness && self.is_weak_against(row, leader) {
            return not(Reason::WeakAttack);
        }
        if question == Question::Explanations && !row.beats_random(leader) {
            return Some((Outcome::Useless, None));
        }
        let differs = |other: &usize| contrast(*other).is_some_and(|found| found.differs());
        let rivals: Vec<usize> = others.iter().copied().filter(|o| !differs(o)).collect();
        let needed = rivals.first().and_then(|&rival| {
            let found = contrast(rival)?;
            Some(self.needed([leader, rival], &found, row.pairs.len()))
        });
        let outcome = if rivals.is_empty() {
            Outcome::Best {
                regime: self.name(leader),
            }
        } else if rivals.len() == others.len() {
            Outcome::Undecided
        } else {
            let sharing = others.iter().take_while(|other| !differs(other)).count();
            let (sharing, unsure) = rivals.split_at(sharing);
            let names = |regimes: &[usize]| regimes.iter().map(|&r| self.name(r)).collect();
            Outcome::Shared {
                regimes: names(&[&[leader], sharing].concat()),
                unsure: names(unsure),
            }
        };
        Some((outcome, needed))
    }

    fn is_weak_against(&self, row: &ComparisonRow, regime: usize) -> bool {
        let About::Attack(attacked) = &row.about else {
            return false;
        };
        let (title, name) = (attacked.title(), &self.evidence.regimes[regime]);
        self.evidence.warnings.iter().any(|warning| {
            matches!(warning, Warning::RisingAccuracy { attack, regimes, .. }
                if *attack == title && regimes.contains(name))
        })
    }

    fn needed(&self, between: [usize; 2], found: &Contrast, pairs: usize) -> Needed {
        let level = 1.0 - SIGNIFICANCE / (2.0 * pairs.max(1) as f64);
        let quantiles = normal_quantile(level).and_then(|a| Ok(a + normal_quantile(POWER)?));
        let apart = found.difference.abs();
        let enough = |deviation: f64, most: usize, least: usize| {
            let quantiles = quantiles.as_ref().ok()?;
            let count = (quantiles * deviation / apart).powi(2).ceil();
            // A difference of 0 gives no finite count.
            (apart > 0.0).then(|| {
                if count < most as f64 {
                    (count as usize).max(least)
                } else {
                    most
                }
            })
        };
        let over_seeds = found.over_seeds.map(|found| found.deviation);
        let over_samples = found.over_samples.map(|found| found.deviation);
        Needed {
            between: between.map(|regime| self.name(regime)),
            difference: found.difference,
            seeds: over_seeds.and_then(|deviation| enough(deviation, MOST_SEEDS, FEWEST_SEEDS)),
            seeds_at_hand: found.seeds,
            samples: over_samples.and_then(|deviation| enough(deviation, MOST_SAMPLES, 1)),
            samples_at_hand: found.over_samples.map(|found| found.samples),
        }
    }

    /// The regimes that lead or share the lead in an answer; none where nothing was decided.
    fn leaders(answer: &Answer) -> &[String] {
        match &answer.outcome {
            Outcome::Best { regime } => std::slice::from_ref(regime),
            Outcome::Shared { regimes, .. } => regimes,
            Outcome::Undecided | Outcome::Useless | Outcome::NotJudged { .. } => &[],
        }
    }

    fn seconds(&self, regime: usize) -> f64 {
        let mut rows = self.evidence.rows.iter();
        let row = rows.find(|row| row.metric == Metric::TrainingSeconds);
        let value = row.and_then(|row| row.values[regime]);
        value.map_or(f64::INFINITY, |value| value.mean)
    }

    /// The fastest of `regimes`, the first of equals.
    fn fastest(&self, regimes: impl Iterator<Item = usize>) -> Option<usize> {
        regimes.min_by(|&a, &b| self.seconds(a).total_cmp(&self.seconds(b)))
    }

    fn choice(&self, answers: &[Answer]) -> Choice {
        let count = self.evidence.regimes.len();
        if count < 2 {
            return Choice::Alone;
        }
        let majority = self.evidence.warnings.iter().any(|warning| {
            matches!(warning, Warning::NoBetterThanMajority { regimes, .. }
                if regimes.len() == count)
        });
        if majority {
            return Choice::NothingLearned;
        }
        let few = |answer: &Answer| {
            let reason = Reason::FewSeeds;
            answer.outcome == Outcome::NotJudged { reason }
        };
        if !answers.is_empty() && answers.iter().all(few) {
            return Choice::TooFewRuns;
        }
        let decided = || answers.iter().filter(|a| !Self::leaders(a).is_empty());
        if decided().next().is_none() {
            let fastest = self.fastest(0..count);
            return fastest.map_or(Choice::Alone, |fastest| Choice::NoDifference {
                fastest: self.name(fastest),
            });
        }
        let everywhere: Vec<usize> = (0..count)
            .filter(|&regime| {
                let name = &self.evidence.regimes[regime];
                decided().all(|answer| Self::leaders(answer).contains(name))
            })
            .collect();
        let wins = |regime: usize| {
            let regime = self.name(regime);
            let best = Outcome::Best { regime };
            answers
                .iter()
                .filter(|answer| answer.outcome == best)
                .count()
        };
        let most = everywhere.iter().map(|&regime| wins(regime)).max();
        let winners = everywhere
            .into_iter()
            .filter(|&regime| Some(wins(regime)) == most);
        match self.fastest(winners) {
            Some(regime) => Choice::Take {
                regime: self.name(regime),
            },
            None => Choice::TradeOff {
                regimes: Self::trade_off(answers),
            },
        }
    }

    /// The regimes that are best at something and, for what none of them leads in, its leader.
    fn trade_off(answers: &[Answer]) -> Vec<String> {
        let mut regimes: Vec<String> = Vec::new();
        for answer in answers {
            if let Outcome::Best { regime } = &answer.outcome
                && !regimes.contains(regime)
            {
                regimes.push(regime.clone());
            }
        }
        for answer in answers {
            let leaders = Self::leaders(answer);
            let led = leaders.iter().any(|leader| regimes.contains(leader));
            regimes.extend(leaders.first().filter(|_| !led).cloned());
        }
        regimes
    }

    /// The regimes whose costs are named.
    fn taken(choice: &Choice) -> Vec<String> {
        match choice {
            Choice::Take { regime } => vec![regime.clone()],
            Choice::TradeOff { regimes } => regimes.clone(),
            Choice::NoDifference { .. }
            | Choice::NothingLearned
            | Choice::TooFewRuns
            | Choice::Alone => Vec::new(),
        }
    }

    fn costs(&self, choice: &Choice) -> Vec<Cost> {
        let mut costs = Vec::new();
        for regime in Self::taken(choice) {
            let Some(column) = self.find(&regime) else {
                continue;
            };
            for (question, row) in self.questions() {
                let Some(&leader) = self.ranking(row).first() else {
                    continue;
                };
                let is_named = |found: &Contrast| {
                    let is_large = found.difference.abs() >= NAMED_LOSS;
                    found.differs() || question == Question::Accuracy && is_large
                };
                let behind = row.between(column, leader).filter(is_named);
                costs.extend(behind.map(|found| Cost {
                    regime: regime.clone(),
                    against: self.name(leader),
                    metric: row.metric,
                    about: row.about.clone(),
                    difference: found.difference,
                    interval: found.interval().map(|found| [found.low, found.high]),
                    told_apart: found.differs(),
                }));
            }
            costs.extend(self.time(&regime, column));
        }
        costs
    }

    /// How many times as long as the fastest a regime trains.
    fn time(&self, regime: &str, column: usize) -> Option<Cost> {
        let fastest = self.fastest(0..self.evidence.regimes.len())?;
        let ratio = self.seconds(column) / self.seconds(fastest);
        (ratio.is_finite() && ratio > SAME_TIME).then(|| Cost {
            regime: regime.into(),
            against: self.name(fastest),
            metric: Metric::TrainingSeconds,
            about: About::Training,
            difference: ratio,
            interval: None,
            told_apart: true,
        })
    }

    fn words(&self, choice: &Choice, answers: &[Answer], costs: &[Cost]) -> Vec<String> {
        let mut words = vec![headline(choice, answers)];
        match choice {
            Choice::Alone | Choice::TooFewRuns | Choice::NothingLearned => return words,
            Choice::Take { .. } | Choice::TradeOff { .. } | Choice::NoDifference { .. } => {}
        }
        for question in Question::ALL {
            let asked = answers.iter().filter(|answer| answer.question == question);
            let asked: Vec<&Answer> = asked.collect();
            if !asked.is_empty() {
                words.push(self.answer_words(&asked));
            }
        }
        words.extend(cost_words(costs));
        words.extend(answers.iter().filter_map(open_words));
        words
    }

    /// What is said of one question, answers of the same outcome together.
    fn answer_words(&self, answers: &[&Answer]) -> String {
        let mut parts: Vec<(String, Vec<&Answer>)> = Vec::new();
        for answer in answers {
            let said = outcome_words(answer);
            match parts.iter_mut().find(|(known, _)| *known == said) {
                Some((_, together)) => together.push(answer),
                None => parts.push((said, vec![answer])),
            }
        }
        let mut sentences = Vec::new();
        for (said, together) in parts {
            let values = together
                .iter()
                .filter_map(|answer| self.value_words(answer));
            let values: Vec<String> = values.collect();
            let values = if values.is_empty() {
                String::new()
            } else {
                format!(" ({})", values.join("; "))
            };
            let places: Vec<String> = together.iter().map(|answer| place(answer)).collect();
            sentences.push(match together[0].question {
                Question::Accuracy => format!("{said}{values}"),
                Question::Robustness => format!("at ε {} {said}{values}", listed(&places)),
                Question::Explanations => format!("by {} {said}{values}", listed(&places)),
            });
        }
        format!("{}: {}.", subject(answers), sentences.join("; "))
    }

    /// The leaders' means; where no regime leads, the range of all.
    fn value_words(&self, answer: &Answer) -> Option<String> {
        let mut rows = self.evidence.rows.iter();
        let row = rows.find(|row| row.metric == answer.metric && row.about == answer.about)?;
        let written = |mean: f64| match answer.question {
            Question::Explanations => format!("{mean:+.3}").replace('-', "\u{2212}"),
            Question::Accuracy | Question::Robustness => percent(mean),
        };
        let mean = |regime: usize| Some(row.values[regime]?.mean);
        if answer.outcome == Outcome::Undecided {
            let ranking = self.ranking(row);
            let best = ranking.first().copied().and_then(mean).map(written);
            let worst = ranking.last().copied().and_then(mean).map(written);
            return match (best?, worst?) {
                (best, worst) if best == worst => Some(format!("all {best}")),
                (best, worst) => Some(format!("{best} to {worst}")),
            };
        }
        let leaders = Self::leaders(answer).iter();
        let values = leaders.filter_map(|name| self.find(name).and_then(mean).map(written));
        let values: Vec<String> = values.collect();
        (!values.is_empty()).then(|| listed(&values))
    }
}

fn headline(choice: &Choice, answers: &[Answer]) -> String {
    match choice {
        Choice::Take { regime } => {
            let open = answers.iter().filter(|a| a.outcome == Outcome::Undecided);
            let open = match (open.count(), answers.len()) {
                (0, _) => String::new(),
                (open, all) => format!(" {open} of {all} questions are undecided."),
            };
            format!(
                "Take {regime}: in nothing that these runs can tell apart is another regime \
                 better.{open}"
            )
        }
        Choice::TradeOff { regimes } => {
            let part = |regime: &String| format!("{regime} for {}", strengths(regime, answers));
            let parts: Vec<String> = regimes.iter().map(part).collect();
            format!(
                "No regime leads in everything, take one by what counts for you: {}.",
                parts.join("; ")
            )
        }
        Choice::NoDifference { fastest } => format!(
            "No regime can be told apart from another: take {fastest}, which trains fastest, or \
             measure more."
        ),
        Choice::NothingLearned => {
            "Take none: no regime is right more often than always answering the largest class."
                .into()
        }
        Choice::TooFewRuns => format!(
            "Nothing can be said of the regimes: with one seed in common, what differs may be the \
             chance of a start. Take {ENOUGH_SEEDS} seeds (3 at least)."
        ),
        Choice::Alone => "There is one regime: nothing to compare.".into(),
    }
}

/// What a regime leads in.
fn strengths(regime: &String, answers: &[Answer]) -> String {
    let mut strengths = Vec::new();
    for question in Question::ALL {
        let asked = answers.iter().filter(|answer| answer.question == question);
        let led = asked.filter(|answer| Court::leaders(answer).contains(regime));
        let places: Vec<String> = led.map(place).collect();
        match (question, places.is_empty()) {
            (_, true) => {}
            (Question::Accuracy, _) => strengths.push("accuracy".to_string()),
            (Question::Robustness, _) => {
                strengths.push(format!("robustness at ε {}", listed(&places)));
            }
            (Question::Explanations, _) => {
                strengths.push(format!("explanations by {}", listed(&places)));
            }
        }
    }
    listed(&strengths)
}

/// What a sentence is about.
fn subject(answers: &[&Answer]) -> String {
    match answers
        .first()
        .map(|answer| (answer.question, &answer.about))
    {
        Some((Question::Robustness, About::Attack(attack))) => {
            format!("Robustness to {}", attack.title())
        }
        Some((Question::Explanations, About::OverRandom { method, fill })) => format!(
            "Explanations by the {} map, against the random one ({} fill)",
            method.name(),
            fill.name()
        ),
        Some((_, _)) if answers.iter().any(|a| a.metric == Metric::BalancedAccuracy) => {
            "Balanced accuracy, since the classes are uneven".into()
        }
        _ => "Accuracy".into(),
    }
}

/// Which of a question's answers it is.
fn place(answer: &Answer) -> String {
    match &answer.about {
        About::Attack(attack) => attack.epsilon.to_string(),
        _ => answer.metric.name().into(),
    }
}

fn outcome_words(answer: &Answer) -> String {
    match &answer.outcome {
        Outcome::Best { regime } => format!("{regime} is best"),
        Outcome::Shared { regimes, unsure } => {
            let (leader, sharing) = match regimes.split_first() {
                Some((leader, sharing)) => (leader.as_str(), sharing),
                None => ("none", &[][..]),
            };
            let shared = match sharing {
                [] => String::new(),
                _ => format!(", and {} cannot be told apart from it", listed(sharing)),
            };
            let unsure = match unsure.as_slice() {
                [] => String::new(),
                unsure => {
                    let listed = listed(unsure);
                    format!(", while the seeds of {listed} spread too far to say")
                }
            };
            format!("{leader} leads{shared}{unsure}")
        }
        Outcome::Undecided => "no regime can be told apart from the best".into(),
        Outcome::Useless => "no regime's map is better than a random one".into(),
        Outcome::NotJudged {
            reason: Reason::FewSeeds,
        } => "too few seeds to say".into(),
        Outcome::NotJudged {
            reason: Reason::WeakAttack,
        } => "cannot be said, since the attack is weak against the best".into(),
    }
}

/// One sentence a regime: where it is behind.
fn cost_words(costs: &[Cost]) -> Vec<String> {
    let mut words: Vec<(String, Vec<String>)> = Vec::new();
    for cost in costs {
        let said = cost.words();
        match words.iter_mut().find(|(regime, _)| *regime == cost.regime) {
            Some((_, together)) => together.push(said),
            None => words.push((cost.regime.clone(), vec![said])),
        }
    }
    let sentence =
        |(regime, all): (String, Vec<String>)| format!("What {regime} costs: {}.", all.join("; "));
    words.into_iter().map(sentence).collect()
}

impl Cost {
    fn words(&self) -> String {
        let against = &self.against;
        let apart = self.difference.abs();
        match (self.metric, &self.about) {
            (Metric::TrainingSeconds, _) => {
                format!("{apart:.1} times the training time of {against}")
            }
            (Metric::Accuracy | Metric::BalancedAccuracy, _) => {
                let doubt = if self.told_apart {
                    ""
                } else {
                    " as measured, which may be chance"
                };
                format!(
                    "{} points of {} against {against}{doubt}",
                    points(apart),
                    self.metric
                )
            }
            (Metric::AccuracyUnderAttack, About::Attack(attack)) => format!(
                "{} points under {} at ε {} against {against}",
                points(apart),
                attack.kind.name(),
                attack.epsilon
            ),
            _ => format!("{apart:.3} of {} against {against}", self.metric),
        }
    }
}

/// What cannot be said, and what it would take.
fn open_words(answer: &Answer) -> Option<String> {
    let needed = answer.needed.as_ref()?;
    let what = match answer.question {
        Question::Accuracy => answer.metric.name().into(),
        Question::Robustness => format!("robustness at ε {}", place(answer)),
        Question::Explanations => format!("explanations by {}", place(answer)),
    };
    let words = needed.words(answer.question);
    Some(format!("What cannot be said: {what}, {words}."))
}

impl Needed {
    fn words(&self, question: Question) -> String {
        let [leader, rival] = &self.between;
        let apart = match question {
            Question::Explanations => format!("{:.3}", self.difference.abs()),
            Question::Accuracy | Question::Robustness => {
                format!("{} points", points(self.difference.abs()))
            }
        };
        let counted = |count: usize, most: usize, of: &str| {
            let more = if count == most { "more than" } else { "about" };
            format!("{more} {} {of}", grouped(count))
        };
        let seeds = self.seeds.filter(|&seeds| seeds > self.seeds_at_hand);
        let samples = self.samples.filter(|&s| Some(s) > self.samples_at_hand);
        let mut needed = Vec::new();
        needed.extend(seeds.map(|seeds| counted(seeds, MOST_SEEDS, "seeds")));
        needed.extend(samples.map(|samples| counted(samples, MOST_SAMPLES, "test samples")));
        match (self.difference == 0.0, needed.is_empty()) {
            (true, _) => format!("{leader} or {rival}: no difference at all was seen"),
            (false, true) => {
                format!("{leader} or {rival}, {apart} apart: a few seeds more would tell")
            }
            (false, false) => {
                format!(
                    "{leader} or {rival}, {apart} apart: {} would tell",
                    listed(&needed)
                )
            }
        }
    }
}
