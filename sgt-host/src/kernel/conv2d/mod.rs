//! Convolution (cross-correlation, as in PyTorch) of images and series.
//!
//! `out[o, i, j] = bias[o] + Σ_{c,u,v} weight[o, c, u, v] · x[c, i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁]`
//! with `x` zero outside its bounds, stride `s`, dilation `d` and padding `p`.

#[cfg(test)]
pub(crate) mod oracle;
mod plan;

pub(crate) use plan::{DataGradient, Plan};

use super::buffer::Buffer;
use super::layout::transpose;
use super::{batch_len, expect_len};
use crate::{Error, Result};
use rayon::prelude::*;

/// Images whose weight gradients are summed one after the other; the sums of such chunks are
/// then added in order. A fixed number, so that threads do not change a bit.
pub(crate) const IMAGES_A_SUM: usize = 8;

/// Sizes of a convolution. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2dGeometry {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// `[height, width]` of the input; a series has height 1.
    pub input: [usize; 2],
    /// `[height, width]` of the kernel.
    pub kernel: [usize; 2],
    /// Step between outputs.
    pub stride: [usize; 2],
    /// Zeros in front of the input.
    pub padding_before: [usize; 2],
    /// Zeros behind the input.
    pub padding_after: [usize; 2],
    /// Step between the taps of the kernel.
    pub dilation: [usize; 2],
}

impl Conv2dGeometry {
    /// A square kernel over an image: stride 1, no padding, no dilation.
    pub const fn image(
        in_channels: usize,
        out_channels: usize,
        input: [usize; 2],
        kernel: usize,
    ) -> Self {
        Self {
            in_channels,
            out_channels,
            input,
            kernel: [kernel, kernel],
            stride: [1, 1],
            padding_before: [0, 0],
            padding_after: [0, 0],
            dilation: [1, 1],
        }
    }

    /// A kernel over a series `[channels, steps]`: stride 1, no padding, no dilation.
    pub const fn series(
        in_channels: usize,
        out_channels: usize,
        steps: usize,
        kernel: usize,
    ) -> Self {
        Self {
            input: [1, steps],
            kernel: [1, kernel],
            ..Self::image(in_channels, out_channels, [1, steps], 1)
        }
    }

    /// The same with `padding` zeros on every side (not above and below a series).
    #[must_use]
    pub const fn padded(mut self, padding: usize) -> Self {
        let vertical = if self.is_series() { 0 } else { padding };
        self.padding_before = [vertical, padding];
        self.padding_after = [vertical, padding];
        self
    }

    /// The same, padded in front so that output `t` sees inputs up to `t` alone and there are as
    /// many outputs as inputs (at stride 1).
    #[must_use]
    pub const fn causal(mut self) -> Self {
        self.padding_before = [0, self.dilation[1] * (self.kernel[1] - 1)];
        self.padding_after = [0, 0];
        self
    }

    /// The same with `stride` in both directions (along time for a series).
    #[must_use]
    pub const fn strided(mut self, stride: usize) -> Self {
        self.stride = [if self.is_series() { 1 } else { stride }, stride];
        self
    }

    /// The same with `dilation` in both directions (along time for a series). Call it before
    /// [`Conv2dGeometry::causal`].
    #[must_use]
    pub const fn dilated(mut self, dilation: usize) -> Self {
        self.dilation = [if self.is_series() { 1 } else { dilation }, dilation];
        self
    }

    const fn is_series(&self) -> bool {
        self.input[0] == 1 && self.kernel[0] == 1
    }

    /// `[height, width]` of the output; 0 where the dilated kernel does not fit the padded input.
    pub const fn output(&self) -> [usize; 2] {
        let mut output = [0; 2];
        let mut axis = 0;
        while axis < 2 {
            let padded = self.padded_input()[axis];
            let span = self.dilation[axis] * (self.kernel[axis].saturating_sub(1)) + 1;
            if padded >= span && self.stride[axis] > 0 {
                output[axis] = (padded - span) / self.stride[axis] + 1;
            }
            axis += 1;
        }
        output
    }

