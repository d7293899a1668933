//! The C interface of `sgt-core`: a static library; the header is `include/sgt.h`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`status`] | what a call says |
//! | `memory` | pointers of a C program as slices: the one place that trusts them |
//! | [`random`] | the generator |
//! | [`masking`] | rank, select, replace |
//! | [`loss`] | softmax, losses and objectives with their gradients |
//! | [`attack`] | attack steps |
//! | [`network`] | inference, saliency and training of a table of layers |
//!
//! Functions compute what the core's functions of the same name compute, to the bit.
//!
//! # Safety
//! All functions have one contract. A pointer with a count points to as many values that live, and
//! are not changed by others, during the call; a pointer to a structure to one; none that is written
//! overlaps another. What can be checked is: null and misaligned pointers are refused.
#![no_std]

pub mod attack;
pub mod loss;
pub mod masking;
mod memory;
pub mod network;
pub mod random;
pub mod status;

use core::panic::PanicInfo;

unsafe extern "C" {
    /// Defined nowhere, on purpose.
    fn sgt_core_can_panic() -> !;
}

/// No function can panic: a program that links one that could does not link.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: never runs, because no program that contains this call links.
    unsafe { sgt_core_can_panic() }
}
