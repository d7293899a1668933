//! The steps that are timed: the same work as benches/peers does in PyTorch.

use rayon::prelude::*;
use sgt_core::{
    Ball, Bounds, Goal, Layout, Masking, Norm, Pcg32, Random, SgtRows, Threat, cross_entropy_grad,
    mask_sample, mask_sample_len, pgd_step, sgt_objective,
};
use sgt_host::network::network::{Network, NetworkPass};
use sgt_host::network::registry::{self, NetworkSizes};
use sgt_host::network::{
    InputShape, Mode, Model, Score, SeriesOrder, input_gradient, score_gradient,
};

/// The steps by name.
pub(crate) const STEPS: [&str; 5] = ["forward", "saliency", "standard", "sgt", "pgd7"];

const LEARNING_RATE: f32 = 0.01;
const PGD_STEPS: usize = 7;
const EPSILON: f32 = 0.3;
const ALPHA: f32 = 0.1;
/// Parameters a task of the optimizer.
const PIECE: usize = 1 << 16;

/// A network, a batch and every buffer that a step needs.
pub(crate) struct Workload {
    network: Network,
    layout: Layout,
    x: Vec<f32>,
    labels: Vec<usize>,
    pass: NetworkPass,
    masked_pass: NetworkPass,
    dx: Vec<f32>,
    other: Vec<f32>,
    dlogits: Vec<f32>,
    masked_dlogits: Vec<f32>,
    gradient: Vec<f32>,
    step: u64,
}

impl Workload {
    /// `mnist-cnn` on a batch of 128 images or `sensor-lstm` on 64 series.
    pub(crate) fn new(model: &str) -> Self {
        let (input, layout, classes, batch) = if model == "mnist-cnn" {
            let image = InputShape::Image {
                channels: 1,
                height: 28,
                width: 28,
            };
            (image, Layout::flat(28 * 28), 10, 128)
        } else {
            let series = InputShape::Series {
                steps: 128,
                channels: 9,
                order: SeriesOrder::StepsFirst,
            };
            (series, Layout::flat(128 * 9), 6, 64)
        };
        let network = registry::build(model, &NetworkSizes::new(input, classes), 1).unwrap();
        let mut random = Pcg32::new(2, 0);
        let x: Vec<f32> = (0..batch * input.len()).map(|_| random.unit()).collect();
        let labels = (0..batch).map(|_| random.below(classes as u32) as usize);
        Self {
            layout: layout.unwrap(),
            labels: labels.collect(),
            pass: NetworkPass::default(),
            masked_pass: NetworkPass::default(),
            dx: vec![0.0; x.len()],
            other: x.clone(),
            dlogits: vec![0.0; batch * classes],
            masked_dlogits: vec![0.0; batch * classes],
            gradient: vec![0.0; network.parameters().values().len()],
            step: 0,
            network,
            x,
        }
    }

    /// Runs one step of [`STEPS`].
    pub(crate) fn run(&mut self, step: &str) {
        self.step += 1;
        match step {
            "forward" => {
                let pass = &mut self.pass;
                self.network
                    .forward(&self.x, Mode::InputGradient, pass)
                    .unwrap();
            }
            "saliency" => self.saliency(Score::TrueLogit),
            "standard" => self.standard(),
            "sgt" => self.sgt(),
            "pgd7" => self.pgd(),
            _ => panic!("step: found {step}, expected one of {STEPS:?}"),
        }
    }

    fn saliency(&mut self, score: Score) {
        let (network, pass) = (&self.network, &mut self.pass);
        input_gradient(network, &self.x, &self.labels, score, pass, &mut self.dx).unwrap();
    }

    fn standard(&mut self) {
        let mode = Mode::Training { seed: self.step };
        let logits = self.network.forward(&self.x, mode, &mut self.pass).unwrap();
        let classes = self.network.classes();
        self.dlogits.fill(0.0);
        let rows = logits.chunks(classes).zip(self.dlogits.chunks_mut(classes));
        let scale = 1.0 / self.labels.len() as f32;
        for ((logits, dlogits), &label) in rows.zip(&self.labels) {
            cross_entropy_grad(logits, label, scale, dlogits).unwrap();
        }
        self.clear_gradient();
        let gradient = Some(self.gradient.as_mut_slice());
        self.network
            .backward(&mut self.pass, &self.dlogits, None, gradient)
            .unwrap();
        self.descend();
    }

