//! Scores that read nothing of a map but the order of its cells.

/// Cells at least as salient as a threshold: how many, and how many of them are true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Selected {
    pub(super) threshold: f64,
    pub(super) cells: usize,
    pub(super) hits: usize,
}

/// One entry for each distinct value, from the highest to the lowest.
pub(super) fn selections(values: &[f64], truth: &[bool]) -> Vec<Selected> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut selections: Vec<Selected> = Vec::new();
    let mut hits = 0;
    for (place, &cell) in order.iter().enumerate() {
        hits += usize::from(truth[cell]);
        let selected = Selected {
            threshold: values[cell],
            cells: place + 1,
            hits,
        };
        match selections.last_mut() {
            Some(last) if last.threshold == selected.threshold => *last = selected,
            _ => selections.push(selected),
        }
    }
    selections
}

/// Average precision, `Σ_n (R_n − R_{n−1}) P_n` over the distinct values from the highest down, as
/// scikit-learn computes it. A random order has the share of true cells; none without a true cell.
///
/// # Panics
/// When there are fewer flags than values.
pub fn average_precision(values: &[f64], truth: &[bool]) -> Option<f64> {
    let positives = truth.iter().filter(|&&t| t).count();
    if positives == 0 {
        return None;
    }
    let mut area = 0.0;
    let mut before = 0;
    for selected in selections(values, truth) {
        let gained = (selected.hits - before) as f64 / positives as f64;
        area += gained * selected.hits as f64 / selected.cells as f64;
        before = selected.hits;
    }
    Some(area)
}

/// The area under the receiver operating characteristic: the probability that a true cell is more
/// salient than another, ties counting half. None without a true cell or without another.
///
/// # Panics
/// When there are fewer flags than values.
pub fn roc_area(values: &[f64], truth: &[bool]) -> Option<f64> {
    let positives = truth.iter().filter(|&&t| t).count();
    let negatives = truth.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut area = 0.0;
    let (mut hits, mut misses) = (0, 0);
    for selected in selections(values, truth) {
        let new_misses = selected.cells - selected.hits - misses;
        area += new_misses as f64 * f64::midpoint(hits as f64, selected.hits as f64);
        hits = selected.hits;
        misses += new_misses;
    }
    Some(area / (positives * negatives) as f64)
}
