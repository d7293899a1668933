//! A small network: inference, saliency and training of one window at a time, in the caller's
//! memory.
//!
//! A network is a table of [`Layer`]s. It is checked once, in the compiler when the table is a
//! constant, and needs no heap. Its parameters are one slice, or two: those that stay in flash and
//! those that are trained ([`Parameters`]). Each call works on one window in a scratch slice that
//! the caller owns; calls may share it.
//!
//! | call | what it does | scratch |
//! |---|---|---|
//! | [`standardize`] | a window in a sensor's units → as the network reads it | none |
//! | [`Network::infer`] | window → logits | [`Network::inference_len`] |
//! | [`Network::infer_quantized`] | the same in 8-bit integers ([`Quantized`]) | [`Network::quantized_len`] |
//! | [`Network::saliency`] | window → logits and the input gradient of a [`Score`] | [`Network::saliency_len`] |
//! | [`Network::standard_step`] | one step on the cross-entropy | [`Network::standard_len`] |
//! | [`Network::sgt_step`] | one step of saliency-guided training | [`Network::sgt_len`] |
//! | [`Network::standard_gradient`], [`Network::sgt_gradient`] | the steps without the update, for batches | as the steps |
//!
//! What is not called is not linked. The kinds of layers that a table has can be made part of the
//! network's type, which leaves out the code of the others: [`Network::of_kinds`].
//!
//! **Memory.** Activations are `[positions, channels]`, position after position. Parameters have
//! PyTorch's layouts and lie layer after layer: the weight, then the bias.
//!
//! **Sums.** Each value is summed in the order that its layer names, in `f32`, every product rounded:
//! the same bits on every machine. Another engine's differ by rounding.
//!
//! **NaN.** An input with NaN or an infinity is refused. Parameters are not looked at: logits that
//! are not finite come out of an inference as they are, and are refused by everything else.
//!
//! A convolutional network for windows of 16 steps and 2 channels:
//!
//! ```
//! use sgt_core::network::{Convolution, Dense, Layer, Network, Parameters, Shape, Window, kinds};
//!
//! const LAYERS: [Layer; 5] = [
//!     Layer::Convolution(Convolution { outputs: 4, window: Window::same(3) }),
//!     Layer::Relu,
//!     Layer::MaxPool(Window::side_by_side(2)),
//!     Layer::GlobalAveragePool,
//!     Layer::Dense(Dense { outputs: 3 }),
//! ];
//! const NETWORK: Network<'static, { kinds(&LAYERS) }> =
//!     match Network::of_kinds(Shape::series(16, 2), &LAYERS) {
//!         Ok(network) => network,
//!         Err(_) => panic!("the table does not fit"), // an error of the compiler
//!     };
//! static WEIGHTS: [f32; NETWORK.parameter_len()] = [0.1; NETWORK.parameter_len()];
//!
//! let window = [0.5; NETWORK.input_len()];
//! let mut scratch = [0.0; NETWORK.inference_len()];
//! let mut logits = [0.0; NETWORK.classes()];
//! NETWORK.infer(Parameters::all(&WEIGHTS), &window, &mut scratch, &mut logits)?;
//! assert_eq!(logits[0], logits[2]);
//! # Ok::<(), sgt_core::Error>(())
//! ```

mod convolution;
mod dense;
mod depthwise;
mod layer;
mod lstm;
mod matrix;
mod optimizer;
mod parameters;
mod pass;
mod plan;
mod pool;
mod quantized;
mod rows;
mod score;
mod shape;
mod standardize;
mod training;
mod window;

pub use convolution::Convolution;
pub use dense::Dense;
pub use depthwise::Depthwise;
pub use layer::{ALL_KINDS, Layer, kinds};
pub use lstm::Lstm;
pub use optimizer::{Adam, Optimizer, Sgd};
pub use parameters::Parameters;
pub use quantized::{Activation, Quantized, Rescale};
pub use score::Score;
pub use shape::Shape;
pub use standardize::standardize;
pub use training::{Labelled, Learner, SaliencyGuided, SgtScratch};
pub use window::Window;

