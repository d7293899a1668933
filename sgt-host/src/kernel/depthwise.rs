//! Depthwise convolution: every output channel sees one input channel, `m = out / in` of them the same.
//!
//! `out[i, j, o] = bias[o] + Σ_{u,v} weight[o, 0, u, v] · x[i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁, o / m]`
//!
//! There is nothing to sum over channels, so vectors lie along them. An image is copied into a frame of
//! zeros once, its channels repeated m times and filled up to whole vectors; after that all sums run over
//! aligned memory. The input's gradient is the same sum over a frame of the output's gradient.

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
    /// The windows that output pixels see of the input.
    input: Windows,
    /// The windows that input pixels see of the output's gradient, whose pixels lie a stride apart, with
    /// zeros between them.
    gradient: Windows,
}

/// Windows of a frame, channels innermost.
#[derive(Clone, Debug)]
struct Windows {
    channels: usize,
    /// Channels, filled up to whole cache lines.
    width: usize,
    /// Where each window starts.
    starts: Vec<usize>,
    /// Where each of its values lies, relative to its start.
    taps: Vec<usize>,
    /// Values of the frame.
    frame: usize,
}

impl Windows {
    /// `count` windows `stride` apart, in a frame whose sides are `frame`; a tap lies at `tap(axis, u)`.
    fn new(
        channels: usize,
        frame: [usize; 2],
        [count, stride]: [[usize; 2]; 2],
        kernel: [usize; 2],
        tap: impl Fn(usize, usize) -> usize,
    ) -> Self {
        let width = channels.next_multiple_of(LINE);
        let pairs = |[rows, columns]: [usize; 2]| {
            (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)))
        };
        let place = |y: usize, x: usize| (y * frame[1] + x) * width;
        let starts = pairs(count).map(|(i, j)| place(i * stride[0], j * stride[1]));
        let taps = pairs(kernel).map(|(u, v)| place(tap(0, u), tap(1, v)));
        Self {
            channels,
            width,
            starts: starts.collect(),
            taps: taps.collect(),
            frame: frame[0] * frame[1] * width,
        }
    }

    /// Asserts that every window lies in a frame, and every tap and window in slices of these lengths.
    fn check(&self, frame: usize, taps: usize, windows: usize) {
        let last = self.starts.iter().max().zip(self.taps.iter().max());
        let end = last.map_or(0, |(start, tap)| start + tap + self.width);
        assert!(end <= frame, "depthwise: frame");
        assert!(self.taps.len() * self.width <= taps, "depthwise: taps");
        assert!(
            self.starts.len() * self.width <= windows,
            "depthwise: windows"
        );
    }
}

impl Depthwise {
    /// `geometry` is that of all channels.
    pub(super) fn new(geometry: &Conv2dGeometry) -> Self {
        let g = *geometry;
        let spans = [0, 1].map(|axis: usize| g.dilation[axis] * (g.kernel[axis] - 1));
        let reach = [0, 1].map(|axis: usize| g.input[axis] + spans[axis]);
        Self {
            geometry: g,
            multiplier: g.out_channels / g.in_channels,
            input: Windows::new(
                g.out_channels,
                g.padded_input(),
                [g.output(), g.stride],
                g.kernel,
                |axis, u| u * g.dilation[axis],
            ),
            gradient: Windows::new(
                g.out_channels,
                reach,
                [g.input, [1, 1]],
                g.kernel,
                |axis, u| spans[axis] - u * g.dilation[axis],
            ),
        }
    }

