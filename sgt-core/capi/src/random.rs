//! The generator of random numbers.

use crate::memory::{structure_mut, values_mut};
use crate::status::{SgtStatus, status};
use sgt_core::{Pcg32, Random};

/// PCG32, not cryptographic. Begun by `sgt_random_init`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SgtRandom {
    /// Its state.
    pub state: u64,
    /// Its stream.
    pub increment: u64,
}

impl SgtRandom {
    /// Runs `body` with the core's generator and keeps where it got to.
    pub(crate) fn with<T>(&mut self, body: impl FnOnce(&mut Pcg32) -> T) -> T {
        let mut generator = Pcg32::from_state(self.state, self.increment);
        let result = body(&mut generator);
        (self.state, self.increment) = generator.state();
        result
    }
}

/// Begins the stream `stream` of the generator with `seed`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_random_init(
    random: *mut SgtRandom,
    seed: u64,
    stream: u64,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let random = unsafe { structure_mut(random) }?;
        (random.state, random.increment) = Pcg32::new(seed, stream).state();
        Ok(())
    })
}

/// Writes `len` numbers of the standard normal distribution.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgt_random_normal(
    random: *mut SgtRandom,
    out: *mut f32,
    len: usize,
) -> SgtStatus {
    status(|| {
        // SAFETY: the crate's contract.
        let (random, out) = unsafe { (structure_mut(random)?, values_mut(out, len)?) };
        random.with(|generator| out.fill_with(|| generator.standard_normal()));
        Ok(())
    })
}
