//! The verdict and the warnings on results that nobody measured: what is recommended, what it is
//! said to cost, and what is said to be unknown.

#[path = "common/made_up.rs"]
mod made_up;

use made_up::{Rates, answered, attacked, classes, evaluation, judged, regimes, run};
use sgt_host::compare::{Choice, Outcome, Question, Reason, RegimeRuns, Verdict, Warning};
use sgt_host::metrics::Metric;

const SAMPLES: usize = 400;

/// Neither good nor bad at anything.
const PLAIN: Rates = Rates {
    name: "standard",
    accuracy: 0.7,
    attacked: 0.3,
    area: 0.6,
    seconds: 1.0,
};

fn of(rates: &[Rates], seeds: u64) -> Verdict {
    let half = SAMPLES / 2;
    let regimes = regimes(rates, seeds, SAMPLES);
    judged(&regimes, &classes([half; 2], [half; 2])).2
}

fn outcome(verdict: &Verdict, question: Question) -> &Outcome {
    let mut answers = verdict.answers.iter();
    &answers
        .find(|answer| answer.question == question)
        .unwrap()
        .outcome
}

fn best(regime: &str) -> Outcome {
    Outcome::Best {
        regime: regime.into(),
    }
}

#[test]
fn a_clear_winner_is_to_be_taken_and_its_time_is_its_cost() {
    let winner = Rates {
        name: "sgt",
        accuracy: 0.9,
        attacked: 0.6,
        area: 0.2,
        seconds: 3.0,
    };
    let other = Rates {
        name: "asgt",
        ..PLAIN
    };
    let found = of(&[PLAIN, winner, other], 5);
    let regime = "sgt".to_string();
    assert_eq!(found.choice, Choice::Take { regime });
    for question in [
        Question::Accuracy,
        Question::Robustness,
        Question::Explanations,
    ] {
        assert_eq!(outcome(&found, question), &best("sgt"));
    }
    assert!(found.answers.iter().all(|answer| answer.needed.is_none()));
    let metrics: Vec<Metric> = found.costs.iter().map(|cost| cost.metric).collect();
    assert_eq!(metrics, [Metric::TrainingSeconds]);
    assert!(
        (found.costs[0].difference - 3.0).abs() < 0.1,
        "{:?}",
        found.costs
    );
    assert!(
        found.words[0].starts_with("Take sgt: "),
        "{:#?}",
        found.words
    );
    assert!(
        found
            .words
            .iter()
            .any(|said| said == "What sgt costs: 3.0 times the training time of standard.")
    );
    assert!(
        !found
            .words
            .iter()
            .any(|said| said.contains("cannot be said"))
    );
}

#[test]
fn a_trade_off_names_each_leader_what_it_leads_in_and_what_it_costs() {
    let robust = Rates {
        name: "adversarial",
        accuracy: 0.6,
        attacked: 0.55,
        seconds: 4.0,
        ..PLAIN
    };
    let guided = Rates {
        name: "sgt",
        accuracy: 0.7,
        attacked: 0.2,
        area: 0.2,
        seconds: 2.0,
    };
    let found = of(&[PLAIN, guided, robust], 5);
    let regimes = vec!["adversarial".to_string(), "sgt".to_string()];
    assert_eq!(found.choice, Choice::TradeOff { regimes });
    assert_eq!(outcome(&found, Question::Robustness), &best("adversarial"));
    assert_eq!(outcome(&found, Question::Explanations), &best("sgt"));
    let Outcome::Shared { regimes, .. } = outcome(&found, Question::Accuracy) else {
        panic!("{:#?}", found.answers);
    };
    assert!(regimes.len() == 2 && !regimes.contains(&"adversarial".to_string()));
    let headline = &found.words[0];
    assert!(
        headline.contains("adversarial for robustness at ε 0.2")
            && headline.contains("sgt for accuracy and explanations by accuracy-drop area"),
        "{headline}"
    );
    let costs = |regime: &str, metric| {
        let mut costs = found.costs.iter();
        costs.any(|cost| cost.regime == regime && cost.metric == metric)
    };
    assert!(costs("adversarial", Metric::Accuracy));
    assert!(costs("sgt", Metric::AccuracyUnderAttack));
    assert!(!costs("sgt", Metric::Accuracy));
    let accuracy = found
        .costs
        .iter()
        .find(|cost| cost.metric == Metric::Accuracy);
    let cost = accuracy.unwrap();
    let [low, high] = cost.interval.unwrap();
    assert!(
        low < cost.difference && cost.difference < high && high < 0.0,
        "{cost:?}"
    );
}

