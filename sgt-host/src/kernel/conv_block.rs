//! A convolution with its bias, ReLU and max pooling, fused, over a batch in channels-last order.
//!
//! Forward, an image's output is pooled band by band while it is in the innermost cache, and what
//! lies in front of the pooling is never stored. Backward, only one value of each window has a
//! gradient, and none where ReLU is flat: both gradients are summed over those few values.

#![allow(clippy::inline_always)] // Kernels must be inlined into the function that enables AVX.

use super::buffer::{Buffer, with_scratch};
use super::conv2d::{Conv2dGeometry, DataGradient, IMAGES_A_SUM, Plan, WeightGradient, add_rows};
use super::dispatch::dispatch;
use super::layout::transpose;
use super::pool::Maximum;
use super::pooled_gradient::{Lists, Pooled, PooledGradient};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// The order of a block's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputOrder {
    /// `[height, width, channels]`: for another convolution.
    ChannelsLast,
    /// `[channels, height, width]`: for a fully connected layer with PyTorch's weights.
    ChannelsFirst,
}

/// The plan of a block.
#[derive(Clone, Debug)]
pub(crate) struct ConvBlock {
    plan: Plan,
    data: DataGradient,
    relu: bool,
    /// `[height, width]` of the windows of max pooling, side by side.
    window: [usize; 2],
    order: OutputOrder,
    /// With pooling, in the place of `data`.
    pooled: Option<PooledGradient>,
}

/// What a backward pass reads, of a batch or of one image.
#[derive(Clone, Copy)]
pub(crate) struct Activations<'a> {
    /// The input.
    pub(crate) x: &'a [f32],
    /// What [`ConvBlock::forward`] wrote.
    pub(crate) out: &'a [f32],
    /// The gradient with respect to `out`.
    pub(crate) dout: &'a [f32],
}

/// What a forward pass leaves behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConvBlockState {
    packed: Buffer,
    packed_data: Buffer,
    /// The place in its window of each pooled value; empty without pooling.
    argmax: Vec<u8>,
}

impl ConvBlock {
    pub(crate) fn new(
        geometry: &Conv2dGeometry,
        relu: bool,
        window: [usize; 2],
        order: OutputOrder,
    ) -> Self {
        let plan = Plan::new(geometry);
        let pooled = (window != [1, 1]).then(|| PooledGradient::new(&plan, window));
        Self {
            pooled,
            data: DataGradient::new(&plan),
            plan,
            relu,
            window,
            order,
        }
    }

    fn is_pooled(&self) -> bool {
        self.window != [1, 1]
    }

    /// `[height, width]` of the output.
    pub(crate) fn output(&self) -> [usize; 2] {
        let [height, width] = self.plan.geometry().output();
        [height / self.window[0], width / self.window[1]]
    }

