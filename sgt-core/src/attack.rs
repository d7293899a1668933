//! Attack steps: one gradient in, one perturbed sample out.
//!
//! The caller computes `∇_x CE(f(x), y)` in input units (before any normalisation) between steps.
//! [`Goal::Untargeted`] ascends the loss of the true label, [`Goal::Targeted`] descends the loss
//! of a chosen one. Every step ends inside the ε-ball around the original sample and inside the
//! data's bounds, to within one rounding; with ε = 0 and a sample inside the bounds it is the
//! identity. A sample outside its bounds is clipped into them first, whatever ε.

use crate::rng::Random;
use crate::{Error, math};

/// The norm of the ε-ball.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Norm {
    /// `max|δ_i| ≤ ε`.
    #[default]
    Linf,
    /// `√Σδ_i² ≤ ε`.
    L2,
}

/// `{x + δ : ‖δ‖ ≤ ε}`, in input units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ball {
    /// The norm.
    pub norm: Norm,
    /// The radius, not negative.
    pub epsilon: f32,
}

/// The range of valid input values; it belongs to the data. May be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub struct Bounds {
    /// The smallest valid value.
    pub low: f32,
    /// The largest valid value.
    pub high: f32,
}

impl Bounds {
    /// `[0, 1]`: images.
    pub const UNIT: Self = Self {
        low: 0.0,
        high: 1.0,
    };
    /// All numbers: standardised sensor values.
    pub const NONE: Self = Self {
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
    };
}

/// What the attacker wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Goal {
    /// Any wrong class: ascend the true label's loss.
    #[default]
    Untargeted,
    /// A chosen class: descend its loss.
    Targeted,
}

impl Goal {
    fn direction(self) -> f32 {
        match self {
            Self::Untargeted => 1.0,
            Self::Targeted => -1.0,
        }
    }
}

/// How MI-FGSM scales a gradient before adding it to the momentum. The step's sign is the same
/// for a momentum that starts at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum MomentumScale {
    /// `∇ / mean|∇|`: torchattacks.
    #[default]
    MeanAbsolute,
    /// `∇ / Σ|∇|`: the paper's `‖∇‖₁`.
    L1,
}

/// What every step knows: the ball, the bounds and the goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threat {
    /// Allowed perturbations.
    pub ball: Ball,
    /// Valid inputs.
    pub bounds: Bounds,
    /// Untargeted or targeted.
    pub goal: Goal,
}

impl Threat {
    /// An untargeted `L∞` threat.
    pub const fn linf(epsilon: f32, bounds: Bounds) -> Self {
        Self {
            ball: Ball {
                norm: Norm::Linf,
                epsilon,
            },
            bounds,
            goal: Goal::Untargeted,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let epsilon = self.ball.epsilon;
        if !math::is_finite(epsilon) || epsilon < 0.0 {
            return Err(Error::Range {
                argument: "epsilon",
            });
        }
        let Bounds { low, high } = self.bounds;
        if low <= high && low < f32::INFINITY && high > f32::NEG_INFINITY {
            Ok(())
        } else {
            Err(Error::Range { argument: "bounds" })
        }
    }
}

/// FGSM: `out = clip(x + ε · sign ∇)`, and for `L2` `x + ε · ∇/‖∇‖₂`.
///
/// # Errors
/// [`Error::Empty`], [`Error::Length`], [`Error::NonFinite`] for the gradient or the sample,
/// [`Error::Range`] for ε or the bounds; the output is untouched then.
///
/// Source: Goodfellow et al., "Explaining and Harnessing Adversarial Examples", 2015. (The
/// sources that print a minus sign describe the targeted form.)
///
/// ```
/// use sgt_core::{Bounds, Threat, fgsm};
/// let threat = Threat::linf(0.25, Bounds::UNIT);
/// let mut adversarial = [0.0; 3];
/// fgsm(&threat, &[0.5, 0.9, 0.0], &[1.0, 2.0, -3.0], &mut adversarial)?;
/// assert_eq!(adversarial, [0.75, 1.0, 0.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn fgsm(threat: &Threat, x: &[f32], gradient: &[f32], out: &mut [f32]) -> Result<(), Error> {
    check_step(threat, ("x", x), gradient, ("out", out))?;
    copy(x, out);
    step_checked(threat, x, gradient, threat.ball.epsilon, out);
    Ok(())
}

