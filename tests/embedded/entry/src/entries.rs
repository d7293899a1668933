//! Every entry point of `sgt-core` as a function with a symbol of its own, so that a linker can
//! keep one and drop the rest. Arguments are unknown to the compiler here.

use core::fmt::Write;
use sgt_core::mask::{bit_words, bits_from_indices, indices_from_bits, is_selected, set_bits};
use sgt_core::network::{
    Adam, Convolution, Dense, Labelled, Layer, Learner, Network, Optimizer, Parameters, Quantized,
    Rescale, SaliencyGuided, Score, Sgd, SgtScratch, Shape, Window, kinds,
};
use sgt_core::{
    AdversarialRows, AsgtRows, Donors, End, Error, Group, Importance, Layout, Losses, Masked,
    Masking, MomentumScale, Order, Pcg32, Policy, RandCore, Random, Reduction, Schedule, Selected,
    SgtRows, Threat, Threshold, Workspace,
};

/// Capacity of the measured [`Workspace`]; its code does not depend on it.
pub const WORKSPACE: usize = 64;

/// The kinds of layers of a network for sensors: convolutions, ReLU, max and global average pooling,
/// dense layers.
pub const CONVOLUTIONAL: u16 = kinds(&[
    Layer::Convolution(Convolution {
        outputs: 1,
        window: Window::new(1),
    }),
    Layer::Relu,
    Layer::MaxPool(Window::new(1)),
    Layer::GlobalAveragePool,
    Layer::Dense(Dense { outputs: 1 }),
]);

/// A sink for text of fixed size.
pub struct Line {
    /// What was written so far.
    pub bytes: [u8; 96],
    /// How much of it.
    pub used: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for &byte in text.as_bytes() {
            *self.bytes.get_mut(self.used).ok_or(core::fmt::Error)? = byte;
            self.used += 1;
        }
        Ok(())
    }
}

macro_rules! entry_points {
    ($(
        fn $name:ident $(<$life:lifetime>)? ($($argument:ident: $type:ty),* $(,)?) -> $output:ty
        $body:block
    )*) => {
        /// The symbols' names.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[allow(missing_docs, clippy::missing_errors_doc, clippy::too_many_arguments)]
            #[unsafe(no_mangle)]
            #[inline(never)]
            pub fn $name $(<$life>)? ($($argument: $type),*) -> $output $body
        )*
    };
}

