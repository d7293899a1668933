//! The element-wise update rules.

#![allow(
    clippy::inline_always,
    reason = "a rule must be inlined into the dispatch to be compiled for each instruction set"
)]

use super::config::{Adadelta, Adam, OptimizerConfig, RmsProp, Sgd};
use crate::instructions;
use rayon::prelude::*;

/// Values a task updates: enough to hide the cost of a task, small enough for the cache.
const CHUNK: usize = 1 << 14;

/// What turns a raw gradient value into the one the rule sees.
#[derive(Clone, Copy)]
pub(super) struct Clip {
    pub(super) factor: f32,
    pub(super) bound: f32,
}

impl Clip {
    #[inline(always)]
    fn apply(self, gradient: f32) -> f32 {
        // Not `clamp`: a bound of infinity must pass every value, and the norm was checked.
        (gradient * self.factor).min(self.bound).max(-self.bound)
    }
}

/// Updates `values` (a contiguous trainable range) at step number `step` (from 1) with the
/// learning rate `rate`. `slots` are the same range of the rule's buffers.
pub(super) fn update(
    config: &OptimizerConfig,
    step: u64,
    rate: f64,
    clip: Clip,
    values: &mut [f32],
    gradient: &[f32],
    slots: Vec<&mut [f32]>,
) {
    let tasks = chunks(values, gradient, slots);
    tasks.into_par_iter().for_each(|(values, gradient, slots)| {
        instructions::current().dispatch(
            #[inline(always)]
            || match config {
                OptimizerConfig::Sgd(rule) => sgd(rule, rate, clip, values, gradient, slots),
                OptimizerConfig::Adam(rule) => {
                    adam(rule, step, rate, clip, values, gradient, slots);
                }
                OptimizerConfig::RmsProp(rule) => {
                    rms_prop(rule, rate, clip, values, gradient, slots);
                }
                OptimizerConfig::Adadelta(rule) => {
                    adadelta(rule, rate, clip, values, gradient, slots);
                }
            },
        );
    });
}

type Task<'a> = (&'a mut [f32], &'a [f32], Vec<&'a mut [f32]>);

/// Cuts all slices at the same places.
fn chunks<'a>(
    mut values: &'a mut [f32],
    gradient: &'a [f32],
    mut slots: Vec<&'a mut [f32]>,
) -> Vec<Task<'a>> {
    let mut tasks = Vec::with_capacity(values.len().div_ceil(CHUNK));
    for gradient in gradient.chunks(CHUNK) {
        let (head, tail) = values.split_at_mut(gradient.len());
        values = tail;
        let mut heads = Vec::with_capacity(slots.len());
        for slot in &mut slots {
            let (head, tail) = std::mem::take(slot).split_at_mut(gradient.len());
            *slot = tail;
            heads.push(head);
        }
        tasks.push((head, gradient, heads));
    }
    tasks
}

#[inline(always)]
fn sgd(
    rule: &Sgd,
    rate: f64,
    clip: Clip,
    values: &mut [f32],
    gradient: &[f32],
    mut slots: Vec<&mut [f32]>,
) {
    let (rate, momentum, decay) = (rate as f32, rule.momentum as f32, rule.weight_decay as f32);
    let pairs = values.iter_mut().zip(gradient);
    let Some(velocity) = slots.pop() else {
        for (value, &g) in pairs {
            *value -= rate * (clip.apply(g) + decay * *value);
        }
        return;
    };
    if rule.nesterov {
        for ((value, &g), velocity) in pairs.zip(velocity) {
            let g = clip.apply(g) + decay * *value;
            *velocity = momentum * *velocity + g;
            *value -= rate * (g + momentum * *velocity);
        }
    } else {
        for ((value, &g), velocity) in pairs.zip(velocity) {
            let g = clip.apply(g) + decay * *value;
            *velocity = momentum * *velocity + g;
            *value -= rate * *velocity;
        }
    }
}

#[inline(always)]
fn adam(
    rule: &Adam,
    step: u64,
    rate: f64,
    clip: Clip,
    values: &mut [f32],
    gradient: &[f32],
    mut slots: Vec<&mut [f32]>,
) {
    let [beta1, beta2] = rule.betas;
    let step = i32::try_from(step).unwrap_or(i32::MAX);
    let step_size = (rate / (1.0 - beta1.powi(step))) as f32;
    let root_correction = (1.0 - beta2.powi(step)).sqrt() as f32;
    let (keep, penalty) = if rule.decoupled {
        ((1.0 - rate * rule.weight_decay) as f32, 0.0)
    } else {
        (1.0, rule.weight_decay as f32)
    };
    let (new1, new2) = ((1.0 - beta1) as f32, (1.0 - beta2) as f32);
    let (beta2, epsilon) = (beta2 as f32, rule.epsilon as f32);
    let (Some(second), Some(first)) = (slots.pop(), slots.pop()) else {
        return;
    };
    let pairs = values.iter_mut().zip(gradient);
    for (((value, &g), first), second) in pairs.zip(first).zip(second) {
        let g = clip.apply(g) + penalty * *value;
        *first += new1 * (g - *first);
        *second = beta2 * *second + new2 * (g * g);
        let denominator = second.sqrt() / root_correction + epsilon;
        *value = keep * *value - step_size * (*first / denominator);
    }
}

#[inline(always)]
fn rms_prop(
    rule: &RmsProp,
    rate: f64,
    clip: Clip,
    values: &mut [f32],
    gradient: &[f32],
    slots: Vec<&mut [f32]>,
) {
    let (rate, alpha, new) = (rate as f32, rule.alpha as f32, (1.0 - rule.alpha) as f32);
    let (epsilon, decay) = (rule.epsilon as f32, rule.weight_decay as f32);
    let momentum = rule.momentum as f32;
    let mut slots = slots.into_iter();
    let Some(square) = slots.next() else { return };
    let mut average = rule.centered.then(|| slots.next()).flatten();
    let mut velocity = slots.next();
    for (index, (value, &g)) in values.iter_mut().zip(gradient).enumerate() {
        let g = clip.apply(g) + decay * *value;
        let square = &mut square[index];
        *square = alpha * *square + new * (g * g);
        let mut variance = *square;
        if let Some(average) = &mut average {
            let average = &mut average[index];
            *average += new * (g - *average);
            variance -= *average * *average;
        }
        let mut update = g / (variance.sqrt() + epsilon);
        if let Some(velocity) = &mut velocity {
            let velocity = &mut velocity[index];
            *velocity = momentum * *velocity + update;
            update = *velocity;
        }
        *value -= rate * update;
    }
}

#[inline(always)]
fn adadelta(
    rule: &Adadelta,
    rate: f64,
    clip: Clip,
    values: &mut [f32],
    gradient: &[f32],
    mut slots: Vec<&mut [f32]>,
) {
    let (rate, rho, new) = (rate as f32, rule.rho as f32, (1.0 - rule.rho) as f32);
    let (epsilon, decay) = (rule.epsilon as f32, rule.weight_decay as f32);
    let (Some(square_update), Some(square)) = (slots.pop(), slots.pop()) else {
        return;
    };
    let pairs = values.iter_mut().zip(gradient);
    for (((value, &g), square), square_update) in pairs.zip(square).zip(square_update) {
        let g = clip.apply(g) + decay * *value;
        *square = rho * *square + new * (g * g);
        let update = (*square_update + epsilon).sqrt() / (*square + epsilon).sqrt() * g;
        *square_update = rho * *square_update + new * (update * update);
        *value -= rate * update;
    }
}
