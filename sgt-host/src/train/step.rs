//! One step: the loss of a batch under a regime and its gradient with respect to the weights.

use super::masking::{BatchMasking, Maskable};
use super::{Purpose, Sums, derive_seed};
use crate::attack::{AttackConfig, perturb};
use crate::config::{Regime, RunConfig};
use crate::data::{Batch, Bounds};
use crate::network::{Mode, Model, Score, predicted_class, score_gradient};
use crate::{Error, Result};
use sgt_core::{AdversarialRows, AsgtRows, Losses, SgtRows};

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
    regime: Regime,
    score: Score,
    masking: BatchMasking,
    attack: AttackConfig,
    bounds: Bounds,
    seed: u64,
    clean: Branch<M>,
    adversarial: Branch<M>,
    masked: Branch<M>,
    saliency: Vec<f32>,
    confidence: Vec<f32>,
    gradient: Vec<f32>,
}

/// One of the batches that a loss reads: x, x' or x̃.
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
    fn forward(&mut self, model: &M, mode: Mode) -> Result<()> {
        let logits = model.forward(&self.x, mode, &mut self.pass)?;
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
    pub(super) fn new(model: &M, config: &RunConfig, bounds: Option<Bounds>) -> Result<Self> {
        Ok(Self {
            regime: config.regime,
            score: config.masking.score,
            masking: BatchMasking::new(&config.masking, model.input(), config.seed)?,
            attack: config.attack.clone(),
            bounds: bounds.unwrap_or(Bounds::NONE),
            seed: config.seed,
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
    /// Every regime that ranks x itself runs x once in evaluation mode for the saliency and
    /// then once more in training mode for the clean loss through [`Model::forward_again`]:
    /// the two share all layers in front of the first dropout or batch normalisation. ASGT
    /// shares the same way between the saliency at x' and the adversarial loss.
    pub(super) fn step(
        &mut self,
        model: &mut M,
        batch: &Batch,
        places: &[usize],
        moment: Moment,
    ) -> Result<Sums> {
        replace(&mut self.clean.x, batch.x());
        let masked = match self.regime {
            Regime::Standard => {
                self.clean.forward(model, self.training(moment, 0))?;
                0.0
            }
            Regime::Sgt => {
                let masked = self.mask(model, batch, places, moment, Source::Clean)?;
                self.clean.forward_again(model, self.training(moment, 0))?;
                self.masked.forward(model, self.training(moment, 1))?;
                masked
            }
            Regime::Adversarial => {
                self.attack_clean(model, batch, moment)?;
                self.clean.forward(model, self.training(moment, 0))?;
                self.adversarial.forward(model, self.training(moment, 1))?;
                0.0
            }
            Regime::Asgt => {
                self.attack_clean(model, batch, moment)?;
                let masked = self.mask(model, batch, places, moment, Source::Adversarial)?;
                self.clean.forward(model, self.training(moment, 0))?;
                let mode = self.training(moment, 1);
                self.adversarial.forward_again(model, mode)?;
                self.masked.forward(model, self.training(moment, 2))?;
                masked
            }
            Regime::Sga => {
                let masked = self.mask(model, batch, places, moment, Source::Clean)?;
                self.attack_masked(model, batch, moment)?;
                self.clean.forward_again(model, self.training(moment, 0))?;
                self.masked.forward(model, self.training(moment, 1))?;
                masked
            }
        };
        let mut sums = self.losses(batch, moment.lambda)?;
        sums.masked = masked;
        self.backward(model)?;
        Ok(sums)
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
    fn attack_clean(&mut self, model: &M, batch: &Batch, moment: Moment) -> Result<()> {
        let seed = self.attack_seed(moment);
        let clean = (&self.clean.x[..], batch.labels());
        let Branch { x, pass, .. } = &mut self.adversarial;
        x.resize(clean.0.len(), 0.0);
        perturb(model, clean, &self.attack, self.bounds, seed, pass, x)
    }

    /// Attacks x̃ into x̃', in its place.
    fn attack_masked(&mut self, model: &M, batch: &Batch, moment: Moment) -> Result<()> {
        let seed = self.attack_seed(moment);
        let Branch { x, pass, .. } = &mut self.masked;
        let start = x.clone();
        let clean = (&start[..], batch.labels());
        perturb(model, clean, &self.attack, self.bounds, seed, pass, x)
    }

    /// Ranks the features of x or x' in evaluation mode and masks them into x̃.
    fn mask(
        &mut self,
        model: &M,
        batch: &Batch,
        places: &[usize],
        moment: Moment,
        source: Source,
    ) -> Result<f64> {
        let source = match source {
            Source::Clean => &mut self.clean,
            Source::Adversarial => &mut self.adversarial,
        };
        source.forward(model, Mode::Evaluation)?;
        let labels = batch.labels();
        score_gradient(self.score, &source.logits, labels, &mut source.dlogits)?;
        self.saliency.resize(source.x.len(), 0.0);
        let saliency = Some(&mut self.saliency[..]);
        model.backward(&mut source.pass, &source.dlogits, saliency, None)?;
        self.confidence.clear();
        for (row, &label) in source.logits.chunks_exact(model.classes()).zip(labels) {
            let loss = sgt_core::cross_entropy(row, label).map_err(objective_error)?;
            self.confidence.push((-loss).exp());
        }
        self.masked.x.resize(source.x.len(), 0.0);
        let maskable = Maskable {
            x: &source.x,
            gradient: &self.saliency,
            valid_steps: batch.valid_steps(),
            confidence: &self.confidence,
            places,
        };
        self.masking
            .mask(maskable, moment.fraction, moment.epoch, &mut self.masked.x)
    }

    /// The batch's losses; their mean's gradient goes into the branches' `dlogits`.
    fn losses(&mut self, batch: &Batch, lambda: f32) -> Result<Sums> {
        let classes = self.clean.logits.len() / batch.len();
        let scale = 1.0 / batch.len() as f32;
        let mut sums = Sums::default();
        for (sample, &label) in batch.labels().iter().enumerate() {
            let (clean, gradient) = self.clean.row(sample, classes);
            sums.samples += 1;
            sums.correct += usize::from(predicted_class(clean) == label);
            let losses = match self.regime {
                Regime::Standard => standard_objective(clean, label, scale, gradient),
                Regime::Sgt | Regime::Sga => {
                    let (masked, of_masked) = self.masked.row(sample, classes);
                    let logits = SgtRows { clean, masked };
                    let mut gradients = SgtRows {
                        clean: gradient,
                        masked: of_masked,
                    };
                    sgt_core::sgt_objective(&logits, label, lambda, scale, &mut gradients)
                }
                Regime::Adversarial => {
                    let (adversarial, of_adversarial) = self.adversarial.row(sample, classes);
                    let logits = AdversarialRows { clean, adversarial };
                    let mut gradients = AdversarialRows {
                        clean: gradient,
                        adversarial: of_adversarial,
                    };
                    sgt_core::adversarial_objective(&logits, label, scale, &mut gradients)
                }
                Regime::Asgt => {
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
            sums.loss += f64::from(losses.total);
            sums.clean += f64::from(losses.clean);
            sums.adversarial += f64::from(losses.adversarial);
            sums.divergence += f64::from(losses.divergence);
        }
        if sums.loss.is_finite() {
            return Ok(sums);
        }
        Err(Error::Numerical(format!("the loss became {}", sums.loss)))
    }

    fn backward(&mut self, model: &mut M) -> Result<()> {
        self.gradient.clear();
        self.gradient.resize(model.parameters().values().len(), 0.0);
        let gradient = &mut self.gradient[..];
        let branches = [
            (true, &mut self.clean),
            (
                matches!(self.regime, Regime::Adversarial | Regime::Asgt),
                &mut self.adversarial,
            ),
            (self.regime.masks(), &mut self.masked),
        ];
        for (used, branch) in branches {
            if used {
                branch.backward(model, gradient)?;
                model.absorb_statistics(&branch.pass);
            }
        }
        Ok(())
    }
}

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

/// What is ranked.
#[derive(Clone, Copy)]
enum Source {
    Clean,
    Adversarial,
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
