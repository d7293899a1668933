//! Cases that a host and a microcontroller must answer with the same bits.
//!
//! Each case drives one entry point on pseudo-random input and hashes the bits of everything that
//! comes back, errors included. `expected.txt` holds the hashes; `tests/host_vectors.rs` checks
//! them on the host, the firmware `parity` on the emulated boards, both from this source.
//! The largest case needs 8 KiB of stack.

use sgt_core::mask::{bit_words, bits_from_indices, indices_from_bits, is_selected, set_bits};
use sgt_core::network::{
    Activation, Adam, Convolution, Dense, Depthwise, Labelled, Layer, Learner, Lstm, Network,
    Optimizer, Parameters, Quantized, Rescale, SaliencyGuided, Score, Sgd, SgtScratch, Shape,
    Window, kinds, standardize,
};
use sgt_core::{
    AdversarialRows, AsgtRows, Ball, Bounds, Donors, End, Error, Goal, Group, Importance, Layout,
    Losses, Masking, MomentumScale, Norm, Order, Pcg32, Policy, RandCore, Random, Reduction,
    Schedule, Scope, SgtRows, Threat, Workspace,
};

/// One entry point's case.
pub(crate) struct Case {
    /// Its name in `expected.txt`.
    pub(crate) name: &'static str,
    run: fn(&mut Digest) -> Result<(), Error>,
}

impl Case {
    /// The hash of the case's outputs.
    ///
    /// # Errors
    /// What the core refused: every argument of a case is valid, unless its refusal is the case.
    pub(crate) fn hash(&self) -> Result<u64, Error> {
        let mut digest = Digest(FNV_OFFSET);
        (self.run)(&mut digest)?;
        Ok(digest.0)
    }

    /// The hash that `expected.txt` holds.
    pub(crate) fn expected(&self) -> Option<u64> {
        EXPECTED.lines().find_map(|line| {
            let (name, hash) = line.split_once(' ')?;
            if name == self.name {
                u64::from_str_radix(hash, 16).ok()
            } else {
                None
            }
        })
    }
}

/// `NAME HASH` a line.
pub(crate) const EXPECTED: &str = include_str!("expected.txt");

/// Every case.
pub(crate) const CASES: &[Case] = &[
    case("random", random),
    case("rand_core", rand_core_adapter),
    case("layout", layout),
    case("rank_features", rank_features),
    case("select_small", select_small),
    case("select_fast", select_fast),
    case("mask_forms", mask_forms),
    case("replace_uniform", |digest| replace(digest, Policy::Uniform)),
    case("replace_zero", |digest| replace(digest, Policy::Zero)),
    case("replace_constant", |digest| {
        replace(digest, Policy::Constant(0.7))
    }),
    case("replace_mean", |digest| replace(digest, Policy::Mean)),
    case("replace_gaussian", |digest| {
        replace(
            digest,
            Policy::Gaussian {
                mean: 0.13,
                std: 0.31,
            },
        )
    }),
    case("replace_background", |digest| {
        replace(digest, Policy::Background)
    }),
    case("replace_permute", |digest| replace(digest, Policy::Permute)),
    case("replace_previous_salient", replace_previous_salient),
    case("mask_sample", mask_sample),
    case("mask_sample_small", mask_sample_small),
    case("workspace", workspace),
    case("softmax", softmax),
    case("cross_entropy", cross_entropy),
    case("kl_divergence", kl_divergence),
    case("batch_means", batch_means),
    case("sgt_objective", sgt_objective),
    case("adversarial_objective", adversarial_objective),
    case("asgt_objective", asgt_objective),
    case("fgsm", fgsm),
    case("pgd_step", pgd_step),
    case("mi_fgsm_step", mi_fgsm_step),
    case("project", project),
    case("random_start", random_start),
    case("random_noise", random_noise),
    case("removal_metrics", removal_metrics),
    case("gini", gini),
    case("top_k_overlap", top_k_overlap),
    case("schedules", schedules),
    case("network_tables", network_tables),
    case("network_infer", network_infer),
    case("network_quantized", network_quantized),
    case("network_observe", network_observe),
    case("network_saliency", network_saliency),
    case("network_gradients", network_gradients),
    case("network_sgd", |digest| {
        network_steps(
            digest,
            Sgd {
                momentum: 0.9,
                weight_decay: 0.01,
                ..Sgd::new(0.05)
            },
        )
    }),
    case("network_adam", |digest| {
        network_steps(digest, Adam::new(0.01))
    }),
    case("errors", errors),
];

