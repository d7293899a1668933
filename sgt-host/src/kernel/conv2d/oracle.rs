//! The definition of a convolution in `f64`, channels-last, for the tests of all convolutions.

use super::Conv2dGeometry;

/// What one batch gives.
pub(crate) struct Truth {
    pub(crate) out: Vec<f64>,
    pub(crate) dx: Vec<f64>,
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
}

impl Truth {
    /// `weight` is `[out, in / groups, kh, kw]`.
    pub(crate) fn new(
        g: &Conv2dGeometry,
        groups: usize,
        [weight, bias, x, dout]: [&[f32]; 4],
    ) -> Self {
        let mut truth = Self {
            out: Vec::new(),
            dx: vec![0.0; x.len()],
            weight: vec![0.0; weight.len()],
            bias: vec![0.0; bias.len()],
        };
        for (place, d) in dout.iter().enumerate() {
            truth.out.push(f64::from(bias[place % g.out_channels]));
            truth.bias[place % g.out_channels] += f64::from(*d);
        }
        let batch = x.len() / g.input_len();
        for_each_product(g, groups, |out, input, tap| {
            for sample in 0..batch {
                let (out, input) = (
                    out + sample * g.output_len(),
                    input + sample * g.input_len(),
                );
                let [w, x, d] = [weight[tap], x[input], dout[out]].map(f64::from);
                truth.out[out] += w * x;
                truth.dx[input] += w * d;
                truth.weight[tap] += x * d;
            }
        });
        truth
    }
}

/// Calls `visit(place in the output, in the input, in the weight)` for every product of a sample.
fn for_each_product(g: &Conv2dGeometry, groups: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let [rows, columns] = g.output();
    let [group_in, group_out] = [g.in_channels / groups, g.out_channels / groups];
    let along = |axis: usize, first: usize, tap: usize| {
        let padded = first * g.stride[axis] + tap * g.dilation[axis];
        let position = padded.checked_sub(g.padding_before[axis])?;
        (position < g.input[axis]).then_some(position)
    };
    for pixel in 0..rows * columns {
        for tap in 0..g.kernel[0] * g.kernel[1] {
            let y = along(0, pixel / columns, tap / g.kernel[1]);
            let x = along(1, pixel % columns, tap % g.kernel[1]);
            let (Some(y), Some(x)) = (y, x) else {
                continue;
            };
            for o in 0..g.out_channels {
                for c in 0..group_in {
                    let input = o / group_out * group_in + c;
                    visit(
                        pixel * g.out_channels + o,
                        (y * g.input[1] + x) * g.in_channels + input,
                        (o * group_in + c) * g.kernel[0] * g.kernel[1] + tap,
                    );
                }
            }
        }
    }
}
