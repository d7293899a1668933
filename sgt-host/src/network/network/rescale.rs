//! `DeepLIFT`'s rescale rule through the layers.

use super::layer::{BatchNorm, Convolution, Layer};
use super::pass::{State, output};
use super::{Network, forward};
use crate::kernel::batch_norm::EPSILON;
use crate::kernel::conv_block::{Activations, ConvBlockState, OutputOrder};
use crate::kernel::layout::transpose;
use crate::kernel::linear::{linear_backward, linear_forward};
use crate::kernel::lstm::InputGradient;
use crate::kernel::pool::{MaxPoolCache, PoolShape, max_pool_forward, max_pool_multipliers};
use crate::kernel::{batch_len, expect_len};
use crate::network::{Mode, Model, RESCALE_EPSILON, Rescale};
use crate::{Error, Result};
use std::ops::Range;

impl Rescale for Network {
    fn multipliers(
        &self,
        x: &[f32],
        reference: &[f32],
        dlogits: &[f32],
        dx: &mut [f32],
    ) -> Result<()> {
        if self
            .layers
            .iter()
            .any(|layer| matches!(layer, Layer::Lstm(_)))
        {
            return Err(Error::Argument {
                argument: "method".into(),
                found: "DeepLIFT for a recurrent network, whose gates multiply activations".into(),
                expected: "another method, integrated-gradients for example".into(),
            });
        }
        let batch = batch_len("rescale rule", "x", x.len(), self.input.len())?;
        expect_len("rescale rule", "reference", reference.len(), x.len())?;
        expect_len("rescale rule", "dx", dx.len(), x.len())?;
        let logits = batch * self.classes();
        expect_len("rescale rule", "dlogits", dlogits.len(), logits)?;
        let pull = Pull {
            values: self.parameters.values(),
            batch,
        };
        let pair = Pair {
            x: x.to_vec(),
            reference: reference.to_vec(),
        };
        let multipliers = pull.through(&self.layers, pair, &mut |_| Ok(dlogits.to_vec()))?;
        dx.copy_from_slice(&multipliers);
        Ok(())
    }
}

/// The activations of a batch and of its references.
#[derive(Clone)]
struct Pair {
    x: Vec<f32>,
    reference: Vec<f32>,
}

impl Pair {
    fn map(&self, mut f: impl FnMut(&[f32]) -> Result<Vec<f32>>) -> Result<Self> {
        Ok(Self {
            x: f(&self.x)?,
            reference: f(&self.reference)?,
        })
    }

    fn relu(&self) -> Self {
        let relu = |values: &[f32]| values.iter().map(|v| v.max(0.0)).collect();
        Self {
            x: relu(&self.x),
            reference: relu(&self.reference),
        }
    }

    /// Δ output / Δ input of `ReLU` at these inputs; its derivative at x where Δ input is nothing.
    fn relu_multipliers(&self, dout: &mut [f32]) {
        let inputs = self.x.iter().zip(&self.reference);
        for (d, (&x, &reference)) in dout.iter_mut().zip(inputs) {
            let change = x - reference;
            *d *= if change.abs() < RESCALE_EPSILON {
                f32::from(x > 0.0)
            } else {
                (x.max(0.0) - reference.max(0.0)) / change
            };
        }
    }
}

struct Pull<'a> {
    values: &'a [f32],
    batch: usize,
}

/// Gives the multipliers of the outputs, once the outputs are known.
type Then<'t> = &'t mut dyn FnMut(Pair) -> Result<Vec<f32>>;