const fn case(name: &'static str, run: fn(&mut Digest) -> Result<(), Error>) -> Case {
    Case { name, run }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a, 64 bits, over the little-endian bytes of what is added.
struct Digest(u64);

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn float(&mut self, value: f32) {
        self.bytes(&value.to_bits().to_le_bytes());
    }

    fn floats(&mut self, values: &[f32]) {
        self.count(values.len());
        for &value in values {
            self.float(value);
        }
    }

    fn indices<I: Copy + Into<u32>>(&mut self, indices: &[I]) {
        self.count(indices.len());
        for &index in indices {
            self.number(u64::from(index.into()));
        }
    }

    fn losses(&mut self, losses: Losses) {
        for value in [
            losses.total,
            losses.clean,
            losses.adversarial,
            losses.divergence,
        ] {
            self.float(value);
        }
    }

    /// A refusal: its kind, its argument and its numbers.
    fn refused<T>(&mut self, result: &Result<T, Error>) {
        let (kind, argument, numbers) = match result.as_ref().map_err(|&error| error) {
            Ok(_) => (0, "", [0, 0]),
            Err(Error::Empty { argument }) => (1, argument, [0, 0]),
            Err(Error::Length {
                argument,
                expected,
                found,
            }) => (2, argument, [expected, found]),
            Err(Error::TooMany { selected, groups }) => (3, "", [selected, groups]),
            Err(Error::NonFinite { argument, index }) => (4, argument, [index, 0]),
            Err(Error::Label { label, classes }) => (5, "", [label, classes]),
            Err(Error::Range { argument }) => (6, argument, [0, 0]),
            Err(Error::IndexType { groups }) => (7, "", [groups, 0]),
            Err(Error::Unsupported { argument }) => (8, argument, [0, 0]),
            Err(Error::Capacity {
                argument,
                needed,
                capacity,
            }) => (9, argument, [needed, capacity]),
            Err(Error::Layer { layer, argument }) => (11, argument, [layer, 0]),
            Err(_) => (10, "", [0, 0]),
        };
        self.number(kind);
        self.bytes(argument.as_bytes());
        self.count(numbers[0]);
        self.count(numbers[1]);
    }
}

/// Values of the longest sample: 32 steps of 9 channels.
const LONGEST: usize = 288;
const CLASSES: usize = 10;
const SEED: u64 = 2021;
/// Samples in the batch that the permute policy draws from.
const BATCH: usize = 3;

const BALLS: [Ball; 3] = [
    Ball {
        norm: Norm::Linf,
        epsilon: 0.3,
    },
    Ball {
        norm: Norm::L2,
        epsilon: 1.5,
    },
    Ball {
        norm: Norm::Linf,
        epsilon: 0.0,
    },
];

fn normals<const N: usize>(rng: &mut Pcg32) -> [f32; N] {
    core::array::from_fn(|_| rng.standard_normal())
}

fn units<const N: usize>(rng: &mut Pcg32) -> [f32; N] {
    core::array::from_fn(|_| rng.unit())
}

/// Importances with ties, both zeros and denormals among normal numbers.
fn importances(rng: &mut Pcg32) -> [f32; LONGEST] {
    core::array::from_fn(|_| match rng.below(8) {
        0 => 0.0,
        1 => -0.0,
        2 => f32::from_bits(rng.below(4)),
        3 => -f32::from_bits(rng.below(4)),
        4 | 5 => rng.below(5) as f32 - 2.0,
        _ => rng.standard_normal(),
    })
}

/// Every kind of layout, each of at most [`LONGEST`] values.
fn layouts() -> Result<[Layout; 8], Error> {
    let series = |order, group| Layout::series(32, 9, order, group);
    Ok([
        Layout::flat(LONGEST)?,
        Layout::image(3, 8, 8)?,
        Layout::image(1, 10, 10)?,
        series(Order::ChannelsFirst, Group::Cell)?,
        series(Order::ChannelsLast, Group::Cell)?,
        series(Order::ChannelsFirst, Group::Position)?.with_valid(5, 20)?,
        series(Order::ChannelsLast, Group::Cell)?.with_valid(3, 29)?,
        Layout::text(12, 24)?.with_valid(0, 10)?,
    ])
}

#[allow(clippy::unnecessary_wraps)] // a case's signature
fn random(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 1);
    for _ in 0..64 {
        digest.number(u64::from(rng.next_u32()));
        digest.float(rng.unit());
        digest.number(u64::from(rng.below(1000)));
        digest.float(rng.standard_normal());
    }
    let (state, increment) = rng.state();
    digest.number(state);
    digest.number(increment);
    digest.number(u64::from(
        Pcg32::from_state(state, increment - 1).next_u32(),
    ));
    Ok(())
}

#[allow(clippy::unnecessary_wraps)] // a case's signature
fn rand_core_adapter(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = RandCore(Pcg32::new(SEED, 2));
    for _ in 0..16 {
        digest.number(u64::from(rng.next_u32()));
        digest.float(rng.standard_normal());
    }
    Ok(())
}

fn layout(digest: &mut Digest) -> Result<(), Error> {
    for layout in layouts()? {
        for size in [
            layout.sample_len(),
            layout.groups(),
            layout.positions(),
            layout.channels(),
            layout.first_valid(),
            layout.valid(),
            layout.offset(layout.valid() - 1, layout.channels() - 1),
        ] {
            digest.count(size);
        }
        digest.number(layout.order() as u64);
        digest.number(layout.group() as u64);
        digest.number(layout.reduction() as u64);
    }
    digest.refused(&Layout::new(
        usize::MAX,
        2,
        Order::ChannelsLast,
        Group::Cell,
        Reduction::Sum,
    ));
    Ok(())
}

