//! Rank, select, replace.

use crate::memory::{structure, structure_mut, values, values_mut};
use crate::random::SgtRandom;
use crate::status::{SgtStatus, status};
use sgt_core::{Donors, End, Group, Importance, Layout, Masking, Order, Policy, Reduction, Scope};

// The header's `SGT_ORDER_…` are the core's own.
pub(crate) const SGT_ORDER_CHANNELS_LAST: u8 = Order::ChannelsLast as u8;

/// All channels of a position are ranked and replaced together.
pub const SGT_GROUP_POSITION: u8 = 0;
/// Each value for itself.
pub const SGT_GROUP_CELL: u8 = 1;
/// The mean of a group's gradients ranks it.
pub const SGT_REDUCTION_MEAN: u8 = 0;
/// Their sum.
pub const SGT_REDUCTION_SUM: u8 = 1;
/// The gradient itself: the most negative are the least important.
pub const SGT_IMPORTANCE_SIGNED: u8 = 0;
/// Its magnitude.
pub const SGT_IMPORTANCE_ABSOLUTE: u8 = 1;
/// All groups of the sample compete.
pub const SGT_SCOPE_SAMPLE: u8 = 0;
/// The cells of each step among themselves.
pub const SGT_SCOPE_PER_STEP: u8 = 1;
/// The least important are replaced.
pub const SGT_END_LOWEST: u8 = 0;
/// The most important.
pub const SGT_END_HIGHEST: u8 = 1;
/// Uniform in the channel's range.
pub const SGT_POLICY_UNIFORM: u8 = 0;
/// Zero.
pub const SGT_POLICY_ZERO: u8 = 1;
/// `policy_values[0]`.
pub const SGT_POLICY_CONSTANT: u8 = 2;
/// The channel's mean.
pub const SGT_POLICY_MEAN: u8 = 3;
/// Normal with the mean `policy_values[0]` and the deviation `policy_values[1]`.
pub const SGT_POLICY_GAUSSIAN: u8 = 4;
/// The channel's value at the first position.
pub const SGT_POLICY_BACKGROUND: u8 = 5;
/// The same feature of another sample of the batch.
pub const SGT_POLICY_PERMUTE: u8 = 6;
/// The nearest previous position that is kept.
pub const SGT_POLICY_PREVIOUS_SALIENT: u8 = 7;

/// Everything that decides how a sample is masked. Begin with `sgt_masking_reference`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtMasking {
    /// Positions of a sample: time steps.
    pub positions: usize,
    /// Values at each.
    pub channels: usize,
    /// The first position that is no padding.
    pub first_valid: usize,
    /// How many are not; 0 for all behind the first.
    pub valid: usize,
    /// `SGT_ORDER_…`
    pub order: u8,
    /// `SGT_GROUP_…`
    pub group: u8,
    /// `SGT_REDUCTION_…`
    pub reduction: u8,
    /// `SGT_IMPORTANCE_…`
    pub importance: u8,
    /// `SGT_SCOPE_…`
    pub scope: u8,
    /// `SGT_END_…`
    pub end: u8,
    /// `SGT_POLICY_…`
    pub policy: u8,
    /// The share of groups to replace, in [0, 1].
    pub fraction: f32,
    /// What the policy needs.
    pub policy_values: [f32; 2],
}

/// One of two values of a constant.
fn choose<T>(constant: u8, [first, second]: [T; 2]) -> Result<T, SgtStatus> {
    match constant {
        0 => Ok(first),
        1 => Ok(second),
        _ => Err(SgtStatus::Constant),
    }
}

