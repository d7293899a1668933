//! Forward passes of the layers.

use super::layer::Layer;
use super::pass::{State, output};
use crate::Result;
use crate::kernel::activation::{add_assign, relu_in_place};
use crate::kernel::batch_norm::{BatchNormParameters, batch_norm_evaluation, batch_norm_training};
use crate::kernel::dropout::{DropoutKey, dropout};
use crate::kernel::layout::transpose;
use crate::kernel::linear::linear_forward;
use crate::kernel::lstm::{self, Keep, LstmCache, LstmParameters, LstmShape};
use crate::network::Mode;
use rayon::prelude::*;

/// What every layer of a pass sees.
pub(super) struct Context<'a> {
    pub(super) parameters: &'a [f32],
    pub(super) batch: usize,
    pub(super) mode: Mode,
}

/// Runs `layers[first..]`; `x` is what layer 0 reads, and the states in front of `first` hold.
pub(super) fn forward(
    layers: &[Layer],
    first: usize,
    context: &Context<'_>,
    x: &[f32],
    states: &mut [State],
) -> Result<()> {
    for (index, layer) in layers.iter().enumerate().skip(first) {
        let (done, rest) = states.split_at_mut(index);
        let x = output(&layers[..index], done, x);
        run(layer, context, x, &mut rest[0])?;
    }
    Ok(())
}

fn run(layer: &Layer, context: &Context<'_>, x: &[f32], state: &mut State) -> Result<()> {
    let values = context.parameters;
    let batch = context.batch;
    state.skipped = false;
    match layer {
        Layer::ChannelsLast { channels, pixels } => {
            let out = state.out.resize(x.len());
            out.par_chunks_exact_mut(channels * pixels)
                .zip(x.par_chunks_exact(channels * pixels))
                .for_each(|(out, x)| transpose(*channels, *pixels, x, out));
        }
        Layer::Convolution(convolution) => {
            let bias = convolution.bias.clone().map(|bias| &values[bias]);
            let block = &convolution.block;
            let out = state.out.resize(batch * block.output_len());
            let weight = &values[convolution.weight.clone()];
            block.forward(weight, bias, x, out, &mut state.block);
        }
        Layer::BatchNorm(norm) => {
            let parameters = BatchNormParameters {
                weight: &values[norm.weight.clone()],
                bias: &values[norm.bias.clone()],
            };
            let out = state.out.resize(x.len());
            if matches!(context.mode, Mode::Training { .. }) {
                batch_norm_training(parameters, x, out, &mut state.statistics)?;
            } else {
                let mean = &values[norm.running_mean.clone()];
                let variance = &values[norm.running_variance.clone()];
                let statistics = &mut state.statistics;
                batch_norm_evaluation(parameters, mean, variance, x, out, statistics)?;
            }
            if norm.relu {
                relu_in_place(out);
            }
        }
        Layer::Residual { body, shortcut } => {
            state.body.resize_with(body.len(), State::default);
            state.shortcut.resize_with(shortcut.len(), State::default);
            forward(body, 0, context, x, &mut state.body)?;
            forward(shortcut, 0, context, x, &mut state.shortcut)?;
            state.out.copy_from(output(body, &state.body, x));
            add_assign(output(shortcut, &state.shortcut, x), &mut state.out)?;
            relu_in_place(&mut state.out);
        }
        Layer::GlobalAveragePool { channels, pixels } => {
            let out = state.out.resize(batch * channels);
            let share = 1.0 / *pixels as f32;
            out.par_chunks_exact_mut(*channels)
                .zip(x.par_chunks_exact(channels * pixels))
                .for_each(|(out, x)| {
                    out.fill(0.0);
                    for pixel in x.chunks_exact(*channels) {
                        out.iter_mut().zip(pixel).for_each(|(out, x)| *out += x);
                    }
                    for out in out {
                        *out *= share;
                    }
                });
        }
        Layer::Dropout { p, index } => match context.mode {
            Mode::Training { seed } => {
                let out = state.out.resize(x.len());
                dropout(DropoutKey::new(seed, *index), *p, x, out)?;
            }
            Mode::Evaluation | Mode::InputGradient => state.skipped = true,
        },
        Layer::Linear(linear) => {
            let weight = &values[linear.weight.clone()];
            let bias = Some(&values[linear.bias.clone()]);
            let out = state.out.resize(batch * linear.outputs);
            linear_forward(linear.inputs, linear.outputs, weight, bias, x, out)?;
            if linear.relu {
                relu_in_place(out);
            }
        }
        Layer::Lstm(layer) => {
            let shape = LstmShape::new(layer.steps, layer.input, layer.hidden);
            let shapes = match layer.directions.len() {
                2 => shape.bidirectional().to_vec(),
                _ => vec![shape],
            };
            let keep = match context.mode {
                Mode::InputGradient => Keep::ForInput,
                Mode::Training { .. } | Mode::Evaluation => Keep::ForWeights,
            };
            let out = state.out.resize(batch * shapes[0].output_len());
            state
                .directions
                .resize_with(shapes.len(), LstmCache::default);
            for ((shape, direction), cache) in shapes
                .iter()
                .zip(&layer.directions)
                .zip(&mut state.directions)
            {
                let weights = lstm_weights(values, direction);
                lstm::forward(shape, weights, x, None, keep, out, cache)?;
            }
        }
    }
    Ok(())
}

/// The parameters of one direction, read.
pub(super) fn lstm_weights<'a>(
    values: &'a [f32],
    direction: &super::layer::LstmParameters,
) -> LstmParameters<'a> {
    LstmParameters {
        weight_ih: &values[direction.weight_ih.clone()],
        weight_hh: &values[direction.weight_hh.clone()],
        bias_ih: &values[direction.bias_ih.clone()],
        bias_hh: &values[direction.bias_hh.clone()],
    }
}
