//! A network as a `no_std` crate: weights in flash, everything of a fixed size, one function a use.

use super::Board;
use super::golden::{Golden, RATE, SEED, STEPS};
use super::quantize::Integers;
use super::text::{float, lines, string};
use crate::export::ExportFile;
use sgt_core::Group;
use sgt_core::network::{Layer, Window};

/// The crate's own files; `core` is where its manifest finds `sgt-core`.
pub(super) fn files(board: &Board, core: &str) -> Vec<ExportFile> {
    let files = [
        ("Cargo.toml", manifest(board, core)),
        ("README.md", readme(board)),
        ("src/lib.rs", library(board)),
        ("src/weights.rs", weights(board)),
        ("src/golden.rs", golden(board)),
        ("tests/golden.rs", golden_test(board)),
    ];
    let file = |(name, text): (&str, String)| ExportFile {
        name: name.into(),
        bytes: text.into_bytes(),
    };
    let mut files: Vec<ExportFile> = files.map(file).into();
    if let Some(integers) = &board.integers {
        files.push(file(("src/quantized.rs", quantized(integers))));
    }
    files
}

/// What the integers add to the crate.
fn quantized(integers: &Integers) -> String {
    let list = |items: Vec<String>| lines(4, items);
    let numbers = |items: &[i32]| list(items.iter().map(i32::to_string).collect());
    let weights: Vec<i32> = integers.weights.iter().map(|&q| i32::from(q)).collect();
    let rescales = integers
        .rescales
        .iter()
        .map(|it| format!("r({}, {})", it.multiplier, it.shift));
    let activations = integers
        .activations
        .iter()
        .map(|it| format!("a({}, {})", float(it.scale), it.zero));
    QUANTIZED
        .replace("{weight_count}", &weights.len().to_string())
        .replace("{weights}", &numbers(&weights))
        .replace("{bias_count}", &integers.biases.len().to_string())
        .replace("{biases}", &numbers(&integers.biases))
        .replace("{rescale_count}", &integers.rescales.len().to_string())
        .replace("{rescales}", &list(rescales.collect()))
        .replace(
            "{activation_count}",
            &integers.activations.len().to_string(),
        )
        .replace("{activations}", &list(activations.collect()))
}

const QUANTIZED: &str = r"//! The network in 8-bit integers.

use super::{CLASSES, INPUT_LEN, NETWORK};
use sgt_core::Error;
use sgt_core::network::{Activation, Quantized, Rescale};

/// Bytes of scratch for [`infer_quantized`].
pub const QUANTIZED_LEN: usize = NETWORK.quantized_len();

/// The logits of a standardised window, computed in integers.
///
/// # Errors
/// [`Error::NonFinite`] for a window with NaN or an infinity, [`Error::Length`] for short scratch.
pub fn infer_quantized(
    window: &[f32; INPUT_LEN],
    scratch: &mut [i8],
    logits: &mut [f32; CLASSES],
) -> Result<(), Error> {
    NETWORK.infer_quantized(&QUANTIZED, window, scratch, logits)
}

/// Everything in flash.
pub static QUANTIZED: Quantized<'static> = Quantized {
    weights: &WEIGHTS,
    biases: &BIASES,
    rescales: &RESCALES,
    activations: &ACTIVATIONS,
};

const fn r(multiplier: i32, shift: u32) -> Rescale {
    Rescale { multiplier, shift }
}

const fn a(scale: f32, zero: i8) -> Activation {
    Activation { scale, zero }
}

#[rustfmt::skip]
static WEIGHTS: [i8; {weight_count}] = [
{weights}];
#[rustfmt::skip]
static BIASES: [i32; {bias_count}] = [
{biases}];
#[rustfmt::skip]
static RESCALES: [Rescale; {rescale_count}] = [
{rescales}];
#[rustfmt::skip]
static ACTIVATIONS: [Activation; {activation_count}] = [
{activations}];
";

fn manifest(board: &Board, core: &str) -> String {
    format!(
        r#"[package]
name = "{}-firmware"
version = "0.1.0"
edition = "2024"
rust-version = "1.95"
publish = false

[dependencies]
sgt-core = {{ path = {} }}
"#,
        board.identifier('-'),
        toml_string(core)
    )
}