/// One PGD step: `x ← Π(x + α · sign ∇)`, and for `L2` `x + α · ∇/‖∇‖₂`; Π projects onto the ball
/// around `origin` and the bounds. A zero gradient leaves `x` where it is.
///
/// # Errors
/// As [`fgsm`], and [`Error::Range`] for an α that is negative or not finite; `x` is untouched
/// then.
///
/// Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018.
pub fn pgd_step(
    threat: &Threat,
    origin: &[f32],
    gradient: &[f32],
    alpha: f32,
    x: &mut [f32],
) -> Result<(), Error> {
    check_step(threat, ("origin", origin), gradient, ("x", x))?;
    check_alpha(alpha)?;
    math::check_finite("x", x)?;
    step_checked(threat, origin, gradient, alpha, x);
    Ok(())
}

/// One MI-FGSM step: `g ← μ·g + ∇/mean|∇|`, then [`pgd_step`] along `g`.
///
/// `momentum` is `g`: zero before the first step, the sample's length. With a zero gradient
/// nothing is added to it.
///
/// # Errors
/// As [`pgd_step`], and [`Error::Range`] for a decay μ that is negative or not finite; `x` and
/// `momentum` are untouched then.
///
/// Source: Dong et al., "Boosting Adversarial Attacks with Momentum", 2018.
#[allow(clippy::too_many_arguments)] // the formula's symbols, one each
pub fn mi_fgsm_step(
    threat: &Threat,
    origin: &[f32],
    gradient: &[f32],
    alpha: f32,
    decay: f32,
    scale: MomentumScale,
    momentum: &mut [f32],
    x: &mut [f32],
) -> Result<(), Error> {
    check_step(threat, ("origin", origin), gradient, ("x", x))?;
    check_alpha(alpha)?;
    math::check_finite("x", x)?;
    if !math::is_finite(decay) || decay < 0.0 {
        return Err(Error::Range { argument: "decay" });
    }
    math::check_length("momentum", origin.len(), momentum.len())?;
    math::check_finite("momentum", momentum)?;
    // Scaled by the largest magnitude first, so that the sum cannot overflow.
    let mut largest = 0.0;
    for value in gradient {
        largest = math::max(largest, value.abs());
    }
    let mut share = 0.0;
    if largest > 0.0 {
        for value in gradient {
            share += value.abs() / largest;
        }
        if scale == MomentumScale::MeanAbsolute {
            share /= gradient.len() as f32;
        }
    }
    for (slot, &value) in momentum.iter_mut().zip(gradient) {
        let scaled = if largest > 0.0 {
            value / largest / share
        } else {
            0.0
        };
        // A decay above 1 grows without end; what overflows would have no direction left.
        *slot = math::min(math::max(decay * *slot + scaled, f32::MIN), f32::MAX);
    }
    step_checked(threat, origin, momentum, alpha, x);
    Ok(())
}

/// Projects `x` onto the ball around `origin`, then onto the bounds.
///
/// # Errors
/// As [`fgsm`]; `x` is untouched then.
pub fn project(threat: &Threat, origin: &[f32], x: &mut [f32]) -> Result<(), Error> {
    check_start(threat, ("origin", origin), ("x", x))?;
    math::check_finite("x", x)?;
    project_checked(threat, origin, x);
    Ok(())
}

/// A random start for PGD. `L∞`: uniform in the box. `L2`: a uniform direction at a uniform
/// share of ε (torchattacks' choice, denser near the centre than a uniform ball).
///
/// # Errors
/// As [`fgsm`]; `out` is untouched then.
pub fn random_start<R: Random>(
    threat: &Threat,
    origin: &[f32],
    rng: &mut R,
    out: &mut [f32],
) -> Result<(), Error> {
    check_start(threat, ("origin", origin), ("out", out))?;
    match threat.ball.norm {
        Norm::Linf => {
            for (slot, &value) in out.iter_mut().zip(origin) {
                *slot = value + threat.ball.epsilon * (2.0 * rng.unit() - 1.0);
            }
        }
        Norm::L2 => {
            let share = rng.unit();
            random_direction(origin, threat.ball.epsilon * share, rng, out);
        }
    }
    project_checked(threat, origin, out);
    Ok(())
}

