//! Counts the instructions of the masking call, a feature: signed ranking, half of the features,
//! uniform policy; and of a network, each ten products of an inference. For QEMU with `-icount shift=0`, where an instruction takes one nanosecond and
//! `SysTick`, which counts 25 MHz on the board `mps2-an386`, therefore ticks every 40.
#![no_std]
#![no_main]

use core::hint::black_box;
use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use sgt_core::network::{
    Activation, Convolution, Dense, Depthwise, Labelled, Layer, Learner, Lstm, Network, Parameters,
    Quantized, Rescale, SaliencyGuided, Score, Sgd, SgtScratch, Shape, Window,
};
use sgt_core::{Group, Layout, Masking, Order, Pcg32, Random, mask_sample, mask_sample_small};

const INSTRUCTIONS_A_TICK: u32 = 40;
const SIZES: [usize; 3] = [64, 784, 1152];
const LARGEST: usize = 1152;
/// Calls that are counted together: a tick is then a small part of a feature's instructions.
const CALLS: u32 = 16;
const FULL: u32 = 0x00ff_ffff;

/// Ticks that `work` took.
fn ticks(timer: &mut SYST, mut work: impl FnMut()) -> u32 {
    timer.clear_current();
    let start = SYST::get_current();
    work();
    start.wrapping_sub(SYST::get_current()) & FULL
}

/// Checks the scale on a loop of known length.
fn calibrated(timer: &mut SYST) -> bool {
    const TURNS: u32 = 200_000;
    const INSTRUCTIONS_A_TURN: u32 = 2;
    let ticks = ticks(timer, || {
        // SAFETY: counts a register down.
        unsafe {
            core::arch::asm!("2:", "subs {0}, {0}, #1", "bne 2b", inout(reg) TURNS => _);
        }
    });
    let expected = TURNS * INSTRUCTIONS_A_TURN / INSTRUCTIONS_A_TICK;
    hprintln!("calibration: {} ticks, expected {}", ticks, expected);
    ticks.abs_diff(expected) <= 2
}

struct Buffers {
    gradient: [f32; LARGEST],
    sample: [f32; LARGEST],
    scratch: [u32; LARGEST],
    indices: [u16; LARGEST],
    out: [f32; LARGEST],
}

/// One call on `features` features with the small or the fast selection.
#[inline(never)]
fn mask(buffers: &mut Buffers, features: usize, small: bool, rng: &mut Pcg32) -> bool {
    let Ok(layout) = Layout::flat(features) else {
        return false;
    };
    let masking = black_box(Masking::reference(layout));
    let gradient = &buffers.gradient[..features];
    let sample = &buffers.sample[..features];
    let out = &mut buffers.out[..features];
    let replaced = if small {
        let indices = &mut buffers.indices;
        mask_sample_small(&masking, gradient, sample, None, rng, indices, out).map(<[u16]>::len)
    } else {
        let scratch = &mut buffers.scratch;
        mask_sample(&masking, gradient, sample, None, rng, scratch, out)
            .map(|replaced| replaced.count())
    };
    black_box(replaced) == Ok(features / 2)
}

const STEPS: usize = 100;
const CHANNELS: usize = 6;
const INPUT: Shape = Shape::series(STEPS, CHANNELS);

const fn convolution(outputs: usize, kernel: usize) -> Layer {
    Layer::Convolution(Convolution {
        outputs,
        window: Window::same(kernel),
    })
}

/// A network for sensors, and its parts.
const CONVOLUTIONAL: [Layer; 8] = [
    convolution(12, 5),
    Layer::Relu,
    Layer::MaxPool(Window::side_by_side(2)),
    convolution(16, 5),
    Layer::Relu,
    Layer::MaxPool(Window::side_by_side(2)),
    Layer::GlobalAveragePool,
    Layer::Dense(Dense { outputs: 4 }),
];
const CONVOLUTION: [Layer; 2] = [convolution(16, 5), Layer::GlobalAveragePool];
const DEPTHWISE: [Layer; 2] = [
    Layer::Depthwise(Depthwise {
        window: Window::same(5),
    }),
    Layer::GlobalAveragePool,
];
const DENSE: [Layer; 2] = [
    Layer::Flatten(Order::ChannelsLast),
    Layer::Dense(Dense { outputs: 32 }),
];
const LSTM: [Layer; 1] = [Layer::Lstm(Lstm { hidden: 16 })];