    /// Values of one output.
    pub(crate) fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.plan.geometry().out_channels * height * width
    }

    /// Values of one input.
    pub(crate) fn input_len(&self) -> usize {
        self.plan.geometry().input_len()
    }

    /// Computes the batch `x` (channels-last) into `out`.
    pub(crate) fn forward(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        x: &[f32],
        out: &mut [f32],
        state: &mut ConvBlockState,
    ) {
        self.plan
            .pack(weight, state.packed.resize(self.plan.packed_len()));
        let len = self.output_len();
        let argmax_len = if self.is_pooled() { out.len() } else { 0 };
        state.argmax.resize(argmax_len, 0);
        let packed = &state.packed;
        let images = out
            .par_chunks_exact_mut(len)
            .zip(x.par_chunks_exact(self.input_len()));
        if self.is_pooled() {
            let argmax = state.argmax.par_chunks_exact_mut(len);
            images.zip(argmax).for_each(|((out, x), argmax)| {
                self.with_padded(x, |x| self.pooled(packed, bias, x, out, argmax));
            });
        } else {
            images.for_each(|(out, x)| {
                self.with_padded(x, |x| self.unpooled(packed, bias, x, out));
            });
        }
    }

    /// Calls `work` with the padded image.
    fn with_padded<R>(&self, x: &[f32], work: impl FnOnce(&[f32]) -> R) -> R {
        if self.plan.is_unpadded() {
            return work(x);
        }
        with_scratch([self.plan.padded_len()], |[padded]| {
            self.plan.pad(x, padded);
            work(padded)
        })
    }

    fn unpooled(&self, packed: &[f32], bias: Option<&[f32]>, x: &[f32], out: &mut [f32]) {
        let pixels = self.plan.pixels();
        match self.order {
            OutputOrder::ChannelsLast => {
                self.plan
                    .forward(packed, bias, self.relu, x, 0..pixels, out);
            }
            OutputOrder::ChannelsFirst => with_scratch([out.len()], |[last]| {
                self.plan
                    .forward(packed, bias, self.relu, x, 0..pixels, last);
                transpose(pixels, self.plan.geometry().out_channels, last, out);
            }),
        }
    }

    fn pooled(
        &self,
        packed: &[f32],
        bias: Option<&[f32]>,
        x: &[f32],
        out: &mut [f32],
        argmax: &mut [u8],
    ) {
        let channels = self.plan.geometry().out_channels;
        let [_, width] = self.plan.geometry().output();
        let [rows, columns] = self.output();
        let band = self.window[0] * width;
        with_scratch(
            [band * channels, out.len(), out.len()],
            |[values, last, indices]| {
                // SAFETY: `indices` is memory of `len · 4` bytes, more than the `len` of the slice.
                let indices: &mut [u8] = unsafe {
                    std::slice::from_raw_parts_mut(indices.as_mut_ptr().cast(), out.len())
                };
                let row_len = columns * channels;
                for row in 0..rows {
                    let pixels = row * band..(row + 1) * band;
                    self.plan.forward(packed, bias, false, x, pixels, values);
                    let place = row * row_len..(row + 1) * row_len;
                    dispatch(PoolBand {
                        x: values,
                        width,
                        window: self.window,
                        channels,
                        relu: self.relu,
                        out: &mut last[place.clone()],
                        argmax: &mut indices[place],
                    });
                }
                match self.order {
                    OutputOrder::ChannelsLast => {
                        out.copy_from_slice(last);
                        argmax.copy_from_slice(indices);
                    }
                    OutputOrder::ChannelsFirst => {
                        transpose(rows * columns, channels, last, out);
                        transpose(rows * columns, channels, indices, argmax);
                    }
                }
            },
        );
    }

    /// Pulls `dout` back. Overwrites `dx`, adds to `gradient`.
    pub(crate) fn backward(
        &self,
        weight: &[f32],
        Activations { x, out, dout }: Activations<'_>,
        dx: Option<&mut [f32]>,
        gradient: Option<WeightGradient<'_>>,
        state: &mut ConvBlockState,
    ) {
        let chunk = IMAGES_A_SUM;
        let (input_len, output_len) = (self.input_len(), self.output_len());
        let ConvBlockState {
            packed_data,
            argmax,
            ..
        } = state;
        if let Some(pooled) = &self.pooled {
            pooled.pack(&self.plan, weight, packed_data.resize(pooled.packed_len()));
        } else if dx.is_some() {
            self.data
                .pack(weight, packed_data.resize(self.data.packed_len()));
        }
        let (packed_data, argmax) = (&*packed_data, &*argmax);
        let dx: Vec<Option<&mut [f32]>> = match dx {
            Some(dx) => dx.chunks_mut(chunk * input_len).map(Some).collect(),
            None => (0..x.len().div_ceil(chunk * input_len))
                .map(|_| None)
                .collect(),
        };
        let wanted = gradient.is_some();
        let channels = self.plan.geometry().out_channels;
        let sums: Vec<Sums> = dx
            .into_par_iter()
            .enumerate()
            .map_init(Lists::default, |lists, (index, mut dx)| {
                let mut sums = Sums::default();
                if wanted {
                    let unpooled = self.plan.depth() * channels;
                    let pooled = self.pooled.as_ref();
                    let len = pooled.map_or(unpooled, PooledGradient::packed_len);
                    sums.weight.resize(len).fill(0.0);
                    sums.bias.resize(channels, 0.0);
                }
                let images = index * chunk..((index + 1) * chunk).min(x.len() / input_len);
                for (place, image) in images.enumerate() {
                    let outputs = image * output_len..(image + 1) * output_len;
                    let x = &x[image * input_len..(image + 1) * input_len];
                    let (out, dout) = (&out[outputs.clone()], &dout[outputs.clone()]);
                    let dx = dx
                        .as_mut()
                        .map(|dx| &mut dx[place * input_len..][..input_len]);
                    let sums = wanted.then_some(&mut sums);
                    let image = Activations { x, out, dout };
                    if let Some(pooled) = &self.pooled {
                        let argmax = &argmax[outputs];
                        self.with_channels_first(image, argmax, |image, argmax| {
                            let image = PooledImage { image, argmax };
                            self.backward_pooled(pooled, packed_data, image, dx, sums, lists);
                        });
                    } else {
                        self.backward_unpooled(packed_data, image, dx, sums);
                    }
                }
                sums
            })
            .collect();
        let Some(gradient) = gradient else { return };
        for sums in &sums {
            if let Some(pooled) = &self.pooled {
                pooled.unpack(&self.plan, &sums.weight, gradient.weight);
            } else {
                self.plan.unpack_gradient(&sums.weight, gradient.weight);
            }
        }
        if let Some(bias) = gradient.bias {
            for sums in &sums {
                add_rows(&sums.bias, bias);
            }
        }
    }

    fn backward_unpooled(
        &self,
        packed: &[f32],
        Activations { x, out, dout }: Activations<'_>,
        dx: Option<&mut [f32]>,
        sums: Option<&mut Sums>,
    ) {
        let channels = self.plan.geometry().out_channels;
        let pixels = self.plan.pixels();
        let first = self.order == OutputOrder::ChannelsFirst;
        let len = dout.len();
        let lens = [if self.relu { len } else { 0 }, if first { len } else { 0 }];
        with_scratch(lens, |[flat, last]| {
            let mut dout = dout;
            if self.relu {
                mask_flat(out, dout, flat);
                dout = flat;
            }
            if first {
                transpose(channels, pixels, dout, last);
                dout = last;
            }
            if let Some(dx) = dx {
                self.data.backward(packed, dout, dx);
            }
            if let Some(sums) = sums {
                self.with_padded(x, |x| {
                    self.plan.add_weight_gradient(x, dout, &mut sums.weight);
                });
                add_rows(dout, &mut sums.bias);
            }
        });
    }

    /// Calls `work` with one image's pooled activations in channels-first order.
    fn with_channels_first(
        &self,
        Activations { x, out, dout }: Activations<'_>,
        argmax: &[u8],
        work: impl FnOnce(Activations<'_>, &[u8]),
    ) {
        if self.order == OutputOrder::ChannelsFirst {
            return work(Activations { x, out, dout }, argmax);
        }
        let [rows, columns] = self.output();
        let windows = rows * columns;
        let channels = self.plan.geometry().out_channels;
        with_scratch([out.len(), out.len()], |[first_out, first_dout]| {
            let mut first_argmax = vec![0; out.len()];
            transpose(windows, channels, out, first_out);
            transpose(windows, channels, dout, first_dout);
            transpose(windows, channels, argmax, &mut first_argmax);
            let image = Activations {
                x,
                out: first_out,
                dout: first_dout,
            };
            work(image, &first_argmax);
        });
    }

    /// One image's share of both gradients; `out`, `dout` and `argmax` are channels-first.
    fn backward_pooled(
        &self,
        pooled: &PooledGradient,
        packed: &[f32],
        PooledImage { image, argmax }: PooledImage<'_>,
        dx: Option<&mut [f32]>,
        mut sums: Option<&mut Sums>,
        lists: &mut Lists,
    ) {
        let Activations { x, out, dout } = image;
        let gradient = Pooled {
            dout,
            argmax,
            relu: self.relu.then_some(out),
        };
        let bias = sums.as_mut().map(|sums| sums.bias.as_mut_slice());
        pooled.collect(gradient, dx.is_some(), bias, lists);
        match dx {
            Some(dx) if self.plan.is_unpadded() => {
                dx.fill(0.0);
                pooled.add_data(packed, dout, lists, dx);
            }
            Some(dx) => with_scratch([self.plan.padded_len()], |[padded]| {
                padded.fill(0.0);
                pooled.add_data(packed, dout, lists, padded);
                self.plan.unpad(padded, dx);
            }),
            None => {}
        }
        if let Some(sums) = sums {
            self.with_padded(x, |x| pooled.add_weights(x, lists, &mut sums.weight));
        }
    }
}

