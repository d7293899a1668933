//! Convolution (cross-correlation, as in PyTorch) of images and series.
//!
//! `out[o, i, j] = bias[o] + Σ_{c,u,v} weight[o, c, u, v] · x[c, i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁]`
//! with `x` zero outside its bounds, stride `s`, dilation `d` and padding `p`.

use super::{batch_len, expect_len};
use crate::{Error, Result};

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
            let padded = self.padding_before[axis] + self.input[axis] + self.padding_after[axis];
            let span = self.dilation[axis] * (self.kernel[axis].saturating_sub(1)) + 1;
            if padded >= span && self.stride[axis] > 0 {
                output[axis] = (padded - span) / self.stride[axis] + 1;
            }
            axis += 1;
        }
        output
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
    let [rows, columns] = geometry.output();
    out.fill(0.0);
    visit_taps(geometry, |o, i, j, input, tap| {
        for sample in 0..batch {
            out[sample * geometry.output_len() + (o * rows + i) * columns + j] +=
                weight[tap] * x[sample * geometry.input_len() + input];
        }
    });
    if let Some(bias) = bias {
        for (plane, value) in out
            .chunks_exact_mut(rows * columns)
            .zip(bias.iter().cycle())
        {
            plane.iter_mut().for_each(|out| *out += value);
        }
    }
    Ok(())
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
    mut dx: Option<&mut [f32]>,
    mut gradient: Option<WeightGradient<'_>>,
) -> Result<()> {
    geometry.check()?;
    let batch = batch_len("conv2d", "x", x.len(), geometry.input_len())?;
    expect_len("conv2d", "dout", dout.len(), batch * geometry.output_len())?;
    expect_len("conv2d", "weight", weight.len(), geometry.weight_len())?;
    if let Some(dx) = &mut dx {
        expect_len("conv2d", "dx", dx.len(), x.len())?;
        dx.fill(0.0);
    }
    let [rows, columns] = geometry.output();
    if let Some(gradient) = &mut gradient {
        expect_len(
            "conv2d",
            "weight gradient",
            gradient.weight.len(),
            weight.len(),
        )?;
        if let Some(bias) = &mut gradient.bias {
            expect_len("conv2d", "bias gradient", bias.len(), geometry.out_channels)?;
            for (plane, channel) in dout
                .chunks_exact(rows * columns)
                .zip((0..geometry.out_channels).cycle())
            {
                bias[channel] += plane.iter().sum::<f32>();
            }
        }
    }
    visit_taps(geometry, |o, i, j, input, tap| {
        for sample in 0..batch {
            let d = dout[sample * geometry.output_len() + (o * rows + i) * columns + j];
            let place = sample * geometry.input_len() + input;
            if let Some(dx) = &mut dx {
                dx[place] += d * weight[tap];
            }
            if let Some(gradient) = &mut gradient {
                gradient.weight[tap] += d * x[place];
            }
        }
    });
    Ok(())
}

/// Calls `visit(out channel, row, column, place in x, place in weight)` for every product.
fn visit_taps(geometry: &Conv2dGeometry, mut visit: impl FnMut(usize, usize, usize, usize, usize)) {
    let [rows, columns] = geometry.output();
    let [height, width] = geometry.input;
    for o in 0..geometry.out_channels {
        for c in 0..geometry.in_channels {
            for u in 0..geometry.kernel[0] {
                for v in 0..geometry.kernel[1] {
                    let tap = ((o * geometry.in_channels + c) * geometry.kernel[0] + u)
                        * geometry.kernel[1]
                        + v;
                    for i in 0..rows {
                        let y = i * geometry.stride[0] + u * geometry.dilation[0];
                        let Some(y) = y.checked_sub(geometry.padding_before[0]) else {
                            continue;
                        };
                        for j in 0..columns {
                            let t = j * geometry.stride[1] + v * geometry.dilation[1];
                            let Some(t) = t.checked_sub(geometry.padding_before[1]) else {
                                continue;
                            };
                            if y < height && t < width {
                                visit(o, i, j, (c * height + y) * width + t, tap);
                            }
                        }
                    }
                }
            }
        }
    }
}
