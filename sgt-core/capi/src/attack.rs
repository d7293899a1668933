//! Attack steps.

use crate::memory::{structure, structure_mut, values, values_mut};
use crate::random::SgtRandom;
use crate::status::{SgtStatus, status};
use sgt_core::{Ball, Bounds, Goal, MomentumScale, Norm, Threat};

/// The largest change of a value is bounded.
pub const SGT_NORM_LINF: u8 = 0;
/// The root of the changes' squares is.
pub const SGT_NORM_L2: u8 = 1;
/// Away from the true class.
pub const SGT_GOAL_UNTARGETED: u8 = 0;
/// Towards a chosen class.
pub const SGT_GOAL_TARGETED: u8 = 1;
/// Gradients over the mean of their magnitudes: torchattacks.
pub const SGT_MOMENTUM_MEAN_ABSOLUTE: u8 = 0;
/// Over the sum of their magnitudes: the paper.
pub const SGT_MOMENTUM_L1: u8 = 1;

/// What an attacker may do.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtThreat {
    /// `SGT_NORM_…`
    pub norm: u8,
    /// `SGT_GOAL_…`
    pub goal: u8,
    /// The radius, in input units.
    pub epsilon: f32,
    /// The smallest valid input; may be minus infinity.
    pub low: f32,
    /// The largest.
    pub high: f32,
}

impl SgtThreat {
    fn threat(&self) -> Result<Threat, SgtStatus> {
        Ok(Threat {
            ball: Ball {
                norm: match self.norm {
                    SGT_NORM_LINF => Norm::Linf,
                    SGT_NORM_L2 => Norm::L2,
                    _ => return Err(SgtStatus::Constant),
                },
                epsilon: self.epsilon,
            },
            bounds: Bounds {
                low: self.low,
                high: self.high,
            },
            goal: match self.goal {
                SGT_GOAL_UNTARGETED => Goal::Untargeted,
                SGT_GOAL_TARGETED => Goal::Targeted,
                _ => return Err(SgtStatus::Constant),
            },
        })
    }
}

/// `out = x + epsilon · sign gradient`, clipped to the bounds. All have `len` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_fgsm(
    threat: *const SgtThreat,
    x: *const f32,
    gradient: *const f32,
    len: usize,
    out: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (threat, x, gradient, out) = unsafe {
            (
                structure(threat)?,
                values(x, len)?,
                values(gradient, len)?,
                values_mut(out, len)?,
            )
        };
        Ok(sgt_core::fgsm(&threat.threat()?, x, gradient, out)?)
    })
}

/// One step of PGD of size `alpha` from `x`, back into the ball around `origin` and the bounds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_pgd_step(
    threat: *const SgtThreat,
    origin: *const f32,
    gradient: *const f32,
    len: usize,
    alpha: f32,
    x: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (threat, origin, gradient, x) = unsafe {
            (
                structure(threat)?,
                values(origin, len)?,
                values(gradient, len)?,
                values_mut(x, len)?,
            )
        };
        let threat = threat.threat()?;
        Ok(sgt_core::pgd_step(&threat, origin, gradient, alpha, x)?)
    })
}

/// One step of MI-FGSM; `momentum` has `len` values, zeros in front of the first step; `scale` is one
/// of `SGT_MOMENTUM_…`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_mi_fgsm_step(
    threat: *const SgtThreat,
    origin: *const f32,
    gradient: *const f32,
    len: usize,
    alpha: f32,
    decay: f32,
    scale: u8,
    momentum: *mut f32,
    x: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (threat, origin, gradient, momentum, x) = unsafe {
            (
                structure(threat)?,
                values(origin, len)?,
                values(gradient, len)?,
                values_mut(momentum, len)?,
                values_mut(x, len)?,
            )
        };
        let scale = match scale {
            SGT_MOMENTUM_MEAN_ABSOLUTE => MomentumScale::MeanAbsolute,
            SGT_MOMENTUM_L1 => MomentumScale::L1,
            _ => return Err(SgtStatus::Constant),
        };
        let threat = threat.threat()?;
        Ok(sgt_core::mi_fgsm_step(
            &threat, origin, gradient, alpha, decay, scale, momentum, x,
        )?)
    })
}

/// Moves `x` into the ball around `origin` and the bounds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_project(
    threat: *const SgtThreat,
    origin: *const f32,
    len: usize,
    x: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (threat, origin, x) = unsafe {
            (
                structure(threat)?,
                values(origin, len)?,
                values_mut(x, len)?,
            )
        };
        Ok(sgt_core::project(&threat.threat()?, origin, x)?)
    })
}

/// A random point of the ball around `origin` within the bounds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_random_start(
    threat: *const SgtThreat,
    origin: *const f32,
    len: usize,
    random: *mut SgtRandom,
    out: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (threat, origin, random, out) = unsafe {
            (
                structure(threat)?,
                values(origin, len)?,
                structure_mut(random)?,
                values_mut(out, len)?,
            )
        };
        let threat = threat.threat()?;
        Ok(random.with(|generator| sgt_core::random_start(&threat, origin, generator, out))?)
    })
}

/// `origin` with noise of the ball's radius, within the bounds: an attack's control.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_random_noise(
    threat: *const SgtThreat,
    origin: *const f32,
    len: usize,
    random: *mut SgtRandom,
    out: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (threat, origin, random, out) = unsafe {
            (
                structure(threat)?,
                values(origin, len)?,
                structure_mut(random)?,
                values_mut(out, len)?,
            )
        };
        let threat = threat.threat()?;
        Ok(random.with(|generator| sgt_core::random_noise(&threat, origin, generator, out))?)
    })
}
