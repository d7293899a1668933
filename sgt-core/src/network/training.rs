//! Training on one window: the cross-entropy's step and that of saliency-guided training.

use super::{Network, Optimizer, Parameters, Score, matrix, take};
use crate::{
    Error, Index, Losses, Masking, Random, SgtRows, cross_entropy, cross_entropy_grad,
    mask_sample_small, mask_sample_small_len, math, sgt_objective,
};

/// A window and its class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labelled<'x> {
    /// The window, `[positions, channels]`.
    pub input: &'x [f32],
    /// Its class.
    pub label: usize,
}

/// What saliency-guided training does with a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaliencyGuided {
    /// How it is masked. The layout has the input's length, for series in `ChannelsLast` order;
    /// [`crate::Policy::Permute`], which needs other windows, is not supported.
    pub masking: Masking,
    /// The score whose gradient ranks the features.
    pub score: Score,
    /// The weight λ of the divergence.
    pub lambda: f32,
}

impl SaliencyGuided {
    /// λ = 1 and the true logit.
    pub const fn new(masking: Masking) -> Self {
        Self {
            masking,
            score: Score::TrueLogit,
            lambda: 1.0,
        }
    }

    /// Values of [`SgtScratch::indices`].
    pub const fn indices_len(&self) -> usize {
        mask_sample_small_len(&self.masking)
    }
}

/// The scratch of a step of saliency-guided training.
#[derive(Debug)]
pub struct SgtScratch<'s, I> {
    /// At least [`Network::sgt_len`] values.
    pub values: &'s mut [f32],
    /// At least [`SaliencyGuided::indices_len`]: the masked groups. `u16` numbers 65,536 of them.
    pub indices: &'s mut [I],
}

/// What learns: the memory of training, all of it the caller's.
///
/// The parameters are those of the layers in front, which stay, and of the layers behind, which are
/// trained: all of them, or those of the last few ([`Network::trained_len`]).
///
/// Fine-tuning the last layer of a network whose parameters are in flash:
///
/// ```
/// use sgt_core::network::{Dense, Labelled, Layer, Learner, Network, Sgd, Shape};
/// static WEIGHTS: [f32; 17] = [0.1; 17];
/// let layers = [Layer::Dense(Dense { outputs: 3 }), Layer::Relu, Layer::Dense(Dense { outputs: 2 })];
/// let network = Network::new(Shape::vector(2), &layers)?;
/// let (frozen, last) = WEIGHTS.split_at(network.parameter_len() - network.trained_len(1));
/// let mut trained = [0.0; 8];
/// trained.copy_from_slice(last);
/// let mut learner = Learner {
///     frozen,
///     trained: &mut trained,
///     gradient: &mut [0.0; 8],
///     optimizer: Sgd::new(0.1),
///     state: &mut [],
/// };
/// let mut scratch = [0.0; 16];
/// let example = Labelled { input: &[1.0, 0.5], label: 1 };
/// network.standard_step(&mut learner, example, &mut scratch)?;
/// let mut logits = [0.0; 2];
/// network.infer(learner.parameters(), example.input, &mut scratch, &mut logits)?;
/// assert!(logits[1] > logits[0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Learner<'m, O> {
    /// The parameters that stay, in flash perhaps.
    pub frozen: &'m [f32],
    /// The parameters that are trained.
    pub trained: &'m mut [f32],
    /// One value a trained parameter; overwritten by each step.
    pub gradient: &'m mut [f32],
    /// The rule.
    pub optimizer: O,
    /// The rule's state, zeros in front of the first step.
    pub state: &'m mut [f32],
}

impl<O: Optimizer> Learner<'_, O> {
    /// What to infer with.
    pub fn parameters(&self) -> Parameters<'_> {
        Parameters {
            frozen: self.frozen,
            trained: self.trained,
        }
    }

    /// Checks what the update would refuse, before it costs a step.
    fn begin(&mut self) -> Result<(), Error> {
        let count = self.trained.len();
        math::check_length("gradient", count, self.gradient.len())?;
        math::check_length("state", self.optimizer.needs(count), self.state.len())?;
        self.gradient.fill(0.0);
        Ok(())
    }

    fn update(&mut self) -> Result<(), Error> {
        self.optimizer
            .update(self.trained, self.gradient, self.state)
    }
}

