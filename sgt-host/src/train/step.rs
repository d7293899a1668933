//! One step: the loss of a batch under a regime and its gradient with respect to the weights.

use super::guide::guide;
use super::masking::{BatchMasking, Maskable};
use super::{Purpose, Sums, derive_seed};
use crate::attack::{AttackConfig, perturb};
use crate::config::{self, Guide, Objective, Recipe, RunConfig};
use crate::network::{Labelled, Mode, Model, Samples, Score, predicted_class, score_gradient};
use crate::{Error, Result};
use sgt_core::{AdversarialRows, AsgtRows, Losses, SgtRows};
use std::ops::Range;

/// What changes from step to step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Finished epochs.
    pub(super) epoch: usize,
    /// Finished steps of this one.
    pub(super) step: usize,
    /// The share of groups to mask.
    pub(super) fraction: f32,
    /// The weight λ.
    pub(super) lambda: f32,
}

/// Computes losses and gradients; keeps its buffers from step to step.
pub(super) struct Stepper<M: Model> {
    recipe: Recipe,
    score: Score,
    guide: Guide,
    masking: BatchMasking,
    attack: AttackConfig,
    seed: u64,
    /// What a sample's cross-entropies count, by its class; none for 1 everywhere.
    class_weights: Vec<f32>,
    clean: Branch<M>,
    adversarial: Branch<M>,
    masked: Branch<M>,
    saliency: Vec<f32>,
    confidence: Vec<f32>,
    gradient: Vec<f32>,
}

/// One of the batches that a loss reads.
struct Branch<M: Model> {
    x: Vec<f32>,
    pass: M::Pass,
    logits: Vec<f32>,
    dlogits: Vec<f32>,
}

impl<M: Model> Default for Branch<M> {
    fn default() -> Self {
        Self {
            x: Vec::new(),
            pass: M::Pass::default(),
            logits: Vec::new(),
            dlogits: Vec::new(),
        }
    }
}

impl<M: Model> Branch<M> {
    fn forward(&mut self, model: &M, valid: &[Range<usize>], mode: Mode) -> Result<()> {
        let samples = Samples { x: &self.x, valid };
        let logits = model.forward(samples, mode, &mut self.pass)?;
        replace(&mut self.logits, logits);
        self.start_gradient();
        Ok(())
    }

    fn forward_again(&mut self, model: &M, mode: Mode) -> Result<()> {
        let logits = model.forward_again(mode, &mut self.pass)?;
        replace(&mut self.logits, logits);
        self.start_gradient();
        Ok(())
    }

    fn start_gradient(&mut self) {
        self.dlogits.clear();
        self.dlogits.resize(self.logits.len(), 0.0);
    }

    /// A sample's logits and their gradient.
    fn row(&mut self, sample: usize, classes: usize) -> (&[f32], &mut [f32]) {
        let range = sample * classes..(sample + 1) * classes;
        (&self.logits[range.clone()], &mut self.dlogits[range])
    }

    fn backward(&mut self, model: &M, gradient: &mut [f32]) -> Result<()> {
        model.backward(&mut self.pass, &self.dlogits, None, Some(gradient))
    }
}

impl<M: Model> Stepper<M> {
    pub(super) fn new(model: &M, config: &RunConfig, class_weights: Vec<f32>) -> Result<Self> {
        Ok(Self {
            recipe: config.regime.recipe(),
            score: config.masking.score,
            guide: config.masking.guide,
            masking: BatchMasking::new(&config.masking, model.input(), config.seed)?,
            attack: config.attack.clone(),
            seed: config.seed,
            class_weights,
            clean: Branch::default(),
            adversarial: Branch::default(),
            masked: Branch::default(),
            saliency: Vec::new(),
            confidence: Vec::new(),
            gradient: Vec::new(),
        })
    }

