//! The formulas once more, naive and in `f64`: what the core is compared with.
#![allow(dead_code, unreachable_pub)] // every test binary uses its own part

use sgt_core::{End, Group, Importance, Layout, Masking, Order, Reduction, Scope, masked_count};

/// The first `k` of a stable sort by importance, ascending by index.
pub fn selection(importance: &[f32], k: usize, end: End) -> Vec<usize> {
    let mut order: Vec<usize> = (0..importance.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (f64::from(importance[a]), f64::from(importance[b]));
        match end {
            End::Lowest => a.partial_cmp(&b),
            End::Highest => b.partial_cmp(&a),
        }
        .expect("finite importances")
    });
    order.truncate(k);
    order.sort_unstable();
    order
}

/// Position and channel of every value of a sample, in memory order.
pub fn coordinates(layout: &Layout) -> Vec<(usize, usize)> {
    let (positions, channels) = (layout.positions(), layout.channels());
    (0..positions * channels)
        .map(|offset| match layout.order() {
            Order::ChannelsFirst => (offset % positions, offset / positions),
            Order::ChannelsLast => (offset / channels, offset % channels),
        })
        .collect()
}

/// The offsets of every group's values, ascending by channel.
pub fn groups(layout: &Layout) -> Vec<Vec<usize>> {
    let valid = layout.first_valid()..layout.first_valid() + layout.valid();
    let coordinates = coordinates(layout);
    match layout.group() {
        Group::Cell => (0..coordinates.len())
            .filter(|&offset| valid.contains(&coordinates[offset].0))
            .map(|offset| vec![offset])
            .collect(),
        Group::Position => {
            let mut groups = vec![Vec::new(); layout.valid()];
            for (offset, &(position, _)) in coordinates.iter().enumerate() {
                if valid.contains(&position) {
                    groups[position - valid.start].push(offset);
                }
            }
            groups
        }
    }
}

/// Every group's importance, its channels added in index order in `f32`.
pub fn importance(layout: &Layout, kind: Importance, gradient: &[f32]) -> Vec<f32> {
    groups(layout)
        .iter()
        .map(|offsets| {
            let mut sum = 0.0_f32;
            for &offset in offsets {
                sum += gradient[offset];
            }
            if layout.reduction() == Reduction::Mean {
                sum /= offsets.len() as f32;
            }
            match kind {
                Importance::Signed => sum,
                Importance::Absolute => sum.abs(),
            }
        })
        .collect()
}

/// The groups that a masking call must replace, in the order it must return them.
pub fn masked_groups(masking: &Masking, gradient: &[f32]) -> Vec<usize> {
    let layout = &masking.layout;
    let importance = importance(layout, masking.importance, gradient);
    let share = |groups| masked_count(masking.fraction, groups).expect("a fraction in [0, 1]");
    match masking.scope {
        Scope::Sample => selection(&importance, share(importance.len()), masking.end),
        Scope::PerStep => {
            let groups = groups(layout);
            let coordinates = coordinates(layout);
            let mut selected = Vec::new();
            for step in layout.first_valid()..layout.first_valid() + layout.valid() {
                let cells: Vec<usize> = (0..groups.len())
                    .filter(|&group| coordinates[groups[group][0]].0 == step)
                    .collect();
                let values: Vec<f32> = cells.iter().map(|&cell| importance[cell]).collect();
                let chosen = selection(&values, share(cells.len()), masking.end);
                selected.extend(chosen.into_iter().map(|place| cells[place]));
            }
            selected
        }
    }
}

/// The values of a channel at valid positions.
pub fn channel(layout: &Layout, sample: &[f32], channel: usize) -> Vec<f32> {
    let valid = layout.first_valid()..layout.first_valid() + layout.valid();
    let places = coordinates(layout).into_iter().zip(sample);
    places
        .filter(|((position, of), _)| *of == channel && valid.contains(position))
        .map(|(_, &value)| value)
        .collect()
}

/// The position whose values `previous-salient` puts at the masked position `masked`.
pub fn previous_salient(masked_positions: &[usize], positions: usize, masked: usize) -> usize {
    let kept = |position: &usize| !masked_positions.contains(position);
    (0..masked)
        .rev()
        .find(kept)
        .or_else(|| (0..positions).find(kept))
        .expect("a kept position")
}

/// `f64` copies.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// `log Σ exp(z)`.
pub fn log_sum_exp(logits: &[f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    largest + sum.ln()
}

/// `z_i − log Σ exp(z)`.
pub fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let normalizer = log_sum_exp(logits);
    logits.iter().map(|logit| logit - normalizer).collect()
}

/// `−log softmax(z)_y`.
pub fn cross_entropy(logits: &[f64], label: usize) -> f64 {
    -log_softmax(logits)[label]
}

/// `Σ p (log p − log q)`.
pub fn kl_divergence(p_logits: &[f64], q_logits: &[f64]) -> f64 {
    let (log_p, log_q) = (log_softmax(p_logits), log_softmax(q_logits));
    let terms = log_p.iter().zip(&log_q);
    terms.map(|(p, q)| p.exp() * (p - q)).sum()
}

/// Central differences of `f` at `x`.
pub fn gradient(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut moved = x.to_vec();
    (0..x.len())
        .map(|index| {
            moved[index] = x[index] + STEP;
            let above = f(&moved);
            moved[index] = x[index] - STEP;
            let below = f(&moved);
            moved[index] = x[index];
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

/// `√Σ(a − b)²`.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b);
    squares
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// The bits, for comparisons that tell `-0.0` from `0.0` and let NaN equal itself.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