impl<const KINDS: u16> Network<'_, KINDS> {
    /// Scratch of [`Network::standard_gradient`] and [`Network::standard_step`]: that of
    /// [`Network::saliency`].
    pub const fn standard_len(&self) -> usize {
        self.saliency_len()
    }

    /// Scratch of [`Network::sgt_gradient`] and [`Network::sgt_step`]: that of
    /// [`Network::saliency`], the masked window, and two rows of logits with their gradients.
    pub const fn sgt_len(&self) -> usize {
        self.saliency_len() + self.input_len() + 4 * self.classes()
    }

    /// Adds `scale` times the gradient of a window's cross-entropy with respect to the trained
    /// parameters to `gradient`, and gives the cross-entropy. With `1 / batch` for each window of a
    /// batch the gradients' sum is that of the batch's mean loss.
    ///
    /// # Errors
    /// As [`Network::saliency`], [`Error::Length`] naming `gradient`, and [`Error::Range`] for a
    /// scale that is not finite; `gradient` is untouched then.
    pub fn standard_gradient(
        &self,
        parameters: Parameters<'_>,
        example: Labelled<'_>,
        scale: f32,
        scratch: &mut [f32],
        gradient: &mut [f32],
    ) -> Result<Losses, Error> {
        let Labelled { input, label } = example;
        self.check(parameters, input)?;
        math::check_length("gradient", parameters.trained.len(), gradient.len())?;
        let scratch = take(scratch, self.standard_len())?;
        let split = scratch.split_at_mut_checked(self.sizes.tape);
        let (tape, delta) = split.unwrap_or_default();
        self.forward(parameters, input, tape);
        let logits = self.logits(input, tape);
        let loss = cross_entropy(logits, label)?;
        let dlogits = delta.get_mut(..self.classes()).unwrap_or_default();
        dlogits.fill(0.0);
        cross_entropy_grad(logits, label, scale, dlogits)?;
        self.backward::<true>(parameters, input, tape, delta, false, gradient);
        Ok(Losses {
            total: loss,
            clean: loss,
            ..Losses::default()
        })
    }

    /// Adds `scale` times the gradient of a window's saliency-guided loss,
    /// `CE(f(x), y) + λ·KL(f(x) ‖ f(x̃))`, to `gradient`, and gives the loss and its terms. x̃ is the
    /// window with the groups of lowest saliency replaced; gradients flow through both branches.
    ///
    /// Cost: three forward and three backward passes. The third forward pass repeats the first, so
    /// that one window's activations are in memory at a time.
    ///
    /// # Errors
    /// As [`Network::standard_gradient`] and [`mask_sample_small`]: [`Error::Length`] naming
    /// `masking` where its layout is not the input's, [`Error::Unsupported`] for the policy
    /// `permute`, [`Error::Range`] for a λ that is not finite; `gradient` is untouched then, `rng`
    /// may have moved on.
    ///
    /// Source: Ismail et al. 2021, algorithm 1.
    #[allow(clippy::too_many_arguments)] // what goes in, and the caller's buffers
    pub fn sgt_gradient<I: Index, R: Random>(
        &self,
        parameters: Parameters<'_>,
        example: Labelled<'_>,
        guided: &SaliencyGuided,
        scale: f32,
        rng: &mut R,
        scratch: &mut SgtScratch<'_, I>,
        gradient: &mut [f32],
    ) -> Result<Losses, Error> {
        let Labelled { input, label } = example;
        self.check(parameters, input)?;
        math::check_length("gradient", parameters.trained.len(), gradient.len())?;
        let masking = &guided.masking;
        math::check_length("masking", input.len(), masking.layout.sample_len())?;
        let values = take(scratch.values, self.sgt_len())?;
        let split = values.split_at_mut_checked(self.sizes.tape);
        let (tape, rest) = split.unwrap_or_default();
        let split = rest.split_at_mut_checked(self.sizes.widest);
        let (delta, rest) = split.unwrap_or_default();
        let (masked, rest) = rest.split_at_mut_checked(input.len()).unwrap_or_default();
        let classes = self.classes();
        let (logits, dlogits) = rest.split_at_mut_checked(2 * classes).unwrap_or_default();
        let (clean, of_masked) = logits.split_at_mut_checked(classes).unwrap_or_default();
        let (dclean, dmasked) = dlogits.split_at_mut_checked(classes).unwrap_or_default();

        self.forward(parameters, input, tape);
        matrix::copy(self.logits(input, tape), clean);
        self.score_gradient(guided.score, label, input, tape, delta)?;
        // The code of the passes below, without a gradient to add to.
        self.backward::<true>(parameters, input, tape, delta, true, &mut []);
        let saliency = delta.get(..input.len()).unwrap_or_default();
        mask_sample_small(masking, saliency, input, None, rng, scratch.indices, masked)?;

        self.forward(parameters, masked, tape);
        matrix::copy(self.logits(masked, tape), of_masked);
        dclean.fill(0.0);
        dmasked.fill(0.0);
        let losses = sgt_objective(
            &SgtRows {
                clean: &*clean,
                masked: &*of_masked,
            },
            label,
            guided.lambda,
            scale,
            &mut SgtRows {
                clean: &mut *dclean,
                masked: &mut *dmasked,
            },
        )?;
        matrix::copy(dmasked, delta);
        self.backward::<true>(parameters, masked, tape, delta, false, gradient);
        self.forward(parameters, input, tape);
        matrix::copy(dclean, delta);
        self.backward::<true>(parameters, input, tape, delta, false, gradient);
        Ok(losses)
    }

    /// One step on a window's cross-entropy: plain training, of all layers or of the last few.
    ///
    /// # Errors
    /// As [`Network::standard_gradient`] and [`Optimizer::update`]; the parameters and the
    /// optimizer's state are untouched then.
    ///
    /// ```
    /// use sgt_core::network::{Dense, Labelled, Layer, Learner, Network, Sgd, Shape};
    /// let layers = [Layer::Dense(Dense { outputs: 2 })];
    /// let network = Network::new(Shape::vector(2), &layers)?;
    /// let (mut weights, mut gradient) = ([0.0; 6], [0.0; 6]);
    /// let mut learner = Learner {
    ///     frozen: &[],
    ///     trained: &mut weights,
    ///     gradient: &mut gradient,
    ///     optimizer: Sgd::new(0.5),
    ///     state: &mut [],
    /// };
    /// let mut scratch = [0.0; 4];
    /// let example = Labelled { input: &[1.0, -1.0], label: 0 };
    /// let first = network.standard_step(&mut learner, example, &mut scratch)?;
    /// let second = network.standard_step(&mut learner, example, &mut scratch)?;
    /// assert!(second.total < first.total);
    /// # Ok::<(), sgt_core::Error>(())
    /// ```
    pub fn standard_step<O: Optimizer>(
        &self,
        learner: &mut Learner<'_, O>,
        example: Labelled<'_>,
        scratch: &mut [f32],
    ) -> Result<Losses, Error> {
        learner.begin()?;
        let parameters = Parameters {
            frozen: learner.frozen,
            trained: learner.trained,
        };
        let losses = self.standard_gradient(parameters, example, 1.0, scratch, learner.gradient)?;
        learner.update()?;
        Ok(losses)
    }

    /// One step of saliency-guided training on a window: saliency, masking, both passes, the loss,
    /// its gradient and the update. See [`Network::sgt_gradient`].
    ///
    /// # Errors
    /// As [`Network::sgt_gradient`] and [`Optimizer::update`]; the parameters and the optimizer's
    /// state are untouched then.
    ///
    /// ```
    /// use sgt_core::network::{
    ///     Dense, Labelled, Layer, Learner, Network, SaliencyGuided, Sgd, SgtScratch, Shape,
    /// };
    /// use sgt_core::{Layout, Masking, Pcg32};
    /// let layers = [Layer::Dense(Dense { outputs: 2 })];
    /// let network = Network::new(Shape::vector(2), &layers)?;
    /// let guided = SaliencyGuided::new(Masking::reference(Layout::flat(2)?));
    /// let (mut weights, mut gradient) = ([0.1, 0.2, 0.3, 0.4, 0.0, 0.0], [0.0; 6]);
    /// let mut learner = Learner {
    ///     frozen: &[],
    ///     trained: &mut weights,
    ///     gradient: &mut gradient,
    ///     optimizer: Sgd::new(0.5),
    ///     state: &mut [],
    /// };
    /// let mut scratch = SgtScratch { values: &mut [0.0; 14], indices: &mut [0_u16; 1] };
    /// assert_eq!((network.sgt_len(), guided.indices_len()), (14, 1));
    /// let example = Labelled { input: &[1.0, -1.0], label: 0 };
    /// let mut rng = Pcg32::new(2021, 0);
    /// let losses = network.sgt_step(&mut learner, example, &guided, &mut rng, &mut scratch)?;
    /// assert!(losses.total >= losses.clean);
    /// # Ok::<(), sgt_core::Error>(())
    /// ```
    pub fn sgt_step<O: Optimizer, I: Index, R: Random>(
        &self,
        learner: &mut Learner<'_, O>,
        example: Labelled<'_>,
        guided: &SaliencyGuided,
        rng: &mut R,
        scratch: &mut SgtScratch<'_, I>,
    ) -> Result<Losses, Error> {
        learner.begin()?;
        let parameters = Parameters {
            frozen: learner.frozen,
            trained: learner.trained,
        };
        let gradient = &mut *learner.gradient;
        let losses = self.sgt_gradient(parameters, example, guided, 1.0, rng, scratch, gradient)?;
        learner.update()?;
        Ok(losses)
    }
}