fn rank_features(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 3);
    for layout in layouts()? {
        for kind in [Importance::Signed, Importance::Absolute] {
            let gradient = normals::<LONGEST>(&mut rng);
            let mut importance = [0.0; LONGEST];
            let importance = &mut importance[..layout.groups()];
            sgt_core::rank_features(&layout, kind, &gradient[..layout.sample_len()], importance)?;
            digest.floats(importance);
        }
    }
    Ok(())
}

/// Sizes and counts that both selections answer.
const SELECTIONS: [(usize, usize); 8] = [
    (1, 1),
    (2, 1),
    (31, 15),
    (33, 33),
    (64, 0),
    (100, 50),
    (LONGEST, 144),
    (LONGEST, 287),
];

fn select_small(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 4);
    for (groups, k) in SELECTIONS {
        for end in [End::Lowest, End::Highest] {
            let importance = importances(&mut rng);
            let importance = &importance[..groups];
            let threshold = sgt_core::select_small(importance, k, end)?;
            let mut narrow = [0_u16; LONGEST];
            digest.indices(threshold.indices(importance, &mut narrow)?);
            digest.count(threshold.selected());
        }
    }
    Ok(())
}

fn select_fast(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 4);
    for (groups, k) in SELECTIONS {
        for end in [End::Lowest, End::Highest] {
            let importance = importances(&mut rng);
            let importance = &importance[..groups];
            let mut scratch = [0; LONGEST];
            let scratch = &mut scratch[..sgt_core::select_fast_len(groups)];
            let threshold = sgt_core::select_fast(importance, k, end, scratch)?;
            let mut wide = [0_u32; LONGEST];
            digest.indices(threshold.indices(importance, &mut wide)?);
            digest.count(threshold.selected());
        }
    }
    Ok(())
}

fn mask_forms(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 5);
    for groups in [1, 32, 33, 100, LONGEST] {
        let importance = importances(&mut rng);
        let importance = &importance[..groups];
        let threshold = sgt_core::select_small(importance, groups / 2, End::Lowest)?;
        let mut words = [0; LONGEST.div_ceil(32)];
        let words = &mut words[..bit_words(groups)];
        set_bits(&threshold, importance, words)?;
        digest.indices(words);
        let mut indices = [0_u16; LONGEST];
        let indices = indices_from_bits(words, &mut indices)?;
        digest.indices(indices);
        let mut again = [0; LONGEST.div_ceil(32)];
        let again = &mut again[..bit_words(groups)];
        bits_from_indices(indices, groups, again)?;
        digest.indices(again);
        for group in 0..groups {
            digest.number(u64::from(is_selected(words, group)));
        }
    }
    Ok(())
}

fn replace(digest: &mut Digest, policy: Policy) -> Result<(), Error> {
    for (number, layout) in layouts()?.into_iter().enumerate() {
        replace_in(digest, &layout, policy, number as u64)?;
    }
    Ok(())
}

fn replace_previous_salient(digest: &mut Digest) -> Result<(), Error> {
    for (number, layout) in layouts()?.into_iter().enumerate() {
        if layout.group() == Group::Position {
            replace_in(digest, &layout, Policy::PreviousSalient, number as u64)?;
        }
    }
    Ok(())
}

/// Half of the groups by `u16` indices, and another half by bits.
fn replace_in(
    digest: &mut Digest,
    layout: &Layout,
    policy: Policy,
    number: u64,
) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 100 + number);
    let length = layout.sample_len();
    let groups = layout.groups();
    let batch = units::<{ LONGEST * BATCH }>(&mut rng);
    let batch = &batch[..length * BATCH];
    let sample = &batch[length..2 * length];
    let donors = Some(Donors { batch, own: 1 });
    let mut out = [0.0; LONGEST];
    let out = &mut out[..length];
    let importance = importances(&mut rng);
    let importance = &importance[..groups];
    let mut indices = [0_u16; LONGEST];
    let threshold = sgt_core::select_small(importance, groups / 2, End::Lowest)?;
    let indices = threshold.indices(importance, &mut indices)?;
    sgt_core::replace_features(layout, policy, indices, sample, donors, &mut rng, out)?;
    digest.floats(out);
    let threshold = sgt_core::select_small(importance, groups / 2, End::Highest)?;
    let mut words = [0; LONGEST.div_ceil(32)];
    let words = &mut words[..bit_words(groups)];
    set_bits(&threshold, importance, words)?;
    sgt_core::replace_features_by_bits(layout, policy, words, sample, donors, &mut rng, out)?;
    digest.floats(out);
    digest.number(rng.state().0);
    Ok(())
}

