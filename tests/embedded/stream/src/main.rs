//! A sensor's stream on a board: predict, explain, and learn from a correction.
#![no_std]
#![no_main]

mod stream;

use core::panic::PanicInfo;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use network::golden::GOLDEN;
use network::sgt_core::network::{Learner, Sgd, SgtScratch};
use network::sgt_core::{Error, Pcg32, softmax};
use network::{
    CHANNELS, CLASS_NAMES, CLASSES, INDICES_LEN, INPUT_LEN, LAST_LAYER_LEN, PARAMETER_LEN, SGT_LEN,
    STEPS, WEIGHTS, infer, saliency, sgt_step, standardize,
};
use stream::Stream;

/// A window every half a window.
const HOP: usize = STEPS / 2;
/// Steps of training for a correction.
const REPEATS: usize = 10;
const RATE: f32 = 0.05;

/// Put your sensor here: this one repeats the exported windows, each a few times.
fn read_sensor(time: usize) -> [f32; CHANNELS] {
    let window = &GOLDEN[time / (3 * STEPS) % GOLDEN.len()].window;
    core::array::from_fn(|channel| window[time % STEPS * CHANNELS + channel])
}

/// What somebody who watches says: here that every window is of the first class.
const TRUTH: usize = 0;

fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}

fn run() -> Result<(), Error> {
    let mut stream = Stream::new(HOP);
    let mut window = [0.0; INPUT_LEN];
    // All memory there is: the last layer is trained, the others stay in flash.
    let (frozen, last) = WEIGHTS.split_at(PARAMETER_LEN - LAST_LAYER_LEN);
    let mut trained = [0.0; LAST_LAYER_LEN];
    trained.copy_from_slice(last);
    let (mut gradient, mut scratch) = ([0.0; LAST_LAYER_LEN], [0.0; SGT_LEN]);
    let mut indices = [0_u16; INDICES_LEN];
    let mut rng = Pcg32::new(1, 0);
    let mut learner = Learner {
        frozen,
        trained: &mut trained,
        gradient: &mut gradient,
        optimizer: Sgd::new(RATE),
        state: &mut [],
    };

    for time in 0..6 * STEPS {
        if !stream.push(read_sensor(time), &mut window) {
            continue;
        }
        standardize(&mut window)?;
        let (mut logits, mut probabilities) = ([0.0; CLASSES], [0.0; CLASSES]);
        infer(learner.parameters(), &window, &mut scratch, &mut logits)?;
        softmax(&logits, &mut probabilities)?;
        let class = largest(&logits);

        let mut map = [0.0; INPUT_LEN];
        saliency(
            learner.parameters(),
            &window,
            class,
            &mut scratch,
            &mut logits,
            &mut map,
        )?;
        let most = largest(&map.map(f32::abs));
        hprintln!(
            "step {}: {}, {} %, most by channel {}, {} steps ago",
            time,
            CLASS_NAMES[class],
            (100.0 * probabilities[class]) as u32,
            most % CHANNELS,
            STEPS - 1 - most / CHANNELS
        );

        if class != TRUTH {
            for _ in 0..REPEATS {
                let mut scratch = SgtScratch {
                    values: &mut scratch,
                    indices: &mut indices,
                };
                sgt_step(&mut learner, &window, TRUTH, &mut rng, &mut scratch)?;
            }
            hprintln!("    corrected: {}", CLASS_NAMES[TRUTH]);
        }
    }
    Ok(())
}

#[entry]
fn main() -> ! {
    let done = run();
    if let Err(error) = done {
        hprintln!("{}", error);
    }
    loop {
        debug::exit(match done {
            Ok(()) => debug::EXIT_SUCCESS,
            Err(_) => debug::EXIT_FAILURE,
        });
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
