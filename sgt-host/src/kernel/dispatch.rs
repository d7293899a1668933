//! Vector code on the instruction set in use.

use crate::instructions;
use pulp::{Arch, WithSimd};

/// Runs `work` on the instruction set in use.
pub(crate) fn dispatch<W: WithSimd>(work: W) -> W::Output {
    in_use().dispatch(work)
}

#[cfg(not(test))]
fn in_use() -> Arch {
    instructions::current()
}

#[cfg(test)]
thread_local! {
    /// What this thread runs on instead of the widest vectors.
    static CHOSEN: std::cell::Cell<Option<Arch>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
fn in_use() -> Arch {
    CHOSEN.get().unwrap_or_else(instructions::current)
}

/// Runs a test on every instruction set that this machine has, in a pool of two threads whose
/// [`dispatch`] uses it.
#[cfg(test)]
pub(crate) fn on_every_instruction_set(test: impl Fn(Arch) + Sync) {
    for arch in super::instructions() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
        let pool = pool.start_handler(move |_| CHOSEN.set(Some(arch)));
        pool.build().expect("a pool").install(|| test(arch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Simd;
    use rayon::prelude::*;

    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    #[test]
    fn a_test_runs_on_the_instruction_set_it_is_told() {
        on_every_instruction_set(|arch| {
            let expected = arch.dispatch(Lanes);
            let found: Vec<usize> = (0..8).into_par_iter().map(|_| dispatch(Lanes)).collect();
            assert_eq!(found, [expected; 8], "{arch:?}");
        });
        assert_eq!(dispatch(Lanes), Arch::new().dispatch(Lanes));
    }
}