use crate::{Error, math};
use plan::Sizes;

/// A checked table of layers for windows of one shape.
///
/// `KINDS` holds the kinds of layers whose code is compiled; all of them unless it is said, by
/// [`kinds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network<'t, const KINDS: u16 = ALL_KINDS> {
    layers: &'t [Layer],
    input: Shape,
    sizes: Sizes,
}

impl<'t> Network<'t> {
    /// Checks a table that may have any layer.
    ///
    /// # Errors
    /// [`Error::Empty`] for no layers or an input of no values, [`Error::Range`] for an input beyond
    /// counting, [`Error::Layer`] that names the first layer that does not fit.
    pub const fn new(input: Shape, layers: &'t [Layer]) -> Result<Self, Error> {
        Self::of_kinds(input, layers)
    }
}

impl<'t, const KINDS: u16> Network<'t, KINDS> {
    /// Checks a table whose layers are of `KINDS`. Made from [`kinds`] of the table itself, the type
    /// carries the code of these layers alone.
    ///
    /// # Errors
    /// As [`Network::new`], and [`Error::Layer`] for a layer of another kind.
    pub const fn of_kinds(input: Shape, layers: &'t [Layer]) -> Result<Self, Error> {
        match Sizes::of(layers, input, KINDS) {
            Ok(sizes) => Ok(Self {
                layers,
                input,
                sizes,
            }),
            Err(error) => Err(error),
        }
    }

    /// Values of a window.
    pub const fn input_len(&self) -> usize {
        self.input.len()
    }

    /// The number of logits.
    pub const fn classes(&self) -> usize {
        self.sizes.classes
    }

    /// Values of all parameters.
    pub const fn parameter_len(&self) -> usize {
        self.sizes.parameters
    }

    /// Values of the parameters of the last `layers` layers that have any: what a [`Learner`] trains
    /// when the layers in front stay.
    pub const fn trained_len(&self, layers: usize) -> usize {
        let mut walk = plan::Walk::new(self.layers, self.input);
        // The number of layers with parameters, then the place where the last `layers` begin.
        let mut all = 0;
        while let Some(stage) = walk.next() {
            if stage.parameters > 0 {
                all += 1;
            }
        }
        let mut left = layers;
        let mut walk = plan::Walk::new(self.layers, self.input);
        while let Some(stage) = walk.next() {
            if stage.parameters > 0 {
                if all <= left {
                    return self.sizes.parameters - stage.first;
                }
                left += 1;
            }
        }
        0
    }

    /// Multiplications of an inference.
    pub const fn products(&self) -> usize {
        self.sizes.products
    }

    /// Scratch of [`Network::infer`]: two buffers that take turns (a third where a residual holds
    /// one of them), and an LSTM's gates.
    pub const fn inference_len(&self) -> usize {
        let [a, b, c] = self.sizes.buffers;
        a + b + c + self.sizes.state
    }

    /// Scratch of [`Network::saliency`]: every activation (an LSTM's steps among them) and one
    /// gradient of the widest.
    pub const fn saliency_len(&self) -> usize {
        self.sizes.tape + self.sizes.widest
    }

    /// The logits of one window. `logits` has [`Network::classes`] values, `scratch` at least
    /// [`Network::inference_len`].
    ///
    /// # Errors
    /// [`Error::Length`] naming `parameters`, `input`, `scratch` or `logits`, [`Error::Range`] for
    /// parameters that are cut inside a layer, [`Error::NonFinite`] for the input; `logits` is
    /// untouched then.
    pub fn infer(
        &self,
        parameters: Parameters<'_>,
        input: &[f32],
        scratch: &mut [f32],
        logits: &mut [f32],
    ) -> Result<(), Error> {
        self.check(parameters, input)?;
        let scratch = take(scratch, self.inference_len())?;
        math::check_length("logits", self.classes(), logits.len())?;
        self.run(parameters, input, scratch, logits);
        Ok(())
    }

