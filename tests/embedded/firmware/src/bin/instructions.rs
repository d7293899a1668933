//! Counts the instructions of the masking call, a feature: signed ranking, half of the features,
//! uniform policy. For QEMU with `-icount shift=0`, where an instruction takes one nanosecond and
//! `SysTick`, which counts 25 MHz on the board `mps2-an386`, therefore ticks every 40.
#![no_std]
#![no_main]

use core::hint::black_box;
use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use sgt_core::{Layout, Masking, Pcg32, Random, mask_sample, mask_sample_small};

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
    sgt_firmware::exit(success);
}
