//! Attacks: perturbations within an ε-ball that raise (or aim) a model's loss.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the attacks as data: kind, norm, ε, step, defaults |
//! | `perturb` | one run of an attack over a batch |
//!
//! ε, steps and bounds are in the units of the model's input: a [`crate::network::Classifier`]
//! normalises behind them. The steps are those of
//! [`sgt_core::attack`]; gradients come from [`crate::network::Mode::InputGradient`] passes alone,
//! and no parameter is touched.

pub mod config;
mod perturb;

pub use config::{AttackConfig, AttackKind};
pub use perturb::perturb;
pub use sgt_core::{MomentumScale, Norm};

use crate::network::{Labelled, Mode, Model, Samples, check_labels, predicted_class};
use crate::{Error, Result};

/// What the attacker wants of every sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Goal<'a> {
    /// Any wrong class: ascend the loss of the label.
    #[default]
    Untargeted,
    /// One class a sample: descend its loss.
    Targeted(&'a [usize]),
}

/// Samples attacked at once, so that memory stays bounded whatever the batch.
pub const ROWS_PER_FORWARD: usize = 128;

/// Adversarial samples, and what the model makes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Adversarial {
    /// `[batch, input]`, in the input's units.
    pub x: Vec<f32>,
    /// The class predicted for each.
    pub predicted: Vec<usize>,
    /// The loss the attack worked on: the cross-entropy of the label, or of the target.
    pub loss: Vec<f32>,
    /// Whether the goal was reached: a wrong class (also where the clean sample was wrong
    /// already), or the target.
    pub success: Vec<bool>,
}

impl Adversarial {
    /// The share of samples on which the goal was reached.
    pub fn success_rate(&self) -> f64 {
        let reached = self.success.iter().filter(|&&success| success).count();
        reached as f64 / self.success.len() as f64
    }
}

/// Attacks every sample of `batch` within the model's bounds, with restarts that keep the best result a
/// sample: one that reaches the goal before one that does not, then the further loss.
///
/// The random numbers of a sample depend on `seed` and its place in the batch alone. Cost a
/// sample: `restarts · (steps + 1)` forward and `restarts · steps` input-gradient passes.
///
/// # Errors
/// As [`Labelled::check`]; [`Error::Shape`] unless there is one target a sample;
/// [`Error::Argument`] for a config out of its domain or a target that is no class;
/// [`Error::Core`] for bounds that cross or a model whose gradient is not finite.
pub fn attack<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    goal: Goal<'_>,
    config: &AttackConfig,
    seed: u64,
) -> Result<Adversarial> {
    let Labelled { x, labels, .. } = batch;
    batch.check("attack", model.input(), model.classes())?;
    config.check()?;
    if let Goal::Targeted(targets) = goal {
        if targets.len() != labels.len() {
            return Err(Error::Shape {
                operation: "targets",
                found: format!("{} classes", targets.len()),
                expected: format!("{}, one a sample", labels.len()),
            });
        }
        check_labels("targets", targets, model.classes())?;
    }
    let mut best = Adversarial {
        x: Vec::with_capacity(x.len()),
        predicted: Vec::with_capacity(labels.len()),
        loss: Vec::with_capacity(labels.len()),
        success: Vec::with_capacity(labels.len()),
    };
    let mut pass = M::Pass::default();
    for (first, batch) in batch.chunks(ROWS_PER_FORWARD, model.input().len()) {
        let goal = match goal {
            Goal::Untargeted => Goal::Untargeted,
            Goal::Targeted(targets) => Goal::Targeted(&targets[first..first + batch.len()]),
        };
        let chunk = Chunk {
            model,
            batch,
            goal,
            config,
            seed,
            first,
        };
        chunk.with_restarts(&mut pass, &mut best)?;
    }
    Ok(best)
}

/// One chunk of a batch under attack.
struct Chunk<'a, M> {
    model: &'a M,
    batch: Labelled<'a>,
    goal: Goal<'a>,
    config: &'a AttackConfig,
    seed: u64,
    /// The place of the chunk's first sample in the batch.
    first: usize,
}

impl<M: Model> Chunk<'_, M> {
    /// Appends the best of all restarts to `best`.
    fn with_restarts(&self, pass: &mut M::Pass, best: &mut Adversarial) -> Result<()> {
        let start = best.loss.len();
        let sample = self.batch.x.len() / self.batch.len();
        for restart in 0..self.config.restarts {
            let found = self.once(restart, pass)?;
            if restart == 0 {
                best.x.extend_from_slice(&found.x);
                best.predicted.extend(found.predicted);
                best.loss.extend(found.loss);
                best.success.extend(found.success);
                continue;
            }
            for index in 0..self.batch.len() {
                let place = start + index;
                let further = match self.goal {
                    Goal::Untargeted => found.loss[index] > best.loss[place],
                    Goal::Targeted(_) => found.loss[index] < best.loss[place],
                };
                let better = match (found.success[index], best.success[place]) {
                    (true, false) => true,
                    (false, true) => false,
                    _ => further,
                };
                if better {
                    best.x[place * sample..][..sample]
                        .copy_from_slice(&found.x[index * sample..][..sample]);
                    best.predicted[place] = found.predicted[index];
                    best.loss[place] = found.loss[index];
                    best.success[place] = found.success[index];
                }
            }
        }
        Ok(())
    }

    fn once(&self, restart: usize, pass: &mut M::Pass) -> Result<Adversarial> {
        let mut x = vec![0.0; self.batch.x.len()];
        let draw = perturb::Draw {
            seed: self.seed,
            first: self.first,
            restart,
        };
        let Self {
            model,
            batch,
            goal,
            config,
            ..
        } = *self;
        perturb::aim(model, batch, goal, config, draw, pass, &mut x)?;
        let aimed = match self.goal {
            Goal::Untargeted => self.batch.labels,
            Goal::Targeted(targets) => targets,
        };
        let classes = self.model.classes();
        let samples = Samples {
            x: &x,
            ..self.batch.samples()
        };
        let logits = self.model.forward(samples, Mode::InputGradient, pass)?;
        let rows = logits.chunks_exact(classes);
        let predicted: Vec<usize> = rows.clone().map(predicted_class).collect();
        let loss = rows
            .zip(aimed)
            .map(|(row, &class)| sgt_core::cross_entropy(row, class));
        let loss = loss.collect::<Result<_, _>>()?;
        let targeted = matches!(self.goal, Goal::Targeted(_));
        let reached = predicted
            .iter()
            .zip(aimed)
            .map(|(p, a)| (p == a) == targeted);
        Ok(Adversarial {
            success: reached.collect(),
            x,
            predicted,
            loss,
        })
    }
}