    /// The logits of one window, and its saliency: the gradient of `score` with respect to each of
    /// its values. `label` is the class that the score asks for; `scratch` has at least
    /// [`Network::saliency_len`] values.
    ///
    /// # Errors
    /// As [`Network::infer`], [`Error::Length`] naming `saliency`, [`Error::Label`], and
    /// [`Error::NonFinite`] for logits that are not finite; `logits` and `saliency` are untouched
    /// then.
    ///
    /// ```
    /// use sgt_core::network::{Dense, Layer, Network, Parameters, Score, Shape};
    /// let layers = [Layer::Dense(Dense { outputs: 2 })];
    /// let network = Network::new(Shape::vector(2), &layers)?;
    /// let weights = [1.0, 2.0, 3.0, 4.0, 0.0, 0.5]; // two rows of weights, two biases
    /// let (mut scratch, mut logits, mut saliency) = ([0.0; 4], [0.0; 2], [0.0; 2]);
    /// assert_eq!(network.saliency_len(), 4);
    /// network.saliency(
    ///     Parameters::all(&weights),
    ///     &[1.0, 1.0],
    ///     Score::TrueLogit,
    ///     1,
    ///     &mut scratch,
    ///     &mut logits,
    ///     &mut saliency,
    /// )?;
    /// assert_eq!((logits, saliency), ([3.0, 7.5], [3.0, 4.0]));
    /// # Ok::<(), sgt_core::Error>(())
    /// ```
    #[allow(clippy::too_many_arguments)] // what goes in, and the caller's three buffers
    pub fn saliency(
        &self,
        parameters: Parameters<'_>,
        input: &[f32],
        score: Score,
        label: usize,
        scratch: &mut [f32],
        logits: &mut [f32],
        saliency: &mut [f32],
    ) -> Result<(), Error> {
        self.check(parameters, input)?;
        let scratch = take(scratch, self.saliency_len())?;
        math::check_length("logits", self.classes(), logits.len())?;
        math::check_length("saliency", self.input_len(), saliency.len())?;
        let split = scratch.split_at_mut_checked(self.sizes.tape);
        let (tape, delta) = split.unwrap_or_default();
        self.forward(parameters, input, tape);
        self.score_gradient(score, label, input, tape, delta)?;
        matrix::copy(self.logits(input, tape), logits);
        self.backward::<false>(parameters, input, tape, delta, true, &mut []);
        matrix::copy(delta, saliency);
        Ok(())
    }

    /// Begins a backward pass: the score's gradient with respect to the logits on the tape.
    fn score_gradient(
        &self,
        score: Score,
        label: usize,
        input: &[f32],
        tape: &[f32],
        delta: &mut [f32],
    ) -> Result<(), Error> {
        let delta = delta.get_mut(..self.classes()).unwrap_or_default();
        score.gradient(self.logits(input, tape), label, delta)
    }

    fn check(&self, parameters: Parameters<'_>, input: &[f32]) -> Result<(), Error> {
        let Parameters { frozen, trained } = parameters;
        let found = frozen.len() + trained.len();
        math::check_length("parameters", self.sizes.parameters, found)?;
        math::check_length("input", self.input_len(), input.len())?;
        math::check_finite("input", input)?;
        let mut walk = self.walk();
        while let Some(stage) = walk.next() {
            let end = stage.first + stage.parameters;
            if stage.first < frozen.len() && frozen.len() < end {
                return Err(Error::Range { argument: "frozen" });
            }
        }
        Ok(())
    }
}

/// The part of the scratch that a call needs.
fn take(scratch: &mut [f32], needed: usize) -> Result<&mut [f32], Error> {
    let found = scratch.len();
    scratch.get_mut(..needed).ok_or(Error::Length {
        argument: "scratch",
        expected: needed,
        found,
    })
}
