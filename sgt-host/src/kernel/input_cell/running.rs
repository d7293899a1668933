//! The attention of every step at once: a softmax over the steps so far, carried along.
//!
//! With running maximum m and sum `D_t = exp(m_{t−1} − m_t) · D_{t−1} + exp(s_t − m_t)`, the share
//! `w_t = exp(s_t − m_t) / D_t` of the last step and the share `a_t = 1 − w_t` of all before it give
//! the mean `A_t = a_t · A_{t−1} + w_t · x_t`: nothing grows with the steps, and nothing overflows.
//!
//! Backwards, with `G_t` the gradient of `A_t` (that of `M_t`, a hop's part, and `a_{t+1} · G_{t+1}`):
//!
//! ```text
//! dx_t = Σ over hops of w_t · G_t          dw_t = G_t · (x_t − A_{t−1})
//! ds_t = w_t · (a_t · dw_t + ℓ_t)          ℓ_{t−1} = a_t · (ℓ_t − w_t · dw_t)
//! ```
//!
//! where ℓ is the gradient of `log D_t + m_t`, because `w_t` is the sigmoid of
//! `s_t − (log D_{t−1} + m_{t−1})`.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::super::buffer::LINE;
use super::super::transcendental::{exp, tanh};
use pulp::{Simd, WithSimd};

/// `tanh` in place.
pub(super) struct Tanh<'a> {
    pub(super) values: &'a mut [f32],
}

impl WithSimd for Tanh<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, rest) = S::as_mut_simd_f32s(self.values);
        for vector in vectors {
            *vector = tanh(simd, *vector);
        }
        let last = tanh(simd, simd.partial_load_f32s(rest));
        simd.partial_store_f32s(rest, last);
    }
}

/// Scratch values that a pass over one sample of `length` real steps needs.
pub(super) const fn scratch_lens(hops: usize, length: usize) -> [usize; 3] {
    [(length + 1) * hops * LINE, hops * LINE, hops]
}

/// The attention of one sample.
pub(super) struct Forward<'a> {
    pub(super) hops: usize,
    /// Real steps.
    pub(super) length: usize,
    /// `[steps, hops]`.
    pub(super) scores: &'a [f32],
    /// `[steps, input]`.
    pub(super) x: &'a [f32],
    /// `[steps, 2, hops]`: w and a, overwritten in front of `length`.
    pub(super) shares: &'a mut [f32],
    /// `[steps, input]`: M, overwritten in front of `length`.
    pub(super) means: &'a mut [f32],
    /// The second of [`scratch_lens`].
    pub(super) states: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            hops,
            length,
            scores,
            x,
            shares,
            means,
            states,
        } = self;
        for first in (0..hops).step_by(S::F32_LANES) {
            let block = first..hops.min(first + S::F32_LANES);
            let mut maximum = simd.splat_f32s(0.0);
            let mut sum = simd.splat_f32s(0.0);
            let rows = scores
                .chunks_exact(hops)
                .zip(shares.chunks_exact_mut(2 * hops));
            for (step, (scores, shares)) in rows.take(length).enumerate() {
                let score = simd.partial_load_f32s(&scores[block.clone()]);
                let largest = match step {
                    0 => score,
                    _ => simd.max_f32s(maximum, score),
                };
                let kept = simd.mul_f32s(sum, exp(simd, simd.sub_f32s(maximum, largest)));
                let new = exp(simd, simd.sub_f32s(score, largest));
                sum = simd.add_f32s(kept, new);
                maximum = largest;
                let (new_shares, kept_shares) = shares.split_at_mut(hops);
                let new = simd.div_f32s(new, sum);
                simd.partial_store_f32s(&mut new_shares[block.clone()], new);
                let kept = simd.div_f32s(kept, sum);
                simd.partial_store_f32s(&mut kept_shares[block.clone()], kept);
            }
        }
        let steps = Steps {
            hops,
            shares,
            x,
            input: x.len() / (shares.len() / (2 * hops)),
        };
        let part = simd.splat_f32s(1.0 / hops as f32);
        let states = &mut S::as_mut_simd_f32s(states).0[..hops];
        for first in (0..steps.input).step_by(S::F32_LANES) {
            states.fill(simd.splat_f32s(0.0));
            for step in 0..length {
                steps.advance(simd, step, first, states);
                let mut sum = simd.splat_f32s(0.0);
                for &state in &*states {
                    sum = simd.add_f32s(sum, state);
                }
                let mean = simd.mul_f32s(sum, part);
                let place = steps.values(step, first, S::F32_LANES);
                simd.partial_store_f32s(&mut means[place], mean);
            }
        }
    }
}

/// The inputs of one sample and their shares.
struct Steps<'a> {
    hops: usize,
    shares: &'a [f32],
    x: &'a [f32],
    input: usize,
}

