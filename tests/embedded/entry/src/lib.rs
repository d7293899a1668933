//! A static library with every entry point of `sgt-core` under its own name.
//!
//! Linking one entry point with unused sections dropped tells its flash and static RAM. The panic
//! handler calls a function that exists nowhere: the link fails when a panic can be reached.
#![no_std]

pub mod entries;

unsafe extern "C" {
    /// Defined nowhere, on purpose.
    fn sgt_core_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never runs, because no program that contains this call links.
    unsafe { sgt_core_can_panic() }
}

/// The check's own test: an indexing that can panic.
#[cfg(feature = "self-test-panic")]
#[unsafe(no_mangle)]
pub fn self_test_panic(values: &[f32], index: usize) -> f32 {
    values[index]
}