    fn sgt(&mut self) {
        let Self {
            network,
            pass,
            masked_pass,
            x,
            dx,
            labels,
            other,
            dlogits,
            masked_dlogits,
            ..
        } = self;
        let classes = network.classes();
        let batch = labels.len();
        let mode = Mode::Training { seed: self.step };
        let logits = network.forward(x, Mode::Evaluation, pass).unwrap();
        score_gradient(Score::TrueLogit, logits, labels, dlogits).unwrap();
        network.backward(pass, dlogits, Some(dx), None).unwrap();

        let masking = Masking::reference(self.layout);
        let len = x.len() / batch;
        let step = self.step;
        other
            .par_chunks_mut(len)
            .zip(x.par_chunks(len))
            .zip(dx.par_chunks(len))
            .enumerate()
            .for_each_init(
                || vec![0; mask_sample_len(&masking)],
                |scratch, (sample, ((out, x), dx))| {
                    let mut random = Pcg32::new(step, sample as u64);
                    mask_sample(&masking, dx, x, None, &mut random, scratch, out).unwrap();
                },
            );

        let clean = network.forward_again(mode, pass).unwrap();
        let masked_mode = Mode::Training { seed: !self.step };
        let masked = network.forward(other, masked_mode, masked_pass).unwrap();
        dlogits.fill(0.0);
        masked_dlogits.fill(0.0);
        for (sample, &label) in labels.iter().enumerate() {
            let row = sample * classes..(sample + 1) * classes;
            let logits = SgtRows {
                clean: &clean[row.clone()],
                masked: &masked[row.clone()],
            };
            let mut gradients = SgtRows {
                clean: &mut dlogits[row.clone()],
                masked: &mut masked_dlogits[row],
            };
            sgt_objective(&logits, label, 1.0, 1.0 / batch as f32, &mut gradients).unwrap();
        }
        self.clear_gradient();
        let Self {
            network,
            pass,
            masked_pass,
            dlogits,
            masked_dlogits,
            gradient,
            ..
        } = self;
        network
            .backward(pass, dlogits, None, Some(gradient))
            .unwrap();
        network
            .backward(masked_pass, masked_dlogits, None, Some(gradient))
            .unwrap();
        self.descend();
    }

    fn pgd(&mut self) {
        let threat = Threat {
            ball: Ball {
                norm: Norm::Linf,
                epsilon: EPSILON,
            },
            bounds: Bounds {
                low: 0.0,
                high: 1.0,
            },
            goal: Goal::Untargeted,
        };
        let len = self.x.len() / self.labels.len();
        self.other.copy_from_slice(&self.x);
        for _ in 0..PGD_STEPS {
            let (network, pass) = (&self.network, &mut self.pass);
            let (other, labels, dx) = (&self.other, &self.labels, &mut self.dx);
            input_gradient(network, other, labels, Score::Loss, pass, dx).unwrap();
            self.other
                .par_chunks_mut(len)
                .zip(self.x.par_chunks(len))
                .zip(self.dx.par_chunks(len))
                .for_each(|((other, x), dx)| pgd_step(&threat, x, dx, ALPHA, other).unwrap());
        }
    }

    fn clear_gradient(&mut self) {
        self.gradient
            .par_chunks_mut(PIECE)
            .for_each(|gradient| gradient.fill(0.0));
    }

    /// One step of stochastic gradient descent.
    fn descend(&mut self) {
        let values = self.network.parameters_mut().values_mut();
        values
            .par_chunks_mut(PIECE)
            .zip(self.gradient.par_chunks(PIECE))
            .for_each(|(values, gradient)| {
                for (value, gradient) in values.iter_mut().zip(gradient) {
                    *value -= LEARNING_RATE * gradient;
                }
            });
    }
}