fn toml_string(value: &str) -> String {
    toml::Value::String(value.into()).to_string()
}

fn layer(layer: &Layer) -> String {
    match layer {
        Layer::Dense(own) => format!("Dense(Dense {{ outputs: {} }})", own.outputs),
        Layer::Convolution(own) => format!(
            "Convolution(Convolution {{ outputs: {}, window: {} }})",
            own.outputs,
            window(&own.window)
        ),
        Layer::Depthwise(own) => {
            format!("Depthwise(Depthwise {{ window: {} }})", window(&own.window))
        }
        Layer::MaxPool(own) => format!("MaxPool({})", window(own)),
        Layer::AveragePool(own) => format!("AveragePool({})", window(own)),
        Layer::Flatten(order) => format!("Flatten(Order::{order:?})"),
        Layer::Lstm(own) => format!("Lstm(Lstm {{ hidden: {} }})", own.hidden),
        other => format!("{other:?}"),
    }
}

fn window(window: &Window) -> String {
    let Window {
        kernel,
        stride,
        padding: [front, behind],
        dilation,
    } = window;
    format!(
        "Window {{ kernel: {kernel}, stride: {stride}, padding: [{front}, {behind}], dilation: {dilation} }}"
    )
}

fn library(board: &Board) -> String {
    let table = &board.table;
    let (steps, channels) = (table.input.positions, table.input.channels);
    let mut rows = String::new();
    for row in &table.rows {
        let shape = format!("{} × {}", row.output.positions, row.output.channels);
        let parameters = match row.parameters {
            0 => String::new(),
            count => format!(", {count} parameters"),
        };
        rows.extend([format!(
            "    // {}: {shape}{parameters}\n    Layer::{},\n",
            row.name,
            layer(&row.layer)
        )]);
    }
    let names = board.classes.iter().map(|name| string(name));
    let mean = board.standardisation.mean.iter().copied().map(float);
    let deviation = board.standardisation.deviation.iter().copied().map(float);
    let group = match board.group {
        Group::Cell => "Cell",
        Group::Position => "Position",
    };
    let (quantized_module, quantized_use) = match board.integers {
        Some(_) => (
            "mod quantized;\n",
            "pub use quantized::{QUANTIZED, QUANTIZED_LEN, infer_quantized};\n",
        ),
        None => ("", ""),
    };
    let uses = uses(&rows);
    LIBRARY
        .replace("{quantized_module}", quantized_module)
        .replace("{quantized_use}", quantized_use)
        .replace("{summary}", &board.summary())
        .replace("{uses}", &uses)
        .replace("{steps}", &steps.to_string())
        .replace("{channels}", &channels.to_string())
        .replace("{classes}", &board.classes.len().to_string())
        .replace("{names}", &lines(4, names))
        .replace("{mean}", &lines(4, mean))
        .replace("{deviation}", &lines(4, deviation))
        .replace("{count}", &table.rows.len().to_string())
        .replace("{rows}", &rows)
        .replace("{group}", group)
}

/// The names of `sgt_core::network` that the library uses, as `rustfmt` orders them.
fn uses(rows: &str) -> String {
    let of_table = ["Convolution", "Dense", "Depthwise", "Lstm", "Window"];
    let named = |name: &&str| rows.contains(&format!("{name} {{"));
    let always = [
        "Labelled",
        "Layer",
        "Learner",
        "Network",
        "Optimizer",
        "Parameters",
        "SaliencyGuided",
        "Score",
        "SgtScratch",
        "Shape",
    ];
    let mut names: Vec<&str> = of_table.into_iter().filter(named).chain(always).collect();
    names.sort_unstable();
    names.push("kinds");
    lines(4, names.into_iter().map(str::to_string))
}

const LIBRARY: &str = r#"//! {summary}
//!
//! What it reads, what it costs and how to call it: `README.md` beside this crate.
#![no_std]
#![forbid(unsafe_code)]
#![allow(clippy::excessive_precision, clippy::unreadable_literal)]

