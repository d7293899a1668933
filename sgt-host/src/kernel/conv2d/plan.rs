//! A convolution of one image in channels-last order, planned once for a geometry.
//!
//! With pixels outermost and channels innermost, an output pixel is one row of a [`Product`]
//! over the window's values, which are a few runs of consecutive memory.

use super::Conv2dGeometry;
use crate::kernel::buffer::{LINE, with_scratch};
use crate::kernel::product::{Layout, Product, Run, Start, pack_panels, panels_len};

/// The forward pass and the weight gradient of one geometry.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    geometry: Conv2dGeometry,
    /// Where each output pixel's window starts in the padded image.
    pixels: Vec<usize>,
    /// The runs of a window, relative to its start.
    window: Vec<Run>,
    /// Where each value of a window lies relative to its start, in `(u, v, channel)` order.
    taps: Vec<usize>,
    /// The windows' starts again, one run for each output row.
    rows: Vec<Run>,
}

impl Plan {
    pub(crate) fn new(geometry: &Conv2dGeometry) -> Self {
        let g = *geometry;
        let [_, width] = g.padded_input();
        let [out_rows, out_columns] = g.output();
        let row_start = |i: usize| i * g.stride[0] * width * g.in_channels;
        let pixel_step = g.stride[1] * g.in_channels;
        let starts = |i: usize| (0..out_columns).map(move |j| row_start(i) + j * pixel_step);
        let tap =
            |u: usize, v: usize| (u * g.dilation[0] * width + v * g.dilation[1]) * g.in_channels;
        let positions =
            || (0..g.kernel[0]).flat_map(move |u| (0..g.kernel[1]).map(move |v| (u, v)));
        let window = if g.dilation[1] == 1 {
            let len = g.kernel[1] * g.in_channels;
            let runs = (0..g.kernel[0]).map(|u| Run {
                offset: tap(u, 0),
                len,
            });
            runs.collect()
        } else {
            let len = g.in_channels;
            let runs = positions().map(|(u, v)| Run {
                offset: tap(u, v),
                len,
            });
            runs.collect()
        };
        Self {
            geometry: g,
            pixels: (0..out_rows).flat_map(starts).collect(),
            window,
            taps: positions()
                .flat_map(|(u, v)| (0..g.in_channels).map(move |c| tap(u, v) + c))
                .collect(),
            rows: (0..out_rows)
                .map(|i| Run {
                    offset: row_start(i),
                    len: out_columns,
                })
                .collect(),
        }
    }

    pub(crate) fn geometry(&self) -> &Conv2dGeometry {
        &self.geometry
    }

    /// The runs of a window, relative to its start.
    pub(crate) fn window(&self) -> &[Run] {
        &self.window
    }

    /// Where each output pixel's window starts in the padded image.
    pub(crate) fn starts(&self) -> &[usize] {
        &self.pixels
    }

    /// Values in a window.
    pub(crate) fn depth(&self) -> usize {
        self.taps.len()
    }

    /// Output pixels.
    pub(crate) fn pixels(&self) -> usize {
        self.pixels.len()
    }

    /// Values of the padded image; equal to the input's where there is no padding.
    pub(crate) fn padded_len(&self) -> usize {
        let [height, width] = self.geometry.padded_input();
        height * width * self.geometry.in_channels
    }

    /// Values of one row of the padded image.
    pub(crate) fn padded_row_len(&self) -> usize {
        self.geometry.padded_input()[1] * self.geometry.in_channels
    }

    /// True when the padded image is the image.
    pub(crate) fn is_unpadded(&self) -> bool {
        self.geometry.padding_before == [0, 0] && self.geometry.padding_after == [0, 0]
    }

    /// Copies a channels-last image into its zero frame.
    pub(crate) fn pad(&self, x: &[f32], padded: &mut [f32]) {
        let g = &self.geometry;
        let [_, width] = g.padded_input();
        padded.fill(0.0);
        let row = g.input[1] * g.in_channels;
        for (i, x) in x.chunks_exact(row).enumerate() {
            let start = ((i + g.padding_before[0]) * width + g.padding_before[1]) * g.in_channels;
            padded[start..start + row].copy_from_slice(x);
        }
    }