impl SgtMasking {
    pub(crate) fn masking(&self) -> Result<Masking, SgtStatus> {
        let order = choose(self.order, [Order::ChannelsFirst, Order::ChannelsLast])?;
        let group = choose(self.group, [Group::Position, Group::Cell])?;
        let reduction = choose(self.reduction, [Reduction::Mean, Reduction::Sum])?;
        let mut layout = Layout::new(self.positions, self.channels, order, group, reduction)?;
        if self.first_valid != 0 || self.valid != 0 {
            let valid = match self.valid {
                0 => self.positions.saturating_sub(self.first_valid),
                valid => valid,
            };
            layout = layout.with_valid(self.first_valid, valid)?;
        }
        let [first, second] = self.policy_values;
        Ok(Masking {
            layout,
            importance: choose(self.importance, [Importance::Signed, Importance::Absolute])?,
            scope: choose(self.scope, [Scope::Sample, Scope::PerStep])?,
            end: choose(self.end, [End::Lowest, End::Highest])?,
            fraction: self.fraction,
            policy: match self.policy {
                SGT_POLICY_UNIFORM => Policy::Uniform,
                SGT_POLICY_ZERO => Policy::Zero,
                SGT_POLICY_CONSTANT => Policy::Constant(first),
                SGT_POLICY_MEAN => Policy::Mean,
                SGT_POLICY_GAUSSIAN => Policy::Gaussian {
                    mean: first,
                    std: second,
                },
                SGT_POLICY_BACKGROUND => Policy::Background,
                SGT_POLICY_PERMUTE => Policy::Permute,
                SGT_POLICY_PREVIOUS_SALIENT => Policy::PreviousSalient,
                _ => return Err(SgtStatus::Constant),
            },
        })
    }
}

/// The published method for series `[positions, channels]`: signed ranking of all cells, half of
/// them, uniform.
#[unsafe(no_mangle)]
pub extern "C" fn sgt_masking_reference(positions: usize, channels: usize) -> SgtMasking {
    SgtMasking {
        positions,
        channels,
        first_valid: 0,
        valid: 0,
        order: SGT_ORDER_CHANNELS_LAST,
        group: SGT_GROUP_CELL,
        reduction: SGT_REDUCTION_MEAN,
        importance: SGT_IMPORTANCE_SIGNED,
        scope: SGT_SCOPE_SAMPLE,
        end: SGT_END_LOWEST,
        policy: SGT_POLICY_UNIFORM,
        fraction: 0.5,
        policy_values: [0.0; 2],
    }
}

/// Writes how many groups a call replaces: the values that `indices` must hold.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_masked_count(
    masking: *const SgtMasking,
    count: *mut usize,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (masking, count) = unsafe { (structure(masking)?, structure_mut(count)?) };
        *count = masking.masking()?.selected()?;
        Ok(())
    })
}

/// Ranks the groups of one sample by `gradient` and copies it to `out` with the selected groups
/// replaced; `gradient`, `sample` and `out` have `len` values, positions times channels. Writes the
/// replaced groups' numbers to the first of the `indices_len` `indices` (`sgt_masked_count`).
///
/// `batch` holds `batch_len` values of whole samples, of which this is number `own`; only
/// `SGT_POLICY_PERMUTE` reads it, others take a null pointer and 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_mask_sample(
    masking: *const SgtMasking,
    gradient: *const f32,
    sample: *const f32,
    len: usize,
    batch: *const f32,
    batch_len: usize,
    own: usize,
    random: *mut SgtRandom,
    indices: *mut u16,
    indices_len: usize,
    out: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (masking, gradient, sample, batch, random, indices, out) = unsafe {
            (
                structure(masking)?,
                values(gradient, len)?,
                values(sample, len)?,
                values(batch, batch_len)?,
                structure_mut(random)?,
                values_mut(indices, indices_len)?,
                values_mut(out, len)?,
            )
        };
        let masking = masking.masking()?;
        let donors = (batch_len > 0).then_some(Donors { batch, own });
        random.with(|generator| {
            sgt_core::mask_sample_small(&masking, gradient, sample, donors, generator, indices, out)
                .map(|_| ())
        })?;
        Ok(())
    })
}