/// One image's activations behind max pooling.
#[derive(Clone, Copy)]
struct PooledImage<'a> {
    image: Activations<'a>,
    argmax: &'a [u8],
}

/// The weight gradients of a chunk of images.
#[derive(Default)]
struct Sums {
    weight: Buffer,
    bias: Vec<f32>,
}

/// `flat = dout` where `out > 0`, and 0 elsewhere.
fn mask_flat(out: &[f32], dout: &[f32], flat: &mut [f32]) {
    for ((flat, &out), &d) in flat.iter_mut().zip(out).zip(dout) {
        *flat = if out > 0.0 { d } else { 0.0 };
    }
}

/// One row of windows of max pooling, channels-last.
struct PoolBand<'a> {
    /// `[window height, width, channels]`.
    x: &'a [f32],
    width: usize,
    window: [usize; 2],
    channels: usize,
    relu: bool,
    /// `[windows, channels]`.
    out: &'a mut [f32],
    argmax: &'a mut [u8],
}

impl WithSimd for PoolBand<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.channels;
        let windows = self
            .out
            .chunks_exact_mut(channels)
            .zip(self.argmax.chunks_exact_mut(channels));
        for (column, (out, argmax)) in windows.enumerate() {
            let mut maximum = Maximum::new(&mut *out, argmax);
            for u in 0..self.window[0] {
                for v in 0..self.window[1] {
                    let start = (u * self.width + column * self.window[1] + v) * channels;
                    let index = (u * self.window[1] + v) as u8;
                    maximum.take(index, &self.x[start..start + channels]);
                }
            }
            if self.relu {
                for out in out {
                    *out = if *out < 0.0 { 0.0 } else { *out };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::conv2d::oracle::Truth;
    use crate::kernel::dispatch::on_every_instruction_set;
    use crate::kernel::levels::values;
    use crate::kernel::oracle::{TOLERANCE, assert_close, bits};

    const BATCH: usize = 10;

    struct Case {
        geometry: Conv2dGeometry,
        relu: bool,
        window: [usize; 2],
        order: OutputOrder,
        weight: Vec<f32>,
        bias: Vec<f32>,
        x: Vec<f32>,
        dout: Vec<f32>,
    }

    impl Case {
        fn block(&self) -> ConvBlock {
            ConvBlock::new(&self.geometry, self.relu, self.window, self.order)
        }

        /// Output, input gradient, weight gradient and bias gradient, the latter added to ones.
        fn run(&self) -> [Vec<f32>; 4] {
            let block = self.block();
            let mut state = ConvBlockState::default();
            let mut out = vec![f32::NAN; self.dout.len()];
            block.forward(
                &self.weight,
                Some(&self.bias),
                &self.x,
                &mut out,
                &mut state,
            );
            let activations = Activations {
                x: &self.x,
                out: &out,
                dout: &self.dout,
            };
            let mut dx = vec![f32::NAN; self.x.len()];
            let (mut weight, mut bias) = (vec![1.0; self.weight.len()], vec![1.0; self.bias.len()]);
            let gradient = WeightGradient {
                weight: &mut weight,
                bias: Some(&mut bias),
            };
            let target = Some(dx.as_mut_slice());
            block.backward(
                &self.weight,
                activations,
                target,
                Some(gradient),
                &mut state,
            );
            let mut alone = vec![f32::NAN; dx.len()];
            block.backward(
                &self.weight,
                activations,
                Some(&mut alone),
                None,
                &mut state,
            );
            assert_eq!(
                bits(&alone),
                bits(&dx),
                "input-only mode of {:?}",
                self.geometry
            );
            [out, dx, weight, bias]
        }

        /// The same, from the definitions: convolution, maximum of each window, `ReLU`.
        fn truth(&self) -> [Vec<f64>; 4] {
            let g = &self.geometry;
            let channels = g.out_channels;
            let truth = |dout: &[f32]| Truth::new(g, 1, [&self.weight, &self.bias, &self.x, dout]);
            let before = truth(&vec![0.0; BATCH * g.output_len()]).out;
            let [_, width] = g.output();
            let [rows, columns] = self.block().output();
            let mut out = vec![0.0; self.dout.len()];
            let mut d_before = vec![0.0; before.len()];
            for sample in 0..BATCH {
                for place in 0..rows * columns * channels {
                    let (window, channel) = (place / channels, place % channels);
                    let pixels = (0..self.window[0] * self.window[1]).map(|tap| {
                        let i = window / columns * self.window[0] + tap / self.window[1];
                        let j = window % columns * self.window[1] + tap % self.window[1];
                        sample * g.output_len() + (i * width + j) * channels + channel
                    });
                    let best =
                        pixels.reduce(|best, at| if before[at] > before[best] { at } else { best });
                    let best = best.unwrap();
                    let place = sample * rows * columns * channels
                        + match self.order {
                            OutputOrder::ChannelsLast => place,
                            OutputOrder::ChannelsFirst => channel * rows * columns + window,
                        };
                    let is_flat = self.relu && before[best] <= 0.0;
                    out[place] = if is_flat { 0.0 } else { before[best] };
                    d_before[best] = if is_flat { 0.0 } else { self.dout[place] };
                }
            }
            let Truth {
                dx, weight, bias, ..
            } = truth(&d_before);
            [out, dx, weight, bias]
        }
    }

    fn cases() -> Vec<Case> {
        let mut cases = Vec::new();
        for (inputs, outputs) in [(1, 4), (3, 5), (16, 8), (5, 33)] {
            let image = Conv2dGeometry::image(inputs, outputs, [9, 8], 3);
            let series = Conv2dGeometry::series(inputs, outputs, 15, 5);
            for (geometry, window) in [
                (image, [1, 1]),
                (image.padded(1), [2, 2]),
                (image.padded(1).strided(2), [2, 1]),
                (series.padded(2), [1, 3]),
                (series.dilated(2).causal(), [1, 1]),
            ] {
                for relu in [true, false] {
                    for order in [OutputOrder::ChannelsLast, OutputOrder::ChannelsFirst] {
                        let block = ConvBlock::new(&geometry, relu, window, order);
                        cases.push(Case {
                            weight: values(geometry.weight_len(), 2),
                            bias: values(geometry.out_channels, 3),
                            x: values(BATCH * geometry.input_len(), 1),
                            dout: values(BATCH * block.output_len(), 4),
                            geometry,
                            relu,
                            window,
                            order,
                        });
                    }
                }
            }
        }
        cases
    }

    #[test]
    fn agrees_with_the_definitions_on_every_instruction_set() {
        let cases: Vec<_> = cases()
            .into_iter()
            .map(|case| (case.truth(), case))
            .collect();
        on_every_instruction_set(|arch| {
            for (truth, case) in &cases {
                let Case {
                    geometry,
                    relu,
                    window,
                    order,
                    ..
                } = case;
                let name = format!("{arch:?}, {geometry:?}, ReLU {relu}, {window:?}, {order:?}");
                let found = case.run();
                for (start, (found, truth)) in
                    [0.0, 0.0, 1.0, 1.0].iter().zip(found.iter().zip(truth))
                {
                    assert_close(&name, found, *start, truth, TOLERANCE);
                }
            }
        });
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let results = cases().into_iter().step_by(3).map(|case| case.run());
                results
                    .map(|all| all.map(|values| bits(&values)))
                    .collect::<Vec<_>>()
            })
        };
        let one = on(1);
        assert!(one == on(2) && one == on(3));
    }
}