/// Maskings that cover every layout, scope, end, importance and policy.
fn maskings() -> Result<[Masking; 10], Error> {
    let [flat, image, grey, first, last, steps, padded, text] = layouts()?.map(Masking::reference);
    Ok([
        flat,
        Masking {
            importance: Importance::Absolute,
            fraction: 0.3,
            ..image
        },
        Masking {
            policy: Policy::Zero,
            end: End::Highest,
            ..grey
        },
        Masking {
            scope: Scope::PerStep,
            ..first
        },
        Masking {
            scope: Scope::PerStep,
            policy: Policy::Mean,
            fraction: 0.7,
            ..last
        },
        Masking {
            policy: Policy::Background,
            ..steps
        },
        Masking {
            policy: Policy::Permute,
            ..padded
        },
        Masking {
            policy: Policy::PreviousSalient,
            ..text
        },
        Masking {
            policy: Policy::Gaussian {
                mean: 0.0,
                std: 1.0,
            },
            ..last
        },
        Masking {
            policy: Policy::Constant(-1.0),
            ..first
        },
    ])
}

fn mask_sample(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 6);
    for masking in maskings()? {
        let length = masking.layout.sample_len();
        let gradient = importances(&mut rng);
        let batch = units::<{ LONGEST * BATCH }>(&mut rng);
        let (batch, sample) = (&batch[..length * BATCH], &batch[..length]);
        let donors = Some(Donors { batch, own: 0 });
        let (mut scratch, mut out) = ([0; LONGEST], [0.0; LONGEST]);
        let scratch = &mut scratch[..sgt_core::mask_sample_len(&masking)];
        let out = &mut out[..length];
        let gradient = &gradient[..length];
        let replaced =
            sgt_core::mask_sample(&masking, gradient, sample, donors, &mut rng, scratch, out)?;
        let (mut indices, mut words) = ([0_u32; LONGEST], [0; LONGEST.div_ceil(32)]);
        let words = &mut words[..bit_words(masking.layout.groups())];
        digest.indices(replaced.indices(&mut indices)?);
        replaced.bits(words)?;
        digest.indices(words);
        for group in replaced.iter() {
            digest.count(group);
        }
        digest.count(replaced.count());
        digest.floats(out);
        digest.count(masking.selected()?);
    }
    Ok(())
}

fn mask_sample_small(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 6);
    for masking in maskings()? {
        let length = masking.layout.sample_len();
        let gradient = importances(&mut rng);
        let batch = units::<{ LONGEST * BATCH }>(&mut rng);
        let (batch, sample) = (&batch[..length * BATCH], &batch[..length]);
        let donors = Some(Donors { batch, own: 0 });
        let (mut indices, mut out) = ([0_u16; LONGEST], [0.0; LONGEST]);
        let indices = &mut indices[..sgt_core::mask_sample_small_len(&masking)];
        let out = &mut out[..length];
        let gradient = &gradient[..length];
        let replaced = sgt_core::mask_sample_small(
            &masking, gradient, sample, donors, &mut rng, indices, out,
        )?;
        digest.indices(replaced);
        digest.floats(out);
        digest.count(masking.selected()?);
    }
    Ok(())
}

fn workspace(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 7);
    let mut workspace = Workspace::<LONGEST>::new();
    for masking in maskings()? {
        if masking.policy == Policy::Permute {
            continue;
        }
        let length = masking.layout.sample_len();
        let gradient = importances(&mut rng);
        let sample = units::<LONGEST>(&mut rng);
        let (gradient, sample) = (&gradient[..length], &sample[..length]);
        let masked = workspace.mask(&masking, gradient, sample, None, &mut rng)?;
        digest.indices(masked.indices);
        digest.floats(masked.values);
    }
    Ok(())
}

/// Rows of logits: ordinary, one-hot, equal and of ±100.
fn logits(rng: &mut Pcg32, row: usize) -> [f32; CLASSES] {
    let ordinary = normals::<CLASSES>(rng);
    match row % 4 {
        0 => ordinary.map(|logit| 4.0 * logit),
        1 => core::array::from_fn(|class| {
            if class == row % CLASSES {
                100.0
            } else {
                -100.0
            }
        }),
        2 => [0.5; CLASSES],
        _ => ordinary.map(|logit| 60.0 * logit),
    }
}

const ROWS: usize = 16;

fn softmax(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 8);
    for row in 0..ROWS {
        let logits = logits(&mut rng, row);
        let mut out = [0.0; CLASSES];
        sgt_core::softmax(&logits, &mut out)?;
        digest.floats(&out);
        sgt_core::log_softmax(&logits, &mut out)?;
        digest.floats(&out);
        digest.float(sgt_core::log_sum_exp(&logits)?);
    }
    Ok(())
}

fn cross_entropy(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 9);
    for row in 0..ROWS {
        let logits = logits(&mut rng, row);
        digest.float(sgt_core::cross_entropy(&logits, row % CLASSES)?);
        let mut gradient = [0.25; CLASSES];
        sgt_core::cross_entropy_grad(&logits, row % CLASSES, 0.125, &mut gradient)?;
        digest.floats(&gradient);
    }
    Ok(())
}

