//! The training loop, one step at a time.

use super::augment::Augmenter;
use super::quality::quality;
use super::step::{Moment, Stepper};
use super::stopping::{Verdict, judge};
use super::{Best, Checkpoint, EpochRow, Progress, TrainingData};
use crate::config::{Batches, RunConfig};
use crate::data::{Batch, balanced_order, epoch_order};
use crate::instructions::InstructionSet;
use crate::network::Model;
use crate::optimizer::Optimizer;
use crate::{Error, Result};

/// A training that its caller drives: [`Trainer::advance`] does one step or closes one epoch.
///
/// Between two calls the whole state can be taken ([`Trainer::checkpoint`]) and put back
/// ([`Trainer::restore`]); what follows has the same bits as without the interruption.
pub struct Trainer<'d, M: Model> {
    config: &'d RunConfig,
    data: &'d TrainingData,
    model: M,
    optimizer: Optimizer,
    stepper: Stepper<M>,
    progress: Progress,
    best_parameters: Option<Vec<f32>>,
    order: Vec<usize>,
    batch: Batch,
    augmenter: Augmenter,
}

/// What [`Trainer::advance`] did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An optimizer step.
    Step {
        /// Finished steps of the running epoch.
        step: usize,
        /// Mean loss of the epoch so far.
        loss: f32,
        /// Training accuracy of the epoch so far.
        accuracy: f32,
    },
    /// The end of an epoch.
    Epoch(EpochRow),
    /// Nothing: the training is over.
    Finished,
}

impl<'d, M: Model> Trainer<'d, M> {
    /// A training of `model` from its present parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] when the data does not fit the model, [`Error::Argument`] when the
    /// configuration does not fit the data.
    pub fn new(config: &'d RunConfig, data: &'d TrainingData, model: M) -> Result<Self> {
        let parameters = model.parameters().values().len();
        let optimizer = Optimizer::new(config.optimizer, parameters)?;
        let optimizer = optimizer.with_clipping(config.training.clipping)?;
        if config.regime.attacks() && model.bounds() != data.train.bounds() {
            let say = |bounds: Option<sgt_core::Bounds>| match bounds {
                Some(bounds) => format!("bounds {} to {}", bounds.low, bounds.high),
                None => "no bounds".into(),
            };
            return Err(Error::Argument {
                argument: "model".into(),
                found: say(model.bounds()),
                expected: format!(
                    "{}, as the data has: attacks stay inside",
                    say(data.train.bounds())
                ),
            });
        }
        let weights = &config.training.class_weights;
        let weights = weights.of(&data.train.class_counts())?;
        let stepper = Stepper::new(&model, config, weights)?;
        // Checks the shape, and the labels against the classes, before the first step.
        let mut batch = Batch::new();
        let input = model.input();
        batch.fill(&data.train, &[0], input)?;
        if data.train.classes().len() != model.classes() {
            return Err(Error::Shape {
                operation: "training",
                found: format!("a network of {} classes", model.classes()),
                expected: format!("{} classes", data.train.classes().len()),
            });
        }
        let least = model.least_batch();
        let found = config.training.batch.min(data.train.len());
        if found < least {
            return Err(Error::Argument {
                argument: "training.batch".into(),
                found: format!("{found} sample in a batch"),
                expected: format!("{least} or more: the network normalises over the batch"),
            });
        }
        let mut trainer = Self {
            config,
            data,
            model,
            optimizer,
            stepper,
            progress: Progress {
                data_digest: data.digest(),
                instructions: vec![InstructionSet::current()],
                ..Progress::default()
            },
            best_parameters: None,
            order: Vec::new(),
            augmenter: Augmenter::new(
                config.training.augmentation,
                input,
                data.train.bounds(),
                data.train.units().cloned(),
                config.seed,
            ),
            batch,
        };
        trainer.start_epoch();
        Ok(trainer)
    }

    /// Steps of one epoch. A last batch that is too small for the network ([`Model::least_batch`])
    /// is part of the one before.
    pub fn steps_per_epoch(&self) -> usize {
        let (samples, batch) = (self.data.train.len(), self.config.training.batch);
        let rest = samples % batch;
        let whole = samples / batch;
        if rest == 0 || rest < self.model.least_batch() {
            whole
        } else {
            whole + 1
        }
    }

    /// Where the training stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The network as trained so far.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The network; after an early stop or the last epoch, with the best epoch's parameters when
    /// the configuration keeps them.
    pub fn into_model(mut self) -> M {
        if let Some(best) = self.best_parameters {
            self.model
                .parameters_mut()
                .values_mut()
                .copy_from_slice(&best);
        }
        self.model
    }

