//! Parts that share nothing: properties of every way to hold samples out.

use proptest::prelude::*;
use sgt_host::data::{Fold, Holdout, Population, Reading, Source, SplitBy};
use std::collections::BTreeSet;

/// Samples of windows of recordings of groups.
#[derive(Clone, Debug)]
struct Made {
    labels: Vec<usize>,
    sources: Vec<Source>,
    groups: Vec<String>,
    classes: usize,
}

impl Made {
    fn population(&self) -> Population<'_> {
        Population {
            labels: &self.labels,
            classes: self.classes,
            sources: &self.sources,
            groups: &self.groups,
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    let recording = (0_usize..6, 0_usize..3, 1_usize..30);
    let recordings = prop::collection::vec(recording, 2..12);
    (recordings, 1_usize..10, 1_usize..10).prop_map(|(recordings, length, step)| {
        let mut made = Made {
            labels: Vec::new(),
            sources: Vec::new(),
            groups: (0..6).map(|group| format!("g{group}")).collect(),
            classes: 3,
        };
        for (number, (group, class, count)) in recordings.into_iter().enumerate() {
            for window in 0..count {
                // The class changes now and then.
                made.labels.push((class + window / 7) % 3);
                made.sources.push(Source {
                    group,
                    recording: number,
                    start: window * step,
                    end: window * step + length,
                    from: 0.0,
                    to: 0.0,
                });
            }
        }
        made
    })
}

/// What holds for every split.
fn check(made: &Made, split: &Holdout) {
    let train: BTreeSet<_> = split.train.iter().collect();
    let test: BTreeSet<_> = split.test.iter().collect();
    assert!(train.is_disjoint(&test));
    assert!(!train.is_empty() && !test.is_empty());
    assert_eq!(train.len() + test.len() + split.dropped, made.labels.len());
    for &a in &split.train {
        for &b in &split.test {
            assert!(
                !made.sources[a].overlaps(&made.sources[b]),
                "{a} and {b} share a step"
            );
        }
    }
    if split.by == SplitBy::Group {
        let groups = |part: &[usize]| -> BTreeSet<usize> {
            part.iter()
                .map(|&index| made.sources[index].group)
                .collect()
        };
        assert!(groups(&split.train).is_disjoint(&groups(&split.test)));
        assert_eq!(split.dropped, 0);
    }
}

proptest! {
    #[test]
    fn nothing_is_shared_whatever_is_kept_together(
        made in made(),
        by in prop::sample::select(vec![SplitBy::Group, SplitBy::Time, SplitBy::Sample]),
        share in 0.05_f64..0.95,
        seed in 0_u64..4,
    ) {
        if let Ok(split) = made.population().share(by, share, seed) {
            prop_assert_eq!(split.by, by);
            check(&made, &split);
            prop_assert_eq!(&split, &made.population().share(by, share, seed).unwrap());
        } else {
            let overlaps = made.sources.windows(2).any(|pair| pair[0].overlaps(&pair[1]));
            let groups: BTreeSet<usize> = made.sources.iter().map(|s| s.group).collect();
            let few = made.labels.len() < 20;
            prop_assert!(overlaps || groups.len() < 2 || few || !(0.2..=0.8).contains(&share));
        }
    }

    #[test]
    fn time_holds_out_the_end_and_every_class_alike(made in made(), share in 0.2_f64..0.5) {
        let Ok(split) = made.population().share(SplitBy::Time, share, 0) else {
            return Ok(());
        };
        let count = |part: &[usize], class: usize| {
            part.iter().filter(|&&index| made.labels[index] == class).count() as f64
        };
        for class in 0..3 {
            let all = made.labels.iter().filter(|&&label| label == class).count() as f64;
            let held = count(&split.test, class);
            prop_assert!((held - share * all).abs() <= 1.0, "{held} of {all}");
        }
        // Of a class in a recording, whatever is held out comes last.
        for &kept in &split.train {
            for &held in &split.test {
                let (a, b) = (&made.sources[kept], &made.sources[held]);
                if a.recording == b.recording && made.labels[kept] == made.labels[held] {
                    prop_assert!(a.start < b.start);
                }
            }
        }
    }

    #[test]
    fn folds_are_each_sample_once(made in made(), of in 2_usize..4, seed in 0_u64..3) {
        for by in [SplitBy::Group, SplitBy::Sample] {
            let mut tested = vec![0; made.labels.len()];
            let mut whole = true;
            for number in 1..=of {
                match made.population().fold(by, Fold { number, of }, seed) {
                    Ok(split) => {
                        check(&made, &split);
                        split.test.iter().for_each(|&index| tested[index] += 1);
                    }
                    Err(_) => whole = false,
                }
            }
            if whole {
                prop_assert!(tested.iter().all(|&count| count == 1), "{tested:?}");
            }
        }
    }
}

#[test]
fn groups_are_chosen_so_that_classes_keep_their_share() {
    // 10 groups, each with 10 samples of either class.
    let mut made = Made {
        labels: Vec::new(),
        sources: Vec::new(),
        groups: (0..10).map(|group| group.to_string()).collect(),
        classes: 2,
    };
    for index in 0..200 {
        made.labels.push(index % 2);
        made.sources.push(Source {
            group: index / 20,
            recording: index,
            start: 0,
            end: 1,
            from: 0.0,
            to: 0.0,
        });
    }
    let population = made.population();
    assert_eq!(population.usual(), SplitBy::Group);
    let split = population.hold_out(&Reading::default()).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (160, 40));
    let other = Reading {
        split_seed: 1,
        ..Reading::default()
    };
    assert_ne!(
        population.hold_out(&other).unwrap().test,
        split.test,
        "the seed chooses"
    );
    let too_many = Reading {
        fold: "1/11".parse().ok(),
        ..Reading::default()
    };
    let error = population.hold_out(&too_many).unwrap_err().to_string();
    assert_eq!(
        error,
        "fold: found 11 parts of 10 groups, expected as many groups as parts, or more"
    );
}
