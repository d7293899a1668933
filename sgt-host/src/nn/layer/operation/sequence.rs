//! LSTM and self-attention over whole sequences.

use super::tape::{Gradients, put, read, record, take, values};
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{
    AttentionParameters, LstmParameters, Series, check_attention, check_lstm, device_error,
};
use crate::nn::kernel::attention::{self, AttentionCache, AttentionCall};
use crate::nn::kernel::lstm::{self as kernel, LstmCache, LstmCall, LstmShape, Readout};
use crate::nn::kernel::lstm::{InputGradient, Keep};
use dfdx::prelude::{Cpu, HasShape, Tape};

/// The values of one direction's parameters.
struct LstmValues([Vec<f32>; 4]);

impl LstmValues {
    fn of(parameters: &LstmParameters<Cpu>) -> Self {
        Self([
            values(&parameters.input),
            values(&parameters.hidden),
            values(&parameters.input_bias),
            values(&parameters.hidden_bias),
        ])
    }

    fn weights(&self) -> kernel::LstmWeights<'_> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = &self.0;
        kernel::LstmWeights {
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
        }
    }
}

fn keep(mode: Mode) -> Keep {
    match mode {
        Mode::InputGradient => Keep::ForInput,
        Mode::Training { .. } | Mode::Evaluation => Keep::ForWeights,
    }
}

/// The hidden states of an LSTM over `[batch, steps, inputs]`, from states of zero.
///
/// With `backward`, a second direction reads from the last step to the first, and its states
/// follow the first's in the last axis, so that `width` below is `2 · hidden` instead of
/// `hidden`. [`Readout::All`] gives the states of every step, `[batch, steps, width]`;
/// [`Readout::Last`] the state after the last step that each direction read, `[batch, 1, width]`.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit.
pub fn lstm<T: Tape<f32, Cpu>>(
    x: Series<Cpu, T>,
    forward: &LstmParameters<Cpu>,
    backward: Option<&LstmParameters<Cpu>>,
    readout: Readout,
    mode: Mode,
) -> Result<Series<Cpu, T>> {
    check_lstm(&x, forward, backward)?;
    let (batch, steps, input) = *x.shape();
    let hidden = forward.hidden_units();
    let shape = LstmShape {
        batch,
        steps,
        input,
        hidden,
    };
    let mut directions = Vec::with_capacity(2);
    if let Some(backward) = backward {
        let [first, second] = LstmCall::bidirectional(shape, readout, keep(mode));
        directions.push((first, forward));
        directions.push((second, backward));
    } else {
        let call = LstmCall {
            readout,
            keep: keep(mode),
            ..LstmCall::new(shape)
        };
        directions.push((call, forward));
    }
    let width = directions[0].0.row_width;
    let mut states = vec![0.0; directions[0].0.readout_len()];
    let rows = states.len() / width / batch;
    let (x, x_values, tape) = read(x)?;
    let mut passes = Vec::with_capacity(directions.len());
    for (call, parameters) in directions {
        let values = LstmValues::of(parameters);
        let mut cache = LstmCache::default();
        kernel::forward(&call, &values.weights(), &x_values, &mut states, &mut cache)?;
        passes.push((parameters.clone(), values, cache));
    }
    drop(x_values);
    record(
        x,
        tape,
        states,
        (batch, rows, width),
        move |gradients, dout, dx| {
            for (parameters, values, mut cache) in passes {
                let weights = values.weights();
                let dx = InputGradient::Add(dx);
                if mode == Mode::InputGradient {
                    kernel::backward(&weights, &mut cache, dout, dx, None)?;
                    continue;
                }
                with_lstm_gradient(gradients, &parameters, |gradient| {
                    kernel::backward(&weights, &mut cache, dout, dx, Some(gradient))
                })?;
            }
            Ok(())
        },
    )
}

