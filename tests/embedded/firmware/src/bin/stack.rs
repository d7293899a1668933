//! Measures the stack that every entry point uses: the memory below the stack pointer is painted,
//! the entry point runs, and the lowest word that lost its paint tells the depth.
//!
//! Every branch that calls deeper is taken: all policies, norms and errors. Arguments that don't
//! fit registers lie in the caller's frame and don't count.
#![no_std]
#![no_main]
// A function of its own would write below the stack pointer that is measured.
#![allow(clippy::inline_always)]

#[path = "../../../entry/src/entries.rs"]
mod entries;

use core::hint::black_box;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use entries::{CONVOLUTIONAL, Line, NAMES, WORKSPACE};
use sgt_core::network::{
    Activation, Adam, Convolution, Dense, Depthwise, Labelled, Layer, Learner, Lstm, Network,
    Parameters, Quantized, Rescale, SaliencyGuided, Score, Sgd, SgtScratch, Shape, Window,
};
use sgt_core::{
    AdversarialRows, AsgtRows, Ball, Bounds, Donors, End, Error, Goal, Group, Importance, Layout,
    Masking, MomentumScale, Norm, Order, Pcg32, Policy, RandCore, Reduction, Schedule, Scope,
    Selected, SgtRows, Threat, Threshold, Workspace,
};

/// Painted below the stack pointer; an entry point that needs more is reported as using it all.
const PAINTED: usize = 4096;
const PAINT: u32 = 0xc5a5_5ac5;
const WORD: usize = size_of::<u32>();

const FEATURES: usize = WORKSPACE;
const CLASSES: usize = 10;

/// Every kind of layer, for windows of 8 steps and 3 channels.
const EVERY_LAYER: [Layer; 12] = [
    Layer::Depthwise(Depthwise {
        window: Window::same(3),
    }),
    Layer::ResidualStart,
    Layer::Convolution(Convolution {
        outputs: 3,
        window: Window::same(3),
    }),
    Layer::Relu,
    Layer::ResidualAdd,
    Layer::Relu,
    Layer::MaxPool(Window::side_by_side(2)),
    Layer::AveragePool(Window::side_by_side(2)),
    Layer::Flatten(Order::ChannelsFirst),
    Layer::GlobalAveragePool,
    Layer::Lstm(Lstm { hidden: 1 }),
    Layer::Dense(Dense { outputs: 4 }),
];
const SENSOR_LAYERS: [Layer; 5] = [
    Layer::Convolution(Convolution {
        outputs: 3,
        window: Window::same(3),
    }),
    Layer::Relu,
    Layer::MaxPool(Window::side_by_side(2)),
    Layer::GlobalAveragePool,
    Layer::Dense(Dense { outputs: 4 }),
];
/// Every layer that has an integer form.
const INTEGER_LAYERS: [Layer; 11] = [
    EVERY_LAYER[0],
    EVERY_LAYER[1],
    EVERY_LAYER[2],
    EVERY_LAYER[3],
    EVERY_LAYER[4],
    EVERY_LAYER[5],
    EVERY_LAYER[6],
    EVERY_LAYER[7],
    EVERY_LAYER[8],
    EVERY_LAYER[9],
    EVERY_LAYER[11],
];
const RESCALE: Rescale = Rescale {
    multiplier: 1 << 30,
    shift: 36,
};
const ACTIVATION: Activation = Activation {
    scale: 0.1,
    zero: -3,
};
/// Its integers.
const INTEGERS: Quantized<'static> = Quantized {
    weights: &[37; 60],
    biases: &[-5; 10],
    rescales: &[RESCALE; 14],
    activations: &[ACTIVATION; 12],
};
/// Those of the network for sensors.
const SENSOR_INTEGERS: Quantized<'static> = Quantized {
    weights: &[37; 39],
    biases: &[-5; 7],
    rescales: &[RESCALE; 8],
    activations: &[ACTIVATION; 6],
};
const SERIES: Shape = Shape::series(8, 3);
const SERIES_LEN: usize = 24;
const SERIES_CLASSES: usize = 4;
const PARAMETERS: usize = 96;
const SCRATCH: usize = 192;

/// The networks' memory.
struct NetworkMemory {
    parameters: [f32; PARAMETERS],
    gradient: [f32; PARAMETERS],
    state: [f32; PARAMETERS],
    scratch: [f32; SCRATCH],
    indices: [u16; SERIES_LEN],
    bytes: [i8; SCRATCH],
}

