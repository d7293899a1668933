//! Depthwise convolution: every output channel sees one input channel, `m = out / in` of them the same.
//!
//! `out[i, j, o] = bias[o] + Σ_{u,v} weight[o, 0, u, v] · x[i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁, o / m]`
//!
//! There is nothing to sum over channels, so vectors lie along them. An image is copied into a frame of
//! zeros once, its channels repeated m times and filled up to whole vectors; after that all sums run over
//! aligned memory.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::buffer::{Buffer, LINE, with_scratch};
use super::conv2d::{Conv2dGeometry, IMAGES_A_SUM, WeightGradient, add_rows};
use super::dispatch::dispatch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// The plan of a depthwise convolution.
#[derive(Clone, Debug)]
pub(super) struct Depthwise {
    geometry: Conv2dGeometry,
    /// Output channels of an input channel.
    multiplier: usize,
    /// Output channels, filled up to whole cache lines.
    width: usize,
    /// Where each output pixel's window starts in the frame.
    starts: Vec<usize>,
    /// Where each value of a window lies, relative to its start.
    taps: Vec<usize>,
    /// Values of the frame.
    frame: usize,
}

impl Depthwise {
    /// `geometry` is that of all channels.
    pub(super) fn new(geometry: &Conv2dGeometry) -> Self {
        let g = *geometry;
        let width = g.out_channels.next_multiple_of(LINE);
        let [height, row] = g.padded_input();
        let [rows, columns] = g.output();
        let start = |i: usize, j: usize| (i * g.stride[0] * row + j * g.stride[1]) * width;
        let tap = |u: usize, v: usize| (u * g.dilation[0] * row + v * g.dilation[1]) * width;
        let pairs = |rows: usize, columns: usize| {
            (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)))
        };
        Self {
            geometry: g,
            multiplier: g.out_channels / g.in_channels,
            width,
            starts: pairs(rows, columns).map(|(i, j)| start(i, j)).collect(),
            taps: pairs(g.kernel[0], g.kernel[1])
                .map(|(u, v)| tap(u, v))
                .collect(),
            frame: height * row * width,
        }
    }

    /// Lays PyTorch's weight out tap after tap, and the bias behind the taps.
    fn pack<'b>(&self, weight: &[f32], bias: Option<&[f32]>, packed: &'b mut Buffer) -> &'b [f32] {
        let taps = self.taps.len();
        let packed = packed.resize((taps + 1) * self.width);
        packed.fill(0.0);
        let (rows, last) = packed.split_at_mut(taps * self.width);
        for (tap, row) in rows.chunks_exact_mut(self.width).enumerate() {
            for (value, weights) in row.iter_mut().zip(weight.chunks_exact(taps)) {
                *value = weights[tap];
            }
        }
        if let Some(bias) = bias {
            last[..bias.len()].copy_from_slice(bias);
        }
        packed
    }

    /// Copies an image into the frame.
    fn enframe(&self, x: &[f32], frame: &mut [f32]) {
        frame.fill(0.0);
        self.for_each_pixel(|pixel, place| {
            let x = &x[pixel * self.geometry.in_channels..][..self.geometry.in_channels];
            let frame = &mut frame[place..place + self.geometry.out_channels];
            if self.multiplier == 1 {
                frame.copy_from_slice(x);
                return;
            }
            for (values, x) in frame.chunks_exact_mut(self.multiplier).zip(x) {
                values.fill(*x);
            }
        });
    }

    /// Sums the copies of an image's channels in the frame.
    fn deframe(&self, frame: &[f32], dx: &mut [f32], add: bool) {
        self.for_each_pixel(|pixel, place| {
            let dx = &mut dx[pixel * self.geometry.in_channels..][..self.geometry.in_channels];
            let frame = &frame[place..place + self.geometry.out_channels];
            for (dx, values) in dx.iter_mut().zip(frame.chunks_exact(self.multiplier)) {
                let sum: f32 = values.iter().sum();
                *dx = if add { *dx + sum } else { sum };
            }
        });
    }

    /// Calls `visit(pixel of the image, its first value in the frame)`.
    fn for_each_pixel(&self, mut visit: impl FnMut(usize, usize)) {
        let g = &self.geometry;
        let [_, row] = g.padded_input();
        let [height, width] = g.input;
        for i in 0..height {
            for j in 0..width {
                let place = (i + g.padding_before[0]) * row + j + g.padding_before[1];
                visit(i * width + j, place * self.width);
            }
        }
    }

    /// Fills an image's output gradient up to whole vectors.
    fn widen(&self, dout: &[f32], wide: &mut [f32]) {
        let channels = self.geometry.out_channels;
        let rows = wide.chunks_exact_mut(self.width);
        for (wide, dout) in rows.zip(dout.chunks_exact(channels)) {
            wide[..channels].copy_from_slice(dout);
            wide[channels..].fill(0.0);
        }
    }

    /// Computes the batch `x` into `out`, both channels-last.
    pub(super) fn forward(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        x: &[f32],
        out: &mut [f32],
        packed: &mut Buffer,
    ) {
        let packed = self.pack(weight, bias, packed);
        out.par_chunks_exact_mut(self.geometry.output_len())
            .zip(x.par_chunks_exact(self.geometry.input_len()))
            .for_each(|(out, x)| {
                with_scratch([self.frame], |[frame]| {
                    self.enframe(x, frame);
                    dispatch(Forward {
                        plan: self,
                        packed,
                        frame,
                        out,
                    });
                });
            });
    }

    /// Pulls `dout` back: into `dx`, which is added to or overwritten, and to `gradient`.
    pub(super) fn backward(
        &self,
        weight: &[f32],
        x: &[f32],
        dout: &[f32],
        dx: Option<(&mut [f32], bool)>,
        gradient: Option<WeightGradient<'_>>,
        packed: &mut Buffer,
    ) {
        let (input_len, output_len) = (self.geometry.input_len(), self.geometry.output_len());
        let chunk = IMAGES_A_SUM;
        let packed = self.pack(weight, None, packed);
        let wanted = gradient.is_some();
        let chunks = x.len().div_ceil(chunk * input_len);
        let dx: Vec<Option<(&mut [f32], bool)>> = match dx {
            Some((dx, add)) => dx
                .chunks_mut(chunk * input_len)
                .map(|dx| Some((dx, add)))
                .collect(),
            None => (0..chunks).map(|_| None).collect(),
        };
        let sums: Vec<Buffer> = dx
            .into_par_iter()
            .zip(x.par_chunks(chunk * input_len))
            .zip(dout.par_chunks(chunk * output_len))
            .map(|((mut dx, x), dout)| {
                // Those of the taps, and those of the bias behind them.
                let mut sums = Buffer::default();
                if wanted {
                    sums.resize((self.taps.len() + 1) * self.width).fill(0.0);
                }
                let samples = x.chunks_exact(input_len).zip(dout.chunks_exact(output_len));
                let lens = [self.frame, self.starts.len() * self.width];
                with_scratch(lens, |[frame, wide]| {
                    for (sample, (x, dout)) in samples.enumerate() {
                        self.widen(dout, wide);
                        if let Some((dx, add)) = &mut dx {
                            frame.fill(0.0);
                            dispatch(AddData {
                                plan: self,
                                packed,
                                dout: wide,
                                frame,
                            });
                            self.deframe(frame, &mut dx[sample * input_len..][..input_len], *add);
                        }
                        if wanted {
                            self.enframe(x, frame);
                            let (taps, bias) = sums.split_at_mut(self.taps.len() * self.width);
                            dispatch(AddWeights {
                                plan: self,
                                frame,
                                dout: wide,
                                sums: taps,
                            });
                            add_rows(wide, bias);
                        }
                    }
                });
                sums
            })
            .collect();
        let Some(gradient) = gradient else { return };
        let taps = self.taps.len();
        for sums in &sums {
            for (tap, row) in sums.chunks_exact(self.width).take(taps).enumerate() {
                for (weights, value) in gradient.weight.chunks_exact_mut(taps).zip(row) {
                    weights[tap] += value;
                }
            }
        }
        let Some(bias) = gradient.bias else { return };
        for sums in &sums {
            let part = &sums[taps * self.width..][..bias.len()];
            bias.iter_mut()
                .zip(part)
                .for_each(|(bias, part)| *bias += part);
        }
    }

    /// Asserts that every window lies in a frame, and every tap and output pixel in slices of these
    /// lengths.
    fn check(&self, frame: usize, taps: usize, pixels: usize) {
        let last = self.starts.iter().max().zip(self.taps.iter().max());
        let end = last.map_or(0, |(start, tap)| start + tap + self.width);
        assert!(end <= frame, "depthwise: frame");
        assert!(self.taps.len() * self.width <= taps, "depthwise: taps");
        assert!(
            self.starts.len() * self.width <= pixels,
            "depthwise: pixels"
        );
    }
}

