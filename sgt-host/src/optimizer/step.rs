//! The optimizer itself: one step over a flat buffer.

use super::update::{Clip, update};
use super::{GradientClipping, OptimizerConfig, OptimizerState};
use crate::network::Parameters;
use crate::{Error, Result};
use rayon::prelude::*;
use std::ops::Range;

/// Values whose squares are summed together: fixed, so that the norm has the same bits for any
/// number of threads.
const NORM_CHUNK: usize = 1 << 14;

/// An update rule with its state for a fixed number of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    config: OptimizerConfig,
    clipping: GradientClipping,
    multiplier: f64,
    parameter_count: usize,
    state: OptimizerState,
}

impl Optimizer {
    /// An optimizer for `parameter_count` values: all of [`Parameters::values`], running
    /// statistics included, or all values of a typed model.
    ///
    /// # Errors
    /// [`Error::Argument`] when a constant of the rule is out of its domain.
    pub fn new(config: OptimizerConfig, parameter_count: usize) -> Result<Self> {
        config.check()?;
        Ok(Self {
            config,
            clipping: GradientClipping::None,
            multiplier: 1.0,
            parameter_count,
            state: OptimizerState::new(&config.slots(), parameter_count),
        })
    }

    /// The same optimizer with every gradient clipped before its step.
    ///
    /// # Errors
    /// [`Error::Argument`] when the bound is not positive and finite.
    pub fn with_clipping(mut self, clipping: GradientClipping) -> Result<Self> {
        clipping.check()?;
        self.clipping = clipping;
        Ok(self)
    }

    /// The rule.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// The number of values a step takes.
    pub fn parameter_count(&self) -> usize {
        self.parameter_count
    }

    /// Sets the factor on the learning rate of the steps to come
    /// ([`LearningRateSchedule::multiplier`](super::LearningRateSchedule::multiplier)).
    pub fn set_multiplier(&mut self, multiplier: f64) {
        self.multiplier = multiplier;
    }

    /// The state, to be saved.
    pub fn state(&self) -> &OptimizerState {
        &self.state
    }

    /// Takes up a saved state: the next step gives the bits it would have given there.
    ///
    /// # Errors
    /// [`Error::Argument`] when the state's buffers are not those of this rule and size; the
    /// optimizer is then unchanged.
    pub fn restore(&mut self, state: OptimizerState) -> Result<()> {
        self.state.check_alike(&state)?;
        self.state = state;
        Ok(())
    }

    /// Updates all `values` with their `gradient`; returns the gradient's L2 norm before
    /// clipping. O(n), no allocation that grows faster than `n / 16384`.
    ///
    /// # Errors
    /// [`Error::Shape`] when a length is not the parameter count; [`Error::Numerical`] when the
    /// gradient is not finite. Neither touches `values` or the state.
    pub fn step(&mut self, values: &mut [f32], gradient: &[f32]) -> Result<f64> {
        let all = 0..values.len();
        self.step_ranges(values, gradient, &[all])
    }

    /// As [`Optimizer::step`], over a model's parameters. Running statistics are left alone and
    /// don't count in the norm.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step_parameters(
        &mut self,
        parameters: &mut Parameters,
        gradient: &[f32],
    ) -> Result<f64> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for entry in parameters.entries().iter().filter(|entry| entry.trainable) {
            match ranges.last_mut() {
                Some(last) if last.end == entry.range.start => last.end = entry.range.end,
                _ => ranges.push(entry.range.clone()),
            }
        }
        self.step_ranges(parameters.values_mut(), gradient, &ranges)
    }

    /// One step over ascending, disjoint `ranges`.
    pub(super) fn step_ranges(
        &mut self,
        values: &mut [f32],
        gradient: &[f32],
        ranges: &[Range<usize>],
    ) -> Result<f64> {
        if values.len() != self.parameter_count || gradient.len() != self.parameter_count {
            return Err(Error::Shape {
                operation: "optimizer step",
                found: format!("[{}] values, [{}] gradients", values.len(), gradient.len()),
                expected: format!("[{}] each", self.parameter_count),
            });
        }
        let squares = ranges
            .iter()
            .map(|range| sum_squares(&gradient[range.clone()]));
        let norm = squares.sum::<f64>().sqrt();
        if !norm.is_finite() {
            let step = self.state.step + 1;
            return Err(Error::Numerical(format!(
                "optimizer step {step}: found a gradient that is not finite, expected finite values"
            )));
        }
        self.state.step += 1;
        let (factor, bound) = self.clipping.factor_and_bound(norm);
        let rate = self.config.learning_rate() * self.multiplier;
        for range in ranges {
            let slots = self.state.slots.iter_mut();
            let slots = slots.map(|slot| &mut slot.values[range.clone()]).collect();
            update(
                &self.config,
                self.state.step,
                rate,
                Clip { factor, bound },
                &mut values[range.clone()],
                &gradient[range.clone()],
                slots,
            );
        }
        Ok(norm)
    }
}

/// `Σ g²` in double precision, in an order that no number of threads changes.
fn sum_squares(gradient: &[f32]) -> f64 {
    const LANES: usize = 8;
    let sum_chunk = |chunk: &[f32]| {
        let mut sums = [0.0_f64; LANES];
        let (groups, rest) = chunk.as_chunks::<LANES>();
        for group in groups {
            for (sum, &g) in sums.iter_mut().zip(group) {
                *sum += f64::from(g) * f64::from(g);
            }
        }
        let rest: f64 = rest.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
        sums.iter().sum::<f64>() + rest
    };
    let sums: Vec<f64> = gradient.par_chunks(NORM_CHUNK).map(sum_chunk).collect();
    sums.iter().sum()
}