/// Arguments of every entry point.
struct Fixture {
    gradient: [f32; FEATURES],
    batch: [f32; 2 * FEATURES],
    out: [f32; FEATURES],
    momentum: [f32; FEATURES],
    narrow: [u16; FEATURES],
    wide: [u32; FEATURES],
    words: [u32; FEATURES / 32],
    logits: [[f32; CLASSES]; 3],
    gradients: [[f32; CLASSES]; 3],
    workspace: Workspace<WORKSPACE>,
    rng: Pcg32,
    line: Line,
    layout: Layout,
    threshold: Threshold,
    network: NetworkMemory,
}

impl Fixture {
    fn new() -> Self {
        let mut rng = Pcg32::new(2021, 0);
        let mut normal = || sgt_core::Random::standard_normal(&mut rng);
        let gradient = core::array::from_fn(|_| normal());
        let Ok(threshold) = sgt_core::select_small(&gradient, 30, End::Lowest) else {
            sgt_firmware::exit(false)
        };
        Self {
            gradient,
            layout: series(Group::Cell),
            threshold,
            batch: core::array::from_fn(|_| normal()),
            out: [0.0; FEATURES],
            momentum: [0.0; FEATURES],
            narrow: core::array::from_fn(|index| index as u16),
            wide: core::array::from_fn(|index| index as u32),
            words: [0x5555_5555; FEATURES / 32],
            logits: core::array::from_fn(|_| core::array::from_fn(|_| normal())),
            gradients: [[0.0; CLASSES]; 3],
            workspace: Workspace::new(),
            rng: Pcg32::new(2021, 1),
            line: Line {
                bytes: [0; 96],
                used: 0,
            },
            network: NetworkMemory {
                parameters: core::array::from_fn(|_| 0.3 * normal()),
                gradient: [0.0; PARAMETERS],
                state: [0.0; PARAMETERS],
                scratch: [0.0; SCRATCH],
                indices: [0; SERIES_LEN],
                bytes: [0; SCRATCH],
            },
        }
    }
}

/// Nine channels take the paths with strides, divisions and per-step selection.
fn series(group: Group) -> Layout {
    valid(Layout::series(7, 9, Order::ChannelsFirst, group)).unwrap_or_else(|_| flat())
}

fn valid(layout: Result<Layout, Error>) -> Result<Layout, Error> {
    layout?.with_valid(1, 6)
}

fn flat() -> Layout {
    match Layout::flat(FEATURES) {
        Ok(layout) => layout,
        Err(_) => sgt_firmware::exit(false),
    }
}

const POLICIES: [Policy; 7] = [
    Policy::Uniform,
    Policy::Zero,
    Policy::Constant(1.0),
    Policy::Mean,
    Policy::Gaussian {
        mean: 0.0,
        std: 1.0,
    },
    Policy::Background,
    Policy::Permute,
];

fn maskings(mut call: impl FnMut(&Masking)) {
    let reference = Masking::reference(series(Group::Cell));
    for policy in POLICIES {
        for scope in [Scope::Sample, Scope::PerStep] {
            call(black_box(&Masking {
                policy,
                scope,
                importance: Importance::Absolute,
                ..reference
            }));
        }
    }
    call(black_box(&Masking {
        policy: Policy::PreviousSalient,
        ..Masking::reference(series(Group::Position))
    }));
    call(black_box(&Masking::reference(flat())));
}

fn replacements(mut call: impl FnMut(&Layout, Policy)) {
    for policy in POLICIES {
        call(&series(Group::Cell), black_box(policy));
    }
    call(&series(Group::Position), black_box(Policy::PreviousSalient));
}

fn threats(mut call: impl FnMut(&Threat)) {
    for norm in [Norm::Linf, Norm::L2] {
        call(black_box(&Threat {
            ball: Ball { norm, epsilon: 0.5 },
            bounds: Bounds::UNIT,
            goal: Goal::Untargeted,
        }));
    }
}