#[test]
fn a_regime_shares_no_lead_for_the_spread_of_its_seeds_alone() {
    const SEEDS: usize = 5;
    let robust = Rates {
        name: "asgt",
        attacked: 0.6,
        seconds: 4.0,
        ..PLAIN
    };
    let mut found = regimes(&[PLAIN, robust], SEEDS as u64, SAMPLES);
    // Its mean of 0.26 is below the 0.3 of standard, which can be told apart from 0.6.
    let by_seed = [0.0, 0.75, 0.0, 0.55, 0.0].map(|attacked| Rates {
        name: "sgt",
        attacked,
        ..PLAIN
    });
    let runs = by_seed.iter().enumerate().map(|(seed, &rates)| {
        let mut regime = regimes(&[rates], SEEDS as u64, SAMPLES);
        regime.remove(0).runs.swap_remove(seed)
    });
    let runs = runs.collect();
    found.push(RegimeRuns {
        name: "sgt".into(),
        runs,
    });
    let half = SAMPLES / 2;
    let found = judged(&found, &classes([half; 2], [half; 2])).2;
    let expected = Outcome::Shared {
        regimes: vec!["asgt".into()],
        unsure: vec!["sgt".into()],
    };
    assert_eq!(outcome(&found, Question::Robustness), &expected);
    let regime = "asgt".to_string();
    assert_eq!(found.choice, Choice::Take { regime });
    assert!(
        found.words[0].ends_with("2 of 3 questions are undecided."),
        "{:#?}",
        found.words
    );
    let said = "asgt leads, while the seeds of sgt spread too far to say";
    assert!(
        found.words.iter().any(|words| words.contains(said)),
        "{:#?}",
        found.words
    );
}

#[test]
fn a_loss_of_accuracy_that_may_be_chance_is_named_as_such() {
    const SEEDS: usize = 4;
    let mut found = regimes(&[PLAIN], SEEDS as u64, SAMPLES);
    let by_seed = [0.9, 0.45, 0.75, 0.5].map(|accuracy| Rates {
        name: "asgt",
        accuracy,
        attacked: 0.44,
        ..PLAIN
    });
    let runs = by_seed.iter().enumerate().map(|(seed, &rates)| {
        let mut regime = regimes(&[rates], SEEDS as u64, SAMPLES);
        regime.remove(0).runs.swap_remove(seed)
    });
    found.push(RegimeRuns {
        name: "asgt".into(),
        runs: runs.collect(),
    });
    let half = SAMPLES / 2;
    let found = judged(&found, &classes([half; 2], [half; 2])).2;
    assert_eq!(outcome(&found, Question::Accuracy), &Outcome::Undecided);
    let regime = "asgt".to_string();
    assert_eq!(found.choice, Choice::Take { regime });
    let mut costs = found.costs.iter();
    let loss = costs.find(|cost| cost.metric == Metric::Accuracy).unwrap();
    assert!(
        !loss.told_apart && (loss.difference + 0.05).abs() < 0.03,
        "{loss:?}"
    );
    let said = "points of accuracy against standard as measured, which may be chance";
    assert!(
        found.words.iter().any(|words| words.contains(said)),
        "{:#?}",
        found.words
    );
}