    /// Lays PyTorch's weight out tap after tap, and the bias behind the taps.
    fn pack<'b>(&self, weight: &[f32], bias: Option<&[f32]>, packed: &'b mut Buffer) -> &'b [f32] {
        let Windows { width, taps, .. } = &self.input;
        let packed = packed.resize((taps.len() + 1) * width);
        packed.fill(0.0);
        let (rows, last) = packed.split_at_mut(taps.len() * width);
        for (tap, row) in rows.chunks_exact_mut(*width).enumerate() {
            for (value, weights) in row.iter_mut().zip(weight.chunks_exact(taps.len())) {
                *value = weights[tap];
            }
        }
        if let Some(bias) = bias {
            last[..bias.len()].copy_from_slice(bias);
        }
        packed
    }

    /// Copies an image into its frame.
    fn frame_input(&self, x: &[f32], frame: &mut [f32]) {
        let g = &self.geometry;
        let [_, row] = g.padded_input();
        frame.fill(0.0);
        for (pixel, x) in x.chunks_exact(g.in_channels).enumerate() {
            let i = pixel / g.input[1] + g.padding_before[0];
            let j = pixel % g.input[1] + g.padding_before[1];
            let frame = &mut frame[(i * row + j) * self.input.width..][..g.out_channels];
            if self.multiplier == 1 {
                frame.copy_from_slice(x);
                continue;
            }
            for (values, x) in frame.chunks_exact_mut(self.multiplier).zip(x) {
                values.fill(*x);
            }
        }
    }

    /// Spreads an image's output gradient over its frame. Pixels that see padding alone are left out.
    fn frame_gradient(&self, dout: &[f32], frame: &mut [f32]) {
        let g = &self.geometry;
        let [_, columns] = g.output();
        let place = |axis: usize, pixel: usize| {
            let span = g.dilation[axis] * (g.kernel[axis] - 1);
            let place = (pixel * g.stride[axis] + span).checked_sub(g.padding_before[axis])?;
            (place < g.input[axis] + span).then_some(place)
        };
        let row = g.input[1] + g.dilation[1] * (g.kernel[1] - 1);
        frame.fill(0.0);
        for (pixel, dout) in dout.chunks_exact(g.out_channels).enumerate() {
            if let (Some(i), Some(j)) = (place(0, pixel / columns), place(1, pixel % columns)) {
                let start = (i * row + j) * self.gradient.width;
                frame[start..start + g.out_channels].copy_from_slice(dout);
            }
        }
    }

    /// Fills an image's output gradient up to whole vectors.
    fn widen(&self, dout: &[f32], wide: &mut [f32]) {
        let Windows {
            channels, width, ..
        } = self.input;
        let rows = wide.chunks_exact_mut(width);
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
                with_scratch([self.input.frame], |[frame]| {
                    self.frame_input(x, frame);
                    dispatch(Correlate {
                        windows: &self.input,
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
        if let Some((dx, add)) = dx {
            let packed = self.pack(weight, None, packed);
            dx.par_chunks_exact_mut(self.geometry.input_len())
                .zip(dout.par_chunks_exact(self.geometry.output_len()))
                .for_each(|(dx, dout)| self.data_gradient(packed, dout, dx, add));
        }
        if let Some(gradient) = gradient {
            self.add_weight_gradient(x, dout, gradient);
        }
    }

    /// One image's input gradient.
    fn data_gradient(&self, packed: &[f32], dout: &[f32], dx: &mut [f32], add: bool) {
        let windows = &self.gradient;
        let correlate = |frame: &mut [f32], out: &mut [f32]| {
            self.frame_gradient(dout, frame);
            dispatch(Correlate {
                windows,
                packed,
                frame,
                out,
            });
        };
        if self.multiplier == 1 && !add {
            with_scratch([windows.frame], |[frame]| correlate(frame, dx));
            return;
        }
        let copies = windows.starts.len() * windows.channels;
        with_scratch([windows.frame, copies], |[frame, copies]| {
            correlate(frame, copies);
            // Of the copies of an input channel.
            for (dx, copies) in dx.iter_mut().zip(copies.chunks_exact(self.multiplier)) {
                let sum: f32 = copies.iter().sum();
                *dx = if add { *dx + sum } else { sum };
            }
        });
    }

    fn add_weight_gradient(&self, x: &[f32], dout: &[f32], gradient: WeightGradient<'_>) {
        let windows = &self.input;
        let (width, taps) = (windows.width, windows.taps.len());
        let (input_len, output_len) = (self.geometry.input_len(), self.geometry.output_len());
        let sums: Vec<Buffer> = x
            .par_chunks(IMAGES_A_SUM * input_len)
            .zip(dout.par_chunks(IMAGES_A_SUM * output_len))
            .map(|(x, dout)| {
                // Those of the taps, and those of the bias behind them.
                let mut sums = Buffer::default();
                let (of_taps, of_bias) = sums.resize((taps + 1) * width).split_at_mut(taps * width);
                of_taps.fill(0.0);
                of_bias.fill(0.0);
                let lens = [windows.frame, windows.starts.len() * width];
                with_scratch(lens, |[frame, wide]| {
                    let samples = x.chunks_exact(input_len).zip(dout.chunks_exact(output_len));
                    for (x, dout) in samples {
                        self.frame_input(x, frame);
                        self.widen(dout, wide);
                        dispatch(AddWeights {
                            windows,
                            frame,
                            dout: wide,
                            sums: of_taps,
                        });
                        add_rows(wide, of_bias);
                    }
                });
                sums
            })
            .collect();
        for sums in &sums {
            for (tap, row) in sums.chunks_exact(width).take(taps).enumerate() {
                for (weights, value) in gradient.weight.chunks_exact_mut(taps).zip(row) {
                    weights[tap] += value;
                }
            }
        }
        if let Some(bias) = gradient.bias {
            for sums in &sums {
                let sums = bias.iter_mut().zip(&sums[taps * width..]);
                sums.for_each(|(bias, sum)| *bias += sum);
            }
        }
    }
}

/// A vector of memory.
#[inline(always)]
unsafe fn load<S: Simd>(place: *const f32) -> S::f32s {
    // SAFETY: the caller's: a vector of values follows.
    unsafe { place.cast::<S::f32s>().read_unaligned() }
}

/// Bias and `Σ weight · value` of every window of an image.
struct Correlate<'a> {
    windows: &'a Windows,
    /// `[taps + 1, width]`, the bias last.
    packed: &'a [f32],
    frame: &'a [f32],
    /// `[windows, channels]`.
    out: &'a mut [f32],
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let windows = self.windows;
        let pixels = windows.starts.len();
        let rows = (windows.taps.len() + 1) * windows.width;
        assert!(rows <= self.packed.len(), "depthwise: packed");
        windows.check(self.frame.len(), rows, pixels * windows.width);
        let mut pixel = 0;
        macro_rules! pixels {
            ($count:literal) => {
                while pixels - pixel >= $count {
                    for channel in (0..windows.channels).step_by(S::F32_LANES) {
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

impl Correlate<'_> {
    /// One vector of channels of `P` pixels.
    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize>(&mut self, simd: S, pixel: usize, channel: usize) {
        let windows = self.windows;
        let channels = windows.channels;
        // SAFETY: the caller's.
        let sums: [S::f32s; P] = unsafe {
            let weights = self.packed.as_ptr().add(channel);
            let bias = load::<S>(weights.add(windows.taps.len() * windows.width));
            let frame = self.frame.as_ptr().add(channel);
            let starts: [_; P] = std::array::from_fn(|p| frame.add(windows.starts[pixel + p]));
            sum_taps(
                simd,
                [bias; P],
                starts,
                &windows.taps,
                weights,
                windows.width,
            )
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

/// Adds one image's weight gradient, tap after tap.
struct AddWeights<'a> {
    windows: &'a Windows,
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
        let windows = self.windows;
        windows.check(self.frame.len(), self.sums.len(), self.dout.len());
        for channel in (0..windows.channels).step_by(S::F32_LANES) {
            let mut tap = 0;
            macro_rules! taps {
                ($count:literal) => {
                    while windows.taps.len() - tap >= $count {
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
        let windows = self.windows;
        let taps: [usize; T] = std::array::from_fn(|t| windows.taps[tap + t]);
        let mut sums = [simd.splat_f32s(0.0); T];
        // SAFETY: the caller's.
        unsafe {
            let frame = self.frame.as_ptr().add(channel);
            let mut dout = self.dout.as_ptr().add(channel);
            for &start in &windows.starts {
                let d = load::<S>(dout);
                let window = frame.add(start);
                for t in 0..T {
                    sums[t] = simd.mul_add_e_f32s(load::<S>(window.add(taps[t])), d, sums[t]);
                }
                dout = dout.add(windows.width);
            }
            let rows = self.sums.as_mut_ptr().add(tap * windows.width + channel);
            for (t, sum) in sums.into_iter().enumerate() {
                let row = rows.add(t * windows.width).cast::<S::f32s>();
                row.write_unaligned(simd.add_f32s(row.read_unaligned(), sum));
            }
        }
    }
}