const ERRORS: [Error; 10] = [
    Error::Empty {
        argument: "gradient",
    },
    Error::Length {
        argument: "gradient",
        expected: 1152,
        found: 1151,
    },
    Error::TooMany {
        selected: 1152,
        groups: 1151,
    },
    Error::Capacity {
        argument: "workspace",
        needed: 1152,
        capacity: 1151,
    },
    Error::NonFinite {
        argument: "gradient",
        index: 1151,
    },
    Error::Label {
        label: 10,
        classes: 10,
    },
    Error::Range { argument: "lambda" },
    Error::IndexType { groups: 100_000 },
    Error::Unsupported { argument: "scope" },
    Error::Layer {
        layer: 11,
        argument: "kernel",
    },
];

const SGD: Sgd = Sgd {
    rate: 1e-6,
    momentum: 0.9,
    weight_decay: 0.0,
};

fn network<const KINDS: u16>(layers: &[Layer]) -> Network<'_, KINDS> {
    match Network::of_kinds(SERIES, black_box(layers)) {
        Ok(network) => network,
        Err(_) => sgt_firmware::exit(false),
    }
}

fn every_layer() -> Network<'static> {
    network(&EVERY_LAYER)
}

fn sensor() -> Network<'static, CONVOLUTIONAL> {
    network(&SENSOR_LAYERS)
}

fn guided() -> SaliencyGuided {
    let layout = Layout::series(8, 3, Order::ChannelsLast, Group::Cell);
    SaliencyGuided::new(Masking::reference(layout.unwrap_or_else(|_| flat())))
}

impl NetworkMemory {
    /// A learner of all parameters, with an example's window and scratch.
    fn learner(&mut self, count: usize) -> (Learner<'_, Sgd>, SgtScratch<'_, u16>) {
        let learner = Learner {
            frozen: &[],
            trained: &mut self.parameters[..count],
            gradient: &mut self.gradient[..count],
            optimizer: SGD,
            state: &mut self.state[..count],
        };
        let scratch = SgtScratch {
            values: &mut self.scratch,
            indices: &mut self.indices,
        };
        (learner, scratch)
    }
}

const SCORES: [Score; 4] = [
    Score::TrueLogit,
    Score::TrueLogProb,
    Score::PredictedLogit,
    Score::Loss,
];

type Call = fn(&mut Fixture);

/// A refusal is a mistake in this file: an argument meant to be valid was not.
fn accept<T>(result: Result<T, Error>) {
    if let Err(error) = black_box(result) {
        hprintln!("refused: {}", error);
        sgt_firmware::exit(false);
    }
}

unsafe extern "C" {
    static _stack_end: u32;
}

/// Where the painted memory begins and where the stack pointer is, in this function's caller.
#[inline(always)]
fn below_stack_pointer() -> (usize, usize) {
    let top = cortex_m::register::msp::read() as usize & !(WORD - 1);
    let bottom = (&raw const _stack_end as usize).max(top - PAINTED);
    (bottom.next_multiple_of(WORD), top)
}

#[inline(always)]
fn paint() {
    let (mut address, top) = below_stack_pointer();
    while address < top {
        // SAFETY: between the statics' end and the stack pointer nothing lives: there are no
        // interrupts, and nothing is called before the paint is dry.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
        address += WORD;
    }
}

/// The bytes below the stack pointer that were written to since [`paint`].
#[inline(always)]
fn depth() -> usize {
    let (mut lowest, top) = below_stack_pointer();
    // SAFETY: as in `paint`.
    while lowest < top && unsafe { (lowest as *const u32).read_volatile() } == PAINT {
        lowest += WORD;
    }
    top - lowest
}

/// The deepest call since the last report.
static DEEPEST: Deepest = Deepest(core::cell::Cell::new(0));

struct Deepest(core::cell::Cell<usize>);

// SAFETY: one thread, no interrupts.
unsafe impl Sync for Deepest {}

/// A call whose stack counts. (A macro, because a function would add its own frame.)
macro_rules! measured {
    ($call:expr) => {{
        paint();
        let result = $call;
        DEEPEST.0.set(DEEPEST.0.get().max(depth()));
        result
    }};
}

fn keep<T>(value: T) {
    black_box(value);
}

macro_rules! calls {
    ($($name:ident: |$fixture:ident| $body:expr;)*) => {
        const CALLS: &[(&str, Call)] = &[$((stringify!($name), {
            #[inline(never)]
            fn $name($fixture: &mut Fixture) {
                $body
            }
            $name
        })),*];
    };
}