/// Runs `run` over the gradients of one direction's parameters, which it adds to.
fn with_lstm_gradient(
    gradients: &mut Gradients,
    parameters: &LstmParameters<Cpu>,
    run: impl FnOnce(kernel::LstmGradient<'_>) -> Result<()>,
) -> Result<()> {
    let mut weight_ih = take(gradients, &parameters.input).map_err(device_error)?;
    let mut weight_hh = take(gradients, &parameters.hidden).map_err(device_error)?;
    let mut bias_ih = take(gradients, &parameters.input_bias).map_err(device_error)?;
    let mut bias_hh = take(gradients, &parameters.hidden_bias).map_err(device_error)?;
    run(kernel::LstmGradient {
        weight_ih: &mut weight_ih,
        weight_hh: &mut weight_hh,
        bias_ih: &mut bias_ih,
        bias_hh: &mut bias_hh,
    })?;
    put(gradients, &parameters.input, weight_ih).map_err(device_error)?;
    put(gradients, &parameters.hidden, weight_hh).map_err(device_error)?;
    put(gradients, &parameters.input_bias, bias_ih).map_err(device_error)?;
    put(gradients, &parameters.hidden_bias, bias_hh).map_err(device_error)
}

/// Self-attention of `[batch, steps, dim]` with `heads` heads:
/// `softmax(q kᵀ / √(dim / heads)) v` per head, then the output projection. With `causal`, a
/// step sees the steps up to itself.
///
/// # Errors
/// [`crate::Error::Shape`] when the sizes don't fit or the heads don't divide `dim`.
pub fn attention<T: Tape<f32, Cpu>>(
    x: Series<Cpu, T>,
    parameters: &AttentionParameters<Cpu>,
    heads: usize,
    causal: bool,
    mode: Mode,
) -> Result<Series<Cpu, T>> {
    check_attention(&x, parameters, heads)?;
    let shape = *x.shape();
    let call = AttentionCall {
        batch: shape.0,
        steps: shape.1,
        dim: shape.2,
        heads,
        causal,
        keep: keep(mode),
    };
    let (x, x_values, tape) = read(x)?;
    let parameters = parameters.clone();
    let [in_weight, in_bias, out_weight, out_bias] = [
        values(&parameters.in_projection),
        values(&parameters.in_bias),
        values(&parameters.out_projection),
        values(&parameters.out_bias),
    ];
    let mut out = vec![0.0; x_values.len()];
    let mut cache = AttentionCache::default();
    let weights = attention::AttentionWeights {
        in_proj_weight: &in_weight,
        in_proj_bias: &in_bias,
        out_proj_weight: &out_weight,
        out_proj_bias: &out_bias,
    };
    attention::forward(&call, &weights, &x_values, &mut out, &mut cache)?;
    record(x, tape, out, shape, move |gradients, dout, dx| {
        let weights = attention::AttentionWeights {
            in_proj_weight: &in_weight,
            in_proj_bias: &in_bias,
            out_proj_weight: &out_weight,
            out_proj_bias: &out_bias,
        };
        let dx = InputGradient::Overwrite(dx);
        if mode == Mode::InputGradient {
            return attention::backward(&weights, &mut cache, dout, dx, None);
        }
        let mut in_weight = take(gradients, &parameters.in_projection).map_err(device_error)?;
        let mut in_bias = take(gradients, &parameters.in_bias).map_err(device_error)?;
        let mut out_weight = take(gradients, &parameters.out_projection).map_err(device_error)?;
        let mut out_bias = take(gradients, &parameters.out_bias).map_err(device_error)?;
        let gradient = attention::AttentionGradient {
            in_proj_weight: &mut in_weight,
            in_proj_bias: &mut in_bias,
            out_proj_weight: &mut out_weight,
            out_proj_bias: &mut out_bias,
        };
        attention::backward(&weights, &mut cache, dout, dx, Some(gradient))?;
        put(gradients, &parameters.in_projection, in_weight).map_err(device_error)?;
        put(gradients, &parameters.in_bias, in_bias).map_err(device_error)?;
        put(gradients, &parameters.out_projection, out_weight).map_err(device_error)?;
        put(gradients, &parameters.out_bias, out_bias).map_err(device_error)
    })
}