#[test]
fn without_a_difference_the_fastest_is_as_good_as_any_and_more_seeds_are_asked_for() {
    let slower = Rates {
        name: "sgt",
        accuracy: 0.705,
        seconds: 2.0,
        ..PLAIN
    };
    let found = of(&[slower, PLAIN], 3);
    let fastest = "standard".to_string();
    assert_eq!(found.choice, Choice::NoDifference { fastest });
    assert!(found.costs.is_empty());
    assert_eq!(outcome(&found, Question::Accuracy), &Outcome::Undecided);
    let answer = &found.answers[0];
    let needed = answer.needed.as_ref().unwrap();
    assert_eq!(needed.seeds_at_hand, 3);
    assert_eq!(needed.samples_at_hand, Some(SAMPLES));
    let more = needed.seeds.is_none_or(|seeds| seeds > 3)
        || needed.samples.is_none_or(|samples| samples > SAMPLES);
    assert!(more, "{needed:?}");
    let unknown = found
        .words
        .iter()
        .filter(|said| said.starts_with("What cannot be said: "));
    assert_eq!(unknown.count(), found.answers.len());
}

#[test]
fn one_seed_says_nothing_of_regimes_however_far_apart_they_are() {
    let far = Rates {
        name: "sgt",
        accuracy: 0.95,
        attacked: 0.9,
        area: 0.1,
        seconds: 1.0,
    };
    let found = of(&[PLAIN, far], 1);
    assert_eq!(found.choice, Choice::TooFewRuns);
    let reason = Reason::FewSeeds;
    let unknown = Outcome::NotJudged { reason };
    assert!(found.answers.iter().all(|answer| answer.outcome == unknown));
    assert_eq!(found.words.len(), 1);
    assert!(found.words[0].contains("Take 5 seeds (3 at least)"));
}

#[test]
fn one_regime_is_compared_with_nothing() {
    let found = of(&[PLAIN], 5);
    assert_eq!((found.choice, found.answers.len()), (Choice::Alone, 0));
}

#[test]
fn the_seeds_and_samples_needed_are_those_of_a_hand_computed_case() {
    let right = |wrong: std::ops::Range<usize>| -> Vec<f32> {
        (0..100).map(|i| f32::from(!wrong.contains(&i))).collect()
    };
    let regime = |name: &str, runs: [Vec<f32>; 2]| RegimeRuns {
        name: name.into(),
        runs: (0..)
            .zip(runs)
            .map(|(seed, right)| run(seed, 1.0, evaluation(&right)))
            .collect(),
    };
    // One sample worse under the first seed, five better under the second.
    let runs = [
        regime("standard", [right(50..100), right(50..100)]),
        regime("sgt", [right(49..100), right(55..100)]),
    ];
    let (_, _, found) = judged(&runs, &classes([50; 2], [50; 2]));
    let needed = found.answers[0].needed.clone().unwrap();
    assert_eq!(needed.between, ["sgt", "standard"]);
    assert!((needed.difference - 0.02).abs() < 1e-6);
    // z = 1.960 + 0.842. Over seeds −0.01 and 0.05: s = 0.0424. Over samples one of −0.5 and five of
    // 0.5 among 100: s = √((6·0.25 − 100·0.02²) / 99) = 0.1214. (z·s / 0.02)² = 35.3 and 289.4.
    assert_eq!((needed.seeds, needed.samples), (Some(36), Some(290)));
    let said = "What cannot be said: accuracy, sgt or standard, 2.0 points apart: about 36 seeds \
                and about 290 test samples would tell.";
    assert!(
        found.words.iter().any(|found| found == said),
        "{:#?}",
        found.words
    );
}

#[test]
fn a_weak_attack_is_warned_of_and_says_nothing_of_robustness() {
    let mut runs = regimes(
        &[
            PLAIN,
            Rates {
                name: "sgt",
                ..PLAIN
            },
        ],
        3,
        SAMPLES,
    );
    for regime in &mut runs {
        for run in &mut regime.runs {
            run.evaluation.robustness.clear();
            let masked = regime.name == "sgt";
            let stays = vec![f32::from(masked); SAMPLES];
            // Alone, the larger radius leaves more right than the smaller one.
            let points = [
                (0.2, stays.clone(), if masked { 0.6 } else { 0.0 }),
                (0.4, stays, if masked { 0.9 } else { 0.0 }),
            ];
            run.evaluation
                .by_sample
                .retain(|values| values.metric != Metric::AccuracyUnderAttack);
            attacked(&mut run.evaluation, &points);
        }
    }
    let (_, warnings, found) = judged(&runs, &classes([200; 2], [200; 2]));
    let rising = warnings.iter().find_map(|warning| match warning {
        Warning::RisingAccuracy { regimes, rise, .. } => Some((regimes.clone(), *rise)),
        _ => None,
    });
    let (regimes, rise) = rising.unwrap();
    assert_eq!(regimes, ["sgt"]);
    assert!((rise - 0.3).abs() < 1e-9, "{rise}");
    let reason = Reason::WeakAttack;
    let unknown = Outcome::NotJudged { reason };
    assert_eq!(outcome(&found, Question::Robustness), &unknown);
}

