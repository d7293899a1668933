//! Depthwise convolution: every output channel sees one input channel.
//!
//! `out[i, o] = bias[o] + Σ_u weight[o, u] · x[i · stride + u · dilation − padding, o / multiplier]`
//! along both axes, in vectors over the channels.

#![allow(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables its instruction set"
)]

use super::buffer::{Buffer, with_scratch};
use super::conv2d::{Conv2dGeometry, IMAGES_A_SUM, WeightGradient, add_rows};
use super::dispatch::dispatch;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// The plan of a depthwise convolution over channels-last batches.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseConvolution {
    geometry: Conv2dGeometry,
    /// Output channels that see one input channel.
    multiplier: usize,
    /// For each output position, the taps that lie on the input: `[tap, input position]`.
    links: Vec<Vec<[usize; 2]>>,
}

/// What a forward pass keeps.
#[derive(Debug, Default)]
pub(crate) struct DepthwiseState {
    /// `[taps, out channels]`.
    weight: Buffer,
}

impl DepthwiseConvolution {
    /// `geometry` has all channels; its output channels are a multiple of the input's.
    pub(crate) fn new(geometry: &Conv2dGeometry) -> Self {
        let g = *geometry;
        let [rows, columns] = g.output();
        let along = |axis: usize, output: usize, tap: usize| {
            let place = output * g.stride[axis] + tap * g.dilation[axis];
            let place = place.checked_sub(g.padding_before[axis])?;
            (place < g.input[axis]).then_some(place)
        };
        let links = (0..rows * columns).map(|output| {
            let taps = 0..g.kernel[0] * g.kernel[1];
            let link = |tap: usize| {
                let row = along(0, output / columns, tap / g.kernel[1])?;
                let column = along(1, output % columns, tap % g.kernel[1])?;
                Some([tap, row * g.input[1] + column])
            };
            taps.filter_map(link).collect()
        });
        Self {
            geometry: g,
            multiplier: g.out_channels / g.in_channels,
            links: links.collect(),
        }
    }

    /// Values of one output.
    pub(crate) fn output_len(&self) -> usize {
        self.geometry.output_len()
    }

    fn taps(&self) -> usize {
        self.geometry.kernel[0] * self.geometry.kernel[1]
    }

    /// Values of a sample whose input channels are repeated for each of their output channels.
    fn wide_len(&self) -> usize {
        self.geometry.input[0] * self.geometry.input[1] * self.geometry.out_channels
    }

    /// Computes the batch `x` into `out`; `weight` is `[out, 1, kernel]`.
    pub(crate) fn forward(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        x: &[f32],
        out: &mut [f32],
        state: &mut DepthwiseState,
    ) {
        let channels = self.geometry.out_channels;
        self.pack(weight, state.weight.resize(weight.len()));
        let weight = &*state.weight;
        out.par_chunks_exact_mut(self.output_len())
            .zip(x.par_chunks_exact(self.geometry.input_len()))
            .for_each(|(out, x)| {
                match bias {
                    Some(bias) => {
                        for row in out.chunks_exact_mut(channels) {
                            row.copy_from_slice(bias);
                        }
                    }
                    None => out.fill(0.0),
                }
                self.with_wide(x, |x| {
                    dispatch(Forward {
                        plan: self,
                        weight,
                        x,
                        out,
                    });
                });
            });
    }