pub mod golden;
{quantized_module}mod weights;

{quantized_use}pub use sgt_core;
use sgt_core::network::{
{uses}};
use sgt_core::{Error, Group, Layout, Losses, Masking, Order, Random};
pub use weights::WEIGHTS;

/// Positions of a window: time steps.
pub const STEPS: usize = {steps};
/// Values at each of them.
pub const CHANNELS: usize = {channels};
/// Values of a window, `[STEPS, CHANNELS]`: position after position, as a sensor gives them.
pub const INPUT_LEN: usize = STEPS * CHANNELS;
/// The number of classes.
pub const CLASSES: usize = {classes};
/// Their names, in the order of the logits.
#[rustfmt::skip]
pub static CLASS_NAMES: [&str; CLASSES] = [
{names}];
/// The training data's mean of each channel.
#[rustfmt::skip]
pub static MEAN: [f32; CHANNELS] = [
{mean}];
/// Its deviation.
#[rustfmt::skip]
pub static DEVIATION: [f32; CHANNELS] = [
{deviation}];

/// The layers, and what each gives: positions × channels.
#[rustfmt::skip]
pub const LAYERS: [Layer; {count}] = [
{rows}];
/// The network; its type carries the code of these layers alone.
pub const NETWORK: Network<'static, { kinds(&LAYERS) }> =
    match Network::of_kinds(Shape::series(STEPS, CHANNELS), &LAYERS) {
        Ok(network) => network,
        Err(_) => panic!("the table does not fit"), // an error of the compiler
    };
