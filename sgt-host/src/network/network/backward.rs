//! Backward passes of the layers.

use super::Network;
use super::forward::lstm_weights;
use super::layer::{Layer, LstmParameters};
use super::pass::{NetworkPass, State, output};
use crate::Result;
use crate::kernel::activation::{add_assign, relu_backward_in_place};
use crate::kernel::batch_norm::{BatchNormGradients, batch_norm_backward};
use crate::kernel::buffer::Buffer;
use crate::kernel::conv_block::Activations;
use crate::kernel::conv2d::WeightGradient;
use crate::kernel::dropout::{DropoutKey, dropout_in_place};
use crate::kernel::layout::transpose;
use crate::kernel::linear::linear_backward;
use crate::kernel::lstm::{self, InputGradient, LstmGradients};
use crate::network::Mode;
use rayon::prelude::*;
use std::ops::Range;

/// What every layer of a pass sees.
struct Context<'a> {
    parameters: &'a [f32],
    mode: Mode,
    gradient: Option<&'a mut [f32]>,
    free: &'a mut Vec<Buffer>,
}

impl Context<'_> {
    fn take(&mut self, len: usize) -> Buffer {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.resize(len);
        buffer
    }

    fn weight_gradient(
        &mut self,
        weight: &Range<usize>,
        bias: Option<&Range<usize>>,
    ) -> Option<WeightGradient<'_>> {
        let gradient = self.gradient.as_deref_mut()?;
        let Some(bias) = bias else {
            let weight = &mut gradient[weight.clone()];
            return Some(WeightGradient { weight, bias: None });
        };
        let [weight, bias] = disjoint(gradient, [weight, bias]);
        Some(WeightGradient {
            weight,
            bias: Some(bias),
        })
    }
}

/// Cuts ascending, disjoint ranges out of a gradient.
fn disjoint<'a, const N: usize>(
    mut gradient: &'a mut [f32],
    ranges: [&Range<usize>; N],
) -> [&'a mut [f32]; N] {
    let mut start = 0;
    ranges.map(|range| {
        let (piece, rest) =
            std::mem::take(&mut gradient)[range.start - start..].split_at_mut(range.len());
        gradient = rest;
        start = range.end;
        piece
    })
}

pub(super) fn backward(
    network: &Network,
    pass: &mut NetworkPass,
    dlogits: &[f32],
    dx: Option<&mut [f32]>,
    gradient: Option<&mut [f32]>,
) -> Result<()> {
    let mut context = Context {
        parameters: network.parameters.values(),
        mode: pass.mode,
        gradient,
        free: &mut pass.free,
    };
    let mut dout = context.take(dlogits.len());
    dout.copy_from_slice(dlogits);
    let layers = &network.layers;
    let wanted = dx.is_some();
    let (states, x) = (&mut pass.states, &pass.input);
    let result = layers_backward(layers, states, x, dout, wanted, &mut context)?;
    if let Some(buffer) = result {
        if let Some(dx) = dx {
            dx.copy_from_slice(&buffer);
        }
        context.free.push(buffer);
    }
    Ok(())
}

/// Pulls `dout` back through `layers`, whose first read `x`; gives the gradient with respect to
/// `x` when `wanted`.
fn layers_backward(
    layers: &[Layer],
    states: &mut [State],
    x: &[f32],
    mut dout: Buffer,
    wanted: bool,
    context: &mut Context<'_>,
) -> Result<Option<Buffer>> {
    for (index, layer) in layers.iter().enumerate().rev() {
        let in_front = layers[..index].iter().any(Layer::has_parameters);
        let needed = wanted || (context.gradient.is_some() && in_front);
        if !needed && (context.gradient.is_none() || !layer.has_parameters()) {
            context.free.push(dout);
            return Ok(None);
        }
        let (done, rest) = states.split_at_mut(index);
        let x = output(&layers[..index], done, x);
        match run(layer, x, dout, needed, &mut rest[0], context)? {
            Some(dx) => dout = dx,
            None => return Ok(None),
        }
    }
    Ok(Some(dout))
}

