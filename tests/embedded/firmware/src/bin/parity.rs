//! Runs every case and compares its bits with those that the host gave.
#![no_std]
#![no_main]

#[path = "../../../cases/mod.rs"]
mod cases;

use cases::{CASES, EXPECTED};
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;

#[entry]
fn main() -> ! {
    let mut same = 0;
    for case in CASES {
        let expected = case.expected().map(altered);
        match case.hash() {
            Ok(hash) if Some(hash) == expected => same += 1,
            Ok(hash) => hprintln!(
                "{}: {:016x}, expected {:016x}",
                case.name,
                hash,
                expected.unwrap_or(0)
            ),
            Err(error) => hprintln!("{}: {}", case.name, error),
        }
    }
    hprintln!(
        "parity: {} of {} cases have the host's bits",
        same,
        CASES.len()
    );
    sgt_firmware::exit(same == CASES.len() && same == EXPECTED.lines().count());
}

/// Wrong on purpose in the check's own test.
fn altered(hash: u64) -> u64 {
    hash ^ u64::from(cfg!(feature = "self-test-parity"))
}
