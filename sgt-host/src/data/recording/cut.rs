//! Windows of recordings.

use super::{Segment, UNLABELLED};
use crate::data::WindowLabel;

/// How windows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Steps of a window.
    pub length: usize,
    /// Steps from the start of one to the start of the next.
    pub step: usize,
    /// How it gets its class.
    pub label: WindowLabel,
}

/// A window of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The recording.
    pub segment: usize,
    /// Its first step there.
    pub start: usize,
    /// Its class.
    pub label: u16,
}

/// Windows that were not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Their rows are of several classes, under [`WindowLabel::Pure`].
    pub mixed: usize,
    /// They have no class.
    pub unlabelled: usize,
    /// Recordings that are shorter than a window.
    pub short: usize,
}

/// The windows that lie wholly in `segment`, which is recording number `index`: at the steps
/// 0, [`Cut::step`], 2 · [`Cut::step`], …. `labelled` says whether windows need a class.
pub fn cut(
    segment: &Segment,
    index: usize,
    rule: Cut,
    labelled: bool,
    dropped: &mut Dropped,
) -> Vec<Window> {
    let Some(last) = segment.len().checked_sub(rule.length) else {
        dropped.short += 1;
        return Vec::new();
    };
    let mut windows = Vec::new();
    let mut counts = Counts::default();
    for start in (0..=last).step_by(rule.step) {
        let rows = &segment.labels[start..start + rule.length];
        let label = match rule.label {
            WindowLabel::Last => rows.last().copied(),
            WindowLabel::Majority => Some(counts.majority(rows)),
            WindowLabel::Pure => {
                let first = rows[0];
                let pure = rows.iter().all(|&label| label == first);
                pure.then_some(first)
            }
        };
        let label = match label {
            _ if !labelled => UNLABELLED,
            None => {
                dropped.mixed += 1;
                continue;
            }
            Some(UNLABELLED) => {
                dropped.unlabelled += 1;
                continue;
            }
            Some(label) => label,
        };
        windows.push(Window {
            segment: index,
            start,
            label,
        });
    }
    windows
}

/// How often each class occurs in a window; kept from one to the next to save its memory.
#[derive(Default)]
struct Counts(Vec<u32>);

impl Counts {
    /// The class of most rows, of equally many the first; rows without a class count as one that
    /// comes last.
    fn majority(&mut self, rows: &[u16]) -> u16 {
        let first = rows[0];
        if rows.iter().all(|&label| label == first) {
            return first;
        }
        self.0.clear();
        let mut without = 0;
        for &label in rows {
            if label == UNLABELLED {
                without += 1;
                continue;
            }
            let place = usize::from(label);
            if self.0.len() <= place {
                self.0.resize(place + 1, 0);
            }
            self.0[place] += 1;
        }
        let mut best = (UNLABELLED, 0);
        for (label, &count) in self.0.iter().enumerate() {
            if count > best.1 {
                best = (label as u16, count);
            }
        }
        if without > best.1 { UNLABELLED } else { best.0 }
    }
}
