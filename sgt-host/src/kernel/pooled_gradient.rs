//! The gradients of a convolution behind max pooling, in channels-last order.
//!
//! Max pooling hands each gradient to one pixel of its window, and ReLU drops some: most of the
//! convolution's output has no gradient. What is left is first sorted into two kinds of lists.
//!
//! - For the input's gradient, the channels that reach each pixel: the sum
//!   `Σ_channel d · weight(channel)` of a pixel stays in registers and is added to the input's
//!   gradient once.
//! - For the weight's gradient, the pixels that each channel reaches, band of rows after band:
//!   `Σ_pixel d · window(pixel)` stays in registers, and a band's windows in the innermost cache.

#![allow(clippy::inline_always)] // Kernels must be inlined into the function that enables AVX.

use super::buffer::LINE;
use super::conv2d::Plan;
use super::dispatch::dispatch;
use super::product::Run;
use pulp::{Simd, WithSimd};

/// Values of the padded image that the windows of a band cover: what the innermost cache holds
/// beside the sums.
const BAND_VALUES: usize = 8_500;

/// Vectors of a window that are kept in registers at a time, twice.
const BLOCK: usize = 6;

/// The places of one convolution and its pooling.
#[derive(Clone, Debug)]
pub(crate) struct PooledGradient {
    channels: usize,
    /// The runs of a convolution's window, relative to its start.
    runs: Vec<Run>,
    /// Values of a convolution's window.
    depth: usize,
    /// The end of the last window in the padded image.
    end: usize,
    /// Where the first pixel of each pooling window has its convolution's window.
    firsts: Vec<u32>,
    /// The same of all pixels of a pooling window, relative to its first.
    offsets: Vec<u32>,
    /// Pooling windows in a band.
    band: usize,
}

/// One value of the convolution's output gradient.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Where the pixel's window starts in the padded image.
    start: u32,
    value: f32,
}

/// The gradients of one image, sorted. Keeps its memory from image to image.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// The channels that reach pixel `pixel` of pooling window `window` are the first
    /// `channel_counts[window · area + pixel]` values from `channels` times that place on.
    channels: Vec<u16>,
    channel_counts: Vec<u16>,
    /// The entries of a channel in a band are the first `entry_counts[band · channels + channel]`
    /// from the band's size times that place on.
    entries: Vec<Entry>,
    entry_counts: Vec<u32>,
}

/// One image's gradient behind the pooling, channels-first.
#[derive(Clone, Copy)]
pub(crate) struct Pooled<'a> {
    /// The gradient.
    pub(crate) dout: &'a [f32],
    /// The place of each maximum in its window.
    pub(crate) argmax: &'a [u8],
    /// The output, where ReLU is flat unless it is positive.
    pub(crate) relu: Option<&'a [f32]>,
}

impl PooledGradient {
    /// `window` is the `[height, width]` of the pooling.
    pub(crate) fn new(plan: &Plan, window: [usize; 2]) -> Self {
        let geometry = plan.geometry();
        let [height, width] = geometry.output();
        let [rows, columns] = [height / window[0], width / window[1]];
        let starts = plan.starts();
        let pixel = |i: usize, j: usize| starts[i * width + j] as u32;
        let first = |index: usize| pixel(index / columns * window[0], index % columns * window[1]);
        let firsts: Vec<u32> = (0..rows * columns).map(first).collect();
        let area = if firsts.is_empty() {
            0
        } else {
            window[0] * window[1]
        };
        let offsets: Vec<u32> = (0..area)
            .map(|index| pixel(index / window[1], index % window[1]))
            .collect();
        let reach = plan.window().iter().map(|run| run.offset + run.len).max();
        let last = firsts.last().map_or(0, |first| first + offsets[area - 1]);
        let span = geometry.dilation[0] * (geometry.kernel[0] - 1) + 1;
        let fits = |rows: &usize| {
            let input_rows = (rows * window[0] - 1) * geometry.stride[0] + span;
            input_rows * plan.padded_row_len() <= BAND_VALUES
        };
        let band_rows = (1..=rows).take_while(fits).last().unwrap_or(1);
        Self {
            channels: geometry.out_channels,
            runs: plan.window().to_vec(),
            depth: plan.depth(),
            end: last as usize + reach.unwrap_or(0),
            firsts,
            offsets,
            band: (band_rows * columns).max(1),
        }
    }

    /// Values from one channel to the next, of weights and of their sums.
    fn stride(&self) -> usize {
        self.depth.next_multiple_of(LINE)
    }

