//! Learning on the board: the sensor is turned, a few labelled windows are there.

use crate::explaining::right;
use crate::windows::{TEST, TRAINING, Worn, read};
use crate::{Digest, Print, thousandths};
use network::sgt_core::network::{Labelled, Learner, Parameters, Sgd, SgtScratch};
use network::sgt_core::{Error, Pcg32};
use network::{INDICES_LEN, INPUT_LEN, NETWORK, PARAMETER_LEN, SGT_LEN, WEIGHTS, sgt_step};

/// How a board learns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// On the cross-entropy alone.
    Plain,
    /// Saliency-guided.
    Guided,
}

/// Everything that learning needs beside the weights in flash; `TRAINED` parameters of the last layers
/// are trained.
pub struct Memory<const TRAINED: usize> {
    trained: [f32; TRAINED],
    gradient: [f32; TRAINED],
    scratch: [f32; SGT_LEN],
    indices: [u16; INDICES_LEN],
    input: [f32; INPUT_LEN],
}

/// Windows are taken in steps of this many, so that classes take turns.
const STRIDE: usize = 7;
const RATE: f32 = 0.05;
const SEED: u64 = 2021;
/// Steps behind which the parameters are compared.
const COMPARED: usize = 20;

impl<const TRAINED: usize> Memory<TRAINED> {
    const FROZEN: usize = PARAMETER_LEN - TRAINED;

    /// Nothing yet.
    pub const EMPTY: Self = Self {
        trained: [0.0; TRAINED],
        gradient: [0.0; TRAINED],
        scratch: [0.0; SGT_LEN],
        indices: [0; INDICES_LEN],
        input: [0.0; INPUT_LEN],
    };

    /// The weights as they were exported.
    pub fn reset(&mut self) {
        self.trained.copy_from_slice(&WEIGHTS[Self::FROZEN..]);
    }

    /// One step on the training window of that number, worn turned; gives the loss.
    ///
    /// # Errors
    /// As [`sgt_step`].
    pub fn step(&mut self, method: Method, number: usize, rng: &mut Pcg32) -> Result<f32, Error> {
        let window = &TRAINING[number * STRIDE % TRAINING.len()];
        read(window, Worn::Turned, &mut self.input);
        let mut learner = Learner {
            frozen: &WEIGHTS[..Self::FROZEN],
            trained: &mut self.trained,
            gradient: &mut self.gradient,
            optimizer: Sgd::new(RATE),
            state: &mut [],
        };
        let losses = match method {
            Method::Plain => {
                let example = Labelled {
                    input: &self.input,
                    label: window.label,
                };
                NETWORK.standard_step(&mut learner, example, &mut self.scratch)?
            }
            Method::Guided => {
                let mut scratch = SgtScratch {
                    values: &mut self.scratch,
                    indices: &mut self.indices,
                };
                sgt_step(&mut learner, &self.input, window.label, rng, &mut scratch)?
            }
        };
        Ok(losses.clean)
    }
}

/// Learns from the exported weights for that many rounds of the training windows: a line a round with the mean cross-entropy,
/// the bits of the parameters on the way, the accuracy behind it.
///
/// # Errors
/// As [`Memory::step`].
pub fn run<const TRAINED: usize>(
    memory: &mut Memory<TRAINED>,
    method: Method,
    rounds: usize,
    print: Print<'_>,
) -> Result<(), Error> {
    let name = match method {
        Method::Plain => "plain",
        Method::Guided => "saliency-guided",
    };
    let mut rng = Pcg32::new(SEED, 0);
    memory.reset();
    for round in 0..rounds {
        let mut sum = 0.0;
        for number in 0..TRAINING.len() {
            sum += memory.step(method, number, &mut rng)?;
            if round == 0 && number + 1 == COMPARED {
                let mut digest = Digest::default();
                digest.add(&memory.trained);
                print(format_args!(
                    "{name}: parameters after {COMPARED} steps {:016x}",
                    digest.0
                ));
            }
        }
        let mean = thousandths(sum / TRAINING.len() as f32);
        print(format_args!(
            "{name}: round {} cross-entropy 0.001 × {mean}",
            round + 1
        ));
    }
    let parameters = Parameters {
        frozen: &WEIGHTS[..Memory::<TRAINED>::FROZEN],
        trained: &memory.trained,
    };
    let (scratch, input) = (&mut memory.scratch, &mut memory.input);
    let after = right(parameters, Worn::Turned, scratch, input)?;
    let mut digest = Digest::default();
    digest.add(&memory.trained);
    print(format_args!(
        "{name}: {after} of {} right with {TRAINED} parameters trained, {:016x}",
        TEST.len(),
        digest.0
    ));
    Ok(())
}