fn kl_divergence(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 10);
    for row in 0..ROWS {
        let (p, q) = (logits(&mut rng, row), logits(&mut rng, row / 4));
        digest.float(sgt_core::kl_divergence(&p, &q)?);
        let (mut p_gradient, mut q_gradient) = ([0.25; CLASSES], [-0.5; CLASSES]);
        sgt_core::kl_divergence_grad(&p, &q, 0.3, &mut p_gradient, &mut q_gradient)?;
        digest.floats(&p_gradient);
        digest.floats(&q_gradient);
    }
    Ok(())
}

fn batch_means(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 11);
    let (p, q) = (normals::<50>(&mut rng), normals::<50>(&mut rng));
    digest.float(sgt_core::mean_cross_entropy(&p, &[0, 3, 9, 1, 2])?);
    digest.float(sgt_core::mean_kl_divergence(&p, &q, CLASSES)?);
    digest.refused(&sgt_core::mean_cross_entropy(&p, &[0, 3, 9]));
    digest.refused(&sgt_core::mean_cross_entropy(&[], &[]));
    digest.refused(&sgt_core::mean_kl_divergence(&p, &q, 7));
    digest.refused(&sgt_core::mean_kl_divergence(&p, &q, 0));
    Ok(())
}

fn sgt_objective(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 12);
    for row in 0..ROWS {
        let (clean, masked) = (logits(&mut rng, row), logits(&mut rng, row / 4));
        let (mut of_clean, mut of_masked) = ([0.0; CLASSES], [0.0; CLASSES]);
        digest.losses(sgt_core::sgt_objective(
            &SgtRows {
                clean: &clean[..],
                masked: &masked[..],
            },
            row % CLASSES,
            0.9,
            0.25,
            &mut SgtRows {
                clean: &mut of_clean[..],
                masked: &mut of_masked[..],
            },
        )?);
        digest.floats(&of_clean);
        digest.floats(&of_masked);
    }
    Ok(())
}

fn adversarial_objective(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 13);
    for row in 0..ROWS {
        let (clean, attacked) = (logits(&mut rng, row), logits(&mut rng, row / 4));
        let (mut of_clean, mut of_attacked) = ([0.0; CLASSES], [0.0; CLASSES]);
        digest.losses(sgt_core::adversarial_objective(
            &AdversarialRows {
                clean: &clean[..],
                adversarial: &attacked[..],
            },
            row % CLASSES,
            0.25,
            &mut AdversarialRows {
                clean: &mut of_clean[..],
                adversarial: &mut of_attacked[..],
            },
        )?);
        digest.floats(&of_clean);
        digest.floats(&of_attacked);
    }
    Ok(())
}

fn asgt_objective(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 14);
    for row in 0..ROWS {
        let rows: [[f32; CLASSES]; 3] =
            core::array::from_fn(|branch| logits(&mut rng, row + branch));
        let mut gradients = [[0.0; CLASSES]; 3];
        let [clean, adversarial, masked] = &mut gradients;
        digest.losses(sgt_core::asgt_objective(
            &AsgtRows {
                clean: &rows[0][..],
                adversarial: &rows[1][..],
                masked: &rows[2][..],
            },
            row % CLASSES,
            1.1,
            0.25,
            &mut AsgtRows {
                clean: &mut clean[..],
                adversarial: &mut adversarial[..],
                masked: &mut masked[..],
            },
        )?);
        for gradient in &gradients {
            digest.floats(gradient);
        }
    }
    Ok(())
}

const FEATURES: usize = 100;

/// Calls `step` with every ball, bound and goal, a sample and a gradient.
fn attack(
    stream: u64,
    mut step: impl FnMut(&Threat, &[f32], &[f32], &mut Pcg32) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, stream);
    for ball in BALLS {
        for bounds in [Bounds::UNIT, Bounds::NONE] {
            for goal in [Goal::Untargeted, Goal::Targeted] {
                let threat = Threat { ball, bounds, goal };
                let x = units::<FEATURES>(&mut rng);
                let gradient = normals::<FEATURES>(&mut rng);
                step(&threat, &x, &gradient, &mut rng)?;
                step(&threat, &x, &[0.0; FEATURES], &mut rng)?;
            }
        }
    }
    Ok(())
}

fn fgsm(digest: &mut Digest) -> Result<(), Error> {
    attack(15, |threat, x, gradient, _| {
        let mut out = [0.0; FEATURES];
        sgt_core::fgsm(threat, x, gradient, &mut out)?;
        digest.floats(&out);
        Ok(())
    })
}

fn pgd_step(digest: &mut Digest) -> Result<(), Error> {
    attack(16, |threat, x, gradient, _| {
        let mut moved: [f32; FEATURES] = core::array::from_fn(|index| x[index]);
        for _ in 0..3 {
            sgt_core::pgd_step(threat, x, gradient, 0.12, &mut moved)?;
            digest.floats(&moved);
        }
        Ok(())
    })
}

fn mi_fgsm_step(digest: &mut Digest) -> Result<(), Error> {
    attack(17, |threat, x, gradient, rng| {
        for scale in [MomentumScale::MeanAbsolute, MomentumScale::L1] {
            let mut moved: [f32; FEATURES] = core::array::from_fn(|index| x[index]);
            let mut momentum = normals::<FEATURES>(rng);
            sgt_core::mi_fgsm_step(
                threat,
                x,
                gradient,
                0.12,
                0.9,
                scale,
                &mut momentum,
                &mut moved,
            )?;
            digest.floats(&momentum);
            digest.floats(&moved);
        }
        Ok(())
    })
}