    /// `[height, width]` of the input with its padding.
    pub(crate) const fn padded_input(&self) -> [usize; 2] {
        [
            self.padding_before[0] + self.input[0] + self.padding_after[0],
            self.padding_before[1] + self.input[1] + self.padding_after[1],
        ]
    }

    /// Values of one input sample, `in_channels · height · width`.
    pub const fn input_len(&self) -> usize {
        self.in_channels * self.input[0] * self.input[1]
    }

    /// Values of one output sample.
    pub const fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.out_channels * height * width
    }

    /// Values of the weight `[out, in, kh, kw]`.
    pub const fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Refuses sizes of 0 and kernels that do not fit the padded input.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(&self) -> Result<()> {
        let sizes = [self.in_channels, self.out_channels];
        let pairs = [self.input, self.kernel, self.stride, self.dilation];
        let positive = sizes.iter().chain(pairs.iter().flatten()).all(|&n| n > 0);
        if positive && self.output_len() > 0 {
            return Ok(());
        }
        let [height, width] = self.input;
        let [kernel_height, kernel_width] = self.kernel;
        Err(Error::Shape {
            operation: "conv2d",
            found: format!(
                "input [{}, {height}, {width}], kernel [{}, {}, {kernel_height}, {kernel_width}], \
                 stride {:?}, dilation {:?}",
                self.in_channels, self.out_channels, self.in_channels, self.stride, self.dilation
            ),
            expected: "positive sizes and a kernel inside the padded input".into(),
        })
    }
}

/// The weight gradients of a layer, to which backward passes add.
#[derive(Debug)]
pub struct WeightGradient<'g> {
    /// As long as the weight.
    pub weight: &'g mut [f32],
    /// As long as the bias, where the layer has one.
    pub bias: Option<&'g mut [f32]>,
}

/// Convolves a batch.
///
/// `x` is `[batch, in, height, width]`, `weight` `[out, in, kh, kw]`, `bias` `[out]`, `out`
/// `[batch, out, height', width']`. Cost: `2 · batch · weight_len · height' · width'` operations.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the geometry.
pub fn conv2d_forward(
    geometry: &Conv2dGeometry,
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("conv2d", "x", x.len(), geometry.input_len())?;
    expect_len("conv2d", "out", out.len(), batch * geometry.output_len())?;
    expect_len("conv2d", "weight", weight.len(), geometry.weight_len())?;
    if let Some(bias) = bias {
        expect_len("conv2d", "bias", bias.len(), geometry.out_channels)?;
    }
    let plan = Plan::new(geometry);
    let mut packed = Buffer::default();
    plan.pack(weight, packed.resize(plan.packed_len()));
    out.par_chunks_exact_mut(geometry.output_len())
        .zip(x.par_chunks_exact(geometry.input_len()))
        .for_each_init(Images::default, |images, (out, x)| {
            let mut pixels = std::mem::take(&mut images.out);
            pixels.resize(out.len());
            let x = images.padded(&plan, x);
            plan.forward(&packed, bias, false, x, 0..plan.pixels(), &mut pixels);
            transpose(plan.pixels(), geometry.out_channels, &pixels, out);
            images.out = pixels;
        });
    Ok(())
}

/// One image's channels-last copies.
#[derive(Default)]
struct Images {
    x: Buffer,
    padded: Buffer,
    out: Buffer,
    dx: Buffer,
}

impl Images {
    /// The channels-last, padded copy of `x`.
    fn padded(&mut self, plan: &Plan, x: &[f32]) -> &[f32] {
        let geometry = plan.geometry();
        let area = geometry.input[0] * geometry.input[1];
        self.x.resize(x.len());
        transpose(geometry.in_channels, area, x, &mut self.x);
        if plan.is_unpadded() {
            return &self.x;
        }
        plan.pad(&self.x, self.padded.resize(plan.padded_len()));
        &self.padded
    }
}

