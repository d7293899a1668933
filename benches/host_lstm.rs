//! Times training steps of an LSTM of 64 units with a linear layer on its last state: batch 64,
//! 128 steps of 9 values, 6 classes, SGD.
//!
//! `cargo bench --bench host_lstm` prints the median milliseconds of every case as JSON.
//! With `-- CASE THREADS` (CASE = forward | saliency | standard | sgt), every line read is
//! answered by the milliseconds of one repetition, or of `memory` by the peak resident MiB: the
//! protocol of `benches/peers/lstm_speed.py`, so that a driver can alternate between the two.

use rayon::prelude::*;
use sgt_core::{
    Layout, Masking, Pcg32, Random, SgtRows, cross_entropy_grad, mask_sample, sgt_objective,
};
use sgt_host::kernel::lstm::{
    self, InputGradient, Keep, LstmCache, LstmGradients, LstmParameters, LstmShape,
};
use std::io::BufRead;
use std::time::Instant;

const BATCH: usize = 64;
const SHAPE: LstmShape = LstmShape::new(128, 9, 64);
const CLASSES: usize = 6;
const LEARNING_RATE: f32 = 0.01;
const CASES: [&str; 4] = ["forward", "saliency", "standard", "sgt"];
/// Repetitions of a case when no driver asks for them, and those before that are not counted.
const REPETITIONS: usize = 101;
const WARM_UP: usize = 10;
const THREADS: usize = 2;

/// Lengths of the parameters, in the order of [`LstmParameters`], then the linear layer's.
const LENGTHS: [usize; 6] = [
    4 * SHAPE.hidden * SHAPE.input,
    4 * SHAPE.hidden * SHAPE.hidden,
    4 * SHAPE.hidden,
    4 * SHAPE.hidden,
    CLASSES * SHAPE.hidden,
    CLASSES,
];

fn split(values: &[f32]) -> [&[f32]; 6] {
    let mut rest = values;
    LENGTHS.map(|len| {
        let (part, tail) = rest.split_at(len);
        rest = tail;
        part
    })
}

fn split_mut(values: &mut [f32]) -> [&mut [f32]; 6] {
    let mut rest = values;
    LENGTHS.map(|len| {
        let (part, tail) = std::mem::take(&mut rest).split_at_mut(len);
        rest = tail;
        part
    })
}

#[derive(Default)]
struct Pass {
    cache: LstmCache,
    states: Vec<f32>,
    logits: Vec<f32>,
    d_states: Vec<f32>,
}

struct Step {
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    x: Vec<f32>,
    labels: Vec<usize>,
    clean: Pass,
    masked: Pass,
    dx: Vec<f32>,
    masked_x: Vec<f32>,
    repetitions: u64,
}

impl Pass {
    fn forward(&mut self, parameters: &[f32], x: &[f32], keep: Keep) {
        let [weight_ih, weight_hh, bias_ih, bias_hh, weight, bias] = split(parameters);
        let weights = LstmParameters {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        };
        let (out, cache) = (&mut self.states, &mut self.cache);
        out.resize(BATCH * SHAPE.output_len(), 0.0);
        lstm::forward(&SHAPE, weights, x, None, keep, out, cache).expect("shapes fit");
        self.logits.clear();
        for state in self.states.chunks_exact(SHAPE.hidden) {
            for (row, bias) in weight.chunks_exact(SHAPE.hidden).zip(bias) {
                let products = row.iter().zip(state).map(|(w, s)| w * s);
                self.logits.push(bias + products.sum::<f32>());
            }
        }
    }

    fn backward(
        &mut self,
        parameters: &[f32],
        dlogits: &[f32],
        dx: InputGradient,
        gradient: Option<&mut [f32]>,
    ) {
        let [weight_ih, weight_hh, bias_ih, bias_hh, weight, _] = split(parameters);
        let weights = LstmParameters {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        };
        self.d_states.clear();
        self.d_states.resize(self.states.len(), 0.0);
        let hidden = SHAPE.hidden;
        for (d_state, dlogits) in self
            .d_states
            .chunks_exact_mut(hidden)
            .zip(dlogits.chunks_exact(CLASSES))
        {
            for (row, dlogit) in weight.chunks_exact(hidden).zip(dlogits) {
                for (sum, weight) in d_state.iter_mut().zip(row) {
                    *sum += dlogit * weight;
                }
            }
        }
        let gradient = gradient.map(|gradient| {
            let [weight_ih, weight_hh, bias_ih, bias_hh, weight, bias] = split_mut(gradient);
            for (state, dlogits) in self
                .states
                .chunks_exact(hidden)
                .zip(dlogits.chunks_exact(CLASSES))
            {
                for ((row, bias), dlogit) in
                    weight.chunks_exact_mut(hidden).zip(&mut *bias).zip(dlogits)
                {
                    *bias += dlogit;
                    for (sum, value) in row.iter_mut().zip(state) {
                        *sum += dlogit * value;
                    }
                }
            }
            LstmGradients {
                weight_ih,
                weight_hh,
                bias_ih,
                bias_hh,
            }
        });
        lstm::backward(weights, &mut self.cache, &self.d_states, dx, gradient).expect("shapes fit");
    }
}