    /// Pulls `dout` back. Overwrites `dx`, adds to `gradient`.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        dout: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<WeightGradient<'_>>,
        state: &DepthwiseState,
    ) {
        let channels = self.geometry.out_channels;
        let (input_len, output_len) = (self.geometry.input_len(), self.output_len());
        let weight = &*state.weight;
        if let Some(dx) = dx {
            dx.par_chunks_exact_mut(input_len)
                .zip(dout.par_chunks_exact(output_len))
                .for_each(|(dx, dout)| {
                    with_scratch([self.wide_len()], |[wide]| {
                        wide.fill(0.0);
                        dispatch(InputGradient {
                            plan: self,
                            weight,
                            dout,
                            dx: wide,
                        });
                        for (dx, wide) in dx.iter_mut().zip(wide.chunks_exact(self.multiplier)) {
                            *dx = wide.iter().sum();
                        }
                    });
                });
        }
        let Some(gradient) = gradient else { return };
        let taps = self.taps();
        let chunks = x.par_chunks(IMAGES_A_SUM * input_len);
        let chunks = chunks.zip(dout.par_chunks(IMAGES_A_SUM * output_len));
        let sums: Vec<[Vec<f32>; 2]> = chunks
            .map(|(x, dout)| {
                let mut sums = [vec![0.0; taps * channels], vec![0.0; channels]];
                let samples = x.chunks_exact(input_len).zip(dout.chunks_exact(output_len));
                for (x, dout) in samples {
                    self.with_wide(x, |x| {
                        dispatch(OfWeight {
                            plan: self,
                            x,
                            dout,
                            gradient: &mut sums[0],
                        });
                    });
                    add_rows(dout, &mut sums[1]);
                }
                sums
            })
            .collect();
        for [weight, _] in &sums {
            for (tap, row) in weight.chunks_exact(channels).enumerate() {
                for (channel, value) in row.iter().enumerate() {
                    gradient.weight[channel * taps + tap] += value;
                }
            }
        }
        if let Some(target) = gradient.bias {
            for [_, bias] in &sums {
                add_rows(bias, target);
            }
        }
    }

    /// Calls `work` with a sample whose input channels are repeated for their output channels.
    fn with_wide(&self, x: &[f32], work: impl FnOnce(&[f32])) {
        if self.multiplier == 1 {
            return work(x);
        }
        with_scratch([self.wide_len()], |[wide]| {
            for (wide, x) in wide.chunks_exact_mut(self.multiplier).zip(x) {
                wide.fill(*x);
            }
            work(wide);
        });
    }

    /// `[out, taps]` to `[taps, out]`.
    fn pack(&self, weight: &[f32], packed: &mut [f32]) {
        let channels = self.geometry.out_channels;
        for (channel, taps) in weight.chunks_exact(self.taps()).enumerate() {
            for (tap, value) in taps.iter().enumerate() {
                packed[tap * channels + channel] = *value;
            }
        }
    }

    /// Calls `visit` with the starts of an output's, a tap's and an input's row of channels.
    #[inline(always)]
    fn each_link(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let channels = self.geometry.out_channels;
        for (output, links) in self.links.iter().enumerate() {
            for &[tap, input] in links {
                visit(output * channels, tap * channels, input * channels);
            }
        }
    }
}

/// `sum += a · b`, value by value.
#[inline(always)]
fn add_products(a: &[f32], b: &[f32], sum: &mut [f32]) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum += a * b;
    }
}

struct Forward<'a> {
    plan: &'a DepthwiseConvolution,
    weight: &'a [f32],
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.plan.geometry.out_channels;
        self.plan.each_link(|output, tap, input| {
            let (weight, x) = (
                &self.weight[tap..][..channels],
                &self.x[input..][..channels],
            );
            add_products(weight, x, &mut self.out[output..][..channels]);
        });
    }
}

struct InputGradient<'a> {
    plan: &'a DepthwiseConvolution,
    weight: &'a [f32],
    dout: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.plan.geometry.out_channels;
        self.plan.each_link(|output, tap, input| {
            let dout = &self.dout[output..][..channels];
            let weight = &self.weight[tap..][..channels];
            add_products(weight, dout, &mut self.dx[input..][..channels]);
        });
    }
}

struct OfWeight<'a> {
    plan: &'a DepthwiseConvolution,
    x: &'a [f32],
    dout: &'a [f32],
    gradient: &'a mut [f32],
}