    /// Values of the packed weight, and of the sums of its gradient.
    pub(crate) fn packed_len(&self) -> usize {
        self.stride() * self.channels
    }

    /// Lays PyTorch's weight out channel after channel in the order of the window.
    pub(crate) fn pack(&self, plan: &Plan, weight: &[f32], packed: &mut [f32]) {
        for (o, row) in packed.chunks_exact_mut(self.stride()).enumerate() {
            for (t, value) in row[..self.depth].iter_mut().enumerate() {
                *value = weight[plan.weight_place(o, t)];
            }
        }
    }

    /// Adds the sums of [`PooledGradient::add_weights`] to a gradient in PyTorch's order.
    pub(crate) fn unpack(&self, plan: &Plan, sums: &[f32], weight: &mut [f32]) {
        for (o, row) in sums.chunks_exact(self.stride()).enumerate() {
            for (t, value) in row[..self.depth].iter().enumerate() {
                weight[plan.weight_place(o, t)] += value;
            }
        }
    }

    /// Sorts one image's gradient: by pixel when `data` is wanted, by channel when `bias` is,
    /// to which each channel's sum is added.
    pub(crate) fn collect(
        &self,
        pooled: Pooled<'_>,
        data: bool,
        bias: Option<&mut [f32]>,
        lists: &mut Lists,
    ) {
        let windows = self.firsts.len();
        let area = self.offsets.len();
        let len = self.channels * windows;
        assert!(pooled.dout.len() == len && pooled.argmax.len() == len);
        assert!(pooled.relu.is_none_or(|out| out.len() == len));
        let furthest = pooled.argmax.iter().fold(0, |a, &b| a.max(b));
        assert!(usize::from(furthest) < area, "pooled gradient: argmax");
        if data {
            lists.channels.resize(windows * area * self.channels, 0);
            lists.channel_counts.clear();
            lists.channel_counts.resize(windows * area, 0);
            for channel in 0..self.channels {
                let place = channel * windows..(channel + 1) * windows;
                let mut first = 0;
                for_each(pooled, place, |_, active, index| {
                    // Written without a branch, kept when it counts: which values have a gradient
                    // cannot be predicted. A list has room for every channel.
                    let list = first + index;
                    let count = &mut lists.channel_counts[list];
                    lists.channels[list * self.channels + usize::from(*count)] = channel as u16;
                    *count += u16::from(active);
                    first += area;
                });
            }
        }
        let Some(bias) = bias else { return };
        let bands = windows.div_ceil(self.band);
        lists
            .entries
            .resize(bands * self.channels * self.band, Entry::default());
        lists.entry_counts.resize(bands * self.channels, 0);
        for (channel, bias) in bias.iter_mut().enumerate() {
            for (band, firsts) in self.firsts.chunks(self.band).enumerate() {
                let place = channel * windows + band * self.band;
                let list = band * self.channels + channel;
                let entries = &mut lists.entries[list * self.band..(list + 1) * self.band];
                let mut firsts = firsts.iter();
                let mut count = 0;
                for_each(
                    pooled,
                    place..place + firsts.len(),
                    |value, active, index| {
                        let start = firsts.next().unwrap_or(&0) + self.offsets[index];
                        entries[count] = Entry { start, value };
                        count += usize::from(active);
                    },
                );
                lists.entry_counts[list] = count as u32;
                *bias += sum_values(&entries[..count]);
            }
        }
    }

    /// Adds the input's gradient to the padded image `dx`. `lists` holds the same image's pixels.
    pub(crate) fn add_data(&self, packed: &[f32], dout: &[f32], lists: &Lists, dx: &mut [f32]) {
        dispatch(AddData {
            gradient: self,
            packed,
            dout,
            lists,
            dx,
        });
    }

    /// Adds the weight's gradient to `sums`, in the order of [`PooledGradient::pack`]. `lists`
    /// holds the entries of the padded image `x`.
    pub(crate) fn add_weights(&self, x: &[f32], lists: &Lists, sums: &mut [f32]) {
        dispatch(AddWeights {
            gradient: self,
            x,
            lists,
            sums,
        });
    }
}

/// The sum of the entries' values, in four parts that do not wait for each other.
fn sum_values(entries: &[Entry]) -> f32 {
    let (fours, rest) = entries.as_chunks::<4>();
    let mut parts = [0.0; 4];
    for four in fours {
        for (part, entry) in parts.iter_mut().zip(four) {
            *part += entry.value;
        }
    }
    let rest: f32 = rest.iter().map(|entry| entry.value).sum();
    parts.iter().sum::<f32>() + rest
}