/// Pulls `dout` back through one layer.
fn run(
    layer: &Layer,
    x: &[f32],
    mut dout: Buffer,
    needed: bool,
    state: &mut State,
    context: &mut Context<'_>,
) -> Result<Option<Buffer>> {
    let values = context.parameters;
    let mut dx = match layer {
        // These work in place, or hand `dout` on.
        Layer::Dropout { .. } | Layer::Residual { .. } => None,
        _ => needed.then(|| context.take(x.len())),
    };
    match layer {
        Layer::ChannelsLast { channels, pixels } => {
            if let Some(dx) = &mut dx {
                dx.par_chunks_exact_mut(channels * pixels)
                    .zip(dout.par_chunks_exact(channels * pixels))
                    .for_each(|(dx, dout)| transpose(*pixels, *channels, dout, dx));
            }
        }
        Layer::Convolution(layer) => {
            let gradient = context.weight_gradient(&layer.weight, layer.bias.as_ref());
            let weight = &values[layer.weight.clone()];
            let activations = Activations {
                x,
                out: &state.out,
                dout: &dout,
            };
            let dx = dx.as_deref_mut();
            let block = &layer.block;
            block.backward(weight, activations, dx, gradient, &mut state.block);
        }
        Layer::BatchNorm(norm) => {
            if norm.relu {
                relu_backward_in_place(&state.out, &mut dout);
            }
            let gradients = context.gradient.as_deref_mut().map(|gradient| {
                let [weight, bias] = disjoint(gradient, [&norm.weight, &norm.bias]);
                BatchNormGradients { weight, bias }
            });
            let weight = &values[norm.weight.clone()];
            let dx = match dx.as_deref_mut() {
                Some(dx) => InputGradient::Overwrite(dx),
                None => InputGradient::Skip,
            };
            batch_norm_backward(weight, &state.statistics, x, &dout, dx, gradients)?;
        }
        Layer::Residual { body, shortcut } => {
            relu_backward_in_place(&state.out, &mut dout);
            let mut branch = context.take(dout.len());
            branch.copy_from_slice(&dout);
            let through = layers_backward(body, &mut state.body, x, branch, needed, context)?;
            let around = layers_backward(shortcut, &mut state.shortcut, x, dout, needed, context)?;
            return match (through, around) {
                (Some(mut through), Some(around)) => {
                    add_assign(&around, &mut through)?;
                    context.free.push(around);
                    Ok(Some(through))
                }
                _ => Ok(None),
            };
        }
        Layer::GlobalAveragePool { channels, pixels } => {
            if let Some(dx) = &mut dx {
                let share = 1.0 / *pixels as f32;
                dx.par_chunks_exact_mut(channels * pixels)
                    .zip(dout.par_chunks_exact(*channels))
                    .for_each(|(dx, dout)| {
                        for pixel in dx.chunks_exact_mut(*channels) {
                            for (dx, d) in pixel.iter_mut().zip(dout) {
                                *dx = d * share;
                            }
                        }
                    });
            }
        }
        Layer::Dropout { p, index } => {
            if let (Mode::Training { seed }, false) = (context.mode, state.skipped) {
                dropout_in_place(DropoutKey::new(seed, *index), *p, &mut dout);
            }
            return Ok(Some(dout));
        }
        Layer::Linear(linear) => {
            if linear.relu {
                relu_backward_in_place(&state.out, &mut dout);
            }
            let gradient = context.weight_gradient(&linear.weight, Some(&linear.bias));
            let weight = &values[linear.weight.clone()];
            let dx = dx.as_deref_mut();
            linear_backward(
                linear.inputs,
                linear.outputs,
                weight,
                x,
                &dout,
                dx,
                gradient,
            )?;
        }
        Layer::Lstm(layer) => {
            let directions = layer.directions.iter().zip(&mut state.directions);
            for (index, (direction, cache)) in directions.enumerate() {
                let dx = match &mut dx {
                    None => InputGradient::Skip,
                    Some(dx) if index == 0 => InputGradient::Overwrite(dx),
                    Some(dx) => InputGradient::Add(dx),
                };
                let gradient = context.gradient.as_deref_mut();
                let gradient = gradient.map(|gradient| lstm_gradient(gradient, direction));
                let weights = lstm_weights(values, direction);
                lstm::backward(weights, cache, &dout, dx, gradient)?;
            }
        }
    }
    context.free.push(dout);
    Ok(dx)
}

fn lstm_gradient<'a>(gradient: &'a mut [f32], direction: &LstmParameters) -> LstmGradients<'a> {
    let LstmParameters {
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
    } = direction;
    let [weight_ih, weight_hh, bias_ih, bias_hh] =
        disjoint(gradient, [weight_ih, weight_hh, bias_ih, bias_hh]);
    LstmGradients {
        weight_ih,
        weight_hh,
        bias_ih,
        bias_hh,
    }
}
