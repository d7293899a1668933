//! Masks a batch sample by sample with the core's one call.

use super::{Purpose, derive_seed};
use crate::config::MaskingConfig;
use crate::masking::mask_sample;
use crate::network::InputShape;
use crate::{Error, Result};
use rayon::prelude::*;
use sgt_core::{Donors, End, Group, Masking, Pcg32, Policy, Scope, adaptive_fraction};
use std::ops::Range;

/// The batch to mask and what is known of its samples.
#[derive(Clone, Copy)]
pub(super) struct Maskable<'b> {
    /// `[batch, input]`.
    pub(super) x: &'b [f32],
    /// The saliency, of the same shape.
    pub(super) gradient: &'b [f32],
    /// The real steps of each sample; none without padding.
    pub(super) valid: &'b [Range<usize>],
    /// The true class's probability of each sample.
    pub(super) confidence: &'b [f32],
    /// The samples' places in the data set: their seeds.
    pub(super) places: &'b [usize],
}

/// A masking rule for batches of one input shape.
#[derive(Clone, Debug)]
pub(super) struct BatchMasking {
    rule: Masking,
    hard_fraction: Option<f32>,
    seed: u64,
}

impl BatchMasking {
    /// The rule of `config` for samples of shape `input`.
    ///
    /// # Errors
    /// [`Error::Argument`] when a group, scope or policy has no meaning for the shape.
    pub(super) fn new(config: &MaskingConfig, input: InputShape, seed: u64) -> Result<Self> {
        let layout = input.layout(config.group)?;
        let rule = Masking {
            layout,
            importance: config.importance,
            scope: config.scope,
            end: End::Lowest,
            fraction: 0.0,
            policy: config.policy,
        };
        let refuse = |key: &str, found: &str, expected: &str| {
            Err(Error::Argument {
                argument: format!("masking.{key}"),
                found: found.into(),
                expected: expected.into(),
            })
        };
        if config.scope == Scope::PerStep && layout.group() != Group::Cell {
            return refuse(
                "scope",
                "per-step",
                "sample, or the groups of a series' cells",
            );
        }
        if config.policy == Policy::PreviousSalient && layout.group() == Group::Cell {
            return refuse(
                "policy",
                "previous-salient",
                "groups that are whole positions",
            );
        }
        Ok(Self {
            rule,
            hard_fraction: config.hard_fraction,
            seed,
        })
    }

    /// Writes the masked batch into `out` and returns the share of groups that was replaced,
    /// summed over the samples.
    ///
    /// Samples are masked in parallel, each with a generator of its own whose seed depends on
    /// the run, the epoch and the sample's place in the data set alone.
    ///
    /// # Errors
    /// [`Error::Numerical`] for a saliency that is not finite; [`Error::Core`].
    pub(super) fn mask(
        &self,
        batch: Maskable<'_>,
        fraction: f32,
        epoch: usize,
        out: &mut [f32],
    ) -> Result<f64> {
        let size = self.rule.layout.sample_len();
        if self.rule.policy == Policy::Permute && batch.places.len() == 1 {
            // Nobody to take values from: an epoch's last batch may be a single sample.
            out.copy_from_slice(batch.x);
            return Ok(0.0);
        }
        let samples = out.par_chunks_exact_mut(size).enumerate();
        let shares = samples.map_init(
            || vec![0_u32; size],
            |scratch, (own, out)| {
                let mut rule = self.rule;
                rule.fraction = match self.hard_fraction {
                    None => fraction,
                    Some(hard) => adaptive_fraction(hard, fraction, batch.confidence[own])?,
                };
                if let Some(valid) = batch.valid.get(own)
                    && valid.len() < rule.layout.positions()
                {
                    rule.layout = rule.layout.with_valid(valid.start, valid.len())?;
                }
                let place = [epoch as u64, batch.places[own] as u64];
                let seed = derive_seed(self.seed, Purpose::Masking, place);
                let replaced = mask_sample(
                    &rule,
                    &batch.gradient[own * size..][..size],
                    &batch.x[own * size..][..size],
                    Some(Donors {
                        batch: batch.x,
                        own,
                    }),
                    &mut Pcg32::new(seed, 0),
                    scratch,
                    out,
                )?;
                Ok(replaced.count() as f64 / rule.layout.groups() as f64)
            },
        );
        let shares: Vec<f64> = shares.collect::<Result<_, _>>().map_err(mask_error)?;
        Ok(shares.iter().sum())
    }
}

/// The core refuses a gradient that is not finite: the run diverged.
fn mask_error(refusal: sgt_core::Error) -> Error {
    match refusal {
        sgt_core::Error::NonFinite {
            argument: "gradient",
            ..
        } => Error::Numerical("the saliency became NaN or infinite".into()),
        refusal => refusal.into(),
    }
}
