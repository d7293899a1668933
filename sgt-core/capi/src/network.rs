//! Inference, saliency and training of a table of layers.

use crate::loss::SgtLosses;
use crate::masking::{SGT_ORDER_CHANNELS_LAST, SgtMasking};
use crate::memory::{structure, structure_mut, values, values_mut};
use crate::random::SgtRandom;
use crate::status::{SgtStatus, status};
use sgt_core::network::{
    Activation, Adam, Convolution, Dense, Depthwise, Labelled, Layer, Learner, Lstm, Network,
    Optimizer, Parameters, Quantized, Rescale, SaliencyGuided, Score, Sgd, SgtScratch, Shape,
    Window, kinds, standardize,
};
use sgt_core::{Error, Losses, Order};

/// The true class's logit.
pub const SGT_SCORE_TRUE_LOGIT: u8 = 0;
/// Its log-probability.
pub const SGT_SCORE_TRUE_LOG_PROB: u8 = 1;
/// The largest logit.
pub const SGT_SCORE_PREDICTED_LOGIT: u8 = 2;
/// The cross-entropy.
pub const SGT_SCORE_LOSS: u8 = 3;
/// Stochastic gradient descent.
pub const SGT_OPTIMIZER_SGD: u8 = 0;
/// Adam.
pub const SGT_OPTIMIZER_ADAM: u8 = 1;

/// A table of layers for windows of one shape. It is checked by every call; a layer of a kind that the
/// library was built without does not fit.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtNetwork {
    /// The table, in flash perhaps.
    pub layers: *const Layer,
    /// Its layers.
    pub layer_count: usize,
    /// Positions of a window: time steps.
    pub positions: usize,
    /// Values at each.
    pub channels: usize,
}

/// Sizes of everything that a caller provides, in values.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct SgtSizes {
    /// Of a window.
    pub input: usize,
    /// Logits.
    pub classes: usize,
    /// All parameters.
    pub parameters: usize,
    /// The last layer's.
    pub last_layer: usize,
    /// Multiplications of an inference.
    pub products: usize,
    /// Scratch of `sgt_infer`.
    pub inference: usize,
    /// Scratch of `sgt_saliency` and `sgt_standard_step`.
    pub saliency: usize,
    /// Scratch of `sgt_sgt_step`.
    pub sgt: usize,
    /// Scratch of `sgt_infer_quantized`, in bytes.
    pub quantized: usize,
}

/// A network's parameters in 8-bit integers, as `sgt export --quantize int8` writes them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtQuantized {
    /// The weights, layer after layer.
    pub weights: *const i8,
    /// How many.
    pub weights_len: usize,
    /// A bias for each output channel.
    pub biases: *const i32,
    /// How many.
    pub biases_len: usize,
    /// From each layer's sums to its output.
    pub rescales: *const Rescale,
    /// How many.
    pub rescales_len: usize,
    /// What the input's and each layer's numbers mean.
    pub activations: *const Activation,
    /// How many: one more than layers.
    pub activations_len: usize,
}

/// The parameters, layer after layer: those that stay, then those that training changes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtParameters {
    /// Those of the layers in front, in flash perhaps.
    pub frozen: *const f32,
    /// How many.
    pub frozen_len: usize,
    /// Those of the layers behind; null where nothing is trained.
    pub trained: *const f32,
    /// How many.
    pub trained_len: usize,
}

/// A rule that changes parameters by their gradient, with PyTorch's formulas.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtOptimizer {
    /// `SGT_OPTIMIZER_…`
    pub kind: u8,
    /// The learning rate.
    pub rate: f32,
    /// SGD's momentum; 0 needs no state.
    pub momentum: f32,
    /// The L2 penalty.
    pub weight_decay: f32,
    /// Adam's.
    pub betas: [f32; 2],
    /// Adam's.
    pub epsilon: f32,
    /// Adam's memory of its steps: zeros in front of the first.
    pub corrections: [f32; 2],
}

/// What learns: the memory of training.
#[derive(Debug)]
#[repr(C)]
pub struct SgtLearner {
    /// The parameters of the layers in front, which stay.
    pub frozen: *const f32,
    /// How many.
    pub frozen_len: usize,
    /// The parameters that are trained: all, or those of the last layers.
    pub trained: *mut f32,
    /// One value a trained parameter, overwritten by each step.
    pub gradient: *mut f32,
    /// How many are trained.
    pub trained_len: usize,
    /// The rule.
    pub optimizer: SgtOptimizer,
    /// The rule's state, zeros in front of the first step: as many as are trained with momentum,
    /// twice as many for Adam, none otherwise.
    pub state: *mut f32,
    /// How many.
    pub state_len: usize,
}

