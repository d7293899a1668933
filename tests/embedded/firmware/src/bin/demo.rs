//! The demo on a board. What it prints is what `sgt-demo` prints on a host, but for lines that begin
//! with `board`: the memory and, on the board `mps2-an386` under `-icount shift=0`, the instructions
//! of each use.
#![no_std]
#![no_main]

use core::fmt::Arguments;
use core::hint::black_box;
use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use sgt_core::network::Parameters;
use sgt_core::{Error, Pcg32};
use sgt_demo::adapting::{Memory, Method, run};
use sgt_demo::network::{
    CLASSES, INFERENCE_LEN, INPUT_LEN, LAST_LAYER_LEN, NETWORK, QUANTIZED_LEN, SALIENCY_LEN,
    WEIGHTS, infer, infer_quantized, saliency,
};
use sgt_demo::windows::{TEST, Worn, read};
use sgt_demo::{ROUNDS, explaining};

/// All layers, or where memory is short the last one.
#[cfg(not(small_board))]
const TRAINED: usize = sgt_demo::network::PARAMETER_LEN;
#[cfg(small_board)]
const TRAINED: usize = LAST_LAYER_LEN;

const FULL: u32 = 0x00ff_ffff;

unsafe extern "C" {
    /// Where static variables end: the linker script's.
    static mut __sheap: u32;
}

const PAINT: u32 = 0xc5a5_5ac5;
/// Kept clear below the stack pointer of the function that paints.
const MARGIN: usize = 256;
const RAM: usize = 0x2000_0000;

/// The free memory below the stack, from its low end.
fn free() -> (*mut u32, usize) {
    let low = &raw mut __sheap;
    let high = cortex_m::register::msp::read() as usize - MARGIN;
    (low, (high - low as usize) / size_of::<u32>())
}

/// Bytes of stack that `work` reaches down to.
#[inline(never)]
fn stack_of(work: &mut dyn FnMut()) -> usize {
    let (low, words) = free();
    for place in 0..words {
        // SAFETY: between the static variables and the stack nothing lives.
        unsafe { low.add(place).write_volatile(PAINT) };
    }
    work();
    let mut clean = 0;
    // SAFETY: as above.
    while clean < words && unsafe { low.add(clean).read_volatile() } == PAINT {
        clean += 1;
    }
    (words - clean) * size_of::<u32>() + MARGIN
}

/// Counts instructions by the time that they take, where the emulator gives each the same.
struct Counter {
    timer: SYST,
    /// Instructions of a loop and the ticks that it took.
    known: [u64; 2],
}

impl Counter {
    fn new(mut timer: SYST) -> Self {
        const TURNS: u32 = 200_000;
        const INSTRUCTIONS_A_TURN: u64 = 2;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(FULL);
        timer.clear_current();
        timer.enable_counter();
        let ticks = ticks(&mut timer, &mut || {
            // SAFETY: counts a register down.
            unsafe {
                core::arch::asm!("2:", "subs {0}, {0}, #1", "bne 2b", inout(reg) TURNS => _);
            }
        });
        let instructions = u64::from(TURNS) * INSTRUCTIONS_A_TURN;
        Self {
            timer,
            known: [instructions, ticks.max(1)],
        }
    }

    fn instructions_of(&mut self, work: &mut dyn FnMut()) -> u64 {
        let [instructions, of_ticks] = self.known;
        ticks(&mut self.timer, work) * instructions / of_ticks
    }
}

fn ticks(timer: &mut SYST, work: &mut dyn FnMut()) -> u64 {
    timer.clear_current();
    let start = SYST::get_current();
    work();
    u64::from(start.wrapping_sub(SYST::get_current()) & FULL)
}

#[inline(never)]
fn inference() -> Result<(), Error> {
    let mut input = [0.0; INPUT_LEN];
    let mut scratch = [0.0; INFERENCE_LEN];
    let mut logits = [0.0; CLASSES];
    read(&TEST[0], Worn::AsTrained, &mut input);
    let weights = Parameters::all(&WEIGHTS);
    infer(weights, &input, &mut scratch, &mut logits)?;
    black_box(&logits);
    Ok(())
}

#[inline(never)]
fn integers() -> Result<(), Error> {
    let mut input = [0.0; INPUT_LEN];
    let mut scratch = [0; QUANTIZED_LEN];
    let mut logits = [0.0; CLASSES];
    read(&TEST[0], Worn::AsTrained, &mut input);
    infer_quantized(&input, &mut scratch, &mut logits)?;
    black_box(&logits);
    Ok(())
}

#[inline(never)]
fn explanation() -> Result<(), Error> {
    let mut input = [0.0; INPUT_LEN];
    let mut scratch = [0.0; SALIENCY_LEN];
    let mut logits = [0.0; CLASSES];
    let mut map = [0.0; INPUT_LEN];
    read(&TEST[0], Worn::AsTrained, &mut input);
    let weights = Parameters::all(&WEIGHTS);
    saliency(weights, &input, 0, &mut scratch, &mut logits, &mut map)?;
    black_box(&map);
    Ok(())
}

#[inline(never)]
fn step<const TRAINED: usize>(method: Method) -> Result<(), Error> {
    let mut memory = Memory::<TRAINED>::EMPTY;
    memory.reset();
    black_box(memory.step(method, 0, &mut Pcg32::new(1, 0))?);
    Ok(())
}

/// A use of the network on one window, in memory of its own.
type Use = fn() -> Result<(), Error>;

const USES: [(&str, Use); 6] = [
    ("inference", inference),
    ("inference in integers", integers),
    ("saliency", explanation),
    ("plain step", || step::<TRAINED>(Method::Plain)),
    ("SGT step", || step::<TRAINED>(Method::Guided)),
    ("SGT step, last layer", || {
        step::<LAST_LAYER_LEN>(Method::Guided)
    }),
];

/// What each use costs.
#[inline(never)]
fn measure(counter: &mut Counter) -> Result<(), Error> {
    let (low, _) = free();
    hprintln!(
        "board: {} bytes of static variables, {} products an inference, {} parameters",
        low as usize - RAM,
        NETWORK.products(),
        WEIGHTS.len()
    );
    for (name, work) in USES {
        let mut done = Ok(());
        let stack = stack_of(&mut || done = work());
        done?;
        let instructions = counter.instructions_of(&mut || done = work());
        done?;
        hprintln!(
            "board: {}: {} bytes of RAM, {} instructions",
            name,
            stack,
            instructions
        );
    }
    Ok(())
}

#[inline(never)]
fn adapt(print: &mut dyn FnMut(Arguments<'_>)) -> Result<(), Error> {
    let mut memory = Memory::<TRAINED>::EMPTY;
    run(&mut memory, Method::Plain, ROUNDS, print)?;
    run(&mut memory, Method::Guided, ROUNDS, print)
}

#[entry]
fn main() -> ! {
    let Some(peripherals) = Peripherals::take() else {
        sgt_firmware::exit(false)
    };
    let mut counter = Counter::new(peripherals.SYST);
    let mut print = |line: Arguments<'_>| hprintln!("{}", line);
    let done = measure(&mut counter)
        .and_then(|()| explaining::run(&mut print))
        .and_then(|()| adapt(&mut print));
    if let Err(error) = done {
        hprintln!("{}", error);
    }
    sgt_firmware::exit(done.is_ok());
}
