//! Attacks: perturbations within an ε-ball that raise (or aim) a model's loss.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the attacks as data: kind, norm, ε, step, defaults |
//! | `perturb` | one run of an attack over a batch |
//!
//! ε, steps and bounds are in the units of the model's input: put [`crate::network::Normalized`]
//! in front of a network that reads normalised values. The steps are those of
//! [`sgt_core::attack`]; gradients come from [`crate::network::Mode::InputGradient`] passes alone,
//! and no parameter is touched.

pub mod config;
mod perturb;

pub use config::{AttackConfig, AttackKind};
pub use perturb::perturb;
pub use sgt_core::{MomentumScale, Norm};

use crate::network::{Mode, Model, check_batch, check_labels, predicted_class};
use crate::{Error, Result};
use sgt_core::Bounds;

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

/// Attacks every sample of `x` `[batch, input]`, with restarts that keep the best result a
/// sample: one that reaches the goal before one that does not, then the further loss.
///
/// The random numbers of a sample depend on `seed` and its place in the batch alone. Cost a
/// sample: `restarts · (steps + 1)` forward and `restarts · steps` input-gradient passes.
///
/// # Errors
/// As [`check_batch`]; [`Error::Shape`] unless there is one target a sample;
/// [`Error::Argument`] for a config out of its domain or a target that is no class;
/// [`Error::Core`] for bounds that cross or a model whose gradient is not finite.
pub fn attack<M: Model>(
    model: &M,
    x: &[f32],
    labels: &[usize],
    goal: Goal<'_>,
    config: &AttackConfig,
    bounds: Bounds,
    seed: u64,
) -> Result<Adversarial> {
    check_batch("attack", model, x, labels)?;
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
    let rows = ROWS_PER_FORWARD * model.input().len();
    let mut best = Adversarial {
        x: Vec::with_capacity(x.len()),
        predicted: Vec::with_capacity(labels.len()),
        loss: Vec::with_capacity(labels.len()),
        success: Vec::with_capacity(labels.len()),
    };
    let mut pass = M::Pass::default();
    for (index, x) in x.chunks(rows).enumerate() {
        let range = index * ROWS_PER_FORWARD..labels.len().min((index + 1) * ROWS_PER_FORWARD);
        let goal = match goal {
            Goal::Untargeted => Goal::Untargeted,
            Goal::Targeted(targets) => Goal::Targeted(&targets[range.clone()]),
        };
        let run = Run {
            model,
            x,
            labels: &labels[range.clone()],
            goal,
            config,
            bounds,
            seed,
            first: range.start,
        };
        run.with_restarts(&mut pass, &mut best)?;
    }
    Ok(best)
}

/// One chunk of a batch under attack.
struct Run<'a, M> {
    model: &'a M,
    x: &'a [f32],
    labels: &'a [usize],
    goal: Goal<'a>,
    config: &'a AttackConfig,
    bounds: Bounds,
    seed: u64,
    /// The place of the chunk's first sample in the batch.
    first: usize,
}

impl<M: Model> Run<'_, M> {
    /// Appends the best of all restarts to `best`.
    fn with_restarts(&self, pass: &mut M::Pass, best: &mut Adversarial) -> Result<()> {
        let start = best.loss.len();
        let sample = self.x.len() / self.labels.len();
        for restart in 0..self.config.restarts {
            let found = self.once(restart, pass)?;
            if restart == 0 {
                best.x.extend_from_slice(&found.x);
                best.predicted.extend(found.predicted);
                best.loss.extend(found.loss);
                best.success.extend(found.success);
                continue;
            }
            for index in 0..self.labels.len() {
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
        let mut x = vec![0.0; self.x.len()];
        let draw = perturb::Draw {
            seed: self.seed,
            first: self.first,
            restart,
        };
        let (config, bounds) = (self.config, self.bounds);
        let clean = (self.x, self.labels);
        perturb::run(
            self.model, clean, self.goal, config, bounds, draw, pass, &mut x,
        )?;
        let aimed = match self.goal {
            Goal::Untargeted => self.labels,
            Goal::Targeted(targets) => targets,
        };
        let classes = self.model.classes();
        let logits = self.model.forward(&x, Mode::InputGradient, pass)?;
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