    /// Copies an image out of its frame.
    pub(crate) fn unpad(&self, padded: &[f32], x: &mut [f32]) {
        let g = &self.geometry;
        let [_, width] = g.padded_input();
        let row = g.input[1] * g.in_channels;
        for (i, x) in x.chunks_exact_mut(row).enumerate() {
            let start = ((i + g.padding_before[0]) * width + g.padding_before[1]) * g.in_channels;
            x.copy_from_slice(&padded[start..start + row]);
        }
    }

    /// The place in PyTorch's weight of channel `o` and value `t` of the window.
    pub(crate) fn weight_place(&self, o: usize, t: usize) -> usize {
        let g = &self.geometry;
        let area = g.kernel[0] * g.kernel[1];
        (o * g.in_channels + t % g.in_channels) * area + t / g.in_channels
    }

    /// Values that [`Plan::pack`] writes.
    pub(crate) fn packed_len(&self) -> usize {
        panels_len(self.depth(), self.geometry.out_channels)
    }

    /// Lays PyTorch's weight out for [`Plan::forward`].
    pub(crate) fn pack(&self, weight: &[f32], packed: &mut [f32]) {
        pack_panels(self.depth(), self.geometry.out_channels, packed, |t, o| {
            weight[self.weight_place(o, t)]
        });
    }

    /// The output pixels of `range`, channels-last, from a padded image.
    pub(crate) fn forward(
        &self,
        packed: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
        padded: &[f32],
        range: std::ops::Range<usize>,
        out: &mut [f32],
    ) {
        Product {
            a: padded,
            rows: &self.pixels[range],
            runs: &self.window,
            step: 1,
            b: packed,
            layout: Layout::Panels,
            columns: self.geometry.out_channels,
            start: bias.map_or(Start::Zero, Start::Bias),
            relu,
            out,
            out_stride: self.geometry.out_channels,
        }
        .run();
    }

    /// Adds one image's weight gradient, `[window value][out channel]`, to `gradient`.
    /// `dout` is channels-last.
    pub(crate) fn add_weight_gradient(&self, padded: &[f32], dout: &[f32], gradient: &mut [f32]) {
        let columns = self.geometry.out_channels;
        let stride = columns.next_multiple_of(LINE);
        let mut add = |b: &[f32]| {
            Product {
                a: padded,
                rows: &self.taps,
                runs: &self.rows,
                step: self.geometry.stride[1] * self.geometry.in_channels,
                b,
                layout: Layout::Rows { stride },
                columns,
                start: Start::Out,
                relu: false,
                out: gradient,
                out_stride: columns,
            }
            .run();
        };
        if stride == columns {
            add(dout);
        } else {
            with_scratch([self.pixels() * stride], |[widened]| {
                for (wide, dout) in widened
                    .chunks_exact_mut(stride)
                    .zip(dout.chunks_exact(columns))
                {
                    wide[..columns].copy_from_slice(dout);
                    wide[columns..].fill(0.0);
                }
                add(widened);
            });
        }
    }

    /// Adds a gradient in the order of [`Plan::add_weight_gradient`] to one in PyTorch's order.
    pub(crate) fn unpack_gradient(&self, gradient: &[f32], weight: &mut [f32]) {
        for (t, row) in gradient
            .chunks_exact(self.geometry.out_channels)
            .enumerate()
        {
            for (o, value) in row.iter().enumerate() {
                weight[self.weight_place(o, t)] += value;
            }
        }
    }
}

/// The input gradient of one geometry.
#[derive(Clone, Debug)]
pub(crate) enum DataGradient {
    /// The convolution of `dout` with the flipped kernel: at stride 1.
    Correlation(Plan),
    /// Each output pixel's window, then added where the windows overlap.
    Scatter(Plan),
}