impl WithSimd for OfWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.plan.geometry.out_channels;
        self.plan.each_link(|output, tap, input| {
            let (x, dout) = (
                &self.x[input..][..channels],
                &self.dout[output..][..channels],
            );
            add_products(x, dout, &mut self.gradient[tap..][..channels]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::on_every_instruction_set;
    use super::super::grouped::{GroupedConvolution, GroupedState};
    use super::super::levels::values;
    use super::super::oracle::assert_close;
    use super::*;

    /// Largest difference from the definition, as a share of the largest magnitude.
    const TOLERANCE: f64 = 2e-6;
    const BATCH: usize = 11;

    /// Output, gradients of x, weight and bias in `f64`.
    fn definition(
        g: &Conv2dGeometry,
        groups: usize,
        [weight, bias, x, dout]: [&[f32]; 4],
    ) -> [Vec<f64>; 4] {
        let [rows, columns] = g.output();
        let [inputs, outputs] = [g.in_channels / groups, g.out_channels / groups];
        let mut found = [
            vec![0.0; dout.len()],
            vec![0.0; x.len()],
            vec![0.0; weight.len()],
            vec![0.0; bias.len()],
        ];
        for (place, d) in dout.iter().enumerate() {
            let (o, pixel) = (place % g.out_channels, place / g.out_channels);
            let (sample, pixel) = (pixel / (rows * columns), pixel % (rows * columns));
            found[0][place] += f64::from(bias[o]);
            found[3][o] += f64::from(*d);
            for u in 0..g.kernel[0] {
                for v in 0..g.kernel[1] {
                    let row = pixel / columns * g.stride[0] + u * g.dilation[0];
                    let column = pixel % columns * g.stride[1] + v * g.dilation[1];
                    let [Some(row), Some(column)] = [
                        row.checked_sub(g.padding_before[0]),
                        column.checked_sub(g.padding_before[1]),
                    ] else {
                        continue;
                    };
                    if row >= g.input[0] || column >= g.input[1] {
                        continue;
                    }
                    for c in 0..inputs {
                        let at = ((sample * g.input[0] + row) * g.input[1] + column)
                            * g.in_channels
                            + o / outputs * inputs
                            + c;
                        let w = ((o * inputs + c) * g.kernel[0] + u) * g.kernel[1] + v;
                        found[0][place] += f64::from(weight[w]) * f64::from(x[at]);
                        found[1][at] += f64::from(weight[w]) * f64::from(*d);
                        found[2][w] += f64::from(x[at]) * f64::from(*d);
                    }
                }
            }
        }
        found
    }

    /// Groups, input channels, output channels, and what is around them.
    fn cases() -> Vec<(usize, Conv2dGeometry)> {
        let image = |inputs, outputs| Conv2dGeometry::image(inputs, outputs, [7, 6], 3);
        let series = |inputs, outputs| Conv2dGeometry::series(inputs, outputs, 13, 4);
        vec![
            (3, image(3, 3).padded(1)),
            (17, series(17, 17).causal()),
            (4, image(4, 12).strided(2).padded(2)),
            (5, series(5, 10).dilated(3).padded(1)),
            (2, image(6, 4).padded(1).dilated(2)),
            (3, series(9, 6).strided(3)),
        ]
    }

    #[test]
    fn both_agree_with_the_definition_on_every_instruction_set() {
        on_every_instruction_set(|arch| {
            for (groups, g) in cases() {
                let name = format!("{arch:?} {groups} {g:?}");
                let weight = values(g.weight_len() / groups, 1);
                let bias = values(g.out_channels, 2);
                let x = values(BATCH * g.input_len(), 3);
                let dout = values(BATCH * g.output_len(), 4);
                let expected = definition(&g, groups, [&weight, &bias, &x, &dout]);
                let mut found = [
                    vec![f32::NAN; dout.len()],
                    vec![f32::NAN; x.len()],
                    vec![1.0; weight.len()],
                    vec![1.0; bias.len()],
                ];
                let run = |depthwise: bool, [out, dx, dweight, dbias]: &mut [Vec<f32>; 4]| {
                    let gradient = WeightGradient {
                        weight: dweight,
                        bias: Some(dbias),
                    };
                    if depthwise {
                        let plan = DepthwiseConvolution::new(&g);
                        let mut state = DepthwiseState::default();
                        plan.forward(&weight, Some(&bias), &x, out, &mut state);
                        plan.backward(&x, &dout, Some(dx), Some(gradient), &state);
                    } else {
                        let plan = GroupedConvolution::new(&g, groups);
                        let mut state = GroupedState::default();
                        plan.forward(&weight, Some(&bias), &x, out, &mut state);
                        plan.backward(&weight, &x, &dout, Some(dx), Some(gradient), &mut state);
                    }
                };
                for depthwise in [true, false] {
                    if depthwise && groups != g.in_channels {
                        continue;
                    }
                    run(depthwise, &mut found);
                    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let start = if index < 2 { 0.0 } else { 1.0 };
                        let name = format!("{name} {depthwise} {index}");
                        assert_close(&name, found, start, expected, TOLERANCE);
                    }
                    found[2].fill(1.0);
                    found[3].fill(1.0);
                }
            }
        });
    }
}