fn project(digest: &mut Digest) -> Result<(), Error> {
    attack(18, |threat, x, gradient, _| {
        let mut moved: [f32; FEATURES] = core::array::from_fn(|index| x[index] + gradient[index]);
        sgt_core::project(threat, x, &mut moved)?;
        digest.floats(&moved);
        Ok(())
    })
}

fn random_start(digest: &mut Digest) -> Result<(), Error> {
    attack(19, |threat, x, _, rng| {
        let mut out = [0.0; FEATURES];
        sgt_core::random_start(threat, x, rng, &mut out)?;
        digest.floats(&out);
        Ok(())
    })
}

fn random_noise(digest: &mut Digest) -> Result<(), Error> {
    attack(20, |threat, x, _, rng| {
        let mut out = [0.0; FEATURES];
        sgt_core::random_noise(threat, x, rng, &mut out)?;
        digest.floats(&out);
        Ok(())
    })
}

fn removal_metrics(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 21);
    let probabilities = units::<5>(&mut rng);
    digest.float(sgt_core::comprehensiveness(0.9, &probabilities)?);
    digest.float(sgt_core::sufficiency(0.9, &probabilities)?);
    digest.float(sgt_core::accuracy_drop_area(
        &[0.0, 0.1, 0.3, 0.7, 0.9],
        &probabilities,
    )?);
    Ok(())
}

fn gini(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 22);
    for features in [1, 2, 33, LONGEST] {
        let attribution = importances(&mut rng);
        let mut scratch = [0.0; LONGEST];
        let scratch = &mut scratch[..sgt_core::gini_len(features)];
        digest.float(sgt_core::gini(&attribution[..features], scratch)?);
    }
    Ok(())
}

fn top_k_overlap(digest: &mut Digest) -> Result<(), Error> {
    let mut rng = Pcg32::new(SEED, 23);
    for k in [1, 10, 100, LONGEST] {
        let (a, b) = (importances(&mut rng), importances(&mut rng));
        digest.float(sgt_core::top_k_overlap(&a, &b, k)?);
    }
    Ok(())
}

fn schedules(digest: &mut Digest) -> Result<(), Error> {
    for schedule in [
        Schedule::Constant(0.5),
        Schedule::Linear { from: 0.1, to: 0.7 },
        Schedule::Cosine { from: 0.1, to: 0.7 },
    ] {
        for step in 0..=20 {
            digest.float(schedule.at(step as f32 / 20.0)?);
        }
    }
    for step in 0..=20 {
        let share = step as f32 / 20.0;
        digest.float(sgt_core::adaptive_fraction(0.1, 0.5, share)?);
        digest.count(sgt_core::masked_count(share, 784)?);
    }
    Ok(())
}

/// A window of the networks: 8 steps of 3 channels.
const WINDOW: Shape = Shape::series(8, 3);
const WINDOW_LEN: usize = 24;

const CONVOLUTION: Layer = Layer::Convolution(Convolution {
    outputs: 3,
    window: Window::same(3),
});
const POOL: Window = Window::side_by_side(2);

/// Every kind of layer.
const EVERY_LAYER: [Layer; 11] = [
    Layer::Depthwise(Depthwise {
        window: Window::same(4),
    }),
    Layer::ResidualStart,
    CONVOLUTION,
    Layer::Relu,
    Layer::ResidualAdd,
    Layer::Relu,
    Layer::MaxPool(POOL),
    Layer::AveragePool(POOL),
    Layer::Flatten(Order::ChannelsFirst),
    Layer::Lstm(Lstm { hidden: 3 }),
    Layer::Dense(Dense { outputs: 4 }),
];

/// An LSTM over many steps, and strides, dilations and padding.
const RECURRENT: [Layer; 2] = [
    Layer::Lstm(Lstm { hidden: 4 }),
    Layer::Dense(Dense { outputs: 3 }),
];
const STRIDED: [Layer; 4] = [
    Layer::Convolution(Convolution {
        outputs: 5,
        window: Window {
            stride: 2,
            padding: [4, 0],
            dilation: 2,
            ..Window::new(3)
        },
    }),
    Layer::Relu,
    Layer::GlobalAveragePool,
    Layer::Dense(Dense { outputs: 5 }),
];
const TABLES: [&[Layer]; 3] = [&EVERY_LAYER, &RECURRENT, &STRIDED];

/// Room for the largest of them.
const PARAMETERS: usize = 208;
const SCRATCH: usize = 384;

/// The networks' memory: parameters and a window are random, the rest is scratch.
struct NetworkMemory {
    parameters: [f32; PARAMETERS],
    window: [f32; WINDOW_LEN],
    scratch: [f32; SCRATCH],
    logits: [f32; CLASSES],
    saliency: [f32; WINDOW_LEN],
}

