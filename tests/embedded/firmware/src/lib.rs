//! What the programs share: the end of a run and the panic handler.
//!
//! | program | what it does |
//! |---|---|
//! | `parity` | runs the cases and compares the bits with the host's |
//! | `stack` | measures the stack of every entry point |
//! | `instructions` | counts the instructions of the masking call and of networks |
//! | `demo` | a trained network that explains itself and learns when its sensor is turned |
#![no_std]

use core::panic::PanicInfo;
use cortex_m_semihosting::{debug, hprintln};

/// Ends the emulation: exit code 0 for `true`, 1 for `false`.
pub fn exit(success: bool) -> ! {
    loop {
        debug::exit(if success {
            debug::EXIT_SUCCESS
        } else {
            debug::EXIT_FAILURE
        });
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(false)
}
