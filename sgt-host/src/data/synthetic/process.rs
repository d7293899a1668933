//! The seven processes that fill the benchmark's series (Ismail et al. 2020, arXiv 2010.13924, by
//! way of the `TimeSynth` library).

use super::draw::{Draw, Stream};
use super::gaussian_process::{Kernel, Process as GaussianProcess};
use super::narma;
use std::f64::consts::TAU;

/// What a channel does where no class shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// N(0, 1) at every step.
    Gaussian,
    /// `sin(2π · 2 t)`, the same in every channel.
    Harmonic,
    /// `a sin(w t)`, `w ~ N(2, 0.01²)` and `a ~ N(1, 0.5²)` drawn at every step.
    PseudoPeriodic,
    /// Matérn ν = 3/2 of length 1 and variance 1.
    GaussianProcess,
    /// `x_t = 0.9 x_{t−1} + N(0, 0.5²)`.
    Autoregressive,
    /// The Ornstein–Uhlenbeck process of variance 1 that keeps 0.9 of a value over a unit of time.
    /// As published it has deviation 0.01, so that it drowns in the noise.
    Car,
    /// `y_t = 0.3 y_{t−1} + 0.05 y_{t−1} Σ_{j=1}^{10} y_{t−j} + 1.5 u_{t−10} u_t + 0.1`,
    /// `u ~ U(0, 0.5)`. As published all channels of all samples share one path.
    Narma,
}

/// The deviation of the noise on every process but the Gaussian one.
pub(super) const NOISE: f64 = 0.3;
/// Steps and the time that they span, which keep their ratio for other lengths.
const STEPS: f64 = 50.0;
const SPAN: f64 = 20.0;
const FREQUENCY: f64 = 2.0;
/// Share of a value that is kept over a step or a unit of time.
pub(super) const KEPT: f64 = 0.9;
/// Deviation of a step of the autoregressive process.
pub(super) const AUTOREGRESSIVE_STEP: f64 = 0.5;
/// The published deviation and start of the continuous autoregressive process.
const CAR_PUBLISHED: f64 = 0.01;
const NARMA_ORDER: usize = 10;

impl Process {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Gaussian,
        Self::Harmonic,
        Self::PseudoPeriodic,
        Self::GaussianProcess,
        Self::Autoregressive,
        Self::Car,
        Self::Narma,
    ];

    /// The name in set names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Harmonic => "harmonic",
            Self::PseudoPeriodic => "pseudo-periodic",
            Self::GaussianProcess => "gaussian-process",
            Self::Autoregressive => "autoregressive",
            Self::Car => "car",
            Self::Narma => "narma",
        }
    }

    /// A series `[channels, steps]` with its noise.
    pub(super) fn series(
        self,
        [steps, channels]: [usize; 2],
        as_published: bool,
        draw: &mut Draw,
    ) -> Vec<f64> {
        if self == Self::Gaussian {
            return (0..steps * channels)
                .map(|_| draw.normal(0.0, 1.0))
                .collect();
        }
        let times = irregular_times(steps, draw);
        let gaussian_process = (self == Self::GaussianProcess)
            .then(|| GaussianProcess::new(Kernel::Matern { length: 1.0 }, &times));
        let mut values = Vec::with_capacity(steps * channels);
        for _ in 0..channels {
            let clean = match (self, &gaussian_process) {
                (_, Some(process)) => process.draw(draw),
                (Self::Harmonic, _) => {
                    let value = |&time: &f64| (TAU * FREQUENCY * time).sin();
                    times.iter().map(value).collect()
                }
                (Self::PseudoPeriodic, _) => times
                    .iter()
                    .map(|&time| {
                        let frequency = draw.normal(FREQUENCY, 0.01);
                        draw.normal(1.0, 0.5) * (frequency * time).sin()
                    })
                    .collect(),
                (Self::Autoregressive, _) => autoregressive(steps, as_published, draw),
                (Self::Car, _) => car(&times, as_published, draw),
                // One generator, seeded anew for every channel.
                _ if as_published => {
                    let mut shared = Draw::new(0, Stream::Shared, 0);
                    narma::series(steps, NARMA_ORDER, true, &mut shared)
                }
                _ => narma::series(steps, NARMA_ORDER, false, draw),
            };
            values.extend(
                clean
                    .into_iter()
                    .map(|value| value + draw.normal(0.0, NOISE)),
            );
        }
        values
    }
}

/// The benchmark's time stamps: half of twice as many regular ones, moved by noise, in order.
pub(super) fn irregular_times(steps: usize, draw: &mut Draw) -> Vec<f64> {
    let candidates = 2 * steps;
    let span = SPAN * steps as f64 / STEPS;
    let spacing = span / (candidates.max(2) - 1) as f64;
    let jitter = span / candidates as f64;
    let kept = draw.subset(steps, candidates);
    let mut times: Vec<f64> = kept
        .into_iter()
        .map(|place| draw.normal(place as f64 * spacing, jitter))
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// From 0 as published, from its own distribution otherwise.
fn autoregressive(steps: usize, as_published: bool, draw: &mut Draw) -> Vec<f64> {
    let stationary = AUTOREGRESSIVE_STEP / (1.0 - KEPT * KEPT).sqrt();
    let mut value = if as_published {
        0.0
    } else {
        draw.normal(0.0, stationary)
    };
    let step = |_| {
        value = KEPT * value + draw.normal(0.0, AUTOREGRESSIVE_STEP);
        value
    };
    (0..steps).map(step).collect()
}

fn car(times: &[f64], as_published: bool, draw: &mut Draw) -> Vec<f64> {
    let mut value = if as_published {
        CAR_PUBLISHED
    } else {
        draw.normal(0.0, 1.0)
    };
    let mut last = times.first().copied().unwrap_or_default();
    let mut values = Vec::with_capacity(times.len());
    for &time in times {
        let kept = KEPT.powf(time - last);
        last = time;
        // The published deviation grows with √(1 − kept) instead of √(1 − kept²).
        let deviation = if as_published {
            CAR_PUBLISHED * (1.0 - kept).sqrt()
        } else {
            (1.0 - kept * kept).sqrt()
        };
        value = kept * value + draw.normal(0.0, deviation);
        values.push(value);
    }
    values
}