impl Steps<'_> {
    /// At most `lanes` values of a step, from its value `first` on.
    #[inline(always)]
    fn values(&self, step: usize, first: usize, lanes: usize) -> std::ops::Range<usize> {
        step * self.input + first..step * self.input + self.input.min(first + lanes)
    }

    /// w and a of a step, one a hop.
    #[inline(always)]
    fn shares(&self, step: usize) -> (&[f32], &[f32]) {
        self.shares[step * 2 * self.hops..][..2 * self.hops].split_at(self.hops)
    }

    /// Takes a vector of the means `A`, one a hop, over a step.
    #[inline(always)]
    fn advance<S: Simd>(&self, simd: S, step: usize, first: usize, states: &mut [S::f32s]) {
        let x = simd.partial_load_f32s(&self.x[self.values(step, first, S::F32_LANES)]);
        let (new, kept) = self.shares(step);
        for ((state, &new), &kept) in states.iter_mut().zip(new).zip(kept) {
            let x = simd.mul_f32s(simd.splat_f32s(new), x);
            *state = simd.mul_add_e_f32s(simd.splat_f32s(kept), *state, x);
        }
    }
}

/// Pulls the gradient of one sample's means back to its inputs and scores.
pub(super) struct Backward<'a> {
    pub(super) hops: usize,
    /// Real steps.
    pub(super) length: usize,
    /// `[steps, input]`.
    pub(super) x: &'a [f32],
    /// `[steps, 2, hops]`: what [`Forward`] left.
    pub(super) shares: &'a [f32],
    /// `[steps, input]`: the gradient of M, and then of x for given scores.
    pub(super) gradient: &'a mut [f32],
    /// `[steps, hops]`: overwritten.
    pub(super) d_scores: &'a mut [f32],
    /// Of [`scratch_lens`].
    pub(super) scratch: [&'a mut [f32]; 3],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            hops,
            length,
            x,
            shares,
            gradient,
            d_scores,
            scratch: [history, pulled, carried],
        } = self;
        let steps = Steps {
            hops,
            shares,
            x,
            input: x.len() / (shares.len() / (2 * hops)),
        };
        d_scores.fill(0.0);
        // `A_{t−1}` of step t, from zeros on.
        let history = S::as_mut_simd_f32s(history).0;
        let pulled = &mut S::as_mut_simd_f32s(pulled).0[..hops];
        for first in (0..steps.input).step_by(S::F32_LANES) {
            history[..hops].fill(simd.splat_f32s(0.0));
            for step in 0..length {
                let (before, after) = history[step * hops..][..2 * hops].split_at_mut(hops);
                after.copy_from_slice(before);
                steps.advance(simd, step, first, after);
            }
            pulled.fill(simd.splat_f32s(0.0));
            for step in (0..length).rev() {
                let before = &history[step * hops..][..hops];
                let d_shares = &mut d_scores[step * hops..][..hops];
                let place = steps.values(step, first, S::F32_LANES);
                steps.pull(simd, (step, place), before, pulled, gradient, d_shares);
            }
        }
        // ℓ, one a hop.
        carried.fill(0.0);
        for step in (0..length).rev() {
            let (new, kept) = steps.shares(step);
            let scores = d_scores[step * hops..][..hops]
                .iter_mut()
                .zip(carried.iter_mut());
            for ((score, carried), (new, kept)) in scores.zip(new.iter().zip(kept)) {
                let d_share = *score;
                *score = new * (kept * d_share + *carried);
                *carried = kept * (*carried - new * d_share);
            }
        }
    }
}

impl Steps<'_> {
    /// A vector of one step: `pulled` holds `a · G` of the step after it, one a hop, and then those of
    /// this step; `before` holds `A_{t−1}`.
    #[inline(always)]
    fn pull<S: Simd>(
        &self,
        simd: S,
        (step, place): (usize, std::ops::Range<usize>),
        before: &[S::f32s],
        pulled: &mut [S::f32s],
        gradient: &mut [f32],
        d_shares: &mut [f32],
    ) {
        let x = simd.partial_load_f32s(&self.x[place.clone()]);
        let part = simd.splat_f32s(1.0 / self.hops as f32);
        let of_mean = simd.mul_f32s(simd.partial_load_f32s(&gradient[place.clone()]), part);
        let mut dx = simd.splat_f32s(0.0);
        let (new, kept) = self.shares(step);
        let hops = pulled.iter_mut().zip(before).zip(d_shares);
        for (((pulled, &before), d_share), (&new, &kept)) in hops.zip(new.iter().zip(kept)) {
            let of_state = simd.add_f32s(of_mean, *pulled);
            dx = simd.mul_add_e_f32s(simd.splat_f32s(new), of_state, dx);
            let along = simd.mul_f32s(of_state, simd.sub_f32s(x, before));
            *d_share += simd.reduce_sum_f32s(along);
            *pulled = simd.mul_f32s(simd.splat_f32s(kept), of_state);
        }
        simd.partial_store_f32s(&mut gradient[place], dx);
    }
}
