//! How the masked share k and the weight λ change during training.

use crate::{Error, math};

/// A value over the course of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Always the same.
    Constant(f32),
    /// `from + (to − from) · t`.
    Linear {
        /// The value at the start.
        from: f32,
        /// The value at the end.
        to: f32,
    },
    /// `from + (to − from) · (1 − cos πt) / 2`: slow at both ends.
    Cosine {
        /// The value at the start.
        from: f32,
        /// The value at the end.
        to: f32,
    },
}

impl Schedule {
    /// The value at `progress`, 0 at the start of training and 1 at its end.
    ///
    /// # Errors
    /// [`Error::Range`] for a progress outside `[0, 1]` or a value that is not finite.
    ///
    /// ```
    /// use sgt_core::Schedule;
    /// let ramp = Schedule::Cosine { from: 0.0, to: 0.5 };
    /// assert_eq!(ramp.at(0.0)?, 0.0);
    /// assert!((ramp.at(0.5)? - 0.25).abs() < 1e-6);
    /// assert_eq!(ramp.at(1.0)?, 0.5);
    /// # Ok::<(), sgt_core::Error>(())
    /// ```
    pub fn at(&self, progress: f32) -> Result<f32, Error> {
        if !(0.0..=1.0).contains(&progress) {
            return Err(Error::Range {
                argument: "progress",
            });
        }
        let value = match *self {
            Self::Constant(value) => value,
            Self::Linear { from, to } => mix(from, to, progress),
            Self::Cosine { from, to } => mix(from, to, raised_cosine(progress)),
        };
        if math::is_finite(value) {
            Ok(value)
        } else {
            Err(Error::Range {
                argument: "schedule",
            })
        }
    }
}

fn mix(from: f32, to: f32, share: f32) -> f32 {
    from * (1.0 - share) + to * share
}

/// `(1 − cos πt) / 2 = sin²(πt/2)` for `t` in `[0, 1]`, by the sine's series on `[0, π/4]` and the
/// identity `1 − sin²` beyond: exact at 0, ½ and 1 without the argument reduction of a general
/// cosine, which firmware would pay for in flash. Absolute error below 1e-7.
fn raised_cosine(t: f32) -> f32 {
    if t > 0.5 {
        return 1.0 - raised_cosine_half(1.0 - t);
    }
    raised_cosine_half(t)
}

fn raised_cosine_half(t: f32) -> f32 {
    // Taylor coefficients of sin; the next term is below 2e-9 at π/4.
    const S3: f32 = -1.0 / 6.0;
    const S5: f32 = 1.0 / 120.0;
    const S7: f32 = -1.0 / 5_040.0;
    const S9: f32 = 1.0 / 362_880.0;
    let angle = core::f32::consts::FRAC_PI_2 * t;
    let square = angle * angle;
    let sine = angle * (1.0 + square * (S3 + square * (S5 + square * (S7 + square * S9))));
    sine * sine
}