impl NetworkMemory {
    fn new(stream: u64) -> Self {
        let mut rng = Pcg32::new(SEED, stream);
        Self {
            parameters: normals(&mut rng).map(|value: f32| 0.5 * value),
            window: normals(&mut rng),
            scratch: [0.0; SCRATCH],
            logits: [0.0; CLASSES],
            saliency: [0.0; WINDOW_LEN],
        }
    }
}

fn guided() -> Result<SaliencyGuided, Error> {
    let layout = Layout::series(8, 3, Order::ChannelsLast, Group::Cell)?;
    Ok(SaliencyGuided::new(Masking::reference(layout)))
}

fn network_tables(digest: &mut Digest) -> Result<(), Error> {
    for layers in TABLES {
        let network = Network::new(WINDOW, layers)?;
        for size in [
            network.input_len(),
            network.classes(),
            network.parameter_len(),
            network.products(),
            network.inference_len(),
            network.saliency_len(),
            network.standard_len(),
            network.sgt_len(),
            network.trained_len(1),
            network.trained_len(2),
            guided()?.indices_len(),
            Sgd::new(0.1).state_len(network.parameter_len()),
            Adam::new(0.1).state_len(network.parameter_len()),
        ] {
            digest.count(size);
        }
        digest.number(u64::from(kinds(layers)));
    }
    digest.refused(&Network::new(Shape::vector(4), &[]));
    digest.refused(&Network::new(WINDOW, &[CONVOLUTION]));
    digest.refused(&Network::<1>::of_kinds(WINDOW, &[CONVOLUTION]));
    digest.refused(&Network::new(WINDOW, &[Layer::ResidualAdd]));
    let wide = Layer::Dense(Dense {
        outputs: usize::MAX,
    });
    digest.refused(&Network::new(Shape::vector(4), &[wide]));
    Ok(())
}

fn network_infer(digest: &mut Digest) -> Result<(), Error> {
    let mut memory = NetworkMemory::new(25);
    for layers in TABLES {
        let network = Network::new(WINDOW, layers)?;
        let parameters = Parameters::all(&memory.parameters[..network.parameter_len()]);
        let scratch = &mut memory.scratch[..network.inference_len()];
        let logits = &mut memory.logits[..network.classes()];
        network.infer(parameters, &memory.window, scratch, logits)?;
        digest.floats(logits);
    }
    Ok(())
}

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
    Layer::GlobalAveragePool,
    Layer::Dense(Dense { outputs: 4 }),
];

fn network_quantized(digest: &mut Digest) -> Result<(), Error> {
    const SHIFT: u32 = 38;
    let mut memory = NetworkMemory::new(31);
    let mut rng = Pcg32::new(SEED, 32);
    let weights: [i8; 63] = core::array::from_fn(|_| ((rng.next_u32() >> 24) as u8).cast_signed());
    let biases: [i32; 10] = core::array::from_fn(|_| rng.next_u32().cast_signed() >> 18);
    let rescales: [Rescale; 14] = core::array::from_fn(|_| Rescale {
        multiplier: (rng.next_u32() >> 1).cast_signed(),
        shift: SHIFT,
    });
    let mut scale = |zero: i8| Activation {
        scale: 0.02 + 0.1 * rng.unit(),
        zero,
    };
    let [input, first, second, sum, mean, all, logits] =
        [3, -20, -128, 7, 0, 90, -5].map(&mut scale);
    let activations = [
        input, first, first, second, second, sum, sum, sum, mean, mean, all, logits,
    ];
    for rescale in &rescales {
        for sum in [i32::MIN, -12345, -1, 0, 1, 54321, i32::MAX] {
            digest.number(u64::from(rescale.apply(sum).cast_unsigned()));
        }
    }
    let quantized = Quantized {
        weights: &weights,
        biases: &biases,
        rescales: &rescales,
        activations: &activations,
    };
    standardize(&mut memory.window, &[0.5, -0.25, 1.0], &[0.7, 2.0, 1.3])?;
    digest.floats(&memory.window);
    digest.refused(&standardize(&mut memory.window, &[0.5], &[0.7, 2.0]));
    let network = Network::new(WINDOW, &INTEGER_LAYERS)?;
    digest.count(network.quantized_len());
    let mut scratch = [0; 256];
    let logits = &mut memory.logits[..network.classes()];
    network.infer_quantized(&quantized, &memory.window, &mut scratch, logits)?;
    digest.floats(logits);
    let short = &mut [0; 3];
    digest.refused(&network.infer_quantized(&quantized, &memory.window, short, logits));
    Ok(())
}

fn network_observe(digest: &mut Digest) -> Result<(), Error> {
    let mut memory = NetworkMemory::new(33);
    let network = Network::new(WINDOW, &EVERY_LAYER)?;
    let parameters = Parameters::all(&memory.parameters[..network.parameter_len()]);
    let scratch = &mut memory.scratch;
    network.observe(parameters, &memory.window, scratch, &mut |layer, values| {
        digest.count(layer);
        digest.floats(values);
    })
}

