//! Test and validation parts that share nothing with the training part.

use super::provenance::any_overlap;
use super::split::shuffle;
use super::{Fold, Reading, Source, SplitBy, stratified_split};
use crate::{Error, Result};
use sgt_core::Pcg32;
use std::collections::BTreeMap;

const GROUP_STREAM: u64 = 0x6209_7000_0000_0000;
const FOLD_STREAM: u64 = 0xf01d_7000_0000_0000;

/// Samples whose origin is known.
#[derive(Clone, Copy, Debug)]
pub struct Population<'p> {
    /// The class of each.
    pub labels: &'p [usize],
    /// The number of classes.
    pub classes: usize,
    /// Where each comes from.
    pub sources: &'p [Source],
    /// The names of the groups.
    pub groups: &'p [String],
}

/// The two parts, as ascending indices, and what is in neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdout {
    /// What is fitted.
    pub train: Vec<usize>,
    /// What is held out.
    pub test: Vec<usize>,
    /// Samples that lie across a border.
    pub dropped: usize,
    /// What was kept together.
    pub by: SplitBy,
}

impl Population<'_> {
    /// What is kept together where nobody says it: groups, where every class is in two of them or
    /// more; else time, where a recording gave several samples; else nothing.
    pub fn usual(&self) -> SplitBy {
        let mut groups = vec![None; self.classes];
        let mut several = vec![false; self.classes];
        for (&label, source) in self.labels.iter().zip(self.sources) {
            match groups[label] {
                None => groups[label] = Some(source.group),
                Some(first) if first != source.group => several[label] = true,
                Some(_) => {}
            }
        }
        let present = groups.iter().zip(&several);
        if !self.labels.is_empty()
            && present
                .filter(|(group, _)| group.is_some())
                .all(|(_, &several)| several)
        {
            return SplitBy::Group;
        }
        let mut recordings: Vec<usize> = self.sources.iter().map(|s| s.recording).collect();
        recordings.sort_unstable();
        if recordings.windows(2).any(|pair| pair[0] == pair[1]) {
            SplitBy::Time
        } else {
            SplitBy::Sample
        }
    }

    /// The test part that `reading` asks for.
    ///
    /// # Errors
    /// [`Error::Argument`] for groups that are not there, for single samples that overlap, and when
    /// a part would be empty.
    pub fn hold_out(&self, reading: &Reading) -> Result<Holdout> {
        let seed = reading.split_seed;
        if !reading.leave_out.is_empty() {
            return self.leave_out(&reading.leave_out);
        }
        let by = reading.split_by.unwrap_or_else(|| match reading.fold {
            // Time has no folds.
            Some(_) if self.usual() == SplitBy::Time => SplitBy::Group,
            _ => self.usual(),
        });
        match reading.fold {
            Some(fold) => self.fold(by, fold, seed),
            None => self.share(by, 1.0 - reading.training_share(), seed),
        }
    }

    /// Holds out the share `share` of every class, as far as what is kept together allows it.
    ///
    /// # Errors
    /// As [`Population::hold_out`].
    pub fn share(&self, by: SplitBy, share: f64, seed: u64) -> Result<Holdout> {
        match by {
            SplitBy::Sample => {
                self.check_single()?;
                let split = stratified_split(self.labels, self.classes, share as f32, seed)?;
                self.parts(split.train, split.validation, by)
            }
            SplitBy::Group => self.groups_of_share(share, seed),
            SplitBy::Time => self.end_of_recordings(share),
        }
    }

    /// Part `fold` of parts of equal size, every class alike as far as groups allow it.
    ///
    /// # Errors
    /// As [`Population::hold_out`], and for fewer groups than parts.
    pub fn fold(&self, by: SplitBy, fold: Fold, seed: u64) -> Result<Holdout> {
        let fold_of = match by {
            SplitBy::Sample => {
                self.check_single()?;
                self.sample_folds(fold.of, seed)
            }
            _ => self.group_folds(fold.of, seed)?,
        };
        let chosen = fold.number - 1;
        let is_test = |&index: &usize| fold_of[index] == chosen;
        let (test, train) = (0..self.labels.len()).partition(is_test);
        self.parts(train, test, by)
    }

    fn leave_out(&self, names: &[String]) -> Result<Holdout> {
        let mut left_out = vec![false; self.groups.len()];
        for name in names {
            let place = self.groups.iter().position(|group| group == name.trim());
            let place = place.ok_or_else(|| Error::Argument {
                argument: "leave-out".into(),
                found: name.escape_debug().to_string(),
                expected: format!("groups out of {}", shown(self.groups)),
            })?;
            left_out[place] = true;
        }
        let is_test = |&index: &usize| left_out[self.sources[index].group];
        let (test, train) = (0..self.labels.len()).partition(is_test);
        self.parts(train, test, SplitBy::Group)
    }

    fn check_single(&self) -> Result<()> {
        if any_overlap(self.sources) {
            return Err(Error::Argument {
                argument: "split-by".into(),
                found: "sample, for windows that overlap".into(),
                expected: "time or group: windows on both sides would share rows".into(),
            });
        }
        Ok(())
    }

    fn parts(&self, train: Vec<usize>, test: Vec<usize>, by: SplitBy) -> Result<Holdout> {
        let dropped = self.labels.len() - train.len() - test.len();
        if train.is_empty() || test.is_empty() {
            let empty = if train.is_empty() { "training" } else { "test" };
            return Err(Error::Argument {
                argument: "split".into(),
                found: format!(
                    "an empty {empty} part, by {by}, of {} samples",
                    self.labels.len()
                ),
                expected: "samples in both parts: another share, or another split-by".into(),
            });
        }
        Ok(Holdout {
            train,
            test,
            dropped,
            by,
        })
    }

    /// Samples of each class in each group that has any, by group.
    fn counts(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut counts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (&label, source) in self.labels.iter().zip(self.sources) {
            let of_group = counts.entry(source.group);
            of_group.or_insert_with(|| vec![0; self.classes])[label] += 1;
        }
        counts
    }

    /// Groups with their counts, in an order by `seed`, the largest first.
    fn shuffled_groups(&self, seed: u64, stream: u64) -> Vec<(usize, Vec<usize>)> {
        let mut groups: Vec<_> = self.counts().into_iter().collect();
        shuffle(&mut groups, &mut Pcg32::new(seed, stream));
        groups.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<usize>()));
        groups
    }

    /// Whole groups, each taken when that brings the classes' shares nearer to `share`, and when no
    /// class loses its last training sample by it.
    fn groups_of_share(&self, share: f64, seed: u64) -> Result<Holdout> {
        let groups = self.shuffled_groups(seed, GROUP_STREAM);
        if groups.len() < 2 {
            return Err(Error::Argument {
                argument: "split-by".into(),
                found: format!("group, with {} group", groups.len()),
                expected: "two groups or more, or time".into(),
            });
        }
        let mut totals = vec![0; self.classes];
        for (_, counts) in &groups {
            add(&mut totals, counts);
        }
        let distance = |held: &[usize]| -> f64 {
            let classes = held.iter().zip(&totals).filter(|(_, total)| **total > 0);
            classes
                .map(|(&held, &total)| (held as f64 / total as f64 - share).powi(2))
                .sum()
        };
        let with = |held: &[usize], counts: &[usize]| {
            let mut sum = held.to_vec();
            add(&mut sum, counts);
            sum
        };
        let leaves_none = |held: &[usize]| held.iter().zip(&totals).any(|(h, t)| *t > 0 && h == t);
        let mut held = vec![0; self.classes];
        let mut chosen = Vec::new();
        for (group, counts) in &groups {
            let sum = with(&held, counts);
            if distance(&sum) < distance(&held) && !leaves_none(&sum) {
                held = sum;
                chosen.push(*group);
            }
        }
        if chosen.is_empty() {
            // The one that does least harm.
            let harm = |counts: &Vec<usize>| {
                let sum = with(&held, counts);
                (leaves_none(&sum), distance(&sum))
            };
            let least = groups.iter().min_by(|(_, a), (_, b)| {
                let (a, b) = (harm(a), harm(b));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            chosen.extend(least.map(|(group, _)| *group));
        }
        let is_test = |&index: &usize| chosen.contains(&self.sources[index].group);
        let (test, train) = (0..self.labels.len()).partition(is_test);
        self.parts(train, test, SplitBy::Group)
    }

    /// The last samples of each class in each recording; training samples that have a step in common
    /// with one are dropped.
    fn end_of_recordings(&self, share: f64) -> Result<Holdout> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let key = |&index: &usize| {
            let source = &self.sources[index];
            (self.labels[index], source.recording, source.start)
        };
        order.sort_by_key(key);
        let mut test = Vec::new();
        let mut rest = &order[..];
        let mut class = None;
        let (mut seen, mut taken) = (0, 0);
        while let [first, ..] = rest {
            let (label, recording, _) = key(first);
            let same = |index: &&usize| key(index).0 == label && key(index).1 == recording;
            let count = rest.iter().take_while(same).count();
            if class != Some(label) {
                (class, seen, taken) = (Some(label), 0, 0);
            }
            // What rounding leaves over in one recording is held out in another.
            seen += count;
            let wanted = (share * seen as f64).round() as usize;
            let held = wanted.saturating_sub(taken).min(count);
            taken += held;
            test.extend_from_slice(&rest[count - held..count]);
            rest = &rest[count..];
        }
        // As of single samples: one of every class that has two.
        let mut classes = vec![Vec::new(); self.classes];
        for &index in &order {
            classes[self.labels[index]].push(index);
        }
        let mut tested = vec![false; self.classes];
        for &index in &test {
            tested[self.labels[index]] = true;
        }
        for (members, tested) in classes.iter().zip(tested) {
            if let [_, .., last] = members[..]
                && !tested
                && share > 0.0
            {
                test.push(last);
            }
        }
        test.sort_unstable();
        let mut held: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for &index in &test {
            let source = &self.sources[index];
            let spans = held.entry(source.recording).or_default();
            spans.push((source.start, source.end));
        }
        for spans in held.values_mut() {
            spans.sort_unstable();
            // One span for those that touch, so that one search decides.
            let mut merged: Vec<(usize, usize)> = Vec::new();
            for &(start, end) in spans.iter() {
                match merged.last_mut() {
                    Some(last) if start <= last.1 => last.1 = last.1.max(end),
                    _ => merged.push((start, end)),
                }
            }
            *spans = merged;
        }
        let clear = |index: &usize| {
            let source = &self.sources[*index];
            let Some(spans) = held.get(&source.recording) else {
                return true;
            };
            let next = spans.partition_point(|&(_, end)| end <= source.start);
            spans
                .get(next)
                .is_none_or(|&(start, _)| start >= source.end)
        };
        let train = (0..self.labels.len())
            .filter(|index| test.binary_search(index).is_err())
            .filter(clear);
        self.parts(train.collect(), test, SplitBy::Time)
    }

    /// The fold of each sample, every class dealt out in turn.
    fn sample_folds(&self, folds: usize, seed: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        shuffle(&mut order, &mut Pcg32::new(seed, FOLD_STREAM));
        order.sort_by_key(|&index| self.labels[index]);
        let mut fold_of = vec![0; order.len()];
        for (turn, index) in order.into_iter().enumerate() {
            fold_of[index] = turn % folds;
        }
        fold_of
    }

    /// The fold of each sample's group: one group after the other, the largest first, goes where it
    /// leaves the classes spread most evenly over the folds (as scikit-learn's `StratifiedGroupKFold`).
    fn group_folds(&self, folds: usize, seed: u64) -> Result<Vec<usize>> {
        let groups = self.shuffled_groups(seed, GROUP_STREAM);
        if groups.len() < folds {
            return Err(Error::Argument {
                argument: "fold".into(),
                found: format!("{folds} parts of {} groups", groups.len()),
                expected: "as many groups as parts, or more".into(),
            });
        }
        let mut totals = vec![0; self.classes];
        for (_, counts) in &groups {
            add(&mut totals, counts);
        }
        let mut in_fold = vec![vec![0; self.classes]; folds];
        let mut groups_in = vec![0; folds];
        let mut fold_of_group = BTreeMap::new();
        for (place, (group, counts)) in groups.iter().enumerate() {
            let left = groups.len() - place;
            let empty = groups_in.iter().filter(|&&count| count == 0).count();
            let unevenness = |fold: usize| -> f64 {
                let classes = (0..self.classes).filter(|&class| totals[class] > 0);
                classes
                    .map(|class| {
                        let share = |other: usize| {
                            let extra = if other == fold { counts[class] } else { 0 };
                            (in_fold[other][class] + extra) as f64 / totals[class] as f64
                        };
                        let mean = (0..folds).map(share).sum::<f64>() / folds as f64;
                        (0..folds).map(|o| (share(o) - mean).powi(2)).sum::<f64>()
                    })
                    .sum()
            };
            // No fold stays empty.
            let open = |&fold: &usize| left > empty || groups_in[fold] == 0;
            let best = (0..folds)
                .filter(open)
                .min_by(|&a, &b| unevenness(a).total_cmp(&unevenness(b)));
            let best = best.unwrap_or(0);
            add(&mut in_fold[best], counts);
            groups_in[best] += 1;
            fold_of_group.insert(*group, best);
        }
        let of = |source: &Source| fold_of_group[&source.group];
        Ok(self.sources.iter().map(of).collect())
    }
}