/// Calls `visit(gradient, whether it counts, place in its window)`.
#[inline(always)]
fn for_each(
    pooled: Pooled<'_>,
    range: std::ops::Range<usize>,
    mut visit: impl FnMut(f32, bool, usize),
) {
    let values = pooled.dout[range.clone()]
        .iter()
        .zip(&pooled.argmax[range.clone()]);
    match pooled.relu {
        Some(out) => {
            for ((&d, &index), &out) in values.zip(&out[range]) {
                // Two comparisons and no branch between them.
                let active = u8::from(out > 0.0) & u8::from(d != 0.0);
                visit(d, active != 0, usize::from(index));
            }
        }
        None => {
            for (&d, &index) in values {
                visit(d, d != 0.0, usize::from(index));
            }
        }
    }
}

/// Calls `$block` with a constant number of vectors for each piece of each run of the window, and
/// `$tail` for what fills no vector. Both get the piece's offset in the window's image and in its
/// weight.
macro_rules! for_each_piece {
    ($runs:expr, $lanes:expr, $block:ident, $tail:ident) => {
        let mut place = 0;
        for run in $runs {
            let mut done = 0;
            while run.len - done >= $lanes {
                let vectors = ((run.len - done) / $lanes).min(BLOCK);
                let (offset, place) = (run.offset + done, place + done);
                match vectors {
                    6 => $block!(6, offset, place),
                    5 => $block!(5, offset, place),
                    4 => $block!(4, offset, place),
                    3 => $block!(3, offset, place),
                    2 => $block!(2, offset, place),
                    _ => $block!(1, offset, place),
                }
                done += vectors * $lanes;
            }
            if done < run.len {
                $tail!(run.offset + done, place + done, run.len - done);
            }
            place += run.len;
        }
    };
}

struct AddData<'a> {
    gradient: &'a PooledGradient,
    packed: &'a [f32],
    dout: &'a [f32],
    lists: &'a Lists,
    dx: &'a mut [f32],
}

impl WithSimd for AddData<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let gradient = self.gradient;
        let lists = gradient.firsts.len() * gradient.offsets.len();
        assert!(
            gradient.packed_len() <= self.packed.len(),
            "pooled gradient: packed"
        );
        assert!(gradient.end <= self.dx.len(), "pooled gradient: dx");
        assert!(gradient.channels * gradient.firsts.len() <= self.dout.len());
        assert!(
            lists == self.lists.channel_counts.len(),
            "pooled gradient: lists"
        );
        macro_rules! block {
            ($vectors:literal, $offset:expr, $place:expr) => {
                // SAFETY: the lengths were checked above; the lists hold channels alone.
                unsafe { self.block::<S, $vectors>(simd, $offset, $place) }
            };
        }
        macro_rules! tail {
            ($offset:expr, $place:expr, $len:expr) => {
                self.tail($offset, $place, $len)
            };
        }
        for_each_piece!(&gradient.runs, S::F32_LANES, block, tail);
    }
}

impl AddData<'_> {
    /// `V` whole vectors of every window.
    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize>(&mut self, simd: S, offset: usize, place: usize) {
        let windows = self.gradient.firsts.len();
        let channels = self.gradient.channels;
        let mut list = 0;
        for (window, &first) in self.gradient.firsts.iter().enumerate() {
            for &pixel in &self.gradient.offsets {
                let count = usize::from(self.lists.channel_counts[list]);
                let reached = &self.lists.channels[list * channels..][..count];
                list += 1;
                if count == 0 {
                    continue;
                }
                // SAFETY: `weights` is followed by the packed weights from `place` on, and
                // `values` by `dout` from `window` on, both for every channel.
                let sums: [S::f32s; V] = unsafe {
                    let weights = self.packed.as_ptr().add(place);
                    let values = self.dout.as_ptr().add(window);
                    let stride = self.gradient.stride();
                    sum_channels(simd, reached, weights, stride, values, windows)
                };
                let start = (first + pixel) as usize + offset;
                // SAFETY: the window ends before `dx` does.
                unsafe { add(simd, self.dx.as_mut_ptr().add(start), sums) };
            }
        }
    }

    fn tail(&mut self, offset: usize, place: usize, len: usize) {
        let windows = self.gradient.firsts.len();
        let channels = self.gradient.channels;
        let mut list = 0;
        for (window, &first) in self.gradient.firsts.iter().enumerate() {
            for &pixel in &self.gradient.offsets {
                let count = usize::from(self.lists.channel_counts[list]);
                let start = (first + pixel) as usize + offset;
                for &channel in &self.lists.channels[list * channels..][..count] {
                    let channel = usize::from(channel);
                    let value = self.dout[channel * windows + window];
                    let weight = channel * self.gradient.stride() + place;
                    let weight = &self.packed[weight..weight + len];
                    for (dx, weight) in self.dx[start..start + len].iter_mut().zip(weight) {
                        *dx += value * weight;
                    }
                }
                list += 1;
            }
        }
    }
}

