//! One run of an attack over a batch.

use super::{AttackConfig, AttackKind, Goal};
use crate::network::{InputShape, Labelled, Model, Score, input_gradient};
use crate::{Error, Result};
use sgt_core::{Ball, Bounds, Pcg32, Threat};

/// Writes adversarial samples of `batch` into `out`, within the model's bounds: one run, no evaluation of the
/// result. What a training step calls.
///
/// The model runs in [`crate::network::Mode::InputGradient`]; `pass` is the caller's to reuse. The
/// random numbers of a sample depend on `seed` and its place in the batch alone;
/// [`AttackConfig::restarts`] is not read.
///
/// # Errors
/// [`Error::Core`] when a value or gradient is not finite, ε or α is out of its domain, the
/// bounds cross or lengths differ; as [`Model::forward`] and [`Model::backward`].
pub fn perturb<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    config: &AttackConfig,
    seed: u64,
    pass: &mut M::Pass,
    out: &mut [f32],
) -> Result<()> {
    let draw = Draw {
        seed,
        first: 0,
        restart: 0,
    };
    aim(model, batch, Goal::Untargeted, config, draw, pass, out)
}

/// Where a sample's random numbers come from.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    pub(super) seed: u64,
    /// The place of the first sample in the whole batch.
    pub(super) first: usize,
    pub(super) restart: usize,
}

impl Draw {
    fn rng(self, index: usize) -> Pcg32 {
        let place = (self.first + index) as u64;
        Pcg32::new(self.seed, (self.restart as u64) << 32 | place)
    }
}

/// As [`perturb`], towards `goal`, with the random numbers of `draw`.
pub(super) fn aim<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    goal: Goal<'_>,
    config: &AttackConfig,
    draw: Draw,
    pass: &mut M::Pass,
    out: &mut [f32],
) -> Result<()> {
    let Labelled { x, labels, .. } = batch;
    let sample = model.input().len();
    if x.is_empty() || x.len() != labels.len() * sample || out.len() != x.len() {
        return Err(Error::Shape {
            operation: "attack",
            found: format!(
                "{} values, {} labels, {} results",
                x.len(),
                labels.len(),
                out.len()
            ),
            expected: format!(
                "{:?} values a label and as many results",
                model.input().dims()
            ),
        });
    }
    let (aimed, goal) = match goal {
        Goal::Untargeted => (labels, sgt_core::Goal::Untargeted),
        Goal::Targeted(targets) => (targets, sgt_core::Goal::Targeted),
    };
    let threat = Threat {
        ball: Ball {
            norm: config.norm,
            epsilon: config.epsilon,
        },
        bounds: model.bounds().unwrap_or(Bounds::NONE),
        goal,
    };
    let clip = ChannelClip::of(model);
    let rows = || x.chunks_exact(sample).enumerate();
    if config.kind == AttackKind::RandomNoise {
        for ((index, x), out) in rows().zip(out.chunks_exact_mut(sample)) {
            sgt_core::random_noise(&threat, x, &mut draw.rng(index), out)?;
        }
        clip.apply(out);
        return Ok(());
    }
    if config.kind == AttackKind::Pgd && config.random_start {
        for ((index, x), out) in rows().zip(out.chunks_exact_mut(sample)) {
            sgt_core::random_start(&threat, x, &mut draw.rng(index), out)?;
        }
    } else {
        out.copy_from_slice(x);
    }
    clip.apply(out);

    let mut gradient = vec![0.0; x.len()];
    let mut momentum = match config.kind {
        AttackKind::MiFgsm => vec![0.0; x.len()],
        _ => Vec::new(),
    };
    let steps = match config.kind {
        AttackKind::Fgsm => 1,
        _ => config.steps,
    };
    let alpha = config.step_length();
    for _ in 0..steps {
        let aimed = Labelled {
            x: out,
            labels: aimed,
            ..batch
        };
        input_gradient(model, aimed, Score::Loss, pass, &mut gradient)?;
        let gradients = gradient.chunks_exact(sample);
        for (((index, x), g), out) in rows().zip(gradients).zip(out.chunks_exact_mut(sample)) {
            match config.kind {
                AttackKind::Fgsm => sgt_core::fgsm(&threat, x, g, out),
                AttackKind::MiFgsm => {
                    let momentum = &mut momentum[index * sample..][..sample];
                    let (decay, scale) = (config.momentum, config.momentum_scale);
                    sgt_core::mi_fgsm_step(&threat, x, g, alpha, decay, scale, momentum, out)
                }
                AttackKind::Pgd | AttackKind::RandomNoise => {
                    sgt_core::pgd_step(&threat, x, g, alpha, out)
                }
            }?;
        }
        clip.apply(out);
    }
    Ok(())
}

/// The bounds of each channel. A clean sample is inside them, so that clipping a perturbed one moves
/// it towards the clean one: it stays in the ball.
struct ChannelClip {
    input: InputShape,
    low: Vec<f32>,
    high: Vec<f32>,
}

impl ChannelClip {
    fn of(model: &impl Model) -> Self {
        let bounds = model.channel_bounds().iter();
        let (low, high) = bounds.map(|bounds| (bounds.low, bounds.high)).unzip();
        Self {
            input: model.input(),
            low,
            high,
        }
    }

    fn apply(&self, samples: &mut [f32]) {
        if !self.low.is_empty() {
            let bounds = [&self.low[..], &self.high];
            self.input
                .map_channels(samples, bounds, |value, low, high| value.max(low).min(high));
        }
    }
}
