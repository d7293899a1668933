//! Pooling over windows.

use super::{Misfit, Pair, Rule, check_size, product};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::network::RESCALE_EPSILON;
use crate::network::Shape;
use crate::network::engine::{self, Call, Flow, Kept, Operation, Place, Pull};
use serde::{Deserialize, Serialize};

/// The largest value of each window; ties go to the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MaxPool {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Positions of a window along each axis.
    pub window: Pair,
    /// Distance of neighbouring windows; side by side when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Positions in front of and behind the input that no window takes its maximum from.
    #[serde(default = "Pair::zero", skip_serializing_if = "Pair::is_zero")]
    pub padding: Pair,
}

/// Positions of a window of max pooling: a maximum's place in it is one byte.
const LARGEST_WINDOW: usize = 256;

/// The windows of a pooling layer on one shape.
#[derive(Clone, Copy, Debug)]
struct Windows {
    channels: usize,
    input: [usize; 2],
    window: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Windows {
    fn new(
        input: Shape,
        window: Pair,
        stride: Option<Pair>,
        padding: Pair,
    ) -> Result<Self, Misfit> {
        if matches!(input, Shape::Vector { .. }) {
            return Err(Misfit::new(input, "a series or an image"));
        }
        let windows = Self {
            channels: input.channels(),
            input: input.size(),
            window: window.on("window", input, 1)?,
            stride: stride.unwrap_or(window).on("stride", input, 1)?,
            padding: padding.on("padding", input, 0)?,
        };
        for axis in [0, 1] {
            let [size, window] = [windows.input[axis], windows.window[axis]];
            check_size("window", window)?;
            check_size("stride", windows.stride[axis])?;
            if windows.padding[axis] > window / 2 {
                let expected = format!("at most half the window, {}", window / 2);
                return Err(Misfit::new(format_args!("padding {padding:?}"), expected));
            }
            if size + 2 * windows.padding[axis] < window {
                return Err(Misfit::new(
                    input,
                    format_args!("at least one window of {window}"),
                ));
            }
        }
        if product(&windows.window) > LARGEST_WINDOW {
            let found = format!("windows of {:?}", windows.window);
            let expected = format!("at most {LARGEST_WINDOW} positions");
            return Err(Misfit::new(found, expected));
        }
        Ok(windows)
    }

    fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let padded = self.input[axis] + 2 * self.padding[axis];
            (padded - self.window[axis]) / self.stride[axis] + 1
        })
    }
}

impl MaxPool {
    /// Windows side by side.
    pub fn new(window: impl Into<Pair>) -> Self {
        Self {
            name: String::new(),
            window: window.into(),
            stride: None,
            padding: Pair::zero(),
        }
    }

    fn windows(&self, input: Shape) -> Result<Windows, Misfit> {
        Windows::new(input, self.window, self.stride, self.padding)
    }

    /// `[height, width]` of the windows when they lie side by side.
    pub(super) fn side_by_side(&self, input: Shape) -> Option<[usize; 2]> {
        let windows = self.windows(input).ok()?;
        let fits = windows.stride == windows.window && windows.padding == [0, 0];
        fits.then_some(windows.window)
    }
}

impl Rule for MaxPool {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        let windows = self.windows(input)?;
        Ok(input.resized(windows.output(), windows.channels))
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let windows = self.windows(place.input);
        place.push(Maximum(windows.unwrap_or_else(|misfit| {
            unreachable!("the description was checked: {misfit:?}");
        })));
    }
}

#[derive(Debug)]
struct Maximum(Windows);

/// Values of a pooling window that differ by this share of the larger are equal up to rounding.
const TIE: f32 = 1e-6;

impl Maximum {
    fn output_len(&self) -> usize {
        product(&self.0.output()) * self.0.channels
    }

    fn input_len(&self) -> usize {
        product(&self.0.input) * self.0.channels
    }

    /// The maxima of a batch and their places in its images.
    fn maxima(&self, images: &[f32]) -> (Vec<f32>, Vec<usize>) {
        let Windows {
            channels,
            input,
            window,
            stride,
            padding,
        } = self.0;
        let [rows, columns] = self.0.output();
        let (mut maxima, mut places) = (Vec::new(), Vec::new());
        for image in images.chunks_exact(self.input_len()) {
            for place in 0..rows * columns {
                let top = (place / columns * stride[0]) as isize - padding[0] as isize;
                let left = (place % columns * stride[1]) as isize - padding[1] as isize;
                for channel in 0..channels {
                    let mut best: Option<usize> = None;
                    for u in 0..window[0] as isize {
                        for v in 0..window[1] as isize {
                            let (row, column) = (top + u, left + v);
                            if row < 0
                                || column < 0
                                || row >= input[0] as isize
                                || column >= input[1] as isize
                            {
                                continue;
                            }
                            let offset =
                                (row as usize * input[1] + column as usize) * channels + channel;
                            if best.is_none_or(|best| image[offset] > image[best]) {
                                best = Some(offset);
                            }
                        }
                    }
                    let best = best.unwrap_or(0);
                    maxima.push(image[best]);
                    places.push(best);
                }
            }
        }
        (maxima, places)
    }
}

impl Operation for Maximum {
    type State = Vec<usize>;

    fn forward(
        &self,
        _call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        places: &mut Vec<usize>,
    ) -> Result<Flow> {
        let (maxima, at) = self.maxima(x);
        out.copy_from(&maxima);
        *places = at;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        places: &mut Vec<usize>,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if let Some(dx) = &mut dx {
            dx.fill(0.0);
            for (index, (d, place)) in dout.iter().zip(places).enumerate() {
                dx[index / self.output_len() * self.input_len() + *place] += d;
            }
        }
        pull.spare(dout);
        Ok(dx)
    }

    /// What the larger of both maxima exceeds the reference's by belongs to the place of x's
    /// maximum, what x's lacks to it belongs to the place of the reference's: Captum's rule.
    ///
    /// Where the reference is as large at the place of x's maximum (a constant baseline makes whole
    /// windows equal), that place answers for both, and the multiplier is the gradient's. (Captum
    /// takes the gradient there whenever `ReLU` feeds the pooling, which is complete for such
    /// baselines alone.)
    fn multipliers(
        &self,
        _call: &Call<'_>,
        pair: engine::Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [at_x, at_reference]: [&mut Vec<usize>; 2],
    ) -> Result<Buffer> {
        let mut share = pull.take(pair.x.len());
        let mut plain = pull.take(pair.x.len());
        share.fill(0.0);
        plain.fill(0.0);
        for (index, &d) in dout.iter().enumerate() {
            let image = index / self.output_len() * self.input_len();
            let (of_x, of_reference) = (pair.out[index], pair.reference_out[index]);
            let larger = of_x.max(of_reference);
            share[image + at_x[index]] += d * (larger - of_reference);
            let reference = pair.reference[image + at_x[index]];
            let tied = of_reference - reference <= TIE * of_reference.abs();
            let place = if tied {
                at_x[index]
            } else {
                at_reference[index]
            };
            share[image + place] += d * (of_x - larger);
            plain[image + at_x[index]] += d;
        }
        let values = share.iter_mut().zip(plain.iter());
        for ((share, plain), (x, reference)) in values.zip(pair.x.iter().zip(pair.reference)) {
            let change = x - reference;
            *share = if change.abs() < RESCALE_EPSILON {
                *plain
            } else {
                *share / change
            };
        }
        pull.spare(plain);
        pull.spare(dout);
        Ok(share)
    }
}
