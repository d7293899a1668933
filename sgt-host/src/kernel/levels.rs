//! Runs a test on every instruction set that this machine has.

/// Runs `$body` with `$level` bound to each of them: plain Rust, AVX2, AVX-512.
macro_rules! for_each_level {
    (|$level:ident| $body:expr) => {{
        {
            let $level = pulp::Scalar::new();
            $body
        }
        #[cfg(target_arch = "x86_64")]
        if let Some($level) = pulp::x86::V3::try_new() {
            $body
        }
        #[cfg(target_arch = "x86_64")]
        if let Some($level) = pulp::x86::V4::try_new() {
            $body
        }
    }};
}

pub(crate) use for_each_level;

/// Reproducible values in [-1, 1).
pub(crate) fn values(len: usize, seed: u64) -> Vec<f32> {
    use sgt_core::Random;
    let mut random = sgt_core::Pcg32::new(seed, 0);
    (0..len).map(|_| 2.0 * random.unit() - 1.0).collect()
}
