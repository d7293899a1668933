//! Convolution (cross-correlation, as in PyTorch) of images and series.
//!
//! `out[o, i, j] = bias[o] + Σ_{c,u,v} weight[o, c, u, v] · x[c, i·s₀ + u·d₀ − p₀, j·s₁ + v·d₁ − p₁]`
//! with `x` zero outside its bounds, stride `s`, dilation `d` and padding `p`. Images are channels-last,
//! `[height, width, channels]`. [`Plan`] computes one image; [`conv_block`](super::conv_block) a batch, with
//! what may be fused.

#[cfg(test)]
pub(crate) mod oracle;
mod plan;

pub(crate) use plan::{DataGradient, Plan};

use crate::{Error, Result};

/// Images whose weight gradients are summed one after the other; the sums of such chunks are
/// then added in order. A fixed number, so that threads do not change a bit.
pub(crate) const IMAGES_A_SUM: usize = 8;

/// Sizes of a convolution. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Conv2dGeometry {
    /// Channels of the input.
    pub(crate) in_channels: usize,
    /// Channels of the output.
    pub(crate) out_channels: usize,
    /// `[height, width]` of the input; a series has height 1.
    pub(crate) input: [usize; 2],
    /// `[height, width]` of the kernel.
    pub(crate) kernel: [usize; 2],
    /// Step between outputs.
    pub(crate) stride: [usize; 2],
    /// Zeros in front of the input.
    pub(crate) padding_before: [usize; 2],
    /// Zeros behind the input.
    pub(crate) padding_after: [usize; 2],
    /// Step between the taps of the kernel.
    pub(crate) dilation: [usize; 2],
}

/// Geometries that tests write in a line.
#[cfg(test)]
impl Conv2dGeometry {
    /// A square kernel over an image: stride 1, no padding, no dilation.
    pub(crate) const fn image(
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
    pub(crate) const fn series(
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
    pub(crate) const fn padded(mut self, padding: usize) -> Self {
        let vertical = if self.is_series() { 0 } else { padding };
        self.padding_before = [vertical, padding];
        self.padding_after = [vertical, padding];
        self
    }

    /// The same, padded in front so that output `t` sees inputs up to `t` alone and there are as
    /// many outputs as inputs (at stride 1).
    #[must_use]
    pub(crate) const fn causal(mut self) -> Self {
        self.padding_before = [0, self.dilation[1] * (self.kernel[1] - 1)];
        self.padding_after = [0, 0];
        self
    }

    /// The same with `stride` in both directions (along time for a series).
    #[must_use]
    pub(crate) const fn strided(mut self, stride: usize) -> Self {
        self.stride = [if self.is_series() { 1 } else { stride }, stride];
        self
    }

    /// The same with `dilation` in both directions (along time for a series). Call it before
    /// [`Conv2dGeometry::causal`].
    #[must_use]
    pub(crate) const fn dilated(mut self, dilation: usize) -> Self {
        self.dilation = [if self.is_series() { 1 } else { dilation }, dilation];
        self
    }

    const fn is_series(&self) -> bool {
        self.input[0] == 1 && self.kernel[0] == 1
    }
}

impl Conv2dGeometry {
    /// `[height, width]` of the output; 0 where the dilated kernel does not fit the padded input.
    pub(crate) const fn output(&self) -> [usize; 2] {
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
    pub(crate) const fn input_len(&self) -> usize {
        self.in_channels * self.input[0] * self.input[1]
    }

    /// Values of one output sample.
    pub(crate) const fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.out_channels * height * width
    }

    /// Values of the weight `[out, in, kh, kw]`.
    pub(crate) const fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Refuses sizes of 0 and kernels that do not fit the padded input.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub(crate) fn check(&self) -> Result<()> {
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
pub(crate) struct WeightGradient<'g> {
    /// As long as the weight.
    pub(crate) weight: &'g mut [f32],
    /// As long as the bias, where the layer has one.
    pub(crate) bias: Option<&'g mut [f32]>,
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