impl Step {
    fn new() -> Self {
        let mut rng = Pcg32::new(0, 0);
        let mut uniform = |len: usize, scale: f32| -> Vec<f32> {
            let place = |_| (rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * scale;
            (0..len).map(place).collect()
        };
        let scale = 1.0 / (SHAPE.hidden as f32).sqrt();
        let parameters = uniform(LENGTHS.iter().sum(), scale);
        let x = uniform(BATCH * SHAPE.steps * SHAPE.input, 1.0);
        Self {
            gradient: vec![0.0; parameters.len()],
            parameters,
            dx: vec![0.0; x.len()],
            masked_x: vec![0.0; x.len()],
            x,
            labels: (0..BATCH).map(|sample| sample % CLASSES).collect(),
            clean: Pass::default(),
            masked: Pass::default(),
            repetitions: 0,
        }
    }

    fn saliency(&mut self, keep: Keep) {
        self.clean.forward(&self.parameters, &self.x, keep);
        let mut one_hot = vec![0.0; self.clean.logits.len()];
        for (row, &label) in one_hot.chunks_exact_mut(CLASSES).zip(&self.labels) {
            row[label] = 1.0;
        }
        let dx = InputGradient::Overwrite(&mut self.dx);
        self.clean.backward(&self.parameters, &one_hot, dx, None);
    }

    fn update(&mut self) {
        for (parameter, gradient) in self.parameters.iter_mut().zip(&self.gradient) {
            *parameter -= LEARNING_RATE * gradient;
        }
    }

    fn standard(&mut self) {
        self.gradient.fill(0.0);
        self.clean
            .forward(&self.parameters, &self.x, Keep::ForWeights);
        let mut dlogits = vec![0.0; self.clean.logits.len()];
        let rows = self
            .clean
            .logits
            .chunks_exact(CLASSES)
            .zip(dlogits.chunks_exact_mut(CLASSES));
        for ((logits, dlogits), &label) in rows.zip(&self.labels) {
            cross_entropy_grad(logits, label, 1.0 / BATCH as f32, dlogits).expect("finite");
        }
        let gradient = Some(self.gradient.as_mut_slice());
        self.clean
            .backward(&self.parameters, &dlogits, InputGradient::Skip, gradient);
        self.update();
    }

    fn sgt(&mut self) {
        self.gradient.fill(0.0);
        self.saliency(Keep::ForWeights);
        let sample = SHAPE.steps * SHAPE.input;
        let layout = Layout::flat(sample).expect("a sample has values");
        let masking = Masking::reference(layout);
        let seed = self.repetitions;
        let samples = self
            .masked_x
            .par_chunks_mut(sample)
            .zip(self.x.par_chunks(sample));
        let samples = samples.zip(self.dx.par_chunks(sample)).enumerate();
        samples.for_each_init(
            || vec![0; sample],
            |scratch, (index, ((masked, x), dx))| {
                let mut rng = Pcg32::new(seed, index as u64);
                mask_sample(&masking, dx, x, None, &mut rng, scratch, masked).expect("finite");
            },
        );
        self.masked
            .forward(&self.parameters, &self.masked_x, Keep::ForWeights);
        let mut d_clean = vec![0.0; self.clean.logits.len()];
        let mut d_masked = vec![0.0; self.clean.logits.len()];
        for (sample, &label) in self.labels.iter().enumerate() {
            let place = sample * CLASSES..(sample + 1) * CLASSES;
            let logits = SgtRows {
                clean: &self.clean.logits[place.clone()],
                masked: &self.masked.logits[place.clone()],
            };
            let mut gradients = SgtRows {
                clean: &mut d_clean[place.clone()],
                masked: &mut d_masked[place],
            };
            let scale = 1.0 / SHAPE.batch as f32;
            sgt_objective(&logits, label, 1.0, scale, &mut gradients).expect("finite");
        }
        for (pass, dlogits) in [(&mut self.clean, &d_clean), (&mut self.masked, &d_masked)] {
            let gradient = Some(self.gradient.as_mut_slice());
            pass.backward(&self.parameters, dlogits, InputGradient::Skip, gradient);
        }
        self.update();
    }

    /// Milliseconds of one repetition.
    fn time(&mut self, case: &str) -> f64 {
        self.repetitions += 1;
        let start = Instant::now();
        match case {
            "forward" => self
                .clean
                .forward(&self.parameters, &self.x, Keep::ForInput),
            "saliency" => self.saliency(Keep::ForInput),
            "standard" => self.standard(),
            "sgt" => self.sgt(),
            _ => panic!("{case}: found an unknown case, expected one of {CASES:?}"),
        }
        start.elapsed().as_secs_f64() * 1e3
    }
}

/// Peak resident memory in MiB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) / 1024.0
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let threads = arguments
        .get(1)
        .map_or(THREADS, |n| n.parse().expect("THREADS is a number"));
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .expect("the pool is built once");
    let mut step = Step::new();
    if let Some(case) = arguments.first() {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if line.trim() == "memory" {
                println!("{}", peak_memory());
            } else {
                println!("{}", step.time(case));
            }
        }
        return;
    }
    let mut medians = serde_json::Map::new();
    for case in CASES {
        for _ in 0..WARM_UP {
            step.time(case);
        }
        let mut times: Vec<f64> = (0..REPETITIONS).map(|_| step.time(case)).collect();
        times.sort_by(f64::total_cmp);
        medians.insert(case.into(), times[REPETITIONS / 2].into());
    }
    medians.insert("threads".into(), threads.into());
    println!("{}", serde_json::Value::from(medians));
}