/// Masks 64 features and calls `call` with what was selected.
fn selections(fixture: &mut Fixture, call: impl Fn(&Selected<'_>, &mut [u16], &mut [u32])) {
    let sample = &fixture.batch[..FEATURES];
    match sgt_core::mask_sample(
        &Masking::reference(flat()),
        &fixture.gradient,
        sample,
        None,
        &mut fixture.rng,
        &mut fixture.wide,
        &mut fixture.out,
    ) {
        Ok(selected) => call(&selected, &mut fixture.narrow, &mut fixture.words),
        Err(_) => sgt_firmware::exit(false),
    }
}

calls! {
    selected_count: |f| selections(f, |selected, _, _| {
        keep(measured!(entries::selected_count(selected)));
    });
    selected_iter: |f| selections(f, |selected, _, _| {
        keep(measured!(entries::selected_iter(selected)));
    });
    selected_indices_u16: |f| selections(f, |selected, indices, _| {
        accept(measured!(entries::selected_indices_u16(selected, indices)));
    });
    selected_bits: |f| selections(f, |selected, _, words| {
        accept(measured!(entries::selected_bits(selected, words)));
    });
    layout_new: |_f| accept(measured!(entries::layout_new(
        black_box(4), black_box(2), Order::ChannelsLast, Group::Cell, Reduction::Mean,
    )));
    layout_image: |_f| accept(measured!(entries::layout_image(black_box(3), black_box(4), 5)));
    layout_series: |_f| accept(measured!(entries::layout_series(
        black_box(3), black_box(4), Order::ChannelsFirst, Group::Cell,
    )));
    layout_text: |_f| accept(measured!(entries::layout_text(black_box(3), black_box(4))));
    layout_flat: |_f| accept(measured!(entries::layout_flat(black_box(3))));
    layout_with_valid: |f| accept(measured!(entries::layout_with_valid(f.layout, black_box(1), 2)));
    layout_getters: |f| keep(measured!(entries::layout_getters(&f.layout, black_box(1), 2)));
    layout_kinds: |f| keep(measured!(entries::layout_kinds(&f.layout)));
    rank_features: |f| accept(measured!(entries::rank_features(
        &f.layout, Importance::Absolute, &f.gradient[..63], &mut f.out[..54],
    )));
    select_small: |f| accept(measured!(entries::select_small(&f.gradient, black_box(30), End::Lowest)));
    select_fast: |f| accept(measured!(entries::select_fast(
        &f.gradient, black_box(30), End::Lowest, &mut f.wide,
    )));
    select_fast_len: |_f| keep(measured!(entries::select_fast_len(black_box(30))));
    threshold_selected: |f| keep(measured!(entries::threshold_selected(&f.threshold)));
    threshold_indices_u16: |f| accept(measured!(entries::threshold_indices_u16(&f.threshold, &f.gradient, &mut f.narrow)));
    threshold_indices_u32: |f| accept(measured!(entries::threshold_indices_u32(&f.threshold, &f.gradient, &mut f.wide)));
    mask_bit_words: |_f| keep(measured!(entries::mask_bit_words(black_box(30))));
    mask_set_bits: |f| accept(measured!(entries::mask_set_bits(&f.threshold, &f.gradient, &mut f.words)));
    mask_bits_from_indices: |f| accept(measured!(entries::mask_bits_from_indices(
        &f.narrow[..30], FEATURES, &mut f.words,
    )));
    mask_indices_from_bits: |f| accept(measured!(entries::mask_indices_from_bits(&f.words, &mut f.narrow)));
    mask_is_selected: |f| keep(measured!(entries::mask_is_selected(&f.words, black_box(5))));
    replace_features_u16: |f| replacements(|layout, policy| {
        f.narrow = core::array::from_fn(|index| index as u16);
        let length = layout.sample_len();
        let indices = &f.narrow[..layout.groups() / 2];
        let batch = &f.batch[..2 * length];
        accept(measured!(entries::replace_features_u16(
            layout, policy, indices, &batch[..length], Some(Donors { batch, own: 0 }),
            &mut f.rng, &mut f.out[..length],
        )));
    });
    replace_features_u32: |f| replacements(|layout, policy| {
        f.wide = core::array::from_fn(|index| index as u32);
        let length = layout.sample_len();
        let indices = &f.wide[..layout.groups() / 2];
        let batch = &f.batch[..2 * length];
        accept(measured!(entries::replace_features_u32(
            layout, policy, indices, &batch[..length], Some(Donors { batch, own: 0 }),
            &mut f.rng, &mut f.out[..length],
        )));
    });
    replace_features_by_bits: |f| replacements(|layout, policy| {
        f.words = [0b11_0101, 0];
        let length = layout.sample_len();
        let words = &f.words[..layout.groups().div_ceil(32)];
        let batch = &f.batch[..2 * length];
        let words = if layout.groups() < 7 { &[0b1_0101] } else { words };
        accept(measured!(entries::replace_features_by_bits(
            layout, policy, words, &batch[..length], Some(Donors { batch, own: 0 }),
            &mut f.rng, &mut f.out[..length],
        )));
    });
    mask_sample: |f| maskings(|masking| {
        let length = masking.layout.sample_len();
        let batch = &f.batch[..2 * length];
        accept(measured!(entries::mask_sample(
            masking, &f.gradient[..length], &batch[..length], Some(Donors { batch, own: 0 }),
            &mut f.rng, &mut f.wide, &mut f.out[..length],
        )));
    });
    mask_sample_small_u16: |f| maskings(|masking| {
        let length = masking.layout.sample_len();
        let batch = &f.batch[..2 * length];
        accept(measured!(entries::mask_sample_small_u16(
            masking, &f.gradient[..length], &batch[..length], Some(Donors { batch, own: 0 }),
            &mut f.rng, &mut f.narrow, &mut f.out[..length],
        )));
    });
    mask_sample_small_u32: |f| maskings(|masking| {
        let length = masking.layout.sample_len();
        let batch = &f.batch[..2 * length];
        accept(measured!(entries::mask_sample_small_u32(
            masking, &f.gradient[..length], &batch[..length], Some(Donors { batch, own: 0 }),
            &mut f.rng, &mut f.wide, &mut f.out[..length],
        )));
    });
    workspace_mask: |f| maskings(|masking| {
        let length = masking.layout.sample_len();
        let batch = &f.batch[..2 * length];
        accept(measured!(entries::workspace_mask(
            &mut f.workspace, masking, &f.gradient[..length], &batch[..length],
            Some(Donors { batch, own: 0 }), &mut f.rng,
        )));
    });
    workspace_new: |f| measured!(entries::workspace_new(&mut f.workspace));
    masking_reference: |f| keep(measured!(entries::masking_reference(f.layout)));
    masking_selected: |_f| maskings(|masking| accept(measured!(entries::masking_selected(masking))));
    masked_count: |_f| accept(measured!(entries::masked_count(black_box(0.5), black_box(30))));
    mask_sample_len: |_f| maskings(|masking| {
        black_box(measured!(entries::mask_sample_len(masking)));
    });
    mask_sample_small_len: |_f| maskings(|masking| {
        black_box(measured!(entries::mask_sample_small_len(masking)));
    });
    adaptive_fraction: |_f| accept(measured!(entries::adaptive_fraction(0.1, 0.5, black_box(0.3))));
    pcg32_new: |_f| keep(measured!(entries::pcg32_new(black_box(1), black_box(2))));
    pcg32_state: |f| keep(measured!(entries::pcg32_state(&f.rng)));
    pcg32_from_state: |_f| keep(measured!(entries::pcg32_from_state(black_box(1), 2)));
    pcg32_next_u32: |f| keep(measured!(entries::pcg32_next_u32(&mut f.rng)));
    pcg32_unit: |f| keep(measured!(entries::pcg32_unit(&mut f.rng)));
    pcg32_below: |f| keep(measured!(entries::pcg32_below(&mut f.rng, black_box(9))));
    pcg32_standard_normal: |f| for _ in 0..64 {
        black_box(measured!(entries::pcg32_standard_normal(&mut f.rng)));
    };
    pcg32_fill_bytes: |f| measured!(entries::pcg32_fill_bytes(&mut f.rng, &mut f.line.bytes));
    rand_core_next_u32: |f| {
        let mut rng = RandCore(f.rng);
        black_box(measured!(entries::rand_core_next_u32(&mut rng)));
    };
    softmax: |f| accept(measured!(entries::softmax(&f.logits[0], &mut f.gradients[0])));
    log_softmax: |f| accept(measured!(entries::log_softmax(&f.logits[0], &mut f.gradients[0])));
    log_sum_exp: |f| accept(measured!(entries::log_sum_exp(&f.logits[0])));
    cross_entropy: |f| accept(measured!(entries::cross_entropy(&f.logits[0], black_box(3))));
    cross_entropy_grad: |f| accept(measured!(entries::cross_entropy_grad(
        &f.logits[0], black_box(3), 1.0, &mut f.gradients[0],
    )));
    kl_divergence: |f| accept(measured!(entries::kl_divergence(&f.logits[0], &f.logits[1])));
    kl_divergence_grad: |f| {
        let [p, q, _] = &mut f.gradients;
        accept(measured!(entries::kl_divergence_grad(&f.logits[0], &f.logits[1], 1.0, p, q)));
    };
    mean_cross_entropy: |f| accept(measured!(entries::mean_cross_entropy(
        f.logits.as_flattened(), black_box(&[1, 2, 3]),
    )));
    mean_kl_divergence: |f| accept(measured!(entries::mean_kl_divergence(
        f.logits.as_flattened(), f.gradients.as_flattened(), black_box(CLASSES),
    )));
    sgt_objective: |f| {
        let [clean, masked, _] = &mut f.gradients;
        accept(measured!(entries::sgt_objective(
            &SgtRows { clean: &f.logits[0][..], masked: &f.logits[1][..] },
            black_box(3), 1.0, 1.0,
            &mut SgtRows { clean: &mut clean[..], masked: &mut masked[..] },
        )));
    };
    adversarial_objective: |f| {
        let [clean, adversarial, _] = &mut f.gradients;
        accept(measured!(entries::adversarial_objective(
            &AdversarialRows { clean: &f.logits[0][..], adversarial: &f.logits[1][..] },
            black_box(3), 1.0,
            &mut AdversarialRows { clean: &mut clean[..], adversarial: &mut adversarial[..] },
        )));
    };
    asgt_objective: |f| {
        let [clean, adversarial, masked] = &mut f.gradients;
        accept(measured!(entries::asgt_objective(
            &AsgtRows {
                clean: &f.logits[0][..], adversarial: &f.logits[1][..], masked: &f.logits[2][..],
            },
            black_box(3), 1.0, 1.0,
            &mut AsgtRows {
                clean: &mut clean[..], adversarial: &mut adversarial[..], masked: &mut masked[..],
            },
        )));
    };
    threat_linf: |_f| keep(measured!(entries::threat_linf(black_box(0.1), Bounds::UNIT)));
    fgsm: |f| threats(|threat| {
        accept(measured!(entries::fgsm(threat, &f.batch[..FEATURES], &f.gradient, &mut f.out)));
    });
    pgd_step: |f| threats(|threat| {
        accept(measured!(entries::pgd_step(threat, &f.batch[..FEATURES], &f.gradient, 0.1, &mut f.out)));
    });
    mi_fgsm_step: |f| threats(|threat| {
        accept(measured!(entries::mi_fgsm_step(
            threat, &f.batch[..FEATURES], &f.gradient, 0.1, 1.0, MomentumScale::MeanAbsolute,
            &mut f.momentum, &mut f.out,
        )));
    });
    project: |f| threats(|threat| {
        accept(measured!(entries::project(threat, &f.batch[..FEATURES], &mut f.out)));
    });
    random_start: |f| threats(|threat| {
        accept(measured!(entries::random_start(threat, &f.gradient, &mut f.rng, &mut f.out)));
    });
    random_noise: |f| threats(|threat| {
        accept(measured!(entries::random_noise(threat, &f.gradient, &mut f.rng, &mut f.out)));
    });
    comprehensiveness: |f| accept(measured!(entries::comprehensiveness(0.9, &f.logits[0])));
    sufficiency: |f| accept(measured!(entries::sufficiency(0.9, &f.logits[0])));
    accuracy_drop_area: |_f| accept(measured!(entries::accuracy_drop_area(
        black_box(&[0.0, 0.5, 1.0]), black_box(&[1.0, 0.5, 0.1]),
    )));
    gini: |f| accept(measured!(entries::gini(&f.gradient, &mut f.out)));
    gini_len: |_f| keep(measured!(entries::gini_len(black_box(9))));
    top_k_overlap: |f| accept(measured!(entries::top_k_overlap(
        &f.gradient, &f.batch[..FEATURES], black_box(9),
    )));
    schedule_at: |_f| for schedule in black_box([
        Schedule::Constant(0.1),
        Schedule::Linear { from: 0.1, to: 0.5 },
        Schedule::Cosine { from: 0.1, to: 0.5 },
    ]) {
        accept(measured!(entries::schedule_at(&schedule, black_box(0.7))));
    };
    network_new: |_f| accept(measured!(entries::network_new(SERIES, black_box(&EVERY_LAYER))));
    network_kinds: |_f| keep(measured!(entries::network_kinds(black_box(&EVERY_LAYER))));
    network_shapes: |_f| keep(measured!(entries::network_shapes(black_box(8), 3)));
    network_windows: |_f| keep(measured!(entries::network_windows(black_box(5))));
    network_lens: |_f| {
        let (network, guided) = (every_layer(), guided());
        black_box(measured!(entries::network_lens(&network, &guided)));
    };
    network_trained_len: |_f| {
        let network = every_layer();
        black_box(measured!(entries::network_trained_len(&network, black_box(2))));
    };
    network_guided: |f| {
        let masking = Masking::reference(f.layout);
        black_box(measured!(entries::network_guided(masking)));
    };
    network_infer: |f| {
        let network = every_layer();
        accept(measured!(entries::network_infer(
            &network, Parameters::all(&f.network.parameters[..network.parameter_len()]),
            &f.gradient[..SERIES_LEN], &mut f.network.scratch, &mut f.out[..SERIES_CLASSES],
        )));
    };
    network_standardize: |f| {
        let (mean, deviation) = ([0.5; 3], [2.0; 3]);
        accept(measured!(entries::network_standardize(
            &mut f.out[..SERIES_LEN], &mean, &deviation,
        )));
    };
    network_quantized_len: |_f| {
        let network = every_layer();
        keep(measured!(entries::network_quantized_len(&network)));
    };
    network_infer_quantized: |f| {
        let Ok(network) = Network::new(SERIES, black_box(&INTEGER_LAYERS)) else {
            sgt_firmware::exit(false)
        };
        accept(measured!(entries::network_infer_quantized(
            &network, &INTEGERS, &f.gradient[..SERIES_LEN], &mut f.network.bytes,
            &mut f.out[..SERIES_CLASSES],
        )));
    };
    network_observe: |f| {
        let network = every_layer();
        let mut seen = 0;
        accept(measured!(entries::network_observe(
            &network, Parameters::all(&f.network.parameters[..network.parameter_len()]),
            &f.gradient[..SERIES_LEN], &mut f.network.scratch, &mut |layer, _| seen = layer,
        )));
        black_box(seen);
    };
    rescale_apply: |_f| keep(measured!(entries::rescale_apply(black_box(RESCALE), 12345)));
    network_saliency: |f| for score in black_box(SCORES) {
        let network = every_layer();
        let (logits, saliency) = f.out.split_at_mut(SERIES_CLASSES);
        accept(measured!(entries::network_saliency(
            &network, Parameters::all(&f.network.parameters[..network.parameter_len()]),
            &f.gradient[..SERIES_LEN], score, 1, &mut f.network.scratch, logits,
            &mut saliency[..SERIES_LEN],
        )));
    };
    network_standard_gradient: |f| {
        let network = every_layer();
        let count = network.parameter_len();
        let example = Labelled { input: &f.gradient[..SERIES_LEN], label: 1 };
        let parameters = Parameters { frozen: &[], trained: &f.network.parameters[..count] };
        accept(measured!(entries::network_standard_gradient(
            &network, parameters, example, 1.0, &mut f.network.scratch,
            &mut f.network.gradient[..count],
        )));
    };
    network_sgt_gradient: |f| {
        let network = every_layer();
        let (count, guided) = (network.parameter_len(), guided());
        let example = Labelled { input: &f.gradient[..SERIES_LEN], label: 1 };
        let parameters = Parameters { frozen: &[], trained: &f.network.parameters[..count] };
        let mut scratch = SgtScratch {
            values: &mut f.network.scratch, indices: &mut f.network.indices,
        };
        accept(measured!(entries::network_sgt_gradient(
            &network, parameters, example, &guided, 1.0, &mut f.rng, &mut scratch,
            &mut f.network.gradient[..count],
        )));
    };
    network_standard_step: |f| {
        let network = every_layer();
        let (mut learner, scratch) = f.network.learner(network.parameter_len());
        let example = Labelled { input: &f.gradient[..SERIES_LEN], label: 1 };
        accept(measured!(entries::network_standard_step(
            &network, &mut learner, example, scratch.values,
        )));
    };
    network_sgt_step: |f| for policy in POLICIES {
        if policy == Policy::Permute {
            continue;
        }
        let network = every_layer();
        let mut guided = guided();
        guided.masking.policy = black_box(policy);
        let (mut learner, mut scratch) = f.network.learner(network.parameter_len());
        let example = Labelled { input: &f.gradient[..SERIES_LEN], label: 1 };
        accept(measured!(entries::network_sgt_step(
            &network, &mut learner, example, &guided, &mut f.rng, &mut scratch,
        )));
    };
    learner_parameters: |f| {
        let (learner, _) = f.network.learner(PARAMETERS);
        black_box(measured!(entries::learner_parameters(&learner)));
    };
    parameters_all: |f| keep(measured!(entries::parameters_all(&f.network.parameters)));
    sgd_update: |f| accept(measured!(entries::sgd_update(
        &mut { SGD }, &mut f.network.parameters, &f.network.gradient, &mut f.network.state,
    )));
    sgd_state_len: |_f| keep(measured!(entries::sgd_state_len(black_box(0.1), 9)));
    adam_update: |f| {
        f.network.state.fill(0.0);
        accept(measured!(entries::adam_update(
            &mut Adam::new(black_box(0.1)), &mut f.network.parameters[..SERIES_LEN],
            &f.network.gradient[..SERIES_LEN], &mut f.network.state[..2 * SERIES_LEN],
        )));
    };
    adam_state_len: |_f| keep(measured!(entries::adam_state_len(black_box(0.1), 9)));
    convolutional_of_kinds: |_f| accept(measured!(entries::convolutional_of_kinds(
        SERIES, black_box(&SENSOR_LAYERS),
    )));
    convolutional_infer: |f| {
        let network = sensor();
        accept(measured!(entries::convolutional_infer(
            &network, Parameters::all(&f.network.parameters[..network.parameter_len()]),
            &f.gradient[..SERIES_LEN], &mut f.network.scratch, &mut f.out[..SERIES_CLASSES],
        )));
    };
    convolutional_infer_quantized: |f| {
        let network = sensor();
        accept(measured!(entries::convolutional_infer_quantized(
            &network, &SENSOR_INTEGERS, &f.gradient[..SERIES_LEN], &mut f.network.bytes,
            &mut f.out[..SERIES_CLASSES],
        )));
    };
    convolutional_saliency: |f| for score in black_box(SCORES) {
        let network = sensor();
        let (logits, saliency) = f.out.split_at_mut(SERIES_CLASSES);
        accept(measured!(entries::convolutional_saliency(
            &network, Parameters::all(&f.network.parameters[..network.parameter_len()]),
            &f.gradient[..SERIES_LEN], score, 1, &mut f.network.scratch, logits,
            &mut saliency[..SERIES_LEN],
        )));
    };
    convolutional_standard_step: |f| {
        let network = sensor();
        let (mut learner, scratch) = f.network.learner(network.parameter_len());
        let example = Labelled { input: &f.gradient[..SERIES_LEN], label: 1 };
        accept(measured!(entries::convolutional_standard_step(
            &network, &mut learner, example, scratch.values,
        )));
    };
    convolutional_sgt_step: |f| for policy in POLICIES {
        if policy == Policy::Permute {
            continue;
        }
        let network = sensor();
        let mut guided = guided();
        guided.masking.policy = black_box(policy);
        let (mut learner, mut scratch) = f.network.learner(network.parameter_len());
        let example = Labelled { input: &f.gradient[..SERIES_LEN], label: 1 };
        accept(measured!(entries::convolutional_sgt_step(
            &network, &mut learner, example, &guided, &mut f.rng, &mut scratch,
        )));
    };
    error_display: |f| for error in ERRORS {
        f.line.used = 0;
        if measured!(entries::error_display(black_box(error), &mut f.line)).is_err() {
            sgt_firmware::exit(false);
        }
    };
}

#[entry]
fn main() -> ! {
    let mut fixture = Fixture::new();
    let mut complete = CALLS.len() == NAMES.len();
    for (name, call) in CALLS {
        call(&mut fixture);
        let bytes = DEEPEST.0.replace(0);
        hprintln!("stack {} {}", name, bytes);
        complete &= NAMES.contains(name) && bytes < PAINTED / 2;
    }
    sgt_firmware::exit(complete);
}