/// The tags of [`Layer`]: below this number.
const TAGS: u8 = 11;
const TAG_OF_FLATTEN: u8 = 7;
/// Where a layer's own fields begin: behind the tag, aligned for a count.
const FIELDS: usize = align_of::<usize>();

/// The kinds of layers whose code is compiled.
const KINDS: u16 = {
    const WINDOW: Window = Window::new(1);
    const fn with(kind: Layer, is_there: bool) -> u16 {
        if is_there { kinds(&[kind]) } else { 0 }
    }
    kinds(&[
        Layer::Convolution(Convolution {
            outputs: 1,
            window: WINDOW,
        }),
        Layer::Dense(Dense { outputs: 1 }),
        Layer::Relu,
        Layer::MaxPool(WINDOW),
        Layer::GlobalAveragePool,
    ]) | with(
        Layer::Depthwise(Depthwise { window: WINDOW }),
        cfg!(feature = "depthwise"),
    ) | with(Layer::AveragePool(WINDOW), cfg!(feature = "average-pool"))
        | with(
            Layer::Flatten(Order::ChannelsFirst),
            cfg!(feature = "flatten"),
        )
        | with(Layer::ResidualStart, cfg!(feature = "residual"))
        | with(Layer::Lstm(Lstm { hidden: 1 }), cfg!(feature = "lstm"))
};

// The layout that the constants above say.
const _: () = {
    let last = Layer::Lstm(Lstm { hidden: 1 });
    let flatten = Layer::Flatten(Order::ChannelsLast);
    // SAFETY: initialised bytes of values that live.
    unsafe {
        assert!((&raw const last).cast::<u8>().read() + 1 == TAGS);
        let flatten = (&raw const flatten).cast::<u8>();
        assert!(flatten.read() == TAG_OF_FLATTEN);
        assert!(flatten.add(FIELDS).read() == SGT_ORDER_CHANNELS_LAST);
    }
};

/// Refuses a table in which a tag, or the order of a flatten, is none. All other fields are counts,
/// for which every pattern of bits is a value.
///
/// # Safety
/// `layers` points to `count` layers' bytes.
unsafe fn check_tags(layers: *const Layer, count: usize) -> Result<(), SgtStatus> {
    // SAFETY: bytes of the caller's table, read as bytes.
    let byte =
        |layer: usize, place: usize| unsafe { layers.add(layer).cast::<u8>().add(place).read() };
    for layer in 0..count {
        let tag = byte(layer, 0);
        let is_none =
            tag >= TAGS || (tag == TAG_OF_FLATTEN && byte(layer, FIELDS) > SGT_ORDER_CHANNELS_LAST);
        if is_none {
            return Err(SgtStatus::Constant);
        }
    }
    Ok(())
}

impl SgtNetwork {
    /// # Safety
    /// The crate's contract.
    unsafe fn network<'t>(&self) -> Result<Network<'t, KINDS>, SgtStatus> {
        let bytes = self.layer_count.checked_mul(size_of::<Layer>());
        let is_table = !self.layers.is_null() && self.layers.is_aligned();
        if !is_table || bytes.is_none_or(|bytes| bytes > isize::MAX.cast_unsigned()) {
            return Err(SgtStatus::Pointer);
        }
        // SAFETY: the crate's contract; then every byte that an enum reads is one of its values.
        let layers = unsafe {
            check_tags(self.layers, self.layer_count)?;
            values(self.layers, self.layer_count)?
        };
        let shape = Shape::series(self.positions, self.channels);
        Ok(Network::of_kinds(shape, layers)?)
    }
}

impl SgtParameters {
    /// # Safety
    /// The crate's contract.
    unsafe fn parameters<'p>(&self) -> Result<Parameters<'p>, SgtStatus> {
        // SAFETY: the crate's contract.
        unsafe {
            Ok(Parameters {
                frozen: values(self.frozen, self.frozen_len)?,
                trained: values(self.trained, self.trained_len)?,
            })
        }
    }
}

/// Which rule, known when it runs: one code for both.
enum Rule {
    Sgd(Sgd),
    Adam(Adam),
}

impl Optimizer for Rule {
    fn needs(&self, parameters: usize) -> usize {
        match self {
            Self::Sgd(rule) => rule.needs(parameters),
            Self::Adam(rule) => rule.needs(parameters),
        }
    }

