//! Sizes that may be known when the program is built, and their checks.

use crate::nn::composed::device_error;
use crate::nn::kernel::conv2d::Conv2dGeometry;
use crate::{Error, Result};
use dfdx::prelude::{Const, Dim, HasShape, RealizeTo, Shape, Storage, Tape, Tensor};

/// A dimension that says whether its size is part of its type.
///
/// A layer built of [`Const`] sizes is checked when the program is built; one built of `usize`
/// by the same code when it runs, with an error that names both shapes.
pub trait Extent: Dim {
    /// The size, where the type knows it.
    const STATIC: Option<usize>;
}

impl Extent for usize {
    const STATIC: Option<usize> = None;
}

impl<const N: usize> Extent for Const<N> {
    const STATIC: Option<usize> = Some(N);
}

/// Zeros around a series or an image.
pub trait Padding: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// The padding, where the type knows it; `None` for a `usize`.
    const STATIC: Option<PaddingKind>;

    /// The padding.
    fn kind(self) -> PaddingKind;
}

/// A padding that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaddingKind {
    /// As many zeros in front as behind.
    Symmetric(usize),
    /// `dilation · (kernel − 1)` zeros in front, none behind.
    Causal,
}

impl PaddingKind {
    /// Zeros in front and behind.
    pub(crate) const fn amounts(self, kernel: usize, dilation: usize) -> [usize; 2] {
        match self {
            Self::Symmetric(zeros) => [zeros, zeros],
            Self::Causal => [dilation * kernel.saturating_sub(1), 0],
        }
    }
}

/// Padding that lets an output see only the inputs up to its own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causal;

impl Padding for Causal {
    const STATIC: Option<PaddingKind> = Some(PaddingKind::Causal);

    fn kind(self) -> PaddingKind {
        PaddingKind::Causal
    }
}

impl Padding for usize {
    const STATIC: Option<PaddingKind> = None;

    fn kind(self) -> PaddingKind {
        PaddingKind::Symmetric(self)
    }
}

impl<const N: usize> Padding for Const<N> {
    const STATIC: Option<PaddingKind> = Some(PaddingKind::Symmetric(N));

    fn kind(self) -> PaddingKind {
        PaddingKind::Symmetric(N)
    }
}

/// One axis of a windowed layer, with the sizes that are known when the program is built.
pub(super) struct WindowAxis {
    /// `Conv2d: height` and the like, for the message.
    pub(super) what: &'static str,
    pub(super) input: Option<usize>,
    pub(super) kernel: Option<usize>,
    pub(super) stride: Option<usize>,
    pub(super) padding: Option<PaddingKind>,
    pub(super) dilation: Option<usize>,
    pub(super) output: Option<usize>,
}

impl WindowAxis {
    /// Fails the build when all sizes are known and the output's is wrong.
    pub(super) const fn assert(&self) {
        let (Some(input), Some(kernel), Some(stride)) = (self.input, self.kernel, self.stride)
        else {
            return;
        };
        let (Some(padding), Some(dilation), Some(output)) =
            (self.padding, self.dilation, self.output)
        else {
            return;
        };
        let [before, after] = padding.amounts(kernel, dilation);
        let expected = window_output(input, kernel, stride, [before, after], dilation);
        if output == expected && output > 0 {
            return;
        }
        let message = Message::new()
            .text(self.what)
            .text(" of the output is ")
            .number(output)
            .text(", expected ")
            .number(expected)
            .text(": input ")
            .number(input)
            .text(", kernel ")
            .number(kernel)
            .text(", stride ")
            .number(stride)
            .text(", padding ")
            .number(before)
            .text(" + ")
            .number(after)
            .text(", dilation ")
            .number(dilation);
        panic!("{}", message.as_str());
    }
}

/// The number of windows along one axis.
const fn window_output(
    input: usize,
    kernel: usize,
    stride: usize,
    [before, after]: [usize; 2],
    dilation: usize,
) -> usize {
    let geometry = Conv2dGeometry {
        in_channels: 1,
        out_channels: 1,
        input: [1, input],
        kernel: [1, kernel],
        stride: [1, stride],
        padding_before: [0, before],
        padding_after: [0, after],
        dilation: [1, dilation],
    };
    geometry.output()[1]
}

