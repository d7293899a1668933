//! The pass through a table in integers.

use super::kernel::{self, Target};
use super::{Activation, Counts, Quantized, Rescale, dequantize, quantize};
use crate::layout::Order;
use crate::network::layer::kind;
use crate::network::plan::{BUFFERS, Place, Stage};
use crate::network::rows::rows_mut;
use crate::network::{Layer, Network};

/// What is left of the parameters behind the layers so far.
struct Rest<'q> {
    weights: &'q [i8],
    biases: &'q [i32],
    rescales: &'q [Rescale],
    activations: &'q [Activation],
}

/// Takes the first `count` values of `rest`.
fn take<'q, T>(rest: &mut &'q [T], count: usize) -> &'q [T] {
    let (own, behind) = rest.split_at_checked(count).unwrap_or_default();
    *rest = behind;
    own
}

/// What is needed where an activation is missing, which [`Network::check_quantized`] excludes.
const NONE: Activation = Activation {
    scale: 1.0,
    zero: 0,
};

/// Slices of a layer's parameters, its input's and its output's activation.
#[derive(Clone, Copy)]
struct Own<'q> {
    weights: &'q [i8],
    target: Target<'q>,
    input: Activation,
    output: Activation,
}

impl<const KINDS: u16> Network<'_, KINDS> {
    /// Writes the logits. All lengths were checked.
    pub(super) fn run_quantized(
        &self,
        quantized: &Quantized<'_>,
        input: &[f32],
        scratch: &mut [i8],
        logits: &mut [f32],
    ) {
        let [a, b, c] = self.sizes.buffers;
        let split = scratch.split_at_mut_checked(input.len());
        let (window, rest) = split.unwrap_or_default();
        let (a, rest) = rest.split_at_mut_checked(a).unwrap_or_default();
        let (b, rest) = rest.split_at_mut_checked(b).unwrap_or_default();
        let (c, field) = rest.split_at_mut_checked(c).unwrap_or_default();
        let mut buffers = [a, b, c];
        let mut rest = Rest {
            weights: quantized.weights,
            biases: quantized.biases,
            rescales: quantized.rescales,
            activations: quantized.activations,
        };
        let first = take(&mut rest.activations, 1).first();
        let mut before = *first.unwrap_or(&NONE);
        quantize(before, input, window);
        let window: &[i8] = window;
        let mut around = before;
        let (mut place, mut values) = (Place::Input, input.len());
        let mut walk = self.walk();
        while let Some(stage) = walk.next() {
            let own = rest.own(&stage, before);
            if matches!(stage.layer, Layer::ResidualStart) {
                around = before;
            }
            before = own.output;
            place = stage.writes;
            values = stage.output.len();
            let Place::Own { buffer, .. } = stage.writes else {
                continue;
            };
            if stage.is_in_place() {
                if matches!(stage.layer, Layer::Relu) {
                    let values = buffers.get_mut(buffer).and_then(|it| it.get_mut(..values));
                    kernel::relu(own.output.zero, values.unwrap_or_default());
                }
                continue;
            }
            // Taken out while the layer reads the others.
            let whole = buffers.get_mut(buffer).map(core::mem::take);
            let out = whole.unwrap_or_default();
            let x = buffered(&buffers, window, stage.reads, stage.input.len());
            let skip = buffered(&buffers, window, stage.skip, values);
            let end = out.get_mut(..values).unwrap_or_default();
            layer::<KINDS>(&stage, own, x, (skip, around), field, end);
            if let Some(slot) = buffers.get_mut(buffer) {
                *slot = out;
            }
        }
        dequantize(before, buffered(&buffers, window, place, values), logits);
    }
}

impl<'q> Rest<'q> {
    fn own(&mut self, stage: &Stage<'_>, input: Activation) -> Own<'q> {
        let counts = Counts::of(stage.layer, stage.input, stage.parameters);
        let (weights, biases, rescales) = counts.map_or((0, 0, 0), |counts| {
            (counts.weights, counts.biases, counts.rescales)
        });
        let output = *take(&mut self.activations, 1).first().unwrap_or(&NONE);
        Own {
            weights: take(&mut self.weights, weights),
            target: Target {
                biases: take(&mut self.biases, biases),
                rescales: take(&mut self.rescales, rescales),
                zero: output.zero,
            },
            input,
            output,
        }
    }
}

/// One layer that does not work in place; `skip` is what a residual adds, with its activation.
fn layer<const KINDS: u16>(
    stage: &Stage<'_>,
    own: Own<'_>,
    x: &[i8],
    (skip, around): (&[i8], Activation),
    field: &mut [i8],
    out: &mut [i8],
) {
    let Own {
        weights,
        target,
        input,
        output,
    } = own;
    let shape = stage.input;
    let steps = rows_mut(&mut *out, stage.output.channels).enumerate();
    match stage.layer {
        Layer::Dense(_) if KINDS & kind::DENSE != 0 => {
            kernel::matrix_product(weights, x, target, out);
        }
        Layer::Convolution(own) if KINDS & kind::CONVOLUTION != 0 => {
            let columns = shape.channels * own.window.kernel;
            let field = field.get_mut(..columns).unwrap_or_default();
            for (step, out) in steps {
                let taps = own.window.taps(step, shape.positions);
                let (window, channels) = (&own.window, shape.channels);
                let seen = kernel::field(window, taps, channels, input.zero, x, field);
                kernel::matrix_product(weights, seen, target, out);
            }
        }
        Layer::Depthwise(own) if KINDS & kind::DEPTHWISE != 0 => {
            for (step, out) in steps {
                let taps = own.window.taps(step, shape.positions);
                kernel::depthwise(&own.window, taps, input.zero, x, weights, target, out);
            }
        }
        Layer::MaxPool(window) if KINDS & kind::MAX_POOL != 0 => {
            for (step, out) in steps {
                let taps = window.taps(step, shape.positions);
                kernel::max_pool(window, taps, x, out);
            }
        }
        Layer::AveragePool(window) if KINDS & kind::AVERAGE_POOL != 0 => {
            for (step, out) in steps {
                let taps = window.taps(step, shape.positions);
                let inside = taps.end.saturating_sub(taps.first);
                kernel::mean(taps.position, inside, input, target, x, out);
            }
        }
        Layer::GlobalAveragePool if KINDS & kind::GLOBAL_AVERAGE_POOL != 0 => {
            kernel::mean(0, shape.positions, input, target, x, out);
        }
        Layer::Relu if KINDS & kind::RELU != 0 => {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x;
            }
            kernel::relu(output.zero, out);
        }
        Layer::Flatten(Order::ChannelsFirst) if KINDS & kind::FLATTEN != 0 => {
            kernel::transpose(shape, x, out);
        }
        Layer::ResidualAdd if KINDS & kind::RESIDUAL != 0 => {
            if let [through, over] = *target.rescales {
                let zeros = [input.zero, around.zero];
                kernel::sum((x, skip), zeros, [through, over], output.zero, out);
            }
        }
        _ => {}
    }
}

/// `values` values of a buffer, or of the window.
fn buffered<'v>(
    buffers: &'v [&mut [i8]; BUFFERS],
    window: &'v [i8],
    place: Place,
    values: usize,
) -> &'v [i8] {
    let all = match place {
        Place::Input => window,
        Place::Own { buffer, .. } => buffers.get(buffer).map(|it| &**it).unwrap_or_default(),
    };
    all.get(..values).unwrap_or_default()
}