impl DataGradient {
    pub(crate) fn new(plan: &Plan) -> Self {
        let g = *plan.geometry();
        let [rows, columns] = g.output();
        let before = |axis: usize| {
            let span = g.dilation[axis] * (g.kernel[axis] - 1);
            span.checked_sub(g.padding_before[axis])
        };
        let (Some(top), Some(left)) = (before(0), before(1)) else {
            return Self::Scatter(plan.clone());
        };
        if g.stride != [1, 1] {
            return Self::Scatter(plan.clone());
        }
        // Vectors per output pixel of either way; scattering adds its windows on top.
        let area = g.kernel[0] * g.kernel[1];
        let correlate = area * g.out_channels * g.in_channels.div_ceil(LINE);
        let window = (area * g.in_channels).div_ceil(LINE);
        if window * (g.out_channels + 4) < correlate {
            return Self::Scatter(plan.clone());
        }
        let after = |axis: usize, before: usize, len: usize| {
            g.input[axis] + g.dilation[axis] * (g.kernel[axis] - 1) - before - len
        };
        Self::Correlation(Plan::new(&Conv2dGeometry {
            in_channels: g.out_channels,
            out_channels: g.in_channels,
            input: [rows, columns],
            padding_before: [top, left],
            padding_after: [after(0, top, rows), after(1, left, columns)],
            ..g
        }))
    }

    /// Values that [`DataGradient::pack`] writes.
    pub(crate) fn packed_len(&self) -> usize {
        match self {
            Self::Correlation(plan) => plan.packed_len(),
            Self::Scatter(plan) => panels_len(plan.geometry.out_channels, plan.depth()),
        }
    }

    /// Lays PyTorch's weight out for [`DataGradient::backward`].
    pub(crate) fn pack(&self, weight: &[f32], packed: &mut [f32]) {
        match self {
            Self::Correlation(plan) => {
                let g = &plan.geometry;
                let area = g.kernel[0] * g.kernel[1];
                pack_panels(plan.depth(), g.out_channels, packed, |t, c| {
                    let (o, tap) = (t % g.in_channels, t / g.in_channels);
                    weight[(o * g.out_channels + c) * area + (area - 1 - tap)]
                });
            }
            Self::Scatter(plan) => {
                pack_panels(plan.geometry.out_channels, plan.depth(), packed, |o, t| {
                    weight[plan.weight_place(o, t)]
                });
            }
        }
    }

    /// Overwrites `dx` with one image's input gradient; both are channels-last.
    pub(crate) fn backward(&self, packed: &[f32], dout: &[f32], dx: &mut [f32]) {
        match self {
            Self::Correlation(plan) if plan.is_unpadded() => {
                plan.forward(packed, None, false, dout, 0..plan.pixels(), dx);
            }
            Self::Correlation(plan) => with_scratch([plan.padded_len()], |[padded]| {
                plan.pad(dout, padded);
                plan.forward(packed, None, false, padded, 0..plan.pixels(), dx);
            }),
            Self::Scatter(plan) => scatter(plan, packed, dout, dx),
        }
    }
}

/// Output pixels whose windows are computed at a time.
const SCATTER_PIXELS: usize = 48;

fn scatter(plan: &Plan, packed: &[f32], dout: &[f32], dx: &mut [f32]) {
    let out_channels = plan.geometry.out_channels;
    let depth = plan.depth();
    let starts: Vec<usize> = (0..SCATTER_PIXELS).map(|i| i * out_channels).collect();
    let len = if plan.is_unpadded() {
        0
    } else {
        plan.padded_len()
    };
    with_scratch([SCATTER_PIXELS * depth, len], |[windows, padded]| {
        let target = if plan.is_unpadded() {
            &mut *dx
        } else {
            &mut *padded
        };
        target.fill(0.0);
        let pixels = plan.pixels.chunks(SCATTER_PIXELS);
        for (pixels, dout) in pixels.zip(dout.chunks(SCATTER_PIXELS * out_channels)) {
            Product {
                a: dout,
                rows: &starts[..pixels.len()],
                runs: &[Run {
                    offset: 0,
                    len: out_channels,
                }],
                step: 1,
                b: packed,
                layout: Layout::Panels,
                columns: depth,
                start: Start::Zero,
                relu: false,
                out: windows,
                out_stride: depth,
            }
            .run();
            for (&pixel, mut window) in pixels.iter().zip(windows.chunks_exact(depth)) {
                for run in &plan.window {
                    let (values, rest) = window.split_at(run.len);
                    window = rest;
                    let start = pixel + run.offset;
                    for (target, value) in target[start..start + run.len].iter_mut().zip(values) {
                        *target += value;
                    }
                }
            }
        }
        if !plan.is_unpadded() {
            plan.unpad(padded, dx);
        }
    });
}