/// A vector of memory.
#[inline(always)]
unsafe fn load<S: Simd>(place: *const f32) -> S::f32s {
    // SAFETY: the caller's: a vector of values follows.
    unsafe { place.cast::<S::f32s>().read_unaligned() }
}

/// Adds a vector to memory.
#[inline(always)]
unsafe fn add<S: Simd>(simd: S, place: *mut f32, value: S::f32s) {
    // SAFETY: the caller's: a vector of values follows.
    unsafe {
        let place = place.cast::<S::f32s>();
        place.write_unaligned(simd.add_f32s(place.read_unaligned(), value));
    }
}

/// One image's output.
struct Forward<'a> {
    plan: &'a Depthwise,
    packed: &'a [f32],
    frame: &'a [f32],
    /// `[pixels, channels]`.
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let plan = self.plan;
        let pixels = plan.starts.len();
        let rows = plan.taps.len() * plan.width + plan.width;
        assert!(rows <= self.packed.len(), "depthwise: packed");
        plan.check(self.frame.len(), self.packed.len(), pixels * plan.width);
        let mut pixel = 0;
        macro_rules! pixels {
            ($count:literal) => {
                while pixels - pixel >= $count {
                    for channel in (0..plan.geometry.out_channels).step_by(S::F32_LANES) {
                        // SAFETY: `$count` pixels follow, their windows lie in the frame and the taps in
                        // `packed`: checked above. A width is whole vectors.
                        unsafe { self.tile::<S, $count>(simd, pixel, channel) };
                    }
                    pixel += $count;
                }
            };
        }
        if S::REGISTER_COUNT >= 32 {
            pixels!(8);
        }
        pixels!(4);
        pixels!(1);
    }
}