entry_points! {
    // layout
    fn layout_new(
        positions: usize, channels: usize, order: Order, group: Group, reduction: Reduction,
    ) -> Result<Layout, Error> {
        Layout::new(positions, channels, order, group, reduction)
    }
    fn layout_image(channels: usize, height: usize, width: usize) -> Result<Layout, Error> {
        Layout::image(channels, height, width)
    }
    fn layout_series(
        steps: usize, channels: usize, order: Order, group: Group,
    ) -> Result<Layout, Error> {
        Layout::series(steps, channels, order, group)
    }
    fn layout_text(tokens: usize, dim: usize) -> Result<Layout, Error> {
        Layout::text(tokens, dim)
    }
    fn layout_flat(features: usize) -> Result<Layout, Error> {
        Layout::flat(features)
    }
    fn layout_with_valid(layout: Layout, first: usize, valid: usize) -> Result<Layout, Error> {
        layout.with_valid(first, valid)
    }
    fn layout_getters(layout: &Layout, position: usize, channel: usize) -> [usize; 7] {
        [
            layout.sample_len(),
            layout.groups(),
            layout.positions(),
            layout.channels(),
            layout.first_valid(),
            layout.valid(),
            layout.offset(position, channel),
        ]
    }
    fn layout_kinds(layout: &Layout) -> (Order, Group, Reduction) {
        (layout.order(), layout.group(), layout.reduction())
    }

    // rank
    fn rank_features(
        layout: &Layout, kind: Importance, gradient: &[f32], importance: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::rank_features(layout, kind, gradient, importance)
    }

    // select
    fn select_small(importance: &[f32], k: usize, end: End) -> Result<Threshold, Error> {
        sgt_core::select_small(importance, k, end)
    }
    fn select_fast(
        importance: &[f32], k: usize, end: End, scratch: &mut [u32],
    ) -> Result<Threshold, Error> {
        sgt_core::select_fast(importance, k, end, scratch)
    }
    fn select_fast_len(groups: usize) -> usize {
        sgt_core::select_fast_len(groups)
    }
    fn threshold_selected(threshold: &Threshold) -> usize {
        threshold.selected()
    }
    fn threshold_indices_u16<'i>(
        threshold: &Threshold, importance: &[f32], indices: &'i mut [u16],
    ) -> Result<&'i [u16], Error> {
        threshold.indices(importance, indices)
    }
    fn threshold_indices_u32<'i>(
        threshold: &Threshold, importance: &[f32], indices: &'i mut [u32],
    ) -> Result<&'i [u32], Error> {
        threshold.indices(importance, indices)
    }

    // mask
    fn mask_bit_words(groups: usize) -> usize {
        bit_words(groups)
    }
    fn mask_set_bits(
        threshold: &Threshold, importance: &[f32], words: &mut [u32],
    ) -> Result<(), Error> {
        set_bits(threshold, importance, words)
    }
    fn mask_bits_from_indices(
        indices: &[u16], groups: usize, words: &mut [u32],
    ) -> Result<(), Error> {
        bits_from_indices(indices, groups, words)
    }
    fn mask_indices_from_bits<'i>(
        words: &[u32], indices: &'i mut [u16],
    ) -> Result<&'i [u16], Error> {
        indices_from_bits(words, indices)
    }
    fn mask_is_selected(words: &[u32], group: usize) -> bool {
        is_selected(words, group)
    }

    // replace
    fn replace_features_u16(
        layout: &Layout, policy: Policy, indices: &[u16], sample: &[f32],
        donors: Option<Donors<'_>>, rng: &mut Pcg32, out: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::replace_features(layout, policy, indices, sample, donors, rng, out)
    }
    fn replace_features_u32(
        layout: &Layout, policy: Policy, indices: &[u32], sample: &[f32],
        donors: Option<Donors<'_>>, rng: &mut Pcg32, out: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::replace_features(layout, policy, indices, sample, donors, rng, out)
    }
    fn replace_features_by_bits(
        layout: &Layout, policy: Policy, words: &[u32], sample: &[f32],
        donors: Option<Donors<'_>>, rng: &mut Pcg32, out: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::replace_features_by_bits(layout, policy, words, sample, donors, rng, out)
    }

    // rank, select and replace in one call
    fn mask_sample<'s>(
        masking: &Masking, gradient: &[f32], sample: &[f32], donors: Option<Donors<'_>>,
        rng: &mut Pcg32, scratch: &'s mut [u32], out: &mut [f32],
    ) -> Result<Selected<'s>, Error> {
        sgt_core::mask_sample(masking, gradient, sample, donors, rng, scratch, out)
    }
    fn selected_count(selected: &Selected<'_>) -> usize {
        selected.count()
    }
    fn selected_iter(selected: &Selected<'_>) -> Option<usize> {
        selected.iter().last()
    }
    fn selected_indices_u16<'i>(
        selected: &Selected<'_>, indices: &'i mut [u16],
    ) -> Result<&'i [u16], Error> {
        selected.indices(indices)
    }
    fn selected_bits(selected: &Selected<'_>, words: &mut [u32]) -> Result<(), Error> {
        selected.bits(words)
    }
    fn mask_sample_small_u16(
        masking: &Masking, gradient: &[f32], sample: &[f32], donors: Option<Donors<'_>>,
        rng: &mut Pcg32, indices: &mut [u16], out: &mut [f32],
    ) -> Result<usize, Error> {
        let replaced =
            sgt_core::mask_sample_small(masking, gradient, sample, donors, rng, indices, out)?;
        Ok(replaced.len())
    }
    fn mask_sample_small_u32(
        masking: &Masking, gradient: &[f32], sample: &[f32], donors: Option<Donors<'_>>,
        rng: &mut Pcg32, indices: &mut [u32], out: &mut [f32],
    ) -> Result<usize, Error> {
        let replaced =
            sgt_core::mask_sample_small(masking, gradient, sample, donors, rng, indices, out)?;
        Ok(replaced.len())
    }
    fn workspace_mask<'w>(
        workspace: &'w mut Workspace<WORKSPACE>, masking: &Masking, gradient: &[f32],
        sample: &[f32], donors: Option<Donors<'_>>, rng: &mut Pcg32,
    ) -> Result<Masked<'w>, Error> {
        workspace.mask(masking, gradient, sample, donors, rng)
    }
    fn workspace_new(slot: &mut Workspace<WORKSPACE>) -> () {
        *slot = Workspace::new();
    }
    fn masking_reference(layout: Layout) -> Masking {
        Masking::reference(layout)
    }
    fn masking_selected(masking: &Masking) -> Result<usize, Error> {
        masking.selected()
    }
    fn masked_count(fraction: f32, groups: usize) -> Result<usize, Error> {
        sgt_core::masked_count(fraction, groups)
    }
    fn mask_sample_len(masking: &Masking) -> usize {
        sgt_core::mask_sample_len(masking)
    }
    fn mask_sample_small_len(masking: &Masking) -> usize {
        sgt_core::mask_sample_small_len(masking)
    }
    fn adaptive_fraction(hard: f32, easy: f32, confidence: f32) -> Result<f32, Error> {
        sgt_core::adaptive_fraction(hard, easy, confidence)
    }

    // random numbers
    fn pcg32_new(seed: u64, stream: u64) -> Pcg32 {
        Pcg32::new(seed, stream)
    }
    fn pcg32_state(rng: &Pcg32) -> (u64, u64) {
        rng.state()
    }
    fn pcg32_from_state(state: u64, increment: u64) -> Pcg32 {
        Pcg32::from_state(state, increment)
    }
    fn pcg32_next_u32(rng: &mut Pcg32) -> u32 {
        rng.next_u32()
    }
    fn pcg32_unit(rng: &mut Pcg32) -> f32 {
        rng.unit()
    }
    fn pcg32_below(rng: &mut Pcg32, bound: u32) -> u32 {
        rng.below(bound)
    }
    fn pcg32_standard_normal(rng: &mut Pcg32) -> f32 {
        rng.standard_normal()
    }
    fn pcg32_fill_bytes(rng: &mut Pcg32, bytes: &mut [u8]) -> () {
        rand_core::Rng::fill_bytes(rng, bytes);
    }
    fn rand_core_next_u32(rng: &mut RandCore<Pcg32>) -> u32 {
        rng.next_u32()
    }

    // softmax
    fn softmax(logits: &[f32], out: &mut [f32]) -> Result<(), Error> {
        sgt_core::softmax(logits, out)
    }
    fn log_softmax(logits: &[f32], out: &mut [f32]) -> Result<(), Error> {
        sgt_core::log_softmax(logits, out)
    }
    fn log_sum_exp(logits: &[f32]) -> Result<f32, Error> {
        sgt_core::log_sum_exp(logits)
    }

    // losses
    fn cross_entropy(logits: &[f32], label: usize) -> Result<f32, Error> {
        sgt_core::cross_entropy(logits, label)
    }
    fn cross_entropy_grad(
        logits: &[f32], label: usize, scale: f32, gradient: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::cross_entropy_grad(logits, label, scale, gradient)
    }
    fn kl_divergence(p_logits: &[f32], q_logits: &[f32]) -> Result<f32, Error> {
        sgt_core::kl_divergence(p_logits, q_logits)
    }
    fn kl_divergence_grad(
        p_logits: &[f32], q_logits: &[f32], scale: f32, p_gradient: &mut [f32],
        q_gradient: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::kl_divergence_grad(p_logits, q_logits, scale, p_gradient, q_gradient)
    }
    fn mean_cross_entropy(logits: &[f32], labels: &[usize]) -> Result<f32, Error> {
        sgt_core::mean_cross_entropy(logits, labels)
    }
    fn mean_kl_divergence(
        p_logits: &[f32], q_logits: &[f32], classes: usize,
    ) -> Result<f32, Error> {
        sgt_core::mean_kl_divergence(p_logits, q_logits, classes)
    }

    // objectives
    fn sgt_objective(
        logits: &SgtRows<&[f32]>, label: usize, lambda: f32, scale: f32,
        gradients: &mut SgtRows<&mut [f32]>,
    ) -> Result<Losses, Error> {
        sgt_core::sgt_objective(logits, label, lambda, scale, gradients)
    }
    fn adversarial_objective(
        logits: &AdversarialRows<&[f32]>, label: usize, scale: f32,
        gradients: &mut AdversarialRows<&mut [f32]>,
    ) -> Result<Losses, Error> {
        sgt_core::adversarial_objective(logits, label, scale, gradients)
    }
    fn asgt_objective(
        logits: &AsgtRows<&[f32]>, label: usize, lambda: f32, scale: f32,
        gradients: &mut AsgtRows<&mut [f32]>,
    ) -> Result<Losses, Error> {
        sgt_core::asgt_objective(logits, label, lambda, scale, gradients)
    }

    // attacks
    fn threat_linf(epsilon: f32, bounds: sgt_core::Bounds) -> Threat {
        Threat::linf(epsilon, bounds)
    }
    fn fgsm(threat: &Threat, x: &[f32], gradient: &[f32], out: &mut [f32]) -> Result<(), Error> {
        sgt_core::fgsm(threat, x, gradient, out)
    }
    fn pgd_step(
        threat: &Threat, origin: &[f32], gradient: &[f32], alpha: f32, x: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::pgd_step(threat, origin, gradient, alpha, x)
    }
    fn mi_fgsm_step(
        threat: &Threat, origin: &[f32], gradient: &[f32], alpha: f32, decay: f32,
        scale: MomentumScale, momentum: &mut [f32], x: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::mi_fgsm_step(threat, origin, gradient, alpha, decay, scale, momentum, x)
    }
    fn project(threat: &Threat, origin: &[f32], x: &mut [f32]) -> Result<(), Error> {
        sgt_core::project(threat, origin, x)
    }
    fn random_start(
        threat: &Threat, origin: &[f32], rng: &mut Pcg32, out: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::random_start(threat, origin, rng, out)
    }
    fn random_noise(
        threat: &Threat, origin: &[f32], rng: &mut Pcg32, out: &mut [f32],
    ) -> Result<(), Error> {
        sgt_core::random_noise(threat, origin, rng, out)
    }

    // metrics
    fn comprehensiveness(full: f32, removed: &[f32]) -> Result<f32, Error> {
        sgt_core::comprehensiveness(full, removed)
    }
    fn sufficiency(full: f32, kept: &[f32]) -> Result<f32, Error> {
        sgt_core::sufficiency(full, kept)
    }
    fn accuracy_drop_area(fractions: &[f32], accuracies: &[f32]) -> Result<f32, Error> {
        sgt_core::accuracy_drop_area(fractions, accuracies)
    }
    fn gini(attribution: &[f32], scratch: &mut [f32]) -> Result<f32, Error> {
        sgt_core::gini(attribution, scratch)
    }
    fn gini_len(features: usize) -> usize {
        sgt_core::gini_len(features)
    }
    fn top_k_overlap(a: &[f32], b: &[f32], k: usize) -> Result<f32, Error> {
        sgt_core::top_k_overlap(a, b, k)
    }

    // schedules
    fn schedule_at(schedule: &Schedule, progress: f32) -> Result<f32, Error> {
        schedule.at(progress)
    }

    // the network: any table of layers
    fn network_new<'t>(input: Shape, layers: &'t [Layer]) -> Result<Network<'t>, Error> {
        Network::new(input, layers)
    }
    fn network_kinds(layers: &[Layer]) -> u16 {
        kinds(layers)
    }
    fn network_shapes(steps: usize, channels: usize) -> [Shape; 2] {
        [Shape::series(steps, channels), Shape::vector(channels)]
    }
    fn network_windows(kernel: usize) -> [Window; 3] {
        [Window::new(kernel), Window::same(kernel), Window::side_by_side(kernel)]
    }
    fn network_lens(network: &Network<'_>, guided: &SaliencyGuided) -> [usize; 9] {
        [
            network.input_len(),
            network.classes(),
            network.parameter_len(),
            network.products(),
            network.inference_len(),
            network.saliency_len(),
            network.standard_len(),
            network.sgt_len(),
            guided.indices_len(),
        ]
    }
    fn network_trained_len(network: &Network<'_>, layers: usize) -> usize {
        network.trained_len(layers)
    }
    fn network_guided(masking: Masking) -> SaliencyGuided {
        SaliencyGuided::new(masking)
    }
    fn network_infer(
        network: &Network<'_>, parameters: Parameters<'_>, input: &[f32], scratch: &mut [f32],
        logits: &mut [f32],
    ) -> Result<(), Error> {
        network.infer(parameters, input, scratch, logits)
    }
    fn network_standardize(
        window: &mut [f32], mean: &[f32], deviation: &[f32],
    ) -> Result<(), Error> {
        sgt_core::network::standardize(window, mean, deviation)
    }
    fn network_quantized_len(network: &Network<'_>) -> usize {
        network.quantized_len()
    }
    fn network_infer_quantized(
        network: &Network<'_>, quantized: &Quantized<'_>, input: &[f32], scratch: &mut [i8],
        logits: &mut [f32],
    ) -> Result<(), Error> {
        network.infer_quantized(quantized, input, scratch, logits)
    }
    fn network_observe(
        network: &Network<'_>, parameters: Parameters<'_>, input: &[f32], tape: &mut [f32],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Error> {
        network.observe(parameters, input, tape, visit)
    }
    fn rescale_apply(rescale: Rescale, sum: i32) -> i32 {
        rescale.apply(sum)
    }
    fn network_saliency(
        network: &Network<'_>, parameters: Parameters<'_>, input: &[f32], score: Score,
        label: usize, scratch: &mut [f32], logits: &mut [f32], saliency: &mut [f32],
    ) -> Result<(), Error> {
        network.saliency(parameters, input, score, label, scratch, logits, saliency)
    }
    fn network_standard_gradient(
        network: &Network<'_>, parameters: Parameters<'_>, example: Labelled<'_>, scale: f32,
        scratch: &mut [f32], gradient: &mut [f32],
    ) -> Result<Losses, Error> {
        network.standard_gradient(parameters, example, scale, scratch, gradient)
    }
    fn network_sgt_gradient(
        network: &Network<'_>, parameters: Parameters<'_>, example: Labelled<'_>,
        guided: &SaliencyGuided, scale: f32, rng: &mut Pcg32, scratch: &mut SgtScratch<'_, u16>,
        gradient: &mut [f32],
    ) -> Result<Losses, Error> {
        network.sgt_gradient(parameters, example, guided, scale, rng, scratch, gradient)
    }
    fn network_standard_step(
        network: &Network<'_>, learner: &mut Learner<'_, Sgd>, example: Labelled<'_>,
        scratch: &mut [f32],
    ) -> Result<Losses, Error> {
        network.standard_step(learner, example, scratch)
    }
    fn network_sgt_step(
        network: &Network<'_>, learner: &mut Learner<'_, Sgd>, example: Labelled<'_>,
        guided: &SaliencyGuided, rng: &mut Pcg32, scratch: &mut SgtScratch<'_, u16>,
    ) -> Result<Losses, Error> {
        network.sgt_step(learner, example, guided, rng, scratch)
    }
    fn learner_parameters<'m>(learner: &'m Learner<'m, Sgd>) -> Parameters<'m> {
        learner.parameters()
    }
    fn parameters_all<'p>(values: &'p [f32]) -> Parameters<'p> {
        Parameters::all(values)
    }
    fn sgd_update(
        sgd: &mut Sgd, parameters: &mut [f32], gradient: &[f32], state: &mut [f32],
    ) -> Result<(), Error> {
        sgd.update(parameters, gradient, state)
    }
    fn sgd_state_len(rate: f32, parameters: usize) -> usize {
        Sgd::new(rate).state_len(parameters)
    }
    fn adam_update(
        adam: &mut Adam, parameters: &mut [f32], gradient: &[f32], state: &mut [f32],
    ) -> Result<(), Error> {
        adam.update(parameters, gradient, state)
    }
    fn adam_state_len(rate: f32, parameters: usize) -> usize {
        Adam::new(rate).state_len(parameters)
    }

    // the network of known kinds: what it does not have is not linked
    fn convolutional_of_kinds<'t>(
        input: Shape, layers: &'t [Layer],
    ) -> Result<Network<'t, CONVOLUTIONAL>, Error> {
        Network::of_kinds(input, layers)
    }
    fn convolutional_infer(
        network: &Network<'_, CONVOLUTIONAL>, parameters: Parameters<'_>, input: &[f32],
        scratch: &mut [f32], logits: &mut [f32],
    ) -> Result<(), Error> {
        network.infer(parameters, input, scratch, logits)
    }
    fn convolutional_infer_quantized(
        network: &Network<'_, CONVOLUTIONAL>, quantized: &Quantized<'_>, input: &[f32],
        scratch: &mut [i8], logits: &mut [f32],
    ) -> Result<(), Error> {
        network.infer_quantized(quantized, input, scratch, logits)
    }
    fn convolutional_saliency(
        network: &Network<'_, CONVOLUTIONAL>, parameters: Parameters<'_>, input: &[f32],
        score: Score, label: usize, scratch: &mut [f32], logits: &mut [f32], saliency: &mut [f32],
    ) -> Result<(), Error> {
        network.saliency(parameters, input, score, label, scratch, logits, saliency)
    }
    fn convolutional_standard_step(
        network: &Network<'_, CONVOLUTIONAL>, learner: &mut Learner<'_, Sgd>,
        example: Labelled<'_>, scratch: &mut [f32],
    ) -> Result<Losses, Error> {
        network.standard_step(learner, example, scratch)
    }
    fn convolutional_sgt_step(
        network: &Network<'_, CONVOLUTIONAL>, learner: &mut Learner<'_, Sgd>,
        example: Labelled<'_>, guided: &SaliencyGuided, rng: &mut Pcg32,
        scratch: &mut SgtScratch<'_, u16>,
    ) -> Result<Losses, Error> {
        network.sgt_step(learner, example, guided, rng, scratch)
    }

    // the error's text
    fn error_display(error: Error, line: &mut Line) -> core::fmt::Result {
        write!(line, "{error}")
    }
}
