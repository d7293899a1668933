//! When to stop before the last epoch.

use crate::config::EarlyStopping;
use serde::{Deserialize, Serialize};

/// The best epoch so far, by validation loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Its mean validation cross-entropy.
    pub loss: f32,
}

/// What an epoch's validation loss means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The best so far: its weights are to be kept.
    Best,
    /// Not better, but within the patience.
    Continue,
    /// The patience is over.
    Stop,
}

/// Judges the epoch `epoch` (from 1) by its validation `loss`.
pub(super) fn judge(rule: EarlyStopping, best: Option<Best>, epoch: usize, loss: f32) -> Verdict {
    match best {
        None => Verdict::Best,
        Some(best) if loss < best.loss - rule.min_delta => Verdict::Best,
        Some(best) if epoch - best.epoch >= rule.patience => Verdict::Stop,
        Some(_) => Verdict::Continue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_after_the_patience_and_not_before() {
        let rule = EarlyStopping {
            patience: 2,
            min_delta: 0.1,
        };
        let losses = [1.0, 0.95, 0.5, 0.45, 0.41];
        let mut best = None;
        let mut verdicts = Vec::new();
        for (index, &loss) in losses.iter().enumerate() {
            let epoch = index + 1;
            let verdict = judge(rule, best, epoch, loss);
            if verdict == Verdict::Best {
                best = Some(Best { epoch, loss });
            }
            verdicts.push(verdict);
        }
        let expected = [
            Verdict::Best,
            Verdict::Continue,
            Verdict::Best,
            Verdict::Continue,
            Verdict::Stop,
        ];
        assert_eq!(verdicts, expected);
    }
}