fn add(sums: &mut [usize], counts: &[usize]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

/// The first names of a list.
fn shown(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let list: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| name.escape_debug().to_string())
        .collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", list.join(", "))
}

impl Holdout {
    /// What was held out, in a line.
    pub fn describe(&self, reading: &Reading, population: &Population<'_>) -> String {
        let how = match (reading.fold, &reading.leave_out[..]) {
            (Some(fold), _) => format!("part {fold}, by {}", self.by),
            (None, []) => format!("by {}", self.by),
            (None, _) => "by group".into(),
        };
        let names = match self.by {
            SplitBy::Group => {
                let held = self
                    .test
                    .iter()
                    .map(|&index| population.sources[index].group);
                let held: std::collections::BTreeSet<usize> = held.collect();
                let held: Vec<String> = held
                    .into_iter()
                    .map(|group| population.groups[group].clone())
                    .collect();
                format!(" ({})", shown(&held))
            }
            SplitBy::Time | SplitBy::Sample => String::new(),
        };
        let dropped = match self.dropped {
            0 => String::new(),
            count => format!(", {count} across the border left out"),
        };
        format!(
            "no test part of its own: split {how}{names}: {} to train on, {} to test on{dropped}",
            self.train.len(),
            self.test.len()
        )
    }
}

impl super::Dataset {
    /// The samples with their classes and their origin.
    pub fn population(&self) -> Population<'_> {
        let provenance = self.provenance();
        Population {
            labels: self.labels(),
            classes: self.classes().len(),
            sources: &provenance.sources,
            groups: &provenance.groups,
        }
    }

    /// Holds out the share `fraction`, below 1, for validation: of single samples, by class
    /// ([`stratified_split`]), where nothing is known of their origin; otherwise so that nothing is
    /// shared, by [`Population::usual`]. Samples across a border are in neither part.
    ///
    /// # Errors
    /// As [`stratified_split`] and [`Population::share`].
    pub fn validation_split(&self, fraction: f32, seed: u64) -> Result<super::Split> {
        let population = self.population();
        let by = population.usual();
        if population.sources.is_empty() || by == SplitBy::Sample {
            return stratified_split(self.labels(), self.classes().len(), fraction, seed);
        }
        let Holdout { train, test, .. } = population.share(by, fraction.into(), seed)?;
        Ok(super::Split {
            train,
            validation: test,
        })
    }
}