    fn update(
        &mut self,
        parameters: &mut [f32],
        gradient: &[f32],
        state: &mut [f32],
    ) -> Result<(), Error> {
        match self {
            Self::Sgd(rule) => rule.update(parameters, gradient, state),
            Self::Adam(rule) => rule.update(parameters, gradient, state),
        }
    }
}

impl SgtOptimizer {
    fn rule(&self) -> Result<Rule, SgtStatus> {
        let Self {
            rate,
            momentum,
            weight_decay,
            betas,
            epsilon,
            corrections,
            ..
        } = *self;
        Ok(match self.kind {
            SGT_OPTIMIZER_SGD => Rule::Sgd(Sgd {
                rate,
                momentum,
                weight_decay,
            }),
            SGT_OPTIMIZER_ADAM => Rule::Adam(Adam {
                rate,
                betas,
                epsilon,
                weight_decay,
                corrections,
            }),
            _ => return Err(SgtStatus::Constant),
        })
    }
}

impl SgtLearner {
    /// Runs a step with the core's learner and keeps what the rule remembers.
    ///
    /// # Safety
    /// The crate's contract.
    unsafe fn with(
        &mut self,
        step: impl FnOnce(&mut Learner<'_, Rule>) -> Result<Losses, Error>,
    ) -> Result<Losses, SgtStatus> {
        // SAFETY: the crate's contract.
        let mut learner = unsafe {
            Learner {
                frozen: values(self.frozen, self.frozen_len)?,
                trained: values_mut(self.trained, self.trained_len)?,
                gradient: values_mut(self.gradient, self.trained_len)?,
                optimizer: self.optimizer.rule()?,
                state: values_mut(self.state, self.state_len)?,
            }
        };
        let losses = step(&mut learner)?;
        if let Rule::Adam(rule) = learner.optimizer {
            self.optimizer.corrections = rule.corrections;
        }
        Ok(losses)
    }
}

/// SGD without momentum.
#[unsafe(no_mangle)]
pub extern "C" fn sgt_sgd(rate: f32) -> SgtOptimizer {
    let adam = Adam::new(rate);
    SgtOptimizer {
        kind: SGT_OPTIMIZER_SGD,
        rate,
        momentum: 0.0,
        weight_decay: 0.0,
        betas: adam.betas,
        epsilon: adam.epsilon,
        corrections: adam.corrections,
    }
}

/// Adam with PyTorch's constants.
#[unsafe(no_mangle)]
pub extern "C" fn sgt_adam(rate: f32) -> SgtOptimizer {
    SgtOptimizer {
        kind: SGT_OPTIMIZER_ADAM,
        ..sgt_sgd(rate)
    }
}

/// Checks a table and writes the sizes of what a caller provides. `SGT_STATUS_LAYER` says that a
/// layer does not fit what the layers in front give.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_network_sizes(
    network: *const SgtNetwork,
    sizes: *mut SgtSizes,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (network, sizes) = unsafe { (structure(network)?.network()?, structure_mut(sizes)?) };
        *sizes = SgtSizes {
            input: network.input_len(),
            classes: network.classes(),
            parameters: network.parameter_len(),
            last_layer: network.trained_len(1),
            products: network.products(),
            inference: network.inference_len(),
            saliency: network.saliency_len(),
            sgt: network.sgt_len(),
            quantized: network.quantized_len(),
        };
        Ok(())
    })
}

/// `(x - mean) / deviation`, channel by channel, over the `len` values of a window
/// `[positions, channels]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_standardize(
    window: *mut f32,
    len: usize,
    mean: *const f32,
    deviation: *const f32,
    channels: usize,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (window, mean, deviation) = unsafe {
            (
                values_mut(window, len)?,
                values(mean, channels)?,
                values(deviation, channels)?,
            )
        };
        Ok(standardize(window, mean, deviation)?)
    })
}

/// Writes the logits of one window (`SgtSizes`: `input` values, `classes` logits). `scratch` has
/// `scratch_len` values, at least `inference`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_infer(
    network: *const SgtNetwork,
    parameters: *const SgtParameters,
    input: *const f32,
    scratch: *mut f32,
    scratch_len: usize,
    logits: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        unsafe {
            let network = structure(network)?.network()?;
            let parameters = structure(parameters)?.parameters()?;
            let input = values(input, network.input_len())?;
            let scratch = values_mut(scratch, scratch_len)?;
            let logits = values_mut(logits, network.classes())?;
            Ok(network.infer(parameters, input, scratch, logits)?)
        }
    })
}