/// The control that an attack must beat: noise of the full norm. `L∞`: every value moves by ±ε;
/// `L2`: a uniform direction of length ε.
///
/// # Errors
/// As [`fgsm`]; `out` is untouched then.
pub fn random_noise<R: Random>(
    threat: &Threat,
    origin: &[f32],
    rng: &mut R,
    out: &mut [f32],
) -> Result<(), Error> {
    check_start(threat, ("origin", origin), ("out", out))?;
    match threat.ball.norm {
        Norm::Linf => {
            for (slot, &value) in out.iter_mut().zip(origin) {
                let up = rng.next_u32() >> 31 == 1;
                let epsilon = threat.ball.epsilon;
                *slot = value + if up { epsilon } else { -epsilon };
            }
        }
        Norm::L2 => random_direction(origin, threat.ball.epsilon, rng, out),
    }
    project_checked(threat, origin, out);
    Ok(())
}

/// An argument and its name.
type Named<'v> = (&'static str, &'v [f32]);

fn check_step(
    threat: &Threat,
    origin: Named<'_>,
    gradient: &[f32],
    moved: Named<'_>,
) -> Result<(), Error> {
    check_start(threat, origin, moved)?;
    math::check_length("gradient", origin.1.len(), gradient.len())?;
    math::check_finite("gradient", gradient)
}

fn check_start(threat: &Threat, origin: Named<'_>, moved: Named<'_>) -> Result<(), Error> {
    threat.check()?;
    let (argument, values) = origin;
    if values.is_empty() {
        return Err(Error::Empty { argument });
    }
    math::check_length(moved.0, values.len(), moved.1.len())?;
    math::check_finite(argument, values)
}

fn check_alpha(alpha: f32) -> Result<(), Error> {
    if math::is_finite(alpha) && alpha >= 0.0 {
        Ok(())
    } else {
        Err(Error::Range { argument: "alpha" })
    }
}

fn copy(from: &[f32], to: &mut [f32]) {
    for (slot, &value) in to.iter_mut().zip(from) {
        *slot = value;
    }
}

fn step_checked(threat: &Threat, origin: &[f32], gradient: &[f32], alpha: f32, x: &mut [f32]) {
    let step = threat.goal.direction() * alpha;
    match threat.ball.norm {
        Norm::Linf => {
            for (slot, &value) in x.iter_mut().zip(gradient) {
                *slot += step * math::sign(value);
            }
        }
        Norm::L2 => {
            let (largest, root) = math::euclidean_factors(gradient.iter().copied());
            if largest > 0.0 {
                for (slot, &value) in x.iter_mut().zip(gradient) {
                    *slot += step * (value / largest / root);
                }
            }
        }
    }
    project_checked(threat, origin, x);
}

fn project_checked(threat: &Threat, origin: &[f32], x: &mut [f32]) {
    let epsilon = threat.ball.epsilon;
    // A step from a huge value may overflow; what comes out is finite all the same.
    let low = math::max(threat.bounds.low, f32::MIN);
    let high = math::min(threat.bounds.high, f32::MAX);
    match threat.ball.norm {
        Norm::Linf => {
            for (slot, &centre) in x.iter_mut().zip(origin) {
                let inside = math::min(math::max(*slot, centre - epsilon), centre + epsilon);
                *slot = math::min(math::max(inside, low), high);
            }
        }
        Norm::L2 => {
            let perturbation = x.iter().zip(origin).map(|(&moved, &centre)| moved - centre);
            let norm = math::euclidean_norm(perturbation);
            for (slot, &centre) in x.iter_mut().zip(origin) {
                let inside = if norm <= epsilon {
                    *slot
                } else if math::is_finite(norm) {
                    // Divided first: ε/norm may be too small a number to be exact.
                    centre + (*slot - centre) / norm * epsilon
                } else {
                    // A difference has overflowed; the centre is surely inside.
                    centre
                };
                *slot = math::min(math::max(inside, low), high);
            }
        }
    }
}

/// `out = origin + length · u` for a uniformly distributed unit vector `u`.
fn random_direction<R: Random>(origin: &[f32], length: f32, rng: &mut R, out: &mut [f32]) {
    for slot in out.iter_mut() {
        *slot = rng.standard_normal();
    }
    let norm = math::euclidean_norm(out.iter().copied());
    // The quantile's midpoints exclude an all-zero draw; the guard costs nothing.
    let factor = if norm > 0.0 { length / norm } else { 0.0 };
    for (slot, &value) in out.iter_mut().zip(origin) {
        *slot = value + factor * *slot;
    }
}