    /// The gradient of the last step.
    pub(super) fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The losses of `batch`, summed over its samples, and their mean's gradient in
    /// [`Stepper::gradient`]. Running statistics of `model` take the training passes in.
    ///
    /// A branch that is ranked runs once in evaluation mode for the saliency and then once more in
    /// training mode for its loss through [`Model::forward_again`]: the two share all layers in
    /// front of the first dropout or batch normalisation.
    pub(super) fn step(
        &mut self,
        model: &mut M,
        batch: Labelled<'_>,
        places: &[usize],
        moment: Moment,
    ) -> Result<Sums> {
        let recipe = self.recipe;
        replace(&mut self.clean.x, batch.x);
        if recipe.attacked == Some(config::Branch::Clean) {
            self.attack_clean(model, batch, moment)?;
        }
        let mut masked = 0.0;
        if let Some(ranked) = recipe.ranked {
            masked = self.mask(model, batch, places, moment, ranked)?;
        }
        if recipe.attacked == Some(config::Branch::Masked) {
            self.attack_masked(model, batch, moment)?;
        }
        let mut passes = 0;
        for branch in BRANCHES {
            if recipe.uses(branch) {
                let mode = self.training(moment, passes);
                passes += 1;
                let own = self.branch(branch);
                if recipe.ranked == Some(branch) {
                    own.forward_again(model, mode)?;
                } else {
                    own.forward(model, batch.valid, mode)?;
                }
            }
        }
        let mut sums = self.losses(batch.labels, moment.lambda)?;
        sums.masked = masked;
        self.backward(model)?;
        Ok(sums)
    }

    fn branch(&mut self, branch: config::Branch) -> &mut Branch<M> {
        match branch {
            config::Branch::Clean => &mut self.clean,
            config::Branch::Adversarial => &mut self.adversarial,
            config::Branch::Masked => &mut self.masked,
        }
    }

    /// Training mode with the dropout of one of a step's passes.
    fn training(&self, moment: Moment, pass: u64) -> Mode {
        let place = [moment.epoch as u64, moment.step as u64];
        let step_seed = derive_seed(self.seed, Purpose::Dropout, place);
        Mode::Training {
            seed: derive_seed(step_seed, Purpose::Dropout, [pass, 0]),
        }
    }

    /// The seed of a step's random start.
    fn attack_seed(&self, moment: Moment) -> u64 {
        let place = [moment.epoch as u64, moment.step as u64];
        derive_seed(self.seed, Purpose::Attack, place)
    }

    /// Attacks x into x'.
    fn attack_clean(&mut self, model: &M, batch: Labelled<'_>, moment: Moment) -> Result<()> {
        let seed = self.attack_seed(moment);
        let Branch { x, pass, .. } = &mut self.adversarial;
        x.resize(batch.x.len(), 0.0);
        perturb(model, batch, &self.attack, seed, pass, x)
    }

    /// Attacks x̃ into x̃', in its place.
    fn attack_masked(&mut self, model: &M, batch: Labelled<'_>, moment: Moment) -> Result<()> {
        let seed = self.attack_seed(moment);
        let Branch { x, pass, .. } = &mut self.masked;
        let start = x.clone();
        let start = Labelled { x: &start, ..batch };
        perturb(model, start, &self.attack, seed, pass, x)
    }

    /// Ranks the features of a branch in evaluation mode and masks them into the masked one.
    fn mask(
        &mut self,
        model: &M,
        batch: Labelled<'_>,
        places: &[usize],
        moment: Moment,
        ranked: config::Branch,
    ) -> Result<f64> {
        let source = match ranked {
            config::Branch::Adversarial => &mut self.adversarial,
            config::Branch::Clean | config::Branch::Masked => &mut self.clean,
        };
        source.forward(model, batch.valid, Mode::Evaluation)?;
        let labels = batch.labels;
        score_gradient(self.score, &source.logits, labels, &mut source.dlogits)?;
        self.saliency.resize(source.x.len(), 0.0);
        let saliency = Some(&mut self.saliency[..]);
        model.backward(&mut source.pass, &source.dlogits, saliency, None)?;
        let around = Labelled {
            x: &source.x,
            ..batch
        };
        // The masked branch's pass is free until its loss.
        let pass = &mut self.masked.pass;
        guide(
            model,
            around,
            self.score,
            self.guide,
            pass,
            &mut self.saliency,
        )?;
        self.confidence.clear();
        for (row, &label) in source.logits.chunks_exact(model.classes()).zip(labels) {
            let loss = sgt_core::cross_entropy(row, label).map_err(objective_error)?;
            self.confidence.push((-loss).exp());
        }
        self.masked.x.resize(source.x.len(), 0.0);
        let maskable = Maskable {
            x: &source.x,
            gradient: &self.saliency,
            valid: batch.valid,
            confidence: &self.confidence,
            places,
        };
        self.masking
            .mask(maskable, moment.fraction, moment.epoch, &mut self.masked.x)
    }

