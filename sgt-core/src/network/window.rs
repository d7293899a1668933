//! The windows that convolutions and pooling slide over the positions.

use crate::math;

/// A window of `kernel` taps. Tap `k` of output `t` reads the position
/// `t · stride + k · dilation − padding[0]`; there is nothing (a zero) outside the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Window {
    /// Taps.
    pub kernel: usize,
    /// Distance of neighbouring outputs.
    pub stride: usize,
    /// Zeros in front of and behind the series.
    pub padding: [usize; 2],
    /// Distance of neighbouring taps, at most the padded series.
    pub dilation: usize,
}

/// The taps of one output that lie inside the series.
#[derive(Clone, Copy)]
pub(super) struct Taps {
    /// The first of them.
    pub(super) first: usize,
    /// Behind the last of them.
    pub(super) end: usize,
    /// The position that the first one reads.
    pub(super) position: usize,
}

impl Window {
    /// Stride 1, no padding, no dilation.
    pub const fn new(kernel: usize) -> Self {
        Self {
            kernel,
            stride: 1,
            padding: [0, 0],
            dilation: 1,
        }
    }

    /// Stride 1 and as many outputs as inputs; an odd zero goes behind.
    ///
    /// ```
    /// use sgt_core::network::Window;
    /// let strided = Window { stride: 2, ..Window::same(5) };
    /// assert_eq!((strided.padding, strided.dilation), ([2, 2], 1));
    /// ```
    pub const fn same(kernel: usize) -> Self {
        let around = kernel.saturating_sub(1);
        Self {
            padding: [around / 2, around - around / 2],
            ..Self::new(kernel)
        }
    }

    /// Windows side by side, as pooling has them.
    pub const fn side_by_side(kernel: usize) -> Self {
        Self {
            stride: kernel,
            ..Self::new(kernel)
        }
    }

    /// The number of outputs over `positions`; an error names the field that does not fit.
    pub(super) const fn outputs(&self, positions: usize) -> Result<usize, &'static str> {
        if self.kernel == 0 {
            return Err("kernel");
        }
        if self.stride == 0 {
            return Err("stride");
        }
        if self.dilation == 0 {
            return Err("dilation");
        }
        let [front, behind] = self.padding;
        let Some(around) = front.checked_add(behind) else {
            return Err("padding");
        };
        let padded = match positions.checked_add(around) {
            // Sums of two positions are then within counting.
            Some(padded) if padded <= usize::MAX / 2 => padded,
            _ => return Err("padding"),
        };
        if self.dilation > padded {
            return Err("dilation");
        }
        let Some(reach) = self.dilation.checked_mul(self.kernel - 1) else {
            return Err("kernel");
        };
        if reach >= padded {
            return Err("kernel");
        }
        Ok((padded - reach - 1) / self.stride + 1)
    }

    /// The taps of the output `output` that lie inside `positions`.
    #[inline]
    pub(super) fn taps(&self, output: usize, positions: usize) -> Taps {
        let [front, _] = self.padding;
        let start = output * self.stride;
        let first = math::div_ceil(front.saturating_sub(start), self.dilation);
        let end = math::div_ceil((positions + front).saturating_sub(start), self.dilation);
        Taps {
            first,
            end: if end < self.kernel { end } else { self.kernel },
            position: (start + first * self.dilation).saturating_sub(front),
        }
    }
}
