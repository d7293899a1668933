//! The network `wrist` with the weights of a sgt run (sgt 0.1.0): 100 steps of 6 channels to 4 classes.
//!
//! What it reads, what it costs and how to call it: `README.md` beside this crate.
#![no_std]
#![forbid(unsafe_code)]
#![allow(clippy::excessive_precision, clippy::unreadable_literal)]

pub mod golden;
mod quantized;
mod weights;

pub use quantized::{QUANTIZED, QUANTIZED_LEN, infer_quantized};
pub use sgt_core;
use sgt_core::network::{
    Convolution, Dense, Labelled, Layer, Learner, Network, Optimizer, Parameters, SaliencyGuided,
    Score, SgtScratch, Shape, Window, kinds,
};
use sgt_core::{Error, Group, Layout, Losses, Masking, Order, Random};
pub use weights::WEIGHTS;

/// Positions of a window: time steps.
pub const STEPS: usize = 100;
/// Values at each of them.
pub const CHANNELS: usize = 6;
/// Values of a window, `[STEPS, CHANNELS]`: position after position, as a sensor gives them.
pub const INPUT_LEN: usize = STEPS * CHANNELS;
/// The number of classes.
pub const CLASSES: usize = 4;
/// Their names, in the order of the logits.
#[rustfmt::skip]
pub static CLASS_NAMES: [&str; CLASSES] = [
    "Standing", "Running", "Walking", "Badminton",
];
/// The training data's mean of each channel.
#[rustfmt::skip]
pub static MEAN: [f32; CHANNELS] = [
    2.5527596, -1.3039367, -1.0265805, 0.019051105, -0.023957696, -0.055789664,
];
/// Its deviation.
#[rustfmt::skip]
pub static DEVIATION: [f32; CHANNELS] = [
    7.0723057, 6.7940874, 3.5463734, 2.11192, 1.8207506, 3.5165858,
];

/// The layers, and what each gives: positions × channels.
#[rustfmt::skip]
pub const LAYERS: [Layer; 6] = [
    // conv1: 50 × 8, 248 parameters
    Layer::Convolution(Convolution { outputs: 8, window: Window { kernel: 5, stride: 2, padding: [2, 2], dilation: 1 } }),
    // layer 2 (relu): 50 × 8
    Layer::Relu,
    // conv2: 25 × 12, 492 parameters
    Layer::Convolution(Convolution { outputs: 12, window: Window { kernel: 5, stride: 2, padding: [2, 2], dilation: 1 } }),
    // layer 4 (relu): 25 × 12
    Layer::Relu,
    // layer 5 (global-average-pool): 1 × 12
    Layer::GlobalAveragePool,
    // fc: 1 × 4, 52 parameters
    Layer::Dense(Dense { outputs: 4 }),
];
/// The network; its type carries the code of these layers alone.
pub const NETWORK: Network<'static, { kinds(&LAYERS) }> =
    match Network::of_kinds(Shape::series(STEPS, CHANNELS), &LAYERS) {
        Ok(network) => network,
        Err(_) => panic!("the table does not fit"), // an error of the compiler
    };
/// What is ranked and masked in saliency-guided training: the published method.
pub const GUIDED: SaliencyGuided =
    match Layout::series(STEPS, CHANNELS, Order::ChannelsLast, Group::Cell) {
        Ok(layout) => SaliencyGuided::new(Masking::reference(layout)),
        Err(_) => panic!("the layout does not fit"), // an error of the compiler
    };

/// Values of all parameters.
pub const PARAMETER_LEN: usize = NETWORK.parameter_len();
/// Values of the last layer's.
pub const LAST_LAYER_LEN: usize = NETWORK.trained_len(1);
/// Values of scratch for [`infer`].
pub const INFERENCE_LEN: usize = NETWORK.inference_len();
/// Values of scratch for [`saliency`] and for plain training steps.
pub const SALIENCY_LEN: usize = NETWORK.saliency_len();
/// Values of scratch for [`sgt_step`].
pub const SGT_LEN: usize = NETWORK.sgt_len();
/// Group numbers of scratch for [`sgt_step`].
pub const INDICES_LEN: usize = GUIDED.indices_len();

/// A window in the sensor's units as the network reads it: `(x − MEAN) / DEVIATION`.
///
/// # Errors
/// None for a window of this length.
pub fn standardize(window: &mut [f32; INPUT_LEN]) -> Result<(), Error> {
    sgt_core::network::standardize(window, &MEAN, &DEVIATION)
}

/// The logits of a standardised window, with [`WEIGHTS`] or what was learnt from them.
///
/// # Errors
/// [`Error::NonFinite`] for a window with NaN or an infinity, [`Error::Length`] for other lengths.
pub fn infer(
    parameters: Parameters<'_>,
    window: &[f32; INPUT_LEN],
    scratch: &mut [f32],
    logits: &mut [f32; CLASSES],
) -> Result<(), Error> {
    NETWORK.infer(parameters, window, scratch, logits)
}

/// The logits of a standardised window, and its saliency: the gradient of the logit of `class` with
/// respect to each of its values.
///
/// # Errors
/// As [`infer`], and [`Error::Label`].
pub fn saliency(
    parameters: Parameters<'_>,
    window: &[f32; INPUT_LEN],
    class: usize,
    scratch: &mut [f32],
    logits: &mut [f32; CLASSES],
    saliency: &mut [f32; INPUT_LEN],
) -> Result<(), Error> {
    NETWORK.saliency(
        parameters,
        window,
        Score::TrueLogit,
        class,
        scratch,
        logits,
        saliency,
    )
}

/// One step of saliency-guided training on a standardised window: of all layers, or of the last
/// few ([`Network::trained_len`]).
///
/// # Errors
/// As [`saliency`], and [`Network::sgt_step`].
pub fn sgt_step<O: Optimizer, R: Random>(
    learner: &mut Learner<'_, O>,
    window: &[f32; INPUT_LEN],
    label: usize,
    rng: &mut R,
    scratch: &mut SgtScratch<'_, u16>,
) -> Result<Losses, Error> {
    let example = Labelled {
        input: window,
        label,
    };
    NETWORK.sgt_step(learner, example, &GUIDED, rng, scratch)
}
