//! What one forward pass leaves for backward passes.

use super::layer::Layer;
use crate::kernel::batch_norm::Statistics;
use crate::kernel::buffer::Buffer;
use crate::kernel::conv_block::ConvBlockState;
use crate::kernel::lstm::LstmCache;
use crate::network::Mode;

/// The activations of one forward pass of a [`super::Network`].
#[derive(Debug)]
pub struct NetworkPass {
    /// Samples; 0 while there is no complete forward pass.
    pub(super) batch: usize,
    pub(super) mode: Mode,
    pub(super) input: Buffer,
    pub(super) states: Vec<State>,
    /// Gradient buffers that wait for their next use.
    pub(super) free: Vec<Buffer>,
}

impl Default for NetworkPass {
    fn default() -> Self {
        Self {
            batch: 0,
            mode: Mode::Evaluation,
            input: Buffer::default(),
            states: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl NetworkPass {
    /// The output of the last layer.
    pub(super) fn output(&self, layers: &[Layer]) -> &[f32] {
        output(layers, &self.states, &self.input)
    }
}

/// One layer's activations: those that its kind of layer has.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) out: Buffer,
    /// True where the layer did nothing (dropout in evaluation) and its output is its input.
    pub(super) skipped: bool,
    pub(super) block: ConvBlockState,
    pub(super) statistics: Statistics,
    pub(super) directions: Vec<LstmCache>,
    pub(super) body: Vec<State>,
    pub(super) shortcut: Vec<State>,
}

/// The output of the last of `layers`, whose first reads `x`.
pub(super) fn output<'a>(layers: &[Layer], states: &'a [State], x: &'a [f32]) -> &'a [f32] {
    let states = &states[..layers.len()];
    let last = states.iter().rev().find(|state| !state.skipped);
    last.map_or(x, |state| &state.out)
}