    /// The whole state.
    ///
    /// # Errors
    /// [`Error::Numerical`] when a parameter is not finite: such a state is not worth keeping.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let parameters = self.model.parameters().values();
        if !parameters.iter().all(|value| value.is_finite()) {
            return Err(Error::Numerical(format!(
                "a weight became NaN or infinite in epoch {}",
                self.progress.epoch + 1
            )));
        }
        Ok(Checkpoint {
            parameters: parameters.to_vec(),
            best_parameters: self.best_parameters.clone(),
            optimizer: self.optimizer.state().clone(),
            progress: self.progress.clone(),
        })
    }

    /// Goes on from `checkpoint`.
    ///
    /// # Errors
    /// [`Error::Argument`] when it belongs to another network, optimizer or data set; the
    /// training is then unchanged.
    pub fn restore(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let refuse = |found: String, expected: String| {
            Err(Error::Argument {
                argument: "checkpoint".into(),
                found,
                expected,
            })
        };
        let values = self.model.parameters().values().len();
        let best = checkpoint.best_parameters.as_ref().map_or(values, Vec::len);
        if checkpoint.parameters.len() != values || best != values {
            let found = format!("{} parameters", checkpoint.parameters.len());
            return refuse(found, format!("the network's {values}"));
        }
        let mut progress = checkpoint.progress;
        if progress.data_digest != self.progress.data_digest {
            return refuse(
                format!("data with SHA-256 {}", progress.data_digest),
                format!("{}, the data at hand", self.progress.data_digest),
            );
        }
        let epochs = self.config.training.epochs;
        if progress.step > self.steps_per_epoch() || progress.epoch > epochs {
            return refuse(
                format!("epoch {}, step {}", progress.epoch, progress.step),
                "a position in this run".into(),
            );
        }
        // The number of epochs may have been raised or lowered to where the state stands.
        progress.finished = progress.epoch == epochs || self.has_stopped(&progress);
        if progress.instructions.last() != Some(&InstructionSet::current()) {
            progress.instructions.push(InstructionSet::current());
        }
        self.optimizer.restore(checkpoint.optimizer)?;
        self.model
            .parameters_mut()
            .values_mut()
            .copy_from_slice(&checkpoint.parameters);
        self.best_parameters = checkpoint.best_parameters;
        self.progress = progress;
        self.start_epoch();
        Ok(())
    }

    /// Does one step, or closes the epoch after its last step.
    ///
    /// # Errors
    /// [`Error::Numerical`] when the loss or its gradient is not finite: the parameters are then
    /// those of the step before.
    pub fn advance(&mut self) -> Result<Event> {
        if self.progress.finished {
            return Ok(Event::Finished);
        }
        if self.progress.step == self.steps_per_epoch() {
            return self.close_epoch().map(Event::Epoch);
        }
        self.step()?;
        let sums = self.progress.sums;
        let samples = sums.samples.max(1) as f64;
        Ok(Event::Step {
            step: self.progress.step,
            loss: (sums.loss / samples) as f32,
            accuracy: (sums.correct as f64 / samples) as f32,
        })
    }

    /// True when early stopping ended the training that stands at `progress`.
    fn has_stopped(&self, progress: &Progress) -> bool {
        let patience = self
            .config
            .training
            .early_stopping
            .map(|rule| rule.patience);
        let waited = progress.best.map(|best| progress.epoch - best.epoch);
        progress.finished && patience.is_some_and(|patience| waited >= Some(patience))
    }

    fn start_epoch(&mut self) {
        let (epoch, seed) = (self.progress.epoch as u64, self.config.seed);
        let train = &self.data.train;
        self.order = match self.config.training.batches {
            Batches::Shuffled => epoch_order(train.len(), seed, epoch),
            Batches::Balanced => balanced_order(train.labels(), seed, epoch),
        };
    }

    fn step(&mut self) -> Result<()> {
        let size = self.config.training.batch;
        let start = self.progress.step * size;
        let last = self.progress.step + 1 == self.steps_per_epoch();
        let end = if last { self.order.len() } else { start + size };
        let places = &self.order[start..end];
        self.batch
            .fill(&self.data.train, places, self.model.input())?;
        let (x, valid) = self.batch.x_mut();
        self.augmenter.vary(x, valid, places, self.progress.epoch);
        let moment = Moment {
            epoch: self.progress.epoch,
            step: self.progress.step,
            fraction: self.config.masking.fraction.at(self.progress.epoch),
            lambda: self.config.lambda.at(self.progress.epoch),
        };
        let diverged = |error| match error {
            Error::Numerical(reason) => Error::Numerical(format!(
                "{reason} in epoch {}, step {}",
                moment.epoch + 1,
                moment.step + 1
            )),
            other => other,
        };
        let step = self
            .stepper
            .step(&mut self.model, self.batch.labelled(), places, moment);
        let sums = step.map_err(diverged)?;
        let steps = self.steps_per_epoch();
        let all = (steps * self.config.training.epochs) as u64;
        let done = (steps * moment.epoch + moment.step) as u64;
        let multiplier = self.config.training.schedule.multiplier(done, all);
        self.optimizer.set_multiplier(multiplier);
        self.optimizer
            .step_parameters(self.model.parameters_mut(), self.stepper.gradient())
            .map_err(diverged)?;
        self.progress.sums.add(&sums);
        self.progress.step += 1;
        Ok(())
    }

    fn close_epoch(&mut self) -> Result<EpochRow> {
        let lambda = self.config.lambda.at(self.progress.epoch);
        let epoch = self.progress.epoch + 1;
        let validation = match &self.data.validation {
            Some(part) => {
                let quality = quality(&self.model, part)?;
                Some((quality.loss as f32, quality.accuracy as f32))
            }
            None => None,
        };
        let row = self.progress.sums.row(epoch, lambda, validation);
        let mut stop = epoch == self.config.training.epochs;
        if let (Some(rule), Some((loss, _))) = (self.config.training.early_stopping, validation) {
            match judge(rule, self.progress.best, epoch, loss) {
                Verdict::Best => {
                    self.progress.best = Some(Best { epoch, loss });
                    self.best_parameters = Some(self.model.parameters().values().to_vec());
                }
                Verdict::Continue => {}
                Verdict::Stop => stop = true,
            }
        }
        self.progress.rows.push(row.clone());
        self.progress.epoch = epoch;
        self.progress.step = 0;
        self.progress.sums = super::Sums::default();
        self.progress.finished = stop;
        self.start_epoch();
        Ok(row)
    }
}