    /// The batch's losses; their mean's gradient goes into the branches' `dlogits`.
    fn losses(&mut self, labels: &[usize], lambda: f32) -> Result<Sums> {
        let classes = self.clean.logits.len() / labels.len();
        let scale = 1.0 / labels.len() as f32;
        let mut sums = Sums::default();
        for (sample, &label) in labels.iter().enumerate() {
            let (clean, gradient) = self.clean.row(sample, classes);
            sums.samples += 1;
            sums.correct += usize::from(predicted_class(clean) == label);
            // w·CE + λ·KL = w·(CE + λ/w·KL), bit for bit the unweighted loss for w = 1.
            let weight = self.class_weights.get(label).copied().unwrap_or(1.0);
            let (scale, lambda) = (scale * weight, lambda / weight);
            let losses = match self.recipe.objective {
                Objective::CrossEntropy => standard_objective(clean, label, scale, gradient),
                Objective::Sgt => {
                    let (masked, of_masked) = self.masked.row(sample, classes);
                    let logits = SgtRows { clean, masked };
                    let mut gradients = SgtRows {
                        clean: gradient,
                        masked: of_masked,
                    };
                    sgt_core::sgt_objective(&logits, label, lambda, scale, &mut gradients)
                }
                Objective::Adversarial => {
                    let (adversarial, of_adversarial) = self.adversarial.row(sample, classes);
                    let logits = AdversarialRows { clean, adversarial };
                    let mut gradients = AdversarialRows {
                        clean: gradient,
                        adversarial: of_adversarial,
                    };
                    sgt_core::adversarial_objective(&logits, label, scale, &mut gradients)
                }
                Objective::Asgt => {
                    let (adversarial, of_adversarial) = self.adversarial.row(sample, classes);
                    let (masked, of_masked) = self.masked.row(sample, classes);
                    let logits = AsgtRows {
                        clean,
                        adversarial,
                        masked,
                    };
                    let mut gradients = AsgtRows {
                        clean: gradient,
                        adversarial: of_adversarial,
                        masked: of_masked,
                    };
                    sgt_core::asgt_objective(&logits, label, lambda, scale, &mut gradients)
                }
            };
            let losses = losses.map_err(objective_error)?;
            sums.loss += f64::from(weight * losses.total);
            sums.clean += f64::from(weight * losses.clean);
            sums.adversarial += f64::from(weight * losses.adversarial);
            sums.divergence += f64::from(losses.divergence);
        }
        if sums.loss.is_finite() {
            return Ok(sums);
        }
        Err(Error::Numerical(format!("the loss became {}", sums.loss)))
    }

    fn backward(&mut self, model: &mut M) -> Result<()> {
        let mut gradient = std::mem::take(&mut self.gradient);
        gradient.clear();
        gradient.resize(model.parameters().values().len(), 0.0);
        let recipe = self.recipe;
        for branch in BRANCHES {
            if recipe.uses(branch) {
                let own = self.branch(branch);
                own.backward(model, &mut gradient)?;
                model.absorb_statistics(&own.pass);
            }
        }
        self.gradient = gradient;
        Ok(())
    }
}

/// The order of a step's passes.
const BRANCHES: [config::Branch; 3] = [
    config::Branch::Clean,
    config::Branch::Adversarial,
    config::Branch::Masked,
];

/// The clean cross-entropy alone.
fn standard_objective(
    clean: &[f32],
    label: usize,
    scale: f32,
    gradient: &mut [f32],
) -> Result<Losses, sgt_core::Error> {
    let loss = sgt_core::cross_entropy(clean, label)?;
    sgt_core::cross_entropy_grad(clean, label, scale, gradient)?;
    Ok(Losses {
        total: loss,
        clean: loss,
        ..Losses::default()
    })
}

fn replace(target: &mut Vec<f32>, values: &[f32]) {
    target.clear();
    target.extend_from_slice(values);
}

/// The core refuses logits that are not finite: the run diverged.
fn objective_error(source: sgt_core::Error) -> Error {
    match source {
        sgt_core::Error::NonFinite { .. } => {
            Error::Numerical("the network's output became NaN or infinite".into())
        }
        source => source.into(),
    }
}