fn network_saliency(digest: &mut Digest) -> Result<(), Error> {
    let mut memory = NetworkMemory::new(26);
    for layers in TABLES {
        let network = Network::new(WINDOW, layers)?;
        let parameters = Parameters::all(&memory.parameters[..network.parameter_len()]);
        for score in [
            Score::TrueLogit,
            Score::TrueLogProb,
            Score::PredictedLogit,
            Score::Loss,
        ] {
            let scratch = &mut memory.scratch[..network.saliency_len()];
            let logits = &mut memory.logits[..network.classes()];
            let saliency = &mut memory.saliency;
            network.saliency(
                parameters,
                &memory.window,
                score,
                2,
                scratch,
                logits,
                saliency,
            )?;
            digest.floats(logits);
            digest.floats(saliency);
        }
    }
    Ok(())
}

fn network_gradients(digest: &mut Digest) -> Result<(), Error> {
    let mut memory = NetworkMemory::new(27);
    let guided = guided()?;
    for layers in TABLES {
        let network = Network::new(WINDOW, layers)?;
        let trained = network.trained_len(2);
        let values = &memory.parameters[..network.parameter_len()];
        let (frozen, trained) = values.split_at(network.parameter_len() - trained);
        let parameters = Parameters { frozen, trained };
        let mut gradient = [0.0; PARAMETERS];
        let gradient = &mut gradient[..trained.len()];
        let example = Labelled {
            input: &memory.window,
            label: 1,
        };
        let scratch = &mut memory.scratch;
        digest.losses(network.standard_gradient(parameters, example, 0.5, scratch, gradient)?);
        digest.floats(gradient);
        let mut rng = Pcg32::new(SEED, 28);
        let mut scratch = SgtScratch {
            values: scratch,
            indices: &mut [0_u16; WINDOW_LEN],
        };
        digest.losses(network.sgt_gradient(
            parameters,
            example,
            &guided,
            0.5,
            &mut rng,
            &mut scratch,
            gradient,
        )?);
        digest.floats(gradient);
    }
    Ok(())
}

fn network_steps<O: Optimizer + Copy>(digest: &mut Digest, optimizer: O) -> Result<(), Error> {
    const STEPS: usize = 5;
    let mut memory = NetworkMemory::new(29);
    let guided = guided()?;
    for layers in TABLES {
        let network = Network::new(WINDOW, layers)?;
        let count = network.parameter_len();
        let mut gradient = [0.0; PARAMETERS];
        let mut state = [0.0; 2 * PARAMETERS];
        let mut learner = Learner {
            frozen: &[],
            trained: &mut memory.parameters[..count],
            gradient: &mut gradient[..count],
            state: &mut state[..optimizer.needs(count)],
            optimizer,
        };
        let example = Labelled {
            input: &memory.window,
            label: 1,
        };
        let mut rng = Pcg32::new(SEED, 30);
        for _ in 0..STEPS {
            let mut scratch = SgtScratch {
                values: &mut memory.scratch,
                indices: &mut [0_u16; WINDOW_LEN],
            };
            let losses = network.sgt_step(&mut learner, example, &guided, &mut rng, &mut scratch);
            digest.losses(losses?);
            digest.losses(network.standard_step(&mut learner, example, &mut memory.scratch)?);
        }
        digest.floats(learner.parameters().trained);
        digest.floats(learner.state);
    }
    Ok(())
}

/// Refusals, and that they leave the output alone.
fn errors(digest: &mut Digest) -> Result<(), Error> {
    let masking = Masking::reference(Layout::flat(4)?);
    let mut rng = Pcg32::new(SEED, 24);
    let (mut scratch, mut indices, mut out) = ([0; 4], [0_u16; 2], [7.0; 4]);
    for (gradient, sample) in [
        (&[0.0, f32::NAN, 0.0, 0.0][..], &[0.0; 4][..]),
        (&[0.0; 4], &[0.0, 0.0, f32::INFINITY, 0.0]),
        (&[0.0; 3], &[0.0; 4]),
        (&[0.0; 4], &[0.0; 5]),
    ] {
        digest.refused(&sgt_core::mask_sample(
            &masking,
            gradient,
            sample,
            None,
            &mut rng,
            &mut scratch,
            &mut out,
        ));
        digest.refused(&sgt_core::mask_sample_small(
            &masking,
            gradient,
            sample,
            None,
            &mut rng,
            &mut indices,
            &mut out,
        ));
        digest.floats(&out);
    }
    digest.refused(&sgt_core::select_small(&[], 0, End::Lowest));
    digest.refused(&sgt_core::select_small(&[1.0], 2, End::Lowest));
    digest.refused(&sgt_core::cross_entropy(&[0.0; 3], 3));
    digest.refused(&sgt_core::softmax(&[f32::NAN], &mut [0.0]));
    digest.refused(&Schedule::Constant(1.0).at(1.5));
    let threat = Threat::linf(-1.0, Bounds::UNIT);
    digest.refused(&sgt_core::fgsm(&threat, &[0.0], &[0.0], &mut [0.0]));
    Ok(())
}