/// Fails the build when all sizes are known and `product` is not the product of `factors`.
pub(super) const fn assert_product(
    what: &'static str,
    factors: &[Option<usize>],
    product: Option<usize>,
) {
    let Some(found) = product else { return };
    let mut expected = 1;
    let mut index = 0;
    while index < factors.len() {
        let Some(factor) = factors[index] else { return };
        expected *= factor;
        index += 1;
    }
    if found == expected {
        return;
    }
    let message = Message::new()
        .text(what)
        .text(" is ")
        .number(found)
        .text(", expected ")
        .number(expected);
    panic!("{}", message.as_str());
}

/// Fails the build when both sizes are known and `divisor` doesn't divide `size`.
pub(super) const fn assert_divides(
    what: &'static str,
    size: Option<usize>,
    divisor: Option<usize>,
) {
    let (Some(size), Some(divisor)) = (size, divisor) else {
        return;
    };
    if divisor > 0 && size % divisor == 0 {
        return;
    }
    let message = Message::new()
        .text(what)
        .text(": ")
        .number(size)
        .text(" is no multiple of ")
        .number(divisor);
    panic!("{}", message.as_str());
}

/// Text put together while the program is built.
struct Message {
    bytes: [u8; Message::CAPACITY],
    len: usize,
}

impl Message {
    /// Longer text is cut.
    const CAPACITY: usize = 240;

    const fn new() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            len: 0,
        }
    }

    const fn byte(mut self, byte: u8) -> Self {
        if self.len < Self::CAPACITY {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        self
    }

    /// Appends ASCII text.
    const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            self = self.byte(bytes[index]);
            index += 1;
        }
        self
    }

    const fn number(mut self, number: usize) -> Self {
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self = self.byte(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
        self
    }

    const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "shapes don't fit",
        }
    }
}

/// Gives a tensor the sizes that its type states.
///
/// # Errors
/// [`Error::Shape`] naming the shape found and, in `expected`, the sizes stated (`_` where any
/// size will do).
pub(super) fn realize<Src, Dst, D, T>(
    operation: &'static str,
    tensor: Tensor<Src, f32, D, T>,
    expected: &[Option<usize>],
) -> Result<Tensor<Dst, f32, D, T>>
where
    Src: Shape,
    Dst: Shape<Concrete = Src::Concrete>,
    D: Storage<f32>,
    T: Tape<f32, D>,
{
    tensor.try_realize::<Dst>().map_err(|tensor| Error::Shape {
        operation,
        found: format!("{:?}", tensor.shape().concrete().as_ref()),
        expected: describe(expected),
    })
}

/// Forgets the sizes that a tensor's type states.
pub(super) fn at_run_time<Src, Dst, D, T>(
    operation: &'static str,
    tensor: Tensor<Src, f32, D, T>,
) -> Result<Tensor<Dst, f32, D, T>>
where
    Src: Shape,
    Dst: Shape<Concrete = Src::Concrete>,
    D: Storage<f32>,
    T: Tape<f32, D>,
{
    realize(operation, tensor, &vec![None; Src::NUM_DIMS])
}

/// `[_, 8, 13, 13]`.
fn describe(sizes: &[Option<usize>]) -> String {
    let sizes = sizes.iter();
    let sizes: Vec<_> = sizes
        .map(|size| size.map_or_else(|| "_".to_owned(), |size| size.to_string()))
        .collect();
    format!("[{}]", sizes.join(", "))
}

/// Joins the last three axes: `[batch, channels, height, width]` to `[batch, features]`.
///
/// # Errors
/// [`Error::Shape`] when a size that is known at run time alone doesn't fit; sizes known when the
/// program is built are checked there.
pub fn flatten<B, C, H, W, F, D, T>(
    x: Tensor<(B, C, H, W), f32, D, T>,
) -> Result<Tensor<(B, F), f32, D, T>>
where
    B: Extent,
    C: Extent,
    H: Extent,
    W: Extent,
    F: Extent,
    D: dfdx::prelude::Device<f32>,
    T: Tape<f32, D>,
{
    use dfdx::prelude::ReshapeTo;
    const {
        assert_product(
            "flatten: features",
            &[C::STATIC, H::STATIC, W::STATIC],
            F::STATIC,
        );
    }
    let (batch, channels, height, width) = *x.shape();
    let features = channels.size() * height.size() * width.size();
    let flat = x.try_reshape_like(&(batch.size(), features));
    let flat: Tensor<(usize, usize), f32, D, T> = flat.map_err(device_error)?;
    realize("flatten", flat, &[B::STATIC, F::STATIC])
}