const MOST_PARAMETERS: usize = 20_000;
const MOST_SCRATCH: usize = 16_000;
const MOST_CLASSES: usize = 32;
/// Rows of all layers, and layers with the input.
const MOST_ROWS: usize = 64;
const MOST_LAYERS: usize = 16;
const RESCALE: Rescale = Rescale {
    multiplier: 1 << 30,
    shift: 38,
};
const ACTIVATION: Activation = Activation {
    scale: 0.05,
    zero: -3,
};

struct NetworkBuffers {
    parameters: [f32; MOST_PARAMETERS],
    gradient: [f32; MOST_PARAMETERS],
    scratch: [f32; MOST_SCRATCH],
    indices: [u16; STEPS * CHANNELS],
    window: [f32; STEPS * CHANNELS],
    saliency: [f32; STEPS * CHANNELS],
    logits: [f32; MOST_CLASSES],
    weights: [i8; MOST_PARAMETERS],
    bytes: [i8; MOST_SCRATCH],
}

impl NetworkBuffers {
    /// In integers; `rows` counts biases and rescalings, of which pooling has one more.
    fn infer_quantized(&mut self, network: &Network<'_>, layers: usize, rows: [usize; 2]) -> bool {
        let [biases, rescales] = rows;
        let weights = &self.weights[..network.parameter_len() - biases];
        let quantized = Quantized {
            weights,
            biases: &[7; MOST_ROWS][..biases],
            rescales: &[RESCALE; MOST_ROWS][..rescales],
            activations: &[ACTIVATION; MOST_LAYERS][..=layers],
        };
        let logits = &mut self.logits[..network.classes()];
        let done = network.infer_quantized(&quantized, &self.window, &mut self.bytes, logits);
        black_box(done).is_ok()
    }

    fn infer(&mut self, network: &Network<'_>) -> bool {
        let parameters = Parameters::all(&self.parameters[..network.parameter_len()]);
        let logits = &mut self.logits[..network.classes()];
        let scratch = &mut self.scratch;
        let done = network.infer(parameters, &self.window, scratch, logits);
        black_box(done).is_ok()
    }

    fn saliency(&mut self, network: &Network<'_>) -> bool {
        let parameters = Parameters::all(&self.parameters[..network.parameter_len()]);
        let done = network.saliency(
            parameters,
            &self.window,
            Score::TrueLogit,
            0,
            &mut self.scratch,
            &mut self.logits[..network.classes()],
            &mut self.saliency,
        );
        black_box(done).is_ok()
    }

    fn step(&mut self, network: &Network<'_>, guided: Option<&SaliencyGuided>) -> bool {
        let count = network.parameter_len();
        let mut learner = Learner {
            frozen: &[],
            trained: &mut self.parameters[..count],
            gradient: &mut self.gradient[..count],
            optimizer: Sgd::new(0.01),
            state: &mut [],
        };
        let example = Labelled {
            input: &self.window,
            label: 0,
        };
        let done = match guided {
            None => network.standard_step(&mut learner, example, &mut self.scratch),
            Some(guided) => {
                let mut scratch = SgtScratch {
                    values: &mut self.scratch,
                    indices: &mut self.indices,
                };
                let mut rng = Pcg32::new(2021, 0);
                network.sgt_step(&mut learner, example, guided, &mut rng, &mut scratch)
            }
        };
        black_box(done).is_ok()
    }
}

