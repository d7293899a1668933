//! Products of rows with rows: `out[n, o] = Σ_i x[n, i] · weight[o, i]` over a range of inputs.
//!
//! Both factors are read as they lie, vectors along the inputs; the sum over the vector's lanes
//! comes last.

#![allow(clippy::inline_always)] // Kernels must be inlined into the function that enables AVX.

use super::dispatch::dispatch;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// One product; see the module.
pub(crate) struct Dot<'a> {
    /// Rows of `stride` values.
    pub(crate) x: &'a [f32],
    /// Rows of `stride` values.
    pub(crate) weight: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) inputs: Range<usize>,
    /// `[rows of x, rows of weight]`, overwritten.
    pub(crate) out: &'a mut [f32],
}

impl Dot<'_> {
    /// Runs on the widest vectors this machine has.
    pub(crate) fn run(self) {
        dispatch(self);
    }
}

impl WithSimd for Dot<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let samples = self.x.len() / self.stride;
        let outputs = self.weight.len() / self.stride;
        assert!(self.inputs.end <= self.stride, "dot: inputs");
        assert!(self.out.len() == samples * outputs, "dot: out");
        let mut sample = 0;
        macro_rules! samples {
            ($rows:literal) => {
                while samples - sample >= $rows {
                    let mut output = 0;
                    while outputs - output >= 4 {
                        // SAFETY: `$rows` rows of `x` and four of `weight` follow.
                        unsafe { self.tile::<S, $rows, 4>(simd, sample, output, outputs) };
                        output += 4;
                    }
                    while outputs - output >= 1 {
                        // SAFETY: `$rows` rows of `x` and one of `weight` follow.
                        unsafe { self.tile::<S, $rows, 1>(simd, sample, output, outputs) };
                        output += 1;
                    }
                    sample += $rows;
                }
            };
        }
        if S::REGISTER_COUNT >= 32 {
            samples!(6);
        }
        samples!(3);
        samples!(1);
    }
}

impl Dot<'_> {
    /// `M` samples times `N` outputs.
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        sample: usize,
        output: usize,
        outputs: usize,
    ) {
        let lanes = S::F32_LANES;
        let len = self.inputs.len();
        let x = &self.x[sample * self.stride..][..M * self.stride];
        let weight = &self.weight[output * self.stride..][..N * self.stride];
        let row = |matrix: &[f32], row: usize| {
            let start = row * self.stride + self.inputs.start;
            // SAFETY: `matrix` has the row, and a row has the inputs: checked on entry.
            unsafe { matrix.as_ptr().add(start) }
        };
        let xs: [*const f32; M] = std::array::from_fn(|m| row(x, m));
        let weights: [*const f32; N] = std::array::from_fn(|n| row(weight, n));
        // SAFETY: each pointer is followed by the `len` inputs of its row.
        let mut sums = unsafe { accumulate(simd, xs, weights, len / lanes) };
        let done = len - len % lanes;
        if done < len {
            let tail = |pointer: *const f32| {
                // SAFETY: the last `len - done` inputs of a row.
                let tail = unsafe { std::slice::from_raw_parts(pointer.add(done), len - done) };
                simd.partial_load_f32s(tail)
            };
            let weights = weights.map(tail);
            for (sums, x) in sums.iter_mut().zip(xs.map(tail)) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = simd.mul_add_e_f32s(x, weight, *sum);
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            let out = &mut self.out[(sample + m) * outputs + output..][..N];
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = simd.reduce_sum_f32s(sum);
            }
        }
    }
}

/// The sums over `vectors` whole vectors, touched by constant indices alone so that they live in
/// registers.
#[inline(always)]
unsafe fn accumulate<S: Simd, const M: usize, const N: usize>(
    simd: S,
    xs: [*const f32; M],
    weights: [*const f32; N],
    vectors: usize,
) -> [[S::f32s; N]; M] {
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    for vector in 0..vectors {
        // SAFETY: the caller's: every pointer is followed by `vectors` vectors.
        let load = |pointer: *const f32| unsafe {
            pointer
                .add(vector * S::F32_LANES)
                .cast::<S::f32s>()
                .read_unaligned()
        };
        let weights = weights.map(load);
        for m in 0..M {
            let x = load(xs[m]);
            for n in 0..N {
                sums[m][n] = simd.mul_add_e_f32s(x, weights[n], sums[m][n]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::levels::{for_each_level, values};

    #[test]
    fn agrees_with_its_definition_on_every_instruction_set() {
        for (samples, outputs, stride, inputs) in [
            (1, 1, 1, 0..1),
            (7, 5, 40, 0..40),
            (13, 9, 70, 3..55),
            (6, 4, 32, 16..32),
        ] {
            let x = values(samples * stride, 1);
            let weight = values(outputs * stride, 2);
            for_each_level!(|level| {
                let mut out = vec![f32::NAN; samples * outputs];
                Simd::vectorize(
                    level,
                    Dot {
                        x: &x,
                        weight: &weight,
                        stride,
                        inputs: inputs.clone(),
                        out: &mut out,
                    },
                );
                for (place, &found) in out.iter().enumerate() {
                    let (n, o) = (place / outputs, place % outputs);
                    let product = |i| x[n * stride + i] * weight[o * stride + i];
                    let expected: f32 = inputs.clone().map(product).sum();
                    assert!((found - expected).abs() < 1e-5, "{level:?} [{n}, {o}]");
                }
            });
        }
    }
}