impl Forward<'_> {
    /// One vector of channels of `P` pixels.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize>(&mut self, simd: S, pixel: usize, channel: usize) {
        let plan = self.plan;
        let channels = plan.geometry.out_channels;
        // SAFETY: the caller's.
        let sums: [S::f32s; P] = unsafe {
            let weights = self.packed.as_ptr().add(channel);
            let bias = load::<S>(weights.add(plan.taps.len() * plan.width));
            let frame = self.frame.as_ptr().add(channel);
            let starts: [_; P] = std::array::from_fn(|p| frame.add(plan.starts[pixel + p]));
            sum_taps(simd, [bias; P], starts, &plan.taps, weights, plan.width)
        };
        for (p, sum) in (pixel..).zip(sums) {
            let out = &mut self.out[p * channels..(p + 1) * channels][channel..];
            if out.len() >= S::F32_LANES {
                // SAFETY: a vector of values follows.
                unsafe { out.as_mut_ptr().cast::<S::f32s>().write_unaligned(sum) };
            } else {
                simd.partial_store_f32s(out, sum);
            }
        }
    }
}

/// Adds the products of `P` windows to `sums`, which are touched by constant indices alone so that they
/// live in registers.
#[inline(always)]
unsafe fn sum_taps<S: Simd, const P: usize>(
    simd: S,
    mut sums: [S::f32s; P],
    starts: [*const f32; P],
    taps: &[usize],
    mut weights: *const f32,
    width: usize,
) -> [S::f32s; P] {
    for &tap in taps {
        // SAFETY: the caller's: each start is followed by its taps' vectors, `weights` by a row of `width`
        // values for every tap.
        unsafe {
            let weight = load::<S>(weights);
            for p in 0..P {
                sums[p] = simd.mul_add_e_f32s(load::<S>(starts[p].add(tap)), weight, sums[p]);
            }
            weights = weights.add(width);
        }
    }
    sums
}