/// `Σ values[channel · windows] · weights[channel · stride ..]`, two channels at a time.
#[inline(always)]
unsafe fn sum_channels<S: Simd, const V: usize>(
    simd: S,
    reached: &[u16],
    weights: *const f32,
    stride: usize,
    values: *const f32,
    windows: usize,
) -> [S::f32s; V] {
    let mut sums = [simd.splat_f32s(0.0); V];
    let mut others = sums;
    let (pairs, rest) = reached.as_chunks::<2>();
    macro_rules! take {
        ($channel:expr, $sums:ident) => {
            // SAFETY: the caller's: `$channel` is a channel.
            unsafe {
                let channel = usize::from($channel);
                let value = simd.splat_f32s(*values.add(channel * windows));
                let weights = weights.add(channel * stride);
                for v in 0..V {
                    let weights = weights.add(v * S::F32_LANES).cast::<S::f32s>();
                    $sums[v] = simd.mul_add_e_f32s(value, weights.read_unaligned(), $sums[v]);
                }
            }
        };
    }
    for &[one, other] in pairs {
        take!(one, sums);
        take!(other, others);
    }
    for &one in rest {
        take!(one, sums);
    }
    std::array::from_fn(|v| simd.add_f32s(sums[v], others[v]))
}

/// Adds `V` vectors to the memory at `target`.
#[inline(always)]
unsafe fn add<S: Simd, const V: usize>(simd: S, target: *mut f32, sums: [S::f32s; V]) {
    for (v, sum) in sums.into_iter().enumerate() {
        // SAFETY: the caller's: `target` is followed by `V` vectors.
        unsafe {
            let target = target.add(v * S::F32_LANES).cast::<S::f32s>();
            target.write_unaligned(simd.add_f32s(target.read_unaligned(), sum));
        }
    }
}

struct AddWeights<'a> {
    gradient: &'a PooledGradient,
    x: &'a [f32],
    lists: &'a Lists,
    sums: &'a mut [f32],
}

impl WithSimd for AddWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let gradient = self.gradient;
        let lists = gradient.firsts.len().div_ceil(gradient.band) * gradient.channels;
        assert!(
            gradient.packed_len() <= self.sums.len(),
            "pooled gradient: sums"
        );
        assert!(gradient.end <= self.x.len(), "pooled gradient: x");
        assert!(
            lists == self.lists.entry_counts.len(),
            "pooled gradient: lists"
        );
        for (list, &count) in self.lists.entry_counts.iter().enumerate() {
            let entries = &self.lists.entries[list * gradient.band..][..count as usize];
            let sums = &mut self.sums[list % gradient.channels * gradient.stride()..];
            macro_rules! block {
                ($vectors:literal, $offset:expr, $place:expr) => {
                    // SAFETY: every entry's window ends before `x` does, and the sums of a
                    // channel hold the window: checked above.
                    unsafe {
                        let x = self.x.as_ptr().add($offset);
                        let sum: [S::f32s; $vectors] = sum_windows(simd, entries, x);
                        add(simd, sums.as_mut_ptr().add($place), sum);
                    }
                };
            }
            macro_rules! tail {
                ($offset:expr, $place:expr, $len:expr) => {
                    for entry in entries {
                        let x = &self.x[entry.start as usize + $offset..][..$len];
                        for (sum, x) in sums[$place..][..$len].iter_mut().zip(x) {
                            *sum += entry.value * x;
                        }
                    }
                };
            }
            for_each_piece!(&gradient.runs, S::F32_LANES, block, tail);
        }
    }
}