#[test]
fn maps_no_better_than_random_ones_are_useless_and_warned_of() {
    let random = Rates { area: 0.8, ..PLAIN };
    let runs = regimes(
        &[
            random,
            Rates {
                name: "sgt",
                ..random
            },
        ],
        4,
        SAMPLES,
    );
    let (_, warnings, found) = judged(&runs, &classes([200; 2], [200; 2]));
    assert_eq!(outcome(&found, Question::Explanations), &Outcome::Useless);
    let named = warnings.iter().any(|warning| {
        matches!(warning, Warning::RandomAsGood { regimes, metric: Metric::AccuracyDropArea, .. }
            if *regimes == ["standard", "sgt"])
    });
    assert!(named, "{warnings:#?}");
}

#[test]
fn uneven_classes_are_judged_by_balanced_accuracy_and_every_trap_is_named() {
    // 95 of 100 are high; every answer is high.
    let labels: Vec<usize> = (0..100).map(|sample| usize::from(sample >= 5)).collect();
    let right: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
    let regime = |name: &str| RegimeRuns {
        name: name.into(),
        runs: (0..2)
            .map(|seed| run(seed, 1.0, answered(&labels, &[1; 100], right.clone())))
            .collect(),
    };
    let runs = [regime("standard"), regime("sgt")];
    let (_, warnings, found) = judged(&runs, &classes([5, 95], [5, 95]));
    assert_eq!(found.choice, Choice::NothingLearned);
    assert_eq!(found.answers[0].metric, Metric::BalancedAccuracy);
    let sentences: Vec<String> = warnings.iter().map(Warning::sentence).collect();
    for expected in [
        "The classes of the training part are uneven, 95 samples of high and 5 of low: ",
        "There are few test samples, 100 in all and 5 of low: ",
        "There are 2 runs of a regime: ",
        "standard and sgt are right no more often than always answering the largest class would \
         be, 95.0 %.",
        "standard never answers low in 2 of 2 runs.",
        "sgt never answers low in 2 of 2 runs.",
    ] {
        let mut found = sentences.iter();
        assert!(
            found.any(|said| said.starts_with(expected)),
            "{expected} in {sentences:#?}"
        );
    }
    assert_eq!(sentences.len(), 6, "{sentences:#?}");
    assert!(
        sentences
            .iter()
            .all(|said| said.ends_with('.') && !said.contains('\n'))
    );
}

#[test]
fn a_class_that_is_tested_but_not_trained_on_is_named() {
    let runs = regimes(&[PLAIN], 3, SAMPLES);
    let (_, warnings, _) = judged(&runs, &classes([400, 0], [200, 200]));
    let named = Warning::UntrainedClasses {
        classes: vec!["high".into()],
    };
    assert!(warnings.contains(&named), "{warnings:?}");
}

#[test]
fn nothing_is_warned_of_when_there_is_nothing_to_warn_of() {
    let runs = regimes(
        &[
            PLAIN,
            Rates {
                name: "sgt",
                ..PLAIN
            },
        ],
        5,
        SAMPLES,
    );
    let (_, warnings, _) = judged(&runs, &classes([200; 2], [200; 2]));
    assert_eq!(warnings, []);
    let quiet = evaluation(&[1.0, 0.0, 1.0, 1.0]);
    assert_eq!(quiet.classification.majority_baseline, 0.5);
}