/// Adds one image's input gradient to a frame.
struct AddData<'a> {
    plan: &'a Depthwise,
    packed: &'a [f32],
    /// `[pixels, width]`.
    dout: &'a [f32],
    frame: &'a mut [f32],
}

impl WithSimd for AddData<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let plan = self.plan;
        plan.check(self.frame.len(), self.packed.len(), self.dout.len());
        let frame = self.frame.as_mut_ptr();
        for (pixel, &start) in plan.starts.iter().enumerate() {
            for channel in (0..plan.geometry.out_channels).step_by(S::F32_LANES) {
                // SAFETY: the pixel's values, its window and every tap's weights lie in their slices:
                // checked above.
                unsafe {
                    let d = load::<S>(self.dout.as_ptr().add(pixel * plan.width + channel));
                    let mut weights = self.packed.as_ptr().add(channel);
                    for &tap in &plan.taps {
                        let value = simd.mul_f32s(d, load::<S>(weights));
                        add(simd, frame.add(start + channel + tap), value);
                        weights = weights.add(plan.width);
                    }
                }
            }
        }
    }
}

/// Adds one image's weight gradient, tap after tap.
struct AddWeights<'a> {
    plan: &'a Depthwise,
    frame: &'a [f32],
    /// `[pixels, width]`.
    dout: &'a [f32],
    /// `[taps, width]`.
    sums: &'a mut [f32],
}

impl WithSimd for AddWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let plan = self.plan;
        plan.check(self.frame.len(), self.sums.len(), self.dout.len());
        for channel in (0..plan.geometry.out_channels).step_by(S::F32_LANES) {
            let mut tap = 0;
            macro_rules! taps {
                ($count:literal) => {
                    while plan.taps.len() - tap >= $count {
                        // SAFETY: `$count` taps follow; windows, pixels and sums lie in their slices: checked
                        // above.
                        unsafe { self.tile::<S, $count>(simd, tap, channel) };
                        tap += $count;
                    }
                };
            }
            taps!(8);
            taps!(4);
            taps!(2);
            taps!(1);
        }
    }
}

impl AddWeights<'_> {
    /// One vector of channels of `T` taps.
    #[inline(always)]
    unsafe fn tile<S: Simd, const T: usize>(&mut self, simd: S, tap: usize, channel: usize) {
        let plan = self.plan;
        let taps: [usize; T] = std::array::from_fn(|t| plan.taps[tap + t]);
        let mut sums = [simd.splat_f32s(0.0); T];
        // SAFETY: the caller's.
        unsafe {
            let frame = self.frame.as_ptr().add(channel);
            let mut dout = self.dout.as_ptr().add(channel);
            for &start in &plan.starts {
                let d = load::<S>(dout);
                let window = frame.add(start);
                for t in 0..T {
                    sums[t] = simd.mul_add_e_f32s(load::<S>(window.add(taps[t])), d, sums[t]);
                }
                dout = dout.add(plan.width);
            }
            let rows = self.sums.as_mut_ptr().add(tap * plan.width + channel);
            for (t, sum) in sums.into_iter().enumerate() {
                add(simd, rows.add(t * plan.width), sum);
            }
        }
    }
}
