//! Feed-forward and recurrent networks on the kernels of [`crate::nn`], with sizes known at run
//! time.
//!
//! A [`Network`] is a list of layers (a closed set) over [`Parameters`] with PyTorch's names.
//! Between layers, images and convolved series lie channels-last; inputs, fully connected layers
//! and weights have PyTorch's order.

mod backward;
mod draft;
mod forward;
mod layer;
mod pass;
mod rescale;

pub(crate) use draft::{After, Draft, Filters};
pub use pass::NetworkPass;

use super::{InputShape, Mode, Model, Parameters};
use crate::kernel::batch_norm::MOMENTUM;
use crate::kernel::{batch_len, expect_len};
use crate::{Error, Result};
use layer::Layer;
use pass::State;
use std::sync::Arc;

/// A network; see the module. Made by [`super::registry::build`].
#[derive(Clone, Debug)]
pub struct Network {
    input: InputShape,
    classes: usize,
    parameters: Parameters,
    layers: Arc<[Layer]>,
}

impl Model for Network {
    type Pass = NetworkPass;

    fn input(&self) -> InputShape {
        self.input
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn forward<'p>(&self, x: &[f32], mode: Mode, pass: &'p mut NetworkPass) -> Result<&'p [f32]> {
        let batch = batch_len("network", "x", x.len(), self.input.len())?;
        pass.batch = 0;
        pass.input.copy_from(x);
        pass.states.resize_with(self.layers.len(), State::default);
        self.run(0, batch, mode, pass)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut NetworkPass) -> Result<&'p [f32]> {
        let batch = pass.batch;
        if batch == 0 || pass.states.len() != self.layers.len() {
            return Err(Error::Shape {
                operation: "forward again",
                found: "a pass without activations".into(),
                expected: "a forward pass of this network".into(),
            });
        }
        // A pass for the input's gradient alone has not kept what other modes need.
        let first = if pass.mode == Mode::InputGradient && mode != Mode::InputGradient {
            0
        } else {
            let mut layers = self.layers.iter();
            layers
                .position(Layer::depends_on_mode)
                .unwrap_or(self.layers.len())
        };
        self.run(first, batch, mode, pass)
    }

    fn backward(
        &self,
        pass: &mut NetworkPass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        if pass.batch == 0 || pass.states.len() != self.layers.len() {
            return Err(Error::Shape {
                operation: "backward",
                found: "a pass without activations".into(),
                expected: "a forward pass of this network".into(),
            });
        }
        expect_len(
            "backward",
            "dlogits",
            dlogits.len(),
            pass.batch * self.classes,
        )?;
        if let Some(dx) = &dx {
            expect_len("backward", "dx", dx.len(), pass.input.len())?;
        }
        if let Some(gradient) = &gradient {
            let values = self.parameters.values().len();
            expect_len("backward", "gradient", gradient.len(), values)?;
            if pass.mode == Mode::InputGradient {
                return Err(Error::Shape {
                    operation: "backward",
                    found: "a pass for the input's gradient alone".into(),
                    expected: "a training or evaluation pass, to have weight gradients".into(),
                });
            }
        }
        backward::backward(self, pass, dlogits, dx, gradient)
    }

    fn absorb_statistics(&mut self, pass: &NetworkPass) {
        if matches!(pass.mode, Mode::Training { .. }) {
            absorb(&self.layers, &pass.states, &mut self.parameters);
        }
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

impl Network {
    /// Runs the layers from `first` on.
    fn run<'p>(
        &self,
        first: usize,
        batch: usize,
        mode: Mode,
        pass: &'p mut NetworkPass,
    ) -> Result<&'p [f32]> {
        pass.batch = 0;
        let context = forward::Context {
            parameters: self.parameters.values(),
            batch,
            mode,
        };
        forward::forward(&self.layers, first, &context, &pass.input, &mut pass.states)?;
        pass.batch = batch;
        pass.mode = mode;
        Ok(pass.output(&self.layers))
    }
}

/// Moves running statistics towards those of a training pass.
fn absorb(layers: &[Layer], states: &[State], parameters: &mut Parameters) {
    for (layer, state) in layers.iter().zip(states) {
        match layer {
            Layer::BatchNorm(norm) => {
                let batch = &state.statistics;
                for (range, values) in [
                    (&norm.running_mean, &batch.mean),
                    (&norm.running_variance, &batch.unbiased_variance),
                ] {
                    let running = &mut parameters.values_mut()[range.clone()];
                    for (running, value) in running.iter_mut().zip(values) {
                        *running += MOMENTUM * (value - *running);
                    }
                }
            }
            Layer::Residual { body, shortcut } => {
                absorb(body, &state.body, parameters);
                absorb(shortcut, &state.shortcut, parameters);
            }
            _ => {}
        }
    }
}