/// Instructions of networks.
#[allow(clippy::large_stack_arrays)] // the board has 4 MiB
#[inline(never)]
fn networks(timer: &mut SYST, rng: &mut Pcg32) -> bool {
    let mut buffers = NetworkBuffers {
        parameters: core::array::from_fn(|_| 0.2 * rng.standard_normal()),
        gradient: [0.0; MOST_PARAMETERS],
        scratch: [0.0; MOST_SCRATCH],
        indices: [0; STEPS * CHANNELS],
        window: core::array::from_fn(|_| rng.standard_normal()),
        saliency: [0.0; STEPS * CHANNELS],
        logits: [0.0; MOST_CLASSES],
        weights: core::array::from_fn(|_| (rng.next_u32() >> 25) as i8 - 64),
        bytes: [0; MOST_SCRATCH],
    };
    let layout = Layout::series(STEPS, CHANNELS, Order::ChannelsLast, Group::Cell);
    let Ok(guided) = layout.map(|layout| SaliencyGuided::new(Masking::reference(layout))) else {
        return false;
    };
    let mut success = true;
    let mut report = |name: &str, network: &Network<'_>, work: &mut dyn FnMut() -> bool| {
        const TEN: u64 = 10;
        let ticks = ticks(timer, || success &= work());
        let instructions = u64::from(ticks * INSTRUCTIONS_A_TICK);
        let ten_products = instructions * TEN / network.products() as u64;
        hprintln!("{}: {} instructions", name, instructions);
        hprintln!("instructions {} {}", name, ten_products);
    };
    for (name, layers) in [
        ("infer_convolution", &CONVOLUTION[..]),
        ("infer_depthwise", &DEPTHWISE),
        ("infer_dense", &DENSE),
        ("infer_lstm", &LSTM),
        ("infer_network", &CONVOLUTIONAL),
    ] {
        let Ok(network) = Network::new(INPUT, black_box(layers)) else {
            return false;
        };
        report(name, &network, &mut || buffers.infer(&network));
    }
    for (name, layers, rows) in [
        ("quantized_convolution", &CONVOLUTION[..], [16, 17]),
        ("quantized_dense", &DENSE, [32, 32]),
        ("quantized_network", &CONVOLUTIONAL, [32, 33]),
    ] {
        let Ok(network) = Network::new(INPUT, black_box(layers)) else {
            return false;
        };
        report(name, &network, &mut || {
            buffers.infer_quantized(&network, layers.len(), rows)
        });
    }
    let Ok(network) = Network::new(INPUT, black_box(&CONVOLUTIONAL)) else {
        return false;
    };
    report("saliency_network", &network, &mut || {
        buffers.saliency(&network)
    });
    report("standard_step_network", &network, &mut || {
        buffers.step(&network, None)
    });
    report("sgt_step_network", &network, &mut || {
        buffers.step(&network, Some(&guided))
    });
    success
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = Peripherals::take() else {
        sgt_firmware::exit(false)
    };
    let mut timer = peripherals.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(FULL);
    timer.clear_current();
    timer.enable_counter();
    let mut success = calibrated(&mut timer);
    let mut rng = Pcg32::new(2021, 0);
    let mut buffers = Buffers {
        gradient: core::array::from_fn(|_| rng.standard_normal()),
        sample: core::array::from_fn(|_| rng.unit()),
        scratch: [0; LARGEST],
        indices: [0; LARGEST],
        out: [0.0; LARGEST],
    };
    for (name, small) in [("mask_sample_small", true), ("mask_sample", false)] {
        for features in SIZES {
            let ticks = ticks(&mut timer, || {
                for _ in 0..CALLS {
                    success &= mask(&mut buffers, features, small, &mut rng);
                }
            });
            let instructions = ticks * INSTRUCTIONS_A_TICK / CALLS;
            let a_feature = instructions / features as u32;
            hprintln!("instructions {}_{} {}", name, features, a_feature);
        }
    }
    success &= networks(&mut timer, &mut rng);
    sgt_firmware::exit(success);
}
