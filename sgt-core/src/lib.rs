//! Saliency-guided training for firmware: no heap, no panic, no `std`.
//!
//! A network is trained to give the same answer when the input features with the lowest gradient
//! are replaced. This crate holds the method itself over plain slices, and a small network that
//! infers, explains itself and learns by it. The caller owns every buffer. Who has a network of his
//! own runs its forward and backward passes, and calls in between.
//!
//! | module | what it does |
//! |---|---|
//! | [`error`] | the one error type; every variant names the argument |
//! | [`layout`] | how a sample's values form feature groups: pixels, cells, time steps, tokens |
//! | [`rank`] | gradient → importance of groups |
//! | [`select`] | the k lowest or highest groups, small or fast |
//! | [`mask`] | masks as index lists and bit sets |
//! | [`replace`] | replacement policies |
//! | [`sgt`] | rank → select → replace in one call |
//! | [`rng`] | PCG32 and adapters |
//! | [`mod@softmax`] | softmax, log-softmax |
//! | [`loss`] | cross-entropy and KL divergence with gradients |
//! | [`objective`] | the SGT, SGA, adversarial and ASGT objectives with gradients |
//! | [`attack`] | FGSM, PGD and MI-FGSM steps, projections, random starts and noise |
//! | [`network`] | inference, saliency and training of a small network |
//! | [`metric`] | comprehensiveness, sufficiency, accuracy-drop area, Gini, top-k overlap |
//! | [`schedule`] | schedules for k and λ |
//!
//! Every float operation has a fixed order and every transcendental function comes from `libm`, so
//! a host computes the same bits as a microcontroller. A function that refuses its arguments
//! returns an [`Error`] and leaves its outputs untouched; none panics, which the project's check
//! proves by linking.
//!
//! A training step of a model of the caller's own, without the model:
//!
//! ```
//! use sgt_core::{Layout, Masking, Pcg32, SgtRows, mask_sample, sgt_objective};
//! # fn forward(_: &[f32]) -> [f32; 2] { [0.3, -0.1] }
//! # fn input_gradient(_: &[f32], _: usize) -> [f32; 4] { [0.1, -0.4, 0.2, 0.0] }
//! let (x, label, lambda) = ([0.5, 0.1, 0.9, 0.3], 0, 1.0);
//! let mut rng = Pcg32::new(2021, 0);
//!
//! let gradient = input_gradient(&x, label);
//! let (mut scratch, mut masked) = ([0; 4], [0.0; 4]);
//! let masking = Masking::reference(Layout::flat(4)?);
//! mask_sample(&masking, &gradient, &x, None, &mut rng, &mut scratch, &mut masked)?;
//!
//! let (mut clean, mut of_masked) = ([0.0; 2], [0.0; 2]);
//! let logits = SgtRows { clean: &forward(&x)[..], masked: &forward(&masked) };
//! let mut gradients = SgtRows { clean: &mut clean[..], masked: &mut of_masked };
//! let losses = sgt_objective(&logits, label, lambda, 1.0, &mut gradients)?;
//! // Now back-propagate `clean` through x's pass and `of_masked` through the masked sample's.
//! assert!(losses.total > 0.0);
//! # Ok::<(), sgt_core::Error>(())
//! ```
//!
//! Features: `heapless` (fixed-capacity owner `Workspace`), `rand_core` (any generator), `defmt`
//! (`Format` for the error), `serde` (what a configuration holds, in kebab-case: the enums and
//! [`Bounds`]). None is on by default.
#![no_std]
#![forbid(unsafe_code)]
// The loops over features are marked so that a caller compiled for a wider vector unit gets them in
// its width; see `mask_sample`.
#![allow(clippy::inline_always)]

pub mod attack;
pub mod error;
pub mod layout;
pub mod loss;
pub mod mask;
mod math;
pub mod metric;
pub mod network;
pub mod objective;
pub mod rank;
pub mod replace;
pub mod rng;
pub mod schedule;
pub mod select;
pub mod sgt;
pub mod softmax;
#[cfg(feature = "heapless")]
pub mod workspace;

pub use attack::{
    Ball, Bounds, Goal, MomentumScale, Norm, Threat, fgsm, mi_fgsm_step, pgd_step, project,
    random_noise, random_start,
};
pub use error::Error;
pub use layout::{Group, Layout, Order, Reduction};
pub use loss::{
    cross_entropy, cross_entropy_grad, kl_divergence, kl_divergence_grad, mean_cross_entropy,
    mean_kl_divergence,
};
pub use metric::{
    accuracy_drop_area, comprehensiveness, gini, gini_len, sufficiency, top_k_overlap,
};
pub use objective::{
    AdversarialRows, AsgtRows, Losses, SgtRows, adversarial_objective, asgt_objective,
    sgt_objective,
};
pub use rank::{Importance, rank_features};
pub use replace::{Donors, Policy, replace_features, replace_features_by_bits};
#[cfg(feature = "rand_core")]
pub use rng::RandCore;
pub use rng::{Pcg32, Random};
pub use schedule::Schedule;
pub use select::{End, Index, Threshold, select_fast, select_fast_len, select_small};
pub use sgt::{
    Masking, Scope, Selected, adaptive_fraction, mask_sample, mask_sample_len, mask_sample_small,
    mask_sample_small_len, masked_count,
};
pub use softmax::{log_softmax, log_sum_exp, softmax};
#[cfg(feature = "heapless")]
pub use workspace::{Masked, Workspace};
