//! Pooling over windows.

use super::{Misfit, Pair, Rule, check_size, product};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::pool::{
    MaxPoolCache, PoolShape, average_pool_backward, average_pool_forward, max_pool_backward,
    max_pool_forward, max_pool_multipliers,
};
use crate::kernel::request::InputGradient;
use crate::network::Shape;
use crate::network::engine::{self, Call, Flow, Kept, Operation, Place, Pull};
use serde::{Deserialize, Serialize};

/// Makes a layer that pools over windows.
macro_rules! pools {
    ($($(#[$doc:meta])* $layer:ident, $padding:literal, $operation:ident);+ $(;)?) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[serde(rename_all = "kebab-case", deny_unknown_fields)]
            pub struct $layer {
                /// Its name; not needed.
                #[serde(default, skip_serializing_if = "String::is_empty")]
                pub name: String,
                /// Positions of a window along each axis.
                pub window: Pair,
                /// Distance of neighbouring windows; side by side when absent.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub stride: Option<Pair>,
                #[doc = $padding]
                #[serde(default = "Pair::zero", skip_serializing_if = "Pair::is_zero")]
                pub padding: Pair,
            }

            impl $layer {
                /// Windows side by side.
                pub fn new(window: impl Into<Pair>) -> Self {
                    Self {
                        name: String::new(),
                        window: window.into(),
                        stride: None,
                        padding: Pair::zero(),
                    }
                }

                fn shape(&self, input: Shape) -> Result<PoolShape, Misfit> {
                    pool_shape(input, self.window, self.stride, self.padding)
                }
            }

            impl Rule for $layer {
                fn output(&self, input: Shape) -> Result<Shape, Misfit> {
                    let shape = self.shape(input)?;
                    Ok(input.resized(shape.output(), shape.channels))
                }

                fn lower(&self, place: &mut Place<'_, '_>) {
                    let shape = self.shape(place.input);
                    place.push($operation(shape.unwrap_or_else(|misfit| {
                        unreachable!("the description was checked: {misfit:?}");
                    })));
                }
            }
        )+
    };
}

pools! {
    /// The largest value of each window; ties go to the first.
    MaxPool, "Positions in front of and behind the input that no window takes its maximum from.", Maximum;
    /// The mean of each window.
    AveragePool, "Zeros in front of and behind the input, which count in the mean.", Mean;
}

/// Positions of a window: a maximum's place in it is one byte where it is fused.
const LARGEST_WINDOW: usize = 256;

fn pool_shape(
    input: Shape,
    window: Pair,
    stride: Option<Pair>,
    padding: Pair,
) -> Result<PoolShape, Misfit> {
    if matches!(input, Shape::Vector { .. }) {
        return Err(Misfit::new(input, "a series or an image"));
    }
    let shape = PoolShape {
        channels: input.channels(),
        input: input.size(),
        window: window.on("window", input, 1)?,
        stride: stride.unwrap_or(window).on("stride", input, 1)?,
        padding: padding.on("padding", input, 0)?,
    };
    for axis in [0, 1] {
        let [size, window] = [shape.input[axis], shape.window[axis]];
        check_size("window", window)?;
        check_size("stride", shape.stride[axis])?;
        if shape.padding[axis] > window / 2 {
            let expected = format!("at most half the window, {}", window / 2);
            return Err(Misfit::new(
                format_args!("padding {}", shape.padding[axis]),
                expected,
            ));
        }
        if size + 2 * shape.padding[axis] < window {
            return Err(Misfit::new(
                input,
                format_args!("at least one window of {window}"),
            ));
        }
    }
    if product(&shape.window) > LARGEST_WINDOW {
        let found = format!("windows of {:?} positions", shape.window);
        let expected = format!("at most {LARGEST_WINDOW} positions");
        return Err(Misfit::new(found, expected));
    }
    Ok(shape)
}

impl MaxPool {
    /// `[height, width]` of the windows when they lie side by side.
    pub(super) fn side_by_side(&self, input: Shape) -> Option<[usize; 2]> {
        let shape = self.shape(input).ok()?;
        let fits = shape.stride == shape.window && shape.padding == [0, 0];
        fits.then_some(shape.window)
    }
}

/// Real steps of the output when the input has `steps`.
fn valid_steps(shape: &PoolShape, steps: usize) -> usize {
    steps.div_ceil(shape.stride[1]).min(shape.output()[1])
}

/// Where the input's gradient goes.
fn target(dx: &mut Option<Buffer>) -> InputGradient<'_> {
    dx.as_deref_mut()
        .map_or(InputGradient::Skip, InputGradient::Overwrite)
}

#[derive(Debug)]
struct Maximum(PoolShape);

impl Operation for Maximum {
    type State = MaxPoolCache;

    fn valid_steps(&self, steps: usize) -> usize {
        valid_steps(&self.0, steps)
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        cache: &mut MaxPoolCache,
    ) -> Result<Flow> {
        let out = out.resize(call.batch * self.0.output_len());
        max_pool_forward(&self.0, x, out, cache)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        cache: &mut MaxPoolCache,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        max_pool_backward(cache, &dout, target(&mut dx))?;
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        _call: &Call<'_>,
        pair: engine::Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        _caches: [&mut MaxPoolCache; 2],
    ) -> Result<Buffer> {
        let mut dx = pull.take(pair.x.len());
        let target = InputGradient::Overwrite(&mut dx);
        max_pool_multipliers(&self.0, pair.x, pair.reference, &dout, target)?;
        pull.spare(dout);
        Ok(dx)
    }
}

#[derive(Debug)]
struct Mean(PoolShape);

impl Operation for Mean {
    type State = ();

    fn valid_steps(&self, steps: usize) -> usize {
        valid_steps(&self.0, steps)
    }

    fn forward(&self, call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        let out = out.resize(call.batch * self.0.output_len());
        average_pool_forward(&self.0, x, out)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        average_pool_backward(&self.0, &dout, target(&mut dx))?;
        pull.spare(dout);
        Ok(dx)
    }
}