/// Pulls `dout` (shaped as `out` of [`conv2d_forward`]) back.
///
/// `dx`, when given, is overwritten; `gradient`, when given, is added to.
///
/// # Errors
/// [`Error::Shape`] when a length does not fit the geometry.
pub fn conv2d_backward(
    geometry: &Conv2dGeometry,
    weight: &[f32],
    x: &[f32],
    dout: &[f32],
    dx: Option<&mut [f32]>,
    gradient: Option<WeightGradient<'_>>,
) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("conv2d", "x", x.len(), geometry.input_len())?;
    expect_len("conv2d", "dout", dout.len(), batch * geometry.output_len())?;
    expect_len("conv2d", "weight", weight.len(), geometry.weight_len())?;
    if let Some(dx) = &dx {
        expect_len("conv2d", "dx", dx.len(), x.len())?;
    }
    if let Some(gradient) = &gradient {
        expect_len(
            "conv2d",
            "weight gradient",
            gradient.weight.len(),
            weight.len(),
        )?;
        if let Some(bias) = &gradient.bias {
            expect_len("conv2d", "bias gradient", bias.len(), geometry.out_channels)?;
        }
    }
    let plan = Plan::new(geometry);
    let data = dx.is_some().then(|| {
        let data = DataGradient::new(&plan);
        let mut packed = Buffer::default();
        data.pack(weight, packed.resize(data.packed_len()));
        (data, packed)
    });
    let chunk = IMAGES_A_SUM;
    let dx_chunks: Vec<Option<&mut [f32]>> = match dx {
        Some(dx) => dx
            .chunks_mut(chunk * geometry.input_len())
            .map(Some)
            .collect(),
        None => (0..batch.div_ceil(chunk)).map(|_| None).collect(),
    };
    let sums: Vec<(Buffer, Vec<f32>)> = dx_chunks
        .into_par_iter()
        .zip(x.par_chunks(chunk * geometry.input_len()))
        .zip(dout.par_chunks(chunk * geometry.output_len()))
        .map_init(Images::default, |images, ((mut dx, x), dout)| {
            let mut sum = (Buffer::default(), vec![0.0; geometry.out_channels]);
            if gradient.is_some() {
                sum.0.resize(geometry.weight_len()).fill(0.0);
            }
            let samples = x
                .chunks_exact(geometry.input_len())
                .zip(dout.chunks_exact(geometry.output_len()));
            for (sample, (x, dout)) in samples.enumerate() {
                images.out.resize(dout.len());
                transpose(geometry.out_channels, plan.pixels(), dout, &mut images.out);
                if let (Some(dx), Some((data, packed))) = (&mut dx, &data) {
                    let pixels = images.dx.resize(x.len());
                    data.backward(packed, &images.out, pixels);
                    let place = sample * x.len()..(sample + 1) * x.len();
                    let area = geometry.input[0] * geometry.input[1];
                    transpose(area, geometry.in_channels, pixels, &mut dx[place]);
                }
                if gradient.is_some() {
                    let dout = std::mem::take(&mut images.out);
                    let padded = images.padded(&plan, x);
                    plan.add_weight_gradient(padded, &dout, &mut sum.0);
                    add_rows(&dout, &mut sum.1);
                    images.out = dout;
                }
            }
            sum
        })
        .collect();
    if let Some(gradient) = gradient {
        for (weight, _) in &sums {
            plan.unpack_gradient(weight, gradient.weight);
        }
        if let Some(target) = gradient.bias {
            for (_, bias) in &sums {
                add_rows(bias, target);
            }
        }
    }
    Ok(())
}

/// Adds every row of `rows` to `sum`.
pub(crate) fn add_rows(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

#[cfg(test)]
mod tests;
