//! The gradients of a convolution whose output's gradient is mostly zero.
//!
//! For one output channel and each of its few entries `(pixel, d)`:
//! `sum += d · window(pixel)` (the weight's gradient) and `dx window(pixel) += d · weight`.

#![allow(clippy::inline_always)] // Kernels must be inlined into the function that enables AVX.

use super::buffer::LINE;
use super::conv2d::Plan;
use super::product::Run;
use pulp::{Arch, Simd, WithSimd};

/// One value of the output's gradient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where the pixel's window starts in the padded image.
    start: u32,
    pub(crate) value: f32,
}

impl Entry {
    pub(crate) const fn new(start: u32, value: f32) -> Self {
        Self { start, value }
    }
}

/// One output channel's share of both gradients.
pub(crate) struct SparseGradient<'a> {
    pub(crate) entries: &'a [Entry],
    /// The runs of a window.
    pub(crate) runs: &'a [Run],
    /// The channel's weight, in the order of the window.
    pub(crate) weight: &'a [f32],
    /// The padded image.
    pub(crate) x: &'a [f32],
    /// The padded image's gradient, to be added to.
    pub(crate) dx: Option<&'a mut [f32]>,
    /// The weight's gradient in the order of the window, to be added to.
    pub(crate) sum: Option<&'a mut [f32]>,
}

impl SparseGradient<'_> {
    /// Values from one channel's packed weight to the next.
    pub(crate) fn stride(plan: &Plan) -> usize {
        plan.depth().next_multiple_of(LINE)
    }

    /// Values that [`SparseGradient::pack`] writes.
    pub(crate) fn packed_len(plan: &Plan) -> usize {
        Self::stride(plan) * plan.geometry().out_channels
    }

    /// Lays PyTorch's weight out channel after channel in the order of the window.
    pub(crate) fn pack(plan: &Plan, weight: &[f32], packed: &mut [f32]) {
        for (o, row) in packed.chunks_exact_mut(Self::stride(plan)).enumerate() {
            for (t, value) in row[..plan.depth()].iter_mut().enumerate() {
                *value = weight[plan.weight_place(o, t)];
            }
        }
    }

    /// Adds channels of sums to a gradient in PyTorch's order.
    pub(crate) fn unpack(plan: &Plan, sums: &[f32], weight: &mut [f32]) {
        for (o, row) in sums.chunks_exact(plan.depth()).enumerate() {
            for (t, value) in row.iter().enumerate() {
                weight[plan.weight_place(o, t)] += value;
            }
        }
    }

    /// Runs on the widest vectors this machine has.
    pub(crate) fn run(self) {
        Arch::new().dispatch(self);
    }
}

/// Vectors of a window that are kept in registers at a time.
const BLOCK: usize = 6;

impl WithSimd for SparseGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Some(last) = self.entries.iter().map(|entry| entry.start).max() else {
            return;
        };
        let reach = self.runs.iter().map(|run| run.offset + run.len).max();
        let end = last as usize + reach.unwrap_or(0);
        let depth = self.runs.iter().map(|run| run.len).sum::<usize>();
        assert!(
            end <= self.x.len() && depth <= self.weight.len(),
            "sparse: x, weight"
        );
        assert!(
            self.dx.as_ref().is_none_or(|dx| end <= dx.len()),
            "sparse: dx"
        );
        assert!(
            self.sum.as_ref().is_none_or(|sum| depth <= sum.len()),
            "sparse: sum"
        );
        match (self.dx.is_some(), self.sum.is_some()) {
            (true, true) => self.all::<S, true, true>(simd),
            (true, false) => self.all::<S, true, false>(simd),
            (false, true) => self.all::<S, false, true>(simd),
            (false, false) => {}
        }
    }
}

impl SparseGradient<'_> {
    #[inline(always)]
    fn all<S: Simd, const DX: bool, const SUM: bool>(&mut self, simd: S) {
        let lanes = S::F32_LANES;
        let mut place = 0;
        for run in self.runs {
            let mut done = 0;
            while run.len - done >= lanes {
                let vectors = ((run.len - done) / lanes).min(BLOCK);
                let (offset, place) = (run.offset + done, place + done);
                // SAFETY: the caller has bounded the end of every entry's window in `x` and `dx`,
                // and of the window in `weight` and `sum`.
                unsafe {
                    match vectors {
                        6 => self.block::<S, 6, DX, SUM>(simd, offset, place),
                        5 => self.block::<S, 5, DX, SUM>(simd, offset, place),
                        4 => self.block::<S, 4, DX, SUM>(simd, offset, place),
                        3 => self.block::<S, 3, DX, SUM>(simd, offset, place),
                        2 => self.block::<S, 2, DX, SUM>(simd, offset, place),
                        _ => self.block::<S, 1, DX, SUM>(simd, offset, place),
                    }
                }
                done += vectors * lanes;
            }
            if done < run.len {
                self.tail::<DX, SUM>(run.offset + done, place + done, run.len - done);
            }
            place += run.len;
        }
    }

    /// `V` whole vectors of the window.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize, const DX: bool, const SUM: bool>(
        &mut self,
        simd: S,
        offset: usize,
        place: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let lanes = S::F32_LANES;
            let load = |pointer: *const f32| pointer.cast::<S::f32s>().read_unaligned();
            let x = self.x.as_ptr().add(offset);
            let weight = self.weight.as_ptr().add(place);
            let weights: [S::f32s; V] = std::array::from_fn(|v| load(weight.add(v * lanes)));
            let mut sums = [simd.splat_f32s(0.0); V];
            let dx = match &mut self.dx {
                Some(dx) => dx.as_mut_ptr().add(offset),
                None => std::ptr::null_mut(),
            };
            for entry in self.entries {
                let value = simd.splat_f32s(entry.value);
                let start = entry.start as usize;
                for v in 0..V {
                    if SUM {
                        let x = load(x.add(start + v * lanes));
                        sums[v] = simd.mul_add_e_f32s(value, x, sums[v]);
                    }
                    if DX {
                        let target = dx.add(start + v * lanes).cast::<S::f32s>();
                        let old = target.read_unaligned();
                        target.write_unaligned(simd.mul_add_e_f32s(value, weights[v], old));
                    }
                }
            }
            if SUM && let Some(sum) = &mut self.sum {
                let sum = sum.as_mut_ptr().add(place);
                for (v, &value) in sums.iter().enumerate() {
                    let target = sum.add(v * lanes).cast::<S::f32s>();
                    target.write_unaligned(simd.add_f32s(target.read_unaligned(), value));
                }
            }
        }
    }

    /// The few values of a run that fill no vector.
    #[inline(always)]
    fn tail<const DX: bool, const SUM: bool>(&mut self, offset: usize, place: usize, len: usize) {
        for entry in self.entries {
            let window = entry.start as usize + offset..entry.start as usize + offset + len;
            if SUM && let Some(sum) = &mut self.sum {
                let x = &self.x[window.clone()];
                for (sum, x) in sum[place..place + len].iter_mut().zip(x) {
                    *sum += entry.value * x;
                }
            }
            if DX && let Some(dx) = &mut self.dx {
                let weight = &self.weight[place..place + len];
                for (dx, weight) in dx[window].iter_mut().zip(weight) {
                    *dx += entry.value * weight;
                }
            }
        }
    }
}