/// `Σ value · x[start ..]`, two entries at a time.
#[inline(always)]
unsafe fn sum_windows<S: Simd, const V: usize>(
    simd: S,
    entries: &[Entry],
    x: *const f32,
) -> [S::f32s; V] {
    let mut sums = [simd.splat_f32s(0.0); V];
    let mut others = sums;
    let (pairs, rest) = entries.as_chunks::<2>();
    macro_rules! take {
        ($entry:expr, $sums:ident) => {
            // SAFETY: the caller's: `V` vectors follow every entry's start.
            unsafe {
                let value = simd.splat_f32s($entry.value);
                let x = x.add($entry.start as usize);
                for v in 0..V {
                    let x = x.add(v * S::F32_LANES).cast::<S::f32s>().read_unaligned();
                    $sums[v] = simd.mul_add_e_f32s(value, x, $sums[v]);
                }
            }
        };
    }
    for [one, other] in pairs {
        take!(one, sums);
        take!(other, others);
    }
    for one in rest {
        take!(one, sums);
    }
    std::array::from_fn(|v| simd.add_f32s(sums[v], others[v]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::conv2d::Conv2dGeometry;
    use crate::kernel::levels::{for_each_level, values};

    fn check(geometry: &Conv2dGeometry, window: [usize; 2], with_relu: bool) {
        let plan = Plan::new(geometry);
        let gradient = PooledGradient::new(&plan, window);
        let [_, width] = geometry.output();
        let windows = gradient.firsts.len();
        let columns = width / window[1];
        let area = window[0] * window[1];
        let channels = geometry.out_channels;
        // Some gradients are exactly zero.
        let mut dout = values(channels * windows, 1);
        dout.iter_mut().step_by(5).for_each(|d| *d = 0.0);
        let out = values(channels * windows, 2);
        let argmax: Vec<u8> = (0..dout.len()).map(|i| (i * 7 % area) as u8).collect();
        let x = values(plan.padded_len(), 3);
        let weight = values(geometry.weight_len(), 4);
        let pooled = Pooled {
            dout: &dout,
            argmax: &argmax,
            relu: with_relu.then_some(&out),
        };
        let mut expected_dx = vec![0.0; x.len()];
        let mut expected_weight = vec![0.0; weight.len()];
        let mut expected_bias = vec![0.0; channels];
        for (place, &d) in dout.iter().enumerate() {
            if with_relu && out[place] <= 0.0 {
                continue;
            }
            let (o, index) = (place / windows, place % windows);
            let place = usize::from(argmax[place]);
            let i = index / columns * window[0] + place / window[1];
            let j = index % columns * window[1] + place % window[1];
            expected_bias[o] += d;
            let mut t = 0;
            for run in plan.window() {
                for at in 0..run.len {
                    let input = plan.starts()[i * width + j] + run.offset + at;
                    let place = plan.weight_place(o, t);
                    expected_dx[input] += d * weight[place];
                    expected_weight[place] += d * x[input];
                    t += 1;
                }
            }
        }
        let close = |name: &str, found: &[f32], expected: &[f32]| {
            for (found, expected) in found.iter().zip(expected) {
                let near = (found - expected).abs() < 1e-4;
                assert!(near, "{name}: {found} and {expected} of {geometry:?}");
            }
        };
        let mut packed = vec![0.0; gradient.packed_len()];
        gradient.pack(&plan, &weight, &mut packed);
        let mut lists = Lists::default();
        let mut bias = vec![0.0; channels];
        gradient.collect(pooled, true, Some(&mut bias), &mut lists);
        close("bias", &bias, &expected_bias);
        for_each_level!(|level| {
            let mut dx = vec![0.0; x.len()];
            Simd::vectorize(
                level,
                AddData {
                    gradient: &gradient,
                    packed: &packed,
                    dout: &dout,
                    lists: &lists,
                    dx: &mut dx,
                },
            );
            close("dx", &dx, &expected_dx);
            let mut sums = vec![0.0; gradient.packed_len()];
            Simd::vectorize(
                level,
                AddWeights {
                    gradient: &gradient,
                    x: &x,
                    lists: &lists,
                    sums: &mut sums,
                },
            );
            let mut found = vec![0.0; weight.len()];
            gradient.unpack(&plan, &sums, &mut found);
            close("weight", &found, &expected_weight);
        });
    }

    #[test]
    fn agrees_with_its_definition_on_every_instruction_set() {
        for (channels, outputs) in [(1, 4), (3, 5), (16, 8), (32, 3), (40, 6)] {
            let image = Conv2dGeometry::image(channels, outputs, [11, 12], 3);
            for relu in [true, false] {
                check(&image, [2, 2], relu);
                check(&image.padded(1).strided(2), [3, 2], relu);
                check(&image.dilated(2), [2, 2], relu);
            }
            let series = Conv2dGeometry::series(channels, outputs, 31, 5);
            check(&series, [1, 2], true);
        }
        // More rows than a band holds.
        check(&Conv2dGeometry::image(64, 2, [30, 30], 3), [2, 2], true);
    }
}
