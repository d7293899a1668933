//! Where samples come from: what a split must not divide.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a sample was cut from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Source {
    /// The person, device, session or file: an index into [`Provenance::groups`].
    pub group: usize,
    /// The recording.
    pub recording: usize,
    /// Its first step there.
    pub start: usize,
    /// The step after its last.
    pub end: usize,
    /// When its first step was, in seconds.
    pub from: f64,
    /// When its last step was.
    pub to: f64,
}

impl Source {
    /// A sample that is a whole recording.
    pub(crate) fn whole(recording: usize, group: usize, steps: usize) -> Self {
        Self {
            group,
            recording,
            start: 0,
            end: steps.max(1),
            from: 0.0,
            to: steps.saturating_sub(1) as f64,
        }
    }

    /// Whether both have a step in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.recording == other.recording && self.start < other.end && other.start < self.end
    }
}

/// What a test part has in common with the training part, and should not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shared {
    /// Groups that are in both.
    pub groups: Vec<String>,
    /// Test samples that the training part has too, value by value.
    pub samples: usize,
}

impl Shared {
    /// True when it is nothing.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.samples == 0
    }
}

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 5;
        let mut parts = Vec::new();
        if !self.groups.is_empty() {
            let shown = self.groups.iter().take(SHOWN);
            let shown: Vec<String> = shown.map(|name| name.escape_debug().to_string()).collect();
            let more = self.groups.len().saturating_sub(SHOWN);
            let end = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            parts.push(format!("the groups {}{end}", shown.join(", ")));
        }
        if self.samples > 0 {
            parts.push(format!("{} of its samples", self.samples));
        }
        f.write_str(&parts.join(" and "))
    }
}

/// Where the samples of a data set come from, and what was found out when they were read. Empty for
/// samples of which that is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// The names of the groups.
    pub groups: Vec<String>,
    /// One a sample, or none at all.
    pub sources: Vec<Source>,
    /// What a person should know, a line each.
    pub notes: Vec<String>,
    /// What this part, a test part, shares with the training part.
    pub shared: Shared,
}

impl Provenance {
    pub(super) fn subset(&self, indices: &[usize]) -> Self {
        let sources = match &self.sources[..] {
            [] => Vec::new(),
            sources => indices.iter().map(|&index| sources[index]).collect(),
        };
        Self {
            groups: self.groups.clone(),
            sources,
            notes: self.notes.clone(),
            shared: Shared::default(),
        }
    }

    /// The names of the groups that have samples.
    pub fn present(&self) -> BTreeSet<&str> {
        let groups = self.sources.iter().map(|source| source.group);
        groups
            .filter_map(|group| self.groups.get(group).map(String::as_str))
            .collect()
    }
}

/// Whether any two samples have a step in common.
pub(super) fn any_overlap(sources: &[Source]) -> bool {
    let mut recordings: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for source in sources {
        let spans = recordings.entry(source.recording).or_default();
        spans.push((source.start, source.end));
    }
    recordings.values_mut().any(|spans| {
        spans.sort_unstable();
        spans.windows(2).any(|pair| pair[1].0 < pair[0].1)
    })
}