/// Writes the logits of one window, computed in 8-bit integers. `scratch` has at least `quantized`
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_infer_quantized(
    network: *const SgtNetwork,
    quantized: *const SgtQuantized,
    input: *const f32,
    scratch: *mut i8,
    scratch_len: usize,
    logits: *mut f32,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        unsafe {
            let network = structure(network)?.network()?;
            let quantized = structure(quantized)?;
            let quantized = Quantized {
                weights: values(quantized.weights, quantized.weights_len)?,
                biases: values(quantized.biases, quantized.biases_len)?,
                rescales: values(quantized.rescales, quantized.rescales_len)?,
                activations: values(quantized.activations, quantized.activations_len)?,
            };
            let input = values(input, network.input_len())?;
            let scratch = values_mut(scratch, scratch_len)?;
            let logits = values_mut(logits, network.classes())?;
            Ok(network.infer_quantized(&quantized, input, scratch, logits)?)
        }
    })
}

/// Writes the logits of one window, and its saliency: the gradient of `score` (`SGT_SCORE_…`) for the
/// class `label` with respect to each of its values. `scratch` has at least `saliency` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_saliency(
    network: *const SgtNetwork,
    parameters: *const SgtParameters,
    input: *const f32,
    score: u8,
    label: usize,
    scratch: *mut f32,
    scratch_len: usize,
    logits: *mut f32,
    saliency: *mut f32,
) -> SgtStatus {
    status(|| {
        let score = chosen(score)?;
        // SAFETY: the crate's contract.
        unsafe {
            let network = structure(network)?.network()?;
            let parameters = structure(parameters)?.parameters()?;
            let input = values(input, network.input_len())?;
            let scratch = values_mut(scratch, scratch_len)?;
            let logits = values_mut(logits, network.classes())?;
            let saliency = values_mut(saliency, network.input_len())?;
            Ok(network.saliency(parameters, input, score, label, scratch, logits, saliency)?)
        }
    })
}

fn chosen(score: u8) -> Result<Score, SgtStatus> {
    Ok(match score {
        SGT_SCORE_TRUE_LOGIT => Score::TrueLogit,
        SGT_SCORE_TRUE_LOG_PROB => Score::TrueLogProb,
        SGT_SCORE_PREDICTED_LOGIT => Score::PredictedLogit,
        SGT_SCORE_LOSS => Score::Loss,
        _ => return Err(SgtStatus::Constant),
    })
}

/// One step on a window's cross-entropy. `scratch` has at least `saliency` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_standard_step(
    network: *const SgtNetwork,
    learner: *mut SgtLearner,
    input: *const f32,
    label: usize,
    scratch: *mut f32,
    scratch_len: usize,
    losses: *mut SgtLosses,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        unsafe {
            let network = structure(network)?.network()?;
            let learner = structure_mut(learner)?;
            let input = values(input, network.input_len())?;
            let scratch = values_mut(scratch, scratch_len)?;
            let losses = structure_mut(losses)?;
            let example = Labelled { input, label };
            let found = learner.with(|learner| network.standard_step(learner, example, scratch))?;
            *losses = found.into();
            Ok(())
        }
    })
}

/// One step of saliency-guided training on a window: saliency by `score`, masking, both passes, the
/// loss with `lambda`, its gradient and the update. `scratch` has at least `sgt` values, `indices` as
/// many as `sgt_masked_count` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_sgt_step(
    network: *const SgtNetwork,
    learner: *mut SgtLearner,
    input: *const f32,
    label: usize,
    masking: *const SgtMasking,
    score: u8,
    lambda: f32,
    random: *mut SgtRandom,
    scratch: *mut f32,
    scratch_len: usize,
    indices: *mut u16,
    indices_len: usize,
    losses: *mut SgtLosses,
) -> SgtStatus {
    status(|| {
        let score = chosen(score)?;
        // SAFETY: the crate's contract.
        unsafe {
            let network = structure(network)?.network()?;
            let learner = structure_mut(learner)?;
            let input = values(input, network.input_len())?;
            let guided = SaliencyGuided {
                masking: structure(masking)?.masking()?,
                score,
                lambda,
            };
            let random = structure_mut(random)?;
            let mut scratch = SgtScratch {
                values: values_mut(scratch, scratch_len)?,
                indices: values_mut(indices, indices_len)?,
            };
            let losses = structure_mut(losses)?;
            let example = Labelled { input, label };
            let found = learner.with(|learner| {
                random.with(|generator| {
                    network.sgt_step(learner, example, &guided, generator, &mut scratch)
                })
            })?;
            *losses = found.into();
            Ok(())
        }
    })
}