/// What is ranked and masked in saliency-guided training: the published method.
pub const GUIDED: SaliencyGuided =
    match Layout::series(STEPS, CHANNELS, Order::ChannelsLast, Group::{group}) {
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
"#;

fn weights(board: &Board) -> String {
    let values = board.table.parameters.iter().copied().map(float);
    format!(
        "//! The trained parameters, layer after layer: weights, then biases.\n\n\
         /// They stay in flash.\n\
         #[rustfmt::skip]\n\
         pub static WEIGHTS: [f32; super::PARAMETER_LEN] = [\n{}];\n",
        lines(4, values)
    )
}

fn golden(board: &Board) -> String {
    let field = match board.integers {
        Some(_) => "    /// The logits in 8-bit integers.\n    pub quantized: [f32; CLASSES],\n",
        None => "",
    };
    let mut text = GOLDEN
        .replace("{steps}", &STEPS.to_string())
        .replace("{count}", &board.goldens.len().to_string())
        .replace("{quantized}", field);
    for golden in &board.goldens {
        text.push_str("    Golden {\n");
        let mut list = |name: &str, values: &[f32]| {
            let values = lines(12, values.iter().copied().map(float));
            text.extend([format!("        {name}: [\n{values}        ],\n")]);
        };
        list("window", &golden.window);
        list("logits", &golden.logits);
        list("saliency", &golden.saliency);
        if board.integers.is_some() {
            list("quantized", &golden.integers);
        }
        let Golden { label, trained, .. } = golden;
        text.extend([format!(
            "        label: {label},\n        trained: 0x{trained:016x},\n    }},\n"
        )]);
    }
    text.push_str("];\n");
    text
}

const GOLDEN: &str = r"//! Windows and what every machine must make of them, to the bit. Not linked unless used.

use super::{CLASSES, INPUT_LEN};

/// A window and what comes out.
pub struct Golden {
    /// In the sensor's units.
    pub window: [f32; INPUT_LEN],
    /// Its logits.
    pub logits: [f32; CLASSES],
    /// The gradient of the logit of `label`.
    pub saliency: [f32; INPUT_LEN],
{quantized}    /// The class that saliency and training are told.
    pub label: usize,
    /// FNV-1a of the parameters' bytes behind {steps} steps of saliency-guided training.
    pub trained: u64,
}

/// The windows are drawn from the training data's means and deviations.
#[rustfmt::skip]
pub static GOLDEN: [Golden; {count}] = [
";

fn golden_test(board: &Board) -> String {
    let mut text = GOLDEN_TEST.to_string();
    if board.integers.is_some() {
        text.push_str(QUANTIZED_TEST);
    }
    text.replace("{crate}", &format!("{}_firmware", board.identifier('_')))
        .replace("{rate}", &float(RATE))
        .replace("{seed}", &SEED.to_string())
        .replace("{steps}", &STEPS.to_string())
}

const QUANTIZED_TEST: &str = r"
#[test]
fn integers() {
    use {crate}::{QUANTIZED_LEN, infer_quantized};
    for golden in &GOLDEN {
        let window = standardized(golden);
        let mut logits = [0.0; CLASSES];
        infer_quantized(&window, &mut vec![0; QUANTIZED_LEN], &mut logits).unwrap();
        assert_eq!(bits(&logits), bits(&golden.quantized));
    }
}
";

const GOLDEN_TEST: &str = r"//! The golden windows: the same bits on every machine.

use {crate}::golden::{GOLDEN, Golden};
use {crate}::sgt_core::Pcg32;
use {crate}::sgt_core::network::{Learner, Parameters, Sgd, SgtScratch};
use {crate}::{
    CLASSES, INDICES_LEN, INFERENCE_LEN, INPUT_LEN, PARAMETER_LEN, SALIENCY_LEN, SGT_LEN, WEIGHTS,
    infer, saliency, sgt_step, standardize,
};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn standardized(golden: &Golden) -> [f32; INPUT_LEN] {
    let mut window = golden.window;
    standardize(&mut window).unwrap();
    window
}

#[test]
fn logits_and_saliency() {
    let weights = Parameters::all(&WEIGHTS);
    for golden in &GOLDEN {
        let window = standardized(golden);
        let mut logits = [0.0; CLASSES];
        infer(weights, &window, &mut vec![0.0; INFERENCE_LEN], &mut logits).unwrap();
        assert_eq!(bits(&logits), bits(&golden.logits));
        let (mut again, mut map) = ([0.0; CLASSES], [0.0; INPUT_LEN]);
        let mut scratch = vec![0.0; SALIENCY_LEN];
        saliency(
            weights,
            &window,
            golden.label,
            &mut scratch,
            &mut again,
            &mut map,
        )
        .unwrap();
        assert_eq!(bits(&again), bits(&golden.logits));
        assert_eq!(bits(&map), bits(&golden.saliency));
    }
}

#[test]
fn training() {
    for golden in &GOLDEN {
        let window = standardized(golden);
        let (mut trained, mut gradient) = (WEIGHTS.to_vec(), vec![0.0; PARAMETER_LEN]);
        let mut learner = Learner {
            frozen: &[],
            trained: &mut trained,
            gradient: &mut gradient,
            optimizer: Sgd::new({rate}),
            state: &mut [],
        };
        let mut rng = Pcg32::new({seed}, 0);
        for _ in 0..{steps} {
            let mut scratch = SgtScratch {
                values: &mut vec![0.0; SGT_LEN],
                indices: &mut vec![0_u16; INDICES_LEN],
            };
            sgt_step(&mut learner, &window, golden.label, &mut rng, &mut scratch).unwrap();
        }
        let bytes = trained.iter().flat_map(|value| value.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(hash, golden.trained);
    }
}
";

fn readme(board: &Board) -> String {
    let name = format!("{}_firmware", board.identifier('_'));
    format!(
        "# {}\n\n{}\n\n{}\n\n## Calling it\n\n```rust\n{}```\n\n\
         `cargo test` here runs the golden windows; on a board they are in `golden::GOLDEN`.\n",
        board.title(),
        board.summary(),
        board.facts(),
        USAGE.replace("{crate}", &name)
    )
}

const USAGE: &str = r"use {crate}::{self as network, sgt_core::network::Parameters};

let mut scratch = [0.0; network::INFERENCE_LEN];
let mut logits = [0.0; network::CLASSES];
network::standardize(&mut window)?; // [f32; INPUT_LEN], position after position
network::infer(Parameters::all(&network::WEIGHTS), &window, &mut scratch, &mut logits)?;
";