impl Pull<'_> {
    /// Runs `layers` forward on the pair, lets `then` go on from their outputs, and pulls the
    /// multipliers it gives back to the inputs.
    fn through(&self, layers: &[Layer], input: Pair, then: Then<'_>) -> Result<Vec<f32>> {
        let Some((layer, rest)) = layers.split_first() else {
            return then(input);
        };
        match layer {
            Layer::Dropout { .. } => self.through(rest, input, then),
            Layer::ChannelsLast { channels, pixels } => {
                let (channels, pixels) = (*channels, *pixels);
                let last = input.map(|x| Ok(transposed(channels, pixels, x)))?;
                let dout = self.through(rest, last, then)?;
                Ok(transposed(pixels, channels, &dout))
            }
            Layer::Convolution(layer) => self.convolution(layer, &input, rest, then),
            Layer::BatchNorm(norm) => self.batch_norm(norm, &input, rest, then),
            Layer::Residual { body, shortcut } => {
                let sum = input.map(|x| {
                    let mut sum = self.forward(body, x)?;
                    let around = self.forward(shortcut, x)?;
                    sum.iter_mut().zip(around).for_each(|(sum, v)| *sum += v);
                    Ok(sum)
                })?;
                let mut dout = self.through(rest, sum.relu(), then)?;
                sum.relu_multipliers(&mut dout);
                let branch = &mut |_| Ok(dout.clone());
                let mut dx = self.through(body, input.clone(), branch)?;
                let around = self.through(shortcut, input, branch)?;
                dx.iter_mut().zip(around).for_each(|(dx, v)| *dx += v);
                Ok(dx)
            }
            Layer::GlobalAveragePool { channels, pixels } => {
                let share = 1.0 / *pixels as f32;
                let means = input.map(|x| self.forward(std::slice::from_ref(layer), x))?;
                let dout = self.through(rest, means, then)?;
                let spread = dout.chunks_exact(*channels).flat_map(|row| {
                    let pixel = row.iter().map(move |d| d * share);
                    std::iter::repeat_n(pixel, *pixels).flatten()
                });
                Ok(spread.collect())
            }
            Layer::Linear(linear) => {
                let (inputs, outputs) = (linear.inputs, linear.outputs);
                let weight = self.read(&linear.weight);
                let bias = Some(self.read(&linear.bias));
                let before = input.map(|x| {
                    let mut out = vec![0.0; self.batch * outputs];
                    linear_forward(inputs, outputs, weight, bias, x, &mut out)?;
                    Ok(out)
                })?;
                let after = if linear.relu {
                    before.relu()
                } else {
                    before.clone()
                };
                let mut dout = self.through(rest, after, then)?;
                if linear.relu {
                    before.relu_multipliers(&mut dout);
                }
                let mut dx = vec![0.0; input.x.len()];
                let target = Some(dx.as_mut_slice());
                linear_backward(inputs, outputs, weight, &input.x, &dout, target, None)?;
                Ok(dx)
            }
            Layer::Lstm(_) => unreachable!("refused by `multipliers`"),
        }
    }

    fn convolution(
        &self,
        layer: &Convolution,
        input: &Pair,
        rest: &[Layer],
        then: Then<'_>,
    ) -> Result<Vec<f32>> {
        let (plain, fused) = layer.block.unfused();
        let weight = self.read(&layer.weight);
        let bias = layer.bias.as_ref().map(|bias| self.read(bias));
        let mut state = ConvBlockState::default();
        let before = input.map(|x| {
            let mut out = vec![0.0; self.batch * plain.output_len()];
            plain.forward(weight, bias, x, &mut out, &mut state);
            Ok(out)
        })?;
        let active = if fused.relu {
            before.relu()
        } else {
            before.clone()
        };
        let [height, width] = plain.output();
        let pool = PoolShape::image(fused.channels, [height, width], fused.window);
        let pools = fused.window != [1, 1];
        let pixels = pool.output().iter().product();
        let first = fused.order == OutputOrder::ChannelsFirst;
        let mut cache = MaxPoolCache::default();
        let after = active.map(|x| {
            let mut x = x.to_vec();
            if pools {
                let mut maxima = vec![0.0; self.batch * pool.output_len()];
                max_pool_forward(&pool, &x, &mut maxima, &mut cache)?;
                x = maxima;
            }
            Ok(if first {
                transposed(pixels, pool.channels, &x)
            } else {
                x
            })
        })?;
        let mut dout = self.through(rest, after, then)?;
        if first {
            dout = transposed(pool.channels, pixels, &dout);
        }
        if pools {
            let mut multipliers = vec![0.0; active.x.len()];
            let target = InputGradient::Overwrite(&mut multipliers);
            max_pool_multipliers(&pool, &active.x, &active.reference, &dout, target)?;
            dout = multipliers;
        }
        if fused.relu {
            before.relu_multipliers(&mut dout);
        }
        let mut dx = vec![0.0; input.x.len()];
        let target = Some(dx.as_mut_slice());
        let activations = Activations {
            x: &input.x,
            out: &before.x,
            dout: &dout,
        };
        plain.backward(weight, activations, target, None, &mut state);
        Ok(dx)
    }

    fn batch_norm(
        &self,
        norm: &BatchNorm,
        input: &Pair,
        rest: &[Layer],
        then: Then<'_>,
    ) -> Result<Vec<f32>> {
        let variance = self.read(&norm.running_variance).iter();
        let weight = self.read(&norm.weight);
        let slopes: Vec<f32> = variance
            .zip(weight)
            .map(|(variance, weight)| weight / (variance + EPSILON).sqrt())
            .collect();
        let (mean, bias) = (self.read(&norm.running_mean), self.read(&norm.bias));
        let channels = slopes.len();
        let before = input.map(|x| {
            let normalise = |(place, x): (usize, &f32)| {
                let channel = place % channels;
                (x - mean[channel]) * slopes[channel] + bias[channel]
            };
            Ok(x.iter().enumerate().map(normalise).collect())
        })?;
        let after = if norm.relu {
            before.relu()
        } else {
            before.clone()
        };
        let mut dout = self.through(rest, after, then)?;
        if norm.relu {
            before.relu_multipliers(&mut dout);
        }
        for (place, d) in dout.iter_mut().enumerate() {
            *d *= slopes[place % channels];
        }
        Ok(dout)
    }

    /// The plain outputs of `layers`.
    fn forward(&self, layers: &[Layer], x: &[f32]) -> Result<Vec<f32>> {
        let context = forward::Context {
            parameters: self.values,
            batch: self.batch,
            mode: Mode::InputGradient,
        };
        let mut states = Vec::new();
        states.resize_with(layers.len(), State::default);
        forward::forward(layers, 0, &context, x, &mut states)?;
        Ok(output(layers, &states, x).to_vec())
    }

    fn read(&self, range: &Range<usize>) -> &[f32] {
        &self.values[range.clone()]
    }
}

/// Every sample `[rows, columns]` of a batch transposed.
fn transposed(rows: usize, columns: usize, batch: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; batch.len()];
    let samples = batch.chunks_exact(rows * columns);
    for (x, out) in samples.zip(out.chunks_exact_mut(rows * columns)) {
        transpose(rows, columns, x, out);
    }
    out
}
